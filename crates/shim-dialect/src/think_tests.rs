//! What is reasoning and what is text, and the laws: any chunking gives the same answer, streamed is whole, and nothing
//! is lost.

use proptest::prelude::*;
use shim_ir::{
    Candidate, Citation, Delta, Event, Fault, FaultKind, Part, PartId, Reasoning, Response, Start, Text,
    ThinkTags, fold,
};

use crate::think::{Thoughts, divide};

/// The reasoning, if there is a part of it, and the text, if there is one.
type Told = (Option<String>, Option<String>);

fn told(parts: &[Part]) -> Told {
    let (mut reasoning, mut text) = (None, None);
    for part in parts {
        match part {
            Part::Reasoning(part) => reasoning = Some(part.text.concat()),
            Part::Text(part) => text = Some(part.text.to_string()),
            other => panic!("{other:?}"),
        }
    }
    (reasoning, text)
}

fn whole(parts: Vec<Part>, tags: ThinkTags) -> Vec<Part> {
    let candidate = Candidate { parts, ..Candidate::default() };
    let mut response = Response { candidates: vec![candidate], ..Response::default() };
    divide(&mut response, tags);
    response.candidates.remove(0).parts
}

/// What becomes of a text that comes in `pieces`, event by event.
fn events(pieces: &[&str], tags: ThinkTags) -> Vec<Event> {
    let id = PartId(0);
    let mut events = vec![
        Event::Start(Start::default()),
        Event::PartStart { id, candidate: 0, part: Part::Text(Text::default()) },
    ];
    let delta = |piece: &&str| Event::PartDelta { id, delta: Delta::Text((*piece).to_owned()) };
    events.extend(pieces.iter().map(delta));
    events.extend([Event::PartEnd { id }, Event::Finish(vec![None])]);
    let (mut thoughts, mut out) = (Thoughts::new(tags), Vec::new());
    events.into_iter().for_each(|event| thoughts.take(event, &mut out));
    out
}

fn streamed(pieces: &[&str], tags: ThinkTags) -> Vec<Part> {
    let (mut response, _) = fold(events(pieces, tags)).expect("the order is kept");
    response.candidates.remove(0).parts
}

#[track_caller]
fn check(text: &str, tags: ThinkTags, reasoning: Option<&str>, answer: Option<&str>) {
    let wanted = (reasoning.map(str::to_owned), answer.map(str::to_owned));
    assert_eq!(told(&whole(vec![Part::Text(Text::new(text))], tags)), wanted, "whole: {text:?}");
    let chars: Vec<_> = text.char_indices().map(|(at, c)| &text[at..at + c.len_utf8()]).collect();
    assert_eq!(told(&streamed(&chars, tags)), wanted, "by character: {text:?}");
    assert_eq!(told(&streamed(&[text], tags)), wanted, "at once: {text:?}");
}

#[test]
fn a_text_that_begins_with_a_tag_begins_with_reasoning() {
    for tags in [ThinkTags::Explicit, ThinkTags::Implicit] {
        check("<think>\nhm\n</think>\n\nyes", tags, Some("hm\n"), Some("yes"));
        check(" \n<think>hm</think>yes", tags, Some("hm"), Some("yes"));
        check("<thinking>a </think> b</thinking>yes", tags, Some("a </think> b"), Some("yes"));
        check("<think>a <think> b</think>c</think>", tags, Some("a <think> b"), Some("c</think>"));
        // The model had nothing to think about, or came to no end.
        check("<think>\n\n</think>\n\nyes", tags, None, Some("yes"));
        check("<think>hm</think>", tags, Some("hm"), None);
        check("<think>hm, <", tags, Some("hm, <"), None);
        check("<think>hm</thin", tags, Some("hm</thin"), None);
        check("<think>hm</think>\n    code", tags, Some("hm"), Some("    code"));
    }
}

