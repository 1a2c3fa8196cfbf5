//! Errors: an upstream's → [`Fault`], and a [`Fault`] as clients of this dialect expect it.
//!
//! Sources: <https://platform.openai.com/docs/guides/error-codes> and the error classes of the official SDKs, which go
//! by status; shapes of other providers as recorded. Read 2026-11-23.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::json;
use shim_ir::{Fault, FaultKind};
use shim_wire::{Value, ValueKind};

use super::decode::tells;
use super::types::Completion;
use crate::common::{each_element, each_member, excerpt, fault_of_status};

/// What an upstream says of a failure.
#[derive(Debug, Default)]
struct Said {
    message: Option<String>,
    kind: Option<String>,
    code: Option<String>,
    status: Option<u16>,
    param: Option<String>,
    /// What the provider behind a router said.
    behind: Option<String>,
}

/// An answer with an error status.
pub(super) fn decode_fault(status: u16, body: &[u8]) -> Fault {
    let text = std::str::from_utf8(body).unwrap_or_default().trim();
    let said = Said::of(text, 0);
    if said.message.is_some() {
        return said.fault(Some(status));
    }
    let seen = excerpt(body);
    let is_page = seen.starts_with('<') || seen.is_empty();
    let message = if is_page {
        format!("the upstream answered with status {status} and no reason")
    } else {
        seen.clone()
    };
    let fault = Said { message: Some(message), ..said }.fault(Some(status));
    if is_page && !seen.is_empty() { fault.detail(seen) } else { fault }
}

/// A failure inside a 200: of a whole answer or of a chunk, whose text is `body`.
pub(super) fn inside(wire: &Completion<'_>, body: &str) -> Option<Fault> {
    if let Some(error) = wire.error.filter(|error| tells(error.get())) {
        return Some(told(error.get()));
    }
    // Older vLLM writes the error as the answer itself.
    if wire.object.as_deref() == Some("error") {
        return Some(Said::of(body, 0).fault(None));
    }
    let failed = wire.choices.iter().flatten().find_map(|choice| choice.error);
    failed.filter(|error| tells(error.get())).map(|error| told(error.get()))
}

/// The fault of an `error` member.
pub(super) fn told(error: &str) -> Fault {
    let said = match serde_json::from_str::<String>(error) {
        Ok(message) => Said { message: Some(message).filter(|text| !text.is_empty()), ..Said::default() },
        Err(_) => Said::of(error, 1),
    };
    said.fault(None)
}

/// Errors nested deeper than this say nothing more.
const NESTED_MAX: usize = 3;

impl Said {
    /// Reads an error body: OpenAI's `{error: {…}}`, xAI's `{error: "…", code}`, FastAPI's `{detail}`, Mistral's and
    /// vLLM's flat `{message, type, code}`, and Google's list of one.
    fn of(text: &str, depth: usize) -> Self {
        let mut said = Self::default();
        let mut inner = Self::default();
        // What is no JSON says nothing; the caller shows it as it is.
        let _ = each_element(text, |at, value| {
            if at == 0 && depth == 0 {
                inner = Self::of(value.text(), 1);
            }
        });
        let _ = each_member(text, |member| match &*member.key {
            "error" if depth < NESTED_MAX && member.value.kind() == ValueKind::Object => {
                inner = Self::of(member.value.text(), depth + 1);
            }
            key => said.take(key, &member.value),
        });
        inner.or(said)
    }

    fn take(&mut self, key: &str, value: &Value<'_>) {
        match key {
            "error" | "message" | "detail" | "Message" | "msg" if self.message.is_none() => {
                self.take_message(value)
            }
            "type" | "error_type" => self.kind = word(value),
            "code" | "status_code" | "status" => self.take_code(value),
            "param" => self.param = word(value),
            "metadata" => self.behind = value.get("raw").and_then(|raw| word(&raw)),
            _ => {}
        }
    }

    /// A message is text; with FastAPI a list of `{loc, msg}`, with Mistral that list under `detail`.
    fn take_message(&mut self, value: &Value<'_>) {
        match value.kind() {
            ValueKind::String => self.message = word(value),
            ValueKind::Array => {
                let _ = each_element(value.text(), |at, entry| {
                    if at == 0 {
                        self.message = entry.get("msg").and_then(|msg| word(&msg)).or_else(|| word(&entry));
                        self.param = entry.get("loc").map(|loc| location(&loc));
                    }
                });
            }
            ValueKind::Object => match value.get("detail") {
                Some(detail) => self.take_message(&detail),
                None => self.message = Some(value.text().to_owned()),
            },
            ValueKind::Null | ValueKind::Bool | ValueKind::Number => {}
        }
    }

    /// A code is a word, or a status.
    fn take_code(&mut self, value: &Value<'_>) {
        let Some(text) = word(value) else { return };
        match text.parse().ok().filter(|status| (400..600).contains(status)) {
            Some(status) => self.status = Some(status),
            None => self.code = Some(text),
        }
    }

    /// What is said here, and where nothing is, there.
    fn or(self, other: Self) -> Self {
        Self {
            message: self.message.or(other.message),
            kind: self.kind.or(other.kind),
            code: self.code.or(other.code),
            status: self.status.or(other.status),
            param: self.param.or(other.param),
            behind: self.behind.or(other.behind),
        }
    }

    fn fault(self, status: Option<u16>) -> Fault {
        let status = status.or(self.status);
        let words = [self.code.as_deref(), self.kind.as_deref()];
        let kind = kind(status, &words);
        let message =
            self.message.unwrap_or_else(|| "the upstream told of a failure without a reason".to_owned());
        let mut fault = Fault::new(kind, message);
        fault.status = status;
        fault.detail = self.behind;
        fault.path = self.param;
        fault.words = self.code.or(self.kind);
        fault
    }
}

