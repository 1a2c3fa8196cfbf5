//! All keys that are watched, within bounds.

use std::collections::HashMap;

use shim_ir::KeyId;

use super::asked::Asked;
use super::day::slot_of;
use super::habit::Habit;
use super::judge::Verdict;
use super::rule::Rule;
use super::sketch::{Event, Level, Sketch};

/// Most keys that are held; the one that has been silent longest gives way.
pub const KEYS_MAX: usize = 2048;

/// A key that was silent for so long is forgotten: 30 days.
const SILENT_MS: u64 = 30 * 24 * 3_600_000;

/// How a key stands, for who wants to see.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// Which.
    pub key: KeyId,
    /// How, as it was told of; an alarm comes when the key is next judged, and ends at once.
    pub level: Level,
    /// Why, as of now.
    pub verdict: Verdict,
    /// Whether there is no history yet to compare with.
    pub young: bool,
    /// Questions of the last day.
    pub questions: u64,
    /// Since when, in milliseconds since 1970; 0 where it never stood otherwise.
    pub since_ms: u64,
    /// The last exchange, in milliseconds since 1970.
    pub last_ms: u64,
}

/// What a key came to on a day before the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastDay {
    /// Which key.
    pub key: KeyId,
    /// The first moment of the day, in milliseconds since 1970.
    pub day_ms: u64,
    /// Requests.
    pub requests: u64,
    /// Tokens of output.
    pub output_tokens: u64,
}

/// Keys, and what is known of each. Nothing of one bears on another.
#[derive(Debug)]
pub struct Watch {
    keys_max: usize,
    sketches: HashMap<KeyId, Box<Sketch>>,
    /// What is known of keys that have asked nothing since the start.
    told: HashMap<KeyId, Habit>,
}

impl Watch {
    /// Holds at most `keys_max` keys.
    #[must_use]
    pub fn new(keys_max: usize) -> Self {
        Self { keys_max, sketches: HashMap::new(), told: HashMap::new() }
    }

    /// Counts an exchange of a key: an event where the key stands otherwise than before.
    pub fn takes(&mut self, key: &KeyId, now_ms: u64, asked: &Asked, rule: &Rule) -> Option<Event> {
        if !self.sketches.contains_key(key) {
            self.make_room(now_ms);
            let sketch = Sketch::of(self.told.remove(key).unwrap_or_default());
            self.sketches.insert(key.clone(), Box::new(sketch));
        }
        self.sketches.get_mut(key)?.takes(now_ms, asked, rule)
    }

    /// Begins with what keys came to on days before, as far as those are among `keys`.
    pub fn begin(&mut self, now_ms: u64, days: &[PastDay], keys: impl Fn(&KeyId) -> bool) {
        self.told.retain(|key, _| keys(key));
        let now = slot_of(now_ms);
        for day in days.iter().filter(|day| keys(&day.key) && !self.sketches.contains_key(&day.key)) {
            let ago = now.saturating_sub(slot_of(day.day_ms));
            let habit = self.told.entry(day.key.clone()).or_default();
            habit.is_told(now, ago, day.requests, day.output_tokens);
        }
    }

    /// Whether a key is to be held back: its score is at the threshold or above.
    #[must_use]
    pub fn is_over(&self, key: &KeyId, now_ms: u64, rule: &Rule) -> bool {
        // One that is not alarmed of was judged a few exchanges ago; to judge is dearer than to look.
        let alarmed = self.sketches.get(key).filter(|sketch| sketch.is_alarmed());
        alarmed.is_some_and(|sketch| sketch.verdict(now_ms, rule).score >= rule.threshold)
    }

    /// Takes what a key does as usual from now on. Whether the key is known.
    pub fn accepts(&mut self, key: &KeyId, now_ms: u64) -> bool {
        let known = self.sketches.get_mut(key);
        known.map(|sketch| sketch.accepts(now_ms)).is_some()
    }

    /// How a key stands; none that has asked nothing.
    #[must_use]
    pub fn standing(&self, key: &KeyId, now_ms: u64, rule: &Rule) -> Option<Standing> {
        let sketch = self.sketches.get(key)?;
        let verdict = sketch.verdict(now_ms, rule);
        Some(Standing {
            key: key.clone(),
            level: sketch.told(&verdict, rule),
            verdict,
            young: sketch.is_young(now_ms),
            questions: whole(sketch.questions(now_ms)),
            since_ms: sketch.since_ms(),
            last_ms: sketch.last_ms(),
        })
    }

    /// The keys that are held, in no order.
    pub fn keys(&self) -> impl Iterator<Item = &KeyId> {
        self.sketches.keys()
    }

    /// Number of keys held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sketches.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sketches.is_empty()
    }

    fn make_room(&mut self, now_ms: u64) {
        self.sketches.retain(|_, sketch| sketch.last_ms() + SILENT_MS > now_ms);
        if self.sketches.len() >= self.keys_max {
            let silent = self.sketches.iter().min_by_key(|(_, sketch)| sketch.last_ms());
            if let Some(key) = silent.map(|(key, _)| key.clone()) {
                self.sketches.remove(&key);
            }
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count that was made a float")]
fn whole(count: f64) -> u64 {
    count as u64
}
