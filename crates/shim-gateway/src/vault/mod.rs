//! The vault at work: answers are remembered as they pass, and what belongs to a conversation is put back where it goes.
//!
//! `shim_policy::vault` decides what is kept and what is given; here it is looked up and written down. A worker never
//! waits for the disk: what is not in memory is read on a thread that may, and only where a conversation needs it.

mod affinity;
mod front;
mod keep;
mod recall;
mod same;
mod second;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use sha2::{Digest as _, Sha256};
use shim_policy::record::Record;
use shim_policy::vault::{Name, Origin, Partition};
use shim_store::{Entry, VaultStore};

pub(crate) use affinity::{Affinity, note, prefer};
pub(crate) use keep::{Keeping, keeping, watched};
pub(crate) use recall::{Recalled, give_to};
pub(crate) use same::{Changed, carries, may_change, same};
pub(crate) use second::{carries_state, is_about_state};

use self::front::{Front, Item};
use crate::generation::ServedBy;
use crate::key::Key;
use crate::pipeline::Admitted;
use crate::plan::Step;

/// What is remembered of conversations: in memory, and where a store is attached, beyond the process.
#[derive(Debug, Default)]
pub struct Vault {
    front: Mutex<Front>,
    store: OnceLock<Arc<dyn VaultStore>>,
}

impl Vault {
    /// Keeps what is remembered from now on in `store` as well, and finds what is there. The first store stays.
    pub fn attach(&self, store: Arc<dyn VaultStore>) {
        // A second one would be a bug of the caller's; nothing is lost by it.
        let _ = self.store.set(store);
    }

    /// How many records the store lost so far, because too much waited to be written or the disk took them not.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.store.get().map_or(0, |store| store.lost())
    }

    /// Bytes of records that wait to be written: while there are any, a sudden end of the process would lose them.
    #[must_use]
    pub fn queue_bytes(&self) -> usize {
        self.store.get().map_or(0, |store| store.queue_bytes())
    }

    /// Waits until all that was remembered so far is kept or lost.
    pub fn flush(&self) {
        if let Some(store) = self.store.get() {
            store.flush();
        }
    }

    fn front(&self) -> MutexGuard<'_, Front> {
        self.front.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers something under these names; `record` says that it may go to the disk.
    fn put(&self, names: Vec<Name>, item: &Item, record: bool, at_ms: u64) {
        if names.is_empty() {
            return;
        }
        let shared = names.len();
        {
            let mut front = self.front();
            names.iter().for_each(|name| front.put(*name, Some(item.clone()), shared));
        }
        if let Some(store) = self.store.get().filter(|_| record) {
            // What it cannot take is counted there, and still in memory.
            store.keep(Entry { names, value: item.bytes(), at_ms });
        }
    }

    /// What is under these names, of those under which there is anything.
    async fn find(&self, names: &[Name], now_ms: u64) -> HashMap<Name, Item> {
        let mut found = HashMap::new();
        let mut cold = Vec::new();
        {
            let mut front = self.front();
            for name in names {
                match front.get(name) {
                    Some(known) => found.extend(known.map(|item| (*name, item))),
                    None => cold.push(*name),
                }
            }
        }
        if let Some(store) = self.store.get().filter(|_| !cold.is_empty()) {
            found.extend(self.fetch(store.clone(), cold, now_ms).await);
        }
        found
    }

    /// Reads from the disk, on a thread that may wait for it.
    async fn fetch(&self, store: Arc<dyn VaultStore>, names: Vec<Name>, now_ms: u64) -> Vec<(Name, Item)> {
        let asked = names.clone();
        let read = tokio::task::spawn_blocking(move || store.find(&asked, now_ms)).await;
        let values = match read {
            Ok(Ok(values)) => values,
            Ok(Err(error)) => {
                tracing::warn!(%error, "the vault cannot be read: conversations go on with what is in memory");
                return Vec::new();
            }
            // The runtime is shutting down.
            Err(_) => return Vec::new(),
        };
        let mut front = self.front();
        let mut found = Vec::new();
        for (name, value) in names.into_iter().zip(values) {
            // What was remembered while the disk was read is newer than what lay there.
            let item = front.get(&name).unwrap_or_else(|| {
                let item = value.and_then(|bytes| Item::read(&bytes));
                front.put(name, item.clone(), 1);
                item
            });
            found.extend(item.map(|item| (name, item)));
        }
        found
    }
}

/// Whose names an exchange's are.
fn partition(admitted: &Admitted) -> Partition {
    partition_of(admitted.key.as_deref())
}

fn partition_of(key: Option<&Key>) -> Partition {
    Partition::of(key.map(|key| key.id.as_str()))
}

/// Whether what is remembered of an exchange may go to the disk.
fn may_record(admitted: &Admitted) -> bool {
    admitted.record > Record::Off
}

/// Whose state a target makes and reads.
fn origin(step: &Step) -> Origin {
    let account = match &step.endpoint.served_by {
        ServedBy::Http(http) => http.secret.as_ref().map(|secret| {
            let hash = Sha256::digest(secret.expose().as_bytes());
            hash.iter().take(4).map(|byte| format!("{byte:02x}")).collect::<String>()
        }),
        ServedBy::Demo => None,
    };
    let (provider, model) = (step.target.provider.id.as_str(), step.target.id.model.as_str());
    Origin::new(provider, account.as_deref().unwrap_or_default(), model)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, OnceLock, Weak};

    use shim_policy::vault::Name;
    use shim_store::{Entry, StoreError, VaultStore};

    use super::{Item, Vault};

    /// A disk that has nothing, and while it is read an answer comes.
    #[derive(Debug, Default)]
    struct Late(OnceLock<Weak<Vault>>);

    impl VaultStore for Late {
        fn find(&self, names: &[Name], _: u64) -> Result<Vec<Option<Arc<[u8]>>>, StoreError> {
            let vault = self.0.get().and_then(Weak::upgrade).unwrap();
            vault.put(names.to_vec(), &Item::Target("lab/new".into()), false, 0);
            Ok(vec![None; names.len()])
        }
        fn keep(&self, _: Entry) -> bool {
            true
        }
        fn flush(&self) {}
        fn lost(&self) -> u64 {
            0
        }

        fn queue_bytes(&self) -> usize {
            0
        }
    }

    #[tokio::test]
    async fn what_is_remembered_while_the_disk_is_read_is_not_forgotten() {
        let (vault, store) = (Arc::new(Vault::default()), Arc::new(Late::default()));
        store.0.set(Arc::downgrade(&vault)).unwrap();
        vault.attach(store);
        let name = Name([7; 16]);
        for _ in 0..2 {
            assert_eq!(vault.find(&[name], 0).await.get(&name), Some(&Item::Target("lab/new".into())));
        }
    }
}
