//! What order the events of a stream must come in, as each API reference has it and its official SDKs rely on.

use serde_json::Value;

type Frames<'f> = &'f [(Option<String>, String)];

/// The data of each frame, as JSON; what is none is a fault.
fn parsed(frames: Frames<'_>, faults: &mut Vec<String>) -> Vec<Value> {
    let mut read = |data: &String| {
        serde_json::from_str(data).unwrap_or_else(|error| {
            faults.push(format!("a frame is no JSON ({error}): {data}"));
            Value::Null
        })
    };
    frames.iter().map(|(_, data)| read(data)).collect()
}

/// The value that all of `values` have at `key`; a fault where they have several, or none.
fn same(values: &[Value], key: &str, faults: &mut Vec<String>) {
    let mut seen: Vec<&Value> = values.iter().map(|value| &value[key]).collect();
    seen.dedup();
    if seen.len() != 1 || seen.first().is_some_and(|value| value.is_null()) {
        faults.push(format!("{key} must be the same in every frame and is {seen:?}"));
    }
}

/// Chat Completions: one id; the role first; one finish reason, behind all content; usage behind it; `[DONE]` last.
pub(super) fn chat(frames: Frames<'_>) -> Vec<String> {
    let mut faults = Vec::new();
    let Some(((_, last), chunks)) = frames.split_last() else {
        return vec!["the stream is empty".to_owned()];
    };
    if last != "[DONE]" {
        faults.push(format!("the last frame must be [DONE] and is {last}"));
    }
    let chunks = parsed(chunks, &mut faults);
    same(&chunks, "id", &mut faults);
    if chunks.iter().any(|chunk| chunk["object"] != "chat.completion.chunk") {
        faults.push("every frame must be a chat.completion.chunk".to_owned());
    }
    let choices: Vec<&Value> = chunks.iter().filter_map(|chunk| chunk["choices"].get(0)).collect();
    if choices.first().is_none_or(|choice| choice["delta"]["role"] != "assistant") {
        faults.push("the first delta must tell the role".to_owned());
    }
    let ends: Vec<usize> = (0..choices.len())
        .filter(|at| choices.get(*at).is_some_and(|c| c["finish_reason"].is_string()))
        .collect();
    if ends != [choices.len().wrapping_sub(1)] {
        faults.push(format!(
            "the last choice, and no other, must have a finish_reason; {ends:?} of {} do",
            choices.len()
        ));
    }
    calls(&choices, &mut faults);
    faults
}

/// Pieces of calls: numbered from 0 as they begin, each beginning with its id and name.
fn calls(choices: &[&Value], faults: &mut Vec<String>) {
    let mut begun = 0;
    for call in choices.iter().flat_map(|choice| choice["delta"]["tool_calls"].as_array()).flatten() {
        let index = call["index"].as_u64().unwrap_or(u64::MAX);
        if index == begun {
            begun += 1;
            if !call["id"].is_string() || !call["function"]["name"].is_string() {
                faults.push(format!("a call must begin with id and name: {call}"));
            }
        } else if index > begun || call.get("id").is_some_and(|id| !id.is_null()) {
            faults.push(format!("a piece of a call is out of order: {call}"));
        }
    }
}

/// Responses: sequence numbers from 0 without a gap; the event's name is its type; items in order, each with one id in
/// all its events; the final response holds the items that were streamed.
pub(super) fn responses(frames: Frames<'_>) -> Vec<String> {
    let mut faults = Vec::new();
    let events = parsed(frames, &mut faults);
    for (at, (event, (name, _))) in events.iter().zip(frames).enumerate() {
        if event["sequence_number"].as_u64() != u64::try_from(at).ok() {
            faults.push(format!("sequence_number must be {at} and is {}", event["sequence_number"]));
        }
        if event["type"].as_str() != name.as_deref() {
            faults.push(format!("the event {name:?} has the type {}", event["type"]));
        }
    }
    let kinds: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap_or_default()).collect();
    if kinds.first() != Some(&"response.created") {
        faults.push(format!("the first event must be response.created and is {:?}", kinds.first()));
    }
    let last = kinds.last().copied().unwrap_or_default();
    if !["response.completed", "response.incomplete", "response.failed"].contains(&last) {
        faults.push(format!("the last event must end the response and is {last}"));
    }
    items(&events, &mut faults);
    faults
}

fn items(events: &[Value], faults: &mut Vec<String>) {
    let mut open: Vec<String> = Vec::new();
    let mut done: Vec<&Value> = Vec::new();
    for event in events {
        let kind = event["type"].as_str().unwrap_or_default();
        let index = event["output_index"].as_u64().and_then(|index| usize::try_from(index).ok());
        let id = event["item_id"].as_str().or(event["item"]["id"].as_str());
        match (kind, index, id) {
            ("response.output_item.added", Some(index), Some(id)) if index == open.len() => {
                open.push(id.to_owned())
            }
            (_, Some(index), Some(id)) if open.get(index).map(String::as_str) == Some(id) => {}
            (_, None, None) => {}
            _ => faults.push(format!("{kind} does not fit the items so far: {event}")),
        }
        if kind == "response.output_item.done" {
            done.push(&event["item"]);
        }
    }
    let told = events.last().map(|event| &event["response"]["output"]);
    let told: Vec<&Value> = told.and_then(Value::as_array).into_iter().flatten().collect();
    if told != done {
        faults.push(format!("the final output is not the items that were streamed: {told:?} and {done:?}"));
    }
}

