//! The faults of upstreams that did not answer, or not in time.

use shim_ir::{Fault, FaultKind};
use shim_upstream::{AttemptError, Phase, Timeouts};

use crate::plan::Step;

/// The fault of an attempt that has no answer.
pub(crate) fn unanswered(error: &AttemptError, step: &Step) -> Fault {
    let provider = &step.target.provider.id;
    let source = std::error::Error::source(error).map(|s| format!("{error}: {s}"));
    let detail = source.unwrap_or_else(|| error.to_string());
    let fault = match error {
        AttemptError::Connect(_) => {
            let why = error.why_unreachable().unwrap_or_default();
            Fault::new(FaultKind::UpstreamUnreachable, format!("{provider} could not be reached: {why}"))
        }
        AttemptError::Exchange(error) if error.is_parse() => {
            Fault::new(FaultKind::UpstreamMalformed, format!("{provider} does not answer in HTTP"))
        }
        AttemptError::Exchange(_) | AttemptError::Stale(_) => {
            let message = format!("{provider} closed the connection before it answered");
            Fault::new(FaultKind::UpstreamCut, message)
        }
        AttemptError::Timeout(phase) => late(provider.as_str(), *phase, &step.target.provider.timeouts),
    };
    fault.detail(detail)
}

/// The fault of a phase that took too long.
pub(crate) fn late(upstream: &str, phase: Phase, timeouts: &Timeouts) -> Fault {
    let bound = format!("{:?} (timeouts.{})", timeouts.of(phase), phase.name());
    let (kind, message) = match phase {
        Phase::Connect => (
            FaultKind::UpstreamUnreachable,
            format!("no connection to {upstream} could be made within {bound}"),
        ),
        Phase::FirstByte => {
            (FaultKind::UpstreamTimeout, format!("{upstream} did not begin to answer within {bound}"))
        }
        Phase::Idle => {
            (FaultKind::UpstreamTimeout, format!("{upstream} fell silent in its answer for {bound}"))
        }
        Phase::Total => (FaultKind::UpstreamTimeout, format!("{upstream} was not done within {bound}")),
    };
    Fault::new(kind, message)
}
