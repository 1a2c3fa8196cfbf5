//! What an exchange cost, as its record says.

use shim_ir::FaultKind;
use shim_telemetry::{Settled, Tried};

use super::entry::Exchange;

/// What it cost, in pico-dollars; `None` where that is not known.
pub(super) fn cost(exchange: &Exchange) -> Option<u64> {
    exchange.settled.cost.map(|cost| cost.0)
}

/// What counts against budgets: what they were charged with, or what it cost.
pub(super) fn charged(exchange: &Exchange) -> Option<u64> {
    exchange.settled.charged.or(exchange.settled.cost).map(|cost| cost.0)
}

/// Whether something was asked of an upstream, at a cost nobody knows. A refusal costs nothing.
pub(super) fn unknown(exchange: &Exchange) -> bool {
    let settled = &exchange.settled;
    let untold = settled.failed.iter().any(|tried| tried.cost.is_none());
    settled.cost.is_none()
        && settled.attempts > 0
        && settled.operation != COUNT
        && (untold || !refused(settled))
}

/// The operation whose answers cost nothing, whoever gives them.
const COUNT: &str = "count_tokens";

/// Whether the target tried last refused, or was never reached.
fn refused(settled: &Settled) -> bool {
    let Some(fault) = settled.fault else { return false };
    match fault {
        FaultKind::RateLimited
        | FaultKind::QuotaExceeded
        | FaultKind::UpstreamCredential
        | FaultKind::UpstreamInvalid
        | FaultKind::UpstreamNotFound
        | FaultKind::UpstreamOverloaded
        | FaultKind::UpstreamUnreachable
        | FaultKind::Untranslatable => true,
        // It may have worked for nobody.
        FaultKind::UpstreamError
        | FaultKind::UpstreamTimeout
        | FaultKind::UpstreamCut
        | FaultKind::UpstreamMalformed
        | FaultKind::Unavailable
        | FaultKind::Internal => false,
        // Faults of requests, which no upstream saw.
        _ => true,
    }
}

/// Whether an answer was complete, and the cost of each attempt before it is known: what it is priced at is the whole then.
pub(super) fn complete(exchange: &Exchange) -> Option<bool> {
    let told = exchange.settled.failed.iter().all(|tried| tried.cost.is_some());
    exchange.settled.terms.as_ref().map(|terms| terms.complete && told)
}

/// What the cost rests on.
pub(super) fn basis(exchange: &Exchange) -> &'static str {
    exchange.settled.basis.name()
}

/// The attempts before the last, as JSON; none where there were none.
pub(super) fn failed(exchange: &Exchange) -> Option<String> {
    let failed = &exchange.settled.failed;
    let json = || failed.iter().map(Tried::to_json).collect::<serde_json::Value>().to_string();
    (!failed.is_empty()).then(json)
}
