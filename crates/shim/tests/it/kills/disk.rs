//! Kills while the disk is full, and files whose ends are spoilt.

use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use rustix::process::Signal;

use super::load::{self, Load};
use super::rows::Rows;
use super::{Kept, Tally, end, folders, kills, moment};
use crate::process::{Running, until};

/// Set in the process that has mounts of its own.
const INSIDE: &str = "SHIM_TEST_MOUNTS";

/// Bytes of the disk that gets full when it is filled, and not before: a write-ahead log takes up to half of it.
const DISK_BYTES: u64 = 32 << 20;

/// Whether this process has mounts of its own. Where it has not, the test is run in one that has, if the system lets anybody
/// have them.
fn has_mounts(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let own = |program: &Path, args: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount"]).arg(program).args(args).env(INSIDE, "1");
        command.status()
    };
    let may = own(Path::new("mount"), &["-t", "tmpfs", "-o", "size=64k", "shim", "/mnt"]);
    if may.is_ok_and(|status| status.success()) {
        let ran = own(&std::env::current_exe().unwrap(), &[test, "--exact", "--nocapture"]);
        assert!(ran.unwrap().success(), "{test} failed on a disk of its own");
    } else {
        eprintln!("skipped: this system lets nobody mount a file system of their own");
    }
    false
}

/// Fills a disk to its last byte; what it is filled with.
fn fill(folder: &Path) -> PathBuf {
    let file = folder.join("filling");
    let mut filling = std::fs::File::create(&file).unwrap();
    let mut piece = 64 << 10;
    while piece > 0 {
        if filling.write_all(&vec![1; piece]).is_err() {
            piece /= 2;
        }
    }
    file
}

/// What was answered before the disk was full is kept; meanwhile serving goes on. Every other kill falls into the time when
/// the disk has just been freed again.
#[test]
fn kills_on_a_full_disk_lose_nothing_that_was_on_it() {
    if !has_mounts("kills::disk::kills_on_a_full_disk_lose_nothing_that_was_on_it") {
        return;
    }
    let upstream = load::lab();
    for kept in [Kept::Window, Kept::Strict] {
        let mut tally = Tally::default();
        for kills in folders(kills()) {
            let folder = tempfile::tempdir().unwrap();
            let disk = folder.path().join("shim-data");
            std::fs::create_dir(&disk).unwrap();
            let size = format!("size={DISK_BYTES}");
            let mounted =
                Command::new("mount").args(["-t", "tmpfs", "-o", &size, "shim"]).arg(&disk).status();
            assert!(mounted.unwrap().success());
            let store = format!("[store]\ndurability = \"{}\"\n", kept.name());
            load::configure(folder.path(), &upstream, &store);
            let mut rows = Rows::of(folder.path());
            for n in kills {
                kill_when_full(folder.path(), kept, n, &mut rows, &mut tally);
            }
            end(folder.path(), &mut rows);
            assert!(Command::new("umount").arg(&disk).status().unwrap().success());
        }
        eprintln!("{} kills on a full disk, {}: {} answers certain", kills(), kept.name(), tally.certain);
        assert!(tally.certain > 0, "something was certain to be kept");
    }
}

fn kill_when_full(folder: &Path, kept: Kept, n: u64, rows: &mut Rows, tally: &mut Tally) {
    let gateway = Running::start(folder, &["serve"]);
    let load = Load::start(&gateway.clients);
    std::thread::sleep(moment(n, 20, 920));
    let full_at = Instant::now();
    let filling = fill(&folder.join("shim-data"));
    until("the alarm", || gateway.page("/v1/status").body.contains("not recording").then_some(()));
    let answered = load.answered();
    until("answers on a full disk", || (load.answered() > answered + 8).then_some(()));
    if n.is_multiple_of(2) {
        std::fs::remove_file(&filling).unwrap();
    }
    std::thread::sleep(moment(n, 0, 100));
    gateway.signal(Signal::KILL);
    let _ = gateway.end();
    let seen = load.stop();
    let _ = std::fs::remove_file(&filling);
    // What the disk did not take is lost with the process that waited for it; what came before is not.
    let before = seen.into_iter().filter(|seen| seen.whole.is_some_and(|whole| whole < full_at));
    let verified = rows.verify();
    assert!(verified.set_aside.is_empty(), "a full disk damages nothing: {verified:#?}");
    rows.read();
    kept.check(&before.collect::<Vec<_>>(), full_at, rows, false, tally);
}

