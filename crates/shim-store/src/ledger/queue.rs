//! What waits to be written: bounded in bytes, shed in an order, taken all at once.

use std::sync::mpsc::SyncSender;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use shim_ir::ExchangeId;

use super::day::Day;
use super::entry::{Admission, Exchange};
use super::feedback::{Feedback, FeedbackError};
use super::receipt::Promise;
use super::reprice::Change;
use crate::StoreError;

/// Something to be written.
#[derive(Debug)]
pub(super) enum Entry {
    Admitted(Admission, Option<Promise>),
    Settled(Box<Exchange>, Option<Promise>),
    Feedback(Box<Feedback>, Reply),
    Reprice(Day, Vec<Change>, RepriceReply),
}

/// Where the answer to feedback goes.
pub(super) type Reply = SyncSender<Result<ExchangeId, FeedbackError>>;

/// Where the answer to costs that were reckoned anew goes.
pub(super) type RepriceReply = SyncSender<Result<Vec<Change>, StoreError>>;

/// What had to be let go of, so that the rest had room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shed {
    /// The bodies of an exchange.
    pub(super) bodies: bool,
    /// All of it.
    pub(super) entry: bool,
}

/// The queue.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    wake: Condvar,
    bytes_max: usize,
}

#[derive(Debug, Default)]
struct State {
    entries: Vec<Entry>,
    /// Of what waits and of what is being written.
    bytes: usize,
    /// The writer sleeps until there is something.
    asleep: bool,
    /// Somebody waits for what is there.
    urgent: bool,
    /// The disk refuses: nobody waits for it.
    refused: bool,
    closed: bool,
    /// Nothing was under way any more when it was closed.
    orderly: bool,
    /// The writer is done.
    over: bool,
}

/// What the writer takes.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) entries: Vec<Entry>,
    pub(super) bytes: usize,
    pub(super) closed: bool,
}

impl Queue {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { state: Mutex::default(), wake: Condvar::new(), bytes_max }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an entry, or what there is room for of it. Bodies have seven eighths of the room, admissions fifteen
    /// sixteenths; what is left is for the rows of usage, which go last.
    pub(super) fn add(&self, mut entry: Entry) -> Shed {
        let mut state = self.lock();
        let mut shed = Shed::default();
        if state.closed {
            return Shed { entry: true, ..shed };
        }
        if let Entry::Settled(exchange, _) = &mut entry {
            let body = exchange.body_bytes();
            if body > 0 && state.bytes + body + exchange.row_bytes() > self.bytes_max / 8 * 7 {
                exchange.shed_bodies();
                shed.bodies = true;
            }
        }
        let most = match &entry {
            Entry::Admitted(..) => self.bytes_max / 16 * 15,
            Entry::Settled(..) | Entry::Feedback(..) => self.bytes_max,
            // It can be asked again; a row of usage cannot.
            Entry::Reprice(..) => self.bytes_max / 2,
        };
        let bytes = entry.bytes();
        if state.bytes + bytes > most {
            return Shed { entry: true, ..shed };
        }
        if state.refused {
            drop(entry.promise());
        }
        state.bytes += bytes;
        let urgent = entry.urgent();
        state.entries.push(entry);
        // Half the room is taken: what waits is written, be it time or not.
        let wake = (urgent || state.bytes > self.bytes_max / 2) && !state.urgent;
        state.urgent |= wake;
        if std::mem::take(&mut state.asleep) || wake {
            self.wake.notify_all();
        }
        shed
    }

    /// Bytes of what waits or is being written.
    pub(super) fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// Whether more than a quarter of the room is taken.
    pub(super) fn fills(&self) -> bool {
        self.bytes() > self.bytes_max / 4
    }

    /// Waits up to `idle` for something, then up to `window` for more of it, and takes everything there is.
    pub(super) fn take(&self, idle: Duration, window: Duration) -> Taken {
        let mut state = self.lock();
        let until = Instant::now() + idle;
        while state.entries.is_empty() && !state.closed {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state.asleep = true;
            state = self.wake.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.asleep = false;
        if !state.entries.is_empty() {
            let until = Instant::now() + window;
            while !state.closed && !state.urgent {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break;
                }
                state = self.wake.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
            }
        }
        state.urgent = false;
        let (entries, closed) = (std::mem::take(&mut state.entries), state.closed);
        // Whoever has something to add waits for nothing longer than that.
        drop(state);
        let bytes = entries.iter().map(Entry::bytes).sum();
        Taken { entries, bytes, closed }
    }

    /// Says whether the disk refuses. While it does, who waits for what is queued, or comes to be, waits no more: it may be long
    /// until it is written.
    pub(super) fn refused(&self, refused: bool) {
        let mut state = self.lock();
        state.refused = refused;
        let promises: Vec<_> = match refused {
            true => state.entries.iter_mut().filter_map(Entry::promise).collect(),
            false => Vec::new(),
        };
        drop(state);
        // Who waits is woken outside of the lock.
        drop(promises);
    }

    /// Gives the room of so many bytes back.
    pub(super) fn written(&self, bytes: usize) {
        let mut state = self.lock();
        state.bytes = state.bytes.saturating_sub(bytes);
    }

    /// Waits so long, unless the queue is closed; whether it is.
    pub(super) fn pause(&self, pause: Duration) -> bool {
        let state = self.lock();
        let waited = self.wake.wait_timeout_while(state, pause, |state| !state.closed);
        waited.unwrap_or_else(PoisonError::into_inner).0.closed
    }

    /// Takes nothing more. `orderly` says that nothing is under way.
    pub(super) fn close(&self, orderly: bool) {
        let mut state = self.lock();
        (state.closed, state.orderly) = (true, orderly);
        drop(state);
        self.wake.notify_all();
    }

    /// Whether nothing was under way any more when it was closed.
    pub(super) fn orderly(&self) -> bool {
        self.lock().orderly
    }

    /// Says that everything was written.
    pub(super) fn end(&self) {
        self.lock().over = true;
        self.wake.notify_all();
    }

    /// Waits until the writer is done, up to `most`; whether it is.
    pub(super) fn ended(&self, most: Duration) -> bool {
        let waited = self.wake.wait_timeout_while(self.lock(), most, |state| !state.over);
        waited.unwrap_or_else(PoisonError::into_inner).0.over
    }
}

impl Entry {
    /// What it takes of the room.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Admitted(admission, _) => admission.model.len(),
                Self::Settled(exchange, _) => exchange.row_bytes() + exchange.body_bytes(),
                Self::Feedback(feedback, _) => feedback.bytes(),
                Self::Reprice(_, changes, _) => changes.iter().map(Change::bytes).sum(),
            }
    }

    /// Who waits for it, from now on no more.
    fn promise(&mut self) -> Option<Promise> {
        match self {
            Self::Admitted(_, promise) | Self::Settled(_, promise) => promise.take(),
            Self::Feedback(..) | Self::Reprice(..) => None,
        }
    }

    fn urgent(&self) -> bool {
        match self {
            Self::Admitted(_, promise) | Self::Settled(_, promise) => promise.is_some(),
            Self::Feedback(..) | Self::Reprice(..) => true,
        }
    }
}
