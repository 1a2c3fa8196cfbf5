//! Requests of other dialects, as they are sent: every recording, and the order that is taken.

use std::collections::HashSet;

use serde_json::Value;
use shim_ir::{Effort, ReasoningControl, Request, Tokens, Traits};
use shim_testkit::recordings::Recording;

use crate::anthropic_messages::AnthropicMessages;
use crate::gemini_generate::GeminiGenerate;
use crate::laws::{each, recorded};
use crate::openai_chat::OpenaiChat;
use crate::openai_responses::OpenaiResponses;
use crate::{Decode, Encode as _, Goal, Operation};

/// The request of a recording; none where it has none of a kind that is answered.
fn asked(codec: &dyn Decode, recording: &Recording) -> Option<Request> {
    let request = recording.request.as_ref()?;
    let versions = ["/v1beta/", "/v1alpha/", "/v1/"];
    let from = |version: &&str| request.path.find(*version).and_then(|at| request.path.get(at..));
    let path = versions.iter().find_map(from).unwrap_or(&request.path);
    let route = codec.route(&request.method, path, request.query.as_deref())?;
    if route.operation != Operation::Generate || request.body_encoding != "utf-8" {
        return None;
    }
    codec.decode_request(&route, &request.body).ok()
}

/// Law: what is sent is in the order that is taken.
#[track_caller]
fn is_taken(request: &Request, traits: &Traits) {
    let goal = Goal { operation: Operation::Generate, model: "claude", traits, seed: "s" };
    let encoded = AnthropicMessages.encode_request(request, &goal);
    let text = encoded.body.to_text();
    let route = AnthropicMessages.route_for(Operation::Generate, "claude", false);
    AnthropicMessages.decode_request(&route, &text).unwrap_or_else(|e| panic!("{e}: {text}"));
    let body: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(body.as_object().unwrap().len(), text_members(&text), "a member is there twice: {text}");
    thinks_within_bounds(&body);
    names_are_taken(&body);
    let messages = body["messages"].as_array().unwrap();
    assert!(messages.first().is_none_or(|first| first["role"] == "user"), "{text}");
    for pair in messages.windows(2) {
        assert_ne!(pair[0]["role"], pair[1]["role"], "{text}");
    }
    for (at, message) in messages.iter().enumerate() {
        let after = messages.get(at + 1);
        blocks_are_taken(message, after);
    }
}

/// How many members the object that is the whole of `text` has, those that are there twice counted twice.
fn text_members(text: &str) -> usize {
    let mut count = 0;
    crate::common::each_member(text, |_| count += 1).unwrap();
    count
}

#[track_caller]
fn thinks_within_bounds(body: &Value) {
    let most = body["max_tokens"].as_u64().expect("a bound");
    if let Some(budget) = body["thinking"]["budget_tokens"].as_u64() {
        assert!((1_024..most).contains(&budget), "{body}");
    }
    let thinks = body["thinking"].is_object() && body["thinking"]["type"] != "disabled";
    assert!(!thinks || body["temperature"].as_f64().is_none_or(|t| t == 1.0), "{body}");
    assert!(body["temperature"].as_f64().is_none_or(|t| (0.0..=1.0).contains(&t)), "{body}");
}

#[track_caller]
fn names_are_taken(body: &Value) {
    let mut names = HashSet::new();
    for tool in body["tools"].as_array().into_iter().flatten() {
        // A set of a server's tools has the server's name.
        let name = tool["name"].as_str().or(tool["mcp_server_name"].as_str()).unwrap();
        let taken = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        assert!(name.len() <= 128 && name.chars().all(taken) && names.insert(name), "{name} of {body}");
        assert!(tool["type"].is_string() || tool["input_schema"]["type"] == "object", "{tool}");
    }
    assert!(body.get("tool_choice").is_none() || !names.is_empty(), "{body}");
}

/// A message says something, and answers what was called before it and nothing else.
#[track_caller]
fn blocks_are_taken(message: &Value, after: Option<&Value>) {
    let Some(blocks) = message["content"].as_array() else {
        assert!(!message["content"].as_str().expect("text").is_empty(), "{message}");
        return;
    };
    assert!(!blocks.is_empty(), "{message}");
    let of = |message: &Value, kind: &str, key: &str| -> Vec<String> {
        let listed =
            message["content"].as_array().into_iter().flatten().filter(|block| block["type"] == kind);
        listed.map(|block| block[key].as_str().unwrap().to_owned()).collect()
    };
    let results = blocks.iter().map(|block| block["type"] == "tool_result");
    assert!(results.is_sorted_by(|a, b| a >= b), "results come first: {message}");
    let called = of(message, "tool_use", "id");
    let different: HashSet<_> = called.iter().collect();
    assert_eq!(different.len(), called.len(), "{message}");
    if let Some(after) = after {
        let answered = of(after, "tool_result", "tool_use_id");
        let known: Vec<_> = answered.iter().filter(|id| called.contains(id)).collect();
        assert!(called.is_empty() || known.len() == called.len(), "{message} {after}");
    }
}

/// What is known of models, in three ways.
fn models() -> [Traits; 3] {
    let words = vec![Effort::Low, Effort::Medium, Effort::High];
    let budget = ReasoningControl::Budget { min: Tokens(1_024), max: Tokens(8_192), off: true };
    [
        Traits::default(),
        Traits { reasoning: ReasoningControl::Adaptive(words), schema: Some(true), ..Traits::default() },
        Traits {
            reasoning: budget,
            schema: Some(false),
            output_max: Some(Tokens(4_096)),
            ..Traits::default()
        },
    ]
}

#[track_caller]
fn all_are_taken(
    codec: &'static (dyn Decode + std::panic::RefUnwindSafe),
    families: &[&str],
    unanswered: &[&str],
) {
    let Some(recordings) = recorded(families) else { return };
    let mut seen = 0;
    let asked: Vec<_> = recordings
        .iter()
        .filter(|recording| !unanswered.contains(&recording.id.as_str()))
        .filter_map(|recording| Some((recording.id.clone(), asked(codec, recording)?)))
        .inspect(|_| seen += 1)
        .collect();
    assert!(seen > 20, "{seen}");
    each(
        &asked,
        |(id, _)| id.clone(),
        |(_, request)| models().iter().for_each(|traits| is_taken(request, traits)),
    );
}

#[test]
fn what_chat_asks_is_taken() {
    all_are_taken(
        &OpenaiChat,
        &["openai.chat", "openrouter.chat", "mistral.chat", "groq.chat", "deepseek.chat"],
        &[],
    );
}

#[test]
fn what_responses_ask_is_taken() {
    all_are_taken(&OpenaiResponses, &["openai.responses", "xai.responses"], &[]);
}

#[test]
fn what_gemini_asks_is_taken() {
    all_are_taken(&GeminiGenerate, &["gemini.generate", "gemini.stream"], &[]);
}
