//! Strict fakes of providers: each holds a conversation with tools by a [`Script`], hands out state that only it can read,
//! and refuses what the provider's documentation says it refuses of reasoning in a history, in the provider's words.
//!
//! They keep nothing: a state says by itself whose it is and what it belongs to, and what comes next follows from the
//! history alone, so that one can go on where another stopped.

mod anthropic;
mod chat;
mod gemini;
mod responses;
mod script;
mod stream;
mod task;

use serde_json::{Map, Value};

pub use script::{Call, Done, Looks, Next, Script, Told};
pub use task::Task;

/// Which provider's rules hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Anthropic: signed thinking, bound to what came before it.
    Anthropic,
    /// OpenAI: encrypted reasoning, bound to the organisation.
    Openai,
    /// Google: signed calls.
    Google,
    /// DeepSeek: reasoning that must come back with its calls.
    Deepseek,
    /// OpenRouter: `reasoning_details`.
    Openrouter,
    /// A provider that knows nothing of reasoning, and refuses members it does not know.
    Plain,
}

/// A provider, and the account that asks it.
#[derive(Clone, Copy, Debug)]
pub struct Strict {
    /// Whose rules hold.
    pub kind: Kind,
    /// The account: another one's state cannot be read.
    pub account: &'static str,
}

/// What a fake refuses: the status and the body.
pub type Refusal = (u16, Value);

impl Strict {
    /// Answers a request, in the dialect of its path, by the script of the gateway's own tests.
    ///
    /// # Errors
    /// When the provider would refuse it.
    pub fn answer(&self, path: &str, body: &Value) -> Result<Value, Refusal> {
        self.play(&Looks, path, body)
    }

    /// Answers a request, in the dialect of its path, by `script`.
    ///
    /// # Errors
    /// When the provider would refuse it, or the script does not know the history.
    pub fn play(&self, script: &dyn Script, path: &str, body: &Value) -> Result<Value, Refusal> {
        match Wire::of(path) {
            Wire::Chat => chat::answer(self, script, body),
            Wire::Responses => responses::answer(self, script, body),
            Wire::Messages => anthropic::answer(self, script, body),
            Wire::Generate => gemini::answer(self, script, body),
        }
    }

    /// A whole answer to a request at `path`, as its dialect streams it.
    #[must_use]
    pub fn as_stream(path: &str, answer: &Value) -> String {
        stream::of(Wire::of(path), answer)
    }

    /// The states in a body that are this account's, in order: what it gave out, or got back.
    #[must_use]
    pub fn states(&self, body: &Value) -> Vec<String> {
        let mut found = Vec::new();
        self.collect(body, &mut found);
        found
    }

    fn collect(&self, value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Array(values) => values.iter().for_each(|value| self.collect(value, found)),
            Value::Object(members) => {
                for (key, value) in members {
                    match value.as_str() {
                        Some(text) if self.is_state(key, text) => found.push(text.to_owned()),
                        _ => self.collect(value, found),
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn is_state(&self, key: &str, text: &str) -> bool {
        match key {
            "signature" | "data" | "encrypted_content" | "thoughtSignature" | "thought_signature" => {
                unseal(self.account, text).is_some()
            }
            "reasoning_content" | "thinking" => {
                self.kind == Kind::Deepseek && text.contains(&format!("({})", self.account))
            }
            _ => false,
        }
    }

    /// What it thinks before it says what is next.
    fn thought(&self, next: &Next, seed: u64) -> String {
        format!("Thinking about {} calls ({}) {seed:x}", next.calls.len(), self.account)
    }
}

/// The dialects of the fakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wire {
    Chat,
    Responses,
    Messages,
    Generate,
}

impl Wire {
    fn of(path: &str) -> Self {
        match path {
            path if path.contains("/chat/completions") => Self::Chat,
            path if path.contains("/messages") => Self::Messages,
            path if path.contains("/responses") => Self::Responses,
            _ => Self::Generate,
        }
    }
}

/// A state of `account` that belongs to `what`.
fn seal(account: &str, what: &str) -> String {
    format!("sealed~{account}~{what}~{:016x}==", hash(&format!("{account}|{what}")))
}

/// What a state belongs to, where it is this account's.
fn unseal<'s>(account: &str, state: &'s str) -> Option<&'s str> {
    let rest = state.strip_prefix("sealed~")?.strip_prefix(account)?.strip_prefix('~')?;
    let (what, _) = rest.rsplit_once('~')?;
    (seal(account, what) == state).then_some(what)
}

/// A hash that is the same everywhere (FNV-1a, 64 bits).
fn hash(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// A value in one spelling: members sorted, without cache marks.
fn spelt(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().filter(|(key, _)| *key != "cache_control").collect();
            sorted.sort_by_key(|(key, _)| *key);
            let spelt: Map<_, _> =
                sorted.into_iter().map(|(key, value)| (key.clone(), spelt(value))).collect();
            Value::Object(spelt)
        }
        Value::Array(values) => values.iter().map(spelt).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// The entries of a list; none where there is no list.
fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Kind, Strict, seal, unseal};

    const OWN: Strict = Strict { kind: Kind::Anthropic, account: "a" };

    #[test]
    fn a_state_is_one_account_s() {
        assert_eq!(unseal("a", &seal("a", "x~y")), Some("x~y"));
        assert_eq!(unseal("b", &seal("a", "x")), None);
        assert_eq!(unseal("a", "sealed~a~x~0=="), None);
        assert_eq!(
            OWN.states(&json!([{ "signature": seal("a", "1") }, { "signature": seal("b", "2") }])).len(),
            1
        );
    }

