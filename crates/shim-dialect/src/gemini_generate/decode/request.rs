//! Requests.

use serde_json::value::RawValue;
use shim_ir::{Part, Request, Rest, Role, ServerState, StreamAsk, Text, Turn};
use shim_wire::{JsonString, RawJson, Str, from_json};

use super::generation::generation;
use super::tools::{tool_choice, tools};
use super::{DIALECT, flag, keep, keep_left, listed, parts, read, rest, said};
use crate::gemini_generate::types::{Content, CountTokensRequest, GenerateContentRequest};
use crate::{DecodeError, Route};

/// The body of `:generateContent` and `:streamGenerateContent`.
pub(crate) fn generate(route: &Route, body: &str) -> Result<Request, DecodeError> {
    request(route, from_json(body)?)
}

/// The body of `:countTokens`: turns, or a whole request under a name.
pub(crate) fn counted(route: &Route, body: &str) -> Result<Request, DecodeError> {
    let wire: CountTokensRequest<'_> = from_json(body)?;
    let Some(raw) = wire.generate_content_request else {
        return generate(route, body);
    };
    let path = "generateContentRequest";
    let mut counted =
        read(raw, path).and_then(|wire| request(route, wire).map_err(|error| error.under(path)))?;
    counted.rest.merge(rest(wire.rest));
    Ok(counted)
}

fn request(route: &Route, wire: GenerateContentRequest<'_>) -> Result<Request, DecodeError> {
    let turns = listed(wire.contents, "contents")?.into_iter().map(|(raw, path)| turn(raw, &path));
    let mut turns = turns.collect::<Result<Vec<_>, _>>()?;
    keep_roles(&mut turns);
    let mut request = Request {
        model: route.model.clone().unwrap_or_default(),
        turns,
        tools: wire.tools.map(tools).transpose()?.unwrap_or_default(),
        stream: route.stream.then(StreamAsk::default),
        state: ServerState { store: wire.store, ..ServerState::default() },
        metadata: wire.labels.map(RawJson::from),
        service_tier: wire.service_tier.map(Str::into_string),
        rest: rest(wire.rest),
        ..Request::default()
    };
    // What these two mean to others is not quite what they mean here, so they are also kept as they came.
    keep(&mut request.rest, "labels", wire.labels);
    if let Some(store) = wire.store {
        request.rest.push(DIALECT, "store", flag(store));
    }
    keep_model(&mut request.rest, wire.model, route);
    if let Some(raw) = wire.system_instruction {
        request.system = system(raw, &mut request.rest)?;
    }
    if let Some(config) = wire.tool_config {
        request.tool_choice = tool_choice(config, &mut request.rest);
    }
    if let Some(config) = wire.generation_config {
        generation(config, &mut request);
    }
    Ok(request)
}

/// Keeps a model that the body names beside the path, where the two differ.
pub(super) fn keep_model(members: &mut Rest, model: Option<Str<'_>>, route: &Route) {
    let bare = |name: &str| name.strip_prefix("models/").unwrap_or(name).to_owned();
    let asked = bare(route.model.as_deref().unwrap_or_default());
    if let Some(model) = model.filter(|model| bare(model) != asked) {
        members.push(DIALECT, "model", RawJson::string(&model));
    }
}

/// `systemInstruction`: a `Content`, whose role says nothing, or text.
fn system(raw: &RawValue, members: &mut Rest) -> Result<Vec<Part>, DecodeError> {
    if let Some(text) = JsonString::read(raw) {
        return Ok(vec![Part::Text(Text::new(text))]);
    }
    let path = "systemInstruction";
    let content: Content<'_> = read(raw, path)?;
    let mut left = rest(content.rest);
    if let Some(role) = content.role {
        left.push(DIALECT, "role", RawJson::string(&role));
    }
    keep_left(members, path, &left);
    parts(content.parts, &format!("{path}.parts"))
}

/// A turn. Without a role it is the user's. A role that others do not have stays in `rest` as it came.
pub(super) fn turn(raw: &RawValue, path: &str) -> Result<Turn, DecodeError> {
    let content: Content<'_> = read(raw, path)?;
    let parts = parts(content.parts, &format!("{path}.parts"))?;
    let word = said(content.role).unwrap_or_else(|| "user".to_owned());
    let mut members = rest(content.rest);
    if parts.is_empty() || !matches!(word.as_str(), "user" | "model") {
        members.push(DIALECT, ROLE, RawJson::string(&word));
    }
    Ok(Turn { role: role(word), id: None, name: None, parts, rest: members })
}

/// The name of a turn's role in its `rest`: there it says that the turn is not to be joined with the one before.
pub(crate) const ROLE: &str = "role";

/// Keeps the roles of turns that say the same as the one before.
fn keep_roles(turns: &mut [Turn]) {
    let mut before = None;
    for turn in turns {
        if before.as_ref() == Some(&turn.role) && turn.rest.get(ROLE).is_none() {
            let word = if turn.role == Role::Assistant { "model" } else { "user" };
            turn.rest.push(DIALECT, ROLE, RawJson::string(word));
        }
        before = Some(turn.role.clone());
    }
}

fn role(word: String) -> Role {
    match word.as_str() {
        "user" => Role::User,
        "model" => Role::Assistant,
        // What older clients write before a function's response.
        "function" | "tool" => Role::Tool,
        "system" => Role::System,
        _ => Role::Other(word),
    }
}
