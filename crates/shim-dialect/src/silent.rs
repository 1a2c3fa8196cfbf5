//! Law: a member that says nothing changes nothing, in any pair of dialects: not what is asked, nor what is told as lost.
//!
//! SDKs and frameworks send `null` for what was not set, and lists and objects that are empty.

use serde_json::{Value, json};
use shim_ir::{Dialect, Loss, LossKind, Traits};

use crate::laws::{each, own, recorded, strip};
use crate::{Goal, Route, speaker};

/// A dialect, the folder of its cases, the path of its requests, and members of its requests that may be left out beside
/// those of the cases.
const SOURCES: [(Dialect, &str, &str, &str); 4] = [
    (
        Dialect::OpenaiChat,
        "openai_chat",
        "/v1/chat/completions",
        "audio enable_thinking frequency_penalty function_call functions logit_bias logprobs max_completion_tokens \
         max_tokens metadata modalities moderation n parallel_tool_calls plugins prediction presence_penalty \
         prompt_cache_key prompt_cache_retention reasoning reasoning_effort response_format safety_identifier seed \
         service_tier stop store stream_options temperature thinking thinking_budget tool_choice tools top_k \
         top_logprobs top_p user verbosity web_search_options",
    ),
    (
        Dialect::OpenaiResponses,
        "openai_responses",
        "/v1/responses",
        "background client_metadata context_management conversation frequency_penalty include instructions \
         max_output_tokens max_tool_calls metadata moderation parallel_tool_calls presence_penalty \
         previous_response_id prompt prompt_cache_key prompt_cache_retention reasoning safety_identifier service_tier \
         store stream_options temperature text tool_choice tools top_k top_logprobs top_p truncation user",
    ),
    (
        Dialect::Anthropic,
        "anthropic_messages",
        "/v1/messages",
        "cache_control container context_management diagnostics fallbacks inference_geo mcp_servers metadata \
         output_config output_format service_tier speed stop_sequences system temperature thinking tool_choice tools \
         top_k top_p user_profile_id",
    ),
    (
        Dialect::Gemini,
        "gemini_generate",
        "/v1beta/models/m:generateContent",
        "cachedContent generationConfig labels safetySettings serviceTier store systemInstruction toolConfig tools",
    ),
];

/// Members of parts, tools and messages that may be left out, and one that nobody knows.
const INSIDE: &str = "allowed_domains allowed_tools annotations audio authorization cacheControl cache_control call_id candidateCount caller citations \
    custom defer_loading description detail disable_parallel_tool_use display displayName effort eager_input_streaming \
    encrypted_content excludeDomains filename filters format frequencyPenalty generate_summary include_obfuscation include_usage \
    input_examples is_error json_schema logprobs maxOutputTokens max_tokens max_uses mediaResolution name parallel_tool_calls \
    partMetadata phase prompt_cache_breakpoint presencePenalty reasoning reasoning_content reasoning_details refusal \
    responseLogprobs responseMimeType responseModalities response_format safetySettings seed speechConfig status \
    stopSequences strict summary temperature thinkingConfig thinkingLevel thought thoughtSignature title tool_calls \
    toolConfig tool_configuration topK topP ttl user_location verbosity videoMetadata x_nobody_knows";

/// What stands in these is the client's own, and a `null` in it is what it says. In small letters, without underscores.
const DATA: [&str; 13] = [
    "parameters",
    "inputschema",
    "schema",
    "parametersjsonschema",
    "responseschema",
    "responsejsonschema",
    "args",
    "response",
    "input",
    "arguments",
    "logitbias",
    "labels",
    "metadata",
];

/// A request of a case, with where it was sent.
#[derive(Clone, Debug)]
struct Asked {
    source: Dialect,
    name: String,
    route: Route,
    body: Value,
    members: &'static str,
}

