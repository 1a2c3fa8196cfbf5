//! Anthropic Messages.
//!
//! Sources, read 2026-11-23: <https://docs.anthropic.com/en/api/messages>,
//! <https://docs.anthropic.com/en/api/messages-streaming>, <https://docs.anthropic.com/en/api/errors>,
//! <https://docs.anthropic.com/en/api/models-list>, and the types of the official Python SDK, those of betas included.

mod decode;
mod encode;
mod errors;
mod meter;
mod paths;
mod route;
mod stream;
#[cfg(test)]
mod tests;
mod types;

use bytes::Bytes;
use shim_ir::{Dialect, Fault, Request, Response};
use shim_wire::frame::Framing;
use shim_wire::{Splice, Words};
use smallvec::SmallVec;

use crate::{
    AnswerError, Asker, Codec, Decode, DecodeError, Decoder, Encode, Encoded, Encoder, Goal, Head, Mark,
    Meter, ModelEntry, Operation, Plain, Route, StateMarks, Told,
};

/// The members that hold state that only its origin can read.
static STATES: [Mark; 2] = [Mark::new("signature"), Mark::new("data")];

/// What stands once for each thing that may carry state.
static CARRIERS: [Mark; 1] = [Mark::of("\"tool_use\"", "tool_use")];

/// The words of all of them, and of marks of the cache.
pub(crate) static WORDS: Words = Words::new(&["signature", "data", "tool_use", "cache_control"]);

/// The codec of this dialect.
#[derive(Clone, Copy, Debug)]
pub struct AnthropicMessages;

impl Codec for AnthropicMessages {
    fn dialect(&self) -> Dialect {
        decode::DIALECT
    }

    /// State is signatures of thinking, and what of it is withheld.
    fn marks(&self) -> StateMarks {
        StateMarks { words: &WORDS, values: &STATES, carriers: &CARRIERS, readable: &[] }
    }

    fn route(&self, method: &str, path: &str, query: Option<&str>) -> Option<Route> {
        route::route(method, path, query)
    }

    fn upstream_path(&self, route: &Route, _: &str) -> String {
        route::upstream_path(route)
    }

    fn head(&self, _: &Route, body: &str) -> Result<Head, DecodeError> {
        crate::common::body_head(body, &WORDS, |_| ())
    }

    fn retarget(&self, head: &Head, model: &str, _: bool) -> SmallVec<[Splice; 2]> {
        crate::common::model_splice(head, model).into_iter().collect()
    }

    fn meter(&self, operation: Operation) -> Box<dyn Meter> {
        Box::new(meter::MessageMeter::new(operation))
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
        errors::limit_headers(standing)
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

impl Decode for AnthropicMessages {
    fn decode_request(&self, _: &Route, body: &str) -> Result<Request, DecodeError> {
        decode::messages(body)
    }

    fn decode_response(&self, body: &str) -> Result<Response, AnswerError> {
        decode::message(body)
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        Box::new(stream::MessageDecoder::default())
    }
}

impl Encode for AnthropicMessages {
    fn encode_request(&self, request: &Request, goal: &Goal<'_>) -> Encoded {
        encode::request(request, goal)
    }

    fn route_for(&self, operation: Operation, _: &str, _: bool) -> Route {
        route::route_for(operation)
    }

    fn encode_response(&self, response: &Response, asker: &Asker<'_>) -> Told {
        encode::message(response, asker)
    }

    fn encoder(&self, asker: &Asker<'_>) -> Box<dyn Encoder> {
        Box::new(stream::MessageEncoder::new(asker))
    }

    fn name_path(&self, path: &str) -> String {
        paths::name_path(path)
    }

    fn is_bookkeeping(&self, path: &str) -> bool {
        paths::is_bookkeeping(path)
    }
}
