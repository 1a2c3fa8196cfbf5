//! Content parts of a request.

use shim_ir::{CacheMark, Media, MediaKind, Part, Source, Text};
use shim_wire::{JsonWriter, Place};

use super::super::decode::DIALECT;
use super::ask::Ask;
use super::cite::{is_told, put_annotation};
use super::loss::{At, verbatim};
use super::mark::{lose_mark, put_mark};
use super::output::lose_citations;
use crate::common::why_foreign;

/// Whose words content parts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The client's, or a tool's.
    Input,
    /// The model's.
    Output,
}

/// Whether a text has nothing on it that a bare string cannot hold.
pub(super) fn is_bare(text: &Text, ask: &Ask<'_>) -> bool {
    text.citations.is_empty()
        && text.logprobs.is_none()
        && text.rest.is_empty()
        && !text.cache.as_ref().is_some_and(|mark| ask.marks(mark))
}

/// Tells of what hangs on a text that is written as a bare string.
pub(super) fn lose_beside(text: &Text, at: At<'_>, ask: &mut Ask<'_>) {
    lose_mark(text.cache.as_ref(), at, ask);
    if !text.opaque.is_empty() {
        ask.losses.dropped(at.member("opaque"), "only its origin can read it");
    }
}

/// Writes one part into a list. `around` is a marker of what holds the part, for the last of its parts.
pub(super) fn put_part(
    w: &mut JsonWriter<'_>,
    part: &Part,
    side: Side,
    around: Option<&CacheMark>,
    at: At<'_>,
    ask: &mut Ask<'_>,
) {
    match part {
        Part::Text(text) => put_text(w.element(), text, side, around, at, ask),
        Part::Refusal(text) => put_refusal(w.element(), text, side, at, ask),
        Part::Media(media) => put_media(w, media, side, around, at, ask),
        Part::Foreign(foreign) if foreign.dialect == DIALECT => w.element().raw(&foreign.raw),
        Part::Foreign(_)
        | Part::Reasoning(_)
        | Part::ToolCall(_)
        | Part::ToolResult(_)
        | Part::ServerResult(_) => lose_unsaid(part, at, ask),
    }
}

/// Tells of a part that is nothing that is said or shown.
pub(super) fn lose_unsaid(part: &Part, at: At<'_>, ask: &mut Ask<'_>) {
    match part {
        Part::Foreign(foreign) => ask.losses.unsupported(at, why_foreign(foreign)),
        Part::Text(_)
        | Part::Refusal(_)
        | Part::Media(_)
        | Part::Reasoning(_)
        | Part::ToolCall(_)
        | Part::ToolResult(_)
        | Part::ServerResult(_) => {
            ask.losses.dropped(at, "nothing like it can stand inside a message");
        }
    }
}

fn put_text(
    place: Place<'_, '_>,
    text: &Text,
    side: Side,
    around: Option<&CacheMark>,
    at: At<'_>,
    ask: &mut Ask<'_>,
) {
    lose_beside(text, at, ask);
    let members = ask.losses.own(&text.rest, at);
    place.object(|w| {
        w.string("type", if side == Side::Output { "output_text" } else { "input_text" });
        w.text("text", &text.text);
        if side == Side::Output || !text.citations.is_empty() {
            w.array("annotations", |w| {
                for citation in text.citations.iter().filter(|citation| is_told(citation)) {
                    put_annotation(w.element(), citation, &text.text);
                }
            });
        }
        w.maybe("logprobs", text.logprobs.as_ref().filter(|_| ask.own), JsonWriter::raw);
        put_mark(w, text.cache.as_ref().or(around), ask);
        verbatim(w, members, &[]);
    });
    lose_citations(text, at, &mut ask.losses);
    lose_logprobs(text, at, ask);
}

/// A refusal of the model's; anybody else's is text.
fn put_refusal(place: Place<'_, '_>, text: &Text, side: Side, at: At<'_>, ask: &mut Ask<'_>) {
    lose_beside(text, at, ask);
    let members = ask.losses.own(&text.rest, at);
    place.object(|w| {
        if side == Side::Output || ask.own {
            w.string("type", "refusal");
            w.text("refusal", &text.text);
            if text.cache.as_ref().is_some_and(|mark| ask.marks(mark)) {
                ask.losses.dropped(at.member("cache"), "a refusal has no markers");
            }
        } else {
            ask.losses.approximated(at, "a refusal of anybody but the model is text");
            w.string("type", "input_text");
            w.text("text", &text.text);
            put_mark(w, text.cache.as_ref(), ask);
        }
        verbatim(w, members, &[]);
    });
    lose_logprobs(text, at, ask);
}

fn lose_logprobs(text: &Text, at: At<'_>, ask: &mut Ask<'_>) {
    if text.logprobs.is_some() && !ask.own {
        ask.losses.dropped(at.member("logprobs"), "they mean nothing to a model");
    }
}

/// Media whose kind the target is known not to take.
fn is_refused(kind: MediaKind, ask: &Ask<'_>) -> bool {
    ask.traits.media.as_ref().is_some_and(|kinds| !kinds.contains(&kind))
}

