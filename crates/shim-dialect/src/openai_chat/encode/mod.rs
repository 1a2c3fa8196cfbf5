//! Meaning → wire: requests, whole answers, and the answers the gateway gives by itself.
//!
//! Sources, read 2026-11-25: <https://platform.openai.com/docs/api-reference/chat/create>,
//! <https://platform.openai.com/docs/api-reference/chat/object>. What OpenAI's reference has is written unless a quirk
//! forbids it; what only other providers have is written where a quirk permits it, or where a client of this dialect
//! wrote it.

mod answer;
mod call;
mod choice;
mod cite;
mod content;
mod end;
mod form;
mod losses;
mod media;
mod message;
mod messages;
mod names;
mod plan;
mod reasoning;
mod request;
mod schema;
mod tools;

use bytes::Bytes;
use serde_json::{Map, Value, json};
use shim_ir::{Fault, FaultKind};
use shim_wire::JsonWriter;

pub(super) use answer::{Sources, call_id, id_of, is_legacy, response, service_tier};
pub(super) use call::{Form, extra_content, write_rest};
pub(super) use cite::{Kind, are_ours, kind, leaves_out, logprobs, made};
pub(super) use end::{Told as Ending, finish_word, unsaid, usage};
pub(super) use losses::{Losses, Site};
pub(super) use media::sound;
pub(super) use message::{chars, image, sound_defaults};
pub(super) use messages::join;
pub(super) use request::request;

use super::errors;
use crate::{ModelEntry, Plain, Route};

/// The oddities of providers and models that writing a request knows, and where each is documented.
pub const QUIRKS: &[(&str, &str)] = &[
    // What is refused, or has another name.
    ("max_completion_tokens", "https://platform.openai.com/docs/api-reference/chat/create"),
    ("no_sampling", "https://platform.openai.com/docs/guides/latest-model"),
    ("no_logprobs", "https://console.groq.com/docs/openai"),
    ("no_stop", "https://platform.openai.com/docs/api-reference/chat/create"),
    ("no_n", "https://console.groq.com/docs/openai"),
    ("no_message_name", "https://console.groq.com/docs/openai"),
    ("sampling_if_unthinking", "https://platform.openai.com/docs/guides/latest-model"),
    ("thinks_if_asked", "https://platform.openai.com/docs/api-reference/chat/create"),
    ("no_seed", "https://docs.mistral.ai/api"),
    ("random_seed", "https://docs.mistral.ai/api"),
    ("no_user", "https://docs.mistral.ai/api"),
    ("no_metadata", "https://docs.mistral.ai/api"),
    ("no_store", "https://docs.mistral.ai/api"),
    ("no_prompt_cache_key", "https://docs.mistral.ai/api"),
    ("no_service_tier", "https://docs.mistral.ai/api"),
    ("no_stream_options", "https://docs.mistral.ai/api"),
    ("no_parallel_tool_calls", "https://platform.openai.com/docs/guides/reasoning"),
    ("no_developer_role", "https://github.com/earendil-works/pi/issues/1048"),
    ("system_first", "https://github.com/vllm-project/vllm/issues/41114"),
    ("single_content_string", "https://api-docs.deepseek.com/api/create-chat-completion"),
    ("no_custom_tools", "https://api-docs.deepseek.com/api/create-chat-completion"),
    ("no_allowed_tools", "https://api-docs.deepseek.com/api/create-chat-completion"),
    ("tool_choice_any", "https://docs.mistral.ai/api"),
    ("tool_choice_auto", "https://docs.z.ai/api-reference/llm/chat-completion"),
    ("no_named_choice", "https://github.com/UKGovernmentBEIS/inspect_ai/pull/5152"),
    ("no_forced_tools", "https://github.com/cloudwego/eino/issues/994"),
    ("no_forced_tools_thinking", "https://github.com/deepseek-ai/DeepSeek-V3/issues/1376"),
    ("object_parameters", "https://github.com/langchain-ai/langchainjs/issues/9804"),
    ("json_object_only", "https://api-docs.deepseek.com/guides/json_mode"),
    ("call_ids_max_40", "https://github.com/vercel/ai/issues/5171"),
    ("call_ids_of_9", "https://github.com/anomalyco/opencode/issues/1680"),
    // What only some have.
    ("top_k", "https://openrouter.ai/docs/api-reference/parameters"),
    ("cache_control", "https://openrouter.ai/docs/features/prompt-caching"),
    ("prompt_cache_breakpoint", "https://developers.openai.com/api/docs/guides/prompt-caching"),
    ("reasoning_content_back", "https://api-docs.deepseek.com/guides/thinking_mode"),
    // Put in before the request comes here: `shim_policy::vault`.
    ("reasoning_needed", "https://api-docs.deepseek.com/guides/thinking_mode"),
    ("reasoning_back", "https://openrouter.ai/docs/use-cases/reasoning-tokens"),
    ("thought_signatures", "https://ai.google.dev/gemini-api/docs/thought-signatures"),
    ("reasoning_object", "https://openrouter.ai/docs/use-cases/reasoning-tokens"),
    ("thinking_object", "https://api-docs.deepseek.com/guides/thinking_mode"),
    ("enable_thinking", "https://www.alibabacloud.com/help/en/model-studio/deep-thinking"),
    ("tool_media", "https://docs.ollama.com/api/openai-compatibility"),
    ("video_url", "https://openrouter.ai/docs/features/multimodal/videos"),
    ("document_url", "https://docs.mistral.ai/capabilities/document_ai/document_qna"),
    ("file_url", "https://openrouter.ai/docs/features/multimodal/pdfs"),
    ("web_search_options", "https://platform.openai.com/docs/guides/tools-web-search"),
    ("openrouter_web_search", "https://openrouter.ai/docs/features/web-search"),
];

