//! Meaning → wire: answers the gateway gives by itself.

use bytes::Bytes;
use serde_json::{Value, json};
use shim_wire::frame::Framing;

use super::errors::escaped;
use crate::{ModelEntry, Plain, Route};

/// An answer that is one text: whole, or as a stream of one.
pub(super) fn plain(plain: &Plain<'_>, stream: Option<Framing>) -> Bytes {
    let usage = plain.usage;
    let answer = json!({
        "candidates": [{
            "content": { "parts": [{ "text": plain.text }], "role": "model" },
            "finishReason": "STOP",
            "index": 0,
        }],
        "usageMetadata": {
            "promptTokenCount": usage.input_total().0,
            "candidatesTokenCount": usage.output_text.0,
            "totalTokenCount": (usage.input_total() + usage.output_total()).0,
        },
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
