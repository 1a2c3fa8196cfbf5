//! Content blocks, of requests and of answers.

use serde_json::value::RawValue;
use shim_ir::{
    CacheMark, Citation, Executor, Media, MediaKind, Opaque, OpaqueKind, Part, Reasoning, ServerResult,
    Source, Text, ToolCall, ToolCallKind, ToolResult,
};
use shim_wire::{JsonString, RawJson, Str, from_raw};

use super::{DIALECT, foreign, here, keep_other, rest, said};
use crate::DecodeError;
use crate::anthropic_messages::types::{
    BlockSource, CacheControl, MediaBlock, RedactedThinkingBlock, SearchResultBlock, TextBlock, TextCitation,
    ThinkingBlock, ToolResultBlock, ToolUseBlock,
};
use crate::common::{member, tag};

/// `content`, or `system`: text, or blocks.
pub(crate) fn content(raw: &RawValue) -> Result<Vec<Part>, DecodeError> {
    if let Some(text) = JsonString::read(raw) {
        return Ok(vec![Part::Text(Text::new(text))]);
    }
    if !raw.get().starts_with(['[', '"']) {
        return Err(DecodeError::shape(".", "expected text or a list of blocks"));
    }
    let blocks: Vec<&RawValue> = here(raw)?;
    let blocks = blocks.into_iter().enumerate();
    blocks.map(|(at, raw)| block(raw).map_err(|error| error.under(&format!("[{at}]")))).collect()
}

/// The `content` of a block.
fn inside(raw: &RawValue) -> Result<Vec<Part>, DecodeError> {
    content(raw).map_err(|error| error.under("content"))
}

/// One block. A bare string is text; what is not known is foreign: `tool_reference`, `tool_addition`,
/// `container_upload`, `compaction`, `fallback`, and what is newer.
pub(crate) fn block(raw: &RawValue) -> Result<Part, DecodeError> {
    if let Some(text) = JsonString::read(raw) {
        return Ok(Part::Text(Text::new(text)));
    }
    let kind = tag(raw.get()).unwrap_or_default();
    Ok(match &*kind {
        "text" => text_block(here(raw)?),
        "image" | "document" => media_block(here(raw)?, raw)?,
        "search_result" => search_result_block(here(raw)?)?,
        "thinking" => thinking_block(here(raw)?),
        "redacted_thinking" => redacted_thinking_block(here(raw)?),
        "tool_use" | "server_tool_use" | "mcp_tool_use" => tool_use_block(here(raw)?),
        "tool_result" => tool_result_block(here(raw)?)?,
        kind if kind.ends_with("_tool_result") => server_result(kind, raw),
        other => Part::Foreign(foreign(other, raw)),
    })
}

fn text_block(mut wire: TextBlock<'_>) -> Part {
    // That nothing is cited is said by `null` as well as by an empty list.
    wire.rest.take("citations");
    Part::Text(Text {
        text: wire.text,
        citations: wire.citations.into_iter().map(citation).collect(),
        cache: cache(wire.cache_control),
        rest: rest(wire.rest),
        ..Text::default()
    })
}

/// A citation. Anthropic's are of the whole block of text, so they have no span in it.
pub(crate) fn citation(raw: &RawValue) -> Citation {
    let words = Some(RawJson::from(raw));
    let Ok(wire) = from_raw::<TextCitation<'_>>(raw) else {
        return Citation { words, ..Citation::default() };
    };
    let address = wire.source.filter(|source| source.contains("://"));
    Citation {
        url: wire.url.or(address).map(Str::into_string),
        title: wire.title.or(wire.document_title).map(Str::into_string),
        cited: wire.cited_text.map(Str::into_string),
        words,
        ..Citation::default()
    }
}

/// An image or a document; with a source nobody knows, a foreign block.
fn media_block(wire: MediaBlock<'_>, raw: &RawValue) -> Result<Part, DecodeError> {
    let of_it = |error: DecodeError| error.under("source");
    let mut of_source: BlockSource<'_> = here(wire.source).map_err(of_it)?;
    let Some(source) = source(&mut of_source).map_err(of_it)? else {
        return Ok(Part::Foreign(foreign(&wire.kind, raw)));
    };
    let mut members = rest(of_source.rest);
    members.merge(rest(wire.rest));
    Ok(Part::Media(Media {
        kind: if &*wire.kind == "image" { MediaKind::Image } else { MediaKind::File },
        source,
        mime: of_source.media_type.map(Str::into_string),
        name: wire.title.map(Str::into_string),
        detail: None,
        cache: cache(wire.cache_control),
        opaque: Vec::new(),
        rest: members,
    }))
}

