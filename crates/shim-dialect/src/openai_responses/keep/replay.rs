//! A kept answer, told once more as the events of a stream: each part in one piece, whole items and the whole answer byte
//! for byte.
//!
//! Sources, read 2026-11-26: <https://platform.openai.com/docs/api-reference/responses/get> (`stream`, `starting_after`),
//! <https://platform.openai.com/docs/api-reference/responses-streaming>.

use bytes::Bytes;

use crate::common::{each_element, each_member, member, quoted, tag};

/// The events of `answer` behind number `after`; `None` where it has not come to its end, so that no stream of it has one.
pub(super) fn replay(answer: &str, after: Option<u64>) -> Option<Bytes> {
    let status = member(answer, "status");
    let end = match status.as_ref().and_then(shim_wire::Value::as_str).as_deref() {
        None | Some("completed") => "response.completed",
        Some("incomplete") => "response.incomplete",
        Some("failed") => "response.failed",
        Some(_) => return None,
    };
    let mut stream = Stream { out: Vec::new(), number: 0, after };
    let begun = but(answer, &[("status", "\"in_progress\""), ("output", "[]"), ("usage", "null")]);
    for kind in ["response.created", "response.in_progress"] {
        stream.tell(kind, &[("response", &begun)]);
    }
    if let Some(output) = member(answer, "output") {
        // What is no list has no items.
        let _ = each_element(output.text(), |index, item| stream.item(index, item.text()));
    }
    stream.tell(end, &[("response", answer)]);
    Some(stream.out.into())
}

/// The events so far.
struct Stream {
    out: Vec<u8>,
    /// The number of the next one.
    number: u64,
    /// The last of those that are not wanted.
    after: Option<u64>,
}

impl Stream {
    /// An event with these members, each as JSON.
    fn tell(&mut self, kind: &str, members: &[(&str, &str)]) {
        if self.after.is_none_or(|after| after < self.number) {
            let head =
                format!("event: {kind}\ndata: {{\"type\":\"{kind}\",\"sequence_number\":{}", self.number);
            self.out.extend_from_slice(head.as_bytes());
            for (key, value) in members {
                self.out.extend_from_slice(format!(",\"{key}\":").as_bytes());
                // Inside JSON a line ends between tokens alone; inside an event it would end the data.
                self.out.extend(value.bytes().map(|b| if matches!(b, b'\n' | b'\r') { b' ' } else { b }));
            }
            self.out.extend_from_slice(b"}\n\n");
        }
        self.number += 1;
    }

    /// All events of an item of the output.
    fn item(&mut self, index: usize, item: &str) {
        let place = Place { output: index.to_string(), item: text(item, "id") };
        let kind = tag(item).unwrap_or_default();
        let call = match &*kind {
            "function_call" => Some(("arguments", "function_call_arguments")),
            "mcp_call" => Some(("arguments", "mcp_call_arguments")),
            "custom_tool_call" => Some(("input", "custom_tool_call_input")),
            _ => None,
        };
        let empty: &[(&str, &str)] = match &*kind {
            "message" => &[("content", "[]"), ("status", "\"in_progress\"")],
            "reasoning" => &[
                ("summary", "[]"),
                ("content", "[]"),
                ("encrypted_content", "null"),
                ("status", "\"in_progress\""),
            ],
            _ if call.is_some() => {
                &[("arguments", "\"\""), ("input", "\"\""), ("output", "null"), ("status", "\"in_progress\"")]
            }
            _ => &[("status", "\"in_progress\"")],
        };
        let begun = but(item, empty);
        self.tell("response.output_item.added", &[("output_index", &place.output), ("item", &begun)]);
        if let Some((key, event)) = call {
            self.called(&place, &format!("response.{event}"), key, item);
        }
        for (list, grows) in [("summary", Grows::Summary), ("content", Grows::Content)] {
            let parts = member(item, list).filter(|_| matches!(&*kind, "message" | "reasoning"));
            if let Some(parts) = parts {
                // What is no list has no parts.
                let _ = each_element(parts.text(), |at, part| self.part(&place, grows, at, part.text()));
            }
        }
        self.tell("response.output_item.done", &[("output_index", &place.output), ("item", item)]);
    }

