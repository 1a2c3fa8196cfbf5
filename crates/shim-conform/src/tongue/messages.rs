//! Anthropic Messages.
//! The members are those of the official SDK (anthropic 2.12.0), and those for sampling, which it dropped because the newest
//! models refuse them; the page of the reference was not read again: <https://platform.claude.com/docs/en/api/messages>.

use serde_json::Value;

use super::grammar;
use super::json::{call_of, each, must, only, own_state, text, told};
use super::{Asked, Gist, Said, Tongue};

pub(super) struct Messages;

const MEMBERS: [&str; 24] = [
    "model",
    "messages",
    "max_tokens",
    "container",
    "context_management",
    "inference_geo",
    "mcp_servers",
    "metadata",
    "output_config",
    "service_tier",
    "stop_sequences",
    "stream",
    "system",
    "temperature",
    "thinking",
    "tool_choice",
    "tools",
    "top_p",
    "cache_control",
    "diagnostics",
    "speed",
    "user_profile_id",
    "workspace_id",
    "top_k",
];

/// The signature of all thinking in these scripts.
const SIGNATURE: &str = "YW50aHJvcGljLXNpZ25hdHVyZQ==";

impl Tongue for Messages {
    fn asked(&self, mut body: Value, model: &str, stream: bool, key: &str) -> Asked {
        body["model"] = model.into();
        if stream {
            body["stream"] = true.into();
        }
        Asked { path: "/v1/messages".to_owned(), credential: ("x-api-key", key.to_owned()), body }
    }

    fn path(&self, _: &str, _: bool) -> String {
        "/v1/messages".to_owned()
    }

    fn must_header(&self) -> Option<&'static str> {
        Some("anthropic-version")
    }

    fn read(&self, body: &Value, faults: &mut Vec<String>) -> Gist {
        only(body, "the request", &MEMBERS, faults);
        must(body, "model", "the request", faults);
        if body["max_tokens"].as_u64().is_none_or(|most| most == 0) {
            faults.push(format!("max_tokens must be a number and is {}", body["max_tokens"]));
        }
        let budget = body["thinking"]["budget_tokens"].as_u64();
        if budget.is_some_and(|budget| budget < 1024 || Some(budget) >= body["max_tokens"].as_u64()) {
            faults.push("thinking.budget_tokens must be at least 1024 and less than max_tokens".to_owned());
        }
        let mut gist = Gist {
            system: plain(&body["system"]),
            output_max: body["max_tokens"].as_u64(),
            temperature: body["temperature"].as_f64(),
            top_p: body["top_p"].as_f64(),
            stop: each(&body["stop_sequences"]).map(text).collect(),
            schema: body["output_config"]["format"].get("schema").cloned(),
            reasons: matches!(body["thinking"]["type"].as_str(), Some("enabled" | "adaptive"))
                || body["output_config"]["effort"].is_string(),
            stream: body["stream"] == true,
            ..Gist::default()
        };
        for tool in each(&body["tools"]) {
            let members = ["type", "name", "description", "input_schema", "strict", "cache_control"];
            only(tool, "a tool", &members, faults);
            let name = must(tool, "name", "a tool", faults);
            gist.tools.push((name, text(&tool["description"]), tool["input_schema"].clone()));
        }
        conversation(&body["messages"], &mut gist, faults);
        if body["thinking"]["type"] == "enabled" {
            resumed(&body["messages"], faults);
        }
        let choice = &body["tool_choice"];
        let told = choice["type"].as_str().map(|word| match word {
            "any" => "required",
            "tool" => choice["name"].as_str().unwrap_or_default(),
            other => other,
        });
        gist.chosen(told)
    }

    fn stream_faults(&self, frames: &[(Option<String>, String)]) -> Vec<String> {
        grammar::messages(frames)
    }

    fn error(&self, body: &Value) -> Option<(String, String)> {
        let error = body.get("error").filter(|_| body["type"] == "error")?;
        Some((error["type"].as_str()?.to_owned(), error["message"].as_str()?.to_owned()))
    }

    /// Source: <https://platform.claude.com/docs/en/api/errors>, read 2026-11-25 in a stored copy.
    fn error_words(&self, status: u16) -> &'static [&'static str] {
        match status {
            400 => &["invalid_request_error"],
            401 => &["authentication_error"],
            429 => &["rate_limit_error"],
            503 | 529 => &["overloaded_error"],
            _ => &["api_error"],
        }
    }
}

