//! The corpus and recorded traffic, and the laws they obey.

mod edges;
mod encode;
mod keep;
mod oddities;
mod requests;
mod streams;

use shim_ir::{Executor, FoldError, Part, Response, fold};
use shim_testkit::corpus::Case;
use shim_testkit::recordings::Recording;
use shim_wire::frame::Framing;

use super::OpenaiResponses;
use crate::laws::{
    as_stream, each, lane_laws, own, recorded, request_laws, request_round_trip, stream_laws, whole_laws,
};
use crate::{AnswerError, Codec, Decode, Operation, Route};

const FAMILIES: [&str; 3] = ["openai.responses", "openai.responses_compact", "openai.responses_input_tokens"];

/// Recordings that were cut when they were made: events of two lines with no JSON in either.
const MALFORMED: [&str; 1] = ["wc-c5e67571e952"];

fn route_for(operation: Operation) -> Route {
    Route { operation, model: None, stream: false, framing: Framing::Sse, query: None }
}

/// The operation a recording is of.
fn operation(recording: &Recording) -> Operation {
    let request = recording.request.as_ref();
    let path = request.map_or("", |request| &request.path);
    match recording.family.as_str() {
        "openai.responses_input_tokens" => Operation::CountTokens,
        _ if request.is_some_and(|request| request.method != "POST") || path.ends_with("/cancel") => {
            Operation::Stored
        }
        _ => Operation::Generate,
    }
}

fn check_recording(recording: &Recording) {
    let operation = operation(recording);
    if let Some(request) = recording.request.as_ref().filter(|_| operation != Operation::Stored) {
        let route = route_for(operation);
        let request = request_laws(&OpenaiResponses, &route, &request.body);
        request_round_trip(&OpenaiResponses, &route, &request);
    }
    let status = recording.response.status.or(recording.status).unwrap_or(200);
    if status >= 400 {
        let fault = OpenaiResponses.decode_fault(status, recording.response.body.as_bytes());
        assert_eq!(fault.status, Some(status));
        assert!(!fault.message.starts_with('{'), "{fault}");
        return;
    }
    if recording.features.iter().any(|feature| feature == "error") {
        let told = OpenaiResponses.decode_response(&recording.response.body);
        assert!(matches!(told, Err(AnswerError::Fault(_))), "{told:?}");
        return;
    }
    match (as_stream(recording), operation) {
        (_, Operation::Stored) => {}
        (None, Operation::Generate) => {
            let response = whole_laws(&OpenaiResponses, &recording.response.body);
            totals_add_up(&response);
            nothing_is_lost(&recording.response.body, &format!("{response:?}"));
            encode::comes_back(&response);
        }
        (None, _) => drop(OpenaiResponses.decode_response(&recording.response.body).expect("it decodes")),
        // Several answers, one behind the other, are no answer: the first is read.
        (Some((framing, stream)), _) if recording.traits.iter().any(|t| t.starts_with("several_")) => {
            drop(stream_laws(&OpenaiResponses, stream.as_bytes(), framing));
        }
        (Some((framing, stream)), _) => check_stream(&stream, framing),
    }
}

/// A stream, folded, is what its last event says the answer is.
fn check_stream(stream: &str, framing: Framing) {
    let events = stream_laws(&OpenaiResponses, stream.as_bytes(), framing);
    encode::stream_comes_back(&events);
    let (folded, foreign) = fold(events).expect("a clean stream");
    totals_add_up(&folded);
    assert!(foreign.iter().all(|event| event.kind != "beside"), "a member nobody knows: {foreign:?}");
    let events = stream.lines().filter_map(|line| line.strip_prefix("data:"));
    let mut events = events.filter_map(|data| serde_json::from_str::<serde_json::Value>(data).ok());
    let last = events.rfind(|event| event["response"]["output"].is_array()).expect("a last event");
    let whole = whole_laws(&OpenaiResponses, &last["response"].to_string());
    // A provider that leaves the output out of its last event has told it before.
    if last["response"]["output"] != serde_json::json!([]) {
        assert_eq!(folded.candidates.len(), whole.candidates.len());
        assert_eq!(without_ciphers(&told(&folded)), without_ciphers(&told(&whole)));
    }
    assert_eq!(folded.candidates[0].finish, whole.candidates[0].finish);
    let usage =
        |response: &Response| response.usage.clone().map(|usage| (usage.input_total(), usage.output_total()));
    assert_eq!(usage(&folded), usage(&whole));
}

/// Without what is encrypted (Fernet tokens): the same state is encrypted anew each time it is told.
fn without_ciphers(told: &[String]) -> Vec<String> {
    let cipher = |c: char| c.is_ascii_alphanumeric() || "-_=".contains(c);
    let one = |told: &String| {
        let mut pieces = told.split("gAAAA");
        let first = pieces.next().unwrap_or_default().to_owned();
        pieces.fold(first, |kept, piece| kept + "(cipher)" + piece.trim_start_matches(cipher))
    };
    told.iter().map(one).collect()
}

