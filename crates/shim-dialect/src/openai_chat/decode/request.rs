//! Requests.

use serde::Deserialize;
use serde_json::value::RawValue;
use shim_ir::{
    Effort, MediaKind, OutputFormat, Part, ReasoningAsk, ReasoningMode, Request, Rest, Role, Sampling,
    Schema, ServerState, StreamAsk, Tokens, Tool, ToolCall, ToolCallKind, ToolChoice, ToolKind, ToolResult,
    Turn,
};
use shim_wire::{Members, RawJson, Str, from_json};

use super::answer::message_parts;
use super::content::cache;
use super::{DIALECT, WEB_SEARCH, content, members, note_form, raw, read, rest, string, tells};
use crate::DecodeError;
use crate::common::tag;
use crate::openai_chat::types::{
    self, ChatRequest, Choose, Function, JsonSchema, Message, Reasoning, ResponseFormat, StreamOptions,
    Thinking,
};

/// The body of `POST /chat/completions`.
pub(crate) fn chat(body: &str) -> Result<Request, DecodeError> {
    let mut wire: ChatRequest<'_> = from_json(body)?;
    let messages = std::mem::take(&mut wire.messages);
    let turns = messages
        .into_iter()
        .enumerate()
        .map(|(at, message)| turn(message).map_err(|error| error.under(&format!("messages[{at}]"))));
    let mut turns = turns.collect::<Result<Vec<_>, _>>()?;
    tell_custom_results(&mut turns);
    let mut tools = tools(&mut wire)?;
    let tool_choice = wire.tool_choice.or(wire.function_call).map(tool_choice).transpose()?;
    let sampling = sampling(&mut wire)?;
    let stream = stream(&mut wire)?;
    let reasoning = reasoning(&mut wire)?;
    keep_asked(&mut wire);
    let mut members = rest(wire.rest);
    tools.extend(web_search(&mut members));
    if let (Some(_), Some(older)) = (wire.max_completion_tokens, wire.max_tokens) {
        members.push(DIALECT, "max_tokens", RawJson::from(older));
    }
    Ok(Request {
        model: wire.model.into_string(),
        system: Vec::new(),
        turns,
        tools,
        tool_choice,
        parallel_tool_calls: wire.parallel_tool_calls,
        output: wire.response_format.map(output_format).transpose()?,
        reasoning,
        sampling,
        stream,
        state: ServerState { store: wire.store, ..ServerState::default() },
        modalities: wire.modalities.into_iter().map(Str::into_string).collect(),
        user: wire.user.map(Str::into_string),
        metadata: raw(wire.metadata),
        service_tier: wire.service_tier.map(Str::into_string),
        cache_key: wire.prompt_cache_key.map(Str::into_string),
        rest: members,
    })
}

/// Both bounds on the output may be there; the newer word wins and the other stays in `rest`.
fn sampling(wire: &mut ChatRequest<'_>) -> Result<Sampling, DecodeError> {
    let older_max = wire.max_tokens.map(|raw| read(raw, "max_tokens")).transpose()?;
    Ok(Sampling {
        temperature: wire.temperature,
        top_p: wire.top_p,
        top_k: wire.top_k.map(|raw| read(raw, "top_k")).transpose()?,
        frequency_penalty: wire.frequency_penalty,
        presence_penalty: wire.presence_penalty,
        seed: wire.seed,
        stop: wire.stop.map(stop).transpose()?.unwrap_or_default(),
        output_max: wire.max_completion_tokens.or(older_max).map(Tokens),
        candidates: wire.n,
        logprobs: wire.logprobs,
        top_logprobs: wire.top_logprobs,
    })
}

/// `stop`: one word or several.
fn stop(raw: &RawValue) -> Result<Vec<String>, DecodeError> {
    match string(raw) {
        Some(word) => Ok(vec![word]),
        None => read(raw, "stop"),
    }
}

/// `stream` and `stream_options`; the latter without the former stays in `rest`. A stream that was not asked for its
/// usage does not tell it.
fn stream<'a>(wire: &mut ChatRequest<'a>) -> Result<Option<StreamAsk>, DecodeError> {
    if wire.stream != Some(true) {
        keep(&mut wire.rest, "stream_options", wire.stream_options);
        return Ok(None);
    }
    let Some(options) = wire.stream_options else {
        return Ok(Some(StreamAsk { usage: Some(false), rest: Rest::default() }));
    };
    let options: StreamOptions<'_> = read(options, "stream_options")?;
    Ok(Some(StreamAsk { usage: Some(options.include_usage.unwrap_or(false)), rest: rest(options.rest) }))
}

