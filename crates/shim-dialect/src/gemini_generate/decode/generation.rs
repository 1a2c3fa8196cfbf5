//! `generationConfig`.

use serde_json::value::RawValue;
use shim_ir::{Effort, OutputFormat, ReasoningAsk, ReasoningMode, Request, Rest, Sampling, Schema, Tokens};
use shim_wire::{RawJson, Str};

use super::{DIALECT, json_schema, keep, keep_left, object, rest};
use crate::gemini_generate::types::{GenerationConfig, ThinkingConfig};

/// Spreads `generationConfig` over `request`. What is left of it stays in the request's rest, under its name.
pub(super) fn generation(mut config: GenerationConfig<'_>, request: &mut Request) {
    let left = rest(std::mem::take(&mut config.rest));
    request.sampling = sampling(&mut config);
    request.output = output(&config);
    request.reasoning = config.thinking_config.map(reasoning);
    request.modalities = config.response_modalities.into_iter().map(Str::into_string).collect();
    keep_left(&mut request.rest, "generationConfig", &left);
}

fn sampling(config: &mut GenerationConfig<'_>) -> Sampling {
    Sampling {
        temperature: config.temperature,
        top_p: config.top_p,
        top_k: config.top_k,
        frequency_penalty: config.frequency_penalty,
        presence_penalty: config.presence_penalty,
        seed: config.seed,
        stop: std::mem::take(&mut config.stop_sequences).into_iter().map(Str::into_string).collect(),
        output_max: config.max_output_tokens.map(Tokens),
        candidates: config.candidate_count,
        logprobs: config.response_logprobs,
        top_logprobs: config.logprobs,
    }
}

/// The form the answer must have. A schema means JSON where no other type is named.
fn output(config: &GenerationConfig<'_>) -> Option<OutputFormat> {
    let schema = config.response_json_schema.or(config.response_schema);
    match (config.response_mime_type.as_deref(), schema) {
        (None, None) => None,
        (Some("text/plain"), None) => Some(OutputFormat::Text),
        (Some("application/json"), None) => Some(OutputFormat::JsonObject),
        (None | Some("application/json"), Some(_)) => Some(OutputFormat::Schema(fitting(config))),
        (Some(mime), schema) => other(mime, schema).map(OutputFormat::Other),
    }
}

/// The schema the answer must fit; one in the words of OpenAPI stays in `rest` as it came.
fn fitting(config: &GenerationConfig<'_>) -> Schema {
    let mut members = Rest::default();
    keep(&mut members, "responseSchema", config.response_schema);
    let schema = config.response_json_schema.map(RawJson::from);
    let schema = schema.or(config.response_schema.map(json_schema));
    Schema { schema, rest: members, ..Schema::default() }
}

/// Another form (`text/x.enum`), as the members that ask for it.
fn other(mime: &str, schema: Option<&RawValue>) -> Option<RawJson> {
    let mut form = Rest::default();
    form.push(DIALECT, "responseMimeType", RawJson::string(mime));
    keep(&mut form, "responseSchema", schema);
    RawJson::parse(&object(&form)).ok()
}

/// What is asked of reasoning. A budget of −1 leaves it to the model, and 0 turns it off. Thoughts are shown only where
/// that is asked for.
fn reasoning(config: ThinkingConfig<'_>) -> ReasoningAsk {
    ReasoningAsk {
        mode: match config.thinking_budget {
            Some(0) => Some(ReasoningMode::Off),
            Some(..0) => Some(ReasoningMode::Adaptive),
            Some(_) => Some(ReasoningMode::On),
            None => None,
        },
        effort: config.thinking_level.map(|word| Effort::parse(&word)),
        budget: config.thinking_budget.and_then(|b| u64::try_from(b).ok()).filter(|b| *b > 0).map(Tokens),
        show: Some(config.include_thoughts.unwrap_or(false).to_string()),
        encrypted: false,
        rest: rest(config.rest),
    }
}
