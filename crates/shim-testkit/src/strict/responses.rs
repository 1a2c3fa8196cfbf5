//! OpenAI Responses.
//!
//! Sources, read 2026-11-26: <https://platform.openai.com/docs/guides/reasoning>,
//! <https://platform.openai.com/docs/guides/conversation-state>, <https://github.com/openai/codex/issues/8145>.

use serde_json::{Value, json};

use super::script::Met;
use super::{Refusal, Script, Strict, Told, hash, list, seal, spelt, text, unseal};

pub(super) fn answer(strict: &Strict, script: &dyn Script, body: &Value) -> Result<Value, Refusal> {
    let input = list(body, "input");
    check(strict, body, input)?;
    let next = script.next(&told(body, input)).map_err(|why| refuse(400, "invalid", why))?;
    let seed = format!("{:016x}", hash(&spelt(body).to_string()));
    let summary = strict.thought(&next, hash(&seed));
    let reasoning = |seed: &str, summary: &str| {
        let mut reasoning = json!({
            "type": "reasoning", "id": format!("rs_{}_{seed}", strict.account),
            "summary": [{ "type": "summary_text", "text": summary }],
        });
        if list(body, "include").iter().any(|wanted| wanted == "reasoning.encrypted_content") {
            reasoning["encrypted_content"] = json!(seal(strict.account, seed));
        }
        reasoning
    };
    let mut output = Vec::new();
    if next.searches {
        output.push(reasoning(&format!("{SEARCH}{seed}"), "Let me search."));
        output.push(json!({
            "type": "web_search_call", "id": format!("ws_{}_{SEARCH}{seed}", strict.account), "status": "completed",
            "action": { "type": "search", "query": "both" },
        }));
    }
    output.push(reasoning(&seed, &summary));
    output.push(json!({
        "type": "message", "id": format!("msg_{}_{seed}", strict.account), "role": "assistant", "status": "completed",
        "content": [{ "type": "output_text", "text": next.says, "annotations": [] }],
    }));
    for (number, call) in next.calls.iter().enumerate() {
        output.push(json!({
            "type": "function_call", "id": format!("fc_{}_{seed}_{number}", strict.account),
            "call_id": format!("call_{seed}{number}"), "name": call.name, "arguments": call.arguments.to_string(),
            "status": "completed",
        }));
    }
    Ok(json!({
        "id": format!("resp_{seed}"), "object": "response", "created_at": 1, "status": "completed", "model": "fake",
        "output": output, "usage": { "input_tokens": 10, "output_tokens": 5, "total_tokens": 15 },
    }))
}

/// What the items say was done.
fn told(body: &Value, input: &[Value]) -> Told {
    let mut met = Met::default();
    for item in input {
        let id = text(item, "call_id");
        match text(item, "type") {
            "function_call" => {
                let arguments = serde_json::from_str(text(item, "arguments")).unwrap_or_default();
                met.call(id, text(item, "name"), arguments);
            }
            "function_call_output" => {
                let output = &item["output"];
                met.result(id, output.as_str().map_or_else(|| output.to_string(), str::to_owned));
            }
            _ => {}
        }
    }
    let since = input.iter().rev().take_while(|item| item["role"] != "user");
    let open = since.filter(|item| item["type"] == "function_call_output").count();
    met.told(open, list(body, "tools").iter().map(|tool| text(tool, "name").to_owned()).collect())
}

/// What the seed of the reasoning before a search begins with.
const SEARCH: &str = "search-";

fn refuse(status: u16, code: &str, message: String) -> Refusal {
    (
        status,
        json!({ "error": { "type": "invalid_request_error", "code": code, "message": Value::String(message) } }),
    )
}

fn check(strict: &Strict, body: &Value, input: &[Value]) -> Result<(), Refusal> {
    for (at, item) in input.iter().enumerate() {
        match text(item, "type") {
            "reasoning" => {
                check_reasoning(strict, body, item)?;
                check_followed(strict, item, input.get(at + 1))?;
            }
            "web_search_call" => {
                check_searched(strict, item, at.checked_sub(1).and_then(|at| input.get(at)))?
            }
            "function_call" => check_call(strict, input, at, item)?,
            "function_call_output" => check_output(input, at, item)?,
            _ => {}
        }
        for member in ["reasoning_content", "signature", "thoughtSignature", "extra_content"] {
            if item.get(member).is_some() {
                let message = format!("Unknown parameter: 'input[{at}].{member}'.");
                return Err(refuse(400, "unknown_parameter", message));
            }
        }
    }
    Ok(())
}

