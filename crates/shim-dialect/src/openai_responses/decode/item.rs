//! Items: what the input and the output of an answer are lists of.

use serde_json::value::RawValue;
use shim_ir::{Opaque, OpaqueKind, Part, Reasoning, Rest, Role};
use shim_wire::{RawJson, Str, from_raw};

use super::call::{call, image, is_output, is_server_result, result, server_result};
use super::content::content;
use super::{DIALECT, ITEM, foreign, members, object, read, rest};
use crate::DecodeError;
use crate::common::{is_silent, member, tag};
use crate::openai_responses::types::{Message, ReasoningItem, ReasoningText};

/// An item as it is read.
pub(super) struct Item {
    /// Who speaks.
    pub(super) role: Role,
    /// The id of a message.
    pub(super) id: Option<String>,
    pub(super) parts: Vec<Part>,
    /// What a message has beside its role, id and content.
    pub(super) rest: Rest,
}

/// The `type` of an item; where it may be left out, what it then is.
pub(crate) fn kind(item: &str) -> String {
    match tag(item) {
        Some(word) => word.into_owned(),
        None if member(item, "role").is_some() => "message".to_owned(),
        None if member(item, "id").is_some() => "item_reference".to_owned(),
        None => String::new(),
    }
}

/// An item of `input`.
pub(super) fn item(raw: &RawValue, path: &str) -> Result<Item, DecodeError> {
    let kind = kind(raw.get());
    if kind == "message" {
        return message(read(raw, path)?, path);
    }
    let part = part(&kind, raw, path, false)?;
    let role = match &part {
        Part::ToolResult(_) => Role::Tool,
        Part::Foreign(_) => role_beside(&kind, raw),
        Part::Text(_)
        | Part::Refusal(_)
        | Part::Media(_)
        | Part::Reasoning(_)
        | Part::ToolCall(_)
        | Part::ServerResult(_) => Role::Assistant,
    };
    Ok(Item { role, id: None, parts: vec![part], rest: Rest::default() })
}

/// An item that is no message: one part. `answering` says that it is of an answer.
pub(super) fn part(kind: &str, raw: &RawValue, path: &str, answering: bool) -> Result<Part, DecodeError> {
    if let Some(call) = call(kind, raw, path)? {
        return Ok(Part::ToolCall(call));
    }
    Ok(match kind {
        "reasoning" => Part::Reasoning(reasoning(read(raw, path)?)),
        "image_generation_call" => image(raw, path)?,
        _ if is_server_result(kind, raw.get(), answering) => Part::ServerResult(server_result(kind, raw)),
        _ if is_output(kind) => Part::ToolResult(result(raw, path)?),
        _ if raw.get().starts_with('{') => Part::Foreign(foreign(kind, raw)),
        _ => return Err(DecodeError::shape(path, "expected an object")),
    })
}

/// Who speaks in an item nobody else has: most of them are the model's own.
fn role_beside(kind: &str, raw: &RawValue) -> Role {
    match member(raw.get(), "role").and_then(|role| role.as_str()) {
        Some(word) => role(&word),
        None if kind == "mcp_approval_response" => Role::User,
        None => Role::Assistant,
    }
}

fn role(word: &str) -> Role {
    match word {
        "system" => Role::System,
        "developer" => Role::Developer,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" => Role::Tool,
        _ => Role::Other(word.to_owned()),
    }
}

fn message(wire: Message<'_>, path: &str) -> Result<Item, DecodeError> {
    let word = wire.role.ok_or_else(|| DecodeError::shape(path, "missing field `role`"))?;
    let parts = content(wire.content, &format!("{path}.content"))?;
    let mut members = rest(wire.rest);
    // A part that nobody knows says by itself neither that it was an item nor that it was in one.
    if matches!(parts.as_slice(), [Part::Foreign(_)]) && members.get("type").is_none() {
        members.push(DIALECT, "type", RawJson::string("message"));
    }
    Ok(Item { role: role(&word), id: wire.id.map(Str::into_string), parts, rest: members })
}

/// The parts of a message of an answer, the first with what the message has beside them. A message without content is
/// foreign.
pub(super) fn answered(raw: &RawValue, path: &str) -> Result<Vec<Part>, DecodeError> {
    let wire: Message<'_> = read(raw, path)?;
    let mut parts = content(wire.content, &format!("{path}.content"))?;
    match parts.first_mut() {
        Some(first) => enclose(first, envelope(raw)),
        None => parts.push(Part::Foreign(foreign("message", raw))),
    }
    Ok(parts)
}

/// What a message has beside its content.
pub(crate) fn envelope(raw: &RawValue) -> Option<RawJson> {
    object(members(raw).iter().filter(|(key, _)| &**key != "content"))
}

/// Puts what the message has beside its content before what its first part does not model.
pub(crate) fn enclose(part: &mut Part, message: Option<RawJson>) {
    let Some(message) = message else { return };
    let own = match part {
        Part::Text(text) | Part::Refusal(text) => &mut text.rest,
        Part::Media(media) => &mut media.rest,
        Part::Reasoning(_)
        | Part::ToolCall(_)
        | Part::ToolResult(_)
        | Part::ServerResult(_)
        | Part::Foreign(_) => return,
    };
    let mut enclosed = Rest::default();
    enclosed.push(DIALECT, ITEM, message);
    enclosed.merge(std::mem::take(own));
    *own = enclosed;
}

/// Reasoning. Lists that hold anything but texts also stay as they are.
fn reasoning(wire: ReasoningItem<'_>) -> Reasoning {
    let mut members = rest(wire.rest);
    let mut list = |key: &str, entries: Vec<&RawValue>| {
        let (texts, whole) = texts(&entries);
        if !whole {
            let listed: Vec<_> = entries.iter().map(|raw| raw.get()).collect();
            if let Ok(raw) = RawJson::parse(&format!("[{}]", listed.join(","))) {
                members.push(DIALECT, key, raw);
            }
        }
        texts
    };
    let summary = list("summary", wire.summary);
    let text = list("content", wire.content);
    let encrypted =
        wire.encrypted_content.map(|it| Opaque { kind: OpaqueKind::Encrypted, value: it.into_string() });
    let opaque = encrypted.into_iter().collect();
    Reasoning { id: wire.id.map(Str::into_string), text, summary, opaque, rest: members }
}

/// The texts of a list, and whether that is all it holds.
fn texts(entries: &[&RawValue]) -> (Vec<String>, bool) {
    let mut whole = true;
    let mut texts = Vec::new();
    for entry in entries {
        match from_raw::<ReasoningText<'_>>(entry) {
            Ok(wire) => {
                whole &= is_silent(&wire.rest) && wire.kind.is_some_and(|word| known_text(&word));
                texts.push(wire.text.into_string());
            }
            Err(_) => {
                whole = false;
                texts.push(String::new());
            }
        }
    }
    (texts, whole)
}

fn known_text(word: &str) -> bool {
    matches!(word, "summary_text" | "reasoning_text" | "text")
}