    /// The error of a request to a fake.
    #[track_caller]
    fn refused(kind: Kind, path: &str, body: &Value) -> String {
        let (status, told) = Strict { kind, account: "a" }.answer(path, body).expect_err("it is refused");
        assert!(status == 400 || status == 404, "{status}");
        told["error"]["message"].as_str().expect("an error has a message").to_owned()
    }

    fn user() -> Value {
        json!({ "role": "user", "content": "hi" })
    }

    #[test]
    fn each_provider_refuses_what_its_documentation_says() {
        anthropic_refuses();
        anthropic_refuses_searches();
        openai_refuses();
        openai_refuses_items_alone();
        google_refuses();
        chats_refuse();
    }

    /// A request of a turn with a call, and its result.
    fn messages(content: &Value) -> Value {
        let results = json!({ "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "t", "content": "1" }] });
        json!({ "messages": [user(), { "role": "assistant", "content": content }, results] })
    }

    #[track_caller]
    fn anthropic_refuses() {
        let call = json!({ "type": "tool_use", "id": "t", "name": "look", "input": {} });
        let thinking =
            |signature: &str| json!({ "type": "thinking", "thinking": "x", "signature": signature });
        for signature in ["", &seal("b", "1"), &seal("a", "1")] {
            let told =
                refused(Kind::Anthropic, "/v1/messages", &messages(&json!([thinking(signature), call])));
            assert!(told.contains("Invalid `signature`"), "{told}");
        }
        let mut budget = messages(&json!([call]));
        budget["thinking"] = json!({ "type": "enabled", "budget_tokens": 2000 });
        let told = refused(Kind::Anthropic, "/v1/messages", &budget);
        assert!(told.contains("Expected `thinking`"), "{told}");
    }

    #[track_caller]
    fn anthropic_refuses_searches() {
        let search = json!({ "type": "server_tool_use", "id": "srv", "name": "web_search", "input": {} });
        let told = refused(Kind::Anthropic, "/v1/messages", &messages(&json!([search])));
        assert!(told.contains("without a corresponding `web_search_tool_result`"), "{told}");
        let found = json!([{ "type": "web_search_result", "encrypted_content": seal("b", "1") }]);
        let result = json!({ "type": "web_search_tool_result", "tool_use_id": "srv", "content": found });
        let told = refused(Kind::Anthropic, "/v1/messages", &messages(&json!([search, result])));
        assert!(told.contains("Invalid `encrypted_content`"), "{told}");
    }

    #[track_caller]
    fn openai_refuses() {
        let called = json!({ "type": "function_call", "call_id": "c", "name": "look", "arguments": "{}" });
        let output = json!({ "type": "function_call_output", "call_id": "c", "output": "1" });
        let reasoning =
            json!({ "type": "reasoning", "id": "rs_x", "summary": [], "encrypted_content": seal("b", "1") });
        let told =
            refused(Kind::Openai, "/v1/responses", &json!({ "input": [user(), reasoning, called, output] }));
        assert!(told.contains("could not be verified"), "{told}");
        let bare = json!({ "type": "reasoning", "id": "rs_x", "summary": [] });
        let told = refused(
            Kind::Openai,
            "/v1/responses",
            &json!({ "store": false, "input": [user(), bare, called, output] }),
        );
        assert!(told.contains("not found"), "{told}");
    }

    #[track_caller]
    fn openai_refuses_items_alone() {
        let thought = json!({ "type": "reasoning", "id": "rs_a_search-1", "summary": [], "encrypted_content": seal("a", "search-1") });
        let told = refused(Kind::Openai, "/v1/responses", &json!({ "input": [user(), thought] }));
        assert!(told.contains("without its required following item"), "{told}");
        let search = json!({ "type": "web_search_call", "id": "ws_a_search-1", "status": "completed" });
        let told = refused(Kind::Openai, "/v1/responses", &json!({ "input": [user(), search] }));
        assert!(told.contains("without its required 'reasoning' item"), "{told}");
    }

    #[track_caller]
    fn google_refuses() {
        let gemini = json!({ "contents": [
            { "role": "user", "parts": [{ "text": "hi" }] },
            { "role": "model", "parts": [{ "functionCall": { "name": "look", "args": {} } }] },
            { "role": "user", "parts": [{ "functionResponse": { "name": "look", "response": {} } }] },
        ] });
        let told = refused(Kind::Google, "/v1beta/models/m:generateContent", &gemini);
        assert!(told.contains("missing a thought_signature"), "{told}");
    }

    #[track_caller]
    fn chats_refuse() {
        let tool_call =
            json!([{ "id": "c", "type": "function", "function": { "name": "look", "arguments": "{}" } }]);
        for (kind, reasoning, says) in
            [(Kind::Deepseek, "", "must be passed back"), (Kind::Plain, "x", "reasoning_content")]
        {
            let message = json!({ "role": "assistant", "content": null, "tool_calls": tool_call, "reasoning_content": reasoning });
            let result = json!({ "role": "tool", "tool_call_id": "c", "content": "1" });
            let told = refused(kind, "/chat/completions", &json!({ "messages": [user(), message, result] }));
            assert!(told.contains(says), "{told}");
        }
    }
}
