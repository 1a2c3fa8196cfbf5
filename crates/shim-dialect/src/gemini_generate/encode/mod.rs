//! Meaning → wire: requests, whole answers, and answers the gateway gives by itself.
//!
//! Sources: <https://ai.google.dev/api/generate-content>, <https://ai.google.dev/gemini-api/docs/function-calling>,
//! <https://ai.google.dev/gemini-api/docs/thinking>, and the types of the official Python SDK 2.34, read 2026-11-25.

mod answer;
mod content;
mod embed;
mod finish;
mod generation;
mod ground;
mod logprobs;
mod losses;
mod media;
mod names;
mod openapi;
mod own;
mod request;
mod result;
mod thinking;
mod tools;
mod turns;
mod usage;

use bytes::Bytes;
use serde_json::{Value, json};
use shim_ir::Usage;
use shim_wire::frame::Framing;

pub(super) use answer::{answer, blocks, bytes, citation_losses, count, created, finish_losses, sources};
pub(super) use content::{BETWEEN, answering, is_own_opaque, mark, marked, thoughts};
pub(super) use embed::{embed_request, embeddings};
pub(super) use finish::finish_word;
pub(super) use ground::{Cited, Grounds, Spoken, is_own as is_own_citation};
pub(super) use logprobs::{OTHER_FORM, is_list, logprobs};
pub(super) use losses::{At, Losses, Of};
pub(super) use own::own;
pub(super) use request::{counted, generate};
pub(super) use usage::{told_tier, usage};

use super::errors::escaped;
use crate::{ModelEntry, Plain, Route};

/// The oddities of providers and models that encoding knows, each with where it is documented.
pub const QUIRKS: &[(&str, &str)] = &[
    // A call in the current turn without its signature is refused (Gemini 3).
    ("thought_signatures", "https://ai.google.dev/gemini-api/docs/thought-signatures"),
    // `id` of calls and responses is an unknown field (Gemini 2 and older on Vertex AI).
    ("no_call_ids", "https://github.com/BerriAI/litellm/pull/34603"),
    // Schemas of functions and answers only in the words of OpenAPI.
    ("openapi_schema", "https://ai.google.dev/api/caching#Schema"),
    // Responses of functions hold no media (before Gemini 3).
    ("no_result_media", "https://ai.google.dev/gemini-api/docs/function-calling#multimodal"),
    // Only uploaded files and YouTube have addresses (before Gemini 3).
    ("no_url_media", "https://ai.google.dev/gemini-api/docs/file-input-methods"),
    // The dialect's own tools cannot be offered beside functions (before Gemini 3).
    ("no_mixed_tools", "https://ai.google.dev/gemini-api/docs/tool-combination"),
    // JSON cannot be asked for beside functions (before Gemini 3).
    ("no_schema_with_tools", "https://ai.google.dev/gemini-api/docs/structured-output"),
    // Names of functions have at most 64 characters (Vertex AI, by its older reference).
    ("names_64", "https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/function-calling"),
    // `includeServerSideToolInvocations` is an unknown field (Vertex AI).
    ("no_server_tool_parts", "https://github.com/googleapis/python-genai/blob/main/google/genai/types.py"),
    // `VALIDATED` is no mode.
    ("no_validated_mode", "https://ai.google.dev/gemini-api/docs/function-calling#function_calling_modes"),
];

/// An answer that is one text: whole, or as a stream of one.
pub(super) fn plain(plain: &Plain<'_>, stream: Option<Framing>) -> Bytes {
    let answer = json!({
        "candidates": [{
            "content": { "parts": [{ "text": plain.text }], "role": "model" },
            "finishReason": "STOP",
            "index": 0,
        }],
        "usageMetadata": plain_usage(plain.usage),
        "modelVersion": plain.model,
        "responseId": plain.id,
    });
    let answer = escaped(&answer.to_string());
    Bytes::from(match stream {
        None => answer,
        Some(Framing::Sse) => format!("data: {answer}\n\n"),
        Some(Framing::JsonArray) => format!("[{answer}]"),
    })
}

fn plain_usage(usage: &Usage) -> Value {
    json!({
        "promptTokenCount": usage.input_total().0,
        "candidatesTokenCount": usage.output_text.0,
        "totalTokenCount": (usage.input_total() + usage.output_total()).0,
    })
}

/// The list of models, or the one the path names.
pub(super) fn models(models: &[ModelEntry], route: &Route) -> Bytes {
    let list: Vec<Value> = models.iter().map(entry).collect();
    if route.model.is_some() {
        return Bytes::from(list.first().unwrap_or(&Value::Null).to_string());
    }
    Bytes::from(json!({ "models": list }).to_string())
}

fn entry(model: &ModelEntry) -> Value {
    json!({
        "name": format!("models/{}", model.id),
        "displayName": model.display,
        "inputTokenLimit": model.context_max,
        "outputTokenLimit": model.output_max,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
    })
}
