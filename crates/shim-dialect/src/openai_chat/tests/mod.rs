//! The corpus and recorded traffic, and the laws they obey.

mod edges;
mod encode;
mod oddities;
mod requests;
mod streams;

use shim_ir::{FaultKind, FoldError, Part, Response, ThinkTags, fold};
use shim_testkit::corpus::Case;
use shim_testkit::recordings::Recording;
use shim_wire::frame::Framing;

use super::OpenaiChat;
use crate::laws::{
    each, embed_laws, embeddings_laws, own, recorded, request_laws, request_round_trip, stream_laws,
    stream_round_trip, whole_laws, whole_round_trip,
};
use crate::{AnswerError, Codec, Decode, Echo, Embed, Operation, Route};

const FAMILIES: [&str; 2] = ["openai.chat", "openai.embeddings"];

/// Answers that are no chat completion: a test endpoint that echoes the request, with status 200.
const MALFORMED: [&str; 1] = ["wc-eb8c1cd03441"];

fn route_for(operation: Operation) -> Route {
    Route { operation, model: None, stream: false, framing: Framing::Sse, query: None }
}

fn operation(recording: &Recording) -> Operation {
    if recording.family == "openai.embeddings" { Operation::Embed } else { Operation::Generate }
}

/// The answer as a stream: recordings that kept the payloads alone get their framing back.
fn stream_of(recording: &Recording) -> Vec<u8> {
    let body = &recording.response.body;
    if recording.response.framing != "data-lines" {
        return body.clone().into_bytes();
    }
    body.lines()
        .filter(|line| !line.is_empty())
        .map(|line| format!("data: {line}\n\n"))
        .collect::<String>()
        .into()
}

fn is_streamed(recording: &Recording) -> bool {
    matches!(recording.response.framing.as_str(), "sse" | "data-lines")
}

/// The answer, folded where it was streamed; `None` where it failed inside a 200.
fn answer(recording: &Recording) -> Option<Response> {
    let body = &recording.response.body;
    if is_streamed(recording) {
        let events = stream_laws(&OpenaiChat, &stream_of(recording), Framing::Sse);
        stream_round_trip(&OpenaiChat, Framing::Sse, &events);
        return match fold(events) {
            Ok((response, _)) => Some(response),
            Err(FoldError::Failed(fault, _)) => {
                assert_ne!(fault.kind, FaultKind::UpstreamCut, "{fault}");
                None
            }
            Err(error) => panic!("{error}"),
        };
    }
    match OpenaiChat.decode_response(body) {
        Err(AnswerError::Fault(fault)) => {
            assert!(body.contains(&serde_json::to_string(&fault.message).unwrap()), "{fault}");
            None
        }
        Ok(_) | Err(AnswerError::Decode(_)) => {
            let response = whole_laws(&OpenaiChat, body);
            whole_round_trip(&OpenaiChat, &response);
            Some(response)
        }
    }
}

fn check_recording(recording: &Recording) {
    let status = recording.response.status.or(recording.status).unwrap_or(200);
    if let (Some(request), Operation::Embed) = (&recording.request, operation(recording)) {
        let asked = embed_laws(&OpenaiChat, &route_for(Operation::Embed), &request.body);
        if status < 400 {
            embeddings_laws(&OpenaiChat, &recording.response.body, &asked);
            return;
        }
    } else if let Some(request) = &recording.request {
        let route = route_for(operation(recording));
        request_round_trip(&OpenaiChat, &route, &request_laws(&OpenaiChat, &route, &request.body));
    }
    if status >= 400 {
        let fault = OpenaiChat.decode_fault(status, recording.response.body.as_bytes());
        assert_eq!(fault.status, Some(status));
        assert!(!fault.message.starts_with('{'), "{fault}");
    } else if MALFORMED.contains(&recording.id.as_str()) {
        let refused = OpenaiChat.decode_response(&recording.response.body);
        assert!(matches!(refused, Err(AnswerError::Decode(_))), "{refused:?}");
    } else if let Some(response) = answer(recording) {
        totals_add_up(&response);
    }
}

/// Law: the classes add up to the total the upstream states.
#[track_caller]
fn totals_add_up(response: &Response) {
    let Some(usage) = &response.usage else { return };
    let words: serde_json::Value = serde_json::from_str(usage.words.as_ref().unwrap().get()).unwrap();
    if let Some(total) = words["total_tokens"].as_u64() {
        assert_eq!((usage.input_total() + usage.output_total()).0, total, "{usage:?}");
    }
}

