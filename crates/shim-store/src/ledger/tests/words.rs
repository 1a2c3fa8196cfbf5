//! The search.

use std::path::Path;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use shim_ir::KeyId;

use super::{DAY_MS, exchange, id, open, run, settings};
use crate::ledger::{Day, Filter, Found, Reader, Search, Searched};

/// Looks as long as it takes.
pub(super) fn search(reader: &Reader, words: &str, filter: &Filter, limit: usize) -> Vec<Found> {
    let searched = asked(reader, words, filter, limit);
    assert_eq!(searched.unindexed, 0);
    searched.found
}

fn asked(reader: &Reader, words: &str, filter: &Filter, limit: usize) -> Searched {
    let search = Search { words, filter, before: None, limit, patience: Duration::MAX };
    reader.search(&search).unwrap().unwrap()
}

fn ids(found: &[Found]) -> Vec<String> {
    found.iter().map(|found| found.row.id.clone()).collect()
}

/// Throws away what was indexed, as anybody may.
fn throw_away(folder: &Path) {
    super::super::day::remove(&Day::of_ms(DAY_MS).words_file(&settings(folder).ledger())).unwrap();
}

#[test]
fn the_moment_is_found_in_which_a_user_asked_something() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(&settings(folder.path()));
    run(&ledger, 0..700);
    let mut failed = exchange(700);
    failed.settled.detail = Some("the upstream caught fire".into());
    failed.settled.key = None;
    drop(ledger.settled(failed));
    assert!(ledger.close(true));
    throw_away(folder.path());
    let reader = ledger.reader();
    let any = Filter::default();
    // The same is found before anything is indexed, and after.
    for indexed in [false, true] {
        assert!(!indexed || reader.index(Duration::MAX).unwrap());
        assert_eq!(reader.indexed().unwrap(), (if indexed { 701 } else { 0 }, 701));
        let found = |words: &str, filter: &Filter, limit: usize| search(&reader, words, filter, limit);
        let one = found("number123", &any, 10);
        assert_eq!(ids(&one), [id(123).to_string()]);
        assert!(one[0].snippet.contains("question number123"), "{one:?}");
        assert_eq!(found("\"question number5\"", &any, 10).len(), 1, "a phrase");
        assert_eq!(found("\"number5 question\"", &any, 10).len(), 0, "in its order");
        assert_eq!(found("number12* question", &any, 100).len(), 11, "a beginning");
        assert_eq!(found("QUESTION many", &any, 1000).len(), 701);
        let newest = found("question", &any, 3);
        assert_eq!(ids(&newest), [700, 699, 698].map(|n| id(n).to_string()));
        assert_eq!(ids(&found("fire", &any, 10)), [id(700).to_string()], "faults, too");
        let key = Filter { key: Some("app".to_owned()), ..Filter::default() };
        assert_eq!(ids(&found("question", &key, 1)), [id(699).to_string()]);
        let none = Filter { key: Some("ap".to_owned()), ..Filter::default() };
        assert_eq!(found("quest*", &none, 1), []);
    }
    let nothing = Search { words: " * ", filter: &any, before: None, limit: 1, patience: Duration::MAX };
    assert_eq!(reader.search(&nothing).unwrap(), None);
}

#[test]
fn what_is_not_indexed_and_too_much_to_look_at_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(&settings(folder.path()));
    run(&ledger, 0..5000);
    assert!(ledger.close(true));
    throw_away(folder.path());
    let reader = ledger.reader();
    let searched = asked(&reader, "number4999", &Filter::default(), 10);
    assert_eq!((searched.found.len(), searched.unindexed, searched.next), (1, 5000 - 1024, None));
    assert_eq!(asked(&reader, "number7", &Filter::default(), 10).found, []);
    let early = Filter { until_ms: Some(DAY_MS), ..Filter::default() };
    assert_eq!(asked(&reader, "number7", &early, 10).unindexed, 0, "none of these is asked for");
    assert!(reader.index(Duration::MAX).unwrap());
    assert_eq!(search(&reader, "number7", &Filter::default(), 10).len(), 1);
}

