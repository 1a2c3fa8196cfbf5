//! Answers, whole and streamed: what is lost of one is lost of the other.

use shim_ir::{
    Candidate, Citation, Delta, Dialect, Event, Executor, Finish, FinishReason, Foreign, LossKind, Media,
    MediaKind, Opaque, OpaqueKind, Part, PartId, Reasoning, Request, Response, Rest, ServerResult, Source,
    Start, Text, ToolCall,
};
use shim_wire::frame::Framing;

use super::super::answers::{answer_of, finish, told_slowly};
use super::super::{call, function, media, raw, result, text};
use super::{Lost, Seen, lost, odd, opaque};
use crate::laws::asker;
use crate::openai_chat::OpenaiChat;
use crate::{Encode, openai_chat};
use LossKind::{Approximated, Defaulted, Dropped};
use Seen::{Gone, Has};

/// What is lost of a whole answer for the client of `request`, and of its stream.
#[track_caller]
fn told_to(request: &Request, answer: &Response, told: &[Lost<'_>], seen: &[Seen<'_>]) {
    let asker = asker(request, Framing::Sse);
    let whole = OpenaiChat.encode_response(answer, &asker);
    lost::check(&whole.body, &whole.losses, told, seen);
    streamed(request, &told_slowly(answer), told, seen);
}

#[track_caller]
fn streamed(request: &Request, events: &[Event], told: &[Lost<'_>], seen: &[Seen<'_>]) {
    let mut encoder = OpenaiChat.encoder(&asker(request, Framing::Sse));
    let mut out = Vec::new();
    events.iter().for_each(|event| encoder.push(event, &mut out));
    lost::check(&out, encoder.losses(), told, seen);
}

#[track_caller]
fn told(part: Part, told: Lost<'_>, seen: &[Seen<'_>]) {
    told_to(&Request::default(), &answer_of(vec![part], FinishReason::Stop), &[told], seen);
}

/// Where the one part of the one candidate stands.
const PART: &str = "candidates[0].parts[0]";

