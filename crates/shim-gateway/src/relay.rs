//! Fourth stage: the answer goes to the client as it comes, while a meter reads along.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::Response;
use http::header::{CONTENT_LENGTH, HeaderValue};
use http_body::Body as _;
use shim_dialect::Meter;
use shim_ir::{Fault, FaultKind};
use shim_upstream::{Answer, Timeouts};
use shim_wire::frame::{FRAME_BYTES_MAX, Framer, Framing};
use tokio::time::{Instant, Sleep};

use crate::answer::{AnswerBody, Cut, exact, mark};
use crate::attempt::{Answered, Attempt, joined};
use crate::generation::Snapshot;
use crate::headers::{TARGET, for_client};
use crate::pipeline::Coded;
use crate::ticket::Ticket;

/// The most of a large whole answer that is kept for the meter.
const METER_BYTES_MAX: usize = 32 << 20;

/// Turns an attempt into the answer to the client. It consumes the attempt: nothing is tried again after this.
pub(crate) fn relay(attempt: Attempt, snapshot: &Arc<Snapshot>, mut ticket: Ticket) -> Response<AnswerBody> {
    let Attempt { codec, target, status, headers, body, fault, timeouts } = attempt;
    let mut headers = for_client(&headers);
    headers.insert(TARGET, target);
    mark(&mut headers, snapshot, &ticket);
    exact(&mut headers);
    ticket.answers(status.as_u16());
    let body = match body {
        Answered::Whole(bytes, meter) => {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
            ticket.sent(bytes.len());
            ticket.reads(meter.reading());
            match &fault {
                Some(fault) => ticket.fail(fault),
                None => ticket.deliver(),
            }
            AnswerBody::whole(bytes)
        }
        Answered::Stream { answer, framing, meter, spare_usage } => {
            headers.remove(CONTENT_LENGTH);
            let reader = Reader::Stream(Box::new(Stream::new(codec, framing, meter, spare_usage)));
            AnswerBody::relay(Relay::new(*answer, reader, timeouts, ticket, Vec::new(), snapshot.clone()))
        }
        Answered::Large { answer, first, meter } => {
            let reader = Reader::Large { meter, kept: Vec::new(), size: 0 };
            AnswerBody::relay(Relay::new(*answer, reader, timeouts, ticket, first, snapshot.clone()))
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// An answer on its way.
#[derive(Debug)]
pub(crate) struct Relay {
    /// Gone when the upstream's part is over.
    upstream: Option<Answer>,
    reader: Reader,
    /// Pieces that wait to be sent, last first.
    waiting: Vec<Bytes>,
    /// Gone when the exchange is settled.
    ticket: Option<Ticket>,
    timeouts: Timeouts,
    heard: Instant,
    alarm: Pin<Box<Sleep>>,
    cut: bool,
    /// The snapshot the exchange runs under lives as long as the exchange.
    _snapshot: Arc<Snapshot>,
}

/// Who reads along.
enum Reader {
    Stream(Box<Stream>),
    Large { meter: Box<dyn Meter>, kept: Vec<Bytes>, size: usize },
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Stream(_) => "stream",
            Self::Large { .. } => "large",
        })
    }
}

impl Relay {
    fn new(
        answer: Answer,
        reader: Reader,
        timeouts: Timeouts,
        ticket: Ticket,
        mut first: Vec<Bytes>,
        snapshot: Arc<Snapshot>,
    ) -> Self {
        first.reverse();
        let heard = Instant::now();
        let alarm = Box::pin(tokio::time::sleep_until((heard + timeouts.idle).min(answer.deadline)));
        Self {
            upstream: Some(answer),
            reader,
            waiting: first,
            ticket: Some(ticket),
            timeouts,
            heard,
            alarm,
            cut: false,
            _snapshot: snapshot,
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.upstream.is_none() && self.waiting.is_empty() && !self.cut
    }

    /// The next piece for the client; `None` at the end.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cut>>> {
        loop {
            if let Some(piece) = self.waiting.pop() {
                return Poll::Ready(Some(Ok(self.passes(piece))));
            }
            if std::mem::take(&mut self.cut) {
                return Poll::Ready(Some(Err(Cut)));
            }
            if self.upstream.is_none() {
                return Poll::Ready(None);
            }
            match ready!(self.poll_upstream(cx)) {
                Came::Data(data) => {
                    let pass = match &mut self.reader {
                        Reader::Stream(stream) => stream.take(data, &mut self.ticket),
                        Reader::Large { .. } => data,
                    };
                    if !pass.is_empty() {
                        self.waiting.push(pass);
                        // The last piece of known length ends the answer at once: nobody polls again after it.
                        if self.upstream.as_ref().is_some_and(|a| a.response.body().is_end_stream()) {
                            self.ended();
                        }
                    }
                }
                Came::End => self.ended(),
                Came::Fault(fault) => self.broke(fault),
            }
        }
    }

