//! What every store of kept answers must do.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::{KeptResponse, MemoryResponses, ResponseLimits, ResponseStore, SqliteResponses};
use crate::StoreError;

const LIMITS: ResponseLimits =
    ResponseLimits { responses_bytes_max: 64 << 10, responses_age_max: Duration::from_secs(60) };

fn kept(owner: &str, id: &str, at_ms: u64, bytes: usize) -> KeptResponse {
    KeptResponse {
        owner: owner.into(),
        id: id.into(),
        at_ms,
        keeper: Some("openai".into()),
        previous: Some("resp_0".into()),
        complete: true,
        input: "\"é\"".into(),
        answer: "x".repeat(bytes).into(),
        items: vec![format!("msg_{id}").into()],
    }
}

/// Runs `law` with each kind of store.
fn each(law: impl Fn(&dyn ResponseStore)) {
    law(&MemoryResponses::new(LIMITS));
    let folder = tempfile::tempdir().unwrap();
    law(&SqliteResponses::open(folder.path(), LIMITS).unwrap());
}

#[test]
fn what_is_kept_is_found_by_its_key_alone_and_by_its_items() {
    each(|store| {
        let one = kept("a", "resp_1", 5, 10);
        store.put(one.clone());
        for _ in 0..200 {
            // Both while it waits for the writer and after.
            assert_eq!(store.get("a", "resp_1", 6).unwrap().as_deref(), Some(&one));
            assert_eq!(store.holder("a", "msg_resp_1", 6).unwrap().as_deref(), Some(&one));
            assert_eq!(store.get("b", "resp_1", 6).unwrap(), None);
            assert_eq!(store.holder("b", "msg_resp_1", 6).unwrap(), None);
        }
        assert!(!store.delete("b", "resp_1").unwrap());
        assert!(store.delete("a", "resp_1").unwrap());
        assert_eq!(store.get("a", "resp_1", 6).unwrap(), None);
        assert_eq!(store.holder("a", "msg_resp_1", 6).unwrap(), None);
        assert_eq!((store.delete("a", "resp_1").unwrap(), store.bytes(), store.dropped()), (false, 0, 0));
    });
}

#[test]
fn the_same_id_again_takes_the_place_of_the_first() {
    each(|store| {
        store.put(kept("a", "resp_1", 1, 10));
        let second = KeptResponse { items: vec!["other".into()], ..kept("a", "resp_1", 2, 20) };
        store.put(second.clone());
        assert_eq!(store.get("a", "resp_1", 3).unwrap().as_deref(), Some(&second));
        assert!(store.delete("a", "resp_1").unwrap());
        assert_eq!(store.bytes(), 0);
        assert_eq!(store.holder("a", "msg_resp_1", 3).unwrap(), None);
    });
}

#[test]
fn what_is_too_old_is_gone() {
    each(|store| {
        store.put(kept("a", "resp_1", 1_000, 10));
        assert!(store.get("a", "resp_1", 61_000).unwrap().is_some());
        assert!(store.get("a", "resp_1", 61_001).unwrap().is_none());
        store.put(kept("b", "resp_2", 100_000, 10));
        assert!(store.delete("b", "resp_2").unwrap());
        assert_eq!(store.bytes(), 0, "the old one counts no longer");
    });
}

#[test]
fn a_flood_of_one_key_takes_nothing_from_another() {
    each(|store| {
        store.put(kept("quiet", "resp_q", 1, 1000));
        for n in 0..500 {
            store.put(kept("loud", &format!("resp_{n}"), 2, 4000));
        }
        store.put(kept("huge", "resp_h", 2, 128 << 10));
        assert_eq!(store.dropped(), 1, "what is larger than all there may be");
        // The writer is done with all before.
        assert!(!store.delete("none", "none").unwrap());
        assert!(store.bytes() <= 64 << 10, "{}", store.bytes());
        assert!(store.bytes() > 48 << 10, "no more than has to gives way: {}", store.bytes());
        assert!(store.get("quiet", "resp_q", 3).unwrap().is_some());
        assert!(store.get("loud", "resp_499", 3).unwrap().is_some());
        assert!(store.get("loud", "resp_0", 3).unwrap().is_none());
    });
}

