//! Citations and grounding.
//! Source: <https://ai.google.dev/gemini-api/docs/google-search>, read 2026-11-25.

use serde_json::value::RawValue;
use shim_ir::Citation;
use shim_wire::JsonWriter;

use super::super::decode::citation;
use crate::common::tag;

/// Whether a citation's words are the dialect's own: read again, they name the source that it names.
pub(crate) fn is_own(cited: &Citation) -> bool {
    let Some(words) = &cited.words else { return false };
    let raw: Option<&RawValue> = serde_json::from_str(words.get()).ok();
    let same =
        |read: Citation| (read.url, read.title, read.cited) == (cited.url.clone(), cited.title.clone(), None);
    cited.cited.is_none() && tag(words.get()).is_none() && raw.is_some_and(|raw| same(citation(raw)))
}

/// A text as it is told: enough of it to know where in it, in bytes, its characters stand.
#[derive(Debug, Default)]
pub(crate) struct Spoken {
    /// How many bytes come before the first that is not ASCII: as many as characters.
    plain: usize,
    rest: String,
}

impl Spoken {
    pub(crate) fn of(text: &str) -> Self {
        let mut spoken = Self::default();
        spoken.add(text);
        spoken
    }

    pub(crate) fn add(&mut self, text: &str) {
        if self.rest.is_empty() && text.is_ascii() {
            self.plain += text.len();
        } else {
            self.rest.push_str(text);
        }
    }

    fn bytes(&self) -> u64 {
        u64::try_from(self.plain + self.rest.len()).unwrap_or(u64::MAX)
    }

    /// Where the character numbered `at` begins; behind the last one, the end.
    fn byte_of(&self, at: u64) -> u64 {
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        let Some(beyond) = at.checked_sub(self.plain) else { return u64::try_from(at).unwrap_or(u64::MAX) };
        let begins = self.rest.char_indices().nth(beyond).map_or(self.rest.len(), |(begins, _)| begins);
        u64::try_from(self.plain + begins).unwrap_or(u64::MAX)
    }
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
    /// What a text cites that stands at `base` in the answer. A citation without a span is of the whole text.
    pub(crate) fn of(citation: &Citation, base: u64, text: &Spoken) -> Self {
        let start = text.byte_of(citation.start.unwrap_or_default());
        let end = citation.end.map_or(text.bytes(), |end| text.byte_of(end));
        Self {
            url: citation.url.clone(),
            title: citation.title.clone(),
            start: base.saturating_add(start),
            end: base.saturating_add(end),
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
