//! Meaning → wire: answers the gateway gives by itself.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::Plain;

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
    let mut out = String::new();
    for (number, event) in events.into_iter().enumerate() {
        let event = with(&json!({ "sequence_number": number }), event);
        let kind = event.get("type").and_then(Value::as_str).unwrap_or_default();
        out.push_str(&format!("event: {kind}\ndata: {event}\n\n"));
    }
    Bytes::from(out)
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

fn response(plain: &Plain<'_>, status: &str, output: &[Value]) -> Value {
    let usage = plain.usage;
    let counts = json!({
        "input_tokens": usage.input_total().0,
        "input_tokens_details": { "cached_tokens": usage.cache_read.0 },
        "output_tokens": usage.output_total().0,
        "output_tokens_details": { "reasoning_tokens": usage.reasoning.0 },
        "total_tokens": (usage.input_total() + usage.output_total()).0,
    });
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
        "temperature": null,
        "tool_choice": "auto",
        "tools": [],
        "top_p": null,
        "usage": if status == "completed" { counts } else { Value::Null },
    })
}
