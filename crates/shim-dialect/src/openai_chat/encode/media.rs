//! Media in content.

use std::borrow::Cow;

use shim_ir::{Media, MediaKind, Part, Source};
use shim_wire::JsonWriter;

use super::content::element;
use super::losses::{Losses, Site, is_own};
use super::request::To;
use crate::openai_chat::decode::has_form;

/// Writes a media part as an element of the open list.
pub(super) fn part(media: &Media, site: Site, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    if to.goal.traits.media.as_ref().is_some_and(|known| !known.contains(&media.kind)) {
        to.losses.unsupported(site, "the model does not take media of this kind");
        return;
    }
    match (&media.source, media.kind) {
        (Source::Plain(text), _) => plain(media, text, site, to, w),
        (Source::Parts(parts), _) => spread(media, parts, site, to, w),
        (_, MediaKind::Image) => image(media, site, to, w),
        (_, MediaKind::Audio) => audio(media, site, to, w),
        (_, MediaKind::Video) => video(media, site, to, w),
        (_, MediaKind::File) => file(media, site, to, w),
    }
}

/// What every media part may have.
fn finish(media: &Media, site: Site, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    if media.cache.as_ref().is_some_and(|cache| to.mark(cache).is_none()) {
        to.lose_mark(media.cache.as_ref(), site.at("cache"));
    }
    to.lose_life(media.cache.as_ref(), site);
    to.write_mark(media.cache.as_ref(), w);
    if !media.opaque.is_empty() {
        to.losses.dropped(site.at("opaque"), "only its origin can read it");
    }
    to.losses.write_own(&media.rest, &site, w);
}

/// The address of the bytes: a data URL where they are here; `None` where they are with a provider.
pub(super) fn url<'m>(media: &'m Media, otherwise: &str) -> Option<Cow<'m, str>> {
    match &media.source {
        Source::Url(url) => Some(Cow::Borrowed(url)),
        Source::Inline(data) => {
            let mime = media.mime.as_deref().unwrap_or(otherwise);
            let top = if mime.contains('/') { "" } else { "image/" };
            Some(Cow::Owned(format!("data:{top}{mime};base64,{data}")))
        }
        Source::Handle(_) | Source::Plain(_) | Source::Parts(_) => None,
    }
}

fn image(media: &Media, site: Site, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    let Some(url) = url(media, "image/png") else {
        to.losses.unsupported(site, "an image kept by a provider cannot be named here");
        return;
    };
    w.element().object(|w| {
        w.string("type", "image_url");
        let detail = detail(media, site, &mut to.losses);
        w.nested("image_url", |w| {
            w.string("url", &url);
            w.maybe("detail", detail, JsonWriter::string);
        });
        lose_name(media, site, &mut to.losses);
        finish(media, site, to, w);
    });
}

/// How closely an image is to be looked at, in OpenAI's words.
fn detail<'m>(media: &'m Media, site: Site, losses: &mut Losses) -> Option<&'m str> {
    let word = media.detail.as_deref()?;
    let lower = word.to_ascii_lowercase();
    let near = ["low", "high", "medium"].into_iter().find(|known| lower.ends_with(known));
    match (word, near) {
        ("low" | "high" | "auto" | "original", _) => Some(word),
        (_, Some("medium")) => Some("auto"),
        (_, Some(near)) => Some(near),
        (_, None) => {
            losses.dropped(site.at("detail"), "the word is not known here");
            None
        }
    }
}

pub(super) fn lose_name(media: &Media, site: Site, losses: &mut Losses) {
    if media.name.is_some() {
        losses.dropped(site.at("name"), "media of this kind has no name here");
    }
}

/// Sound is inline, in a format named by a short word.
fn audio(media: &Media, site: Site, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    let Source::Inline(data) = &media.source else {
        to.losses.unsupported(site, "sound is taken inline only");
        return;
    };
    w.element().object(|w| {
        w.string("type", "input_audio");
        w.nested("input_audio", |w| {
            w.string("data", data);
            write_format(media, site, &mut to.losses, w);
        });
        lose_name(media, site, &mut to.losses);
        finish(media, site, to, w);
    });
}

/// Writes the format of sound. Sound of this dialect that came without one stays without.
fn write_format(media: &Media, site: Site, losses: &mut Losses, w: &mut JsonWriter<'_>) {
    match media.mime.as_deref() {
        Some(mime) => w.string("format", format(mime)),
        None if is_own(&media.rest) => {}
        None => {
            w.string("format", "wav");
            losses.add(site.at("mime"), shim_ir::LossKind::Defaulted, "taken for wav");
        }
    }
}

