//! A stream that is put into another dialect as it comes, or gathered for a client that wants it whole.

use std::sync::Arc;

use bytes::Bytes;
use shim_dialect::{Decoder, Encode, Encoder, Reading, Restorer};
use shim_ir::{Event, Fault, FaultKind, FoldError, Loss, fold};
use shim_policy::vault::Gather;
use shim_wire::frame::{FRAME_BYTES_MAX, Frame, FrameError, Framer, Framing};

use super::{Inbound, of_answer};
use crate::vault::Keeping;

/// A stream on its way from one dialect into another.
pub(crate) struct Translation {
    framer: Framer,
    reader: Reader,
    restorer: Restorer,
    /// Events in the client's words that wait to be written.
    restored: Vec<Event>,
    encoder: Box<dyn Encoder>,
    client: &'static dyn Encode,
    upstream: &'static dyn Encode,
    reading: Reading,
    /// Remembers the answer once it is complete.
    keeping: Option<(Arc<Keeping>, Gather)>,
    #[cfg(debug_assertions)]
    grammar: shim_ir::Grammar,
}

/// Reads frames into events.
struct Reader {
    decoder: Box<dyn Decoder>,
    events: Vec<Event>,
    /// Why the stream cannot be read on.
    broken: Option<Fault>,
}

impl Reader {
    fn frame(&mut self, frame: Frame<'_>) {
        if self.broken.is_none()
            && let Err(error) = self.decoder.push(frame, &mut self.events)
        {
            let message = "the upstream sent a stream event that cannot be read";
            self.broken = Some(Fault::new(FaultKind::UpstreamMalformed, message).detail(error));
        }
    }
}

impl Inbound {
    /// Puts a whole stream into the client's dialect, which did not ask for one.
    ///
    /// # Errors
    /// When the stream cannot be read, or tells of a failure.
    pub(crate) fn gathered(
        &self,
        stream: &[u8],
        framing: Framing,
    ) -> Result<(Bytes, Reading, Vec<Loss>), Fault> {
        let mut reader = Reader { decoder: self.pair.upstream.decoder(), events: Vec::new(), broken: None };
        let mut framer = Framer::new(framing, FRAME_BYTES_MAX);
        let framed = framer.push(stream, &mut |frame| reader.frame(frame));
        let framed = framed.and_then(|()| framer.finish(&mut |frame| reader.frame(frame)));
        if let Some(fault) = reader.broken.take().or(framed.err().map(unframed)) {
            return Err(fault);
        }
        reader.decoder.finish(&mut reader.events);
        match fold(reader.events) {
            Ok((response, _)) => Ok(self.told(response)),
            Err(FoldError::Failed(fault, _)) => Err(*fault),
            Err(error @ (FoldError::Grammar(_) | FoldError::Misfit(_))) => {
                Err(Fault::new(FaultKind::Internal, "the upstream's stream cannot be put together")
                    .detail(error))
            }
        }
    }

    /// A translation of the stream that an upstream frames as `upstream`.
    pub(crate) fn stream(self, upstream: Framing) -> Translation {
        let framing = self.framing.unwrap_or_default();
        let encoder = self.pair.client.encoder(&self.asker(framing));
        Translation {
            framer: Framer::new(upstream, FRAME_BYTES_MAX),
            reader: Reader { decoder: self.pair.upstream.decoder(), events: Vec::new(), broken: None },
            restorer: self.echo.restorer(),
            restored: Vec::new(),
            encoder,
            client: self.pair.client,
            upstream: self.pair.upstream,
            reading: Reading::default(),
            keeping: self.keeping.map(|keeping| (keeping, Gather::default())),
            #[cfg(debug_assertions)]
            grammar: shim_ir::Grammar::default(),
        }
    }
}

impl Translation {
    /// Takes bytes of the upstream's stream; gives those of the client's.
    pub(crate) fn take(&mut self, data: &[u8]) -> Bytes {
        let reader = &mut self.reader;
        let framed = self.framer.push(data, &mut |frame| reader.frame(frame));
        self.check(framed);
        self.write()
    }

    /// The upstream closed: the rest of the client's stream, which tells of it when it was too early.
    pub(crate) fn finish(&mut self) -> Bytes {
        let reader = &mut self.reader;
        let framed = self.framer.finish(&mut |frame| reader.frame(frame));
        self.check(framed);
        if !self.over() {
            self.reader.decoder.finish(&mut self.reader.events);
        }
        self.write()
    }

    /// The upstream's stream broke off: the client's ends with `fault`.
    pub(crate) fn fail(&mut self, fault: Fault) -> Bytes {
        if !self.over() {
            self.reader.events.push(Event::Fault(fault));
        }
        self.write()
    }

    /// Whether the client's stream has its end.
    pub(crate) fn over(&self) -> bool {
        self.reading.complete || self.reading.fault.is_some()
    }

    pub(crate) fn reading(&self) -> &Reading {
        &self.reading
    }

    /// What the answer's dialect could not carry so far.
    pub(crate) fn losses(&self) -> Vec<Loss> {
        of_answer(self.client, self.upstream, self.encoder.losses())
    }

    pub(crate) fn keep_alive(&self) -> Option<&'static [u8]> {
        self.encoder.keep_alive()
    }

    /// Whatever cannot be framed or read ends the stream in a fault.
    fn check(&mut self, framed: Result<(), FrameError>) {
        if let Err(error) = framed {
            self.reader.broken = Some(unframed(error));
        }
        if let Some(fault) = self.reader.broken.clone()
            && !self.over()
            && !self.reader.events.iter().any(|event| matches!(event, Event::Fault(_) | Event::Finish(_)))
        {
            self.reader.events.push(Event::Fault(fault));
        }
    }

    fn write(&mut self) -> Bytes {
        let mut out = Vec::new();
        for event in self.reader.events.drain(..) {
            self.restorer.take(event, &mut self.restored);
        }
        let mut restored = std::mem::take(&mut self.restored);
        for event in restored.drain(..) {
            if self.over() {
                break;
            }
            #[cfg(debug_assertions)]
            if let Err(error) = self.grammar.take(&event) {
                debug_assert!(false, "{error}: {event:?}");
            }
            self.note(&event);
            self.encoder.push(&event, &mut out);
        }
        // The room is kept for the next chunk.
        self.restored = restored;
        out.into()
    }

    fn note(&mut self, event: &Event) {
        if let Some((_, gather)) = &mut self.keeping {
            gather.take(event);
        }
        let reading = &mut self.reading;
        reading.billed.note(event);
        match event {
            Event::Start(start) => reading.model.clone_from(&start.model),
            Event::PartStart { .. } | Event::PartDelta { .. } => reading.content = true,
            Event::Usage(usage) => reading.usage = Some(usage.clone()),
            Event::Finish(finishes) => {
                reading.finish = finishes.first().cloned().flatten();
                reading.complete = true;
                if let Some((keeping, gather)) = self.keeping.take() {
                    keeping.answer(gather);
                }
            }
            Event::Fault(fault) => reading.fault = Some(fault.clone()),
            Event::PartEnd { .. } | Event::Rest(_) | Event::Foreign(_) => {}
        }
    }
}

fn unframed(error: FrameError) -> Fault {
    Fault::new(FaultKind::UpstreamMalformed, "the upstream's stream cannot be read").detail(error)
}
