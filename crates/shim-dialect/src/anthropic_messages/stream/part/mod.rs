//! A part of an answer while it is told.

mod whole;

use shim_ir::{Citation, Delta, LossKind, OpaqueKind, Part, PartId, Rest, ToolCall, ToolCallKind};
use shim_wire::{JsonWriter, RawJson};

use super::super::encode::{
    Cx, NARROWER, Place, call_members, cited, is_narrower, is_own_call, made_id, members, text_members,
    thinking_members,
};
use super::wire::{Tongue, Wire};
use crate::echo::free_text_arguments;
use crate::pieces::Json;

/// A part that has not ended, or of which something waits.
pub(super) struct Open {
    pub(super) id: PartId,
    /// Where it stands in the answer.
    place: usize,
    kind: Kind,
    /// What was told of what grows.
    told: String,
    /// How many citations were told.
    cited: usize,
    /// Whether a block was opened for it.
    begun: bool,
    /// Whether it carries what only its origin can read, so that it need not be told where it is empty.
    carries: bool,
    /// Whether it waits for another part to be told, and what came of it since.
    pub(super) waits: bool,
    pub(super) held: Vec<Delta>,
    pub(super) ended: bool,
}

enum Kind {
    Text(Rest),
    Thinking(Thinking),
    Call {
        call: Box<ToolCall>,
        json: Json,
        /// Whether its block was closed.
        shut: bool,
    },
    /// A call whose arguments are told when all of them are there: they are a free text, or another provider's own tool,
    /// of which a sketch comes first.
    Late(Box<ToolCall>),
    /// A block that comes at once.
    Whole(RawJson),
}

#[derive(Default)]
struct Thinking {
    rest: Rest,
    signature: String,
    redacted: Vec<String>,
    /// Whether a summary is told, and the piece that was told last.
    piece: Option<(bool, usize)>,
}

