//! Content parts.

use serde_json::value::RawValue;
use shim_ir::{CacheMark, Citation, Media, MediaKind, Part, Rest, Source, Text};
use shim_wire::{JsonString, RawJson, Str, from_raw};

use super::{foreign, is_array, read, rest, string};
use crate::DecodeError;
use crate::common::tag;
use crate::openai_responses::types::{
    Annotation, AudioPart, CacheBreakpoint, Count, FilePart, ImagePart, ImageUrl, RefusalPart, SoundPart,
    TextPart, VideoPart,
};

/// `content` of a message or `output` of a tool: text, parts, or one part. Absent gives none.
pub(super) fn content(raw: Option<&RawValue>, path: &str) -> Result<Vec<Part>, DecodeError> {
    match raw {
        None => Ok(Vec::new()),
        Some(raw) if is_array(raw) => {
            let parts: Vec<&RawValue> = read(raw, path)?;
            let parts = parts.into_iter().enumerate();
            parts.map(|(at, raw)| content_part(raw, &format!("{path}[{at}]"))).collect()
        }
        Some(raw) => Ok(vec![content_part(raw, path)?]),
    }
}

/// One part. A bare string is text; what is neither known nor text is foreign.
pub(crate) fn content_part(raw: &RawValue, path: &str) -> Result<Part, DecodeError> {
    if let Some(text) = JsonString::read(raw) {
        return Ok(Part::Text(Text::new(text)));
    }
    let kind = tag(raw.get()).unwrap_or_default();
    Ok(match &*kind {
        "input_text" | "output_text" | "text" => text_part(read(raw, path)?),
        "refusal" => refusal_part(read(raw, path)?),
        "input_image" | "computer_screenshot" => image_part(read(raw, path)?, path)?,
        "input_file" => file_part(read(raw, path)?, path)?,
        "input_audio" => audio_part(read(raw, path)?),
        "output_audio" => sound_part(read(raw, path)?),
        "input_video" => video_part(read(raw, path)?),
        other => Part::Foreign(foreign(other, raw)),
    })
}

fn text_part(part: TextPart<'_>) -> Part {
    Part::Text(Text {
        text: part.text,
        citations: part.annotations.into_iter().map(annotation).collect(),
        logprobs: part.logprobs.and_then(logprobs),
        cache: cache(part.prompt_cache_breakpoint),
        opaque: Vec::new(),
        rest: rest(part.rest),
    })
}

/// A list of log probabilities that holds any.
pub(crate) fn logprobs(raw: &RawValue) -> Option<RawJson> {
    let list = raw.get().strip_prefix('[')?.trim_start();
    (!list.starts_with(']')).then(|| raw.into())
}

/// A citation of any kind, verbatim, and read as far as its kind has the member.
pub(crate) fn annotation(raw: &RawValue) -> Citation {
    let words = Some(RawJson::from(raw));
    let Ok(wire) = from_raw::<Annotation<'_>>(raw) else {
        return Citation { words, ..Citation::default() };
    };
    let number = |count: Count| count.0;
    Citation {
        url: wire.url.map(Str::into_string),
        title: wire.title.or(wire.filename).map(Str::into_string),
        cited: None,
        start: wire.start_index.map(number),
        end: wire.end_index.map(number),
        words,
    }
}

fn refusal_part(part: RefusalPart<'_>) -> Part {
    Part::Refusal(Text { text: part.refusal, rest: rest(part.rest), ..Text::default() })
}

fn image_part(part: ImagePart<'_>, path: &str) -> Result<Part, DecodeError> {
    let missing = || DecodeError::shape(path, "missing field `image_url`");
    let (source, mime, detail) = match (part.image_url, part.file_id) {
        (Some(raw), _) => image_url(raw, &format!("{path}.image_url"))?,
        (None, Some(id)) => (Source::Handle(id.into_string()), None, None),
        (None, None) => return Err(missing()),
    };
    Ok(Part::Media(Media {
        mime,
        detail: part.detail.map(Str::into_string).or(detail),
        cache: cache(part.prompt_cache_breakpoint),
        ..media(MediaKind::Image, source, rest(part.rest))
    }))
}

/// Where an image is, of what type, and how closely it is to be looked at.
fn image_url(raw: &RawValue, path: &str) -> Result<(Source, Option<String>, Option<String>), DecodeError> {
    if let Some(url) = string(raw) {
        let (source, mime) = located(&url);
        return Ok((source, mime, None));
    }
    let image: ImageUrl<'_> = read(raw, path)?;
    let (source, mime) = located(&image.url);
    Ok((source, mime, image.detail.map(Str::into_string)))
}

fn file_part(part: FilePart<'_>, path: &str) -> Result<Part, DecodeError> {
    let missing = || DecodeError::shape(path, "missing field `file_data`");
    let (source, mime) = match (part.file_data, part.file_url, part.file_id) {
        (Some(data), ..) => located_or_inline(&data),
        (None, Some(url), _) => located(&url),
        (None, None, Some(id)) => (Source::Handle(id.into_string()), None),
        (None, None, None) => return Err(missing()),
    };
    Ok(Part::Media(Media {
        mime,
        name: part.filename.map(Str::into_string),
        cache: cache(part.prompt_cache_breakpoint),
        ..media(MediaKind::File, source, rest(part.rest))
    }))
}

fn audio_part(part: AudioPart<'_>) -> Part {
    let mut members = rest(part.input_audio.rest);
    members.merge(rest(part.rest));
    let source = Source::Inline(part.input_audio.data.into_string());
    let mime = part.input_audio.format.map(Str::into_string);
    Part::Media(Media { mime, ..media(MediaKind::Audio, source, members) })
}

fn sound_part(part: SoundPart<'_>) -> Part {
    let source = Source::Inline(part.data.into_string());
    Part::Media(media(MediaKind::Audio, source, rest(part.rest)))
}

fn video_part(part: VideoPart<'_>) -> Part {
    let (source, mime) = located(&part.video_url);
    Part::Media(Media { mime, ..media(MediaKind::Video, source, rest(part.rest)) })
}

/// Media with nothing on it.
pub(super) fn media(kind: MediaKind, source: Source, members: Rest) -> Media {
    let (mime, name, detail, cache) = (None, None, None, None);
    Media { kind, source, mime, name, detail, cache, opaque: Vec::new(), rest: members }
}

/// Where an address says the bytes are: in itself, as a data URL in base64, or there.
fn located(url: &str) -> (Source, Option<String>) {
    match url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,")) {
        Some((mime, data)) => (Source::Inline(data.to_owned()), Some(mime.to_owned())),
        None => (Source::Url(url.to_owned()), None),
    }
}

/// `file_data`: a data URL, or bare base64.
fn located_or_inline(data: &str) -> (Source, Option<String>) {
    if data.starts_with("data:") { located(data) } else { (Source::Inline(data.to_owned()), None) }
}

/// A marker of a cached prefix; what it holds beside a life is in its `rest`.
fn cache(wire: Option<CacheBreakpoint<'_>>) -> Option<CacheMark> {
    wire.map(|wire| CacheMark { ttl: wire.ttl.map(Str::into_string), rest: rest(wire.rest) })
}
