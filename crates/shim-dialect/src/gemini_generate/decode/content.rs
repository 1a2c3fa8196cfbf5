//! Turns and their parts.

use serde_json::value::RawValue;
use shim_ir::{
    Executor, Media, MediaKind, Opaque, OpaqueKind, Part, Reasoning, Rest, ServerResult, Source, Text,
    ToolCall, ToolCallKind, ToolResult,
};
use shim_wire::{RawJson, Str};

use super::{DIALECT, foreign, keep, listed, members, read, rest, take};
use crate::DecodeError;
use crate::common::is_silent;
use crate::gemini_generate::message::{camel, is_name};
use crate::gemini_generate::types::{self, Blob, FileData, FunctionCall, FunctionResponse, Identified};

/// The members that say what a part is, but for `text`.
const DATA: [&str; 8] = [
    "inline_data",
    "file_data",
    "function_call",
    "function_response",
    "executable_code",
    "code_execution_result",
    "tool_call",
    "tool_response",
];

/// The parts of a turn. Absent gives none.
pub(crate) fn parts(raw: Option<&RawValue>, path: &str) -> Result<Vec<Part>, DecodeError> {
    let Some(raw) = raw else { return Ok(Vec::new()) };
    listed(raw, path)?.into_iter().map(|(raw, path)| part(raw, &path)).collect()
}

/// One part. What is neither known nor text is foreign.
pub(crate) fn part(raw: &RawValue, path: &str) -> Result<Part, DecodeError> {
    let mut wire: types::Part<'_> = read(raw, path)?;
    let data = DATA.iter().find_map(|name| Some((*name, take(&mut wire.rest, name)?)));
    let Some((name, data)) = data else {
        return Ok(text_part(wire).unwrap_or_else(|| Part::Foreign(foreign(&kind_of(raw), raw))));
    };
    let path = &format!("{path}.{}", camel(name));
    let around = Around::of(wire);
    Ok(match name {
        "inline_data" => Part::Media(inline(read(data, path)?, around)),
        "file_data" => Part::Media(file(read(data, path)?, around, path)?),
        "function_call" => Part::ToolCall(function_call(read(data, path)?, around)),
        "function_response" => Part::ToolResult(function_response(read(data, path)?, around, path)?),
        "executable_code" => Part::ToolCall(executable_code(data, around, path)?),
        "tool_call" => Part::ToolCall(tool_call(read(data, path)?, around)),
        "code_execution_result" => server_result("codeExecutionResult", data, raw, path)?,
        _ => server_result("toolResponse", data, raw, path)?,
    })
}

/// The name of the first member that says something about what a part is.
fn kind_of(raw: &RawValue) -> String {
    let names = members(raw);
    let aside = |name: &str| is_name(name, "thought") || is_name(name, "thought_signature");
    let name = names.iter().find(|(name, _)| !aside(name)).or(names.first());
    name.map(|(name, _)| camel(name)).unwrap_or_default()
}

/// Whether a part is a call of a function that the client runs.
pub(crate) fn is_call(part: &Part) -> bool {
    matches!(part, Part::ToolCall(call) if call.kind == ToolCallKind::Function)
}

/// What stands around the member that says what a part is.
struct Around<'a> {
    opaque: Vec<Opaque>,
    resolution: Option<&'a RawValue>,
    rest: Rest,
}

impl<'a> Around<'a> {
    fn of(wire: types::Part<'a>) -> Self {
        let mut left = rest(wire.rest);
        if let Some(thought) = wire.thought {
            left.push(DIALECT, "thought", flag(thought));
        }
        if let Some(text) = wire.text {
            left.push(DIALECT, "text", RawJson::string(&text));
        }
        Self { opaque: signature(wire.thought_signature), resolution: wire.media_resolution, rest: left }
    }

    /// All of it, for a part that has no better place.
    fn into_rest(self, mut own: Rest) -> Rest {
        keep(&mut own, "mediaResolution", self.resolution);
        own.merge(self.rest);
        own
    }

