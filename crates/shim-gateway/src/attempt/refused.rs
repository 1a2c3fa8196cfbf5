//! Answers with an error status, and what of them the client may see.

use bytes::Bytes;
use http::StatusCode;
use http_body_util::BodyExt as _;
use shim_ir::{Fault, FaultKind};
use shim_upstream::{Answer, Phase};
use shim_wire::scan::utf8;
use tokio::time::{Instant, timeout_at};

use super::{Answered, Attempt, Failed};
use crate::generation::HttpSetup;
use crate::pipeline::{Admitted, Coded};
use crate::plan::Step;

/// The most that is read of an upstream's error.
const ERROR_BYTES_MAX: usize = 256 << 10;

/// An error of the upstream: passed on as it came, unless it could tell of the gateway's own credential.
pub(super) async fn refused(
    admitted: &Admitted,
    step: &Step,
    http: &HttpSetup,
    answer: Answer,
) -> Result<Attempt, Failed> {
    let codec = admitted.codec;
    let (parts, bytes) = error_of(step, answer).await;
    let fault = match passable(codec, step, http, &parts, &bytes) {
        Ok(fault) => fault,
        Err(fault) => return Err(Failed::with(fault, parts.headers)),
    };
    let mut meter = codec.0.meter(admitted.route.operation);
    if let Ok(text) = utf8(&bytes) {
        meter.whole(text);
    }
    Ok(Attempt {
        codec,
        target: step.target.header.clone(),
        status: parts.status,
        headers: parts.headers,
        body: Answered::Whole { bytes, meter, read: true },
        fault: Some(fault),
        losses: None,
        timeouts: step.target.provider.timeouts,
    })
}

/// An upstream's error, as far as it came.
pub(crate) async fn error_of(step: &Step, answer: Answer) -> (http::response::Parts, Bytes) {
    let (parts, body) = answer.response.into_parts();
    let (until, _) = step.target.provider.timeouts.until(Phase::Idle, Instant::now(), answer.deadline);
    let collected = http_body_util::Limited::new(body, ERROR_BYTES_MAX).collect();
    let bytes = match timeout_at(until, collected).await {
        Ok(Ok(collected)) => {
            answer.lease.give_back();
            collected.to_bytes()
        }
        // The status tells enough; the connection, in the middle of an answer, is of no further use.
        Ok(Err(_)) | Err(_) => Bytes::new(),
    };
    (parts, bytes)
}

/// The fault an upstream's error tells of; an error where the client must not, or could not, read it as it came.
pub(crate) fn passable(
    codec: Coded,
    step: &Step,
    http: &HttpSetup,
    parts: &http::response::Parts,
    bytes: &Bytes,
) -> Result<Fault, Fault> {
    let provider = &step.target.provider.id;
    let status = parts.status.as_u16();
    if !(400..600).contains(&status) {
        let redirect = if parts.status.is_redirection() { ", a redirect that is not followed" } else { "" };
        let message = format!("{provider} answered with status {status}{redirect}");
        return Err(Fault::new(FaultKind::UpstreamMalformed, message));
    }
    let mut fault = codec.0.decode_fault(status, bytes);
    fault.retry_after_ms = fault.retry_after_ms.or_else(|| retry_after(&parts.headers));
    if parts.status == StatusCode::UNAUTHORIZED || holds_secret(http, bytes) {
        return Err(credential_fault(step, &fault));
    }
    // What is no JSON object is not the dialect's error: it is told in the client's.
    let is_object = bytes.trim_ascii_start().starts_with(b"{") || bytes.trim_ascii_start().starts_with(b"[");
    let is_json = shim_wire::scan::check(bytes, shim_wire::scan::Limits::default()).is_ok();
    if is_object && is_json { Ok(fault) } else { Err(fault) }
}

/// Providers show a part of the credential they refuse; the client must not see it.
pub(crate) fn credential_fault(step: &Step, theirs: &Fault) -> Fault {
    let provider = &step.target.provider;
    let message = match &provider.credential {
        Some(name) => format!("{} refused the gateway's credential ({name})", provider.id),
        None => format!("{} wants a credential, and the gateway has none for it", provider.id),
    };
    let mut fault = Fault::new(FaultKind::UpstreamCredential, message);
    fault.status = theirs.status.filter(|status| *status == 401).or(Some(502));
    fault
}

pub(crate) fn holds_secret(http: &HttpSetup, bytes: &[u8]) -> bool {
    let secret = http.secret.as_ref().map(|s| s.expose().as_bytes()).filter(|s| !s.is_empty());
    secret.is_some_and(|secret| memchr::memmem::find(bytes, secret).is_some())
}

/// How long the upstream asks to wait, from its headers.
fn retry_after(headers: &http::HeaderMap) -> Option<u64> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    number("retry-after-ms").or_else(|| number("retry-after").map(|s| s.saturating_mul(1000)))
}