/// What is told at once.
pub(super) enum Speech<'d> {
    Text(&'d str),
    /// Text of another piece than the one before it.
    Apart(&'d str),
    Citation(&'d Citation),
}

impl Open {
    /// A part as it begins. `id` and `number` make the id of a call that has none.
    pub(super) fn new(id: PartId, place: usize, part: &Part, seed: &str, number: usize) -> Option<Self> {
        Some(Self {
            id,
            place,
            kind: Kind::of(part, seed, number)?,
            told: String::new(),
            cited: 0,
            begun: false,
            carries: carries(part),
            waits: false,
            held: Vec::new(),
            ended: false,
        })
    }

    fn at(&self) -> Place<'static> {
        Place::Answer(self.place)
    }

    /// Whether it is a call that was not told of yet: that it begins is something to tell.
    pub(super) fn is_untold_call(&self) -> bool {
        !self.begun && matches!(self.kind, Kind::Call { .. } | Kind::Late(_))
    }

    /// Whether its block may not end yet.
    pub(super) fn must_go_on(&self) -> bool {
        match &self.kind {
            Kind::Call { json, shut, .. } => self.begun && !shut && !json.is_whole(),
            Kind::Late(_) => self.begun,
            Kind::Text(_) | Kind::Thinking(_) | Kind::Whole(_) => false,
        }
    }

    /// Takes a delta; returns what of it is to be told at once.
    pub(super) fn hear<'d>(&mut self, delta: &'d Delta, cx: &mut Cx<'_>) -> Option<Speech<'d>> {
        match (&self.kind, delta) {
            (Kind::Text(_), Delta::Text(text)) => self.text(text),
            (Kind::Text(_), Delta::Citation(citation)) => self.citation(citation, cx),
            (Kind::Thinking(_), Delta::Reasoning { piece, text }) => self.thought((false, *piece), text, cx),
            (Kind::Thinking(_), Delta::Summary { piece, text }) => self.thought((true, *piece), text, cx),
            (Kind::Call { .. } | Kind::Late(_), Delta::Arguments(text)) => self.arguments(text, cx),
            (_, delta) => {
                self.keep(delta, cx);
                None
            }
        }
    }

    /// Takes what is told at the end, or has no place.
    fn keep(&mut self, delta: &Delta, cx: &mut Cx<'_>) {
        match (&mut self.kind, delta) {
            (_, Delta::Opaque { kind, value, append }) => self.opaque(*kind, value, *append, cx),
            (Kind::Whole(raw), Delta::Whole(part)) => replace(raw, part),
            (Kind::Late(_), Delta::Whole(part)) => {
                if let Part::ToolCall(call) = &**part {
                    self.told.clone_from(&call.arguments);
                }
            }
            (_, delta) => self.lose(delta, cx),
        }
    }

    fn text<'d>(&mut self, text: &'d str) -> Option<Speech<'d>> {
        self.told.push_str(text);
        (!text.is_empty()).then_some(Speech::Text(text))
    }

    fn citation<'d>(&mut self, citation: &'d Citation, cx: &mut Cx<'_>) -> Option<Speech<'d>> {
        self.cited += 1;
        if !cited(citation) {
            let why = "a citation without its source in this dialect has no place";
            cx.lose_once(format_args!("{}.citations", self.at()), LossKind::Dropped, why);
            return None;
        }
        if is_narrower(citation) {
            cx.lose_once(format_args!("{}.citations.start", self.at()), LossKind::Approximated, NARROWER);
        }
        Some(Speech::Citation(citation))
    }

    /// Reasoning, or a summary of it: whichever comes first. `piece` is whether it is of a summary, and its number.
    fn thought<'d>(&mut self, piece: (bool, usize), text: &'d str, cx: &mut Cx<'_>) -> Option<Speech<'d>> {
        let at = self.at();
        let Kind::Thinking(thinking) = &mut self.kind else { return None };
        if text.is_empty() {
            return None;
        }
        let last = *thinking.piece.get_or_insert(piece);
        if last.0 != piece.0 {
            cx.lose_once(format_args!("{at}.summary"), LossKind::Dropped, "the reasoning itself is told");
            return None;
        }
        let apart = last != piece;
        thinking.piece = Some(piece);
        self.told.push_str(if apart { BETWEEN } else { "" });
        self.told.push_str(text);
        Some(if apart { Speech::Apart(text) } else { Speech::Text(text) })
    }

    fn arguments<'d>(&mut self, text: &'d str, cx: &mut Cx<'_>) -> Option<Speech<'d>> {
        let at = self.at();
        let told = match &mut self.kind {
            Kind::Call { shut: true, .. } => {
                if !text.trim().is_empty() {
                    let why = "arguments came behind their end";
                    cx.lose_once(format_args!("{at}.arguments"), LossKind::Approximated, why);
                }
                return None;
            }
            Kind::Call { json, .. } => {
                json.take(text);
                true
            }
            Kind::Late(_) => false,
            Kind::Text(_) | Kind::Thinking(_) | Kind::Whole(_) => return None,
        };
        self.told.push_str(text);
        (told && !text.is_empty()).then_some(Speech::Text(text))
    }

    /// Opaque state: what Anthropic reads is told when the part ends.
    fn opaque(&mut self, kind: OpaqueKind, value: &str, append: bool, cx: &mut Cx<'_>) {
        let at = self.at();
        match (&mut self.kind, kind) {
            (Kind::Thinking(thinking), OpaqueKind::Signature) => {
                if !append {
                    thinking.signature.clear();
                }
                thinking.signature.push_str(value);
            }
            (Kind::Thinking(thinking), OpaqueKind::Redacted) => match thinking.redacted.last_mut() {
                Some(last) if append => last.push_str(value),
                Some(_) | None => thinking.redacted.push(value.to_owned()),
            },
            (Kind::Text(_) | Kind::Thinking(_) | Kind::Call { .. } | Kind::Late(_) | Kind::Whole(_), _) => {
                self.carries = true;
                cx.lose_once(format_args!("{at}.opaque"), LossKind::Dropped, "only its origin can read it");
            }
        }
    }

    /// Tells what of a delta has no place.
    fn lose(&self, delta: &Delta, cx: &mut Cx<'_>) {
        let at = self.at();
        let mut lose = |name: &str, why| cx.lose_once(format_args!("{at}.{name}"), LossKind::Dropped, why);
        match delta {
            Delta::Logprobs(_) => lose("logprobs", "there are no log probabilities"),
            Delta::Rest(rest) => {
                rest.members().iter().for_each(|(key, _)| lose(key, "no other dialect has it"));
            }
            Delta::Text(_)
            | Delta::Reasoning { .. }
            | Delta::Summary { .. }
            | Delta::Arguments(_)
            | Delta::Data(_)
            | Delta::Opaque { .. }
            | Delta::Citation(_)
            | Delta::Whole(_) => cx.lose_once(at, LossKind::Dropped, "it does not fit its part"),
        }
    }

    /// Opens a block for it.
    pub(super) fn begin(&mut self, wire: &mut Wire, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        let (at, fresh) = (self.at(), !self.begun);
        self.begun = true;
        match &self.kind {
            Kind::Text(rest) => wire.start(Tongue::Text, out, |w| {
                text_members(w, "");
                own(w, rest, fresh, at, cx);
            }),
            Kind::Thinking(thinking) => wire.start(Tongue::Thinking, out, |w| {
                thinking_members(w, "", None);
                own(w, &thinking.rest, fresh, at, cx);
            }),
            Kind::Call { call, .. } | Kind::Late(call) => wire.start(Tongue::Input, out, |w| {
                call_members(w, call, &call.id, &call.name);
                w.nested("input", |_| ());
                own(w, &call.rest, fresh, at, cx);
            }),
            Kind::Whole(_) => {}
        }
    }

    /// Its block is closed while it has not ended.
    pub(super) fn interrupt(&mut self) {
        if let Kind::Call { shut, .. } = &mut self.kind {
            *shut = true;
        }
    }

    /// Whether something is left to be told in a block of its own when it ends.
    pub(super) fn has_last_words(&self) -> bool {
        match &self.kind {
            Kind::Text(_) => !self.begun && !self.carries,
            Kind::Thinking(thinking) => {
                !thinking.signature.is_empty()
                    || (!self.begun && !self.carries && thinking.redacted.is_empty())
            }
            Kind::Late(_) => true,
            Kind::Call { .. } | Kind::Whole(_) => false,
        }
    }

    /// Tells the last of it in the open block.
    pub(super) fn last_words(&self, wire: &Wire, out: &mut Vec<u8>) {
        match &self.kind {
            Kind::Thinking(thinking) if !thinking.signature.is_empty() => wire.sign(&thinking.signature, out),
            Kind::Late(call) if call.kind == ToolCallKind::Custom => {
                wire.say(&free_text_arguments(&self.told), out);
            }
            Kind::Late(_) if self.told.is_empty() => {}
            Kind::Late(_) => wire.say(&self.told, out),
            Kind::Text(_) | Kind::Thinking(_) | Kind::Call { .. } | Kind::Whole(_) => {}
        }
    }

    /// Whether nothing of it is told before its end, so that another whole may replace what there is.
    pub(super) fn is_late(&self) -> bool {
        matches!(self.kind, Kind::Whole(_) | Kind::Late(_))
    }

    /// Tells what an own block would have beside the part, where none is opened for it.
    pub(super) fn unsaid(&self, cx: &mut Cx<'_>) {
        match &self.kind {
            Kind::Text(rest) | Kind::Thinking(Thinking { rest, .. }) if !self.begun => {
                cx.own(rest, &self.at());
            }
            Kind::Text(_) | Kind::Thinking(_) | Kind::Call { .. } | Kind::Late(_) | Kind::Whole(_) => {}
        }
    }

    /// Whether something comes in blocks of their own behind its block.
    pub(super) fn has_postscript(&self) -> bool {
        match &self.kind {
            Kind::Whole(_) => true,
            Kind::Thinking(thinking) => !thinking.redacted.is_empty(),
            Kind::Text(_) | Kind::Call { .. } | Kind::Late(_) => false,
        }
    }

    /// Tells what comes in blocks of their own behind its block.
    pub(super) fn postscript(&self, wire: &mut Wire, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        match &self.kind {
            Kind::Whole(raw) => wire.whole_raw(out, raw),
            Kind::Thinking(thinking) => {
                for data in &thinking.redacted {
                    wire.whole(out, |w| {
                        w.string("type", "redacted_thinking");
                        w.string("data", data);
                        own(w, &thinking.rest, !self.begun, self.at(), cx);
                    });
                }
            }
            Kind::Text(_) | Kind::Call { .. } | Kind::Late(_) => {}
        }
    }
}