/// Law: every text of a body is somewhere in what is decoded of it, but for words that became a term.
#[track_caller]
fn nothing_is_lost(body: &str, decoded: &str) {
    let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
    let mut open = vec![("", &body)];
    while let Some((key, value)) = open.pop() {
        match value {
            serde_json::Value::Array(list) => open.extend(list.iter().map(|value| (key, value))),
            serde_json::Value::Object(members) => {
                open.extend(members.iter().map(|(key, value)| (key.as_str(), value)));
            }
            serde_json::Value::String(text) if !["type", "role", "status"].contains(&key) => {
                // A string may stand in a string of JSON, or in a list that is kept as it was written.
                let json = value.to_string();
                let mut spelled = [format!("{text:?}"), json.clone(), format!("{json:?}")].into_iter();
                let inner = |quoted: String| quoted.trim_matches(['"', '\\']).to_owned();
                assert!(spelled.any(|spelled| decoded.contains(&inner(spelled))), "{key} {text:?} is lost");
            }
            _ => {}
        }
    }
}

/// Law: the classes add up to the total that the upstream states.
#[track_caller]
fn totals_add_up(response: &Response) {
    let Some(usage) = &response.usage else { return };
    let words: serde_json::Value = serde_json::from_str(usage.words.as_ref().unwrap().get()).unwrap();
    if let Some(total) = words["total_tokens"].as_u64() {
        assert_eq!((usage.input_total() + usage.output_total()).0, total, "{words}");
    }
}

#[test]
fn recorded_traffic_obeys_the_laws() {
    let Some(recordings) = recorded(&FAMILIES) else { return };
    let well: Vec<_> = recordings.into_iter().filter(|r| !MALFORMED.contains(&r.id.as_str())).collect();
    each(&well, |recording| recording.id.clone(), check_recording);
}

#[test]
fn recorded_traffic_obeys_the_laws_of_the_lane() {
    lane_laws(&OpenaiResponses, &FAMILIES, &MALFORMED, |usage| usage["total_tokens"].as_u64());
}

fn check_case(case: &Case) {
    let body = std::str::from_utf8(&case.answer).unwrap_or_default();
    if let Some(request) = &case.request {
        let route = OpenaiResponses.route("POST", case.meta.path.as_deref().unwrap_or("/v1/responses"), None);
        let route = route.expect("a route");
        let request = request_laws(&OpenaiResponses, &route, request);
        request_round_trip(&OpenaiResponses, &route, &request);
    }
    if case.meta.status >= 400 {
        assert_eq!(
            OpenaiResponses.decode_fault(case.meta.status, &case.answer).status,
            Some(case.meta.status)
        );
    } else if case.streamed {
        let events = stream_laws(&OpenaiResponses, &case.answer, Framing::Sse);
        encode::stream_comes_back(&events);
        let clean = fold(events).is_ok();
        assert_eq!(clean, !case.meta.malformed);
    } else if case.meta.malformed {
        assert!(OpenaiResponses.decode_response(body).is_err());
    } else {
        let response = whole_laws(&OpenaiResponses, body);
        totals_add_up(&response);
        encode::comes_back(&response);
    }
}

#[test]
fn our_own_cases_obey_the_laws() {
    each(&own("openai_responses"), |case| case.name.clone(), check_case);
}

/// The parts of the answer, in one line each.
fn told(response: &Response) -> Vec<String> {
    let parts = response.candidates.first().map(|candidate| &candidate.parts[..]).unwrap_or_default();
    parts.iter().map(part_told).collect()
}

fn part_told(part: &Part) -> String {
    match part {
        Part::Text(text) => format!("text[{}] {}", text.citations.len(), text.text),
        Part::Refusal(text) => format!("refusal {}", text.text),
        Part::Reasoning(reasoning) => {
            let opaque: Vec<_> =
                reasoning.opaque.iter().map(|o| format!("{:?}={}", o.kind, o.value)).collect();
            format!("reasoning {:?} {:?} {}", reasoning.text, reasoning.summary, opaque.join(" "))
        }
        Part::ToolCall(call) if call.executor == Executor::Client => {
            format!("call {} {} {}", call.id, call.name, call.arguments)
        }
        Part::ToolCall(call) => format!("{:?} {} {} {}", call.kind, call.id, call.name, call.arguments),
        Part::ServerResult(result) => format!("{} of {}", result.kind, result.call),
        Part::Foreign(item) => format!("foreign {} {}", item.kind, item.raw.get()),
        Part::Media(media) => format!("{:?} {:?}", media.kind, media.source),
        Part::ToolResult(_) => format!("{part:?}"),
    }
}

/// The failure a stream ends in, and what was told until then.
#[track_caller]
fn failure(stream: &str) -> (shim_ir::FaultKind, String, Vec<String>) {
    match fold(stream_laws(&OpenaiResponses, stream.as_bytes(), Framing::Sse)) {
        Err(FoldError::Failed(fault, so_far)) => (fault.kind, fault.message, told(&so_far)),
        other => panic!("{other:?}"),
    }
}
