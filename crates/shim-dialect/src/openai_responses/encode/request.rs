//! The body of `POST /responses`, and of the requests beside it.

use std::borrow::Cow;

use shim_ir::{OutputFormat, Part, Request, Sampling, Schema, StreamAsk, Text, Tokens};
use shim_wire::{JsonString, JsonText, JsonWriter, RawJson};

use super::super::decode::STORE;
use super::ask::Ask;
use super::content::lose_beside;
use super::input::put_input;
use super::loss::{At, verbatim};
use super::reason::{is_encrypted_wanted, is_off, knows_none, put_reasoning};
use super::schema::{is_strict, json_schema};
use super::tools::{put_choice, put_tools};
use crate::common::{each_element, each_member, of_request};
use crate::{Encoded, Goal};

/// The least bound on output that OpenAI takes, as seen in
/// <https://github.com/vectorize-io/hindsight/issues/58>, read 2026-11-25.
const OUTPUT_TOKENS_MIN: u64 = 16;

/// Longest `user`, in bytes: the API answers `string_above_max_length` beyond it.
const USER_BYTES_MAX: usize = 64;

/// Encodes a request.
pub(crate) fn request(request: &Request, goal: &Goal<'_>) -> Encoded {
    let mut ask = Ask::new(request, goal);
    let mut body = JsonText::with_capacity(2048);
    JsonWriter::sharing(&mut body).object(|w| {
        w.string("model", goal.model);
        put_conversation(w, request, &mut ask);
        put_tool_use(w, request, &mut ask);
        put_text_config(w, request, &mut ask);
        if let Some(wish) = &request.reasoning {
            put_reasoning(w, wish, &mut ask);
        }
        if !ask.counts {
            put_shape(w, request, &mut ask);
        }
        let members = ask.losses.own(&request.rest, At::ROOT);
        verbatim(w, members, &[STORE, "include", "text"]);
    });
    Encoded { body, echo: ask.echo, losses: of_request(ask.losses.into_list()), ..Encoded::default() }
}

/// The tools, and how they are to be called.
fn put_tool_use(w: &mut JsonWriter<'_>, request: &Request, ask: &mut Ask<'_>) {
    put_tools(w, &request.tools, ask);
    if let Some(choice) = &request.tool_choice {
        put_choice(w, choice, &request.tools, ask);
    }
    let parallel = request.parallel_tool_calls.filter(|_| ask.own || !request.tools.is_empty());
    w.maybe("parallel_tool_calls", parallel, JsonWriter::bool);
}

/// What shapes the answer, and what becomes of it.
fn put_shape(w: &mut JsonWriter<'_>, request: &Request, ask: &mut Ask<'_>) {
    put_sampling(w, request, ask);
    put_include(w, request, ask);
    put_stream(w, request, ask);
    put_state(w, request, ask);
    put_client(w, request, ask);
}

/// `instructions` and `input`. What the operator says is one text; with media or markers in it, it is a message.
fn put_conversation(w: &mut JsonWriter<'_>, request: &Request, ask: &mut Ask<'_>) {
    let marked = |text: &Text| text.cache.as_ref().is_some_and(|mark| ask.marks(mark));
    let as_text = |part: &Part| matches!(part, Part::Text(text) if !marked(text));
    if !request.system.iter().all(as_text) {
        return put_input(w, &request.system, &request.turns, ask);
    }
    let texts = instructions(&request.system, ask);
    if !texts.is_empty() {
        w.member("instructions").joined(&texts, "\n\n");
    }
    put_input(w, &[], &request.turns, ask);
}

/// The texts of the operator.
fn instructions<'r>(system: &'r [Part], ask: &mut Ask<'_>) -> Vec<&'r JsonString> {
    let mut texts = Vec::with_capacity(system.len());
    for (n, part) in system.iter().enumerate() {
        if let Part::Text(text) = part {
            let at = At::list("system", n);
            lose_beside(text, at, ask);
            ask.losses.own(&text.rest, at);
            texts.push(&text.text);
        }
    }
    texts
}

/// `text`: the format of the answer, and the client's own words beside it.
pub(super) fn put_text_config(w: &mut JsonWriter<'_>, request: &Request, ask: &mut Ask<'_>) {
    let beside = request.rest.get("text").filter(|_| ask.own);
    if request.output.is_none() && beside.is_none() {
        return;
    }
    w.nested("text", |w| {
        if let Some(format) = &request.output {
            put_format(w, format, ask);
        }
        let _ = each_member(beside.map_or("{}", RawJson::get), |member| {
            w.raw(&member.key, &member.value.into());
        });
    });
}

