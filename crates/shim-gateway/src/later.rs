//! What an answer need not wait for. Reading an answer's usage and settling its exchange takes about as long as all else
//! the gateway does for it; done behind the write instead of before it, nobody waits for that.

use std::cell::RefCell;

use bytes::Bytes;
use shim_dialect::Meter;
use shim_store::ledger::{Ledger, Receipt};
use shim_wire::scan::utf8;

use crate::ticket::Ticket;

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
    work: Vec<Settling>,
}

thread_local! {
    static WAITING: RefCell<Waiting> = RefCell::default();
}

/// Polls a connection, which writes its answers as far as it can, and then settles what they belong to.
pub(crate) fn then_settle<T>(poll: impl FnOnce() -> T) -> T {
    struct Attended;
    impl Drop for Attended {
        fn drop(&mut self) {
            WAITING.with_borrow_mut(|waiting| waiting.attended = false);
            while let Some(work) = WAITING.with_borrow_mut(|waiting| waiting.work.pop()) {
                drop(work.settle());
            }
        }
    }
    WAITING.with_borrow_mut(|waiting| waiting.attended = true);
    let _attended = Attended;
    poll()
}

impl Settling {
    /// Settles once the connection that is being polled has written; at once where none is, as in a task of a stream of
    /// HTTP/2, or where the ledger is strict: the answer waits for the receipt then.
    pub(crate) fn later(self) -> Receipt {
        if self.ticket.shared().ledger().is_some_and(Ledger::is_strict) {
            return self.settle();
        }
        let left = WAITING.with_borrow_mut(|waiting| {
            if !waiting.attended {
                return Some(self);
            }
            waiting.work.push(self);
            None
        });
        left.map(Self::settle).unwrap_or_default()
    }

    fn settle(mut self) -> Receipt {
        if let Some(text) = self.unread.as_deref().and_then(|bytes| utf8(bytes).ok()) {
            self.meter.whole(text);
        }
        let reading = self.meter.reading();
        self.ticket.reads(reading);
        match &reading.fault {
            Some(fault) => self.ticket.fail(fault),
            None => self.ticket.deliver(),
        }
    }
}
