//! The search.

use super::{exchange, id, open, run, settings};
use crate::ledger::Filter;

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
    let reader = ledger.reader();
    let found = |words: &str, filter: &Filter, limit: usize| {
        let found = reader.search(words, filter, limit).unwrap().unwrap();
        found.into_iter().map(|found| (found.row.id, found.snippet)).collect::<Vec<_>>()
    };
    let any = Filter::default();
    let one = found("number123", &any, 10);
    assert_eq!(one.len(), 1);
    assert!(one[0].0 == id(123).to_string() && one[0].1.contains("question number123"), "{one:?}");
    assert_eq!(found("\"question number5\"", &any, 10).len(), 1, "a phrase");
    assert_eq!(found("\"number5 question\"", &any, 10).len(), 0, "in its order");
    assert_eq!(found("QUESTION many", &any, 1000).len(), 701);
    let newest = found("question", &any, 3);
    assert_eq!(
        newest.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>(),
        [700, 699, 698].map(|n| id(n).to_string())
    );
    assert_eq!(found("fire", &any, 10)[0].0, id(700).to_string(), "faults, too");
    let key = Filter { key: Some("app".to_owned()), ..Filter::default() };
    assert_eq!(found("question", &key, 2)[0].0, id(699).to_string());
    assert_eq!(reader.search(" * ", &any, 1).unwrap(), None);
    assert_eq!(reader.indexed().unwrap(), (701, 701));
}
