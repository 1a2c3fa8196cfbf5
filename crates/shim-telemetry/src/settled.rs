//! The record of one settled exchange.

use std::sync::Arc;

use serde::Serialize;
use shim_ir::{Basis, Dialect, ExchangeId, FaultKind, FinishReason, Generation, KeyId, Loss, PicoUsd, Usage};

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The answer was delivered whole.
    Delivered,
    /// The client was told of a fault.
    Failed,
    /// The client left before the end.
    Abandoned,
}

impl Outcome {
    /// The word in logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Abandoned => "abandoned",
        }
    }
}

/// One settled exchange. Every admitted exchange gives exactly one.
#[derive(Clone, Debug)]
pub struct Settled {
    /// Its id.
    pub id: ExchangeId,
    /// When it was admitted, in milliseconds since 1970.
    pub at_ms: u64,
    /// The snapshot it ran under.
    pub generation: Generation,
    /// The client's dialect.
    pub dialect: Dialect,
    /// What was asked (`generate`, `embed`, …).
    pub operation: &'static str,
    /// The client's key, where keys are configured.
    pub key: Option<KeyId>,
    /// The id the client chose for it.
    pub client_id: Option<Box<str>>,
    /// The model as the client named it.
    pub model: Arc<str>,
    /// The target that answered last, as `provider/model`; none where none was tried.
    pub target: Option<Arc<str>>,
    /// Number of attempts.
    pub attempts: u32,
    /// Status the client got.
    pub status: u16,
    /// How it ended.
    pub outcome: Outcome,
    /// What went wrong.
    pub fault: Option<FaultKind>,
    /// Fault message, and detail for the log alone.
    pub detail: Option<Box<str>>,
    /// Whether the answer was streamed.
    pub streamed: bool,
    /// What was used, by the upstream's word.
    pub usage: Option<Usage>,
    /// What it cost, all attempts together, as far as that is known; `None` where nothing of it is.
    pub cost: Option<PicoUsd>,
    /// What the cost rests on.
    pub basis: Basis,
    /// What the answer was priced by beside its tokens; `None` where nobody told what was used.
    pub terms: Option<Terms>,
    /// The most it could have cost, where a limit had that reserved before it was sent.
    pub reserved: Option<PicoUsd>,
    /// What budgets were charged with: the cost, or where that is not known of all, what is taken for it.
    pub charged: Option<PicoUsd>,
    /// The attempts that failed before the last one, in order.
    pub failed: Vec<Tried>,
    /// Why the answer ended.
    pub finish: Option<FinishReason>,
    /// What a translation between dialects could not carry; `None` where there was none and every byte passed.
    pub losses: Option<Vec<Loss>>,
    /// Bytes of the request's body, decoded.
    pub request_bytes: u64,
    /// Bytes of the answer's body.
    pub answer_bytes: u64,
    /// Microseconds to the first token, where the answer was streamed and one came.
    pub first_token_us: Option<u64>,
    /// Microseconds to the last byte.
    pub duration_us: u64,
}

/// What an answer is priced by beside its tokens: with them, all that is needed to price it again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// The class of service, where it was not the ordinary one.
    pub service: Option<Box<str>>,
    /// Where it was processed, as far as that was told.
    pub region: Option<Box<str>>,
    /// Searches of the web.
    pub searches: u64,
    /// Whether it was complete.
    pub complete: bool,
    /// Whether its provider stated the cost.
    pub stated: bool,
}

/// An attempt that failed, and was followed by another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// The target, as `provider/model`.
    pub target: Arc<str>,
    /// What went wrong.
    pub fault: FaultKind,
    /// The upstream's status, where it answered.
    pub status: Option<u16>,
    /// What it cost: nothing where the provider refused, not known where it may have worked all the same.
    pub cost: Option<PicoUsd>,
    /// Microseconds from the start of the exchange to its failure.
    pub failed_us: u64,
}

impl Tried {
    /// The attempt as JSON.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "target": &*self.target,
            "fault": self.fault.code(),
            "status": self.status,
            "cost_pico_usd": self.cost.map(|cost| cost.0),
            "failed_ms": milliseconds(self.failed_us),
        })
    }
}

