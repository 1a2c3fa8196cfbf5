//! Citations, as annotations of a text.

use serde_json::value::RawValue;
use shim_ir::Citation;
use shim_wire::{JsonWriter, Place};

use super::super::decode::annotation;
use crate::common::tag;

/// Writes a citation of `text`.
pub(crate) fn put_annotation(place: Place<'_, '_>, citation: &Citation, text: &str) {
    if let Some(words) = citation.words.as_ref().filter(|_| is_own(citation)) {
        return place.raw(words);
    }
    let title = citation.title.as_deref().unwrap_or_default();
    place.object(|w| match &citation.url {
        Some(url) => put_url(w, url, title, span(citation, text)),
        None => put_file(w, title),
    });
}

fn put_url(w: &mut JsonWriter<'_>, url: &str, title: &str, (start, end): (u64, u64)) {
    w.string("type", "url_citation");
    w.number("start_index", start);
    w.number("end_index", end);
    w.string("url", url);
    w.string("title", title);
}

fn put_file(w: &mut JsonWriter<'_>, title: &str) {
    w.string("type", "file_citation");
    w.number("index", 0);
    w.string("file_id", "");
    w.string("filename", title);
}

/// Whether the span of a citation is known before its text is complete.
pub(crate) fn is_placed(citation: &Citation) -> bool {
    is_own(citation) || (citation.start.is_some() && citation.end.is_some())
}

/// Whether words of a citation are left out: those it cites, which annotations do not hold.
pub(crate) fn is_shortened(citation: &Citation) -> bool {
    citation.cited.is_some() && !is_own(citation)
}

/// Whether a citation names anything that can be told.
pub(crate) fn is_told(citation: &Citation) -> bool {
    citation.url.is_some() || citation.title.is_some() || is_own(citation)
}

/// Whether a citation's own words are an annotation: of a kind that there is, and saying the same when they are read as
/// one. Others have kinds by the same names.
fn is_own(citation: &Citation) -> bool {
    let Some(words) = &citation.words else { return false };
    let known = tag(words.get()).is_some_and(|kind| {
        matches!(&*kind, "url_citation" | "file_citation" | "container_file_citation" | "file_path")
    });
    known && serde_json::from_str::<&RawValue>(words.get()).is_ok_and(|raw| annotation(raw) == *citation)
}

/// The span in characters; all of the text where none is stated.
fn span(citation: &Citation, text: &str) -> (u64, u64) {
    citation.start.zip(citation.end).unwrap_or_else(|| (0, characters(text)))
}

fn characters(text: &str) -> u64 {
    u64::try_from(text.chars().count()).unwrap_or(u64::MAX)
}
