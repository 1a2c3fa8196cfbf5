//! Requests.

use serde_json::value::RawValue;
use shim_ir::{
    Effort, OutputFormat, Part, ReasoningAsk, ReasoningMode, Request, Rest, Role, Sampling, Schema,
    StreamAsk, Tokens, Tool, ToolChoice, ToolKind, Turn,
};
use shim_wire::{RawJson, Str, from_json};

use super::content::cache;
use super::{APART, DIALECT, MCP, SERVERS, content, keep, object, read, rest};
use crate::DecodeError;
use crate::anthropic_messages::types::{
    self, Choose, JsonOutputFormat, MessageParam, MessagesRequest, MidConversationSystemBlock, Thinking,
};
use crate::common::is_silent;

/// The body of `POST /v1/messages`, and of `POST /v1/messages/count_tokens`.
pub(crate) fn messages(body: &str) -> Result<Request, DecodeError> {
    let mut wire: MessagesRequest<'_> = from_json(body)?;
    let turns = turns(std::mem::take(&mut wire.messages))?;
    let listed = std::mem::take(&mut wire.tools).into_iter().enumerate();
    let tools = listed.map(|(at, wire)| tool(wire).map_err(|error| error.under(&format!("tools[{at}]"))));
    let mut tools = tools.collect::<Result<Vec<_>, _>>()?;
    let mut members = rest(std::mem::take(&mut wire.rest));
    tools.extend(servers(&mut members));
    let (tool_choice, parallel_tool_calls) = tool_choice(wire.tool_choice, &mut members)?;
    let output = output(&wire, &mut members)?;
    let (user, metadata) = metadata(wire.metadata.take());
    Ok(Request {
        model: std::mem::take(&mut wire.model).into_string(),
        system: wire
            .system
            .map(content)
            .transpose()
            .map_err(|error| error.under("system"))?
            .unwrap_or_default(),
        turns,
        tools,
        tool_choice,
        parallel_tool_calls,
        output,
        reasoning: reasoning(&mut wire),
        sampling: sampling(&mut wire),
        stream: (wire.stream == Some(true)).then(StreamAsk::default),
        user,
        metadata,
        service_tier: wire.service_tier.map(Str::into_string),
        rest: members,
        ..Request::default()
    })
}

fn sampling(wire: &mut MessagesRequest<'_>) -> Sampling {
    Sampling {
        temperature: wire.temperature,
        top_p: wire.top_p,
        top_k: wire.top_k,
        stop: std::mem::take(&mut wire.stop_sequences).into_iter().map(Str::into_string).collect(),
        output_max: wire.max_tokens.map(Tokens),
        ..Sampling::default()
    }
}

/// The client's user, and what else `metadata` holds.
fn metadata(wire: Option<types::Metadata<'_>>) -> (Option<String>, Option<RawJson>) {
    let Some(wire) = wire else { return (None, None) };
    let members = rest(wire.rest);
    let others = (!members.is_empty()).then(|| RawJson::parse(&object(&members)).ok()).flatten();
    (wire.user_id.map(Str::into_string), others)
}

/// What form the answer must have. What `output_config` holds beside it and the effort stays in `members`, and so does
/// an older `output_format` that stands beside a newer one.
fn output(wire: &MessagesRequest<'_>, members: &mut Rest) -> Result<Option<OutputFormat>, DecodeError> {
    let config = wire.output_config.as_ref();
    let beside = config.map(|config| rest(config.rest.clone())).unwrap_or_default();
    if let Ok(raw) = RawJson::parse(&object(&beside))
        && !beside.is_empty()
    {
        members.push(DIALECT, "output_config", raw);
    }
    let newer = config.and_then(|config| config.format);
    keep(members, "output_format", wire.output_format.filter(|_| newer.is_some()));
    match (newer, wire.output_format) {
        (Some(raw), _) => json_output_format(raw, "output_config.format").map(Some),
        (None, Some(raw)) => json_output_format(raw, "output_format").map(Some),
        (None, None) => Ok(None),
    }
}

/// A schema. Answers are made to fit it exactly, always.
fn json_output_format(raw: &RawValue, path: &str) -> Result<OutputFormat, DecodeError> {
    let wire: JsonOutputFormat<'_> = read(raw, path)?;
    Ok(match (wire.kind.as_deref(), wire.schema) {
        (Some("json_schema"), Some(schema)) => OutputFormat::Schema(Schema {
            schema: Some(schema.into()),
            strict: Some(true),
            rest: rest(wire.rest),
            ..Schema::default()
        }),
        (Some("json_schema"), None) => return Err(DecodeError::shape(path, "missing field `schema`")),
        _ => OutputFormat::Other(raw.into()),
    })
}

/// What is asked of reasoning: `thinking`, and `output_config.effort`.
fn reasoning(wire: &mut MessagesRequest<'_>) -> Option<ReasoningAsk> {
    let effort = wire.output_config.as_mut().and_then(|config| config.effort.take());
    let mut ask = ReasoningAsk { effort: effort.map(|word| Effort::parse(&word)), ..ReasoningAsk::default() };
    if let Some(thinking) = wire.thinking.take() {
        think(&mut ask, thinking);
    }
    (ask != ReasoningAsk::default()).then_some(ask)
}

fn think(ask: &mut ReasoningAsk, wire: Thinking<'_>) {
    ask.rest = rest(wire.rest);
    ask.budget = wire.budget_tokens.map(Tokens);
    ask.show = wire.display.map(Str::into_string);
    ask.mode = match wire.kind.as_deref() {
        Some("enabled") => Some(ReasoningMode::On),
        Some("disabled") => Some(ReasoningMode::Off),
        Some("adaptive") => Some(ReasoningMode::Adaptive),
        Some(word) => {
            ask.rest.push(DIALECT, "type", RawJson::string(word));
            None
        }
        None => None,
    };
}

