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
use shim_store::ledger::{Day, Exchange, Filter, Kept, Ledger, Reader, Search, Settings};
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
    /// Look at every row and page, too, when it is verified.
    #[arg(long)]
    deep: bool,
    /// Let go of the older half in the end, and time that.
    #[arg(long)]
    retain: bool,
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
    let folder = options.store.join("ledger");
    let reader = Reader::new(&options.store);
    let mut told = json!({
        "rows": options.rows, "open_ms": open_ms, "fill_s": filled.as_secs_f64(), "shed": shed,
        "us_per_exchange_of_all_threads": cpu_us, "memory_max_kib_of_filling": memory_max_kib(),
        "ms": timed(&reader)?, "ms_before_all_is_indexed": searches(&reader)?, "index": index(&reader)?,
        "ms_when_all_is_indexed": searches(&reader)?, "bytes_on_disk": size(&folder)?,
    });
    if options.deep {
        told["verify_deep_s"] = (clock(|| reader.verify(true))? / 1000.0).into();
    }
    if options.retain {
        told["retention"] = retention(&options, &folder)?;
    }
    told["memory_max_kib"] = memory_max_kib().into();
    writeln!(io::stdout(), "{told}")?;
    Ok(())
}

/// How long what operators ask takes, in milliseconds.
fn timed(reader: &Reader) -> Result<Value, StoreError> {
    let any = Filter::default();
    Ok(json!({
        "verify": clock(|| reader.verify(false))?,
        "facets": clock(|| reader.facets(&any))?,
        "list": clock(|| reader.list(&any, None, 100))?,
        "list_of_a_rare_key": clock(|| reader.list(&of_key("key-rare"), None, 100))?,
        "spend": clock(|| reader.spend(Day(0)))?,
    }))
}

fn of_key(key: &str) -> Filter {
    Filter { key: Some(key.to_owned()), ..Filter::default() }
}

/// How long searches take, in milliseconds; how much they found and did not look at.
fn searches(reader: &Reader) -> Result<Value, StoreError> {
    let (any, rare, one) = (Filter::default(), of_key("key-rare"), of_key("key-7"));
    let mut told = json!({});
    for (name, words, filter) in [
        ("common", "question", &any),
        ("rare", "needle", &any),
        ("absent", "haystack", &any),
        ("two_common", "question user", &any),
        ("common_and_rare", "question needle", &any),
        ("phrase", "\"question 4999999 of\"", &any),
        ("common_phrase", "\"of user\"", &any),
        ("absent_phrase", "\"user question of\"", &any),
        ("common_beginning", "w1*", &any),
        ("rare_beginning", "need*", &any),
        ("absent_beginning", "hays*", &any),
        ("common_beginning_and_absent", "w1* haystack", &any),
        ("common_of_a_key", "question", &one),
        ("common_of_a_rare_key", "question", &rare),
        ("absent_of_a_key", "haystack", &one),
        ("common_beginning_of_a_rare_key", "w1*", &rare),
        ("never_together", "needle w77", &any),
    ] {
        let search = Search { words, filter, before: None, limit: 20, patience: PATIENCE };
        let since = Instant::now();
        let found = reader.search(&search)?.unwrap_or_default();
        let whole = found.next.is_none() || found.found.len() == search.limit;
        told[name] =
            json!([ms(since), found.found.len(), found.unindexed, if whole { "whole" } else { "part" }]);
    }
    Ok(told)
}

/// What the command line gives a search.
const PATIENCE: Duration = Duration::from_millis(500);

/// Indexes what is not indexed yet.
fn index(reader: &Reader) -> Result<Value, StoreError> {
    let (indexed, rows) = reader.indexed()?;
    let (since, before) = (Instant::now(), cpu());
    reader.index(Duration::MAX)?;
    let cpu_us = (cpu() - before).as_micros() as f64 / (rows - indexed).max(1) as f64;
    Ok(json!({ "rows_before": indexed, "s": since.elapsed().as_secs_f64(), "cpu_us_per_exchange": cpu_us }))
}

/// Opens the ledger with half the room it takes; how long until it has no more, and what the disk has free by it.
fn retention(options: &Options, folder: &std::path::Path) -> Result<Value, Box<dyn std::error::Error>> {
    let before = size(folder)?;
    let settings = Settings { bytes_max: before / 2, days_max: u32::MAX, ..Settings::new(&options.store) };
    let since = Instant::now();
    let ledger = Ledger::open(settings, LedgerMetrics::default())?;
    // The totals of what is gone are not counted.
    while size(folder)? > before / 2 + (1 << 20) {
        std::thread::sleep(Duration::from_millis(1));
    }
    let took = ms(since);
    ledger.close(true);
    Ok(json!({ "ms": took, "bytes_before": before, "bytes_after": size(folder)? }))
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
    // A file may go while it is looked at.
    std::fs::read_dir(folder)?.map(|entry| Ok(entry?.metadata().map_or(0, |meta| meta.len()))).sum()
}
