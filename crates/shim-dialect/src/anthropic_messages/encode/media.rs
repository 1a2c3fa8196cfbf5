//! Images and documents.
//!
//! Sources, read 2026-11-25: <https://platform.claude.com/docs/en/build-with-claude/vision>,
//! <https://platform.claude.com/docs/en/build-with-claude/pdf-support>,
//! <https://platform.claude.com/docs/en/build-with-claude/files>.

use std::borrow::Cow;

use shim_ir::{LossKind, Media, MediaKind, Source};
use shim_wire::JsonWriter;

use super::content::list;
use super::{Cx, DIALECT, INLINE_MEDIA, Place, cache_control, members};

/// Images that are taken.
const IMAGES: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];

/// Why a part cannot be sent; `None` when it can.
pub(super) fn refused(media: &Media, cx: &Cx<'_>) -> Option<&'static str> {
    let takes = |kinds: &Vec<MediaKind>| kinds.contains(&media.kind);
    if cx.traits.is_some_and(|traits| !traits.media.as_ref().is_none_or(takes)) {
        return Some("the model does not take media of this kind");
    }
    match media.kind {
        MediaKind::Audio => Some("sound is not taken"),
        MediaKind::Video => Some("video is not taken"),
        MediaKind::Image => refused_source(media, cx).or_else(|| refused_image(media)),
        MediaKind::File => refused_source(media, cx).or_else(|| refused_file(media)),
    }
}

/// Why an image or a document cannot be sent from where it is.
fn refused_source(media: &Media, cx: &Cx<'_>) -> Option<&'static str> {
    match &media.source {
        Source::Url(_) if cx.has(INLINE_MEDIA) => Some("the provider fetches no address"),
        Source::Url(url) if !is_web(url) => Some("only addresses of the web are fetched"),
        Source::Handle(id) if !id.starts_with("file_") => Some("the file is with another provider"),
        Source::Url(_) | Source::Handle(_) | Source::Inline(_) | Source::Plain(_) | Source::Parts(_) => None,
    }
}

fn refused_image(media: &Media) -> Option<&'static str> {
    match &media.source {
        Source::Inline(data) => {
            (!IMAGES.contains(&&*image_type(media, data))).then_some("images of this type are not taken")
        }
        Source::Plain(_) | Source::Parts(_) => Some("an image is no text"),
        Source::Url(_) | Source::Handle(_) => None,
    }
}

fn refused_file(media: &Media) -> Option<&'static str> {
    let Source::Inline(data) = &media.source else { return None };
    file(media, data).is_none().then_some("only PDF and text are taken as documents")
}

fn is_web(url: &str) -> bool {
    let starts =
        |scheme: &str| url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    starts("https://") || starts("http://")
}

/// The members of a block of `type` `image`, `document` or `search_result`.
pub(super) fn media_block(w: &mut JsonWriter<'_>, media: &Media, at: Place<'_>, cx: &mut Cx<'_>) {
    let own = cx.own(&media.rest, &at);
    let is_image = media.kind == MediaKind::Image;
    let is_search = media.rest.origin() == Some(DIALECT) && media.rest.get("type").is_some();
    if is_search && let Source::Parts(parts) = &media.source {
        w.array("content", |w| list(w, parts, at, cx));
    } else {
        w.string("type", if is_image { "image" } else { "document" });
        w.nested("source", |w| source(w, media, at, cx));
    }
    w.maybe("title", media.name.as_deref().filter(|_| !is_image), JsonWriter::string);
    lose_beside(media, at, cx);
    cache_control(w, media.cache.as_ref(), &at, cx);
    members(w, own);
}

/// Tells what of an image or a document is not written beside it.
fn lose_beside(media: &Media, at: Place<'_>, cx: &mut Cx<'_>) {
    if media.detail.as_deref().is_some_and(|detail| detail != "auto") {
        cx.lose(format_args!("{at}.detail"), LossKind::Dropped, "how closely to look cannot be asked");
    }
    if media.kind == MediaKind::Image && media.name.is_some() {
        cx.lose(format_args!("{at}.name"), LossKind::Dropped, "an image has no title");
    }
    if !media.opaque.is_empty() {
        cx.lose(format_args!("{at}.opaque"), LossKind::Dropped, "only its origin can read it");
    }
}

/// The members of `source` of a block.
fn source(w: &mut JsonWriter<'_>, media: &Media, at: Place<'_>, cx: &mut Cx<'_>) {
    match &media.source {
        Source::Inline(data) if media.kind == MediaKind::Image => {
            data_source(w, "base64", &image_type(media, data), data);
        }
        Source::Inline(data) => match file(media, data) {
            Some(File::Text(text)) => data_source(w, "text", "text/plain", &text),
            Some(File::Pdf) | None => data_source(w, "base64", "application/pdf", data),
        },
        Source::Plain(text) => data_source(w, "text", media.mime.as_deref().unwrap_or("text/plain"), text),
        Source::Url(url) => kept_source(w, "url", "url", url),
        Source::Handle(id) => {
            cx.names_file = true;
            kept_source(w, "file", "file_id", id);
        }
        Source::Parts(parts) => {
            w.string("type", "content");
            w.array("content", |w| list(w, parts, at, cx));
        }
    }
}

/// A source that holds the data itself.
fn data_source(w: &mut JsonWriter<'_>, kind: &str, mime: &str, data: &str) {
    w.string("type", kind);
    w.string("media_type", mime);
    w.string("data", data);
}

/// A source that says where the data is kept.
fn kept_source(w: &mut JsonWriter<'_>, kind: &str, key: &str, place: &str) {
    w.string("type", kind);
    w.string(key, place);
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
        Some(mime) if is_text(mime) => crate::base64::text(data).map(File::Text),
        Some(_) => None,
        None if data.starts_with("JVBERi") || named(".pdf") => Some(File::Pdf),
        None => crate::base64::text(data).map(File::Text),
    }
}

fn is_text(mime: &str) -> bool {
    let bare = mime.split(';').next().unwrap_or_default().trim();
    bare.starts_with("text/")
        || matches!(bare, "application/json" | "application/xml" | "application/yaml" | "application/x-yaml")
}