/// Which tools may be called, and whether several at once. What else a known choice says stays in `members`.
fn tool_choice(
    raw: Option<&RawValue>,
    members: &mut Rest,
) -> Result<(Option<ToolChoice>, Option<bool>), DecodeError> {
    let Some(raw) = raw else { return Ok((None, None)) };
    let wire: Choose<'_> = read(raw, "tool_choice")?;
    let choice = match (wire.kind.as_deref(), wire.name) {
        (Some("auto"), None) => ToolChoice::Auto,
        (Some("any"), None) => ToolChoice::Required,
        (Some("none"), None) => ToolChoice::None,
        (Some("tool"), Some(name)) => ToolChoice::Named(name.into_string()),
        (Some("tool"), None) => return Err(DecodeError::shape("tool_choice", "missing field `name`")),
        _ => ToolChoice::Other(raw.into()),
    };
    let told = matches!(choice, ToolChoice::Other(_)) || is_silent(&wire.rest);
    keep(members, "tool_choice", Some(raw).filter(|_| !told));
    Ok((Some(choice), wire.disable_parallel_tool_use.map(|disabled| !disabled)))
}

/// A tool of the client, or one of Anthropic's own with its options.
fn tool(wire: types::Tool<'_>) -> Result<Tool, DecodeError> {
    let missing = |name: &str| DecodeError::shape(".", format!("missing field `{name}`"));
    let mut options = rest(wire.rest);
    let own = wire.kind.filter(|kind| &**kind != "custom").map(Str::into_string);
    let name = wire.name.map(Str::into_string).or_else(|| own.clone()).ok_or_else(|| missing("name"))?;
    let kind = match own {
        Some(kind) => {
            keep(&mut options, "input_schema", wire.input_schema);
            let strict = wire.strict.and_then(|strict| RawJson::parse(&strict.to_string()).ok());
            strict.into_iter().for_each(|strict| options.push(DIALECT, "strict", strict));
            ToolKind::Native(kind)
        }
        None => {
            let schema = wire.input_schema.ok_or_else(|| missing("input_schema"))?;
            ToolKind::Function { parameters: Some(schema.into()), strict: wire.strict }
        }
    };
    let description = wire.description.map(Str::into_string);
    Ok(Tool { name, description, kind, cache: cache(wire.cache_control), rest: options })
}

/// The servers whose tools the provider calls, each as a tool; they stay as they are where one has no name.
fn servers(members: &mut Rest) -> Vec<Tool> {
    let list = members.get(SERVERS).and_then(|raw| serde_json::from_str::<Vec<&RawValue>>(raw.get()).ok());
    let tools: Option<Vec<Tool>> =
        list.map(|list| list.into_iter().map(server).collect()).unwrap_or_default();
    match tools {
        Some(tools) if !tools.is_empty() => {
            members.take(SERVERS);
            tools
        }
        Some(_) | None => Vec::new(),
    }
}

fn server(raw: &RawValue) -> Option<Tool> {
    let mut options = super::members(raw.get())?;
    let name: String = serde_json::from_str(options.get("name")?.get()).ok()?;
    options.take("name");
    // A server without an address is none.
    options.get("url")?;
    Some(Tool { name, description: None, kind: ToolKind::Native(MCP.into()), cache: None, rest: options })
}

fn turns(messages: Vec<MessageParam<'_>>) -> Result<Vec<Turn>, DecodeError> {
    let mut turns = Vec::new();
    let mut before = None;
    for (at, message) in messages.into_iter().enumerate() {
        let role = role_of(&message.role);
        let apart = role == Role::System || before.as_ref() == Some(&role);
        add_turns(message, apart, &mut turns)
            .map_err(|error| error.under(&format!("messages[{at}].content")))?;
        before = Some(role);
    }
    Ok(turns)
}

/// Adds the turn of a message, or the turns, where the operator says something in the middle of it. `apart` is kept: no
/// other place says where the message begins.
fn add_turns(message: MessageParam<'_>, apart: bool, turns: &mut Vec<Turn>) -> Result<(), DecodeError> {
    let before = turns.len();
    let mut open = turn(role_of(&message.role), Vec::new(), rest(message.rest));
    if apart && let Ok(raw) = RawJson::parse("true") {
        open.rest.push(DIALECT, APART, raw);
    }
    for (at, part) in content(message.content)?.into_iter().enumerate() {
        if let Part::Foreign(block) = &part
            && block.kind == "mid_conv_system"
        {
            let system =
                mid_conversation_system_block(&block.raw).map_err(|error| error.under(&format!("[{at}]")))?;
            let after = turn(open.role.clone(), Vec::new(), Rest::default());
            turns.extend(Some(std::mem::replace(&mut open, after)).filter(|turn| !turn.parts.is_empty()));
            turns.push(system);
        } else {
            open.parts.push(part);
        }
    }
    if !open.parts.is_empty() || turns.len() == before {
        turns.push(open);
    }
    Ok(())
}

fn turn(role: Role, parts: Vec<Part>, rest: Rest) -> Turn {
    Turn { role, id: None, name: None, parts, rest }
}

/// The operator's words in the middle of a message are a turn of their own; that they were a block is in `rest`.
fn mid_conversation_system_block(raw: &RawJson) -> Result<Turn, DecodeError> {
    let wire: MidConversationSystemBlock<'_> = from_json(raw.get())?;
    let parts = content(wire.content).map_err(|error| error.under("content"))?;
    Ok(turn(Role::System, parts, rest(wire.rest)))
}

fn role_of(word: &str) -> Role {
    match word {
        "system" => Role::System,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        _ => Role::Other(word.to_owned()),
    }
}
