//! What is kept of an answer.

use shim_ir::{Executor, Opaque, Part, Reasoning};

use super::origin::Origin;

/// What is kept of one answer: its reasoning, all opaque state, and what its provider did and gave itself, in order, and
/// between them where text and calls stood.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// Who can read it.
    pub origin: Origin,
    /// The pieces, in the order of the answer.
    pub pieces: Vec<Piece>,
}

/// A piece of what is kept.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// Reasoning, whole.
    Reasoning(Reasoning),
    /// A text stood here.
    Text {
        /// What hung on it.
        opaque: Vec<Opaque>,
        /// How long it is, so that one a client has put together with others is found again.
        bytes: usize,
    },
    /// A call stood here.
    Call {
        /// The tool's name, as the client knows it.
        name: String,
        /// The id of the item that held the call.
        item: Option<String>,
        /// What hung on it.
        opaque: Vec<Opaque>,
    },
    /// What only its own dialect has: a tool that the provider ran, what that gave, and parts that nobody else has, such as
    /// a conversation's beginning compacted and encrypted. As it came.
    Own(Part),
}

/// Whether a part is what a provider did and gave itself, or what only its dialect has.
pub(super) fn is_provider_run(part: &Part) -> bool {
    match part {
        Part::ToolCall(call) => call.executor == Executor::Provider,
        Part::ServerResult(_) | Part::Foreign(_) => true,
        Part::Text(_) | Part::Refusal(_) | Part::Media(_) | Part::Reasoning(_) | Part::ToolResult(_) => false,
    }
}

impl Kept {
    /// What is to be kept of the parts of an answer; `None` where nothing of it is state.
    #[must_use]
    pub fn of(origin: &Origin, parts: &[Part]) -> Option<Self> {
        let pieces: Vec<_> = parts.iter().filter_map(Piece::of).collect();
        let state = pieces.iter().any(Piece::is_state);
        state.then(|| Self { origin: origin.clone(), pieces })
    }
}

impl Piece {
    fn of(part: &Part) -> Option<Self> {
        match part {
            Part::Reasoning(reasoning) => Some(Self::Reasoning(reasoning.clone())),
            Part::Text(text) | Part::Refusal(text) => {
                Some(Self::Text { opaque: text.opaque.clone(), bytes: text.text.len() })
            }
            Part::ToolCall(call) if call.executor == Executor::Client => Some(Self::Call {
                name: call.name.clone(),
                item: call.item.clone(),
                opaque: call.opaque.clone(),
            }),
            Part::ToolCall(_) | Part::ServerResult(_) | Part::Foreign(_) => Some(Self::Own(part.clone())),
            Part::Media(_) | Part::ToolResult(_) => None,
        }
    }

    /// Whether it is what only its own dialect has.
    pub(super) fn is_provider_run(&self) -> bool {
        matches!(self, Self::Own(_))
    }

    /// How long a text is that stood here.
    pub(super) fn text_bytes(&self) -> Option<usize> {
        if let Self::Text { bytes, .. } = self { Some(*bytes) } else { None }
    }

    /// Whether it holds anything that a client could lose.
    fn is_state(&self) -> bool {
        match self {
            Self::Reasoning(reasoning) => {
                let said = |pieces: &[String]| pieces.iter().any(|piece| !piece.is_empty());
                said(&reasoning.text) || said(&reasoning.summary) || !reasoning.opaque.is_empty()
            }
            Self::Text { opaque, .. } | Self::Call { opaque, .. } => !opaque.is_empty(),
            Self::Own(_) => true,
        }
    }
}
