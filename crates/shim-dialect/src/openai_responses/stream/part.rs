//! A part as a stream tells it: what was told is kept, so that the whole part at its end need add only what is missing.

use shim_ir::{Delta, Event, Part, PartId, Reasoning, Rest, Source, Text};

use super::super::decode::DIALECT;
use crate::DecodeError;

/// More parts than any answer has.
const PARTS_MAX: u32 = 1 << 16;

/// Where events go, and how many parts were opened.
pub(super) struct Sink<'a> {
    pub(super) out: &'a mut Vec<Event>,
    pub(super) parts: &'a mut u32,
}

/// What an event adds to a part.
pub(super) struct Piece {
    pub(super) grows: Grows,
    /// Which content part of a message, or which piece of reasoning.
    pub(super) at: usize,
    pub(super) text: String,
    /// Whether `text` is all of it so far.
    pub(super) whole: bool,
}

/// What of a part grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grows {
    Text,
    Refusal,
    Reasoning,
    Summary,
    /// What a call of this `type` is called with.
    Call(&'static str),
    Sound,
}

/// An open part.
pub(super) struct Open {
    id: PartId,
    /// As it was told so far.
    part: Part,
}

impl Open {
    pub(super) fn new(part: Part, sink: &mut Sink<'_>) -> Result<Self, DecodeError> {
        if *sink.parts >= PARTS_MAX {
            return Err(DecodeError::shape("output_index", "more parts than are allowed"));
        }
        let id = PartId(*sink.parts);
        *sink.parts += 1;
        sink.out.push(Event::PartStart { id, candidate: 0, part: part.clone() });
        Ok(Self { id, part })
    }

    /// Adds a piece; false when it is of no part like this.
    pub(super) fn take(&mut self, piece: Piece, sink: &mut Sink<'_>) -> bool {
        let Piece { grows, at, text, whole } = piece;
        let Some(so_far) = self.so_far(grows, at) else { return false };
        // A whole text that goes on differently is left to the end of the part.
        let text = if whole { text.strip_prefix(so_far).unwrap_or_default().to_owned() } else { text };
        let delta = match grows {
            _ if text.is_empty() => return true,
            Grows::Text | Grows::Refusal => Delta::Text(text),
            Grows::Reasoning => Delta::Reasoning { piece: at, text },
            Grows::Summary => Delta::Summary { piece: at, text },
            Grows::Call(_) => Delta::Arguments(text),
            Grows::Sound => Delta::Data(text),
        };
        self.grow(delta, sink)
    }

    /// The text that grows, as it was told so far.
    fn so_far(&self, grows: Grows, at: usize) -> Option<&str> {
        match (&self.part, grows) {
            (Part::Text(text), Grows::Text) | (Part::Refusal(text), Grows::Refusal) => Some(&text.text),
            (Part::Reasoning(reasoning), Grows::Reasoning) => Some(nth(&reasoning.text, at)),
            (Part::Reasoning(reasoning), Grows::Summary) => Some(nth(&reasoning.summary, at)),
            (Part::ToolCall(call), Grows::Call(_)) => Some(&call.arguments),
            (Part::Media(media), Grows::Sound) => match &media.source {
                Source::Inline(data) => Some(data),
                Source::Url(_) | Source::Handle(_) | Source::Plain(_) | Source::Parts(_) => None,
            },
            _ => None,
        }
    }

    /// Adds `delta`; false when it does not fit.
    pub(super) fn grow(&mut self, delta: Delta, sink: &mut Sink<'_>) -> bool {
        let fits = self.part.grow(&delta);
        if fits {
            sink.out.push(Event::PartDelta { id: self.id, delta });
        }
        fits
    }

    /// Ends the part, which is `last` in the end: what is missing is added, and what cannot be is told whole.
    pub(super) fn end(mut self, last: Part, sink: &mut Sink<'_>) -> Part {
        for delta in missing(&self.part, &last).unwrap_or_default() {
            self.grow(delta, sink);
        }
        if self.part != last {
            self.grow(Delta::Whole(Box::new(last)), sink);
        }
        self.close(sink)
    }

    /// Ends the part as it is.
    pub(super) fn close(self, sink: &mut Sink<'_>) -> Part {
        sink.out.push(Event::PartEnd { id: self.id });
        self.part
    }
}

