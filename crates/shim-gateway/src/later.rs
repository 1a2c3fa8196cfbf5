//! What an answer need not wait for. Reading an answer's usage and settling its exchange takes about as long as all else
//! the gateway does for it; done behind the write instead of before it, nobody waits for that.
//!
//! A thread that says so with [`Together`] settles several exchanges at once: the code for it, more than the processor's
//! first cache holds, is then fetched once for all of them. It does so before it sleeps, so where there is no load each is
//! settled as soon as its answer is on its way.

use std::cell::RefCell;

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
        work.iter_mut().for_each(Settling::read);
        for settling in work.drain(..) {
            drop(settling.settle());
        }
        // Its room is used again.
        WAITING.with_borrow_mut(|waiting| {
            if waiting.work.is_empty() {
                waiting.work = work;
            }
        });
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
    /// task of a stream of HTTP/2, or where the ledger is strict: the answer waits for the receipt then.
    pub(crate) fn later(self) -> Receipt {
        let strict = self.ticket.shared().ledger().is_some_and(Ledger::is_strict);
        let left = WAITING.with_borrow_mut(|waiting| {
            if strict || !(waiting.attended || waiting.together) {
                return Some(self);
            }
            waiting.work.push(self);
            None
        });
        let at_once = |mut settling: Self| {
            settling.read();
            settling.settle()
        };
        left.map(at_once).unwrap_or_default()
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
