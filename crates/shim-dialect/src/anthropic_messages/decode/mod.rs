//! Wire → meaning: requests, whole answers, and the pieces of them that events share.

mod answer;
mod content;
mod request;
mod usage;

use serde::Deserialize;
use serde_json::value::RawValue;
use shim_ir::{Dialect, Foreign, Rest};
use shim_wire::{Members, RawJson, Str, from_raw, text_of};

pub(super) use answer::{finish, message, word};
pub(super) use content::{block, citation, content};
pub(super) use request::messages;
pub(super) use usage::{Used, service_tier, usage};

use crate::DecodeError;
use crate::common::{each_member, quoted};

/// This dialect.
pub(super) const DIALECT: Dialect = Dialect::Anthropic;

/// What a turn keeps that was a message of its own, where that does not show: it follows another of the same speaker,
/// or is the operator's.
pub(super) const APART: &str = "apart";

/// The word for a server whose tools the provider calls.
pub(super) const MCP: &str = "mcp";
/// The member of a request that names such servers.
/// Source: <https://platform.claude.com/docs/en/agents-and-tools/mcp-connector>, read 2026-11-25.
pub(super) const SERVERS: &str = "mcp_servers";

/// Reads `raw`; where it is is for the caller to add.
pub(super) fn here<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T, DecodeError> {
    from_raw(raw).map_err(DecodeError::from)
}

/// Reads `raw`, which stands at `path`.
pub(super) fn read<'a, T: Deserialize<'a>>(raw: &'a RawValue, path: &str) -> Result<T, DecodeError> {
    here(raw).map_err(|error| error.under(path))
}

/// What a wire type does not model.
pub(super) fn rest(members: Members<'_>) -> Rest {
    Rest::new(DIALECT, members)
}

/// A node nobody else has.
pub(super) fn foreign(kind: &str, raw: &RawValue) -> Foreign {
    Foreign { dialect: DIALECT, kind: kind.to_owned(), raw: raw.into() }
}

/// The string, if it says anything: an empty one only fills a slot.
pub(super) fn said(text: Option<Str<'_>>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(Str::into_string)
}

/// The string that is the whole of `value`; `None` when it is of another kind.
pub(super) fn string(value: &RawValue) -> Option<String> {
    text_of(value.get()).map(String::from)
}

/// Keeps a modelled member that has no place of its own here.
pub(super) fn keep(members: &mut Rest, key: &str, value: Option<&RawValue>) {
    if let Some(value) = value {
        members.push(DIALECT, key, value.into());
    }
}

/// Keeps a word that is not the one it always is.
pub(super) fn keep_other(members: &mut Rest, key: &str, word: Option<Str<'_>>, usual: &str) {
    if let Some(word) = word.filter(|word| **word != *usual) {
        members.push(DIALECT, key, RawJson::string(&word));
    }
}

/// The members of the object `text`; `None` when it is of another kind.
pub(super) fn members(text: &str) -> Option<Rest> {
    let mut members = Vec::new();
    let read = each_member(text, |member| {
        if let Ok(raw) = RawJson::parse(member.value.text()) {
            members.push((member.key.into(), raw));
        }
    });
    read.ok().map(|()| Rest::from_owned(DIALECT, members))
}

/// `members` as the text of an object.
pub(super) fn object(members: &Rest) -> String {
    let pairs: Vec<_> =
        members.members().iter().map(|(key, value)| format!("{}:{}", quoted(key), value.get())).collect();
    format!("{{{}}}", pairs.join(","))
}
