//! Items that call tools, and those that tell what tools gave.

use serde_json::value::RawValue;
use shim_ir::{
    Executor, Media, MediaKind, Part, Rest, ServerResult, Source, ToolCall, ToolCallKind, ToolResult,
};
use shim_wire::{RawJson, Str};

use super::content::{content, media};
use super::{DIALECT, read, rest, said, written};
use crate::DecodeError;
use crate::common::{member, tag};
use crate::openai_responses::types::{CallItem, ImageItem, OutputItem};

/// A kind of call: what its tool is called where the item does not say, and the members that may hold what it is
/// called with.
struct Kind {
    tool: &'static str,
    arguments: &'static [&'static str],
}

/// The kinds of call; `None` for a `type` that is not known as one.
fn kind(word: &str) -> Option<Kind> {
    let (tool, arguments): (_, &[_]) = match word {
        "function_call" => ("", &["arguments"]),
        "custom_tool_call" => ("", &["input"]),
        "web_search_call" => ("web_search", &["action"]),
        "file_search_call" => ("file_search", &["queries"]),
        // The second is xAI's.
        "code_interpreter_call" => ("code_interpreter", &["code", "arguments"]),
        "computer_call" => ("computer", &["action", "actions"]),
        "local_shell_call" => ("local_shell", &["action"]),
        "shell_call" => ("shell", &["action"]),
        "apply_patch_call" => ("apply_patch", &["operation"]),
        "mcp_call" => ("mcp", &["arguments"]),
        "tool_search_call" => ("tool_search", &["arguments"]),
        // xAI's.
        "x_search_call" => ("x_search", &["arguments"]),
        _ => return None,
    };
    Some(Kind { tool, arguments })
}

/// How an item of a `type` holds what it is called with.
pub(crate) struct CallForm {
    /// What the tool is called where the item does not say.
    pub(crate) tool: &'static str,
    /// The member; empty for a `type` that is not known as a call.
    pub(crate) member: &'static str,
    /// Whether JSON is written as it is, not as text; where there is none, it is left out.
    pub(crate) raw: bool,
}

/// How an item of `type` `word` holds `arguments`.
pub(crate) fn call_form(word: &str, arguments: &str) -> CallForm {
    let Some(kind) = kind(word) else {
        return CallForm { tool: "", member: "", raw: true };
    };
    let second = match word {
        "computer_call" => arguments.starts_with('['),
        "code_interpreter_call" => arguments.starts_with('{') && RawJson::parse(arguments).is_ok(),
        _ => false,
    };
    let member = kind.arguments.get(usize::from(second)).copied().unwrap_or_default();
    let text = ["function_call", "custom_tool_call", "code_interpreter_call", "mcp_call", "x_search_call"];
    CallForm { tool: kind.tool, member, raw: !text.contains(&word) }
}

/// Whether an item of the type `word` is a call that the client has to run.
fn runs_at_client(word: &str, item: &str) -> bool {
    match word {
        "function_call" | "custom_tool_call" | "computer_call" | "local_shell_call" | "apply_patch_call" => {
            true
        }
        "shell_call" => !in_container(item),
        "tool_search_call" => member(item, "execution").and_then(|v| v.as_str()).as_deref() == Some("client"),
        _ => false,
    }
}

/// Whether a shell is the provider's.
fn in_container(item: &str) -> bool {
    let kind = member(item, "environment").and_then(|v| v.get("type")).and_then(|v| v.as_str());
    kind.is_some_and(|word| word.starts_with("container"))
}

/// Whether an item of the output is a call that the client has to run.
pub(crate) fn calls_client(item: &str) -> bool {
    tag(item).is_some_and(|word| runs_at_client(&word, item))
}

/// A call of a tool; `None` for a `type` that is not known as one. What a tool run by the provider gave stands in the
/// same item and stays in `rest`.
pub(super) fn call(word: &str, raw: &RawValue, path: &str) -> Result<Option<ToolCall>, DecodeError> {
    let Some(kind) = kind(word) else { return Ok(None) };
    let mut wire: CallItem<'_> = read(raw, path)?;
    let stated = |name: &&&str| wire.rest.iter().any(|(key, value)| key == **name && value.get() != "null");
    let found = kind.arguments.iter().find(stated);
    let arguments = found.and_then(|name| wire.rest.take(name)).map(written);
    let item = said(wire.id);
    let executor = if runs_at_client(word, raw.get()) { Executor::Client } else { Executor::Provider };
    Ok(Some(ToolCall {
        id: said(wire.call_id).or_else(|| item.clone()).unwrap_or_default(),
        item,
        name: wire.name.map_or_else(|| kind.tool.to_owned(), Str::into_string),
        arguments: arguments.unwrap_or_default(),
        kind: call_kind(word),
        executor,
        opaque: Vec::new(),
        cache: None,
        rest: rest(wire.rest),
    }))
}

