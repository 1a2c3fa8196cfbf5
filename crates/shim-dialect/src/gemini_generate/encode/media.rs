//! Images, files, sound and video.
//! Source: <https://ai.google.dev/gemini-api/docs/file-input-methods>, read 2026-11-25.

use std::borrow::Cow;

use shim_ir::{LossKind, Media, MediaKind, Part, Source};
use shim_wire::JsonWriter;

use super::super::decode::located;
use super::content::{Lack, Scribe, write_beside, write_inside};
use super::losses::At;
use super::own::{Member, own};

/// The types of files, by what their names end in.
const ENDS: [(&str, &str); 10] = [
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("webp", "image/webp"),
    ("gif", "image/gif"),
    ("heic", "image/heic"),
    ("pdf", "application/pdf"),
    ("mp3", "audio/mp3"),
    ("wav", "audio/wav"),
    ("mp4", "video/mp4"),
];

/// How media are written.
pub(super) enum Form<'m> {
    /// `inlineData`, with its type, and whether the type was given.
    Inline(Cow<'m, str>, bool, &'m str),
    /// `fileData`, with its type where it is known.
    File(Option<Cow<'m, str>>, &'m str),
    /// Text.
    Text(&'m str),
    /// Parts of its own.
    Parts(&'m [Part]),
}

impl Scribe<'_> {
    /// How media are written; why not, where they cannot be.
    pub(super) fn located<'m>(&self, media: &'m Media) -> Result<Form<'m>, Lack> {
        let taken = self.traits.media.as_ref().is_none_or(|kinds| kinds.contains(&media.kind));
        match &media.source {
            Source::Plain(text) => Ok(Form::Text(text)),
            Source::Parts(parts) => Ok(Form::Parts(parts)),
            Source::Inline(_) | Source::Url(_) | Source::Handle(_) if !taken => {
                Err((LossKind::Unsupported, "the model takes no media of this kind"))
            }
            Source::Inline(data) => {
                let (mime, given) = mime(media, data);
                Ok(Form::Inline(mime, given, data))
            }
            Source::Url(url) if self.traits.has("no_url_media") && !is_video_site(url) => {
                Err((LossKind::Unsupported, "the model fetches no addresses"))
            }
            Source::Url(url) => Ok(Form::File(type_of_file(media, url), url)),
            Source::Handle(uri) if is_own_handle(uri) => Ok(Form::File(type_of_file(media, uri), uri)),
            Source::Handle(_) => Err((LossKind::Unsupported, "another provider keeps the file")),
        }
    }

    pub(super) fn media(&mut self, w: &mut JsonWriter<'_>, media: &Media, at: At) {
        let Ok(form) = self.located(media) else { return };
        let members = own(&media.rest, || at.path(), &mut self.losses);
        self.media_losses(media, members, at);
        let signature = self.signature(&media.opaque, at);
        let level = media.detail.as_deref().filter(|detail| is_level(detail));
        match form {
            Form::Text(text) => {
                self.losses.near(at.member("source"), "a document that is text is said as text");
                w.element().object(|w| w.string("text", text));
            }
            Form::Parts(parts) => {
                self.losses.near(at.member("source"), "the parts of a document are said one by one");
                for (inside, part) in parts.iter().enumerate() {
                    self.part(w, part, At { inside: Some(inside), ..at });
                }
            }
            Form::Inline(..) | Form::File(..) => w.element().object(|w| {
                self.data(w, &form, members, at);
                w.maybe("mediaResolution", level, |w, key, level| {
                    w.nested(key, |w| w.string("level", level))
                });
                write_beside(w, members);
                w.maybe("thoughtSignature", signature, JsonWriter::string);
            }),
        }
    }

    /// `inlineData` or `fileData`.
    pub(super) fn data(&mut self, w: &mut JsonWriter<'_>, form: &Form<'_>, members: &[Member], at: At) {
        match form {
            Form::Inline(mime, given, data) => {
                if !given {
                    let why = "the type of the data is not said";
                    self.losses.tell(at.member("mime"), LossKind::Defaulted, why);
                }
                w.nested("inlineData", |w| blob(w, Some(mime), ("data", data), members));
            }
            Form::File(mime, uri) => {
                w.nested("fileData", |w| blob(w, mime.as_deref(), ("fileUri", uri), members));
            }
            Form::Text(_) | Form::Parts(_) => {}
        }
    }

    fn media_losses(&mut self, media: &Media, members: &[Member], at: At) {
        self.cache(media.cache.as_ref(), at);
        let named = members.iter().any(|(key, _)| **key == *"displayName");
        if media.name.is_some() && !named {
            self.losses.dropped(at.member("name"), "media have no names");
        }
        if media.detail.as_deref().is_some_and(|detail| !is_level(detail) && detail != "auto") {
            self.losses.dropped(at.member("detail"), "no other dialect has the word");
        }
    }
}

