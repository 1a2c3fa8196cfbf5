//! A stream that passes as it is: what a meter reads of it, what is left out, and how it ends.

use bytes::{Bytes, BytesMut};
use shim_dialect::Meter;
use shim_ir::{Fault, FaultKind};
use shim_wire::frame::{FRAME_BYTES_MAX, Framer, Framing};

use crate::pipeline::Coded;
use crate::ticket::Ticket;

/// What stands for the last bytes where none were sent.
const NOTHING: [u8; 2] = [0, 0];

/// A stream that is read along.
pub(super) struct Stream {
    codec: Coded,
    framer: Framer,
    framing: Framing,
    pub(super) meter: Box<dyn Meter>,
    /// The stream cannot be framed: it goes on unread.
    lost: Option<Fault>,
    /// Where the gateway asked for usage and the client did not: whole frames only, so that one can be left out.
    sparing: Option<BytesMut>,
    /// The last two bytes sent, to know whether a frame is left open.
    last: [u8; 2],
}

impl Stream {
    pub(super) fn new(codec: Coded, framing: Framing, meter: Box<dyn Meter>, spare_usage: bool) -> Self {
        let sparing = (spare_usage && framing == Framing::Sse).then(BytesMut::new);
        let framer = Framer::new(framing, FRAME_BYTES_MAX);
        Self { codec, framer, framing, meter, lost: None, sparing, last: NOTHING }
    }

    pub(super) fn complete(&self) -> bool {
        let reading = self.meter.reading();
        reading.complete || reading.fault.is_some()
    }

    /// Whether all of a good answer was passed on.
    pub(super) fn passed_whole(&self) -> bool {
        let reading = self.meter.reading();
        let spared = self.sparing.as_ref().is_none_or(BytesMut::is_empty);
        reading.complete && reading.fault.is_none() && self.lost.is_none() && spared
    }

    /// Reads `data` along and returns what goes to the client.
    pub(super) fn take(&mut self, data: Bytes, ticket: &mut Option<Ticket>) -> Bytes {
        let pass = if self.sparing.is_some() { self.spare(&data) } else { self.read(data) };
        if self.meter.reading().content
            && let Some(ticket) = ticket
        {
            ticket.first_token();
        }
        if let [.., a, b] = pass[..] {
            self.last = [a, b];
        } else if let [b] = pass[..] {
            self.last = [self.last[1], b];
        }
        pass
    }

    fn read(&mut self, data: Bytes) -> Bytes {
        if self.lost.is_none() {
            let meter = &mut self.meter;
            if let Err(error) = self.framer.push(&data, &mut |frame| meter.frame(frame)) {
                let message = "the upstream's stream cannot be read";
                self.lost = Some(Fault::new(FaultKind::UpstreamMalformed, message).detail(error));
            }
        }
        data
    }

    /// Reads frame by frame, and leaves out the one that holds nothing but the usage the client did not ask for.
    fn spare(&mut self, data: &[u8]) -> Bytes {
        let mut buffer = self.sparing.take().unwrap_or_default();
        buffer.extend_from_slice(data);
        let mut out = BytesMut::new();
        while let Some(end) = frame_end(&buffer) {
            let frame = buffer.split_to(end).freeze();
            let frame = self.read(frame);
            if !self.meter.reading().usage_alone {
                out.extend_from_slice(&frame);
            }
        }
        self.sparing = Some(buffer);
        out.freeze()
    }

    /// The upstream ended, or `broke`: what is still to be sent, and the fault if the stream failed.
    pub(super) fn finish(
        &mut self,
        broke: Option<Fault>,
        ticket: &mut Option<Ticket>,
    ) -> (Bytes, Option<Fault>) {
        let rest = self.sparing.take().map(BytesMut::freeze).unwrap_or_default();
        let rest = self.read(rest);
        self.end_frames();
        if let Some(ticket) = ticket
            && self.meter.reading().content
        {
            ticket.first_token();
        }
        let told = self.meter.reading().fault.clone();
        let unsaid = self.lost.take().or_else(|| told.clone().filter(|fault| is_ours(Some(fault))));
        if unsaid.is_none() && self.complete() {
            return (rest, told);
        }
        let cut = "the upstream closed the stream before the answer was complete";
        let fault = broke.or(unsaid).unwrap_or_else(|| Fault::new(FaultKind::UpstreamCut, cut));
        // Half a frame that was not sent yet is of no use to the client.
        (self.fault(&fault), Some(fault))
    }

    /// Lets the framer give its last frame. One that cannot be read was cut.
    fn end_frames(&mut self) {
        if self.lost.is_some() || self.meter.reading().fault.is_some() {
            return;
        }
        let meter = &mut self.meter;
        let framed = self.framer.finish(&mut |frame| meter.frame(frame)).is_ok();
        if !framed || is_ours(self.meter.reading().fault.as_ref()) {
            let message = "the upstream closed the stream in the middle of a frame";
            self.lost = Some(Fault::new(FaultKind::UpstreamCut, message));
        }
    }

    /// The end of a stream that failed, set off from what was sent of it.
    fn fault(&self, fault: &Fault) -> Bytes {
        let told = self.codec.0.encode_stream_fault(fault, self.framing);
        match self.framing {
            // One blank line too many says nothing; one too few would make the fault a part of another frame.
            Framing::Sse if self.last != NOTHING && self.last != *b"\n\n" => {
                [&b"\n\n"[..], &told].concat().into()
            }
            Framing::Sse => told,
            Framing::JsonArray => self.element(&told),
        }
    }

    /// The last element of an array: the first one, too, where none was sent.
    fn element(&self, told: &Bytes) -> Bytes {
        let bare = told.trim_ascii_start().strip_prefix(b",").unwrap_or(told);
        match self.last {
            [_, b'['] => told.slice_ref(bare),
            NOTHING => [&b"["[..], bare].concat().into(),
            _ => told.clone(),
        }
    }
}

/// Whether a fault a meter read is one the stream itself does not tell the client of.
fn is_ours(fault: Option<&Fault>) -> bool {
    fault.is_some_and(|fault| matches!(fault.kind, FaultKind::UpstreamMalformed | FaultKind::UpstreamCut))
}

/// Where the first frame in `bytes` ends, its blank line included.
fn frame_end(bytes: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'\n', bytes).find_map(|at| {
        let before = bytes.get(..at)?;
        let blank = before.ends_with(b"\n") || before.ends_with(b"\n\r");
        blank.then_some(at + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::frame_end;

    #[test]
    fn a_frame_ends_behind_its_blank_line() {
        assert_eq!(frame_end(b"data: 1\n\ndata"), Some(9));
        assert_eq!(frame_end(b"data: 1\r\n\r\ndata"), Some(11));
        assert_eq!(frame_end(b"data: 1\n"), None);
        assert_eq!(frame_end(b""), None);
    }
}