/// Writes over the last bytes of a file.
fn spoil(file: &Path, bytes: u64) {
    let mut open = std::fs::OpenOptions::new().write(true).open(file).unwrap();
    let length = open.metadata().unwrap().len();
    open.seek(SeekFrom::Start(length.saturating_sub(bytes))).unwrap();
    open.write_all(&vec![0xa5; usize::try_from(bytes.min(length)).unwrap()]).unwrap();
}

/// The newest file of the ledger with this ending.
fn newest(folder: &Path, ending: &str) -> PathBuf {
    let files =
        std::fs::read_dir(folder.join("shim-data/ledger")).unwrap().map(|entry| entry.unwrap().path());
    let of_days = files.filter(|file| {
        let name = file.file_name().unwrap().to_str().unwrap();
        name.ends_with(ending) && name.len() == "2026-11-26".len() + ending.len()
    });
    of_days.max().unwrap()
}

/// Of a file whose last page is spoilt after a kill, what can be read is taken over, and what cannot is told.
#[test]
fn a_last_page_that_is_spoilt_after_a_kill_costs_what_was_on_it_and_that_is_told() {
    let upstream = load::lab();
    let (mut lost, mut set_aside) = (0, 0);
    for kills in folders(kills()) {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        load::configure(folder, &upstream, "[store]\ndurability = \"strict\"\n");
        let (mut rows, mut lost_here) = (Rows::of(folder), 0);
        for n in kills {
            kill_and_spoil_a_page(folder, n, &mut rows, &mut lost_here);
        }
        let found = end(folder, &mut rows);
        lost += lost_here;
        set_aside += found["set_aside"].as_array().unwrap().len();
    }
    assert!(set_aside > 0, "some of it was damage");
    eprintln!("{} spoilt last pages, {set_aside} files set aside: {lost} rows lost and told of", kills());
}

fn kill_and_spoil_a_page(folder: &Path, n: u64, rows: &mut Rows, lost_before: &mut u64) {
    let gateway = Running::start(folder, &["serve"]);
    let load = Load::start(&gateway.clients);
    until("answers", || (load.answered() > 40).then_some(()));
    std::thread::sleep(moment(n, 0, 50));
    gateway.signal(Signal::KILL);
    let _ = gateway.end();
    let seen = load.stop();
    // Who reads copies the write-ahead log into the file.
    let before = rows.verify().to_json();
    spoil(&newest(folder, ".db"), 4096);
    let gateway = Running::start(folder, &["serve"]);
    gateway.signal(Signal::TERM);
    assert_eq!(gateway.end().0.code(), Some(0));
    let after = rows.verify().to_json();
    rows.read_anew();
    let number = |of: &serde_json::Value, name: &str| of[name].as_u64().unwrap();
    let lost = number(&after, "lost") - *lost_before;
    let missing = seen.iter().filter(|seen| rows.once(&seen.id).is_none()).count() as u64;
    assert!(missing <= lost, "{missing} are missing, {lost} are told as lost: {before} {after}");
    assert_eq!(number(&after, "open"), 0);
    assert!(number(&after, "admitted") + lost >= number(&before, "admitted"), "{before} {after}");
    *lost_before += lost;
}

/// Of a write-ahead log whose end is spoilt after a kill, the last commit goes, and what the kill took: that is not older than
/// two windows.
#[test]
fn an_end_of_the_log_that_is_spoilt_after_a_kill_costs_no_more_than_two_windows() {
    let upstream = load::lab();
    let mut tally = Tally::default();
    for kills in folders(kills()) {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        load::configure(folder, &upstream, "");
        let mut rows = Rows::of(folder);
        for n in kills {
            let gateway = Running::start(folder, &["serve"]);
            let load = Load::start(&gateway.clients);
            std::thread::sleep(moment(n, 1030, 1230));
            let killed = Instant::now();
            gateway.signal(Signal::KILL);
            let _ = gateway.end();
            let seen = load.stop();
            spoil(&newest(folder, ".db-wal"), 4096);
            rows.verify();
            rows.read();
            Kept::Windows.check(&seen, killed, &rows, false, &mut tally);
        }
        end(folder, &mut rows);
    }
    eprintln!("{} spoilt logs: {} answers certain", kills(), tally.certain);
    assert!(tally.certain > 0);
}
