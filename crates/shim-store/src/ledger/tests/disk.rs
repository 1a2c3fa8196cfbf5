//! Disks that are full, and files that are damaged.

use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use rusqlite::ffi::{SQLITE_CORRUPT, SQLITE_FULL, SQLITE_IOERR};

use super::{DAY_MS, Disk, admission, check, exchange, flush, id, open, run, settings, until_alarmed, wait};
use crate::ledger::{Day, Durability, Reader, Settings, Step};

#[test]
fn a_full_disk_stops_recording_with_an_alarm_and_it_resumes_by_itself() {
    for (step, code) in
        [(Step::Write, SQLITE_FULL), (Step::Commit, SQLITE_FULL), (Step::Commit, SQLITE_IOERR)]
    {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::new();
        let ledger = open(&Settings { faults: Some(disk.clone()), ..settings(folder.path()) });
        run(&ledger, 0..10);
        flush(&ledger);
        disk.fail(Some((step, code)));
        run(&ledger, 10..20);
        until_alarmed(&ledger);
        let alarm = || ledger.alarms().iter().any(|alarm| alarm.contains("not recording"));
        assert!(alarm());
        // Serving goes on, and so does what is told of it.
        run(&ledger, 20..30);
        disk.fail(None);
        // The alarm ends behind the answer to who waited for it.
        flush(&ledger);
        flush(&ledger);
        assert!(!alarm());
        check(folder.path(), 30, 0, 0);
        let first = ledger.reader().show(id(10)).unwrap().unwrap();
        assert_eq!(
            (first.request, first.row.cut),
            (None, (true, true)),
            "what waited for the disk has no bodies"
        );
        assert!(ledger.close(true));
    }
}

#[test]
fn bodies_that_were_let_go_of_twice_are_told_as_cut() {
    let mut exchange = exchange(1);
    for _ in 0..3 {
        exchange.shed_bodies();
        assert!(exchange.request.cut && exchange.answer.cut && exchange.request.is_empty());
    }
}

#[test]
fn a_really_full_file_is_a_full_disk() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(&settings(folder.path()));
    run(&ledger, 0..1);
    assert!(ledger.close(true));
    let mut file = super::super::file::DayFile::open(&settings(folder.path()), Day::of_ms(DAY_MS)).unwrap();
    file.connection.pragma_update(None, "max_page_count", 30).unwrap();
    let mut packer = super::super::body::Packer::new().unwrap();
    let mut pace = super::super::pace::Pace::new(super::super::queue::Queue::new(1 << 20).into());
    let part = |from: u64| super::super::file::Part {
        settled: (from..from + 100).map(|n| (exchange(n), false)).collect(),
        ..Default::default()
    };
    let refused = (0..20)
        .find_map(|n| file.write(&settings(folder.path()), &part(1 + 100 * n), &mut packer, &mut pace).err());
    let refused = refused.unwrap();
    assert_eq!(super::super::schema::trouble(&refused), super::super::schema::Trouble::Disk, "{refused}");
    file.connection.pragma_update(None, "max_page_count", 1 << 30).unwrap();
    file.write(&settings(folder.path()), &part(10_000), &mut packer, &mut pace).unwrap();
    let verified = Reader::new(folder.path()).verify(true).unwrap();
    assert!(verified.holds(), "{verified:#?}");
}

