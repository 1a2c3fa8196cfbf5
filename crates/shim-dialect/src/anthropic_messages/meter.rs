//! Reading along: usage, finish, faults, without building the answer.

use shim_ir::{Fault, FaultKind, Finish, FinishReason, Tokens, Usage};
use shim_wire::frame::Frame;
use shim_wire::{RawJson, Value, ValueKind};

use super::errors;
use crate::common::{each_element, each_member};
use crate::{Meter, Operation, Reading};

/// Reads along with a stream or a whole answer.
pub(super) struct MessageMeter {
    reading: Reading,
    operation: Operation,
    used: Counts,
}

/// The counters of `usage`, each with the last word on it: a later event repeats only what changed.
#[derive(Default)]
struct Counts {
    seen: bool,
    input: u64,
    cache_read: u64,
    cache_write: u64,
    cache_write_1h: Option<u64>,
    output: u64,
    words: Option<RawJson>,
}

impl MessageMeter {
    pub(super) fn new(operation: Operation) -> Self {
        Self { reading: Reading::default(), operation, used: Counts::default() }
    }

    /// Takes `message` of `message_start`, or a whole answer.
    fn message(&mut self, text: &str) {
        let _ = each_member(text, |member| match &*member.key {
            "model" => self.reading.model = member.value.as_str().map(Into::into),
            "usage" => self.used.take(&member.value),
            "stop_reason" => self.stop(&member.value),
            "stop_sequence" => self.sequence(&member.value),
            "content" => {
                let _ = each_element(member.value.text(), |_, _| self.reading.content = true);
            }
            _ => {}
        });
        self.used.tell(&mut self.reading);
    }

    /// Takes a `message_delta`.
    fn delta(&mut self, text: &str) {
        let _ = each_member(text, |member| match &*member.key {
            "usage" => self.used.take(&member.value),
            "delta" => {
                let _ = each_member(member.value.text(), |member| match &*member.key {
                    "stop_reason" => self.stop(&member.value),
                    "stop_sequence" => self.sequence(&member.value),
                    _ => {}
                });
            }
            _ => {}
        });
        self.used.tell(&mut self.reading);
    }

    fn stop(&mut self, value: &Value<'_>) {
        // Some providers write a number where a word belongs.
        let word = match value.kind() {
            ValueKind::String => value.as_str().map(Into::into),
            ValueKind::Number => Some(value.text().to_owned()),
            ValueKind::Null | ValueKind::Bool | ValueKind::Array | ValueKind::Object => None,
        };
        if let Some(word) = word {
            let sequence = self.reading.finish.take().and_then(|f| f.sequence);
            self.reading.finish = Some(Finish { reason: reason(&word), words: Some(word), sequence });
        }
    }

    fn sequence(&mut self, value: &Value<'_>) {
        if let (Some(text), Some(finish)) = (value.as_str(), &mut self.reading.finish) {
            finish.sequence = Some(text.into());
        }
    }

    fn fail(&mut self, fault: Fault) {
        self.reading.fault = Some(fault);
        self.reading.complete = false;
    }
}

/// The common term for a stop reason.
fn reason(word: &str) -> FinishReason {
    match word {
        "end_turn" => FinishReason::Stop,
        "stop_sequence" => FinishReason::Sequence,
        "max_tokens" | "model_context_window_exceeded" => FinishReason::Length,
        "tool_use" => FinishReason::ToolCalls,
        "pause_turn" => FinishReason::Pause,
        "refusal" => FinishReason::Refusal,
        _ => FinishReason::Other,
    }
}

impl Counts {
    fn take(&mut self, usage: &Value<'_>) {
        self.seen |= usage.kind() == ValueKind::Object;
        let _ = each_member(usage.text(), |member| {
            let number = member.value.as_u64();
            match &*member.key {
                "input_tokens" => self.input = number.unwrap_or(self.input),
                "output_tokens" => self.output = number.unwrap_or(self.output),
                "cache_read_input_tokens" => self.cache_read = number.unwrap_or(self.cache_read),
                "cache_creation_input_tokens" => self.cache_write = number.unwrap_or(self.cache_write),
                "cache_creation" => {
                    let hour = member.value.get("ephemeral_1h_input_tokens").and_then(|v| v.as_u64());
                    self.cache_write_1h = hour.or(self.cache_write_1h);
                }
                _ => {}
            }
        });
        self.words = RawJson::parse(usage.text()).ok().or(self.words.take());
    }

    fn tell(&self, reading: &mut Reading) {
        if !self.seen {
            return;
        }
        // `cache_creation_input_tokens` is the sum of both lives.
        let hour = self.cache_write_1h.unwrap_or(0).min(self.cache_write);
        reading.usage = Some(Usage {
            input_uncached: Tokens(self.input),
            cache_read: Tokens(self.cache_read),
            cache_write: Tokens(self.cache_write - hour),
            cache_write_1h: Tokens(hour),
            output_text: Tokens(self.output),
            words: self.words.clone(),
            ..Usage::default()
        });
    }
}

impl Meter for MessageMeter {
    fn frame(&mut self, frame: Frame<'_>) {
        if self.reading.complete || self.reading.fault.is_some() || frame.data.is_empty() {
            return;
        }
        let (mut kind, mut message, mut error) = (None, None, None);
        let scanned = each_member(frame.data, |member| match &*member.key {
            "type" => kind = member.value.as_str(),
            "message" => message = Some(member.value),
            "error" => error = Some(member.value),
            _ => {}
        });
        if scanned.is_err() {
            return self.fail(Fault::new(
                FaultKind::UpstreamMalformed,
                "the upstream's stream holds a frame that is not JSON",
            ));
        }
        match kind.as_deref().or(frame.event) {
            Some("content_block_delta") => self.reading.content = true,
            Some("message_start") => self.message(message.map_or("{}", |m| m.text())),
            Some("message_delta") => self.delta(frame.data),
            Some("message_stop") => self.reading.complete = true,
            Some("error") => self.fail(errors::told(None, error.map_or(frame.data, |e| e.text()))),
            _ => {}
        }
    }

    fn whole(&mut self, body: &str) {
        let (mut kind, mut error) = (None, None);
        let scanned = each_member(body, |member| match &*member.key {
            "type" => kind = member.value.as_str(),
            "error" => error = Some(member.value).filter(|e| e.kind() != ValueKind::Null),
            _ => {}
        });
        if let Some(error) = error {
            return self.fail(errors::told(None, error.text()));
        }
        let fits = self.operation != Operation::Generate || kind.as_deref() == Some("message");
        if scanned.is_err() || !fits {
            return self
                .fail(Fault::new(FaultKind::UpstreamMalformed, "the upstream's answer is no message"));
        }
        if self.operation == Operation::Generate {
            self.message(body);
        }
        self.reading.complete = true;
    }

    fn reading(&self) -> &Reading {
        &self.reading
    }
}