/// `text.format`.
fn put_format(w: &mut JsonWriter<'_>, format: &OutputFormat, ask: &mut Ask<'_>) {
    match format {
        OutputFormat::Text => w.nested("format", |w| w.string("type", "text")),
        OutputFormat::JsonObject => put_json_object(w),
        OutputFormat::Schema(_) if ask.traits.schema == Some(false) => {
            ask.losses.unsupported(At::of("output").member("schema"), "the model keeps to no schema");
            put_json_object(w);
        }
        OutputFormat::Schema(schema) => w.nested("format", |w| put_schema(w, schema, ask)),
        OutputFormat::Other(raw) if ask.own => w.raw("format", raw),
        OutputFormat::Other(_) => ask.losses.unsupported(At::of("output"), "the target has no form like it"),
    }
}

fn put_json_object(w: &mut JsonWriter<'_>) {
    w.nested("format", |w| w.string("type", "json_object"));
}

/// A schema for the answer, which must have a name.
fn put_schema(w: &mut JsonWriter<'_>, format: &Schema, ask: &mut Ask<'_>) {
    let at = At::of("output");
    let members = ask.losses.own(&format.rest, at);
    w.string("type", "json_schema");
    let name = format.name.as_deref().or((!ask.own).then_some("answer"));
    w.maybe("name", name, JsonWriter::string);
    if name.is_some() && format.name.is_none() {
        ask.losses.defaulted(at.member("name"), "a schema must have a name");
    }
    w.maybe("description", format.description.as_deref(), JsonWriter::string);
    let flavour = |schema| if ask.own { Cow::Borrowed(schema) } else { json_schema(schema) };
    let schema = format.schema.as_ref().map(flavour);
    w.maybe("schema", schema.as_deref(), JsonWriter::raw);
    let exact = ask.own || schema.as_deref().is_some_and(|schema| is_strict(schema.get()));
    if format.strict == Some(true) && !exact {
        ask.losses.approximated(at.member("strict"), "the target cannot keep to this schema exactly");
    }
    w.maybe("strict", format.strict.map(|strict| strict && exact), JsonWriter::bool);
    verbatim(w, members, &[]);
}

/// How tokens are chosen. Some models take none of it.
fn put_sampling(w: &mut JsonWriter<'_>, request: &Request, ask: &mut Ask<'_>) {
    let (sampling, at) = (&request.sampling, At::of("sampling"));
    let fixed = ask.has("fixed_sampling") && !samples(request, ask);
    let floats = [
        ("temperature", sampling.temperature, !fixed),
        ("top_p", sampling.top_p, !fixed),
        ("top_k", sampling.top_k, ask.own || ask.has("top_k")),
        ("frequency_penalty", sampling.frequency_penalty, ask.own || ask.has("penalties")),
        ("presence_penalty", sampling.presence_penalty, ask.own || ask.has("penalties")),
    ];
    for (name, value, taken) in floats {
        match value {
            Some(value) if taken => put_number(w, name, value, ask),
            Some(_) => ask.losses.dropped(at.member(name), "the target does not take it"),
            None => {}
        }
    }
    put_bounds(w, sampling, ask);
    lose_sampling(sampling, ask);
}

/// Whether a model that takes no sampling parameters takes some for this request, because it does not reason.
fn samples(request: &Request, ask: &Ask<'_>) -> bool {
    let off = match &request.reasoning {
        Some(wish) => is_off(wish) && knows_none(&ask.traits.reasoning),
        None => ask.has("thinks_if_asked"),
    };
    off && ask.has("sampling_if_unthinking")
}

/// A number that says how tokens are chosen; a temperature is kept within bounds.
fn put_number(w: &mut JsonWriter<'_>, name: &str, value: f64, ask: &mut Ask<'_>) {
    let given = if name == "temperature" && !ask.own { value.clamp(0.0, 2.0) } else { value };
    if given != value {
        ask.losses.approximated(At::of("sampling").member(name), "the target takes 0 to 2");
    }
    w.member(name).float(given);
}

fn put_bounds(w: &mut JsonWriter<'_>, sampling: &Sampling, ask: &mut Ask<'_>) {
    if let Some(Tokens(wanted)) = sampling.output_max {
        let known = ask.traits.output_max.map_or(u64::MAX, |Tokens(most)| most);
        let given = if ask.own { wanted } else { wanted.min(known).max(OUTPUT_TOKENS_MIN) };
        if given != wanted {
            let at = At::of("sampling");
            ask.losses.approximated(at.member("output_max"), "the model takes other bounds");
        }
        w.number("max_output_tokens", given);
    }
    w.maybe("top_logprobs", sampling.top_logprobs, JsonWriter::number);
}