#[test]
fn while_the_disk_refuses_bodies_are_shed_first_and_rows_last() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::new();
    let small =
        Settings { queue_bytes_max: 256 << 10, faults: Some(disk.clone()), ..settings(folder.path()) };
    let ledger = open(&small);
    disk.fail(Some((Step::Write, SQLITE_FULL)));
    run(&ledger, 0..1);
    until_alarmed(&ledger);
    let metrics = &ledger.0.health.metrics;
    let mut n = 1;
    while metrics.rows_shed.get() == 0 {
        run(&ledger, n..n + 1);
        n += 1;
        assert!(ledger.0.queue.bytes() <= 256 << 10, "the queue is bounded");
        if metrics.bodies_shed.get() < 2 {
            assert_eq!((metrics.admissions_shed.get(), metrics.rows_shed.get()), (0, 0), "bodies go first");
        }
        if metrics.admissions_shed.get() == 0 {
            assert_eq!(metrics.rows_shed.get(), 0, "rows go last");
        }
        assert!(n < 100_000);
    }
    assert!(ledger.alarms().iter().any(|alarm| alarm.contains("rows of usage")), "{:?}", ledger.alarms());
    disk.fail(None);
    assert!(ledger.close(true));
    // What was announced and shed is accounted all the same.
    let verified = Reader::new(folder.path()).verify(true).unwrap();
    assert!(verified.holds(), "{verified:#?}");
    let accounted = verified.to_json()["admitted"].as_u64().unwrap();
    assert!(accounted + metrics.rows_shed.get() >= n, "{accounted} of {n}");
}

#[test]
fn strict_does_not_wait_for_a_disk_that_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::new();
    let strict =
        Settings { durability: Durability::Strict, faults: Some(disk.clone()), ..settings(folder.path()) };
    let ledger = open(&strict);
    disk.fail(Some((Step::Commit, SQLITE_FULL)));
    // What comes while the first is tried again does not wait either.
    for n in 0..3 {
        wait(ledger.admitted(admission(n)));
        wait(ledger.settled(exchange(n)));
    }
    disk.fail(None);
    wait(ledger.settled(exchange(3)));
    assert!(ledger.close(true));
    check(folder.path(), 4, 0, 0);
}

/// The file of the tests' day.
fn file(folder: &Path) -> PathBuf {
    Day::of_ms(DAY_MS).file(&super::super::settings::folder(folder))
}

/// Writes garbage over the file's last bytes.
fn spoil(file: &Path, bytes: u64) {
    let mut open = std::fs::OpenOptions::new().write(true).open(file).unwrap();
    let length = open.metadata().unwrap().len();
    open.seek(SeekFrom::Start(length - bytes)).unwrap();
    let garbage: Vec<u8> = (0..bytes).map(|n| u8::try_from(n * 131 % 251).unwrap()).collect();
    open.write_all(&garbage).unwrap();
}

#[test]
fn a_spoilt_last_page_is_found_at_opening_and_what_can_be_read_is_taken_over() {
    for closed in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let ledger = open(&settings(folder.path()));
        run(&ledger, 0..2000);
        assert!(ledger.close(closed));
        spoil(&file(folder.path()), 4096);
        let ledger = open(&settings(folder.path()));
        let alarms = ledger.alarms();
        assert!(alarms.iter().any(|alarm| alarm.contains("damaged")), "{alarms:?}");
        let verified = ledger.reader().verify(true).unwrap();
        assert!(verified.holds(), "{verified:#?}");
        assert_eq!(verified.set_aside.len(), 1, "set aside, not deleted");
        let json = verified.to_json();
        let [settled, lost] = ["settled", "lost"].map(|name| json[name].as_u64().unwrap());
        assert_eq!(settled + lost, 2000);
        assert!(lost < 64, "one page of rows at most: {lost}");
        run(&ledger, 5000..5010);
        assert!(ledger.close(true));
        check(folder.path(), settled + 10, 0, 0);
    }
}

#[test]
fn what_went_with_a_damaged_file_is_told_also_when_the_next_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let mut lost = 0;
    for round in 0..3 {
        let ledger = open(&settings(folder.path()));
        run(&ledger, round * 1000..round * 1000 + 500);
        assert!(ledger.close(true));
        spoil(&file(folder.path()), 4096);
        assert!(open(&settings(folder.path())).close(true));
        let json = Reader::new(folder.path()).verify(true).unwrap().to_json();
        let now = json["lost"].as_u64().unwrap();
        assert!(now >= lost, "{now} are told as lost, {lost} were before");
        assert_eq!(json["settled"].as_u64().unwrap() + now, (round + 1) * 500, "{json}");
        lost = now;
    }
}

