//! Reading along: usage, finish, faults, without building the answer.

mod template;

use std::borrow::Cow;

use shim_ir::{Fault, FaultKind};
use shim_wire::frame::Frame;
use shim_wire::scan::{Limits, ScanError};
use shim_wire::{Value, ValueKind, Walk};

use self::template::Template;
use super::decode::{Stated, finish, tells, usage};
use super::errors;
use super::stream::unfinished;
use crate::common::{each_element, each_member, is_closed};
use crate::progress::malformed;
use crate::{Meter, Reading};

/// Reads along with a stream or a whole answer.
#[derive(Default)]
pub(super) struct ChunkMeter {
    reading: Reading,
    started: bool,
    ended: bool,
    /// Whether it is a whole answer: there an empty finish word ends it, in chunks it only fills the slot.
    whole: bool,
    /// Which candidates have been seen and which have ended.
    seen: Numbers,
    finished: Numbers,
    /// Of the first candidate: whether it calls tools, its finish word, the stop sequence it met.
    calls: bool,
    word: Option<Box<str>>,
    sequence: Option<Box<str>>,
    template: Template,
    /// Whether the last chunk was one choice that neither ended nor called a tool.
    told_text: bool,
}

/// A set of numbers below 256: no choice is numbered beyond.
#[derive(Clone, Copy, Default, PartialEq)]
struct Numbers([u64; 4]);

impl Numbers {
    fn add(&mut self, number: u64) {
        let word = usize::try_from(number / 64).ok().and_then(|at| self.0.get_mut(at));
        word.into_iter().for_each(|word| *word |= 1 << (number % 64));
    }
}

/// What one chunk or answer holds, as it stands there.
#[derive(Default)]
struct Seen<'a> {
    model: Option<Value<'a>>,
    choices: Option<Value<'a>>,
    /// Whether there was a choice, where they were read already.
    walked: Option<bool>,
    usage: Option<Value<'a>>,
    /// The numbers of `usage`, where they were read already.
    stated: Option<Stated>,
    groq: Option<Value<'a>>,
    error: Option<Value<'a>>,
    service: Option<Value<'a>>,
    data: bool,
    done: bool,
    failed: bool,
}

impl Meter for ChunkMeter {
    fn frame(&mut self, frame: Frame<'_>) {
        self.reading.usage_alone = false;
        if self.ended || frame.data.is_empty() {
            return;
        }
        if frame.event.is_none() && self.template.fits(frame.data) {
            return;
        }
        if frame.data.starts_with("[DONE]") {
            return self.conclude(true);
        }
        match Seen::of(frame.data) {
            Ok(seen) if frame.event == Some("error") || seen.fails() => self.fail(fault(&seen, frame.data)),
            Err(_) if frame.event == Some("error") => self.fail(errors::told(frame.data)),
            Err(_) => self.fail(malformed()),
            Ok(seen) => self.chunk(&seen, frame.data),
        }
    }

    fn whole(&mut self, body: &str) {
        self.whole = true;
        match self.walk(body) {
            Ok(seen) if seen.fails() => self.fail(fault(&seen, body)),
            Ok(seen) if seen.choices.is_some() || seen.walked.is_some() || seen.data => {
                self.take(&seen);
                if !self.ended {
                    self.reading.complete = true;
                }
            }
            Ok(_) | Err(_) => self.fail(no_answer()),
        }
    }

    fn reading(&self) -> &Reading {
        &self.reading
    }
}

/// Whether a whole answer has the look of an object with choices, and nowhere speaks of an error.
pub(super) fn is_plainly_good(body: &str) -> bool {
    is_closed(body) && body.contains("\"choices\"") && !body.contains("\"error\"")
}

fn no_answer() -> Fault {
    Fault::new(FaultKind::UpstreamMalformed, "the upstream's answer is no chat completion")
}

fn fault(seen: &Seen<'_>, text: &str) -> Fault {
    errors::told(seen.error.filter(|error| tells(error.text())).map_or(text, |error| error.text()))
}

impl<'a> Seen<'a> {
    fn of(text: &'a str) -> Result<Self, ScanError> {
        let mut seen = Self::default();
        each_member(text, |member| seen.note(&member.key, member.value))?;
        Ok(seen)
    }

    fn note(&mut self, key: &str, member: Value<'a>) {
        let value = Some(member).filter(|value| value.kind() != ValueKind::Null);
        match key {
            "model" => self.model = value,
            "choices" => self.choices = value,
            "usage" => self.usage = value,
            "x_groq" => self.groq = value,
            "error" => self.error = value,
            "service_tier" => self.service = value,
            "data" => self.data = value.is_some(),
            "object" => {
                self.done = member.text() == "\"chat.completion.done\"";
                self.failed = member.text() == "\"error\"";
            }
            _ => {}
        }
    }

