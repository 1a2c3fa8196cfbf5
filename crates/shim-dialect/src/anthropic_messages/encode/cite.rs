//! Citations.

use shim_ir::{Citation, LossKind, Text};
use shim_wire::{JsonWriter, RawJson};

use super::{Cx, Place};
use crate::common::{member, tag};

/// `citations` of a text block.
pub(super) fn citations(w: &mut JsonWriter<'_>, text: &Text, at: Place<'_>, cx: &mut Cx<'_>) {
    let writes =
        |citation: &&Citation| own(citation, cx.answering).is_some() || (cx.answering && told(citation));
    let written: Vec<_> = text.citations.iter().filter(writes).collect();
    if written.len() < text.citations.len() {
        let why = "a citation without its source in this dialect has no place";
        cx.lose(format_args!("{at}.citations"), LossKind::Dropped, why);
    }
    if written.iter().any(|citation| cx.answering && is_narrower(citation)) {
        cx.lose(format_args!("{at}.citations.start"), LossKind::Approximated, NARROWER);
    }
    if !written.is_empty() {
        w.array("citations", |w| {
            for citation in written {
                match own(citation, cx.answering) {
                    Some(words) => w.element().raw(words),
                    None => w.element().object(|w| made(w, citation)),
                }
            }
        });
    }
}

/// A citation of an answer, in the place of a value. It is of the whole block of text, and so has no span.
pub(crate) fn citation(w: &mut JsonWriter<'_>, citation: &Citation) {
    match own(citation, true) {
        Some(words) => w.raw("citation", words),
        None => w.nested("citation", |w| made(w, citation)),
    }
}

/// The words of a citation that is Anthropic's. A request takes back only what it gave: what was made here has no index.
fn own(citation: &Citation, answering: bool) -> Option<&RawJson> {
    let words = citation.words.as_ref()?;
    let known = match &*tag(words.get())? {
        "char_location" | "page_location" | "content_block_location" => true,
        "search_result_location" => member(words.get(), "search_result_index").is_some(),
        "web_search_result_location" => {
            let index = member(words.get(), "encrypted_index").and_then(|index| index.as_str());
            index.is_some_and(|index| answering || !index.is_empty())
        }
        _ => false,
    };
    known.then_some(words)
}

/// Why the span of a citation is not told.
pub(crate) const NARROWER: &str = "a citation is of its whole block of text";

/// Whether a citation is of a span of its text, which is not told here.
pub(crate) fn is_narrower(citation: &Citation) -> bool {
    citation.start.is_some() && own(citation, true).is_none()
}

/// Whether there is anything to tell of a citation.
pub(crate) fn told(citation: &Citation) -> bool {
    citation.url.is_some() || citation.title.is_some()
}

/// A citation of a page, or where it has no address, of a source by its title. The members that only Anthropic could
/// fill are empty: the official SDKs need them.
fn made(w: &mut JsonWriter<'_>, citation: &Citation) {
    let cited = citation.cited.as_deref().unwrap_or_default();
    match &citation.url {
        Some(url) => of_page(w, citation, cited, url),
        None => of_source(w, citation, cited),
    }
}

fn of_page(w: &mut JsonWriter<'_>, citation: &Citation, cited: &str, url: &str) {
    w.string("type", "web_search_result_location");
    w.string("cited_text", cited);
    w.string("encrypted_index", "");
    title(w, citation);
    w.string("url", url);
}

fn of_source(w: &mut JsonWriter<'_>, citation: &Citation, cited: &str) {
    w.string("type", "search_result_location");
    w.string("cited_text", cited);
    w.number("search_result_index", 0);
    w.string("source", citation.title.as_deref().unwrap_or_default());
    w.number("start_block_index", 0);
    w.number("end_block_index", 0);
    title(w, citation);
}

fn title(w: &mut JsonWriter<'_>, citation: &Citation) {
    match &citation.title {
        Some(title) => w.string("title", title),
        None => w.null("title"),
    }
}
