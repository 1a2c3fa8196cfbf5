//! What a node has that no other dialect does.

use serde_json::value::RawValue;
use shim_ir::Rest;
use shim_wire::{JsonWriter, RawJson};

use super::super::decode::{DIALECT, members, object};
use super::losses::Losses;
use crate::common::own_rest;

/// A member of a node, verbatim.
pub(crate) type Member = (Box<str>, RawJson);

/// The members of `rest`, being this dialect's; those of another are told as left out.
pub(crate) fn own<'r>(rest: &'r Rest, path: impl FnOnce() -> String, losses: &mut Losses) -> &'r [Member] {
    match rest.origin() {
        None => &[],
        Some(DIALECT) => rest.members(),
        Some(_) => {
            let mut told = Vec::new();
            own_rest(rest, DIALECT, &path(), &mut told);
            told.into_iter().for_each(|loss| losses.add(loss));
            &[]
        }
    }
}

/// Writes the members that are not named in `but`.
pub(crate) fn write(w: &mut JsonWriter<'_>, own: &[Member], but: &[&str]) {
    for (key, value) in own.iter().filter(|(key, _)| !but.contains(&&**key)) {
        w.raw(key, value);
    }
}

/// The members of the object that `own` holds under `key`.
pub(crate) fn left(own: &[Member], key: &str) -> Vec<Member> {
    let found = own.iter().find(|(name, value)| **name == *key && value.get().starts_with('{'));
    let raw: Option<&RawValue> = found.and_then(|(_, value)| serde_json::from_str(value.get()).ok());
    raw.map(members).unwrap_or_default()
}

/// `members` as one object.
pub(crate) fn joined(list: Vec<Member>) -> Option<RawJson> {
    RawJson::parse(&object(&Rest::from_owned(DIALECT, list))).ok()
}
