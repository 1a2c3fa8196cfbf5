//! Citations and log probabilities of text.

use shim_ir::{Citation, PartId};
use shim_wire::RawJson;

use super::super::super::encode::{Kind as Cited, are_ours, kind, logprobs, made};
use super::ChunkEncoder;
use super::part::{Kind, Open};

impl ChunkEncoder {
    /// Tells a citation once there is text to hang it on; one that has no span once the text is complete.
    pub(super) fn cite(&mut self, id: PartId, citation: &Citation, out: &mut Vec<u8>) {
        let Some(open) = self.part(id).filter(|open| open.kind == Kind::Text) else { return };
        self.note(id, |open| open.cited += 1);
        let cited = kind(citation, Self::site(open.candidate, id), &mut self.losses);
        let Some(cited) = cited.and_then(|cited| self.sources.keep(cited)) else { return };
        let spanned = citation.start.is_some() && citation.end.is_some();
        if open.told.is_empty() || (matches!(cited, Cited::Made(_)) && !spanned) {
            self.cited.push((id, citation.clone()));
            return;
        }
        self.annotate(open, &[(cited, citation)], out);
    }

    pub(super) fn annotate(&mut self, open: Open, cited: &[(Cited<'_>, &Citation)], out: &mut Vec<u8>) {
        let within = (open.base, self.choice(open.candidate).chars);
        self.delta(open.candidate, false, out, |w| {
            w.array("annotations", |w| {
                for (cited, citation) in cited {
                    match cited {
                        Cited::Annotation(raw) => w.element().raw(raw),
                        Cited::Made(url) => made(citation, url, within, w),
                        Cited::Result(_) | Cited::Address(_) => {}
                    }
                }
            });
        });
    }

    /// Tells the citations that waited for the text to be complete.
    pub(super) fn close_text(&mut self, open: Open, id: PartId, out: &mut Vec<u8>) {
        let waiting: Vec<_> = self.cited.extract_if(.., |(of, _)| *of == id).collect();
        let site = Self::site(open.candidate, id);
        let kinds = waiting.iter().filter_map(|(_, of)| Some((kind(of, site, &mut self.losses)?, of)));
        let cited: Vec<_> = kinds.collect();
        if !cited.is_empty() {
            self.annotate(open, &cited, out);
        }
    }

    pub(super) fn logprobs(&mut self, id: PartId, list: &RawJson, out: &mut Vec<u8>) {
        let Some(open) = self.part(id) else { return };
        let Some(key) = open.kind.member() else { return };
        if !are_ours(list) {
            let site = Self::site(open.candidate, id);
            self.losses.dropped(site.at("logprobs"), "they have another form");
            return;
        }
        self.chunks.choice(open.candidate, out, |w| {
            w.nested("logprobs", |w| {
                w.array(key, |w| logprobs(list, w));
                w.null(if key == "content" { "refusal" } else { "content" });
            });
        });
    }
}
