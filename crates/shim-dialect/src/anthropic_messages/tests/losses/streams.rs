//! Streamed answers.

use serde_json::json;
use shim_ir::{
    Citation, Delta, Dialect, Event, Finish, FinishReason, Foreign, MediaKind, OpaqueKind, Part, PartId,
    Reasoning, Source, Start, Text, Tokens, ToolCallKind, Usage,
};

use super::super::told::{
    all, call, end, function, grow, open, reasoning, says, text, thinks, with as arguments, written,
};
use super::{
    APPROXIMATED, DEFAULTED, DROPPED, Lost, UNSUPPORTED, foreign, media, others, raw, state, told_exactly,
};

const NO_OTHER: &str = "no other dialect has it";
const ORIGIN: &str = "only its origin can read it";

/// A whole stream: its blocks, one event in a line, and what is lost. What was left out is not in it.
#[track_caller]
fn whole(events: &[Event], lines: &[&str], lost: &[Lost<'_>]) {
    let (stream, told, losses) = written(events);
    assert_eq!(told, lines, "{stream}");
    assert!(!stream.contains("odd") && !stream.contains("only-its-origin"), "{stream}");
    told_exactly(&losses, lost);
}

/// As [`whole`], of a stream of these events, which ends well and says what was used.
#[track_caller]
fn check(mut events: Vec<Event>, lines: &[&str], lost: &[Lost<'_>]) {
    events.push(Event::Usage(Usage::default()));
    whole(&all(events), lines, lost);
}

const PART: &str = "candidates[0].parts[0]";

#[test]
fn answers_as_a_whole() {
    let second = Event::PartStart { id: PartId(1), candidate: 1, part: text() };
    let one = ("candidates[1]", DROPPED, "there is one answer to a request");
    let events = vec![open(0, text()), says(0, "a"), second, says(1, "b"), end(0), end(1)];
    check(events, &["text", "a", ".", "end_turn"], &[one]);
    let odd = || {
        let raw = raw(&json!({ "odd": 1 }));
        Event::Foreign(Foreign { dialect: Dialect::Gemini, kind: "candidate".into(), raw })
    };
    check(vec![odd(), odd()], &["end_turn"], &[("candidate", DROPPED, NO_OTHER)]);
    let rest = || Event::Rest(others());
    check(vec![rest(), rest()], &["end_turn"], &[("odd", DROPPED, NO_OTHER)]);
    let start = Event::Start(Start { service_tier: Some("flex".into()), rest: others(), ..Start::default() });
    let finish = Finish { reason: FinishReason::Filter, words: None, sequence: None };
    let lost = [
        ("service_tier", DROPPED, "there is no such class of service"),
        ("odd", DROPPED, NO_OTHER),
        ("candidates[0].finish", APPROXIMATED, "there is no word for why the answer ended"),
        ("usage", DEFAULTED, "the upstream told no usage"),
    ];
    whole(&[start, Event::Finish(vec![Some(finish)])], &["refusal"], &lost);
}

#[test]
fn what_was_used() {
    let used = Usage { output_audio: Tokens(7), ..Usage::default() };
    let events = all(vec![Event::Usage(used)]);
    let (stream, ..) = written(&events);
    assert!(stream.contains("\"output_tokens\":7"), "{stream}");
    let sound = ("usage", APPROXIMATED, "sound and images are counted with the text");
    whole(&events, &["end_turn"], &[sound]);
}

#[test]
fn citations() {
    let cites = |citation| vec![open(0, text()), says(0, "a"), grow(0, Delta::Citation(citation)), end(0)];
    let source = "a citation without its source in this dialect has no place";
    let nowhere = Citation { cited: Some("odd".into()), ..Citation::default() };
    let lost = ("candidates[0].parts[0].citations", DROPPED, source);
    check(cites(nowhere), &["text", "a", ".", "end_turn"], &[lost]);
    let span = Citation { url: Some("https://a".into()), start: Some(0), ..Citation::default() };
    let narrower = "a citation is of its whole block of text";
    let lost = ("candidates[0].parts[0].citations.start", APPROXIMATED, narrower);
    check(cites(span), &["text", "a", "\"https://a\"", ".", "end_turn"], &[lost]);
}

#[test]
fn what_hangs_on_text() {
    let hangs = |delta: Delta, member: &str, why: &str| {
        let events = vec![open(0, text()), says(0, "a"), grow(0, delta.clone()), grow(0, delta), end(0)];
        let path = format!("{PART}.{member}");
        check(events, &["text", "a", ".", "end_turn"], &[(&path, DROPPED, why)]);
    };
    hangs(Delta::Logprobs(raw(&json!(["odd"]))), "logprobs", "there are no log probabilities");
    hangs(Delta::Rest(others()), "odd", NO_OTHER);
    let kind = OpaqueKind::ThoughtSignature;
    let opaque = || Delta::Opaque { kind, value: "only-its-origin".into(), append: false };
    hangs(opaque(), "opaque", ORIGIN);
    let refusal = (PART, APPROXIMATED, "a refusal is told as text");
    let refused = vec![open(0, Part::Refusal(Text::new("no"))), end(0)];
    check(refused, &["text", "no", ".", "refusal"], &[refusal]);
    let begun = Text { rest: others(), opaque: state(kind), ..Text::new("a") };
    let [odd, sealed] = [
        ("candidates[0].parts[0].odd", DROPPED, NO_OTHER),
        ("candidates[0].parts[0].opaque", DROPPED, ORIGIN),
    ];
    let lost = [odd, sealed];
    check(vec![open(0, Part::Text(begun)), end(0)], &["text", "a", ".", "end_turn"], &lost);
    let untold = Text { rest: others(), opaque: state(kind), ..Text::default() };
    check(vec![open(0, Part::Text(untold)), end(0)], &["end_turn"], &[sealed, odd]);
}

#[test]
fn reasoning_and_its_summary() {
    let summary = grow(0, Delta::Summary { piece: 0, text: "odd".into() });
    let events = vec![open(0, reasoning()), thinks(0, 0, "hm"), summary, end(0)];
    let itself = ("candidates[0].parts[0].summary", DROPPED, "the reasoning itself is told");
    check(events, &["thinking", "hm", ".", "end_turn"], &[itself]);
    let encrypted = Reasoning { id: Some("r".into()), rest: others(), ..Reasoning::default() };
    let sealed = Reasoning { opaque: state(OpaqueKind::Encrypted), ..encrypted };
    let lost = [
        ("candidates[0].parts[0].id", DROPPED, "thoughts have no ids"),
        ("candidates[0].parts[0].opaque", DROPPED, ORIGIN),
        ("candidates[0].parts[0].odd", DROPPED, NO_OTHER),
    ];
    check(vec![open(0, Part::Reasoning(sealed)), end(0)], &["end_turn"], &lost);
}

#[test]
fn calls() {
    let late = vec![
        open(0, function("c")),
        arguments(0, "{}"),
        open(1, text()),
        says(1, "a"),
        arguments(0, "odd"),
        end(0),
        end(1),
    ];
    let behind = ("candidates[0].parts[0].arguments", APPROXIMATED, "arguments came behind their end");
    check(late, &["tool_use", "{}", ".", "text", "a", ".", "tool_use"], &[behind]);
    let signed = shim_ir::ToolCall {
        opaque: state(OpaqueKind::ThoughtSignature),
        rest: others(),
        item: Some("fc_1".into()),
        ..call("c", "f", ToolCallKind::Function, "{}")
    };
    let lost = [
        ("candidates[0].parts[0].item", DROPPED, "a call has one id"),
        ("candidates[0].parts[0].odd", DROPPED, NO_OTHER),
        ("candidates[0].parts[0].opaque", DROPPED, ORIGIN),
    ];
    check(vec![open(0, Part::ToolCall(signed)), end(0)], &["tool_use", "{}", ".", "tool_use"], &lost);
}

#[test]
fn deltas_that_do_not_fit() {
    let fits = (PART, DROPPED, "it does not fit its part");
    let events = vec![open(0, text()), says(0, "a"), arguments(0, "odd"), arguments(0, "odd"), end(0)];
    check(events, &["text", "a", ".", "end_turn"], &[fits]);
    let other = grow(0, Delta::Whole(Box::new(Part::Text(Text::new("odd")))));
    let corrected = (PART, APPROXIMATED, "what was told already was corrected later");
    check(vec![open(0, text()), says(0, "a"), other, end(0)], &["text", "a", ".", "end_turn"], &[corrected]);
}

#[test]
fn parts_that_have_no_place() {
    let check = |part, kind, why| check(vec![open(0, part), end(0)], &["end_turn"], &[(PART, kind, why)]);
    let image = media(MediaKind::Image, Source::Inline("odd".into()), None);
    check(Part::Media(image), UNSUPPORTED, "an answer holds no media");
    check(foreign(Dialect::Gemini, "odd_part"), DROPPED, NO_OTHER);
    check(super::answers::result(), DROPPED, "results are the client's to tell");
}
