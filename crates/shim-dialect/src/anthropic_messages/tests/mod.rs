//! The corpus and recorded traffic, and the laws they obey.

mod answers;
mod asked;
mod edges;
mod encode;
mod losses;
mod oddities;
mod requests;
mod streams;
mod told;

use shim_ir::{Executor, FaultKind, FoldError, OpaqueKind, Part, Response, Usage, fold};
use shim_testkit::corpus::Case;
use shim_testkit::recordings::Recording;
use shim_wire::frame::Framing;

use super::AnthropicMessages;
use crate::laws::{
    as_stream, each, lane_laws, own, recorded, request_laws, request_round_trip, stream_laws,
    stream_round_trip, whole_laws, whole_round_trip,
};
use crate::{AnswerError, Codec, Decode, Operation, Route};

const FAMILIES: [&str; 2] = ["anthropic.messages", "anthropic.count_tokens"];

fn route_for(operation: Operation) -> Route {
    Route { operation, model: None, stream: false, framing: Framing::Sse, query: None }
}

fn operation(recording: &Recording) -> Operation {
    if recording.family == "anthropic.count_tokens" { Operation::CountTokens } else { Operation::Generate }
}

/// The answer, folded where it was streamed.
fn answer(recording: &Recording) -> Response {
    let Some((framing, stream)) = as_stream(recording) else {
        let response = whole_laws(&AnthropicMessages, &recording.response.body);
        whole_round_trip(&AnthropicMessages, &response);
        return response;
    };
    let events = stream_laws(&AnthropicMessages, stream.as_bytes(), framing);
    stream_round_trip(&AnthropicMessages, framing, &events);
    let (response, foreign) = fold(events).expect("a clean stream");
    assert_eq!(foreign, [], "an event or a member of one that is not known");
    response
}

fn check_recording(recording: &Recording) {
    let status = recording.response.status.or(recording.status).unwrap_or(200);
    if let Some(request) = &recording.request {
        let route = route_for(operation(recording));
        let decoded = request_laws(&AnthropicMessages, &route, &request.body);
        nothing_is_lost(&request.body, &format!("{decoded:?}"));
        // What Anthropic refuses need not be said to it again.
        if status < 400 {
            request_round_trip(&AnthropicMessages, &route, &decoded);
        }
    }
    if status >= 400 {
        let fault = AnthropicMessages.decode_fault(status, recording.response.body.as_bytes());
        assert_eq!(fault.status, Some(status));
        assert!(!fault.message.starts_with('{'), "{fault}");
    } else if operation(recording) == Operation::Generate {
        let response = answer(recording);
        totals_add_up(&response);
        nothing_known_is_foreign(&response);
        if as_stream(recording).is_none() {
            nothing_is_lost(&recording.response.body, &format!("{response:?}"));
        }
    }
}

/// Law: every text of a body is somewhere in what is decoded of it, but for words that became a term.
#[track_caller]
fn nothing_is_lost(body: &str, decoded: &str) {
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    let mut open = vec![("", &body)];
    while let Some((key, value)) = open.pop() {
        match value {
            serde_json::Value::Array(list) => open.extend(list.iter().map(|value| (key, value))),
            serde_json::Value::Object(members) => {
                open.extend(members.iter().map(|(key, value)| (key.as_str(), value)));
            }
            serde_json::Value::String(text) if !["type", "role", "effort"].contains(&key) => {
                let json = value.to_string();
                let mut spelled = [format!("{text:?}"), json.clone(), format!("{json:?}")].into_iter();
                let inner = |quoted: String| quoted.trim_matches(['"', '\\']).to_owned();
                assert!(spelled.any(|spelled| decoded.contains(&inner(spelled))), "{key} {text:?} is lost");
            }
            _ => {}
        }
    }
}

/// Law: the classes add up to what the upstream says, with its compactions, which it leaves out of its own sum.
#[track_caller]
fn totals_add_up(response: &Response) {
    let usage = response.usage.as_ref().expect("a usage");
    let words: serde_json::Value = serde_json::from_str(usage.words.as_ref().unwrap().get()).unwrap();
    let sum = |counts: &serde_json::Value| -> u64 {
        ["input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens"]
            .iter()
            .filter_map(|count| counts[count].as_u64())
            .sum()
    };
    let iterations = words["iterations"].as_array().cloned().unwrap_or_default();
    let compactions: u64 = iterations.iter().filter(|i| i["type"] == "compaction").map(sum).sum();
    assert_eq!((usage.input_total() + usage.output_total()).0, sum(&words) + compactions, "{words}");
}