/// Where the bytes are; `None` for a kind of source nobody knows.
fn source(wire: &mut BlockSource<'_>) -> Result<Option<Source>, DecodeError> {
    let needed = |member: Option<Str<'_>>, name: &str| {
        let missing = || DecodeError::shape(".", format!("missing field `{name}`"));
        member.map(Str::into_string).ok_or_else(missing)
    };
    Ok(Some(match wire.kind.as_deref().unwrap_or_default() {
        "base64" => Source::Inline(needed(wire.data.take(), "data")?),
        "text" => Source::Plain(needed(wire.data.take(), "data")?),
        "url" => Source::Url(needed(wire.url.take(), "url")?),
        "file" => Source::Handle(needed(wire.file_id.take(), "file_id")?),
        "content" => {
            let missing = || DecodeError::shape(".", "missing field `content`");
            Source::Parts(inside(wire.content.ok_or_else(missing)?)?)
        }
        _ => return Ok(None),
    }))
}

/// A search result is a document of parts; that it was one, and of what source, is in `rest`.
fn search_result_block(wire: SearchResultBlock<'_>) -> Result<Part, DecodeError> {
    Ok(Part::Media(Media {
        kind: MediaKind::File,
        source: Source::Parts(inside(wire.content)?),
        mime: None,
        name: wire.title.map(Str::into_string),
        detail: None,
        cache: cache(wire.cache_control),
        opaque: Vec::new(),
        rest: rest(wire.rest),
    }))
}

fn thinking_block(wire: ThinkingBlock<'_>) -> Part {
    let signature = said(wire.signature).map(|value| Opaque { kind: OpaqueKind::Signature, value });
    Part::Reasoning(Reasoning {
        text: said(wire.thinking).into_iter().collect(),
        opaque: signature.into_iter().collect(),
        rest: rest(wire.rest),
        ..Reasoning::default()
    })
}

fn redacted_thinking_block(wire: RedactedThinkingBlock<'_>) -> Part {
    let data = Opaque { kind: OpaqueKind::Redacted, value: wire.data.into_string() };
    Part::Reasoning(Reasoning { opaque: vec![data], rest: rest(wire.rest), ..Reasoning::default() })
}

/// A call of a tool of the client, of Anthropic, or of a server Anthropic asks.
fn tool_use_block(wire: ToolUseBlock<'_>) -> Part {
    let (kind, executor) = match &*wire.kind {
        "tool_use" => (ToolCallKind::Function, Executor::Client),
        word => (ToolCallKind::Native(word.to_owned()), Executor::Provider),
    };
    Part::ToolCall(ToolCall {
        id: wire.id.map(Str::into_string).unwrap_or_default(),
        item: None,
        name: wire.name.into_string(),
        arguments: wire.input.map_or("{}", RawValue::get).to_owned(),
        kind,
        executor,
        opaque: Vec::new(),
        cache: cache(wire.cache_control),
        rest: rest(wire.rest),
    })
}

fn tool_result_block(wire: ToolResultBlock<'_>) -> Result<Part, DecodeError> {
    let given = wire.content.map(inside).transpose()?;
    Ok(Part::ToolResult(ToolResult {
        call: wire.tool_use_id.into_string(),
        name: None,
        content: given.unwrap_or_default(),
        json: false,
        error: wire.is_error.unwrap_or_default(),
        kind: ToolCallKind::Function,
        cache: cache(wire.cache_control),
        rest: rest(wire.rest),
    }))
}

/// What a tool run by Anthropic gave: the whole block, for its encrypted content is read by nobody else.
fn server_result(kind: &str, raw: &RawValue) -> Part {
    let call = member(raw.get(), "tool_use_id").and_then(|id| id.as_str().map(String::from));
    Part::ServerResult(ServerResult {
        call: call.unwrap_or_default(),
        kind: kind.to_owned(),
        raw: raw.into(),
        origin: DIALECT,
    })
}

/// A marker of a cached prefix.
pub(super) fn cache(control: Option<CacheControl<'_>>) -> Option<CacheMark> {
    control.map(|control| {
        let mut members = rest(control.rest);
        keep_other(&mut members, "type", control.kind, "ephemeral");
        CacheMark { ttl: control.ttl.map(Str::into_string), rest: members }
    })
}
