//! Reading along: usage, finish, faults, without building the answer.

use shim_ir::{Fault, FaultKind, Finish, FinishReason, Tokens, Usage};
use shim_wire::frame::Frame;
use shim_wire::{RawJson, Value, ValueKind};

use super::errors;
use crate::common::{each_element, each_member};
use crate::{Meter, Operation, Reading};

/// Reads along with a stream or a whole answer.
pub(super) struct ContentMeter {
    reading: Reading,
    operation: Operation,
    calls: bool,
}

impl ContentMeter {
    pub(super) fn new(operation: Operation) -> Self {
        Self { reading: Reading::default(), operation, calls: false }
    }

    /// Takes one `GenerateContentResponse`.
    fn take(&mut self, text: &str) {
        let mut error = None;
        let scanned = each_member(text, |member| match &*member.key {
            "usageMetadata" if member.value.kind() == ValueKind::Object => {
                self.reading.usage = Some(usage(&member.value));
            }
            "modelVersion" => self.reading.model = member.value.as_str().map(Into::into),
            "candidates" => {
                let _ = each_element(member.value.text(), |at, candidate| self.candidate(at, &candidate));
            }
            "promptFeedback" => {
                if let Some(word) = member.value.get("blockReason").and_then(|r| r.as_str().map(String::from))
                {
                    self.reading.finish =
                        Some(Finish { reason: FinishReason::Filter, words: Some(word), sequence: None });
                }
            }
            "error" if member.value.kind() == ValueKind::Object => error = Some(member.value),
            _ => {}
        });
        if let Some(error) = error {
            self.reading.fault = Some(errors::told(None, error.text()));
        } else if scanned.is_err() {
            let message = "the upstream's answer is no generated content";
            self.reading.fault = Some(Fault::new(FaultKind::UpstreamMalformed, message));
        }
        self.reading.complete = self.reading.finish.is_some() && self.reading.fault.is_none();
    }

    fn candidate(&mut self, at: usize, candidate: &Value<'_>) {
        let mut index = at as u64;
        let mut word = None;
        let _ = each_member(candidate.text(), |member| match &*member.key {
            "index" => index = member.value.as_u64().unwrap_or(index),
            "finishReason" => word = member.value.as_str().map(String::from),
            "content" => {
                let parts = member.value.get("parts");
                let parts = parts.map_or("[]", |p| p.text());
                let _ = each_element(parts, |_, part| {
                    self.reading.content = true;
                    self.calls |= part.get("functionCall").is_some();
                });
            }
            _ => {}
        });
        if let (0, Some(word)) = (index, word) {
            let reason = reason(&word, self.calls);
            self.reading.finish = Some(Finish { reason, words: Some(word), sequence: None });
        }
    }
}

/// The common term for a finish reason; the dialect says STOP also when tools are to be run.
fn reason(word: &str, calls: bool) -> FinishReason {
    match word {
        "STOP" if calls => FinishReason::ToolCalls,
        "STOP" => FinishReason::Stop,
        "MAX_TOKENS" => FinishReason::Length,
        "SAFETY"
        | "RECITATION"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "IMAGE_SAFETY"
        | "MODEL_ARMOR"
        | "LANGUAGE"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION" => FinishReason::Filter,
        "MALFORMED_FUNCTION_CALL" | "UNEXPECTED_TOOL_CALL" | "TOO_MANY_TOOL_CALLS" => {
            FinishReason::BadToolCall
        }
        _ => FinishReason::Other,
    }
}

/// The counters of `usageMetadata`, taken apart: the prompt holds the cached; what tools read and thoughts are apart.
fn usage(value: &Value<'_>) -> Usage {
    let number = |name: &str| Tokens(value.get(name).and_then(|v| v.as_u64()).unwrap_or(0));
    let cached = number("cachedContentTokenCount");
    let audio_in = modality(value, "promptTokensDetails", "AUDIO").without(modality(
        value,
        "cacheTokensDetails",
        "AUDIO",
    ));
    let (audio, image) = (
        modality(value, "candidatesTokensDetails", "AUDIO"),
        modality(value, "candidatesTokensDetails", "IMAGE"),
    );
    let prompt = number("promptTokenCount").without(cached);
    let audio_in = Tokens(audio_in.0.min(prompt.0));
    Usage {
        input_uncached: prompt.without(audio_in) + number("toolUsePromptTokenCount"),
        input_audio: audio_in,
        cache_read: cached,
        output_text: number("candidatesTokenCount").without(audio).without(image),
        reasoning: number("thoughtsTokenCount"),
        output_audio: audio,
        output_image: image,
        words: RawJson::parse(value.text()).ok(),
        ..Usage::default()
    }
}

/// The tokens of one modality in a list of `{modality, tokenCount}`.
fn modality(usage: &Value<'_>, list: &str, modality: &str) -> Tokens {
    let mut tokens = 0;
    if let Some(list) = usage.get(list) {
        let _ = each_element(list.text(), |_, entry| {
            if entry.get("modality").and_then(|m| m.as_str()).as_deref() == Some(modality) {
                tokens += entry.get("tokenCount").and_then(|n| n.as_u64()).unwrap_or(0);
            }
        });
    }
    Tokens(tokens)
}

impl Meter for ContentMeter {
    fn frame(&mut self, frame: Frame<'_>) {
        if self.reading.fault.is_none() && !frame.data.is_empty() && frame.data != "[DONE]" {
            self.take(frame.data);
        }
    }

    fn whole(&mut self, body: &str) {
        match self.operation {
            Operation::Generate => {
                self.take(body);
                // An answer without candidates or a reason is whole all the same.
                self.reading.complete = self.reading.fault.is_none();
            }
            Operation::Embed | Operation::CountTokens | Operation::Models | Operation::Stored => {
                self.reading.complete = true;
            }
        }
    }

    fn reading(&self) -> &Reading {
        &self.reading
    }
}