#[test]
fn recorded_traffic_obeys_the_laws() {
    let Some(recordings) = recorded(&FAMILIES) else { return };
    each(&recordings, |recording| recording.id.clone(), check_recording);
}

fn check_case(case: &Case) {
    let body = std::str::from_utf8(&case.answer).unwrap_or_default();
    let embeds = case.meta.path.as_deref().is_some_and(|path| path.ends_with("/embeddings"));
    if let (Some(request), true) = (&case.request, embeds) {
        let asked = embed_laws(&OpenaiChat, &route_for(Operation::Embed), request);
        return embeddings_laws(&OpenaiChat, body, &asked);
    }
    let route = route_for(Operation::Generate);
    if let Some(request) = &case.request {
        let decoded = request_laws(&OpenaiChat, &route, request);
        // A request that is refused may hold what cannot be carried as it is.
        if case.meta.status < 400 {
            request_round_trip(&OpenaiChat, &route, &decoded);
        }
    }
    if case.meta.status >= 400 {
        assert_eq!(OpenaiChat.decode_fault(case.meta.status, &case.answer).status, Some(case.meta.status));
    } else if case.streamed {
        let events = stream_laws(&OpenaiChat, &case.answer, Framing::Sse);
        stream_round_trip(&OpenaiChat, Framing::Sse, &events);
        assert_eq!(fold(events).is_ok(), !case.meta.malformed);
    } else if case.meta.malformed {
        assert!(OpenaiChat.decode_response(body).is_err());
    } else {
        let response = whole_laws(&OpenaiChat, body);
        whole_round_trip(&OpenaiChat, &response);
        totals_add_up(&response);
    }
}

#[test]
fn our_own_cases_obey_the_laws() {
    each(&own("openai_chat"), |case| case.name.clone(), check_case);
}

/// The parts of the first answer, in one line each.
fn told(response: &Response) -> Vec<String> {
    let parts = response.candidates.first().map(|candidate| &candidate.parts[..]).unwrap_or_default();
    parts.iter().map(part_told).collect()
}

fn part_told(part: &Part) -> String {
    match part {
        Part::Text(text) => format!("text {}", text.text),
        Part::Refusal(text) => format!("refusal {}", text.text),
        Part::Media(media) => format!("{:?} {:?}", media.kind, media.source),
        Part::Reasoning(r) => {
            format!("reasoning {}|{}|{}", r.text.concat(), r.summary.concat(), r.opaque.len())
        }
        Part::ToolCall(call) => format!("call {} {} {}", call.id, call.name, call.arguments),
        Part::ToolResult(_) | Part::ServerResult(_) | Part::Foreign(_) => format!("{part:?}"),
    }
}

/// `[input_uncached, input_audio, cache_read, cache_write, output_text, reasoning]`.
fn classes(response: &Response) -> [u64; 6] {
    let usage = response.usage.clone().unwrap_or_default();
    [
        usage.input_uncached.0,
        usage.input_audio.0,
        usage.cache_read.0,
        usage.cache_write.0,
        usage.output_text.0,
        usage.reasoning.0,
    ]
}

#[track_caller]
fn reads(recordings: &[Recording], id: &str, parts: &[&str], wanted: [u64; 6]) {
    let recording = recordings.iter().find(|recording| recording.id == id).expect("the recording is there");
    let response = answer(recording).expect("it is an answer");
    let found: Vec<_> =
        told(&response).iter().map(|line| line.chars().take(60).collect::<String>()).collect();
    assert_eq!(found, parts, "{id}");
    assert_eq!(classes(&response), wanted, "{id}");
}