fn nth(pieces: &[String], at: usize) -> &str {
    pieces.get(at).map_or("", String::as_str)
}

/// What has to be added to `so_far` to make it `last`; `None` when adding is not enough.
fn missing(so_far: &Part, last: &Part) -> Option<Vec<Delta>> {
    let mut deltas = missing_content(so_far, last)?;
    let (own, last) = match (so_far, last) {
        (Part::Text(own), Part::Text(last)) | (Part::Refusal(own), Part::Refusal(last)) => {
            (&own.rest, &last.rest)
        }
        (Part::Reasoning(own), Part::Reasoning(last)) => (&own.rest, &last.rest),
        (Part::ToolCall(own), Part::ToolCall(last)) => (&own.rest, &last.rest),
        (Part::Media(own), Part::Media(last)) => (&own.rest, &last.rest),
        _ => return None,
    };
    deltas.extend(missing_rest(own, last)?.map(Delta::Rest));
    Some(deltas)
}

/// What has to be added to the content of `so_far` to make it that of `last`; `None` when adding is not enough.
pub(super) fn missing_content(so_far: &Part, last: &Part) -> Option<Vec<Delta>> {
    let mut deltas = Vec::new();
    match (so_far, last) {
        (Part::Text(own), Part::Text(last)) | (Part::Refusal(own), Part::Refusal(last)) => {
            missing_text(own, last, &mut deltas)?;
        }
        (Part::Reasoning(own), Part::Reasoning(last)) => missing_reasoning(own, last, &mut deltas)?,
        (Part::ToolCall(own), Part::ToolCall(last)) => {
            deltas.extend(suffix(&own.arguments, &last.arguments)?.map(Delta::Arguments));
        }
        (Part::Media(_), Part::Media(_)) => {}
        _ => return None,
    }
    Some(deltas)
}

/// What `last` has beyond `own`; the outer `None` when it goes on differently, the inner one when it is no more.
fn suffix(own: &str, last: &str) -> Option<Option<String>> {
    let suffix = last.strip_prefix(own)?;
    Some((!suffix.is_empty()).then(|| suffix.to_owned()))
}

fn missing_text(own: &Text, last: &Text, deltas: &mut Vec<Delta>) -> Option<()> {
    deltas.extend(suffix(&own.text, &last.text)?.map(Delta::Text));
    let citations = last.citations.strip_prefix(&own.citations[..])?;
    deltas.extend(citations.iter().cloned().map(Delta::Citation));
    if own.logprobs.is_none() {
        deltas.extend(last.logprobs.clone().map(Delta::Logprobs));
    }
    Some(())
}

fn missing_reasoning(own: &Reasoning, last: &Reasoning, deltas: &mut Vec<Delta>) -> Option<()> {
    for (at, text) in last.text.iter().enumerate() {
        let text = suffix(nth(&own.text, at), text)?.or_else(|| (at >= own.text.len()).then(String::new));
        deltas.extend(text.map(|text| Delta::Reasoning { piece: at, text }));
    }
    for (at, text) in last.summary.iter().enumerate() {
        let text =
            suffix(nth(&own.summary, at), text)?.or_else(|| (at >= own.summary.len()).then(String::new));
        deltas.extend(text.map(|text| Delta::Summary { piece: at, text }));
    }
    let opaque = last.opaque.strip_prefix(&own.opaque[..])?;
    deltas.extend(opaque.iter().map(|it| Delta::Opaque {
        kind: it.kind,
        value: it.value.clone(),
        append: false,
    }));
    Some(())
}

/// The members that are new or changed; the outer `None` when merging them does not give `last`.
fn missing_rest(own: &Rest, last: &Rest) -> Option<Option<Rest>> {
    let changed = changed(own, last);
    let mut merged = own.clone();
    merged.merge(changed.clone());
    (merged == *last).then(|| (!changed.is_empty()).then_some(changed))
}

/// The members of `last` that are new or not as `own` has them.
pub(super) fn changed(own: &Rest, last: &Rest) -> Rest {
    let changed = last.members().iter().filter(|(key, value)| own.get(key) != Some(value));
    Rest::from_owned(DIALECT, changed.cloned().collect())
}
