//! What writing a request needs to know at every place.

use shim_ir::{CacheMark, Request, Traits};

use super::super::decode::DIALECT;
use super::QUIRKS;
use super::ids::Ids;
use super::loss::Losses;
use super::names::Names;
use crate::{Echo, Goal, Operation};

/// What writing a request needs to know at every place, and what it could not carry.
#[derive(Debug)]
pub(super) struct Ask<'a> {
    /// Whether the client spoke this dialect: then what it said is passed on as it is.
    pub(super) own: bool,
    /// Whether a count of tokens is asked for, whose request takes nothing that shapes the answer.
    pub(super) counts: bool,
    pub(super) traits: &'a Traits,
    pub(super) names: Names,
    pub(super) ids: Ids,
    pub(super) echo: Echo,
    pub(super) losses: Losses,
}

impl<'a> Ask<'a> {
    pub(super) fn new(request: &Request, goal: &Goal<'a>) -> Self {
        let own = request.rest.origin() == Some(DIALECT);
        let flat = goal.traits.has("no_namespaces");
        Self {
            own,
            counts: !own && goal.operation == Operation::CountTokens,
            traits: goal.traits,
            names: Names::of(&request.tools, own, flat),
            ids: if own { Ids::default() } else { Ids::of(&request.turns) },
            echo: Echo::default(),
            losses: Losses::default(),
        }
    }

    /// Whether an oddity is known of the target.
    pub(super) fn has(&self, quirk: &str) -> bool {
        debug_assert!(QUIRKS.iter().any(|(word, _)| *word == quirk), "{quirk} is not documented");
        self.traits.has(quirk)
    }

    /// Whether a marker of a cached prefix is written: one of this dialect's own, and others where the model is known
    /// to take them. Models before GPT-5.6 do not, and cache by themselves.
    pub(super) fn marks(&self, mark: &CacheMark) -> bool {
        self.own || mark.rest.origin() == Some(DIALECT) || self.has("cache_breakpoints")
    }
}
