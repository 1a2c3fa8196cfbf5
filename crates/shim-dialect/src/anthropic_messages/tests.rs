//! The laws of the lane over recorded traffic, and what faults look like.

use shim_ir::{Fault, FaultKind, FinishReason};
use shim_wire::frame::Framing;

use super::AnthropicMessages;
use crate::laws::{lane_laws, metered};
use crate::{Codec, Operation};

#[test]
fn recorded_traffic_obeys_the_laws_of_the_lane() {
    lane_laws(&AnthropicMessages, &["anthropic.messages", "anthropic.count_tokens"], &[], |_| None);
}

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