/// A whole answer that is one text.
pub(super) fn plain(plain: &Plain<'_>) -> Bytes {
    let mut out = Vec::new();
    answer(plain, "chat.completion", true, &mut out, |w| {
        w.nested("message", |w| {
            w.string("role", "assistant");
            w.string("content", plain.text);
            w.null("refusal");
            w.array("annotations", |_| ());
        });
        w.null("logprobs");
        w.string("finish_reason", "stop");
    });
    Bytes::from(out)
}

/// The whole stream of an answer that is one text. Usage comes in the finish chunk, so that a client that did not ask
/// for it meets no chunk without choices.
pub(super) fn plain_stream(plain: &Plain<'_>) -> Bytes {
    let mut out = Vec::new();
    chunk(plain, false, &mut out, |w| {
        w.string("role", "assistant");
        w.string("content", "");
        w.null("refusal");
    });
    chunk(plain, false, &mut out, |w| w.string("content", plain.text));
    chunk(plain, true, &mut out, |_| ());
    out.extend_from_slice(b"data: [DONE]\n\n");
    Bytes::from(out)
}

/// A chunk with a delta; the last one ends the answer.
fn chunk(plain: &Plain<'_>, last: bool, out: &mut Vec<u8>, delta: impl FnOnce(&mut JsonWriter<'_>)) {
    out.extend_from_slice(b"data: ");
    answer(plain, "chat.completion.chunk", last, out, |w| {
        w.nested("delta", delta);
        w.null("logprobs");
        match last {
            true => w.string("finish_reason", "stop"),
            false => w.null("finish_reason"),
        }
    });
    out.extend_from_slice(b"\n\n");
}

/// An answer, or a chunk of one, with one choice.
fn answer(
    plain: &Plain<'_>,
    object: &str,
    used: bool,
    out: &mut Vec<u8>,
    choice: impl FnOnce(&mut JsonWriter<'_>),
) {
    JsonWriter::new(out).object(|w| {
        head(plain, object, w);
        w.array("choices", |w| {
            w.element().object(|w| {
                w.number("index", 0);
                choice(w);
            });
        });
        w.maybe("usage", Some(plain.usage).filter(|_| used), |w, key, used| {
            w.nested(key, |w| usage(used, w))
        });
    });
}

/// What every answer and every chunk begins with.
fn head(plain: &Plain<'_>, object: &str, w: &mut JsonWriter<'_>) {
    w.string("id", &format!("chatcmpl-{}", plain.id));
    w.string("object", object);
    w.number("created", plain.created);
    w.string("model", plain.model);
}

/// The list of models, or the one `route` names.
pub(super) fn models(models: &[ModelEntry], route: &Route) -> Bytes {
    let Some(id) = &route.model else {
        let data: Vec<_> = models.iter().map(model).collect();
        return Bytes::from(json!({ "object": "list", "data": data }).to_string());
    };
    match models.iter().find(|entry| entry.id == *id) {
        Some(entry) => Bytes::from(model(entry).to_string()),
        None => errors::encode_fault(
            &Fault::new(FaultKind::UnknownModel, format!("there is no model \"{id}\"")).at("model"),
        ),
    }
}

/// A model, with its limits under the names that clients look for: Groq's `context_window`, OpenRouter's
/// `context_length`, vLLM's `max_model_len`; `max_output_tokens`, and OpenRouter's and Groq's `max_completion_tokens`.
fn model(entry: &ModelEntry) -> Value {
    let mut model = Map::new();
    let mut put = |key: &str, value: Value| drop(model.insert(key.to_owned(), value));
    put("id", json!(entry.id));
    put("object", json!("model"));
    put("created", json!(entry.created));
    put("owned_by", json!(entry.owner));
    put("name", json!(entry.display));
    if let Some(context) = entry.context_max {
        for key in ["context_window", "context_length", "max_model_len"] {
            put(key, json!(context));
        }
    }
    if let Some(output) = entry.output_max {
        for key in ["max_output_tokens", "max_completion_tokens"] {
            put(key, json!(output));
        }
    }
    Value::Object(model)
}
