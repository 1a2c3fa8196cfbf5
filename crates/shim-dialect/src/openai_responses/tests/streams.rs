//! Streams: what is told piece by piece, told twice, told late or not at all.

use shim_ir::{Delta, Event, FaultKind, FinishReason, Response, fold};
use shim_wire::frame::Framing;

use super::{OpenaiResponses, failure, told};
use crate::laws::stream_laws;

const CREATED: &str = r#"{"type":"response.created","response":{"id":"r","model":"m","created_at":1,"status":"in_progress","service_tier":"auto","output":[],"usage":null}}"#;

fn stream(events: &[&str]) -> String {
    events.iter().map(|event| format!("data: {event}\n\n")).collect()
}

/// The answer that `events` tell between a beginning and an end that holds `output`.
#[track_caller]
fn answer(events: &[&str], output: &str) -> Response {
    let end = format!(
        r#"{{"type":"response.completed","response":{{"id":"r","model":"m","created_at":1,"status":"completed","service_tier":"default","output":{output},"usage":{{"input_tokens":5,"output_tokens":7,"total_tokens":12,"input_tokens_details":{{"cached_tokens":2}},"output_tokens_details":{{"reasoning_tokens":3}}}}}}}}"#
    );
    let all: Vec<_> = std::iter::once(CREATED).chain(events.iter().copied()).chain([end.as_str()]).collect();
    fold(stream_laws(&OpenaiResponses, stream(&all).as_bytes(), Framing::Sse)).expect("a clean stream").0
}

