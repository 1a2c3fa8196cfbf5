//! Answers, whole and streamed: what is lost of one is lost of the other.

use shim_ir::{
    Candidate, Citation, Delta, Dialect, Event, Executor, FinishReason, Foreign, LossKind, Media, MediaKind,
    OpaqueKind, Part, PartId, Reasoning, Response, Rest, ServerResult, Source, Start, Text, Tokens, ToolCall,
    ToolCallKind, ToolResult, Usage,
};
use shim_wire::frame::Framing;

use super::super::{call, finish, own, raw, text};
use super::{Lost, Seen, media, odd, opaque};
use crate::Encode;
use crate::laws::asker;
use crate::lost;
use crate::openai_responses::OpenaiResponses;
use LossKind::{Approximated, Dropped};
use Seen::{Gone, Has};

/// Events that tell a whole answer.
fn events(response: &Response) -> Vec<Event> {
    let (id, model, created) = (response.id.clone(), response.model.clone(), response.created);
    let (service_tier, rest) = (response.service_tier.clone(), response.rest.clone());
    let mut events = vec![Event::Start(Start { id, model, created, service_tier, rest })];
    let candidates = response.candidates.iter().zip(0..);
    let parts = candidates.flat_map(|(of, candidate)| of.parts.iter().map(move |part| (candidate, part)));
    for ((candidate, part), id) in parts.zip(0..) {
        let id = PartId(id);
        events.extend([Event::PartStart { id, candidate, part: part.clone() }, Event::PartEnd { id }]);
    }
    events.extend(response.usage.clone().map(Event::Usage));
    events.push(Event::Finish(response.candidates.iter().map(|of| of.finish.clone()).collect()));
    events
}

/// What is lost of a whole answer, and of its stream.
#[track_caller]
fn answered(answer: &Response, told: Lost<'_>, seen: &[Seen<'_>]) {
    let request = own(r#""input":"x""#);
    let whole = OpenaiResponses.encode_response(answer, &asker(&request, Framing::Sse));
    lost::check(&whole.body, &whole.losses, &[told], seen);
    streamed(&events(answer), told, seen);
}

#[track_caller]
fn streamed(events: &[Event], told: Lost<'_>, seen: &[Seen<'_>]) {
    let request = own(r#""input":"x""#);
    let mut encoder = OpenaiResponses.encoder(&asker(&request, Framing::Sse));
    let mut out = Vec::new();
    events.iter().for_each(|event| encoder.push(event, &mut out));
    lost::check(&out, encoder.losses(), &[told], seen);
}

fn ended(parts: Vec<Part>, reason: FinishReason) -> Response {
    let candidate = Candidate { parts, finish: finish(reason), rest: Rest::default() };
    Response { candidates: vec![candidate], ..Response::default() }
}

#[track_caller]
fn told(part: Part, told: Lost<'_>, seen: &[Seen<'_>]) {
    answered(&ended(vec![part], FinishReason::Stop), told, seen);
}

/// Where the one part of the one candidate stands.
const PART: &str = "candidates[0].parts[0]";

