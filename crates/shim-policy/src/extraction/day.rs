//! The last day of a key, in slots of four hours: what leaves the day does so a slot at a time.

use super::asked::{Asked, Question};
use super::count::Distinct;

/// How long a slot is.
pub(super) const SLOT_MS: u64 = 4 * 3_600_000;

/// Slots of a day: it reaches back between 20 and 24 hours.
pub(super) const SLOTS: u64 = 6;
const SLOTS_LEN: usize = 6;

/// An answer shorter than this teaches another model little: a label, a yes.
const TELLING_TOKENS: u64 = 64;

/// What is so of a question beside its words, as far as that is known only with the history of its key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// Whether it holds a mark that many of the key's questions hold.
    pub(super) templated: bool,
    /// Whether it was asked lately with its answer drawn in another way.
    pub(super) resampled: bool,
}

/// A few hours.
#[derive(Clone, Debug, Default)]
struct Slot {
    /// Which; none was before the first.
    number: u64,
    counts: Counts,
    different: Distinct,
    templated: Distinct,
    phrased: Distinct,
    probing: Distinct,
    vocabulary: Distinct,
}

/// What is counted one by one.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    requests: u64,
    questions: u64,
    output_tokens: u64,
    words: u64,
    templated: u64,
    phrased: u64,
    probing: u64,
}

/// A day summed up. All are counts; those of questions that are so are of different ones.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Totals {
    pub(super) requests: f64,
    pub(super) questions: f64,
    /// Different questions.
    pub(super) different: f64,
    pub(super) output_tokens: f64,
    /// Questions made of a template.
    pub(super) templated: f64,
    /// Their share of all, each time counted.
    pub(super) templated_share: f64,
    /// Questions that ask for reasoning in so many words.
    pub(super) phrased: f64,
    pub(super) phrased_share: f64,
    /// Questions that ask for more than an answer.
    pub(super) probing: f64,
    pub(super) probing_share: f64,
    /// Words, and different ones.
    pub(super) words: f64,
    pub(super) vocabulary: f64,
}

/// The last day of a key.
#[derive(Debug, Default)]
pub(super) struct Day {
    slots: [Slot; SLOTS_LEN],
}

/// The number of the slot of a moment.
pub(super) const fn slot_of(now_ms: u64) -> u64 {
    now_ms / SLOT_MS
}

impl Day {
    /// Counts an exchange in slot `number`.
    pub(super) fn add(&mut self, number: u64, asked: &Asked, seen: Seen) {
        let at = usize::try_from(number % SLOTS).unwrap_or(0);
        let Some(slot) = self.slots.get_mut(at) else { return };
        if slot.number != number {
            *slot = Slot { number, ..Slot::default() };
        }
        slot.counts.requests += 1;
        slot.counts.output_tokens += asked.output_tokens.unwrap_or(0);
        if let Some(question) = &asked.question {
            slot.question(question, asked.output_tokens, seen);
        }
    }

    /// The day that ends with slot `now`.
    pub(super) fn totals(&self, now: u64) -> Totals {
        let oldest = (now + 1).saturating_sub(SLOTS);
        let mut counts = Counts::default();
        let mut distinct = [const { None::<Distinct> }; 5];
        for slot in self.slots.iter().filter(|slot| (oldest..=now).contains(&slot.number)) {
            counts.add(&slot.counts);
            let own = [&slot.different, &slot.templated, &slot.phrased, &slot.probing, &slot.vocabulary];
            for (all, own) in distinct.iter_mut().zip(own) {
                all.get_or_insert_default().merge(own);
            }
        }
        let [different, templated, phrased, probing, vocabulary] =
            distinct.map(|all| all.map_or(0.0, |all| all.estimate()));
        let share =
            |count: u64| if counts.questions == 0 { 0.0 } else { count as f64 / counts.questions as f64 };
        Totals {
            requests: counts.requests as f64,
            questions: counts.questions as f64,
            different,
            output_tokens: counts.output_tokens as f64,
            templated,
            templated_share: share(counts.templated),
            phrased,
            phrased_share: share(counts.phrased),
            probing,
            probing_share: share(counts.probing),
            words: counts.words as f64,
            vocabulary,
        }
    }
}

impl Slot {
    fn question(&mut self, question: &Question, output_tokens: Option<u64>, seen: Seen) {
        self.counts.questions += 1;
        self.different.add(question.whole);
        self.counts.words += question.words.len() as u64;
        question.words.iter().for_each(|word| self.vocabulary.add(*word));
        // Log probabilities of a single token are worth having; else a short answer is not.
        let telling = question.probes || output_tokens.is_none_or(|tokens| tokens >= TELLING_TOKENS);
        let probing = question.probes || question.reasons || seen.resampled;
        let kinds = [
            (seen.templated, &mut self.counts.templated, &mut self.templated),
            (question.phrased, &mut self.counts.phrased, &mut self.phrased),
            (probing, &mut self.counts.probing, &mut self.probing),
        ];
        for (is_so, count, distinct) in kinds {
            if is_so && telling {
                *count += 1;
                distinct.add(question.whole);
            }
        }
    }
}

impl Counts {
    fn add(&mut self, other: &Self) {
        let Self { requests, questions, output_tokens, words, templated, phrased, probing } = other;
        self.requests += requests;
        self.questions += questions;
        self.output_tokens = self.output_tokens.saturating_add(*output_tokens);
        self.words += words;
        self.templated += templated;
        self.phrased += phrased;
        self.probing += probing;
    }
}
