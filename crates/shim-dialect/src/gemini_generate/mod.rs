//! Gemini generateContent, the embeddings and counts beside it, and what Vertex AI adds.
//!
//! Sources: <https://ai.google.dev/api/generate-content>, <https://ai.google.dev/api/models>,
//! <https://ai.google.dev/gemini-api/docs/troubleshooting>, read 2026-11-23; the types of the official Python SDK
//! (<https://github.com/googleapis/python-genai/blob/main/google/genai/types.py>) and
//! <https://cloud.google.com/vertex-ai/docs/reference/rest/v1/GenerateContentResponse>, read 2026-11-24.

#[macro_use]
mod message;

mod decode;
mod encode;
mod errors;
mod glance;
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
static STATES: [Mark; 2] = [Mark::new("thoughtSignature"), Mark::new("thought_signature")];

/// What stands once for each thing that may carry state.
static CARRIERS: [Mark; 2] =
    [Mark::of("\"functionCall\"", "functionCall"), Mark::of("\"function_call\"", "function_call")];

/// The words of all of them, and of marks of the cache.
pub(crate) static WORDS: Words =
    Words::new(&["thoughtSignature", "thought_signature", "functionCall", "function_call", "cache_control"]);

/// The codec of this dialect.
#[derive(Clone, Copy, Debug)]
pub struct GeminiGenerate;

impl Codec for GeminiGenerate {
    fn dialect(&self) -> Dialect {
        decode::DIALECT
    }

    /// State is thought signatures.
    fn marks(&self) -> StateMarks {
        StateMarks { words: &WORDS, values: &STATES, carriers: &CARRIERS, readable: &[] }
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

    fn retarget(&self, head: &Head, model: &str, _: bool) -> SmallVec<[Splice; 2]> {
        route::retarget(head, model)
    }

    fn meter(&self, operation: Operation) -> Box<dyn Meter> {
        Box::new(meter::ContentMeter::new(operation))
    }

    fn decode_fault(&self, status: u16, body: &[u8]) -> Fault {
        errors::decode_fault(status, body)
    }

    fn encode_fault(&self, fault: &Fault) -> Bytes {
        errors::encode_fault(fault)
    }

    fn encode_stream_fault(&self, fault: &Fault, framing: Framing) -> Bytes {
        errors::encode_stream_fault(fault, framing)
    }

    fn encode_plain(&self, plain: &Plain<'_>, stream: Option<Framing>) -> Bytes {
        encode::plain(plain, stream)
    }

    fn encode_models(&self, models: &[ModelEntry], route: &Route) -> Bytes {
        encode::models(models, route)
    }
}

impl Decode for GeminiGenerate {
    fn decode_request(&self, route: &Route, body: &str) -> Result<Request, DecodeError> {
        match route.operation {
            Operation::Embed => Err(no_conversation()),
            Operation::CountTokens => decode::counted(route, body),
            Operation::Generate | Operation::Models | Operation::Stored => decode::generate(route, body),
        }
    }

    fn decode_response(&self, body: &str) -> Result<Response, AnswerError> {
        if body.trim_start().starts_with('[') { stream::joined(body) } else { decode::answer(body) }
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        Box::new(stream::ChunkDecoder::default())
    }
}

impl Encode for GeminiGenerate {
    fn encode_request(&self, request: &Request, goal: &Goal<'_>) -> Encoded {
        match goal.operation {
            Operation::CountTokens => encode::counted(request, goal),
            Operation::Generate | Operation::Embed | Operation::Models | Operation::Stored => {
                encode::generate(request, goal)
            }
        }
    }

    fn route_for(&self, operation: Operation, model: &str, stream: bool) -> Route {
        route::route_for(operation, model, stream)
    }

    fn embeds(&self) -> Option<&dyn Embed> {
        Some(self)
    }

    fn encode_response(&self, response: &Response, asker: &Asker<'_>) -> Told {
        if asker.operation == Operation::CountTokens {
            encode::count(response)
        } else {
            encode::answer(response, asker)
        }
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
}

impl Embed for GeminiGenerate {
    fn decode_embed(&self, route: &Route, body: &str) -> Result<EmbedRequest, DecodeError> {
        decode::embed_request(route, body)
    }

    fn encode_embed(&self, request: &EmbedRequest, goal: &Goal<'_>) -> Encoded {
        encode::embed_request(request, goal)
    }

    fn decode_embeddings(&self, body: &str) -> Result<Embeddings, AnswerError> {
        decode::embeddings(body)
    }

    fn encode_embeddings(&self, answer: &Embeddings, request: &EmbedRequest) -> Told {
        encode::embeddings(answer, request)
    }
}
