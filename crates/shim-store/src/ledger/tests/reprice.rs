//! Costs reckoned anew: rows, sums and what budgets rest on change together, or not at all.

use proptest::prelude::*;
use rusqlite::Connection;
use shim_ir::{Basis, FaultKind, PicoUsd};
use shim_telemetry::{Outcome, Terms, Tried};

use super::{DAY_MS, Disk, check, exchange, id, open, run, settings};
use crate::SqliteState;
use crate::ledger::mend::mend;
use crate::ledger::{
    Change, Day, Exchange, Filter, Ledger, Price, Priced, Reader, RepriceReport, Repriced, Resting, Row, Step,
};

/// Every row there is.
fn rows(reader: &Reader) -> Vec<Row> {
    let mut rows = Vec::new();
    reader
        .each(&Filter::default(), None, |row| {
            rows.push(row);
            Ok(())
        })
        .unwrap();
    rows
}

/// What was spent and how often that is not known, by the sums.
fn spent(reader: &Reader) -> (u64, u64) {
    let days = reader.spend(Day(0)).unwrap();
    days.iter().fold((0, 0), |(spent, unknown), row| (spent + row.settled.0, unknown + row.unknown))
}

/// Reckons anew in a store that nobody has open.
fn rest(folder: &std::path::Path, filter: &Filter, mut price: impl FnMut(&Priced) -> Price) -> RepriceReport {
    let lock = SqliteState::open(folder).unwrap();
    let resting = Resting::new(folder, &lock);
    let mut apply = |day, changes: Vec<Change>| {
        let changed = resting.apply(day, changes);
        assert!(Reader::new(folder).verify(true).unwrap().holds(), "after every piece");
        changed
    };
    Reader::new(folder).reprice(filter, &mut price, &mut apply).unwrap()
}

/// What would be changed.
fn look(folder: &std::path::Path, mut price: impl FnMut(&Priced) -> Price) -> RepriceReport {
    Reader::new(folder).reprice(&Filter::default(), &mut price, &mut |_, _| Ok(0)).unwrap()
}

fn one(report: &RepriceReport) -> Repriced {
    assert_eq!(report.targets.len(), 1, "{report:?}");
    *report.targets.values().next().unwrap()
}

/// Writes exchanges, and closes the ledger.
fn write(folder: &std::path::Path, exchanges: impl IntoIterator<Item = Box<Exchange>>) {
    let ledger = open(&settings(folder));
    exchanges.into_iter().for_each(|exchange| drop(ledger.settled(exchange)));
    assert!(ledger.close(true));
}

/// Seven tokens at so much each.
fn each_token(price: u64) -> impl FnMut(&Priced) -> Price {
    move |priced| {
        let usage = &priced.usage;
        Price::Known(PicoUsd(price * (usage.input_total() + usage.output_total()).0))
    }
}

#[test]
fn another_price_changes_rows_sums_and_what_was_spent() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), (0..10).map(exchange));
    let reader = Reader::new(folder.path());
    let before: u64 = (0..10).map(|n| 1000 + n).sum();
    let looked = look(folder.path(), each_token(9));
    let told = one(&looked);
    assert_eq!((told.rows, told.changed, told.before, told.after), (10, 10, before, 10 * 63));
    assert_eq!((looked.written, spent(&reader)), (0, (before, 0)), "a look changes nothing");
    assert_eq!(rest(folder.path(), &Filter::default(), each_token(9)).written, 10);
    assert_eq!(spent(&reader), (630, 0));
    assert!(rows(&reader).iter().all(|row| (row.cost, row.charged) == (Some(63), Some(63))));
    let again = rest(folder.path(), &Filter::default(), each_token(9));
    assert_eq!((again.written, one(&again).changed), (0, 0));
    check(folder.path(), 10, 0, 0);
}

