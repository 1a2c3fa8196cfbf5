//! Streamed answers.

use serde_json::{Value, json};
use shim_ir::{
    Citation, Delta, Dialect, Event, Finish, FinishReason, Foreign, MediaKind, OpaqueKind, Part, Reasoning,
    Request, Rest, Source, Start, Text, Tokens, ToolCall, ToolCallKind, Usage,
};
use shim_wire::frame::Framing;

use super::super::written::{call, end, grow, media, open};
use super::{
    APPROXIMATED, DEFAULTED, DROPPED, Lost, NO_OTHER, ORIGIN, foreign, others, raw, state, text, told_exactly,
};
use crate::Encode as _;
use crate::gemini_generate::GeminiGenerate;
use crate::laws::asker;

/// A whole stream of these events: the parts of its pieces, the word for its end, and what is lost. What was left out is
/// not in it.
#[track_caller]
fn whole(events: &[Event], parts: &Value, word: &str, lost: &[Lost<'_>]) {
    let request = Request::default();
    let mut encoder = GeminiGenerate.encoder(&asker(&request, Framing::Sse));
    let mut out = Vec::new();
    events.iter().for_each(|event| encoder.push(event, &mut out));
    let stream = String::from_utf8(out).expect("UTF-8");
    let frames = stream.split("\n\n").filter_map(|frame| frame.strip_prefix("data: "));
    let frames: Vec<Value> = frames.map(|frame| serde_json::from_str(frame).expect("JSON")).collect();
    let (last, others) = frames.split_last().expect("a last piece");
    assert_eq!(last["candidates"][0]["finishReason"], word, "{stream}");
    let said = others.iter().filter_map(|frame| frame["candidates"][0]["content"]["parts"].as_array());
    assert_eq!(&json!(said.flatten().collect::<Vec<_>>()), parts, "{stream}");
    assert!(!stream.contains("odd") && !stream.contains("only-its-origin"), "{stream}");
    told_exactly(encoder.losses(), lost);
}

/// As [`whole`], of a stream of these events, which ends well.
#[track_caller]
fn check(events: Vec<Event>, parts: Value, lost: &[Lost<'_>]) {
    let finish = Finish { reason: FinishReason::Stop, words: None, sequence: None };
    let mut all = vec![Event::Start(Start::default())];
    all.extend(events);
    all.push(Event::Finish(vec![Some(finish)]));
    whole(&all, &parts, "STOP", lost);
}

const PART: &str = "candidates[0].parts[0]";
const ODD: Lost<'static> = ("candidates[0].parts[0].odd", DROPPED, NO_OTHER);
const SEALED: Lost<'static> = ("candidates[0].parts[0].opaque", DROPPED, ORIGIN);
const NAMED: Lost<'static> = ("candidates[0].parts[0].id", DROPPED, "thoughts have no ids");

fn sealed() -> Delta {
    Delta::Opaque { kind: OpaqueKind::Encrypted, value: "only-its-origin".into(), append: false }
}

#[test]
fn answers_as_a_whole() {
    let odd = || {
        let raw = raw(&json!({ "odd": 1 }));
        Event::Foreign(Foreign { dialect: Dialect::Anthropic, kind: "odd_event".into(), raw })
    };
    check(vec![odd(), odd()], json!([]), &[("odd_event", DROPPED, NO_OTHER)]);
    let rest = || Event::Rest(others());
    check(vec![rest(), rest()], json!([]), &[("odd", DROPPED, NO_OTHER)]);
    let start = Start { service_tier: Some("scale".into()), rest: others(), ..Start::default() };
    let used = Usage { cache_write: Tokens(2), ..Usage::default() };
    let finish = Finish { reason: FinishReason::Refusal, words: None, sequence: Some("odd".into()) };
    let lost = [
        ("odd", DROPPED, NO_OTHER),
        ("service_tier", DROPPED, "there is no such class of service"),
        ("candidates[0].finish.sequence", DROPPED, "the provider does not say which"),
        ("candidates[0].finish.reason", APPROXIMATED, "a refusal ends as what a filter stops"),
        ("usage.cache_write", APPROXIMATED, "counted with the rest of the prompt"),
    ];
    let events = [Event::Start(start), Event::Usage(used), Event::Finish(vec![Some(finish)])];
    whole(&events, &json!([]), "SAFETY", &lost);
}

#[test]
fn an_end_without_a_reason() {
    let events =
        [Event::Start(Start::default()), open(0, Part::Text(Text::new("a"))), end(0), Event::Finish(vec![])];
    let says = "an answer that is complete says why it ended";
    whole(&events, &json!([text("a")]), "OTHER", &[("candidates[0].finish", DEFAULTED, says)]);
}

#[test]
fn what_hangs_on_text() {
    let hung = |delta: Delta, lost| {
        let events =
            vec![open(0, Part::Text(Text::new("a"))), grow(0, delta.clone()), grow(0, delta), end(0)];
        check(events, json!([text("a")]), &[lost]);
    };
    hung(sealed(), SEALED);
    hung(Delta::Rest(others()), ODD);
    let form = ("candidates[0].parts[0].logprobs", DROPPED, "they have another form");
    hung(Delta::Logprobs(raw(&json!([{ "strange": 1 }]))), form);
    let begun = Text { rest: others(), opaque: state(OpaqueKind::Details), ..Text::new("a") };
    check(vec![open(0, Part::Text(begun.clone())), end(0)], json!([text("a")]), &[ODD, SEALED]);
    let late = grow(0, Delta::Whole(Box::new(Part::Text(begun))));
    check(vec![open(0, Part::Text(Text::new("a"))), late, end(0)], json!([text("a")]), &[ODD, SEALED]);
    let refusal = (PART, APPROXIMATED, "a refusal is said as text");
    check(vec![open(0, Part::Refusal(Text::new("no"))), end(0)], json!([text("no")]), &[refusal]);
    let other = grow(0, Delta::Whole(Box::new(Part::Text(Text::new("odd")))));
    let corrected = (PART, APPROXIMATED, "what was told already cannot be changed");
    check(vec![open(0, Part::Text(Text::new("a"))), other, end(0)], json!([text("a")]), &[corrected]);
}

#[test]
fn reasoning() {
    let encrypted = Reasoning {
        id: Some("r".into()),
        opaque: state(OpaqueKind::Encrypted),
        rest: others(),
        ..Reasoning::default()
    };
    let thought = |text: &str| json!([{ "text": text, "thought": true }]);
    let shown = Reasoning { summary: vec!["hm".into()], ..encrypted.clone() };
    check(vec![open(0, Part::Reasoning(shown)), end(0)], thought("hm"), &[ODD, SEALED, NAMED]);
    check(vec![open(0, Part::Reasoning(encrypted)), end(0)], json!([]), &[ODD, SEALED, NAMED]);
}

#[test]
fn citations() {
    let span = Citation {
        url: Some("https://a".into()),
        cited: Some("odd".into()),
        start: Some(0),
        end: Some(1),
        ..Citation::default()
    };
    let events = vec![open(0, Part::Text(Text::new("a"))), grow(0, Delta::Citation(span)), end(0)];
    let words = ("candidates[0].citations.cited", DROPPED, "the words of a source have no place");
    check(events, json!([text("a")]), &[words]);
}

#[test]
fn sound() {
    let begun = Part::Media(media(MediaKind::Audio, Source::Inline(String::new()), Some("audio/wav")));
    let transcript = Rest::from_owned(Dialect::OpenaiChat, vec![("transcript".into(), raw(&json!("odd")))]);
    let events = vec![
        open(0, begun),
        grow(0, Delta::Data("AAAA".into())),
        grow(0, Delta::Rest(transcript)),
        grow(0, sealed()),
        end(0),
    ];
    let told = json!([{ "inlineData": { "mimeType": "audio/wav", "data": "AAAA" } }]);
    check(events, told.clone(), &[("candidates[0].parts[0].transcript", DROPPED, NO_OTHER), SEALED]);
    let data = || Source::Inline("AAAA".into());
    let begun = Part::Media(media(MediaKind::Audio, data(), Some("audio/wav")));
    let ended = shim_ir::Media { rest: others(), ..media(MediaKind::Audio, data(), Some("audio/wav")) };
    let late = grow(0, Delta::Whole(Box::new(Part::Media(ended))));
    check(vec![open(0, begun), late, end(0)], told, &[ODD]);
}

#[test]
fn deltas_that_do_not_fit() {
    let fits = (PART, DROPPED, "it does not fit its part");
    let check = |part: Part, delta: Delta, told: Value| {
        check(vec![open(0, part), grow(0, delta.clone()), grow(0, delta), end(0)], json!([told]), &[fits]);
    };
    check(Part::Text(Text::new("a")), Delta::Arguments("odd".into()), text("a"));
    let sound = media(MediaKind::Audio, Source::Inline("AAAA".into()), Some("audio/wav"));
    let told = json!({ "inlineData": { "mimeType": "audio/wav", "data": "AAAA" } });
    check(Part::Media(sound), Delta::Text("odd".into()), told);
}

#[test]
fn parts_that_are_told_whole() {
    let free = ToolCall { kind: ToolCallKind::Custom, rest: others(), ..call("c", "patch", "") };
    let events = vec![open(0, Part::ToolCall(free)), grow(0, Delta::Arguments("*** x".into())), end(0)];
    let told = json!([{ "functionCall": { "id": "c", "name": "patch", "args": { "input": "*** x" } } }]);
    let input = "free text is told as the argument `input`";
    let lost = [ODD, ("candidates[0].parts[0].arguments", APPROXIMATED, input)];
    check(events, told, &lost);
    let odd = foreign(Dialect::Anthropic, "odd_part");
    check(vec![open(0, odd), end(0)], json!([]), &[(PART, DROPPED, NO_OTHER)]);
}
