//! A report for people: on a terminal, and as the page `docs/conformance.md`.

use std::fmt::Write as _;

use shim_ir::{Dialect, Loss};

use crate::report::{Cell, Report, Row, Tried, Verdict};

/// The report on a terminal: a matrix for each target, then what its numbers stand for, then what failed.
#[must_use]
pub fn matrix(report: &Report) -> String {
    let mut out = String::new();
    for tried in &report.tried {
        of_target(tried, &mut out);
    }
    for (target, why) in &report.passed_over {
        let _ = writeln!(out, "{target} is passed over: {why}\n");
    }
    let count = |verdict: Verdict| format!("{} {}", report.count(verdict), verdict.word());
    let counts =
        [Verdict::Ok, Verdict::Mapped, Verdict::Refused, Verdict::NotApplicable, Verdict::Fail].map(count);
    let _ = write!(out, "{} cells: {}", report.cells().count(), counts.join(", "));
    out
}

/// The notes of a target: each loss, refusal and reason once, in the order they are met.
struct Notes(Vec<String>);

impl Notes {
    fn of(tried: &Tried) -> Self {
        let mut notes = Self(Vec::new());
        for cell in tried.rows.iter().flat_map(|row| &row.cells) {
            for note in told(cell) {
                if !notes.0.contains(&note) {
                    notes.0.push(note);
                }
            }
        }
        notes
    }

    /// The numbers of a cell's notes, from 1.
    fn numbers(&self, cell: &Cell) -> String {
        let place = |note: &String| self.0.iter().position(|own| own == note).map(|at| (at + 1).to_string());
        told(cell).iter().filter_map(place).collect::<Vec<_>>().join(",")
    }
}

/// What explains a cell.
fn told(cell: &Cell) -> Vec<String> {
    match cell.verdict {
        Verdict::Fail => Vec::new(),
        _ => cell
            .losses
            .iter()
            .map(sentence)
            .chain(cell.reasons.iter().map(|reason| reason.clone() + "."))
            .collect(),
    }
}

fn sentence(loss: &Loss) -> String {
    format!("`{}` is {}: {}.", loss.path, loss.kind.name(), loss.why)
}

/// What stands in a cell.
fn shown(cell: &Cell, notes: &Notes) -> String {
    let numbers = notes.numbers(cell);
    if numbers.is_empty() {
        cell.verdict.word().to_owned()
    } else {
        format!("{} {numbers}", cell.verdict.word())
    }
}

fn of_target(tried: &Tried, out: &mut String) {
    let notes = Notes::of(tried);
    let head: Vec<String> = tried.dialects.iter().map(|(client, _)| client.name().to_owned()).collect();
    let lines: Vec<Vec<String>> =
        tried.rows.iter().map(|row| row.cells.iter().map(|cell| shown(cell, &notes)).collect()).collect();
    let over = over(tried);
    let width = |column: usize| {
        let cells = lines.iter().chain([&head]).chain(&over).filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let case = tried.rows.iter().map(|row| row.case.len()).max().unwrap_or_default();
    let line = |name: &str, cells: &[String]| {
        let padded = cells.iter().enumerate().map(|(at, cell)| format!("{cell:<width$}", width = width(at)));
        format!("  {name:<case$}  {}", padded.collect::<Vec<_>>().join("  ")).trim_end().to_owned()
    };
    let _ = writeln!(out, "{}\n\n{}", heading(tried), line("", &head));
    if let Some(over) = &over {
        let _ = writeln!(out, "{}", line("over", over));
    }
    for (row, cells) in tried.rows.iter().zip(&lines) {
        let _ = writeln!(out, "{}", line(row.case, cells));
    }
    out.push('\n');
    for (at, note) in notes.0.iter().enumerate() {
        let _ = writeln!(out, "  {:>3}  {note}", at + 1);
    }
    for row in &tried.rows {
        failures(row, tried, out);
    }
    out.push('\n');
}

/// The dialects that the clients' requests go on in, where they are not all one.
fn over(tried: &Tried) -> Option<Vec<String>> {
    let names: Vec<String> = tried.dialects.iter().map(|(_, upstream)| upstream.name().to_owned()).collect();
    names.iter().any(|name| Some(name) != names.first()).then_some(names)
}

fn heading(tried: &Tried) -> String {
    let mut speaks: Vec<&str> = tried.dialects.iter().map(|(_, upstream)| upstream.name()).collect();
    speaks.sort_unstable();
    speaks.dedup();
    let name = if tried.asked == tried.target {
        tried.target.clone()
    } else {
        format!("{} → {}", tried.asked, tried.target)
    };
    format!("{name} ({})", speaks.join(", "))
}

fn failures(row: &Row, tried: &Tried, out: &mut String) {
    let failed = row.cells.iter().zip(&tried.dialects).filter(|(cell, _)| cell.verdict == Verdict::Fail);
    for (cell, (client, upstream)) in failed {
        let _ = writeln!(out, "\n  FAIL {} from {client} to {upstream}", row.case);
        for reason in &cell.reasons {
            let _ = writeln!(out, "       {reason}");
        }
    }
}

/// The page `docs/conformance.md`, of a report over one provider of each dialect.
#[must_use]
pub fn page(report: &Report) -> String {
    let mut out = String::from(HEAD);
    for tried in &report.tried {
        of_upstream(tried, &mut out);
    }
    out.push_str("## The cases\n\n");
    for row in report.tried.last().map(|tried| tried.rows.as_slice()).unwrap_or_default() {
        let _ = writeln!(out, "- `{}`: {}.", row.case, row.about);
    }
    out
}

const HEAD: &str = "\
# Conformance

What `shim conform` finds of a configuration with one provider of each dialect: each client dialect asks each of them each
case, whole and streamed, Gemini's streams in both their framings. This page is written by `cargo xtask bless conformance`; a test holds that it is current.

`ok`: everything arrived, and nothing was declared as lost. `mapped`: everything arrived but for what the notes say, which
the exchange's record declares. `refused`: the request is refused with the reason, before the upstream is asked. `n/a`: the
dialects have no words for the case. A case that fails fails the test.

Upstreams answer with bytes written by hand in the form of the providers' API references (`crates/shim-conform/data`), not by
the gateway's own encoders, and they read requests by hand-written rules after the same form. `clients/python/types_suite.py`
holds the bytes against the official SDKs' own types. Connections lead to loopback and speak HTTP/1.1: TLS, HTTP/2 to
upstreams and real credentials are not part of the proof. Swaps in force are not either: each alias is tried with the targets that the file
declares.

";

fn of_upstream(tried: &Tried, out: &mut String) {
    let notes = Notes::of(tried);
    let upstream = tried.dialects.first().map_or("", |(_, upstream)| upstream.name());
    let names: Vec<&str> = tried.dialects.iter().map(|(client, _): &(Dialect, _)| client.name()).collect();
    let _ = writeln!(out, "## Over an upstream that speaks {upstream}\n\n| client | {} |", names.join(" | "));
    let _ = writeln!(out, "|---|{}", "---|".repeat(names.len()));
    for row in &tried.rows {
        let cells: Vec<String> = row.cells.iter().map(|cell| shown(cell, &notes)).collect();
        let _ = writeln!(out, "| `{}` | {} |", row.case, cells.join(" | "));
    }
    out.push('\n');
    for (at, note) in notes.0.iter().enumerate() {
        let _ = writeln!(out, "{}. {note}", at + 1);
    }
    out.push('\n');
}
