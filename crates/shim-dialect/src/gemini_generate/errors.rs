//! Errors: an upstream's → [`Fault`], and a [`Fault`] as clients of this dialect expect it.
//! Sources: <https://ai.google.dev/gemini-api/docs/troubleshooting> and `google.rpc.Status`
//! (<https://cloud.google.com/apis/design/errors>), read 2026-11-23.

use bytes::Bytes;
use serde_json::json;
use shim_ir::{Fault, FaultKind};
use shim_wire::frame::Framing;
use shim_wire::{Value, ValueKind};

use crate::common::{each_element, excerpt, fault_of_status, member, upstream_fault};

/// An answer with an error status; a stream's may be wrapped in a list.
pub(super) fn decode_fault(status: u16, body: &[u8]) -> Fault {
    let text = std::str::from_utf8(body).unwrap_or_default().trim();
    let mut error = member(text, "error");
    let _ = each_element(text, |at, entry| {
        if at == 0 {
            error = entry.get("error");
        }
    });
    match error.filter(|e| e.get("message").is_some() || e.kind() == ValueKind::String) {
        Some(error) => told(Some(status), error.text()),
        None => {
            let none = || format!("the upstream answered with status {status} and no reason");
            let message = plain(text).unwrap_or_else(none);
            upstream_fault(status, fault_of_status(status), message).detail(excerpt(body))
        }
    }
}

/// The message of a body that is not the dialect's: what others call `message` or `detail`, or the text itself.
fn plain(text: &str) -> Option<String> {
    let said = ["message", "detail"].iter().find_map(|name| member(text, name)?.as_str());
    let bare = || (!text.is_empty() && !text.starts_with(['{', '[', '<'])).then(|| excerpt(text.as_bytes()));
    said.map(String::from).filter(|said| !said.is_empty()).or_else(bare)
}

/// The fault of an `error` object, or of a text in its place.
pub(super) fn told(status: Option<u16>, error: &str) -> Fault {
    let code = member(error, "code").and_then(|c| c.as_u64()).and_then(|c| u16::try_from(c).ok());
    let status = status.or(code.filter(|c| (400..600).contains(c)));
    let word = text(error, "status");
    let kind =
        word.as_deref().and_then(kind).or(status.map(fault_of_status)).unwrap_or(FaultKind::UpstreamError);
    let mut fault = Fault::new(kind, message_of(error));
    let details = member(error, "details");
    let detailed = |words: &str| details.is_some_and(|details| details.text().contains(words));
    // A key that is not valid is told of as an invalid argument.
    if fault.message.contains("API key not valid") || detailed("API_KEY_INVALID") {
        fault = Fault::new(FaultKind::UpstreamCredential, "the upstream refused the gateway's credential");
    }
    fault.status = status;
    fault.words = word;
    fault.retry_after_ms = details.and_then(|details| retry_delay(&details));
    fault
}

/// The message of an `error` object, or the text in its place.
fn message_of(error: &str) -> String {
    let plain = || serde_json::from_str::<String>(error).ok();
    let said = text(error, "message").or_else(plain).filter(|message| !message.is_empty());
    said.unwrap_or_else(|| "the upstream told of a failure without a reason".into())
}

fn text(object: &str, name: &str) -> Option<String> {
    member(object, name)?.as_str().map(String::from)
}

/// `RetryInfo.retryDelay`, as `"13.5s"`, in milliseconds.
fn retry_delay(details: &Value<'_>) -> Option<u64> {
    let mut delay = None;
    let _ = each_element(details.text(), |_, detail| {
        delay = delay.take().or_else(|| detail.get("retryDelay").and_then(|d| d.as_str().map(String::from)));
    });
    let text = delay?;
    let (whole, fraction) = text.strip_suffix('s')?.split_once('.').unwrap_or((text.strip_suffix('s')?, ""));
    let ms: u64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(1000)?.checked_add(ms)
}

fn kind(word: &str) -> Option<FaultKind> {
    Some(match word {
        "INVALID_ARGUMENT" | "FAILED_PRECONDITION" | "OUT_OF_RANGE" => FaultKind::UpstreamInvalid,
        "UNAUTHENTICATED" | "PERMISSION_DENIED" => FaultKind::UpstreamCredential,
        "NOT_FOUND" => FaultKind::UpstreamNotFound,
        "RESOURCE_EXHAUSTED" => FaultKind::RateLimited,
        "UNAVAILABLE" => FaultKind::UpstreamOverloaded,
        "DEADLINE_EXCEEDED" | "CANCELLED" => FaultKind::UpstreamTimeout,
        "INTERNAL" | "UNKNOWN" => FaultKind::UpstreamError,
        _ => return None,
    })
}

/// The word of `google.rpc.Code` for a status.
fn word(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        408 | 504 => "DEADLINE_EXCEEDED",
        // 529 is what an overloaded upstream answers where its dialect has a status of its own for that.
        502 | 503 | 529 => "UNAVAILABLE",
        400..=499 => "INVALID_ARGUMENT",
        _ => "INTERNAL",
    }
}

/// The object that tells of a fault.
pub(super) fn body(fault: &Fault) -> String {
    let status = fault.http_status();
    let reason = json!({
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": fault.kind.code(),
        "domain": "shim",
    });
    let mut details = vec![reason];
    // Google's clients read here how long to wait, not in the header.
    details.extend(fault.retry_after_ms.map(|ms| {
        let seconds = format!("{}s", ms.div_ceil(1000));
        json!({ "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": seconds })
    }));
    let error =
        json!({ "code": status, "message": fault.message, "status": word(status), "details": details });
    escaped(&json!({ "error": error }).to_string())
}

/// The Python SDK splits lines at these characters, which JSON allows in strings.
pub(super) fn escaped(json: &str) -> String {
    json.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029").replace('\u{85}', "\\u0085")
}

/// The whole answer a client gets.
pub(super) fn encode_fault(fault: &Fault) -> Bytes {
    Bytes::from(body(fault))
}

/// The end of a stream that failed: the official SDKs raise on an element that holds an `error`.
pub(super) fn encode_stream_fault(fault: &Fault, framing: Framing) -> Bytes {
    match framing {
        Framing::Sse => Bytes::from(format!("data: {}\n\n", body(fault))),
        Framing::JsonArray => Bytes::from(format!(",\n{}]", body(fault))),
    }
}
