//! Clients' keys, as exchanges look them up.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use shim_ir::{Dialect, Fault, FaultKind, KeyId, ProviderId, TeamName};
use shim_policy::access::{Barred, Grant, MadeKey, SecretHash};
use shim_policy::calendar::print_moment;
use shim_policy::extraction::{Mode, Rule};
use shim_policy::limits::{Governed, Limits, Subject};
use smallvec::SmallVec;

use crate::generation::{Endpoint, Secret, SetupError};
use crate::plan::Step;

/// A client's key.
#[derive(Clone, Debug)]
pub struct KeySetup {
    /// Its name.
    pub id: KeyId,
    /// What shows that a client has it.
    pub proofs: Vec<Proof>,
    /// When it was revoked, in milliseconds since 1970.
    pub revoked_ms: Option<u64>,
    /// What it permits.
    pub grant: Grant,
    /// Whether the gateway made it; else it is the file's.
    pub made: bool,
}

/// A secret of a key, by its hash.
#[derive(Clone, Copy, Debug)]
pub struct Proof {
    /// The hash.
    pub hash: SecretHash,
    /// Until when it is good, in milliseconds since 1970, where another has taken its place.
    pub until_ms: Option<u64>,
}

impl KeySetup {
    /// A key of the file.
    #[must_use]
    pub fn of_file(id: &KeyId, secret: &Secret, grant: Grant) -> Self {
        let hash = Sha256::digest(secret.expose().as_bytes()).into();
        Self {
            id: id.clone(),
            proofs: vec![Proof { hash, until_ms: None }],
            revoked_ms: None,
            grant,
            made: false,
        }
    }

    /// A key that was made.
    #[must_use]
    pub fn of_made(key: &MadeKey) -> Self {
        let now = Proof { hash: key.hash, until_ms: None };
        let before = key.previous.map(|old| Proof { hash: old.hash, until_ms: Some(old.until_ms) });
        Self {
            id: key.id.clone(),
            proofs: std::iter::once(now).chain(before).collect(),
            revoked_ms: key.revoked_ms,
            grant: key.grant.clone(),
            made: true,
        }
    }
}

/// A client's key, as an exchange holds it.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) id: KeyId,
    revoked_ms: Option<u64>,
    grant: Grant,
    /// How extraction is looked for where neither key nor alias says.
    rule: Rule,
    /// The limits of the key and of its team, where they have any.
    pub(crate) limited: SmallVec<[Arc<Governed>; 2]>,
}

/// All keys, by the hash of a secret.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    proofs: HashMap<SecretHash, (Arc<Key>, Option<u64>)>,
    by_id: BTreeMap<KeyId, Arc<Key>>,
    teams: Vec<Arc<Governed>>,
}

/// Someone with limits; `None` without.
pub(crate) fn governed(subject: Subject, limits: &Limits) -> Option<Arc<Governed>> {
    (!limits.is_empty()).then(|| Arc::new(Governed { subject, limits: limits.clone() }))
}

impl Keys {
    /// The keys of a setup.
    ///
    /// # Errors
    /// When two have the same name or secret.
    pub(crate) fn build(
        setups: &[KeySetup],
        teams: &BTreeMap<TeamName, Limits>,
        rule: Rule,
    ) -> Result<Self, SetupError> {
        let team = |name: &TeamName| governed(Subject::Team(name.clone()), teams.get(name)?);
        let teams: BTreeMap<_, _> = teams.keys().filter_map(|name| Some((name, team(name)?))).collect();
        let mut keys = Self { teams: teams.values().cloned().collect(), ..Self::default() };
        for setup in setups {
            let own = governed(Subject::Key(setup.id.clone()), &setup.grant.limits);
            let team = setup.grant.team.as_ref().and_then(|name| teams.get(name)).cloned();
            let key = Arc::new(Key {
                id: setup.id.clone(),
                revoked_ms: setup.revoked_ms,
                grant: setup.grant.clone(),
                rule,
                limited: own.into_iter().chain(team).collect(),
            });
            if keys.by_id.insert(setup.id.clone(), key.clone()).is_some() {
                return Err(SetupError::SameKey(setup.id.clone()));
            }
            for proof in &setup.proofs {
                if let Some((other, _)) = keys.proofs.insert(proof.hash, (key.clone(), proof.until_ms)) {
                    return Err(SetupError::SameSecret(other.id.clone(), setup.id.clone()));
                }
            }
        }
        Ok(keys)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.proofs.is_empty()
    }