#[test]
fn words_are_indexed_beside_the_writer() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(&settings(folder.path()));
    run(&ledger, 0..3000);
    // Nothing tells of that thread's work but what it does.
    let since = Instant::now();
    while ledger.reader().indexed().unwrap().0 < 512 {
        assert!(since.elapsed() < Duration::from_secs(60), "nothing is indexed");
        std::thread::park_timeout(Duration::from_millis(5));
    }
    assert!(ledger.close(true));
    assert_eq!(search(&ledger.reader(), "number17", &Filter::default(), 10).len(), 1);
}

#[test]
fn an_index_that_is_old_damaged_or_gone_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(&settings(folder.path()));
    run(&ledger, 0..10);
    assert!(ledger.close(true));
    let reader = ledger.reader();
    let file = Day::of_ms(DAY_MS).words_file(&settings(folder.path()).ledger());
    for harm in ["old", "damaged", "gone"] {
        assert!(reader.index(Duration::MAX).unwrap());
        match harm {
            "old" => {
                let connection = rusqlite::Connection::open(&file).unwrap();
                connection.pragma_update(None, "user_version", 1).unwrap();
            }
            "damaged" => std::fs::write(&file, "this was never an index").unwrap(),
            _ => std::fs::remove_file(&file).unwrap(),
        }
        assert_eq!(reader.indexed().unwrap(), (0, 10), "{harm}");
        assert_eq!(search(&reader, "number3", &Filter::default(), 10).len(), 1, "{harm}");
        assert!(reader.index(Duration::MAX).unwrap());
        assert_eq!(reader.indexed().unwrap(), (10, 10), "{harm}");
        assert_eq!(search(&reader, "number3", &Filter::default(), 10).len(), 1, "{harm}");
    }
}

#[test]
fn words_whose_bodies_are_gone_are_forgotten_and_their_room_is_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(&settings(folder.path()));
    // More than one part.
    run(&ledger, 0..34_000);
    assert!(ledger.close(true));
    let reader = ledger.reader();
    assert!(reader.index(Duration::MAX).unwrap());
    let (day, ledgers) = (Day::of_ms(DAY_MS), settings(folder.path()).ledger());
    let before = super::super::day::size(&day.words_file(&ledgers));
    super::super::words::forget(&ledgers, day, 33_001).unwrap();
    let after = super::super::day::size(&day.words_file(&ledgers));
    assert!(after < before / 4, "{after} of {before} bytes");
    assert_eq!(search(&reader, "number32999", &Filter::default(), 10), []);
    assert_eq!(search(&reader, "number33000", &Filter::default(), 10).len(), 1);
    assert_eq!(reader.indexed().unwrap(), (34_000, 34_000));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever is indexed and however often a search is stopped, all of it together finds what there is, newest first.
    #[test]
    fn pages_of_a_search_are_the_whole(
        counts in prop::collection::vec(1u64..120, 1..4), indexed in any::<bool>(), impatient in any::<bool>(),
        limit in 1usize..40, wanted in 0u64..3,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let ledger = open(&settings(folder.path()));
        let mut all = Vec::new();
        for (day, count) in counts.iter().enumerate() {
            for n in (0..*count).map(|n| day as u64 * 86_400 + n) {
                let mut of_key = exchange(n);
                of_key.settled.key = KeyId::new(&format!("key-{}", n % 3)).ok();
                drop(ledger.settled(of_key));
                all.extend((n % 3 == wanted).then(|| id(n).to_string()));
            }
        }
        prop_assert!(ledger.close(true));
        all.reverse();
        let reader = ledger.reader();
        prop_assert!(!indexed || reader.index(Duration::MAX).unwrap());
        let filter = Filter { key: Some(format!("key-{wanted}")), ..Filter::default() };
        let patience = if impatient { Duration::ZERO } else { Duration::MAX };
        let (mut found, mut before) = (Vec::new(), None);
        loop {
            let search = Search { words: "quest* many", filter: &filter, before, limit, patience };
            let searched = reader.search(&search).unwrap().unwrap();
            prop_assert!(searched.found.len() <= limit && searched.unindexed == 0);
            found.extend(ids(&searched.found));
            prop_assert!(searched.next.is_none_or(|next| before.is_none_or(|before| next < before)));
            before = searched.next;
            if before.is_none() {
                break;
            }
        }
        prop_assert_eq!(found, all);
    }
}
