//! Laws over the corpus and recorded traffic of every dialect.

use serde_json::{Value, json};
use shim_ir::{
    Event, Executor, FinishReason, FoldError, Media, Part, Request, Response, Source, Tokens, Traits, fold,
    unfold,
};
use shim_testkit::recordings::Recording;
use shim_wire::frame::Framing;

use super::super::{part_told, route_for};
use super::{encode, own};
use crate::anthropic_messages::AnthropicMessages;
use crate::gemini_generate::GeminiGenerate;
use crate::laws::{
    as_stream, asker, each, encoded_stream, events, recorded, stream_round_trip, whole_round_trip,
};
use crate::openai_chat::OpenaiChat;
use crate::openai_responses::OpenaiResponses;
use crate::{Decode, Encode, Operation, Route};

/// What matters of an answer: its parts, why it ended, and input, output, cached and reasoning tokens.
type Essence = (Vec<String>, Option<FinishReason>, Option<[Tokens; 4]>);

/// Runs the round trips over an answer in this dialect.
#[track_caller]
pub(in super::super) fn comes_back(response: &Response) {
    whole_round_trip(&OpenaiResponses, response);
    crosses(&unfold(response.clone()));
}

/// Runs the round trips over a stream in this dialect.
#[track_caller]
pub(in super::super) fn stream_comes_back(events: &[Event]) {
    stream_round_trip(&OpenaiResponses, Framing::Sse, events);
    crosses(events);
}

/// The events of a stream in this dialect, as JSON.
pub(super) fn frames(stream: &str) -> Vec<Value> {
    let frames = stream.split("\n\n").filter(|frame| !frame.is_empty());
    let read = |frame: &str| {
        let (event, data) =
            frame.strip_prefix("event: ").and_then(|rest| rest.split_once("\ndata: ")).expect("an event");
        let json: Value = serde_json::from_str(data).expect("JSON");
        assert_eq!(json["type"], event);
        json
    };
    frames.map(read).collect()
}

/// Law: each event has the next number, and is of an item that is open; each item, and each of its parts, is told whole
/// at its end, and the answer holds them all.
#[track_caller]
pub(super) fn well_told(stream: &str) {
    let frames = frames(stream);
    let mut done = Vec::new();
    let mut open = Vec::new();
    for (n, frame) in frames.iter().enumerate() {
        assert_eq!(frame["sequence_number"], n, "{stream}");
        let kind = frame["type"].as_str().unwrap();
        match (kind, frame["output_index"].as_u64().and_then(|index| usize::try_from(index).ok())) {
            ("response.output_item.added", Some(index)) => {
                assert_eq!(index, open.len(), "{stream}");
                open.push(frame["item"]["id"].clone());
            }
            ("response.output_item.done", Some(index)) => {
                assert_eq!(open[index], frame["item"]["id"], "{stream}");
                done.push((index, frame["item"].clone()));
            }
            (_, Some(index)) => {
                assert!(done.iter().all(|(closed, _)| *closed != index), "{kind} behind its item: {stream}");
                if let Some(id) = frame.get("item_id").filter(|id| *id != "") {
                    assert_eq!(open[index], *id, "{stream}");
                }
            }
            (_, None) => {}
        }
    }
    let last = frames.last().expect("an end");
    if last["type"] != "response.failed" {
        done.sort_by_key(|(index, _)| *index);
        let items: Vec<_> = done.into_iter().map(|(_, item)| item).collect();
        assert_eq!(last["response"]["output"], json!(items), "{stream}");
    }
}

/// What matters of an answer, whatever dialect it came in.
fn essence(response: &Response) -> Essence {
    let candidate = response.candidates.first();
    let parts = candidate.map(|candidate| &candidate.parts[..]).unwrap_or_default();
    let told = |part: &Part| match part {
        Part::Reasoning(own) => format!("reasoning {:?} {:?} {}", own.text, own.summary, own.opaque.len()),
        // A stream has no line breaks, so the values it repeats lose those between their tokens.
        part => part_told(part).replace('\n', ""),
    };
    let usage = response
        .usage
        .as_ref()
        .map(|usage| [usage.input_total(), usage.output_total(), usage.cache_read, usage.reasoning]);
    (
        parts.iter().map(told).collect(),
        candidate.and_then(|own| own.finish.as_ref()).map(|own| own.reason.clone()),
        usage,
    )
}

