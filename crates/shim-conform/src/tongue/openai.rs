//! OpenAI's two dialects.
//! The members are those of the official SDK (openai 3.54.0); the pages of the reference were not read again:
//! <https://platform.openai.com/docs/api-reference/chat/create>,
//! <https://platform.openai.com/docs/api-reference/responses/create>.

use serde_json::{Value, json};

use super::grammar;
use super::json::{arguments, call_of, data_url, each, must, only, own_state, text, told};
use super::{Asked, Gist, Said, Tongue};

/// Chat Completions.
pub(super) struct Chat;

/// Responses.
pub(super) struct Responses;

const CHAT_MEMBERS: [&str; 41] = [
    "messages",
    "model",
    "audio",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "metadata",
    "modalities",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_retention",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "user",
    "verbosity",
    "web_search_options",
    "function_call",
    "functions",
    "moderation",
    "prompt_cache_options",
    // Other providers' words, which the catalogue has for them.
    "thinking",
    "reasoning",
    "enable_thinking",
    "thinking_budget",
];

const RESPONSES_MEMBERS: [&str; 34] = [
    "background",
    "conversation",
    "include",
    "input",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "model",
    "parallel_tool_calls",
    "previous_response_id",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
    "access_programs",
    "background_options",
    "context_management",
    "image",
    "moderation",
    "prompt_cache_options",
];

/// The sealed form of all reasoning in these scripts.
const SEALED: &str = "b3BlbmFpLXNlYWxlZA==";

impl Tongue for Chat {
    fn asked(&self, mut body: Value, model: &str, stream: bool, key: &str) -> Asked {
        body["model"] = model.into();
        if stream {
            body["stream"] = true.into();
            body["stream_options"] = json!({ "include_usage": true });
        }
        let credential = ("authorization", format!("Bearer {key}"));
        Asked { path: "/v1/chat/completions".to_owned(), credential, body }
    }

    fn path(&self, _: &str, _: bool) -> String {
        "/chat/completions".to_owned()
    }

    fn read(&self, body: &Value, faults: &mut Vec<String>) -> Gist {
        only(body, "the request", &CHAT_MEMBERS, faults);
        must(body, "model", "the request", faults);
        let bound = |key: &str| body[key].as_u64();
        let mut gist = Gist {
            output_max: bound("max_completion_tokens").or(bound("max_tokens")),
            temperature: body["temperature"].as_f64(),
            top_p: body["top_p"].as_f64(),
            stop: match &body["stop"] {
                Value::String(word) => vec![word.clone()],
                words => each(words).map(text).collect(),
            },
            schema: body["response_format"]["json_schema"].get("schema").cloned(),
            reasons: ["reasoning_effort", "thinking", "reasoning", "enable_thinking"]
                .iter()
                .any(|key| !body[key].is_null()),
            stream: body["stream"] == true,
            ..Gist::default()
        };
        for tool in each(&body["tools"]) {
            only(tool, "a tool", &["type", "function"], faults);
            gist.tools.push(function(&tool["function"], faults));
        }
        if let Some(forced) = self.forced(body) {
            // A call that is forced stands for an answer that fits a schema.
            let place = gist.tools.iter().position(|(name, ..)| *name == forced);
            gist.schema = place.map(|place| gist.tools.remove(place).2);
        }
        let mut calls = Vec::new();
        for message in each(&body["messages"]) {
            chat_message(message, &mut gist, &mut calls, faults);
        }
        let forced = self.forced(body);
        gist.chosen(body["tool_choice"].as_str().or(forced.as_deref()))
    }

    fn forced(&self, body: &Value) -> Option<String> {
        body["tool_choice"]["function"]["name"].as_str().map(str::to_owned)
    }

    fn stream_faults(&self, frames: &[(Option<String>, String)]) -> Vec<String> {
        grammar::chat(frames)
    }

    fn error(&self, body: &Value) -> Option<(String, String)> {
        error(&body["error"])
    }

    fn error_words(&self, status: u16) -> &'static [&'static str] {
        error_words(status)
    }
}

