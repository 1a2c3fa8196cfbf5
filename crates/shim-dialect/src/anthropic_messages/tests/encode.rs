//! Writing: the round trips of this dialect, and what is said in others.

use serde_json::{Value, json};
use shim_ir::{
    Event, Executor, Loss, LossKind, Part, ReasoningControl, Request, Response, Tokens, Traits, Usage, fold,
    unfold,
};
use shim_testkit::recordings::Recording;
use shim_wire::frame::Framing;

use crate::anthropic_messages::AnthropicMessages;
use crate::gemini_generate::GeminiGenerate;
use crate::laws::{as_stream, asker, each, encoded_stream, events, recorded};
use crate::openai_chat::OpenaiChat;
use crate::openai_responses::OpenaiResponses;
use crate::{Codec as _, Decode, Encode, Encoded, Goal, Operation};

/// What an answer says, whatever it is said in.
#[derive(Debug, PartialEq)]
pub(super) struct Essence {
    pub(super) text: String,
    pub(super) reasoning: String,
    pub(super) calls: Vec<(String, String)>,
    citations: Vec<(Option<String>, Option<String>)>,
    used: Option<[u64; 4]>,
    finish: Option<String>,
}

/// The essence of an answer that was read in this dialect.
fn essence(response: &Response) -> Essence {
    let parts = response.candidates.first().map(|c| &c.parts[..]).unwrap_or_default();
    let mut essence = said(parts);
    essence.used = response.usage.as_ref().map(counts);
    let finish = response.candidates.first().and_then(|c| c.finish.as_ref());
    essence.finish = finish.map(|finish| format!("{:?}", finish.reason));
    essence
}

pub(super) fn said(parts: &[Part]) -> Essence {
    let mut essence = Essence {
        text: String::new(),
        reasoning: String::new(),
        calls: Vec::new(),
        citations: Vec::new(),
        used: None,
        finish: None,
    };
    for part in parts {
        match part {
            Part::Text(text) | Part::Refusal(text) => {
                essence.text.push_str(&text.text);
                let told = text.citations.iter().map(|c| (c.url.clone(), c.title.clone()));
                essence.citations.extend(told.filter(|(url, title)| url.is_some() || title.is_some()));
            }
            Part::Reasoning(reasoning) => {
                let unread = reasoning.text.iter().all(String::is_empty);
                let pieces = if unread { &reasoning.summary } else { &reasoning.text };
                pieces.iter().for_each(|piece| essence.reasoning.push_str(piece.trim()));
            }
            Part::ToolCall(call) if call.executor == Executor::Client => {
                essence.calls.push((call.name.clone(), arguments(&call.arguments)));
            }
            Part::Media(_)
            | Part::ToolCall(_)
            | Part::ToolResult(_)
            | Part::ServerResult(_)
            | Part::Foreign(_) => {}
        }
    }
    essence.reasoning.retain(|c| !c.is_whitespace());
    essence
}

fn arguments(text: &str) -> String {
    let text = if text.trim().is_empty() { "{}" } else { text };
    serde_json::from_str::<Value>(text).map_or_else(|_| text.to_owned(), |value| value.to_string())
}

fn counts(usage: &Usage) -> [u64; 4] {
    [usage.input_total().0, usage.output_total().0, usage.cache_read.0, usage.reasoning.0]
}

/// Law: blocks come one after the other, with rising numbers, and every event where the official SDKs expect it.
#[track_caller]
pub(super) fn is_legal(stream: &str) {
    let mut open: Option<(u64, String)> = None;
    let (mut next, mut stage) = (0, "waiting");
    for frame in stream.split("\n\n").filter(|frame| !frame.is_empty()) {
        let (name, data) = frame.split_once('\n').expect("an event and its data");
        let data: Value = serde_json::from_str(data.strip_prefix("data: ").expect("data")).expect("JSON");
        assert_eq!(name.strip_prefix("event: "), data["type"].as_str(), "{frame}");
        match (stage, data["type"].as_str().unwrap()) {
            (_, "error") => stage = "over",
            ("waiting", "message_start") => {
                for count in [
                    "input_tokens",
                    "output_tokens",
                    "cache_read_input_tokens",
                    "cache_creation_input_tokens",
                ] {
                    assert!(data["message"]["usage"][count].is_u64(), "{frame}");
                }
                assert!(data["message"]["id"].is_string() && data["message"]["model"].is_string(), "{frame}");
                stage = "answering";
            }
            ("answering", "content_block_start") => {
                assert_eq!((open.is_none(), data["index"].as_u64()), (true, Some(next)), "{frame}");
                open = Some((next, data["content_block"]["type"].as_str().unwrap().to_owned()));
                next += 1;
            }
            ("answering", "content_block_delta") => {
                let (index, block) = open.as_ref().expect("an open block");
                assert_eq!(data["index"].as_u64(), Some(*index), "{frame}");
                let delta = data["delta"]["type"].as_str().unwrap();
                assert!(fits(delta, block), "{frame} in {block}");
            }
            ("answering", "content_block_stop") => {
                assert_eq!(open.take().map(|(index, _)| index), data["index"].as_u64(), "{frame}");
            }
            ("answering", "message_delta") => {
                assert!(open.is_none() && data["usage"]["output_tokens"].is_u64(), "{frame}");
                stage = "ending";
            }
            ("ending", "message_stop") => stage = "over",
            (stage, kind) => panic!("{kind} while {stage}"),
        }
    }
    assert_eq!(stage, "over", "{stream}");
}

