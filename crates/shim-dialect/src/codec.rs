//! What every dialect can do, under one trait.

use std::ops::Range;

use bytes::Bytes;
use shim_ir::{
    Dialect, EmbedRequest, Embeddings, Event, Fault, FaultKind, Finish, Loss, Request, Response, Traits,
    Usage,
};
use shim_wire::frame::{Frame, Framing};
use shim_wire::scan::ScanError;
use shim_wire::{Splice, WireError};
use smallvec::SmallVec;
use thiserror::Error;

use crate::{Billed, Echo, Keep, Standing, StateMarks};

/// What the same-dialect lane needs of a dialect. Every method is pure: no ids or times of its own making.
pub trait Codec: Send + Sync + 'static {
    /// Which dialect.
    fn dialect(&self) -> Dialect;

    /// How state that only its origin can read stands in its bodies.
    fn marks(&self) -> StateMarks;

    /// What a request line asks for; `None` when the path is not one of this dialect's.
    ///
    /// `path` is without a dialect prefix (`/openai`), without query, still percent-encoded.
    fn route(&self, method: &str, path: &str, query: Option<&str>) -> Option<Route>;

    /// The path and query behind a provider's base URL for an operation on `model`; starts with `/`. `route` is what
    /// the client asked.
    fn upstream_path(&self, route: &Route, model: &str) -> String;

    /// Reads what the lane must know of a request body, and checks that the whole body is JSON: one pass, no tree.
    ///
    /// # Errors
    /// When the body is not JSON, not an object, or lacks the model or has it twice.
    fn head(&self, route: &Route, body: &str) -> Result<Head, DecodeError>;

    /// The splices that direct a request body at `model`, and with `usage` make a streamed answer say what it used.
    fn retarget(&self, head: &Head, model: &str, usage: bool) -> SmallVec<[Splice; 2]>;

    /// A meter for one answer that passes through unchanged.
    fn meter(&self, operation: Operation) -> Box<dyn Meter>;

    /// Whether a whole answer to a conversation has the look of one that tells of no failure, seen at a glance, without
    /// reading it: it may go to the client before the meter has. `false` says nothing.
    fn is_plainly_good(&self, body: &str) -> bool {
        let _ = body;
        false
    }

    /// Reads an upstream's answer with an error status. Total: any body gives a fault.
    fn decode_fault(&self, status: u16, body: &[u8]) -> Fault;

    /// Renders a fault as a whole answer: the JSON body. Status and `retry-after` follow from the fault.
    fn encode_fault(&self, fault: &Fault) -> Bytes;

    /// The headers in which a provider of this dialect tells how limits stand: name and value. None where it has none.
    fn limit_headers(&self, _standing: &Standing) -> Vec<(String, String)> {
        Vec::new()
    }

    /// Renders a fault as the end of a stream that has begun.
    fn encode_stream_fault(&self, fault: &Fault, framing: Framing) -> Bytes;

    /// Renders a whole answer that is one text, or the whole stream of it.
    fn encode_plain(&self, plain: &Plain<'_>, stream: Option<Framing>) -> Bytes;

    /// Renders the list of models, or one of them, as `route` asks.
    fn encode_models(&self, models: &[ModelEntry], route: &Route) -> Bytes;

    /// How requests name answers that were kept, where the dialect has that.
    fn keep(&self) -> Option<&dyn Keep> {
        None
    }
}

/// A dialect that is read whole, into the intermediate representation.
pub trait Decode: Codec {
    /// Decodes a conversation whole, or a request to count its tokens.
    ///
    /// # Errors
    /// When the body is malformed or lacks required input, with the path.
    fn decode_request(&self, route: &Route, body: &str) -> Result<Request, DecodeError>;

    /// Decodes a whole, successful answer. An error inside a 200 is an error here too.
    ///
    /// # Errors
    /// When the body is malformed or tells of a failure.
    fn decode_response(&self, body: &str) -> Result<Response, AnswerError>;

    /// A decoder for one streamed answer.
    fn decoder(&self) -> Box<dyn Decoder>;
}

