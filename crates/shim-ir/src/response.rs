//! What is answered.

use crate::{Part, Rest, Usage};

/// A whole answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Response {
    /// The upstream's id for it. Not unique between upstreams.
    pub id: Option<String>,
    /// The model the upstream says it used.
    pub model: Option<String>,
    /// When, in seconds since 1970, by the upstream's clock.
    pub created: Option<u64>,
    /// The answers; one unless more were asked for.
    pub candidates: Vec<Candidate>,
    /// What was used; `None` where the upstream does not say.
    pub usage: Option<Usage>,
    /// The class of service used, in the upstream's words.
    pub service_tier: Option<String>,
    /// What is not modelled.
    pub rest: Rest,
}

impl Response {
    /// Whether it is what a counter of tokens answers: what would be used, and nothing else.
    #[must_use]
    pub fn is_count(&self) -> bool {
        self.usage.is_some()
            && self.candidates.is_empty()
            && self.id.is_none()
            && self.model.is_none()
            && self.rest.members().is_empty()
    }
}

/// One of the answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Candidate {
    /// What it says.
    pub parts: Vec<Part>,
    /// Why it ended; `None` while it is not finished (a background answer).
    pub finish: Option<Finish>,
    /// What is not modelled.
    pub rest: Rest,
}

/// Why an answer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finish {
    /// In common terms.
    pub reason: FinishReason,
    /// In the upstream's own word.
    pub words: Option<String>,
    /// The stop sequence that was met.
    pub sequence: Option<String>,
}

/// Why an answer ended, in common terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FinishReason {
    /// The model was done.
    Stop,
    /// A stop sequence was met.
    Sequence,
    /// The bound on output, or the context window, was reached.
    Length,
    /// The client is to run tools.
    ToolCalls,
    /// The provider's filter stepped in.
    Filter,
    /// The model refused.
    Refusal,
    /// The provider paused a long turn; it goes on when the answer is sent back.
    Pause,
    /// The model wrote a call that cannot be read or was not allowed.
    BadToolCall,
    /// Another reason.
    Other,
}
