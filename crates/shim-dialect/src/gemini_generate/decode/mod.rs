//! Wire → meaning: requests, whole answers, and the pieces of them that chunks share.

mod answer;
mod cite;
mod content;
mod embed;
mod finish;
mod generation;
mod logprobs;
mod request;
mod schema;
mod tools;
mod usage;

use serde::Deserialize;
use serde_json::value::RawValue;
use shim_ir::{Dialect, Foreign, Rest};
use shim_wire::{Members, RawJson, Str, from_raw};

pub(super) use answer::{answer, content_parts, kept, moment, tier};
pub(super) use cite::{citation, citations, grounded, in_characters};
use content::{flag, parts};
pub(super) use content::{is_call, located};
pub(super) use embed::{embed_request, embeddings};
pub(super) use finish::{blocked, finish, is_finish};
pub(super) use logprobs::logprobs;
pub(super) use request::{ROLE, counted, generate};
pub(super) use schema::json_schema;
pub(super) use usage::usage;

use super::message::is_name;
use crate::DecodeError;
use crate::common::{each_member, quoted};

/// This dialect.
pub(super) const DIALECT: Dialect = Dialect::Gemini;

/// Reads `raw`, which stands at `path`.
pub(super) fn read<'a, T: Deserialize<'a>>(raw: &'a RawValue, path: &str) -> Result<T, DecodeError> {
    from_raw(raw).map_err(|error| DecodeError::from(error).under(path))
}

/// What a wire type does not model.
pub(super) fn rest(members: Members<'_>) -> Rest {
    Rest::new(DIALECT, members)
}

/// Keeps a modelled member that has no place of its own.
pub(super) fn keep(members: &mut Rest, key: &str, value: Option<&RawValue>) {
    if let Some(value) = value {
        members.push(DIALECT, key, value.into());
    }
}

/// Keeps what is left of an object that has no node of its own, under its name.
pub(super) fn keep_left(members: &mut Rest, key: &str, left: &Rest) {
    if !left.is_empty()
        && let Ok(raw) = RawJson::parse(&object(left))
    {
        members.push(DIALECT, key, raw);
    }
}

/// `members` as the text of an object.
pub(super) fn object(members: &Rest) -> String {
    let pairs = members.members().iter().map(|(key, value)| format!("{}:{}", quoted(key), value.get()));
    format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
}

/// A node nobody else has.
pub(super) fn foreign(kind: &str, raw: &RawValue) -> Foreign {
    Foreign { dialect: DIALECT, kind: kind.to_owned(), raw: raw.into() }
}

/// The string, if it says anything.
pub(super) fn said(text: Option<Str<'_>>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(Str::into_string)
}

/// Takes out the member `name` (in snake case) that is not `null`, whatever its spelling.
pub(super) fn take<'a>(members: &mut Members<'a>, name: &str) -> Option<&'a RawValue> {
    let found = members.iter().find(|(key, raw)| is_name(key, name) && raw.get() != "null");
    let key = found?.0.to_owned();
    members.take(&key)
}

/// The elements of a list, each with its path. A value that is no list counts as a list of one.
pub(super) fn listed<'a>(raw: &'a RawValue, path: &str) -> Result<Vec<(&'a RawValue, String)>, DecodeError> {
    if !raw.get().starts_with('[') {
        return Ok(vec![(raw, path.to_owned())]);
    }
    let list: Vec<&RawValue> = read(raw, path)?;
    Ok(list.into_iter().enumerate().map(|(at, raw)| (raw, format!("{path}[{at}]"))).collect())
}

/// The members of the object `value`, owned; none when it is of another kind.
pub(super) fn members(value: &RawValue) -> Vec<(Box<str>, RawJson)> {
    let mut members = Vec::new();
    let read = each_member(value.get(), |member| {
        if let Ok(raw) = RawJson::parse(member.value.text()) {
            members.push((member.key.into(), raw));
        }
    });
    read.map(|()| members).unwrap_or_default()
}

/// Whether `value` says anything: `null`, `""`, `{}` and `[]` do not.
pub(super) fn tells(value: &str) -> bool {
    !matches!(value, "null" | "\"\"" | "{}" | "[]")
}
