//! Log probabilities of a text.

use shim_wire::{JsonWriter, Place, RawJson, Value, ValueKind};

use crate::common::{each_element, member};

/// Whether a list is of log probabilities as OpenAI writes them. Others have other forms.
pub(crate) fn is_list(list: &RawJson) -> bool {
    let mut sound = true;
    let read = each_element(list.get(), |_, entry| {
        sound &= entry.get("token").is_some() && entry.get("logprob").is_some();
    });
    read.is_ok() && sound
}

/// What log probabilities are written for: those of events tell no bytes.
/// Source: `ResponseTextDeltaEvent` and `ResponseOutputText` of the official SDK, read 2026-11-26.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// A text, with all that is said of it.
    Text,
    /// An event on its way there.
    Event,
}

/// Writes log probabilities; an empty list where there are none, or none of this form.
pub(crate) fn put_logprobs(place: Place<'_, '_>, list: Option<&RawJson>, told: Told) {
    let Some(list) = list.filter(|list| is_list(list)) else { return place.array(|_| ()) };
    let mut whole = true;
    let _ = each_element(list.get(), |_, entry| whole &= is_whole(entry));
    if whole {
        return place.raw(list);
    }
    place.array(|w| {
        let _ = each_element(list.get(), |_, entry| put_entry(w.element(), entry, told));
    });
}

/// Whether an entry has all that the official SDK's types need. Source: `Logprob`, read 2026-11-25.
fn is_whole(entry: Value<'_>) -> bool {
    let is_array = |name: &str| entry.get(name).is_some_and(|value| value.kind() == ValueKind::Array);
    is_array("bytes") && is_array("top_logprobs")
}

/// Writes an entry with what it lacks: the bytes of its token, and others like it.
fn put_entry(place: Place<'_, '_>, entry: Value<'_>, told: Told) {
    place.object(|w| {
        put_token(w, entry, told);
        w.array("top_logprobs", |w| {
            let others = entry.get("top_logprobs").filter(|list| list.kind() == ValueKind::Array);
            let _ = each_element(others.map_or("[]", |list| list.text()), |_, other| {
                w.element().object(|w| put_token(w, other, told));
            });
        });
    });
}

fn put_token(w: &mut JsonWriter<'_>, entry: Value<'_>, told: Told) {
    for name in ["token", "logprob"] {
        w.maybe(name, member(entry.text(), name).map(RawJson::from).as_ref(), JsonWriter::raw);
    }
    if told == Told::Event {
        return;
    }
    match entry.get("bytes").filter(|bytes| bytes.kind() == ValueKind::Array) {
        Some(bytes) => w.raw("bytes", &bytes.into()),
        None => {
            let token = entry.get("token").and_then(|token| token.as_str().map(String::from));
            w.array("bytes", |w| token.unwrap_or_default().bytes().for_each(|byte| w.element().number(byte)));
        }
    }
}
