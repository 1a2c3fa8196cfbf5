//! Anthropic Messages, and what DeepSeek makes of it.
//!
//! Sources, read 2026-11-26: <https://platform.claude.com/docs/en/build-with-claude/extended-thinking>,
//! <https://platform.claude.com/docs/en/build-with-claude/preserved-thinking/prefix-checks>,
//! <https://platform.claude.com/docs/en/agents-and-tools/tool-use/handle-tool-calls>,
//! <https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-search-tool>,
//! <https://github.com/NousResearch/hermes-agent/pull/17510> (DeepSeek).

use serde_json::{Value, json};

use super::script::Met;
use super::{Kind, Next, Refusal, Script, Strict, Told, hash, list, seal, spelt, text, unseal};

pub(super) fn answer(strict: &Strict, script: &dyn Script, body: &Value) -> Result<Value, Refusal> {
    let messages = list(body, "messages");
    check(strict, body, messages)?;
    let next = script.next(&told(body, messages)).map_err(refuse)?;
    let seed = hash(&spelt(body).to_string());
    let mut content = think(strict, body, messages, &next, seed);
    if next.searches && strict.kind == Kind::Anthropic {
        content.extend(searched(strict, seed));
        if thinks(body) {
            let thought = strict.thought(&next, seed ^ 1);
            let signed = signature(strict, &thought, prefix(body, messages, &content));
            content.push(json!({ "type": "thinking", "thinking": thought, "signature": signed }));
        }
    }
    content.push(json!({ "type": "text", "text": next.says }));
    for (number, call) in next.calls.iter().enumerate() {
        let id = format!("toolu_{seed:016x}{number}");
        content.push(json!({ "type": "tool_use", "id": id, "name": call.name, "input": call.arguments }));
    }
    let stop = if next.calls.is_empty() { "end_turn" } else { "tool_use" };
    Ok(json!({
        "id": format!("msg_{seed:016x}"), "type": "message", "role": "assistant", "model": "fake", "content": content,
        "stop_reason": stop, "stop_sequence": null, "usage": { "input_tokens": 10, "output_tokens": 5 },
    }))
}

/// What it thinks, signed; before a single call some of it cannot be read.
fn think(strict: &Strict, body: &Value, messages: &[Value], next: &Next, seed: u64) -> Vec<Value> {
    let mut content = Vec::new();
    if !thinks(body) {
        return content;
    }
    let thought = strict.thought(next, seed);
    let signed = signature(strict, &thought, prefix(body, messages, &content));
    content.push(json!({ "type": "thinking", "thinking": thought, "signature": signed }));
    if next.calls.len() == 1 {
        let bound = prefix(body, messages, &content);
        content.push(
            json!({ "type": "redacted_thinking", "data": seal(strict.account, &format!("{bound:x}")) }),
        );
    }
    content
}

/// What the messages say was done.
fn told(body: &Value, messages: &[Value]) -> Told {
    let mut met = Met::default();
    for block in messages.iter().flat_map(blocks_of) {
        match text(&block, "type") {
            "tool_use" => met.call(text(&block, "id"), text(&block, "name"), block["input"].clone()),
            "tool_result" => met.result(text(&block, "tool_use_id"), said(&block["content"])),
            _ => {}
        }
    }
    let open = messages.iter().rev().map_while(results_since).sum();
    met.told(open, list(body, "tools").iter().map(|tool| text(tool, "name").to_owned()).collect())
}

/// Whether it is to think.
fn thinks(body: &Value) -> bool {
    text(body.get("thinking").unwrap_or(&Value::Null), "type") != "disabled"
}

/// A search that the provider runs itself, and what it gives.
fn searched(strict: &Strict, seed: u64) -> [Value; 2] {
    let id = format!("srvtoolu_{seed:016x}");
    let found = json!({
        "type": "web_search_result", "url": "https://a.test", "title": "A", "page_age": null,
        "encrypted_content": seal(strict.account, &format!("search-{seed:x}")),
    });
    [
        json!({ "type": "server_tool_use", "id": id, "name": "web_search", "input": { "query": "both" } }),
        json!({ "type": "web_search_tool_result", "tool_use_id": id, "content": [found] }),
    ]
}

