//! Images and documents.
//!
//! Sources, read 2026-11-25: <https://platform.claude.com/docs/en/build-with-claude/vision>,
//! <https://platform.claude.com/docs/en/build-with-claude/pdf-support>,
//! <https://platform.claude.com/docs/en/build-with-claude/files>.

use std::borrow::Cow;

use shim_ir::{LossKind, Media, MediaKind, Source};
use shim_wire::JsonWriter;

use super::content::list;
use super::{Cx, DIALECT, INLINE_MEDIA, Place, base64, cache_control, members};

/// Images that are taken.
const IMAGES: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];

/// Why a part cannot be sent; `None` when it can.
pub(super) fn refused(media: &Media, cx: &Cx<'_>) -> Option<&'static str> {
    let takes = |kinds: &Vec<MediaKind>| kinds.contains(&media.kind);
    if cx.traits.is_some_and(|traits| !traits.media.as_ref().is_none_or(takes)) {
        return Some("the model does not take media of this kind");
    }
    match (media.kind, &media.source) {
        (MediaKind::Audio, _) => Some("sound is not taken"),
        (MediaKind::Video, _) => Some("video is not taken"),
        (_, Source::Url(_)) if cx.has(INLINE_MEDIA) => Some("the provider fetches no address"),
        (_, Source::Url(url)) if !is_web(url) => Some("only addresses of the web are fetched"),
        (_, Source::Handle(id)) if !id.starts_with("file_") => Some("the file is with another provider"),
        (MediaKind::Image, Source::Inline(data)) => {
            (!IMAGES.contains(&&*image_type(media, data))).then_some("images of this type are not taken")
        }
        (MediaKind::Image, Source::Plain(_) | Source::Parts(_)) => Some("an image is no text"),
        (MediaKind::File, Source::Inline(data)) => {
            file(media, data).is_none().then_some("only PDF and text are taken as documents")
        }
        (MediaKind::Image, Source::Url(_) | Source::Handle(_))
        | (MediaKind::File, Source::Url(_) | Source::Handle(_) | Source::Plain(_) | Source::Parts(_)) => None,
    }
}

fn is_web(url: &str) -> bool {
    let starts =
        |scheme: &str| url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    starts("https://") || starts("http://")
}

/// The members of a block of `type` `image`, `document` or `search_result`.
pub(super) fn media_block(w: &mut JsonWriter<'_>, media: &Media, at: Place<'_>, cx: &mut Cx<'_>) {
    let own = cx.own(&media.rest, &at);
    let search = media.rest.origin() == Some(DIALECT) && media.rest.get("type").is_some();
    match (media.kind, &media.source) {
        (_, Source::Parts(parts)) if search => w.array("content", |w| list(w, parts, at, cx)),
        (MediaKind::Image, _) => {
            w.string("type", "image");
            source(w, media, at, cx);
        }
        (MediaKind::File | MediaKind::Audio | MediaKind::Video, _) => {
            w.string("type", "document");
            source(w, media, at, cx);
        }
    }
    if media.kind != MediaKind::Image {
        w.maybe("title", media.name.as_deref(), JsonWriter::string);
    }
    if media.detail.as_deref().is_some_and(|detail| detail != "auto") {
        cx.lose(format_args!("{at}.detail"), LossKind::Dropped, "how closely to look cannot be asked");
    }
    if !media.opaque.is_empty() {
        cx.lose(format_args!("{at}.opaque"), LossKind::Dropped, "only its origin can read it");
    }
    cache_control(w, media.cache.as_ref(), &at, cx);
    members(w, own);
}

/// `source` of a block.
fn source(w: &mut JsonWriter<'_>, media: &Media, at: Place<'_>, cx: &mut Cx<'_>) {
    let mime = media.mime.as_deref();
    w.nested("source", |w| match &media.source {
        Source::Inline(data) if media.kind == MediaKind::Image => {
            base64_source(w, &image_type(media, data), data);
        }
        Source::Inline(data) => match file(media, data) {
            Some(File::Text(text)) => text_source(w, &text),
            Some(File::Pdf) | None => base64_source(w, "application/pdf", data),
        },
        Source::Plain(text) => {
            w.string("type", "text");
            w.string("media_type", mime.unwrap_or("text/plain"));
            w.string("data", text);
        }
        Source::Url(url) => {
            w.string("type", "url");
            w.string("url", url);
        }
        Source::Handle(id) => {
            w.string("type", "file");
            w.string("file_id", id);
        }
        Source::Parts(parts) => {
            w.string("type", "content");
            w.array("content", |w| list(w, parts, at, cx));
        }
    });
}

fn base64_source(w: &mut JsonWriter<'_>, mime: &str, data: &str) {
    w.string("type", "base64");
    w.string("media_type", mime);
    w.string("data", data);
}

fn text_source(w: &mut JsonWriter<'_>, text: &str) {
    w.string("type", "text");
    w.string("media_type", "text/plain");
    w.string("data", text);
}

/// The type of an image: as it is stated, in full, or as its first bytes say.
fn image_type<'m>(media: &'m Media, data: &str) -> Cow<'m, str> {
    match media.mime.as_deref() {
        Some("image/jpg" | "jpg") => Cow::Borrowed("image/jpeg"),
        Some(mime) if mime.contains('/') => Cow::Borrowed(mime),
        Some(word) => Cow::Owned(format!("image/{word}")),
        None => Cow::Borrowed(begins(data)),
    }
}

/// The type of an image by what its base64 begins with.
fn begins(data: &str) -> &'static str {
    let types = [
        ("/9j/", "image/jpeg"),
        ("R0lGOD", "image/gif"),
        ("UklGR", "image/webp"),
        ("iVBORw0KGgo", "image/png"),
    ];
    types.iter().find(|(start, _)| data.starts_with(start)).map_or("image/png", |(_, mime)| mime)
}

/// A file that can be sent.
enum File {
    Pdf,
    Text(String),
}

/// What a file is, by its type, its name or its first bytes; `None` for one that is not taken.
fn file(media: &Media, data: &str) -> Option<File> {
    let named = |end: &str| media.name.as_ref().is_some_and(|name| name.to_ascii_lowercase().ends_with(end));
    match media.mime.as_deref() {
        Some("application/pdf" | "pdf") => Some(File::Pdf),
        Some(mime) if is_text(mime) => base64::text(data).map(File::Text),
        Some(_) => None,
        None if data.starts_with("JVBERi") || named(".pdf") => Some(File::Pdf),
        None => base64::text(data).map(File::Text),
    }
}

fn is_text(mime: &str) -> bool {
    let bare = mime.split(';').next().unwrap_or_default().trim();
    bare.starts_with("text/")
        || matches!(bare, "application/json" | "application/xml" | "application/yaml" | "application/x-yaml")
}