fn asked() -> Vec<Asked> {
    let of = |(source, folder, path, members): (Dialect, &'static str, &'static str, &'static str)| {
        own(folder).into_iter().filter_map(move |case| {
            let path = case.meta.path.as_deref().unwrap_or(path).split('?').next()?;
            let route = speaker(source).route("POST", path, None)?;
            let body = serde_json::from_str(&case.request?).ok()?;
            let name = format!("{folder}/{}", case.name);
            Some(Asked { source, name, route, body, members })
        })
    };
    let full = SOURCES.into_iter().map(|(source, folder, path, members)| {
        let route = speaker(source).route("POST", path, None).expect("a route");
        Asked { source, name: format!("{folder}, full"), route, body: full(source), members }
    });
    SOURCES.into_iter().flat_map(of).chain(full).filter(|asked| tried(asked, &asked.body).is_some()).collect()
}

/// A request with something in most of its places.
fn full(source: Dialect) -> Value {
    match source {
        Dialect::OpenaiChat => chat(),
        Dialect::OpenaiResponses => responses(),
        Dialect::Anthropic => messages(),
        Dialect::Gemini => content(),
    }
}

fn chat() -> Value {
    json!({
    "model": "m", "stream": true, "stream_options": {"include_usage": true}, "reasoning_effort": "low",
    "messages": [
        {"role": "system", "content": "s"},
        {"role": "user", "name": "n", "content": [
            {"type": "text", "text": "t"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
            {"type": "file", "file": {"file_data": "data:application/pdf;base64,aGk=", "filename": "f.pdf"}},
            {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}},
        ]},
        {"role": "assistant", "content": "a", "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
        ]},
        {"role": "tool", "tool_call_id": "c1", "content": "r"},
        {"role": "assistant", "reasoning_content": "because", "content": "b"},
        {"role": "user", "content": "u"},
    ],
    "tools": [
        {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "strict": true}},
        {"type": "function", "function": {"name": "g"}},
    ],
    "tool_choice": {"type": "function", "function": {"name": "f"}}, "web_search_options": {},
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}},
    "thinking": {"type": "enabled"},
    })
}

fn responses() -> Value {
    json!({
    "model": "m", "stream": true, "stream_options": {}, "reasoning": {"effort": "low"},
    "instructions": "s", "include": ["reasoning.encrypted_content"],
    "input": [
        {"role": "user", "content": [
            {"type": "input_text", "text": "t"},
            {"type": "input_image", "image_url": "data:image/png;base64,aGk="},
            {"type": "input_file", "file_data": "data:application/pdf;base64,aGk=", "filename": "f.pdf"},
        ]},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "because"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a"}]},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "r"},
        {"type": "message", "role": "user", "content": "u"},
    ],
    "tools": [
        {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": true},
        {"type": "web_search"},
    ],
    "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]},
    "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}},
    })
}

fn messages() -> Value {
    json!({
    "model": "m", "max_tokens": 4000, "stream": true, "metadata": {"user_id": "u"},
    "thinking": {"type": "enabled", "budget_tokens": 2000}, "output_config": {"effort": "low"},
    "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
    "messages": [
        {"role": "user", "content": [
            {"type": "text", "text": "t"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "aGk="}},
        ]},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "because", "signature": "sig"},
            {"type": "text", "text": "a"},
            {"type": "tool_use", "id": "c1", "name": "f", "input": {}},
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "r"}]},
        ]},
    ],
    "tools": [
        {"name": "f", "input_schema": {"type": "object"}},
        {"type": "web_search_20250305", "name": "web_search"},
    ],
    "mcp_servers": [{"type": "url", "url": "https://example.com", "name": "n"}],
    "tool_choice": {"type": "auto"},
    })
}

fn content() -> Value {
    json!({
    "systemInstruction": {"parts": [{"text": "s"}]},
    "contents": [
        {"role": "user", "parts": [
            {"text": "t"},
            {"inlineData": {"mimeType": "image/png", "data": "aGk="}},
            {"fileData": {"mimeType": "application/pdf", "fileUri": "https://example.com/f.pdf"}},
        ]},
        {"role": "model", "parts": [
            {"text": "because", "thought": true},
            {"text": "a"},
            {"functionCall": {"id": "c1", "name": "f", "args": {}}},
        ]},
        {"role": "user", "parts": [{"functionResponse": {"id": "c1", "name": "f", "response": {"r": 1}}}]},
    ],
    "tools": [
        {"functionDeclarations": [{"name": "f", "parametersJsonSchema": {"type": "object"}}]},
        {"googleSearch": {}},
    ],
    "toolConfig": {"functionCallingConfig": {"mode": "AUTO"}},
    "generationConfig": {"thinkingConfig": {"thinkingBudget": 100}, "responseMimeType": "application/json"},
    })
}

