//! Fills a ledger with many rows, then times what is asked of it: what recording costs, and whether reading stays quick
//! when there is much.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Parser;
use serde_json::{Value, json};
use shim_ir::{Basis, Dialect, ExchangeId, Generation, KeyId, PicoUsd, Tokens, Usage};
use shim_policy::record::Record;
use shim_store::StoreError;
use shim_store::ledger::{Day, Exchange, Filter, Kept, Ledger, Reader, Settings};
use shim_telemetry::{LedgerMetrics, Outcome, Settled};

/// Fills a ledger and times it. Prints one JSON object.
#[derive(Parser)]
struct Options {
    /// The store's folder; a ledger that is there is kept and timed with what is added.
    #[arg(long)]
    store: PathBuf,
    /// Rows to add.
    #[arg(long, default_value_t = 1_000_000)]
    rows: u64,
    /// Over how many days.
    #[arg(long, default_value_t = 10)]
    days: u64,
    /// Bytes of a request's body; the answer's is a quarter. 0 records no bodies.
    #[arg(long, default_value_t = 400)]
    body_bytes: usize,
    /// Index all words before the search is timed; otherwise the first search does.
    #[arg(long)]
    index: bool,
}

/// 2026-11-01T00:00:00Z.
const FIRST_MS: u64 = 1_793_491_200_000;

/// Exchanges told that are not written yet: the queue has room for them with their bodies.
const AHEAD_MAX: u64 = 20_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::parse();
    let settings = Settings { bytes_max: u64::MAX, days_max: u32::MAX, ..Settings::new(&options.store) };
    let metrics = LedgerMetrics::default();
    let opened = Instant::now();
    let ledger = Ledger::open(settings, metrics.clone())?;
    let open_ms = ms(opened);
    let (since, before) = (Instant::now(), cpu());
    for n in 0..options.rows {
        while n.saturating_sub(metrics.rows.get() + metrics.rows_shed.get()) > AHEAD_MAX {
            std::thread::sleep(Duration::from_millis(1));
        }
        drop(ledger.settled(Box::new(exchange(n, &options))));
    }
    if !ledger.close(true) {
        return Err("the ledger did not close in time".into());
    }
    let filled = since.elapsed();
    let cpu_us = (cpu() - before).as_micros() as f64 / options.rows.max(1) as f64;
    let shed = metrics.bodies_shed.get() + metrics.rows_shed.get();
    let told = json!({
        "rows": options.rows, "open_ms": open_ms, "fill_s": filled.as_secs_f64(), "shed": shed,
        "us_per_exchange_of_all_threads": cpu_us, "timed": timed(&options)?,
        "bytes_on_disk": size(&options.store.join("ledger"))?, "memory_max_kib": memory_max_kib(),
    });
    writeln!(io::stdout(), "{told}")?;
    Ok(())
}

/// How long what operators ask takes, in milliseconds.
fn timed(options: &Options) -> Result<Value, StoreError> {
    let reader = Reader::new(&options.store);
    let verify = clock(|| reader.verify(false))?;
    let any = Filter::default();
    let facets = clock(|| reader.facets(&any))?;
    let rare = Filter { key: Some("key-rare".to_owned()), ..Filter::default() };
    let list = clock(|| reader.list(&any, None, 100))?;
    let filtered = clock(|| reader.list(&rare, None, 100))?;
    let spend = clock(|| reader.spend(Day(0)))?;
    let index = if options.index { Some(clock(|| reader.index(Duration::MAX / 4))?) } else { None };
    let search = |words: &str| clock(|| reader.search(words, &any, 20));
    let first = search("needle")?;
    Ok(json!({
        "verify": verify, "facets": facets, "list": list, "list_of_a_rare_key": filtered, "spend": spend,
        "index_all": index, "search_first": first, "search_rare": search("needle")?,
        "search_common": search("question")?, "search_two_words": search("needle question")?,
        "search_key": clock(|| reader.search("question", &rare, 20))?,
    }))
}

fn clock<T>(run: impl FnOnce() -> Result<T, StoreError>) -> Result<f64, StoreError> {
    let since = Instant::now();
    run()?;
    Ok(ms(since))
}

fn ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

/// An exchange like no other, and most like the one before.
fn exchange(n: u64, options: &Options) -> Exchange {
    let per_day = options.rows.div_ceil(options.days.max(1)).max(1);
    let at_ms = FIRST_MS + n / per_day * 86_400_000 + n % per_day * 86_400_000 / per_day;
    let key = if n.is_multiple_of(50_021) { "key-rare".to_owned() } else { format!("key-{}", n % 40) };
    let failed = n % 100 == 7;
    let settled = Settled {
        id: ExchangeId(u128::from(at_ms) << 80 | 7 << 76 | u128::from(n)),
        at_ms,
        generation: Generation(1),
        dialect: Dialect::OpenaiChat,
        operation: "generate",
        key: KeyId::new(&key).ok(),
        model: ["chat", "code", "triage"][usize::try_from(n % 3).unwrap_or(0)].into(),
        target: Some("openai/gpt-5.2".into()),
        client_id: None,
        reserved: None,
        charged: None,
        attempts: 1,
        status: if failed { 502 } else { 200 },
        outcome: if failed { Outcome::Failed } else { Outcome::Delivered },
        fault: None,
        detail: None,
        streamed: n.is_multiple_of(2),
        usage: Some(Usage { input_uncached: Tokens(300), output_text: Tokens(90), ..Usage::default() }),
        cost: Some(PicoUsd(1_425_000_000)),
        basis: Basis::Listed,
        terms: None,
        failed: Vec::new(),
        finish: None,
        losses: None,
        request_bytes: 400,
        answer_bytes: 100,
        first_token_us: Some(300_000),
        duration_us: 1_200_000,
    };
    let none = options.body_bytes == 0;
    let (record, request, answer) = match none {
        true => (Record::Usage, Kept::default(), Kept::default()),
        false => (Record::Full, body(n, options.body_bytes), body(n, options.body_bytes / 4)),
    };
    Exchange { settled, team: None, client_id: None, record, request, answer }
}

/// A body of about so many bytes.
fn body(n: u64, bytes: usize) -> Kept {
    let mut text = format!(r#"{{"messages":[{{"role":"user","content":"question {n} of user {}"#, n % 9973);
    if n.is_multiple_of(100_003) {
        text += " with a needle";
    }
    let mut word = n;
    while text.len() + 16 < bytes {
        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        text += &format!(" w{}", (word >> 33) % 20_000);
    }
    text += r#""}]}"#;
    Kept { pieces: vec![Bytes::from(text)], cut: false }
}

/// Time of all threads of this process so far.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = text.rsplit(')').next().unwrap_or_default().split_whitespace();
    // User and system time, in hundredths of a second (proc_pid_stat(5), read 2026-11-26).
    let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// The most memory that was resident, in KiB.
fn memory_max_kib() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Bytes of a folder's files.
fn size(folder: &std::path::Path) -> io::Result<u64> {
    std::fs::read_dir(folder)?.map(|entry| Ok(entry?.metadata()?.len())).sum()
}