/// A call whose item never came: its deltas alone say that there is one.
pub(crate) fn call_begun(word: &str, item: Option<String>) -> ToolCall {
    let client = runs_at_client(word, "{}") || word.is_empty();
    ToolCall {
        id: item.clone().unwrap_or_default(),
        item,
        name: kind(word).map(|kind| kind.tool.to_owned()).unwrap_or_default(),
        arguments: String::new(),
        kind: if word.is_empty() { ToolCallKind::Function } else { call_kind(word) },
        executor: if client { Executor::Client } else { Executor::Provider },
        opaque: Vec::new(),
        cache: None,
        rest: Rest::default(),
    }
}

fn call_kind(word: &str) -> ToolCallKind {
    match word {
        "function_call" => ToolCallKind::Function,
        "custom_tool_call" => ToolCallKind::Custom,
        _ => ToolCallKind::Native(word.to_owned()),
    }
}

/// An image made by the model; without its bytes, as it may be given back, its id.
pub(super) fn image(raw: &RawValue, path: &str) -> Result<Part, DecodeError> {
    let wire: ImageItem<'_> = read(raw, path)?;
    let mut members = rest(wire.rest);
    let id = said(wire.id);
    let source = match (wire.result, id) {
        (Some(result), id) => {
            if let Some(id) = id {
                members.push(DIALECT, "id", RawJson::string(&id));
            }
            Source::Inline(result.into_string())
        }
        (None, id) => Source::Handle(id.unwrap_or_default()),
    };
    let mime = wire.output_format.map(Str::into_string);
    Ok(Part::Media(Media { mime, ..media(MediaKind::Image, source, members) }))
}

/// Whether `word` is the `type` of an item that tells what a tool gave.
pub(super) fn is_output(word: &str) -> bool {
    matches!(
        word,
        "function_call_output"
            | "custom_tool_call_output"
            | "computer_call_output"
            | "local_shell_call_output"
            | "shell_call_output"
            | "apply_patch_call_output"
            | "tool_search_output"
    )
}

/// What a tool run by the client gave.
pub(super) fn result(raw: &RawValue, path: &str) -> Result<ToolResult, DecodeError> {
    let wire: OutputItem<'_> = read(raw, path)?;
    let kind = called(&wire.kind);
    let call = wire.call_id.or_else(|| wire.id.clone());
    if call.is_none() && kind == ToolCallKind::Function {
        return Err(DecodeError::shape(path, "missing field `call_id`"));
    }
    let call = call.map(Str::into_string).unwrap_or_default();
    let mut members = rest(wire.rest);
    keep(&mut members, "id", wire.id.filter(|id| **id != *call));
    let error = wire.status.as_deref() == Some("failed");
    keep(&mut members, "status", wire.status.filter(|_| !error));
    let content = content(wire.output, &format!("{path}.output"))?;
    Ok(ToolResult { call, name: None, content, json: false, error, kind, cache: None, rest: members })
}

/// Keeps a modelled member that has no place of its own.
fn keep(members: &mut Rest, key: &str, value: Option<Str<'_>>) {
    if let Some(value) = value {
        members.push(DIALECT, key, RawJson::string(&value));
    }
}

/// The kind of call that an output answers.
fn called(word: &str) -> ToolCallKind {
    match word {
        "tool_search_output" => ToolCallKind::Native("tool_search_call".to_owned()),
        _ => call_kind(word.strip_suffix("_output").unwrap_or(word)),
    }
}

/// Whether what a tool gave was given by the provider: in an answer always, in a request where the item says so.
pub(super) fn is_server_result(word: &str, item: &str, answering: bool) -> bool {
    let by_server = || member(item, "execution").and_then(|v| v.as_str()).as_deref() == Some("server");
    word == "mcp_list_tools" || is_output(word) && (answering || by_server())
}

/// What a tool run by the provider gave.
pub(super) fn server_result(word: &str, raw: &RawValue) -> ServerResult {
    let call = member(raw.get(), "call_id").and_then(|id| id.as_str()).unwrap_or_default();
    ServerResult { call: call.into_owned(), kind: word.to_owned(), raw: raw.into(), origin: DIALECT }
}