/// A dialect that can be written from the intermediate representation, so that what was said in another is said in it.
///
/// The laws, over the corpus: in the same dialect, decoding what was encoded gives the same request, answer or events;
/// in another one it gives the same up to the losses told.
pub trait Encode: Decode {
    /// Encodes a request for the model of `goal`, with everything it cannot carry among the losses.
    fn encode_request(&self, request: &Request, goal: &Goal<'_>) -> Encoded;

    /// What an encoded request must say in headers, where its provider takes it only then: name and value.
    fn headers_of(&self, _body: &[u8]) -> Vec<(&'static str, &'static str)> {
        Vec::new()
    }

    /// Where a client of this dialect would ask for `operation`, streamed or not: what an upstream is asked.
    fn route_for(&self, operation: Operation, model: &str, stream: bool) -> Route;

    /// Whether its providers count the tokens of a request when asked.
    fn counts_tokens(&self) -> bool {
        true
    }

    /// The dialect's embeddings, where it has any.
    fn embeds(&self) -> Option<&dyn Embed> {
        None
    }

    /// Encodes a whole answer for the client of `asker`.
    fn encode_response(&self, response: &Response, asker: &Asker<'_>) -> Told;

    /// An encoder for one streamed answer for the client of `asker`.
    fn encoder(&self, asker: &Asker<'_>) -> Box<dyn Encoder>;

    /// A path of the intermediate representation in this dialect's words: `turns[2].parts[0]` as
    /// `messages[2].content[0]`.
    fn name_path(&self, path: &str) -> String;

    /// The same of a part that is no content of a message (reasoning, a call, a result), where the dialect has an item of
    /// its own for it.
    fn name_item(&self, path: &str) -> String {
        self.name_path(path)
    }

    /// Whether what stands at a path of the intermediate representation means nothing to a model (an id, a status, the
    /// client's own notes), so that leaving it out is no loss.
    fn is_bookkeeping(&self, path: &str) -> bool;

    /// The same of an answer, where a dialect's answers hold more of that kind: the request said again.
    fn is_answer_bookkeeping(&self, path: &str) -> bool {
        self.is_bookkeeping(path)
    }
}

/// A dialect that has embeddings: both ways of both, like [`Decode`] and [`Encode`] of conversations.
pub trait Embed: Send + Sync {
    /// Decodes a request for embeddings.
    ///
    /// # Errors
    /// When the body is malformed or lacks required input, with the path.
    fn decode_embed(&self, route: &Route, body: &str) -> Result<EmbedRequest, DecodeError>;

    /// Encodes a request for the model of `goal`, as [`Encode::route_for`] has it asked.
    fn encode_embed(&self, request: &EmbedRequest, goal: &Goal<'_>) -> Encoded;

    /// Decodes a successful answer.
    ///
    /// # Errors
    /// When the body is malformed or tells of a failure.
    fn decode_embeddings(&self, body: &str) -> Result<Embeddings, AnswerError>;

    /// Encodes an answer for the client who asked `request`.
    fn encode_embeddings(&self, answer: &Embeddings, request: &EmbedRequest) -> Told;
}

/// Turns events, in the order of [`shim_ir::Grammar`], into the bytes of a streamed answer.
pub trait Encoder: Send {
    /// Takes one event; appends the frames that tell of it, each with its framing. After `Finish` or `Fault` the
    /// stream is complete, terminal frame included.
    fn push(&mut self, event: &Event, out: &mut Vec<u8>);

    /// What it could not carry so far.
    fn losses(&self) -> &[Loss];

    /// What keeps an idle connection open without meaning anything; `None` where the dialect's clients know nothing of
    /// that kind. To be sent between events only.
    fn keep_alive(&self) -> Option<&'static [u8]>;
}

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
    pub body: Vec<u8>,
    /// What reading the answer will need.
    pub echo: Echo,
    /// What was not carried unchanged.
    pub losses: Vec<Loss>,
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
}

/// How to make a stream tell its usage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageAsk {
    /// What to replace (an empty span inserts).
    pub span: Range<usize>,
    /// By what.
    pub with: String,
}

/// Turns the frames of a streamed answer into events that obey [`shim_ir::Grammar`].
pub trait Decoder: Send {
    /// Takes one frame, appends zero or more events. Frames we do not know become `Event::Foreign`.
    ///
    /// # Errors
    /// When the frame is malformed. The decoder is then of no further use but for [`Decoder::finish`].
    fn push(&mut self, frame: Frame<'_>, out: &mut Vec<Event>) -> Result<(), DecodeError>;

    /// The upstream closed. If no terminal frame came, appends `Event::Fault` with `FaultKind::UpstreamCut`.
    fn finish(&mut self, out: &mut Vec<Event>);
}

/// Reads along while an answer passes through unchanged: usage, end, faults. Much cheaper than decoding; that it says
/// the same as the decoder is a law over the whole corpus.
pub trait Meter: Send {
    /// Takes one frame of a stream.
    fn frame(&mut self, frame: Frame<'_>);
    /// Takes a whole answer.
    fn whole(&mut self, body: &str);
    /// What was read so far.
    fn reading(&self) -> &Reading;
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

/// Why a text could not be decoded.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DecodeError {
    /// It is not JSON.
    #[error("{0}")]
    Json(#[from] ScanError),
    /// It is JSON and does not fit.
    #[error("{path}: {message}")]
    Shape {
        /// Where, as `messages[2].content`.
        path: String,
        /// What was expected and what was found.
        message: String,
    },
}

/// Why a whole answer gives no response.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum AnswerError {
    /// It cannot be read.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// It tells of a failure.
    #[error("{0}")]
    Fault(Box<Fault>),
}

impl DecodeError {
    /// An error of shape at `path`.
    #[must_use]
    pub fn shape(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Shape { path: path.into(), message: message.into() }
    }

    /// The same error seen from outside: `prefix` is where the text was found.
    #[must_use]
    pub fn under(self, prefix: &str) -> Self {
        match self {
            Self::Json(error) => Self::shape(prefix, error.to_string()),
            Self::Shape { path, message } if path == "." || path.is_empty() => Self::shape(prefix, message),
            Self::Shape { path, message } if path.starts_with('[') => {
                Self::shape(format!("{prefix}{path}"), message)
            }
            Self::Shape { path, message } => Self::shape(format!("{prefix}.{path}"), message),
        }
    }

    /// The fault a client gets whose request this is.
    #[must_use]
    pub fn into_request_fault(self) -> Fault {
        match self {
            Self::Json(error) => {
                Fault::new(FaultKind::InvalidRequest, format!("the request body is not valid JSON: {error}"))
            }
            Self::Shape { path, message } => {
                Fault::new(FaultKind::InvalidRequest, format!("{path}: {message}")).at(path)
            }
        }
    }
}

impl From<WireError> for DecodeError {
    fn from(error: WireError) -> Self {
        Self::Shape { path: error.path, message: error.message }
    }
}
