//! `generationConfig`.
//! Source: <https://ai.google.dev/api/generate-content#generationconfig>, read 2026-11-25.

use shim_ir::{OutputFormat, Request, Sampling, Schema};
use shim_wire::{JsonWriter, RawJson};

use super::content::Scribe;
use super::losses::Losses;
use super::own::{left, own, write};
use super::thinking::thinking;
use super::tools::{is_said, schema};

/// More stop sequences are refused.
const STOPS_MAX: usize = 5;

/// More candidates are refused.
const CANDIDATES_MAX: u32 = 8;

pub(super) fn generation(w: &mut JsonWriter<'_>, request: &Request, scribe: &mut Scribe<'_>) {
    let own = own(&request.rest, String::new, &mut scribe.losses);
    let left = left(own, "generationConfig");
    part(w, "generationConfig", |w| {
        sampling(w, &request.sampling, &mut scribe.losses);
        output(w, request, scribe);
        if !request.modalities.is_empty() {
            w.array("responseModalities", |w| {
                request.modalities.iter().for_each(|word| w.element().string(&word.to_ascii_uppercase()));
            });
        }
        if let Some(ask) = &request.reasoning {
            part(w, "thinkingConfig", |w| thinking(w, ask, scribe.traits, &mut scribe.losses));
        }
        write(w, &left, &[]);
    });
}

/// Writes an object, unless it has no members.
fn part(w: &mut JsonWriter<'_>, key: &str, members: impl FnOnce(&mut JsonWriter<'_>)) {
    let mut out = Vec::new();
    JsonWriter::new(&mut out).object(members);
    let written = std::str::from_utf8(&out).ok().filter(|text| *text != "{}");
    if let Some(raw) = written.and_then(|text| RawJson::parse(text).ok()) {
        w.raw(key, &raw);
    }
}

/// No dialect has wider ranges than this one, so numbers pass as they are.
fn sampling(w: &mut JsonWriter<'_>, sampling: &Sampling, losses: &mut Losses) {
    float(w, "temperature", sampling.temperature);
    float(w, "topP", sampling.top_p);
    float(w, "topK", sampling.top_k);
    float(w, "frequencyPenalty", sampling.frequency_penalty);
    float(w, "presencePenalty", sampling.presence_penalty);
    w.maybe("seed", sampling.seed.map(|seed| narrow(seed, losses)), JsonWriter::number);
    w.maybe("maxOutputTokens", sampling.output_max.map(|max| max.0), JsonWriter::number);
    let candidates = sampling.candidates.map(|count| {
        if count > CANDIDATES_MAX {
            losses.near("sampling.candidates".to_owned(), "at most 8 answers");
        }
        count.min(CANDIDATES_MAX)
    });
    w.maybe("candidateCount", candidates, JsonWriter::number);
    w.maybe("responseLogprobs", sampling.logprobs, JsonWriter::bool);
    w.maybe("logprobs", sampling.top_logprobs, JsonWriter::number);
    stops(w, &sampling.stop, losses);
}

fn stops(w: &mut JsonWriter<'_>, stop: &[String], losses: &mut Losses) {
    if stop.len() > STOPS_MAX {
        losses.near("sampling.stop".to_owned(), "at most 5 stop sequences");
    }
    if !stop.is_empty() {
        w.array("stopSequences", |w| stop.iter().take(STOPS_MAX).for_each(|word| w.element().string(word)));
    }
}

/// A whole number is written as one: the dialect reads some of these into integers.
#[expect(clippy::cast_possible_truncation, reason = "only numbers that are whole and small are cast")]
fn float(w: &mut JsonWriter<'_>, key: &str, value: Option<f64>) {
    match value {
        Some(value) if value.fract() == 0.0 && value.abs() < 1e9 => w.number(key, value as i64),
        Some(value) => w.member(key).float(value),
        None => {}
    }
}

/// A seed of 32 bits, as the dialect has them.
fn narrow(seed: i64, losses: &mut Losses) -> i64 {
    if i32::try_from(seed).is_ok() {
        return seed;
    }
    losses.near("sampling.seed".to_owned(), "seeds have 32 bits");
    seed & i64::from(i32::MAX)
}

/// The form of the answer.
fn output(w: &mut JsonWriter<'_>, request: &Request, scribe: &mut Scribe<'_>) {
    let json = matches!(&request.output, Some(OutputFormat::JsonObject | OutputFormat::Schema(_)));
    if json && !request.tools.is_empty() && scribe.traits.has("no_schema_with_tools") {
        return scribe.losses.lacking("output".to_owned(), "the model writes no JSON beside functions");
    }
    match &request.output {
        None => {}
        Some(OutputFormat::Text) => w.string("responseMimeType", "text/plain"),
        Some(OutputFormat::JsonObject) => w.string("responseMimeType", "application/json"),
        Some(OutputFormat::Schema(schema)) => fitting(w, schema, scribe),
        Some(OutputFormat::Other(raw)) => other(w, raw, &mut scribe.losses),
    }
}

fn fitting(w: &mut JsonWriter<'_>, wanted: &Schema, scribe: &mut Scribe<'_>) {
    w.string("responseMimeType", "application/json");
    let members = own(&wanted.rest, || "output".to_owned(), &mut scribe.losses);
    if wanted.name.is_some() {
        scribe.losses.dropped("output.name".to_owned(), "schemas have no names");
    }
    if wanted.description.is_some() {
        scribe.losses.dropped("output.description".to_owned(), "schemas are described inside");
    }
    let unsaid = wanted.schema.as_ref().filter(|schema| !is_said(schema, members, "responseSchema"));
    if let Some(raw) = unsaid {
        if scribe.traits.schema == Some(false) {
            scribe.losses.lacking("output.schema".to_owned(), "the model keeps to no schema");
        } else {
            schema(w, ["responseJsonSchema", "responseSchema"], raw, "output.schema", scribe);
        }
    }
    write(w, members, &[]);
}

/// A form of the dialect's own, as the members that ask for it.
fn other(w: &mut JsonWriter<'_>, raw: &RawJson, losses: &mut Losses) {
    let own = left(&[("output".into(), raw.clone())], "output");
    if own.iter().any(|(key, _)| **key == *"responseMimeType") {
        write(w, &own, &[]);
    } else {
        losses.lacking("output".to_owned(), "the provider knows no such form");
    }
}