    fn poll_upstream(&mut self, cx: &mut Context<'_>) -> Poll<Came> {
        let Some(answer) = &mut self.upstream else { return Poll::Ready(Came::End) };
        loop {
            match Pin::new(answer.response.body_mut()).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        self.heard = Instant::now();
                        return Poll::Ready(Came::Data(data));
                    }
                }
                Poll::Ready(Some(Err(e))) => {
                    let message = "the upstream closed the connection before the answer was complete";
                    return Poll::Ready(Came::Fault(Fault::new(FaultKind::UpstreamCut, message).detail(e)));
                }
                Poll::Ready(None) => return Poll::Ready(Came::End),
                Poll::Pending => break,
            }
        }
        // One timer for the whole answer: it is set on only when it fires, not with every piece.
        loop {
            ready!(self.alarm.as_mut().poll(cx));
            let until = (self.heard + self.timeouts.idle).min(answer.deadline);
            if until <= Instant::now() {
                let message = "the upstream stopped in the middle of its answer";
                return Poll::Ready(Came::Fault(Fault::new(FaultKind::UpstreamTimeout, message)));
            }
            self.alarm.as_mut().reset(until);
        }
    }

    /// Counts and meters a piece that goes to the client.
    fn passes(&mut self, piece: Bytes) -> Bytes {
        if let Some(ticket) = &mut self.ticket {
            ticket.sent(piece.len());
        }
        if let Reader::Large { kept, size, .. } = &mut self.reader {
            *size += piece.len();
            if *size <= METER_BYTES_MAX {
                kept.push(piece.clone());
            } else {
                kept.clear();
            }
        }
        piece
    }

    /// The upstream ended its answer.
    fn ended(&mut self) {
        let (tail, fault) = match &mut self.reader {
            Reader::Stream(stream) => stream.finish(&mut self.ticket),
            Reader::Large { .. } => (Bytes::new(), None),
        };
        if let Some(answer) = self.upstream.take() {
            answer.lease.give_back();
        }
        if !tail.is_empty() {
            self.waiting.insert(0, tail);
            self.count_tail();
        }
        self.settle(fault);
    }

    /// The tail is sent after the ticket is settled; its bytes are counted before.
    fn count_tail(&mut self) {
        let bytes = self.waiting.first().map_or(0, Bytes::len);
        if let Some(ticket) = &mut self.ticket {
            ticket.sent(bytes);
        }
    }

    /// The upstream's answer broke off: a stream is ended by a fault in it, a whole answer by a cut connection.
    fn broke(&mut self, fault: Fault) {
        self.upstream = None;
        match &mut self.reader {
            Reader::Stream(stream) if !stream.complete() => {
                let tail = stream.fault(&fault);
                self.waiting.push(tail);
                self.count_tail();
            }
            Reader::Stream(_) => return self.settle(None),
            Reader::Large { .. } => self.cut = true,
        }
        self.settle(Some(fault));
    }

    fn settle(&mut self, fault: Option<Fault>) {
        let Some(mut ticket) = self.ticket.take() else { return };
        match &mut self.reader {
            Reader::Stream(stream) => ticket.reads(stream.meter.reading()),
            Reader::Large { meter, kept, size } => {
                let waiting = self.waiting.iter().map(Bytes::len).sum::<usize>();
                if *size + waiting <= METER_BYTES_MAX {
                    kept.extend(self.waiting.iter().rev().cloned());
                    let whole = joined(std::mem::take(kept));
                    if let Ok(text) = shim_wire::scan::utf8(&whole) {
                        meter.whole(text);
                    }
                    ticket.reads(meter.reading());
                } else {
                    ticket.unmetered();
                }
            }
        }
        match fault {
            Some(fault) => ticket.fail(&fault),
            None => ticket.deliver(),
        }
    }
}

impl Drop for Relay {
    /// The client left: what was read until then is noted, and the ticket settles itself as abandoned. The upstream's
    /// connection is dropped with the answer, which tells the upstream to stop.
    fn drop(&mut self) {
        if let (Some(ticket), Reader::Stream(stream)) = (&mut self.ticket, &self.reader) {
            ticket.reads(stream.meter.reading());
        }
    }
}

enum Came {
    Data(Bytes),
    End,
    Fault(Fault),
}

/// A stream that is read along.
struct Stream {
    codec: Coded,
    framer: Framer,
    framing: Framing,
    meter: Box<dyn Meter>,
    /// The stream cannot be framed: it goes on unread.
    lost: Option<Fault>,
    /// Where the gateway asked for usage and the client did not: whole frames only, so that one can be left out.
    sparing: Option<BytesMut>,
    /// The last two bytes sent, to know whether a frame is left open.
    last: [u8; 2],
}

impl Stream {
    fn new(codec: Coded, framing: Framing, meter: Box<dyn Meter>, spare_usage: bool) -> Self {
        let sparing = (spare_usage && framing == Framing::Sse).then(BytesMut::new);
        let framer = Framer::new(framing, FRAME_BYTES_MAX);
        Self { codec, framer, framing, meter, lost: None, sparing, last: *b"\n\n" }
    }

    fn complete(&self) -> bool {
        let reading = self.meter.reading();
        reading.complete || reading.fault.is_some()
    }

    /// Reads `data` along and returns what goes to the client.
    fn take(&mut self, data: Bytes, ticket: &mut Option<Ticket>) -> Bytes {
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

    /// The upstream ended: what is still to be sent, and the fault if the stream was cut.
    fn finish(&mut self, ticket: &mut Option<Ticket>) -> (Bytes, Option<Fault>) {
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
        let fault = unsaid.unwrap_or_else(|| Fault::new(FaultKind::UpstreamCut, cut));
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

    /// The end of a stream that failed, on a line of its own.
    fn fault(&self, fault: &Fault) -> Bytes {
        let told = self.codec.0.encode_stream_fault(fault, self.framing);
        let open = self.framing == Framing::Sse && self.last != *b"\n\n" && self.last != *b"\r\n";
        if open { [&b"\n\n"[..], &told].concat().into() } else { told }
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
