//! The formula: from a day and a history to a score, with its reasons.

use super::day::Totals;
use super::habit::Habit;
use super::rule::{Rule, Score};

/// The score from which on a key is noticed: worth a look, and no alarm.
pub const NOTICED: Score = Score::of(0.5);

/// How much a reason weighs by itself: at its full strength it is an alarm, alone.
const HEAVY: f64 = 0.85;

/// A reason that alone is no more than worth a look: what a key has done from its first day on cannot be told from what it
/// is for, and agents write as much as is asked of them.
const LIGHT: f64 = 0.5;

/// How many times its fullest day a figure must be to count at all.
const TIMES: f64 = 3.0;

/// How many times more it must be for the full strength.
const FULL_TIMES: f64 = 30.0;

/// Requests and tokens go up and down more than what is asked.
const VOLUME_TIMES: f64 = 5.0;
const VOLUME_FULL_TIMES: f64 = 10.0;

/// Without a history, volume counts from so many questions on for each of the floor, and so many tokens of output.
const VOLUME_FLOORS: f64 = 10.0;
const OUTPUT_TOKENS_FLOOR: f64 = 10_000.0;

/// Of all questions, the share that must be so to count at all, and to count fully.
const SHARE: (f64, f64) = (0.2, 0.4);

/// How many times the vocabulary to be expected counts at all, and fully.
const VOCABULARY_TIMES: f64 = 2.0;
const VOCABULARY_FULL_TIMES: f64 = 3.0;

/// Of ten times the words, people use about five times the vocabulary: Heaps' law, with an exponent at the upper end of what
/// is measured of English (0.4 to 0.7; Manning, Raghavan and Schütze 2008, section 5.1.1,
/// <https://nlp.stanford.edu/IR-book/html/htmledition/heaps-law-estimating-the-number-of-terms-1.html>, read 2026-11-26).
const HEAPS: f64 = 0.7;

/// Why a key seems to harvest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Many times the different questions of its fullest day.
    Volume,
    /// Many times the tokens of output.
    Output,
    /// A template, filled in many thousand ways.
    Sweep,
    /// Reasoning asked for in so many words, in many thousand questions.
    Elicitation,
    /// Log probabilities, several answers, the same again at another temperature, much reasoning or a show of it, where
    /// that was not usual.
    Probing,
    /// Many times the vocabulary.
    Diversity,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Volume, Self::Output, Self::Sweep, Self::Elicitation, Self::Probing, Self::Diversity];

    /// The word in logs, metrics and answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Volume => "volume",
            Self::Output => "output",
            Self::Sweep => "sweep",
            Self::Elicitation => "elicitation",
            Self::Probing => "probing",
            Self::Diversity => "diversity",
        }
    }

    /// What its value and baseline are counts of.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Volume => "different questions a day",
            Self::Output => "tokens of output a day",
            Self::Sweep => "different fillings of templates a day",
            Self::Elicitation => "different questions a day that ask for reasoning",
            Self::Probing => "different questions a day that ask for more than an answer",
            Self::Diversity => "different words a day",
        }
    }
}

/// A reason with its figures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weighed {
    /// Which.
    pub reason: Reason,
    /// Its value over the last day.
    pub value: f64,
    /// What is usual for the key; 0 where nothing is known.
    pub baseline: f64,
    /// The value from which on it counts.
    pub from: f64,
    /// The value at which it counts fully.
    pub full: f64,
    /// The share of all questions that it is so of, from 0 to 1; 1 where it is not about single questions.
    pub share: f64,
    /// How much it counts, from 0 to 1.
    pub strength: f64,
    /// What it weighs against the others, from 0 to 1; 0 where it takes a history to say so, and there is none.
    pub weight: f64,
}

/// How much a key's last day looks like harvesting, and why.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// How much.
    pub score: Score,
    /// Why, the weightiest first; without those that count nothing.
    pub reasons: Vec<Weighed>,
}

impl Weighed {
    /// What it adds to the score.
    #[must_use]
    pub fn part(&self) -> f64 {
        self.weight * self.strength
    }
}

/// Judges a day by a history. The score is 1 − Π (1 − weight · strength) over all reasons.
pub(super) fn judge(day: &Totals, habit: &Habit, now: u64, rule: &Rule) -> Verdict {
    let mut reasons = weighed(day, habit, now, rule).to_vec();
    let left = reasons.iter().fold(1.0, |left, weighed| left * (1.0 - weighed.part()));
    reasons.retain(|weighed| weighed.part() > 0.0);
    reasons.sort_by(|a, b| b.part().total_cmp(&a.part()));
    Verdict { score: Score::of(1.0 - left), reasons }
}

fn weighed(day: &Totals, habit: &Habit, now: u64, rule: &Rule) -> [Weighed; 6] {
    let (peak, floor) = (habit.peak(), rule.floor as f64);
    let (grown, volume) = (habit.is_grown(now), habit.knows_volume(now));
    let only = |known: bool, weight: f64| if known { weight } else { 0.0 };
    let much = |reason, value, baseline, least, weight| {
        let from = f64::max(least, VOLUME_TIMES * baseline);
        grows(reason, value, baseline, (from, VOLUME_FULL_TIMES * from), 1.0, weight)
    };
    let many = |reason, value, baseline, share, weight| {
        let from = f64::max(floor, TIMES * baseline);
        grows(reason, value, baseline, (from, FULL_TIMES * from), share, weight)
    };
    let sweep = if grown { HEAVY } else { LIGHT };
    let output = OUTPUT_TOKENS_FLOOR * floor;
    [
        much(Reason::Volume, day.different, peak.different, VOLUME_FLOORS * floor, only(volume, HEAVY)),
        much(Reason::Output, day.output_tokens, peak.output_tokens, output, only(volume, LIGHT)),
        many(Reason::Sweep, day.templated, peak.templated, day.templated_share, sweep),
        many(Reason::Elicitation, day.phrased, peak.phrased, day.phrased_share, HEAVY),
        many(Reason::Probing, day.probing, peak.probing, day.probing_share, only(grown, HEAVY)),
        diversity(day, habit, only(grown, HEAVY), floor),
    ]
}

/// A reason that counts from the first value on, in proportion to the logarithm, and fully from the second.
fn grows(
    reason: Reason,
    value: f64,
    baseline: f64,
    (from, full): (f64, f64),
    share: f64,
    weight: f64,
) -> Weighed {
    let height = if value > from { ((value / from).ln() / (full / from).ln()).min(1.0) } else { 0.0 };
    let wide = ((share - SHARE.0) / (SHARE.1 - SHARE.0)).clamp(0.0, 1.0);
    Weighed { reason, value, baseline, from, full, share, strength: height * wide, weight }
}

/// The vocabulary against the one to be expected of as many words.
fn diversity(day: &Totals, habit: &Habit, weight: f64, floor: f64) -> Weighed {
    let peak = habit.peak();
    let more = if peak.words > 0.0 { (day.words / peak.words).max(1.0) } else { 1.0 };
    let expected = peak.vocabulary * more.powf(HEAPS);
    let from = VOCABULARY_TIMES * expected.max(floor / 2.0);
    let weight = if day.questions < floor / 2.0 { 0.0 } else { weight };
    grows(Reason::Diversity, day.vocabulary, expected, (from, VOCABULARY_FULL_TIMES * from), 1.0, weight)
}
