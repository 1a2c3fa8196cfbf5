//! What a client's key permits, and what becomes of keys that the gateway made.

use shim_ir::{Dialect, KeyId, ProviderId, TeamName};

use crate::extraction::Mode;
use crate::limits::Limits;
use crate::record::Record;

/// What a key permits. Empty lists permit everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// What may be asked for: aliases, `provider/model`, or patterns ending in `*`.
    pub allow: Vec<String>,
    /// The only providers that may be asked.
    pub providers: Vec<ProviderId>,
    /// Providers that may not be asked, whatever else is said.
    pub deny_providers: Vec<ProviderId>,
    /// The only regions that may be asked, in lower case; a provider whose region is not known is in none.
    pub regions: Vec<String>,
    /// The only dialects the client may speak.
    pub dialects: Vec<Dialect>,
    /// Whose it is, in the operator's words.
    pub owner: Option<String>,
    /// The team it counts with.
    pub team: Option<TeamName>,
    /// The first moment it is no longer good, in milliseconds since 1970.
    pub expires_ms: Option<u64>,
    /// How much is recorded of its exchanges, where it says so.
    pub record: Option<Record>,
    /// What is done where it seems to harvest a model, where it says so.
    pub extraction: Option<Mode>,
    /// Its limits.
    pub limits: Limits,
}

/// Why a provider may not be asked with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Barred {
    /// The provider is denied, or not among those permitted.
    Provider,
    /// Its region is not among those permitted.
    Region,
    /// Its region is not known, and only some are permitted.
    UnknownRegion,
}

impl Grant {
    /// Whether `model` may be asked for.
    #[must_use]
    pub fn allows(&self, model: &str) -> bool {
        let matches = |pattern: &String| match pattern.strip_suffix('*') {
            Some(prefix) => model.starts_with(prefix),
            None => pattern == model,
        };
        self.allow.is_empty() || self.allow.iter().any(matches)
    }

    /// Whether the client may speak `dialect`.
    #[must_use]
    pub fn speaks(&self, dialect: Dialect) -> bool {
        self.dialects.is_empty() || self.dialects.contains(&dialect)
    }

    /// Whether a provider in this region may be asked.
    ///
    /// # Errors
    /// When it may not, with the reason.
    pub fn reaches(&self, provider: &ProviderId, region: Option<&str>) -> Result<(), Barred> {
        let only = !self.providers.is_empty() && !self.providers.contains(provider);
        if only || self.deny_providers.contains(provider) {
            return Err(Barred::Provider);
        }
        match region {
            _ if self.regions.is_empty() => Ok(()),
            None => Err(Barred::UnknownRegion),
            Some(region) if self.regions.iter().any(|own| own.eq_ignore_ascii_case(region)) => Ok(()),
            Some(_) => Err(Barred::Region),
        }
    }

    /// Whether it is no longer good at `now_ms`.
    #[must_use]
    pub fn expired(&self, now_ms: u64) -> bool {
        self.expires_ms.is_some_and(|expires| expires <= now_ms)
    }
}

/// The SHA-256 of a key's secret.
///
/// A plain hash is enough for secrets the gateway makes: 256 random bits cannot be guessed, so there is nothing for a slow
/// hash or a salt to slow down. (They protect what people think up.)
pub type SecretHash = [u8; 32];

/// A key that the gateway made. Its secret is known to nobody but who it was shown to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeKey {
    /// Its name.
    pub id: KeyId,
    /// The hash of its secret.
    pub hash: SecretHash,
    /// The first characters of the secret, to tell which one somebody has.
    pub shown: String,
    /// When it was made, in milliseconds since 1970.
    pub made_ms: u64,
    /// When it was revoked, if it was.
    pub revoked_ms: Option<u64>,
    /// The secret before the last rotation.
    pub previous: Option<Previous>,
    /// What it permits.
    pub grant: Grant,
}

