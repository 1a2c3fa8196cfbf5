//! Keys that the gateway makes: what becomes of the list of them. Who calls keeps the change, then puts it in force.

use rustls::crypto::aws_lc_rs;
use sha2::{Digest as _, Sha256};
use shim_catalog::nearest;
use shim_ir::KeyId;
use shim_policy::access::{Grant, MadeKey};
use thiserror::Error;

use crate::generation::Secret;

/// Most keys that are kept, revoked ones with them.
pub const KEYS_MAX: usize = 100_000;

/// What a secret begins with, so that people and scanners know one when they see it.
const PREFIX: &str = "shim-";

/// Random bytes in a secret.
const RANDOM_BYTES: usize = 32;

/// How much of a secret is kept to tell it from others: the prefix and 24 of 256 bits.
const SHOWN_BYTES: usize = PREFIX.len() + 6;

/// Why a key was not made or changed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum KeyError {
    /// There is one of this name.
    #[error("there is a key \"{0}\" already; `shim keys rotate {0}` gives it another secret")]
    Taken(KeyId),
    /// There was one of this name, and the ledger speaks of it.
    #[error("the key \"{0}\" was revoked, and its name stays with what it did; take another name")]
    Revoked(KeyId),
    /// There is none of this name.
    #[error("there is no key \"{0}\"{1}")]
    NoKey(String, String),
    /// The file has it.
    #[error("the key \"{0}\" is in the configuration file; change it there")]
    InFile(KeyId),
    /// It names a team that is not there.
    #[error("there is no team \"{0}\"; declare it as [teams.{0}] in the configuration")]
    NoTeam(String),
    /// There are too many.
    #[error("there are {KEYS_MAX} keys, and no more are kept")]
    Many,
    /// The system has no random numbers.
    #[error("the system gives no random numbers")]
    Random,
}

/// Makes a key: the key, and its secret, which is nowhere else.
///
/// # Errors
/// When the name is taken.
pub fn create(keys: &[MadeKey], id: KeyId, grant: Grant, now_ms: u64) -> Result<(MadeKey, Secret), KeyError> {
    match keys.iter().find(|key| key.id == id) {
        Some(key) if key.revoked_ms.is_some() => return Err(KeyError::Revoked(id)),
        Some(_) => return Err(KeyError::Taken(id)),
        None if keys.len() >= KEYS_MAX => return Err(KeyError::Many),
        None => {}
    }
    let secret = secret()?;
    let key = MadeKey {
        id,
        hash: hash(&secret),
        shown: shown(&secret),
        made_ms: now_ms,
        revoked_ms: None,
        previous: None,
        grant,
    };
    Ok((key, secret))
}

/// Gives a key another secret; the old one goes on being good for `grace_ms`.
///
/// # Errors
/// When there is no such key, or it was revoked.
pub fn rotate(
    keys: &[MadeKey],
    name: &str,
    grace_ms: u64,
    now_ms: u64,
) -> Result<(MadeKey, Secret), KeyError> {
    let mut key = named(keys, name)?.clone();
    if key.revoked_ms.is_some() {
        return Err(KeyError::Revoked(key.id));
    }
    let secret = secret()?;
    key.rotate(hash(&secret), shown(&secret), now_ms, grace_ms);
    Ok((key, secret))
}

/// Revokes a key.
///
/// # Errors
/// When there is no such key.
pub fn revoke(keys: &[MadeKey], name: &str, now_ms: u64) -> Result<MadeKey, KeyError> {
    let mut key = named(keys, name)?.clone();
    key.revoke(now_ms);
    Ok(key)
}

fn named<'k>(keys: &'k [MadeKey], name: &str) -> Result<&'k MadeKey, KeyError> {
    keys.iter().find(|key| key.id.as_str() == name).ok_or_else(|| {
        let near = nearest(name, keys.iter().map(|key| key.id.as_str()), 1);
        let hint = near.first().map_or_else(String::new, |n| format!("; did you mean \"{n}\"?"));
        KeyError::NoKey(name.to_owned(), hint)
    })
}

fn secret() -> Result<Secret, KeyError> {
    let mut random = [0; RANDOM_BYTES];
    aws_lc_rs::default_provider().secure_random.fill(&mut random).map_err(|_| KeyError::Random)?;
    let digits = random.iter().map(|byte| format!("{byte:02x}"));
    Ok(Secret::new(std::iter::once(PREFIX.to_owned()).chain(digits).collect()))
}

fn hash(secret: &Secret) -> [u8; 32] {
    Sha256::digest(secret.expose().as_bytes()).into()
}

fn shown(secret: &Secret) -> String {
    secret.expose().chars().take(SHOWN_BYTES).collect()
}

#[cfg(test)]
mod tests {
    use shim_ir::KeyId;
    use shim_policy::access::Grant;

    use super::{KeyError, create, hash, revoke, rotate};

    #[test]
    fn a_key_is_made_once_and_its_secret_is_not_kept() {
        let id = KeyId::new("app").unwrap();
        let (key, secret) = create(&[], id.clone(), Grant::default(), 1).unwrap();
        let (_, other) = create(&[], id.clone(), Grant::default(), 1).unwrap();
        assert_ne!(secret, other);
        assert!(secret.expose().starts_with("shim-") && secret.expose().len() == 69);
        assert_eq!(key.hash, hash(&secret));
        assert!(secret.expose().starts_with(&key.shown) && key.shown.len() == 11);
        let keys = [key];
        assert_eq!(create(&keys, id, Grant::default(), 2).unwrap_err(), KeyError::Taken(keys[0].id.clone()));
    }

    #[test]
    fn a_key_that_was_revoked_stays_so() {
        let (key, _) = create(&[], KeyId::new("app").unwrap(), Grant::default(), 1).unwrap();
        let (rotated, secret) = rotate(std::slice::from_ref(&key), "app", 9, 10).unwrap();
        assert_eq!((rotated.previous.unwrap().hash, rotated.previous.unwrap().until_ms), (key.hash, 19));
        assert_eq!(rotated.hash, hash(&secret));
        let keys = [revoke(&[rotated], "app", 20).unwrap()];
        assert_eq!(rotate(&keys, "app", 0, 30).unwrap_err(), KeyError::Revoked(keys[0].id.clone()));
        let taken = create(&keys, keys[0].id.clone(), Grant::default(), 30).unwrap_err();
        assert_eq!(taken, KeyError::Revoked(keys[0].id.clone()));
        let told = revoke(&keys, "apq", 1).unwrap_err().to_string();
        assert_eq!(told, "there is no key \"apq\"; did you mean \"app\"?");
    }
}
