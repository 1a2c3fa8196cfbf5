//! Media that the user shows.

use serde_json::json;
use shim_ir::{LossKind, Media, MediaKind, OpaqueKind, Part, Rest, Role, Source, Traits};

use super::super::{media, text, traits};
use super::{Lost, Seen, mark, odd, opaque, row, saying};
use LossKind::{Approximated, Defaulted, Dropped, Unsupported};
use MediaKind::{Audio, File, Image, Video};
use Seen::{As, Gone, Has};

const PART: &str = "turns[0].parts[0]";

#[track_caller]
fn shown(media: Media, quirks: &[&str], lost: Lost<'_>, seen: &[Seen<'_>]) {
    row(&saying(Role::User, Part::Media(media)), &traits(quirks), &[lost], seen);
}

fn url(kind: MediaKind) -> Media {
    media(kind, Source::Url("https://there".into()), None)
}

fn inline(kind: MediaKind, mime: Option<&str>) -> Media {
    media(kind, Source::Inline("QUJD".into()), mime)
}

fn handle(kind: MediaKind) -> Media {
    media(kind, Source::Handle("files/7".into()), None)
}

#[test]
fn media_that_cannot_be_shown_is_told() {
    let text_alone = Traits { media: Some(vec![]), ..Traits::default() };
    let kind = (PART, Unsupported, "the model does not take media of this kind");
    let image = saying(Role::User, Part::Media(url(Image)));
    row(&image, &text_alone, &[kind], &[Gone("https://there")]);
    let image = (PART, Unsupported, "an image kept by a provider cannot be named here");
    shown(handle(Image), &[], image, &[Gone("files/7")]);
    let sound = (PART, Unsupported, "sound is taken inline only");
    shown(url(Audio), &[], sound, &[Gone("https://there")]);
    shown(handle(Audio), &[], sound, &[Gone("files/7")]);
    let video = (PART, Unsupported, "it takes no video");
    shown(url(Video), &[], video, &[Gone("https://there")]);
    shown(handle(Video), &["video_url"], video, &[Gone("files/7")]);
    let file = (PART, Unsupported, "a file is taken inline only");
    shown(url(File), &[], file, &[Gone("https://there")]);
    shown(handle(File), &[], file, &[Gone("files/7")]);
}

#[test]
fn what_hangs_on_media_is_told() {
    let marked = ("turns[0].parts[0].cache", Dropped, "it cannot be marked for the prompt cache");
    let sealed = ("turns[0].parts[0].opaque", Dropped, "only its origin can read it");
    let other = ("turns[0].parts[0].odd", Dropped, "no other dialect has it");
    let named = ("turns[0].parts[0].name", Dropped, "media of this kind has no name here");
    let pdf = || Media { name: Some("n.pdf".into()), ..inline(File, Some("application/pdf")) };
    for media in [url(Image), inline(Audio, Some("wav")), pdf(), url(Video)] {
        let quirks = ["video_url"];
        shown(Media { cache: mark(), ..media.clone() }, &quirks, marked, &[Gone("cache"), Has("type")]);
        let with = Media { opaque: opaque(OpaqueKind::ThoughtSignature), ..media.clone() };
        shown(with, &quirks, sealed, &[Gone("sealed"), Has("type")]);
        shown(Media { rest: odd(), ..media.clone() }, &quirks, other, &[Gone("strange"), Has("type")]);
        if media.kind != File {
            let with = Media { name: Some("title".into()), ..media };
            shown(with, &quirks, named, &[Gone("title"), Has("type")]);
        }
    }
    shown(
        Media { detail: Some("blurred".into()), ..url(Image) },
        &[],
        ("turns[0].parts[0].detail", Dropped, "the word is not known here"),
        &[Gone("blurred"), Has("https://there")],
    );
}

#[test]
fn what_media_needs_and_does_not_have_is_told() {
    shown(
        inline(Audio, None),
        &[],
        ("turns[0].parts[0].mime", Defaulted, "taken for wav"),
        &[As("/messages/0/content/0/input_audio/format", json!("wav"))],
    );
    for (mime, name) in [("application/pdf", "file.pdf"), ("text/csv", "file")] {
        shown(
            inline(File, Some(mime)),
            &[],
            ("turns[0].parts[0].name", Defaulted, "a file here has a name"),
            &[As("/messages/0/content/0/file/filename", json!(name))],
        );
    }
}

#[test]
fn documents_that_become_text_are_told() {
    let plain = media(File, Source::Plain("words".into()), None);
    shown(
        Media { name: Some("title".into()), ..plain },
        &[],
        (PART, Approximated, "a text document is written as text"),
        &[As("/messages/0/content/0", json!({ "type": "text", "text": "title\n\nwords" }))],
    );
    let parts = media(File, Source::Parts(vec![text("one"), text("two")]), None);
    let spread = (PART, Approximated, "a document of parts is written as its parts");
    let list = json!(["title", "one", "two"].map(|text| json!({ "type": "text", "text": text })));
    shown(
        Media { name: Some("title".into()), ..parts.clone() },
        &[],
        spread,
        &[As("/messages/0/content", list)],
    );
    let with = |cache, rest: Rest| saying(Role::User, Part::Media(Media { cache, rest, ..parts.clone() }));
    row(
        &with(mark(), Rest::default()),
        &traits(&["cache_control"]),
        &[spread, ("turns[0].parts[0].cache", Dropped, "it cannot be marked for the prompt cache")],
        &[Gone("cache"), Has("two")],
    );
    row(
        &with(None, odd()),
        &traits(&[]),
        &[spread, ("turns[0].parts[0].odd", Dropped, "no other dialect has it")],
        &[Gone("strange"), Has("two")],
    );
}