#[test]
fn only_what_is_asked_for_changes() {
    let folder = tempfile::tempdir().unwrap();
    let exchanges = (0..20).map(|n| {
        let mut exchange = exchange(n);
        exchange.settled.target = Some(if n % 2 == 0 { "lab/one" } else { "lab/two" }.into());
        exchange
    });
    write(folder.path(), exchanges);
    let filter = Filter {
        target: Some("lab/two".to_owned()),
        since_ms: Some(DAY_MS + 4_000),
        until_ms: Some(DAY_MS + 10_000),
        ..Filter::default()
    };
    assert_eq!(rest(folder.path(), &filter, each_token(1)).written, 3);
    let changed: Vec<_> = rows(&Reader::new(folder.path()))
        .into_iter()
        .filter(|row| row.cost == Some(7))
        .map(|r| r.id)
        .collect();
    assert_eq!(changed, [5, 7, 9].map(|n| id(n).to_string()));
}

#[test]
fn what_was_stated_stays_and_what_is_not_known_stays_unknown() {
    let folder = tempfile::tempdir().unwrap();
    let with = |n: u64, change: fn(&mut shim_telemetry::Settled)| {
        let mut exchange = exchange(n);
        change(&mut exchange.settled);
        exchange
    };
    let stated = |terms: Option<Terms>| Some(Terms { stated: true, ..terms.unwrap_or_default() });
    let exchanges = [
        with(0, |s| (s.basis, s.cost) = (Basis::Stated, Some(PicoUsd(5)))),
        with(1, |s| s.basis = Basis::Partial),
        with(2, |s| (s.basis, s.cost) = (Basis::Unknown, None)),
        with(3, |s| (s.usage, s.terms, s.cost) = (None, None, None)),
        with(4, |s| s.terms = Some(Terms { complete: false, ..Terms::default() })),
    ];
    let exchanges = exchanges.map(|mut exchange| {
        if exchange.settled.basis == Basis::Stated || exchange.settled.basis == Basis::Partial {
            exchange.settled.terms = stated(exchange.settled.terms.take());
        }
        exchange
    });
    write(folder.path(), exchanges);
    let reader = Reader::new(folder.path());
    let unknown = look(folder.path(), |_| Price::Unknown);
    assert_eq!((one(&unknown).stated, one(&unknown).became_unknown), (2, 1));
    let unlisted = rest(folder.path(), &Filter::default(), |_| Price::Unlisted);
    assert_eq!((unlisted.written, one(&unlisted).unlisted, one(&unlisted).rows), (0, 2, 4));
    let report = rest(folder.path(), &Filter::default(), each_token(1));
    assert_eq!((report.written, one(&report).became_known), (2, 1));
    let found: Vec<_> = rows(&reader).into_iter().map(|row| (row.cost, row.basis.unwrap())).collect();
    let told = |cost, basis: &str| (cost, basis.to_owned());
    let wanted = [
        told(Some(5), "stated"),
        told(Some(1001), "partial"),
        told(Some(7), "listed"),
        told(None, "listed"),
        told(Some(7), "partial"),
    ];
    assert_eq!(found, wanted);
}

#[test]
fn failed_attempts_are_part_of_it_and_an_estimate_is_no_less_than_what_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let tried = |cost: Option<u64>| Tried {
        target: "lab/two".into(),
        fault: FaultKind::UpstreamError,
        status: None,
        cost: cost.map(PicoUsd),
        failed_us: 1,
    };
    let exchanges = [(0, Some(100), None), (1, None, None), (2, Some(0), Some(9000)), (3, Some(0), Some(3))];
    write(
        folder.path(),
        exchanges.map(|(n, failure, charged)| {
            let mut exchange = exchange(n);
            exchange.settled.failed = vec![tried(failure)];
            exchange.settled.charged = charged.map(PicoUsd);
            if n == 2 {
                exchange.settled.outcome = Outcome::Abandoned;
            }
            exchange
        }),
    );
    let reader = Reader::new(folder.path());
    assert_eq!(rows(&reader)[0].delivered(), Some(900));
    rest(folder.path(), &Filter::default(), each_token(1));
    let found: Vec<_> = rows(&reader)
        .into_iter()
        .map(|row| (row.cost.unwrap(), row.charged.unwrap(), row.delivered().unwrap(), row.basis.unwrap()))
        .collect();
    let listed = "listed".to_owned();
    assert_eq!(found[0], (107, 107, 7, listed.clone()));
    assert_eq!(found[1], (7, 7, 7, "partial".to_owned()));
    assert_eq!(found[2], (7, 9000, 0, listed.clone()));
    assert_eq!(found[3], (7, 7, 7, listed));
}

