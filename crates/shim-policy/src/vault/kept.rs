//! What is kept of an answer.

use shim_ir::{Executor, Opaque, Part, Reasoning};

use super::origin::Origin;

/// What is kept of one answer: its reasoning and all opaque state, in order, and between them where text and calls stood.
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
    /// A text stood here; what hung on it.
    Text(Vec<Opaque>),
    /// A call stood here.
    Call {
        /// The tool's name, as the client knows it.
        name: String,
        /// The id of the item that held the call.
        item: Option<String>,
        /// What hung on it.
        opaque: Vec<Opaque>,
    },
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
            Part::Text(text) | Part::Refusal(text) => Some(Self::Text(text.opaque.clone())),
            Part::ToolCall(call) if call.executor == Executor::Client => Some(Self::Call {
                name: call.name.clone(),
                item: call.item.clone(),
                opaque: call.opaque.clone(),
            }),
            Part::ToolCall(_)
            | Part::Media(_)
            | Part::ToolResult(_)
            | Part::ServerResult(_)
            | Part::Foreign(_) => None,
        }
    }

    /// Whether it holds anything that a client could lose.
    fn is_state(&self) -> bool {
        match self {
            Self::Reasoning(reasoning) => {
                let said = |pieces: &[String]| pieces.iter().any(|piece| !piece.is_empty());
                said(&reasoning.text) || said(&reasoning.summary) || !reasoning.opaque.is_empty()
            }
            Self::Text(opaque) | Self::Call { opaque, .. } => !opaque.is_empty(),
        }
    }
}
