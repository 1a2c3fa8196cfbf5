//! `logprobsResult` as the list that others have: an entry for each token, with the tokens that might have stood there.
//! Source: <https://ai.google.dev/api/generate-content#LogprobsResult>, read 2026-11-26.

use serde_json::value::RawValue;
use shim_ir::Rest;
use shim_wire::{JsonWriter, RawJson, Value, ValueKind};

use super::{DIALECT, object};
use crate::common::{each_element, each_member};

/// Members of an entry that another one becomes.
const TAKEN: [&str; 2] = ["logprob", "top_logprobs"];

/// The tokens, and what the dialect says beside them. Where they are of no such form, the list is what came alone.
pub(crate) fn logprobs(raw: &RawValue) -> (Option<RawJson>, Option<RawJson>) {
    let (mut chosen, mut top, mut beside) = (Vec::new(), None, Vec::new());
    let read = each_member(raw.get(), |member| match &*member.key {
        "chosenCandidates" => chosen = elements(&member.value),
        "topCandidates" => top = Some(elements(&member.value)),
        _ => beside.push((member.key.into(), RawJson::from(member.value))),
    });
    if read.is_err() || (chosen.is_empty() && top.as_ref().is_none_or(Vec::is_empty)) {
        return (None, Some(raw.into()));
    }
    if let Some(list) = listed(&chosen, top.as_deref()) {
        let left = Rest::from_owned(DIALECT, beside);
        return (Some(list), (!left.is_empty()).then(|| RawJson::parse(&object(&left)).ok()).flatten());
    }
    match RawJson::parse(&format!("[{}]", raw.get())) {
        Ok(alone) => (Some(alone), None),
        Err(_) => (None, Some(raw.into())),
    }
}

fn elements<'a>(list: &Value<'a>) -> Vec<Value<'a>> {
    let mut elements = Vec::new();
    if list.kind() == ValueKind::Array {
        let _ = each_element(list.text(), |_, element| elements.push(element));
    }
    elements
}

/// An entry for each of `chosen`; `None` where one is no token, or the others do not stand beside them one by one.
fn listed(chosen: &[Value<'_>], top: Option<&[Value<'_>]>) -> Option<RawJson> {
    let top: Option<Vec<_>> = top.map(|top| top.iter().map(others).collect());
    let counted = top.as_ref().is_none_or(|top| top.len() == chosen.len());
    let mut tokens = chosen.iter().chain(top.iter().flatten().flatten());
    if !counted || !tokens.all(is_token) {
        return None;
    }
    let mut out = Vec::new();
    JsonWriter::new(&mut out).list(|w| {
        for (at, token) in chosen.iter().enumerate() {
            let others = top.as_ref().and_then(|top| top.get(at));
            w.element().object(|w| {
                write_token(w, token);
                w.maybe("top_logprobs", others, |w, key, others| {
                    w.array(key, |w| {
                        others.iter().for_each(|other| w.element().object(|w| write_token(w, other)));
                    });
                });
            });
        }
    });
    RawJson::parse(std::str::from_utf8(&out).ok()?).ok()
}

/// The tokens that might have stood in one place.
fn others<'a>(place: &Value<'a>) -> Vec<Value<'a>> {
    place.get("candidates").map(|list| elements(&list)).unwrap_or_default()
}

fn is_token(value: &Value<'_>) -> bool {
    let known = |name: &str, kind: ValueKind| value.get(name).is_some_and(|member| member.kind() == kind);
    let number = value.get("logProbability").is_none_or(|number| number.kind() == ValueKind::Number);
    known("token", ValueKind::String) && number && TAKEN.iter().all(|name| value.get(name).is_none())
}

/// The members of a token, under the names that others have for them. The zero value is left out of JSON.
fn write_token(w: &mut JsonWriter<'_>, token: &Value<'_>) {
    w.maybe("token", token.get("token").map(RawJson::from).as_ref(), JsonWriter::raw);
    match token.get("logProbability") {
        Some(number) => w.raw("logprob", &RawJson::from(number)),
        None => w.number("logprob", 0),
    }
    let _ = each_member(token.text(), |member| {
        if !matches!(&*member.key, "token" | "logProbability") {
            w.raw(&member.key, &RawJson::from(member.value));
        }
    });
}