#[test]
fn beside_a_running_gateway_its_writer_does_it() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(&settings(folder.path()));
    run(&ledger, 0..9000);
    super::flush(&ledger);
    std::thread::scope(|scope| {
        scope.spawn(|| run(&ledger, 9000..12_000));
        let report = through(&ledger, each_token(2)).unwrap();
        let told = one(&report);
        assert!(
            told.rows >= 9000 && told.changed == told.rows && report.written == told.changed,
            "{report:?}"
        );
        let verified = ledger.reader().verify(true).unwrap();
        assert!(verified.holds(), "{verified:#?}");
    });
    assert!(ledger.close(true));
    check(folder.path(), 12_000, 0, 0);
    let still = look(folder.path(), each_token(2));
    assert!(one(&still).changed <= 3000, "what came meanwhile is priced as it came");
}

fn through(
    ledger: &Ledger,
    mut price: impl FnMut(&Priced) -> Price,
) -> Result<RepriceReport, crate::StoreError> {
    let mut apply = |day, changes| Ok(ledger.reprice(day, changes)?.len() as u64);
    ledger.reader().reprice(&Filter::default(), &mut price, &mut apply)
}

#[test]
fn a_disk_that_refuses_leaves_everything_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::new();
    let ledger = open(&super::Settings { faults: Some(disk.clone()), ..settings(folder.path()) });
    run(&ledger, 0..5);
    super::flush(&ledger);
    let before = rows(&ledger.reader());
    disk.fail(Some((Step::Write, rusqlite::ffi::SQLITE_FULL)));
    assert!(through(&ledger, each_token(2)).is_err());
    assert_eq!(rows(&ledger.reader()), before);
    disk.fail(None);
    assert_eq!(through(&ledger, each_token(2)).unwrap().written, 5);
    assert!(ledger.close(true));
    check(folder.path(), 5, 0, 0);
}

#[test]
fn a_change_of_what_is_not_as_it_was_read_is_none() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), (0..3).map(exchange));
    let lock = SqliteState::open(folder.path()).unwrap();
    let resting = Resting::new(folder.path(), &lock);
    let mut twice = |day, changes: Vec<Change>| {
        assert_eq!(resting.apply(day, changes.clone()).unwrap(), 3);
        resting.apply(day, changes)
    };
    let report =
        Reader::new(folder.path()).reprice(&Filter::default(), &mut each_token(1), &mut twice).unwrap();
    assert_eq!(report.written, 0);
    check(folder.path(), 3, 0, 0);
}

#[test]
fn sums_that_are_full_or_of_others_stay_those_of_the_rows() {
    let folder = tempfile::tempdir().unwrap();
    let models = 10_050;
    let exchanges = (0..models).map(|n| {
        let mut exchange = exchange(n);
        exchange.settled.id = shim_ir::ExchangeId(u128::from(DAY_MS) << 80 | 7 << 76 | u128::from(n));
        exchange.settled.at_ms = DAY_MS;
        exchange.settled.model = format!("invented {n}").into();
        exchange.settled.cost = Some(PicoUsd(if n > models - 4 { u64::MAX / 3 } else { 5 }));
        exchange
    });
    write(folder.path(), exchanges);
    assert_eq!(rest(folder.path(), &Filter::default(), each_token(1)).written, models);
    assert_eq!(spent(&Reader::new(folder.path())), (7 * models, 0));
}

/// Makes of a day's file one of an older program.
fn age(folder: &std::path::Path) {
    let connection = Connection::open(Day::of_ms(DAY_MS).file(&folder.join("ledger"))).unwrap();
    for column in ["service", "region", "searches", "complete", "stated", "failures"] {
        connection.execute_batch(&format!("ALTER TABLE exchanges DROP COLUMN {column}")).unwrap();
    }
    connection.pragma_update(None, "user_version", 1).unwrap();
}

