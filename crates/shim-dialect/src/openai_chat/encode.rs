//! Meaning → wire: answers the gateway gives by itself.

use bytes::Bytes;
use serde_json::{Map, Value, json};
use shim_ir::{Fault, FaultKind, Usage};

use super::errors;
use crate::{ModelEntry, Plain, Route};

/// A whole answer that is one text.
pub(super) fn plain(plain: &Plain<'_>) -> Bytes {
    let choice = json!({
        "index": 0,
        "message": { "role": "assistant", "content": plain.text, "refusal": null, "annotations": [] },
        "logprobs": null,
        "finish_reason": "stop",
    });
    Bytes::from(answer(plain, "chat.completion", choice, Some(plain.usage)))
}

/// The whole stream of an answer that is one text. Usage comes in the finish chunk, so that a client that did not ask
/// for it meets no chunk without choices.
pub(super) fn plain_stream(plain: &Plain<'_>) -> Bytes {
    let chunk = |delta: Value, finish: Option<&str>| {
        let choice = json!({ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish });
        answer(plain, "chat.completion.chunk", choice, finish.map(|_| plain.usage))
    };
    let chunks = [
        chunk(json!({ "role": "assistant", "content": "", "refusal": null }), None),
        chunk(json!({ "content": plain.text }), None),
        chunk(json!({}), Some("stop")),
    ];
    let frames: String = chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
    Bytes::from(frames + "data: [DONE]\n\n")
}

fn answer(plain: &Plain<'_>, object: &str, choice: Value, used: Option<&Usage>) -> String {
    let mut answer = Map::new();
    let mut put = |key: &str, value: Value| drop(answer.insert(key.to_owned(), value));
    put("id", json!(format!("chatcmpl-{}", plain.id)));
    put("object", json!(object));
    put("created", json!(plain.created));
    put("model", json!(plain.model));
    put("choices", Value::Array(vec![choice]));
    if let Some(used) = used {
        put("usage", usage(used));
    }
    Value::Object(answer).to_string()
}

fn usage(usage: &Usage) -> Value {
    let (input, output) = (usage.input_total(), usage.output_total());
    json!({
        "prompt_tokens": input.0,
        "completion_tokens": output.0,
        "total_tokens": (input + output).0,
        "prompt_tokens_details": {
            "cached_tokens": usage.cache_read.0,
            "cache_write_tokens": (usage.cache_write + usage.cache_write_1h).0,
            "audio_tokens": usage.input_audio.0,
        },
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning.0,
            "audio_tokens": usage.output_audio.0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    })
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
