//! Answers are remembered as they pass.

use std::sync::Arc;

use shim_dialect::{Decoder, Encode, Meter, Operation, Reading, StateMarks, speaker};
use shim_ir::{Event, Request};
use shim_policy::vault::{Gather, Kept, Name, Names, Origin, Partition, trace};
use shim_wire::frame::Frame;

use super::{Item, may_record, origin, partition, partition_of};
use crate::crossing::decoded;
use crate::key::Key;
use crate::pipeline::Admitted;
use crate::plan::Step;
use crate::shared::{Shared, hexadecimal};

/// What remembering an answer needs.
#[derive(Debug)]
pub(crate) struct Keeping {
    shared: Arc<Shared>,
    partition: Partition,
    origin: Origin,
    /// The request, as the client sent it.
    request: Arc<Request>,
    /// The id of the exchange, in hexadecimal: ids the gateway makes hold it.
    exchange: String,
    record: bool,
}

/// What remembering the answer of a target needs; `None` where it is no answer of a conversation.
pub(crate) fn keeping(
    shared: &Arc<Shared>,
    admitted: &Admitted,
    step: &Step,
    request: Arc<Request>,
    exchange: &str,
) -> Option<Arc<Keeping>> {
    (admitted.route.operation == Operation::Generate).then(|| {
        Arc::new(Keeping {
            shared: shared.clone(),
            partition: partition(admitted),
            origin: origin(step),
            request,
            exchange: hexadecimal(exchange),
            record: may_record(admitted),
        })
    })
}

impl Keeping {
    /// Remembers an answer, as far as there is anything to it that its client could lose. What was gathered is the answer
    /// as the client sees it.
    pub(crate) fn answer(&self, gathered: Gather) {
        let Some((kept, parts)) = gathered.kept(&self.origin) else { return };
        let names = Names::of(&self.partition, &self.request).of_answer(&self.exchange, &parts);
        let now = self.shared.clock.now_ms();
        self.shared.vault.put(names, &Item::Kept(Arc::new(kept)), self.record, now);
    }
}

/// A meter that also remembers whose the states are that pass, and of providers whose clients are known to drop what they
/// want back, the answer itself.
pub(crate) fn watched(
    shared: &Arc<Shared>,
    admitted: &Admitted,
    step: &Step,
    exchange: &str,
    meter: Box<dyn Meter>,
) -> Box<dyn Meter> {
    if admitted.route.operation != Operation::Generate {
        return meter;
    }
    let dialect = step.endpoint.dialect;
    let request = if step.target.rules(dialect).restores { decoded(admitted).ok() } else { None };
    let reader = request.and_then(|request| keeping(shared, admitted, step, request, exchange));
    Box::new(Watched {
        meter,
        marks: admitted.codec.0.marks(),
        traces: Vec::new(),
        pieces: String::new(),
        key: admitted.key.clone(),
        step: step.clone(),
        shared: shared.clone(),
        record: may_record(admitted),
        reader: reader.map(|keeping| AnswerReader::new(speaker(dialect), keeping)),
        over: false,
    })
}

/// Most states of one answer whose maker is remembered.
const TRACES_MAX: usize = 256;

/// Longest state that is put together of pieces, in bytes.
const PIECES_BYTES_MAX: usize = 256 << 10;

struct Watched {
    meter: Box<dyn Meter>,
    marks: StateMarks,
    /// The names of the states that passed.
    traces: Vec<Name>,
    /// A state that comes in pieces, one a frame.
    pieces: String,
    key: Option<Arc<Key>>,
    step: Step,
    shared: Arc<Shared>,
    record: bool,
    reader: Option<AnswerReader>,
    over: bool,
}

impl Watched {
    fn look(&mut self, body: &str) {
        let (traces, pieces) = (&mut self.traces, &mut self.pieces);
        let before = pieces.len();
        self.marks.states(body.as_bytes(), &mut |state| {
            let partition = &partition_of(self.key.as_deref());
            if traces.len() < TRACES_MAX {
                traces.push(trace(partition, state));
            }
            if pieces.len() + state.len() <= PIECES_BYTES_MAX {
                pieces.push_str(state);
            }
        });
        if pieces.len() > before && before > 0 && traces.len() < TRACES_MAX {
            traces.push(trace(&partition_of(self.key.as_deref()), pieces));
        } else if pieces.len() == before {
            pieces.clear();
        }
    }

    fn is_complete(&self) -> bool {
        let reading = self.meter.reading();
        reading.complete && reading.fault.is_none()
    }

    /// The answer is complete: what passed is remembered.
    fn end(&mut self) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        let traces = std::mem::take(&mut self.traces);
        if !traces.is_empty() {
            let maker = Item::Kept(Arc::new(Kept { origin: origin(&self.step), pieces: Vec::new() }));
            self.shared.vault.put(traces, &maker, self.record, self.shared.clock.now_ms());
        }
        if let Some(reader) = self.reader.take() {
            reader.keeping.answer(reader.gather);
        }
    }
}

impl Drop for Watched {
    /// A stream whose last frame never came may be complete all the same.
    fn drop(&mut self) {
        if self.is_complete() {
            if let Some(reader) = &mut self.reader {
                reader.finish();
            }
            self.end();
        }
    }
}

impl Meter for Watched {
    fn frame(&mut self, frame: Frame<'_>) {
        self.meter.frame(frame);
        if self.over {
            return;
        }
        self.look(frame.data);
        if let Some(reader) = &mut self.reader
            && !reader.take(frame)
        {
            self.reader = None;
        }
        // The reader may wait for the very last frame.
        if self.is_complete() && self.reader.as_ref().is_none_or(|reader| reader.gather.is_complete()) {
            self.end();
        }
    }

    fn whole(&mut self, body: &str) {
        self.meter.whole(body);
        if self.over || self.meter.reading().fault.is_some() {
            return;
        }
        self.look(body);
        if let Some(reader) = &mut self.reader {
            match reader.dialect.decode_response(body) {
                Ok(response) => reader.gather = Gather::whole(&response),
                Err(_) => self.reader = None,
            }
        }
        self.end();
    }

    fn reading(&self) -> &Reading {
        self.meter.reading()
    }
}

/// Reads an answer that passes unchanged.
struct AnswerReader {
    dialect: &'static dyn Encode,
    decoder: Box<dyn Decoder>,
    events: Vec<Event>,
    gather: Gather,
    keeping: Arc<Keeping>,
}

impl AnswerReader {
    fn new(dialect: &'static dyn Encode, keeping: Arc<Keeping>) -> Self {
        let decoder = dialect.decoder();
        Self { dialect, decoder, events: Vec::new(), gather: Gather::default(), keeping }
    }

    /// Takes a frame; false when the stream cannot be read.
    fn take(&mut self, frame: Frame<'_>) -> bool {
        let read = self.decoder.push(frame, &mut self.events).is_ok();
        self.events.drain(..).for_each(|event| self.gather.take(&event));
        read && !self.gather.is_over()
    }

    /// The stream is over.
    fn finish(&mut self) {
        self.decoder.finish(&mut self.events);
        self.events.drain(..).for_each(|event| self.gather.take(&event));
    }
}
