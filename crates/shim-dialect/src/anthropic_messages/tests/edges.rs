//! The meter, errors, and what the gateway answers by itself.

use shim_ir::{Fault, FaultKind, FinishReason, Tokens, Usage, fold};
use shim_wire::frame::Framing;

use super::told;
use crate::anthropic_messages::AnthropicMessages;
use crate::laws::{metered, stream_laws, whole_laws};
use crate::{Codec, Operation, Plain};

#[test]
fn a_stream_is_complete_only_with_its_last_event() {
    let stream = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"m\",\"usage\":{\"input_tokens\":5,\"cache_read_input_tokens\":7,\"cache_creation_input_tokens\":3,\"cache_creation\":{\"ephemeral_1h_input_tokens\":2},\"output_tokens\":1}}}\n\n\
        event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"hi\"}}\n\n\
        event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"},\"usage\":{\"output_tokens\":9}}\n\n";
    let cut = metered(&AnthropicMessages, Operation::Generate, Some(Framing::Sse), stream);
    assert!(!cut.complete && cut.content);
    let whole = format!("{stream}event: message_stop\ndata: {{\"type\":\"message_stop\"}}\n\n");
    let read = metered(&AnthropicMessages, Operation::Generate, Some(Framing::Sse), &whole);
    let usage = read.usage.unwrap();
    assert_eq!(
        (usage.input_uncached.0, usage.cache_read.0, usage.cache_write.0, usage.cache_write_1h.0),
        (5, 7, 1, 2)
    );
    assert_eq!((usage.output_text.0, read.finish.unwrap().reason), (9, FinishReason::ToolCalls));
    assert!(read.complete);
}

#[test]
fn faults_go_both_ways() {
    let body = br#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    let fault = AnthropicMessages.decode_fault(529, body);
    assert_eq!((fault.kind, fault.http_status()), (FaultKind::UpstreamOverloaded, 529));
    let told = AnthropicMessages.encode_fault(&Fault::new(FaultKind::UnknownModel, "no such model"));
    let told: serde_json::Value = serde_json::from_slice(&told).unwrap();
    assert_eq!(told["error"]["type"], "not_found_error");
    let html = AnthropicMessages.decode_fault(502, b"<html>Bad Gateway</html>");
    assert_eq!(html.kind, FaultKind::UpstreamError);
}

#[track_caller]
fn reads(status: u16, body: &str, kind: FaultKind, message: &str, words: Option<&str>) {
    let fault = AnthropicMessages.decode_fault(status, body.as_bytes());
    assert_eq!(
        (fault.kind, fault.message.as_str(), fault.words.as_deref()),
        (kind, message, words),
        "{body}"
    );
    assert_eq!(fault.status, Some(status));
}

#[test]
fn an_upstreams_error_is_read_by_its_word() {
    for (word, kind) in [
        ("invalid_request_error", FaultKind::UpstreamInvalid),
        ("authentication_error", FaultKind::UpstreamCredential),
        ("permission_error", FaultKind::UpstreamCredential),
        ("billing_error", FaultKind::QuotaExceeded),
        ("not_found_error", FaultKind::UpstreamNotFound),
        ("request_too_large", FaultKind::TooLarge),
        ("rate_limit_error", FaultKind::RateLimited),
        ("timeout_error", FaultKind::UpstreamTimeout),
        ("overloaded_error", FaultKind::UpstreamOverloaded),
        ("api_error", FaultKind::UpstreamError),
        ("new", FaultKind::UpstreamError),
    ] {
        let body =
            format!(r#"{{"type":"error","error":{{"type":"{word}","message":"m"}},"request_id":"r"}}"#);
        reads(500, &body, kind, "m", Some(word));
    }
}

#[test]
fn errors_of_other_providers_are_read_by_their_status() {
    reads(429, r#"{"error":{"message":"m","code":1302}}"#, FaultKind::RateLimited, "m", None);
    reads(400, r#"{"error":"m"}"#, FaultKind::UpstreamInvalid, "m", None);
    reads(404, r#"{"message":"m"}"#, FaultKind::UpstreamNotFound, "m", None);
    reads(401, r#"{"error":null,"msg":"m"}"#, FaultKind::UpstreamCredential, "m", None);
    reads(422, r#"{"detail":"m"}"#, FaultKind::UpstreamInvalid, "m", None);
    let none = "the upstream answered with status 503 and no reason";
    reads(503, "<html></html>", FaultKind::UpstreamOverloaded, none, None);
    reads(503, "", FaultKind::UpstreamOverloaded, none, None);
}

#[test]
fn the_first_token_is_the_first_that_is_told() {
    let content = |block: &str| {
        let event = format!(r#"data: {{"type":"content_block_start","index":0,"content_block":{block}}}"#);
        metered(&AnthropicMessages, Operation::Generate, Some(Framing::Sse), &event).content
    };
    assert!(!content(r#"{"type":"text","text":""}"#) && !content(r#"{"type":"thinking","thinking":""}"#));
    assert!(content(r#"{"type":"tool_use","id":"1","name":"f","input":{}}"#));
    assert!(content(r#"{"type":"redacted_thinking","data":"d"}"#));
}

#[test]
fn a_plain_text_is_an_answer() {
    let usage = Usage {
        input_uncached: Tokens(3),
        cache_read: Tokens(2),
        output_text: Tokens(4),
        ..Usage::default()
    };
    let plain =
        Plain { id: "7", model: "demo/hello", text: "hi \"you\"", created: 9, usage: &usage, previous: None };
    let whole = AnthropicMessages.encode_plain(&plain, None);
    let whole = whole_laws(&AnthropicMessages, std::str::from_utf8(&whole).unwrap());
    let streamed = AnthropicMessages.encode_plain(&plain, Some(Framing::Sse));
    let (streamed, foreign) = fold(stream_laws(&AnthropicMessages, &streamed, Framing::Sse)).unwrap();
    assert_eq!(foreign, []);
    for response in [&whole, &streamed] {
        assert_eq!(told(response), ["text hi \"you\""]);
        assert_eq!(response.id.as_deref(), Some("msg_7"));
        assert!(response.usage.as_ref().unwrap().same_counts(&usage));
    }
}
