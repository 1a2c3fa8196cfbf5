//! Swaps: which target an alias is live on, as the sum of appended steps.
//!
//! The configuration file declares a base target for each alias. A swap puts another target over it; going back takes
//! the topmost one off. Replaying the steps rebuilds the state, so the rows are all that need be kept.

use std::collections::BTreeMap;

use shim_ir::{AliasName, TargetId};
use thiserror::Error;

/// More swaps of one alias than anyone goes back through; the oldest is forgotten beyond it.
pub const DEPTH_MAX: usize = 64;

/// One appended row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// Of which alias.
    pub alias: AliasName,
    /// What was live before.
    pub from: TargetId,
    /// What is live after.
    pub to: TargetId,
    /// How it came about.
    pub kind: StepKind,
}

/// How a step came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// A swap was committed.
    Committed,
    /// The topmost swap was taken back.
    RolledBack,
}

impl StepKind {
    /// The word it is stored and shown as.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::RolledBack => "rolled-back",
        }
    }

    /// The kind of this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Committed, Self::RolledBack].into_iter().find(|kind| kind.name() == word)
    }
}

/// Why a swap cannot be.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SwapError {
    /// The alias is live on that target already.
    #[error("{alias} is live on {to} already")]
    Already {
        /// The alias.
        alias: AliasName,
        /// Where it is.
        to: TargetId,
    },
    /// There is no swap to take back.
    #[error("{0} is live on its declared target; there is nothing to go back to")]
    NothingToTakeBack(AliasName),
}

/// The targets put over the declared ones, by alias, topmost last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swaps {
    over: BTreeMap<AliasName, Vec<TargetId>>,
}

impl Swaps {
    /// Rebuilds the state from its steps, oldest first.
    #[must_use]
    pub fn replay<'a>(steps: impl IntoIterator<Item = &'a Step>) -> Self {
        let mut swaps = Self::default();
        for step in steps {
            swaps.apply(step);
        }
        swaps
    }

    /// The target put over the declared one of `alias`, if any.
    #[must_use]
    pub fn live(&self, alias: &AliasName) -> Option<&TargetId> {
        self.over.get(alias).and_then(|over| over.last())
    }

    /// The aliases that are swapped, and the target each is live on.
    pub fn iter(&self) -> impl Iterator<Item = (&AliasName, &TargetId)> {
        self.over.iter().filter_map(|(alias, over)| Some((alias, over.last()?)))
    }

    /// How many swaps of `alias` can be taken back.
    #[must_use]
    pub fn depth(&self, alias: &AliasName) -> usize {
        self.over.get(alias).map_or(0, Vec::len)
    }

    /// The step that puts `alias`, declared as `base`, on `to`.
    ///
    /// # Errors
    /// When it is there already.
    pub fn commit(
        &self,
        alias: &AliasName,
        base: &TargetId,
        to: TargetId,
        at_ms: u64,
    ) -> Result<Step, SwapError> {
        let from = self.live(alias).unwrap_or(base).clone();
        if from == to {
            return Err(SwapError::Already { alias: alias.clone(), to });
        }
        Ok(Step { at_ms, alias: alias.clone(), from, to, kind: StepKind::Committed })
    }

    /// The step that takes the topmost swap of `alias` back.
    ///
    /// # Errors
    /// When there is none.
    pub fn back(&self, alias: &AliasName, base: &TargetId, at_ms: u64) -> Result<Step, SwapError> {
        let over = self.over.get(alias).map(Vec::as_slice).unwrap_or_default();
        let Some((from, below)) = over.split_last() else {
            return Err(SwapError::NothingToTakeBack(alias.clone()));
        };
        let to = below.last().unwrap_or(base).clone();
        Ok(Step { at_ms, alias: alias.clone(), from: from.clone(), to, kind: StepKind::RolledBack })
    }

    /// Takes a step.
    pub fn apply(&mut self, step: &Step) {
        let over = self.over.entry(step.alias.clone()).or_default();
        match step.kind {
            StepKind::Committed => {
                over.push(step.to.clone());
                if over.len() > DEPTH_MAX {
                    over.remove(0);
                }
            }
            StepKind::RolledBack => {
                over.pop();
            }
        }
        if over.is_empty() {
            self.over.remove(&step.alias);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use shim_ir::{AliasName, TargetId};

    use super::{Step, SwapError, Swaps};

    fn target(name: &str) -> TargetId {
        TargetId::parse(&format!("lab/{name}")).unwrap()
    }

    #[test]
    fn going_back_ends_at_the_declared_target() {
        let (alias, base) = (AliasName::new("chat").unwrap(), target("a"));
        let mut swaps = Swaps::default();
        for to in ["b", "c"] {
            swaps.apply(&swaps.commit(&alias, &base, target(to), 1).unwrap());
        }
        assert_eq!(swaps.live(&alias), Some(&target("c")));
        let again = swaps.commit(&alias, &base, target("c"), 1);
        assert!(matches!(again, Err(SwapError::Already { .. })));
        let step = swaps.back(&alias, &base, 2).unwrap();
        assert_eq!((&step.from, &step.to), (&target("c"), &target("b")));
        swaps.apply(&step);
        // The file was edited meanwhile: the way back ends at what it declares now.
        let step = swaps.back(&alias, &target("new"), 3).unwrap();
        assert_eq!(step.to, target("new"));
        swaps.apply(&step);
        assert_eq!(swaps, Swaps::default());
        assert_eq!(swaps.back(&alias, &base, 4), Err(SwapError::NothingToTakeBack(alias)));
    }

    proptest! {
        #[test]
        fn replaying_the_steps_rebuilds_the_state(moves in prop::collection::vec((0u8..3, prop::option::of(0u8..4)), 0..200)) {
            let base = target("base");
            let (mut swaps, mut steps) = (Swaps::default(), Vec::<Step>::new());
            for (at, (alias, to)) in moves.into_iter().enumerate() {
                let alias = AliasName::new(&format!("a{alias}")).unwrap();
                let step = match to {
                    Some(to) => swaps.commit(&alias, &base, target(&to.to_string()), at as u64),
                    None => swaps.back(&alias, &base, at as u64),
                };
                if let Ok(step) = step {
                    prop_assert_eq!(&step.from, swaps.live(&alias).unwrap_or(&base));
                    swaps.apply(&step);
                    prop_assert_eq!(&step.to, swaps.live(&alias).unwrap_or(&base));
                    steps.push(step);
                }
            }
            prop_assert_eq!(Swaps::replay(&steps), swaps);
        }
    }
}
