//! The laws of what is written, over the corpus and recorded traffic, also that of other dialects.

use shim_ir::{
    Event, Executor, FinishReason, Part, Request, Response, ToolCallKind, Traits, Usage, fold, unfold,
};
use shim_testkit::corpus::Case;
use shim_testkit::recordings::Recording;
use shim_wire::frame::Framing;

use super::written::encode;
use super::{FAMILIES, route_for, route_of};
use crate::gemini_generate::GeminiGenerate;
use crate::laws::{
    as_stream, asker, each, encoded_stream, events, own, recorded, request_round_trip, stream_round_trip,
    whole_round_trip,
};
use crate::{Decode, Encode, Operation, Route};

fn round_trips(
    route: Option<&Route>,
    request: Option<&str>,
    status: u16,
    answer: &str,
    framing: Option<Framing>,
) {
    // Embeddings have laws of their own.
    if let (Some(route), Some(body)) = (route.filter(|route| route.operation != Operation::Embed), request) {
        let request = GeminiGenerate.decode_request(route, body).expect("it decodes");
        request_round_trip(&GeminiGenerate, route, &request);
    }
    let generates = route.is_none_or(|route| route.operation == Operation::Generate);
    if status >= 400 || !generates {
        return;
    }
    if let Some(framing) = framing {
        let events = events(&GeminiGenerate, &[answer.as_bytes()], framing);
        stream_round_trip(&GeminiGenerate, framing, &events);
        stream_round_trip(&GeminiGenerate, Framing::JsonArray, &events);
    } else if answer.trim_start().starts_with('[') {
        let events = events(&GeminiGenerate, &[answer.as_bytes()], Framing::JsonArray);
        stream_round_trip(&GeminiGenerate, Framing::Sse, &events);
    } else if let Ok(response) = GeminiGenerate.decode_response(answer) {
        whole_round_trip(&GeminiGenerate, &response);
        streamed_equals_whole(&response, &unfold(response.clone()));
    }
}

fn recording_round_trips(recording: &Recording) {
    let sent = recording.request.as_ref().filter(|request| !request.body.is_empty());
    let route = sent.map(|request| route_of(&request.path, request.query.as_deref()));
    let status = recording.response.status.or(recording.status).unwrap_or(200);
    let stream = as_stream(recording);
    let (framing, answer) =
        stream.map_or((None, recording.response.body.clone()), |(framing, body)| (Some(framing), body));
    round_trips(route.as_ref(), sent.map(|request| request.body.as_str()), status, &answer, framing);
}

#[test]
fn recorded_traffic_comes_back() {
    let Some(recordings) = recorded(&FAMILIES) else { return };
    each(&recordings, |recording| recording.id.clone(), recording_round_trips);
}

fn case_round_trips(case: &Case) {
    let path = case.meta.path.as_deref().unwrap_or("/v1beta/models/m:generateContent");
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    let route = case.request.as_ref().map(|_| route_of(path, query));
    let answer = String::from_utf8_lossy(&case.answer);
    let framing = case.streamed.then_some(Framing::Sse);
    if !case.meta.malformed || framing.is_some() {
        round_trips(route.as_ref(), case.request.as_deref(), case.meta.status, &answer, framing);
    }
}

#[test]
fn our_own_cases_come_back() {
    each(&own("gemini_generate"), |case| case.name.clone(), case_round_trips);
}

/// What matters of an answer, whatever form it has.
#[derive(Debug, PartialEq)]
pub(super) struct Essence {
    pub(super) text: String,
    thoughts: String,
    calls: Vec<(String, String, String)>,
    cited: Vec<(Option<String>, Option<String>)>,
    finish: Option<FinishReason>,
}

pub(super) fn essence(response: &Response) -> Vec<Essence> {
    response.candidates.iter().map(essence_of).collect()
}

fn essence_of(candidate: &shim_ir::Candidate) -> Essence {
    let finish = candidate.finish.as_ref().map(|finish| finish.reason.clone());
    let (text, thoughts) = (String::new(), String::new());
    let mut essence = Essence { text, thoughts, calls: Vec::new(), cited: Vec::new(), finish };
    for part in &candidate.parts {
        match part {
            Part::Text(text) | Part::Refusal(text) => {
                essence.text.push_str(&text.text);
                essence.cited.extend(text.citations.iter().map(|c| (c.url.clone(), c.title.clone())));
            }
            Part::Reasoning(reasoning) => {
                let pieces = reasoning.summary.iter().chain(&reasoning.text);
                pieces.for_each(|piece| essence.thoughts.push_str(piece));
            }
            Part::ToolCall(call) if call.executor == Executor::Client => {
                let arguments: Result<serde_json::Value, _> = serde_json::from_str(&call.arguments);
                let arguments = arguments.map_or_else(|_| call.arguments.clone(), |json| json.to_string());
                essence.calls.push((call.id.clone(), call.name.clone(), arguments));
            }
            _ => {}
        }
    }
    essence.thoughts.retain(|c| c != '\n');
    essence.cited.sort();
    essence.cited.dedup();
    essence
}

