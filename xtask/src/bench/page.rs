//! The figures as Markdown for people and as JSON for programs.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use serde_json::json;

use super::goals::{self, Goal};
use super::lab::Lab;
use super::measure::OPEN_STREAMS;
use super::records::{Records, Spread};

const METHOD: &str = "\
## Method

The subject has one core to itself; the upstream and the load generator, on the other cores, are programs of our own
(`crates/shim-bench`) that share no code with what is measured. *direct* is the load generator on the upstream, with
nothing between: the harness itself. *nginx* is a plain reverse proxy with one worker, kept-alive connections and no
buffering. *floor* is the least a gateway on hyper can do: pass bytes on, single-threaded, without a single feature.
*shim* runs with a credential check, usage accounting in the ledger and metrics on, told to record `usage`, and otherwise at its
defaults; what its default of recording all bodies costs is measured apart. Both are built as every release here is, with the
gateway's profile ([0011](decisions/0011-built-for-what-runs.md)), in which the floor finds what it has in common with it.

Subjects take turns in short rounds, forwards and then backwards, so that drift of the machine falls on all alike.
Figures are medians of the rounds, with (least–greatest). Ratios are formed within a round. Processor time is user and
system time of all threads of the subject. Requests and answers are compared byte by byte, prompts by the upstream and
answers by the load generator; a single wrong byte fails the run.
Across dialects the upstream compares the prompt's bytes too, and the load generator what each form of event says the
first time it comes, and from then on its bytes but for the id of the message.

Repeat it with `cargo xtask bench` (at most ten minutes), or `cargo xtask bench --quick`;
`cargo xtask bench --self-check` puts a second floor in Shim's place and so shows how much of a difference is noise.
";

/// `docs/performance.md`.
pub(super) fn render(lab: &Lab, goals: &[Goal], quick: bool, self_check: bool) -> String {
    let records = &lab.records;
    let mode = if quick { ", `--quick`" } else { "" };
    let note = if self_check { "\nA self-check: a second floor stands where Shim does.\n" } else { "" };
    let total = &lab.total;
    let sections = [
        format!(
            "# Performance\n\nMeasured by `cargo xtask bench` on {}{mode}: {}. {}\n{note}",
            today(),
            machine(),
            lab.cores.describe()
        ),
        format!(
            "{} answers compared; {} with wrong bytes, {} failed requests. {}\n",
            total.ok + total.wrong,
            total.wrong,
            total.failed,
            lab.quiet.describe()
        ),
        goal_table(goals),
        throughput_tables(records),
        added_table(
            records,
            "latency/",
            "## Added latency, one connection\n\nTime on top of *direct*, in µs.\n",
        ),
        added_table(
            records,
            "rate/",
            "## Added latency at a constant rate\n\n\
             2,000 requests a second with 1 KB prompts, 500 with 64 KB, 250 streams of 20 chunks; 32 connections.\n\
             Counted from the time a request was due, so that a stall delays all that were due during it. In µs on top\n\
             of *direct*.\n",
        ),
        chunk_table(records),
        across_tables(records),
        recording_tables(records),
        memory_table(records),
        start_table(records),
        METHOD.to_owned(),
    ];
    sections.into_iter().filter(|section| !section.is_empty()).collect::<Vec<_>>().join("\n")
}

/// `target/bench.json`.
pub(super) fn json(lab: &Lab, goals: &[Goal]) -> Result<String> {
    let total = &lab.total;
    let value = json!({
        "date": today(),
        "machine": machine(),
        "cores": lab.cores.describe(),
        "quiet": lab.quiet.describe(),
        "answers": { "right": total.ok, "wrong": total.wrong, "failed": total.failed, "failures": total.failures },
        "goals": goals.iter().map(Goal::json).collect::<Vec<_>>(),
        "records": lab.records.json(),
    });
    Ok(serde_json::to_string_pretty(&value)? + "\n")
}