    /// The key of this secret, good at this moment. `now` is asked only for a key whose time can be over.
    ///
    /// # Errors
    /// When there is none, or it is no longer good.
    pub(crate) fn of(&self, secret: &[u8], now: impl FnOnce() -> u64) -> Result<&Arc<Key>, Fault> {
        let refused = |message: String| Fault::new(FaultKind::Unauthenticated, message);
        let found = self.proofs.get::<SecretHash>(&Sha256::digest(secret).into());
        let Some((key, until_ms)) = found else {
            return Err(refused("the credential is not a key of this gateway".to_owned()));
        };
        if key.revoked_ms.is_some() {
            return Err(refused(format!("the key \"{}\" was revoked", key.id)));
        }
        if until_ms.is_none() && key.grant.expires_ms.is_none() {
            return Ok(key);
        }
        let now_ms = now();
        if let Some(until) = until_ms.filter(|until| *until <= now_ms) {
            let since = print_moment(until);
            let message = format!(
                "this secret of the key \"{}\" was replaced by another, and is no good since {since}",
                key.id
            );
            return Err(refused(message));
        }
        match key.grant.expires_ms {
            Some(expires) if expires <= now_ms => {
                Err(refused(format!("the key \"{}\" expired on {}", key.id, print_moment(expires))))
            }
            Some(_) | None => Ok(key),
        }
    }

    /// The key of this name.
    pub(crate) fn named(&self, id: &str) -> Option<&Arc<Key>> {
        self.by_id.get(id)
    }

    /// Every key and team that is limited.
    pub(crate) fn governed(&self) -> impl Iterator<Item = &Governed> {
        let key = |subject: &Subject| matches!(subject, Subject::Key(_));
        let own = self.by_id.values().flat_map(|key| key.limited.iter());
        own.filter(move |governed| key(&governed.subject)).chain(&self.teams).map(Arc::as_ref)
    }

    /// Whether a key says itself that it is to be watched for extraction.
    pub(crate) fn watched(&self) -> bool {
        let says = |key: &Arc<Key>| matches!(key.grant.extraction, Some(Mode::Watch | Mode::Throttle));
        self.by_id.values().any(says)
    }

    /// The team of the key of this name.
    pub(crate) fn team(&self, id: &KeyId) -> Option<&TeamName> {
        self.by_id.get(id)?.grant.team.as_ref()
    }
}

impl Key {
    /// The team it counts with.
    pub(crate) fn team(&self) -> Option<&TeamName> {
        self.grant.team.as_ref()
    }

    /// How its exchanges are watched for extraction under an alias that says `alias`; `None` where they are not.
    pub(crate) fn watched(&self, alias: Option<Mode>) -> Option<Rule> {
        let mode = self.grant.extraction.or(alias).unwrap_or(self.rule.mode);
        (mode != Mode::Off).then_some(Rule { mode, ..self.rule })
    }

    /// Whether the key may ask for `model`.
    pub(crate) fn allows(&self, model: &str) -> bool {
        self.grant.allows(model)
    }

    /// Checks that its client may speak `dialect`.
    ///
    /// # Errors
    /// When it may not.
    pub(crate) fn speaks(&self, dialect: Dialect) -> Result<(), Fault> {
        if self.grant.speaks(dialect) {
            return Ok(());
        }
        let message = format!("the key \"{}\" may not be used in the dialect {dialect}", self.id);
        Err(Fault::new(FaultKind::Forbidden, message))
    }

    /// Whether its exchanges may go there.
    ///
    /// # Errors
    /// When they may not, with the reason.
    pub(crate) fn reaches(&self, provider: &ProviderId, endpoint: &Endpoint) -> Result<(), Barred> {
        self.grant.reaches(provider, endpoint.region.as_deref())
    }

    /// Of `steps` those that its exchanges may take. The others are not tried, not even as a fallback.
    ///
    /// # Errors
    /// When there is none left, with the reason for each.
    pub(crate) fn permitted(&self, steps: SmallVec<[Step; 2]>) -> Result<SmallVec<[Step; 2]>, Fault> {
        let mut barred = Vec::new();
        let mut left = SmallVec::new();
        for step in steps {
            match self.reaches(&step.target.provider.id, &step.endpoint) {
                Ok(()) => left.push(step),
                Err(why) => barred.push(self.tell(why, &step)),
            }
        }
        if left.is_empty() {
            let message = format!("the key \"{}\" reaches no target of this: {}", self.id, barred.join("; "));
            return Err(Fault::new(FaultKind::Forbidden, message));
        }
        Ok(left)
    }

    fn tell(&self, why: Barred, step: &Step) -> String {
        let provider = &step.target.provider.id;
        let regions = self.grant.regions.join(", ");
        match why {
            Barred::Provider => format!("it may not go to {provider}"),
            Barred::Region => {
                let region = step.endpoint.region.as_deref().unwrap_or_default();
                format!("{provider} is in {region}, and it may go to {regions} alone")
            }
            Barred::UnknownRegion => {
                format!("the region of {provider} is not known, and it may go to {regions} alone")
            }
        }
    }
}
