//! Oddities met in recorded traffic, in words of our own: each by the id of the recording that has it.

use shim_ir::{FaultKind, OpaqueKind, Part, fold};
use shim_wire::frame::Framing;

use super::{OpenaiResponses, told};
use crate::Codec as _;
use crate::laws::{stream_laws, whole_laws};

/// A whole answer with this output.
fn whole(output: &str) -> String {
    format!(
        r#"{{"id":"resp_1","object":"response","created_at":1,"model":"m","status":"completed","output":[{output}]}}"#
    )
}

#[test]
fn events_need_no_names() {
    let item = r#"{"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"hi","annotations":[]}]}"#;
    let events = [
        r#"{"response":{"id":"resp_1","object":"response","created_at":1.0,"model":"m","status":"in_progress","output":[]},"sequence_number":0,"type":"response.created"}"#.to_owned(),
        r#"{"type":"response.output_text.delta","item_id":"msg_1","output_index":0,"content_index":0,"delta":"hi"}"#.to_owned(),
        format!(r#"{{"type":"response.output_item.done","output_index":0,"item":{item}}}"#),
        format!(r#"{{"type":"response.completed","response":{}}}"#, whole(item)),
    ];
    let stream: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    let (response, _) = fold(stream_laws(&OpenaiResponses, stream.as_bytes(), Framing::Sse)).unwrap();
    assert_eq!(told(&response), ["text[0] hi"], "6cca30d3777f");
}

#[test]
fn items_have_more_than_is_documented() {
    let call = r#"{"type":"function_call","id":"fc_1","call_id":"c","name":"look","arguments":"{}","status":"completed","namespace":"crm"}"#;
    let response = whole_laws(&OpenaiResponses, &whole(call));
    assert_eq!(told(&response), ["call c look {}"], "06f364e6e06e");
    let Part::ToolCall(call) = &response.candidates[0].parts[0] else { panic!() };
    assert_eq!(call.rest.get("namespace").unwrap().get(), "\"crm\"");
    let message = r#"{"type":"message","id":"msg_1","role":"assistant","status":"completed","phase":"final_answer","content":[{"type":"output_text","text":"hi","annotations":[]}]}"#;
    let body = whole(message);
    let response = whole_laws(&OpenaiResponses, &body);
    assert_eq!(told(&response), ["text[0] hi"], "ba27ac60dd0e");
    let sealed =
        r#"{"type":"reasoning","id":"rs_1","summary":[],"content":[],"encrypted_content":"c2VhbGVk"}"#;
    let response = whole_laws(&OpenaiResponses, &whole(sealed));
    let Part::Reasoning(reasoning) = &response.candidates[0].parts[0] else { panic!() };
    assert!(reasoning.text.is_empty() && reasoning.summary.is_empty(), "972d47d76d3f");
    assert_eq!(reasoning.opaque[0].kind, OpaqueKind::Encrypted);
}

#[test]
fn reasoning_itself_is_streamed() {
    let item =
        r#"{"type":"reasoning","id":"rs_1","summary":[],"content":[{"type":"reasoning_text","text":"hm"}]}"#;
    let events = [
        r#"{"type":"response.created","response":{"id":"resp_1","model":"m","created_at":1,"status":"in_progress","output":[]}}"#.to_owned(),
        r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"reasoning","id":"rs_1","summary":[],"content":[]}}"#.to_owned(),
        r#"{"type":"response.reasoning_text.delta","item_id":"rs_1","output_index":0,"content_index":0,"delta":"hm"}"#.to_owned(),
        format!(r#"{{"type":"response.output_item.done","output_index":0,"item":{item}}}"#),
        format!(r#"{{"type":"response.completed","response":{}}}"#, whole(item)),
    ];
    let stream: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    let (response, _) = fold(stream_laws(&OpenaiResponses, stream.as_bytes(), Framing::Sse)).unwrap();
    assert_eq!(told(&response), [r#"reasoning ["hm"] [] "#], "af2f959a7a84");
}

#[test]
fn an_error_may_be_a_string() {
    let fault = OpenaiResponses.decode_fault(400, br#"{"code":"invalid-argument","error":"No."}"#);
    assert_eq!((fault.kind, &*fault.message), (FaultKind::UpstreamInvalid, "No."), "d06665aafb53");
}
