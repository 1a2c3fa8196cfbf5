//! Gemini generateContent.
//!
//! Sources, read 2026-11-23: <https://ai.google.dev/api/generate-content>, <https://ai.google.dev/api/models>,
//! <https://ai.google.dev/gemini-api/docs/troubleshooting>.

mod encode;
mod errors;
mod meter;
mod route;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use shim_ir::{Dialect, Fault};
use shim_wire::Splice;
use shim_wire::frame::Framing;
use smallvec::SmallVec;

use crate::{Codec, DecodeError, Head, Meter, ModelEntry, Operation, Plain, Route};

/// The codec of this dialect.
#[derive(Clone, Copy, Debug)]
pub struct GeminiGenerate;

impl Codec for GeminiGenerate {
    fn dialect(&self) -> Dialect {
        Dialect::Gemini
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