/// Law: a streamed answer of any dialect says to a client of this one what the same answer says whole; and whatever it
/// says is well told.
#[track_caller]
pub(super) fn crosses(told: &[Event]) {
    let request = own(r#""input":"x""#);
    let asker = asker(&request, Framing::Sse);
    let stream = encoded_stream(&OpenaiResponses, &asker, told);
    well_told(&stream);
    let back = fold(events(&OpenaiResponses, &[stream.as_bytes()], Framing::Sse));
    match (fold(told.iter().cloned()), back) {
        (Ok((wanted, _)), Ok((back, _))) => {
            let whole = OpenaiResponses.encode_response(&wanted, &asker);
            let body = String::from_utf8(whole.body).expect("UTF-8");
            let whole =
                OpenaiResponses.decode_response(&body).unwrap_or_else(|error| panic!("{error}: {body}"));
            assert_eq!(essence(&back), essence(&whole), "{stream}\n{body}");
            carried(&wanted, &whole);
        }
        (Err(FoldError::Failed(wanted, _)), Err(FoldError::Failed(back, _))) => {
            assert_eq!(back.message, wanted.message);
        }
        (wanted, back) => panic!("{wanted:?} {back:?}"),
    }
}

/// Law: every text, call, argument and reasoning text of the first candidate is there, and so are the counts.
#[track_caller]
fn carried(wanted: &Response, back: &Response) {
    let of = |response: &Response| {
        let mut found = Vec::new();
        let parts = response.candidates.first().map(|candidate| candidate.parts.clone()).unwrap_or_default();
        for part in parts {
            match part {
                Part::Text(own) => {
                    let cited: Vec<_> =
                        own.citations.iter().filter_map(|citation| citation.url.clone()).collect();
                    found.push((own.text.into(), String::new(), cited));
                }
                Part::Refusal(own) => found.push((own.text.into(), String::new(), vec![])),
                Part::Reasoning(own) => found.push((own.text.concat(), own.summary.concat(), vec![])),
                Part::ToolCall(own) if own.executor == Executor::Client => {
                    found.push((own.name, own.arguments, vec![]))
                }
                _ => {}
            }
        }
        found
    };
    assert_eq!(of(back), of(wanted));
    assert_eq!(essence(back).2, essence(wanted).2);
}

fn check_other(codec: &dyn Decode, recording: &Recording) {
    let status = recording.response.status.or(recording.status).unwrap_or(200);
    if status >= 400 {
        return;
    }
    if let Some((framing, stream)) = as_stream(recording) {
        crosses(&events(codec, &[stream.as_bytes()], framing));
    } else if let Ok(response) = codec.decode_response(&recording.response.body) {
        crosses(&unfold(response));
    }
}

pub(super) fn request_of(codec: &dyn Decode, recording: &Recording) -> Option<Request> {
    let sent = recording.request.as_ref().filter(|sent| sent.body_encoding == "utf-8")?;
    let path = ["/v1beta/", "/v1/"].iter().find_map(|version| sent.path.find(version)).unwrap_or(0);
    let route: Route = codec.route(&sent.method, sent.path.get(path..)?, sent.query.as_deref())?;
    (route.operation == Operation::Generate).then(|| codec.decode_request(&route, &sent.body).ok())?
}

/// The texts and arguments of a part, in order.
fn words_of(part: &Part, found: &mut Vec<String>) {
    match part {
        Part::Text(own) => found.push(own.text.to_string()),
        Part::Media(Media { source: Source::Plain(own), .. }) => found.push(own.clone()),
        Part::Media(Media { source: Source::Parts(parts), .. }) => {
            parts.iter().for_each(|part| words_of(part, found))
        }
        Part::ToolCall(own) if own.executor == Executor::Client && !own.arguments.is_empty() => {
            found.push(own.arguments.clone())
        }
        Part::ToolResult(own) => own.content.iter().for_each(|part| words_of(part, found)),
        _ => {}
    }
}

/// Law: a request of another dialect is one here that reads back, with every text and call that it was given.
fn check_other_request(codec: &dyn Decode, recording: &Recording) {
    let Some(request) = request_of(codec, recording) else { return };
    let (encoded, _) = encode(&request, &Traits::default());
    let text = encoded.body.to_text();
    let back = OpenaiResponses
        .decode_request(&route_for(Operation::Generate), &text)
        .unwrap_or_else(|error| panic!("{error}: {text}"));
    let mut said = Vec::new();
    back.turns.iter().flat_map(|turn| &turn.parts).for_each(|part| words_of(part, &mut said));
    let mut wanted = Vec::new();
    request.turns.iter().flat_map(|turn| &turn.parts).for_each(|part| words_of(part, &mut wanted));
    let mut left = said.into_iter();
    for words in wanted {
        assert!(left.any(|own| own == words || own.ends_with(&words)), "{words:?} is lost: {text}");
    }
    assert_eq!(back.sampling.temperature, request.sampling.temperature);
}

#[test]
fn recorded_answers_of_every_dialect_cross() {
    let others: [(&'static (dyn Decode + std::panic::RefUnwindSafe), &[&str]); 3] = [
        (&OpenaiChat, &["openai.chat"]),
        (&AnthropicMessages, &["anthropic.messages"]),
        (&GeminiGenerate, &["gemini.generate", "gemini.stream"]),
    ];
    for (codec, families) in others {
        let Some(recordings) = recorded(families) else { return };
        assert!(recordings.len() > 20, "{families:?}");
        let named = |recording: &Recording| recording.id.clone();
        let odd = |recording: &Recording| recording.traits.iter().any(|own| own.starts_with("several_"));
        let well: Vec<_> = recordings.into_iter().filter(|recording| !odd(recording)).collect();
        each(&well, named, |recording| check_other(codec, recording));
        each(&well, named, |recording| check_other_request(codec, recording));
    }
}
