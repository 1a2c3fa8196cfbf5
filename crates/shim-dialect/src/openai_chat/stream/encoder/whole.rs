//! Parts that are told again, whole: what is new of them is told.

use shim_ir::{Media, Opaque, Part, PartId, Reasoning, Source, Text, ToolCall};

use super::super::super::encode::join;
use super::ChunkEncoder;
use super::part::Kind;

impl ChunkEncoder {
    pub(super) fn whole(&mut self, id: PartId, part: &Part, out: &mut Vec<u8>) {
        let Some(open) = self.part(id) else { return };
        match (open.kind, part) {
            (Kind::Text, Part::Text(text)) | (Kind::Refusal, Part::Refusal(text)) => {
                self.whole_text(id, open.cited, text, out);
            }
            (Kind::Reasoning(last), Part::Reasoning(of)) => self.whole_reasoning(id, last, of, out),
            (Kind::Call { .. } | Kind::Legacy, Part::ToolCall(call)) => self.whole_call(id, call, out),
            (Kind::Held(_), Part::ToolCall(call)) => self.whole_held(id, call),
            (Kind::Image, Part::Media(media)) => self.whole_image(id, media),
            (Kind::Sound, Part::Media(Media { source: Source::Inline(data), .. })) => {
                self.whole_sound(id, data, out);
            }
            (Kind::Silent, _) => {}
            _ => self.differs(id),
        }
    }

    /// What of `whole` is still to be told.
    fn left<'t>(&mut self, id: PartId, whole: &'t str) -> Option<&'t str> {
        let rest = self.part(id)?.told.rest_of(whole);
        if rest.is_none() {
            self.differs(id);
        }
        rest
    }

    fn differs(&mut self, id: PartId) {
        if let Some(open) = self.part(id) {
            self.losses.approximated(open.site(), "its end says something else than what was told");
        }
    }

    fn whole_text(&mut self, id: PartId, cited: usize, text: &Text, out: &mut Vec<u8>) {
        if let Some(rest) = self.left(id, &text.text) {
            self.say(id, rest, out);
        }
        for citation in text.citations.iter().skip(cited) {
            self.cite(id, citation);
        }
    }

    /// `last` is the piece that was told last.
    fn whole_reasoning(
        &mut self,
        id: PartId,
        last: Option<(bool, usize)>,
        reasoning: &Reasoning,
        out: &mut Vec<u8>,
    ) {
        let mut text = String::new();
        join(&mut text, reasoning.text.iter().chain(&reasoning.summary));
        if let Some(rest) = self.left(id, &text) {
            self.think(id, last.unwrap_or((false, 0)), rest, out);
        }
        for Opaque { kind, value } in &reasoning.opaque {
            self.opaque(id, *kind, value, out);
        }
    }

    fn whole_call(&mut self, id: PartId, call: &ToolCall, out: &mut Vec<u8>) {
        if let Some(rest) = self.left(id, &call.arguments) {
            self.arguments(id, rest, out);
        }
    }

    fn whole_held(&mut self, id: PartId, call: &ToolCall) {
        if let Some((_, held)) = self.held.iter_mut().find(|(of, _)| *of == id) {
            held.clone_from(call);
        }
    }

    fn whole_sound(&mut self, id: PartId, data: &str, out: &mut Vec<u8>) {
        if let Some(rest) = self.left(id, data) {
            self.data(id, rest, out);
        }
    }

    fn whole_image(&mut self, id: PartId, media: &Media) {
        if let Some((_, held)) = self.images.iter_mut().find(|(of, _)| *of == id) {
            held.clone_from(media);
        }
    }
}
