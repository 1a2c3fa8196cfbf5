//! Looking for what a request names, away from the worker's thread.

use std::collections::HashSet;
use std::sync::Arc;

use shim_dialect::{Items, Keep, KeepAsk, Refusal};
use shim_ir::{Fault, FaultKind};
use shim_store::{KeptResponse, ResponseStore, StoreError};

use super::link;
use crate::shared::Shared;

/// Longest chain that is gone on from, in exchanges.
const LINKS_MAX: usize = 4096;

/// Most items a request may refer to.
const REFERENCES_MAX: usize = 4096;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Looked {
    /// The chain, oldest first.
    pub(super) links: Vec<Arc<KeptResponse>>,
    pub(super) found: Items,
    /// Who else keeps each thing that is named.
    pub(super) keepers: Vec<Option<Box<str>>>,
    /// What was not found.
    pub(super) missing: Option<Fault>,
}

/// Runs `work` on the store where waiting for a disk holds nobody up.
pub(super) async fn aside<T: Send + 'static>(
    shared: &Shared,
    work: impl FnOnce(&dyn ResponseStore, u64) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Fault> {
    let (store, now_ms) = (shared.responses().clone(), shared.clock.now_ms());
    let done = tokio::task::spawn_blocking(move || work(&*store, now_ms)).await;
    let failed = |detail: &dyn std::fmt::Display| {
        Fault::new(FaultKind::Internal, "the kept answers cannot be read").detail(detail)
    };
    done.map_err(|error| failed(&error))?.map_err(|error| failed(&error))
}

/// Finds all that `ask` names for `owner`.
pub(super) async fn everything(
    shared: &Shared,
    keep: &'static dyn Keep,
    owner: &str,
    ask: &KeepAsk,
) -> Result<Looked, Fault> {
    if ask.references.len() > REFERENCES_MAX {
        let message = format!("a request may refer to {REFERENCES_MAX} items, and this one refers to more");
        return Err(Fault::new(FaultKind::InvalidRequest, message).at("input"));
    }
    let (owner, ask) = (owner.to_owned(), ask.clone());
    aside(shared, move |store, now_ms| {
        let mut look = Look { store, keep, owner: &owner, now_ms, looked: Looked::default() };
        if let Some(previous) = &ask.previous {
            look.chain(previous)?;
        }
        look.items(&ask.references, true)?;
        look.inside()?;
        Ok(look.looked)
    })
    .await
}

/// The chain up to the answer of this id; none where it is not kept.
pub(super) async fn chain(
    shared: &Shared,
    keep: &'static dyn Keep,
    owner: &str,
    id: &str,
) -> Result<Looked, Fault> {
    let (owner, id) = (owner.to_owned(), id.to_owned());
    aside(shared, move |store, now_ms| {
        let mut look = Look { store, keep, owner: &owner, now_ms, looked: Looked::default() };
        look.chain(&id)?;
        look.inside()?;
        Ok(look.looked)
    })
    .await
}

struct Look<'a> {
    store: &'a dyn ResponseStore,
    keep: &'static dyn Keep,
    owner: &'a str,
    now_ms: u64,
    looked: Looked,
}

impl Look<'_> {
    /// Finds the chain that ends with the answer of this id.
    fn chain(&mut self, last: &str) -> Result<(), StoreError> {
        let mut next = Some(Box::from(last));
        // A provider that gives an id twice makes a chain that leads into itself.
        let mut seen = HashSet::new();
        while let Some(id) = next.take() {
            match self.store.get(self.owner, &id, self.now_ms)? {
                Some(kept) if seen.len() < LINKS_MAX && seen.insert(id.clone()) => {
                    next.clone_from(&kept.previous);
                    self.looked.links.push(kept);
                }
                Some(_) | None => self.looked.missing = Some(self.keep.refuse(Refusal::Previous(&id))),
            }
        }
        self.looked.links.reverse();
        // Whoever keeps the last of a chain keeps all of it.
        self.looked.keepers.push(self.looked.links.last().and_then(|kept| kept.keeper.clone()));
        Ok(())
    }

    /// Finds the items of these ids. What is `named` by the request itself must be there.
    fn items(&mut self, ids: &[String], named: bool) -> Result<(), StoreError> {
        for id in ids {
            let held = self.store.holder(self.owner, id, self.now_ms)?;
            let all = held.as_ref().map(|kept| self.keep.items(&link(kept))).unwrap_or_default();
            let item = all.into_iter().find(|(known, _)| known == id);
            match item {
                Some((id, item)) => drop(self.looked.found.insert(id, item)),
                None if named && self.looked.missing.is_none() => {
                    self.looked.missing = Some(self.keep.refuse(Refusal::Item(id)));
                }
                None => {}
            }
            if named {
                self.looked.keepers.push(held.and_then(|kept| kept.keeper.clone()));
            }
        }
        Ok(())
    }

    /// Finds what the inputs of the chain itself only refer to. What is no longer there stays a reference.
    fn inside(&mut self) -> Result<(), StoreError> {
        let mut ids: Vec<_> =
            self.looked.links.iter().flat_map(|kept| self.keep.references(&kept.input)).collect();
        ids.truncate(REFERENCES_MAX);
        self.items(&ids, false)
    }
}
