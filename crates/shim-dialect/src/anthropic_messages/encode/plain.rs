//! Answers the gateway gives by itself.

use bytes::Bytes;
use shim_ir::{Candidate, Finish, FinishReason, Part, Request, Response, Text, unfold};
use shim_wire::frame::Framing;

use crate::anthropic_messages::stream::MessageEncoder;
use crate::{Asker, Encoder, Operation, Plain};

/// A whole answer that is one text.
pub(crate) fn plain(plain: &Plain<'_>) -> Bytes {
    let request = Request::default();
    Bytes::from(super::message(&response(plain), &asker(plain, &request)).body)
}

/// The whole stream of an answer that is one text.
pub(crate) fn plain_stream(plain: &Plain<'_>) -> Bytes {
    let request = Request::default();
    let mut encoder = MessageEncoder::new(&asker(plain, &request));
    let mut out = Vec::new();
    unfold(response(plain)).iter().for_each(|event| encoder.push(event, &mut out));
    Bytes::from(out)
}

fn asker<'a>(plain: &Plain<'a>, request: &'a Request) -> Asker<'a> {
    Asker {
        operation: Operation::Generate,
        id: plain.id,
        created: plain.created,
        framing: Framing::Sse,
        request,
    }
}

fn response(plain: &Plain<'_>) -> Response {
    let finish = Finish { reason: FinishReason::Stop, words: None, sequence: None };
    let parts = vec![Part::Text(Text::new(plain.text))];
    Response {
        id: None,
        model: Some(plain.model.to_owned()),
        candidates: vec![Candidate { parts, finish: Some(finish), ..Candidate::default() }],
        usage: Some(plain.usage.clone()),
        ..Response::default()
    }
}
