//! The measurements, each with the reason why it is made the way it is.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::lab::Lab;
use super::load::{self, Report};
use super::process::Cpu;
use super::quiet::Clock;
use super::subject::{Kind, Subject};

/// What `--only` may name, in the order they are run.
pub(super) const NAMES: [&str; 9] =
    ["start", "memory", "held-back", "throughput", "latency", "rate", "chunks", "across", "recording"];

/// Streams held open at a time by the memory measurement.
pub(super) const OPEN_STREAMS: u32 = 1000;

/// How much is measured, and for how long.
pub(super) struct Plan {
    /// Time for samples that are taken again because something else was running.
    pub(super) patience: Duration,
    rounds: usize,
    starts: usize,
    throughput: &'static [Case],
    sample_ms: u32,
    latency: &'static [&'static str],
    latency_ms: u32,
    rate: &'static [Case],
    rate_ms: u32,
    chunks_each: u32,
    memory_prompts: &'static [&'static str],
    /// Half a second each.
    memory_chunks: u32,
}

/// A name, and the options of the load generator.
struct Case {
    name: &'static str,
    args: &'static str,
}

/// Answers in one piece, or in 20 chunks sent as fast as the upstream can. Those that have a goal come first.
const THROUGHPUT: [Case; 6] = [
    Case { name: "whole/1k", args: "--prompt 1k" },
    Case { name: "whole/64k", args: "--prompt 64k" },
    Case { name: "stream/1k", args: "--prompt 1k --chunks 20" },
    Case { name: "whole/400k", args: "--prompt 400k" },
    Case { name: "stream/64k", args: "--prompt 64k --chunks 20" },
    Case { name: "stream/400k", args: "--prompt 400k --chunks 20" },
];

/// About a tenth of what one core of the floor can do, so that the tail is that of a service with room to spare and not
/// of a queue.
const RATE: [Case; 3] = [
    Case { name: "whole/1k", args: "--prompt 1k --rate 2000" },
    Case { name: "whole/64k", args: "--prompt 64k --rate 500" },
    Case { name: "stream/1k", args: "--prompt 1k --chunks 20 --rate 250" },
];

/// What [`across`] sends as fast as it can. Few enough for every run.
const ACROSS: [Case; 3] = [
    Case { name: "whole/1k", args: "--prompt 1k" },
    Case { name: "whole/64k", args: "--prompt 64k" },
    Case { name: "stream/1k", args: "--prompt 1k --chunks 20" },
];

/// A chunk that is held back is held back every time; one that met a busy machine is not.
const LOCKSTEP_ROUNDS: usize = 3;

const PROMPTS: [&str; 3] = ["1k", "64k", "400k"];

impl Plan {
    /// Every case; at most ten minutes. Many short rounds rather than few long ones: a machine that others use changes its
    /// speed within seconds, and a ratio is formed within a round.
    pub(super) fn full() -> Self {
        Self {
            patience: Duration::from_secs(60),
            rounds: 7,
            starts: 7,
            throughput: &THROUGHPUT,
            sample_ms: 500,
            latency: &PROMPTS,
            latency_ms: 400,
            rate: &RATE,
            rate_ms: 1200,
            chunks_each: 700,
            memory_prompts: &["1k", "64k"],
            memory_chunks: 8,
        }
    }

    /// The cases that have a goal; about two minutes.
    pub(super) fn quick() -> Self {
        Self {
            patience: Duration::from_secs(20),
            rounds: 5,
            starts: 3,
            throughput: THROUGHPUT.split_at(3).0,
            sample_ms: 400,
            latency: PROMPTS.split_at(1).0,
            latency_ms: 300,
            rate: RATE.split_at(1).0,
            rate_ms: 800,
            chunks_each: 250,
            memory_prompts: PROMPTS.split_at(1).0,
            memory_chunks: 5,
        }
    }
}

/// Runs the measurement `name` on all `kinds`.
pub(super) fn run(name: &str, lab: &mut Lab, plan: &Plan, kinds: &[Kind]) -> Result<()> {
    match name {
        "start" => start(lab, plan, kinds),
        "memory" => memory(lab, plan, kinds),
        "held-back" => held_back(lab, kinds),
        "throughput" => throughput(lab, plan, kinds),
        "latency" => latency(lab, plan, kinds),
        "rate" => rate(lab, plan, kinds),
        "chunks" => chunks(lab, plan, kinds),
        "across" => across(lab, plan, kinds),
        "recording" => recording(lab, plan, kinds),
        other => bail!("no measurement {other:?}"),
    }
}

