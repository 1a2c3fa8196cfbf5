//! A sample: the subject that is ready for it, the load on it, and what of it is recorded.

use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::bench::lab::Lab;
use crate::bench::load::{self, Report};
use crate::bench::process::Cpu;
use crate::bench::quiet::Clock;
use crate::bench::subject::{Kind, Subject};

pub(super) fn ready(kind: Kind, lab: &Lab) -> Result<Subject> {
    let mut subject = kind.start(lab)?;
    if let Some(running) = &mut subject.running {
        running.wait_for_answer(subject.address, &load::first_request()).context(kind.name())?;
    }
    Ok(subject)
}

pub(super) fn ready_all(kinds: &[Kind], lab: &Lab) -> Result<Vec<Subject>> {
    kinds.iter().map(|kind| ready(*kind, lab)).collect()
}

/// All of `items`, in turn forwards and backwards.
pub(super) fn turns<T>(items: &[T], round: usize) -> impl Iterator<Item = &T> {
    let last = items.len();
    (0..last).filter_map(move |at| items.get(if round.is_multiple_of(2) { at } else { last - 1 - at }))
}

/// Runs load and says what processor time the subject spent on it. Runs it again when the machine was busy with
/// something else, and keeps the least disturbed.
pub(super) fn timed(lab: &mut Lab, subject: &Subject, args: &str) -> Result<(Report, Option<Cpu>)> {
    let (mut lost, mut time, mut sample) = timed_once(lab, subject, args)?;
    while lab.quiet.try_again(lost, time) {
        let again = timed_once(lab, subject, args)?;
        time = again.1;
        if again.0 < lost {
            (lost, sample) = (again.0, again.2);
        }
    }
    lab.quiet.keep(lost);
    Ok(sample)
}

/// The share of the machine that was lost, the time it took, and the sample.
fn timed_once(
    lab: &mut Lab,
    subject: &Subject,
    args: &str,
) -> Result<(f64, Duration, (Report, Option<Cpu>))> {
    let ticks = lab.ticks_a_second;
    let of_subject = || subject.running.as_ref().map(|running| running.cpu(ticks)).transpose();
    let (clock, upstream, before) = (Clock::read(ticks)?, lab.upstream_running.cpu(ticks)?, of_subject()?);
    let report = load::run(lab, subject, args)?;
    let spent = of_subject()?.zip(before).map(|(after, before)| after.since(before));
    let upstream = lab.upstream_running.cpu(ticks)?.since(upstream);
    let now = Clock::read(ticks)?;
    let lost = now.lost_since(&clock, upstream.plus(spent.unwrap_or_default()), lab.cores.count);
    Ok((lost, now.since(&clock), (report, spent)))
}

pub(super) fn record_throughput(
    lab: &mut Lab,
    measure: &str,
    subject: &Subject,
    round: usize,
    report: &Report,
    cpu: Option<Cpu>,
) {
    let done = report.figure("ok").filter(|ok| *ok > 0.0);
    let a_second = done.zip(report.figure("seconds")).map(|(done, seconds)| done / seconds);
    let each = |seconds: f64| done.map(|done| seconds * 1e6 / done);
    let figures = [
        ("requests_per_second", a_second),
        ("requests_per_cpu_second", cpu.zip(done).map(|(cpu, done)| done / cpu.total())),
        ("cpu_us", cpu.and_then(|cpu| each(cpu.total()))),
        ("user_us", cpu.and_then(|cpu| each(cpu.user))),
    ];
    for (figure, value) in figures {
        lab.records.add(measure, subject.kind.name(), round, figure, value);
    }
}

pub(super) fn record_times(
    lab: &mut Lab,
    measure: &str,
    subject: &Subject,
    round: usize,
    report: &Report,
    times: &str,
) {
    for figure in ["p50", "p99", "p999", "max"] {
        let value = report.figure(&format!("{times}/{figure}"));
        lab.records.add(measure, subject.kind.name(), round, figure, value);
    }
}

#[cfg(test)]
mod tests {
    use super::turns;

    #[test]
    fn every_other_round_runs_backwards() {
        let items = [1, 2, 3];
        assert!(turns(&items, 0).eq(&[1, 2, 3]));
        assert!(turns(&items, 1).eq(&[3, 2, 1]));
        assert!(turns(&items, 2).eq(&[1, 2, 3]));
    }
}
