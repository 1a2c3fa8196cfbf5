//! Reading along with an answer on its way to the client, to keep it: the moment it is complete, and so before the client
//! can ask to go on from it.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use shim_dialect::{Codec, Gather, KeptAnswer, Link};
use shim_store::{KeptResponse, RESPONSE_BYTES_MAX};
use shim_wire::frame::{FRAME_BYTES_MAX, Framer, Framing};
use shim_wire::scan::utf8;

use super::owner;
use crate::attempt::Attempt;
use crate::pipeline::Admitted;
use crate::shared::Shared;
use crate::ticket::Ticket;

/// Reads along with one answer.
pub(crate) struct Tap {
    codec: &'static dyn Codec,
    draft: Draft,
    reads: Reads,
}

/// What is known before the answer is.
struct Draft {
    owner: Box<str>,
    previous: Option<Box<str>>,
    input: Bytes,
    /// Who would keep the answer as well, if the answer says so.
    provider: Option<Box<str>>,
}

enum Reads {
    Stream {
        framer: Box<Framer>,
        gather: Box<dyn Gather>,
    },
    Whole {
        pieces: Vec<Bytes>,
        bytes: usize,
    },
    /// It was kept, or cannot be.
    Over,
}

impl std::fmt::Debug for Tap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("tap")
    }
}

/// What reads along with the answer of `attempt`; none where it is not kept.
pub(crate) fn tap(admitted: &mut Admitted, attempt: &Attempt, ticket: &Ticket) -> Option<Box<Tap>> {
    let named = admitted.named.take().filter(|named| named.keep && attempt.fault.is_none())?;
    let codec = admitted.codec.0;
    let input = named.ask.input.clone().and_then(|at| admitted.body.get(at));
    let kind = attempt.headers.get(CONTENT_TYPE).map(http::HeaderValue::as_bytes).unwrap_or_default();
    let streamed = kind.get(..17).is_some_and(|kind| kind.eq_ignore_ascii_case(b"text/event-stream"));
    let reads = if streamed {
        let framer = Box::new(Framer::new(Framing::Sse, FRAME_BYTES_MAX));
        Reads::Stream { framer, gather: codec.keep()?.gather() }
    } else {
        Reads::Whole { pieces: Vec::new(), bytes: 0 }
    };
    let draft = Draft {
        owner: owner(admitted).into(),
        previous: named.ask.previous.map(Into::into),
        input: input.map(|input| admitted.body.slice_ref(input)).unwrap_or_default(),
        provider: attempt.losses.is_none().then(|| ticket.upstream().into()),
    };
    Some(Box::new(Tap { codec, draft, reads }))
}

impl Tap {
    /// Takes a piece that goes to the client.
    pub(crate) fn takes(&mut self, piece: &Bytes, shared: &Shared) {
        let mut answer = None;
        match &mut self.reads {
            Reads::Stream { framer, gather } => {
                let mut on = |frame: shim_wire::frame::Frame<'_>| {
                    answer = answer.take().or_else(|| gather.frame(frame));
                };
                if framer.push(piece, &mut on).is_err() {
                    self.gives_up(shared);
                }
            }
            Reads::Whole { pieces, bytes } => {
                *bytes += piece.len();
                pieces.push(piece.clone());
                if *bytes > RESPONSE_BYTES_MAX {
                    self.gives_up(shared);
                }
            }
            Reads::Over => {}
        }
        if let Some(answer) = answer {
            self.keep(answer, shared);
        }
    }

    /// The answer is delivered.
    pub(crate) fn ends(&mut self, shared: &Shared) {
        if let Reads::Whole { pieces, .. } = &mut self.reads {
            let whole = crate::attempt::joined(std::mem::take(pieces));
            let text = utf8(&whole).ok();
            let answer = text.and_then(|text| self.codec.keep()?.answer(text));
            if let Some(answer) = answer {
                self.keep(answer, shared);
            }
        }
    }

    /// The answer cannot be kept: that is counted.
    fn gives_up(&mut self, shared: &Shared) {
        self.reads = Reads::Over;
        shared.kept.unread.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }

    fn keep(&mut self, answer: KeptAnswer, shared: &Shared) {
        self.reads = Reads::Over;
        let Some(keep) = self.codec.keep() else { return };
        // It was read before, as a part of the body.
        let input = utf8(&self.draft.input).unwrap_or_default();
        let link = Link { id: &answer.id, input, answer: &answer.text };
        let items = keep.items(&link).into_iter().map(|(id, _)| id.into()).collect();
        shared.responses().put(KeptResponse {
            id: answer.id.as_str().into(),
            owner: self.draft.owner.clone(),
            at_ms: shared.clock.now_ms(),
            keeper: self.draft.provider.clone().filter(|_| answer.there),
            previous: self.draft.previous.clone(),
            complete: answer.complete,
            input: input.into(),
            answer: answer.text.into(),
            items,
        });
    }
}
