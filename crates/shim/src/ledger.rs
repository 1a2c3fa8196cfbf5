//! `shim ledger`: what the store holds of exchanges, whether a gateway runs on it or not.

mod print;
mod reprice;

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, anyhow, bail};
use clap::{Args, Subcommand, ValueEnum};
use shim_config::Config;
use shim_gateway::{Control, Shared};
use shim_ir::ExchangeId;
use shim_store::StoreError;
use shim_store::ledger::{
    Durability, Filter, Ledger, ParquetWriter, Reader, Row, Search, Settings, csv_columns, csv_line, time,
};
use shim_telemetry::clean;

use crate::check::{read, validate};
use crate::console::{error, say, say_json};

/// What to do with the ledger.
#[derive(Args, Debug)]
pub(crate) struct LedgerArgs {
    #[command(subcommand)]
    verb: Verb,
    /// The store's folder. Default: what the configuration says, else `shim-data`.
    #[arg(long, global = true, value_name = "FOLDER")]
    store: Option<PathBuf>,
    /// The configuration file that names the store.
    #[arg(long, short, global = true, default_value = "shim.toml", value_name = "FILE")]
    config: PathBuf,
    /// Print JSON: one object, or one a line where there are many.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Check that every admitted exchange is accounted exactly once. Ends with 1 where it is not.
    Verify {
        /// Look at every row and every page, not only at the sums.
        #[arg(long)]
        deep: bool,
    },
    /// Write rows out, oldest first.
    Export {
        /// How they are written.
        #[arg(long, value_enum, default_value_t = Format::Jsonl)]
        format: Format,
        /// With the bodies that were recorded (jsonl only).
        #[arg(long)]
        bodies: bool,
        #[command(flatten)]
        which: Listed,
    },
    /// Reckon costs anew by the prices known now, and show what would change; --write changes it. What a provider stated
    /// stays. Where a gateway has the store open, it does it.
    Reprice(reprice::RepriceArgs),
    /// Find the exchanges whose bodies or fault hold all of these words, newest first.
    Search {
        /// Words; "in quotes" a phrase; `begin*` their beginning.
        #[arg(required = true, num_args = 1..)]
        words: Vec<String>,
        /// Look at everything, however long that takes; what is not indexed yet is indexed before. Otherwise the search
        /// answers in about a second, and says what it has not looked at.
        #[arg(long)]
        whole: bool,
        #[command(flatten)]
        which: Listed,
    },
    /// Show one exchange with all that is kept of it.
    Show {
        /// Its id, as in `x-shim-exchange`.
        id: String,
    },
    /// Show the latest exchanges.
    Tail {
        /// Go on showing what comes.
        #[arg(long, short)]
        follow: bool,
        #[command(flatten)]
        which: Listed,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One JSON object a line.
    Jsonl,
    /// Comma-separated values with a line of names.
    Csv,
    /// Apache Parquet.
    Parquet,
}

/// Which exchanges.
#[derive(Args, Debug)]
struct Which {
    /// Of this key.
    #[arg(long)]
    key: Option<String>,
    /// Of this team.
    #[arg(long)]
    team: Option<String>,
    /// Of this alias or provider/model, as clients asked for it.
    #[arg(long)]
    model: Option<String>,
    /// Answered last by this target.
    #[arg(long)]
    target: Option<String>,
    /// Ended so.
    #[arg(long, value_parser = ["delivered", "failed", "abandoned"])]
    outcome: Option<String>,
    /// Admitted at this time or later: `2026-11-26`, `2026-11-26T08:00:00Z`, or so long ago: `30m`, `2h`, `7d`.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Admitted before this time.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

/// Which exchanges, and how many.
#[derive(Args, Debug)]
struct Listed {
    #[command(flatten)]
    which: Which,
    /// Most exchanges. Default: 20, or all of an export.
    #[arg(long, short = 'n')]
    limit: Option<usize>,
}

/// Exchanges shown where nobody says how many.
const SHOWN: usize = 20;

/// How long a search takes before it answers with what it has.
const PATIENCE: Duration = Duration::from_millis(500);

/// How often a ledger that is followed is looked at.
const FOLLOW_EVERY: Duration = Duration::from_millis(250);

/// Opens the ledger of a gateway and lets it record there.
///
/// # Errors
/// When it cannot be opened.
pub(crate) fn open(config: &Config, control: &Control) -> Result<()> {
    let ledger = &config.ledger;
    let settings = Settings {
        durability: if ledger.strict { Durability::Strict } else { Durability::Window },
        commit_every: ledger.commit_every,
        queue_bytes_max: ledger.queue_bytes_max,
        bytes_max: ledger.bytes_max as u64,
        days_max: ledger.days_max,
        ..Settings::new(&config.store)
    };
    let shared = control.shared();
    let opened = Ledger::open(settings, shared.metrics.ledger.clone());
    let opened = opened.context("the ledger cannot be opened")?;
    control.rests_on(Box::new(opened.clone()))?;
    shared.notes.keep_in(Arc::new(opened.clone()));
    shared.record_in(opened);
    Ok(())
}

/// Closes the ledger: what waits is written. `orderly` says that no exchange is under way.
pub(crate) fn close(shared: &Shared, orderly: bool) {
    if let Some(ledger) = shared.ledger()
        && !ledger.close(orderly)
    {
        error("the disk was too slow for what the ledger still had to write");
    }
}

/// Does what the command line says.
///
/// # Errors
/// When there is no ledger, or it cannot be read.
pub(crate) fn ledger(args: &LedgerArgs) -> Result<ExitCode> {
    let store = store(args)?;
    let reader = Reader::new(&store);
    if !reader.exists() {
        bail!("there is no ledger in {}: name the store with --store", store.display());
    }
    match &args.verb {
        Verb::Verify { deep } => return verify(&reader, *deep, args.json),
        Verb::Reprice(reprice) => reprice::reprice(args, reprice, &store)?,
        Verb::Export { format, bodies, which } => export(&reader, *format, *bodies, which)?,
        Verb::Search { words, whole, which } => search(&reader, words, *whole, which, args.json)?,
        Verb::Show { id } => show(&reader, id, args.json)?,
        Verb::Tail { follow, which } => tail(&reader, *follow, which, args.json)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The store's folder.
fn store(args: &LedgerArgs) -> Result<PathBuf> {
    if let Some(store) = &args.store {
        return Ok(store.clone());
    }
    if !args.config.exists() {
        return Ok(Config::default().store);
    }
    match validate(&args.config, &read(&args.config)?) {
        Ok(config) => Ok(config.store),
        Err(problems) => bail!("the configuration has problems; name the store with --store:\n{problems}"),
    }
}

impl Which {
    fn filter(&self) -> Result<Filter> {
        let at = |text: &Option<String>| text.as_deref().map(|text| time(text, now_ms())).transpose();
        Ok(Filter {
            key: self.key.clone(),
            team: self.team.clone(),
            model: self.model.clone(),
            target: self.target.clone(),
            outcome: self.outcome.clone(),
            since_ms: at(&self.since)?,
            until_ms: at(&self.until)?,
        })
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn verify(reader: &Reader, deep: bool, json: bool) -> Result<ExitCode> {
    let verified = reader.verify(deep)?;
    if json {
        say_json(&verified.to_json());
    } else {
        print::verified(&verified);
    }
    Ok(if verified.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn export(reader: &Reader, format: Format, bodies: bool, which: &Listed) -> Result<()> {
    if bodies && format != Format::Jsonl {
        bail!("bodies go into jsonl only");
    }
    let stdout = std::io::stdout().lock();
    if format == Format::Parquet && stdout.is_terminal() {
        bail!(
            "Parquet is no text: send it to a file, as in `shim ledger export --format parquet > ledger.parquet`"
        );
    }
    let mut out = std::io::BufWriter::new(stdout);
    match format {
        Format::Parquet => {
            let mut table = match ParquetWriter::new(out) {
                Err(error) => return unless_gone(error.into()),
                Ok(table) => table,
            };
            let all = each(reader, which, |row| Ok(table.add(row)?))?;
            // The end of a file that nobody reads any more is of no use.
            if all { table.finish().map(drop).or_else(|error| unless_gone(error.into())) } else { Ok(()) }
        }
        Format::Csv => {
            writeln!(out, "{}", csv_columns())?;
            let all = each(reader, which, |row| Ok(writeln!(out, "{}", csv_line(row))?))?;
            if all { Ok(out.flush()?) } else { Ok(()) }
        }
        Format::Jsonl => {
            let all = each(reader, which, |row| {
                let line = if bodies { print::whole(reader, row)? } else { row.to_json() };
                Ok(writeln!(out, "{line}")?)
            })?;
            if all { Ok(out.flush()?) } else { Ok(()) }
        }
    }
}

/// Gives the rows that are asked for to `line`, oldest first; whether all were taken: whoever reads what is printed may
/// have left.
fn each(reader: &Reader, which: &Listed, mut line: impl FnMut(&Row) -> Result<()>) -> Result<bool> {
    let (mut left, mut failed) = (which.limit.unwrap_or(usize::MAX), None);
    let all = reader.each(&which.which.filter()?, None, |row| {
        if left == 0 {
            return Err(stopped());
        }
        left -= 1;
        line(&row).map_err(|error| {
            failed = Some(error);
            stopped()
        })
    });
    match (failed, all) {
        (Some(error), _) => unless_gone(error).map(|()| false),
        (None, Err(error)) if left > 0 => Err(error.into()),
        (None, _) => Ok(true),
    }
}

/// An error, unless it is that whoever reads what is printed has left.
fn unless_gone(error: anyhow::Error) -> Result<()> {
    if is_gone(&error) { Ok(()) } else { Err(error) }
}

/// What stops a walk through the ledger; nobody is shown it.
fn stopped() -> StoreError {
    StoreError::Folder { path: PathBuf::new(), source: std::io::ErrorKind::Interrupted.into() }
}

/// Whether whoever reads what is printed has left.
fn is_gone(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
}

fn search(reader: &Reader, words: &[String], whole: bool, which: &Listed, json: bool) -> Result<()> {
    // A word with a space in it was a phrase in quotes, which the shell took away.
    let quoted = |word: &String| if word.contains(' ') { format!("\"{word}\"") } else { word.clone() };
    let words = words.iter().map(quoted).collect::<Vec<_>>().join(" ");
    let limit = which.limit.unwrap_or(SHOWN);
    let patience = if whole { Duration::MAX } else { PATIENCE };
    if whole {
        reader.index(patience)?;
    }
    let search = Search { words: &words, filter: &which.which.filter()?, before: None, limit, patience };
    let searched = reader.search(&search)?.context("there is no word to look for")?;
    for found in &searched.found {
        if json {
            let mut row = found.row.to_json();
            if let Some(members) = row.as_object_mut() {
                members.insert("snippet".to_owned(), found.snippet.as_str().into());
            }
            say_json(&row);
        } else {
            print::row(&found.row);
            say(&format!("    {}", clean(&found.snippet)));
        }
    }
    print::not_looked_at(&searched, limit);
    Ok(())
}

fn show(reader: &Reader, id: &str, json: bool) -> Result<()> {
    let id: ExchangeId = id.parse().map_err(|why| anyhow!("\"{id}\": {why}"))?;
    let shown = reader.show(id)?.with_context(|| format!("the ledger has no exchange {id}"))?;
    if json {
        say_json(&print::shown_json(&shown));
    } else {
        print::shown(&shown);
    }
    Ok(())
}

fn tail(reader: &Reader, follow: bool, which: &Listed, json: bool) -> Result<()> {
    let filter = which.which.filter()?;
    // What comes between the two looks is shown by the second.
    let mut last = reader.end()?;
    let put = |row: &Row| if json { say_json(&row.to_json()) } else { print::row(row) };
    let mut latest = reader.list(&filter, last.map(|last| last.behind()), which.limit.unwrap_or(SHOWN))?;
    latest.reverse();
    latest.iter().for_each(|(_, row)| put(row));
    if !follow {
        return Ok(());
    }
    loop {
        std::thread::sleep(FOLLOW_EVERY);
        last = reader.each(&filter, last, |row| {
            put(&row);
            Ok(())
        })?;
    }
}