/// The short word for a type of sound: `wav` for `audio/x-wav`.
fn format(mime: &str) -> &str {
    let subtype = mime.split(';').next().unwrap_or_default().strip_prefix("audio/");
    match subtype.unwrap_or(mime) {
        "x-wav" | "wave" | "vnd.wave" => "wav",
        "mpeg" => "mp3",
        other => other,
    }
}

/// A form that only some providers have: `video_url`, `document_url`.
fn located(member: &str, url: &str, media: &Media, site: Site, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    w.element().object(|w| {
        w.string("type", member);
        if member == "document_url" {
            w.string(member, url);
            w.maybe("document_name", media.name.as_deref(), JsonWriter::string);
        } else {
            w.nested(member, |w| {
                w.string("url", url);
                w.maybe("detail", media.detail.as_deref(), JsonWriter::string);
            });
            lose_name(media, site, &mut to.losses);
        }
        finish(media, site, to, w);
    });
}

fn video(media: &Media, site: Site, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    let known = has_form(&media.rest, "video_url") || to.has("video_url");
    match url(media, "video/mp4").filter(|_| known) {
        Some(url) => located("video_url", &url, media, site, to, w),
        None => to.losses.unsupported(site, "it takes no video"),
    }
}

/// A document: inline, or under an id of the provider's own; by address only where the provider is known to take that.
fn file(media: &Media, site: Site, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    let document = has_form(&media.rest, "document_url") || to.has("document_url");
    let address = has_form(&media.rest, "file_data") || to.has("file_url");
    let found = url(media, "application/octet-stream");
    match (&media.source, found) {
        (Source::Url(_) | Source::Inline(_), Some(url)) if document => {
            located("document_url", &url, media, site, to, w);
        }
        (Source::Inline(data), _) if media.mime.is_none() => file_part(media, "file_data", data, site, to, w),
        (Source::Inline(_), Some(url)) => file_part(media, "file_data", &url, site, to, w),
        (Source::Url(_), Some(url)) if address => file_part(media, "file_data", &url, site, to, w),
        (Source::Handle(id), _) if !id.contains('/') => file_part(media, "file_id", id, site, to, w),
        _ => to.losses.unsupported(site, "a file is taken inline only"),
    }
}

fn file_part(media: &Media, member: &str, value: &str, site: Site, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    w.element().object(|w| {
        w.string("type", "file");
        w.nested("file", |w| {
            w.string(member, value);
            let inline = matches!(media.source, Source::Inline(_));
            match media.name.as_deref() {
                Some(name) => w.string("filename", name),
                None if inline && !is_own(&media.rest) => {
                    let pdf = media.mime.as_deref() == Some("application/pdf");
                    w.string("filename", if pdf { "file.pdf" } else { "file" });
                    to.losses.add(site.at("name"), shim_ir::LossKind::Defaulted, "a file here has a name");
                }
                None => {}
            }
        });
        finish(media, site, to, w);
    });
}

/// A text document is text, with its name before it.
fn plain(media: &Media, text: &str, site: Site, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    to.losses.approximated(site, "a text document is written as text");
    w.element().object(|w| {
        w.string("type", "text");
        match &media.name {
            Some(name) => w.string("text", &format!("{name}\n\n{text}")),
            None => w.string("text", text),
        }
        finish(media, site, to, w);
    });
}

/// A document of parts is its parts, with its name before them.
fn spread(media: &Media, parts: &[Part], site: Site, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    to.losses.approximated(site, "a document of parts is written as its parts");
    if let Some(name) = &media.name {
        w.element().object(|w| {
            w.string("type", "text");
            w.string("text", name);
        });
    }
    to.lose_mark(media.cache.as_ref(), site.at("cache"));
    to.losses.own(&media.rest, &site).for_each(drop);
    for part in parts {
        element(part, site, to, w);
    }
}

/// Sound that the model made, as it is told and as it is referred to later.
pub(crate) fn sound(media: &Media, w: &mut JsonWriter<'_>, losses: &mut Losses, site: Site) {
    if matches!(media.source, Source::Url(_) | Source::Plain(_) | Source::Parts(_)) {
        losses.dropped(site, "sound is told with its bytes");
    }
    lose_name(media, site, losses);
    if !media.opaque.is_empty() {
        losses.dropped(site.at("opaque"), "only its origin can read it");
    }
    let (id, data) = match &media.source {
        Source::Handle(id) => (Some(id), None),
        Source::Inline(data) => (None, Some(data).filter(|data| !data.is_empty())),
        Source::Url(_) | Source::Plain(_) | Source::Parts(_) => (None, None),
    };
    w.maybe("id", id.map(String::as_str), JsonWriter::string);
    w.maybe("data", data.map(String::as_str), JsonWriter::string);
    losses.write_own(&media.rest, &site, w);
}
