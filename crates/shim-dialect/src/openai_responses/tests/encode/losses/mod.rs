//! Every loss that writing in this dialect tells: what is written, what is lost of it and why, and what is seen of it.

mod answers;
mod asked;
mod media;
mod said;
mod tools;

use shim_ir::{Dialect, Media, MediaKind, Opaque, OpaqueKind, Part, Request, Rest, Role, Source, Traits};

use super::{encode, raw, turn};
use crate::carried;
use crate::lost::{self, Lost, Seen};
use crate::openai_responses::OpenaiResponses;
use crate::openai_responses::encode::QUIRKS;

/// What is lost of a request.
#[track_caller]
fn row(request: &Request, traits: &Traits, lost: &[Lost<'_>], seen: &[Seen<'_>]) {
    let (encoded, _) = encode(request, traits);
    lost::check(encoded.body.to_text().as_bytes(), &encoded.losses, lost, seen);
}

/// A request that says nothing, with a change.
fn asking(change: impl FnOnce(&mut Request)) -> Request {
    let mut request = Request::default();
    change(&mut request);
    request
}

/// A request with one turn of one part.
fn saying(role: Role, part: Part) -> Request {
    asking(|request| request.turns = vec![turn(role, vec![part])])
}

fn opaque(kind: OpaqueKind) -> Vec<Opaque> {
    vec![Opaque { kind, value: "sealed".into() }]
}

/// A member that only another dialect has.
fn odd() -> Rest {
    Rest::from_owned(Dialect::Anthropic, vec![("odd".into(), raw("\"strange\""))])
}

fn media(kind: MediaKind, source: Source, mime: Option<&str>) -> Media {
    Media {
        kind,
        source,
        mime: mime.map(str::to_owned),
        name: None,
        detail: None,
        cache: None,
        opaque: vec![],
        rest: Rest::default(),
    }
}

#[test]
fn every_word_is_carried_or_told() {
    carried::turns_are_carried(&OpenaiResponses, QUIRKS);
    carried::requests_are_carried(&OpenaiResponses, QUIRKS);
    carried::answers_are_carried(&OpenaiResponses);
    carried::ends_are_carried(&OpenaiResponses);
}
