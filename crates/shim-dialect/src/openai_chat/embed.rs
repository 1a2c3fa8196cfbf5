//! `POST /embeddings`.
//!
//! Source: <https://platform.openai.com/docs/api-reference/embeddings>, read 2026-11-25.

use serde_json::value::RawValue;
use shim_ir::{
    EmbedContent, EmbedInput, EmbedRequest, Embedding, Embeddings, LossKind, Part, Rest, Text, Vector,
    VectorForm,
};
use shim_wire::{JsonWriter, RawJson, Str, from_json};

use super::decode::{is_array, read, rest, said, string, usage};
use super::encode::Losses;
use super::errors;
use super::types::{Completion, EmbeddingObject, EmbeddingRequest};
use crate::common::of_request;
use crate::{AnswerError, DecodeError, Encoded, Goal, Told, vector};

/// Reads a request.
pub(super) fn decode_request(body: &str) -> Result<EmbedRequest, DecodeError> {
    let wire: EmbeddingRequest<'_> = from_json(body)?;
    let (inputs, alone) = inputs(wire.input)?;
    let mut members = rest(wire.rest);
    let form = wire.encoding_format.as_deref().and_then(form);
    if let Some(word) = wire.encoding_format.filter(|_| form.is_none()) {
        members.push(super::decode::DIALECT, "encoding_format", RawJson::string(&word));
    }
    Ok(EmbedRequest {
        model: wire.model.into_string(),
        inputs,
        alone,
        dimensions: wire.dimensions,
        form,
        user: wire.user.map(Str::into_string),
        rest: members,
    })
}

fn form(word: &str) -> Option<VectorForm> {
    match word {
        "float" => Some(VectorForm::Floats),
        "base64" => Some(VectorForm::Base64),
        _ => None,
    }
}

/// `input`: a text, tokens, or a list of either; and whether it stands alone.
fn inputs(raw: &RawValue) -> Result<(Vec<EmbedInput>, bool), DecodeError> {
    if let Some(text) = string(raw) {
        return Ok((vec![input(words(text))], true));
    }
    let list: Vec<&RawValue> = read(raw, "input")?;
    let tokens: Option<Vec<u64>> = list.iter().map(|raw| raw.get().parse().ok()).collect();
    if let Some(tokens) = tokens.filter(|tokens| !tokens.is_empty()) {
        return Ok((vec![input(EmbedContent::Tokens(tokens))], true));
    }
    let inputs = list.into_iter().enumerate().map(|(at, raw)| {
        let path = format!("input[{at}]");
        let content = if is_array(raw) {
            EmbedContent::Tokens(read(raw, &path)?)
        } else {
            words(read::<Str<'_>>(raw, &path)?.into_string())
        };
        Ok(input(content))
    });
    Ok((inputs.collect::<Result<_, DecodeError>>()?, false))
}

fn words(text: String) -> EmbedContent {
    EmbedContent::Parts(vec![Part::Text(Text::new(text))])
}

fn input(content: EmbedContent) -> EmbedInput {
    EmbedInput { content, task: None, title: None, rest: Rest::default() }
}

/// Writes a request.
pub(super) fn encode_request(request: &EmbedRequest, goal: &Goal<'_>) -> Encoded {
    let mut losses = Losses::default();
    let mut body = Vec::new();
    JsonWriter::new(&mut body).object(|w| {
        w.string("model", goal.model);
        match &request.inputs[..] {
            [input] if request.alone => put_input(w.member("input"), input, 0, &mut losses),
            inputs => w.array("input", |w| {
                for (at, input) in inputs.iter().enumerate() {
                    put_input(w.element(), input, at, &mut losses);
                }
            }),
        }
        w.maybe("dimensions", request.dimensions, JsonWriter::number);
        w.maybe("encoding_format", request.form.map(word), JsonWriter::string);
        w.maybe("user", request.user.as_deref(), JsonWriter::string);
        losses.write_own(&request.rest, &"", w);
    });
    Encoded { body: body.into(), losses: of_request(losses.0), ..Encoded::default() }
}

fn word(form: VectorForm) -> &'static str {
    match form {
        VectorForm::Floats => "float",
        VectorForm::Base64 => "base64",
    }
}

fn put_input(place: shim_wire::Place<'_, '_>, input: &EmbedInput, at: usize, losses: &mut Losses) {
    let path = format!("inputs[{at}]");
    for (lost, member) in [(&input.task, "task"), (&input.title, "title")] {
        if lost.is_some() {
            losses.dropped(format!("{path}.{member}"), "what the vector is for cannot be said here");
        }
    }
    losses.own(&input.rest, &path).for_each(drop);
    match &input.content {
        EmbedContent::Tokens(tokens) => {
            place.array(|w| tokens.iter().for_each(|token| w.element().number(*token)))
        }
        EmbedContent::Parts(parts) => place.string(&text(parts, &path, losses)),
    }
}

