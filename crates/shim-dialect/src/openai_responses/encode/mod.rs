//! Meaning → wire: requests, whole answers, and the items and parts that streams share with them; and answers that the
//! gateway gives by itself.
//!
//! Source: <https://platform.openai.com/docs/api-reference/responses> by way of the types of the official Python SDK
//! 3.54.0, read 2026-11-25.

mod answer;
mod ask;
mod cite;
mod content;
mod ids;
mod input;
mod item;
mod logprobs;
mod loss;
mod mark;
mod mcp;
mod names;
mod output;
mod reason;
mod request;
mod schema;
mod tools;
mod usage;

use bytes::Bytes;
use serde_json::{Value, json};
use shim_ir::Usage;

pub(super) use answer::{About, Ending, Maker, Outcome, echoed, lose_beside, refuses, response as whole};
pub(super) use cite::{is_placed, is_told, put_annotation};
pub(super) use logprobs::{Told as LogprobsIn, is_list, put_logprobs};
pub(super) use loss::{At, Losses, verbatim};
pub(super) use output::{Kind, Stage, Stand, envelope, kind, lose_part, put_content, put_item, put_message};
pub(super) use request::request;

use crate::Plain;

/// The oddities of targets that writing a request minds, and where each is documented.
pub(crate) const QUIRKS: &[(&str, &str)] = &[
    // The model takes explicit markers of cached prefixes: GPT-5.6 and later.
    ("cache_breakpoints", "https://developers.openai.com/api/docs/guides/prompt-caching"),
    // The model takes neither temperature nor top_p: GPT-5 and later, while they reason.
    ("fixed_sampling", "https://developers.openai.com/api/docs/guides/latest-model"),
    // The model takes them where it is told not to reason: GPT-5.1 and later.
    ("sampling_if_unthinking", "https://developers.openai.com/api/docs/guides/latest-model"),
    // The model does not reason unless it is told to: GPT-5.1.
    ("thinks_if_asked", "https://platform.openai.com/docs/api-reference/responses/create"),
    // Parameters of functions must be an object without alternatives at its top.
    ("object_parameters", "https://github.com/langchain-ai/langchainjs/issues/9804"),
    // The target takes functions only, no tools with free text: xAI.
    ("no_custom_tools", "https://docs.x.ai/docs/guides/function-calling"),
    // The target takes tools, but no groups of them: all but OpenAI and Azure.
    ("no_namespaces", "https://www.openresponses.org/reference"),
    // The target takes frequency_penalty and presence_penalty.
    ("penalties", "https://www.openresponses.org/reference"),
    // The target takes readable reasoning back: vLLM, DeepSeek.
    ("reasoning_text_back", "https://github.com/vllm-project/vllm/pull/28248"),
    // The target takes top_k: OpenRouter, vLLM.
    ("top_k", "https://openrouter.ai/docs/api-reference/beta-responses/create-responses"),
];

/// A whole answer that is one text.
pub(super) fn plain(plain: &Plain<'_>) -> Bytes {
    Bytes::from(response(plain, "completed", &[item(plain, "completed", &[part(plain.text)])]).to_string())
}

/// The whole stream of an answer that is one text.
pub(super) fn plain_stream(plain: &Plain<'_>) -> Bytes {
    let id = format!("msg_{}", plain.id);
    let at = json!({ "item_id": id, "output_index": 0, "content_index": 0 });
    let done = item(plain, "completed", &[part(plain.text)]);
    let events = [
        json!({ "type": "response.created", "response": response(plain, "in_progress", &[]) }),
        json!({ "type": "response.in_progress", "response": response(plain, "in_progress", &[]) }),
        json!({ "type": "response.output_item.added", "output_index": 0, "item": item(plain, "in_progress", &[]) }),
        with(&at, json!({ "type": "response.content_part.added", "part": part("") })),
        with(&at, json!({ "type": "response.output_text.delta", "delta": plain.text, "logprobs": [] })),
        with(&at, json!({ "type": "response.output_text.done", "text": plain.text, "logprobs": [] })),
        with(&at, json!({ "type": "response.content_part.done", "part": part(plain.text) })),
        json!({ "type": "response.output_item.done", "output_index": 0, "item": &done }),
        json!({ "type": "response.completed", "response": response(plain, "completed", std::slice::from_ref(&done)) }),
    ];
    let frames = events.into_iter().enumerate().map(|(number, event)| frame(number, event));
    Bytes::from(frames.collect::<String>())
}

/// The frame of an event.
fn frame(number: usize, event: Value) -> String {
    let event = with(&json!({ "sequence_number": number }), event);
    let kind = event.get("type").and_then(Value::as_str).unwrap_or_default();
    format!("event: {kind}\ndata: {event}\n\n")
}

/// `event` with the members of `at`.
fn with(at: &Value, mut event: Value) -> Value {
    if let (Some(event), Some(at)) = (event.as_object_mut(), at.as_object()) {
        event.extend(at.clone());
    }
    event
}

fn part(text: &str) -> Value {
    json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] })
}

fn item(plain: &Plain<'_>, status: &str, content: &[Value]) -> Value {
    json!({
        "id": format!("msg_{}", plain.id),
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": content,
    })
}

fn counts(usage: &Usage) -> Value {
    json!({
        "input_tokens": usage.input_total().0,
        "input_tokens_details": {
            "cache_write_tokens": (usage.cache_write + usage.cache_write_1h).0,
            "cached_tokens": usage.cache_read.0,
        },
        "output_tokens": usage.output_total().0,
        "output_tokens_details": { "reasoning_tokens": usage.reasoning.0 },
        "total_tokens": (usage.input_total() + usage.output_total()).0,
    })
}

fn response(plain: &Plain<'_>, status: &str, output: &[Value]) -> Value {
    json!({
        "id": format!("resp_{}", plain.id),
        "object": "response",
        "created_at": plain.created,
        "status": status,
        "error": null,
        "incomplete_details": null,
        "instructions": null,
        "metadata": {},
        "model": plain.model,
        "output": output,
        "parallel_tool_calls": true,
        "previous_response_id": plain.previous,
        "temperature": null,
        "tool_choice": "auto",
        "tools": [],
        "top_p": null,
        "usage": if status == "completed" { counts(plain.usage) } else { Value::Null },
    })
}