impl Settled {
    /// What the attempts before the last cost, as far as that is known.
    #[must_use]
    pub fn failures(&self) -> PicoUsd {
        let known = self.failed.iter().filter_map(|tried| tried.cost);
        known.fold(PicoUsd(0), |sum, cost| PicoUsd(sum.0.saturating_add(cost.0)))
    }

    /// What of the cost is that of an answer that was delivered whole; `None` where it is not known.
    #[must_use]
    pub fn delivered(&self) -> Option<PicoUsd> {
        if self.outcome != Outcome::Delivered {
            return Some(PicoUsd(0));
        }
        self.cost.map(|cost| PicoUsd(cost.0.saturating_sub(self.failures().0)))
    }

    /// How faithfully it was carried: `refused` where no target could be asked it, and `detail` says why.
    fn fidelity(&self) -> &'static str {
        match (&self.losses, self.fault) {
            (Some(_), _) => "mapped",
            (None, Some(FaultKind::Untranslatable)) => "refused",
            (None, _) => "exact",
        }
    }

    /// The record as JSON: the log line's fields, and the body of `GET /v1/exchanges/{id}`.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let usage = self.usage.as_ref().map(|u| {
            serde_json::json!({
                "input_uncached": u.input_uncached.0, "input_audio": u.input_audio.0, "cache_read": u.cache_read.0,
                "cache_write": u.cache_write.0, "cache_write_1h": u.cache_write_1h.0, "output_text": u.output_text.0,
                "reasoning": u.reasoning.0, "output_audio": u.output_audio.0, "output_image": u.output_image.0,
            })
        });
        serde_json::json!({
            "exchange": self.id.to_string(),
            "at": crate::line::timestamp(self.at_ms),
            "generation": self.generation.0,
            "dialect": self.dialect.name(),
            "operation": self.operation,
            "key": self.key.as_ref().map(KeyId::as_str),
            "client_id": self.client_id.as_deref(),
            "model": &*self.model,
            "target": self.target.as_deref(),
            "attempts": self.attempts,
            "status": self.status,
            "outcome": self.outcome.name(),
            "fault": self.fault.map(FaultKind::code),
            "detail": self.detail.as_deref(),
            "fidelity": self.fidelity(),
            "losses": losses_json(self.losses.as_deref().unwrap_or_default()),
            "streamed": self.streamed,
            "usage": usage,
            "cost_pico_usd": self.cost.map(|cost| cost.0),
            "cost_basis": self.basis.name(),
            "delivered_pico_usd": self.delivered().map(|cost| cost.0),
            "reserved_pico_usd": self.reserved.map(|amount| amount.0),
            "charged_pico_usd": self.charged.map(|amount| amount.0),
            "service": self.terms.as_ref().and_then(|terms| terms.service.as_deref()),
            "region": self.terms.as_ref().and_then(|terms| terms.region.as_deref()),
            "searches": self.terms.as_ref().map(|terms| terms.searches),
            "failed": self.failed.iter().map(Tried::to_json).collect::<Vec<_>>(),
            "finish": self.finish.as_ref().map(finish_word),
            "request_bytes": self.request_bytes,
            "answer_bytes": self.answer_bytes,
            "first_token_ms": self.first_token_us.map(milliseconds),
            "duration_ms": milliseconds(self.duration_us),
        })
    }
}

/// Losses as JSON.
#[must_use]
pub fn losses_json(losses: &[Loss]) -> serde_json::Value {
    losses.iter().map(loss).collect()
}

fn loss(loss: &Loss) -> serde_json::Value {
    serde_json::json!({ "path": loss.path, "kind": loss.kind.name(), "why": loss.why })
}

/// Microseconds as milliseconds, to the microsecond.
fn milliseconds(us: u64) -> f64 {
    us as f64 / 1000.0
}

/// The word for a reason to finish.
#[must_use]
pub fn finish_word(reason: &FinishReason) -> &'static str {
    match reason {
        FinishReason::Stop => "stop",
        FinishReason::Sequence => "sequence",
        FinishReason::Length => "length",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::Filter => "filter",
        FinishReason::Refusal => "refusal",
        FinishReason::Pause => "pause",
        FinishReason::BadToolCall => "bad_tool_call",
        FinishReason::Other => "other",
    }
}
