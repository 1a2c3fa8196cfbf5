//! The laws of the ledger: whatever happens between any two steps, every admitted exchange is accounted exactly once.

mod disk;
mod laws;
mod life;
mod record;
mod reprice;
mod words;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use bytes::Bytes;
use shim_ir::{Dialect, ExchangeId, Generation, KeyId, PicoUsd, Tokens, Usage};
use shim_policy::record::Record;
use shim_telemetry::{LedgerMetrics, Outcome, Settled};

use super::{Admission, Exchange, Faults, Feedback, Kept, Ledger, Reader, Receipt, Settings, Step, Subject};

/// 2026-11-26T00:00:00Z.
pub(super) const DAY_MS: u64 = 1_795_651_200_000;

/// The id of the `n`th exchange of a test: one a second, the first as the day begins.
fn id(n: u64) -> ExchangeId {
    ExchangeId(u128::from(DAY_MS + n * 1000) << 80 | 7 << 76 | u128::from(n))
}

fn admission(n: u64) -> Admission {
    let at_ms = id(n).at_ms();
    let key = Some(KeyId::new("app").unwrap());
    Admission { id: id(n), at_ms, key, model: "chat".into(), reserved: PicoUsd(n) }
}

/// A delivered exchange of seven tokens.
fn settled(n: u64) -> Settled {
    Settled {
        client_id: None,
        reserved: None,
        charged: None,
        id: id(n),
        at_ms: id(n).at_ms(),
        generation: Generation(3),
        dialect: Dialect::OpenaiChat,
        operation: "generate",
        key: Some(KeyId::new("app").unwrap()),
        model: "chat".into(),
        target: Some("lab/one".into()),
        attempts: 1,
        status: 200,
        outcome: Outcome::Delivered,
        fault: None,
        detail: None,
        streamed: false,
        usage: Some(Usage { input_uncached: Tokens(3), output_text: Tokens(4), ..Usage::default() }),
        cost: Some(PicoUsd(1000 + n)),
        basis: shim_ir::Basis::Listed,
        terms: Some(shim_telemetry::Terms { complete: true, ..shim_telemetry::Terms::default() }),
        failed: Vec::new(),
        finish: None,
        losses: None,
        request_bytes: 10,
        answer_bytes: 20,
        first_token_us: None,
        duration_us: 2500,
    }
}

pub(super) fn exchange(n: u64) -> Box<Exchange> {
    let body = |text: String| Kept { pieces: vec![Bytes::from(text)], cut: false };
    Box::new(Exchange {
        settled: settled(n),
        team: None,
        client_id: None,
        record: Record::Full,
        request: body(format!(r#"{{"messages":[{{"content":"question number{n} of many"}}]}}"#)),
        answer: body(format!(r#"{{"choices":[{{"message":{{"content":"answer number{n}"}}}}]}}"#)),
    })
}

/// The row of the `n`th exchange, as it is read.
pub(super) fn row(n: u64) -> super::Row {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(&settings(folder.path()));
    run(&ledger, n..n + 1);
    assert!(ledger.close(true));
    let found = Reader::new(folder.path()).show(id(n)).unwrap();
    found.unwrap().row
}

/// Settings for tests: what waits for time waits for little.
pub(super) fn settings(folder: &Path) -> Settings {
    let days_max = u32::MAX;
    let retry_every = Duration::from_millis(5);
    let commit_every = Duration::from_millis(1);
    Settings { commit_every, retry_every, days_max, ..Settings::new(folder) }
}

pub(super) fn open(settings: &Settings) -> Ledger {
    Ledger::open(settings.clone(), LedgerMetrics::default()).unwrap()
}

/// Admits and settles the exchanges `of`.
pub(super) fn run(ledger: &Ledger, of: std::ops::Range<u64>) {
    for n in of {
        drop(ledger.admitted(admission(n)));
        drop(ledger.settled(exchange(n)));
    }
}

/// Checks that the ledger holds, and how many exchanges are settled, abandoned and open.
#[track_caller]
fn check(folder: &Path, settled: u64, abandoned: u64, open: u64) {
    let verified = Reader::new(folder).verify(true).unwrap();
    assert!(verified.holds(), "{:#?}", verified);
    let json = verified.to_json();
    let found = ["settled", "abandoned", "open", "admitted"].map(|name| json[name].as_u64().unwrap());
    assert_eq!(found, [settled, abandoned, open, settled + abandoned + open]);
}

/// Waits until all that was told is written: who says something of an exchange is answered behind it.
fn flush(ledger: &Ledger) {
    let unheard = Feedback {
        subject: Subject::Exchange(id(86_000)),
        key: None,
        at_ms: DAY_MS,
        score: None,
        value: None,
        label: None,
        correction: None,
        comment: None,
    };
    assert!(ledger.add_feedback(unheard).is_err());
}

/// Waits for an alarm of a disk that fails: who waits for such a disk is told nothing.
#[track_caller]
fn until_alarmed(ledger: &Ledger) {
    for _ in 0..4000 {
        if !ledger.alarms().is_empty() {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
    panic!("waited in vain for an alarm");
}

/// Waits for a receipt.
fn wait(mut receipt: Receipt) {
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    while receipt.poll_ready(&mut Context::from_waker(&waker)).is_pending() {
        std::thread::park();
    }
}

/// A disk that fails when it is told to.
#[derive(Default)]
struct Disk(Mutex<Option<(Step, i32)>>);

impl Disk {
    fn new() -> Arc<Self> {
        Arc::default()
    }

    /// From now on every such step fails with this code of SQLite's; or none does.
    fn fail(&self, with: Option<(Step, i32)>) {
        *self.0.lock().unwrap() = with;
    }
}

impl Faults for Disk {
    fn at(&self, step: Step) -> rusqlite::Result<()> {
        match *self.0.lock().unwrap() {
            Some((failing, code)) if failing == step => {
                Err(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None))
            }
            _ => Ok(()),
        }
    }
}
