//! Embeddings.
//!
//! Source: <https://ai.google.dev/api/embeddings>, read 2026-11-25.

use shim_ir::{EmbedContent, EmbedInput, EmbedRequest, Embedding, Embeddings, Request, VectorForm};
use shim_wire::JsonWriter;

use super::super::decode::ROLE;
use super::content::Scribe;
use super::losses::{Losses, Of};
use super::own::{own, write};
use super::request::{encoded, resource};
use crate::{Encoded, Goal, Told, vector};

/// The body of `:batchEmbedContents`, which is what is asked for any number of inputs.
pub(crate) fn embed_request(request: &EmbedRequest, goal: &Goal<'_>) -> Encoded {
    let nothing = Request::default();
    encoded(&nothing, goal, |w, scribe| {
        w.array("requests", |w| {
            for (at, input) in request.inputs.iter().enumerate() {
                w.element().object(|w| one(w, input, at, request, goal, scribe));
            }
        });
        if request.user.is_some() {
            scribe.losses.dropped("user".to_owned(), "no user is named here");
        }
        let own = own(&request.rest, String::new, &mut scribe.losses);
        write(w, own, &[]);
    })
}

/// One of `requests`: what is asked of a content stands beside it.
fn one(
    w: &mut JsonWriter<'_>,
    input: &EmbedInput,
    at: usize,
    request: &EmbedRequest,
    goal: &Goal<'_>,
    scribe: &mut Scribe<'_>,
) {
    let path = || format!("inputs[{at}]");
    if input.rest.get("model").is_none() {
        w.string("model", &resource(goal.model));
    }
    content(w, input, at, scribe);
    w.maybe("taskType", input.task.as_deref(), JsonWriter::string);
    w.maybe("title", input.title.as_deref(), JsonWriter::string);
    w.maybe("outputDimensionality", request.dimensions, JsonWriter::number);
    let beside = own(&input.rest, path, &mut scribe.losses);
    write(w, beside, &[ROLE]);
}

fn content(w: &mut JsonWriter<'_>, input: &EmbedInput, at: usize, scribe: &mut Scribe<'_>) {
    w.nested("content", |w| {
        w.maybe("role", input.rest.get(ROLE), JsonWriter::raw);
        w.array("parts", |w| match &input.content {
            EmbedContent::Parts(parts) => {
                for (part, said) in parts.iter().enumerate() {
                    scribe.part(w, said, Of::Input(at).part(part));
                }
            }
            EmbedContent::Tokens(_) => {
                let why = "tokens of another model mean nothing here";
                scribe.losses.lacking(format!("inputs[{at}]"), why);
            }
        });
    });
}

/// An answer, for a client who asked for one vector or for several.
pub(crate) fn embeddings(answer: &Embeddings, request: &EmbedRequest) -> Told {
    let mut losses = Losses::default();
    let mut body = Vec::new();
    JsonWriter::new(&mut body).object(|w| {
        match &answer.vectors[..] {
            [one] if request.alone => w.nested("embedding", |w| values(w, one, 0, &mut losses)),
            several => w.array("embeddings", |w| {
                for (at, embedding) in several.iter().enumerate() {
                    w.element().object(|w| values(w, embedding, at, &mut losses));
                }
            }),
        }
        if let Some(usage) = &answer.usage {
            w.nested("usageMetadata", |w| w.number("promptTokenCount", usage.input_total().0));
        }
        let own = own(&answer.rest, String::new, &mut losses);
        write(w, own, &[]);
    });
    Told { body, losses: losses.into_list() }
}

fn values(w: &mut JsonWriter<'_>, embedding: &Embedding, at: usize, losses: &mut Losses) {
    let path = || format!("vectors[{at}]");
    if !vector::write(w, "values", &embedding.values, Some(VectorForm::Floats)) {
        losses.near(path(), "its numbers are in the form they came in");
    }
    let own = own(&embedding.rest, path, losses);
    write(w, own, &[]);
}
