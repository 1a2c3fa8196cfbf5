//! What of a conversation goes to whom.

mod weave;

use std::ops::Range;

use shim_ir::{
    Dialect, Executor, Loss, LossKind, Opaque, OpaqueKind, Part, Reasoning, Request, Role, ToolCall, Turn,
};

use super::kept::{Kept, Piece, is_provider_run};
use super::names::minted;
use super::origin::Origin;
use super::rules::Rules;
use super::spans::Span;
use weave::{returned, weave};

/// What goes to a target in place of what the client sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Given {
    /// The request; `None` where it stays as it is.
    pub request: Option<Request>,
    /// The turn of the client's request that each turn of it comes from.
    pub turns: Vec<usize>,
    /// What is left out, by the turns of the client's request.
    pub losses: Vec<Loss>,
}

/// Stands for the reasoning of a turn with calls that another model thought without showing it, where a target refuses
/// such a turn without any.
pub const UNTOLD: &str = "(The reasoning behind this step was not recorded.)";

/// Signs a call that came from a model of another family, or from none.
/// Source: <https://ai.google.dev/gemini-api/docs/thought-signatures#faqs>, read 2026-11-25.
const DUMMY: &str = "skip_thought_signature_validator";

const ORIGINS_ALONE: &str = "only its origin can read it";

/// Puts what is kept of a conversation's answers where it belongs, for a target of `origin` that has these `rules`.
///
/// Its own state comes back byte for byte, also where the client dropped it. Of an answer of another origin all state is
/// left out; what can be read of its reasoning is told where the target takes it. An answer of which nothing is kept
/// stays as it is, but for state that is `foreign` and what the target is known to refuse. `found` names each answer
/// once, in order.
#[must_use]
pub fn give(
    request: &Request,
    client: Dialect,
    found: &[(Span, Option<&Kept>)],
    origin: &Origin,
    rules: Rules,
    foreign: &dyn Fn(&Opaque) -> bool,
) -> Given {
    let rules = rules.for_request(request);
    let open = open_from(request);
    let apart = client == Dialect::OpenaiResponses;
    let mut giver = Giver { request, rules, apart, foreign, losses: Vec::new() };
    let mut turns: Vec<(usize, Turn)> = Vec::new();
    let mut next = 0;
    for (span, kept) in found {
        turns.extend(kept_turns(request, next..span.turns.start));
        let signs = rules.signs && span.turns.start >= open;
        turns.extend(giver.span(span, *kept, origin, signs));
        next = span.turns.end;
    }
    turns.extend(kept_turns(request, next..request.turns.len()));
    let losses = giver.losses;
    if turns.iter().map(|(_, turn)| turn).eq(request.turns.iter()) {
        return Given { losses, ..Given::default() };
    }
    let (from, turns) = turns.into_iter().unzip();
    // What is large of a request is its turns; the rest is copied.
    let rest = Request { turns, ..without_turns(request) };
    Given { request: Some(rest), turns: from, losses }
}

fn kept_turns(request: &Request, turns: Range<usize>) -> impl Iterator<Item = (usize, Turn)> {
    let from = turns.start;
    request.turns.get(turns).unwrap_or_default().iter().cloned().zip(from..).map(|(turn, at)| (at, turn))
}

fn without_turns(request: &Request) -> Request {
    Request {
        turns: Vec::new(),
        model: request.model.clone(),
        system: request.system.clone(),
        tools: request.tools.clone(),
        tool_choice: request.tool_choice.clone(),
        parallel_tool_calls: request.parallel_tool_calls,
        output: request.output.clone(),
        reasoning: request.reasoning.clone(),
        sampling: request.sampling.clone(),
        stream: request.stream.clone(),
        state: request.state.clone(),
        modalities: request.modalities.clone(),
        user: request.user.clone(),
        metadata: request.metadata.clone(),
        service_tier: request.service_tier.clone(),
        cache_key: request.cache_key.clone(),
        rest: request.rest.clone(),
    }
}

/// Where the turn begins that is going on: behind the last words of the user.
fn open_from(request: &Request) -> usize {
    let asks = |turn: &Turn| {
        turn.role == Role::User && turn.parts.iter().any(|part| !matches!(part, Part::ToolResult(_)))
    };
    request.turns.iter().rposition(asks).map_or(0, |at| at + 1)
}

struct Giver<'r> {
    request: &'r Request,
    rules: Rules,
    /// Whether each part that is put in is a turn of its own, as the client's dialect has it.
    apart: bool,
    /// Whether a state is known to be another origin's.
    foreign: &'r dyn Fn(&Opaque) -> bool,
    losses: Vec<Loss>,
}

/// A part of an answer, and the turn it is in; one that was put in stands before that of the next.
#[derive(Clone)]
struct Placed {
    turn: usize,
    part: Part,
    put_in: bool,
}