impl Tongue for Responses {
    fn asked(&self, mut body: Value, model: &str, stream: bool, key: &str) -> Asked {
        body["model"] = model.into();
        if stream {
            body["stream"] = true.into();
        }
        let credential = ("authorization", format!("Bearer {key}"));
        Asked { path: "/v1/responses".to_owned(), credential, body }
    }

    fn path(&self, _: &str, _: bool) -> String {
        "/responses".to_owned()
    }

    fn read(&self, body: &Value, faults: &mut Vec<String>) -> Gist {
        only(body, "the request", &RESPONSES_MEMBERS, faults);
        must(body, "model", "the request", faults);
        let mut gist = Gist {
            system: text(&body["instructions"]),
            output_max: body["max_output_tokens"].as_u64(),
            temperature: body["temperature"].as_f64(),
            top_p: body["top_p"].as_f64(),
            schema: body["text"]["format"].get("schema").cloned(),
            reasons: !body["reasoning"].is_null(),
            stream: body["stream"] == true,
            ..Gist::default()
        };
        for tool in each(&body["tools"]) {
            gist.tools.push(function(tool, faults));
        }
        if let Some(prompt) = body["input"].as_str() {
            gist.turns.push(Said::User(prompt.to_owned()));
        }
        let mut calls = Vec::new();
        for item in each(&body["input"]) {
            item_of(item, &mut gist, &mut calls, faults);
        }
        gist.chosen(body["tool_choice"].as_str().or(body["tool_choice"]["name"].as_str()))
    }

    fn stream_faults(&self, frames: &[(Option<String>, String)]) -> Vec<String> {
        grammar::responses(frames)
    }

    fn error(&self, body: &Value) -> Option<(String, String)> {
        match body["type"].as_str() {
            Some("error") if body["message"].is_string() => {
                Some((text(&body["code"]), text(&body["message"])))
            }
            Some("response.failed") => failed(&body["response"]["error"]),
            Some(_) => None,
            None if body["status"] == "failed" => failed(&body["error"]),
            None => error(&body["error"]),
        }
    }

    fn error_words(&self, status: u16) -> &'static [&'static str] {
        error_words(status)
    }
}

/// The error of an answer that failed: it has a code instead of a type.
fn failed(error: &Value) -> Option<(String, String)> {
    Some((error["code"].as_str()?.to_owned(), error["message"].as_str()?.to_owned()))
}

/// `error` of both dialects.
fn error(error: &Value) -> Option<(String, String)> {
    let whole = error.get("param").is_some() && error.get("code").is_some();
    let kind = error["type"].as_str().filter(|_| whole)?;
    Some((kind.to_owned(), error["message"].as_str()?.to_owned()))
}

/// The words of `error.type`. Not checked against <https://platform.openai.com/docs/guides/error-codes>, which was not at
/// hand; the words for 503 after <https://www.developersdigest.tech/errors/api/openai-api>, read 2026-11-25, which sums it up.
fn error_words(status: u16) -> &'static [&'static str] {
    match status {
        400 => &["invalid_request_error"],
        401 => &["invalid_request_error", "authentication_error"],
        429 => &["requests", "tokens", "rate_limit_error", "rate_limit_exceeded"],
        _ => &[
            "server_error",
            "api_error",
            "overloaded_error",
            "service_unavailable",
            "service_unavailable_error",
        ],
    }
}

fn function(function: &Value, faults: &mut Vec<String>) -> (String, String, Value) {
    only(function, "a function", &["type", "name", "description", "parameters", "strict"], faults);
    let name = must(function, "name", "a function", faults);
    (name, text(&function["description"]), function["parameters"].clone())
}