/// A secret that was replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Previous {
    /// Its hash.
    pub hash: SecretHash,
    /// Until when it goes on being good, in milliseconds since 1970.
    pub until_ms: u64,
}

impl MadeKey {
    /// Revokes it; a key that was revoked stays so.
    pub fn revoke(&mut self, now_ms: u64) {
        self.revoked_ms = self.revoked_ms.or(Some(now_ms));
    }

    /// Replaces its secret; the old one goes on being good for `grace_ms`. The secret before that is forgotten, so that
    /// never more than two are good.
    pub fn rotate(&mut self, hash: SecretHash, shown: String, now_ms: u64, grace_ms: u64) {
        self.previous = Some(Previous { hash: self.hash, until_ms: now_ms.saturating_add(grace_ms) });
        self.hash = hash;
        self.shown = shown;
    }

    /// `live`, `expired` or `revoked`.
    #[must_use]
    pub fn state(&self, now_ms: u64) -> &'static str {
        match self.revoked_ms {
            Some(_) => "revoked",
            None if self.grant.expired(now_ms) => "expired",
            None => "live",
        }
    }
}

#[cfg(test)]
mod tests {
    use shim_ir::{Dialect, KeyId, ProviderId};

    use super::{Barred, Grant, MadeKey, Previous};

    fn id(name: &str) -> ProviderId {
        ProviderId::new(name).unwrap()
    }

    #[track_caller]
    fn check(grant: &Grant, provider: &str, region: Option<&str>, wanted: Result<(), Barred>) {
        assert_eq!(grant.reaches(&id(provider), region), wanted, "{provider} in {region:?} under {grant:?}");
    }

    #[test]
    fn providers_and_regions_are_permitted_by_name() {
        let open = Grant::default();
        check(&open, "any", None, Ok(()));
        let denies = Grant { deny_providers: vec![id("a")], ..Grant::default() };
        check(&denies, "a", None, Err(Barred::Provider));
        check(&denies, "b", None, Ok(()));
        let both = Grant { providers: vec![id("a"), id("b")], ..denies };
        check(&both, "a", None, Err(Barred::Provider));
        check(&both, "b", None, Ok(()));
        check(&both, "c", None, Err(Barred::Provider));
        let europe = Grant { regions: vec!["eu".into()], ..Grant::default() };
        check(&europe, "a", Some("EU"), Ok(()));
        check(&europe, "a", Some("us"), Err(Barred::Region));
        check(&europe, "a", None, Err(Barred::UnknownRegion));
    }

    #[test]
    fn models_and_dialects_are_permitted_by_name() {
        let grant = Grant {
            allow: vec!["chat".into(), "lab/*".into()],
            dialects: vec![Dialect::Gemini],
            ..Grant::default()
        };
        let allowed = ["chat", "chats", "lab/x", "la"].map(|model| grant.allows(model));
        assert_eq!(allowed, [true, false, true, false]);
        assert!(grant.speaks(Dialect::Gemini) && !grant.speaks(Dialect::Anthropic));
        assert!(Grant::default().allows("any") && Grant::default().speaks(Dialect::Anthropic));
    }

    #[test]
    fn a_made_key_is_rotated_and_revoked() {
        let mut key = MadeKey {
            id: KeyId::new("app").unwrap(),
            hash: [1; 32],
            shown: "shim-aa".into(),
            made_ms: 0,
            revoked_ms: None,
            previous: None,
            grant: Grant { expires_ms: Some(100), ..Grant::default() },
        };
        key.rotate([2; 32], "shim-bb".into(), 10, 5);
        assert_eq!((key.hash, key.previous), ([2; 32], Some(Previous { hash: [1; 32], until_ms: 15 })));
        assert_eq!((key.state(99), key.state(100)), ("live", "expired"));
        key.revoke(50);
        key.revoke(60);
        assert_eq!((key.revoked_ms, key.state(200)), (Some(50), "revoked"));
    }
}
