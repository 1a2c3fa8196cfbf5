//! What a request says of answers that are kept.

use std::borrow::Cow;

use shim_wire::Walk;
use shim_wire::scan::{Limits, ScanError};

use crate::DecodeError;
use crate::common::{each_element, each_member};
use crate::keep::KeepAsk;

/// An item that only refers to another is short; longer ones are not looked into.
const REFERENCE_BYTES_MAX: usize = 1024;

pub(super) fn ask(body: &str) -> Result<KeepAsk, DecodeError> {
    let mut ask = KeepAsk { store: true, ..KeepAsk::default() };
    Walk::whole(body, Limits::default(), |walk, key| {
        match key {
            "previous_response_id" => {
                let id = walk.value()?.as_str().map(Cow::into_owned);
                ask.previous = id.filter(|id| !id.is_empty());
            }
            "store" => ask.store = walk.value()?.as_bool().unwrap_or(true),
            "input" => {
                let value = walk.kept(|walk| refers(walk, &mut ask.references))?;
                ask.input = (value.text() != "null").then(|| value.span());
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(ask)
}

fn refers(walk: &mut Walk<'_>, ids: &mut Vec<String>) -> Result<(), ScanError> {
    walk.array(|walk, _| {
        ids.extend(reference(walk.value()?.text()));
        Ok(())
    })
}

/// The ids an input refers to.
pub(super) fn references(input: &str) -> Vec<String> {
    let mut ids = Vec::new();
    // What is no array refers to nothing.
    let _ = each_element(input, |_, item| ids.extend(reference(item.text())));
    ids
}

/// The id of the item that `item` only refers to. Its `type` may be left out; a message in its short form has a `role`.
pub(super) fn reference(item: &str) -> Option<String> {
    if item.len() > REFERENCE_BYTES_MAX || !item.starts_with('{') {
        return None;
    }
    let (mut kind, mut id, mut role) = (None, None, false);
    let read = each_member(item, |member| match &*member.key {
        "type" => kind = member.value.as_str(),
        "id" => id = member.value.as_str(),
        "role" => role = true,
        _ => {}
    });
    let refers = match kind.as_deref() {
        Some(word) => word == "item_reference",
        None => !role,
    };
    id.filter(|_| refers && read.is_ok()).map(Cow::into_owned)
}