#[test]
fn what_hangs_on_the_words_of_an_answer_is_told() {
    let words = || Text::new("words");
    for part in [Part::Text, Part::Refusal] {
        told(
            part(Text { opaque: opaque(OpaqueKind::ThoughtSignature), ..words() }),
            ("candidates[0].parts[0].opaque", Dropped, "only its origin can read it"),
            &[Gone("sealed"), Has("words")],
        );
        told(
            part(Text { rest: odd(), ..words() }),
            ("candidates[0].parts[0].odd", Dropped, "no other dialect has it"),
            &[Gone("strange"), Has("words")],
        );
        told(
            part(Text { logprobs: Some(raw(r#"[{"strange":1}]"#)), ..words() }),
            ("candidates[0].parts[0].logprobs", Dropped, "they have another form"),
            &[Gone("strange"), Has("words")],
        );
    }
    let cited = |citation| Part::Text(Text { citations: vec![citation], ..words() });
    told(
        cited(Citation {
            url: Some("https://b".into()),
            cited: Some("a line".into()),
            ..Citation::default()
        }),
        ("candidates[0].parts[0].citations", Dropped, "annotations do not hold the words that are cited"),
        &[Gone("a line"), Has("https://b")],
    );
    told(
        cited(Citation { start: Some(77), ..Citation::default() }),
        ("candidates[0].parts[0].citations", Dropped, "they name nothing that is cited"),
        &[Gone("77"), Has(r#""annotations":[]"#)],
    );
    for kind in [OpaqueKind::Signature, OpaqueKind::Redacted, OpaqueKind::Details] {
        told(
            Part::Reasoning(Reasoning {
                text: vec!["hm".into()],
                opaque: opaque(kind),
                ..Reasoning::default()
            }),
            ("candidates[0].parts[0].opaque", Dropped, "only its origin can read it"),
            &[Gone("sealed"), Has("hm")],
        );
    }
}

#[test]
fn calls_and_results_that_have_no_place_are_told() {
    let dig = || call("c", "dig", "{}");
    told(
        Part::ToolCall(ToolCall { opaque: opaque(OpaqueKind::ThoughtSignature), ..dig() }),
        ("candidates[0].parts[0].opaque", Dropped, "only its origin can read it"),
        &[Gone("sealed"), Has("dig")],
    );
    told(
        Part::ToolCall(ToolCall { rest: odd(), ..dig() }),
        ("candidates[0].parts[0].odd", Dropped, "no other dialect has it"),
        &[Gone("strange"), Has("dig")],
    );
    let kind = ToolCallKind::Native("server_tool_use".into());
    told(
        Part::ToolCall(ToolCall { kind, executor: Executor::Provider, ..dig() }),
        (PART, Dropped, "it is a call of another provider's own tool"),
        &[Gone("dig")],
    );
    let given = ServerResult {
        call: "c".into(),
        kind: "web_search_tool_result".into(),
        raw: raw(r#"{"strange":1}"#),
        origin: Dialect::Anthropic,
    };
    told(
        Part::ServerResult(given),
        (PART, Dropped, "what another provider's tool gave is told by the text that cites it"),
        &[Gone("strange")],
    );
    let result = ToolResult {
        call: "c".into(),
        name: None,
        content: vec![text("strange")],
        json: false,
        error: false,
        kind: ToolCallKind::Function,
        cache: None,
        rest: Rest::default(),
    };
    told(
        Part::ToolResult(result),
        (PART, Dropped, "an answer holds no results of the client's tools"),
        &[Gone("strange")],
    );
    let foreign = Foreign { dialect: Dialect::Gemini, kind: "odd".into(), raw: raw(r#"{"strange":1}"#) };
    told(Part::Foreign(foreign), (PART, Dropped, "no other dialect has it"), &[Gone("strange")]);
}

#[test]
fn media_of_an_answer_that_has_no_place_is_told() {
    let inline = |kind, mime| media(kind, Source::Inline("QUJD".into()), mime);
    told(
        Part::Media(media(MediaKind::Image, Source::Url("https://there".into()), None)),
        (PART, Dropped, "an image is told with its bytes"),
        &[Gone("https://there")],
    );
    for (kind, mime) in [
        (MediaKind::Audio, Some("audio/wav")),
        (MediaKind::Video, Some("video/mp4")),
        (MediaKind::File, Some("application/pdf")),
    ] {
        let lost = (PART, Dropped, "an answer holds text and images");
        told(Part::Media(inline(kind, mime)), lost, &[Gone("QUJD")]);
    }
    told(
        Part::Media(Media { name: Some("title".into()), ..inline(MediaKind::Image, None) }),
        ("candidates[0].parts[0].name", Dropped, "media of this kind has no name here"),
        &[Gone("title"), Has("QUJD")],
    );
    let sealed = Media { opaque: opaque(OpaqueKind::ThoughtSignature), ..inline(MediaKind::Image, None) };
    told(
        Part::Media(sealed),
        ("candidates[0].parts[0].opaque", Dropped, "only its origin can read it"),
        &[Gone("sealed"), Has("QUJD")],
    );
}

#[test]
fn ends_without_a_word_for_them_are_told() {
    use FinishReason::{BadToolCall, Other, Pause, Refusal, Sequence};
    let finished = |reason, told: Lost<'_>, seen: &[Seen<'_>]| {
        answered(&ended(vec![text("a")], reason), told, seen);
    };
    for reason in [Pause, BadToolCall, Other] {
        let near = ("candidates[0].finish", Approximated, "the answer is told as incomplete");
        finished(reason, near, &[Has(r#""status":"incomplete""#), Gone("theirs")]);
    }
    finished(
        Refusal,
        ("candidates[0].finish", Approximated, "a refusal without words of its own is told as filtered"),
        &[Has(r#""incomplete_details":{"reason":"content_filter"}"#), Gone("theirs")],
    );
    finished(
        Sequence,
        ("candidates[0].finish.sequence", Dropped, "nothing says where an answer stopped"),
        &[Has(r#""status":"completed""#), Gone("theirs")],
    );
}

#[test]
fn what_an_answer_says_of_itself_and_cannot_be_told_is_told() {
    let answer = || ended(vec![text("words")], FinishReason::Stop);
    answered(
        &Response { service_tier: Some("gold".into()), ..answer() },
        ("service_tier", Dropped, "the client does not know the word"),
        &[Gone("gold")],
    );
    answered(
        &Response { rest: odd(), ..answer() },
        ("odd", Dropped, "no other dialect has it"),
        &[Gone("strange")],
    );
    let usage = Usage { cache_write: Tokens(30), cache_write_1h: Tokens(4), ..Usage::default() };
    answered(
        &Response { usage: Some(usage), ..answer() },
        ("usage.cache_write_1h", Approximated, "all that was written is one count"),
        &[Has(r#""cache_write_tokens":34"#)],
    );
    let mut two = answer();
    two.candidates.extend(ended(vec![text("other")], FinishReason::Stop).candidates);
    answered(&two, ("candidates[1]", Dropped, "an answer is one"), &[Gone("other"), Has("words")]);
}

/// What is lost of a stream with one part that grows.
#[track_caller]
fn grown(part: Part, deltas: Vec<Delta>, told: Lost<'_>, seen: &[Seen<'_>]) {
    let id = PartId(0);
    let mut events = vec![Event::Start(Start::default()), Event::PartStart { id, candidate: 0, part }];
    events.extend(deltas.into_iter().map(|delta| Event::PartDelta { id, delta }));
    events.extend([Event::PartEnd { id }, Event::Finish(vec![finish(FinishReason::Stop)])]);
    streamed(&events, told, seen);
}

#[test]
fn what_only_a_stream_can_lose_is_told() {
    let differs = (PART, Approximated, "its end is not what was told of it before");
    let whole = |part| Delta::Whole(Box::new(part));
    let said = |words: &str| Delta::Text(words.into());
    grown(text(""), vec![said("hullo"), whole(text("hello"))], differs, &[Has(r#""text":"hello""#)]);
    let refused = Part::Refusal(Text::new("never"));
    grown(text(""), vec![said("hullo"), whole(refused)], differs, &[Has("hullo"), Gone("never")]);
    let sealed = Delta::Opaque { kind: OpaqueKind::Signature, value: "sealed".into(), append: false };
    let origin = ("candidates[0].parts[0].opaque", Dropped, "only its origin can read it");
    grown(Part::Reasoning(Reasoning::default()), vec![sealed], origin, &[Gone("sealed")]);
    let other = ("candidates[0].parts[0].odd", Dropped, "no other dialect has it");
    grown(text("a"), vec![Delta::Rest(odd())], other, &[Gone("strange")]);
    let form = ("candidates[0].parts[0].logprobs", Dropped, "they have another form");
    let list = Delta::Logprobs(raw(r#"[{"strange":1}]"#));
    grown(text("a"), vec![list], form, &[Gone("strange")]);
}

#[test]
fn events_that_nobody_else_has_are_told() {
    let foreign = |kind: &str| {
        let raw = raw(r#"{"strange":1}"#);
        Event::Foreign(Foreign { dialect: Dialect::OpenaiChat, kind: kind.into(), raw })
    };
    let end = || Event::Finish(vec![finish(FinishReason::Stop)]);
    let other = "no other dialect has it";
    streamed(
        &[Event::Start(Start::default()), foreign("choice"), foreign("choice"), end()],
        ("choice", Dropped, other),
        &[Gone("strange")],
    );
    streamed(
        &[Event::Start(Start::default()), Event::Rest(odd()), end()],
        ("odd", Dropped, other),
        &[Gone("strange")],
    );
}
