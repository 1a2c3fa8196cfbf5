//! A streamed answer, as events.

use shim_wire::RawJson;

use crate::{Citation, Fault, Finish, Foreign, OpaqueKind, Part, Rest, Usage};

/// One event of a streamed answer. The order is held by [`Grammar`](crate::Grammar): `Start`; then for each part
/// `PartStart PartDelta* PartEnd`, parts free to interleave; `Usage` and `Foreign` anywhere after the start; one
/// `Finish` or `Fault`, last. A `Fault` may come before any `Start`.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The answer begins.
    Start(Start),
    /// A part is opened, with all that is known of it; text and arguments grow by deltas.
    PartStart {
        /// Its id, unique in the stream.
        id: PartId,
        /// Which of several answers it belongs to, from 0.
        candidate: u32,
        /// The part as it begins.
        part: Part,
    },
    /// An open part grows.
    PartDelta {
        /// Which part.
        id: PartId,
        /// By what.
        delta: Delta,
    },
    /// A part is complete.
    PartEnd {
        /// Which part.
        id: PartId,
    },
    /// What was used so far: cumulative, the last one counts.
    Usage(Usage),
    /// More unmodelled members of the answer as a whole; they join `Response::rest`.
    Rest(Rest),
    /// Something nobody else has.
    Foreign(Foreign),
    /// The answer is complete: why each candidate ended, by candidate.
    Finish(Vec<Option<Finish>>),
    /// The answer failed or was cut.
    Fault(Fault),
}

/// The beginning of a streamed answer: what [`Response`](crate::Response) has beside its parts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Start {
    /// The upstream's id for the answer.
    pub id: Option<String>,
    /// The model the upstream says it uses.
    pub model: Option<String>,
    /// When, in seconds since 1970, by the upstream's clock.
    pub created: Option<u64>,
    /// The class of service used.
    pub service_tier: Option<String>,
    /// What is not modelled.
    pub rest: Rest,
}

/// The id of a part in one stream, in the order parts are opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartId(pub u32);

/// How an open part grows.
#[derive(Clone, Debug, PartialEq)]
pub enum Delta {
    /// Text of a text or refusal part.
    Text(String),
    /// Readable reasoning, added to its `piece`-th piece.
    Reasoning {
        /// Which piece, from 0.
        piece: usize,
        /// The text added.
        text: String,
    },
    /// A summary of reasoning, added to its `piece`-th piece.
    Summary {
        /// Which piece, from 0.
        piece: usize,
        /// The text added.
        text: String,
    },
    /// Arguments of a tool call.
    Arguments(String),
    /// Base64 of inline media, each piece a whole number of its own base64 units.
    Data(String),
    /// Opaque state: added to the last piece of the same kind, or a new one.
    Opaque {
        /// What it is.
        kind: OpaqueKind,
        /// The bytes added, as text.
        value: String,
        /// Whether it goes on from the last piece of this kind instead of being a new one.
        append: bool,
    },
    /// A citation of a text part.
    Citation(Citation),
    /// Log probabilities of a text part: a list that follows the one so far, verbatim.
    Logprobs(RawJson),
    /// More unmodelled members of the part.
    Rest(Rest),
    /// The part as its upstream says it is at its end; it replaces what was gathered.
    Whole(Box<Part>),
}
