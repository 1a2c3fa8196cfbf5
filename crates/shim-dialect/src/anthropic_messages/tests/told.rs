//! Streams that are written, as they are seldom recorded.

use proptest::prelude::*;
use shim_ir::{
    Citation, Delta, Event, Executor, Fault, FaultKind, Finish, FinishReason, Loss, Opaque, OpaqueKind, Part,
    PartId, Reasoning, Request, Rest, Start, Text, Tokens, ToolCall, ToolCallKind, Usage,
};
use shim_wire::RawJson;
use shim_wire::frame::Framing;

use super::encode::{is_legal, told_alike};
use crate::Encode as _;
use crate::anthropic_messages::AnthropicMessages;
use crate::laws::{asker, encoded_stream};

pub(super) fn open(id: u32, part: Part) -> Event {
    Event::PartStart { id: PartId(id), candidate: 0, part }
}

pub(super) fn grow(id: u32, delta: Delta) -> Event {
    Event::PartDelta { id: PartId(id), delta }
}

pub(super) fn says(id: u32, text: &str) -> Event {
    grow(id, Delta::Text(text.into()))
}

pub(super) fn thinks(id: u32, piece: usize, text: &str) -> Event {
    grow(id, Delta::Reasoning { piece, text: text.into() })
}

pub(super) fn with(id: u32, arguments: &str) -> Event {
    grow(id, Delta::Arguments(arguments.into()))
}

pub(super) fn end(id: u32) -> Event {
    Event::PartEnd { id: PartId(id) }
}

pub(super) fn text() -> Part {
    Part::Text(Text::default())
}

pub(super) fn reasoning() -> Part {
    Part::Reasoning(Reasoning::default())
}

pub(super) fn call(id: &str, name: &str, kind: ToolCallKind, arguments: &str) -> ToolCall {
    ToolCall {
        id: id.into(),
        item: None,
        name: name.into(),
        arguments: arguments.into(),
        kind,
        executor: Executor::Client,
        opaque: vec![],
        cache: None,
        rest: Rest::default(),
    }
}

pub(super) fn function(id: &str) -> Part {
    Part::ToolCall(call(id, "f", ToolCallKind::Function, ""))
}

/// A whole stream of these events between its start and its end.
pub(super) fn all(events: Vec<Event>) -> Vec<Event> {
    let finish = Finish { reason: FinishReason::Stop, words: Some("stop".into()), sequence: None };
    let mut all = vec![Event::Start(Start::default())];
    all.extend(events);
    all.push(Event::Finish(vec![Some(finish)]));
    all
}

/// The events of the blocks, one in a line: what is opened, what is added, and `.` for an end; and what was lost.
#[track_caller]
fn told(events: Vec<Event>) -> (Vec<String>, Vec<String>) {
    let (_, lines, losses) = written(&all(events));
    (lines, losses.iter().map(|loss| format!("{} {}", loss.path, loss.kind.name())).collect())
}

/// A stream, the events of its blocks as [`told`] has them, and what was lost.
#[track_caller]
pub(super) fn written(events: &[Event]) -> (String, Vec<String>, Vec<Loss>) {
    let request = Request::default();
    let (mut encoder, mut out) = (AnthropicMessages.encoder(&asker(&request, Framing::Sse)), Vec::new());
    events.iter().for_each(|event| encoder.push(event, &mut out));
    let stream = String::from_utf8(out).unwrap();
    is_legal(&stream);
    let line = |frame: &str| {
        let data: serde_json::Value = serde_json::from_str(frame.split_once("data: ")?.1).unwrap();
        Some(match data["type"].as_str()? {
            "content_block_start" => data["content_block"]["type"].as_str()?.to_owned(),
            "content_block_stop" => ".".to_owned(),
            "content_block_delta" => {
                let delta = data["delta"].as_object()?;
                let (_, added) = delta.iter().find(|(key, _)| *key != "type")?;
                added.as_str().map_or_else(|| added["url"].to_string(), str::to_owned)
            }
            "message_delta" => data["delta"]["stop_reason"].as_str()?.to_owned(),
            _ => return None,
        })
    };
    let lines = stream.split("\n\n").filter_map(line).collect();
    (stream, lines, encoder.losses().to_vec())
}