/// A string, or a number as text, that says anything.
fn word(value: &Value<'_>) -> Option<String> {
    match value.kind() {
        ValueKind::String => value.as_str().filter(|text| !text.is_empty()).map(Cow::into_owned),
        ValueKind::Number | ValueKind::Object => Some(value.text().to_owned()),
        ValueKind::Null | ValueKind::Bool | ValueKind::Array => None,
    }
}

/// FastAPI's `loc`: `["body","messages",0]` is `messages[0]`.
fn location(loc: &Value<'_>) -> String {
    let mut path = String::new();
    let _ = each_element(loc.text(), |at, step| match step.as_str() {
        Some(name) if at == 0 && name == "body" => {}
        Some(name) if path.is_empty() => path.push_str(&name),
        Some(name) => path.extend([".", &*name]),
        None => path.extend(["[", step.text(), "]"]),
    });
    path
}

/// The kind of a failure: by a word that is plain, then by status, then by any word.
fn kind(status: Option<u16>, words: &[Option<&str>]) -> FaultKind {
    let words: Vec<_> = words.iter().flatten().map(|word| word.to_ascii_lowercase()).collect();
    let plain = words.iter().find_map(|word| plain(word));
    let general = || words.iter().find_map(|word| general(word)).unwrap_or(FaultKind::UpstreamError);
    plain.unwrap_or_else(|| status.map_or_else(general, fault_of_status))
}

/// Words that say more than a status: OpenAI's first, then other providers'.
fn plain(word: &str) -> Option<FaultKind> {
    Some(match word {
        "insufficient_quota"
        | "billing_hard_limit_reached"
        | "billing_not_active"
        | "quota_exceeded"
        | "insufficient_balance"
        | "insufficient_credits"
        | "exceeded_current_quota_error"
        | "arrearage"
        | "usage_limit_reached" => FaultKind::QuotaExceeded,
        "rate_limit_exceeded"
        | "rate_limit_error"
        | "rate_limit_reached_error"
        | "rate_limited"
        | "too_many_requests" => FaultKind::RateLimited,
        "model_not_found"
        | "invalid_model"
        | "deploymentnotfound"
        | "model_not_available"
        | "resource_not_found_error" => FaultKind::UpstreamNotFound,
        "invalid_api_key"
        | "authentication_error"
        | "invalid_authentication_error"
        | "incorrect_api_key_error"
        | "wrong_api_key"
        | "unauthorized"
        | "permission_error"
        | "permission_denied" => FaultKind::UpstreamCredential,
        "overloaded"
        | "overloaded_error"
        | "engine_overloaded"
        | "engine_overloaded_error"
        | "server_overloaded"
        | "service_unavailable"
        | "service_unavailable_error"
        | "slow_down"
        | "service_tier_capacity_exceeded" => FaultKind::UpstreamOverloaded,
        "timeout" | "request_timeout" | "gateway_timeout" => FaultKind::UpstreamTimeout,
        _ => return None,
    })
}

/// Words that only stand in where there is no status.
fn general(word: &str) -> Option<FaultKind> {
    Some(match word {
        "invalid_request_error"
        | "invalid_request"
        | "bad_request"
        | "badrequesterror"
        | "tool_use_failed"
        | "context_length_exceeded"
        | "content_filter"
        | "invalid_argument" => FaultKind::UpstreamInvalid,
        "not_found" | "not_found_error" | "notfounderror" => FaultKind::UpstreamNotFound,
        _ => return None,
    })
}

/// The whole answer a client gets.
pub(super) fn encode_fault(fault: &Fault) -> Bytes {
    Bytes::from(body(fault))
}

/// The last event of a stream that failed: the official SDKs raise on an `error` member. No `[DONE]` follows, so the
/// stream does not look complete.
pub(super) fn encode_stream_fault(fault: &Fault) -> Bytes {
    Bytes::from(format!("data: {}\n\n", body(fault)))
}

fn body(fault: &Fault) -> String {
    let code = fault.words.as_deref().unwrap_or_else(|| fault.kind.code());
    let error = json!({
        "message": fault.message,
        "type": type_of(fault),
        "param": fault.path,
        "code": code,
    });
    json!({ "error": error }).to_string()
}

/// OpenAI's word for a kind of error. A credential that was refused is told of as such where its status says so too.
fn type_of(fault: &Fault) -> &'static str {
    match fault.kind {
        FaultKind::UpstreamCredential if fault.http_status() == 401 => "authentication_error",
        FaultKind::InvalidRequest
        | FaultKind::TooLarge
        | FaultKind::RequestTimeout
        | FaultKind::Unauthenticated
        | FaultKind::UnknownRoute
        | FaultKind::UnknownModel
        | FaultKind::Untranslatable
        | FaultKind::UpstreamInvalid
        | FaultKind::UpstreamNotFound => "invalid_request_error",
        FaultKind::Forbidden => "permission_error",
        FaultKind::RateLimited => "rate_limit_error",
        FaultKind::QuotaExceeded => "insufficient_quota",
        FaultKind::UpstreamCredential
        | FaultKind::UpstreamOverloaded
        | FaultKind::UpstreamError
        | FaultKind::UpstreamUnreachable
        | FaultKind::UpstreamTimeout
        | FaultKind::UpstreamCut
        | FaultKind::UpstreamMalformed
        | FaultKind::Unavailable
        | FaultKind::Internal => "server_error",
    }
}
