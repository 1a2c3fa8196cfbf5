//! `logprobsResult`, from lists of tokens as OpenAI writes them.

use shim_wire::{JsonWriter, RawJson, Value, ValueKind};

use super::own::{Member, write};
use crate::common::{each_element, each_member};

/// What is left out of a list of another form, and why.
pub(crate) const OTHER_FORM: &str = "they have another form";

/// Whether a list can be told: it is of tokens, or the dialect's own.
pub(crate) fn is_list(list: &RawJson) -> bool {
    let mut sound = true;
    let read = each_element(list.get(), |_, entry| sound &= is_own(&entry) || is_token(&entry));
    read.is_ok() && sound
}

/// One `logprobsResult` that says what `lists` say, and what the dialect itself said beside them; `None` where they say
/// nothing.
pub(crate) fn logprobs(lists: &[&RawJson], beside: &[Member]) -> Option<RawJson> {
    let mut all: Vec<Value<'_>> = Vec::new();
    for list in lists {
        let read = each_element(list.get(), |_, value| all.push(value));
        read.ok()?;
    }
    match all.as_slice() {
        [] => None,
        [one] if is_own(one) => Some(RawJson::from(*one)),
        _ => joined(&all, beside),
    }
}

/// Whether an element is what the dialect said in a form that is no list of tokens.
fn is_own(value: &Value<'_>) -> bool {
    value.get("chosenCandidates").is_some() || value.get("topCandidates").is_some()
}

fn is_token(value: &Value<'_>) -> bool {
    value.get("token").is_some() && value.get("logprob").is_some()
}

fn joined(all: &[Value<'_>], beside: &[Member]) -> Option<RawJson> {
    let lists_others = |value: &Value<'_>| is_own(value) || others(value).is_some();
    let mut out = Vec::new();
    JsonWriter::new(&mut out).object(|w| {
        if all.iter().any(lists_others) {
            w.array("topCandidates", |w| all.iter().for_each(|value| top(w, value)));
        }
        w.array("chosenCandidates", |w| all.iter().for_each(|value| chosen(w, value)));
        write(w, beside, &[]);
    });
    RawJson::parse(std::str::from_utf8(&out).ok()?).ok()
}

/// The tokens that might have stood in the place of one.
fn others<'a>(value: &Value<'a>) -> Option<Value<'a>> {
    value.get("top_logprobs").filter(|list| list.kind() == ValueKind::Array)
}

fn top(w: &mut JsonWriter<'_>, value: &Value<'_>) {
    if is_own(value) {
        return each(w, value.get("topCandidates"));
    }
    w.element().object(|w| {
        w.array("candidates", |w| {
            if let Some(list) = others(value) {
                let _ = each_element(list.text(), |_, entry| candidate(w, &entry));
            }
        });
    });
}

fn chosen(w: &mut JsonWriter<'_>, value: &Value<'_>) {
    if is_own(value) {
        return each(w, value.get("chosenCandidates"));
    }
    candidate(w, value);
}

/// The elements of a list of the dialect's own.
fn each(w: &mut JsonWriter<'_>, list: Option<Value<'_>>) {
    let Some(list) = list else { return };
    let _ = each_element(list.text(), |_, entry| w.element().raw(&RawJson::from(entry)));
}

/// A token. Its bytes are those of its text, and are not told beside it.
fn candidate(w: &mut JsonWriter<'_>, value: &Value<'_>) {
    w.element().object(|w| {
        let _ = each_member(value.text(), |member| match &*member.key {
            "logprob" => w.raw("logProbability", &RawJson::from(member.value)),
            "bytes" | "top_logprobs" => {}
            key => w.raw(key, &RawJson::from(member.value)),
        });
    });
}