/// From exec to the first right answer, each time in an empty folder: a gateway that makes its store at the first
/// start pays for it here. Includes about 2 ms of the shell that pins the program, for every subject alike.
fn start(lab: &mut Lab, plan: &Plan, kinds: &[Kind]) -> Result<()> {
    let request = load::first_request();
    for round in 0..plan.starts {
        for kind in turns(kinds, round).copied().filter(|kind| *kind != Kind::Direct) {
            let begun = Instant::now();
            let mut subject = kind.start(lab)?;
            let Some(running) = &mut subject.running else { continue };
            let answered = running.wait_for_answer(subject.address, &request).context(kind.name())?;
            let ms = (answered - begun).as_secs_f64() * 1000.0;
            lab.records.add("start", kind.name(), round, "ms", Some(ms));
        }
    }
    Ok(())
}

/// Resident memory of a fresh process: idle, at its highest while a thousand streams are open, and three seconds after
/// the last has ended. The streams trickle, as those of a model do, and all of them are open at the same time.
fn memory(lab: &mut Lab, plan: &Plan, kinds: &[Kind]) -> Result<()> {
    for prompt in plan.memory_prompts {
        for kind in kinds.iter().copied().filter(|kind| *kind != Kind::Direct) {
            let subject = ready(kind, lab)?;
            memory_of(lab, plan, &subject, prompt).context(kind.name())?;
        }
    }
    Ok(())
}

fn memory_of(lab: &mut Lab, plan: &Plan, subject: &Subject, prompt: &str) -> Result<()> {
    let running = subject.running.as_ref().context("nothing to measure")?;
    thread::sleep(Duration::from_millis(300));
    let idle = running.resident_mib()?;
    let chunks = plan.memory_chunks;
    let args = format!(
        "--mode streams --connections {OPEN_STREAMS} --prompt {prompt} --chunks {chunks} --gap-us 500000"
    );
    let (report, peak) = thread::scope(|scope| -> Result<(Report, f64)> {
        let load = scope.spawn(|| load::run(lab, subject, &args));
        let mut peak = idle;
        while !load.is_finished() {
            peak = peak.max(running.resident_mib()?);
            thread::sleep(Duration::from_millis(20));
        }
        let report = load.join().map_err(|_| anyhow::anyhow!("the load thread failed"))??;
        Ok((report, peak))
    })?;
    thread::sleep(Duration::from_secs(3));
    let after = running.resident_mib()?;
    let measure = format!("memory/{prompt}");
    let figures = [
        ("idle_mib", Some(idle)),
        ("peak_mib", Some(peak)),
        ("after_mib", Some(after)),
        ("open", report.figure("streams_open_max")),
    ];
    for (figure, value) in figures {
        lab.records.add(&measure, subject.kind.name(), 0, figure, value);
    }
    Ok(())
}

/// In lockstep: the upstream sends a chunk only when the load generator has the last one. A proxy that waits for more
/// before it passes something on stops the stream, whatever the machine's speed.
fn held_back(lab: &mut Lab, kinds: &[Kind]) -> Result<()> {
    let subjects = ready_all(kinds, lab)?;
    for round in 0..LOCKSTEP_ROUNDS {
        for subject in turns(&subjects, round) {
            let report = load::run(lab, subject, "--mode lockstep --chunks 500")?;
            for (figure, path) in
                [("held_back", "held_back"), ("chunks", "chunks"), ("p50", "chunk_delay_us/p50")]
            {
                lab.records.add("held-back", subject.kind.name(), round, figure, report.figure(path));
            }
        }
    }
    Ok(())
}

/// As much as 64 connections can send. Given per CPU-second of the subject, and split into user time, which is the
/// program's own, and the rest, which is the kernel's and much the same for everybody.
fn throughput(lab: &mut Lab, plan: &Plan, kinds: &[Kind]) -> Result<()> {
    let subjects = ready_all(kinds, lab)?;
    for case in plan.throughput {
        work(lab, plan, &subjects, &format!("throughput/{}", case.name), &|_| case.args.to_owned())?;
    }
    Ok(())
}

