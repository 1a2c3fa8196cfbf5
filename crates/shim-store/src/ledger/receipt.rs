//! Word of what is on the disk, for who waits for it.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// A future that is ready once what it was given for is on the disk, or was given up: an exchange never waits for a disk
/// that does not take it.
#[derive(Debug, Default)]
pub struct Receipt(Option<Arc<Slot>>);

/// The other side of a [`Receipt`]: dropping it makes that ready.
#[derive(Debug)]
pub(super) struct Promise(Arc<Slot>);

#[derive(Debug, Default)]
struct Slot {
    done: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Receipt {
    /// One that waits for nothing.
    #[must_use]
    pub const fn ready() -> Self {
        Self(None)
    }

    /// One that waits, and who ends that.
    pub(super) fn waiting() -> (Self, Promise) {
        let slot = Arc::new(Slot::default());
        (Self(Some(slot.clone())), Promise(slot))
    }

    /// Whether there is nothing to wait for any more.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.as_ref().is_none_or(|slot| slot.done.load(Ordering::Acquire))
    }

    /// Looks whether it is ready; the task is woken when it is.
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(slot) = &self.0 else { return Poll::Ready(()) };
        if !slot.done.load(Ordering::Acquire) {
            *slot.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
            // It may have been kept between the look and the waker's place.
            if !slot.done.load(Ordering::Acquire) {
                return Poll::Pending;
            }
        }
        self.0 = None;
        Poll::Ready(())
    }
}

impl Future for Receipt {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_ready(cx)
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.0.done.store(true, Ordering::Release);
        let waker = self.0.waker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::Receipt;

    #[test]
    fn a_receipt_is_ready_when_its_promise_is_gone() {
        let mut cx = Context::from_waker(Waker::noop());
        assert!(Receipt::ready().is_ready());
        let (mut receipt, promise) = Receipt::waiting();
        assert_eq!((receipt.is_ready(), receipt.poll_ready(&mut cx)), (false, Poll::Pending));
        drop(promise);
        assert_eq!((receipt.is_ready(), receipt.poll_ready(&mut cx)), (true, Poll::Ready(())));
    }
}
