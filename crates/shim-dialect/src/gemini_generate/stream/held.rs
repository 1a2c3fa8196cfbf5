//! Parts of an encoded stream that are open, and what of them is not told yet.

use shim_ir::{Citation, Delta, Media, MediaKind, Opaque, OpaqueKind, Part, PartId, Source, Text, ToolCall};
use shim_wire::RawJson;

use super::super::encode::{BETWEEN, Spoken, mark, thoughts};

/// An open part.
pub(super) struct Held {
    pub(super) id: PartId,
    pub(super) candidate: u32,
    /// Whether it is complete, and only waits for the parts before it.
    pub(super) ended: bool,
    pub(super) body: Body,
}

/// What a part is, by how it is told.
pub(super) enum Body {
    /// At once, piece by piece.
    Words(Words),
    /// Whole, when its arguments are complete.
    Call(ToolCall),
    /// At once, piece by piece; with its type and kind.
    Sound(Media),
    /// Whole, when it ends.
    Whole(Part),
}

/// What must not be mixed: of the parts in a lane the first one is told, and the others wait.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    Text,
    Thought,
    Call,
}

/// A text or a thought.
#[derive(Default)]
pub(super) struct Words {
    pub(super) thought: bool,
    pub(super) told: Told,
    /// What was told, where citations can be of it.
    pub(super) spoken: Spoken,
    /// What came while another part of the lane was told.
    pub(super) waiting: String,
    /// What hangs on the text, until a piece of it is told.
    pub(super) mark: Option<Text>,
    pub(super) citations: Vec<Citation>,
    pub(super) logprobs: Vec<RawJson>,
    /// How many citations came, and whether log probabilities and a mark did.
    pub(super) cited: usize,
    pub(super) logged: bool,
    pub(super) marked: bool,
    /// Which piece of reasoning the last text was of.
    piece: Option<(bool, usize)>,
    /// The bytes of the answer's text before this one.
    pub(super) base: Option<u64>,
}

/// How much was told, and a hash of it (FNV-1a): enough to know whether a longer text begins with it.
#[derive(Clone, Copy)]
pub(super) struct Told {
    pub(super) bytes: usize,
    hash: u64,
}

impl Default for Told {
    fn default() -> Self {
        Self { bytes: 0, hash: 0xcbf2_9ce4_8422_2325 }
    }
}

impl Told {
    pub(super) fn add(&mut self, text: &str) {
        self.bytes += text.len();
        for byte in text.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// What `whole` says beyond what was told; `None` where it begins otherwise.
    pub(super) fn beyond(self, whole: &str) -> Option<&str> {
        let mut begin = Self::default();
        begin.add(whole.get(..self.bytes)?);
        (begin.hash == self.hash).then(|| whole.get(self.bytes..)).flatten()
    }
}

impl Held {
    pub(super) fn new(id: PartId, candidate: u32, part: &Part) -> Self {
        let body = match part {
            Part::Text(text) | Part::Refusal(text) => Body::Words(Words::of_text(text)),
            Part::Reasoning(reasoning) => Body::Words(Words {
                thought: true,
                mark: mark(&reasoning.opaque, &reasoning.rest),
                ..Words::default()
            }),
            Part::ToolCall(call) => Body::Call(call.clone()),
            Part::Media(media) if is_sound(media) => {
                Body::Sound(Media { mime: media.mime.clone(), ..media.clone() })
            }
            Part::Media(_) | Part::ToolResult(_) | Part::ServerResult(_) | Part::Foreign(_) => {
                Body::Whole(part.clone())
            }
        };
        Self { id, candidate, ended: false, body }
    }

    pub(super) fn lane(&self) -> Option<Lane> {
        match &self.body {
            Body::Words(words) if words.thought => Some(Lane::Thought),
            Body::Words(_) => Some(Lane::Text),
            Body::Call(_) => Some(Lane::Call),
            Body::Sound(_) | Body::Whole(_) => None,
        }
    }
}

/// Sound is told piece by piece; all other media are whole or nothing.
fn is_sound(media: &Media) -> bool {
    let inline = matches!(media.source, Source::Inline(_));
    media.kind == MediaKind::Audio && inline && media.opaque.is_empty() && media.rest.is_empty()
}

impl Words {
    fn of_text(text: &Text) -> Self {
        let mark = mark(&text.opaque, &text.rest);
        Self {
            marked: mark.is_some(),
            mark,
            citations: text.citations.clone(),
            cited: text.citations.len(),
            logprobs: text.logprobs.iter().cloned().collect(),
            logged: text.logprobs.is_some(),
            ..Self::default()
        }
    }

