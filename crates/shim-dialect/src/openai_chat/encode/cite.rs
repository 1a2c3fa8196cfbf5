//! Citations and log probabilities, as answers tell of them.

use shim_ir::{Citation, LossKind};
use shim_wire::{JsonWriter, RawJson, Value, ValueKind};

use super::losses::{Losses, Site};
use crate::common::{each_element, each_member, member};
use crate::openai_chat::decode::{annotation, source};

/// How a citation is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind<'c> {
    /// An annotation, as it came.
    Annotation(&'c RawJson),
    /// One of Perplexity's results, which stand beside the answer.
    Result(&'c RawJson),
    /// One of Perplexity's addresses, which stand beside the answer.
    Address(&'c RawJson),
    /// An annotation of our making.
    Made(&'c str),
}

/// How a citation is told; `None` where it has no address.
pub(crate) fn kind<'c>(citation: &'c Citation, site: Site, losses: &mut Losses) -> Option<Kind<'c>> {
    let words = citation.words.as_ref();
    if let Some(words) = words.filter(|words| is_annotation(words, citation)) {
        return Some(Kind::Annotation(words));
    }
    if let Some(words) = words.filter(|words| is_source(words, citation)) {
        let address = words.get().starts_with('"');
        return Some(if address { Kind::Address(words) } else { Kind::Result(words) });
    }
    if citation.url.is_none() {
        losses.add(site.at("citations"), LossKind::Dropped, "only addresses are cited here");
    }
    citation.url.as_deref().map(Kind::Made)
}

/// Whether `words` is an annotation of this dialect: it says all that the citation says, and has a member named by its
/// type.
pub(crate) fn is_annotation(words: &RawJson, citation: &Citation) -> bool {
    let kind = member(words.get(), "type").and_then(|kind| kind.as_str());
    kind.is_some_and(|kind| member(words.get(), &kind).is_some()) && annotation(words.clone()) == *citation
}

fn is_source(words: &RawJson, citation: &Citation) -> bool {
    citation.url.is_some() && member(words.get(), "type").is_none() && source(words) == *citation
}

/// Writes an annotation as an element of the open list. `within` is where the text of its part stands in the whole text,
/// in characters: a citation that has no span is of all of it.
/// Source: <https://platform.openai.com/docs/api-reference/chat/object>, read 2026-11-25; `content` is OpenRouter's.
pub(crate) fn made(citation: &Citation, url: &str, within: (u64, u64), w: &mut JsonWriter<'_>) {
    let at = |place: Option<u64>, otherwise| place.map_or(otherwise, |place| place.saturating_add(within.0));
    w.element().object(|w| {
        w.string("type", "url_citation");
        w.nested("url_citation", |w| {
            w.string("url", url);
            w.string("title", citation.title.as_deref().unwrap_or(url));
            w.number("start_index", at(citation.start, within.0));
            w.number("end_index", at(citation.end, within.1));
            w.maybe("content", citation.cited.as_deref(), JsonWriter::string);
        });
    });
}

/// Whether a list of log probabilities has the form that clients of this dialect read.
pub(crate) fn are_ours(list: &RawJson) -> bool {
    let mut all = true;
    let read = each_element(list.get(), |_, entry| {
        all &= entry.get("token").is_some() && entry.get("logprob").is_some();
    });
    all && read.is_ok()
}

/// The members of an entry that clients read.
const READ: [&str; 4] = ["token", "logprob", "bytes", "top_logprobs"];

/// Whether entries have all members that clients insist on: they stay as they are.
fn is_whole(entry: &Value<'_>) -> bool {
    entry.get("bytes").is_some() && entry.get("top_logprobs").is_some()
}

/// Whether something of a list's entries is left out: what no client reads, of entries that are not OpenAI's.
pub(crate) fn leaves_out(list: &RawJson) -> bool {
    let mut left = false;
    let _ = each_element(list.get(), |_, entry| {
        let _ =
            each_member(entry.text(), |member| left |= !is_whole(&entry) && !READ.contains(&&*member.key));
    });
    left
}

/// Writes the entries of a list as elements of the open list, with the members that clients insist on.
pub(crate) fn logprobs(list: &RawJson, w: &mut JsonWriter<'_>) {
    let _ = each_element(list.get(), |_, entry| {
        if is_whole(&entry) {
            w.element().raw(&RawJson::from(entry));
            return;
        }
        w.element().object(|w| {
            token(w, entry);
            w.array("top_logprobs", |w| {
                let others = entry.get("top_logprobs").filter(|list| list.kind() == ValueKind::Array);
                let _ = each_element(others.map_or("[]", |list| list.text()), |_, other| {
                    w.element().object(|w| token(w, other));
                });
            });
        });
    });
}

/// A token and how likely it was.
fn token(w: &mut JsonWriter<'_>, entry: Value<'_>) {
    for name in ["token", "logprob"] {
        w.maybe(name, entry.get(name).map(RawJson::from).as_ref(), JsonWriter::raw);
    }
    match entry.get("bytes") {
        Some(bytes) => w.raw("bytes", &RawJson::from(bytes)),
        None => w.null("bytes"),
    }
}
