//! Streams as they are seldom recorded.

use shim_ir::{Event, FaultKind, FinishReason, Foreign, Grammar, Response, fold};
use shim_wire::frame::{Frame, Framing};

use super::{classes, failure, told};
use crate::anthropic_messages::AnthropicMessages;
use crate::laws::stream_laws;
use crate::{Codec as _, Decode as _, Operation};

/// A stream of these events, each named by its `type`.
fn sse(events: &[&str]) -> Vec<u8> {
    let name =
        |event: &str| crate::common::tag(event).map(|tag| format!("event: {tag}\n")).unwrap_or_default();
    events.iter().map(|event| format!("{}data: {event}\n\n", name(event))).collect::<String>().into_bytes()
}

const START: &str = r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":3,"cache_creation_input_tokens":5,"cache_creation":{"ephemeral_1h_input_tokens":2},"output_tokens":1,"service_tier":"priority"}}}"#;
const END: &str = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":7}}"#;
const STOP: &str = r#"{"type":"message_stop"}"#;

fn opens(index: u32, block: &str) -> String {
    format!(r#"{{"type":"content_block_start","index":{index},"content_block":{block}}}"#)
}

fn grows(index: u32, delta: &str) -> String {
    format!(r#"{{"type":"content_block_delta","index":{index},"delta":{delta}}}"#)
}

fn says(index: u32, text: &str) -> String {
    grows(index, &format!(r#"{{"type":"text_delta","text":"{text}"}}"#))
}

fn closes(index: u32) -> String {
    format!(r#"{{"type":"content_block_stop","index":{index}}}"#)
}

/// What an answer of these events between its start and its end says, and what of it nobody knows.
#[track_caller]
fn answer(events: &[String]) -> (Response, Vec<Foreign>) {
    let mut all = vec![START];
    all.extend(events.iter().map(String::as_str));
    all.extend([END, STOP]);
    fold(stream_laws(&AnthropicMessages, &sse(&all), Framing::Sse)).expect("a clean stream")
}

#[track_caller]
fn parts(events: &[String]) -> Vec<String> {
    let (response, foreign) = answer(events);
    assert_eq!(foreign, []);
    told(&response)
}

const TEXT: &str = r#"{"type":"text","text":""}"#;

#[test]
fn what_a_delta_fills_stays_where_it_is() {
    let block = r#"{"content":null,"type":"compaction","odd":null}"#;
    let delta = grows(0, r#"{"type":"compaction_delta","content":"so far"}"#);
    let wanted = r#"foreign compaction {"content":"so far","type":"compaction","odd":null}"#;
    assert_eq!(parts(&[opens(0, block), delta, closes(0)]), [wanted]);
}

#[test]
fn a_message_is_told_from_start_to_stop() {
    let (response, _) = answer(&[opens(0, TEXT), says(0, "hi"), closes(0)]);
    assert_eq!((response.id.as_deref(), response.model.as_deref()), (Some("msg_1"), Some("m")));
    assert_eq!(response.service_tier.as_deref(), Some("priority"));
    // A later count replaces an earlier one, and what it does not repeat stays.
    assert_eq!(classes(response.usage.as_ref()), [3, 0, 3, 2, 7, 0]);
    assert_eq!(response.candidates[0].finish.as_ref().unwrap().reason, FinishReason::Stop);
    assert_eq!(told(&response), ["text hi"]);
    assert!(response.rest.is_empty(), "{:?}", response.rest);
    let words = response.usage.unwrap().words.unwrap();
    assert!(words.get().contains(r#""output_tokens":7,"service_tier":"priority""#), "{words:?}");
}

#[test]
fn blocks_may_interleave_and_start_with_something() {
    let events = [
        opens(0, r#"{"type":"text","text":"a"}"#),
        opens(4, TEXT),
        says(4, "B"),
        says(0, "b"),
        closes(0),
        closes(4),
    ];
    assert_eq!(parts(&events), ["text ab", "text B"]);
    // Ends that were left out, and a block that comes at once.
    let search = r#"{"type":"web_search_tool_result","tool_use_id":"1","content":[]}"#;
    let events = [opens(0, TEXT), says(0, "a"), opens(0, TEXT), says(0, "b"), opens(1, search)];
    assert_eq!(parts(&events), ["text a", "text b", "web_search_tool_result of 1"]);
}

#[test]
fn the_input_of_a_call_comes_in_one_way_or_the_other() {
    let call =
        |input: &str| opens(0, &format!(r#"{{"type":"tool_use","id":"1","name":"f","input":{input}}}"#));
    let json = |text: &str| grows(0, &format!(r#"{{"type":"input_json_delta","partial_json":"{text}"}}"#));
    let check = |events: &[String], wanted: &str| assert_eq!(parts(events), [format!("call 1 f {wanted}")]);
    check(&[call("{}"), json(""), json(r#"{\"a\":"#), json("1}"), closes(0)], r#"{"a":1}"#);
    check(&[call("{}"), json(""), closes(0)], "{}");
    check(&[call("{}")], "{}");
    check(&[call(r#"{"a": 1}"#), closes(0)], r#"{"a": 1}"#);
    check(&[call(r#"{"a":1}"#), json("{}"), closes(0)], "{}");
}

#[test]
fn thinking_is_signed_when_it_ends() {
    let thinks = |text: &str| grows(0, &format!(r#"{{"type":"thinking_delta","thinking":"{text}"}}"#));
    let signs = |text: &str| grows(0, &format!(r#"{{"type":"signature_delta","signature":"{text}"}}"#));
    let empty = opens(0, r#"{"type":"thinking","thinking":"","signature":""}"#);
    let events = [empty.clone(), thinks("a"), thinks("b"), signs("s"), closes(0)];
    assert_eq!(parts(&events), ["reasoning ab|Signature=s"]);
    assert_eq!(parts(&[empty.clone(), signs("s"), closes(0)]), ["reasoning |Signature=s"]);
    assert_eq!(parts(&[empty, thinks("a"), signs(""), closes(0)]), ["reasoning a|"]);
    let signed = opens(0, r#"{"type":"thinking","thinking":"a","signature":"r"}"#);
    assert_eq!(parts(&[signed.clone(), closes(0)]), ["reasoning a|Signature=r"]);
    assert_eq!(parts(&[signed, signs("s"), closes(0)]), ["reasoning a|Signature=s"]);
    assert_eq!(
        parts(&[opens(0, r#"{"type":"redacted_thinking","data":"d"}"#), closes(0)]),
        ["reasoning |Redacted=d"]
    );
}

#[test]
fn a_compaction_grows() {
    let piece = |members: &str| grows(0, &format!(r#"{{"type":"compaction_delta",{members}}}"#));
    let start = opens(0, r#"{"type":"compaction","content":null}"#);
    let events = [
        start.clone(),
        piece(r#""content":"a""#),
        piece(r#""content":"b","encrypted_content":"e""#),
        closes(0),
    ];
    let wanted = r#"foreign compaction {"type":"compaction","content":"ab","encrypted_content":"e"}"#;
    assert_eq!(parts(&events), [wanted]);
    assert_eq!(parts(&[start, closes(0)]), [r#"foreign compaction {"type":"compaction","content":null}"#]);
}

#[test]
fn nothing_unknown_is_lost() {
    let events = [
        r#"{"type":"weather","sun":1}"#.to_owned(),
        r#"{"type":"ping"}"#.to_owned(),
        opens(0, r#"{"type":"hologram","x":1}"#),
        grows(0, r#"{"type":"hologram_delta","x":2}"#),
        closes(0),
        opens(1, r#"{"type":"text","text":"","mood":"fine"}"#),
        grows(1, r#"{"type":"text_delta","text":"a","weight":0.5}"#),
        r#"{"type":"content_block_delta","index":1,"p":"x","delta":{"type":"text_delta","text":"b"}}"#
            .to_owned(),
        grows(7, r#"{"type":"text_delta","text":"nowhere"}"#),
        START.to_owned(),
    ];
    let (response, foreign) = answer(&events);
    assert_eq!(told(&response), [r#"foreign hologram {"type":"hologram","x":1}"#, "text ab"]);
    let foreign: Vec<_> = foreign.iter().map(|event| format!("{} {}", event.kind, event.raw.get())).collect();
    let wanted = [
        format!("weather {}", events[0]),
        format!("content_block_delta {}", events[3]),
        r#"content_block_delta {"index":1,"weight":0.5}"#.to_owned(),
        r#"content_block_delta {"index":1,"p":"x"}"#.to_owned(),
        format!("content_block_delta {}", events[8]),
        format!("message_start {START}"),
    ];
    assert_eq!(foreign, wanted);
}

#[test]
fn members_of_the_message_join_it() {
    let delta = r#"{"type":"message_delta","context_management":{"applied_edits":[]},"delta":{"container":{"id":"c"},"stop_details":null,"stop_reason":"stop_sequence","stop_sequence":"END"}}"#;
    let stop = r#"{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":3}}"#;
    let (response, _) =
        fold(stream_laws(&AnthropicMessages, &sse(&[START, delta, stop, STOP, "[DONE]"]), Framing::Sse))
            .unwrap();
    let rest: Vec<_> =
        response.rest.members().iter().map(|(key, value)| format!("{key}={}", value.get())).collect();
    let wanted = [
        r#"context_management={"applied_edits":[]}"#,
        r#"container={"id":"c"}"#,
        r#"amazon-bedrock-invocationMetrics={"inputTokenCount":3}"#,
    ];
    assert_eq!(rest, wanted);
    let finish = response.candidates[0].finish.as_ref().unwrap();
    assert_eq!((&finish.reason, finish.sequence.as_deref()), (&FinishReason::Sequence, Some("END")));
}

#[test]
fn what_others_leave_out_is_supplied() {
    let first = [r#"{"type":"vertex_event","x":1}"#, r#"{"type":"ping"}"#];
    let text = [opens(0, TEXT), says(0, "a")];
    let events = [first[0], first[1], &text[0], &text[1], STOP];
    let (response, foreign) = fold(stream_laws(&AnthropicMessages, &sse(&events), Framing::Sse)).unwrap();
    assert_eq!((told(&response), foreign.len(), response.usage), (vec!["text a".to_owned()], 1, None));
    // No number, no name of the event, content in the start.
    let start = r#"{"type":"message_start","message":{"content":[{"type":"text","text":"a"}]}}"#;
    let opens = r#"{"type":"content_block_start","content_block":{"type":"text","text":""}}"#;
    let grows = r#"{"type":"content_block_delta","delta":{"type":"text_delta","text":"b"}}"#;
    let stream: String =
        [start, opens, grows, STOP].iter().map(|event| format!("data: {event}\n\n")).collect();
    let (response, _) = fold(stream_laws(&AnthropicMessages, stream.as_bytes(), Framing::Sse)).unwrap();
    assert_eq!(told(&response), ["text a", "text b"]);
}

#[test]
fn a_cut_is_no_stop() {
    let text = [opens(0, TEXT), says(0, "hi")];
    for events in [&[][..], &[START], &[START, &text[0], &text[1]], &[START, &text[0], &text[1], END]] {
        assert_eq!(failure(&sse(events)).0, FaultKind::UpstreamCut);
    }
}

#[test]
fn a_failure_inside_a_stream_is_told() {
    let text = [opens(0, TEXT), says(0, "hi")];
    let check = |last: &str, kind, message: &str| {
        let stream = sse(&[START, &text[0], &text[1], last, STOP]);
        assert_eq!(failure(&stream), (kind, message.to_owned(), vec!["text hi".to_owned()]));
    };
    let overloaded = r#"{"type":"error","error":{"type":"overloaded_error","message":"m"},"request_id":"r"}"#;
    check(overloaded, FaultKind::UpstreamOverloaded, "m");
    check(r#"{"type":"error","error":{"type":"api_error","message":"m"}}"#, FaultKind::UpstreamError, "m");
    check(r#"{"error":{"message":"m"}}"#, FaultKind::UpstreamError, "m");
    check(r#"{"type":"error","message":"m"}"#, FaultKind::UpstreamError, "m");
    let named = "event: error\ndata: out of memory\n\n";
    let events = stream_laws(&AnthropicMessages, named.as_bytes(), Framing::Sse);
    assert!(matches!(&events[..], [Event::Fault(_)]), "{events:?}");
}

#[test]
fn a_frame_that_cannot_be_read_ends_in_a_fault() {
    let no_delta = r#"{"type":"content_block_delta","index":0}"#;
    let no_text = opens(0, r#"{"type":"text"}"#);
    for data in ["{", "[1]", r#"{"type":7}"#, no_delta, &no_text] {
        let mut decoder = AnthropicMessages.decoder();
        let mut out = Vec::new();
        assert!(decoder.push(Frame { event: None, data }, &mut out).is_err(), "{data}");
        decoder.push(Frame { event: None, data: STOP }, &mut out).expect("it is ignored");
        decoder.finish(&mut out);
        let Some(Event::Fault(fault)) = out.last() else { panic!("{out:?}") };
        assert_eq!(fault.kind, FaultKind::UpstreamMalformed);
    }
}

#[test]
fn what_grows_has_a_bound() {
    let mut decoder = AnthropicMessages.decoder();
    let mut out = Vec::new();
    let mut push = |data: &str| decoder.push(Frame { event: None, data }, &mut out);
    assert!((0..64).all(|_| push(r#"{"type":"weather"}"#).is_ok()));
    assert!(push(r#"{"type":"weather"}"#).is_err());
    let mut decoder = AnthropicMessages.decoder();
    let mut push = |data: &str| decoder.push(Frame { event: None, data }, &mut out);
    assert!((0..1024).all(|index| push(&opens(index, TEXT)).is_ok()));
    assert!(push(&opens(1024, TEXT)).is_err());
}

#[test]
fn hostile_frames_are_read_or_refused() {
    let whole = r#"{"type":"message_start","message":{"type":"message","content":[{"type":"text","text":"a","citations":[{"url":"x"}]},{"type":"tool_use","id":"x","name":"f","input":{}}],"usage":{"input_tokens":3}}}"#;
    let delta = grows(0, r#"{"type":"text_delta","text":"a"}"#);
    for event in [whole, &delta, &opens(0, r#"{"type":"thinking","thinking":"t","signature":"s"}"#), END] {
        for at in 0..event.len() {
            for hostile in ["null", "7", "\"", "[", "}", ""] {
                let data = format!("{}{hostile}{}", &event[..at], &event[at + 1..]);
                one_hostile(data.trim());
            }
        }
    }
}

fn one_hostile(data: &str) {
    let frame = Frame { event: None, data };
    let mut meter = AnthropicMessages.meter(Operation::Generate);
    meter.frame(frame);
    meter.whole(data);
    let mut out = Vec::new();
    let mut decoder = AnthropicMessages.decoder();
    let _ = decoder.push(frame, &mut out);
    decoder.finish(&mut out);
    let mut grammar = Grammar::default();
    out.iter().try_for_each(|event| grammar.take(event)).and_then(|()| grammar.finish()).expect("a grammar");
    let _ = AnthropicMessages.decode_response(data);
    AnthropicMessages.decode_fault(500, data.as_bytes());
}
