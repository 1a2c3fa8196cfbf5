//! What a dialect is told of an exchange, and what it gives back.

use std::ops::Range;

use shim_ir::{Fault, Finish, Loss, Request, Traits, Usage};
use shim_wire::frame::Framing;
use shim_wire::{JsonText, Layout};

use crate::{Billed, Echo};

/// The model a request is encoded for.
#[derive(Clone, Copy, Debug)]
pub struct Goal<'a> {
    /// What is asked of it: an answer, or a count of the request's tokens.
    pub operation: Operation,
    /// The provider's name for it.
    pub model: &'a str,
    /// What is known of it.
    pub traits: &'a Traits,
    /// A unique word, from which ids are made where the dialect needs one and the source has none.
    pub seed: &'a str,
}

/// A request in a dialect.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Encoded {
    /// The body.
    pub body: JsonText,
    /// What reading the answer will need.
    pub echo: Echo,
    /// What was not carried unchanged.
    pub losses: Vec<Loss>,
    /// The headers without which the body is not taken, by name and value. Of a header that lists values, one of them.
    pub headers: Vec<(&'static str, &'static str)>,
}

/// The client an answer is encoded for.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// What was asked: an answer, or a count of tokens, which is an answer with usage and no candidates.
    pub operation: Operation,
    /// A unique id of the answer, without the dialect's prefix. Ids inside it are made from it.
    pub id: &'a str,
    /// When it is answered, in seconds since 1970.
    pub created: u64,
    /// How a stream is framed.
    pub framing: Framing,
    /// The request, as it was decoded.
    pub request: &'a Request,
}

/// A whole answer in a dialect.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    /// The body.
    pub body: Vec<u8>,
    /// What was not carried unchanged.
    pub losses: Vec<Loss>,
}

/// What a request line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// What is to be done.
    pub operation: Operation,
    /// The model, where the path names it, percent-decoded.
    pub model: Option<String>,
    /// Whether the path asks for a stream (Gemini); where it is the body that asks, false.
    pub stream: bool,
    /// How a stream is framed.
    pub framing: Framing,
    /// The query that goes on to the upstream, without credentials and without `?`.
    pub query: Option<String>,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Answer a conversation.
    Generate,
    /// Make embeddings.
    Embed,
    /// Count the tokens of a request.
    CountTokens,
    /// List the models, or tell of the one in `Route::model`.
    Models,
    /// Something with an answer kept by the provider (`GET /v1/responses/{id}` and the like).
    Stored,
}

impl Operation {
    /// The name, as in logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Generate => "generate",
            Self::Embed => "embed",
            Self::CountTokens => "count_tokens",
            Self::Models => "models",
            Self::Stored => "stored",
        }
    }
}

/// What the same-dialect lane must know of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The model asked for, from path or body.
    pub model: String,
    /// Where the model's value stands in the body, quotes included; `None` where the path names it.
    pub model_span: Option<Range<usize>>,
    /// Where objects inside the body name the model again, quotes included (Gemini's batches and counts).
    pub model_spans_inside: Vec<Range<usize>>,
    /// Whether a stream is asked for.
    pub stream: bool,
    /// For dialects whose streams tell usage only when asked: where to ask, if it is not asked already.
    pub usage_ask: Option<UsageAsk>,
    /// Where the body's members stand, if it is a long one, and which words of [`StateMarks`](crate::StateMarks) it holds.
    pub layout: Layout,
}

/// How to make a stream tell its usage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageAsk {
    /// What to replace (an empty span inserts).
    pub span: Range<usize>,
    /// By what.
    pub with: String,
}

/// What a meter has read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// What was used, by the last word on it.
    pub usage: Option<Usage>,
    /// Why the (first) answer ended.
    pub finish: Option<Finish>,
    /// The model the upstream says it used.
    pub model: Option<String>,
    /// Whether any content (text, reasoning, a call) has come: marks the first token.
    pub content: bool,
    /// Whether the answer is complete. A stream that closes without it was cut.
    pub complete: bool,
    /// The failure the answer tells of.
    pub fault: Option<Fault>,
    /// What it says of its price beside the tokens.
    pub billed: Billed,
    /// Whether the last frame told usage and nothing else, so that a client that did not ask for it can be spared it.
    pub usage_alone: bool,
}

/// A text to be answered as if a model had said it.
#[derive(Clone, Copy, Debug)]
pub struct Plain<'a> {
    /// A unique id, without the dialect's prefix.
    pub id: &'a str,
    /// The model's name.
    pub model: &'a str,
    /// What it says.
    pub text: &'a str,
    /// When, in seconds since 1970.
    pub created: u64,
    /// What it used.
    pub usage: &'a Usage,
    /// The kept answer it goes on from, where the dialect's answers repeat that.
    pub previous: Option<&'a str>,
}

/// One model for a list of models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelEntry {
    /// The name clients ask for: an alias or `provider/model`.
    pub id: String,
    /// A name for people.
    pub display: String,
    /// Who serves it.
    pub owner: String,
    /// When it was made known, in seconds since 1970; 0 when not known.
    pub created: u64,
    /// Context window, in tokens.
    pub context_max: Option<u64>,
    /// Bound on output, in tokens.
    pub output_max: Option<u64>,
}