fn chat_message(message: &Value, gist: &mut Gist, calls: &mut Vec<String>, faults: &mut Vec<String>) {
    match message["role"].as_str().unwrap_or_default() {
        "system" | "developer" => {
            let said = plain(&message["content"], "text", faults);
            gist.system = [gist.system.as_str(), &said]
                .into_iter()
                .filter(|s| !s.is_empty())
                .collect::<Vec<_>>()
                .join("\n");
        }
        "user" => match &message["content"] {
            Value::String(said) => gist.turns.push(Said::User(said.clone())),
            parts => each(parts).for_each(|part| gist.turns.extend(chat_part(part, faults))),
        },
        "assistant" => {
            let thought = text(&message["reasoning_content"]);
            gist.turns.extend((!thought.is_empty()).then_some(Said::Reasoning(thought)));
            let said = plain(&message["content"], "text", faults);
            gist.turns.extend((!said.is_empty()).then_some(Said::Model(said)));
            for call in each(&message["tool_calls"]) {
                only(call, "a call", &["id", "type", "function"], faults);
                calls.push(must(call, "id", "a call", faults));
                let name = must(&call["function"], "name", "a call's function", faults);
                let given = must(&call["function"], "arguments", "a call's function", faults);
                gist.turns.push(Said::Call(name, arguments(&given, "a call's arguments", faults)));
            }
        }
        "tool" => {
            let call = call_of(calls, &text(&message["tool_call_id"]), "a tool message", faults);
            gist.turns.push(Said::Result(call, told(&plain(&message["content"], "text", faults))));
        }
        other => faults.push(format!("there is no role {other:?}")),
    }
}

fn chat_part(part: &Value, faults: &mut Vec<String>) -> Option<Said> {
    match part["type"].as_str().unwrap_or_default() {
        "text" => Some(Said::User(must(part, "text", "a part", faults))),
        "image_url" => media(&part["image_url"], "url", faults),
        "file" => media(&part["file"], "file_data", faults),
        other => {
            faults.push(format!("there is no content part {other:?}"));
            None
        }
    }
}

fn media(holder: &Value, key: &str, faults: &mut Vec<String>) -> Option<Said> {
    let url = must(holder, key, "a part", faults);
    match data_url(&url) {
        Some((mime, data)) => Some(Said::Media(mime, data)),
        None => {
            faults.push(format!("{key} is no data URL: {url}"));
            None
        }
    }
}

/// A text, or parts of the kind `kind` joined.
fn plain(content: &Value, kind: &str, faults: &mut Vec<String>) -> String {
    if let Some(parts) = content.as_array() {
        let wrong = parts.iter().filter(|part| part["type"] != kind);
        faults.extend(wrong.map(|part| format!("a part is no {kind}: {part}")));
        return parts.iter().map(|part| text(&part["text"])).collect();
    }
    text(content)
}

fn item_of(item: &Value, gist: &mut Gist, calls: &mut Vec<String>, faults: &mut Vec<String>) {
    match item["type"].as_str().unwrap_or("message") {
        "message" => match item["role"].as_str().unwrap_or_default() {
            "system" | "developer" => gist.system.push_str(&plain(&item["content"], "input_text", faults)),
            "assistant" => gist.turns.push(Said::Model(plain(&item["content"], "output_text", faults))),
            "user" => match &item["content"] {
                Value::String(said) => gist.turns.push(Said::User(said.clone())),
                parts => each(parts).for_each(|part| gist.turns.extend(input_part(part, faults))),
            },
            other => faults.push(format!("there is no role {other:?}")),
        },
        "reasoning" => {
            own_state(item, "encrypted_content", SEALED, faults);
            let thought: String = each(&item["summary"]).map(|piece| text(&piece["text"])).collect();
            gist.turns.push(Said::Reasoning(thought));
        }
        "function_call" => {
            calls.push(must(item, "call_id", "a function_call", faults));
            let name = must(item, "name", "a function_call", faults);
            let given = must(item, "arguments", "a function_call", faults);
            gist.turns.push(Said::Call(name, arguments(&given, "a call's arguments", faults)));
        }
        "function_call_output" => {
            let call = call_of(calls, &text(&item["call_id"]), "a function_call_output", faults);
            gist.turns.push(Said::Result(call, told(&plain(&item["output"], "input_text", faults))));
        }
        other => faults.push(format!("an item nobody asked for: {other}")),
    }
}

fn input_part(part: &Value, faults: &mut Vec<String>) -> Option<Said> {
    match part["type"].as_str().unwrap_or_default() {
        "input_text" => Some(Said::User(must(part, "text", "a part", faults))),
        "input_image" => media(part, "image_url", faults),
        "input_file" => media(part, "file_data", faults),
        other => {
            faults.push(format!("there is no content part {other:?}"));
            None
        }
    }
}