fn conversation(messages: &Value, gist: &mut Gist, faults: &mut Vec<String>) {
    let mut calls = Vec::new();
    // Calls of the message before, which the next message must answer, first of all.
    let mut open: Vec<String> = Vec::new();
    for message in each(messages) {
        only(message, "a message", &["role", "content"], faults);
        let answered: Vec<_> = each(&message["content"])
            .take_while(|block| block["type"] == "tool_result")
            .map(|block| text(&block["tool_use_id"]))
            .collect();
        if let Some(left) = open.iter().find(|id| !answered.contains(id)) {
            faults.push(format!("the call {left:?} is not answered by the next message"));
        }
        open.clear();
        if let Some(said) = message["content"].as_str() {
            gist.turns.extend(spoken(message, said.to_owned(), faults));
        }
        for block in each(&message["content"]) {
            let before = calls.len();
            gist.turns.extend(block_of(message, block, &mut calls, faults));
            open.extend(calls.iter().skip(before).cloned());
        }
    }
}

/// A turn of tools that is gone on with while the model thinks must begin with what it thought.
/// Not checked against <https://platform.claude.com/docs/en/build-with-claude/extended-thinking>, which was not at hand; the
/// provider's refusal is "expected thinking or redacted_thinking".
fn resumed(messages: &Value, faults: &mut Vec<String>) {
    let Some([.., turn, result]) = messages.as_array().map(Vec::as_slice) else { return };
    let first = turn["content"][0]["type"].as_str().unwrap_or_default();
    let goes_on = result["content"][0]["type"] == "tool_result";
    if goes_on && !["thinking", "redacted_thinking"].contains(&first) {
        faults.push(format!("a turn of tools must begin with thinking and begins with {first:?}"));
    }
}

fn spoken(message: &Value, said: String, faults: &mut Vec<String>) -> Option<Said> {
    match message["role"].as_str().unwrap_or_default() {
        "user" => Some(Said::User(said)),
        "assistant" => Some(Said::Model(said)),
        other => {
            faults.push(format!("there is no role {other:?}"));
            None
        }
    }
}

fn block_of(
    message: &Value,
    block: &Value,
    calls: &mut Vec<String>,
    faults: &mut Vec<String>,
) -> Option<Said> {
    match block["type"].as_str().unwrap_or_default() {
        "text" => spoken(message, must(block, "text", "a block", faults), faults),
        "image" | "document" => {
            let source = &block["source"];
            let kind = must(source, "media_type", "a source", faults);
            Some(Said::Media(kind, must(source, "data", "a source", faults)))
        }
        "thinking" => {
            must(block, "signature", "thinking", faults);
            own_state(block, "signature", SIGNATURE, faults);
            Some(Said::Reasoning(must(block, "thinking", "a block", faults)))
        }
        "tool_use" => {
            calls.push(must(block, "id", "a tool_use", faults));
            if !block["input"].is_object() {
                faults.push(format!("the input of a tool_use must be an object and is {}", block["input"]));
            }
            Some(Said::Call(must(block, "name", "a tool_use", faults), block["input"].clone()))
        }
        "tool_result" => {
            let call = call_of(calls, &text(&block["tool_use_id"]), "a tool_result", faults);
            Some(Said::Result(call, told(&plain(&block["content"]))))
        }
        other => {
            faults.push(format!("there is no block {other:?}"));
            None
        }
    }
}

/// A text, or text blocks joined.
fn plain(content: &Value) -> String {
    match content.as_str() {
        Some(text) => text.to_owned(),
        None => each(content).map(|block| text(&block["text"])).collect(),
    }
}