#[test]
fn a_tag_elsewhere_is_text() {
    for text in [
        "the tag <think> opens</think>",
        "x<think>y</think>",
        "<thin",
        "<thinker>",
        "<b>",
        "",
        " \n",
        "</think>",
    ] {
        check(text, ThinkTags::Explicit, None, Some(text).filter(|text| !text.is_empty()));
        check(text, ThinkTags::None, None, Some(text).filter(|text| !text.is_empty()));
    }
    check("<think>hm</think>yes", ThinkTags::None, None, Some("<think>hm</think>yes"));
    let far = format!("{}<think>hm</think>", " ".repeat(65));
    check(&far, ThinkTags::Explicit, None, Some(&far));
}

#[test]
fn a_text_may_begin_inside_of_reasoning() {
    check("hm\n</think>\n\nyes", ThinkTags::Implicit, Some("hm\n"), Some("yes"));
    check("\nhm</thinking>yes", ThinkTags::Implicit, Some("hm"), Some("yes"));
    check("</think>\n\nyes", ThinkTags::Implicit, None, Some("yes"));
    // It ran out of room.
    check("hm, so", ThinkTags::Implicit, Some("hm, so"), None);
    check("<th", ThinkTags::Implicit, Some("<th"), None);
}

#[test]
fn what_the_server_told_apart_is_not_divided_again() {
    let reasoning = || Part::Reasoning(Reasoning { text: vec!["hm".into()], ..Reasoning::default() });
    for text in ["<think>yes</think>", "yes"] {
        let parts = vec![reasoning(), Part::Text(Text::new(text))];
        assert_eq!(whole(parts.clone(), ThinkTags::Implicit), parts);
    }
}

#[test]
fn every_candidate_is_divided_for_itself_and_only_its_first_text() {
    let texts = ["<think>a</think>b", "<think>c</think>d"].map(|text| Part::Text(Text::new(text)));
    let candidate = |parts| Candidate { parts, ..Candidate::default() };
    let candidates = texts.iter().map(|text| candidate(vec![text.clone()])).collect();
    let mut response = Response { candidates, ..Response::default() };
    divide(&mut response, ThinkTags::Explicit);
    let said: Vec<_> = response.candidates.iter().map(|candidate| told(&candidate.parts)).collect();
    let wanted = |a: &str, b: &str| (Some(a.to_owned()), Some(b.to_owned()));
    assert_eq!(said, [wanted("a", "b"), wanted("c", "d")]);
    let one = whole(texts.to_vec(), ThinkTags::Explicit);
    assert_eq!(one[2], Part::Text(Text::new("<think>c</think>d")));
}

#[test]
fn what_hangs_on_a_text_hangs_on_what_is_left_of_it() {
    let citation = |start, end| Citation { start, end, url: Some("u".into()), ..Citation::default() };
    let text = Text {
        citations: vec![citation(Some(17), Some(20)), citation(Some(7), Some(8)), citation(None, None)],
        ..Text::new("<think>é</think>\nyes")
    };
    let parts = whole(vec![Part::Text(text.clone())], ThinkTags::Explicit);
    let Part::Text(left) = &parts[1] else { panic!("{parts:?}") };
    assert_eq!(left.text, "yes");
    assert_eq!(left.citations, [citation(Some(0), Some(3)), citation(None, None), citation(None, None)]);
    // Where no text is left, it still hangs on one.
    let parts = whole(vec![Part::Text(Text { text: "<think>hm".into(), ..text })], ThinkTags::Explicit);
    assert!(matches!(&parts[1], Part::Text(left) if left.text.is_empty() && left.citations.len() == 3));
}