impl Giver<'_> {
    fn span(&mut self, span: &Span, kept: Option<&Kept>, origin: &Origin, signs: bool) -> Vec<(usize, Turn)> {
        let own = self.placed(span);
        let strange = match kept {
            None => own.iter().any(|placed| opaque_of(&placed.part).iter().any(self.foreign)),
            Some(kept) => kept.origin != *origin,
        };
        let mut placed = match kept {
            None if strange => self.sift(own),
            None => own,
            Some(kept) if strange => self.tell_others(own, kept, span),
            Some(kept) => self.return_own(own, kept),
        };
        placed.retain(|placed| self.is_taken(placed));
        self.fill(&mut placed, span);
        if signs {
            sign(&mut placed);
        }
        self.turns(span, placed, strange)
    }

    fn placed(&self, span: &Span) -> Vec<Placed> {
        let turns = span.turns.clone().filter_map(|at| Some((at, self.request.turns.get(at)?)));
        let parts = turns.flat_map(|(at, turn)| turn.parts.iter().map(move |part| (at, part)));
        parts.map(|(turn, part)| Placed { turn, part: part.clone(), put_in: false }).collect()
    }

    fn lose(&mut self, turn: usize, kind: LossKind, why: &'static str) {
        let loss = Loss::new(format!("turns[{turn}].parts[0]"), kind, why);
        if !self.losses.contains(&loss) {
            self.losses.push(loss);
        }
    }

    /// Leaves out state of which nothing but its origin is known, which is another.
    fn sift(&mut self, own: Vec<Placed>) -> Vec<Placed> {
        let mut sifted = Vec::with_capacity(own.len());
        for mut placed in own {
            if is_provider_run(&placed.part) {
                self.lose(placed.turn, LossKind::Dropped, ORIGINS_ALONE);
                continue;
            }
            if !opaque_of(&placed.part).iter().any(self.foreign) {
                strip_item(&mut placed.part);
                sifted.push(placed);
                continue;
            }
            self.lose(placed.turn, LossKind::Dropped, ORIGINS_ALONE);
            strip(&mut placed.part);
            match &mut placed.part {
                Part::Reasoning(reasoning) => {
                    let told = self.rules.readable.then(|| bare(reasoning)).flatten();
                    sifted.extend(told.map(|told| Placed { part: Part::Reasoning(told), ..placed }));
                }
                Part::Text(text) if text.text.is_empty() => {}
                Part::Text(_)
                | Part::Refusal(_)
                | Part::Media(_)
                | Part::ToolCall(_)
                | Part::ToolResult(_)
                | Part::ServerResult(_)
                | Part::Foreign(_) => sifted.push(placed),
            }
        }
        sifted
    }

    /// Its own state goes back as it came.
    fn return_own(&self, own: Vec<Placed>, kept: &Kept) -> Vec<Placed> {
        let taken = |reasoning: &Reasoning| !reasoning.opaque.is_empty() || self.rules.readable;
        let returns = kept.pieces.iter().any(|piece| matches!(piece, Piece::Reasoning(r) if taken(r)));
        let own = returned(own, kept);
        weave(own, kept, (returns, true), |reasoning| taken(reasoning).then(|| reasoning.clone()))
    }

    /// Of another's answer only what can be read is told.
    fn tell_others(&mut self, mut own: Vec<Placed>, kept: &Kept, span: &Span) -> Vec<Placed> {
        own.iter_mut().for_each(|placed| strip(&mut placed.part));
        if kept.pieces.iter().any(Piece::is_provider_run) {
            own.retain(|placed| !is_provider_run(&placed.part));
        }
        let mut sealed = kept.pieces.iter().any(Piece::is_sealed);
        let readable = self.rules.readable;
        let mut unread = false;
        let told = weave(own, kept, (true, false), |reasoning| {
            let told = readable.then(|| bare(reasoning)).flatten();
            unread |= told.is_none();
            told
        });
        sealed |= unread;
        if sealed {
            self.lose(span.turns.start, LossKind::Dropped, ORIGINS_ALONE);
        }
        told
    }

    /// Whether the target takes reasoning that nothing else is known of.
    fn is_taken(&mut self, placed: &Placed) -> bool {
        let Part::Reasoning(reasoning) = &placed.part else { return true };
        let has = |kinds: &[OpaqueKind]| reasoning.opaque.iter().any(|opaque| kinds.contains(&opaque.kind));
        let signed = !self.rules.signed || has(&[OpaqueKind::Signature, OpaqueKind::Redacted]);
        let minted = reasoning.id.as_deref().is_some_and(|id| minted(id).is_some());
        let kept_there = !self.rules.items || !minted || has(&[OpaqueKind::Encrypted]);
        if signed && kept_there {
            return true;
        }
        self.lose(placed.turn, LossKind::Dropped, "the target takes back only reasoning of its own");
        false
    }

    /// Puts in what the target insists on.
    fn fill(&mut self, placed: &mut Vec<Placed>, span: &Span) {
        let says = |placed: &Placed| matches!(&placed.part, Part::Reasoning(r) if r.text.iter().chain(&r.summary).any(|t| !t.is_empty()));
        let calls = placed.iter().any(|placed| is_call(&placed.part).is_some());
        if !self.rules.wants || !calls || placed.iter().any(says) {
            return;
        }
        self.lose(span.turns.start, LossKind::Defaulted, "the target wants reasoning, and none is known");
        let untold = Reasoning { text: vec![UNTOLD.to_owned()], ..Reasoning::default() };
        placed.retain(|placed| !matches!(placed.part, Part::Reasoning(_)));
        placed.insert(0, Placed { turn: span.turns.start, part: Part::Reasoning(untold), put_in: true });
    }

    /// The parts as turns again. One that nothing is left of goes. The ids that another origin gave lead nowhere, or for a
    /// provider that keeps items, to one that must not stand without its reasoning.
    fn turns(&self, span: &Span, placed: Vec<Placed>, strange: bool) -> Vec<(usize, Turn)> {
        let mut turns: Vec<(usize, Turn)> = Vec::new();
        let mut placed = placed.into_iter().peekable();
        for at in span.turns.clone() {
            let Some(own) = self.request.turns.get(at) else { continue };
            let mut parts = Vec::new();
            while let Some(next) = placed.next_if(|placed| placed.turn == at) {
                if next.put_in && self.apart {
                    turns.push((at, alone(next.part)));
                } else {
                    parts.push(next.part);
                }
            }
            if !parts.is_empty() || own.parts.is_empty() {
                let id = own.id.clone().filter(|_| !strange);
                turns.push((at, Turn { parts, id, ..shell(own) }));
            }
        }
        turns
    }
}

