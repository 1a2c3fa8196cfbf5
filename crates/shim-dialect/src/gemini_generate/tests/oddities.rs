//! Oddities met in recorded traffic, in words of our own: each by the id of the recording that has it.

use shim_ir::{FaultKind, FinishReason, Response, fold};
use shim_wire::frame::Framing;

use super::{GeminiGenerate, classes, told};
use crate::Codec as _;
use crate::laws::{stream_laws, whole_laws};

/// An answer with this candidate.
fn answer(candidate: &str) -> String {
    format!(
        r#"{{"candidates":[{candidate}],"usageMetadata":{{"promptTokenCount":3,"totalTokenCount":5,"thoughtsTokenCount":2}},"modelVersion":"m","responseId":"r"}}"#
    )
}

/// What is read of an answer with this candidate, whole and streamed with lines that end as Google's do.
#[track_caller]
fn reads(id: &str, candidate: &str, parts: &[&str], reason: &FinishReason) {
    let body = answer(candidate);
    let stream = format!("data: {body}\r\n\r\n");
    let streamed =
        fold(stream_laws(&GeminiGenerate, stream.as_bytes(), Framing::Sse)).expect("it ends well").0;
    for response in [whole_laws(&GeminiGenerate, &body), streamed] {
        let why = &response.candidates[0].finish.as_ref().unwrap().reason;
        assert_eq!((told(&response), why), (parts.iter().map(ToString::to_string).collect(), reason), "{id}");
    }
}

#[test]
fn calls_end_as_texts_do() {
    let signed = r#"{"functionCall":{"name":"f","args":{"a":"1"}},"thoughtSignature":"c2VhbGVk"}"#;
    let bare = r#"{"functionCall":{"name":"f","args":{}}}"#;
    let parts = |parts: &[&str]| {
        format!(
            r#"{{"content":{{"parts":[{}],"role":"model"}},"finishReason":"STOP","index":0}}"#,
            parts.join(",")
        )
    };
    let called = r#"call  f {"a":"1"}|1"#;
    reads("85f0e70a60ea", &parts(&[signed]), &[called], &FinishReason::ToolCalls);
    reads(
        "41790afc0e72",
        &parts(&[signed, bare, bare]),
        &[called, "call  f {}|0", "call  f {}|0"],
        &FinishReason::ToolCalls,
    );
    let named = r#"{"functionCall":{"name":"f","args":{},"id":"call_1"},"thoughtSignature":"c2VhbGVk"}"#;
    reads("ef8d0c16d803", &parts(&[named]), &["call call_1 f {}|1"], &FinishReason::ToolCalls);
    let behind = [r#"{"text":"hi"}"#, r#"{"text":"","thoughtSignature":"c2VhbGVk"}"#];
    reads("d21da6cf1c10", &parts(&behind), &["text hi|0|0", "text |0|1"], &FinishReason::Stop);
    let undeclared = parts(&[signed]).replace("STOP", "UNEXPECTED_TOOL_CALL");
    reads("6a23226be902", &undeclared, &[called], &FinishReason::BadToolCall);
}

#[test]
fn answers_may_have_no_content() {
    let unsaid = r#"{"content":{"role":"model"},"finishReason":"MAX_TOKENS","index":0}"#;
    reads("a6c73d1bffec", unsaid, &[], &FinishReason::Length);
    let armored = r#"{"finishReason":"MODEL_ARMOR","finishMessage":"Filtered."}"#;
    reads("064316d6ad44", armored, &[], &FinishReason::Filter);
    let blocked = r#"{"promptFeedback":{"blockReason":"MODEL_ARMOR"},"modelVersion":"m","responseId":"r"}"#;
    let response: Response = whole_laws(&GeminiGenerate, blocked);
    assert_eq!(response.candidates[0].finish.as_ref().unwrap().reason, FinishReason::Filter, "9de1430ac167");
    assert_eq!(classes(&response), [0, 0, 0, 0]);
}

#[test]
fn how_long_to_wait_is_told_in_the_body_alone() {
    let body = br#"{"error":{"code":429,"message":"You exceeded your current quota.","status":"RESOURCE_EXHAUSTED","details":[
        {"@type":"type.googleapis.com/google.rpc.Help","links":[]},
        {"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"48s"}]}}"#;
    let fault = GeminiGenerate.decode_fault(429, body);
    assert_eq!((fault.kind, fault.retry_after_ms), (FaultKind::RateLimited, Some(48_000)), "8056f6bc029e");
}