#[test]
fn nothing_is_held_back_but_the_beginning_of_a_tag() {
    let id = PartId(0);
    let (mut thoughts, mut out) = (Thoughts::new(ThinkTags::Explicit), Vec::new());
    thoughts.take(Event::PartStart { id, candidate: 0, part: Part::Text(Text::default()) }, &mut out);
    let mut say = |text: &str| {
        let mut out = Vec::new();
        thoughts.take(Event::PartDelta { id, delta: Delta::Text(text.into()) }, &mut out);
        let deltas = out.into_iter().filter_map(|event| match event {
            Event::PartDelta { delta: Delta::Text(text) | Delta::Reasoning { text, .. }, .. } => Some(text),
            _ => None,
        });
        deltas.collect::<String>()
    };
    assert_eq!(say("<thi"), "");
    assert_eq!(say("nk>so</"), "so");
    assert_eq!(say("b>"), "</b>");
    assert_eq!(say("</think>\n"), "");
    assert_eq!(say("yes <"), "yes <");
}

#[test]
fn a_stream_that_fails_has_told_all_that_came() {
    let id = PartId(0);
    let (mut thoughts, mut out) = (Thoughts::new(ThinkTags::Explicit), Vec::new());
    let fault = Fault::new(FaultKind::UpstreamCut, "cut");
    for event in [
        Event::PartStart { id, candidate: 0, part: Part::Text(Text::default()) },
        Event::PartDelta { id, delta: Delta::Text("<think>so </th".into()) },
        Event::Fault(fault.clone()),
    ] {
        thoughts.take(event, &mut out);
    }
    let reasoning =
        |text: &str| Event::PartDelta { id, delta: Delta::Reasoning { piece: 0, text: text.into() } };
    assert_eq!(out[1..], [reasoning("so "), reasoning("</th"), Event::Fault(fault)]);
}

/// Text as models write it: tags, beginnings of tags, line feeds, and letters of several bytes.
fn texts() -> impl Strategy<Value = String> {
    let words =
        ["<think>", "</think>", "<thinking>", "</thinking>", "<", "</th", "\n", " ", "a", "é", "日本"];
    proptest::collection::vec(proptest::sample::select(words.to_vec()), 0..12)
        .prop_map(|words| words.concat())
}

fn kinds() -> impl Strategy<Value = ThinkTags> {
    proptest::sample::select(vec![ThinkTags::None, ThinkTags::Explicit, ThinkTags::Implicit])
}

/// The text without the whitespace before the first tag, the tags, and the line feeds behind them.
fn bare(text: &str) -> String {
    let mut bare = text.to_owned();
    for tag in ["<think>", "</think>", "<thinking>", "</thinking>"] {
        bare = bare.replace(tag, "");
    }
    bare.replace([' ', '\n'], "")
}

proptest! {
    /// Law: any chunking gives the same answer, which is the whole one.
    #[test]
    fn any_chunking_gives_the_whole(text in texts(), tags in kinds(), sizes in proptest::collection::vec(1usize..6, 1..9)) {
        let chars: Vec<_> = text.chars().collect();
        let mut pieces = Vec::new();
        let (mut rest, mut sizes) = (&chars[..], sizes.iter().cycle());
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
            pieces.push(piece.iter().collect::<String>());
            rest = behind;
        }
        let pieces: Vec<_> = pieces.iter().map(String::as_str).collect();
        prop_assert_eq!(streamed(&pieces, tags), whole(vec![Part::Text(Text::new(&*text))], tags));
    }

    /// Law: reasoning and text hold all that was said, in its order, and only tags and the space around them are gone.
    #[test]
    fn nothing_is_lost(text in texts(), tags in kinds()) {
        let (reasoning, answer) = told(&whole(vec![Part::Text(Text::new(&*text))], tags));
        let joined = format!("{}{}", reasoning.clone().unwrap_or_default(), answer.clone().unwrap_or_default());
        prop_assert_eq!(bare(&joined), bare(&text));
        prop_assert!(text.ends_with(&answer.clone().unwrap_or_default()));
        prop_assert!(text.contains(&reasoning.clone().unwrap_or_default()));
        if tags == ThinkTags::None || (tags == ThinkTags::Explicit && reasoning.is_none() && !text.contains("</think")) {
            let untouched = !text.trim_start().starts_with("<think");
            prop_assert!(!untouched || answer.unwrap_or_default() == text);
        }
    }
}
