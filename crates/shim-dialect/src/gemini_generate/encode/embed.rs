//! Requests for embeddings.

use shim_ir::{Request, Role, Turn};
use shim_wire::JsonWriter;

use super::super::decode::{ONE, ROLE};
use super::content::Scribe;
use super::losses::Of;
use super::own::{own, write};
use super::request::{encoded, resource};
use crate::{Encoded, Goal};

/// Whether a turn is what `:embedContent` embeds.
fn is_alone(turn: &Turn) -> bool {
    matches!(&turn.role, Role::Other(role) if role == ONE)
}

/// The body of `:embedContent` or `:batchEmbedContents`.
pub(crate) fn embeddings(request: &Request, goal: &Goal<'_>) -> Encoded {
    encoded(request, goal, |w, scribe| match request.turns.as_slice() {
        [turn] if is_alone(turn) => {
            content(w, turn, 0, scribe);
            let own = own(&request.rest, String::new, &mut scribe.losses);
            write(w, own, &[]);
        }
        turns => {
            w.array("requests", |w| {
                for (at, turn) in turns.iter().enumerate() {
                    w.element().object(|w| one(w, turn, at, goal, scribe));
                }
            });
            let own = own(&request.rest, String::new, &mut scribe.losses);
            write(w, own, &[]);
        }
    })
}

/// One of `requests`: what is asked of a content stands beside it.
fn one(w: &mut JsonWriter<'_>, turn: &Turn, at: usize, goal: &Goal<'_>, scribe: &mut Scribe<'_>) {
    if turn.rest.get("model").is_none() {
        w.string("model", &resource(goal.model));
    }
    content(w, turn, at, scribe);
    let own = own(&turn.rest, || format!("turns[{at}]"), &mut scribe.losses);
    write(w, own, &[ROLE]);
}

fn content(w: &mut JsonWriter<'_>, turn: &Turn, at: usize, scribe: &mut Scribe<'_>) {
    w.nested("content", |w| {
        w.maybe("role", turn.rest.get(ROLE), JsonWriter::raw);
        w.array("parts", |w| {
            for (part, said) in turn.parts.iter().enumerate() {
                scribe.part(w, said, Of::Turn(at).part(part));
            }
        });
    });
}
