//! OpenAI Responses.
//!
//! Sources, read 2026-11-23: <https://platform.openai.com/docs/api-reference/responses>,
//! <https://platform.openai.com/docs/api-reference/responses-streaming>.

mod decode;
mod encode;
mod errors;
mod keep;
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
    AnswerError, Asker, Codec, Decode, DecodeError, Decoder, Encode, Encoded, Encoder, Goal, Head, Keep,
    Mark, Meter, ModelEntry, Operation, Plain, Route, StateMarks, Told,
};

/// The members that hold state that only its origin can read.
static STATES: [Mark; 1] = [Mark::new("encrypted_content")];

/// What stands once for each thing that may carry state.
static CARRIERS: [Mark; 2] =
    [Mark::of("\"type\":\"reasoning\"", "reasoning"), Mark::of("\"type\": \"reasoning\"", "reasoning")];

/// The words of all of them, and of marks of the cache.
pub(crate) static WORDS: Words = Words::new(&["encrypted_content", "reasoning", "cache_control"]);

/// The codec of this dialect.
#[derive(Clone, Copy, Debug)]
pub struct OpenaiResponses;

impl Codec for OpenaiResponses {
    fn dialect(&self) -> Dialect {
        decode::DIALECT
    }

    /// State is encrypted reasoning.
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
        Box::new(meter::ResponseMeter::new(operation))
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
        errors::encode_stream_fault(fault, 0)
    }

    fn encode_plain(&self, plain: &Plain<'_>, stream: Option<Framing>) -> Bytes {
        if stream.is_some() { encode::plain_stream(plain) } else { encode::plain(plain) }
    }

    /// The list of models is the business of the chat dialect, which has the same shape; no route leads here.
    fn encode_models(&self, _: &[ModelEntry], _: &Route) -> Bytes {
        Bytes::from_static(br#"{"object":"list","data":[]}"#)
    }

    fn keep(&self) -> Option<&dyn Keep> {
        Some(self)
    }
}

impl Decode for OpenaiResponses {
    fn decode_request(&self, _: &Route, body: &str) -> Result<Request, DecodeError> {
        decode::request(body)
    }

    fn decode_response(&self, body: &str) -> Result<Response, AnswerError> {
        decode::whole(body)
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        Box::new(stream::EventDecoder::default())
    }
}

impl Encode for OpenaiResponses {
    fn encode_request(&self, request: &Request, goal: &Goal<'_>) -> Encoded {
        encode::request(request, goal)
    }

    fn route_for(&self, operation: Operation, _: &str, _: bool) -> Route {
        Route { operation, model: None, stream: false, framing: Framing::Sse, query: None }
    }

    fn encode_response(&self, response: &Response, asker: &Asker<'_>) -> Told {
        encode::whole(response, asker)
    }

    fn encoder(&self, asker: &Asker<'_>) -> Box<dyn Encoder> {
        Box::new(stream::EventEncoder::new(asker))
    }

    fn name_path(&self, path: &str) -> String {
        paths::name_path(path)
    }

    fn name_item(&self, path: &str) -> String {
        paths::name_item(path)
    }

    fn is_bookkeeping(&self, path: &str) -> bool {
        paths::is_bookkeeping(path)
    }

    fn is_answer_bookkeeping(&self, path: &str) -> bool {
        paths::is_answer_bookkeeping(path)
    }
}
