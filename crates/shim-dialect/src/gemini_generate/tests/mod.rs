//! The corpus and recorded traffic, and the laws they obey.

mod edges;
mod encode;
mod logprobs;
mod losses;
mod oddities;
mod requests;
mod spans;
mod streams;
mod written;

use shim_ir::{FaultKind, FoldError, Part, Response, fold};
use shim_testkit::corpus::Case;
use shim_testkit::recordings::Recording;
use shim_wire::frame::Framing;

use super::GeminiGenerate;
use crate::laws::{
    as_stream, each, embed_laws, embeddings_laws, lane_laws, own, recorded, request_laws, stream_laws,
    whole_laws,
};
use crate::{AnswerError, Codec, Decode, Operation, Route};

const FAMILIES: [&str; 4] = ["gemini.generate", "gemini.stream", "gemini.count_tokens", "gemini.embed"];

/// What a client that asks for `model` asks of this dialect.
fn route_for(verb: &str) -> Route {
    GeminiGenerate
        .route("POST", &format!("/v1beta/models/m:{verb}"), Some("alt=sse"))
        .expect("it is a verb of the dialect")
}

/// The route of a recording; Vertex AI's paths are the provider's own, so its model is taken out of them.
fn route_of(path: &str, query: Option<&str>) -> Route {
    let name = path.rsplit_once('/').expect("a path").1;
    GeminiGenerate.route("POST", &format!("/v1beta/models/{name}"), query).expect("it is the dialect's")
}

#[test]
fn recorded_traffic_obeys_the_laws_of_the_lane() {
    lane_laws(&GeminiGenerate, &FAMILIES, &[], |usage| usage["totalTokenCount"].as_u64());
}

/// The answer, folded where it was streamed; `None` where it failed inside a 200.
fn answer(recording: &Recording) -> Option<Response> {
    if let Some((framing, stream)) = as_stream(recording) {
        let response = streamed(stream.as_bytes(), framing)?;
        same_as_list(&stream, &response);
        return Some(response);
    }
    let body = &recording.response.body;
    match GeminiGenerate.decode_response(body) {
        Err(AnswerError::Fault(fault)) => {
            assert!(body.contains(&serde_json::to_string(&fault.message).unwrap()), "{fault}");
            None
        }
        Ok(_) | Err(AnswerError::Decode(_)) => Some(whole_laws(&GeminiGenerate, body)),
    }
}

fn streamed(stream: &[u8], framing: Framing) -> Option<Response> {
    match fold(stream_laws(&GeminiGenerate, stream, framing)) {
        Ok((response, _)) => Some(response),
        Err(FoldError::Failed(fault, _)) => {
            assert_ne!(fault.kind, FaultKind::UpstreamCut, "{fault}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// Law: the same pieces as a JSON array, streamed or read at once, say the same.
#[track_caller]
fn same_as_list(stream: &str, wanted: &Response) {
    let pieces: Vec<_> = stream.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    let list = format!("[{}\n]\n", pieces.join("\n,\r\n"));
    assert_eq!(streamed(list.as_bytes(), Framing::JsonArray).as_ref(), Some(wanted), "as a growing list");
    assert_eq!(&whole_laws(&GeminiGenerate, &list), wanted, "as a list at once");
}

fn check_recording(recording: &Recording) {
    let sent = recording.request.as_ref().filter(|request| !request.body.is_empty());
    let route = sent.map(|request| route_of(&request.path, request.query.as_deref()));
    let status = recording.response.status.or(recording.status).unwrap_or(200);
    if let (Some(request), Some(route)) = (sent, &route) {
        if route.operation == Operation::Embed {
            let asked = embed_laws(&GeminiGenerate, route, &request.body);
            if status < 400 {
                return embeddings_laws(&GeminiGenerate, &recording.response.body, &asked);
            }
        } else {
            request_laws(&GeminiGenerate, route, &request.body);
        }
    }
    if status >= 400 {
        let fault = GeminiGenerate.decode_fault(status, recording.response.body.as_bytes());
        assert_eq!(fault.status, Some(status));
        assert!(!fault.message.starts_with('{') && fault.words.is_some(), "{fault}");
    } else if route.is_some_and(|route| route.operation != Operation::Generate) {
        let response = GeminiGenerate.decode_response(&recording.response.body).expect("it decodes");
        assert!(response.candidates.is_empty() && !response.rest.is_empty());
    } else if let Some(response) = answer(recording) {
        totals_add_up(&response);
    }
}

/// Law: the classes add up to the total the upstream states.
#[track_caller]
fn totals_add_up(response: &Response) {
    let Some(usage) = &response.usage else { return };
    let words: serde_json::Value = serde_json::from_str(usage.words.as_ref().unwrap().get()).unwrap();
    if let Some(total) = words["totalTokenCount"].as_u64() {
        assert_eq!((usage.input_total() + usage.output_total()).0, total, "{usage:?}");
    }
}

#[test]
fn recorded_traffic_obeys_the_laws() {
    let Some(recordings) = recorded(&FAMILIES) else { return };
    assert!(recordings.len() > 200, "{}", recordings.len());
    each(&recordings, |recording| recording.id.clone(), check_recording);
}

fn check_case(case: &Case) {
    let body = std::str::from_utf8(&case.answer).unwrap_or_default();
    let path = case.meta.path.as_deref().unwrap_or("/v1beta/models/m:generateContent");
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    if let Some(request) = &case.request {
        request_laws(&GeminiGenerate, &route_of(path, query), request);
    }
    if case.meta.status >= 400 {
        assert_eq!(
            GeminiGenerate.decode_fault(case.meta.status, &case.answer).status,
            Some(case.meta.status)
        );
    } else if case.streamed {
        let clean = fold(stream_laws(&GeminiGenerate, &case.answer, Framing::Sse)).is_ok();
        assert_eq!(clean, !case.meta.malformed);
    } else if case.meta.malformed {
        assert!(GeminiGenerate.decode_response(body).is_err());
    } else {
        totals_add_up(&whole_laws(&GeminiGenerate, body));
    }
}

#[test]
fn our_own_cases_obey_the_laws() {
    each(&own("gemini_generate"), |case| case.name.clone(), check_case);
}

/// The parts of the first answer, in one line each.
fn told(response: &Response) -> Vec<String> {
    let parts = response.candidates.first().map(|candidate| &candidate.parts[..]).unwrap_or_default();
    parts.iter().map(part_told).collect()
}

fn part_told(part: &Part) -> String {
    match part {
        Part::Text(text) => format!("text {}|{}|{}", text.text, text.citations.len(), text.opaque.len()),
        Part::Media(media) => format!("{:?} {:?}", media.kind, media.source),
        Part::Reasoning(r) => format!("thought {}|{}", r.text.concat(), r.opaque.len()),
        Part::ToolCall(call) => {
            format!("call {} {} {}|{}", call.id, call.name, call.arguments, call.opaque.len())
        }
        Part::ServerResult(result) => format!("result {} {}", result.kind, result.call),
        Part::Refusal(_) | Part::ToolResult(_) | Part::Foreign(_) => format!("{part:?}"),
    }
}

/// `[input_uncached, cache_read, output_text, reasoning]`.
fn classes(response: &Response) -> [u64; 4] {
    let usage = response.usage.clone().unwrap_or_default();
    [usage.input_uncached.0, usage.cache_read.0, usage.output_text.0, usage.reasoning.0]
}
