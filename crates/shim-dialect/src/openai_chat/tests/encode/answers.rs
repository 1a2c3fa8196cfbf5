//! Answers, whole and streamed.

use serde_json::Value;
use shim_ir::{
    Candidate, Citation, Delta, Event, Executor, Fault, FaultKind, Finish, FinishReason, MediaKind, Opaque,
    OpaqueKind, Part, PartId, Reasoning, Request, Response, Rest, Source, Start, StreamAsk, Text, Tokens,
    ToolCall, Usage, fold,
};
use shim_wire::frame::Framing;

use super::{call, media, text};
use crate::laws::{asker, encoded_stream, events, stream_round_trip};
use crate::openai_chat::OpenaiChat;
use crate::{Decode, Encode};

pub(super) fn finish(reason: FinishReason) -> Finish {
    Finish { reason, words: None, sequence: None }
}

pub(super) fn answer_of(parts: Vec<Part>, reason: FinishReason) -> Response {
    let candidate = Candidate { parts, finish: Some(finish(reason)), rest: Rest::default() };
    Response { candidates: vec![candidate], ..Response::default() }
}

/// Events that tell a whole answer, each part opened empty and grown by a character at a time.
pub(super) fn told_slowly(response: &Response) -> Vec<Event> {
    let mut out = vec![Event::Start(Start {
        id: response.id.clone(),
        model: response.model.clone(),
        created: response.created,
        service_tier: response.service_tier.clone(),
        rest: response.rest.clone(),
    })];
    let parts =
        response.candidates.iter().enumerate().flat_map(|(at, c)| c.parts.iter().map(move |p| (at, p)));
    for (number, (candidate, part)) in parts.enumerate() {
        let id = PartId(u32::try_from(number).unwrap());
        let (part, deltas) = taken_apart(part.clone());
        out.push(Event::PartStart { id, candidate: u32::try_from(candidate).unwrap(), part });
        out.extend(deltas.into_iter().map(|delta| Event::PartDelta { id, delta }));
        out.push(Event::PartEnd { id });
    }
    out.extend(response.usage.clone().map(Event::Usage));
    out.push(Event::Finish(response.candidates.iter().map(|c| c.finish.clone()).collect()));
    out
}

fn taken_apart(mut part: Part) -> (Part, Vec<Delta>) {
    let letters = |text: String| text.chars().map(String::from).collect::<Vec<_>>();
    let deltas = match &mut part {
        Part::Text(text) => {
            let mut deltas: Vec<_> =
                letters(std::mem::take(&mut text.text).into()).into_iter().map(Delta::Text).collect();
            deltas.extend(std::mem::take(&mut text.citations).into_iter().map(Delta::Citation));
            deltas
        }
        Part::Refusal(text) => {
            letters(std::mem::take(&mut text.text).into()).into_iter().map(Delta::Text).collect()
        }
        Part::Reasoning(r) => {
            let pieces = std::mem::take(&mut r.text).into_iter().enumerate();
            let opaque = std::mem::take(&mut r.opaque).into_iter();
            let opaque = opaque.map(|o| Delta::Opaque { kind: o.kind, value: o.value, append: false });
            pieces
                .flat_map(|(piece, text)| {
                    letters(text).into_iter().map(move |text| Delta::Reasoning { piece, text })
                })
                .chain(opaque)
                .collect()
        }
        Part::ToolCall(call) => {
            letters(std::mem::take(&mut call.arguments)).into_iter().map(Delta::Arguments).collect()
        }
        Part::Media(_) | Part::ToolResult(_) | Part::ServerResult(_) | Part::Foreign(_) => Vec::new(),
    };
    (part, deltas)
}

/// What a client of this dialect was told, in essence.
#[derive(Debug, Default, PartialEq)]
struct Essence {
    text: String,
    refusal: String,
    reasoning: String,
    calls: Vec<(String, String, String)>,
    cited: Vec<String>,
    media: usize,
    finish: Option<FinishReason>,
}

fn essences(response: &Response) -> (Vec<Essence>, Option<Usage>) {
    let usage = response.usage.clone().map(|usage| Usage { words: None, ..usage });
    (response.candidates.iter().map(essence).collect(), usage)
}

