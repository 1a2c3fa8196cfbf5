//! Oddities met in recorded traffic, in words of our own: each by the id of the recording that has it.

use shim_ir::{FinishReason, Response, fold};
use shim_wire::frame::Framing;

use super::{AnthropicMessages, classes, told};
use crate::laws::{stream_laws, whole_laws};

/// A stream of these events.
#[track_caller]
fn streamed(events: &[&str]) -> Response {
    let name = |event: &str| event.split('"').nth(3).expect("a type").to_owned();
    let stream: String =
        events.iter().map(|event| format!("event: {}\ndata: {event}\n\n", name(event))).collect();
    fold(stream_laws(&AnthropicMessages, stream.as_bytes(), Framing::Sse)).expect("it ends well").0
}

const START: &str = r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":2479,"output_tokens":6}}}"#;
const SHUT: &str = r#"{"type":"content_block_stop","index":0}"#;
const PING: &str = r#"{"type": "ping"}"#;
const STOP: &str = r#"{"type":"message_stop"}"#;

fn ends(word: &str, input: u64) -> String {
    format!(
        r#"{{"type":"message_delta","delta":{{"stop_reason":"{word}","stop_sequence":null}},"usage":{{"input_tokens":{input},"output_tokens":943}}}}"#
    )
}

fn whole(content: &str, word: &str) -> Response {
    let body = format!(
        r#"{{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{content}],"stop_reason":"{word}","stop_sequence":null,"usage":{{"input_tokens":3,"output_tokens":2}}}}"#
    );
    whole_laws(&AnthropicMessages, &body)
}

#[test]
fn the_last_word_on_usage_counts() {
    let response = streamed(&[START, &ends("pause_turn", 404_500), STOP]);
    assert_eq!(response.candidates[0].finish.as_ref().unwrap().reason, FinishReason::Pause, "2cd56d1c1175");
    assert_eq!(classes(response.usage.as_ref()), [404_500, 0, 0, 0, 943, 0]);
}

#[test]
fn blocks_begin_with_nothing_and_pings_stand_between() {
    let open = r#"{"type":"content_block_start","index":0,"content_block":{"citations":[],"type":"text","text":""}}"#;
    let cites = r#"{"type":"content_block_delta","index":0,"delta":{"type":"citations_delta","citation":{"type":"char_location","cited_text":"a","document_index":0,"document_title":"t","start_char_index":0,"end_char_index":1}}}"#;
    let says = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hi"}}"#;
    let end = ends("end_turn", 3);
    assert_eq!(
        told(&streamed(&[START, open, PING, cites, says, SHUT, &end, STOP])),
        ["text[1] hi"],
        "d050edaca967"
    );
    let call = r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"toolu_1","name":"f","input":{},"caller":{"type":"direct"}}}"#;
    let grows = |json: &str| {
        format!(
            r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"input_json_delta","partial_json":{json}}}}}"#
        )
    };
    let pieces = [grows(r#""""#), grows(r#""{\"a\"""#), grows(r#"": 1}""#)];
    let all = [START, call, &pieces[0], PING, &pieces[1], &pieces[2], SHUT, &end, STOP];
    assert_eq!(told(&streamed(&all)), [r#"call toolu_1 f {"a": 1}"#], "218553db2ebf");
    let thinks = r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#;
    let signs =
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"s"}}"#;
    let said =
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#;
    assert_eq!(
        told(&streamed(&[START, thinks, said, signs, SHUT, &end, STOP])),
        ["reasoning hm|Signature=s"],
        "681d319660eb"
    );
}

#[test]
fn answers_may_be_empty_or_sealed() {
    let empty = whole("", "end_turn");
    assert_eq!(
        (told(&empty).len(), &empty.candidates[0].finish.as_ref().unwrap().reason),
        (0, &FinishReason::Stop),
        "ef3ea5824d81"
    );
    let unsaid =
        whole(r#"{"type":"thinking","thinking":"","signature":"s"},{"type":"text","text":"a"}"#, "end_turn");
    assert_eq!(told(&unsaid), ["reasoning |Signature=s", "text a"], "51d6a370026a");
    let redacted = whole(r#"{"type":"redacted_thinking","data":"d"},{"type":"text","text":"a"}"#, "end_turn");
    assert_eq!(told(&redacted), ["reasoning |Redacted=d", "text a"], "ee6460d2fb8b");
}