/// As many requests as 64 connections can send; `args` says what to each subject.
fn work(
    lab: &mut Lab,
    plan: &Plan,
    subjects: &[Subject],
    measure: &str,
    args: &dyn Fn(Kind) -> String,
) -> Result<()> {
    let args = |subject: &Subject, ms: u32| {
        format!("--mode closed --connections 64 {} --duration-ms {ms}", args(subject.kind))
    };
    for subject in subjects {
        load::run(lab, subject, &args(subject, 200))?;
    }
    for round in 0..plan.rounds {
        for subject in turns(subjects, round) {
            let (report, cpu) = timed(lab, subject, &args(subject, plan.sample_ms))?;
            record_throughput(lab, measure, subject, round, &report, cpu);
        }
    }
    Ok(())
}

/// One connection, one request after the other: the time a request spends in the subject and nothing else.
fn latency(lab: &mut Lab, plan: &Plan, kinds: &[Kind]) -> Result<()> {
    let subjects = ready_all(kinds, lab)?;
    for prompt in plan.latency {
        let args =
            format!("--mode closed --connections 1 --prompt {prompt} --duration-ms {}", plan.latency_ms);
        let measure = format!("latency/whole/{prompt}");
        // More rounds than elsewhere: the samples are short and the differences a few microseconds.
        for round in 0..plan.rounds + 2 {
            for subject in turns(&subjects, round) {
                let (report, _) = timed(lab, subject, &args)?;
                record_times(lab, &measure, subject, round, &report, "latency_us");
            }
        }
    }
    Ok(())
}

/// A constant rate over 32 connections, latency counted from when a request was due.
fn rate(lab: &mut Lab, plan: &Plan, kinds: &[Kind]) -> Result<()> {
    let subjects = ready_all(kinds, lab)?;
    for case in plan.rate {
        paced(lab, plan, &subjects, &format!("rate/{}", case.name), case.args)?;
    }
    Ok(())
}

/// A constant rate of requests; `args` says of which and how many.
fn paced(lab: &mut Lab, plan: &Plan, subjects: &[Subject], measure: &str, args: &str) -> Result<()> {
    let args = |ms: u32| format!("--mode open --connections 32 --duration-ms {ms} {args}");
    for subject in subjects {
        load::run(lab, subject, &args(200))?;
    }
    for round in 0..plan.rounds {
        for subject in turns(subjects, round) {
            let (report, _) = timed(lab, subject, &args(plan.rate_ms))?;
            record_times(lab, measure, subject, round, &report, "latency_us");
            let late = report.figure("late_us/p99");
            lab.records.add(measure, subject.kind.name(), round, "generator_late_p99", late);
        }
    }
    Ok(())
}

/// 64 streams with a chunk every 3 ms each, out of step with one another: every chunk is one write of the upstream and
/// comes alone, so none can be passed on together with its neighbour, which is how models send and what costs most.
fn chunks(lab: &mut Lab, plan: &Plan, kinds: &[Kind]) -> Result<()> {
    let subjects = ready_all(kinds, lab)?;
    trickle(lab, plan, &subjects, "chunks", &|_| String::new())
}

/// The streams of [`chunks`]; `args` says what else each subject is sent.
fn trickle(
    lab: &mut Lab,
    plan: &Plan,
    subjects: &[Subject],
    measure: &str,
    args: &dyn Fn(Kind) -> String,
) -> Result<()> {
    let streams = format!("--mode streams --connections 64 --chunks {} --gap-us 3000", plan.chunks_each);
    for round in 0..plan.rounds {
        for subject in turns(subjects, round) {
            let (report, cpu) = timed(lab, subject, &format!("{streams} {}", args(subject.kind)))?;
            record_times(lab, measure, subject, round, &report, "chunk_delay_us");
            let chunks = report.figure("chunks").filter(|chunks| *chunks > 0.0);
            let name = subject.kind.name();
            let each = |seconds: f64| chunks.map(|chunks| seconds * 1e6 / chunks);
            lab.records.add(measure, name, round, "cpu_us", cpu.and_then(|cpu| each(cpu.total())));
            lab.records.add(measure, name, round, "user_us", cpu.and_then(|cpu| each(cpu.user)));
        }
    }
    Ok(())
}