    /// What a call is called with.
    fn called(&mut self, place: &Place, event: &str, key: &str, item: &str) {
        let with = text(item, key);
        self.tell(&format!("{event}.delta"), &place.and(&[("delta", &with)]));
        let name = text(item, "name");
        self.tell(&format!("{event}.done"), &place.and(&[(key, &with), ("name", &name)]));
    }

    /// A part of a message or of reasoning.
    fn part(&mut self, place: &Place, grows: Grows, at: usize, part: &str) {
        let at = at.to_string();
        let index = (grows.index(), &*at);
        let (around, event, key) = match (grows, &*tag(part).unwrap_or_default()) {
            (Grows::Summary, _) => {
                ("response.reasoning_summary_part", "response.reasoning_summary_text", "text")
            }
            (Grows::Content, "output_text") => ("response.content_part", "response.output_text", "text"),
            (Grows::Content, "refusal") => ("response.content_part", "response.refusal", "refusal"),
            (Grows::Content, "reasoning_text") => {
                ("response.content_part", "response.reasoning_text", "text")
            }
            (Grows::Content, _) => ("response.content_part", "", ""),
        };
        let begun = but(part, &[(key, "\"\""), ("annotations", "[]"), ("logprobs", "[]")]);
        self.tell(&format!("{around}.added"), &place.and(&[index, ("part", &begun)]));
        if !event.is_empty() {
            let said = text(part, key);
            let logprobs = member(part, "logprobs").map(|list| list.text());
            // Of all texts those of messages alone have them, and have to.
            let logprobs =
                (event == "response.output_text").then_some(("logprobs", logprobs.unwrap_or("[]")));
            let told = |member| {
                [Some(index), Some((member, &*said)), logprobs].into_iter().flatten().collect::<Vec<_>>()
            };
            self.tell(&format!("{event}.delta"), &place.and(&told("delta")));
            self.annotations(place, index, part);
            self.tell(&format!("{event}.done"), &place.and(&told(key)));
        }
        self.tell(&format!("{around}.done"), &place.and(&[index, ("part", part)]));
    }

    fn annotations(&mut self, place: &Place, index: (&str, &str), part: &str) {
        let Some(list) = member(part, "annotations") else { return };
        // What is no list has no elements.
        let _ = each_element(list.text(), |number, annotation| {
            let number = number.to_string();
            let members = [index, ("annotation_index", &*number), ("annotation", annotation.text())];
            self.tell("response.output_text.annotation.added", &place.and(&members));
        });
    }
}

/// What of an item is told in parts.
#[derive(Clone, Copy)]
enum Grows {
    Summary,
    Content,
}

impl Grows {
    const fn index(self) -> &'static str {
        match self {
            Self::Summary => "summary_index",
            Self::Content => "content_index",
        }
    }
}

/// Which item an event is of, as JSON.
struct Place {
    output: String,
    item: String,
}

impl Place {
    /// The members that name it, and `more`.
    fn and<'a>(&'a self, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let own = [("item_id", &*self.item), ("output_index", &*self.output)];
        own.into_iter().chain(more.iter().copied()).collect()
    }
}

/// The string under `key`, as JSON; an empty one where there is none.
fn text(object: &str, key: &str) -> String {
    let value = member(object, key).filter(|value| value.kind() == shim_wire::ValueKind::String);
    value.map_or_else(|| "\"\"".to_owned(), |value| value.text().to_owned())
}

/// An object in which these members, where it has them, are others.
fn but(object: &str, others: &[(&str, &str)]) -> String {
    let mut members = Vec::new();
    // What was kept was read before: it is JSON, and its items are what they are.
    let _ = each_member(object, |member| {
        let other = others.iter().find(|(key, _)| *key == member.key).map(|(_, value)| *value);
        members.push([&*quoted(&member.key), ":", other.unwrap_or_else(|| member.value.text())].concat());
    });
    format!("{{{}}}", members.join(","))
}