/// Whether a block of this type may have such a delta.
#[track_caller]
fn fits(delta: &str, block: &str) -> bool {
    let own = match delta {
        "text_delta" | "citations_delta" => "text",
        "thinking_delta" | "signature_delta" => "thinking",
        "input_json_delta" if block == "tool_use" => "tool_use",
        "input_json_delta" => "server_tool_use",
        other => panic!("{other}"),
    };
    block == own || block == "mcp_tool_use"
}

/// Law: an answer of any dialect, told whole and told as a stream, says the same, and all that it said.
#[track_caller]
pub(super) fn told_alike(events: &[Event]) {
    let request = Request::default();
    let stream = encoded_stream(&AnthropicMessages, &asker(&request, Framing::Sse), events);
    is_legal(&stream);
    let Ok((wanted, _)) = fold(events.iter().cloned()) else { return };
    let (streamed, _) = fold(crate::laws::events(&AnthropicMessages, &[stream.as_bytes()], Framing::Sse))
        .unwrap_or_else(|e| panic!("{e}: {stream}"));
    let told = AnthropicMessages.encode_response(&wanted, &asker(&request, Framing::Sse));
    let text = String::from_utf8(told.body).unwrap();
    let whole = AnthropicMessages.decode_response(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
    let (streamed, whole) = (essence(&streamed), essence(&whole));
    let wanted_parts = wanted.candidates.first().map(|c| &c.parts[..]).unwrap_or_default();
    let source = said(wanted_parts);
    assert_eq!(streamed, whole, "{stream}\n{text}");
    assert_eq!((&whole.text, &whole.reasoning), (&source.text, &source.reasoning), "{text}");
    assert_eq!((&whole.calls, &whole.citations), (&source.calls, &source.citations), "{text}");
    let used = wanted.usage.as_ref().map_or([0; 4], counts);
    assert_eq!(whole.used, Some(used), "{text}");
}

/// A recording whose stream ends in the middle of a frame.
const CUT: &str = "wc-c5e67571e952";

/// The events of a recorded answer; none where it failed or is of another operation.
fn recorded_events(codec: &dyn Decode, recording: &Recording) -> Option<Vec<Event>> {
    let status = recording.response.status.or(recording.status).unwrap_or(200);
    if status >= 400 || recording.id == CUT {
        return None;
    }
    if let Some((framing, stream)) = as_stream(recording) {
        return Some(events(codec, &[stream.as_bytes()], framing));
    }
    let response = codec.decode_response(&recording.response.body).ok()?;
    (!response.candidates.is_empty()).then(|| unfold(response))
}

#[track_caller]
fn all_told_alike(codec: &'static (dyn Decode + std::panic::RefUnwindSafe), families: &[&str]) {
    let Some(recordings) = recorded(families) else { return };
    each(
        &recordings,
        |recording| recording.id.clone(),
        |recording| {
            if let Some(events) = recorded_events(codec, recording) {
                told_alike(&events);
            }
        },
    );
}

#[test]
fn what_chat_answers_is_told() {
    let families = [
        "openai.chat",
        "azure.chat",
        "cerebras.chat",
        "deepseek.chat",
        "groq.chat",
        "huggingface.chat",
        "mistral.chat",
        "ollama.chat",
        "openrouter.chat",
        "perplexity.chat",
        "snowflake.chat",
        "zai.chat",
    ];
    all_told_alike(&OpenaiChat, &families);
}

#[test]
fn what_responses_answer_is_told() {
    all_told_alike(
        &OpenaiResponses,
        &["openai.responses", "azure.responses", "openrouter.responses", "xai.responses"],
    );
}

#[test]
fn what_gemini_answers_is_told() {
    all_told_alike(&GeminiGenerate, &["gemini.generate", "gemini.stream"]);
}

#[test]
fn what_messages_answer_is_told() {
    all_told_alike(&AnthropicMessages, &["anthropic.messages"]);
}

/// What a request of Chat Completions becomes.
fn chat(body: &Value, traits: &Traits) -> (Value, Encoded) {
    let route = OpenaiChat.route("POST", "/v1/chat/completions", None).unwrap();
    sent(&OpenaiChat, &OpenaiChat.decode_request(&route, &body.to_string()).unwrap(), traits)
}

/// What a request of Responses becomes.
fn responses(body: &Value, traits: &Traits) -> (Value, Encoded) {
    let route = OpenaiResponses.route("POST", "/v1/responses", None).unwrap();
    sent(&OpenaiResponses, &OpenaiResponses.decode_request(&route, &body.to_string()).unwrap(), traits)
}

/// What a request of Gemini becomes.
fn gemini(body: &Value, traits: &Traits) -> (Value, Encoded) {
    let route = GeminiGenerate.route("POST", "/v1beta/models/m:generateContent", None).unwrap();
    sent(&GeminiGenerate, &GeminiGenerate.decode_request(&route, &body.to_string()).unwrap(), traits)
}

/// What a request becomes, and what of it that means something was lost.
fn sent(source: &dyn Encode, request: &Request, traits: &Traits) -> (Value, Encoded) {
    let goal = Goal { operation: Operation::Generate, model: "claude", traits, seed: "s" };
    let mut encoded = AnthropicMessages.encode_request(request, &goal);
    let means = |loss: &Loss| loss.kind == LossKind::Unsupported || !source.is_bookkeeping(&loss.path);
    encoded.losses.retain(means);
    let body: Value = serde_json::from_str(&encoded.body.to_text()).expect("JSON");
    let text = encoded.body.to_text();
    let route = AnthropicMessages.route_for(Operation::Generate, "claude", false);
    AnthropicMessages.decode_request(&route, &text).expect("it is read in its own dialect");
    (body, encoded)
}

fn losses(encoded: &Encoded) -> Vec<String> {
    encoded.losses.iter().map(|loss| format!("{} {}", loss.path, loss.kind.name())).collect()
}

const USER: &str = r#"{"role":"user","content":"hi"}"#;

/// A request of Chat Completions with a bound on the output, and these members.
fn ask(members: Value) -> Value {
    let mut body = json!({ "model": "m", "max_tokens": 100, "messages": [serde_json::from_str::<Value>(USER).unwrap()] });
    let Value::Object(members) = members else { panic!("{members}") };
    for (key, value) in members {
        body[key] = value;
    }
    body
}

/// What of a request of Chat Completions is sent, beside the model, the bound and the first message.
#[track_caller]
fn check(traits: &Traits, members: Value, wanted: Value, lost: &[&str]) {
    let (body, encoded) = chat(&ask(members), traits);
    let Value::Object(wanted) = wanted else { panic!("{wanted}") };
    for (key, value) in &wanted {
        assert_eq!(&body[key], value, "{key} of {body}");
    }
    let known = ["model", "max_tokens", "messages"];
    let extra: Vec<_> =
        body.as_object().unwrap().keys().filter(|key| !known.contains(&key.as_str())).collect();
    assert!(extra.iter().all(|key| wanted.get(key.as_str()).is_some()), "{body}");
    assert_eq!(losses(&encoded), lost, "{body}");
}

fn quirky(words: &[&str]) -> Traits {
    Traits { quirks: words.iter().map(|word| (*word).to_owned()).collect(), ..Traits::default() }
}

fn reasons(control: ReasoningControl) -> Traits {
    Traits { reasoning: control, ..Traits::default() }
}

const NONE: &[&str] = &[];

#[test]
fn sampling_has_ranges() {
    let plain = Traits::default();
    let check = |members, wanted, lost: &[&str]| check(&plain, members, wanted, lost);
    check(json!({ "temperature": 0.5, "top_p": 0.9 }), json!({ "temperature": 0.5, "top_p": 0.9 }), NONE);
    check(
        json!({ "temperature": 1.7 }),
        json!({ "temperature": 1.0 }),
        &["sampling.temperature approximated"],
    );
    check(json!({ "n": 1, "seed": 7, "presence_penalty": 0 }), json!({}), &["sampling.seed dropped"]);
    check(json!({ "n": 2 }), json!({}), &["sampling.candidates unsupported"]);
    check(json!({ "logprobs": true, "top_logprobs": 2 }), json!({}), &["sampling.logprobs unsupported"]);
    check(json!({ "frequency_penalty": 1 }), json!({}), &["sampling.frequency_penalty dropped"]);
    let stop = json!({ "stop_sequences": ["END"] });
    check(json!({ "stop": ["END", "\n"] }), stop, &["sampling.stop[1] unsupported"]);
}

#[test]
fn a_model_may_take_less() {
    let check = |quirk: &str, members, wanted, lost: &[&str]| check(&quirky(&[quirk]), members, wanted, lost);
    let both = json!({ "temperature": 0.5, "top_p": 0.9 });
    let neither = ["sampling.temperature dropped", "sampling.top_p dropped"];
    check("no_sampling", both.clone(), json!({}), &neither);
    check("one_sampler", both, json!({ "temperature": 0.5 }), &["sampling.top_p dropped"]);
    let off = json!({ "reasoning_effort": "none" });
    check(
        "always_thinks",
        off,
        json!({ "output_config": { "effort": "low" } }),
        &["reasoning.mode approximated"],
    );
}

#[test]
fn a_tool_is_forced_where_the_model_can_be_made_to_call_one() {
    let members = |effort: Option<&str>| {
        let tool =
            json!({ "type": "function", "function": { "name": "f", "parameters": { "type": "object" } } });
        let mut members = json!({ "tools": [tool], "tool_choice": "required" });
        if let Some(effort) = effort {
            members["reasoning_effort"] = json!(effort);
        }
        members
    };
    let wanted = |choice: &str, more: Value| {
        let tool = json!({ "name": "f", "input_schema": { "type": "object" } });
        let mut wanted = json!({ "tools": [tool], "tool_choice": { "type": choice } });
        wanted.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        wanted
    };
    let adaptive = |words: &[&str]| Traits {
        reasoning: ReasoningControl::Adaptive(vec![
            shim_ir::Effort::None,
            shim_ir::Effort::Low,
            shim_ir::Effort::High,
        ]),
        ..quirky(words)
    };
    let effort = json!({ "effort": "high" });
    let auto = ["tool_choice approximated"];
    check(&quirky(&["no_forced_tools"]), members(None), wanted("auto", json!({})), &auto);
    let off = json!({ "thinking": { "type": "disabled" }, "output_config": effort });
    let thinking = adaptive(&["no_forced_tools_thinking"]);
    check(&thinking, members(Some("high")), wanted("any", off), &["reasoning approximated"]);
    check(&thinking, members(None), wanted("any", json!({})), NONE);
    let on = json!({ "thinking": { "type": "adaptive" }, "output_config": effort });
    check(&adaptive(&[]), members(Some("high")), wanted("any", on.clone()), NONE);
    check(&adaptive(&["no_forced_tools"]), members(Some("high")), wanted("auto", on), &auto);
}

#[test]
fn parameters_are_an_object_at_their_top() {
    let told = |schema: Value| {
        let tool = json!({ "type": "function", "function": { "name": "f", "parameters": schema } });
        let body =
            json!({ "model": "m", "messages": [{ "role": "user", "content": "hi" }], "tools": [tool] });
        let (body, encoded) = chat(&body, &Traits::default());
        let lost: Vec<_> = losses(&encoded).into_iter().filter(|loss| loss.contains("tools")).collect();
        (body["tools"][0]["input_schema"].clone(), lost)
    };
    let (schema, lost) = told(json!({ "type": "object", "oneOf": [
        { "properties": { "a": { "type": "string" } }, "required": ["a"] },
        { "properties": { "b": { "type": "string" } }, "required": ["b"] },
    ] }));
    assert_eq!(schema["properties"], json!({ "a": { "type": "string" }, "b": { "type": "string" } }));
    assert!(schema.get("oneOf").is_none() && schema["description"].as_str().unwrap().contains("oneOf"));
    assert_eq!(lost, ["tools[0].parameters approximated"]);
    let (schema, lost) = told(json!({ "allOf": [{ "properties": { "a": {} }, "required": ["a"] }] }));
    assert_eq!(schema, json!({ "type": "object", "properties": { "a": {} }, "required": ["a"] }));
    assert_eq!(lost, NONE);
}

#[test]
fn a_bound_on_the_output_is_required() {
    let bare = json!({ "model": "m", "messages": [{ "role": "user", "content": "hi" }] });
    let sent = |body: &Value, traits: &Traits| {
        let (body, encoded) = chat(body, traits);
        (body["max_tokens"].as_u64().unwrap(), losses(&encoded))
    };
    let known = Traits { output_max: Some(Tokens(64_000)), ..Traits::default() };
    let defaulted = || vec!["sampling.output_max defaulted".to_owned()];
    assert_eq!(sent(&bare, &Traits::default()), (8_192, defaulted()));
    assert_eq!(sent(&bare, &known), (64_000, defaulted()));
    assert_eq!(sent(&ask(json!({})), &known), (100, vec![]));
    let (most, lost) = sent(&ask(json!({ "max_tokens": 99_999 })), &known);
    assert_eq!((most, lost), (64_000, vec!["sampling.output_max approximated".to_owned()]));
}

#[test]
fn effort_is_asked_for_as_the_model_knows_it() {
    use shim_ir::Effort::{High, Low, Max, Medium};
    let effort = |word: &str| json!({ "max_tokens": 50_000, "reasoning_effort": word });
    let adaptive = reasons(ReasoningControl::Adaptive(vec![Low, Medium, High, Max]));
    let thinks =
        |word: &str| json!({ "thinking": { "type": "adaptive" }, "output_config": { "effort": word } });
    check(&adaptive, effort("high"), thinks("high"), NONE);
    check(&adaptive, effort("minimal"), thinks("low"), &["reasoning.effort approximated"]);
    check(&adaptive, effort("none"), json!({ "thinking": { "type": "disabled" } }), NONE);
    let budget = reasons(ReasoningControl::Budget { min: Tokens(1_024), max: Tokens(32_000), off: true });
    let enabled = |budget: u64| json!({ "thinking": { "type": "enabled", "budget_tokens": budget } });
    check(&budget, effort("high"), enabled(24_576), &["reasoning.effort approximated"]);
    check(&budget, effort("none"), json!({ "thinking": { "type": "disabled" } }), NONE);
    let few = json!({ "max_tokens": 2_000, "reasoning_effort": "high" });
    let fitted = ["reasoning.effort approximated", "reasoning.budget approximated"];
    check(&budget, few, enabled(1_999), &fitted);
    let none = ["reasoning.effort approximated", "reasoning approximated"];
    let disabled = json!({ "thinking": { "type": "disabled" } });
    check(&budget, json!({ "max_tokens": 500, "reasoning_effort": "low" }), disabled, &none);
    check(&reasons(ReasoningControl::None), effort("high"), json!({}), &["reasoning dropped"]);
    let unknown = Traits::default();
    check(&unknown, effort("high"), json!({ "output_config": { "effort": "high" } }), NONE);
}

#[test]
fn a_model_that_thinks_takes_less() {
    let adaptive = reasons(ReasoningControl::Adaptive(vec![shim_ir::Effort::High]));
    let members = json!({ "reasoning_effort": "high", "temperature": 0.2, "top_p": 0.5 });
    let wanted = json!({
        "thinking": { "type": "adaptive" }, "output_config": { "effort": "high" }, "top_p": 0.95
    });
    check(&adaptive, members, wanted, &["sampling.temperature dropped", "sampling.top_p approximated"]);
    let tool = json!({ "type": "function", "function": { "name": "f", "parameters": { "type": "object" } } });
    let forced =
        json!({ "max_tokens": 9_000, "reasoning_effort": "low", "tools": [tool], "tool_choice": "required" });
    let budget = reasons(ReasoningControl::Budget { min: Tokens(1_024), max: Tokens(32_000), off: true });
    let wanted = json!({
        "thinking": { "type": "disabled" },
        "tools": [{ "name": "f", "input_schema": { "type": "object" } }],
        "tool_choice": { "type": "any" }
    });
    check(&budget, forced, wanted, &["reasoning.effort approximated", "reasoning approximated"]);
}

#[test]
fn tools_get_names_that_are_taken() {
    let function = |name: &str| json!({ "type": "function", "function": { "name": name } });
    let body = ask(json!({
        "tools": [function("a.b"), function("a_b"), function("ok")],
        "tool_choice": { "type": "function", "function": { "name": "a.b" } },
        "parallel_tool_calls": false,
    }));
    let (body, encoded) = chat(&body, &Traits::default());
    let names: Vec<_> = body["tools"].as_array().unwrap().iter().map(|tool| tool["name"].clone()).collect();
    assert_eq!(names, ["a_b_2", "a_b", "ok"]);
    let choice = json!({ "type": "tool", "name": "a_b_2", "disable_parallel_tool_use": true });
    assert_eq!(body["tool_choice"], choice);
    let sent: Vec<_> = encoded.echo.tools.iter().map(|tool| (&*tool.sent, &*tool.name)).collect();
    assert_eq!((sent, losses(&encoded)), (vec![("a_b_2", "a.b")], vec![]));
}

#[test]
fn free_text_and_groups_are_functions() {
    let body = json!({
        "model": "m", "max_output_tokens": 9,
        "input": [
            { "role": "user", "content": "hi" },
            { "type": "custom_tool_call", "call_id": "c1", "name": "patch", "input": "*** Begin" },
            { "type": "custom_tool_call_output", "call_id": "c1", "output": "done" },
            { "type": "function_call", "call_id": "c2", "name": "look", "namespace": "crm", "arguments": "{}" },
            { "type": "function_call_output", "call_id": "c2", "output": "seen" },
        ],
        "tools": [
            { "type": "custom", "name": "patch", "description": "Patches." },
            { "type": "namespace", "name": "crm", "tools": [{ "type": "function", "name": "look", "parameters": { "type": "object" } }] },
        ],
    });
    let (body, encoded) = responses(&body, &Traits::default());
    assert_eq!(losses(&encoded), NONE);
    let names: Vec<_> = body["tools"].as_array().unwrap().iter().map(|tool| tool["name"].clone()).collect();
    assert_eq!(names, ["patch", "crm__look"]);
    assert_eq!(body["tools"][0]["input_schema"]["required"], json!(["input"]));
    let messages = json!([
        { "role": "user", "content": "hi" },
        { "role": "assistant", "content": [{ "type": "tool_use", "id": "c1", "name": "patch", "input": { "input": "*** Begin" } }] },
        { "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "c1", "content": "done" }] },
        { "role": "assistant", "content": [{ "type": "tool_use", "id": "c2", "name": "crm__look", "input": {} }] },
        { "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "c2", "content": "seen" }] },
    ]);
    assert_eq!(body["messages"], messages);
    let echo: Vec<_> = encoded
        .echo
        .tools
        .iter()
        .map(|tool| (&*tool.sent, tool.free_text, tool.rest.get("namespace").map(|n| n.get())))
        .collect();
    assert_eq!(echo, [("patch", true, None), ("crm__look", false, Some("\"crm\""))]);
}

#[test]
fn own_tools_of_others_have_counterparts() {
    let body = |tools: Value| json!({ "model": "m", "max_output_tokens": 9, "input": "hi", "tools": tools });
    let search = json!([{ "type": "web_search", "filters": { "allowed_domains": ["a.b"] }, "search_context_size": "low" }]);
    let (sent, encoded) = responses(&body(search), &Traits::default());
    let wanted = json!([{ "type": "web_search_20250305", "name": "web_search", "allowed_domains": ["a.b"] }]);
    assert_eq!(
        (&sent["tools"], losses(&encoded)),
        (&wanted, vec!["tools[0].search_context_size dropped".to_owned()])
    );
    let (sent, encoded) =
        responses(&body(json!([{ "type": "file_search", "vector_store_ids": ["v"] }])), &Traits::default());
    assert!(sent.get("tools").is_none());
    assert_eq!(losses(&encoded), ["tools[0] unsupported"]);
    let (_, encoded) = responses(&body(json!([{ "type": "web_search" }])), &quirky(&["no_server_tools"]));
    assert_eq!(losses(&encoded), ["tools[0] unsupported"]);
    let google = json!({ "contents": [{ "parts": [{ "text": "hi" }] }], "tools": [{ "codeExecution": {} }, { "googleSearch": {} }] });
    let (sent, _) = gemini(&google, &Traits::default());
    let kinds: Vec<_> = sent["tools"].as_array().unwrap().iter().map(|tool| tool["type"].clone()).collect();
    assert_eq!(kinds, ["code_execution_20250825", "web_search_20250305"]);
}

#[test]
fn a_schema_is_made_to_fit() {
    let schema = json!({ "type": "object", "properties": { "n": { "type": "integer", "minimum": 1, "description": "d" } }, "additionalProperties": false });
    let format = |schema: &Value| json!({ "response_format": { "type": "json_schema", "json_schema": { "name": "x", "schema": schema } } });
    let plain = json!({ "type": "object", "properties": { "n": { "type": "integer" } }, "additionalProperties": false });
    let wanted = |schema: &Value| json!({ "output_config": { "format": { "type": "json_schema", "schema": schema } } });
    let known = Traits::default();
    check(&known, format(&plain), wanted(&plain), &["output.name dropped"]);
    let mut told = plain.clone();
    told["properties"]["n"]["description"] = json!("d\n\n{minimum: 1}");
    let lost = ["output.name dropped", "output.schema approximated"];
    check(&known, format(&schema), wanted(&told), &lost);
    let open = json!({ "type": "object", "properties": {} });
    let closed = json!({ "type": "object", "properties": {}, "additionalProperties": false });
    check(&known, format(&open), wanted(&closed), &["output.name dropped"]);
}

#[test]
fn an_answer_in_json_may_be_a_call() {
    let none = Traits { schema: Some(false), ..Traits::default() };
    let schema = json!({ "type": "object", "properties": {} });
    let format = json!({ "type": "json_schema", "json_schema": { "name": "x", "schema": schema } });
    let (body, encoded) = chat(&ask(json!({ "response_format": format })), &none);
    assert_eq!(body["tools"][0]["input_schema"], schema);
    assert_eq!(encoded.echo.json_tool.as_deref(), Some("answer_in_json"));
    let choice = json!({ "type": "tool", "name": "answer_in_json", "disable_parallel_tool_use": true });
    assert_eq!(body["tool_choice"], choice);
    let (body, encoded) =
        chat(&ask(json!({ "response_format": { "type": "json_object" } })), &Traits::default());
    assert_eq!(body["tools"][0]["name"], "answer_in_json");
    assert_eq!(losses(&encoded), ["output approximated"]);
}

/// The messages of a request of Chat Completions, and what was lost.
fn messages(messages: Value, traits: &Traits) -> (Value, Vec<String>) {
    let mut ask = json!({ "model": "m", "max_tokens": 9 });
    ask["messages"] = messages;
    let (body, encoded) = chat(&ask, traits);
    (json!([body["system"], body["messages"]]), losses(&encoded))
}

#[test]
fn the_operator_speaks_first_or_through_the_user() {
    let said = json!([
        { "role": "system", "content": "be brief" },
        { "role": "developer", "content": "be kind" },
        { "role": "user", "content": "hi" },
        { "role": "system", "content": "be quick" },
        { "role": "assistant", "content": "ho" },
    ]);
    let text = |text: &str| json!({ "type": "text", "text": text });
    let system = json!([text("be brief"), text("be kind")]);
    let told = json!([system, [
        { "role": "user", "content": [text("hi"), text("<system>\nbe quick\n</system>")] },
        { "role": "assistant", "content": "ho" },
    ]]);
    let lost = vec!["turns[3].role approximated".to_owned()];
    assert_eq!(messages(said.clone(), &Traits::default()), (told, lost));
    let apart = json!([system, [
        { "role": "user", "content": "hi" },
        { "role": "system", "content": "be quick" },
        { "role": "assistant", "content": "ho" },
    ]]);
    assert_eq!(messages(said, &quirky(&["mid_system"])), (apart, vec![]));
}

#[test]
fn results_come_first_and_together() {
    let call =
        |id: &str| json!({ "id": id, "type": "function", "function": { "name": "f", "arguments": "" } });
    let said = json!([
        { "role": "user", "content": "hi" },
        { "role": "assistant", "content": "", "tool_calls": [call("functions.f:0"), call("b")] },
        { "role": "system", "content": "careful" },
        { "role": "tool", "tool_call_id": "b", "content": "two" },
        { "role": "tool", "tool_call_id": "functions.f:0", "content": [{ "type": "text", "text": "one" }] },
        { "role": "user", "content": "go on" },
    ]);
    let text = |text: &str| json!({ "type": "text", "text": text });
    let used = |id: &str| json!({ "type": "tool_use", "id": id, "name": "f", "input": {} });
    let gave =
        |id: &str, content: &str| json!({ "type": "tool_result", "tool_use_id": id, "content": content });
    let wanted = json!([null, [
        { "role": "user", "content": "hi" },
        { "role": "assistant", "content": [used("functions_f_0"), used("b")] },
        { "role": "user", "content": [
            gave("b", "two"), gave("functions_f_0", "one"), text("<system>\ncareful\n</system>"), text("go on"),
        ] },
    ]]);
    assert_eq!(messages(said, &Traits::default()), (wanted, vec!["turns[2].role approximated".to_owned()]));
}

#[test]
fn calls_without_ids_get_the_same_as_their_results() {
    let body = json!({ "contents": [
        { "role": "user", "parts": [{ "text": "hi" }] },
        { "role": "model", "parts": [
            { "functionCall": { "name": "f", "args": { "x": 1 } }, "thoughtSignature": "AA" },
            { "functionCall": { "name": "g", "args": {} } },
            { "functionCall": { "name": "f", "args": { "x": 2 } } },
        ] },
        { "role": "user", "parts": [
            { "functionResponse": { "name": "g", "response": { "r": 0 } } },
            { "functionResponse": { "name": "f", "response": { "r": 1 } } },
            { "functionResponse": { "name": "f", "response": { "error": "no" } } },
        ] },
    ] });
    let (body, encoded) = gemini(&body, &Traits::default());
    let ids = |message: usize, key: &str| -> Vec<String> {
        let blocks = body["messages"][message]["content"].as_array().unwrap();
        blocks.iter().map(|block| block[key].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(1, "id"), ["toolu_made_1", "toolu_made_2", "toolu_made_3"]);
    assert_eq!(ids(2, "tool_use_id"), ["toolu_made_2", "toolu_made_1", "toolu_made_3"]);
    assert_eq!(body["messages"][2]["content"][2]["is_error"], true);
    assert_eq!(losses(&encoded), ["sampling.output_max defaulted", "turns[1].parts[0].opaque dropped"]);
}

#[test]
fn only_signed_thinking_goes_back() {
    let said = json!([
        { "role": "user", "content": "hi" },
        { "role": "assistant", "content": "ho", "reasoning_content": "hm" },
        { "role": "user", "content": "and?" },
    ]);
    let (sent, lost) = messages(said.clone(), &Traits::default());
    assert_eq!(sent[1][1], json!({ "role": "assistant", "content": "ho" }));
    assert_eq!(lost, ["turns[1].parts[0] dropped"]);
    let (sent, lost) = messages(said, &quirky(&["unsigned_thinking"]));
    let thinking = json!({ "type": "thinking", "thinking": "hm", "signature": "" });
    assert_eq!((&sent[1][1]["content"][0], lost), (&thinking, vec![]));
}

#[test]
fn media_is_taken_or_refused() {
    let image = |url: &str| json!({ "type": "image_url", "image_url": { "url": url } });
    let file =
        |data: &str, name: &str| json!({ "type": "file", "file": { "file_data": data, "filename": name } });
    let sent = |part: Value, traits: &Traits| {
        let (sent, lost) = messages(
            json!([{ "role": "user", "content": [{ "type": "text", "text": "see" }, part] }]),
            traits,
        );
        (sent[1][0]["content"][1].clone(), lost)
    };
    let plain = Traits::default();
    let taken = |part: Value, wanted: Value| assert_eq!(sent(part, &plain), (wanted, vec![]));
    let refused = |part: Value, traits: &Traits| {
        assert_eq!(sent(part, traits), (Value::Null, vec!["turns[0].parts[1] unsupported".to_owned()]));
    };
    taken(
        image("https://a/b.png"),
        json!({ "type": "image", "source": { "type": "url", "url": "https://a/b.png" } }),
    );
    taken(
        image("data:image/png;base64,iVBORw0KGgo="),
        json!({ "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo=" } }),
    );
    taken(
        file("data:application/pdf;base64,JVBERi0=", "a.pdf"),
        json!({ "type": "document", "source": { "type": "base64", "media_type": "application/pdf", "data": "JVBERi0=" }, "title": "a.pdf" }),
    );
    taken(
        file("data:text/csv;base64,YSxi", "a.csv"),
        json!({ "type": "document", "source": { "type": "text", "media_type": "text/plain", "data": "a,b" }, "title": "a.csv" }),
    );
    refused(image("https://a/b.png"), &quirky(&["inline_media"]));
    refused(image("data:image/tiff;base64,AA=="), &plain);
    refused(json!({ "type": "input_audio", "input_audio": { "data": "AA==", "format": "wav" } }), &plain);
    refused(json!({ "type": "file", "file": { "file_id": "file-abc" } }), &plain);
    refused(image("https://a/b.png"), &Traits { media: Some(vec![]), ..Traits::default() });
}

#[test]
fn no_more_than_four_cache_marks_are_sent() {
    let marked =
        |text: &str| json!({ "type": "text", "text": text, "cache_control": { "type": "ephemeral" } });
    let (sent, lost) = messages(
        json!([
            { "role": "system", "content": [marked("a")] },
            { "role": "user", "content": [marked("b"), marked("c"), marked("d"), marked("e")] },
        ]),
        &Traits::default(),
    );
    assert!(sent[0][0].get("cache_control").is_none());
    let ephemeral = json!({ "type": "ephemeral" });
    assert!(
        sent[1][0]["content"].as_array().unwrap().iter().all(|block| block["cache_control"] == ephemeral)
    );
    assert_eq!(lost, ["turns[0].parts[0].cache dropped"]);
}

#[test]
fn what_only_others_have_is_told() {
    let plain = Traits::default();
    let check = |members, wanted, lost: &[&str]| check(&plain, members, wanted, lost);
    let user = json!({ "metadata": { "user_id": "u" } });
    check(json!({ "user": "u", "metadata": { "a": "b" } }), user, NONE);
    check(json!({ "service_tier": "default" }), json!({ "service_tier": "standard_only" }), NONE);
    check(json!({ "service_tier": "flex" }), json!({}), &["service_tier dropped"]);
    check(json!({ "modalities": ["text", "audio"] }), json!({}), &["modalities unsupported"]);
    check(
        json!({ "store": true, "prompt_cache_key": "k" }),
        json!({}),
        &["state.store dropped", "cache_key dropped"],
    );
    check(json!({ "verbosity": "low" }), json!({}), &["verbosity dropped"]);
    let search = json!({ "web_search_options": { "search_context_size": "low", "user_location": {
        "type": "approximate", "approximate": { "city": "Bonn" },
    } } });
    let here = json!({ "type": "approximate", "city": "Bonn" });
    let tool = json!({ "type": "web_search_20250305", "name": "web_search", "user_location": here });
    check(search, json!({ "tools": [tool] }), &["tools[0].search_context_size dropped"]);
    let previous =
        json!({ "model": "m", "max_output_tokens": 9, "input": "hi", "previous_response_id": "r" });
    assert_eq!(losses(&responses(&previous, &plain).1), ["state.previous unsupported"]);
}

#[test]
fn tokens_are_counted_without_an_answer() {
    let traits = Traits::default();
    let route = OpenaiChat.route("POST", "/v1/chat/completions", None).unwrap();
    let body = ask(json!({ "stream": true, "temperature": 0.5 }));
    let request = OpenaiChat.decode_request(&route, &body.to_string()).unwrap();
    let goal = Goal { operation: Operation::CountTokens, model: "claude", traits: &traits, seed: "s" };
    let encoded = AnthropicMessages.encode_request(&request, &goal);
    assert_eq!(encoded.body.to_text(), r#"{"model":"claude","messages":[{"role":"user","content":"hi"}]}"#);
    assert_eq!(encoded.losses, []);
    let counted = AnthropicMessages.decode_response(r#"{"input_tokens":12}"#).unwrap();
    assert!(counted.candidates.is_empty());
    let mut asker = asker(&request, Framing::Sse);
    asker.operation = Operation::CountTokens;
    let told = AnthropicMessages.encode_response(&counted, &asker);
    assert_eq!(std::str::from_utf8(&told.body), Ok(r#"{"input_tokens":12}"#));
}