fn check_reasoning(strict: &Strict, body: &Value, item: &Value) -> Result<(), Refusal> {
    let id = text(item, "id");
    match item.get("encrypted_content").and_then(Value::as_str) {
        Some(sealed) if unseal(strict.account, sealed).is_some() => Ok(()),
        Some(sealed) => {
            let message = format!("The encrypted content {sealed} could not be verified.");
            Err(refuse(400, "invalid_encrypted_content", message))
        }
        None if body["store"] != false && id.starts_with(&format!("rs_{}_", strict.account)) => Ok(()),
        None => {
            Err(refuse(404, "not_found", format!("Item with id '{id}' not found. Items are not persisted.")))
        }
    }
}

/// An output is that of a call before it.
fn check_output(input: &[Value], at: usize, item: &Value) -> Result<(), Refusal> {
    let call = text(item, "call_id");
    let before = input.get(..at).unwrap_or_default();
    if before.iter().any(|item| item["type"] == "function_call" && item["call_id"] == call) {
        return Ok(());
    }
    let message = format!("No tool call found for function call output with call_id {call}.");
    Err(refuse(400, "invalid", message))
}

/// Reasoning before a search has the search behind it.
/// Source: <https://github.com/vercel/ai/issues/7099>, read 2026-11-26.
fn check_followed(strict: &Strict, item: &Value, next: Option<&Value>) -> Result<(), Refusal> {
    let id = text(item, "id");
    let sealed = item.get("encrypted_content").and_then(Value::as_str);
    let seed = sealed.and_then(|sealed| unseal(strict.account, sealed)).unwrap_or_default();
    let wanted = format!("ws_{}_{seed}", strict.account);
    if !seed.starts_with(SEARCH) || next.is_some_and(|next| next["id"] == *wanted) {
        return Ok(());
    }
    let message =
        format!("Item '{id}' of type 'reasoning' was provided without its required following item.");
    Err(refuse(400, "invalid", message))
}

/// A search has the reasoning before it that led to it.
fn check_searched(strict: &Strict, item: &Value, before: Option<&Value>) -> Result<(), Refusal> {
    let id = text(item, "id");
    let Some(seed) = id.strip_prefix(&format!("ws_{}_", strict.account)) else { return Ok(()) };
    let wanted = format!("rs_{}_{seed}", strict.account);
    if before.is_some_and(|before| before["encrypted_content"] == *seal(strict.account, seed)) {
        return Ok(());
    }
    let message = format!(
        "Item '{id}' of type 'web_search_call' was provided without its required 'reasoning' item: '{wanted}'."
    );
    Err(refuse(400, "invalid", message))
}

/// A call has its output; and one that is kept by its id has its reasoning before it.
fn check_call(strict: &Strict, input: &[Value], at: usize, item: &Value) -> Result<(), Refusal> {
    let call = text(item, "call_id");
    let later = input.get(at..).unwrap_or_default();
    let answered = later.iter().any(|item| item["type"] == "function_call_output" && item["call_id"] == call);
    if !answered {
        return Err(refuse(400, "invalid", format!("No tool output found for function call {call}.")));
    }
    let own =
        text(item, "id").strip_prefix(&format!("fc_{}_", strict.account)).and_then(|id| id.split_once('_'));
    let Some((seed, _)) = own else { return Ok(()) };
    let (id, sealed) = (format!("rs_{}_{seed}", strict.account), seal(strict.account, seed));
    let before = input.get(..at).unwrap_or_default();
    if before.iter().any(|item| item["encrypted_content"] == *sealed || item["id"] == *id) {
        return Ok(());
    }
    let call = text(item, "id");
    let message = format!(
        "Item '{call}' of type 'function_call' was provided without its required 'reasoning' item: '{id}'."
    );
    Err(refuse(400, "invalid", message))
}