#[test]
fn recorded_oddities_are_read() {
    let Some(recordings) = recorded(&FAMILIES) else { return };
    let reads = |id, parts: &[&str], classes| reads(&recordings, id, parts, classes);
    // Grok on Azure counts the cached tokens of a prompt that is not the client's.
    reads("wc-23096d34edfa", &["text 4"], [7, 0, 0, 0, 1, 0]);
    // Mistral counts audio beside the prompt, and cached input in a place of its own.
    let ruby = "text The statement \"Ruby is a programming language designed ";
    reads("wc-e7268617dd24", &[ruby], [9, 375, 0, 0, 248, 0]);
    let file = "text The document you provided, labeled as **file 99631f**, ";
    reads("wc-0b91641d46e7", &[file], [21, 0, 976, 0, 155, 0]);
    // xAI counts reasoning beside the completion.
    let grok = "reasoning First, the user said: \"Say a single word.\" That's ";
    reads("wc-90b7cc75fc05", &[grok, "text Grok"], [1, 0, 11, 0, 2, 340]);
    let call = "call call_55117580 weather {\"location\":\"San Francisco\"}";
    reads("wc-9c8a8e4fdd8e", &["reasoning First, the user is||0", call], [1, 0, 290, 0, 26, 196]);
    // Gemini behind OpenRouter counts the same tokens as written and read.
    let cap = "text The CAP theorem is a fundamental principle in distribut";
    reads("wc-64aff6e69f63", &[cap], [7, 0, 2161, 0, 100, 0]);
    // DeepSeek includes reasoning, and says cached input twice.
    let asks = "reasoning The user is asking for the weather in San Francisc";
    let weather = "call call_00_ioIn7yN9p1ZOMNpDLwd4MgAF weather {\"location\": \"";
    reads("wc-5212dc85c52f", &[asks, weather], [19, 0, 320, 0, 44, 39]);
    reads("wc-0ae7852b5fd5", &["text The name mentioned in the audio is Marcelo."], [20, 44, 0, 0, 9, 0]);
    // Voyage states the total alone.
    let voyage = recordings.iter().find(|recording| recording.id == "wc-0e359da3ac61").unwrap();
    let embeddings = OpenaiChat.decode_embeddings(&voyage.response.body).unwrap();
    assert_eq!(embeddings.usage.unwrap().input_uncached.0, 3);
    // A whole call in the finish chunk; a call without index; one without arguments.
    let latitude = "call g6fVbXS8K weather {\"latitude\": \"52.5200\", \"longitude\": ";
    reads("wc-b712a6a86297", &[latitude], [31, 0, 128, 0, 28, 0]);
    reads(
        "wc-251172fe8220",
        &["call gSIMJiOkT weather {\"location\": \"San Francisco\"}"],
        [124, 0, 0, 0, 22, 0],
    );
    let search = [
        "text I'll search for education content for you.",
        "call toolu_vrtx_015QAXScZzRDPttiPoc34AdD find_education_cont",
    ];
    reads("wc-357a8055b08f", &search, [568, 0, 0, 0, 48, 0]);
    // Reasoning in content parts of its own, and in the text.
    let product = "reasoning The user is asking for the product of 12 multiplie";
    reads("wc-998daef3176f", &[product, "text 144"], [31, 0, 0, 0, 66, 0]);
    reads("wc-e47a5db9f0cb", &[product, "text 144"], [31, 0, 0, 0, 66, 0]);
    let think = "text <think>\nOkay, let's see... The user is asking for the s";
    reads("wc-c6355c00bede", &[think], [21, 0, 0, 0, 173, 0]);
    // The pieces make what Perplexity's last chunk says was said.
    reads("wc-b6da3c2d057c", &["text 1 2 3"], [8, 0, 0, 0, 5, 0]);
}

/// What models were recorded to leave in their text, whole and streamed.
#[test]
fn recorded_reasoning_between_tags_is_told_apart() {
    let Some(recordings) = recorded(&FAMILIES) else { return };
    let echo = Echo { think_tags: ThinkTags::Explicit, ..Echo::default() };
    let mut seen = 0;
    for recording in recordings.iter().filter(|recording| recording.response.body.contains("<think>")) {
        let mut whole = answer(recording).expect("it is an answer");
        let before = told(&whole);
        echo.restore(&mut whole);
        let parts = &whole.candidates[0].parts;
        let [Part::Reasoning(reasoning), Part::Text(text)] = &parts[..] else {
            panic!("{}: {parts:?}", recording.id)
        };
        assert!(!text.text.contains("think>") && !text.text.starts_with('\n'), "{}", recording.id);
        let joined = format!("text <think>{}</think>{}", reasoning.text.concat(), text.text);
        let bare = |text: &str| text.replace('\n', "");
        assert_eq!([bare(&joined)], [bare(&before.concat())], "{}", recording.id);
        seen += 1;
    }
    assert!(seen >= 4, "{seen}");
}

#[test]
fn a_failure_inside_a_recorded_stream_is_told() {
    let Some(recordings) = recorded(&FAMILIES) else { return };
    let recording =
        recordings.iter().find(|recording| recording.id == "wc-9a175d06997c").expect("it is there");
    let Err(FoldError::Failed(fault, so_far)) =
        fold(stream_laws(&OpenaiChat, &stream_of(recording), Framing::Sse))
    else {
        panic!("it is a failure")
    };
    assert_eq!((fault.kind, fault.status), (FaultKind::UpstreamInvalid, Some(400)));
    assert_eq!(fault.words.as_deref(), Some("tool_use_failed"));
    assert!(told(&so_far)[0].starts_with("reasoning We need to call the tool"));
}
