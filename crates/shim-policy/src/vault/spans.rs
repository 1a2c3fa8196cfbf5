//! The answers in a conversation: what the assistant said between two turns of others.

use std::ops::Range;

use shim_ir::{Part, Request, Role, Text, ToolCall, Turn};

/// One answer in a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The turns of the assistant.
    pub turns: Range<usize>,
}

/// The answers in a conversation, in order.
#[must_use]
pub fn spans(request: &Request) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut from = 0;
    for chunk in request.turns.chunk_by(|a, b| says(a) == says(b)) {
        let turns = from..from + chunk.len();
        from = turns.end;
        if chunk.first().is_some_and(says) {
            spans.push(Span { turns });
        }
    }
    spans
}

/// Whether the assistant says a turn. What a tool gave may stand in a turn of the assistant; then it is another's.
pub(super) fn says(turn: &Turn) -> bool {
    turn.role == Role::Assistant && !turn.parts.iter().any(|part| matches!(part, Part::ToolResult(_)))
}

/// The parts of an answer in a conversation.
pub(super) fn parts<'r>(request: &'r Request, span: &Span) -> impl Iterator<Item = &'r Part> + Clone {
    request.turns.get(span.turns.clone()).unwrap_or_default().iter().flat_map(|turn| &turn.parts)
}

/// The calls among parts that the client runs.
pub(super) fn calls<'p>(parts: impl Iterator<Item = &'p Part>) -> impl Iterator<Item = &'p ToolCall> {
    parts.filter_map(|part| if let Part::ToolCall(call) = part { Some(call) } else { None })
}

/// The texts among parts.
pub(super) fn texts<'p>(parts: impl Iterator<Item = &'p Part>) -> impl Iterator<Item = &'p Text> {
    parts.filter_map(|part| if let Part::Text(text) | Part::Refusal(text) = part { Some(text) } else { None })
}
