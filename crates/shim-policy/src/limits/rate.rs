//! A limit by the minute: a sum over sixty seconds that slides.
//!
//! The minute is kept in slots of a second. A window of sixty seconds that ends now touches at most 61 of them, so the
//! sum over these is at least what is in the window: **no window of sixty seconds ever holds more than was let in under
//! the limit**. The price is that what was let in counts for up to a second longer than a minute. (A token bucket of
//! the same limit lets in twice as much in one window, a counter of two buckets is out by a share of the traffic.)

/// Slots kept: those that a minute can touch.
const SLOTS: u64 = 61;
const SLOTS_LEN: usize = 61;

/// What was let in during the last minute, by the second.
#[derive(Clone, Debug)]
pub(super) struct Rate {
    slots: [u64; SLOTS_LEN],
    /// The newest second that has a slot.
    newest: u64,
}

impl Default for Rate {
    fn default() -> Self {
        Self { slots: [0; SLOTS_LEN], newest: 0 }
    }
}

/// The slot of a second.
fn slot(second: u64) -> usize {
    usize::try_from(second % SLOTS).unwrap_or(0)
}

impl Rate {
    /// Lets time pass. Time that goes back stands still.
    pub(super) fn advance(&mut self, now_ms: u64) {
        let second = now_ms / 1000;
        let passed = second.saturating_sub(self.newest).min(SLOTS);
        for step in 0..passed {
            if let Some(slot) = self.slots.get_mut(slot(second - step)) {
                *slot = 0;
            }
        }
        self.newest = self.newest.max(second);
    }

    /// What counts just now.
    pub(super) fn sum(&self) -> u64 {
        self.slots.iter().fold(0, |sum, slot| sum.saturating_add(*slot))
    }

    /// Lets in `amount`, and says in which second it counts.
    pub(super) fn add(&mut self, amount: u64) -> u64 {
        if let Some(slot) = self.slots.get_mut(slot(self.newest)) {
            *slot = slot.saturating_add(amount);
        }
        self.newest
    }

    /// What was let in in that second as `was` turned out to be `is`. What counts no longer is left alone.
    pub(super) fn correct(&mut self, second: u64, was: u64, is: u64) {
        if self.newest.saturating_sub(second) < SLOTS
            && let Some(slot) = self.slots.get_mut(slot(second))
        {
            *slot = slot.saturating_sub(was).saturating_add(is);
        }
    }

    /// In how many milliseconds at most `most` counts; 0 where that is so now.
    pub(super) fn until(&self, most: u64, now_ms: u64) -> u64 {
        let mut sum = self.sum();
        let oldest = (self.newest + 1).saturating_sub(SLOTS);
        for second in oldest..=self.newest {
            if sum <= most {
                return if second == oldest {
                    0
                } else {
                    ((second - 1 + SLOTS) * 1000).saturating_sub(now_ms)
                };
            }
            sum = sum.saturating_sub(self.slots.get(slot(second)).copied().unwrap_or(0));
        }
        ((self.newest + SLOTS) * 1000).saturating_sub(now_ms)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Rate;

    #[test]
    fn what_was_let_in_counts_for_a_minute_and_at_most_a_second_more() {
        let mut rate = Rate::default();
        rate.advance(1_000_500);
        rate.add(3);
        rate.advance(1_060_500);
        assert_eq!((rate.sum(), rate.until(0, 1_060_500)), (3, 500));
        rate.advance(1_061_000);
        assert_eq!((rate.sum(), rate.until(0, 1_061_000)), (0, 0));
    }

    #[test]
    fn a_correction_counts_where_it_was_let_in_and_never_late() {
        let mut rate = Rate::default();
        rate.advance(5_000);
        let second = rate.add(10);
        rate.correct(second, 10, 4);
        assert_eq!(rate.sum(), 4);
        rate.advance(66_000);
        rate.add(7);
        rate.correct(second, 4, 0);
        assert_eq!(rate.sum(), 7, "the slot is another second's by now");
    }

    proptest! {
        /// No window of a minute holds more than the limit, and who waits as long as told is let in.
        #[test]
        fn no_window_holds_more_than_the_limit(
            limit in 1u64..20,
            steps in prop::collection::vec((0u64..5_000, 1u64..6), 1..200),
        ) {
            let (mut rate, mut now) = (Rate::default(), 1_000_000u64);
            let mut let_in: Vec<(u64, u64)> = Vec::new();
            for (wait, want) in steps {
                now += wait;
                let want = want.min(limit);
                rate.advance(now);
                let wait = rate.until(limit - want, now);
                if wait == 0 {
                    prop_assert!(rate.sum() + want <= limit);
                    rate.add(want);
                    let_in.push((now, want));
                } else {
                    prop_assert!(wait <= 61_000);
                    let mut later = rate.clone();
                    later.advance(now + wait);
                    prop_assert_eq!(later.until(limit - want, now + wait), 0, "told to wait {}", wait);
                }
                let window: u64 = let_in.iter().filter(|(at, _)| now - at < 60_000).map(|(_, n)| n).sum();
                prop_assert!(window <= limit, "{} of {}", window, limit);
            }
        }
    }
}
