//! What reckoning anew came to, by target.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Money;
use crate::ledger::sums::OTHER;

/// Targets told of one by one; the rest are summed under `(other)`.
const TARGETS_MAX: usize = 1000;

/// What reckoning anew came to, or would come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepriceReport {
    /// By target.
    pub targets: BTreeMap<String, Repriced>,
    /// Rows that were written.
    pub written: u64,
}

/// What it came to for the exchanges of one target that told what they used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repriced {
    /// How many they are.
    pub rows: u64,
    /// Rows that say something else than before.
    pub changed: u64,
    /// Rows whose cost was not known, and is.
    pub became_known: u64,
    /// Rows whose cost was known, and is not.
    pub became_unknown: u64,
    /// Rows that stay because their provider stated the cost.
    pub stated: u64,
    /// Rows that stay because no price of their target is known.
    pub unlisted: u64,
    /// Rows that stay because what they are priced by beside their tokens was not recorded: an older program wrote them.
    pub untold: u64,
    /// What they cost before, in pico-dollars, as far as that was known.
    pub before: u64,
    /// What they cost now.
    pub after: u64,
}

impl Repriced {
    pub(super) fn add(&mut self, before: Money, after: Money) {
        self.changed += u64::from(before != after);
        self.became_known += u64::from(before.cost.is_none() && after.cost.is_some());
        self.became_unknown += u64::from(before.cost.is_some() && after.cost.is_none());
        self.before = self.before.saturating_add(before.cost.unwrap_or(0));
        self.after = self.after.saturating_add(after.cost.unwrap_or(0));
    }

    fn to_json(self, target: &str) -> Value {
        json!({
            "target": target, "rows": self.rows, "changed": self.changed, "became_known": self.became_known,
            "became_unknown": self.became_unknown, "stated": self.stated, "unlisted": self.unlisted,
            "untold": self.untold, "before_pico_usd": self.before, "after_pico_usd": self.after,
        })
    }
}

impl RepriceReport {
    pub(super) fn of(&mut self, target: &str) -> &mut Repriced {
        let room = self.targets.len() < TARGETS_MAX || self.targets.contains_key(target);
        let name = if room { target } else { OTHER };
        self.targets.entry(name.to_owned()).or_default()
    }

    /// All of it as JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let targets = self.targets.iter().map(|(target, line)| line.to_json(target));
        json!({ "written": self.written, "targets": targets.collect::<Vec<_>>() })
    }
}