/// Messages: `message_start`; then blocks, one at a time, numbered from 0, each with deltas of its own kind; then
/// `message_delta` and `message_stop`. Pings anywhere.
pub(super) fn messages(frames: Frames<'_>) -> Vec<String> {
    let mut faults = Vec::new();
    let events = parsed(frames, &mut faults);
    let named =
        frames.iter().zip(&events).filter(|((name, _), event)| name.as_deref() != event["type"].as_str());
    faults
        .extend(named.map(|((name, _), event)| format!("the event {name:?} has the type {}", event["type"])));
    let mut place = Place::Before;
    let mut next = 0;
    for event in events.iter().filter(|event| event["type"] != "ping") {
        let kind = event["type"].as_str().unwrap_or_default();
        let index = event["index"].as_u64();
        place = match (&place, kind) {
            (Place::Before, "message_start") => Place::Between,
            (Place::Between, "content_block_start") if index == Some(next) => {
                Place::In(event["content_block"]["type"].as_str().unwrap_or_default().to_owned())
            }
            (Place::In(block), "content_block_delta") if index == Some(next) && fits(block, event) => {
                continue;
            }
            (Place::In(_), "content_block_stop") if index == Some(next) => {
                next += 1;
                Place::Between
            }
            (Place::Between, "message_delta") if event["delta"]["stop_reason"].is_string() => Place::Told,
            (Place::Told, "message_stop") => Place::After,
            _ => {
                faults.push(format!("an event stands where it may not: {event}"));
                continue;
            }
        };
    }
    if !matches!(place, Place::After) {
        faults.push("the last event must be message_stop".to_owned());
    }
    faults
}

/// Where a stream of Messages stands.
enum Place {
    Before,
    Between,
    /// In a block of this type.
    In(String),
    /// Behind `message_delta`.
    Told,
    After,
}

fn fits(block: &str, event: &Value) -> bool {
    let kinds: &[&str] = match block {
        "text" => &["text_delta", "citations_delta"],
        "thinking" => &["thinking_delta", "signature_delta"],
        "tool_use" | "server_tool_use" => &["input_json_delta"],
        _ => &[],
    };
    event["delta"]["type"].as_str().is_some_and(|kind| kinds.contains(&kind))
}

/// Gemini: the finish reason in the last frame that has a candidate, and nowhere else; one answer's id in all.
pub(super) fn content(frames: Frames<'_>) -> Vec<String> {
    let mut faults = Vec::new();
    let chunks = parsed(frames, &mut faults);
    same(&chunks, "responseId", &mut faults);
    let candidates: Vec<&Value> = chunks.iter().filter_map(|chunk| chunk["candidates"].get(0)).collect();
    let ends = candidates.iter().filter(|candidate| candidate["finishReason"].is_string()).count();
    if ends != 1 || candidates.last().is_none_or(|last| !last["finishReason"].is_string()) {
        faults.push(format!("the last candidate, and no other, must have a finishReason; {ends} have"));
    }
    if chunks.last().is_none_or(|last| last["usageMetadata"]["totalTokenCount"].is_null()) {
        faults.push("the last frame must tell the usage".to_owned());
    }
    faults
}

#[cfg(test)]
mod tests {
    use shim_ir::Dialect;
    use shim_wire::frame::Framing;

    use crate::check::frames;
    use crate::data::Scripts;
    use crate::tongue::tongue;

    fn faults(dialect: Dialect, stream: &str) -> Vec<String> {
        tongue(dialect).stream_faults(&frames(Framing::Sse, stream.as_bytes()).unwrap())
    }

    #[test]
    fn scripts_obey_their_own_dialect() {
        for dialect in Dialect::ALL {
            for case in crate::case::CASES.iter().filter(|case| case.says().is_some()) {
                let Some(stream) = Scripts::shipped().answer(dialect, case.name, true) else { continue };
                assert_eq!(faults(dialect, &stream), [""; 0], "{dialect} {}", case.name);
            }
        }
    }

    #[test]
    fn what_breaks_the_order_is_found() {
        for (dialect, from, to) in [
            (Dialect::OpenaiChat, "data: [DONE]\n\n", ""),
            (Dialect::OpenaiChat, "\"finish_reason\":\"tool_calls\"", "\"finish_reason\":null"),
            (
                Dialect::OpenaiChat,
                "\"tool_calls\":[{\"index\":1,\"id\"",
                "\"tool_calls\":[{\"index\":2,\"id\"",
            ),
            (Dialect::OpenaiResponses, "\"sequence_number\":4", "\"sequence_number\":5"),
            (
                Dialect::OpenaiResponses,
                "\"item_id\":\"fc_conform_1\",\"output_index\":1,\"delta\"",
                "\"item_id\":\"fc\",\"output_index\":1,\"delta\"",
            ),
            (Dialect::OpenaiResponses, "\"type\":\"response.completed\"", "\"type\":\"response.other\""),
            (
                Dialect::Anthropic,
                "data: {\"type\":\"content_block_stop\",\"index\":0}",
                "data: {\"type\":\"ping\"}",
            ),
            (Dialect::Anthropic, "input_json_delta", "text_delta"),
            (Dialect::Anthropic, "\"stop_reason\":\"tool_use\"", "\"stop_reason\":null"),
            (Dialect::Gemini, "\"finishReason\":\"STOP\",", ""),
            (Dialect::Gemini, "totalTokenCount", "total"),
        ] {
            let good = Scripts::shipped().answer(dialect, "tool_calls", true).unwrap();
            let bad = good.replace(from, to);
            assert_ne!(good, bad, "{dialect}: {from} is not there");
            assert!(!faults(dialect, &bad).is_empty(), "{dialect}: {from} is not missed");
        }
    }
}
