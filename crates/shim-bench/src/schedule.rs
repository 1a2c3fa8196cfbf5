//! When each request is due.
//!
//! Latency is counted from the time a request was due, not from the time it was sent. A subject that stalls for 100 ms
//! delays every request due in those 100 ms, and all of them show; a generator that waits for the answer before it
//! looks at its watch again would record one slow request and leave out the others ("coordinated omission").

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Requests at a constant rate, shared by all connections: whichever is free takes the next one.
#[derive(Debug)]
pub struct Schedule {
    start: Instant,
    interval_ns: u64,
    total: u64,
    next: AtomicU64,
}

/// Sleeping wakes up to this much late, so the last stretch is spent spinning.
const SPIN: Duration = Duration::from_micros(120);

impl Schedule {
    /// `rate` requests a second for `duration`, beginning at `start`. A rate of 0 means nothing is ever due.
    #[must_use]
    pub fn new(start: Instant, rate: u32, duration: Duration) -> Self {
        let interval_ns = 1_000_000_000_u64.checked_div(u64::from(rate)).unwrap_or(u64::MAX);
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self { start, interval_ns, total: nanos / interval_ns.max(1), next: AtomicU64::new(0) }
    }

    /// Takes the next request and says when it is due; `None` when the last was taken.
    pub fn take(&self) -> Option<Instant> {
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        let due = Duration::from_nanos(index.checked_mul(self.interval_ns)?);
        (index < self.total).then(|| self.start + due)
    }
}

/// Waits until `due`, to a few microseconds. Returns at once when it has passed.
pub fn wait_until(due: Instant) {
    let left = due.saturating_duration_since(Instant::now());
    if left > SPIN {
        std::thread::sleep(left - SPIN);
    }
    while Instant::now() < due {
        std::hint::spin_loop();
    }
}

#[cfg(test)]
mod tests {
    use super::Schedule;
    use std::time::{Duration, Instant};

    #[test]
    fn requests_are_due_at_a_constant_rate() {
        let start = Instant::now();
        let schedule = Schedule::new(start, 1000, Duration::from_millis(4));
        let due: Vec<u128> =
            std::iter::from_fn(|| schedule.take()).map(|at| at.duration_since(start).as_micros()).collect();
        assert_eq!(due, [0, 1000, 2000, 3000]);
        assert!(schedule.take().is_none());
    }

    #[test]
    fn a_rate_of_nothing_is_never_due() {
        assert!(Schedule::new(Instant::now(), 0, Duration::from_secs(9)).take().is_none());
    }
}
