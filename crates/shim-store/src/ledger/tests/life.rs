//! A ledger with its thread, from opening to the next opening.

use std::time::Duration;

use shim_ir::PicoUsd;

use super::{DAY_MS, admission, check, exchange, flush, id, open, run, settings, wait};
use crate::ledger::{
    Day, Durability, Facet, Facets, Feedback, FeedbackError, Filter, Reader, Settings, Subject,
};

#[test]
fn what_was_settled_is_there_with_its_bodies_after_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(&settings(folder.path()));
    run(&ledger, 0..300);
    assert!(ledger.close(true));
    check(folder.path(), 300, 0, 0);
    let shown = Reader::new(folder.path()).show(id(299)).unwrap().unwrap();
    assert_eq!((shown.row.status, shown.row.model.as_str(), shown.row.usage.unwrap()[0]), (200, "chat", 3));
    let text = |bytes: Option<Vec<u8>>| String::from_utf8(bytes.unwrap()).unwrap();
    assert!(text(shown.request).contains("question number299"));
    assert!(text(shown.answer).contains("answer number299"));
    assert_eq!(Reader::new(folder.path()).show(id(300)).unwrap(), None);
}

#[cfg(unix)]
#[test]
fn the_folder_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    assert!(open(&settings(folder.path())).close(true));
    let mode = std::fs::metadata(folder.path().join("ledger")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn what_is_under_way_at_a_crash_is_abandoned_and_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(&settings(folder.path()));
    run(&ledger, 0..3);
    for n in 3..6 {
        drop(ledger.admitted(admission(n)));
    }
    // The process goes without a word; what it had told was written.
    assert!(ledger.close(false));
    check(folder.path(), 3, 0, 3);
    let ledger = open(&settings(folder.path()));
    let crashed: Vec<_> = ledger.crashed().iter().map(|c| (c.id, c.reserved, c.alias.as_str())).collect();
    assert_eq!(crashed, [3, 4, 5].map(|n| (id(n), PicoUsd(n), "chat")));
    check(folder.path(), 3, 3, 0);
    let row = ledger.reader().show(id(4)).unwrap().unwrap().row;
    assert_eq!((row.outcome.as_str(), row.reason.as_deref()), ("abandoned", Some("crash")));
    // A crash spent nobody knows how much.
    let spent = ledger.spend(Day::of_ms(DAY_MS)).unwrap();
    assert_eq!(spent.iter().map(|row| (row.requests, row.tokens_in)).collect::<Vec<_>>(), [(6, 9)]);
    assert!(spent[0].unknown >= 3);
    assert!(ledger.close(true));
    assert!(open(&settings(folder.path())).crashed().is_empty());
}

#[test]
fn a_settlement_that_was_never_told_ends_with_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(&settings(folder.path()));
    drop(ledger.admitted(admission(0)));
    assert!(ledger.close(true));
    check(folder.path(), 0, 1, 0);
    let row = Reader::new(folder.path()).show(id(0)).unwrap().unwrap().row;
    assert_eq!(row.reason.as_deref(), Some("shed"));
}

#[test]
fn strict_gives_receipts_that_are_ready_when_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let strict = Settings { durability: Durability::Strict, ..settings(folder.path()) };
    let ledger = open(&strict);
    wait(ledger.admitted(admission(0)));
    assert_eq!(Reader::new(folder.path()).verify(false).unwrap().to_json()["open"], 1);
    wait(ledger.settled(exchange(0)));
    // No closing: it is there all the same.
    check(folder.path(), 1, 0, 0);
    let window = open(&settings(&folder.path().join("other")));
    assert!(window.settled(exchange(1)).is_ready());
}

#[test]
fn days_are_files_and_old_ones_go_but_for_their_sums() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(&settings(folder.path()));
    run(&ledger, 0..10);
    run(&ledger, 86_400..86_405);
    assert!(ledger.close(true));
    assert_eq!(Reader::new(folder.path()).days().unwrap().len(), 2);
    let before = open(&settings(folder.path())).spend(Day(0)).unwrap();
    let kept = Settings { bytes_max: 1, ..settings(folder.path()) };
    let retained = super::super::retain::retain(&kept, &[], Day::of_ms(DAY_MS + 2 * 86_400_000)).unwrap();
    assert_eq!(retained.gone.len(), 2);
    assert!(Reader::new(folder.path()).days().unwrap().is_empty());
    let after = open(&settings(folder.path())).spend(Day(0)).unwrap();
    assert_eq!(after, before);
    assert_eq!(after.iter().map(|row| row.requests).collect::<Vec<_>>(), [10, 5]);
}

#[test]
fn an_index_whose_day_is_gone_goes_too() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(&settings(folder.path()));
    run(&ledger, 0..2);
    assert!(ledger.close(true));
    assert!(Reader::new(folder.path()).index(Duration::MAX).unwrap());
    let words = Day::of_ms(DAY_MS).words_file(&settings(folder.path()).ledger());
    assert!(words.exists());
    std::fs::remove_file(Day::of_ms(DAY_MS).file(&settings(folder.path()).ledger())).unwrap();
    super::super::retain::retain(&settings(folder.path()), &[], Day::of_ms(DAY_MS)).unwrap();
    assert!(!words.exists());
}

