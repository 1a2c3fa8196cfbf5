//! A chain of exchanges, said in full.

use shim_wire::Value;

use super::super::decode::item_kind;
use super::ask::reference;
use crate::DecodeError;
use crate::common::{each_element, each_member, member, quoted};
use crate::keep::{Items, Link};

/// The request with all it names said in full; see [`crate::keep::Keep::rebuild`].
pub(super) fn rebuild(
    body: &str,
    links: &[Link<'_>],
    found: &Items,
    own: bool,
) -> Result<String, DecodeError> {
    let kept: usize = links.iter().map(|link| link.input.len() + link.answer.len()).sum();
    let mut out = String::with_capacity(body.len() + kept + 16);
    let mut input = "";
    out.push('{');
    each_member(body, |member| match &*member.key {
        "previous_response_id" => {}
        "input" => input = member.value.text(),
        key => {
            for piece in [&quoted(key), ":", member.value.text(), ","] {
                out.push_str(piece);
            }
        }
    })?;
    out.push_str("\"input\":[");
    let mut first = true;
    said(links, input, found, |_, item| {
        if !(own && is_sealed_reasoning(item)) {
            out.push_str(if std::mem::take(&mut first) { "" } else { "," });
            out.push_str(item);
        }
    });
    out.push_str("]}");
    Ok(out)
}

/// Calls `on` for everything said: of each link its input and its output, then `input`; with the place of an item in the
/// input of its own exchange, and the item.
pub(super) fn said(links: &[Link<'_>], input: &str, found: &Items, mut on: impl FnMut(Place<'_>, &str)) {
    for link in links {
        each_input(link.input, found, |at, item| on(Place::Input(link.id, at), item));
        each_output(link.answer, |item| on(Place::Output, item.text()));
    }
    each_input(input, found, |at, item| on(Place::Input("", at), item));
}

/// Where an item stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place<'a> {
    /// In the input of the exchange with the answer of this id, so far from its beginning.
    Input(&'a str, usize),
    /// In the output of an answer.
    Output,
}

/// Calls `on` for each item of an input: a text is the user's message, and what is referred to is said, where it is found.
pub(super) fn each_input(input: &str, found: &Items, mut on: impl FnMut(usize, &str)) {
    if input.starts_with('"') {
        return on(0, &[r#"{"role":"user","content":"#, input, "}"].concat());
    }
    // An input that is no array holds no items; whoever reads the request says so.
    let _ = each_element(input, |at, item| match reference(item.text()).and_then(|id| found.get(&id)) {
        Some(item) => on(at, item),
        None => on(at, item.text()),
    });
}

/// Calls `on` for each item of an answer's output.
pub(super) fn each_output<'a>(answer: &'a str, mut on: impl FnMut(Value<'a>)) {
    if let Some(output) = member(answer, "output") {
        let _ = each_element(output.text(), |_, item| on(item));
    }
}

/// Reasoning that its provider would look up by its id: to another provider of the dialect it is a 404.
fn is_sealed_reasoning(item: &str) -> bool {
    let sealed = || member(item, "encrypted_content").is_none_or(|sealed| sealed.text() == "null");
    item_kind(item) == "reasoning" && sealed()
}

/// The items of an exchange with their ids.
pub(super) fn items(link: &Link<'_>) -> Vec<(String, String)> {
    let mut items = Vec::new();
    each_input(link.input, &Items::new(), |at, item| {
        if reference(item).is_none() {
            items.push((id(Place::Input(link.id, at), item), item.to_owned()));
        }
    });
    each_output(link.answer, |item| {
        let own = id(Place::Output, item.text());
        if !own.is_empty() {
            items.push((own, item.text().to_owned()));
        }
    });
    items
}

/// The id of an item: its own, or for an input without one, one made of its exchange and its place, always the same.
pub(super) fn id(place: Place<'_>, item: &str) -> String {
    let own = member(item, "id").and_then(|id| id.as_str().map(String::from)).filter(|id| !id.is_empty());
    own.unwrap_or_else(|| match place {
        Place::Output => String::new(),
        Place::Input(answer, at) => {
            let answer = answer.strip_prefix("resp_").unwrap_or(answer);
            format!("{}_{answer}_{at}", prefix(&item_kind(item)))
        }
    })
}

/// The beginning of the ids of items of a kind.
fn prefix(kind: &str) -> &'static str {
    match kind {
        "message" => "msg",
        "function_call" => "fc",
        "function_call_output" => "fco",
        "custom_tool_call" => "ctc",
        "custom_tool_call_output" => "ctco",
        "reasoning" => "rs",
        _ => "item",
    }
}
