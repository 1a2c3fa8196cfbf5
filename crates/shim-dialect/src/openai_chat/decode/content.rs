//! Content parts.

use serde_json::value::RawValue;
use shim_ir::{CacheMark, Media, MediaKind, Part, Reasoning, Rest, Source, Text};
use shim_wire::{JsonString, RawJson, Str};

use super::{DIALECT, foreign, here, is_array, note_form, rest, string};
use crate::DecodeError;
use crate::common::tag;
use crate::openai_chat::types::{
    AudioPart, CacheControl, FilePart, MediaPart, MediaUrl, RefusalPart, TextPart, ThinkingPart,
};

/// `content` of a message: text, or parts. Absent gives none.
pub(crate) fn content(raw: Option<&RawValue>) -> Result<Vec<Part>, DecodeError> {
    match raw {
        None => Ok(Vec::new()),
        Some(raw) if is_array(raw) => {
            let parts: Vec<&RawValue> = here(raw)?;
            let parts = parts.into_iter().enumerate();
            parts.map(|(at, raw)| part(raw).map_err(|error| error.under(&format!("[{at}]")))).collect()
        }
        Some(raw) => Ok(vec![part(raw)?]),
    }
}

/// One part. A bare string is text; what is neither known nor text is foreign.
pub(super) fn part(raw: &RawValue) -> Result<Part, DecodeError> {
    if let Some(text) = JsonString::read(raw) {
        return Ok(Part::Text(Text::new(text)));
    }
    let kind = tag(raw.get()).unwrap_or_default();
    Ok(match &*kind {
        "text" => text_part(here(raw)?),
        "refusal" => refusal_part(here(raw)?),
        "image_url" | "video_url" | "document_url" => media_part(here(raw)?)?,
        "input_audio" => audio_part(here(raw)?),
        "file" => file_part(here(raw)?)?,
        "thinking" => thinking_part(here(raw)?)?,
        other => Part::Foreign(foreign(other, raw)),
    })
}

fn text_part(part: TextPart<'_>) -> Part {
    Part::Text(Text {
        text: part.text,
        cache: cache(part.prompt_cache_breakpoint.or(part.cache_control)),
        rest: rest(part.rest),
        ..Text::default()
    })
}

fn refusal_part(part: RefusalPart<'_>) -> Part {
    Part::Refusal(Text { text: part.refusal, rest: rest(part.rest), ..Text::default() })
}

fn media_part(part: MediaPart<'_>) -> Result<Part, DecodeError> {
    let (kind, raw) = match &*part.kind {
        "image_url" => (MediaKind::Image, part.image_url),
        "video_url" => (MediaKind::Video, part.video_url),
        _ => (MediaKind::File, part.document_url),
    };
    let raw = raw.ok_or_else(|| DecodeError::shape(".", format!("missing field `{}`", &*part.kind)))?;
    let (url, detail, mut members) = media_url(raw).map_err(|error| error.under(&part.kind))?;
    members.merge(rest(part.rest));
    let (source, mime) = located(&url);
    if kind != MediaKind::Image {
        note_form(&mut members, &part.kind);
    }
    Ok(Part::Media(Media {
        name: part.document_name.map(Str::into_string),
        detail,
        cache: cache(part.prompt_cache_breakpoint.or(part.cache_control)),
        ..bare_media(kind, source, mime, members)
    }))
}

/// The address, the detail wanted, and what else there is.
fn media_url(raw: &RawValue) -> Result<(String, Option<String>, Rest), DecodeError> {
    if let Some(url) = string(raw) {
        return Ok((url, None, Rest::default()));
    }
    let media: MediaUrl<'_> = here(raw)?;
    Ok((media.url.into_string(), media.detail.map(Str::into_string), rest(media.rest)))
}

fn audio_part(part: AudioPart<'_>) -> Part {
    let mut members = rest(part.input_audio.rest);
    members.merge(rest(part.rest));
    let source = Source::Inline(part.input_audio.data.into_string());
    let mime = part.input_audio.format.map(Str::into_string);
    Part::Media(Media {
        cache: cache(part.prompt_cache_breakpoint.or(part.cache_control)),
        ..bare_media(MediaKind::Audio, source, mime, members)
    })
}

fn file_part(part: FilePart<'_>) -> Result<Part, DecodeError> {
    let file = part.file;
    let (source, mime) = match (file.file_data, file.file_id) {
        (Some(data), _) => located_or_inline(&data),
        (None, Some(id)) => (Source::Handle(id.into_string()), None),
        (None, None) => return Err(DecodeError::shape("file", "missing field `file_data`")),
    };
    let mut members = rest(file.rest);
    members.merge(rest(part.rest));
    if matches!(source, Source::Url(_)) {
        note_form(&mut members, "file_data");
    }
    Ok(Part::Media(Media {
        name: file.filename.map(Str::into_string),
        cache: cache(part.prompt_cache_breakpoint.or(part.cache_control)),
        ..bare_media(MediaKind::File, source, mime, members)
    }))
}

/// Media without a name, a marker, or anything else that only some media have.
pub(crate) fn bare_media(kind: MediaKind, source: Source, mime: Option<String>, rest: Rest) -> Media {
    Media { kind, source, mime, name: None, detail: None, cache: None, opaque: Vec::new(), rest }
}

/// Where an address says the bytes are: in itself, as a data URL in base64, or there.
fn located(url: &str) -> (Source, Option<String>) {
    match url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,")) {
        Some((mime, data)) => (Source::Inline(data.to_owned()), Some(mime.to_owned())),
        None => (Source::Url(url.to_owned()), None),
    }
}

/// `file_data`: a data URL, bare base64, or with OpenRouter an address.
fn located_or_inline(data: &str) -> (Source, Option<String>) {
    let is_url = ["data:", "http://", "https://"].iter().any(|scheme| data.starts_with(scheme));
    if is_url { located(data) } else { (Source::Inline(data.to_owned()), None) }
}

/// Mistral's reasoning. What it holds beside text (references) stays verbatim in `rest`.
fn thinking_part(part: ThinkingPart<'_>) -> Result<Part, DecodeError> {
    let (text, whole) = text_of(part.thinking)?;
    let mut members = rest(part.rest);
    if !whole {
        members.push(DIALECT, "thinking", RawJson::from(part.thinking));
    }
    Ok(Part::Reasoning(Reasoning { text: vec![text], rest: members, ..Reasoning::default() }))
}

/// The text of content parts, joined, and whether that is all they hold.
fn text_of(raw: &RawValue) -> Result<(String, bool), DecodeError> {
    let mut joined = String::new();
    let mut whole = true;
    for part in content(Some(raw)).map_err(|error| error.under("thinking"))? {
        match part {
            Part::Text(text) => joined.push_str(&text.text),
            Part::Refusal(_)
            | Part::Media(_)
            | Part::Reasoning(_)
            | Part::ToolCall(_)
            | Part::ToolResult(_)
            | Part::ServerResult(_)
            | Part::Foreign(_) => whole = false,
        }
    }
    Ok((joined, whole))
}

/// A marker of a cached prefix; the members that tell the two kinds apart (`mode`, `type`) are in its `rest`.
pub(super) fn cache(control: Option<CacheControl<'_>>) -> Option<CacheMark> {
    control.map(|control| CacheMark { ttl: control.ttl.map(Str::into_string), rest: rest(control.rest) })
}
