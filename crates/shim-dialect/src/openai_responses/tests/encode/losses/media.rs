//! Media that the user shows.

use serde_json::json;
use shim_ir::{LossKind, Media, MediaKind, OpaqueKind, Part, Role, Source, Traits};

use super::super::{mark, text, traits};
use super::{Lost, Seen, media, odd, opaque, row, saying};
use LossKind::{Approximated, Defaulted, Dropped, Unsupported};
use MediaKind::{Audio, File, Image, Video};
use Seen::{As, Gone, Has};

const PART: &str = "turns[0].parts[0]";

#[track_caller]
fn shown(media: Media, quirks: &[&str], lost: Lost<'_>, seen: &[Seen<'_>]) {
    row(&saying(Role::User, Part::Media(media)), &traits(quirks), &[lost], seen);
}

/// The same to a model that takes every kind.
#[track_caller]
fn taken(media: Media, quirks: &[&str], lost: Lost<'_>, seen: &[Seen<'_>]) {
    let all = Traits { media: Some(vec![Image, File, Audio, Video]), ..traits(quirks) };
    row(&saying(Role::User, Part::Media(media)), &all, &[lost], seen);
}

fn url(kind: MediaKind) -> Media {
    media(kind, Source::Url("https://there".into()), None)
}

fn inline(kind: MediaKind, mime: Option<&str>) -> Media {
    media(kind, Source::Inline("QUJD".into()), mime)
}

#[test]
fn media_that_cannot_be_shown_is_told() {
    let nothing = As("/input/0/content", json!([]));
    let text_alone = Traits { media: Some(vec![]), ..Traits::default() };
    let kind = (PART, Unsupported, "the model does not take media of this kind");
    row(&saying(Role::User, Part::Media(url(Image))), &text_alone, &[kind], std::slice::from_ref(&nothing));
    for kind in [Image, File, Audio, Video] {
        let kept = media(kind, Source::Handle("files/7".into()), None);
        let lost = (PART, Unsupported, "the file is kept by another provider");
        shown(kept, &[], lost, &[nothing.clone(), Gone("files/7")]);
    }
    let sound = (PART, Unsupported, "sound goes as WAV or MP3, with its bytes");
    shown(url(Audio), &[], sound, &[nothing.clone(), Gone("https://there")]);
    shown(inline(Audio, Some("audio/ogg")), &[], sound, &[nothing.clone(), Gone("QUJD")]);
    let video = (PART, Unsupported, "the target is not known to take moving pictures");
    shown(url(Video), &[], video, &[nothing.clone(), Gone("https://there")]);
    shown(inline(Video, Some("video/mp4")), &[], video, &[nothing, Gone("QUJD")]);
}

#[test]
fn what_hangs_on_media_is_told() {
    let pdf = || Media { name: Some("n.pdf".into()), ..inline(File, Some("application/pdf")) };
    let wav = || inline(Audio, Some("wav"));
    for media in [url(Image), pdf(), wav(), url(Video)] {
        taken(
            Media { opaque: opaque(OpaqueKind::ThoughtSignature), ..media.clone() },
            &[],
            ("turns[0].parts[0].opaque", Dropped, "only its origin can read it"),
            &[Gone("sealed"), Has("input_")],
        );
        taken(
            Media { rest: odd(), ..media.clone() },
            &[],
            ("turns[0].parts[0].odd", Dropped, "no other dialect has it"),
            &[Gone("strange"), Has("input_")],
        );
        if media.kind != File {
            taken(
                Media { name: Some("title".into()), ..media },
                &[],
                ("turns[0].parts[0].name", Dropped, "media of this kind has no name here"),
                &[Gone("title"), Has("input_")],
            );
        }
    }
    let marked = |media| Media { cache: mark(), ..media };
    let cached = |why| ("turns[0].parts[0].cache", Dropped, why);
    let gone = [Gone("cache"), Has("input_")];
    for media in [url(Image), pdf()] {
        taken(marked(media), &[], cached("the target caches prefixes by itself"), &gone);
    }
    let own = ["cache_breakpoints"];
    taken(marked(wav()), &own, cached("sound has no markers"), &gone);
    taken(marked(url(Video)), &own, cached("moving pictures have no markers"), &gone);
}

#[test]
fn words_about_media_are_told_where_they_differ() {
    let near = ("turns[0].parts[0].detail", Approximated, "the target has no such level");
    let looked = |word: &str| Media { detail: Some(word.into()), ..url(Image) };
    let high = [As("/input/0/content/0/detail", json!("high")), Gone("ULTRA")];
    shown(looked("MEDIA_RESOLUTION_ULTRA_HIGH"), &[], near, &high);
    shown(looked("MEDIA_RESOLUTION_MEDIUM"), &[], near, &[Gone("detail"), Gone("MEDIUM")]);
    shown(
        Media { name: Some("n.pdf".into()), ..url(File) },
        &[],
        ("turns[0].parts[0].name", Dropped, "only a file whose bytes are here has a name"),
        &[Gone("n.pdf"), As("/input/0/content/0/file_url", json!("https://there"))],
    );
    for (mime, name) in
        [("application/pdf", "document.pdf"), ("text/csv", "document.txt"), ("a/b", "document")]
    {
        shown(
            inline(File, Some(mime)),
            &[],
            ("turns[0].parts[0].name", Defaulted, "a file whose bytes are here must have a name"),
            &[As("/input/0/content/0/filename", json!(name))],
        );
    }
}

#[test]
fn documents_that_become_text_are_told() {
    let plain = || media(File, Source::Plain("words".into()), None);
    let parts = || media(File, Source::Parts(vec![text("one"), text("two")]), None);
    let as_text = (PART, Approximated, "a document of plain text goes as text");
    let as_parts = (PART, Approximated, "a document made of parts goes as those parts");
    let list = |texts: &[&str]| {
        let list = texts.iter().map(|text| json!({ "type": "input_text", "text": text }));
        As("/input/0/content", list.collect())
    };
    shown(Media { name: Some("title".into()), ..plain() }, &[], as_text, &[list(&["title\n\nwords"])]);
    shown(Media { name: Some("title".into()), ..parts() }, &[], as_parts, &[list(&["title", "one", "two"])]);
    for (document, lost, texts) in
        [(plain(), as_text, &["words"][..]), (parts(), as_parts, &["one", "two"][..])]
    {
        let with = |media| saying(Role::User, Part::Media(media));
        row(
            &with(Media { cache: mark(), ..document.clone() }),
            &traits(&[]),
            &[lost, ("turns[0].parts[0].cache", Dropped, "the target caches prefixes by itself")],
            &[list(texts)],
        );
        row(
            &with(Media { rest: odd(), ..document }),
            &traits(&[]),
            &[lost, ("turns[0].parts[0].odd", Dropped, "no other dialect has it")],
            &[list(texts)],
        );
    }
}
