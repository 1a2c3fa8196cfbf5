//! Whole answers of the fakes, as their dialects stream them.
//!
//! Written apart from the gateway's own encoders, after the same references as the corpus. Arguments come in two pieces.

use serde_json::{Value, json};

use super::{Wire, list, text};

pub(super) fn of(wire: Wire, answer: &Value) -> String {
    match wire {
        Wire::Chat => chat(answer),
        Wire::Responses => responses(answer),
        Wire::Messages => messages(answer),
        Wire::Generate => generate(answer),
    }
}

fn data(events: impl IntoIterator<Item = Value>) -> String {
    events.into_iter().map(|event| format!("data: {event}\n\n")).collect()
}

/// Events that say by their `type` what they are.
fn named(events: impl IntoIterator<Item = Value>) -> String {
    let event = |event: Value| format!("event: {}\ndata: {event}\n\n", text(&event, "type"));
    events.into_iter().map(event).collect()
}

/// A text in two pieces.
fn halves(whole: &str) -> [&str; 2] {
    let middle = (whole.len() / 2..whole.len()).find(|at| whole.is_char_boundary(*at)).unwrap_or_default();
    let (first, second) = whole.split_at(middle);
    [first, second]
}

/// <https://platform.openai.com/docs/api-reference/chat-streaming>, read 2026-11-26.
fn chat(answer: &Value) -> String {
    let choice = &answer["choices"][0];
    let chunk = |choices: Value| {
        json!({
            "id": answer["id"], "object": "chat.completion.chunk", "created": 1, "model": answer["model"],
            "choices": choices,
        })
    };
    let delta = |delta: Value| chunk(json!([{ "index": 0, "delta": delta, "finish_reason": null }]));
    let mut events = vec![delta(json!({ "role": "assistant", "content": "" }))];
    let message = choice["message"].as_object().cloned().unwrap_or_default();
    // What is reasoned comes before what is said.
    let spoken = |key: &str| matches!(key, "role" | "content" | "tool_calls");
    let reasoned = message.iter().filter(|(key, _)| !spoken(key));
    events.extend(reasoned.map(|(key, value)| delta(json!({ key: value }))));
    events.push(delta(json!({ "content": choice["message"]["content"] })));
    for (index, call) in list(&choice["message"], "tool_calls").iter().enumerate() {
        let [first, second] = halves(text(&call["function"], "arguments"));
        let mut begun = call.clone();
        begun["index"] = json!(index);
        begun["function"]["arguments"] = json!(first);
        events.push(delta(json!({ "tool_calls": [begun] })));
        events
            .push(delta(json!({ "tool_calls": [{ "index": index, "function": { "arguments": second } }] })));
    }
    events.push(chunk(json!([{ "index": 0, "delta": {}, "finish_reason": choice["finish_reason"] }])));
    let mut usage = chunk(json!([]));
    usage["usage"] = answer["usage"].clone();
    events.push(usage);
    data(events) + "data: [DONE]\n\n"
}

/// <https://platform.openai.com/docs/api-reference/responses-streaming>, read 2026-11-26.
fn responses(answer: &Value) -> String {
    let mut begun = answer.clone();
    begun["status"] = json!("in_progress");
    begun["output"] = json!([]);
    begun["usage"] = Value::Null;
    let mut events = vec![
        json!({ "type": "response.created", "response": begun }),
        json!({ "type": "response.in_progress", "response": begun }),
    ];
    for (index, item) in list(answer, "output").iter().enumerate() {
        let inside = item_events(item, index);
        let mut empty = item.clone();
        for member in ["summary", "content"].into_iter().filter(|member| item.get(*member).is_some()) {
            empty[member] = json!([]);
        }
        if item["type"] == "function_call" {
            empty["arguments"] = json!("");
        }
        events.push(json!({ "type": "response.output_item.added", "output_index": index, "item": empty }));
        events.extend(inside);
        events.push(json!({ "type": "response.output_item.done", "output_index": index, "item": item }));
    }
    events.push(json!({ "type": "response.completed", "response": answer }));
    for (number, event) in events.iter_mut().enumerate() {
        event["sequence_number"] = json!(number);
    }
    named(events)
}