#[test]
fn facets_are_the_sums_of_what_passes_a_filter() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(&settings(folder.path()));
    for n in 0..30 {
        let mut of_key = exchange(n * 600);
        of_key.settled.key = shim_ir::KeyId::new(["one", "two"][usize::from(n % 2 == 1)]).ok();
        of_key.settled.model = ["chat", "code", "triage"][usize::try_from(n % 3).unwrap()].into();
        drop(ledger.settled(of_key));
    }
    assert!(ledger.close(true));
    let reader = Reader::new(folder.path());
    let requests = |facets: &Facets, of: usize| {
        let names = facets.names[of].iter().map(|(name, facet)| (name.clone(), facet.requests()));
        names.collect::<Vec<_>>()
    };
    let of = |name: &str, requests: u64| (name.to_owned(), requests);
    let all = reader.facets(&Filter::default()).unwrap();
    assert_eq!(requests(&all, 0), [of("one", 15), of("two", 15)]);
    assert_eq!(requests(&all, 2), [of("chat", 10), of("code", 10), of("triage", 10)]);
    assert_eq!(all.hours.values().map(|hour| hour.requests()).collect::<Vec<_>>(), [6, 6, 6, 6, 6]);
    let cost = |facet: &Facet| facet.sums().find(|(name, _)| *name == "cost").unwrap().1;
    assert_eq!(all.names[4].values().map(cost).sum::<u64>(), (0..30).map(|n| 1000 + n * 600).sum::<u64>());
    let one = Filter { key: Some("one".to_owned()), until_ms: Some(DAY_MS + 3_599_999), ..Filter::default() };
    let one = reader.facets(&one).unwrap();
    assert_eq!((requests(&one, 0), one.hours.len()), (vec![of("one", 3)], 1));
}

#[test]
fn age_alone_lets_days_go() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(&settings(folder.path()));
    run(&ledger, 0..2);
    run(&ledger, 86_400..86_402);
    assert!(ledger.close(true));
    let young = Settings { days_max: 2, ..settings(folder.path()) };
    let on =
        |day: u64| super::super::retain::retain(&young, &[], Day::of_ms(DAY_MS + day * 86_400_000)).unwrap();
    assert!(on(1).gone.is_empty());
    assert_eq!(on(2).gone, [Day::of_ms(DAY_MS)]);
}

#[test]
fn feedback_stands_beside_its_exchange_and_only_its_own_key_gives_it() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(&settings(folder.path()));
    let mut named = exchange(0);
    named.client_id = Some("order-7".into());
    drop(ledger.settled(named));
    let feedback = |subject: Subject, key: &str| Feedback {
        subject,
        key: Some(key.to_owned()),
        at_ms: DAY_MS + 5000,
        score: Some(0.5),
        value: Some(true),
        label: Some("good".to_owned()),
        correction: None,
        comment: None,
    };
    ledger.add_feedback(feedback(Subject::Exchange(id(0)), "app")).unwrap();
    ledger.add_feedback(feedback(Subject::Client("order-7".to_owned()), "app")).unwrap();
    for stranger in [
        feedback(Subject::Exchange(id(0)), "other"),
        feedback(Subject::Client("order-7".to_owned()), "other"),
        feedback(Subject::Exchange(id(1)), "app"),
    ] {
        assert_eq!(ledger.add_feedback(stranger), Err(FeedbackError::NoExchange));
    }
    let shown = ledger.reader().show(id(0)).unwrap().unwrap();
    assert_eq!(shown.feedback.len(), 2);
    assert_eq!((&shown.feedback[0]["score"], &shown.feedback[0]["label"]), (&0.5.into(), &"good".into()));
}

#[test]
fn a_reader_follows_while_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(&settings(folder.path()));
    let reader = ledger.reader();
    let (mut seen, mut last) = (Vec::new(), None);
    for n in 0..5 {
        run(&ledger, n..n + 1);
        flush(&ledger);
        let all = reader.each(&Filter::default(), last, |row| {
            seen.push(row.id);
            Ok(())
        });
        last = all.unwrap();
        assert_eq!(seen.len() as u64, n + 1);
    }
    assert_eq!(seen, (0..5).map(|n| id(n).to_string()).collect::<Vec<_>>());
    assert!(ledger.close(true));
}

#[test]
fn invented_models_do_not_fill_the_sums() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(&Settings { commit_every: Duration::from_millis(50), ..settings(folder.path()) });
    for n in 0..10_050 {
        let mut invented = exchange(n % 3600);
        invented.settled.id = shim_ir::ExchangeId(id(n % 3600).0 | (u128::from(n) << 40));
        invented.settled.model = format!("model-{n}").into();
        invented.shed_bodies();
        drop(ledger.settled(invented));
    }
    assert!(ledger.close(true));
    let facets = Reader::new(folder.path()).facets(&Filter::default()).unwrap();
    let models = &facets.names[2];
    assert!(models.len() <= 10_001, "{}", models.len());
    assert!(models["(other)"].requests() >= 49, "{:?}", models["(other)"]);
    check(folder.path(), 10_050, 0, 0);
    let late = Filter { model: Some("model-10049".to_owned()), ..Filter::default() };
    assert_eq!(Reader::new(folder.path()).list(&late, None, 9).unwrap().len(), 1, "it is found all the same");
}
