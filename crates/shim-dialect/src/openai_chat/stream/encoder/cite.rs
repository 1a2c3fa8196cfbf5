//! Citations and log probabilities of text.

use shim_ir::{Citation, PartId};
use shim_wire::{JsonWriter, RawJson};

use super::super::super::encode::{Kind as Cited, Losses, Site, are_ours, kind, leaves_out, logprobs, made};
use super::ChunkEncoder;
use super::part::{Kind, Open};

/// A citation of a text that is complete.
pub(super) struct Note {
    candidate: u32,
    site: Site,
    /// Where its text stands in all text of the answer, in characters.
    within: (u64, u64),
    citation: Citation,
}

impl ChunkEncoder {
    /// Takes a citation up, unless it stands beside the answer.
    pub(super) fn cite(&mut self, id: PartId, citation: &Citation) {
        let Some(open) = self.part(id).filter(|open| open.kind == Kind::Text) else { return };
        self.note(id, |open| open.cited += 1);
        let cited = kind(citation, open.site(), &mut self.losses);
        if cited.and_then(|cited| self.sources.keep(cited)).is_some() {
            self.cited.push((id, citation.clone()));
        }
    }

    /// The text that citations are of is complete.
    pub(super) fn close_text(&mut self, open: Open, id: PartId) {
        let (candidate, site) = (open.candidate, open.site());
        let within = (open.base, self.choice(candidate).chars);
        let complete = self.cited.extract_if(.., |(of, _)| *of == id);
        self.notes.extend(complete.map(|(_, citation)| Note { candidate, site, within, citation }));
    }

    /// Tells all citations of a candidate at once: of lists in deltas, official SDKs keep the last one (JS) or refuse a
    /// second one without numbers that the dialect does not have (Python).
    pub(super) fn annotate(&mut self, candidate: u32, out: &mut Vec<u8>) {
        let notes: Vec<_> = self.notes.extract_if(.., |note| note.candidate == candidate).collect();
        if notes.is_empty() {
            return;
        }
        let mut losses = std::mem::take(&mut self.losses);
        self.delta(candidate, false, out, |w| {
            w.array("annotations", |w| notes.iter().for_each(|note| note.write(&mut losses, w)));
        });
        self.losses = losses;
    }

    pub(super) fn logprobs(&mut self, id: PartId, list: &RawJson, out: &mut Vec<u8>) {
        let Some(open) = self.part(id) else { return };
        let Some(key) = open.kind.member() else { return };
        if !are_ours(list) {
            self.losses.dropped(open.site().at("logprobs"), "they have another form");
            return;
        }
        if leaves_out(list) {
            self.losses.dropped(open.site().at("logprobs"), "they have another form");
        }
        self.chunks.choice(open.candidate, out, |w| {
            w.nested("logprobs", |w| {
                w.array(key, |w| logprobs(list, w));
                w.null(if key == "content" { "refusal" } else { "content" });
            });
        });
    }
}

impl Note {
    fn write(&self, losses: &mut Losses, w: &mut JsonWriter<'_>) {
        match kind(&self.citation, self.site, losses) {
            Some(Cited::Annotation(raw)) => w.element().raw(raw),
            Some(Cited::Made(url)) => made(&self.citation, url, self.within, w),
            Some(Cited::Result(_) | Cited::Address(_)) | None => {}
        }
    }
}