#[test]
fn what_was_kept_is_there_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let all: Vec<_> = (0..50).map(|n| kept("a", &format!("resp_{n}"), n, 100)).collect();
    let store = SqliteResponses::open(folder.path(), LIMITS).unwrap();
    all.iter().for_each(|one| store.put(one.clone()));
    store.close();
    store.put(kept("a", "late", 60, 1));
    assert_eq!(store.dropped(), 1, "what comes after the end is counted");
    assert!(matches!(store.delete("a", "resp_1"), Err(StoreError::Closed)));
    drop(store);
    let store = SqliteResponses::open(folder.path(), LIMITS).unwrap();
    for one in &all {
        assert_eq!(store.get("a", &one.id, 50).unwrap().as_deref(), Some(one));
    }
    assert_eq!(store.bytes(), all.iter().map(|one| one.bytes() as u64).sum::<u64>());
}

#[test]
fn a_file_of_a_newer_program_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(SqliteResponses::open(folder.path(), LIMITS).unwrap());
    let connection = rusqlite::Connection::open(folder.path().join("responses.db")).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let opened = SqliteResponses::open(folder.path(), LIMITS);
    assert!(matches!(opened, Err(StoreError::Newer { found: 99, .. })));
}

#[test]
fn many_threads_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let limits = ResponseLimits { responses_bytes_max: 8 << 20, ..LIMITS };
    let store: Arc<dyn ResponseStore> = Arc::new(SqliteResponses::open(folder.path(), limits).unwrap());
    let threads: Vec<_> = (0..8)
        .map(|thread| {
            let store = store.clone();
            std::thread::spawn(move || {
                for n in 0..100 {
                    let id = format!("resp_{thread}_{n}");
                    store.put(kept("a", &id, n, 50));
                    assert!(store.get("a", &id, n).unwrap().is_some(), "{id}");
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    for thread in 0..8 {
        assert!((0..100).all(|n| store.get("a", &format!("resp_{thread}_{n}"), 1).unwrap().is_some()));
    }
}

#[derive(Clone, Debug)]
enum Act {
    Put(u8, u8, usize),
    Delete(u8, u8),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0..3_u8, 0..6_u8, 0..9000_usize).prop_map(|(owner, id, bytes)| Act::Put(owner, id, bytes)),
        1 => (0..3_u8, 0..6_u8).prop_map(|(owner, id)| Act::Delete(owner, id)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Law: within the bound each store holds exactly what was put last and not deleted; beyond it, never more than the
    /// bound.
    #[test]
    fn a_store_is_a_bounded_map(acts in prop::collection::vec(act(), 0..40)) {
        each(|store| {
            let mut model = std::collections::BTreeMap::new();
            for (at, act) in acts.iter().enumerate() {
                match act {
                    Act::Put(owner, id, bytes) => {
                        let one = kept(&owner.to_string(), &id.to_string(), at as u64, *bytes);
                        model.insert((*owner, *id), one.clone());
                        store.put(one);
                    }
                    Act::Delete(owner, id) => {
                        let there = store.delete(&owner.to_string(), &id.to_string()).unwrap();
                        let known = model.remove(&(*owner, *id)).is_some();
                        assert!(known || !there);
                    }
                }
            }
            store.delete("none", "none").unwrap();
            let mut ever = 0;
            for ((owner, id), one) in &model {
                let found = store.get(&owner.to_string(), &id.to_string(), 50).unwrap();
                assert!(found.is_none() || found.as_deref() == Some(one));
                ever += one.bytes();
            }
            assert!(store.bytes() <= LIMITS.responses_bytes_max as u64);
            let puts: usize = acts.iter().map(|act| if let Act::Put(.., bytes) = act { bytes + 512 } else { 0 }).sum();
            if puts <= LIMITS.responses_bytes_max {
                assert_eq!(store.bytes(), ever as u64);
            }
        });
    }
}
