//! The ticket of one exchange: opened at arrival, settled exactly once.

use std::sync::Arc;

use bytes::Bytes;
use shim_catalog::{Answered, Date};
use shim_dialect::{Reading, is_set, number_at};
use shim_ir::{
    Basis, Bill, Blame, Dialect, ExchangeId, Fault, FaultKind, Generation, KeyId, Loss, PicoUsd, Usage,
};
use shim_policy::sentinel::Outline;
use shim_policy::tokens::Estimate;
use shim_store::ledger::Receipt;
use shim_telemetry::{Outcome, Settled, Terms, Tried};
use tokio::time::Instant;

use crate::extraction::Sample;
use crate::generation::Target;
use crate::hold::Held;
use crate::kept::Tap;
use crate::record::Recorder;
use crate::reserve::Hold;
use crate::shared::Shared;
use crate::vault::Affinity;

/// An exchange under way. Whatever happens to it, it is settled once: by [`Ticket::deliver`] or [`Ticket::fail`], or,
/// when it is dropped before either, as abandoned.
#[derive(Debug)]
pub(crate) struct Ticket {
    shared: Arc<Shared>,
    /// Taken when it is settled.
    record: Option<Box<Settled>>,
    /// The target tried last.
    target: Option<Arc<Target>>,
    /// What the request comes to by estimate, where the target tried last has no counter.
    estimate: Option<Estimate>,
    /// What is kept for the ledger.
    recorder: Recorder,
    /// What is reserved for it, where who asks or what is asked for is limited.
    hold: Option<Hold>,
    /// Reads along with an answer that is kept.
    tap: Option<Box<Tap>>,
    /// What was asked, for who watches the caches.
    outline: Option<Box<Outline>>,
    /// What was asked, for who watches for extraction.
    sample: Option<Box<Sample>>,
    /// Why another target than the alias's first is asked first.
    affinity: Option<Affinity>,
    /// Counts the request's body, where it is held until the exchange is settled.
    body: Option<Held>,
    start: Instant,
}

impl Ticket {
    /// Opens the ticket of an exchange that arrived just now.
    pub(crate) fn open(
        shared: &Arc<Shared>,
        generation: Generation,
        dialect: Dialect,
        operation: &'static str,
    ) -> Self {
        shared.metrics.admitted.inc();
        shared.metrics.in_flight.inc();
        let id = shared.clock.exchange_id();
        let record = Settled {
            id,
            at_ms: id.at_ms(),
            generation,
            dialect,
            operation,
            key: None,
            client_id: None,
            model: shared.no_model.clone(),
            target: None,
            attempts: 0,
            status: 0,
            outcome: Outcome::Abandoned,
            fault: None,
            detail: None,
            streamed: false,
            usage: None,
            cost: None,
            basis: Basis::default(),
            terms: None,
            reserved: None,
            charged: None,
            failed: Vec::new(),
            finish: None,
            losses: None,
            request_bytes: 0,
            answer_bytes: 0,
            first_token_us: None,
            duration_us: 0,
        };
        let (shared, start) = (shared.clone(), Instant::now());
        let (record, recorder) = (Some(Box::new(record)), Recorder::default());
        let (target, estimate, hold, tap, outline, affinity) = (None, None, None, None, None, None);
        let (sample, body) = (None, None);
        Self { shared, record, target, estimate, recorder, hold, tap, outline, sample, affinity, body, start }
    }

    pub(crate) fn id(&self) -> ExchangeId {
        self.record.as_ref().map_or(ExchangeId(0), |r| r.id)
    }

    pub(crate) fn start(&self) -> Instant {
        self.start
    }

    pub(crate) fn affinity(&self) -> Option<Affinity> {
        self.affinity
    }

    /// Notes why another target than the alias's first is asked first.
    pub(crate) fn prefers(&mut self, why: Affinity) {
        self.affinity = Some(why);
    }

