//! How a stream begins. Its head goes to the client with its first piece: a stream that fails before it said anything
//! can still give way to another target, or be told of by a status.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use shim_dialect::{Operation, speaker};
use shim_ir::{Dialect, Fault, FaultKind};
use shim_upstream::{Answer, Phase, in_time};
use shim_wire::frame::{FRAME_BYTES_MAX, Framer, Framing};
use tokio::time::Instant;

use crate::attempt::{credential_fault, holds_secret, late};
use crate::generation::HttpSetup;
use crate::plan::Step;

/// How long a stream's head waits for its first piece. What breaks at once has broken by then; a model that thinks for
/// longer goes on thinking, and its client has the head.
const FIRST_WAIT: Duration = Duration::from_secs(5);

/// Waits for the first piece of a stream. It stays where it is: it is on its way as soon as this returns.
///
/// # Errors
/// When the stream ends, fails or tells of a failure before it said anything.
pub(crate) async fn begins(
    answer: &mut Answer,
    step: &Step,
    http: &HttpSetup,
    operation: Operation,
    framing: Framing,
) -> Result<(), Fault> {
    let provider = step.target.provider.id.as_str();
    let timeouts = &step.target.provider.timeouts;
    let deadline = answer.deadline;
    let until = || {
        let now = Instant::now();
        let (until, phase) = timeouts.until(Phase::Idle, now, deadline);
        let enough = now + FIRST_WAIT;
        if enough < until { (enough, None) } else { (until, Some(phase)) }
    };
    let silent = |what: &str| {
        Fault::new(FaultKind::UpstreamCut, format!("{provider} closed the {what} before its answer began"))
    };
    match in_time(pin!(answer.response.body_mut().first()), until).await {
        Err(None) => Ok(()),
        Err(Some(phase)) => Err(late(provider, phase, timeouts)),
        Ok(Err(error)) => Err(silent("connection").detail(error)),
        Ok(Ok(None)) => Err(silent("stream")),
        Ok(Ok(Some(first))) => match failure(first, step.endpoint.dialect, operation, framing) {
            Some(fault) if holds_secret(http, first) => Err(credential_fault(step, &fault)),
            Some(fault) => Err(fault),
            None => Ok(()),
        },
    }
}

/// The failure that a stream begins with. It is looked for only where the word is there at all.
fn failure(first: &Bytes, dialect: Dialect, operation: Operation, framing: Framing) -> Option<Fault> {
    memchr::memmem::find(first, b"error")?;
    let mut meter = speaker(dialect).meter(operation);
    let mut framer = Framer::new(framing, FRAME_BYTES_MAX);
    framer.push(first, &mut |frame| meter.frame(frame)).ok()?;
    let reading = meter.reading();
    reading.fault.clone().filter(|_| !reading.content)
}