#[track_caller]
fn nothing_known_is_foreign(response: &Response) {
    for part in response.candidates.iter().flat_map(|candidate| &candidate.parts) {
        assert!(!matches!(part, Part::Foreign(block) if block.kind != "compaction"), "{part:?}");
    }
}

#[test]
fn recorded_traffic_obeys_the_laws() {
    let Some(recordings) = recorded(&FAMILIES) else { return };
    each(&recordings, |recording| recording.id.clone(), check_recording);
}

#[test]
fn recorded_traffic_obeys_the_laws_of_the_lane() {
    lane_laws(&AnthropicMessages, &FAMILIES, &[], |_| None);
}

fn check_case(case: &Case) {
    let body = std::str::from_utf8(&case.answer).unwrap_or_default();
    if let Some(request) = &case.request {
        let route = route_for(Operation::Generate);
        let decoded = request_laws(&AnthropicMessages, &route, request);
        if case.meta.status < 400 {
            request_round_trip(&AnthropicMessages, &route, &decoded);
        }
    }
    if case.meta.status >= 400 {
        assert_eq!(
            AnthropicMessages.decode_fault(case.meta.status, &case.answer).status,
            Some(case.meta.status)
        );
    } else if case.streamed {
        let events = stream_laws(&AnthropicMessages, &case.answer, Framing::Sse);
        stream_round_trip(&AnthropicMessages, Framing::Sse, &events);
        assert_eq!(fold(events).is_ok(), !case.meta.malformed);
    } else if case.meta.malformed {
        assert!(AnthropicMessages.decode_response(body).is_err());
    } else {
        let response = whole_laws(&AnthropicMessages, body);
        whole_round_trip(&AnthropicMessages, &response);
        totals_add_up(&response);
    }
}

#[test]
fn our_own_cases_obey_the_laws() {
    each(&own("anthropic_messages"), |case| case.name.clone(), check_case);
}

/// The parts of the answer, in one line each.
fn told(response: &Response) -> Vec<String> {
    let parts = response.candidates.first().map(|candidate| &candidate.parts[..]).unwrap_or_default();
    parts.iter().map(part_told).collect()
}

fn part_told(part: &Part) -> String {
    match part {
        Part::Text(text) if text.citations.is_empty() => format!("text {}", text.text),
        Part::Text(text) => format!("text[{}] {}", text.citations.len(), text.text),
        Part::Reasoning(reasoning) => {
            let opaque: Vec<_> =
                reasoning.opaque.iter().map(|o| format!("{:?}={}", o.kind, o.value)).collect();
            format!("reasoning {}|{}", reasoning.text.concat(), opaque.join(" "))
        }
        Part::ToolCall(call) if call.executor == Executor::Client => {
            format!("call {} {} {}", call.id, call.name, call.arguments)
        }
        Part::ToolCall(call) => format!("{:?} {} {} {}", call.kind, call.id, call.name, call.arguments),
        Part::ServerResult(result) => format!("{} of {}", result.kind, result.call),
        Part::Foreign(block) => format!("foreign {} {}", block.kind, block.raw.get()),
        Part::Media(media) => format!("{:?} {:?}", media.kind, media.source),
        Part::Refusal(_) | Part::ToolResult(_) => format!("{part:?}"),
    }
}

/// `[input_uncached, cache_read, cache_write, cache_write_1h, output_text, reasoning]`.
fn classes(usage: Option<&Usage>) -> [u64; 6] {
    let usage = usage.cloned().unwrap_or_default();
    [
        usage.input_uncached.0,
        usage.cache_read.0,
        usage.cache_write.0,
        usage.cache_write_1h.0,
        usage.output_text.0,
        usage.reasoning.0,
    ]
}

/// The failure a stream ends in, and what was told until then.
#[track_caller]
fn failure(stream: &[u8]) -> (FaultKind, String, Vec<String>) {
    match fold(stream_laws(&AnthropicMessages, stream, Framing::Sse)) {
        Err(FoldError::Failed(fault, so_far)) => (fault.kind, fault.message, told(&so_far)),
        other => panic!("{other:?}"),
    }
}

/// The failure a whole answer tells of.
#[track_caller]
fn refused(body: &str) -> AnswerError {
    AnthropicMessages.decode_response(body).expect_err("no answer")
}

/// The kinds of opaque state in an answer.
fn opaque(response: &Response) -> Vec<OpaqueKind> {
    let parts = response.candidates.iter().flat_map(|candidate| &candidate.parts);
    let states = parts.filter_map(|part| if let Part::Reasoning(r) = part { Some(&r.opaque) } else { None });
    states.flatten().map(|opaque| opaque.kind).collect()
}