fn keep<'a>(members: &mut Members<'a>, key: &'static str, value: Option<&'a RawValue>) {
    if let Some(value) = value {
        members.push(key.into(), value);
    }
}

/// Keeps what is not OpenAI's as it was asked, beside what was read of it: so it goes back to who knows it, and to
/// nobody else.
fn keep_asked(wire: &mut ChatRequest<'_>) {
    let asked = [wire.top_k, wire.reasoning, wire.thinking, wire.enable_thinking, wire.thinking_budget];
    for (key, value) in ASKED.into_iter().zip(asked) {
        keep(&mut wire.rest, key, value);
    }
}

/// The members of a request that are not OpenAI's and are read all the same.
pub(crate) const ASKED: [&str; 5] = ["top_k", "reasoning", "thinking", "enable_thinking", "thinking_budget"];

/// What is asked of reasoning, in the words of OpenAI, OpenRouter, DeepSeek and Qwen.
fn reasoning(wire: &mut ChatRequest<'_>) -> Result<Option<ReasoningAsk>, DecodeError> {
    let on: Option<bool> = asked(wire.enable_thinking, "enable_thinking")?;
    let budget: Option<u64> = asked(wire.thinking_budget, "thinking_budget")?;
    let mut ask = ReasoningAsk {
        effort: wire.reasoning_effort.take().map(|word| Effort::parse(&word)),
        mode: on.map(switch),
        budget: budget.map(Tokens),
        ..ReasoningAsk::default()
    };
    if let Some(reasoning) = asked(wire.reasoning, "reasoning")? {
        add_reasoning(&mut ask, reasoning);
    }
    if let Some(thinking) = asked(wire.thinking, "thinking")? {
        add_thinking(&mut ask, thinking);
    }
    Ok((ask != ReasoningAsk::default()).then_some(ask))
}

/// What OpenRouter's object says goes before OpenAI's word.
fn add_reasoning(ask: &mut ReasoningAsk, reasoning: Reasoning<'_>) {
    ask.effort = reasoning.effort.map(|word| Effort::parse(&word)).or(ask.effort.take());
    ask.budget = reasoning.max_tokens.map(Tokens).or(ask.budget);
    ask.mode = reasoning.enabled.map(switch).or(ask.mode);
    ask.show = reasoning.summary.map(Str::into_string);
    ask.rest.merge(rest(reasoning.rest));
}

/// What DeepSeek's object says goes before all else.
fn add_thinking(ask: &mut ReasoningAsk, thinking: Thinking<'_>) {
    ask.mode = thinking.kind.as_deref().and_then(mode).or(ask.mode);
    ask.budget = thinking.budget_tokens.map(Tokens).or(ask.budget);
    ask.rest.merge(rest(thinking.rest));
    keep_word(&mut ask.rest, thinking.kind);
}

fn asked<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>, path: &str) -> Result<Option<T>, DecodeError> {
    raw.map(|raw| read(raw, path)).transpose()
}

fn switch(on: bool) -> ReasoningMode {
    if on { ReasoningMode::On } else { ReasoningMode::Off }
}

/// The mode of a word of `thinking.type`; `None` for another word.
fn mode(word: &str) -> Option<ReasoningMode> {
    match word {
        "enabled" => Some(ReasoningMode::On),
        "disabled" => Some(ReasoningMode::Off),
        "adaptive" | "auto" => Some(ReasoningMode::Adaptive),
        _ => None,
    }
}

/// Keeps a word of `thinking.type` that has no mode.
fn keep_word(members: &mut Rest, word: Option<Str<'_>>) {
    if let Some(word) = word.filter(|word| mode(word).is_none()) {
        members.push(DIALECT, "type", RawJson::string(&word));
    }
}

fn output_format(raw: &RawValue) -> Result<OutputFormat, DecodeError> {
    let format: ResponseFormat<'_> = read(raw, "response_format")?;
    Ok(match (format.kind.as_deref(), format.json_schema) {
        (Some("text"), _) => OutputFormat::Text,
        (Some("json_object"), None) => OutputFormat::JsonObject,
        (Some("json_schema"), Some(schema)) => OutputFormat::Schema(json_schema(schema)),
        _ => OutputFormat::Other(raw.into()),
    })
}

fn json_schema(wire: JsonSchema<'_>) -> Schema {
    let mut members = rest(wire.rest);
    if wire.name.is_none() {
        note_form(&mut members, "nameless");
    }
    Schema {
        name: wire.name.map(Str::into_string),
        description: wire.description.map(Str::into_string),
        schema: wire.schema.map(RawJson::from),
        strict: wire.strict,
        rest: members,
    }
}

