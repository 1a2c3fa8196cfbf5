//! What the ledger is told.

use std::sync::Arc;

use bytes::Bytes;
use shim_ir::{ExchangeId, KeyId, PicoUsd};
use shim_policy::record::Record;
use shim_telemetry::Settled;

/// An exchange that was admitted: it is accounted from now on, whatever becomes of it.
#[derive(Clone, Debug)]
pub struct Admission {
    /// Its id.
    pub id: ExchangeId,
    /// When it arrived, in milliseconds since 1970.
    pub at_ms: u64,
    /// Who asks.
    pub key: Option<KeyId>,
    /// What is asked for: the alias, or the model as the client named it.
    pub model: Arc<str>,
    /// What was set aside for it.
    pub reserved: PicoUsd,
}

/// An exchange that is over, with what is to be kept of it.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// What became of it.
    pub settled: Settled,
    /// The team of its key.
    pub team: Option<Arc<str>>,
    /// The id its client chose for it.
    pub client_id: Option<Arc<str>>,
    /// How much of it may be kept. What may not is not stored, whatever else stands here.
    pub record: Record,
    /// The request, as the client sent it.
    pub request: Kept,
    /// The answer, as the client got it.
    pub answer: Kept,
}

/// A body, or the beginning of one.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// Its pieces, in order.
    pub pieces: Vec<Bytes>,
    /// Whether there was more.
    pub cut: bool,
}

impl Kept {
    /// Bytes of it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pieces.iter().map(Bytes::len).sum()
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pieces.iter().all(Bytes::is_empty)
    }
}

impl Exchange {
    /// What of the bodies takes room while it waits.
    pub(super) fn body_bytes(&self) -> usize {
        let pieces = (self.request.pieces.len() + self.answer.pieces.len()) * size_of::<Bytes>();
        if pieces == 0 { 0 } else { self.request.len() + self.answer.len() + pieces }
    }

    /// What of the rest takes room while it waits.
    pub(super) fn row_bytes(&self) -> usize {
        let settled = &self.settled;
        let detail = settled.detail.as_ref().map_or(0, |detail| detail.len());
        let losses = settled.losses.iter().flatten().map(|l| l.path.len() + l.why.len() + size_of_val(l));
        size_of::<Self>() + detail + settled.model.len() + losses.sum::<usize>()
    }

    /// Lets go of the bodies. What was cut stays so, however often that is.
    pub(super) fn shed_bodies(&mut self) {
        for body in [&mut self.request, &mut self.answer] {
            *body = Kept { pieces: Vec::new(), cut: body.cut || !body.is_empty() };
        }
    }
}