/// A turn of the assistant that is one part.
fn alone(part: Part) -> Turn {
    Turn { role: Role::Assistant, id: None, name: None, parts: vec![part], rest: shim_ir::Rest::default() }
}

/// A turn without its parts.
fn shell(turn: &Turn) -> Turn {
    Turn {
        role: turn.role.clone(),
        id: turn.id.clone(),
        name: turn.name.clone(),
        parts: Vec::new(),
        rest: turn.rest.clone(),
    }
}

impl Piece {
    /// Whether it holds what only its origin can read.
    fn is_sealed(&self) -> bool {
        match self {
            Self::Reasoning(reasoning) => !reasoning.opaque.is_empty(),
            Self::Text { opaque, .. } | Self::Call { opaque, .. } => !opaque.is_empty(),
            Self::Own(_) => true,
        }
    }
}

/// What can be read of reasoning, as nobody's own; `None` where that is nothing.
fn bare(reasoning: &Reasoning) -> Option<Reasoning> {
    let said = |pieces: &[String]| pieces.iter().any(|piece| !piece.is_empty());
    let text = if said(&reasoning.text) { &reasoning.text } else { &reasoning.summary };
    said(text).then(|| Reasoning { text: text.clone(), ..Reasoning::default() })
}

fn is_call(part: &Part) -> Option<&ToolCall> {
    if let Part::ToolCall(call) = part {
        Some(call).filter(|call| call.executor == Executor::Client)
    } else {
        None
    }
}

/// What of a part only its origin can read.
fn opaque_of(part: &Part) -> &[Opaque] {
    match part {
        Part::Text(text) | Part::Refusal(text) => &text.opaque,
        Part::Media(media) => &media.opaque,
        Part::ToolCall(call) => &call.opaque,
        Part::Reasoning(reasoning) => &reasoning.opaque,
        Part::ToolResult(_) | Part::ServerResult(_) | Part::Foreign(_) => &[],
    }
}

/// Leaves out what only its origin can read.
fn strip(part: &mut Part) {
    match part {
        Part::Text(text) | Part::Refusal(text) => text.opaque.clear(),
        Part::Media(media) => media.opaque.clear(),
        Part::ToolCall(call) => {
            call.opaque.clear();
            call.item = None;
        }
        Part::Reasoning(reasoning) => reasoning.opaque.clear(),
        Part::ToolResult(_) | Part::ServerResult(_) | Part::Foreign(_) => {}
    }
}

/// Leaves out the id that a provider may keep a call under.
fn strip_item(part: &mut Part) {
    if let Part::ToolCall(call) = part {
        call.item = None;
    }
}

/// Signs the first call of an answer, unless it is.
fn sign(placed: &mut [Placed]) {
    let first = placed.iter_mut().find_map(|placed| match &mut placed.part {
        Part::ToolCall(call) if call.executor == Executor::Client => Some(call),
        Part::ToolCall(_)
        | Part::Text(_)
        | Part::Refusal(_)
        | Part::Media(_)
        | Part::Reasoning(_)
        | Part::ToolResult(_)
        | Part::ServerResult(_)
        | Part::Foreign(_) => None,
    });
    if let Some(call) = first
        && !call.opaque.iter().any(|opaque| opaque.kind == OpaqueKind::ThoughtSignature)
    {
        call.opaque.push(Opaque { kind: OpaqueKind::ThoughtSignature, value: DUMMY.to_owned() });
    }
}

#[cfg(test)]
mod tests;
