//! What is usual for a key: the fullest day it had, slowly forgotten.

use super::day::{SLOTS, Totals};

/// Days in which what was learned fades to a half.
const HALF_LIFE_DAYS: f64 = 14.0;

/// Slots after its first request during which a key is young: two days.
const YOUNG_SLOTS: u64 = 2 * SLOTS;

/// Days that were learned below which it is young all the same: those of slots in which it was there.
const LEARNED_MIN: u32 = 6;

/// Days learned late: what is going on must not become usual before it could have been told.
const LATE_SLOTS: u64 = SLOTS;

/// The fullest day of a key, each figure for itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Habit {
    peak: Peak,
    /// The slot up to which it has faded.
    faded: u64,
    /// The slot of the first request.
    first: Option<u64>,
    learned: u32,
    /// Whether requests and tokens are known from before the start.
    told: bool,
    /// Days that are not yet learned, by the slot they ended with.
    waiting: Vec<(u64, Totals)>,
    /// The first slot whose day holds nothing of what was alarmed of.
    trusted: u64,
}

/// The figures of a fullest day.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Peak {
    pub(super) different: f64,
    pub(super) output_tokens: f64,
    pub(super) templated: f64,
    pub(super) phrased: f64,
    pub(super) probing: f64,
    pub(super) vocabulary: f64,
    /// Words of the day with the largest vocabulary.
    pub(super) words: f64,
}

impl Habit {
    /// What is usual, as far as it is known.
    pub(super) fn peak(&self) -> &Peak {
        &self.peak
    }

    /// Whether there is a history to compare with.
    pub(super) fn is_grown(&self, now: u64) -> bool {
        let first = self.first.unwrap_or(now);
        self.learned >= LEARNED_MIN && now.saturating_sub(first) >= YOUNG_SLOTS
    }

    /// Whether there is one of requests and tokens.
    pub(super) fn knows_volume(&self, now: u64) -> bool {
        self.told || self.is_grown(now)
    }

    /// Notes a request in slot `now`, and learns what has waited long enough.
    pub(super) fn passes(&mut self, now: u64) {
        self.first.get_or_insert(now);
        let due = |(slot, _): &(u64, Totals)| slot + LATE_SLOTS <= now;
        while self.waiting.first().is_some_and(due) {
            let (slot, day) = self.waiting.remove(0);
            self.fade(slot);
            self.learn(&day);
            self.learned = self.learned.saturating_add(1);
        }
        self.fade(now);
    }

    /// Takes the day that ended with `slot`, to be learned later.
    pub(super) fn remembers(&mut self, slot: u64, day: Totals) {
        if slot >= self.trusted {
            self.waiting.push((slot, day));
        }
    }

    /// Learns nothing of a day that holds slot `now`, in which there was an alarm, nor of those that wait.
    pub(super) fn distrusts(&mut self, now: u64) {
        self.waiting.clear();
        self.trusted = now + SLOTS;
    }

    /// Takes `day` as usual, at once.
    pub(super) fn accepts(&mut self, now: u64, day: &Totals) {
        self.fade(now);
        self.waiting.clear();
        self.trusted = 0;
        self.learn(day);
    }

    /// Takes requests and tokens of a day before the start that was `slots_ago`. How many of the requests were different
    /// questions is not known: at most all.
    pub(super) fn is_told(&mut self, now: u64, slots_ago: u64, requests: u64, output_tokens: u64) {
        let faded = factor(slots_ago);
        self.fade(now);
        self.told = true;
        self.peak.different = self.peak.different.max(requests as f64 * faded);
        self.peak.output_tokens = self.peak.output_tokens.max(output_tokens as f64 * faded);
    }

    /// Days that wait to be learned.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    fn learn(&mut self, day: &Totals) {
        let peak = &mut self.peak;
        peak.different = peak.different.max(day.different);
        peak.output_tokens = peak.output_tokens.max(day.output_tokens);
        peak.templated = peak.templated.max(day.templated);
        peak.phrased = peak.phrased.max(day.phrased);
        peak.probing = peak.probing.max(day.probing);
        if day.vocabulary > peak.vocabulary {
            (peak.vocabulary, peak.words) = (day.vocabulary, day.words);
        }
    }

    fn fade(&mut self, now: u64) {
        let faded = factor(now.saturating_sub(self.faded));
        self.faded = self.faded.max(now);
        let Peak { different, output_tokens, templated, phrased, probing, vocabulary, words } =
            &mut self.peak;
        for figure in [different, output_tokens, templated, phrased, probing, vocabulary, words] {
            *figure *= faded;
        }
    }
}

fn factor(slots: u64) -> f64 {
    0.5_f64.powf(slots as f64 / (SLOTS as f64 * HALF_LIFE_DAYS))
}
