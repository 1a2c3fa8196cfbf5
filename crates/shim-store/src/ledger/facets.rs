//! What a console shows of many exchanges: their sums by hour and by each of their names, without a look at any row.

use std::collections::{BTreeMap, HashMap};

use super::read::{Filter, Reader};
use super::schema;
use super::sums::{self, COUNT, Sums, VALUES};
use crate::StoreError;

/// The sums of many exchanges, by one thing at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facets {
    /// By hour since 1970.
    pub hours: BTreeMap<u64, Facet>,
    /// By key, team, model, target and outcome, in the order of [`Facets::NAMES`]. Exchanges without one are under the empty
    /// name, those beyond what a day sums apart under `(other)`.
    pub names: [BTreeMap<String, Facet>; 5],
}

impl Facets {
    /// What there are names of.
    pub const NAMES: [&str; 5] = ["key", "team", "model", "target", "outcome"];
}

/// Sums of some exchanges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facet([u64; COUNT]);

impl Facet {
    /// The sums with their names.
    pub fn sums(&self) -> impl Iterator<Item = (&'static str, u64)> {
        VALUES.into_iter().zip(self.0)
    }

    /// How many exchanges.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.0.first().copied().unwrap_or(0)
    }

    fn add(&mut self, sums: &Sums) {
        for (sum, value) in self.0.iter_mut().zip(sums.values) {
            *sum = sum.saturating_add(value);
        }
    }
}

impl Reader {
    /// The sums of what passes `filter`. The time in it counts by whole hours, and names beyond what a day sums apart pass
    /// any name.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn facets(&self, filter: &Filter) -> Result<Facets, StoreError> {
        let mut hours: BTreeMap<u64, Facet> = BTreeMap::new();
        let mut names: [HashMap<String, Facet>; 5] = Default::default();
        for day in self.days()?.into_iter().filter(|day| filter.has(*day)) {
            let Some(connection) = schema::read(&day.file(&self.folder))? else { continue };
            sums::each_kept(&connection, |of, sums| {
                if !filter.sums(of) {
                    return;
                }
                hours.entry(of.hour).or_default().add(sums);
                let found = [of.key, of.team, of.model, of.target, of.outcome];
                for (by_name, name) in names.iter_mut().zip(found) {
                    match by_name.get_mut(name) {
                        Some(facet) => facet.add(sums),
                        None => by_name.entry(name.to_owned()).or_default().add(sums),
                    }
                }
            })?;
        }
        Ok(Facets { hours, names: names.map(|by_name| by_name.into_iter().collect()) })
    }
}
