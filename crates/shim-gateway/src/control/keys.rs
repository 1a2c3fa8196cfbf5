//! Keys, changed while requests flow: each change is kept, then in force as a new generation.

use std::time::Duration;

use shim_catalog::nearest;
use shim_config::parse_grant;
use shim_ir::KeyId;
use shim_policy::access::{Grant, MadeKey};
use shim_policy::limits::Account;

use super::{Control, ControlError, Inner, hint, now_ms};
use crate::generation::Secret;
use crate::made::{self, KeyError};
use crate::spent::Spent;

/// A key, as operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyStatus {
    /// Its name.
    pub id: KeyId,
    /// `live`, `expired` or `revoked`.
    pub state: &'static str,
    /// The first characters of its secret, and when it was made, where the gateway made it; none of a key of the file.
    pub made: Option<(String, u64)>,
    /// What it permits.
    pub grant: Grant,
}

impl KeyStatus {
    /// Of a key that was made.
    #[must_use]
    pub fn of_made(key: &MadeKey, now_ms: u64) -> Self {
        let made = Some((key.shown.clone(), key.made_ms));
        Self { id: key.id.clone(), state: key.state(now_ms), made, grant: key.grant.clone() }
    }
}

impl Control {
    /// Makes a key, and gives its secret, which is nowhere else. `grant`: what it permits, as in `[keys.NAME]`.
    ///
    /// # Errors
    /// When the name is taken, or the change cannot be kept.
    pub fn create_key(&self, id: KeyId, grant: Grant) -> Result<(KeyStatus, Secret), ControlError> {
        let mut inner = self.lock();
        if inner.config.keys.contains_key(&id) {
            return Err(KeyError::Taken(id).into());
        }
        if let Some(team) = grant.team.as_ref().filter(|team| !inner.config.teams.contains_key(*team)) {
            return Err(KeyError::NoTeam(team.to_string()).into());
        }
        let (key, secret) = made::create(&inner.made, id, grant, now_ms())?;
        Ok((self.keep(&mut inner, &key, "key created")?, secret))
    }

    /// Gives a made key another secret; the old one is good for `grace` more.
    ///
    /// # Errors
    /// When there is no such key, or the change cannot be kept.
    pub fn rotate_key(&self, name: &str, grace: Duration) -> Result<(KeyStatus, Secret), ControlError> {
        let mut inner = self.lock();
        inner.not_in_file(name)?;
        let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        let (key, secret) = made::rotate(&inner.made, name, grace_ms, now_ms())?;
        Ok((self.keep(&mut inner, &key, "key rotated")?, secret))
    }

    /// Revokes a made key.
    ///
    /// # Errors
    /// When there is no such key, or the change cannot be kept.
    pub fn revoke_key(&self, name: &str) -> Result<KeyStatus, ControlError> {
        let mut inner = self.lock();
        inner.not_in_file(name)?;
        let key = made::revoke(&inner.made, name, now_ms())?;
        self.keep(&mut inner, &key, "key revoked")
    }

    /// What a key that is to be made permits, from the words of `[keys.NAME]`; providers and teams are those in force.
    ///
    /// # Errors
    /// With every problem, to be read by people.
    pub fn read_grant(&self, text: &str) -> Result<Grant, String> {
        let known: Vec<_> = shim_catalog::providers().iter().map(|provider| provider.id.as_str()).collect();
        parse_grant(text, &self.lock().config, &known).map_err(|problems| problems.to_string())
    }

    /// All keys, those of the file first.
    #[must_use]
    pub fn keys(&self) -> Vec<KeyStatus> {
        let (inner, now_ms) = (self.lock(), now_ms());
        let of_file = |(id, key): (&KeyId, &shim_config::Key)| KeyStatus {
            id: id.clone(),
            state: if key.grant.expired(now_ms) { "expired" } else { "live" },
            made: None,
            grant: key.grant.clone(),
        };
        let made = inner.made.iter().map(|key| KeyStatus::of_made(key, now_ms));
        inner.config.keys.iter().map(of_file).chain(made).collect()
    }

    /// How everyone who is limited stands.
    #[must_use]
    pub fn accounts(&self) -> Vec<Account> {
        self.shared.limited.accounts(&self.shared.snapshot())
    }

    /// Rests budgets on what `spent` knows, and with them what is known of keys that are watched for extraction. To be called once, after the start and before anything is served.
    ///
    /// # Errors
    /// When it cannot be read: to serve all the same would be to overspend.
    pub fn rests_on(&self, spent: Box<dyn Spent>) -> Result<(), ControlError> {
        let _inner = self.lock();
        let snapshot = self.shared.snapshot();
        self.shared.limited.rest_on(spent, &snapshot)?;
        Ok(self.shared.begin_extraction(&snapshot)?)
    }

    /// Takes what a key does as usual for it from now on: an alarm of extraction is over. Whether it has done anything since
    /// the start.
    ///
    /// # Errors
    /// When there is no such key.
    pub fn lift(&self, name: &str) -> Result<bool, ControlError> {
        let snapshot = self.shared.snapshot();
        if snapshot.keys().named(name).is_none() {
            let keys = self.keys();
            let near = nearest(name, keys.iter().map(|key| key.id.as_str()), 1);
            return Err(KeyError::NoKey(name.to_owned(), hint(&near)).into());
        }
        Ok(self.shared.lift(&snapshot, name))
    }

    /// Keeps a key, then puts it in force.
    fn keep(&self, inner: &mut Inner, key: &MadeKey, cause: &str) -> Result<KeyStatus, ControlError> {
        let mut keys = inner.made.clone();
        match keys.iter_mut().find(|known| known.id == key.id) {
            Some(known) => known.clone_from(key),
            None => keys.push(key.clone()),
        }
        keys.sort_by(|a, b| a.id.cmp(&b.id));
        let (config, swaps) = (inner.config.clone(), inner.swaps.clone());
        let snapshot = self.build(inner, &config, &swaps, &keys, cause)?;
        inner.store.keep_key(key)?;
        inner.made = keys;
        self.shared.publish(snapshot);
        Ok(KeyStatus::of_made(key, now_ms()))
    }
}

impl Inner {
    fn not_in_file(&self, name: &str) -> Result<(), KeyError> {
        match self.config.keys.get_key_value(name) {
            Some((id, _)) => Err(KeyError::InFile(id.clone())),
            None => Ok(()),
        }
    }
}
