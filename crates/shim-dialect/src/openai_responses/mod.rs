//! OpenAI Responses.
//!
//! Sources, read 2026-11-23: <https://platform.openai.com/docs/api-reference/responses>,
//! <https://platform.openai.com/docs/api-reference/responses-streaming>.

mod decode;
mod encode;
mod errors;
mod meter;
mod route;
mod stream;
#[cfg(test)]
mod tests;
mod types;

use bytes::Bytes;
use shim_ir::{Dialect, Fault, Request, Response};
use shim_wire::Splice;
use shim_wire::frame::Framing;
use smallvec::SmallVec;

use crate::{
    AnswerError, Codec, Decode, DecodeError, Decoder, Head, Meter, ModelEntry, Operation, Plain, Route,
};

/// The codec of this dialect.
#[derive(Clone, Copy, Debug)]
pub struct OpenaiResponses;

impl Codec for OpenaiResponses {
    fn dialect(&self) -> Dialect {
        decode::DIALECT
    }

    fn route(&self, method: &str, path: &str, query: Option<&str>) -> Option<Route> {
        route::route(method, path, query)
    }

    fn upstream_path(&self, route: &Route, _: &str) -> String {
        route::upstream_path(route)
    }

    fn head(&self, _: &Route, body: &str) -> Result<Head, DecodeError> {
        crate::common::body_head(body, |_| ())
    }

    fn retarget(&self, head: &Head, model: &str, _: bool) -> SmallVec<[Splice; 2]> {
        crate::common::model_splice(head, model).into_iter().collect()
    }

    fn meter(&self, operation: Operation) -> Box<dyn Meter> {
        Box::new(meter::ResponseMeter::new(operation))
    }

    fn decode_fault(&self, status: u16, body: &[u8]) -> Fault {
        errors::decode_fault(status, body)
    }

    fn encode_fault(&self, fault: &Fault) -> Bytes {
        errors::encode_fault(fault)
    }

    fn encode_stream_fault(&self, fault: &Fault, _: Framing) -> Bytes {
        errors::encode_stream_fault(fault)
    }

    fn encode_plain(&self, plain: &Plain<'_>, stream: Option<Framing>) -> Bytes {
        if stream.is_some() { encode::plain_stream(plain) } else { encode::plain(plain) }
    }

    /// The list of models is the business of the chat dialect, which has the same shape; no route leads here.
    fn encode_models(&self, _: &[ModelEntry], _: &Route) -> Bytes {
        Bytes::from_static(br#"{"object":"list","data":[]}"#)
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
