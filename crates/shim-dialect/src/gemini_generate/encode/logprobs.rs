//! `logprobsResult`, from the dialect's own or from OpenAI's lists of tokens.

use shim_wire::{JsonWriter, RawJson, Value};

use crate::common::each_element;

/// One `logprobsResult` that says what `lists` say; `None` where they say nothing.
pub(crate) fn logprobs(lists: &[&RawJson]) -> Option<RawJson> {
    let mut all: Vec<Value<'_>> = Vec::new();
    for list in lists {
        let read = each_element(list.get(), |_, value| all.push(value));
        read.ok()?;
    }
    match all.as_slice() {
        [] => None,
        [one] if is_own(one) => Some(RawJson::from(*one)),
        _ => joined(&all),
    }
}

fn is_own(value: &Value<'_>) -> bool {
    value.get("chosenCandidates").is_some()
        || value.get("topCandidates").is_some()
        || value.get("token").is_none()
}

fn joined(all: &[Value<'_>]) -> Option<RawJson> {
    let mut out = Vec::new();
    JsonWriter::new(&mut out).object(|w| {
        w.array("topCandidates", |w| all.iter().for_each(|value| top(w, value)));
        w.array("chosenCandidates", |w| all.iter().for_each(|value| chosen(w, value)));
    });
    RawJson::parse(std::str::from_utf8(&out).ok()?).ok()
}

fn top(w: &mut JsonWriter<'_>, value: &Value<'_>) {
    if let Some(list) = value.get("topCandidates") {
        return each(w, list);
    }
    w.element().object(|w| {
        w.array("candidates", |w| {
            if let Some(list) = value.get("top_logprobs") {
                let _ = each_element(list.text(), |_, entry| candidate(w, &entry));
            }
        });
    });
}

fn chosen(w: &mut JsonWriter<'_>, value: &Value<'_>) {
    match value.get("chosenCandidates") {
        Some(list) => each(w, list),
        None => candidate(w, value),
    }
}

/// The elements of a list of the dialect's own.
fn each(w: &mut JsonWriter<'_>, list: Value<'_>) {
    let _ = each_element(list.text(), |_, entry| w.element().raw(&RawJson::from(entry)));
}

/// A token of OpenAI's.
fn candidate(w: &mut JsonWriter<'_>, value: &Value<'_>) {
    w.element().object(|w| {
        w.maybe("token", value.get("token").and_then(|token| token.as_str()).as_deref(), JsonWriter::string);
        let number = value.get("logprob").map(RawJson::from);
        w.maybe("logProbability", number.as_ref(), JsonWriter::raw);
    });
}
