//! What one run counted, and how it is printed.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

/// Counts and times of one thread, then of all of them.
#[derive(Debug, Default)]
pub struct Tally {
    /// Answers that were right to the last byte.
    pub ok: u64,
    /// No answer, or one whose status is not 200.
    pub failed: u64,
    /// Answers with status 200 and a byte that is not the upstream's.
    pub wrong: u64,
    /// Chunks of content that arrived.
    pub chunks: u64,
    /// Chunks that did not arrive until well after they were sent although nothing else was going on.
    pub held_back: u64,
    /// The last failure, in words.
    pub failure: Option<String>,
    /// From due (or sent, when there is no schedule) to the last byte.
    pub latency: Times,
    /// From due to the first byte of the body.
    pub first_byte: Times,
    /// From the upstream's write of a chunk to its arrival.
    pub chunk_delay: Times,
    /// From due to sent: how late the generator itself was. Not small, the run is worth nothing.
    pub late: Times,
}

/// A histogram of durations, exact to three digits.
#[derive(Debug)]
pub struct Times(Histogram<u64>);

impl Default for Times {
    #[expect(clippy::expect_used, reason = "the number of digits is a constant, and 3 is a valid one")]
    fn default() -> Self {
        Self(Histogram::new(3).expect("3 digits are supported"))
    }
}

impl Times {
    /// Adds one duration.
    pub fn record(&mut self, time: Duration) {
        self.record_ns(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Adds one duration in nanoseconds; more than an hour counts as an hour.
    pub fn record_ns(&mut self, nanos: u64) {
        const HOUR_NS: u64 = 3_600_000_000_000;
        // The histogram grows as needed up to the hour, so this fails only where memory does.
        if self.0.record(nanos.min(HOUR_NS)).is_err() {
            self.0.saturating_record(nanos);
        }
    }

    /// A percentile in microseconds; `None` when nothing was recorded.
    #[must_use]
    pub fn percentile_us(&self, percentile: f64) -> Option<f64> {
        (!self.0.is_empty()).then(|| to_us(self.0.value_at_percentile(percentile)))
    }

    fn absorb(&mut self, other: &Self) {
        // Both grow as needed, so adding cannot fail; a saturated add would still keep every other count.
        if self.0.add(&other.0).is_err() {
            for value in other.0.iter_recorded() {
                self.0.saturating_record_n(value.value_iterated_to(), value.count_at_value());
            }
        }
    }

    fn report(&self) -> Value {
        if self.0.is_empty() {
            return Value::Null;
        }
        json!({
            "count": self.0.len(),
            "p50": to_us(self.0.value_at_percentile(50.0)),
            "p99": to_us(self.0.value_at_percentile(99.0)),
            "p999": to_us(self.0.value_at_percentile(99.9)),
            "max": to_us(self.0.max()),
        })
    }
}

impl Tally {
    /// Adds what another thread counted.
    pub fn absorb(&mut self, other: Self) {
        self.ok += other.ok;
        self.failed += other.failed;
        self.wrong += other.wrong;
        self.chunks += other.chunks;
        self.held_back += other.held_back;
        self.failure = other.failure.or(self.failure.take());
        self.latency.absorb(&other.latency);
        self.first_byte.absorb(&other.first_byte);
        self.chunk_delay.absorb(&other.chunk_delay);
        self.late.absorb(&other.late);
    }

    /// As JSON; `seconds` is how long the run took. Times are in microseconds.
    #[must_use]
    pub fn report(&self, seconds: f64, streams_open_max: u64) -> Value {
        json!({
            "seconds": seconds,
            "ok": self.ok,
            "failed": self.failed,
            "wrong": self.wrong,
            "failure": self.failure,
            "chunks": self.chunks,
            "held_back": self.held_back,
            "streams_open_max": streams_open_max,
            "latency_us": self.latency.report(),
            "first_byte_us": self.first_byte.report(),
            "chunk_delay_us": self.chunk_delay.report(),
            "late_us": self.late.report(),
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "an hour in nanoseconds is exact in a double")]
fn to_us(nanos: u64) -> f64 {
    nanos as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::{Tally, Times};

    #[test]
    fn percentiles_are_those_of_the_samples() {
        let mut times = Times::default();
        for micros in 1..=1000_u64 {
            times.record_ns(micros * 1000);
        }
        for (percentile, expected) in [(50.0, 500.0), (99.0, 990.0), (99.9, 999.0), (100.0, 1000.0)] {
            let found = times.percentile_us(percentile).unwrap();
            assert!((found - expected).abs() <= expected / 500.0, "p{percentile}: {found}");
        }
        assert_eq!(Times::default().percentile_us(50.0), None);
    }

    #[test]
    fn tallies_add_up() {
        let mut sum = Tally { ok: 1, failure: Some("first".into()), ..Tally::default() };
        let mut other = Tally { ok: 2, wrong: 1, ..Tally::default() };
        other.latency.record_ns(5_000);
        sum.absorb(other);
        let report = sum.report(1.0, 0);
        assert_eq!((report["ok"].as_u64(), report["wrong"].as_u64()), (Some(3), Some(1)));
        assert_eq!(report["failure"], "first");
        assert_eq!(report["latency_us"]["count"], 1);
        assert!(report["late_us"].is_null());
    }
}