#[test]
fn text_told_in_every_way_is_told_once() {
    let item = r#"{"type":"message","id":"i","role":"assistant","status":"completed","content":[{"type":"output_text","text":"Hello","annotations":[]}]}"#;
    let whole = format!("[{item}]");
    let added = r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"message","id":"i","role":"assistant","status":"in_progress","content":[]}}"#;
    let part = r#"{"type":"response.content_part.added","output_index":0,"item_id":"i","content_index":0,"part":{"type":"output_text","text":"","annotations":[]}}"#;
    let delta = r#"{"type":"response.output_text.delta","output_index":0,"item_id":"i","content_index":0,"delta":"Hel"}"#;
    let all = r#"{"type":"response.output_text.done","output_index":0,"item_id":"i","content_index":0,"text":"Hello"}"#;
    let done = format!(r#"{{"type":"response.output_item.done","output_index":0,"item":{item}}}"#);
    let cases: [&[&str]; 6] = [
        &[added, part, delta, all, &done],
        &[added, part, delta],
        &[added, delta, &done],
        &[delta, all],
        &[&done],
        &[],
    ];
    for events in cases {
        let response = answer(events, &whole);
        assert_eq!(told(&response), ["text[0] Hello"], "{events:?}");
        assert_eq!(response.candidates[0].finish.as_ref().unwrap().reason, FinishReason::Stop);
        assert_eq!(response.rest.get("service_tier").unwrap().get(), r#""default""#);
    }
    // A provider whose last event leaves the output out.
    assert_eq!(told(&answer(&[added, part, delta, all], "[]")), ["text[0] Hello"]);
}

#[test]
fn calls_grow_beside_each_other_and_keep_their_order() {
    let call = |id: &str, at: u8, arguments: &str| {
        format!(
            r#"{{"type":"response.output_item.added","output_index":{at},"item":{{"type":"function_call","id":"f{id}","call_id":"{id}","name":"n{id}","arguments":"{arguments}","status":"in_progress"}}}}"#
        )
    };
    let more = |id: &str, at: u8, delta: &str| {
        format!(
            r#"{{"type":"response.function_call_arguments.delta","output_index":{at},"item_id":"f{id}","delta":"{delta}"}}"#
        )
    };
    let events =
        [call("a", 0, ""), call("b", 1, ""), more("b", 1, "{}"), more("a", 0, "[1"), more("a", 0, ",2]")];
    let events: Vec<_> = events.iter().map(String::as_str).collect();
    let response = answer(&events, "[]");
    assert_eq!(told(&response), ["call a na [1,2]", "call b nb {}"]);
    assert_eq!(response.candidates[0].finish.as_ref().unwrap().reason, FinishReason::ToolCalls);
}

#[test]
fn an_end_that_differs_is_believed() {
    let added = r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","id":"f","call_id":"c","name":"n","arguments":""}}"#;
    let delta = r#"{"type":"response.function_call_arguments.delta","output_index":0,"delta":"{\"a\":"}"#;
    let done = r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"function_call","id":"other","call_id":"c2","name":"n","arguments":"{\"b\":1}"}}"#;
    assert_eq!(told(&answer(&[added, delta, done], "[]")), [r#"call c2 n {"b":1}"#]);
}

#[test]
fn reasoning_is_told_in_pieces_and_its_opaque_state_once() {
    let added = r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"reasoning","id":"rs","summary":[],"encrypted_content":"early"}}"#;
    let one = r#"{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":0,"delta":"one"}"#;
    let two = r#"{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":1,"delta":"two"}"#;
    let text =
        r#"{"type":"response.reasoning_text.delta","output_index":0,"content_index":0,"delta":"think"}"#;
    let done = r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","id":"rs","summary":[{"type":"summary_text","text":"one"},{"type":"summary_text","text":"two"}],"content":[{"type":"reasoning_text","text":"think"}],"encrypted_content":"late"}}"#;
    let response = answer(&[added, one, two, text, done], "[]");
    assert_eq!(told(&response), [r#"reasoning ["think"] ["one", "two"] Encrypted=late"#]);
    let usage = response.usage.unwrap();
    assert_eq!(
        (usage.input_uncached.0, usage.cache_read.0, usage.output_text.0, usage.reasoning.0),
        (3, 2, 4, 3)
    );
}

#[test]
fn reasoning_that_was_not_announced_is_no_message() {
    let part = r#"{"type":"response.content_part.added","output_index":0,"content_index":0,"part":{"type":"reasoning_text","text":""}}"#;
    let text =
        r#"{"type":"response.reasoning_text.delta","output_index":0,"content_index":0,"delta":"think"}"#;
    assert_eq!(told(&answer(&[part, text], "[]")), [r#"reasoning ["think"] [] "#]);
}

#[test]
fn a_citation_grows_its_text() {
    let part = r#"{"type":"response.content_part.added","output_index":0,"content_index":0,"part":{"type":"output_text","text":"","annotations":[]}}"#;
    let cited = r#"{"type":"response.output_text.annotation.added","output_index":0,"content_index":0,"annotation_index":0,"annotation":{"type":"url_citation","url":"http://a","start_index":0,"end_index":1}}"#;
    assert_eq!(told(&answer(&[part, cited], "[]")), ["text[1] "]);
}

#[test]
fn what_is_not_known_is_kept() {
    let events = stream(&[
        r#"{"type":"vendor.early","a":1}"#,
        CREATED,
        r#"{"type":"response.web_search_call.searching","output_index":0,"item_id":"w"}"#,
        r#"{"type":"response.output_text.delta","delta":"x","vendor":true}"#,
        r#"{"type":"response.output_audio.delta","delta":"AAAA"}"#,
        r#"{"type":"response.completed","response":{"id":"r","status":"completed","output":[]}}"#,
    ]);
    let (response, foreign) = fold(stream_laws(&OpenaiResponses, events.as_bytes(), Framing::Sse)).unwrap();
    let kinds: Vec<_> = foreign.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(
        kinds,
        ["vendor.early", "response.web_search_call.searching", "beside", "response.output_audio.delta"]
    );
    assert_eq!(told(&response), ["text[0] x"]);
}

#[test]
fn a_failure_and_a_cut_are_faults() {
    let delta = r#"{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"half"}"#;
    let so_far = vec!["text[0] half".to_owned()];
    let failed = r#"{"type":"response.failed","response":{"id":"r","status":"failed","error":{"code":"rate_limit_exceeded","message":"slow"}}}"#;
    let told = r#"{"type":"error","code":"server_error","message":"down","param":null}"#;
    let bare = r#"{"error":{"message":"bare","code":"server_error"}}"#;
    let cases = [
        (failed, FaultKind::RateLimited, "slow"),
        (told, FaultKind::UpstreamError, "down"),
        (bare, FaultKind::UpstreamError, "bare"),
        ("[DONE]", FaultKind::UpstreamCut, "the upstream closed the stream before the answer was complete"),
    ];
    for (event, kind, message) in cases {
        assert_eq!(failure(&stream(&[CREATED, delta, event])), (kind, message.to_owned(), so_far.clone()));
    }
    assert_eq!(failure("").0, FaultKind::UpstreamCut);
}

#[test]
fn an_incomplete_answer_says_why() {
    let end = r#"{"type":"response.incomplete","response":{"id":"r","model":"m","status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[]}}"#;
    let events = stream_laws(&OpenaiResponses, stream(&[CREATED, end]).as_bytes(), Framing::Sse);
    let Some(Event::Finish(finish)) = events.last() else { panic!("{events:?}") };
    assert_eq!(finish[0].as_ref().unwrap().reason, FinishReason::Length);
}

#[test]
fn deltas_leave_when_they_come() {
    let delta = r#"{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"now"}"#;
    let mut decoder = crate::Decode::decoder(&OpenaiResponses);
    let mut out = Vec::new();
    for data in [CREATED, delta] {
        decoder.push(shim_wire::frame::Frame { event: None, data }, &mut out).unwrap();
    }
    assert!(matches!(out.last(), Some(Event::PartDelta { delta: Delta::Text(text), .. }) if text == "now"));
}