    /// All of it, for a part without a place for opaque state either.
    fn into_rest_signed(mut self, own: Rest) -> Rest {
        let signatures = std::mem::take(&mut self.opaque);
        let mut own = self.into_rest(own);
        for opaque in signatures {
            own.push(DIALECT, "thoughtSignature", RawJson::string(&opaque.value));
        }
        own
    }
}

/// A boolean as its text.
pub(super) fn flag(on: bool) -> RawJson {
    RawJson::parse(if on { "true" } else { "false" }).unwrap_or_else(|_| RawJson::string(""))
}

/// A signature may hang on any part: <https://ai.google.dev/gemini-api/docs/thought-signatures>, read 2026-11-24.
fn signature(value: Option<Str<'_>>) -> Vec<Opaque> {
    let opaque = |value: Str<'_>| Opaque { kind: OpaqueKind::ThoughtSignature, value: value.into_string() };
    value.map(opaque).into_iter().collect()
}

/// Text, or a thought; `None` where there is no text.
fn text_part(mut wire: types::Part<'_>) -> Option<Part> {
    let text = wire.text.take()?;
    let thought = wire.thought.take_if(|thought| *thought).is_some();
    let mut around = Around::of(wire);
    let opaque = std::mem::take(&mut around.opaque);
    let rest = around.into_rest(Rest::default());
    Some(if thought {
        Part::Reasoning(Reasoning { text: vec![text.into()], opaque, rest, ..Reasoning::default() })
    } else {
        Part::Text(Text { text, opaque, rest, ..Text::default() })
    })
}

fn inline(blob: Blob<'_>, around: Around<'_>) -> Media {
    let mime = blob.mime_type.map(Str::into_string);
    let members = with_name(rest(blob.rest), blob.display_name.as_deref());
    Media {
        kind: media_kind(mime.as_deref(), ""),
        name: blob.display_name.map(Str::into_string),
        mime,
        ..media(Source::Inline(standard(blob.data.into_string())), around, members)
    }
}

/// Base64 in the alphabet that everybody takes (RFC 4648 §4): Google takes the URL-safe one (§5) as well, also without
/// padding, and its Python SDK writes it.
fn standard(mut data: String) -> String {
    if data.contains(['-', '_']) {
        data = data.replace('-', "+").replace('_', "/");
    }
    let over = data.len() % 4;
    if over > 1 {
        data.push_str(if over == 2 { "==" } else { "=" });
    }
    data
}

/// Only Vertex AI takes a name, so that it came from there is kept beside it.
fn with_name(mut members: Rest, name: Option<&str>) -> Rest {
    if let Some(name) = name {
        members.push(DIALECT, "displayName", RawJson::string(name));
    }
    members
}

fn file(file: FileData<'_>, around: Around<'_>, path: &str) -> Result<Media, DecodeError> {
    let uri = file.file_uri.ok_or_else(|| DecodeError::shape(path, "missing field `fileUri`"))?;
    let mime = file.mime_type.map(Str::into_string);
    let kind = media_kind(mime.as_deref(), &uri);
    let members = with_name(rest(file.rest), file.display_name.as_deref());
    Ok(Media {
        kind,
        name: file.display_name.map(Str::into_string),
        mime,
        ..media(located(uri.into_string()), around, members)
    })
}

fn media(source: Source, mut around: Around<'_>, own: Rest) -> Media {
    let detail = around.resolution.and_then(level);
    if detail.is_some() {
        around.resolution = None;
    }
    Media {
        kind: MediaKind::File,
        source,
        mime: None,
        name: None,
        detail,
        cache: None,
        opaque: std::mem::take(&mut around.opaque),
        rest: around.into_rest(own),
    }
}

/// The level of a resolution that says nothing else.
fn level(raw: &RawValue) -> Option<String> {
    let wire: types::MediaResolution<'_> = shim_wire::from_raw(raw).ok()?;
    wire.level.filter(|_| is_silent(&wire.rest)).map(Str::into_string)
}

