//! What every dialect can do, under one trait.

use bytes::Bytes;
use shim_ir::{Dialect, EmbedRequest, Embeddings, Event, Fault, Loss, Request, Response};
use shim_wire::Splice;
use shim_wire::frame::{Frame, Framing};
use smallvec::SmallVec;

use crate::{
    AnswerError, Asker, DecodeError, Encoded, Goal, Head, Keep, ModelEntry, Operation, Plain, Reading, Route,
    Standing, StateMarks, Told,
};

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
