//! Requests.

use serde_json::value::RawValue;
use shim_ir::{
    Effort, OutputFormat, Part, ReasoningAsk, ReasoningMode, Request, Rest, Role, Sampling, Schema,
    ServerState, StreamAsk, Text, Tokens, Tool, ToolChoice, ToolKind, Turn,
};
use shim_wire::{JsonString, RawJson, Str, from_json};

use super::item::item;
use super::{DIALECT, STORE, is_array, members, object, raw, read, rest, string};
use crate::DecodeError;
use crate::common::{is_silent, quoted, tag};
use crate::openai_responses::types::{self, Choose, ResponseRequest, TextFormat};

/// The body of `POST /responses`, and of the requests beside it.
pub(crate) fn request(body: &str) -> Result<Request, DecodeError> {
    let mut wire: ResponseRequest<'_> = from_json(body)?;
    let mut members = rest(std::mem::take(&mut wire.rest));
    mark(wire.store, &mut members);
    let included = included(&mut wire, &mut members);
    let system = wire.instructions.map(|raw| instructions(raw, &mut members)).unwrap_or_default();
    Ok(Request {
        system,
        turns: wire.input.map(input).transpose()?.unwrap_or_default(),
        tools: tools(std::mem::take(&mut wire.tools), "tools")?,
        tool_choice: wire.tool_choice.map(tool_choice).transpose()?,
        parallel_tool_calls: wire.parallel_tool_calls,
        output: wire.text.take().map(|text| text_config(text, &mut members)).transpose()?.flatten(),
        reasoning: reasoning(&mut wire, &included),
        sampling: sampling(&wire, &included),
        stream: stream(&wire, &mut members),
        state: ServerState {
            store: wire.store,
            previous: wire.previous_response_id.map(Str::into_string),
            conversation: raw(wire.conversation),
            background: wire.background,
        },
        modalities: Vec::new(),
        user: wire.user.map(Str::into_string),
        metadata: raw(wire.metadata),
        service_tier: wire.service_tier.map(Str::into_string),
        cache_key: wire.prompt_cache_key.map(Str::into_string),
        model: wire.model.into_string(),
        rest: members,
    })
}

/// Keeps `store` beside its own place too, as [`STORE`] says.
fn mark(store: Option<bool>, members: &mut Rest) {
    let written = store.map_or("null", |store| if store { "true" } else { "false" });
    if let Ok(raw) = RawJson::parse(written)
        && members.get(STORE).is_none()
    {
        members.push(DIALECT, STORE, raw);
    }
}

/// What `include` asks for that has a place in common terms.
struct Included {
    encrypted: bool,
    logprobs: bool,
}

/// Reads `include`; the words without a place of their own stay in `rest`.
fn included(wire: &mut ResponseRequest<'_>, members: &mut Rest) -> Included {
    let mut included = Included { encrypted: false, logprobs: false };
    let mut others = Vec::new();
    for word in wire.include.take().unwrap_or_default() {
        match &*word {
            "reasoning.encrypted_content" => included.encrypted = true,
            "message.output_text.logprobs" => included.logprobs = true,
            _ => others.push(quoted(&word)),
        }
    }
    let list = RawJson::parse(&format!("[{}]", others.join(","))).ok();
    if let Some(list) = list.filter(|_| !others.is_empty()) {
        members.push(DIALECT, "include", list);
    }
    included
}

/// `instructions`; what is no text stays in `rest`.
fn instructions(raw: &RawValue, members: &mut Rest) -> Vec<Part> {
    match JsonString::read(raw) {
        Some(text) => vec![Part::Text(Text::new(text))],
        None => {
            members.push(DIALECT, "instructions", raw.into());
            Vec::new()
        }
    }
}

/// `input`: text, which the user says, or items, each a turn.
fn input(raw: &RawValue) -> Result<Vec<Turn>, DecodeError> {
    if let Some(text) = JsonString::read(raw) {
        let parts = vec![Part::Text(Text::new(text))];
        return Ok(vec![Turn { role: Role::User, id: None, name: None, parts, rest: Rest::default() }]);
    }
    if !is_array(raw) {
        return Err(DecodeError::shape("input", "expected a string or an array"));
    }
    let items: Vec<&RawValue> = read(raw, "input")?;
    items.into_iter().enumerate().map(|(at, raw)| turn(raw, &format!("input[{at}]"))).collect()
}

fn turn(raw: &RawValue, path: &str) -> Result<Turn, DecodeError> {
    let item = item(raw, path)?;
    Ok(Turn { role: item.role, id: item.id, name: None, parts: item.parts, rest: item.rest })
}

fn sampling(wire: &ResponseRequest<'_>, included: &Included) -> Sampling {
    Sampling {
        temperature: wire.temperature,
        top_p: wire.top_p,
        top_k: wire.top_k,
        frequency_penalty: wire.frequency_penalty,
        presence_penalty: wire.presence_penalty,
        output_max: wire.max_output_tokens.map(Tokens),
        logprobs: included.logprobs.then_some(true),
        top_logprobs: wire.top_logprobs,
        ..Sampling::default()
    }
}