fn goal_table(goals: &[Goal]) -> String {
    let mut text = "## Goals\n\n| | found | first | aim | reached |\n|---|---|---|---|---|\n".to_owned();
    for goal in goals {
        let (sign, unit) = (goal.sign(), goal.unit);
        let found = cell(goal.found);
        let (first, aim) = (number(goal.first), number(goal.aim));
        line(
            &mut text,
            &format!(
                "| {}, {unit} | {found} | {sign} {first} | {sign} {aim} | {} |",
                goal.what,
                goal.reached()
            ),
        );
    }
    text.replace(",  |", " |")
}

/// A name, and the figure of each subject.
type Row<'a> = (String, &'a dyn Fn(&'static str) -> Option<Spread>);

/// A table with a row for each of `rows` that has a figure, and a column for each subject.
fn table(records: &Records, corner: &str, rows: &[Row<'_>]) -> String {
    columns(&records.subjects(), corner, rows)
}

/// The same with a column for each of `subjects`.
fn columns(subjects: &[&'static str], corner: &str, rows: &[Row<'_>]) -> String {
    let mut text =
        format!("| {corner} | {} |\n|---|{}\n", subjects.join(" | "), "---|".repeat(subjects.len()));
    for (name, value) in rows {
        let found: Vec<Option<Spread>> = subjects.iter().map(|subject| value(subject)).collect();
        if found.iter().all(Option::is_none) {
            continue;
        }
        let cells: Vec<String> = found.into_iter().map(cell).collect();
        line(&mut text, &format!("| {name} | {} |", cells.join(" | ")));
    }
    text
}

fn throughput_tables(records: &Records) -> String {
    let measures = records.measures("throughput/");
    if measures.is_empty() {
        return String::new();
    }
    let mut text = "## Work for a request\n\n\
        64 connections, each sending as soon as it was answered. *whole* answers have 1 KB; *stream* answers 20 chunks\n\
        sent as fast as the upstream can. The first row of a case shows what the harness carries, for *direct* without\n\
        a subject to slow it; the others are per processor time of the subject.\n\n"
        .to_owned();
    for measure in measures {
        text += &work_table(records, &records.subjects(), measure, measure.trim_start_matches("throughput/"));
        text.push('\n');
    }
    text.trim_end().to_owned() + "\n"
}

/// What `subjects` did in a measurement of requests.
fn work_table(records: &Records, subjects: &[&'static str], measure: &str, case: &str) -> String {
    let of = |figure: &'static str| move |subject: &'static str| records.spread(measure, subject, figure);
    let ratio = |subject: &'static str| against_floor(records, measure, "requests_per_cpu_second", subject);
    let rows: [Row<'_>; 5] = [
        ("requests/s".into(), &of("requests_per_second")),
        ("requests per CPU-second".into(), &of("requests_per_cpu_second")),
        ("the same, × floor".into(), &ratio),
        ("CPU µs per request".into(), &of("cpu_us")),
        ("of these in user mode".into(), &of("user_us")),
    ];
    columns(subjects, case, &rows)
}

fn against_floor(records: &Records, measure: &str, figure: &str, subject: &str) -> Option<Spread> {
    records.compare(measure, figure, [subject, "floor"], |[ours, floor]| ours / floor)
}

fn added_table(records: &Records, prefix: &str, title: &str) -> String {
    let measures = records.measures(prefix);
    if measures.is_empty() {
        return String::new();
    }
    let mut text = format!("{title}\n");
    for measure in measures {
        let added = |figure: &'static str| {
            move |subject: &'static str| {
                if subject == "direct" {
                    return records.spread(measure, subject, figure);
                }
                records.compare(measure, figure, [subject, "direct"], |[subject, direct]| subject - direct)
            }
        };
        let rows: [Row<'_>; 3] =
            [("p50".into(), &added("p50")), ("p99".into(), &added("p99")), ("p99.9".into(), &added("p999"))];
        text +=
            &table(records, measure.trim_start_matches(prefix), &rows).replace("direct", "direct (itself)");
        text.push('\n');
    }
    text.trim_end().to_owned() + "\n"
}

fn chunk_table(records: &Records) -> String {
    if records.measures("chunks").is_empty() && records.measures("held-back").is_empty() {
        return String::new();
    }
    let of = |figure: &'static str| move |subject: &'static str| records.spread("chunks", subject, figure);
    let lockstep = |subject: &'static str| records.spread("held-back", subject, "held_back");
    let ratio = |subject: &'static str| against_floor(records, "chunks", "cpu_us", subject);
    let rows: [Row<'_>; 7] = [
        ("CPU µs per chunk".into(), &of("cpu_us")),
        ("of these in user mode".into(), &of("user_us")),
        ("CPU, × floor".into(), &ratio),
        ("delay p50, µs".into(), &of("p50")),
        ("delay p99, µs".into(), &of("p99")),
        ("delay p99.9, µs".into(), &of("p999")),
        ("held back in lockstep".into(), &lockstep),
    ];
    let intro = "## Work for a stream chunk\n\n\
        64 streams, each with a chunk of 250 bytes every 3 ms, every chunk a write of its own. Delay is from the\n\
        upstream's write to the arrival at the client. In lockstep the upstream sends a chunk only when the client has\n\
        the last one.\n";
    format!("{intro}\n{}", table(records, "", &rows))
}

fn across_tables(records: &Records) -> String {
    if records.measures("across/").is_empty() {
        return String::new();
    }
    let subjects = ["floor", goals::ours(records)];
    let mut text = "## Work across dialects\n\n\
        What the gateway spends on a client of Anthropic's Messages over the upstream's Chat Completions, both ways\n\
        translated, beside the floor that passes the same prompts and answers on in Chat Completions. Requests are sent\n\
        and chunks paced as above.\n\n"
        .to_owned();
    for case in ["whole/1k", "whole/64k", "stream/1k"] {
        text += &work_table(records, &subjects, &format!("across/{case}"), case);
        text.push('\n');
    }
    let of = |figure: &'static str| move |name: &'static str| records.spread("across/chunks", name, figure);
    let ratio = |subject: &'static str| against_floor(records, "across/chunks", "cpu_us", subject);
    let rows: [Row<'_>; 3] = [
        ("CPU µs per chunk".into(), &of("cpu_us")),
        ("of these in user mode".into(), &of("user_us")),
        ("CPU, × floor".into(), &ratio),
    ];
    text + &columns(&subjects, "a chunk every 3 ms", &rows)
}

fn recording_tables(records: &Records) -> String {
    if records.measures("recording/").is_empty() {
        return String::new();
    }
    let mut text = "## What recording costs\n\n\
        The gateway with `record = \"full\"`, its default, beside one with `record = \"off\"`: both account every exchange in\n\
        the ledger, one keeps every body too. Everywhere else on this page `record` is `usage`.\n\n"
        .to_owned();
    let subjects = ["recording off", "recording full"];
    for case in ["whole/1k", "whole/64k"] {
        let measure = format!("recording/{case}");
        let of = |figure: &'static str| {
            let measure = &measure;
            move |subject: &'static str| records.spread(measure, subject, figure)
        };
        let rows: [Row<'_>; 3] = [
            ("requests per CPU-second".into(), &of("requests_per_cpu_second")),
            ("CPU µs per request".into(), &of("cpu_us")),
            ("of these in user mode".into(), &of("user_us")),
        ];
        text += &columns(&subjects, case, &rows);
        text.push('\n');
    }
    let of =
        |figure: &'static str| move |subject: &'static str| records.spread("recording/rate", subject, figure);
    let rows: [Row<'_>; 2] = [("p50, µs".into(), &of("p50")), ("p99, µs".into(), &of("p99"))];
    text + &columns(&subjects, "2,000 requests a second", &rows)
}

fn memory_table(records: &Records) -> String {
    let measures = records.measures("memory/");
    if measures.is_empty() {
        return String::new();
    }
    let mut text = format!(
        "## Memory\n\nResident, in MiB, of a fresh process: idle, at its highest with {OPEN_STREAMS} streams open, and \
         3 s after they ended.\n\n"
    );
    for measure in measures {
        let case = format!("{} prompts", measure.trim_start_matches("memory/"));
        let of = |figure: &'static str| move |subject: &'static str| records.spread(measure, subject, figure);
        let rows: [Row<'_>; 4] = [
            ("idle".into(), &of("idle_mib")),
            ("highest".into(), &of("peak_mib")),
            ("afterwards".into(), &of("after_mib")),
            ("streams open at a time".into(), &of("open")),
        ];
        text += &table(records, &case, &rows);
        text.push('\n');
    }
    text.trim_end().to_owned() + "\n"
}

fn start_table(records: &Records) -> String {
    if records.measures("start").is_empty() {
        return String::new();
    }
    let ms = |subject: &'static str| records.spread("start", subject, "ms");
    let rows: [Row<'_>; 1] = [("ms".into(), &ms)];
    format!("## From start to the first answer\n\n{}", table(records, "", &rows))
}

fn cell(spread: Option<Spread>) -> String {
    let Some(Spread { median, least, greatest }) = spread else { return "–".to_owned() };
    if (greatest - least).abs() < f64::EPSILON {
        return number(median);
    }
    format!("{} ({}–{})", number(median), number(least), number(greatest))
}

/// Three digits that mean something, and no more.
fn number(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 100.0 || value.fract() == 0.0 => 0,
        size if size >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.decimals$}")
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

/// The kind of machine, without anything that says which one.
fn machine() -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let after = |text: &str, name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_prefix(':'));
        line.map_or_else(|| "unknown".to_owned(), |value| value.trim().to_owned())
    };
    let cpu = read("/proc/cpuinfo");
    let cores = cpu.lines().filter(|line| line.starts_with("processor")).count();
    let memory_kib: u64 =
        after(&read("/proc/meminfo"), "MemTotal").trim_end_matches(" kB").parse().unwrap_or_default();
    let kernel: String =
        read("/proc/sys/kernel/osrelease").chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    format!("{cores} × {}, {} GiB, Linux {kernel}", after(&cpu, "model name"), memory_kib >> 20)
}