    /// What stands before a text of this piece.
    pub(super) fn between(&mut self, piece: Option<(bool, usize)>) -> &'static str {
        let before = std::mem::replace(&mut self.piece, piece);
        if before.is_some() && before != piece { BETWEEN } else { "" }
    }

    /// Adds opaque state of the dialect's own.
    pub(super) fn sign(&mut self, opaque: Opaque, append: bool) {
        let list = &mut self.mark.get_or_insert_default().opaque;
        match list.last_mut().filter(|_| append) {
            Some(last) => last.value.push_str(&opaque.value),
            None => list.push(opaque),
        }
        self.marked = true;
    }

    /// Takes from the whole part what did not come yet; gives its text.
    pub(super) fn fill(&mut self, whole: &Part) -> String {
        match whole {
            Part::Text(text) | Part::Refusal(text) => {
                self.fill_text(text);
                text.text.to_string()
            }
            Part::Reasoning(reasoning) => {
                if !self.marked {
                    self.mark = mark(&reasoning.opaque, &reasoning.rest);
                }
                thoughts(reasoning)
            }
            Part::Media(_)
            | Part::ToolCall(_)
            | Part::ToolResult(_)
            | Part::ServerResult(_)
            | Part::Foreign(_) => String::new(),
        }
    }

    fn fill_text(&mut self, text: &Text) {
        self.citations.extend(text.citations.iter().skip(self.cited).cloned());
        self.cited = self.cited.max(text.citations.len());
        self.logprobs.extend(text.logprobs.iter().filter(|_| !self.logged).cloned());
        self.logged |= text.logprobs.is_some();
        if !self.marked {
            self.mark = mark(&text.opaque, &text.rest);
        }
    }
}

/// Lets a part that is told whole grow.
pub(super) fn grow(part: &mut Part, delta: &Delta) {
    match (part, delta) {
        (part, Delta::Whole(whole)) => part.clone_from(whole),
        (Part::Media(Media { source: Source::Inline(data), .. }), Delta::Data(more)) => data.push_str(more),
        (Part::Media(media), Delta::Rest(rest)) => media.rest.merge(rest.clone()),
        (Part::ToolResult(result), Delta::Rest(rest)) => result.rest.merge(rest.clone()),
        (
            _,
            Delta::Text(_)
            | Delta::Reasoning { .. }
            | Delta::Summary { .. }
            | Delta::Arguments(_)
            | Delta::Data(_)
            | Delta::Opaque { .. }
            | Delta::Citation(_)
            | Delta::Logprobs(_)
            | Delta::Rest(_),
        ) => {}
    }
}

/// Lets a call grow.
pub(super) fn grow_call(call: &mut ToolCall, delta: &Delta) {
    match delta {
        Delta::Arguments(text) => call.arguments.push_str(text),
        Delta::Opaque { kind, value, append } => grow_opaque(&mut call.opaque, *kind, value, *append),
        Delta::Rest(rest) => call.rest.merge(rest.clone()),
        Delta::Whole(whole) => {
            if let Part::ToolCall(whole) = &**whole {
                call.clone_from(whole);
            }
        }
        Delta::Text(_)
        | Delta::Reasoning { .. }
        | Delta::Summary { .. }
        | Delta::Data(_)
        | Delta::Citation(_)
        | Delta::Logprobs(_) => {}
    }
}

fn grow_opaque(states: &mut Vec<Opaque>, kind: OpaqueKind, value: &str, append: bool) {
    match states.iter_mut().rev().find(|state| append && state.kind == kind) {
        Some(last) => last.value.push_str(value),
        None => states.push(Opaque { kind, value: value.to_owned() }),
    }
}