#[track_caller]
fn check(events: Vec<Event>, wanted: &[&str], lost: &[&str]) {
    assert_eq!(
        told(events.clone()),
        (
            wanted.iter().map(|line| (*line).to_owned()).collect(),
            lost.iter().map(|line| (*line).to_owned()).collect(),
        )
    );
    told_alike(&all(events));
}

const NONE: &[&str] = &["usage defaulted"];

#[test]
fn blocks_open_when_there_is_something_to_tell() {
    let empty = Part::Text(Text {
        opaque: vec![Opaque { kind: OpaqueKind::ThoughtSignature, value: "s".into() }],
        ..Text::default()
    });
    let lost = ["candidates[0].parts[1].opaque dropped", "usage defaulted"];
    let events = vec![open(0, text()), says(0, "a"), open(1, empty), end(1), says(0, "b"), end(0)];
    check(events, &["text", "a", "b", ".", "end_turn"], &lost);
    check(vec![open(0, text()), end(0)], &["text", ".", "end_turn"], NONE);
    check(vec![], &["end_turn"], NONE);
}

#[test]
fn text_and_reasoning_leave_at_once() {
    let events = vec![
        open(0, reasoning()),
        open(1, text()),
        thinks(0, 0, "th"),
        says(1, "an"),
        thinks(0, 0, "ought"),
        says(1, "swer"),
        end(0),
        end(1),
    ];
    let wanted =
        ["thinking", "th", ".", "text", "an", ".", "thinking", "ought", ".", "text", "swer", ".", "end_turn"];
    check(events, &wanted, NONE);
}

#[test]
fn calls_wait_for_one_another() {
    let events = vec![
        open(0, function("x")),
        with(0, "{\"a\":"),
        open(1, function("y")),
        with(1, "{}"),
        open(2, text()),
        says(2, "hm"),
        end(2),
        with(0, "\"}\"}"),
        with(1, " "),
        end(0),
        end(1),
    ];
    let wanted = ["tool_use", "{\"a\":", "\"}\"}", ".", "tool_use", "{}", ".", "text", "hm", ".", "tool_use"];
    check(events, &wanted, NONE);
}

#[test]
fn a_complete_call_lets_others_pass() {
    let events = vec![
        open(0, function("x")),
        with(0, "{\"a\":[1]}"),
        open(1, function("y")),
        with(1, "{\"b\":2}"),
        end(0),
        end(1),
    ];
    let wanted = ["tool_use", "{\"a\":[1]}", ".", "tool_use", "{\"b\":2}", ".", "tool_use"];
    check(events, &wanted, NONE);
}

#[test]
fn a_call_is_to_be_run_whatever_comes_last() {
    let events = vec![open(0, function("x")), with(0, "{}"), end(0), open(1, text()), says(1, "so"), end(1)];
    check(events, &["tool_use", "{}", ".", "text", "so", ".", "tool_use"], NONE);
}

