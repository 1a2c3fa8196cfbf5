//! Sound, and images made by the model.

use shim_ir::{Media, PartId, Source};

use super::super::super::encode::{image, sound, sound_defaults};
use super::ChunkEncoder;
use super::part::{Kind, Open};

impl ChunkEncoder {
    pub(super) fn open_media(&mut self, id: PartId, media: &Media, out: &mut Vec<u8>) {
        let Some(open) = self.part(id) else { return };
        match open.kind {
            Kind::Sound => self.open_sound(id, open, media, out),
            Kind::Image => self.images.push((id, media.clone())),
            Kind::Text
            | Kind::Refusal
            | Kind::Reasoning(_)
            | Kind::Call { .. }
            | Kind::Held(_)
            | Kind::Legacy
            | Kind::Silent => {}
        }
    }

    /// Sound of this dialect's tells its id and the rest as they come; other sound gets what clients insist on.
    pub(super) fn open_sound(&mut self, id: PartId, open: Open, media: &Media, out: &mut Vec<u8>) {
        if let Source::Inline(data) = &media.source {
            self.note(id, |open| open.told.add(data));
        }
        let empty = matches!(&media.source, Source::Inline(data) if data.is_empty());
        if empty && media.rest.is_empty() && media.mime.is_none() {
            return;
        }
        let (asker, created) = (self.asker.id.clone(), self.asker.created);
        let mut losses = std::mem::take(&mut self.losses);
        self.delta(open.candidate, false, out, |w| {
            w.nested("audio", |w| {
                sound_defaults(media, &asker, created, w);
                sound(media, w, &mut losses, open.site());
            });
        });
        self.losses = losses;
    }

    pub(super) fn data(&mut self, id: PartId, data: &str, out: &mut Vec<u8>) {
        let Some(open) = self.part(id).filter(|_| !data.is_empty()) else { return };
        if open.kind == Kind::Sound {
            self.note(id, |open| open.told.add(data));
            self.delta(open.candidate, false, out, |w| w.nested("audio", |w| w.string("data", data)));
        } else if let Some((_, Media { source: Source::Inline(so_far), .. })) =
            self.images.iter_mut().find(|(of, _)| *of == id)
        {
            so_far.push_str(data);
        }
    }

    pub(super) fn close_image(&mut self, id: PartId, out: &mut Vec<u8>) {
        let Some(at) = self.images.iter().position(|(of, _)| *of == id) else { return };
        let (_, media) = self.images.remove(at);
        let Some(open) = self.part(id) else { return };
        let mut losses = std::mem::take(&mut self.losses);
        self.delta(open.candidate, false, out, |w| {
            w.array("images", |w| image(&media, open.site(), &mut losses, w));
        });
        self.losses = losses;
    }
}
