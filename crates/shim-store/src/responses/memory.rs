//! Kept answers in memory, for a gateway without a folder. They end with it.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{KeptResponse, RESPONSE_BYTES_MAX, ResponseLimits, ResponseStore};
use crate::StoreError;

/// Keeps answers in memory.
#[derive(Debug)]
pub struct MemoryResponses {
    limits: ResponseLimits,
    owners: Mutex<HashMap<Box<str>, Owner>>,
    dropped: AtomicU64,
}

/// What is kept of one owner.
#[derive(Debug, Default)]
struct Owner {
    /// By number, the oldest first.
    kept: BTreeMap<u64, Arc<KeptResponse>>,
    ids: HashMap<Box<str>, u64>,
    items: HashMap<Box<str>, u64>,
    bytes: usize,
    next: u64,
}

impl MemoryResponses {
    /// Keeps within `limits`.
    #[must_use]
    pub fn new(limits: ResponseLimits) -> Self {
        Self { limits, owners: Mutex::default(), dropped: AtomicU64::new(0) }
    }

    fn owners(&self) -> MutexGuard<'_, HashMap<Box<str>, Owner>> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryResponses {
    /// 16 MiB: whoever wants more has a folder.
    fn default() -> Self {
        Self::new(ResponseLimits { responses_bytes_max: 16 << 20, ..ResponseLimits::default() })
    }
}

impl ResponseStore for MemoryResponses {
    fn put(&self, kept: KeptResponse) {
        if kept.bytes() > self.limits.responses_bytes_max.min(RESPONSE_BYTES_MAX) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let now_ms = kept.at_ms;
        let mut owners = self.owners();
        owners.entry(kept.owner.clone()).or_default().put(kept);
        for owner in owners.values_mut() {
            while owner.oldest().is_some_and(|kept| self.limits.aged(kept.at_ms, now_ms)) {
                owner.forget_oldest();
            }
        }
        while owners.values().map(|owner| owner.bytes).sum::<usize>() > self.limits.responses_bytes_max {
            let Some(most) = owners.values_mut().max_by_key(|owner| owner.bytes) else { break };
            most.forget_oldest();
        }
        owners.retain(|_, owner| !owner.kept.is_empty());
    }

    fn get(&self, owner: &str, id: &str, now_ms: u64) -> Result<Option<Arc<KeptResponse>>, StoreError> {
        let owners = self.owners();
        let found = owners.get(owner).and_then(|owner| owner.kept.get(owner.ids.get(id)?));
        Ok(found.filter(|kept| !self.limits.aged(kept.at_ms, now_ms)).cloned())
    }

    fn holder(&self, owner: &str, item: &str, now_ms: u64) -> Result<Option<Arc<KeptResponse>>, StoreError> {
        let owners = self.owners();
        let found = owners.get(owner).and_then(|owner| owner.kept.get(owner.items.get(item)?));
        Ok(found.filter(|kept| !self.limits.aged(kept.at_ms, now_ms)).cloned())
    }

    fn delete(&self, owner: &str, id: &str) -> Result<bool, StoreError> {
        let mut owners = self.owners();
        let Some(owner) = owners.get_mut(owner) else { return Ok(false) };
        let number = owner.ids.get(id).copied();
        Ok(number.is_some_and(|number| owner.forget(number)))
    }

    fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn bytes(&self) -> u64 {
        self.owners().values().map(|owner| owner.bytes as u64).sum()
    }

    fn close(&self) {}
}

impl Owner {
    fn put(&mut self, kept: KeptResponse) {
        if let Some(before) = self.ids.get(&kept.id).copied() {
            self.forget(before);
        }
        let number = self.next;
        self.next += 1;
        self.bytes += kept.bytes();
        self.ids.insert(kept.id.clone(), number);
        self.items.extend(kept.items.iter().map(|item| (item.clone(), number)));
        self.kept.insert(number, Arc::new(kept));
    }

    fn oldest(&self) -> Option<&Arc<KeptResponse>> {
        self.kept.values().next()
    }

    fn forget_oldest(&mut self) {
        if let Some(number) = self.kept.keys().next().copied() {
            self.forget(number);
        }
    }

    fn forget(&mut self, number: u64) -> bool {
        let Some(kept) = self.kept.remove(&number) else { return false };
        self.bytes -= kept.bytes();
        self.ids.remove(&kept.id);
        for item in &kept.items {
            // A later exchange may hold the same item.
            if self.items.get(item) == Some(&number) {
                self.items.remove(item);
            }
        }
        true
    }
}