fn reasoning(wire: &mut ResponseRequest<'_>, included: &Included) -> Option<ReasoningAsk> {
    let asked = wire.reasoning.take();
    if asked.is_none() && !included.encrypted {
        return None;
    }
    let mut ask = ReasoningAsk { encrypted: included.encrypted, ..ReasoningAsk::default() };
    if let Some(wire) = asked {
        ask.effort = wire.effort.map(|word| Effort::parse(&word));
        ask.show = wire.summary.map(Str::into_string);
        ask.budget = wire.max_tokens.map(Tokens);
        ask.mode = wire.enabled.map(|on| if on { ReasoningMode::On } else { ReasoningMode::Off });
        ask.rest = rest(wire.rest);
    }
    Some(ask)
}

/// `stream` and `stream_options`; the latter without the former, or no object, stays in `rest`.
fn stream(wire: &ResponseRequest<'_>, others: &mut Rest) -> Option<StreamAsk> {
    let options = wire.stream_options;
    let streamed = wire.stream == Some(true);
    if let Some(raw) = options.filter(|raw| !streamed || !raw.get().starts_with('{')) {
        others.push(DIALECT, "stream_options", raw.into());
    }
    let listed = Rest::from_owned(DIALECT, options.map(members).unwrap_or_default());
    streamed.then_some(StreamAsk { usage: None, rest: listed })
}

/// `text`: the format; the verbosity and whatever else it holds stay in `rest`.
fn text_config(text: types::TextConfig<'_>, others: &mut Rest) -> Result<Option<OutputFormat>, DecodeError> {
    if !is_silent(&text.rest)
        && let Some(raw) = object(&text.rest.into_owned())
    {
        others.push(DIALECT, "text", raw);
    }
    text.format.map(format).transpose()
}

fn format(raw: &RawValue) -> Result<OutputFormat, DecodeError> {
    let format: TextFormat<'_> = read(raw, "text.format")?;
    Ok(match format.kind.as_deref() {
        Some("text") => OutputFormat::Text,
        Some("json_object") => OutputFormat::JsonObject,
        Some("json_schema") => OutputFormat::Schema(Schema {
            name: format.name.map(Str::into_string),
            description: format.description.map(Str::into_string),
            schema: format.schema.map(RawJson::from),
            strict: format.strict,
            rest: rest(format.rest),
        }),
        _ => OutputFormat::Other(raw.into()),
    })
}

fn tool_choice(raw: &RawValue) -> Result<ToolChoice, DecodeError> {
    if let Some(word) = string(raw) {
        return Ok(match word.as_str() {
            "auto" => ToolChoice::Auto,
            "none" => ToolChoice::None,
            "required" => ToolChoice::Required,
            _ => ToolChoice::Other(raw.into()),
        });
    }
    let choose: Choose<'_> = read(raw, "tool_choice")?;
    let known = match (choose.kind.as_deref(), choose.name) {
        (Some("function" | "custom"), Some(name)) => Some(ToolChoice::Named(name.into_string())),
        (Some("allowed_tools"), _) => allowed(choose.tools)
            .map(|names| ToolChoice::Allowed { names, required: choose.mode.as_deref() == Some("required") }),
        _ => None,
    };
    Ok(known.unwrap_or_else(|| ToolChoice::Other(raw.into())))
}

/// The names of the allowed tools; `None` where one takes more than a name to tell.
fn allowed(tools: Vec<Choose<'_>>) -> Option<Vec<String>> {
    let name = |tool: Choose<'_>| match (tool.kind, tool.name) {
        (_, Some(name)) if is_silent(&tool.rest) => Some(name.into_string()),
        (Some(kind), None) if is_silent(&tool.rest) => Some(kind.into_string()),
        _ => None,
    };
    tools.into_iter().map(name).collect()
}

fn tools(list: Vec<&RawValue>, path: &str) -> Result<Vec<Tool>, DecodeError> {
    list.into_iter().enumerate().map(|(at, raw)| tool(raw, &format!("{path}[{at}]"))).collect()
}

fn tool(whole: &RawValue, path: &str) -> Result<Tool, DecodeError> {
    let word = tag(whole.get()).unwrap_or_default();
    if !matches!(&*word, "function" | "custom" | "namespace") {
        return Ok(native(word.into_owned(), whole));
    }
    let mut wire: types::Tool<'_> = read(whole, path)?;
    let kind = match &*word {
        "function" => ToolKind::Function { parameters: raw(wire.parameters), strict: wire.strict },
        "custom" => ToolKind::Custom { format: raw(wire.format) },
        _ => ToolKind::Group(tools(std::mem::take(&mut wire.tools), &format!("{path}.tools"))?),
    };
    Ok(Tool {
        name: wire.name.into_string(),
        description: wire.description.map(Str::into_string),
        kind,
        cache: None,
        rest: rest(wire.rest),
    })
}

/// A provider's own tool: all that stands beside its `type` are its options.
fn native(kind: String, raw: &RawValue) -> Tool {
    let mut options = Rest::from_owned(DIALECT, members(raw));
    options.take("type");
    Tool { name: kind.clone(), description: None, kind: ToolKind::Native(kind), cache: None, rest: options }
}
