//! Whole answers: held until they are complete, and looked at before the client gets them.

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body_util::BodyExt as _;
use shim_dialect::{Meter, Operation};
use shim_ir::{Fault, FaultKind};
use shim_upstream::{Answer, Phase, in_time};
use shim_wire::scan::utf8;
use tokio::time::Instant;

use super::late;
use crate::pipeline::Admitted;
use crate::plan::Step;

/// A whole answer up to this size is held until it is complete, so that a broken one can still be replaced by another
/// target's or by a clear fault.
pub(super) const HOLD_BYTES_MAX: usize = 1 << 20;

pub(crate) enum Hold {
    Whole(Bytes),
    More(Vec<Bytes>),
}

/// Reads a whole answer, up to `bytes_max`.
pub(crate) async fn hold(answer: &mut Answer, step: &Step, bytes_max: usize) -> Result<Hold, Fault> {
    let timeouts = &step.target.provider.timeouts;
    let provider = &step.target.provider.id;
    let mut pieces: Vec<Bytes> = Vec::new();
    let mut size = 0;
    loop {
        let until = || timeouts.until(Phase::Idle, Instant::now(), answer.deadline);
        let frame = in_time(answer.response.body_mut().frame(), until).await;
        match frame.map_err(|phase| late(provider.as_str(), phase, timeouts))? {
            None => break,
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    size += data.len();
                    pieces.push(data);
                }
            }
            Some(Err(e)) => {
                let message = format!("{provider} closed the connection in the middle of its answer");
                return Err(Fault::new(FaultKind::UpstreamCut, message).detail(e));
            }
        }
        if size > bytes_max {
            return Ok(Hold::More(pieces));
        }
    }
    Ok(Hold::Whole(joined(pieces)))
}

/// The pieces as one; the usual single piece is not copied.
pub(crate) fn joined(mut pieces: Vec<Bytes>) -> Bytes {
    match pieces.len() {
        0 => Bytes::new(),
        1 => pieces.pop().unwrap_or_default(),
        _ => pieces.concat().into(),
    }
}

/// Checks a whole answer: it must be complete JSON, and tell of no failure. What has the look of a good answer goes to the
/// client as it is, before it is read. Returns whether the meter has read it.
pub(super) fn checked(
    admitted: &Admitted,
    step: &Step,
    headers: &HeaderMap,
    bytes: &Bytes,
    meter: &mut dyn Meter,
) -> Result<bool, Fault> {
    let generates = admitted.route.operation == Operation::Generate;
    if bytes.is_empty() && !generates {
        return Ok(true);
    }
    let malformed = |why: &dyn std::fmt::Display| not_an_answer(step, headers).detail(why);
    let text = utf8(bytes).map_err(|e| malformed(&e))?;
    if !generates {
        shim_wire::scan::check(bytes, shim_wire::scan::Limits::default()).map_err(|e| malformed(&e))?;
    }
    if generates && admitted.codec.0.is_plainly_good(text) && !is_remembered(admitted, step, bytes) {
        return Ok(false);
    }
    // The meter of an answer to a conversation reads all of it, and so says whether it is JSON.
    meter.whole(text);
    match &meter.reading().fault {
        Some(fault) if fault.kind == FaultKind::UpstreamMalformed => Err(malformed(fault)),
        Some(fault) => Err(fault.clone()),
        None => Ok(true),
    }
}

/// The fault of an answer that is none, by its headers.
pub(crate) fn not_an_answer(step: &Step, headers: &HeaderMap) -> Fault {
    let kind = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("no content type");
    let provider = &step.target.provider.id;
    let message = format!("{provider} answered with something that is not an answer ({kind})");
    Fault::new(FaultKind::UpstreamMalformed, message)
}

/// Whether anything of an answer is remembered: then that is done before its client can ask again.
fn is_remembered(admitted: &Admitted, step: &Step, answer: &[u8]) -> bool {
    // What its client will not send back, or whose the states in it are.
    let restores = step.target.rules(step.endpoint.dialect).restores;
    restores || admitted.codec.0.marks().states(answer, &mut |_| ()).states > 0
}