fn put_media(
    w: &mut JsonWriter<'_>,
    media: &Media,
    side: Side,
    around: Option<&CacheMark>,
    at: At<'_>,
    ask: &mut Ask<'_>,
) {
    if is_refused(media.kind, ask) {
        return ask.losses.unsupported(at, "the model does not take media of this kind");
    }
    if !media.opaque.is_empty() {
        ask.losses.dropped(at.member("opaque"), "only its origin can read it");
    }
    let mark = media.cache.as_ref().or(around);
    match (&media.source, media.kind) {
        (Source::Parts(parts), _) => put_nested(w, parts, media, mark, at, ask),
        (Source::Plain(text), _) => put_plain(w, text, media, mark, at, ask),
        (Source::Handle(id), _) if !ask.own && !id.starts_with("file-") => {
            ask.losses.unsupported(at, "the file is kept by another provider");
        }
        (_, MediaKind::Image) => put_image(w, media, mark, at, ask),
        (_, MediaKind::File) => put_file(w, media, mark, at, ask),
        (_, MediaKind::Audio) => put_audio(w, media, side, at, ask),
        (_, MediaKind::Video) => put_video(w, media, at, ask),
    }
}

/// A document made of parts goes as those parts, with its title before them.
fn put_nested(
    w: &mut JsonWriter<'_>,
    parts: &[Part],
    media: &Media,
    mark: Option<&CacheMark>,
    at: At<'_>,
    ask: &mut Ask<'_>,
) {
    ask.losses.approximated(at, "a document made of parts goes as those parts");
    lose_mark(media.cache.as_ref(), at, ask);
    ask.losses.own(&media.rest, at);
    if let Some(name) = &media.name {
        put_text(w.element(), &Text::new(name), Side::Input, None, at, ask);
    }
    put_parts(w, parts, mark, &|n| at.nth("source", n), ask);
}

/// Writes parts into a list; `mark` is a marker of what holds them, which stands behind the last.
pub(super) fn put_parts<'p>(
    w: &mut JsonWriter<'_>,
    parts: &[Part],
    mark: Option<&CacheMark>,
    at: &dyn Fn(usize) -> At<'p>,
    ask: &mut Ask<'_>,
) {
    for (n, part) in parts.iter().enumerate() {
        let around = mark.filter(|_| n + 1 == parts.len());
        put_part(w, part, Side::Input, around, at(n), ask);
    }
}

/// A document that is plain text goes as text, with its title before it.
fn put_plain(
    w: &mut JsonWriter<'_>,
    text: &str,
    media: &Media,
    mark: Option<&CacheMark>,
    at: At<'_>,
    ask: &mut Ask<'_>,
) {
    ask.losses.approximated(at, "a document of plain text goes as text");
    lose_mark(media.cache.as_ref(), at, ask);
    ask.losses.own(&media.rest, at);
    let titled = media.name.as_ref().map(|name| format!("{name}\n\n{text}"));
    let text = Text::new(titled.unwrap_or_else(|| text.to_owned()));
    put_text(w.element(), &text, Side::Input, mark, at, ask);
}

fn put_image(w: &mut JsonWriter<'_>, media: &Media, mark: Option<&CacheMark>, at: At<'_>, ask: &mut Ask<'_>) {
    lose_mark(media.cache.as_ref(), at, ask);
    let members = ask.losses.own(&media.rest, at);
    let detail = detail(media, at, ask);
    lose_name(media, at, ask);
    w.element().object(|w| {
        w.string("type", "input_image");
        match &media.source {
            Source::Inline(data) => {
                let mime = media.mime.as_deref().unwrap_or_else(|| sniffed(data));
                w.string("image_url", &data_url(mime, data));
            }
            Source::Url(url) => w.string("image_url", url),
            Source::Handle(id) => w.string("file_id", id),
            Source::Plain(_) | Source::Parts(_) => {}
        }
        w.maybe("detail", detail, JsonWriter::string);
        put_mark(w, mark, ask);
        verbatim(w, members, &[]);
    });
}

/// Only a file has a name here.
fn lose_name(media: &Media, at: At<'_>, ask: &mut Ask<'_>) {
    if media.name.is_some() && !ask.own {
        ask.losses.dropped(at.member("name"), "media of this kind has no name here");
    }
}

/// How closely an image is to be looked at. Google's words are of its own.
fn detail<'m>(media: &'m Media, at: At<'_>, ask: &mut Ask<'_>) -> Option<&'m str> {
    let word = media.detail.as_deref()?;
    if ask.own || matches!(word, "auto" | "low" | "high" | "original") {
        return Some(word);
    }
    let near = match word.rsplit('_').next().unwrap_or_default() {
        "LOW" => Some("low"),
        "HIGH" => Some("high"),
        _ => None,
    };
    if near.is_none() || word.contains("ULTRA") {
        ask.losses.approximated(at.member("detail"), "the target has no such level");
    }
    near
}

pub(super) fn data_url(mime: &str, data: &str) -> String {
    format!("data:{mime};base64,{data}")
}

