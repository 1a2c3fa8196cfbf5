//! An answer gathered from its events, as far as it has to be kept.

use shim_ir::{Event, Part, PartId, Response};

use super::kept::Kept;
use super::origin::Origin;

/// Most of an answer that is gathered, in bytes of its text, reasoning, arguments and state. Of a longer one nothing is
/// kept.
pub const KEEP_BYTES_MAX: usize = 2 << 20;

/// Gathers the parts of the first answer.
#[derive(Debug, Default)]
pub struct Gather {
    parts: Vec<(PartId, Part)>,
    bytes: usize,
    /// Whether the answer is complete; of one that was cut nothing is kept, for no client goes on from it.
    complete: bool,
}

impl Gather {
    /// The parts of a whole answer.
    #[must_use]
    pub fn whole(response: &Response) -> Self {
        let first = response.candidates.first().map(|candidate| candidate.parts.as_slice());
        let numbered = first.unwrap_or_default().iter().cloned().zip(0..);
        let parts: Vec<_> = numbered.map(|(part, number)| (PartId(number), part)).collect();
        let bytes = parts.iter().map(|(_, part)| size(part)).sum();
        Self { parts, bytes, complete: true }
    }

    /// Takes an event of the answer.
    pub fn take(&mut self, event: &Event) {
        match event {
            Event::PartStart { id, candidate: 0, part } => {
                self.grow(size(part));
                if !self.is_over() {
                    self.parts.push((*id, part.clone()));
                }
            }
            Event::PartDelta { id, delta } => {
                self.grow(weight(delta));
                if !self.is_over()
                    && let Some((_, part)) = self.parts.iter_mut().rev().find(|(own, _)| own == id)
                {
                    part.grow(delta);
                }
            }
            Event::Finish(_) => self.complete = true,
            Event::PartStart { .. }
            | Event::Start(_)
            | Event::PartEnd { .. }
            | Event::Usage(_)
            | Event::Rest(_)
            | Event::Foreign(_)
            | Event::Fault(_) => {}
        }
    }

    /// Whether the answer is complete.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Whether there was more than is gathered.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.bytes > KEEP_BYTES_MAX
    }

    fn grow(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.is_over() {
            self.parts = Vec::new();
        }
    }

    /// What is to be kept of the answer, and its parts; `None` while it is not complete or when nothing is to be kept.
    #[must_use]
    pub fn kept(self, origin: &Origin) -> Option<(Kept, Vec<Part>)> {
        if !self.complete || self.is_over() {
            return None;
        }
        let parts: Vec<_> = self.parts.into_iter().map(|(_, part)| part).collect();
        Some((Kept::of(origin, &parts)?, parts))
    }
}

/// About how many bytes a part takes.
#[must_use]
pub fn size(part: &Part) -> usize {
    let sum = |pieces: &[String]| pieces.iter().map(String::len).sum::<usize>();
    let opaque = |opaque: &[shim_ir::Opaque]| opaque.iter().map(|opaque| opaque.value.len()).sum::<usize>();
    match part {
        Part::Text(text) | Part::Refusal(text) => text.text.len() + opaque(&text.opaque),
        Part::Reasoning(r) => sum(&r.text) + sum(&r.summary) + opaque(&r.opaque),
        Part::ToolCall(call) => call.arguments.len() + opaque(&call.opaque),
        Part::Media(media) => match &media.source {
            shim_ir::Source::Inline(data) => data.len(),
            shim_ir::Source::Url(_)
            | shim_ir::Source::Handle(_)
            | shim_ir::Source::Plain(_)
            | shim_ir::Source::Parts(_) => 0,
        },
        Part::ServerResult(result) => result.raw.get().len(),
        Part::Foreign(foreign) => foreign.raw.get().len(),
        Part::ToolResult(_) => 0,
    }
}

fn weight(delta: &shim_ir::Delta) -> usize {
    use shim_ir::Delta;
    match delta {
        Delta::Text(text)
        | Delta::Reasoning { text, .. }
        | Delta::Summary { text, .. }
        | Delta::Arguments(text)
        | Delta::Data(text)
        | Delta::Opaque { value: text, .. } => text.len(),
        Delta::Whole(part) => size(part),
        Delta::Citation(_) | Delta::Logprobs(_) | Delta::Rest(_) => 0,
    }
}