#[test]
fn a_file_that_is_no_database_or_torn_off_is_set_aside() {
    for damage in ["garbage", "torn"] {
        let folder = tempfile::tempdir().unwrap();
        let ledger = open(&settings(folder.path()));
        run(&ledger, 0..500);
        assert!(ledger.close(true));
        let file = file(folder.path());
        match damage {
            "garbage" => std::fs::write(&file, "this is not a database, nor was it ever one").unwrap(),
            _ => {
                let open = std::fs::OpenOptions::new().write(true).open(&file).unwrap();
                open.set_len(open.metadata().unwrap().len() / 2 / 4096 * 4096).unwrap();
            }
        }
        let ledger = open(&settings(folder.path()));
        assert_eq!(ledger.alarms().len(), 1, "{damage}: {:?}", ledger.alarms());
        run(&ledger, 1000..1010);
        assert!(ledger.close(true));
        let verified = Reader::new(folder.path()).verify(true).unwrap();
        assert!(verified.holds() && verified.set_aside.len() == 1, "{damage}: {verified:#?}");
        assert!(verified.to_json()["settled"].as_u64().unwrap() >= 10);
    }
}

#[test]
fn damage_found_while_writing_sets_the_file_aside_and_writing_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::new();
    let ledger = open(&Settings { faults: Some(disk.clone()), ..settings(folder.path()) });
    run(&ledger, 0..10);
    drop(ledger.admitted(admission(50)));
    flush(&ledger);
    check(folder.path(), 10, 0, 1);
    disk.fail(Some((Step::Write, SQLITE_CORRUPT)));
    run(&ledger, 10..11);
    until_alarmed(&ledger);
    disk.fail(None);
    run(&ledger, 11..20);
    drop(ledger.settled(exchange(50)));
    assert!(ledger.close(true));
    let verified = Reader::new(folder.path()).verify(true).unwrap();
    assert!(verified.holds() && !verified.set_aside.is_empty(), "{verified:#?}");
    check(folder.path(), 21, 0, 0);
}

#[test]
fn a_file_of_a_newer_program_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(&settings(folder.path()));
    run(&ledger, 0..1);
    assert!(ledger.close(false));
    let connection = rusqlite::Connection::open(file(folder.path())).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    connection.execute("UPDATE meta SET value = 0 WHERE name = 'closed'", []).unwrap();
    drop(connection);
    let refused =
        crate::ledger::Ledger::open(settings(folder.path()), shim_telemetry::LedgerMetrics::default());
    assert!(matches!(refused, Err(crate::StoreError::Newer { found: 99, .. })));
}

#[test]
fn a_day_larger_than_the_bound_loses_its_bodies_and_keeps_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(&settings(folder.path()));
    for n in 0..400 {
        let mut large = exchange(n);
        // What does not compress, and begins like nothing else.
        let noise =
            |k: u64| (k ^ k >> 7).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23).wrapping_mul(k | 1);
        let noise: Vec<u8> = (n << 20..).take(20_000).map(|k| noise(k).to_be_bytes()[1]).collect();
        large.request.pieces = vec![bytes::Bytes::from(noise)];
        drop(ledger.settled(large));
    }
    assert!(ledger.close(true));
    let small = Settings { bytes_max: 1 << 20, ..settings(folder.path()) };
    let open_file = super::super::file::DayFile::open(&small, Day::of_ms(DAY_MS)).unwrap();
    let before = super::super::day::size(&file(folder.path()));
    let retained = super::super::retain::retain(&small, &[open_file], Day::of_ms(DAY_MS)).unwrap();
    let after = super::super::day::size(&file(folder.path()));
    assert!(
        retained.within && retained.gone.is_empty() && after <= 1 << 20 && before > after,
        "{before} {after}"
    );
    check(folder.path(), 400, 0, 0);
    let shown = Reader::new(folder.path()).show(id(0)).unwrap().unwrap();
    assert_eq!((shown.request, shown.gone), (None, Some("they made room for younger ones")));
}
