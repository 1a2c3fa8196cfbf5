//! Wire → meaning: requests, whole answers, and the items and parts that streams share with them.

mod answer;
mod call;
mod content;
mod item;
mod request;
mod usage;

use serde::Deserialize;
use serde_json::value::RawValue;
use shim_ir::{Dialect, Foreign, Rest};
use shim_wire::{Members, RawJson, Str, from_raw, text_of};

pub(super) use answer::{finish, output, output_item, reason_of, response, whole};
pub(super) use call::{call_begun, call_form, calls_client};
pub(super) use content::{annotation, content_part, logprobs};
pub(super) use item::{enclose, envelope, kind as item_kind};
pub(super) use request::request;
pub(super) use usage::usage;

use crate::DecodeError;
use crate::common::{each_member, quoted};

/// This dialect.
pub(super) const DIALECT: Dialect = Dialect::OpenaiResponses;

/// The member of a part's `rest` that holds what its message says beside its content. Parts without it go on with the
/// message of the part before.
pub(super) const ITEM: &str = "item";

/// The member of a request's `rest` that is always there, `null` where the client left it out: an empty `rest` has no
/// dialect, and what the client does not say means other things here than elsewhere.
pub(super) const STORE: &str = "store";

/// Reads `raw`, which stands at `path`.
fn read<'a, T: Deserialize<'a>>(raw: &'a RawValue, path: &str) -> Result<T, DecodeError> {
    from_raw(raw).map_err(|error| DecodeError::from(error).under(path))
}

/// What a wire type does not model.
fn rest(members: Members<'_>) -> Rest {
    Rest::new(DIALECT, members)
}

/// A node nobody else has.
pub(super) fn foreign(kind: &str, raw: &RawValue) -> Foreign {
    Foreign { dialect: DIALECT, kind: kind.to_owned(), raw: raw.into() }
}

/// The string, if it says anything: some providers write an empty one for none.
pub(super) fn said(text: Option<Str<'_>>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(Str::into_string)
}

/// The raw value, owned.
fn raw(value: Option<&RawValue>) -> Option<RawJson> {
    value.map(RawJson::from)
}

/// The string that is the whole of `value`; `None` when it is of another kind.
pub(super) fn string(value: &RawValue) -> Option<String> {
    text_of(value.get()).map(String::from)
}

/// As [`string`], of an owned value.
pub(super) fn string_of(value: &RawJson) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

/// A string as it reads, and any other value as it is written.
pub(super) fn written(value: &RawValue) -> String {
    string(value).unwrap_or_else(|| value.get().to_owned())
}

/// Whether `value` is an array.
pub(super) fn is_array(value: &RawValue) -> bool {
    value.get().starts_with('[')
}

/// The members of the object `value`, owned; none when it is of another kind.
fn members(value: &RawValue) -> Vec<(Box<str>, RawJson)> {
    let mut members = Vec::new();
    let read = each_member(value.get(), |member| {
        if let Ok(raw) = RawJson::parse(member.value.text()) {
            members.push((member.key.into(), raw));
        }
    });
    read.map(|()| members).unwrap_or_default()
}

/// Members as the text of an object.
pub(super) fn object<'a>(members: impl IntoIterator<Item = &'a (Box<str>, RawJson)>) -> Option<RawJson> {
    let pairs: Vec<_> =
        members.into_iter().map(|(key, value)| format!("{}:{}", quoted(key), value.get())).collect();
    RawJson::parse(&format!("{{{}}}", pairs.join(","))).ok()
}