/// What comes between the begin of an item and its end.
fn item_events(item: &Value, index: usize) -> Vec<Value> {
    let event = |kind: &str, more: Value| {
        let mut event =
            json!({ "type": format!("response.{kind}"), "item_id": item["id"], "output_index": index });
        if let (Some(event), Value::Object(more)) = (event.as_object_mut(), more) {
            event.extend(more);
        }
        event
    };
    let part = |member: &str| item[member][0].clone();
    match text(item, "type") {
        "reasoning" => {
            let (done, said) = (part("summary"), text(&part("summary"), "text").to_owned());
            let empty = json!({ "type": "summary_text", "text": "" });
            vec![
                event("reasoning_summary_part.added", json!({ "summary_index": 0, "part": empty })),
                event("reasoning_summary_text.delta", json!({ "summary_index": 0, "delta": said })),
                event("reasoning_summary_text.done", json!({ "summary_index": 0, "text": said })),
                event("reasoning_summary_part.done", json!({ "summary_index": 0, "part": done })),
            ]
        }
        "message" => {
            let (done, said) = (part("content"), text(&part("content"), "text").to_owned());
            let empty = json!({ "type": "output_text", "text": "", "annotations": [] });
            vec![
                event("content_part.added", json!({ "content_index": 0, "part": empty })),
                event("output_text.delta", json!({ "content_index": 0, "delta": said })),
                event("output_text.done", json!({ "content_index": 0, "text": said })),
                event("content_part.done", json!({ "content_index": 0, "part": done })),
            ]
        }
        _ => {
            let whole = text(item, "arguments");
            let delta = |piece: &str| event("function_call_arguments.delta", json!({ "delta": piece }));
            let mut events = halves(whole).map(delta).to_vec();
            events.push(event("function_call_arguments.done", json!({ "arguments": whole })));
            events
        }
    }
}

/// <https://platform.claude.com/docs/en/build-with-claude/streaming>, read 2026-11-26.
fn messages(answer: &Value) -> String {
    let mut begun = answer.clone();
    begun["content"] = json!([]);
    begun["stop_reason"] = Value::Null;
    let mut events = vec![json!({ "type": "message_start", "message": begun })];
    for (index, block) in list(answer, "content").iter().enumerate() {
        let (empty, deltas) = block_events(block);
        events.push(json!({ "type": "content_block_start", "index": index, "content_block": empty }));
        let delta = |delta: Value| json!({ "type": "content_block_delta", "index": index, "delta": delta });
        events.extend(deltas.into_iter().map(delta));
        events.push(json!({ "type": "content_block_stop", "index": index }));
    }
    let delta = json!({ "stop_reason": answer["stop_reason"], "stop_sequence": null });
    events.push(json!({ "type": "message_delta", "delta": delta, "usage": answer["usage"] }));
    events.push(json!({ "type": "message_stop" }));
    named(events)
}

/// A block as it begins, and what is added to it.
fn block_events(block: &Value) -> (Value, Vec<Value>) {
    match text(block, "type") {
        "thinking" => {
            let empty = json!({ "type": "thinking", "thinking": "", "signature": "" });
            let thinking = json!({ "type": "thinking_delta", "thinking": block["thinking"] });
            let signature = json!({ "type": "signature_delta", "signature": block["signature"] });
            (empty, vec![thinking, signature])
        }
        "text" => {
            let said = json!({ "type": "text_delta", "text": block["text"] });
            (json!({ "type": "text", "text": "" }), vec![said])
        }
        "tool_use" => {
            let mut empty = block.clone();
            empty["input"] = json!({});
            let input = block["input"].to_string();
            let piece = |piece: &str| json!({ "type": "input_json_delta", "partial_json": piece });
            (empty, halves(&input).map(piece).to_vec())
        }
        _ => (block.clone(), Vec::new()),
    }
}

/// <https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent>, read 2026-11-26.
fn generate(answer: &Value) -> String {
    let parts = list(&answer["candidates"][0]["content"], "parts");
    let mut chunks: Vec<_> = parts
        .iter()
        .map(|part| {
            let mut chunk = answer.clone();
            chunk["candidates"] = json!([{ "index": 0, "content": { "role": "model", "parts": [part] } }]);
            chunk
        })
        .collect();
    if let Some(last) = chunks.last_mut() {
        last["candidates"][0]["finishReason"] = answer["candidates"][0]["finishReason"].clone();
    }
    data(chunks)
}