/// How many results a message holds, as long as it belongs to the turn that goes on.
fn results_since(message: &Value) -> Option<usize> {
    if message["role"] == "assistant" {
        return Some(0);
    }
    let results = list(message, "content").iter().filter(|block| block["type"] == "tool_result").count();
    (results > 0).then_some(results)
}

/// What a thinking block is bound to: everything before it.
fn prefix(body: &Value, before: &[Value], blocks: &[Value]) -> u64 {
    let before: Vec<_> = before.iter().map(|m| json!([m["role"], blocks_of(m)])).collect();
    hash(&spelt(&json!([body.get("system"), body.get("tools"), before, blocks])).to_string())
}

fn blocks_of(message: &Value) -> Vec<Value> {
    match message.get("content") {
        Some(Value::String(said)) => vec![json!({ "type": "text", "text": said })],
        _ => list(message, "content").to_vec(),
    }
}

fn signature(strict: &Strict, thought: &str, bound: u64) -> String {
    seal(strict.account, &format!("{:x}-{bound:x}", hash(thought)))
}

/// The text of a result, whole or in blocks.
fn said(content: &Value) -> String {
    let blocks = content.as_array().map(Vec::as_slice).unwrap_or_default();
    content.as_str().map_or_else(|| blocks.iter().map(|block| text(block, "text")).collect(), str::to_owned)
}

fn refuse(message: String) -> Refusal {
    (
        400,
        json!({ "type": "error", "error": { "type": "invalid_request_error", "message": Value::String(message) } }),
    )
}

fn check(strict: &Strict, body: &Value, messages: &[Value]) -> Result<(), Refusal> {
    if messages.first().is_none_or(|first| first["role"] != "user") {
        return Err(refuse("messages: first message must use the \"user\" role".into()));
    }
    for (at, message) in messages.iter().enumerate() {
        let blocks = blocks_of(message);
        for (inside, block) in blocks.iter().enumerate() {
            let path = format!("messages.{at}.content.{inside}");
            let bound = prefix(
                body,
                messages.get(..at).unwrap_or_default(),
                blocks.get(..inside).unwrap_or_default(),
            );
            check_block(strict, block, &path, bound).map_err(refuse)?;
        }
        calls_asked(at, &blocks, messages.get(..at).and_then(<[Value]>::last)).map_err(refuse)?;
        if message["role"] == "assistant" {
            calls_answered(at, &blocks, messages.get(at + 1)).map_err(refuse)?;
            searches_answered(strict, at, &blocks).map_err(refuse)?;
            wanted(strict, at, &blocks).map_err(refuse)?;
        }
    }
    begins_thinking(body, messages).map_err(refuse)
}

fn check_block(strict: &Strict, block: &Value, path: &str, bound: u64) -> Result<(), String> {
    let unknown = ["reasoning_content", "thoughtSignature", "encrypted_content"];
    if let Some(member) = unknown.iter().find(|member| block.get(**member).is_some()) {
        return Err(format!("{path}.{member}: Extra inputs are not permitted"));
    }
    let signed = strict.kind != Kind::Deepseek;
    match text(block, "type") {
        "text" if text(block, "text").trim().is_empty() => {
            Err(format!("{path}: text content blocks must contain non-whitespace text"))
        }
        "thinking" if signed => {
            let own = signature(strict, text(block, "thinking"), bound);
            let given = text(block, "signature");
            if given == own {
                return Ok(());
            }
            let other = unseal(strict.account, given).is_some();
            let why = if other { " The block is bound to a different conversation." } else { "" };
            Err(format!("{path}: Invalid `signature` in `thinking` block.{why}"))
        }
        "redacted_thinking" if signed => {
            let own = seal(strict.account, &format!("{bound:x}"));
            let fits = text(block, "data") == own;
            if fits { Ok(()) } else { Err(format!("{path}: Invalid `data` in `redacted_thinking` block")) }
        }
        _ => Ok(()),
    }
}