/// What stands between the pieces of reasoning.
pub(super) const BETWEEN: &str = "\n\n";

/// Whether a text or a thought carries what only its origin can read.
fn carries(part: &Part) -> bool {
    match part {
        Part::Text(text) | Part::Refusal(text) => !text.opaque.is_empty(),
        Part::Reasoning(reasoning) => reasoning.id.is_some(),
        Part::Media(_)
        | Part::ToolCall(_)
        | Part::ToolResult(_)
        | Part::ServerResult(_)
        | Part::Foreign(_) => false,
    }
}

impl Kind {
    /// `None` for a part that no answer has.
    fn of(part: &Part, seed: &str, number: usize) -> Option<Self> {
        Some(match part {
            Part::Text(text) | Part::Refusal(text) => Self::Text(text.rest.clone()),
            Part::Reasoning(reasoning) => {
                Self::Thinking(Thinking { rest: reasoning.rest.clone(), ..Thinking::default() })
            }
            Part::ToolCall(call) => Self::of_call(call, seed, number),
            Part::ServerResult(result) => Self::Whole(result.raw.clone()),
            Part::Foreign(foreign) => Self::Whole(foreign.raw.clone()),
            Part::Media(_) | Part::ToolResult(_) => return None,
        })
    }

    fn of_call(call: &ToolCall, seed: &str, number: usize) -> Self {
        let mut call = Box::new(ToolCall { arguments: String::new(), opaque: Vec::new(), ..call.clone() });
        if call.id.is_empty() {
            call.id = made_id(seed, number);
        }
        match &call.kind {
            ToolCallKind::Native(word) if !is_own_call(word) => Self::Late(call),
            ToolCallKind::Custom => Self::Late(call),
            ToolCallKind::Function | ToolCallKind::Native(_) => {
                Self::Call { call, json: Json::default(), shut: false }
            }
        }
    }
}

/// The members a block has beside its own: in its first frame.
fn own(w: &mut JsonWriter<'_>, rest: &Rest, first: bool, at: Place<'_>, cx: &mut Cx<'_>) {
    if first {
        members(w, cx.own(rest, &at));
    }
}

/// A block that comes at once, as its upstream says it is at its end.
fn replace(raw: &mut RawJson, part: &Part) {
    match part {
        Part::Foreign(foreign) => raw.clone_from(&foreign.raw),
        Part::ServerResult(result) => raw.clone_from(&result.raw),
        Part::Text(_)
        | Part::Refusal(_)
        | Part::Media(_)
        | Part::Reasoning(_)
        | Part::ToolCall(_)
        | Part::ToolResult(_) => {}
    }
}
