//! Whether everything is accounted exactly once.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::Connection;
use serde_json::{Value, json};
use shim_telemetry::Outcome;

use super::day::{Day, days};
use super::schema;
use super::sums::{self, Of, Sums};
use super::writer::told;
use crate::StoreError;

/// What a look at the whole ledger came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Each file by itself.
    pub files: Vec<FileVerified>,
    /// Files that were found damaged and set aside.
    pub set_aside: Vec<String>,
}

/// What a look at one file came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileVerified {
    /// Its day.
    pub day: String,
    /// Exchanges admitted.
    pub admitted: u64,
    /// Exchanges whose answer was delivered, or whose client was told of a fault.
    pub settled: u64,
    /// Exchanges that were abandoned, for a reason.
    pub abandoned: u64,
    /// Exchanges under way; when no gateway runs, the next to start settles them as abandoned by a crash.
    pub open: u64,
    /// Settlements that came twice and were kept once.
    pub doubled: u64,
    /// Rows that went with a damaged file.
    pub lost: u64,
    /// What is wrong.
    pub problems: Vec<String>,
}

impl Verified {
    /// Whether everything is accounted exactly once.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.files.iter().all(|file| file.problems.is_empty())
    }

    /// All of it as JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let sum = |of: fn(&FileVerified) -> u64| self.files.iter().map(of).sum::<u64>();
        let files = self.files.iter().map(|file| {
            json!({
                "day": file.day, "admitted": file.admitted, "settled": file.settled, "abandoned": file.abandoned,
                "open": file.open, "doubled": file.doubled, "lost": file.lost, "problems": file.problems,
            })
        });
        json!({
            "holds": self.holds(),
            "admitted": sum(|f| f.admitted), "settled": sum(|f| f.settled), "abandoned": sum(|f| f.abandoned),
            "open": sum(|f| f.open), "doubled": sum(|f| f.doubled), "lost": sum(|f| f.lost),
            "set_aside": self.set_aside, "files": files.collect::<Vec<_>>(),
        })
    }
}

pub(super) fn verify(folder: &Path, deep: bool) -> Result<Verified, StoreError> {
    let unusable = |source| StoreError::Folder { path: folder.to_owned(), source };
    let mut verified = Verified::default();
    for day in days(folder).map_err(unusable)? {
        let mut file = FileVerified { day: day.to_string(), ..FileVerified::default() };
        if let Err(error) = look(folder, day, deep, &mut file) {
            file.problems.push(format!("the file cannot be read: {}", told(&error)));
        }
        verified.files.push(file);
    }
    for entry in std::fs::read_dir(folder).map_err(unusable)? {
        let name = entry.map_err(unusable)?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".damaged") {
            verified.set_aside.push(name);
        }
    }
    verified.set_aside.sort_unstable();
    Ok(verified)
}

fn look(folder: &Path, day: Day, deep: bool, file: &mut FileVerified) -> Result<(), StoreError> {
    let Some(connection) = schema::read(&day.file(folder))? else { return Ok(()) };
    // One view of the file: it may be written meanwhile.
    let connection = connection.unchecked_transaction()?;
    let number = |sql: &str| -> rusqlite::Result<u64> {
        let value: i64 = connection.query_row(sql, [], |row| row.get(0))?;
        Ok(u64::try_from(value).unwrap_or(0))
    };
    file.admitted = schema::meta(&connection, "admitted")?;
    file.doubled = schema::meta(&connection, "doubled")?;
    file.lost = schema::meta(&connection, "lost")?;
    file.open = number("SELECT count(*) FROM open")?;
    // Rows are numbered without gaps and never removed, so the last number is how many there are.
    let rows = number("SELECT coalesce(max(row), 0) FROM exchanges")?;
    for (outcome, requests) in sums::by_outcome(&connection)? {
        if outcome == Outcome::Abandoned.name() {
            file.abandoned += requests;
        } else {
            file.settled += requests;
        }
    }
    let mut problem = |holds: bool, words: String| {
        if !holds {
            file.problems.push(words);
        }
    };
    let accounted = file.settled + file.abandoned;
    problem(accounted == rows, format!("{rows} rows, but sums of {accounted}"));
    let admitted = accounted + file.open;
    problem(admitted == file.admitted, format!("{} admitted, but {admitted} accounted", file.admitted));
    if deep {
        deeply(&connection, rows, &mut problem)?;
    }
    Ok(())
}

/// Row by row, and page by page.
fn deeply(
    connection: &Connection,
    rows: u64,
    problem: &mut impl FnMut(bool, String),
) -> Result<(), StoreError> {
    if let Err(error) = schema::sound(connection) {
        problem(false, format!("the file is damaged: {}", told(&error.into())));
    }
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let counted = number("SELECT count(*) FROM exchanges NOT INDEXED")?;
    problem(
        u64::try_from(counted) == Ok(rows),
        format!("{rows} rows by their numbers, but {counted} counted"),
    );
    let both = number("SELECT count(*) FROM open WHERE id IN (SELECT id FROM exchanges)")?;
    problem(both == 0, format!("{both} exchanges are open and settled"));
    let (mut told, mut found) = (ByHour::default(), ByHour::default());
    sums::each_kept(connection, |of, sums| told.add(of, sums))?;
    sums::each_row(connection, |of, sums| found.add(of, sums))?;
    problem(told == found, "the sums are not those of the rows".to_owned());
    Ok(())
}

/// Sums by hour and outcome: names beyond a bound are summed under one.
#[derive(Debug, Default, PartialEq, Eq)]
struct ByHour(BTreeMap<u64, BTreeMap<String, Sums>>);

impl ByHour {
    fn add(&mut self, of: &Of<'_>, sums: &Sums) {
        let by_outcome = self.0.entry(of.hour).or_default();
        match by_outcome.get_mut(of.outcome) {
            Some(sum) => sum.add(sums),
            None => drop(by_outcome.insert(of.outcome.to_owned(), *sums)),
        }
    }
}
