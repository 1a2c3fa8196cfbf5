//! OpenAI Chat Completions, the embeddings beside it, and what other providers who speak it add.
//!
//! Sources, read 2026-11-23: <https://platform.openai.com/docs/api-reference/chat>,
//! <https://platform.openai.com/docs/api-reference/embeddings>, <https://platform.openai.com/docs/api-reference/models>,
//! and the types of the official Python SDK 3.54.0. What others add is marked and linked where it is read.

mod decode;
mod embed;
mod encode;
mod errors;
mod meter;
mod paths;
mod route;
mod stream;
#[cfg(test)]
mod tests;
mod types;

pub use self::encode::QUIRKS;

use bytes::Bytes;
use shim_ir::{Dialect, EmbedRequest, Embeddings, Fault, Request, Response};
use shim_wire::frame::Framing;
use shim_wire::{Splice, Words};
use smallvec::SmallVec;

use crate::common::no_conversation;
use crate::{
    AnswerError, Asker, Codec, Decode, DecodeError, Decoder, Embed, Encode, Encoded, Encoder, Goal, Head,
    Mark, Meter, ModelEntry, Operation, Plain, Route, StateMarks, Told,
};

/// The members that hold state that only its origin can read.
static STATES: [Mark; 3] = [Mark::new("thought_signature"), Mark::new("signature"), Mark::new("data")];

/// What stands once for each thing that may carry state.
static CARRIERS: [Mark; 1] = [Mark::of("\"tool_calls\"", "tool_calls")];

/// What stands once for each text of readable reasoning.
static READABLE: [Mark; 2] = [
    Mark::of("\"reasoning_content\"", "reasoning_content"),
    Mark::of("\"reasoning_details\"", "reasoning_details"),
];

/// The words of all of them, and of marks of the cache.
pub(crate) static WORDS: Words = Words::new(&[
    "thought_signature",
    "signature",
    "data",
    "tool_calls",
    "reasoning_content",
    "reasoning_details",
    "cache_control",
]);

/// The codec of this dialect.
#[derive(Clone, Copy, Debug)]
pub struct OpenaiChat;

impl Codec for OpenaiChat {
    fn dialect(&self) -> Dialect {
        decode::DIALECT
    }

    /// State is signatures of Google's, and those in OpenRouter's `reasoning_details`.
    fn marks(&self) -> StateMarks {
        StateMarks { words: &WORDS, values: &STATES, carriers: &CARRIERS, readable: &READABLE }
    }

    fn route(&self, method: &str, path: &str, query: Option<&str>) -> Option<Route> {
        route::route(method, path, query)
    }

    fn upstream_path(&self, route: &Route, model: &str) -> String {
        route::upstream_path(route, model)
    }

    fn head(&self, route: &Route, body: &str) -> Result<Head, DecodeError> {
        route::head(route, body)
    }

    fn retarget(&self, head: &Head, model: &str, usage: bool) -> SmallVec<[Splice; 2]> {
        route::retarget(head, model, usage)
    }

    fn meter(&self, _: Operation) -> Box<dyn Meter> {
        Box::new(meter::ChunkMeter::default())
    }

    fn is_plainly_good(&self, body: &str) -> bool {
        meter::is_plainly_good(body)
    }

    fn decode_fault(&self, status: u16, body: &[u8]) -> Fault {
        errors::decode_fault(status, body)
    }

    fn encode_fault(&self, fault: &Fault) -> Bytes {
        errors::encode_fault(fault)
    }

    fn limit_headers(&self, standing: &crate::Standing) -> Vec<(String, String)> {
        crate::standing::x_ratelimit(standing)
    }

    fn encode_stream_fault(&self, fault: &Fault, _: Framing) -> Bytes {
        errors::encode_stream_fault(fault)
    }

    fn encode_plain(&self, plain: &Plain<'_>, stream: Option<Framing>) -> Bytes {
        if stream.is_some() { encode::plain_stream(plain) } else { encode::plain(plain) }
    }

    fn encode_models(&self, models: &[ModelEntry], route: &Route) -> Bytes {
        encode::models(models, route)
    }
}

impl Decode for OpenaiChat {
    fn decode_request(&self, route: &Route, body: &str) -> Result<Request, DecodeError> {
        if route.operation == Operation::Embed { Err(no_conversation()) } else { decode::chat(body) }
    }

    fn decode_response(&self, body: &str) -> Result<Response, AnswerError> {
        decode::completion(body)
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        Box::new(stream::ChunkDecoder::default())
    }
}

impl Encode for OpenaiChat {
    fn encode_request(&self, request: &Request, goal: &Goal<'_>) -> Encoded {
        encode::request(request, goal)
    }

    fn route_for(&self, operation: Operation, model: &str, _: bool) -> Route {
        route::route_for(operation, model)
    }

    fn counts_tokens(&self) -> bool {
        false
    }

    fn embeds(&self) -> Option<&dyn Embed> {
        Some(self)
    }

    fn encode_response(&self, response: &Response, asker: &Asker<'_>) -> Told {
        encode::response(response, asker)
    }

    fn encoder(&self, asker: &Asker<'_>) -> Box<dyn Encoder> {
        Box::new(stream::ChunkEncoder::new(asker))
    }

    fn name_path(&self, path: &str) -> String {
        paths::name_path(path)
    }

    fn is_bookkeeping(&self, path: &str) -> bool {
        paths::is_bookkeeping(path)
    }

    fn is_answer_bookkeeping(&self, path: &str) -> bool {
        paths::is_bookkeeping(path) || paths::is_imprint(path)
    }
}

impl Embed for OpenaiChat {
    fn decode_embed(&self, _: &Route, body: &str) -> Result<EmbedRequest, DecodeError> {
        embed::decode_request(body)
    }

    fn encode_embed(&self, request: &EmbedRequest, goal: &Goal<'_>) -> Encoded {
        embed::encode_request(request, goal)
    }

    fn decode_embeddings(&self, body: &str) -> Result<Embeddings, AnswerError> {
        embed::decode_answer(body)
    }

    fn encode_embeddings(&self, answer: &Embeddings, request: &EmbedRequest) -> Told {
        embed::encode_answer(answer, request)
    }
}