#[test]
fn free_text_is_told_as_arguments() {
    let custom = Part::ToolCall(call("x", "f", ToolCallKind::Custom, ""));
    let events = vec![open(0, custom), with(0, "a \"b\""), open(1, text()), says(1, "c"), end(0), end(1)];
    let (lines, _) = told(events);
    assert_eq!(lines, ["tool_use", r#"{"input":"a \"b\""}"#, ".", "text", "c", ".", "tool_use"]);
}

#[test]
fn a_whole_part_adds_what_is_missing() {
    let whole = |id, part| grow(id, Delta::Whole(Box::new(part)));
    let cited = Text {
        citations: vec![Citation { url: Some("https://a".into()), ..Citation::default() }],
        ..Text::new("abc")
    };
    let events = vec![open(0, text()), says(0, "ab"), whole(0, Part::Text(cited)), end(0)];
    check(events, &["text", "ab", "c", "\"https://a\"", ".", "end_turn"], NONE);
    let thought = Reasoning { text: vec!["a".into(), "b".into()], ..Reasoning::default() };
    let events = vec![open(0, reasoning()), thinks(0, 0, "a"), whole(0, Part::Reasoning(thought)), end(0)];
    check(events, &["thinking", "a", "\n\nb", ".", "end_turn"], NONE);
    let full = Part::ToolCall(call("x", "f", ToolCallKind::Function, "{\"a\":1}"));
    let events = vec![open(0, function("x")), with(0, "{\"a\""), whole(0, full), end(0)];
    check(events, &["tool_use", "{\"a\"", ":1}", ".", "tool_use"], NONE);
    let other = vec![open(0, text()), says(0, "ab"), whole(0, Part::Text(Text::new("xyz"))), end(0)];
    let (lines, lost) = told(other);
    assert_eq!(lines, ["text", "ab", ".", "end_turn"]);
    assert_eq!(lost, ["candidates[0].parts[0] approximated", "usage defaulted"]);
}

#[test]
fn a_citation_of_a_span_is_of_its_block_and_that_is_told() {
    let cited =
        Citation { url: Some("https://a".into()), start: Some(1), end: Some(2), ..Citation::default() };
    let events = vec![open(0, text()), says(0, "abc"), grow(0, Delta::Citation(cited.clone())), end(0)];
    let lost = "candidates[0].parts[0].citations.start approximated";
    check(events, &["text", "abc", "\"https://a\"", ".", "end_turn"], &[lost, "usage defaulted"]);
    let part = Part::Text(Text { citations: vec![cited], ..Text::new("abc") });
    let candidate = shim_ir::Candidate { parts: vec![part], ..shim_ir::Candidate::default() };
    let answer = shim_ir::Response { candidates: vec![candidate], ..shim_ir::Response::default() };
    let request = Request::default();
    let whole = AnthropicMessages.encode_response(&answer, &asker(&request, Framing::Sse));
    let told: Vec<_> =
        whole.losses.iter().map(|loss| format!("{} {}", loss.path, loss.kind.name())).collect();
    assert!(told.contains(&lost.to_owned()), "{told:?}");
}

#[test]
fn pieces_of_reasoning_are_apart() {
    let events = vec![open(0, reasoning()), thinks(0, 0, "a"), thinks(0, 0, "b"), thinks(0, 1, "c"), end(0)];
    check(events, &["thinking", "a", "b", "\n\n", "c", ".", "end_turn"], NONE);
    let summary = |text: &str| grow(0, Delta::Summary { piece: 0, text: text.into() });
    check(vec![open(0, reasoning()), summary("s"), end(0)], &["thinking", "s", ".", "end_turn"], NONE);
}

#[test]
fn signatures_come_last() {
    let sign = |kind, value: &str| grow(0, Delta::Opaque { kind, value: value.into(), append: false });
    let events = vec![
        open(0, reasoning()),
        sign(OpaqueKind::Signature, "s"),
        thinks(0, 0, "a"),
        sign(OpaqueKind::Redacted, "d"),
        sign(OpaqueKind::Encrypted, "e"),
        end(0),
    ];
    let lost = ["candidates[0].parts[0].opaque dropped", "usage defaulted"];
    let (lines, told_lost) = told(events);
    assert_eq!(lines, ["thinking", "a", "s", ".", "redacted_thinking", ".", "end_turn"]);
    assert_eq!(told_lost, lost);
}

#[test]
fn what_has_no_place_is_told() {
    let second = Event::PartStart { id: PartId(1), candidate: 1, part: text() };
    let provider = ToolCall {
        executor: Executor::Provider,
        ..call("x", "web_search", ToolCallKind::Native("web_search_call".into()), "{}")
    };
    let logprobs = grow(0, Delta::Logprobs(RawJson::parse("[]").unwrap()));
    let events = vec![
        open(0, text()),
        says(0, "a"),
        logprobs.clone(),
        logprobs,
        second,
        says(1, "b"),
        end(0),
        end(1),
        open(2, Part::ToolCall(provider)),
        end(2),
    ];
    let (lines, lost) = told(events);
    assert_eq!(lines, ["text", "a", ".", "end_turn"]);
    let wanted = [
        "candidates[0].parts[0].logprobs dropped",
        "candidates[1] dropped",
        "candidates[0].parts[1] dropped",
        "usage defaulted",
    ];
    assert_eq!(lost, wanted);
}

#[test]
fn usage_that_comes_first_is_told_first() {
    let used = |output: u64| {
        Event::Usage(Usage { input_uncached: Tokens(3), output_text: Tokens(output), ..Usage::default() })
    };
    let events = all(vec![used(1), open(0, text()), says(0, "a"), end(0), used(9)]);
    let request = Request::default();
    let stream = encoded_stream(&AnthropicMessages, &asker(&request, Framing::Sse), &events);
    let counts: Vec<_> = stream.matches("\"input_tokens\":3").collect();
    assert_eq!((counts.len(), stream.matches("\"output_tokens\":9").count()), (2, 1), "{stream}");
    told_alike(&events);
}

#[test]
fn a_fault_is_the_last_event() {
    let fault = || Event::Fault(Fault::new(FaultKind::UpstreamCut, "cut"));
    let request = Request::default();
    let stream =
        |events: &[Event]| encoded_stream(&AnthropicMessages, &asker(&request, Framing::Sse), events);
    let alone = stream(&[fault(), fault()]);
    assert_eq!(alone.matches("event: error").count(), 1);
    is_legal(&alone);
    let begun =
        stream(&[Event::Start(Start::default()), open(0, text()), says(0, "a"), fault(), says(0, "b")]);
    is_legal(&begun);
    assert!(
        begun.contains("\"text\":\"a\"") && !begun.contains("\"b\"") && begun.ends_with("\n\n"),
        "{begun}"
    );
    assert!(!begun.contains("message_stop"), "{begun}");
}

#[test]
fn values_over_several_lines_stay_in_one_frame() {
    let raw = RawJson::parse("{\"type\":\"container_upload\",\n \"file_id\":\"f\"}").unwrap();
    let foreign =
        shim_ir::Foreign { dialect: shim_ir::Dialect::Anthropic, kind: "container_upload".into(), raw };
    let (lines, _) = told(vec![open(0, Part::Foreign(foreign)), end(0)]);
    assert_eq!(lines, ["container_upload", ".", "end_turn"]);
}

#[test]
fn why_an_answer_ended_is_told() {
    let check = |reason: FinishReason, words: &str, calls: bool, wanted: &str| {
        let part = if calls { function("x") } else { text() };
        let finish = Finish { reason: reason.clone(), words: Some(words.into()), sequence: None };
        let events =
            [Event::Start(Start::default()), open(0, part), end(0), Event::Finish(vec![Some(finish)])];
        let request = Request::default();
        let stream = encoded_stream(&AnthropicMessages, &asker(&request, Framing::Sse), &events);
        assert!(stream.contains(&format!("\"stop_reason\":\"{wanted}\"")), "{reason:?} {calls}: {stream}");
    };
    check(FinishReason::Stop, "stop", false, "end_turn");
    check(FinishReason::Stop, "stop", true, "tool_use");
    check(FinishReason::Other, "OTHER", true, "tool_use");
    check(FinishReason::ToolCalls, "tool_calls", true, "tool_use");
    check(FinishReason::ToolCalls, "tool_calls", false, "end_turn");
    check(FinishReason::Length, "length", true, "max_tokens");
    check(FinishReason::Length, "model_context_window_exceeded", false, "model_context_window_exceeded");
    check(FinishReason::Filter, "SAFETY", false, "refusal");
    check(FinishReason::Refusal, "refusal", false, "refusal");
    check(FinishReason::Pause, "pause_turn", false, "pause_turn");
    check(FinishReason::BadToolCall, "MALFORMED_FUNCTION_CALL", false, "end_turn");
    check(FinishReason::Sequence, "stop", false, "stop_sequence");
}

#[test]
fn an_idle_connection_is_kept() {
    let request = Request::default();
    let ping = AnthropicMessages.encoder(&asker(&request, Framing::Sse)).keep_alive().unwrap();
    assert!(ping.starts_with(b"event: ping\ndata: {") && ping.ends_with(b"\n\n"));
}

#[test]
fn paths_are_named_in_this_dialects_words() {
    for (path, wanted) in [
        ("turns[2].parts[0].cache", "messages[2].content[0].cache_control"),
        ("tools[1].parameters", "tools[1].input_schema"),
        ("sampling.output_max", "max_tokens"),
        ("sampling.stop[1]", "stop_sequences[1]"),
        ("sampling.top_k", "top_k"),
        ("reasoning.budget", "thinking.budget_tokens"),
        ("output.schema", "output_config.format.schema"),
        ("output.name", "output_config.format.name"),
        ("candidates[0].parts[1].arguments", "content[1].input"),
        ("candidates[0].parts[1].opaque", "content[1].signature"),
        ("context_management", "context_management"),
    ] {
        assert_eq!(AnthropicMessages.name_path(path), wanted);
    }
    for path in [
        "turns[1].apart",
        "turns[0].parts[1].caller",
        "turns[0].parts[1].id",
        "tools[0].defer_loading",
        "user",
    ] {
        assert!(AnthropicMessages.is_bookkeeping(path), "{path}");
    }
    for path in ["turns[1].parts[0]", "turns[1].output_config", "context_management", "tools[0].type"] {
        assert!(!AnthropicMessages.is_bookkeeping(path), "{path}");
    }
}

/// Events in the order of the grammar, by what a list of numbers says: parts of three kinds that begin, grow and end at
/// will.
fn any_events(steps: &[(u8, u8)]) -> Vec<Event> {
    let (mut events, mut running, mut next) = (Vec::new(), Vec::new(), 0);
    let finish = |(id, kind): (u32, u8), events: &mut Vec<Event>| {
        if kind == 2 {
            events.push(with(id, "\"}"));
        }
        events.push(end(id));
    };
    for (what, which) in steps {
        match (what % 4, running.len()) {
            (0, _) | (_, 0) => {
                let part = match which % 3 {
                    0 => text(),
                    1 => reasoning(),
                    _ => Part::ToolCall(call(&format!("c{next}"), "f", ToolCallKind::Function, "{\"a\":\"")),
                };
                events.push(open(next, part));
                running.push((next, which % 3));
                next += 1;
            }
            (3, several) => finish(running.remove(usize::from(*which) % several), &mut events),
            (_, several) => {
                let (id, kind) = running[usize::from(*which) % several];
                let word = format!("{which} ");
                events.push(match kind {
                    0 => says(id, &word),
                    1 => thinks(id, 0, &word),
                    _ => with(id, &word),
                });
            }
        }
    }
    running.into_iter().for_each(|part| finish(part, &mut events));
    all(events)
}

proptest! {
    /// Law: whatever comes, in whatever order, the stream is legal and says all of it.
    #[test]
    fn any_order_is_told_in_a_legal_one(steps in prop::collection::vec((any::<u8>(), any::<u8>()), 0..60)) {
        let events = any_events(&steps);
        let request = Request::default();
        let stream = encoded_stream(&AnthropicMessages, &asker(&request, Framing::Sse), &events);
        is_legal(&stream);
        let told = crate::laws::events(&AnthropicMessages, &[stream.as_bytes()], Framing::Sse);
        let sorted = |events: Vec<Event>| {
            let (response, _) = shim_ir::fold(events).unwrap();
            let said = super::encode::said(&response.candidates.first().cloned().unwrap_or_default().parts);
            let words = |text: &str| {
                let mut words: Vec<_> = text.chars().filter(|c| !c.is_whitespace()).collect();
                words.sort_unstable();
                words
            };
            let mut calls = said.calls;
            calls.sort();
            (words(&said.text), words(&said.reasoning), calls)
        };
        prop_assert_eq!(sorted(told), sorted(events), "{}", stream);
    }
}