/// The work of [`throughput`] and [`chunks`] where the client speaks Messages to the gateway and the upstream Chat
/// Completions as ever. Beside it the floor carries what it always does, in the same rounds: nothing else could pass
/// the two dialects on. A chunk's delay is not measured, as the time it was written is told in a member that no other
/// dialect has.
fn across(lab: &mut Lab, plan: &Plan, kinds: &[Kind]) -> Result<()> {
    let compared = |kind: &Kind| matches!(kind, Kind::Floor | Kind::Shim | Kind::SecondFloor);
    let kinds: Vec<Kind> = kinds.iter().copied().filter(compared).collect();
    let subjects = ready_all(&kinds, lab)?;
    for case in &ACROSS {
        let args = |kind| format!("{} {}", case.args, dialect(kind));
        work(lab, plan, &subjects, &format!("across/{}", case.name), &args)?;
    }
    trickle(lab, plan, &subjects, "across/chunks", &|kind| dialect(kind).to_owned())
}

/// How the client speaks to a subject in [`across`]. What passes bytes on can be spoken to in the upstream's dialect
/// only.
fn dialect(kind: Kind) -> &'static str {
    match kind {
        Kind::Shim | Kind::Unrecorded | Kind::Recorded => "--dialect messages",
        Kind::Direct | Kind::Nginx | Kind::Floor | Kind::SecondFloor => "--dialect chat",
    }
}

/// What it costs to record all bodies: the same load on the gateway that does and on one that does not.
fn recording(lab: &mut Lab, plan: &Plan, kinds: &[Kind]) -> Result<()> {
    if !kinds.contains(&Kind::Shim) {
        return Ok(());
    }
    let subjects = ready_all(&[Kind::Direct, Kind::Unrecorded, Kind::Recorded], lab)?;
    let ours = subjects.get(1..).unwrap_or_default();
    for case in &THROUGHPUT[..2] {
        work(lab, plan, ours, &format!("recording/{}", case.name), &|_| case.args.to_owned())?;
    }
    paced(lab, plan, &subjects, "recording/rate", RATE[0].args)
}

fn record_throughput(
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

fn record_times(lab: &mut Lab, measure: &str, subject: &Subject, round: usize, report: &Report, times: &str) {
    for figure in ["p50", "p99", "p999", "max"] {
        let value = report.figure(&format!("{times}/{figure}"));
        lab.records.add(measure, subject.kind.name(), round, figure, value);
    }
}

/// Runs load and says what processor time the subject spent on it. Runs it again when the machine was busy with
/// something else, and keeps the least disturbed.
fn timed(lab: &mut Lab, subject: &Subject, args: &str) -> Result<(Report, Option<Cpu>)> {
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

/// All of `items`, in turn forwards and backwards.
fn turns<T>(items: &[T], round: usize) -> impl Iterator<Item = &T> {
    let last = items.len();
    (0..last).filter_map(move |at| items.get(if round.is_multiple_of(2) { at } else { last - 1 - at }))
}

fn ready(kind: Kind, lab: &Lab) -> Result<Subject> {
    let mut subject = kind.start(lab)?;
    if let Some(running) = &mut subject.running {
        running.wait_for_answer(subject.address, &load::first_request()).context(kind.name())?;
    }
    Ok(subject)
}

fn ready_all(kinds: &[Kind], lab: &Lab) -> Result<Vec<Subject>> {
    kinds.iter().map(|kind| ready(*kind, lab)).collect()
}

#[cfg(test)]
mod tests {
    use super::{NAMES, dialect, turns};
    use crate::bench::HELP;
    use crate::bench::subject::Kind;

    #[test]
    fn every_measurement_can_be_asked_for() {
        for name in NAMES {
            assert!(HELP.contains(name), "{name}");
        }
    }

    #[test]
    fn only_the_gateway_is_spoken_to_in_another_dialect() {
        assert_eq!(dialect(Kind::Shim), "--dialect messages");
        for kind in [Kind::Floor, Kind::SecondFloor] {
            assert_eq!(dialect(kind), "--dialect chat", "{}", kind.name());
        }
    }

    #[test]
    fn every_other_round_runs_backwards() {
        let items = [1, 2, 3];
        assert!(turns(&items, 0).eq(&[1, 2, 3]));
        assert!(turns(&items, 1).eq(&[3, 2, 1]));
        assert!(turns(&items, 2).eq(&[1, 2, 3]));
    }
}
