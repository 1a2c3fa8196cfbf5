//! How far the reading of a stream has come: the same in every dialect.

use shim_ir::{Fault, FaultKind};

/// Where a decoder is in its stream.
#[derive(Clone, Copy, Default)]
pub(crate) enum State {
    /// Nothing was said yet.
    #[default]
    Waiting,
    /// The answer has begun.
    Answering,
    /// A frame could not be read.
    Broken,
    /// Finished or failed.
    Ended,
}

/// The fault of a stream with a frame that cannot be read.
pub(crate) fn malformed() -> Fault {
    Fault::new(FaultKind::UpstreamMalformed, "the upstream sent a stream event that cannot be read")
}
