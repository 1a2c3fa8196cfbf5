//! A key: its last day, its history, and how it stands.

use super::asked::{Asked, Question};
use super::count::{Often, Resampled};
use super::day::{Day, Seen, slot_of};
use super::habit::Habit;
use super::judge::{NOTICED, Verdict, judge};
use super::rule::{Rule, Score};

/// How often a mark must have come to be a template's, and of how many of the key's questions at least: a twentieth.
const OFTEN: u32 = 32;
const OF: u32 = 20;

/// After so many exchanges it is judged anew.
const JUDGED_EVERY: u32 = 32;

/// How a key stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Nothing is to be said.
    #[default]
    Quiet,
    /// Worth a look.
    Noticed,
    /// An alarm.
    Alarmed,
}

impl Level {
    /// The word in logs, metrics and answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quiet => "quiet",
            Self::Noticed => "noticed",
            Self::Alarmed => "alarmed",
        }
    }

    /// The level of a score.
    pub(super) fn of(score: Score, rule: &Rule) -> Self {
        if score >= rule.threshold {
            Self::Alarmed
        } else if score >= NOTICED {
            Self::Noticed
        } else {
            Self::Quiet
        }
    }
}

/// A key came to stand otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// How it stood.
    pub from: Level,
    /// How it stands.
    pub to: Level,
    /// Why.
    pub verdict: Verdict,
}

/// What is known of a key.
#[derive(Debug, Default)]
pub(super) struct Sketch {
    day: Day,
    habit: Habit,
    marks: Often,
    resampled: Resampled,
    /// Questions, halved with the marks.
    asked: u32,
    /// The slot of the last exchange.
    slot: u64,
    last_ms: u64,
    until_judged: u32,
    level: Level,
    /// When it came to stand so, in milliseconds since 1970.
    since_ms: u64,
}

impl Sketch {
    /// One with a history.
    pub(super) fn of(habit: Habit) -> Self {
        Self { habit, ..Self::default() }
    }

    /// Counts an exchange. Time that goes back stands still.
    pub(super) fn takes(&mut self, now_ms: u64, asked: &Asked, rule: &Rule) -> Option<Event> {
        let now_ms = self.last_ms.max(now_ms);
        self.last_ms = now_ms;
        let slot = slot_of(now_ms);
        self.passes(slot);
        let seen = asked.question.as_ref().map(|question| self.sees(question));
        self.day.add(slot, asked, seen.unwrap_or(Seen { templated: false, resampled: false }));
        if self.until_judged > 0 {
            self.until_judged -= 1;
            return None;
        }
        self.until_judged = JUDGED_EVERY - 1;
        self.stands(now_ms, rule)
    }

    /// How much it looks like harvesting. What was not asked lately counts no more.
    pub(super) fn verdict(&self, now_ms: u64, rule: &Rule) -> Verdict {
        let now = slot_of(now_ms.max(self.last_ms));
        judge(&self.day.totals(now), &self.habit, now, rule)
    }

    /// How it stands by `verdict`. It stands down only where the score is well below.
    fn level(&self, verdict: &Verdict, rule: &Rule) -> Level {
        let lower = Rule { threshold: rule.threshold.less_a_tenth(), ..*rule };
        let now = Level::of(verdict.score, rule);
        if now < self.level { Level::of(verdict.score, &lower).min(self.level) } else { now }
    }

    /// How it stands by `verdict`, as far as that was told.
    pub(super) fn told(&self, verdict: &Verdict, rule: &Rule) -> Level {
        self.level(verdict, rule).min(self.level)
    }

    /// Whether it was alarmed of when it was last judged.
    pub(super) fn is_alarmed(&self) -> bool {
        self.level == Level::Alarmed
    }

    /// Judges it anew: an event where it stands otherwise than before.
    fn stands(&mut self, now_ms: u64, rule: &Rule) -> Option<Event> {
        let verdict = self.verdict(now_ms, rule);
        let to = self.level(&verdict, rule);
        if to == Level::Alarmed {
            self.habit.distrusts(self.slot);
        }
        if to == self.level {
            return None;
        }
        let from = std::mem::replace(&mut self.level, to);
        self.since_ms = now_ms;
        Some(Event { from, to, verdict })
    }

    /// Takes what it does as usual from now on.
    pub(super) fn accepts(&mut self, now_ms: u64) {
        let now = slot_of(now_ms.max(self.last_ms));
        self.habit.accepts(now, &self.day.totals(now));
        (self.level, self.since_ms) = (Level::Quiet, now_ms);
    }

    pub(super) fn since_ms(&self) -> u64 {
        self.since_ms
    }

    pub(super) fn last_ms(&self) -> u64 {
        self.last_ms
    }

    pub(super) fn is_young(&self, now_ms: u64) -> bool {
        !self.habit.is_grown(slot_of(now_ms.max(self.last_ms)))
    }

    /// Questions of the last day.
    pub(super) fn questions(&self, now_ms: u64) -> f64 {
        self.day.totals(slot_of(now_ms.max(self.last_ms))).questions
    }

    /// Days that wait to be learned.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.habit.waiting()
    }

    /// Lets time pass into `slot`: the day before it is remembered, and marks fade.
    fn passes(&mut self, slot: u64) {
        if slot > self.slot {
            if self.slot > 0 {
                self.habit.remembers(self.slot, self.day.totals(self.slot));
            }
            self.marks.halve(slot - self.slot);
            let by = u32::try_from((slot - self.slot).min(31)).unwrap_or(31);
            self.asked >>= by;
            self.slot = slot;
        }
        self.habit.passes(slot);
    }

    fn sees(&mut self, question: &Question) -> Seen {
        self.asked = self.asked.saturating_add(1);
        let usual = (self.asked / OF).max(OFTEN);
        let mut templated = false;
        for mark in &question.marks {
            templated |= self.marks.add(*mark) >= usual;
        }
        Seen { templated, resampled: self.resampled.again(question.whole, question.sampling) }
    }
}