/// What each other dialect's upstream is asked, and what is told as lost; `None` where it does not decode.
fn tried(asked: &Asked, body: &Value) -> Option<Vec<(Dialect, String, Vec<Loss>)>> {
    let request = speaker(asked.source).decode_request(&asked.route, &body.to_string()).ok()?;
    let traits = Traits::default();
    let encoded = Dialect::ALL.into_iter().filter(|target| *target != asked.source).map(|target| {
        let goal = Goal { operation: asked.route.operation, model: "m", traits: &traits, seed: "s" };
        let encoded = speaker(target).encode_request(&request, &goal);
        (target, encoded.body.to_text(), encoded.losses)
    });
    Some(encoded.collect())
}

/// The JSON pointers of the objects in `value` whose members are the dialect's.
fn objects(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            found.push(at.to_owned());
            let data = |key: &str| DATA.contains(&&*key.replace('_', "").to_ascii_lowercase());
            let wire = |key: &str| !data(key) || (key == "input" && at.is_empty());
            let members = members.iter().filter(|(key, _)| wire(key));
            members.for_each(|(key, value)| objects(value, &format!("{at}/{key}"), found));
        }
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(n, value)| objects(value, &format!("{at}/{n}"), found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// `body` with `nothing` for each member of `keys` that the object at `pointer` does not have.
fn with(body: &Value, pointer: &str, keys: &[&str], nothing: &Value) -> Value {
    let mut body = body.clone();
    let object = body.pointer_mut(pointer).and_then(Value::as_object_mut).expect("an object");
    for key in keys {
        object.entry(*key).or_insert_with(|| nothing.clone());
    }
    body
}

/// The members that are set to `null` in the object at `pointer`.
fn keys<'a>(asked: &Asked, pointer: &str) -> Vec<&'a str> {
    let members = if pointer.is_empty() { asked.members } else { INSIDE };
    members.split_whitespace().chain(["x_nobody_knows"]).collect()
}

/// Sets every member that may be left out to `null`, wherever it may stand; where that makes a difference, one by one.
#[track_caller]
fn nulls_say_nothing(asked: &Asked) {
    let mut pointers = Vec::new();
    objects(&asked.body, "", &mut pointers);
    let set = |body, pointer: &String| with(&body, pointer, &keys(asked, pointer), &Value::Null);
    let all = pointers.iter().fold(asked.body.clone(), set);
    let wanted = tried(asked, &asked.body).expect("it decodes");
    if tried(asked, &all).as_ref() == Some(&wanted) {
        return;
    }
    for (pointer, key) in pointers.iter().flat_map(|at| keys(asked, at).into_iter().map(move |key| (at, key)))
    {
        let given = tried(asked, &with(&asked.body, pointer, &[key], &Value::Null));
        assert_eq!(given.as_ref(), Some(&wanted), "null of {key} at {pointer:?} says something");
    }
    panic!("nulls say something together");
}

#[test]
fn a_null_says_nothing_wherever_it_stands() {
    each(&asked(), |asked| asked.name.clone(), nulls_say_nothing);
}

#[test]
fn a_null_says_nothing_in_recorded_requests() {
    let families = ["openai.chat", "openai.responses", "anthropic.messages", "gemini.generate"];
    for ((source, _, _, members), family) in SOURCES.into_iter().zip(families) {
        let Some(recordings) = recorded(&[family]) else { return };
        let requests = recordings.into_iter().filter_map(|recording| {
            let request = recording.request?;
            let route = speaker(source).route("POST", strip(&request.path), None)?;
            let body = serde_json::from_str(&request.body).ok()?;
            Some(Asked { source, name: recording.id, route, body, members })
        });
        let read: Vec<_> = requests.filter(|asked| tried(asked, &asked.body).is_some()).collect();
        each(&read, |asked| asked.name.clone(), nulls_say_nothing);
    }
}

/// Members of requests whose default is to be empty.
fn empty(source: Dialect) -> Value {
    match source {
        Dialect::OpenaiChat => json!({
            "functions": [], "logit_bias": {}, "metadata": {}, "modalities": [], "plugins": [], "stop": [],
            "stream_options": {}, "tools": [],
        }),
        Dialect::OpenaiResponses => json!({
            "client_metadata": {}, "context_management": [], "include": [], "metadata": {}, "stream_options": {},
            "text": {}, "tools": [],
        }),
        Dialect::Anthropic => json!({
            "container": {}, "context_management": {}, "mcp_servers": [], "metadata": {}, "output_config": {},
            "stop_sequences": [], "system": [], "thinking": {}, "tools": [],
        }),
        Dialect::Gemini => json!({
            "generationConfig": {}, "labels": {}, "safetySettings": [], "systemInstruction": {}, "toolConfig": {},
            "tools": [],
        }),
    }
}

/// What is told as lost on the way to each other dialect.
fn told(asked: &Asked, body: &Value) -> Vec<(Dialect, Vec<Loss>)> {
    let tried = tried(asked, body).expect("it decodes");
    tried.into_iter().map(|(target, _, losses)| (target, losses)).collect()
}

#[test]
fn of_an_empty_list_or_object_nothing_is_lost() {
    each(
        &asked(),
        |asked| asked.name.clone(),
        |asked| {
            let Value::Object(members) = empty(asked.source) else { panic!() };
            let wanted = told(asked, &asked.body);
            for (key, nothing) in &members {
                assert_eq!(told(asked, &with(&asked.body, "", &[key], nothing)), wanted, "{key}");
            }
        },
    );
}

/// Bodies in which members that no model reads hold words, each with its path in the intermediate representation.
fn unread(source: Dialect) -> (Value, &'static [(&'static str, &'static str)]) {
    match source {
        Dialect::OpenaiChat => (
            json!({
                "model": "m", "messages": [{"role": "user", "content": "hi"}], "metadata": {"a": "zq1zq"},
                "user": "zq2zq", "safety_identifier": "zq3zq", "prompt_cache_retention": "zq4zq",
            }),
            &[
                ("zq1zq", "metadata"),
                ("zq2zq", "user"),
                ("zq3zq", "safety_identifier"),
                ("zq4zq", "prompt_cache_retention"),
            ],
        ),
        Dialect::OpenaiResponses => (
            json!({
                "model": "m", "input": "hi", "metadata": {"a": "zq1zq"}, "user": "zq2zq",
                "safety_identifier": "zq3zq", "client_metadata": {"a": "zq4zq"},
            }),
            &[
                ("zq1zq", "metadata"),
                ("zq2zq", "user"),
                ("zq3zq", "safety_identifier"),
                ("zq4zq", "client_metadata"),
            ],
        ),
        Dialect::Anthropic => (
            json!({
                "model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}],
                "metadata": {"user_id": "zq1zq", "a": "zq2zq"}, "user_profile_id": "zq3zq",
            }),
            &[("zq1zq", "user"), ("zq2zq", "metadata"), ("zq3zq", "user_profile_id")],
        ),
        Dialect::Gemini => (
            json!({"contents": [{"parts": [{"text": "hi"}]}], "labels": {"a": "zq1zq"}}),
            &[("zq1zq", "metadata")],
        ),
    }
}

#[test]
fn what_no_model_reads_is_carried_or_told_as_such() {
    for (source, _, path, members) in SOURCES {
        let (body, words) = unread(source);
        let route = speaker(source).route("POST", path, None).unwrap();
        let asked = Asked { source, name: String::new(), route, body, members };
        for (target, sent, losses) in tried(&asked, &asked.body).unwrap() {
            for (word, path) in words {
                let told = losses.iter().any(|loss| loss.path == *path && loss.kind == LossKind::Noted);
                assert_ne!(sent.contains(word), told, "{path} of {source:?} for {target:?}: {losses:?}");
            }
        }
    }
}
