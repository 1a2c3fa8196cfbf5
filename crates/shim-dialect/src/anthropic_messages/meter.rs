//! Reading along: usage, finish, faults, without building the answer.

use std::borrow::Cow;

use shim_ir::{Fault, FaultKind};
use shim_wire::frame::Frame;
use shim_wire::{Value, ValueKind};

use super::decode::{Used, finish};
use super::errors;
use crate::common::{each_element, each_member, is_closed};
use crate::{Meter, Operation, Reading};

/// The events that come within an answer.
const WITHIN: [&str; 4] =
    ["content_block_start", "content_block_delta", "content_block_stop", "message_delta"];

/// Reads along with a stream or a whole answer.
pub(super) struct MessageMeter {
    reading: Reading,
    operation: Operation,
    begun: bool,
    used: Used,
    word: Option<String>,
    sequence: Option<String>,
}

impl MessageMeter {
    pub(super) fn new(operation: Operation) -> Self {
        Self {
            reading: Reading::default(),
            operation,
            begun: false,
            used: Used::default(),
            word: None,
            sequence: None,
        }
    }

    /// Takes `message` of a `message_start`, or a whole answer. True when it has a place for content.
    fn message(&mut self, text: &str) -> bool {
        self.begun = true;
        // Of a member that comes twice the last one counts.
        let (mut fits, mut used) = (false, None);
        let _ = each_member(text, |member| match &*member.key {
            "model" => self.reading.model = member.value.as_str().filter(|m| !m.is_empty()).map(Into::into),
            "usage" => used = Some(member.value),
            "content" => {
                fits = true;
                self.reading.content |= holds(&member.value);
            }
            key => self.stop(key, &member.value),
        });
        used.iter().for_each(|used| self.usage(used));
        self.tell();
        fits
    }

    /// Takes a `message_delta`.
    fn delta(&mut self, text: &str) {
        let mut used = None;
        let _ = each_member(text, |member| match &*member.key {
            "usage" => used = Some(member.value),
            "delta" => {
                let _ = each_member(member.value.text(), |member| self.stop(&member.key, &member.value));
            }
            _ => {}
        });
        used.iter().for_each(|used| self.usage(used));
        self.tell();
    }

    /// Takes a member that tells why the answer ended.
    fn stop(&mut self, key: &str, value: &Value<'_>) {
        match (key, value.kind()) {
            ("stop_reason", ValueKind::String) => self.word = value.as_str().map(Into::into),
            // Some providers write a number where a word belongs.
            ("stop_reason", ValueKind::Number) => self.word = Some(value.text().to_owned()),
            ("stop_sequence", ValueKind::String) => {
                self.sequence = value.as_str().filter(|text| !text.is_empty()).map(Into::into);
            }
            _ => {}
        }
    }

    fn usage(&mut self, value: &Value<'_>) {
        self.reading.usage = self.used.take(value.text()).or(self.reading.usage.take());
        self.reading.billed.usage(value.text());
    }

    fn tell(&mut self) {
        self.reading.finish = finish(self.word.clone(), self.sequence.clone());
    }

    fn event(&mut self, kind: Option<&str>, told: &Told<'_>, data: &str) {
        // An answer that begins without a start has begun all the same; a start that comes late is another's.
        self.begun |= kind.is_some_and(|kind| WITHIN.contains(&kind));
        match (kind, told.error) {
            (Some("content_block_delta"), _) => self.reading.content = true,
            (Some("content_block_start"), _) => {
                self.reading.content |= told.block.is_some_and(|b| starts(&b))
            }
            (Some("ping" | "content_block_stop"), _) => {}
            (Some("message_start"), _) if self.begun => {}
            (Some("message_start"), _) => drop(self.message(told.message.map_or("{}", |m| m.text()))),
            (Some("message_delta"), _) => self.delta(data),
            (Some("message_stop"), _) => self.reading.complete = true,
            (_, Some(error)) => self.fail(errors::told(None, error.text())),
            (Some("error"), None) => self.fail(errors::told(None, data)),
            (_, None) => {}
        }
    }

    fn fail(&mut self, fault: Fault) {
        self.reading.fault = Some(fault);
        self.reading.complete = false;
    }
}

/// The members of an event that say anything here.
struct Told<'a> {
    kind: Option<Cow<'a, str>>,
    message: Option<Value<'a>>,
    block: Option<Value<'a>>,
    error: Option<Value<'a>>,
}

impl<'a> Told<'a> {
    /// `None` when `data` is no object.
    fn of(data: &'a str) -> Option<Self> {
        let mut told = Self { kind: None, message: None, block: None, error: None };
        let read = each_member(data, |member| match &*member.key {
            "type" => told.kind = member.value.as_str(),
            "message" => told.message = Some(member.value),
            "content_block" => told.block = Some(member.value),
            "error" => told.error = Some(member.value).filter(|e| e.kind() != ValueKind::Null),
            _ => {}
        });
        read.ok().map(|()| told)
    }
}

/// Whether a whole answer has the look of an object with content, and nowhere speaks of an error.
pub(super) fn is_plainly_good(body: &str) -> bool {
    is_closed(body) && body.contains("\"content\"") && !body.contains("\"error\"")
}

/// Whether content holds a block, or is text.
fn holds(content: &Value<'_>) -> bool {
    let mut holds = content.kind() == ValueKind::String;
    let _ = each_element(content.text(), |_, _| holds = true);
    holds
}

/// Whether a block says something by its start: all but those whose text comes after it.
fn starts(block: &Value<'_>) -> bool {
    let kind = block.get("type").and_then(|kind| kind.as_str());
    !matches!(kind.as_deref(), Some("text" | "thinking" | "compaction"))
}

impl Meter for MessageMeter {
    fn frame(&mut self, frame: Frame<'_>) {
        if self.reading.complete || self.reading.fault.is_some() || frame.data.is_empty() {
            return;
        }
        match Told::of(frame.data) {
            Some(told) => self.event(told.kind.as_deref().or(frame.event), &told, frame.data),
            None if frame.event == Some("error") => self.fail(errors::told(None, frame.data)),
            None => self.fail(Fault::new(
                FaultKind::UpstreamMalformed,
                "the upstream's stream holds a frame that is not JSON",
            )),
        }
    }

    fn whole(&mut self, body: &str) {
        let mut error = None;
        let scanned = each_member(body, |member| {
            if member.key == "error" {
                error = Some(member.value).filter(|e| e.kind() != ValueKind::Null);
            }
        });
        if let Some(error) = error {
            return self.fail(errors::told(None, error.text()));
        }
        let generates = self.operation == Operation::Generate;
        if scanned.is_err() || (generates && !self.message(body)) {
            return self
                .fail(Fault::new(FaultKind::UpstreamMalformed, "the upstream's answer is no message"));
        }
        self.reading.complete = true;
    }

    fn reading(&self) -> &Reading {
        &self.reading
    }
}