/// Law: an answer of any dialect, streamed and whole, says the same to a client of this one, and what it says.
#[track_caller]
pub(super) fn streamed_equals_whole(response: &Response, told_as: &[Event]) {
    let request = Request::default();
    let told = GeminiGenerate.encode_response(response, &asker(&request, Framing::Sse));
    let text = String::from_utf8(told.body).expect("UTF-8");
    let whole = GeminiGenerate.decode_response(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    for framing in [Framing::Sse, Framing::JsonArray] {
        let stream = encoded_stream(&GeminiGenerate, &asker(&request, framing), told_as);
        let again = fold(events(&GeminiGenerate, &[stream.as_bytes()], framing));
        let (streamed, _) = again.unwrap_or_else(|error| panic!("{error}: {stream}"));
        // An answer that is not finished yet has no stream.
        if !whole.candidates.is_empty() && whole.candidates.iter().all(|answer| answer.finish.is_some()) {
            assert_eq!(essence(&streamed), essence(&whole), "{stream}\n{text}");
        }
        let classes =
            |usage: &Usage| (usage.input_total(), usage.output_total(), usage.cache_read, usage.reasoning);
        let counts = |usage: Option<&Usage>| usage.map(classes);
        assert_eq!(counts(streamed.usage.as_ref()), counts(response.usage.as_ref()), "{stream}");
        assert_eq!(counts(whole.usage.as_ref()), counts(response.usage.as_ref()), "{text}");
        assert_eq!(
            (&streamed.id, &streamed.model, streamed.created),
            (&whole.id, &whole.model, whole.created)
        );
    }
    carried(&whole, response);
}

/// Nothing that has a place is missing.
#[track_caller]
fn carried(told: &Response, wanted: &Response) {
    for (told, wanted) in essence(told).into_iter().zip(essence(wanted)) {
        assert_eq!((&told.text, &told.thoughts), (&wanted.text, &wanted.thoughts));
        assert_eq!(told.cited, wanted.cited);
        let names = |calls: &[(String, String, String)]| {
            calls.iter().map(|(id, name, _)| (id.clone(), name.clone())).collect::<Vec<_>>()
        };
        assert_eq!(names(&told.calls), names(&wanted.calls));
    }
}

/// The answer of a recording of another dialect, and the events that tell it.
fn answered(codec: &dyn Decode, recording: &Recording) -> Option<(Response, Vec<Event>)> {
    if recording.response.status.or(recording.status).is_some_and(|status| status >= 400) {
        return None;
    }
    if let Some((framing, stream)) = as_stream(recording) {
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            events(codec, &[stream.as_bytes()], framing)
        }));
        let told = told.ok()?;
        return Some((fold(told.clone()).ok()?.0, told));
    }
    let response = codec.decode_response(&recording.response.body).ok()?;
    Some((response.clone(), unfold(response)))
}

fn answers_of(codec: &'static (dyn Decode + std::panic::RefUnwindSafe), families: &[&str]) {
    let Some(recordings) = recorded(families) else { return };
    each(
        &recordings,
        |recording| recording.id.clone(),
        |recording| {
            if let Some((response, told)) = answered(codec, recording) {
                streamed_equals_whole(&response, &told);
            }
        },
    );
}

#[test]
fn answers_of_chat_are_told_alike() {
    answers_of(&crate::openai_chat::OpenaiChat, &["openai.chat"]);
}

#[test]
fn answers_of_responses_are_told_alike() {
    answers_of(&crate::openai_responses::OpenaiResponses, &["openai.responses"]);
}

#[test]
fn answers_of_messages_are_told_alike() {
    answers_of(&crate::anthropic_messages::AnthropicMessages, &["anthropic.messages"]);
}

/// The texts and calls of a conversation, in order, whoever says them.
fn spoken(request: &Request) -> (Vec<String>, Vec<(String, String)>, usize) {
    let (mut texts, mut calls, mut results) = (Vec::new(), Vec::new(), 0);
    for part in request.system.iter().chain(request.turns.iter().flat_map(|turn| &turn.parts)) {
        match part {
            Part::Text(text) | Part::Refusal(text) => {
                let text = text.text.trim_start_matches("<system>\n").trim_end_matches("\n</system>");
                texts.push(text.to_owned());
            }
            Part::ToolCall(call) if call.kind == ToolCallKind::Function => {
                calls.push((call.id.clone(), call.name.clone()));
            }
            Part::ToolResult(_) => results += 1,
            _ => {}
        }
    }
    (texts, calls, results)
}

/// Law: what is asked in another dialect is asked here: every text, call and result, users and models in turn.
#[track_caller]
fn asked_alike(request: &Request) {
    let encoded = encode(request, &Traits::default());
    let text = encoded.body.to_text();
    let back = GeminiGenerate.decode_request(&route_for("generateContent"), &text).expect("it decodes");
    let (texts, calls, results) = spoken(request);
    let (told, called, given) = spoken(&back);
    assert!(texts.iter().all(|text| told.contains(text)), "{texts:?} is not in {text}");
    assert!(calls.iter().all(|call| called.contains(call)), "{calls:?} is not in {text}");
    assert_eq!(given, results, "{text}");
    assert!(back.turns.windows(2).all(|pair| pair[0].role != pair[1].role), "{text}");
    assert!(back.turns.iter().all(|turn| !turn.parts.is_empty()), "{text}");
}

fn requests_of(codec: &'static (dyn Decode + std::panic::RefUnwindSafe), families: &[&str]) {
    let Some(recordings) = recorded(families) else { return };
    each(
        &recordings,
        |recording| recording.id.clone(),
        |recording| {
            let Some(sent) = recording.request.as_ref().filter(|sent| sent.body_encoding == "utf-8") else {
                return;
            };
            let (operation, framing) = (Operation::Generate, Framing::Sse);
            let route = Route { operation, model: None, stream: false, framing, query: None };
            if let Ok(request) = codec.decode_request(&route, &sent.body) {
                asked_alike(&request);
            }
        },
    );
}

#[test]
fn requests_of_other_dialects_are_asked_alike() {
    requests_of(&crate::openai_chat::OpenaiChat, &["openai.chat"]);
    requests_of(&crate::openai_responses::OpenaiResponses, &["openai.responses"]);
    requests_of(&crate::anthropic_messages::AnthropicMessages, &["anthropic.messages"]);
}
