//! Strings kept as they were written, against what serde_json reads.

use std::hash::BuildHasher;

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::value::RawValue;

use super::escapes::are_ascii;
use super::{Form, JsonString};
use crate::source::SHARED_MIN;
use crate::{JsonWriter, Str, checked, from_json};

fn read(literal: &str) -> Option<JsonString> {
    JsonString::read(serde_json::from_str::<&RawValue>(literal).unwrap())
}

fn written(write: impl FnOnce(JsonWriter<'_>)) -> String {
    let mut out = Vec::new();
    write(JsonWriter::new(&mut out));
    String::from_utf8(out).unwrap()
}

/// The same, read from a body that is so long that it is shared.
fn shared(literal: &str) -> Option<JsonString> {
    let body = Bytes::from(literal.to_owned());
    let text = std::str::from_utf8(&body).unwrap();
    let text = checked(&body, || from_json::<JsonString>(text)).ok()?;
    assert!(matches!(text.0, Form::Said(_) | Form::Shared(_)), "{literal}");
    Some(text)
}

/// Literals with every form of escape, and without.
fn literal() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-z é\u{2028}🙂/\u{7f}]{0,30}",
        4 => r#"\\["\\/bfnrt]"#,
        2 => r"\\u00[0-7][0-9a-fA-F]",
        1 => r"\\u[0-9a-fA-F]{4}",
        1 => Just(r"\ud83d\uDE42".to_owned()),
    ];
    prop::collection::vec(piece, 0..20).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

/// Everything that can be asked of it, against the string it stands for.
#[track_caller]
fn check(text: &JsonString, known: &str) {
    assert_eq!((text.len(), text.is_empty()), (known.len(), known.is_empty()));
    assert_eq!(text.is_blank(), known.trim().is_empty());
    assert_eq!(text.pieces().collect::<String>(), known);
    let made = JsonString::from(known);
    let json = written(|mut w| w.element().text(text));
    assert_eq!(serde_json::from_str::<String>(&json).unwrap(), known, "{json}");
    let lines = written(|w| w.escaping_lines().element().text(text));
    assert!(!lines.contains(['\u{85}', '\u{2028}', '\u{2029}', '\n']), "{lines}");
    assert_eq!(serde_json::from_str::<String>(&lines).unwrap(), known, "{lines}");
    let joined = written(|mut w| w.element().joined(&[text, &made, text], "\n\""));
    let wanted = format!("{known}\n\"{known}\n\"{known}");
    assert_eq!(serde_json::from_str::<String>(&joined).unwrap(), wanted, "{joined}");
    let mut grown = text.clone();
    grown.push_str("\"+");
    assert_eq!(grown, format!("{known}\"+"));
    assert_eq!((text, text.as_str()), (&made, known));
    let state = std::hash::RandomState::new();
    assert_eq!(state.hash_one(text), state.hash_one(made));
    assert_eq!((format!("{text}"), format!("{text:?}")), (known.to_owned(), format!("{known:?}")));
    assert_eq!(text.pieces().collect::<String>(), known, "also when it was decoded");
    assert_eq!(String::from(text.clone()), known);
}

proptest! {
    #[test]
    fn escapes_of_other_characters_are_found_wherever_they_stand(
        inner in prop::collection::vec(prop_oneof![4 => Just("a"), 4 => Just("u"), 2 => Just("\\"), 1 => Just("\\u00"),
            1 => Just("\\u0041"), 1 => Just("\\u00e9")], 0..200)
    ) {
        let inner = inner.concat();
        let is_other = |at: usize| {
            let digits = inner.get(at + 2..at + 6);
            digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()).is_none_or(|number| number > 0x7F)
        };
        prop_assert_eq!(are_ascii(inner.as_bytes()), !inner.match_indices("\\u").any(|(at, _)| is_other(at)));
    }

    #[test]
    fn a_literal_says_what_serde_json_reads(literal in literal()) {
        match (read(&literal), serde_json::from_str::<String>(&literal)) {
            (Some(text), Ok(known)) => {
                prop_assert_eq!(text.clone().into_string(), known.as_str());
                check(&text, &known);
            }
            (None, Err(_)) => {}
            (text, known) => prop_assert!(false, "{:?} {:?}", text, known),
        }
    }

    #[test]
    fn a_shared_literal_says_the_same(literal in literal()) {
        let inner = literal.trim_matches('"');
        let literal = format!("\"{}\"", inner.repeat(SHARED_MIN / inner.len().max(1) + 1));
        prop_assume!(literal.len() >= SHARED_MIN + 2);
        match (shared(&literal), serde_json::from_str::<String>(&literal)) {
            (Some(text), Ok(known)) => {
                prop_assert_eq!(text.clone().into_string(), known.as_str());
                prop_assert_eq!(&text, &read(&literal).unwrap());
                prop_assert_eq!(&text, &shared(&literal).unwrap());
                check(&text, &known);
            }
            (None, Err(_)) => {}
            (text, known) => prop_assert!(false, "{:?} {:?}", text, known),
        }
    }

    #[test]
    fn any_string_is_said(text in any::<String>()) {
        check(&text.as_str().into(), &text);
        check(&read(&serde_json::to_string(&text).unwrap()).unwrap(), &text);
    }

    /// Whoever reads it as a member meets the same error at the same time.
    #[test]
    fn what_is_no_string_is_refused_as_ever(literal in literal(), other in "[0-9]|true|\\[\\]|\\{\\}|null") {
        for json in [literal, other] {
            let words = |error: crate::WireError| {
                let words = error.message.split(" at line ").next().unwrap().to_owned();
                (error.path, words)
            };
            let list = format!("[{json}]");
            let ours = from_json::<Vec<JsonString>>(&list).map_err(words);
            let known = from_json::<Vec<Str<'_>>>(&list).map_err(words);
            let known = known.map(|list| list.into_iter().map(|text| text.into_string().into()).collect());
            prop_assert_eq!(ours, known);
        }
    }
}

#[test]
fn a_literal_is_copied_as_it_stands_and_decoded_once_it_is_read() {
    let literal = r#""a \/ \"b\"\\\n\u001b""#;
    let text = read(literal).unwrap();
    let copy = text.clone();
    assert_eq!(written(|mut w| w.element().text(&text)), literal);
    assert!(!text.is_empty() && !text.is_blank() && text.pieces().count() > 1 && copy == text);
    assert!(!text.was_decoded() && !copy.was_decoded());
    assert_eq!(&*text, "a / \"b\"\\\n\u{1b}");
    assert!(text.was_decoded() && !copy.was_decoded());
}