/// `tool_choice`, and the legacy `function_call`.
fn tool_choice(raw: &RawValue) -> Result<ToolChoice, DecodeError> {
    if let Some(word) = string(raw) {
        return Ok(match word.as_str() {
            "auto" => ToolChoice::Auto,
            "none" => ToolChoice::None,
            // "any" is Mistral's word.
            "required" | "any" => ToolChoice::Required,
            _ => ToolChoice::Other(raw.into()),
        });
    }
    let choose: Choose<'_> = read(raw, "tool_choice")?;
    let known = match choose.allowed_tools {
        Some(allowed) => Some(ToolChoice::Allowed {
            required: allowed.mode.as_deref() == Some("required"),
            names: allowed.tools.into_iter().filter_map(chosen).collect(),
        }),
        None => chosen(choose).map(ToolChoice::Named),
    };
    Ok(known.unwrap_or_else(|| ToolChoice::Other(raw.into())))
}

/// The name that is chosen.
fn chosen(choose: Choose<'_>) -> Option<String> {
    let named = choose.function.or(choose.custom).map(|named| named.name);
    named.or(choose.name).map(Str::into_string)
}

fn tools(wire: &mut ChatRequest<'_>) -> Result<Vec<Tool>, DecodeError> {
    let listed = std::mem::take(&mut wire.tools).into_iter().enumerate();
    let mut tools = listed.map(|(at, raw)| tool(raw, at)).collect::<Result<Vec<_>, _>>()?;
    tools.extend(std::mem::take(&mut wire.functions).into_iter().map(legacy_function));
    Ok(tools)
}

/// A search of the web, which is asked for beside the tools; `null` asks for none.
fn web_search(beside: &mut Rest) -> Option<Tool> {
    beside.get(WEB_SEARCH).filter(|raw| raw.get().starts_with('{'))?;
    let options: Box<RawValue> = serde_json::from_str(beside.take(WEB_SEARCH)?.get()).ok()?;
    Some(Tool {
        name: WEB_SEARCH.to_owned(),
        description: None,
        kind: ToolKind::Native(WEB_SEARCH.to_owned()),
        cache: None,
        rest: Rest::from_owned(DIALECT, members(&options)),
    })
}

fn tool(raw: &RawValue, at: usize) -> Result<Tool, DecodeError> {
    let path = format!("tools[{at}]");
    let wire: types::Tool<'_> = read(raw, &path)?;
    let kind = wire.kind.as_deref().unwrap_or_default();
    let missing = |name: &str| DecodeError::shape(&*path, format!("missing field `{name}`"));
    let mut tool = match (kind, wire.function, wire.custom) {
        ("function" | "", Some(described), _) => function(described),
        ("function", None, _) => return Err(missing("function")),
        ("custom", _, Some(custom)) => custom_tool(custom),
        ("custom", _, None) => return Err(missing("custom")),
        _ => return Ok(native(tag(raw.get()).unwrap_or_default().into_owned(), raw)),
    };
    tool.cache = cache(wire.cache_control);
    tool.rest.merge(rest(wire.rest));
    Ok(tool)
}

fn function(wire: Function<'_>) -> Tool {
    Tool {
        name: wire.name.into_string(),
        description: wire.description.map(Str::into_string),
        kind: ToolKind::Function { parameters: raw(wire.parameters), strict: wire.strict },
        cache: None,
        rest: rest(wire.rest),
    }
}

/// A function on offer in the deprecated list.
fn legacy_function(wire: Function<'_>) -> Tool {
    let mut tool = function(wire);
    note_form(&mut tool.rest, "functions");
    tool
}

fn custom_tool(wire: types::CustomTool<'_>) -> Tool {
    Tool {
        name: wire.name.into_string(),
        description: wire.description.map(Str::into_string),
        kind: ToolKind::Custom { format: raw(wire.format) },
        cache: None,
        rest: rest(wire.rest),
    }
}

/// A provider's own tool: all that stands beside its `type` are its options.
fn native(kind: String, raw: &RawValue) -> Tool {
    let mut options = Rest::from_owned(DIALECT, members(raw));
    options.take("type");
    note_form(&mut options, "tool");
    Tool { name: kind.clone(), description: None, kind: ToolKind::Native(kind), cache: None, rest: options }
}

