//! Fourth stage: the answer goes to the client as it comes, while a meter reads along.

mod reader;
mod stream;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Response;
use http::header::CONTENT_LENGTH;
use http_body::Body as _;
use shim_dialect::Meter;
use shim_ir::{Fault, FaultKind};
use shim_store::ledger::{Ledger, Receipt};
use shim_upstream::{Answer, Phase, Timeouts};
use tokio::time::{Instant, Sleep};

use self::reader::{PULSE, Reader, translated};
use self::stream::Stream;
use crate::answer::{AnswerBody, Cut, exact, mapped, mark, retry};
use crate::attempt::{Answered, Attempt, late};
use crate::ending::{Watch, ended};
use crate::generation::Snapshot;
use crate::headers::{TARGET, for_client};
use crate::later::Settling;
use crate::ticket::Ticket;

/// Turns an attempt into the answer to the client. It consumes the attempt: nothing is tried again after this.
pub(crate) fn relay(attempt: Attempt, snapshot: &Arc<Snapshot>, mut ticket: Ticket) -> Response<AnswerBody> {
    let Attempt { codec, target, status, headers, body, fault, losses, timeouts } = attempt;
    let mut headers = for_client(headers);
    headers.insert(TARGET, target);
    mark(&mut headers, snapshot, &ticket);
    match losses {
        None => exact(&mut headers),
        Some(losses) => {
            // The length of other bytes. Where there is none, hyper states that of a whole answer.
            headers.remove(CONTENT_LENGTH);
            mapped(&mut headers, losses, &mut ticket);
        }
    }
    ticket.answers(status.as_u16());
    let body = match body {
        Answered::Whole { bytes, meter, read } => {
            if let Some(fault) = &fault {
                retry(&mut headers, fault);
            }
            whole(bytes, meter, read, fault.as_ref(), ticket)
        }
        Answered::Stream { answer, framing, meter, spare_usage } => {
            headers.remove(CONTENT_LENGTH);
            let reader = Reader::Stream(Box::new(Stream::new(codec, framing, meter, spare_usage)));
            AnswerBody::relay(Relay::new(*answer, reader, timeouts, ticket, Vec::new(), snapshot.clone()))
        }
        Answered::Translated { answer, translation } => {
            let reader = Reader::Translated(translation);
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

/// An answer that is here whole, which waits for its exchange to be settled.
fn whole(
    bytes: Bytes,
    meter: Box<dyn Meter>,
    read: bool,
    fault: Option<&Fault>,
    mut ticket: Ticket,
) -> AnswerBody {
    ticket.sent(&bytes);
    let receipt = match fault {
        Some(fault) => {
            ticket.reads(meter.reading());
            ticket.fail(fault)
        }
        None => {
            // What is kept is there before the client can go on from it.
            ticket.tells(&bytes);
            ticket.told();
            let unread = (!read).then(|| bytes.clone());
            Settling { ticket, meter, unread }.later()
        }
    };
    AnswerBody::whole(bytes).after(receipt)
}

/// An answer on its way.
#[derive(Debug)]
pub(crate) struct Relay {
    /// Gone when the upstream's part is over.
    upstream: Option<Answer>,
    reader: Reader,
    /// Pieces that wait to be sent, last first.
    waiting: Vec<Bytes>,
    /// The end of the answer, held until the exchange is settled, where the ledger is strict.
    end: Vec<Bytes>,
    /// The last piece waits for it.
    receipt: Receipt,
    /// Gone when the exchange is settled.
    ticket: Option<Ticket>,
    timeouts: Timeouts,
    heard: Instant,
    /// When the client was last told something; only a translated stream keeps it up.
    spoke: Instant,
    alarm: Pin<Box<Sleep>>,
    /// The end of a drain.
    watch: Watch,
    cut: bool,
    /// The snapshot the exchange runs under lives as long as the exchange.
    _snapshot: Arc<Snapshot>,
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
        let (until, _) = timeouts.until(Phase::Idle, heard, answer.deadline);
        let until = reader.pulse(heard).map_or(until, |pulse| pulse.min(until));
        let alarm = Box::pin(tokio::time::sleep_until(until));
        let watch = ticket.shared().ending.watch();
        Self {
            upstream: Some(answer),
            reader,
            waiting: first,
            end: Vec::new(),
            receipt: Receipt::ready(),
            ticket: Some(ticket),
            timeouts,
            heard,
            spoke: heard,
            alarm,
            watch,
            cut: false,
            _snapshot: snapshot,
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.upstream.is_none() && self.waiting.is_empty() && !self.cut && self.receipt.is_ready()
    }

    /// The next piece for the client; `None` at the end.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cut>>> {
        loop {
            if self.waiting.len() <= 1 && self.ticket.is_none() {
                ready!(self.receipt.poll_ready(cx));
            }
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
                        Reader::Translated(translation) => {
                            self.spoke = self.heard;
                            translated(translation, &data, &mut self.ticket)
                        }
                    };
                    if !pass.is_empty() {
                        self.waits(pass);
                        // The last piece of known length ends the answer at once: nobody polls again after it.
                        if self.upstream.as_ref().is_some_and(|a| a.response.body().is_end_stream()) {
                            self.ended();
                        }
                    }
                }
                Came::Pulse(pulse) => self.waiting.push(Bytes::from_static(pulse)),
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
        self.poll_bounds(cx)
    }

    /// Nothing came: whether that is for too long, or the gateway itself must stop waiting, or the client of a translated
    /// stream is to be told that it goes on.
    fn poll_bounds(&mut self, cx: &mut Context<'_>) -> Poll<Came> {
        let (Some(answer), Some(ticket)) = (&self.upstream, &self.ticket) else { return Poll::Pending };
        if self.watch.poll(cx, &ticket.shared().ending) {
            return Poll::Ready(Came::Fault(ended()));
        }
        // One timer for the whole answer: it is set on only when it fires, not with every piece.
        loop {
            ready!(self.alarm.as_mut().poll(cx));
            let (until, phase) = self.timeouts.until(Phase::Idle, self.heard, answer.deadline);
            let now = Instant::now();
            if until <= now {
                return Poll::Ready(Came::Fault(late(ticket.upstream(), phase, &self.timeouts)));
            }
            if self.reader.pulse(self.spoke).is_some_and(|pulse| pulse <= now) {
                self.spoke = now;
                self.alarm.as_mut().reset(until.min(now + PULSE));
                if let Some(pulse) = self.reader.keep_alive() {
                    return Poll::Ready(Came::Pulse(pulse));
                }
            }
            let next = self.reader.pulse(self.spoke).map_or(until, |pulse| pulse.min(until));
            self.alarm.as_mut().reset(next);
        }
    }

    /// Lets a piece wait to be sent. Where the ledger is strict, the end of a stream waits until the exchange is settled.
    fn waits(&mut self, piece: Bytes) {
        let strict = |ticket: &Ticket| ticket.shared().ledger().is_some_and(Ledger::is_strict);
        if self.reader.ends() && self.ticket.as_ref().is_some_and(strict) {
            self.end.push(piece);
        } else {
            self.waiting.push(piece);
        }
    }

    /// Counts what waits: it is sent after the ticket is settled.
    fn count_waiting(&mut self) {
        self.waiting.splice(..0, self.end.drain(..).rev());
        if let Some(ticket) = &mut self.ticket {
            self.waiting.iter().rev().for_each(|piece| ticket.sent(piece));
        }
    }

    /// Counts and meters a piece that goes to the client.
    fn passes(&mut self, piece: Bytes) -> Bytes {
        if let Some(ticket) = &mut self.ticket {
            ticket.sent(&piece);
            if !matches!(self.reader, Reader::Large { .. }) {
                ticket.tells(&piece);
            }
        }
        self.reader.keep(&piece);
        piece
    }

    /// The upstream ended its answer.
    fn ended(&mut self) {
        if let Some(answer) = self.upstream.take() {
            answer.lease.give_back();
        }
        self.count_waiting();
        match &mut self.reader {
            Reader::Stream(stream) => {
                let (tail, fault) = stream.finish(None, &mut self.ticket);
                self.last(tail);
                self.settle(fault);
            }
            Reader::Large { .. } => self.settle(None),
            Reader::Translated(translation) => {
                let tail = translation.finish();
                let fault = translation.reading().fault.clone();
                self.last(tail);
                self.settle(fault);
            }
        }
    }

    /// The upstream's answer broke off: a stream is ended by a fault in it, a whole answer by a cut connection.
    fn broke(&mut self, fault: Fault) {
        self.upstream = None;
        self.count_waiting();
        match &mut self.reader {
            Reader::Stream(stream) => {
                let (tail, fault) = stream.finish(Some(fault), &mut self.ticket);
                self.last(tail);
                self.settle(fault);
            }
            Reader::Large { .. } => {
                self.cut = true;
                self.settle(Some(fault));
            }
            Reader::Translated(translation) => {
                let tail = translation.fail(fault);
                let fault = translation.reading().fault.clone();
                self.last(tail);
                self.settle(fault);
            }
        }
    }

    /// Lets a stream end with `tail`. It is sent after the ticket is settled; its bytes are counted before.
    fn last(&mut self, tail: Bytes) {
        if tail.is_empty() {
            return;
        }
        if let Some(ticket) = &mut self.ticket {
            ticket.sent(&tail);
            ticket.tells(&tail);
        }
        self.waiting.insert(0, tail);
    }

    fn settle(&mut self, fault: Option<Fault>) {
        let Some(mut ticket) = self.ticket.take() else { return };
        self.reader.account(&self.waiting, &mut ticket);
        self.receipt = match fault {
            Some(fault) => ticket.fail(&fault),
            None => ticket.deliver(),
        };
    }

    /// Whether the client was handed its stream's last event, and all before it.
    fn is_handed_over(&self) -> bool {
        self.reader.passed_whole() && self.waiting.is_empty() && self.end.is_empty()
    }
}

impl Drop for Relay {
    /// The client left: what was read until then is noted, and the ticket settles itself as abandoned. The upstream's
    /// connection is dropped with the answer, which tells the upstream to stop. At the end of a drain it is the gateway
    /// that left.
    ///
    /// Who leaves with the last event was given all of it: Codex does not wait for the stream's own end.
    fn drop(&mut self) {
        if self.ticket.is_some() && self.is_handed_over() {
            return self.settle(None);
        }
        let Some(mut ticket) = self.ticket.take() else { return };
        match &self.reader {
            Reader::Stream(stream) => ticket.reads(stream.meter.reading()),
            Reader::Translated(translation) => ticket.reads(translation.reading()),
            Reader::Large { .. } => {}
        }
        if ticket.shared().ending.declared() {
            drop(ticket.fail(&ended()));
        }
    }
}

enum Came {
    Data(Bytes),
    /// What keeps the client's connection open.
    Pulse(&'static [u8]),
    End,
    Fault(Fault),
}