/// What this dialect has no word for.
fn lose_sampling(sampling: &Sampling, ask: &mut Ask<'_>) {
    let at = At::of("sampling");
    if sampling.seed.is_some() {
        ask.losses.dropped(at.member("seed"), "the target takes no seed");
    }
    if !sampling.stop.is_empty() {
        ask.losses.unsupported(at.member("stop"), "the target takes no stop sequences");
    }
    if sampling.candidates.is_some_and(|wanted| wanted > 1) {
        ask.losses.unsupported(at.member("candidates"), "the target gives one answer");
    }
}

/// `include`: what belongs to common terms, and the client's own words beside it.
fn put_include(w: &mut JsonWriter<'_>, request: &Request, ask: &Ask<'_>) {
    let words = [
        ("reasoning.encrypted_content", is_encrypted_wanted(request, ask)),
        ("message.output_text.logprobs", request.sampling.logprobs == Some(true)),
    ];
    let others = request.rest.get("include").filter(|_| ask.own);
    if others.is_none() && words.iter().all(|(_, wanted)| !wanted) {
        return;
    }
    w.array("include", |w| {
        for (word, _) in words.into_iter().filter(|(_, wanted)| *wanted) {
            w.element().string(word);
        }
        let listed = others.filter(|raw| raw.get().starts_with('['));
        let _ = each_element(listed.map_or("[]", RawJson::get), |_, word| w.element().raw(&word.into()));
    });
}

fn put_stream(w: &mut JsonWriter<'_>, request: &Request, ask: &mut Ask<'_>) {
    let Some(StreamAsk { rest, .. }) = &request.stream else { return };
    w.bool("stream", true);
    let options = ask.losses.own(rest, At::of("stream"));
    if !options.is_empty() {
        w.nested("stream_options", |w| verbatim(w, options, &[]));
    }
}

/// What the provider is to keep or to take up. A client whose dialect has no such state has nothing kept.
fn put_state(w: &mut JsonWriter<'_>, request: &Request, ask: &Ask<'_>) {
    let state = &request.state;
    let store = state.store.or((!ask.own).then_some(false));
    w.maybe("store", store, JsonWriter::bool);
    w.maybe("previous_response_id", state.previous.as_deref(), JsonWriter::string);
    w.maybe("conversation", state.conversation.as_ref(), JsonWriter::raw);
    w.maybe("background", state.background, JsonWriter::bool);
}

/// The client's own data, and how it is served.
fn put_client(w: &mut JsonWriter<'_>, request: &Request, ask: &mut Ask<'_>) {
    let own = ask.own;
    let user = request.user.as_deref().filter(|user| own || user.len() <= USER_BYTES_MAX);
    w.maybe("user", user, JsonWriter::string);
    if user.is_none() && request.user.is_some() {
        ask.losses.dropped(At::of("user"), "it is longer than the target takes");
    }
    let metadata = request.metadata.as_ref().filter(|metadata| own || is_metadata(metadata));
    w.maybe("metadata", metadata, JsonWriter::raw);
    if metadata.is_none() && request.metadata.is_some() {
        ask.losses.dropped(At::of("metadata"), "the target takes sixteen short texts");
    }
    put_service_tier(w, request.service_tier.as_deref(), ask);
    w.maybe("prompt_cache_key", request.cache_key.as_deref(), JsonWriter::string);
    if request.modalities.iter().any(|word| !word.eq_ignore_ascii_case("text")) {
        ask.losses.unsupported(At::of("modalities"), "the target answers with text");
    }
}

fn put_service_tier(w: &mut JsonWriter<'_>, word: Option<&str>, ask: &mut Ask<'_>) {
    let known = word.and_then(|word| if ask.own { Some(word) } else { tier(word) });
    w.maybe("service_tier", known, JsonWriter::string);
    if known.is_none() && word.is_some() {
        ask.losses.dropped(At::of("service_tier"), "the target does not know the word");
    }
}

/// Whether metadata are what this dialect takes: at most sixteen texts, of at most 512 characters each.
fn is_metadata(metadata: &RawJson) -> bool {
    let (mut count, mut sound) = (0, true);
    let read = each_member(metadata.get(), |member| {
        count += 1;
        let text = member.value.as_str();
        sound &= member.key.len() <= 64 && text.is_some_and(|text| text.chars().count() <= 512);
    });
    read.is_ok() && sound && count <= 16
}

/// A class of service in this dialect's words; others call the usual one differently.
pub(super) fn tier(word: &str) -> Option<&'static str> {
    let known = ["auto", "default", "flex", "priority", "scale", "fast", "ultrafast"];
    if let Some(same) = known.iter().find(|own| own.eq_ignore_ascii_case(word)) {
        return Some(same);
    }
    let usual = ["standard", "standard_only", "on_demand"];
    usual.iter().any(|own| own.eq_ignore_ascii_case(word)).then_some("default")
}