#[test]
fn a_file_of_an_older_program_is_read_migrated_and_mended() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), (0..5).map(exchange));
    age(folder.path());
    let reader = Reader::new(folder.path());
    check(folder.path(), 5, 0, 0);
    let old = rows(&reader);
    assert_eq!((old.len(), old[4].cost, old[4].searches), (5, Some(1004), None));
    assert_eq!(reader.list(&Filter::default(), None, 2).unwrap().len(), 2);
    let report = look(folder.path(), each_token(1));
    assert_eq!((one(&report).untold, one(&report).changed), (5, 0), "nobody knows what they were priced by");
    // What is there is taken over into a file of today.
    let mended = mend(&folder.path().join("ledger"), Day::of_ms(DAY_MS), 1).unwrap();
    assert_eq!((mended.rows, mended.lost), (5, 0));
    assert_eq!(rows(&reader), old);
    age(folder.path());
    write(folder.path(), (5..7).map(exchange));
    check(folder.path(), 7, 0, 0);
    let report = rest(folder.path(), &Filter::default(), each_token(1));
    assert_eq!((one(&report).untold, report.written), (5, 2));
}

/// An exchange whose money is in any state it can be in.
fn any_exchange() -> impl Strategy<Value = Box<Exchange>> {
    let money = (prop::option::of(0u64..1000), prop::option::of(0u64..1000), 0..4u8, any::<bool>());
    let failed = prop::collection::vec(prop::option::of(0u64..50), 0..3);
    (0u64..400, money, failed, 0..3u8, 0..3u8).prop_map(
        |(n, (cost, charged, basis, complete), failed, key, outcome)| {
            let mut exchange = exchange(n);
            let settled = &mut exchange.settled;
            settled.cost = cost.map(PicoUsd);
            settled.charged = charged.map(PicoUsd);
            settled.basis =
                [Basis::Stated, Basis::Listed, Basis::Partial, Basis::Unknown][usize::from(basis)];
            let stated = settled.basis == Basis::Stated;
            settled.terms = Some(Terms { complete, stated, searches: n % 3, ..Terms::default() });
            settled.outcome = [Outcome::Delivered, Outcome::Failed, Outcome::Abandoned][usize::from(outcome)];
            settled.model = format!("model {key}").into();
            let tried = |cost: Option<u64>| Tried {
                target: "lab/two".into(),
                fault: FaultKind::UpstreamError,
                status: None,
                cost: cost.map(PicoUsd),
                failed_us: 1,
            };
            settled.failed = failed.into_iter().map(tried).collect();
            exchange
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn the_sums_are_those_of_the_rows_whatever_prices_become(
        exchanges in prop::collection::vec(any_exchange(), 1..60),
        prices in prop::collection::vec(prop::collection::vec(0..4u8, 3), 1..3),
    ) {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), exchanges);
        let reader = Reader::new(folder.path());
        for round in prices {
            let price = |priced: &Priced| match round[usize::try_from(priced.searches).unwrap()] {
                0 => Price::Unknown,
                1 => Price::Unlisted,
                n => Price::Known(PicoUsd(u64::from(n) * 100)),
            };
            let told = one(&look(folder.path(), price));
            let before = rows(&reader);
            let report = rest(folder.path(), &Filter::default(), price);
            prop_assert_eq!((report.written, one(&report)), (told.changed, told));
            let after = rows(&reader);
            let charged = |rows: &[Row]| rows.iter().map(|row| row.charged.unwrap_or(0)).sum::<u64>();
            prop_assert_eq!(spent(&reader).0, charged(&after));
            prop_assert_eq!(told.after, after.iter().map(|row| row.cost.unwrap_or(0)).sum::<u64>());
            for (before, after) in before.iter().zip(&after) {
                let stated = before.basis.as_deref() == Some("stated");
                prop_assert!(!stated || before == after, "what was stated stays");
                prop_assert!(after.cost.is_none_or(|cost| after.charged.is_some_and(|c| c >= cost || stated || before == after)));
            }
            prop_assert_eq!(one(&look(folder.path(), price)).changed, 0, "it ends");
        }
    }
}
