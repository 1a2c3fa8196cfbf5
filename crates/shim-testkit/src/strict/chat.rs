//! OpenAI Chat Completions, as several providers have it.
//!
//! Sources, read 2026-11-26: <https://api-docs.deepseek.com/guides/thinking_mode>,
//! <https://openrouter.ai/docs/use-cases/reasoning-tokens>, <https://ai.google.dev/gemini-api/docs/openai>,
//! <https://github.com/huggingface/huggingface.js/pull/2268> (a provider that refuses what it does not know).

use serde_json::{Value, json};

use super::gemini::is_signature;
use super::script::Met;
use super::{Kind, Next, Refusal, Script, Strict, Told, hash, list, seal, spelt, text, unseal};

pub(super) fn answer(strict: &Strict, script: &dyn Script, body: &Value) -> Result<Value, Refusal> {
    let messages = list(body, "messages");
    check(strict, body, messages)?;
    let next = script.next(&told(body, messages)).map_err(refuse)?;
    let seed = hash(&spelt(body).to_string());
    let mut message = json!({ "role": "assistant", "content": next.says });
    let mut calls: Vec<_> = next
        .calls
        .iter()
        .enumerate()
        .map(|(number, call)| {
            let function = json!({ "name": call.name, "arguments": call.arguments.to_string() });
            json!({ "id": format!("call_{seed:016x}{number}"), "type": "function", "function": function })
        })
        .collect();
    reason(strict, &next, seed, &mut message, &mut calls);
    let finish = if calls.is_empty() { "stop" } else { "tool_calls" };
    if !calls.is_empty() {
        message["tool_calls"] = json!(calls);
    }
    Ok(json!({
        "id": format!("chatcmpl-{seed:x}"), "object": "chat.completion", "created": 1, "model": "fake",
        "choices": [{ "index": 0, "message": message, "finish_reason": finish }],
        "usage": { "prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15 },
    }))
}

/// What the messages say was done.
fn told(body: &Value, messages: &[Value]) -> Told {
    let mut met = Met::default();
    for message in messages {
        for call in list(message, "tool_calls") {
            let function = &call["function"];
            let arguments = serde_json::from_str(text(function, "arguments")).unwrap_or_default();
            met.call(text(call, "id"), text(function, "name"), arguments);
        }
        if message["role"] == "tool" {
            let content = &message["content"];
            let said = content.as_str().map_or_else(|| content.to_string(), str::to_owned);
            met.result(text(message, "tool_call_id"), said);
        }
    }
    let since = messages.iter().rev().take_while(|message| message["role"] != "user");
    let open = since.filter(|message| message["role"] == "tool").count();
    let tools = list(body, "tools").iter().map(|tool| text(&tool["function"], "name").to_owned());
    met.told(open, tools.collect())
}

/// Puts in what the provider says of its reasoning.
fn reason(strict: &Strict, next: &Next, seed: u64, message: &mut Value, calls: &mut [Value]) {
    let thought = strict.thought(next, seed);
    let sealed = seal(strict.account, &format!("{seed:x}"));
    match strict.kind {
        Kind::Deepseek => message["reasoning_content"] = json!(thought),
        Kind::Openrouter => {
            message["reasoning"] = json!(thought);
            message["reasoning_details"] = json!([{ "type": "reasoning.text", "text": thought, "signature": sealed, "format": "anthropic-claude-v1", "index": 0 }]);
        }
        Kind::Google => {
            if let Some(first) = calls.first_mut() {
                first["extra_content"] = json!({ "google": { "thought_signature": sealed } });
            }
        }
        Kind::Anthropic | Kind::Openai | Kind::Plain => {}
    }
}

fn refuse(message: String) -> Refusal {
    (400, json!({ "error": { "type": "invalid_request_error", "message": Value::String(message) } }))
}

fn check(strict: &Strict, body: &Value, messages: &[Value]) -> Result<(), Refusal> {
    let open = messages.iter().rposition(|message| message["role"] == "user").unwrap_or_default();
    for (at, message) in messages.iter().enumerate() {
        let calls = list(message, "tool_calls");
        for call in calls {
            let id = text(call, "id");
            let later = messages.get(at + 1..).unwrap_or_default();
            let results = later.iter().take_while(|next| next["role"] == "tool");
            if id.is_empty() || !results.clone().any(|result| result["tool_call_id"] == id) {
                return Err(refuse(format!(
                    "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: {id}"
                )));
            }
        }
        is_asked(messages, at, message).map_err(refuse)?;
        check_reasoning(strict, body, at, message).map_err(refuse)?;
        let signature = calls.first().map(|call| text(&call["extra_content"]["google"], "thought_signature"));
        let unsigned = signature.is_some_and(|signature| {
            !is_signature(strict, signature) && (at > open || !signature.is_empty())
        });
        if strict.kind == Kind::Google && unsigned {
            return Err(refuse("Function call is missing a thought_signature in functionCall parts.".into()));
        }
    }
    Ok(())
}

/// A result answers a call of the message that the results stand behind.
fn is_asked(messages: &[Value], at: usize, message: &Value) -> Result<(), String> {
    if message["role"] != "tool" {
        return Ok(());
    }
    let before = messages.get(..at).unwrap_or_default();
    let asking = before.iter().rfind(|message| message["role"] != "tool");
    let calls = asking.map(|asking| list(asking, "tool_calls")).unwrap_or_default();
    if calls.iter().any(|call| call["id"] == message["tool_call_id"]) {
        return Ok(());
    }
    Err("Messages with role 'tool' must be a response to a preceding message with 'tool_calls'".into())
}

fn check_reasoning(strict: &Strict, body: &Value, at: usize, message: &Value) -> Result<(), String> {
    let unthinking = body["thinking"]["type"] == "disabled";
    match strict.kind {
        Kind::Deepseek => {
            let missing =
                !list(message, "tool_calls").is_empty() && text(message, "reasoning_content").is_empty();
            if missing && !unthinking {
                return Err(
                    "The `reasoning_content` in the thinking mode must be passed back to the API.".into()
                );
            }
        }
        Kind::Openrouter => {
            for detail in list(message, "reasoning_details") {
                let sealed = text(detail, "signature");
                if unseal(strict.account, sealed).is_none() {
                    return Err(format!("messages.{at}: Invalid `signature` in `thinking` block"));
                }
            }
        }
        Kind::Plain => {
            let members = ["reasoning_content", "reasoning", "reasoning_details"];
            let unknown = members.iter().find(|member| message.get(**member).is_some());
            if let Some(member) = unknown {
                return Err(format!("messages.{at}: property '{member}' is unsupported"));
            }
            if list(message, "tool_calls").iter().any(|call| call.get("extra_content").is_some()) {
                return Err(format!("messages.{at}: property 'extra_content' is unsupported"));
            }
        }
        Kind::Anthropic | Kind::Openai | Kind::Google => {}
    }
    Ok(())
}