#[test]
fn what_hangs_on_the_words_of_an_answer_is_told() {
    let words = || Text::new("words");
    told(
        Part::Text(Text {
            citations: vec![Citation { title: Some("a book".into()), ..Citation::default() }],
            ..words()
        }),
        ("candidates[0].parts[0].citations", Dropped, "only addresses are cited here"),
        &[Gone("a book"), Gone("annotations")],
    );
    for part in [Part::Text, Part::Refusal] {
        told(
            part(Text { opaque: opaque(OpaqueKind::ThoughtSignature), ..words() }),
            ("candidates[0].parts[0].opaque", Dropped, "clients have no place for it"),
            &[Gone("sealed")],
        );
        told(
            part(Text { logprobs: Some(raw(r#"[{"strange":1}]"#)), ..words() }),
            ("candidates[0].parts[0].logprobs", Dropped, "they have another form"),
            &[Gone("strange")],
        );
        told(
            part(Text { rest: odd(), ..words() }),
            ("candidates[0].parts[0].odd", Dropped, "no other dialect has it"),
            &[Gone("strange")],
        );
    }
    for kind in [OpaqueKind::Signature, OpaqueKind::Encrypted, OpaqueKind::Redacted] {
        told(
            Part::Reasoning(Reasoning {
                text: vec!["hm".into()],
                opaque: opaque(kind),
                ..Reasoning::default()
            }),
            ("candidates[0].parts[0].opaque", Dropped, "clients have no place for it"),
            &[Gone("sealed"), Has("reasoning_content")],
        );
    }
}

#[test]
fn what_hangs_on_a_call_of_an_answer_is_told() {
    let dig = || call("c", "dig", "{}");
    let sealed = ("candidates[0].parts[0].opaque", Dropped, "clients have no place for it");
    let seals = opaque(OpaqueKind::Encrypted);
    told(Part::ToolCall(ToolCall { opaque: seals.clone(), ..dig() }), sealed, &[Gone("sealed"), Has("dig")]);
    told(
        Part::ToolCall(ToolCall { item: Some("fc_7".into()), ..dig() }),
        ("candidates[0].parts[0].item", Dropped, "a call has one id here"),
        &[Gone("fc_7"), Has("dig")],
    );
    told(
        Part::ToolCall(ToolCall { rest: odd(), ..dig() }),
        ("candidates[0].parts[0].odd", Dropped, "no other dialect has it"),
        &[Gone("strange"), Has("dig")],
    );
    let rest = Rest::from_owned(openai_chat::decode::DIALECT, vec![("form".into(), raw("\"functions\""))]);
    let older = shim_ir::Tool { rest, ..function("dig") };
    let older = Request { tools: vec![older], ..Request::default() };
    let calls =
        |second| answer_of(vec![Part::ToolCall(dig()), Part::ToolCall(second)], FinishReason::ToolCalls);
    told_to(
        &older,
        &calls(call("d", "delve", "{}")),
        &[("candidates[0].parts[1]", Dropped, "the deprecated form has one call")],
        &[Gone("delve"), Has("function_call")],
    );
    let one = Part::ToolCall(ToolCall { opaque: seals, ..dig() });
    told_to(
        &older,
        &answer_of(vec![one], FinishReason::ToolCalls),
        &[sealed],
        &[Gone("sealed"), Has("function_call")],
    );
}

#[test]
fn parts_of_an_answer_that_have_no_place_are_told() {
    let ran = (PART, Dropped, "the provider ran the tool");
    let dig = ToolCall { executor: Executor::Provider, ..call("c", "dig", "{}") };
    told(Part::ToolCall(dig), ran, &[Gone("dig")]);
    let given = ServerResult {
        call: "c".into(),
        kind: "web_search_tool_result".into(),
        raw: raw(r#"{"strange":1}"#),
        origin: Dialect::Anthropic,
    };
    told(Part::ServerResult(given), ran, &[Gone("strange")]);
    told(Part::ToolResult(result("c", None, vec![text("strange")])), ran, &[Gone("strange")]);
    let foreign = Foreign { dialect: Dialect::Gemini, kind: "strange".into(), raw: raw(r#"{"strange":1}"#) };
    told(Part::Foreign(foreign), (PART, Dropped, "no other dialect has it"), &[Gone("strange")]);
}

#[test]
fn media_of_an_answer_that_has_no_place_is_told() {
    let inline = |kind| media(kind, Source::Inline("QUJD".into()), None);
    for kind in [MediaKind::Video, MediaKind::File] {
        let lost = (PART, Dropped, "an answer here holds no such media");
        told(Part::Media(inline(kind)), lost, &[Gone("QUJD")]);
    }
    told(
        Part::Media(media(MediaKind::Image, Source::Handle("files/7".into()), None)),
        (PART, Dropped, "an image kept by a provider cannot be told"),
        &[Gone("files/7")],
    );
    told(
        Part::Media(Media { opaque: opaque(OpaqueKind::ThoughtSignature), ..inline(MediaKind::Image) }),
        ("candidates[0].parts[0].opaque", Dropped, "clients have no place for it"),
        &[Gone("sealed"), Has("QUJD")],
    );
    for kind in [MediaKind::Image, MediaKind::Audio] {
        told(
            Part::Media(Media { name: Some("title".into()), ..inline(kind) }),
            ("candidates[0].parts[0].name", Dropped, "media of this kind has no name here"),
            &[Gone("title"), Has("QUJD")],
        );
    }
    told(
        Part::Media(media(MediaKind::Audio, Source::Url("https://a".into()), None)),
        (PART, Dropped, "sound is told with its bytes"),
        &[Gone("https://a")],
    );
    told(
        Part::Media(Media { opaque: opaque(OpaqueKind::ThoughtSignature), ..inline(MediaKind::Audio) }),
        ("candidates[0].parts[0].opaque", Dropped, "only its origin can read it"),
        &[Gone("sealed"), Has("QUJD")],
    );
}

#[test]
fn ends_without_a_word_for_them_are_told() {
    use FinishReason::{BadToolCall, Other, Pause, Refusal};
    for (reason, why, word) in [
        (Refusal, "a refusal is told as the work of a filter", "content_filter"),
        (Pause, "that the answer pauses cannot be told", "stop"),
        (BadToolCall, "that a call could not be read cannot be told", "stop"),
        (Other, "there is no word for it", "stop"),
    ] {
        let word = format!(r#""finish_reason":"{word}""#);
        let lost = ("candidates[0].finish", Approximated, why);
        told_to(&Request::default(), &answer_of(vec![text("a")], reason), &[lost], &[Has(&word)]);
    }
}

#[test]
fn what_an_answer_says_of_itself_and_cannot_be_told_is_told() {
    let answer = || answer_of(vec![text("a")], FinishReason::Stop);
    told_to(
        &Request::default(),
        &Response { service_tier: Some("gold".into()), ..answer() },
        &[("service_tier", Dropped, "there is no such class of service here")],
        &[Gone("gold")],
    );
    told_to(
        &Request::default(),
        &Response { rest: odd(), ..answer() },
        &[("odd", Dropped, "no other dialect has it")],
        &[Gone("strange")],
    );
}

#[test]
fn losses_stand_at_their_place_in_their_candidate() {
    let sealed = || Part::Text(Text { opaque: opaque(OpaqueKind::ThoughtSignature), ..Text::new("a") });
    let candidate =
        |parts| Candidate { parts, finish: Some(finish(FinishReason::Stop)), ..Candidate::default() };
    let candidates = vec![candidate(vec![text("a"), text("b")]), candidate(vec![text("c"), sealed()])];
    told_to(
        &Request::default(),
        &Response { candidates, ..Response::default() },
        &[("candidates[1].parts[1].opaque", Dropped, "clients have no place for it")],
        &[Gone("sealed")],
    );
}

/// What is lost of a stream with one part that grows.
#[track_caller]
fn grown(part: Part, deltas: Vec<Delta>, told: Lost<'_>, seen: &[Seen<'_>]) {
    let id = PartId(0);
    let mut events = vec![Event::Start(Start::default()), Event::PartStart { id, candidate: 0, part }];
    events.extend(deltas.into_iter().map(|delta| Event::PartDelta { id, delta }));
    events.extend([Event::PartEnd { id }, Event::Finish(vec![Some(finish(FinishReason::Stop))])]);
    streamed(&Request::default(), &events, &[told], seen);
}

#[test]
fn what_only_a_stream_can_lose_is_told() {
    let differs = (PART, Approximated, "its end says something else than what was told");
    let whole = |part| Delta::Whole(Box::new(part));
    let said = |words: &str| Delta::Text(words.into());
    grown(text(""), vec![said("hullo"), whole(text("hello"))], differs, &[Has("hullo"), Gone("hello")]);
    let refused = Part::Refusal(Text::new("never"));
    grown(text(""), vec![said("hullo"), whole(refused)], differs, &[Has("hullo"), Gone("never")]);
    let thought = Part::Reasoning(Reasoning { text: vec!["no".into()], ..Reasoning::default() });
    let piece = Delta::Reasoning { piece: 0, text: "hm".into() };
    grown(
        Part::Reasoning(Reasoning::default()),
        vec![piece, whole(thought)],
        differs,
        &[Has("hm"), Gone("\"no\"")],
    );
    let called = |arguments: &str| Part::ToolCall(call("c", "dig", arguments));
    let grows = Delta::Arguments("[1]".into());
    grown(called(""), vec![grows, whole(called("[2]"))], differs, &[Has("[1]"), Gone("[2]")]);

    let sealed = Delta::Opaque { kind: OpaqueKind::Signature, value: "sealed".into(), append: false };
    let place = ("candidates[0].parts[0].opaque", Dropped, "clients have no place for it");
    grown(Part::Reasoning(Reasoning::default()), vec![sealed], place, &[Gone("sealed")]);
    let other = ("candidates[0].parts[0].odd", Dropped, "no other dialect has it");
    grown(text("a"), vec![Delta::Rest(odd())], other, &[Gone("strange")]);
    let list = raw(r#"[{"strange":1}]"#);
    let form = ("candidates[0].parts[0].logprobs", Dropped, "they have another form");
    grown(text("a"), vec![Delta::Logprobs(list)], form, &[Gone("strange")]);
    let book = Citation { title: Some("a book".into()), ..Citation::default() };
    let cited = ("candidates[0].parts[0].citations", Dropped, "only addresses are cited here");
    grown(text("a"), vec![Delta::Citation(book)], cited, &[Gone("a book")]);
}

/// A client takes a stream that ends without a reason for one that was cut.
#[test]
fn an_answer_always_says_why_it_ended() {
    let unsaid = ("candidates[0].finish", Defaulted, "an answer that is complete says why it ended");
    let start = || Event::Start(Start::default());
    let stop = &[Has("\"finish_reason\":\"stop\"")];
    let mut whole = answer_of(vec![], FinishReason::Stop);
    whole.candidates[0].finish = None;
    told_to(&Request::default(), &whole, &[unsaid], stop);
    for ends in [vec![], vec![None]] {
        streamed(&Request::default(), &[start(), Event::Finish(ends)], &[unsaid], stop);
    }
    let empty = Finish { words: Some(String::new()), ..finish(FinishReason::Other) };
    streamed(&Request::default(), &[start(), Event::Finish(vec![Some(empty)])], &[unsaid], stop);
    let id = PartId(0);
    let called = Event::PartStart { id, candidate: 0, part: Part::ToolCall(call("c", "dig", "{}")) };
    let events = [start(), called, Event::PartEnd { id }, Event::Finish(vec![None])];
    streamed(&Request::default(), &events, &[unsaid], &[Has("\"finish_reason\":\"tool_calls\"")]);
    // A number that no answer has is none.
    let second = Event::Finish(vec![None, Some(finish(FinishReason::Stop))]);
    streamed(&Request::default(), &[start(), second], &[], &[Has("\"index\":1"), Gone("\"index\":0")]);
}

#[test]
fn events_that_nobody_else_has_are_told() {
    let foreign = Foreign {
        dialect: Dialect::OpenaiResponses,
        kind: "response.odd".into(),
        raw: raw(r#"{"strange":1}"#),
    };
    let end = Event::Finish(vec![Some(finish(FinishReason::Stop))]);
    let events = [Event::Start(Start::default()), Event::Foreign(foreign), Event::Rest(odd()), end];
    streamed(
        &Request::default(),
        &events,
        &[("response.odd", Dropped, "no other dialect has it"), ("odd", Dropped, "no other dialect has it")],
        &[Gone("strange")],
    );
}

#[test]
fn a_seal_that_has_a_place_is_no_loss() {
    let details =
        Opaque { kind: OpaqueKind::Details, value: r#"[{"type":"reasoning.text","text":"hm"}]"#.into() };
    let reasoning = Reasoning { text: vec!["hm".into()], opaque: vec![details], ..Reasoning::default() };
    let answer = answer_of(vec![Part::Reasoning(reasoning)], FinishReason::Stop);
    told_to(&Request::default(), &answer, &[], &[Has("reasoning_details")]);
}
