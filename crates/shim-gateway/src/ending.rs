//! Ends that are declared once: of accepting, when a drain begins, and of the drain, when what is still under way is
//! ended as a fault.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use shim_ir::{Fault, FaultKind};
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

/// Whether the time for what is under way is up, and who is to be told.
#[derive(Debug, Default)]
pub(crate) struct Ending {
    over: AtomicBool,
    wake: Arc<Notify>,
}

impl Ending {
    /// Says that the time is up.
    pub(crate) fn declare(&self) {
        self.over.store(true, Ordering::SeqCst);
        self.wake.notify_waiters();
    }

    pub(crate) fn declared(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// Waits until the time is up.
    pub(crate) async fn wait(&self) {
        let told = self.wake.notified();
        if !self.declared() {
            told.await;
        }
    }

    /// A watch for something that is polled often.
    pub(crate) fn watch(&self) -> Watch {
        Watch { told: Box::pin(self.wake.clone().notified_owned()), waker: None, over: self.declared() }
    }
}

/// The fault of what is under way when the time is up.
pub(crate) fn ended() -> Fault {
    let mut fault = Fault::new(FaultKind::Unavailable, "the gateway is shutting down and ended this answer");
    fault.retry_after_ms = Some(1000);
    fault
}

/// Watches for the end; registers once and not with each poll, so that it costs a stream nothing per piece.
#[derive(Debug)]
pub(crate) struct Watch {
    told: Pin<Box<OwnedNotified>>,
    waker: Option<Waker>,
    over: bool,
}

impl Watch {
    /// Whether the time is up; the task is woken when it is.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, ending: &Ending) -> bool {
        if self.over || self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            return self.over || ending.declared();
        }
        self.over = self.told.as_mut().poll(cx) == Poll::Ready(()) || ending.declared();
        self.waker = Some(cx.waker().clone());
        self.over
    }
}
