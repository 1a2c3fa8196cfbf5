//! Gemini generateContent, as Gemini 3 has it.
//!
//! Source: <https://ai.google.dev/gemini-api/docs/thought-signatures>, read 2026-11-26.

use serde_json::{Value, json};

use super::script::Met;
use super::{Refusal, Script, Strict, Told, hash, list, seal, spelt, text, unseal};

/// What signs a call of another model.
pub(super) const DUMMIES: [&str; 2] =
    ["skip_thought_signature_validator", "context_engineering_is_the_way_to_go"];

pub(super) fn answer(strict: &Strict, script: &dyn Script, body: &Value) -> Result<Value, Refusal> {
    let contents = list(body, "contents");
    check(strict, contents)?;
    let next = script.next(&told(body, contents)).map_err(refuse)?;
    let seed = hash(&spelt(body).to_string());
    let mut parts = vec![json!({ "text": strict.thought(&next, seed), "thought": true })];
    let signature = seal(strict.account, &format!("{seed:x}"));
    if next.searches {
        let signature = seal(strict.account, &format!("code-{seed:x}"));
        let code = json!({ "language": "PYTHON", "code": "print(1 + 1)" });
        parts.push(json!({ "executableCode": code, "thoughtSignature": signature }));
        parts.push(json!({ "codeExecutionResult": { "outcome": "OUTCOME_OK", "output": "2\n" } }));
    }
    parts.push(json!({ "text": next.says }));
    for call in &next.calls {
        parts.push(json!({ "functionCall": { "name": call.name, "args": call.arguments } }));
    }
    // Of calls at once the first is signed, of an answer without any its last part.
    let signed = if next.calls.is_empty() { parts.last_mut() } else { parts.get_mut(2) };
    if let Some(part) = signed {
        part["thoughtSignature"] = json!(signature);
    }
    Ok(json!({
        "candidates": [{ "index": 0, "content": { "role": "model", "parts": parts }, "finishReason": "STOP" }],
        "usageMetadata": { "promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15 },
        "modelVersion": "fake", "responseId": format!("{seed:x}"),
    }))
}

/// What the contents say was done. A response without an id answers the first call of its name that has none yet.
fn told(body: &Value, contents: &[Value]) -> Told {
    let mut met = Met::default();
    for (at, content) in contents.iter().enumerate() {
        let next = contents.get(at + 1).map(|next| list(next, "parts")).unwrap_or_default();
        let mut answers: Vec<_> = next.iter().filter_map(|part| part.get("functionResponse")).collect();
        let calls = list(content, "parts").iter().filter_map(|part| part.get("functionCall"));
        for (inside, call) in calls.enumerate() {
            let id = format!("{at}.{inside}");
            met.call(&id, text(call, "name"), call["args"].clone());
            let own = |answer: &&Value| answer["name"] == call["name"] && answer["id"] == call["id"];
            if let Some(found) = answers.iter().position(own) {
                met.result(&id, answers.remove(found)["response"].to_string());
            }
        }
    }
    let open = contents.get(open_from(contents)..).unwrap_or_default();
    let parts = open.iter().flat_map(|content| list(content, "parts"));
    let open = parts.filter(|part| part.get("functionResponse").is_some()).count();
    let declared = list(body, "tools").iter().flat_map(|tool| list(tool, "functionDeclarations"));
    met.told(open, declared.map(|tool| text(tool, "name").to_owned()).collect())
}

/// Where the turn that goes on begins: behind the last content of the user that is no result.
fn open_from(contents: &[Value]) -> usize {
    let asks = |content: &Value| {
        content["role"] == "user"
            && list(content, "parts").iter().any(|part| part.get("functionResponse").is_none())
    };
    contents.iter().rposition(asks).map_or(0, |at| at + 1)
}

fn refuse(message: String) -> Refusal {
    (
        400,
        json!({ "error": { "code": 400, "message": Value::String(message), "status": "INVALID_ARGUMENT" } }),
    )
}

pub(super) fn is_signature(strict: &Strict, signature: &str) -> bool {
    DUMMIES.contains(&signature) || unseal(strict.account, signature).is_some()
}

fn check(strict: &Strict, contents: &[Value]) -> Result<(), Refusal> {
    let open = open_from(contents);
    for (at, content) in contents.iter().enumerate() {
        let parts = list(content, "parts");
        if parts.is_empty() {
            return Err(refuse(format!("contents[{at}].parts must not be empty")));
        }
        for part in parts {
            let signature =
                part.get("thoughtSignature").or(part.get("thought_signature")).and_then(Value::as_str);
            if signature.is_some_and(|signature| !is_signature(strict, signature)) {
                return Err(refuse("Corrupted thought signature.".into()));
            }
        }
        let calls: Vec<_> = parts.iter().filter(|part| part.get("functionCall").is_some()).collect();
        if let Some(first) = calls.first() {
            let answers = contents.get(at + 1).map(|next| list(next, "parts")).unwrap_or_default();
            let answers = answers.iter().filter(|part| part.get("functionResponse").is_some()).count();
            if answers != calls.len() {
                return Err(refuse("Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.".into()));
            }
            if at >= open && first.get("thoughtSignature").is_none() {
                let name = text(&first["functionCall"], "name");
                return Err(refuse(format!(
                    "Function call is missing a thought_signature in functionCall parts. Function call `{name}`"
                )));
            }
        }
    }
    Ok(())
}
