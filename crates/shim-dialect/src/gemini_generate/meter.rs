//! Reading along: usage, finish, faults, without building the answer.

use shim_ir::Finish;
use shim_wire::Str;
use shim_wire::frame::Frame;

use super::decode::{blocked, finish, is_finish, said, usage};
use super::errors;
use super::glance::{CandidateGlance, Glance};
use super::stream::is_blank;
use crate::billed::searched;
use crate::common::each_element;
use crate::progress::malformed;
use crate::{Meter, Operation, Reading};

/// Reads along with a stream or a whole answer.
pub(super) struct ContentMeter {
    reading: Reading,
    operation: Operation,
    begun: bool,
    /// Candidates seen and candidates that ended, a bit each.
    seen: u64,
    ended: u64,
    /// Of the first candidate: whether it called a function, and the word it ended with.
    calls: bool,
    word: Option<String>,
    blocked: Option<Finish>,
}

impl ContentMeter {
    pub(super) fn new(operation: Operation) -> Self {
        Self {
            reading: Reading::default(),
            operation,
            begun: false,
            seen: 0,
            ended: 0,
            calls: false,
            word: None,
            blocked: None,
        }
    }

    /// Takes one `GenerateContentResponse`.
    fn take(&mut self, text: &str) {
        if self.reading.fault.is_some() {
            return;
        }
        match serde_json::from_str::<Glance<'_>>(text) {
            Err(_) => self.reading.fault = Some(malformed()),
            Ok(Glance { error: Some(error), .. }) => {
                self.reading.fault = Some(errors::told(None, error.get()));
            }
            Ok(glance) => self.glance(glance),
        }
        let answered = self.seen != 0 || self.blocked.is_some();
        self.reading.complete = answered && self.seen == self.ended && self.reading.fault.is_none();
    }

    fn glance(&mut self, glance: Glance<'_>) {
        self.reading.usage = glance.usage_metadata.and_then(usage).or(self.reading.usage.take());
        if let Some(words) = glance.usage_metadata {
            self.reading.billed.usage(words.get());
        }
        self.blocked = glance.prompt_feedback.and_then(blocked).or(self.blocked.take());
        // The decoder tells the model when it starts the answer.
        if !self.begun {
            self.begun = true;
            self.reading.model = said(glance.model_version);
        }
        for (at, candidate) in glance.candidates.into_iter().enumerate() {
            self.candidate(at, candidate);
        }
        let first = finish(self.word.as_deref(), self.calls);
        self.reading.finish = first.or_else(|| self.blocked.clone().filter(|_| self.seen == 0));
    }

    fn candidate(&mut self, at: usize, candidate: CandidateGlance<'_>) {
        let index = candidate.index.or_else(|| u32::try_from(at).ok());
        let Some(bit) = index.and_then(|index| 1_u64.checked_shl(index)) else {
            self.reading.fault = Some(malformed());
            return;
        };
        let searched = candidate.grounding_metadata.is_some_and(|metadata| searched(metadata.get()));
        self.reading.billed.searches += u64::from(searched);
        let word = candidate.finish_reason.filter(|word| is_finish(word));
        self.seen |= bit;
        if word.is_some() {
            self.ended |= bit;
        }
        let parts = candidate.content.and_then(|content| content.parts).unwrap_or_default();
        self.reading.content |= parts.said;
        if index == Some(0) {
            self.calls |= parts.calls;
            self.word = word.map(Str::into_string).or(self.word.take());
        }
    }
}

impl Meter for ContentMeter {
    fn frame(&mut self, frame: Frame<'_>) {
        if !is_blank(frame.data) {
            self.take(frame.data);
        }
    }

    fn whole(&mut self, body: &str) {
        match self.operation {
            Operation::Generate if body.trim_start().starts_with('[') => {
                if each_element(body, |_, piece| self.take(piece.text())).is_err() {
                    self.reading.fault = Some(malformed());
                }
                self.reading.complete &= self.reading.fault.is_none();
            }
            Operation::Generate | Operation::Embed => {
                self.take(body);
                // An answer without candidates or a reason is whole all the same.
                self.reading.complete = self.reading.fault.is_none();
            }
            Operation::CountTokens | Operation::Models | Operation::Stored => {
                self.reading.complete = true;
            }
        }
    }

    fn reading(&self) -> &Reading {
        &self.reading
    }
}
