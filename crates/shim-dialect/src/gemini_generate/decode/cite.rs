//! Citations and grounding.

use serde_json::value::RawValue;
use shim_ir::Citation;
use shim_wire::{Str, from_raw};

use crate::gemini_generate::types::{
    CitationMetadata, CitationSource, Found, GroundingChunk, GroundingMetadata, GroundingSupport,
};

/// The citations of `citationMetadata`, each verbatim, with its span in bytes of what is said:
/// <https://ai.google.dev/api/generate-content#CitationSource>, read 2026-11-26.
pub(crate) fn citations(metadata: &RawValue) -> Vec<Citation> {
    let Ok(wire) = from_raw::<CitationMetadata<'_>>(metadata) else { return Vec::new() };
    wire.citations.into_iter().chain(wire.citation_sources).map(citation).collect()
}

/// One of them.
pub(crate) fn citation(raw: &RawValue) -> Citation {
    let words = Some(raw.into());
    let Ok(source) = from_raw::<CitationSource<'_>>(raw) else {
        return Citation { words, ..Citation::default() };
    };
    Citation {
        url: source.uri.map(Str::into_string),
        title: source.title.map(Str::into_string),
        cited: None,
        start: source.start_index,
        end: source.end_index,
        words,
    }
}

/// What `groundingMetadata` cites, with the index of the part that cites it. The metadata stay verbatim beside the
/// answer, so these have no words of their own.
pub(crate) fn grounded(metadata: &RawValue) -> Vec<(usize, Citation)> {
    let Ok(wire) = from_raw::<GroundingMetadata<'_>>(metadata) else { return Vec::new() };
    let chunks = &wire.grounding_chunks;
    if wire.grounding_supports.is_empty() {
        return chunks.iter().filter_map(found).map(|found| (0, of(found))).collect();
    }
    wire.grounding_supports.iter().flat_map(|support| supported(support, chunks)).collect()
}

/// A citation of `text` with its span in characters of it, as everybody else counts it: here spans are in bytes, of which
/// there are `before` more before the text. A span that is none of the text says nothing of it.
pub(crate) fn in_characters(citation: Citation, before: u64, text: &str) -> Citation {
    let characters = |at: u64| {
        let passed = text.get(..usize::try_from(at.checked_sub(before)?).ok()?)?;
        u64::try_from(passed.chars().count()).ok()
    };
    // The zero value is left out of JSON.
    let start = characters(citation.start.unwrap_or_default());
    let (start, end) = start.zip(citation.end.and_then(characters)).unzip();
    Citation { start, end, ..citation }
}

/// A support cites each of its chunks.
fn supported(support: &GroundingSupport<'_>, chunks: &[GroundingChunk<'_>]) -> Vec<(usize, Citation)> {
    let Some(segment) = &support.segment else { return Vec::new() };
    let sources = support.grounding_chunk_indices.iter().filter_map(|at| found(chunks.get(*at)?));
    let spanned = sources.map(|found| Citation {
        cited: segment.text.as_deref().map(str::to_owned),
        // The zero value is left out of JSON.
        start: Some(segment.start_index.unwrap_or_default()),
        end: segment.end_index,
        ..of(found)
    });
    spanned.map(|citation| (segment.part_index.unwrap_or_default(), citation)).collect()
}

fn found<'a, 'b>(chunk: &'b GroundingChunk<'a>) -> Option<&'b Found<'a>> {
    chunk.web.as_ref().or(chunk.retrieved_context.as_ref()).or(chunk.maps.as_ref())
}

fn of(found: &Found<'_>) -> Citation {
    Citation {
        url: found.uri.as_deref().map(str::to_owned),
        title: found.title.as_deref().map(str::to_owned),
        ..Citation::default()
    }
}