fn essence(candidate: &Candidate) -> Essence {
    // Snowflake ends whole answers with an empty word, which in a chunk says nothing: a stream ends in a word.
    let finish = candidate.finish.as_ref().map(|finish| match (finish.words.as_deref(), &finish.reason) {
        (Some(""), FinishReason::Other) => FinishReason::Stop,
        (_, reason) => reason.clone(),
    });
    let mut essence = Essence { finish, ..Essence::default() };
    for part in &candidate.parts {
        match part {
            Part::Text(text) => {
                essence.text.push_str(&text.text);
                essence
                    .cited
                    .extend(text.citations.iter().map(|c| format!("{:?} {:?}-{:?}", c.url, c.start, c.end)));
            }
            Part::Refusal(text) => essence.refusal.push_str(&text.text),
            // What stands between the pieces does not matter.
            Part::Reasoning(r) => {
                essence.reasoning.push_str(&(r.text.concat() + &r.summary.concat()).replace('\n', ""));
            }
            Part::ToolCall(c) => essence.calls.push((c.id.clone(), c.name.clone(), c.arguments.clone())),
            Part::Media(_) => essence.media += 1,
            Part::ToolResult(_) | Part::ServerResult(_) | Part::Foreign(_) => {}
        }
    }
    essence
}

/// Law: what a client is told as a stream is what it is told whole, and both say what the answer says.
#[track_caller]
pub(super) fn streamed_is_whole(events_told: &[Event], folded: &Response) {
    let request = Request { model: "alias".into(), ..Request::default() };
    let asker = asker(&request, Framing::Sse);
    let told = OpenaiChat.encode_response(folded, &asker);
    let body = String::from_utf8(told.body).expect("UTF-8");
    let whole = OpenaiChat.decode_response(&body).unwrap_or_else(|error| panic!("{error}: {body}"));
    let stream = encoded_stream(&OpenaiChat, &asker, events_told);
    let (streamed, _) = fold(events(&OpenaiChat, &[stream.as_bytes()], Framing::Sse))
        .unwrap_or_else(|error| panic!("{error}: {stream}"));
    assert_eq!(essences(&streamed), essences(&whole), "{stream}\n{body}");
    fits_the_sdk(&serde_json::from_str(&body).expect("JSON"));
    for (told, meant) in whole.candidates.iter().zip(&folded.candidates) {
        let (told, meant) = (essence(told), essence(meant));
        let names = |e: &Essence| e.calls.iter().map(|c| (c.1.clone(), c.2.clone())).collect::<Vec<_>>();
        assert_eq!((&told.text, &told.refusal), (&meant.text, &meant.refusal));
        assert_eq!(told.reasoning, meant.reasoning);
        let client = meant_calls(folded);
        assert!(names(&told).iter().all(|call| client.contains(call)));
    }
    let total = |response: &Response| response.usage.as_ref().map(|u| (u.input_total(), u.output_total()));
    assert_eq!(total(&whole), total(folded));
}

fn meant_calls(response: &Response) -> Vec<(String, String)> {
    let parts = response.candidates.iter().flat_map(|candidate| &candidate.parts);
    let calls = parts.filter_map(|part| if let Part::ToolCall(call) = part { Some(call) } else { None });
    let clients = calls.filter(|call| call.executor == Executor::Client);
    clients.map(|call| (call.name.clone(), call.arguments.clone())).collect()
}

/// The members that the models of the official SDK require.
#[track_caller]
fn fits_the_sdk(body: &Value) {
    assert!(body["id"].is_string() && body["created"].is_u64() && body["model"].is_string(), "{body}");
    assert_eq!(body["object"], "chat.completion");
    for choice in body["choices"].as_array().expect("choices") {
        assert!(choice["index"].is_u64());
        let message = choice["message"].as_object().expect("a message");
        assert_eq!(message["role"], "assistant");
        assert!(
            message["content"].is_string() || message["content"].is_null() || message["content"].is_array()
        );
        assert!(message.contains_key("refusal"));
        for call in message.get("tool_calls").and_then(Value::as_array).into_iter().flatten() {
            assert!(call["id"].as_str().is_some_and(|id| !id.is_empty()), "{call}");
        }
        for annotation in message.get("annotations").and_then(Value::as_array).into_iter().flatten() {
            let Some(cited) = annotation.get("url_citation") else { continue };
            assert!(cited["url"].is_string() && cited["title"].is_string(), "{annotation}");
            assert!(cited["start_index"].is_u64() && cited["end_index"].is_u64(), "{annotation}");
        }
        // The last is Snowflake's.
        let known = ["stop", "length", "tool_calls", "content_filter", "function_call", ""];
        assert!(known.contains(&choice["finish_reason"].as_str().unwrap_or("stop")));
    }
}

