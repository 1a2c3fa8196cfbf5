//! What an answer need not wait for. Reading an answer's usage and settling its exchange takes about as long as all else
//! the gateway does for it; done behind the write instead of before it, nobody waits for that.
//!
//! A thread that says so with [`Together`] settles several exchanges at once: the code for it, more than the processor's
//! first cache holds, is then fetched once for all of them. It does so before it sleeps, so where there is no load each is
//! settled as soon as its answer is on its way.

use std::cell::RefCell;
use std::panic::AssertUnwindSafe;

use bytes::Bytes;
use shim_dialect::Meter;
use shim_store::ledger::{Ledger, Receipt};
use shim_wire::scan::utf8;

use crate::ticket::Ticket;

/// Most exchanges that wait to be settled together: what is fetched once for so many is hardly less for more.
const TOGETHER_MAX: usize = 16;

/// An exchange whose answer is on its way: what is left is to read what it used, and to settle.
pub(crate) struct Settling {
    pub(crate) ticket: Ticket,
    pub(crate) meter: Box<dyn Meter>,
    /// The answer, where the meter has not read it yet.
    pub(crate) unread: Option<Bytes>,
}

#[derive(Default)]
struct Waiting {
    /// Whether a connection is being polled, that will see to what waits.
    attended: bool,
    /// Whether the thread sees to it before it sleeps.
    together: bool,
    work: Vec<Settling>,
}

thread_local! {
    static WAITING: RefCell<Waiting> = RefCell::default();
}

/// For as long as this lives, its thread settles exchanges together. The thread has to call [`settle_what_waits`] before it
/// sleeps.
#[derive(Debug)]
#[must_use]
pub struct Together(());

impl Together {
    /// Begins.
    #[expect(clippy::new_without_default, reason = "it is no value but a state of the thread")]
    pub fn new() -> Self {
        WAITING.with_borrow_mut(|waiting| waiting.together = true);
        Self(())
    }
}

impl Drop for Together {
    fn drop(&mut self) {
        WAITING.with_borrow_mut(|waiting| waiting.together = false);
        settle_what_waits();
    }
}

/// Settles the exchanges of this thread whose answers are on their way.
pub fn settle_what_waits() {
    loop {
        let mut work = WAITING.with_borrow_mut(|waiting| std::mem::take(&mut waiting.work));
        if work.is_empty() {
            return;
        }
        work.iter_mut().for_each(|settling| guarded(|| settling.read()));
        work.drain(..).for_each(|settling| guarded(|| drop(settling.settle())));
        // Its room is used again.
        WAITING.with_borrow_mut(|waiting| {
            if waiting.work.is_empty() {
                waiting.work = work;
            }
        });
    }
}

/// Does what no connection's task does: a bug in it shall cost the exchange in which it shows, and not the thread.
fn guarded(work: impl FnOnce()) {
    if std::panic::catch_unwind(AssertUnwindSafe(work)).is_err() {
        tracing::error!(
            "a bug: an answer that was delivered was not read, or not settled, as it should have been"
        );
    }
}

/// Polls a connection, which writes its answers as far as it can, and then sees to what they belong to.
pub(crate) fn then_settle<T>(poll: impl FnOnce() -> T) -> T {
    struct Attended;
    impl Drop for Attended {
        fn drop(&mut self) {
            let waits = WAITING.with_borrow_mut(|waiting| {
                waiting.attended = false;
                waiting.together && waiting.work.len() < TOGETHER_MAX
            });
            if !waits {
                settle_what_waits();
            }
        }
    }
    WAITING.with_borrow_mut(|waiting| waiting.attended = true);
    let _attended = Attended;
    poll()
}

impl Settling {
    /// Settles once the connection that is being polled has written, or with others; at once where there is neither, as in a
    /// task of a stream of HTTP/2, where who asks is limited: what is reserved must be given back before it can ask again,
    /// and where the ledger is strict: the answer waits for the receipt then.
    pub(crate) fn later(self) -> Receipt {
        let strict = self.ticket.shared().ledger().is_some_and(Ledger::is_strict);
        let at_once = strict || self.ticket.is_limited();
        let left = WAITING.with_borrow_mut(|waiting| {
            let together = waiting.together && waiting.work.len() < TOGETHER_MAX;
            if at_once || !(waiting.attended || together) {
                return Some(self);
            }
            waiting.work.push(self);
            None
        });
        let settled = |mut settling: Self| {
            settling.read();
            settling.settle()
        };
        left.map(settled).unwrap_or_default()
    }

    /// Reads what is not read yet.
    fn read(&mut self) {
        if let Some(bytes) = self.unread.take()
            && let Ok(text) = utf8(&bytes)
        {
            self.meter.whole(text);
        }
    }

    fn settle(mut self) -> Receipt {
        let reading = self.meter.reading();
        self.ticket.reads(reading);
        match &reading.fault {
            Some(fault) => self.ticket.fail(fault),
            None => self.ticket.deliver(),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use shim_dialect::{Meter, Reading};
    use shim_ir::{Dialect, Generation};
    use shim_telemetry::{Metrics, Outcome};
    use shim_wire::frame::Frame;

    use super::{Settling, Together, settle_what_waits};
    use crate::shared::Shared;
    use crate::ticket::Ticket;

    /// A meter that has a bug, or none.
    struct Buggy(bool, Reading);

    impl Meter for Buggy {
        fn frame(&mut self, _: Frame<'_>) {}

        fn whole(&mut self, _: &str) {
            assert!(!self.0, "a bug, as the test wants it");
        }

        fn reading(&self) -> &Reading {
            &self.1
        }
    }

    #[test]
    fn a_bug_in_a_reader_costs_neither_the_thread_nor_another_exchange() {
        let shared = Shared::new(Metrics::new(), None);
        let _together = Together::new();
        for bug in [false, true, false] {
            let ticket = Ticket::open(&shared, Generation(1), Dialect::Gemini, "generate");
            let meter = Box::new(Buggy(bug, Reading::default()));
            drop(Settling { ticket, meter, unread: Some(Bytes::from_static(b"{}")) }.later());
        }
        assert_eq!(shared.latest(9).len(), 0, "they wait");
        settle_what_waits();
        let settled = shared.latest(9);
        assert_eq!(settled.len(), 3);
        assert!(settled.iter().all(|settled| settled.outcome == Outcome::Delivered));
    }
}
