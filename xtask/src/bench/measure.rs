//! The measurements, each with the reason why it is made the way it is.

mod plan;
mod sample;

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

pub(super) use self::plan::Plan;
use self::plan::{ACROSS, RATE, THROUGHPUT};
use self::sample::{ready, ready_all, record_throughput, record_times, timed, turns};
use super::lab::Lab;
use super::load::{self, Report};
use super::subject::{Kind, Subject};

/// What `--only` may name, in the order they are run.
pub(super) const NAMES: [&str; 9] =
    ["start", "memory", "held-back", "throughput", "latency", "rate", "chunks", "across", "recording"];

/// Streams held open at a time by the memory measurement.
pub(super) const OPEN_STREAMS: u32 = 1000;

/// A chunk that is held back is held back every time; one that met a busy machine is not.
const LOCKSTEP_ROUNDS: usize = 3;

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

#[cfg(test)]
mod tests {
    use super::{NAMES, dialect};
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
}