fn turn(mut message: Message<'_>) -> Result<Turn, DecodeError> {
    let role = message.role.take().ok_or_else(|| DecodeError::shape(".", "missing field `role`"))?;
    let role = role_of(&role);
    let result = matches!(&role, Role::Tool) || matches!(&role, Role::Other(word) if word == "function");
    if result {
        return tool_turn(role, message);
    }
    let name = message.name.take().map(Str::into_string);
    let forms = Forms::of(&message);
    let (mut parts, members) = message_parts(message)?;
    if role == Role::Assistant {
        forms.note(&mut parts);
    }
    Ok(Turn { role, id: None, name, parts, rest: members })
}

/// The forms of what a message says that not every provider knows.
struct Forms {
    /// The member that reasoning came in.
    reasoning: Option<&'static str>,
    /// How many of the calls are no legacy ones.
    calls: usize,
}

impl Forms {
    fn of(message: &Message<'_>) -> Self {
        let says = |text: &Option<Str<'_>>| text.as_ref().is_some_and(|text| !text.is_empty());
        let reasoning = match (says(&message.reasoning_content), says(&message.reasoning)) {
            (true, _) => Some("reasoning_content"),
            (false, true) => Some("reasoning"),
            (false, false) => {
                message.reasoning_details.filter(|raw| tells(raw.get())).map(|_| "reasoning_details")
            }
        };
        Self { reasoning, calls: message.tool_calls.len() }
    }

    fn note(mut self, parts: &mut [Part]) {
        for part in parts {
            match part {
                Part::Reasoning(r) => note_form(&mut r.rest, self.reasoning.take().unwrap_or("thinking")),
                Part::Media(media) if media.kind == MediaKind::Image => note_form(&mut media.rest, "images"),
                Part::ToolCall(call) => self.note_call(call),
                Part::Text(_)
                | Part::Refusal(_)
                | Part::Media(_)
                | Part::ToolResult(_)
                | Part::ServerResult(_)
                | Part::Foreign(_) => {}
            }
        }
    }

    /// The legacy call comes behind the others.
    fn note_call(&mut self, call: &mut ToolCall) {
        if self.calls == 0 {
            return note_form(&mut call.rest, "function_call");
        }
        self.calls -= 1;
        if !call.opaque.is_empty() {
            note_form(&mut call.rest, "extra_content");
        }
    }
}

/// A result does not say what kind of call it answers; the call before it does.
fn tell_custom_results(turns: &mut [Turn]) {
    let mut custom = Vec::new();
    for part in turns.iter_mut().flat_map(|turn| &mut turn.parts) {
        match part {
            Part::ToolCall(call) if call.kind == ToolCallKind::Custom => custom.push(call.id.clone()),
            Part::ToolResult(result) if custom.contains(&result.call) => result.kind = ToolCallKind::Custom,
            Part::Text(_)
            | Part::Refusal(_)
            | Part::Media(_)
            | Part::Reasoning(_)
            | Part::ToolCall(_)
            | Part::ToolResult(_)
            | Part::ServerResult(_)
            | Part::Foreign(_) => {}
        }
    }
}

fn role_of(word: &str) -> Role {
    match word {
        "system" => Role::System,
        "developer" => Role::Developer,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" => Role::Tool,
        _ => Role::Other(word.to_owned()),
    }
}

/// A message that tells what a tool gave. The legacy role `function` refers to its call by name.
fn tool_turn(role: Role, message: Message<'_>) -> Result<Turn, DecodeError> {
    let call = answered(&role, message.tool_call_id)?;
    let content = content(message.content).map_err(|error| error.under("content"))?;
    let mut members = rest(message.rest);
    let name = message.name.map(Str::into_string);
    note_result(&mut members, &content, name.is_some());
    let result = ToolResult {
        call,
        name,
        content,
        json: false,
        error: false,
        kind: ToolCallKind::Function,
        cache: None,
        rest: members,
    };
    Ok(Turn { role, id: None, name: None, parts: vec![Part::ToolResult(result)], rest: Rest::default() })
}

/// Notes the forms of a result that not every provider knows.
fn note_result(members: &mut Rest, content: &[Part], named: bool) {
    if !matches!(content, [Part::Text(_)] | []) {
        note_form(members, "parts");
    } else if named {
        note_form(members, "named");
    }
}

/// The id of the call that a tool's message answers.
fn answered(role: &Role, id: Option<Str<'_>>) -> Result<String, DecodeError> {
    match id {
        None if *role == Role::Tool => Err(DecodeError::shape(".", "missing field `tool_call_id`")),
        id => Ok(id.map(Str::into_string).unwrap_or_default()),
    }
}