/// Each call has its result in the next message.
fn calls_answered(at: usize, blocks: &[Value], next: Option<&Value>) -> Result<(), String> {
    let results: Vec<_> = next.map(blocks_of).unwrap_or_default();
    for call in blocks.iter().filter(|block| block["type"] == "tool_use") {
        let id = text(call, "id");
        if id.is_empty() || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
            return Err(format!(
                "messages.{at}: tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'"
            ));
        }
        if !results.iter().any(|result| result["type"] == "tool_result" && result["tool_use_id"] == id) {
            return Err(format!(
                "messages.{at}: `tool_use` ids were found without `tool_result` blocks: {id}"
            ));
        }
    }
    Ok(())
}

/// Each result answers a call of the message before.
fn calls_asked(at: usize, blocks: &[Value], before: Option<&Value>) -> Result<(), String> {
    let calls: Vec<_> = before.map(blocks_of).unwrap_or_default();
    for result in blocks.iter().filter(|block| block["type"] == "tool_result") {
        let id = text(result, "tool_use_id");
        if !calls.iter().any(|call| call["type"] == "tool_use" && call["id"] == id) {
            return Err(format!(
                "messages.{at}: unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each `tool_result` \
                 block must have a corresponding `tool_use` block in the previous message."
            ));
        }
    }
    Ok(())
}

/// Each search that the provider ran has its result behind it, which this account can read.
fn searches_answered(strict: &Strict, at: usize, blocks: &[Value]) -> Result<(), String> {
    let results = || blocks.iter().filter(|block| block["type"] == "web_search_tool_result");
    for call in blocks.iter().filter(|block| block["type"] == "server_tool_use") {
        if !results().any(|result| result["tool_use_id"] == call["id"]) {
            let (name, id) = (text(call, "name"), text(call, "id"));
            return Err(format!(
                "messages.{at}: `{name}` tool use with id `{id}` was found without a corresponding `{name}_tool_result` block"
            ));
        }
    }
    let found = results().flat_map(|result| list(result, "content"));
    let unread = found.filter(|found| unseal(strict.account, text(found, "encrypted_content")).is_none());
    match unread.count() {
        0 => Ok(()),
        _ => Err(format!("messages.{at}: Invalid `encrypted_content` in `search_result` block")),
    }
}

/// DeepSeek wants the thinking of a message with calls.
fn wanted(strict: &Strict, at: usize, blocks: &[Value]) -> Result<(), String> {
    let has = |kind: &str| blocks.iter().any(|block| block["type"] == kind && block["thinking"] != "");
    if strict.kind == Kind::Deepseek && has("tool_use") && !has("thinking") {
        return Err(format!(
            "messages.{at}: the content[].thinking in the thinking mode must be passed back to the API"
        ));
    }
    Ok(())
}

/// With a budget to think, a turn with tools that goes on begins with thinking.
fn begins_thinking(body: &Value, messages: &[Value]) -> Result<(), String> {
    let manual = text(body.get("thinking").unwrap_or(&Value::Null), "type") == "enabled";
    let goes_on = messages.last().is_some_and(|last| results_since(last).is_some_and(|results| results > 0));
    if !manual || !goes_on {
        return Ok(());
    }
    let turn = messages.iter().rev().take_while(|message| results_since(message).is_some());
    let first =
        turn.filter(|message| message["role"] == "assistant").last().map(blocks_of).unwrap_or_default();
    let kind = first.first().map(|block| text(block, "type").to_owned()).unwrap_or_default();
    if kind == "thinking" || kind == "redacted_thinking" {
        return Ok(());
    }
    Err(format!(
        "Expected `thinking` or `redacted_thinking`, but found `{kind}`. When `thinking` is enabled, a final \
         `assistant` message must start with a thinking block"
    ))
}