/// The parts as one text: there is nothing else to embed here.
fn text(parts: &[Part], path: &str, losses: &mut Losses) -> String {
    let mut joined = String::new();
    for (at, part) in parts.iter().enumerate() {
        match part {
            Part::Text(text) => joined.push_str(&text.text),
            Part::Refusal(_)
            | Part::Media(_)
            | Part::Reasoning(_)
            | Part::ToolCall(_)
            | Part::ToolResult(_)
            | Part::ServerResult(_)
            | Part::Foreign(_) => {
                losses.unsupported(format!("{path}.parts[{at}]"), "only text is embedded here")
            }
        }
    }
    if parts.len() > 1 {
        losses.approximated(path, "its parts are one text");
    }
    joined
}

/// Reads an answer: the vectors in the order of their numbers.
pub(super) fn decode_answer(body: &str) -> Result<Embeddings, AnswerError> {
    let wire: Completion<'_> = from_json(body).map_err(DecodeError::from)?;
    if let Some(fault) = errors::inside(&wire, body) {
        return Err(AnswerError::Fault(Box::new(fault)));
    }
    let data = wire.data.ok_or_else(|| DecodeError::shape(".", "missing field `data`"))?;
    let list: Vec<&RawValue> = read(data, "data")?;
    let vectors = list.into_iter().enumerate().map(|(at, raw)| embedding(raw, at));
    let mut vectors = vectors.collect::<Result<Vec<_>, _>>()?;
    vectors.sort_by_key(|(index, _)| *index);
    Ok(Embeddings {
        id: said(wire.id),
        model: said(wire.model),
        vectors: vectors.into_iter().map(|(_, vector)| vector).collect(),
        usage: wire.usage.and_then(|raw| usage(raw.into())),
        rest: super::decode::rest(wire.rest),
    })
}

fn embedding(raw: &RawValue, at: usize) -> Result<(usize, Embedding), DecodeError> {
    let path = format!("data[{at}]");
    let wire: EmbeddingObject<'_> = read(raw, &path)?;
    let values = match string(wire.embedding) {
        Some(text) => Vector::Base64(text),
        None if is_array(wire.embedding) => Vector::Floats(wire.embedding.into()),
        None => return Err(DecodeError::shape(format!("{path}.embedding"), "expected numbers or base64")),
    };
    let index = wire.index.and_then(|index| usize::try_from(index).ok()).unwrap_or(at);
    Ok((index, Embedding { values, rest: rest(wire.rest) }))
}

/// Writes an answer in the form that was asked for. Without a word on it, vectors stay as they came: what is in Perplexity's
/// base64 are no floats (<https://docs.perplexity.ai/docs/embeddings/best-practices>, read 2026-11-25).
pub(super) fn encode_answer(answer: &Embeddings, request: &EmbedRequest) -> Told {
    let mut losses = Losses::default();
    let mut body = Vec::new();
    JsonWriter::new(&mut body).object(|w| {
        w.string("object", "list");
        w.maybe("id", answer.id.as_deref(), JsonWriter::string);
        w.array("data", |w| {
            for (at, embedding) in answer.vectors.iter().enumerate() {
                w.element().object(|w| put_embedding(w, embedding, at, request.form, &mut losses));
            }
        });
        w.string("model", answer.model.as_deref().unwrap_or(&request.model));
        put_usage(w, answer, &mut losses);
        losses.write_own(&answer.rest, &"", w);
    });
    Told { body, losses: losses.0 }
}

fn put_embedding(
    w: &mut JsonWriter<'_>,
    embedding: &Embedding,
    at: usize,
    form: Option<VectorForm>,
    losses: &mut Losses,
) {
    let path = format!("vectors[{at}]");
    w.string("object", "embedding");
    w.number("index", u64::try_from(at).unwrap_or(u64::MAX));
    if !vector::write(w, "embedding", &embedding.values, form) {
        losses.approximated(&path, "its numbers are in the form they came in");
    }
    losses.write_own(&embedding.rest, &path, w);
}

/// The two counts of an embedding, which every answer has here.
fn put_usage(w: &mut JsonWriter<'_>, answer: &Embeddings, losses: &mut Losses) {
    if answer.usage.is_none() {
        losses.add("usage", LossKind::Defaulted, "the provider does not say what was used");
    }
    let used = answer.usage.clone().unwrap_or_default();
    w.nested("usage", |w| {
        w.number("prompt_tokens", used.input_total().0);
        if used.output_total().0 > 0 {
            w.number("completion_tokens", used.output_total().0);
        }
        w.number("total_tokens", (used.input_total() + used.output_total()).0);
    });
}