/// The type of an image, by the beginning of its base64.
fn sniffed(data: &str) -> &'static str {
    let known = [("/9j/", "image/jpeg"), ("R0lGOD", "image/gif"), ("UklGR", "image/webp")];
    known.iter().find(|(start, _)| data.starts_with(start)).map_or("image/png", |(_, mime)| mime)
}

fn put_file(w: &mut JsonWriter<'_>, media: &Media, mark: Option<&CacheMark>, at: At<'_>, ask: &mut Ask<'_>) {
    lose_mark(media.cache.as_ref(), at, ask);
    let members = ask.losses.own(&media.rest, at);
    let name = file_name(media, at, ask);
    w.element().object(|w| {
        w.string("type", "input_file");
        match (&media.source, &media.mime) {
            (Source::Inline(data), Some(mime)) => w.string("file_data", &data_url(mime, data)),
            (Source::Inline(data), None) if ask.own => w.string("file_data", data),
            (Source::Inline(data), None) => w.string("file_data", &data_url("application/pdf", data)),
            (Source::Url(url), _) => w.string("file_url", url),
            (Source::Handle(id), _) => w.string("file_id", id),
            (Source::Plain(_) | Source::Parts(_), _) => {}
        }
        w.maybe("filename", name, JsonWriter::string);
        put_mark(w, mark, ask);
        verbatim(w, members, &[]);
    });
}

/// The name of a file; one whose bytes are here must have one. A name beside an address is refused.
fn file_name<'m>(media: &'m Media, at: At<'_>, ask: &mut Ask<'_>) -> Option<&'m str> {
    let inline = matches!(media.source, Source::Inline(_));
    match media.name.as_deref() {
        Some(name) if ask.own || inline => Some(name),
        Some(_) => {
            ask.losses.dropped(at.member("name"), "only a file whose bytes are here has a name");
            None
        }
        None if inline && !ask.own => {
            ask.losses.defaulted(at.member("name"), "a file whose bytes are here must have a name");
            Some(match media.mime.as_deref() {
                None | Some("application/pdf") => "document.pdf",
                Some(mime) if mime.starts_with("text/") => "document.txt",
                Some(_) => "document",
            })
        }
        None => None,
    }
}

/// Sound. Source: `ResponseInputAudio` of the official SDK's types, read 2026-11-25.
fn put_audio(w: &mut JsonWriter<'_>, media: &Media, side: Side, at: At<'_>, ask: &mut Ask<'_>) {
    let format = if ask.own { media.mime.as_deref() } else { format(media) };
    let (Source::Inline(data), true) = (&media.source, ask.own || format.is_some()) else {
        return ask.losses.unsupported(at, "sound goes as WAV or MP3, with its bytes");
    };
    let members = ask.losses.own(&media.rest, at);
    lose_name(media, at, ask);
    if media.cache.is_some() {
        ask.losses.dropped(at.member("cache"), "sound has no markers");
    }
    w.element().object(|w| {
        match side {
            Side::Output => put_output_audio(w, data),
            Side::Input => put_input_audio(w, data, format),
        }
        verbatim(w, members, &[]);
    });
}

/// Sound of the model's.
pub(super) fn put_output_audio(w: &mut JsonWriter<'_>, data: &str) {
    w.string("type", "output_audio");
    w.string("data", data);
}

fn put_input_audio(w: &mut JsonWriter<'_>, data: &str, format: Option<&str>) {
    w.string("type", "input_audio");
    w.nested("input_audio", |w| {
        w.string("data", data);
        w.maybe("format", format, JsonWriter::string);
    });
}

/// The short word for a type of sound.
fn format(media: &Media) -> Option<&'static str> {
    match media.mime.as_deref()? {
        "wav" | "audio/wav" | "audio/x-wav" | "audio/wave" => Some("wav"),
        "mp3" | "audio/mp3" | "audio/mpeg" => Some("mp3"),
        _ => None,
    }
}

/// Moving pictures. Not OpenAI's: Open Responses, <https://www.openresponses.org/reference>, read 2026-11-25.
fn put_video(w: &mut JsonWriter<'_>, media: &Media, at: At<'_>, ask: &mut Ask<'_>) {
    let taken = ask.traits.media.as_ref().is_some_and(|kinds| kinds.contains(&MediaKind::Video));
    let url = match &media.source {
        Source::Url(url) => Some(url.clone()),
        Source::Inline(data) => Some(data_url(media.mime.as_deref().unwrap_or("video/mp4"), data)),
        Source::Handle(_) | Source::Plain(_) | Source::Parts(_) => None,
    };
    let Some(url) = url.filter(|_| ask.own || taken) else {
        return ask.losses.unsupported(at, "the target is not known to take moving pictures");
    };
    let members = ask.losses.own(&media.rest, at);
    lose_name(media, at, ask);
    if media.cache.is_some() {
        ask.losses.dropped(at.member("cache"), "moving pictures have no markers");
    }
    w.element().object(|w| {
        w.string("type", "input_video");
        w.string("video_url", &url);
        verbatim(w, members, &[]);
    });
}
