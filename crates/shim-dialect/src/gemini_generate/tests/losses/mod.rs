//! Every loss that writing in this dialect tells.
//!
//! A row states all that is written and all that is told: where, what became of it, and why. So it fails where a loss is
//! told of another place or not at all, and where what was left out is carried, or not what stands for it.

#![expect(
    clippy::needless_pass_by_value,
    reason = "a row is easier to read where `json!` stands without `&`"
)]

mod answers;
mod asked;
mod embed;
mod said;
mod streams;
mod tools;

use serde_json::{Value, json};
use shim_ir::{
    CacheMark, Dialect, Foreign, Opaque, OpaqueKind, Part, Request, Rest, Role, Text, Traits, Turn,
};
use shim_wire::RawJson;

use super::written::encode;
use crate::carried;
use crate::gemini_generate::{GeminiGenerate, QUIRKS};
use crate::lost::{
    APPROXIMATED, DEFAULTED, DROPPED, Lost, NOTED, UNSUPPORTED, check_all, told_exactly, with,
};

const NO_OTHER: &str = "no other dialect has it";
const ORIGIN: &str = "only its origin can read it";
const CACHES: &str = "the provider caches by itself";

/// A request in which the user says `hi`.
fn request() -> Request {
    Request { model: "alias".into(), turns: vec![says(Role::User, "hi")], ..Request::default() }
}

/// What of a request is sent that [`request`] has not, or otherwise, and what is lost.
#[track_caller]
fn check(traits: &Traits, request: &Request, sent: Value, lost: &[Lost<'_>]) {
    let encoded = encode(request, traits);
    let usual = json!({ "contents": [user(json!([text("hi")]))] });
    check_all(encoded.body.to_text().as_bytes(), &encoded.losses, &with(usual, sent), lost);
}

/// As [`check`], for a model of which nothing is known.
#[track_caller]
fn plain(request: &Request, sent: Value, lost: &[Lost<'_>]) {
    check(&Traits::default(), request, sent, lost);
}

/// A model with an oddity, which is documented.
fn quirky(word: &str) -> Traits {
    assert!(QUIRKS.iter().any(|(known, _)| *known == word), "{word}");
    Traits { quirks: vec![word.to_owned()], ..Traits::default() }
}

fn raw(value: &Value) -> RawJson {
    RawJson::parse(&value.to_string()).expect("JSON")
}

/// What only OpenAI has.
fn others() -> Rest {
    Rest::from_owned(Dialect::OpenaiChat, vec![("odd".into(), raw(&json!(1)))])
}

fn turn(role: Role, parts: Vec<Part>) -> Turn {
    Turn { role, id: None, name: None, parts, rest: Rest::default() }
}

fn says(role: Role, text: &str) -> Turn {
    turn(role, vec![Part::Text(Text::new(text))])
}

fn foreign(dialect: Dialect, kind: &str) -> Part {
    Part::Foreign(Foreign { dialect, kind: kind.into(), raw: raw(&json!({ "type": kind })) })
}

fn mark() -> Option<CacheMark> {
    Some(CacheMark { ttl: None, rest: Rest::default() })
}

fn state(kind: OpaqueKind) -> Vec<Opaque> {
    vec![Opaque { kind, value: "only-its-origin".into() }]
}

/// A part that is text.
fn text(text: &str) -> Value {
    json!({ "text": text })
}

fn user(parts: Value) -> Value {
    json!({ "role": "user", "parts": parts })
}

#[test]
fn every_word_is_carried_or_told() {
    carried::turns_are_carried(&GeminiGenerate, QUIRKS);
    carried::requests_are_carried(&GeminiGenerate, QUIRKS);
    carried::answers_are_carried(&GeminiGenerate);
    carried::ends_are_carried(&GeminiGenerate);
}
