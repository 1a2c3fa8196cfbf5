//! Wire → meaning: requests, whole answers, and the pieces of them that chunks share.

mod answer;
mod content;
mod reasoning;
mod request;
mod usage;

use serde::Deserialize;
use serde_json::value::RawValue;
use shim_ir::{Dialect, Foreign, Rest};
use shim_wire::{Members, RawJson, Str, from_raw, text_of};

pub(super) use answer::{
    annotation, annotations, completion, finish, function_call, image, source, sources, tool_call,
};
pub(super) use content::{bare_media, content};
pub(super) use reasoning::{Details, Readable, details_say, readable};
pub(super) use request::{ASKED, chat};
pub(super) use usage::{Stated, usage};

use crate::DecodeError;
use crate::common::each_member;

/// This dialect.
pub(super) const DIALECT: Dialect = Dialect::OpenaiChat;

/// A member of `rest` that no provider sends: which form something had in a request, where the dialect has several and
/// not every provider knows this one. What came in it goes back in it.
pub(super) const FORM: &str = "form";

/// The member of a request that has the model search the web, and the word for that tool.
pub(super) const WEB_SEARCH: &str = "web_search_options";

/// Notes the form something had.
pub(super) fn note_form(rest: &mut Rest, form: &str) {
    rest.push(DIALECT, FORM, RawJson::string(form));
}

/// Whether something had this form.
pub(super) fn has_form(rest: &Rest, form: &str) -> bool {
    rest.get(FORM).is_some_and(|raw| raw.get().trim_matches('"') == form)
}

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

/// The string, if it says anything: some providers write an empty one for none.
pub(super) fn said(text: Option<Str<'_>>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(Str::into_string)
}

/// The raw value, owned.
pub(super) fn raw(value: Option<&RawValue>) -> Option<RawJson> {
    value.map(RawJson::from)
}

/// The string that is the whole of `value`; `None` when it is of another kind.
pub(super) fn string(value: &RawValue) -> Option<String> {
    text_of(value.get()).map(String::from)
}

/// Whether `value` is an array.
pub(super) fn is_array(value: &RawValue) -> bool {
    value.get().starts_with('[')
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

/// Whether `value` says anything: `null`, `""`, `{}`, `[]` and `false` do not.
pub(super) fn tells(value: &str) -> bool {
    !matches!(value, "null" | "\"\"" | "{}" | "[]" | "false")
}