/// The members of `inlineData` or `fileData`: a type, where it is known, and the data or where it is.
fn blob(w: &mut JsonWriter<'_>, mime: Option<&str>, (key, value): (&str, &str), members: &[Member]) {
    w.maybe("mimeType", mime, JsonWriter::string);
    w.string(key, value);
    write_inside(w, members);
}

fn is_level(detail: &str) -> bool {
    detail.starts_with("MEDIA_RESOLUTION_")
}

fn is_own_handle(uri: &str) -> bool {
    matches!(located(uri.to_owned()), Source::Handle(_))
}

fn is_video_site(url: &str) -> bool {
    url.contains("youtube.com/") || url.contains("youtu.be/") || url.starts_with("gs://")
}

/// The type of inline data, and whether it was given or can be seen: the dialect needs one.
pub(crate) fn mime<'m>(media: &'m Media, data: &str) -> (Cow<'m, str>, bool) {
    if let Some(mime) = said_type(media) {
        return (mime, true);
    }
    // The first bytes of the usual formats, in base64.
    let seen = [
        ("iVBOR", "image/png"),
        ("/9j/", "image/jpeg"),
        ("R0lGOD", "image/gif"),
        ("UklGR", if media.kind == MediaKind::Audio { "audio/wav" } else { "image/webp" }),
        ("JVBERi", "application/pdf"),
        ("SUQz", "audio/mp3"),
        ("T2dnUw", "audio/ogg"),
    ];
    let found = seen.iter().find(|(begin, _)| data.starts_with(begin));
    match found {
        Some((_, mime)) => (Cow::Borrowed(*mime), true),
        None => (Cow::Borrowed(usual(media.kind)), false),
    }
}

/// The type as it is said, a short word (`wav`) in full.
fn said_type(media: &Media) -> Option<Cow<'_, str>> {
    let mime = media.mime.as_deref()?;
    let folder = match media.kind {
        MediaKind::Image => "image",
        MediaKind::Audio => "audio",
        MediaKind::Video => "video",
        MediaKind::File => "application",
    };
    Some(if mime.contains('/') { Cow::Borrowed(mime) } else { Cow::Owned(format!("{folder}/{mime}")) })
}

fn usual(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Image => "image/png",
        MediaKind::File => "application/pdf",
        MediaKind::Audio => "audio/wav",
        MediaKind::Video => "video/mp4",
    }
}

/// The type of a file at an address, as it is said or as its name tells.
fn type_of_file<'m>(media: &'m Media, uri: &str) -> Option<Cow<'m, str>> {
    if let Some(mime) = said_type(media) {
        return Some(mime);
    }
    let path = uri.split(['?', '#']).next().unwrap_or_default();
    let end = path.rsplit_once('.').map_or("", |(_, end)| end).to_ascii_lowercase();
    let known = ENDS.iter().find(|(known, _)| *known == end).map(|(_, mime)| *mime);
    known.or((media.kind == MediaKind::Image).then_some("image/jpeg")).map(Cow::Borrowed)
}
