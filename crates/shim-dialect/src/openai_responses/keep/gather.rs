//! Answers, as they are to be kept.

use std::borrow::Cow;

use shim_wire::ValueKind;
use shim_wire::frame::Frame;

use crate::common::{each_member, member, quoted, tag};
use crate::keep::{Gather, KeptAnswer};

/// Most bytes of items that are held for an answer whose last event leaves them out.
const ITEMS_BYTES_MAX: usize = 16 << 20;

/// What is to be kept of an answer: it has an id, a status and an output, and may be named later.
pub(super) fn answer(body: &str) -> Option<KeptAnswer> {
    let (mut id, mut status, mut store, mut output, mut object) = (None, None, None, false, None);
    let read = each_member(body, |member| match &*member.key {
        "id" => id = member.value.as_str(),
        "object" => object = member.value.as_str(),
        "status" => status = member.value.as_str(),
        "store" => store = member.value.as_bool(),
        "output" => output = member.value.kind() == ValueKind::Array,
        _ => {}
    });
    let is_answer = output && object.is_none_or(|word| word == "response");
    let id = id.filter(|id| !id.is_empty() && is_answer && read.is_ok())?;
    let complete = matches!(status.as_deref(), Some("completed" | "incomplete") | None);
    Some(KeptAnswer { id: id.into_owned(), there: store == Some(true), complete, text: body.to_owned() })
}

/// Reads along with a stream: the last event holds the answer. Some providers leave the output out of it; then it is made
/// of the items as they were told before.
#[derive(Debug, Default)]
pub(super) struct Gatherer {
    /// The items that are complete, by their numbers.
    items: Vec<(u64, String)>,
    bytes: usize,
}

impl Gather for Gatherer {
    fn frame(&mut self, frame: Frame<'_>) -> Option<KeptAnswer> {
        let kind = frame.event.map(Cow::Borrowed).or_else(|| tag(frame.data))?;
        match &*kind {
            "response.output_item.done" => {
                self.item(frame.data);
                None
            }
            "response.completed" | "response.incomplete" | "response.failed" => {
                let response = member(frame.data, "response")?;
                self.whole(response.text())
            }
            _ => None,
        }
    }
}

impl Gatherer {
    fn item(&mut self, event: &str) {
        let (mut index, mut item) = (None, None);
        let read = each_member(event, |member| match &*member.key {
            "output_index" => index = member.value.as_u64(),
            "item" => item = Some(member.value),
            _ => {}
        });
        if let (Ok(()), Some(index), Some(item)) = (read, index, item) {
            self.bytes = self.bytes.saturating_add(item.text().len());
            if self.bytes <= ITEMS_BYTES_MAX {
                self.items.push((index, item.text().to_owned()));
            }
        }
    }

    fn whole(&mut self, response: &str) -> Option<KeptAnswer> {
        let told = member(response, "output").is_some_and(|output| {
            let mut elements = false;
            let _ = crate::common::each_element(output.text(), |_, _| elements = true);
            elements
        });
        if told || self.items.is_empty() || self.bytes > ITEMS_BYTES_MAX {
            return answer(response);
        }
        self.items.sort_by_key(|(index, _)| *index);
        let items: Vec<_> = self.items.iter().map(|(_, item)| item.as_str()).collect();
        let mut members = vec![format!("\"output\":[{}]", items.join(","))];
        each_member(response, |member| {
            if &*member.key != "output" {
                members.push([&quoted(&member.key), ":", member.value.text()].concat());
            }
        })
        .ok()?;
        answer(&format!("{{{}}}", members.join(",")))
    }
}
