//! Embeddings.
//!
//! Source: <https://ai.google.dev/api/embeddings>, read 2026-11-25.

use serde_json::value::RawValue;
use shim_ir::{EmbedContent, EmbedInput, EmbedRequest, Embedding, Embeddings, Vector, VectorForm};
use shim_wire::{RawJson, Str, from_json};

use super::request::{keep_model, turn};
use super::{DIALECT, read, rest, tells, usage};
use crate::gemini_generate::errors;
use crate::gemini_generate::types::{
    BatchEmbedContentsRequest, ContentEmbedding, EmbedContentRequest, EmbedContentResponse,
};
use crate::{AnswerError, DecodeError, Route};

/// The body of `:embedContent` or `:batchEmbedContents`.
pub(crate) fn embed_request(route: &Route, body: &str) -> Result<EmbedRequest, DecodeError> {
    let batch: BatchEmbedContentsRequest<'_> = from_json(body)?;
    let model = route.model.clone().unwrap_or_default();
    // Vectors are lists of numbers here, always.
    let asked = EmbedRequest { model, form: Some(VectorForm::Floats), ..EmbedRequest::default() };
    if batch.requests.is_empty() && !batch.rest.is_empty() {
        let (input, dimensions) = input(from_json(body)?, route, "content")?;
        return Ok(EmbedRequest { inputs: vec![input], alone: true, dimensions, ..asked });
    }
    let inputs = batch.requests.into_iter().enumerate().map(|(at, raw)| {
        let path = format!("requests[{at}]");
        input(read(raw, &path)?, route, &format!("{path}.content"))
    });
    let (inputs, dimensions) = of_one_length(inputs.collect::<Result<Vec<_>, _>>()?);
    Ok(EmbedRequest { inputs, dimensions, rest: rest(batch.rest), ..asked })
}

/// An input, and how long its vector is to be.
fn input(
    wire: EmbedContentRequest<'_>,
    route: &Route,
    path: &str,
) -> Result<(EmbedInput, Option<u64>), DecodeError> {
    let mut turn = turn(wire.content, path)?;
    turn.rest.merge(rest(wire.rest));
    keep_model(&mut turn.rest, wire.model, route);
    let input = EmbedInput {
        content: EmbedContent::Parts(turn.parts),
        task: wire.task_type.map(Str::into_string),
        title: wire.title.map(Str::into_string),
        rest: turn.rest,
    };
    Ok((input, wire.output_dimensionality))
}

/// The inputs, and the length of all their vectors. Lengths that differ stay with the inputs, as nobody else has them.
fn of_one_length(inputs: Vec<(EmbedInput, Option<u64>)>) -> (Vec<EmbedInput>, Option<u64>) {
    let first = inputs.first().and_then(|(_, length)| *length);
    let same = inputs.iter().all(|(_, length)| *length == first);
    let apart = |(mut input, length): (EmbedInput, Option<u64>)| {
        let length = length.filter(|_| !same).and_then(|length| RawJson::parse(&length.to_string()).ok());
        length.into_iter().for_each(|length| input.rest.push(DIALECT, "outputDimensionality", length));
        input
    };
    (inputs.into_iter().map(apart).collect(), first.filter(|_| same))
}

/// The answer to `:embedContent` or `:batchEmbedContents`.
pub(crate) fn embeddings(body: &str) -> Result<Embeddings, AnswerError> {
    let wire: EmbedContentResponse<'_> = from_json(body).map_err(DecodeError::from)?;
    if let Some(error) = wire.error {
        return Err(AnswerError::Fault(Box::new(errors::told(None, error.get()))));
    }
    let one = wire.embedding.filter(|raw| tells(raw.get()));
    if one.is_none() && wire.embeddings.is_none() {
        return Err(DecodeError::shape(".", "missing field `embeddings`").into());
    }
    let all = one.into_iter().chain(wire.embeddings.unwrap_or_default()).enumerate();
    Ok(Embeddings {
        vectors: all.map(|(at, raw)| embedding(raw, at)).collect::<Result<_, _>>()?,
        usage: wire.usage_metadata.and_then(usage),
        rest: rest(wire.rest),
        ..Embeddings::default()
    })
}

fn embedding(raw: &RawValue, at: usize) -> Result<Embedding, DecodeError> {
    let path = format!("embeddings[{at}]");
    let wire: ContentEmbedding<'_> = read(raw, &path)?;
    if !wire.values.get().starts_with('[') {
        return Err(DecodeError::shape(format!("{path}.values"), "expected numbers"));
    }
    Ok(Embedding { values: Vector::Floats(wire.values.into()), rest: rest(wire.rest) })
}
