//! Errors: an upstream's → [`Fault`], and a [`Fault`] as clients of this dialect expect it.
//! Sources: <https://platform.openai.com/docs/guides/error-codes> and the `error` event of
//! <https://platform.openai.com/docs/api-reference/responses-streaming>, read 2026-11-23.

use bytes::Bytes;
use serde_json::{Value, json};
use shim_ir::{Fault, FaultKind};

use crate::common::{excerpt, fault_of_status, member, upstream_fault};

/// An answer with an error status.
pub(super) fn decode_fault(status: u16, body: &[u8]) -> Fault {
    let text = std::str::from_utf8(body).unwrap_or_default().trim();
    let error = member(text, "error").map_or(text, |e| e.text());
    if member(error, "message").is_some() || error.starts_with('"') {
        return told(Some(status), error);
    }
    let message = format!("the upstream answered with status {status} and no reason");
    upstream_fault(status, fault_of_status(status), message).detail(excerpt(body))
}

/// The failure a whole answer tells of: its status says so, or it is an error alone.
pub(super) fn inside(status: Option<&str>, body: &str) -> Option<Fault> {
    let error = member(body, "error").filter(|error| error.text() != "null");
    match (status, error) {
        (Some("failed"), error) => Some(told(None, error.map_or("{}", |error| error.text()))),
        (None, Some(error)) => Some(told(None, error.text())),
        _ => None,
    }
}

/// The fault of an `error` object, or of a text in its place.
pub(super) fn told(status: Option<u16>, error: &str) -> Fault {
    let text = |name: &str| member(error, name).and_then(|v| v.as_str().map(String::from));
    let message = text("message").or_else(|| serde_json::from_str::<String>(error).ok());
    let message = message.filter(|message| !message.is_empty());
    let words = [text("code"), text("type")];
    let kind = words.iter().flatten().find_map(|word| kind(word));
    let kind = kind.or(status.map(fault_of_status)).unwrap_or(FaultKind::UpstreamError);
    let mut fault =
        Fault::new(kind, message.unwrap_or_else(|| "the upstream told of a failure without a reason".into()));
    fault.status = status;
    fault.path = text("param");
    fault.words = words.into_iter().flatten().next();
    fault
}

fn kind(word: &str) -> Option<FaultKind> {
    Some(match word {
        "insufficient_quota" | "billing_hard_limit_reached" => FaultKind::QuotaExceeded,
        "rate_limit_exceeded" => FaultKind::RateLimited,
        "model_not_found" => FaultKind::UpstreamNotFound,
        "invalid_api_key" => FaultKind::UpstreamCredential,
        "server_is_overloaded" | "slow_down" | "overloaded_error" => FaultKind::UpstreamOverloaded,
        "invalid_prompt" | "invalid_request_error" | "context_length_exceeded" => FaultKind::UpstreamInvalid,
        _ => return None,
    })
}

/// The dialect's word for whose fault it is.
fn word(fault: &Fault) -> &'static str {
    match fault.http_status() {
        401 => "authentication_error",
        403 => "permission_error",
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        _ => "server_error",
    }
}

/// The code of a fault; where the API has a word that clients look for, that.
fn code(fault: &Fault) -> &str {
    match (fault.kind, fault.words.as_deref()) {
        (FaultKind::InvalidRequest, Some(word)) => word,
        _ => fault.kind.code(),
    }
}

fn error(fault: &Fault) -> Value {
    json!({ "message": fault.message, "type": word(fault), "param": fault.path, "code": code(fault) })
}

/// The whole answer a client gets.
pub(super) fn encode_fault(fault: &Fault) -> Bytes {
    Bytes::from(json!({ "error": error(fault) }).to_string())
}

/// The word for the failure that a `response` tells of: the reference has few.
pub(super) fn response_word(fault: &Fault) -> &'static str {
    match fault.http_status() {
        429 => "rate_limit_exceeded",
        400 | 413 | 422 => "invalid_prompt",
        _ => "server_error",
    }
}

/// The last event of a stream that failed. The official SDKs raise on an event whose data hold an `error`; agents that
/// read the events by type find what the specification says beside it.
pub(super) fn encode_stream_fault(fault: &Fault, sequence_number: u64) -> Bytes {
    let event = json!({
        "type": "error",
        "code": code(fault),
        "message": fault.message,
        "param": fault.path,
        "sequence_number": sequence_number,
        "error": error(fault),
    });
    Bytes::from(format!("event: error\ndata: {event}\n\n"))
}