/// Files given to the provider have names or addresses of its own; all else it fetches.
pub(crate) fn located(uri: String) -> Source {
    let uploaded = uri.starts_with("files/") || uri.contains("generativelanguage.googleapis.com/");
    if uploaded { Source::Handle(uri) } else { Source::Url(uri) }
}

/// What media is, by its type; a video of YouTube needs none.
fn media_kind(mime: Option<&str>, uri: &str) -> MediaKind {
    match mime.unwrap_or_default().split('/').next() {
        Some("image") => MediaKind::Image,
        Some("audio") => MediaKind::Audio,
        Some("video") => MediaKind::Video,
        _ if uri.contains("youtube.com/") || uri.contains("youtu.be/") => MediaKind::Video,
        _ => MediaKind::File,
    }
}

/// A call. Absent arguments are none: the same as `{}`.
fn function_call(wire: FunctionCall<'_>, mut around: Around<'_>) -> ToolCall {
    ToolCall {
        id: wire.id.map(Str::into_string).unwrap_or_default(),
        item: None,
        name: wire.name.map(Str::into_string).unwrap_or_default(),
        arguments: wire.args.map_or("{}", RawValue::get).to_owned(),
        kind: ToolCallKind::Function,
        executor: Executor::Client,
        opaque: std::mem::take(&mut around.opaque),
        cache: None,
        rest: around.into_rest(rest(wire.rest)),
    }
}

/// A call of a tool that the provider runs.
fn tool_call(wire: types::ToolCall<'_>, around: Around<'_>) -> ToolCall {
    let call = FunctionCall { id: wire.id, name: wire.tool_type, args: wire.args, rest: wire.rest };
    ToolCall {
        kind: ToolCallKind::Native("toolCall".to_owned()),
        executor: Executor::Provider,
        ..function_call(call, around)
    }
}

/// Code the provider runs: all there is of it is its arguments.
fn executable_code(raw: &RawValue, mut around: Around<'_>, path: &str) -> Result<ToolCall, DecodeError> {
    let wire: Identified<'_> = read(raw, path)?;
    Ok(ToolCall {
        id: wire.id.map(Str::into_string).unwrap_or_default(),
        item: None,
        name: "codeExecution".to_owned(),
        arguments: raw.get().to_owned(),
        kind: ToolCallKind::Native("executableCode".to_owned()),
        executor: Executor::Provider,
        opaque: std::mem::take(&mut around.opaque),
        cache: None,
        rest: around.into_rest(Rest::default()),
    })
}

/// What a tool run by the provider gave: the whole part, so that its signature stays with it.
fn server_result(kind: &str, data: &RawValue, part: &RawValue, path: &str) -> Result<Part, DecodeError> {
    let wire: Identified<'_> = read(data, path)?;
    Ok(Part::ServerResult(ServerResult {
        call: wire.id.map(Str::into_string).unwrap_or_default(),
        kind: kind.to_owned(),
        raw: part.into(),
        origin: DIALECT,
    }))
}

/// What a tool gave: one JSON object as text, and behind it the media that belong to it.
fn function_response(
    wire: FunctionResponse<'_>,
    around: Around<'_>,
    path: &str,
) -> Result<ToolResult, DecodeError> {
    let said = wire.response.map(|raw| Part::Text(Text::new(raw.get())));
    let mut content: Vec<_> = said.into_iter().collect();
    content.extend(parts(wire.parts, &format!("{path}.parts"))?);
    Ok(ToolResult {
        call: wire.id.map(Str::into_string).unwrap_or_default(),
        name: wire.name.map(Str::into_string),
        content,
        json: wire.response.is_some(),
        error: wire.response.is_some_and(is_error),
        kind: ToolCallKind::Function,
        cache: None,
        rest: around.into_rest_signed(rest(wire.rest)),
    })
}

/// `error` in a response holds what went wrong, and `output` what came of it; without either, all of it is output.
/// Source: `FunctionResponse` of the Python SDK's types.
fn is_error(response: &RawValue) -> bool {
    let members = members(response);
    let has = |name: &str| members.iter().any(|(key, raw)| **key == *name && raw.get() != "null");
    has("error") && !has("output")
}
