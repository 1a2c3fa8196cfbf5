//! Every loss that writing in this dialect tells: what is written, what is lost of it and why, and what is seen of it.

mod answers;
mod asked;
mod embeds;
mod media;
mod said;
mod tools;

use shim_ir::{CacheMark, Dialect, Opaque, OpaqueKind, Part, Request, Rest, Role, Traits};

use super::{encode, of_turns, raw, turn};
use crate::carried;
use crate::lost::{self, Lost, Seen};
use crate::openai_chat::{OpenaiChat, QUIRKS};

/// What is lost of a request.
#[track_caller]
fn row(request: &Request, traits: &Traits, lost: &[Lost<'_>], seen: &[Seen<'_>]) {
    let (_, encoded) = encode(request, traits);
    lost::check(encoded.body.to_text().as_bytes(), &encoded.losses, lost, seen);
}

/// A request that says nothing, with a change.
fn asking(change: impl FnOnce(&mut Request)) -> Request {
    let mut request = of_turns(vec![]);
    change(&mut request);
    request
}

/// A request with one turn of one part.
fn saying(role: Role, part: Part) -> Request {
    of_turns(vec![turn(role, vec![part])])
}

fn mark() -> Option<CacheMark> {
    Some(CacheMark { ttl: None, rest: Rest::default() })
}

fn opaque(kind: OpaqueKind) -> Vec<Opaque> {
    vec![Opaque { kind, value: "sealed".into() }]
}

/// A member that only another dialect has.
fn odd() -> Rest {
    Rest::from_owned(Dialect::Anthropic, vec![("odd".into(), raw("\"strange\""))])
}

#[test]
fn every_word_is_carried_or_told() {
    carried::turns_are_carried(&OpenaiChat, QUIRKS);
    carried::requests_are_carried(&OpenaiChat, QUIRKS);
    carried::answers_are_carried(&OpenaiChat);
    carried::ends_are_carried(&OpenaiChat);
}