/// The date in UTC, as 2026-11-23.
fn today() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (year, month, day) = civil(seconds / 86_400);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Year, month and day of a day counted from 1970-01-01.
fn civil(days: u64) -> (u64, u64, u64) {
    // Years of this calendar begin in March, so that a leap day is the last of its year.
    // Source: howardhinnant.github.io/date_algorithms.html#civil_from_days
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::{across_tables, cell, civil, number};
    use crate::bench::records::{Records, Spread};

    #[test]
    fn dates_are_right() {
        for (days, date) in [(0, (1970, 1, 1)), (11_016, (2000, 2, 29)), (20_780, (2026, 11, 23))] {
            assert_eq!(civil(days), date);
        }
    }

    #[test]
    fn crossing_stands_beside_the_floor_alone() {
        let mut records = Records::default();
        assert_eq!(across_tables(&records), "");
        for (subject, value) in [("direct", 1.0), ("floor", 20.0), ("shim", 30.0)] {
            records.add("start", subject, 0, "ms", Some(value));
        }
        for (subject, value) in [("floor", 20.0), ("shim", 30.0)] {
            records.add("across/whole/1k", subject, 0, "cpu_us", Some(value));
            records.add("across/chunks", subject, 0, "cpu_us", Some(value));
        }
        let page = across_tables(&records);
        for line in
            ["| whole/1k | floor | shim |", "| CPU µs per request | 20 | 30 |", "| CPU, × floor | 1 | 1.50 |"]
        {
            assert!(page.contains(line), "{page}");
        }
    }

    #[test]
    fn figures_have_no_more_digits_than_they_deserve() {
        for (value, text) in
            [(41_234.5, "41234"), (123.45, "123"), (12.34, "12.3"), (0.784, "0.78"), (2.0, "2")]
        {
            assert_eq!(number(value), text);
        }
        assert_eq!(cell(None), "–");
        assert_eq!(cell(Spread::of(vec![1.0, 2.5])), "1.75 (1–2.50)");
    }
}