    fn fails(&self) -> bool {
        self.failed || self.error.is_some_and(|error| tells(error.text()))
    }

    fn has_choices(&self) -> bool {
        self.walked == Some(true) || self.choices.is_some_and(|choices| !is_empty(&choices))
    }
}

/// Whether an array or a string holds nothing.
fn is_empty(value: &Value<'_>) -> bool {
    let text = value.text();
    matches!(text, "\"\"" | "null") || text.strip_prefix('[').is_some_and(|list| list.trim_start() == "]")
}

impl ChunkMeter {
    fn fail(&mut self, fault: Fault) {
        self.reading.fault = Some(fault);
        self.reading.complete = false;
        self.ended = true;
    }

    /// Takes a chunk, and learns its form where it told nothing but text.
    fn chunk(&mut self, seen: &Seen<'_>, text: &str) {
        self.take(seen);
        if self.told_text_alone(seen) {
            self.template.learn(text);
        }
    }

    fn take(&mut self, seen: &Seen<'_>) {
        let has_choices = seen.has_choices();
        self.begin(seen, has_choices);
        if let Some(word) = &seen.service {
            self.reading.billed.serve_as(word);
        }
        let groq = seen.groq.filter(|_| !self.whole);
        let mut used = seen.usage.or_else(|| groq.and_then(|groq| groq.get("usage")));
        self.told_text = false;
        if let Some(choices) = seen.choices.filter(|_| has_choices) {
            self.choices(&choices, &mut used);
        }
        let used = used.filter(|used| tells(used.text()));
        let read = |used: Value<'_>| match &seen.stated {
            Some(stated) => stated.usage(used.into()),
            None => usage(used.into()),
        };
        if let Some(read) = used.and_then(read) {
            self.reading.usage = Some(read);
            self.reading.usage_alone = !has_choices;
        }
        self.conclude(seen.done && !self.whole);
    }

    /// The first chunk that says anything names the model.
    fn begin(&mut self, seen: &Seen<'_>, has_choices: bool) {
        if self.started {
            return;
        }
        let model = seen.model.filter(|model| model.text() != "\"\"");
        self.started = has_choices || seen.usage.is_some() || model.is_some();
        self.reading.model = model.and_then(|model| model.as_str()).map(Cow::into_owned);
    }

    /// Whether a chunk told nothing but text: then the like of it changes nothing that is read here.
    fn told_text_alone(&self, seen: &Seen<'_>) -> bool {
        self.told_text && self.reading.content && !self.ended && seen.usage.is_none() && seen.groq.is_none()
    }

    /// Reads a whole answer in one go, its choices on the way.
    fn walk<'a>(&mut self, body: &'a str) -> Result<Seen<'a>, ScanError> {
        let mut seen = Seen::default();
        Walk::whole(body, Limits::default(), |walk, key| {
            if key == "usage" {
                let mut stated = Stated::default();
                seen.note(key, walk.kept(|walk| stated.read(walk))?);
                seen.stated = Some(stated);
                return Ok(());
            }
            if key != "choices" || walk.kind() != Some(ValueKind::Array) {
                seen.note(key, walk.value()?);
                return Ok(());
            }
            // Of a member that comes twice the last one counts.
            (self.seen, self.finished, self.calls) = Default::default();
            (self.word, self.sequence) = (None, None);
            seen.choices = None;
            seen.walked = Some(false);
            walk.array(|walk, at| {
                seen.walked = Some(true);
                self.walk_choice(at, walk)
            })
        })?;
        Ok(seen)
    }

    fn walk_choice(&mut self, at: usize, walk: &mut Walk<'_>) -> Result<(), ScanError> {
        if walk.kind() != Some(ValueKind::Object) {
            return Ok(());
        }
        let mut index = u64::try_from(at).unwrap_or(u64::MAX);
        let (mut word, mut sequence, mut calls) = (None, None, false);
        walk.object(|walk, key| {
            match key {
                "index" => index = walk.value()?.as_u64().unwrap_or(index),
                "finish_reason" => word = walk.value()?.as_str(),
                "stop_reason" => sequence = walk.value()?.as_str(),
                "delta" | "message" => calls |= self.walk_message(walk)?,
                "error" => self.fail_by(&walk.value()?),
                _ => {}
            }
            Ok(())
        })?;
        self.note(index, calls, word, sequence);
        Ok(())
    }

    /// Takes the error of a choice, if it tells of one.
    fn fail_by(&mut self, error: &Value<'_>) {
        if tells(error.text()) {
            self.fail(errors::told(error.text()));
        }
    }

    /// The same as [`Self::message`], on the way.
    fn walk_message(&mut self, walk: &mut Walk<'_>) -> Result<bool, ScanError> {
        let mut told = Told::default();
        walk.object(|walk, key| {
            if Told::matters(key) {
                told.take(key, &walk.value()?);
            }
            Ok(())
        })?;
        self.reading.content |= told.says || told.calls;
        Ok(told.calls)
    }

    /// Nearly always there is one choice, which is then read without being stepped over first. A list that cannot be
    /// read was refused by the scan of the chunk.
    fn choices<'a>(&mut self, choices: &Value<'a>, used: &mut Option<Value<'a>>) {
        let inner = choices.text().strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        let single = inner.is_some_and(|text| self.choice(0, text, used).is_ok());
        self.told_text &= single;
        if !single {
            let _ = each_element(choices.text(), |at, choice| {
                let _ = self.choice(at, choice.text(), used);
            });
        }
    }

    fn choice<'a>(
        &mut self,
        at: usize,
        text: &'a str,
        used: &mut Option<Value<'a>>,
    ) -> Result<(), ScanError> {
        let mut index = u64::try_from(at).unwrap_or(u64::MAX);
        let mut word = None;
        let mut sequence = None;
        let mut calls = false;
        let mut error = None;
        each_member(text, |member| match &*member.key {
            "index" => index = member.value.as_u64().unwrap_or(index),
            "finish_reason" => word = member.value.as_str(),
            "stop_reason" => sequence = member.value.as_str(),
            "delta" | "message" => calls |= self.is_news(&member.value) && self.message(&member.value),
            "usage" if used.is_none() && !self.whole => *used = Some(member.value),
            "error" if tells(member.value.text()) => error = Some(errors::told(member.value.text())),
            _ => {}
        })?;
        self.told_text = word.is_none() && sequence.is_none() && !calls && used.is_none();
        if let Some(fault) = error {
            self.fail(fault);
        }
        self.note(index, calls, word.filter(|word| self.whole || !word.is_empty()), sequence);
        Ok(())
    }

    /// Notes which candidate has come or ended, and of the first how.
    fn note(&mut self, index: u64, calls: bool, word: Option<Cow<'_, str>>, sequence: Option<Cow<'_, str>>) {
        self.seen.add(index);
        if word.is_some() {
            self.finished.add(index);
        }
        if index == 0 {
            self.calls |= calls;
            self.word = word.map(Into::into).or(self.word.take());
            self.sequence = sequence.map(Into::into).or(self.sequence.take());
        }
    }

    /// Whether a delta can say something that is not known yet: the first content, or a call. A name that is written
    /// with escapes counts as one that can.
    fn is_news(&self, message: &Value<'_>) -> bool {
        let may_call = || ["_call", "\\u"].iter().any(|hint| message.text().contains(hint));
        !self.reading.content || (!self.calls && may_call())
    }

    /// Whether a message or delta calls a tool; notes whether it says anything.
    fn message(&mut self, message: &Value<'_>) -> bool {
        let mut told = Told::default();
        let _ = each_member(message.text(), |member| told.take(&member.key, &member.value));
        self.reading.content |= told.says || told.calls;
        told.calls
    }

    /// Whether the answer is complete, and why it ended.
    fn conclude(&mut self, done: bool) {
        if self.ended {
            return;
        }
        self.reading.complete = self.seen != Numbers::default() && self.seen == self.finished;
        if done && !self.reading.complete {
            return self.fail(unfinished());
        }
        self.ended = done;
        if self.word.is_some() {
            self.reading.finish = finish(self.word.as_deref(), self.sequence.as_deref(), self.calls);
        }
    }
}

/// What a message or delta tells.
#[derive(Default)]
struct Told {
    calls: bool,
    says: bool,
}

impl Told {
    /// Whether a member can tell anything.
    fn matters(key: &str) -> bool {
        matches!(
            key,
            "tool_calls"
                | "function_call"
                | "content"
                | "refusal"
                | "reasoning_content"
                | "reasoning"
                | "reasoning_details"
                | "images"
                | "audio"
        )
    }

    fn take(&mut self, key: &str, value: &Value<'_>) {
        match key {
            "tool_calls" => self.calls |= !is_empty(value),
            "function_call" => self.calls |= ["name", "arguments"].iter().any(|key| filled(value, key)),
            "audio" => self.says |= filled(value, "data") || filled(value, "transcript"),
            _ if Self::matters(key) => self.says |= !is_empty(value),
            _ => {}
        }
    }
}

fn filled(object: &Value<'_>, key: &str) -> bool {
    object.get(key).is_some_and(|value| !is_empty(&value))
}