#[test]
fn hand_made_answers_are_told_alike() {
    let citation =
        Citation { url: Some("https://x".into()), start: Some(1), end: Some(2), ..Citation::default() };
    let cited = Text { citations: vec![citation], ..Text::new("é two") };
    let server = ToolCall { executor: Executor::Provider, ..call("s", "search", "{}") };
    let signed = Opaque { kind: OpaqueKind::ThoughtSignature, value: "sig".into() };
    let answers = [
        answer_of(vec![text("a\u{2028}b")], FinishReason::Stop),
        answer_of(vec![text("one "), Part::Text(cited)], FinishReason::Length),
        answer_of(
            vec![
                Part::Reasoning(Reasoning { text: vec!["a".into(), "b".into()], ..Reasoning::default() }),
                Part::Reasoning(Reasoning { summary: vec!["c".into()], ..Reasoning::default() }),
                text("t"),
                Part::ToolCall(ToolCall { opaque: vec![signed], ..call("", "f", r#"{"x":1}"#) }),
                Part::ToolCall(call("", "f", "{}")),
            ],
            FinishReason::Stop,
        ),
        answer_of(vec![Part::Refusal(Text::new("no"))], FinishReason::Refusal),
        answer_of(vec![Part::ToolCall(server), text("found")], FinishReason::Pause),
        answer_of(
            vec![
                Part::Media(media(MediaKind::Image, Source::Inline("AA==".into()), Some("image/png"))),
                Part::Media(media(MediaKind::Audio, Source::Inline("BB==".into()), Some("audio/wav"))),
            ],
            FinishReason::Stop,
        ),
        answer_of(vec![], FinishReason::Filter),
    ];
    for answer in answers {
        let usage = Usage {
            input_uncached: Tokens(3),
            cache_write_1h: Tokens(2),
            output_text: Tokens(1),
            ..Usage::default()
        };
        let answer = Response { usage: Some(usage), ..answer };
        let told = told_slowly(&answer);
        streamed_is_whole(&told, &answer);
    }
}

#[test]
fn calls_are_told_with_ids_and_end_in_tool_calls() {
    let answer = answer_of(vec![text("t"), Part::ToolCall(call("", "f", "{}"))], FinishReason::Stop);
    let request = Request::default();
    let told = OpenaiChat.encode_response(&answer, &asker(&request, Framing::Sse));
    let body: Value = serde_json::from_slice(&told.body).unwrap();
    assert_eq!(body["choices"][0]["finish_reason"], "tool_calls");
    assert!(body["choices"][0]["message"]["tool_calls"][0]["id"].as_str().unwrap().starts_with("call_"));
}

#[test]
fn usage_is_told_only_to_who_asked() {
    let usage = Usage { output_text: Tokens(1), ..Usage::default() };
    let answer = Response { usage: Some(usage), ..answer_of(vec![text("t")], FinishReason::Stop) };
    let told = |usage| {
        let stream = Some(StreamAsk { usage: Some(usage), rest: Rest::default() });
        let request = Request { stream, ..Request::default() };
        encoded_stream(&OpenaiChat, &asker(&request, Framing::Sse), &told_slowly(&answer))
    };
    assert!(told(true).contains(r#""choices":[],"usage":{"#));
    assert!(!told(false).contains("usage"));
}

#[test]
fn a_fault_ends_a_stream_without_a_sentinel() {
    let fault = Fault::new(FaultKind::UpstreamCut, "cut");
    let told = [Event::Start(Start::default()), Event::Fault(fault)];
    let request = Request::default();
    let stream = encoded_stream(&OpenaiChat, &asker(&request, Framing::Sse), &told);
    assert!(stream.starts_with("data: {\"error\":") && !stream.contains("[DONE]"), "{stream}");
}

#[test]
fn a_part_told_again_tells_only_what_is_new() {
    let id = PartId(0);
    let told = |first: &str, whole: Text| {
        let events = [
            Event::Start(Start::default()),
            Event::PartStart { id, candidate: 0, part: Part::Text(Text::default()) },
            Event::PartDelta { id, delta: Delta::Text(first.into()) },
            Event::PartDelta { id, delta: Delta::Whole(Box::new(Part::Text(whole))) },
            Event::PartEnd { id },
            Event::Finish(vec![Some(finish(FinishReason::Stop))]),
        ];
        let request = Request::default();
        let mut encoder = OpenaiChat.encoder(&asker(&request, Framing::Sse));
        let mut out = Vec::new();
        events.iter().for_each(|event| encoder.push(event, &mut out));
        let (response, _) = fold(crate::laws::events(&OpenaiChat, &[&out], Framing::Sse)).unwrap();
        (essence(&response.candidates[0]).text, encoder.losses().len())
    };
    assert_eq!(told("hel", Text::new("hello")), ("hello".into(), 0));
    assert_eq!(told("hello", Text::new("hello")), ("hello".into(), 0));
    assert_eq!(told("hullo", Text::new("hello")), ("hullo".into(), 1));
}

#[test]
fn a_stream_tells_all_citations_in_one_list() {
    let cited = |url: &str, start| Citation {
        url: Some(url.into()),
        start: Some(start),
        end: Some(start + 1),
        ..Citation::default()
    };
    let text = Text { citations: vec![cited("https://x", 0), cited("https://y", 1)], ..Text::new("one") };
    let later = Text { citations: vec![cited("https://z", 0)], ..Text::new("two") };
    let response = answer_of(vec![Part::Text(text), Part::Text(later)], FinishReason::Stop);
    let request = Request::default();
    let stream = encoded_stream(&OpenaiChat, &asker(&request, Framing::Sse), &told_slowly(&response));
    assert_eq!(stream.matches("annotations").count(), 1, "{stream}");
    let (folded, _) = fold(crate::laws::events(&OpenaiChat, &[stream.as_bytes()], Framing::Sse)).unwrap();
    let [Part::Text(told)] = &folded.candidates[0].parts[..] else { panic!("{folded:?}") };
    let spans: Vec<_> =
        told.citations.iter().map(|c| (c.url.as_deref().unwrap(), c.start.unwrap())).collect();
    assert_eq!(spans, [("https://x", 0), ("https://y", 1), ("https://z", 3)]);
}

#[test]
fn paths_are_named_as_clients_write_them() {
    for (path, wanted) in [
        ("turns[2].parts[0].cache", "messages[2].content[0].cache_control"),
        ("sampling.output_max", "max_completion_tokens"),
        ("sampling.seed", "seed"),
        ("reasoning.effort", "reasoning_effort"),
        ("output", "response_format"),
        ("output.name", "response_format.json_schema.name"),
        ("tools[1].cache", "tools[1].cache_control"),
        ("tools[1].parameters", "tools[1].function.parameters"),
        ("candidates[0].finish", "choices[0].finish_reason"),
        ("turns[1].parts[0].opaque", "messages[1].reasoning_details"),
        ("candidates[0].parts[1].opaque", "choices[0].message.reasoning_details"),
        ("candidates[0].parts[1].citations", "choices[0].message.content[1].citations"),
        ("cache_key", "prompt_cache_key"),
        ("user", "user"),
    ] {
        assert_eq!(OpenaiChat.name_path(path), wanted);
    }
    for (path, wanted) in [
        ("turns[0].parts[0].form", true),
        ("turns[0].provider_specific_fields", true),
        ("top_k", true),
        ("sampling.top_k", false),
        ("turns[0].parts[0].cache", false),
        ("logit_bias", false),
    ] {
        assert_eq!(OpenaiChat.is_bookkeeping(path), wanted, "{path}");
    }
}

#[test]
fn interleaved_parts_and_faults_round_trip() {
    let open = |id, part| Event::PartStart { id: PartId(id), candidate: 0, part };
    let grow = |id, text: &str| Event::PartDelta { id: PartId(id), delta: Delta::Arguments(text.into()) };
    let told = [
        Event::Start(Start {
            id: Some("x".into()),
            model: Some("m".into()),
            created: Some(1),
            ..Start::default()
        }),
        open(0, Part::ToolCall(call("1", "f", ""))),
        open(1, Part::ToolCall(call("2", "g", ""))),
        grow(0, "{"),
        grow(1, "["),
        grow(0, "}"),
        grow(1, "]"),
        Event::PartEnd { id: PartId(0) },
        Event::PartEnd { id: PartId(1) },
        Event::Finish(vec![Some(Finish {
            words: Some("tool_calls".into()),
            ..finish(FinishReason::ToolCalls)
        })]),
    ];
    stream_round_trip(&OpenaiChat, Framing::Sse, &told);
}
