//! The ledger of the real binary, killed at any moment under load: everything is accounted once, and what clients saw is
//! there. The same on a disk that is full, and with files whose ends are spoilt.
//!
//! `SHIM_KILLS=1000` kills so often in each test; the default takes some seconds.

mod disk;
pub(crate) mod load;
mod rows;

use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::process::{Running, run};
use load::{Load, Seen};
use rows::Rows;

/// How often a gateway is killed; `SHIM_KILLS` says otherwise.
const KILLS: u64 = 8;

/// How often one folder's is: what it holds is read again and again.
const KILLS_OF_A_FOLDER: u8 = 25;

/// The window of the configuration, and what a commit may take on a machine that does other things as well.
const WINDOW: Duration = Duration::from_millis(20 + 480);

/// How often to kill.
fn kills() -> u64 {
    std::env::var("SHIM_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS)
}

/// The kills of each folder, of so many in all.
fn folders(total: u64) -> impl Iterator<Item = Range<u64>> {
    let each = u64::from(KILLS_OF_A_FOLDER);
    (0..total).step_by(usize::from(KILLS_OF_A_FOLDER)).map(move |first| first..total.min(first + each))
}

/// The `n`th moment between two: spread evenly, and never the same.
fn moment(n: u64, from_ms: u64, to_ms: u64) -> Duration {
    // Multiples of the golden ratio, of which the whole part is let go of, are as far from each other as can be.
    let part = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    Duration::from_micros(from_ms * 1000 + (((to_ms - from_ms) * 1000 * part) >> 32))
}

/// What is certain to be kept.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// What is older than the window.
    Window,
    /// What is older than two: of what went was one commit more.
    Windows,
    /// Whatever a client saw.
    Strict,
}

/// What was seen, by what became of it.
#[derive(Default)]
struct Tally {
    begun: u64,
    answered: u64,
    /// Those that are certain to be kept.
    certain: u64,
    lost_in_the_window: u64,
}

impl Kept {
    fn name(self) -> &'static str {
        match self {
            Self::Window | Self::Windows => "window",
            Self::Strict => "strict",
        }
    }

    /// Whether what was seen `at` is certain to be kept, where the process was killed then.
    fn is_certain(self, at: Instant, killed: Instant) -> bool {
        let age = killed.saturating_duration_since(at);
        match self {
            Self::Window => age > WINDOW,
            Self::Windows => age > 2 * WINDOW,
            Self::Strict => true,
        }
    }

    /// Checks that what clients saw is there: what they saw whole is delivered with its usage, what they saw the beginning of
    /// is settled, or abandoned by the crash. `over` says that somebody has started again since.
    #[track_caller]
    fn check(self, seen: &[Seen], killed: Instant, rows: &Rows, over: bool, tally: &mut Tally) {
        for seen in seen {
            let row = rows.once(&seen.id);
            tally.begun += 1;
            if let Some(whole) = seen.whole {
                tally.answered += 1;
                if self.is_certain(whole, killed) {
                    tally.certain += 1;
                    let age = killed.saturating_duration_since(whole);
                    let row = row.unwrap_or_else(|| {
                        panic!("{} was answered {age:?} before and is not there", seen.id)
                    });
                    assert_eq!(row.outcome, "delivered", "{} was answered", seen.id);
                    assert_eq!(row.tokens, Some((3, 4)), "{} is not accounted as what it was", seen.id);
                    continue;
                }
                tally.lost_in_the_window += u64::from(row.is_none());
            }
            if over && self.is_certain(seen.begun, killed) {
                let row = row.unwrap_or_else(|| panic!("{} was begun and is not there", seen.id));
                let settled = row.outcome == "delivered" || row.outcome == "failed";
                let abandoned = row.outcome == "abandoned" && row.reason.is_some();
                assert!(settled || abandoned, "{} was begun: {row:?}", seen.id);
            }
        }
    }
}

/// Checks that the ledger holds, by the command; what it came to.
#[track_caller]
pub(crate) fn verified(folder: &Path) -> Value {
    let said = run(folder, &["ledger", "verify", "--deep", "--json"]);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    serde_json::from_str(&said.out).unwrap()
}

/// Starts on what the last kill left and ends in order; then nothing is open, and each admitted exchange has one row.
#[track_caller]
fn end(folder: &Path, rows: &mut Rows) -> Value {
    let gateway = Running::start(folder, &["serve"]);
    gateway.signal(Signal::TERM);
    assert_eq!(gateway.end().0.code(), Some(0));
    let found = verified(folder);
    assert_eq!(found["open"], 0, "what was under way is abandoned by a crash: {found}");
    rows.read();
    assert_eq!(rows.len(), found["admitted"].as_u64().unwrap(), "each row once: {found}");
    found
}

/// Kills a gateway under load again and again. Nothing is accounted twice or never.
fn kill(kept: Kept, total: u64) {
    let upstream = load::lab();
    let mut tally = Tally::default();
    for kills in folders(total) {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        load::configure(folder, &upstream, &format!("[store]\ndurability = \"{}\"\n", kept.name()));
        let mut rows = Rows::of(folder);
        let mut before: Option<(Vec<Seen>, Instant)> = None;
        for n in kills {
            let gateway = Running::start(folder, &["serve"]);
            if let Some((seen, killed)) = before.take() {
                rows.read();
                kept.check(&seen, killed, &rows, true, &mut tally);
            }
            let load = Load::start(&gateway.clients);
            // What is certain in the window must have grown old.
            std::thread::sleep(moment(n, 30, if kept == Kept::Strict { 230 } else { 830 }));
            let killed = Instant::now();
            gateway.signal(Signal::KILL);
            let _ = gateway.end();
            let seen = load.stop();
            // Before anybody mends anything it holds already; but who reads may tidy up, so not every time.
            if n.is_multiple_of(2) {
                rows.verify();
                rows.read();
                kept.check(&seen, killed, &rows, false, &mut Tally::default());
            }
            before = Some((seen, killed));
        }
        end(folder, &mut rows);
        if let Some((seen, killed)) = before {
            kept.check(&seen, killed, &rows, true, &mut tally);
        }
    }
    let Tally { begun, answered, certain, lost_in_the_window } = tally;
    eprintln!(
        "{total} kills, {}: {begun} begun, {answered} answered, {certain} of them certain, {lost_in_the_window} lost within \
         the window",
        kept.name()
    );
    assert!(certain > total, "the load was one");
    assert!(total < 100 || begun > answered, "kills fell into answers");
}

#[test]
fn a_gateway_killed_at_any_moment_accounts_everything_once() {
    kill(Kept::Window, kills());
}

#[test]
fn a_strict_gateway_killed_at_any_moment_misses_nothing_a_client_saw() {
    kill(Kept::Strict, kills());
}
