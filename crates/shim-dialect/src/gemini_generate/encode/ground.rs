//! Citations and grounding.
//! Source: <https://ai.google.dev/gemini-api/docs/google-search>, read 2026-11-25.

use serde_json::value::RawValue;
use shim_ir::Citation;
use shim_wire::JsonWriter;

use super::super::decode::citation;
use crate::common::tag;

/// Whether a citation's words are the dialect's own: read again, they say what it says.
pub(crate) fn is_own(cited: &Citation) -> bool {
    let Some(words) = &cited.words else { return false };
    let raw: Option<&RawValue> = serde_json::from_str(words.get()).ok();
    tag(words.get()).is_none() && raw.is_some_and(|raw| citation(raw) == *cited)
}

/// A source and the bytes of the answer that rest on it.
#[derive(Debug, PartialEq)]
pub(crate) struct Cited {
    url: Option<String>,
    title: Option<String>,
    start: u64,
    end: u64,
}

impl Cited {
    /// What a text cites that stands at `base` in the answer and has `length` bytes. A citation without a span is of
    /// the whole text.
    pub(crate) fn of(citation: &Citation, base: u64, length: u64) -> Self {
        let end = citation.end.map_or(base.saturating_add(length), |end| base.saturating_add(end));
        Self {
            url: citation.url.clone(),
            title: citation.title.clone(),
            start: base.saturating_add(citation.start.unwrap_or_default()),
            end,
        }
    }

    fn same_source(&self, other: &Self) -> bool {
        self.url == other.url && self.title == other.title
    }
}

/// What grounds an answer.
#[derive(Debug, Default)]
pub(crate) struct Grounds(Vec<Cited>);

impl Grounds {
    pub(crate) fn add(&mut self, cited: Cited) {
        if !self.0.contains(&cited) {
            self.0.push(cited);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes `groundingMetadata`: each source once, and what rests on it.
    pub(crate) fn write(&self, w: &mut JsonWriter<'_>) {
        let mut sources: Vec<&Cited> = Vec::new();
        for cited in &self.0 {
            if !sources.iter().any(|source| source.same_source(cited)) {
                sources.push(cited);
            }
        }
        w.nested("groundingMetadata", |w| {
            w.array("groundingChunks", |w| sources.iter().for_each(|source| chunk(w, source)));
            w.array("groundingSupports", |w| {
                for cited in &self.0 {
                    let at = sources.iter().position(|source| source.same_source(cited)).unwrap_or_default();
                    w.element().object(|w| support(w, cited, at));
                }
            });
        });
    }
}

fn chunk(w: &mut JsonWriter<'_>, source: &Cited) {
    w.element().object(|w| {
        w.nested("web", |w| {
            w.maybe("uri", source.url.as_deref(), JsonWriter::string);
            w.maybe("title", source.title.as_deref(), JsonWriter::string);
        });
    });
}

fn support(w: &mut JsonWriter<'_>, cited: &Cited, at: usize) {
    w.nested("segment", |w| {
        w.number("startIndex", cited.start);
        w.number("endIndex", cited.end);
    });
    w.array("groundingChunkIndices", |w| w.element().number(i128::try_from(at).unwrap_or_default()));
}
