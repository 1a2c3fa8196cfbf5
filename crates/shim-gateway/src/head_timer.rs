//! The timer of a connection's request heads. hyper sets one for each head and drops it when the head is there, which is
//! at once on a busy connection: one alarm a connection is enough, and it is moved only when it goes off.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

/// Sleeps of one connection, of which one is waited for at a time.
#[derive(Clone, Debug, Default)]
pub(crate) struct HeadTimer {
    alarm: Arc<Mutex<Option<Pin<Box<tokio::time::Sleep>>>>>,
}

/// The wait for one head.
#[derive(Debug)]
struct Wait {
    timer: HeadTimer,
    until: Instant,
}

impl hyper::rt::Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, until: Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(Wait { timer: self.clone(), until })
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into()
    }
}

impl hyper::rt::Sleep for Wait {}

impl Future for Wait {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut alarm = self.timer.alarm.lock().unwrap_or_else(PoisonError::into_inner);
        let alarm = alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(self.until.into())));
        let until = self.until.into();
        if alarm.deadline() > until {
            alarm.as_mut().reset(until);
        }
        loop {
            // What an earlier head set goes off too early for this one, and is moved then.
            ready!(alarm.as_mut().poll(cx));
            if alarm.deadline() >= until {
                return Poll::Ready(());
            }
            alarm.as_mut().reset(until);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hyper::rt::Timer as _;
    use tokio::time::{Instant, timeout};

    use super::HeadTimer;

    #[tokio::test(start_paused = true)]
    async fn each_wait_lasts_as_long_as_it_says() {
        let timer = HeadTimer::default();
        for (waits, wanted) in [(75, true), (60, false), (60, false), (75, true), (10, false), (75, true)] {
            let start = Instant::now();
            let wait = timer.sleep(Duration::from_secs(75));
            let over = timeout(Duration::from_secs(waits) + Duration::from_millis(1), wait).await.is_ok();
            assert_eq!(over, wanted);
            assert_eq!(start.elapsed().as_secs(), waits);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_shorter_wait_is_not_held_up_by_a_longer_one_before() {
        let timer = HeadTimer::default();
        assert!(timeout(Duration::from_secs(1), timer.sleep(Duration::from_secs(75))).await.is_err());
        let start = Instant::now();
        timer.sleep(Duration::from_secs(5)).await;
        assert_eq!(start.elapsed().as_secs(), 5);
    }
}
