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
mod said;
mod streams;
mod tools;

use serde_json::{Value, json};
use shim_ir::{
    CacheMark, Dialect, Foreign, Media, MediaKind, Opaque, OpaqueKind, Part, Request, Rest, Role, Sampling,
    Source, Text, Tokens, Traits, Turn,
};
use shim_wire::RawJson;

use crate::anthropic_messages::AnthropicMessages;
use crate::anthropic_messages::encode::QUIRKS;
use crate::carried;
use crate::lost::{
    APPROXIMATED, DEFAULTED, DROPPED, Lost, NOTED, UNSUPPORTED, check_all, told_exactly, with,
};
use crate::{Encode as _, Encoded, Goal, Operation};

/// A request with a bound on its output, in which the user says `hi`.
fn request() -> Request {
    let sampling = Sampling { output_max: Some(Tokens(9_000)), ..Sampling::default() };
    Request { model: "alias".into(), turns: vec![says(Role::User, "hi")], sampling, ..Request::default() }
}

fn encode(traits: &Traits, request: &Request) -> Encoded {
    let goal = Goal { operation: Operation::Generate, model: "claude", traits, seed: "s" };
    AnthropicMessages.encode_request(request, &goal)
}

/// What of a request is sent that [`request`] has not, or otherwise, and what is lost.
#[track_caller]
fn check(traits: &Traits, request: &Request, sent: Value, lost: &[Lost<'_>]) {
    let encoded = encode(traits, request);
    let usual = json!({
        "model": "claude", "max_tokens": 9_000, "messages": [{ "role": "user", "content": "hi" }],
    });
    check_all(encoded.body.to_text().as_bytes(), &encoded.losses, &with(usual, sent), lost);
}

/// As [`check`], for a model of which nothing is known.
#[track_caller]
fn plain(request: &Request, sent: Value, lost: &[Lost<'_>]) {
    check(&Traits::default(), request, sent, lost);
}

fn quirky(word: &str) -> Traits {
    Traits { quirks: vec![word.to_owned()], ..Traits::default() }
}

fn raw(value: &Value) -> RawJson {
    RawJson::parse(&value.to_string()).expect("JSON")
}

/// What only Gemini has.
fn others() -> Rest {
    Rest::from_owned(Dialect::Gemini, vec![("odd".into(), raw(&json!(1)))])
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

fn mark(ttl: Option<&str>) -> Option<CacheMark> {
    Some(CacheMark { ttl: ttl.map(str::to_owned), rest: Rest::default() })
}

fn state(kind: OpaqueKind) -> Vec<Opaque> {
    vec![Opaque { kind, value: "only-its-origin".into() }]
}

fn media(kind: MediaKind, source: Source, mime: Option<&str>) -> Media {
    Media {
        kind,
        source,
        mime: mime.map(str::to_owned),
        name: None,
        detail: None,
        cache: None,
        opaque: Vec::new(),
        rest: Rest::default(),
    }
}

/// A block of text.
fn text(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

#[test]
fn every_word_is_carried_or_told() {
    carried::turns_are_carried(&AnthropicMessages, &QUIRKS);
    carried::requests_are_carried(&AnthropicMessages, &QUIRKS);
    carried::answers_are_carried(&AnthropicMessages);
    carried::ends_are_carried(&AnthropicMessages);
}