    pub(crate) fn attempts(&self) -> u32 {
        self.record.as_ref().map_or(0, |r| r.attempts)
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// The provider that was tried last, as a message names it.
    pub(crate) fn upstream(&self) -> &str {
        self.target().and_then(|target| target.split('/').next()).unwrap_or("the upstream")
    }

    /// The target that was tried last.
    pub(crate) fn target(&self) -> Option<&Arc<str>> {
        self.record.as_ref()?.target.as_ref()
    }

    /// Notes the id the client chose for it.
    pub(crate) fn named(&mut self, client_id: Option<Box<str>>) {
        self.note(|r| r.client_id = client_id);
    }

    /// Notes who asks.
    pub(crate) fn asked_by(&mut self, key: Option<KeyId>) {
        self.note(|r| r.key = key);
    }

    /// Notes what is asked for.
    pub(crate) fn asks(&mut self, model: Arc<str>, streamed: bool, request_bytes: usize) {
        self.note(|r| {
            r.model = model;
            r.streamed = streamed;
            r.request_bytes = request_bytes as u64;
        });
    }

    /// Notes that a target is tried.
    pub(crate) fn tries(&mut self, target: &Arc<Target>) {
        self.target = Some(target.clone());
        self.estimate = None;
        self.note(|r| {
            r.attempts += 1;
            r.target = Some(target.name.clone());
        });
    }

    /// Notes that the attempt under way failed, and another is to be made.
    pub(crate) fn gives_up(&mut self, fault: &Fault) {
        let failed_us = micros(self.start);
        self.note(|r| {
            let Some(target) = r.target.clone() else { return };
            let status = fault.status.filter(|_| fault.kind.blame() == Blame::Upstream);
            let cost = cost_of_failure(fault, r.cost.take());
            r.failed.push(Tried { target, fault: fault.kind, status, cost, failed_us });
            (r.usage, r.finish, r.basis, r.terms) = (None, None, Basis::default(), None);
        });
    }

    /// Notes what the request comes to by estimate: what its target counts will correct the next.
    pub(crate) fn weighs(&mut self, estimate: Estimate) {
        self.estimate = Some(estimate);
    }

    /// Notes what is reserved for it; it is settled with the ticket.
    pub(crate) fn holds(&mut self, hold: Hold) {
        let reserved = hold.reserved();
        self.recorder.reserves(reserved);
        self.note(|r| r.reserved = Some(reserved));
        self.hold = Some(hold);
    }

    /// Whether anything is reserved for it.
    pub(crate) fn is_limited(&self) -> bool {
        self.hold.is_some()
    }

    /// Notes the first token, once.
    pub(crate) fn first_token(&mut self) {
        let us = micros(self.start);
        self.note(|r| r.first_token_us = r.first_token_us.or(Some(us)));
    }

    /// Notes the status and size so far of the answer.
    pub(crate) fn answers(&mut self, status: u16) {
        self.note(|r| r.status = status);
    }

    /// Notes a piece of the answer that goes to the client.
    pub(crate) fn sent(&mut self, piece: &Bytes) {
        self.recorder.passes(piece);
        self.note(|r| r.answer_bytes += piece.len() as u64);
    }

    /// What is kept for the ledger.
    pub(crate) fn recorder(&mut self) -> &mut Recorder {
        &mut self.recorder
    }

    /// Tells the ledger that the exchange is admitted: it is accounted from now on. Where the ledger is strict, it is on
    /// the disk then.
    pub(crate) fn admitted(&self) -> Receipt {
        let record = self.record.as_ref();
        record.map(|record| self.recorder.admitted(&self.shared, record)).unwrap_or_default()
    }

    /// Notes what reads along with the answer.
    pub(crate) fn taps(&mut self, tap: Option<Box<Tap>>) {
        self.tap = tap;
    }

    /// Notes what was asked, for who watches the caches.
    pub(crate) fn outlines(&mut self, outline: Option<Box<Outline>>) {
        self.outline = outline;
    }

    /// Notes what was asked, for who watches for extraction.
    pub(crate) fn samples(&mut self, sample: Option<Box<Sample>>) {
        self.sample = sample;
    }

    /// Counts the request's body until the exchange is settled, where it is held that long: where it is `referred` to, is
    /// to be recorded, or what reads along needs it.
    pub(crate) fn holds_body(&mut self, held: Held, referred: bool) {
        let needed = referred || self.recorder.keeps() || self.tap.is_some() || self.sample.is_some();
        self.body = needed.then_some(held);
    }

    /// Shows a piece of the answer that goes to the client to what reads along.
    pub(crate) fn tells(&mut self, piece: &Bytes) {
        if let Some(tap) = &mut self.tap {
            tap.takes(piece, &self.shared);
        }
    }

    /// Says to what reads along that the answer was shown whole.
    pub(crate) fn told(&mut self) {
        if let Some(tap) = &mut self.tap {
            tap.ends(&self.shared);
        }
    }

    /// Notes what a meter read; to be called before the ticket is settled, or dropped.
    pub(crate) fn reads(&mut self, reading: &Reading) {
        // The upstream's own words stay with the meter.
        let usage = reading.usage.as_ref().map(Usage::counts);
        let finish = reading.finish.as_ref().map(|f| f.reason.clone());
        let bill = self.bill(reading);
        let terms = usage.as_ref().map(|_| self.terms(reading, &bill));
        self.note(|r| {
            r.usage = usage;
            r.finish = finish;
            (r.cost, r.basis, r.terms) = (bill.cost, bill.basis, terms);
        });
    }

    /// What an answer costs, as far as it was read.
    fn bill(&self, reading: &Reading) -> Bill {
        let (Some(usage), Some(record), Some(target)) = (&reading.usage, &self.record, &self.target) else {
            return Bill::default();
        };
        let pricing = target.pricing();
        let unless = pricing.stated_unless();
        let words = usage.words.as_ref().filter(|words| !unless.is_some_and(|name| is_set(words, name)));
        pricing.bill(&Answered {
            usage,
            service: reading.billed.service.as_deref(),
            searches: reading.billed.searches,
            region: reading.billed.region.as_deref(),
            stated: words.zip(pricing.stated_at()).and_then(|(words, path)| number_at(words, path)),
            complete: is_whole(reading),
            day: Date::at(record.at_ms / 1000),
        })
    }

    /// What an answer with this bill was priced by beside its tokens.
    fn terms(&self, reading: &Reading, bill: &Bill) -> Terms {
        let host = self.target.as_ref().and_then(|target| target.pricing().region());
        let billed = &reading.billed;
        Terms {
            service: billed.service.clone(),
            region: billed.region.clone().or_else(|| host.map(Into::into)),
            searches: billed.searches,
            complete: is_whole(reading),
            stated: bill.basis == Basis::Stated,
        }
    }

    /// Notes what a translation could not carry.
    pub(crate) fn carried(&mut self, losses: Vec<Loss>) {
        self.note(|r| r.losses.get_or_insert_default().extend(losses));
    }

    /// Notes that the answer's usage could not be read.
    pub(crate) fn unmetered(&self) {
        self.shared.metrics.unmetered.inc();
    }

    /// Settles: the answer was delivered whole. Its end waits for the receipt.
    pub(crate) fn deliver(mut self) -> Receipt {
        self.settle(Outcome::Delivered)
    }

    /// Settles: the client was told of `fault`. The end of that waits for the receipt.
    pub(crate) fn fail(mut self, fault: &Fault) -> Receipt {
        self.shared.metrics.fault(fault.kind);
        let detail = match &fault.detail {
            Some(detail) => format!("{}: {detail}", fault.message),
            None => fault.message.clone(),
        };
        self.note(|r| {
            r.fault = Some(fault.kind);
            r.detail = Some(detail.into());
        });
        self.settle(Outcome::Failed)
    }

    fn note(&mut self, change: impl FnOnce(&mut Settled)) {
        if let Some(record) = &mut self.record {
            change(record);
        }
    }

    fn settle(&mut self, outcome: Outcome) -> Receipt {
        let Some(mut record) = self.record.take() else { return Receipt::ready() };
        record.outcome = outcome;
        if outcome == Outcome::Delivered {
            self.told();
        }
        record.duration_us = micros(self.start);
        add_failures(&mut record);
        self.shared.metrics.in_flight.dec();
        if let Some(hold) = self.hold.take() {
            let pricing = self.target.as_ref().map(|target| target.pricing());
            record.charged = hold.settle(&self.shared.limited, &record, pricing);
        }
        self.target.as_ref().map_or(&self.shared.unrouted, |target| &target.series).add(&record);
        if let (Some(estimate), Some(target), Some(usage)) = (&self.estimate, &record.target, &record.usage)
            && outcome == Outcome::Delivered
        {
            self.shared.corrections.learn(target, estimate, usage.input_total());
        }
        let receipt = self.recorder.settled(&self.shared, &record);
        if self.recorder.is_quiet() {
            record.detail = None;
        }
        if let Some(outline) = self.outline.take().filter(|_| outcome == Outcome::Delivered) {
            let day = Date::at(record.at_ms / 1000);
            let input = record.usage.as_ref().map(Usage::input_total).unwrap_or_default();
            let price = self.target.as_ref().and_then(|target| target.pricing().price(day, input));
            self.shared.sentinel.settles(*outline, &record, price.as_ref(), &self.shared.metrics);
        }
        if let Some(sample) = self.sample.take() {
            self.shared.extraction.settles(&sample, &record, &self.shared);
        }
        self.shared.settled(*record);
        receipt
    }
}

/// Whether what was read is all that an answer is billed by.
fn is_whole(reading: &Reading) -> bool {
    reading.complete && !reading.billed.tools
}

/// What a failed attempt cost: nothing where the provider refused or was never reached; not known where it may have
/// worked for nobody. `read`: what was read of its answer.
fn cost_of_failure(fault: &Fault, read: Option<PicoUsd>) -> Option<PicoUsd> {
    let refused = fault.status.is_some_and(|status| status >= 400);
    let unsent = fault.kind == FaultKind::UpstreamUnreachable || fault.kind.blame() != Blame::Upstream;
    if refused || unsent { Some(PicoUsd(0)) } else { read }
}

/// Adds what the failed attempts cost. Where that is not known of all, the sum is only a part.
fn add_failures(record: &mut Settled) {
    if record.failed.is_empty() {
        return;
    }
    let failures = record.failures();
    record.cost = record.cost.map(|cost| PicoUsd(cost.0.saturating_add(failures.0)));
    if record.cost.is_some() && record.failed.iter().any(|tried| tried.cost.is_none()) {
        record.basis = Basis::Partial;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        drop(self.settle(Outcome::Abandoned));
    }
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}
