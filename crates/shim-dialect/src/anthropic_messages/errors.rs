//! Errors: an upstream's → [`Fault`], and a [`Fault`] as clients of this dialect expect it.
//! Source: <https://docs.anthropic.com/en/api/errors>, read 2026-11-23.

use bytes::Bytes;
use serde_json::json;
use shim_ir::{Fault, FaultKind};
use shim_wire::ValueKind;

use crate::common::{excerpt, fault_of_status, member, upstream_fault};

/// An answer with an error status.
pub(super) fn decode_fault(status: u16, body: &[u8]) -> Fault {
    let text = std::str::from_utf8(body).unwrap_or_default().trim();
    let error = member(text, "error").filter(|error| error.kind() != ValueKind::Null);
    let error = error.map_or(text, |error| error.text());
    if message_of(error).is_some() {
        return told(Some(status), error);
    }
    let message = format!("the upstream answered with status {status} and no reason");
    upstream_fault(status, fault_of_status(status), message).detail(excerpt(body))
}

/// The message of an `error` object, or the text in its place; `msg` and `detail` are other providers' words.
fn message_of(error: &str) -> Option<String> {
    let plain = || serde_json::from_str::<String>(error).ok();
    let named = |name: &&str| member(error, name)?.as_str().map(String::from);
    ["message", "msg", "detail"].iter().find_map(named).or_else(plain).filter(|message| !message.is_empty())
}

/// The fault of an `error` object, or of a text in its place.
pub(super) fn told(status: Option<u16>, error: &str) -> Fault {
    let word = member(error, "type").and_then(|t| t.as_str().map(String::from));
    let kind =
        word.as_deref().and_then(kind).or(status.map(fault_of_status)).unwrap_or(FaultKind::UpstreamError);
    let message = message_of(error);
    let mut fault =
        Fault::new(kind, message.unwrap_or_else(|| "the upstream told of a failure without a reason".into()));
    fault.status = status;
    fault.words = word;
    fault
}

fn kind(word: &str) -> Option<FaultKind> {
    Some(match word {
        "invalid_request_error" => FaultKind::UpstreamInvalid,
        "authentication_error" | "permission_error" => FaultKind::UpstreamCredential,
        "billing_error" => FaultKind::QuotaExceeded,
        "not_found_error" => FaultKind::UpstreamNotFound,
        "request_too_large" => FaultKind::TooLarge,
        "rate_limit_error" => FaultKind::RateLimited,
        "timeout_error" => FaultKind::UpstreamTimeout,
        "overloaded_error" => FaultKind::UpstreamOverloaded,
        "api_error" => FaultKind::UpstreamError,
        _ => return None,
    })
}

/// The dialect's word for a kind of fault.
fn word(fault: &Fault) -> &'static str {
    match fault.kind {
        FaultKind::InvalidRequest
        | FaultKind::RequestTimeout
        | FaultKind::Untranslatable
        | FaultKind::UpstreamInvalid => "invalid_request_error",
        FaultKind::TooLarge => "request_too_large",
        FaultKind::Unauthenticated | FaultKind::UpstreamCredential => "authentication_error",
        FaultKind::Forbidden => "permission_error",
        FaultKind::UnknownRoute | FaultKind::UnknownModel | FaultKind::UpstreamNotFound => "not_found_error",
        FaultKind::RateLimited => "rate_limit_error",
        FaultKind::QuotaExceeded => "billing_error",
        FaultKind::UpstreamOverloaded | FaultKind::Unavailable => "overloaded_error",
        FaultKind::UpstreamTimeout => "timeout_error",
        FaultKind::UpstreamError
        | FaultKind::UpstreamUnreachable
        | FaultKind::UpstreamCut
        | FaultKind::UpstreamMalformed
        | FaultKind::Internal => "api_error",
    }
}

fn body(fault: &Fault) -> String {
    json!({ "type": "error", "error": { "type": word(fault), "message": fault.message } }).to_string()
}

/// `anthropic-ratelimit-requests-limit` and its kin. The reset is a moment.
/// Source: <https://platform.claude.com/docs/en/api/rate-limits#response-headers>, read 2026-11-26.
pub(super) fn limit_headers(standing: &crate::Standing) -> Vec<(String, String)> {
    crate::standing::told(standing, |of, allowance| {
        let header = |what: &str, value: String| (format!("anthropic-ratelimit-{of}-{what}"), value);
        [
            header("limit", allowance.limit.to_string()),
            header("remaining", allowance.remaining.to_string()),
            header("reset", allowance.reset_at.clone()),
        ]
    })
}

/// The whole answer a client gets.
pub(super) fn encode_fault(fault: &Fault) -> Bytes {
    Bytes::from(body(fault))
}

/// The last event of a stream that failed; the official SDKs raise on it.
pub(super) fn encode_stream_fault(fault: &Fault) -> Bytes {
    Bytes::from(format!("event: error\ndata: {}\n\n", body(fault)))
}
