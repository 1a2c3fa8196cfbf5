//! `cargo xtask order`: which functions run at the start and for requests, for the linker to put together.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::lab::Lab;
use super::load;
use super::measure::Plan;
use super::subject::{Kind, Subject};
use super::{build, say};

/// Where the list is kept, from the root of the repository.
const FILE: &str = "crates/shim/functions.order";

/// What is asked of the gateway while it is watched: `bench-load`'s arguments.
const LOADS: [&str; 4] = [
    "--connections 4 --prompt 1k --duration-ms 3000",
    "--connections 4 --prompt 1k --chunks 20 --duration-ms 3000",
    "--connections 4 --prompt 1k --dialect messages --duration-ms 3000",
    "--connections 4 --prompt 1k --dialect messages --chunks 20 --duration-ms 3000",
];

/// Instructions of each function's own, by its name in the symbol table.
type Ran = HashMap<String, u64>;

/// Writes the list anew: what requests run first, the most run first of all, then what only the start runs.
pub(crate) fn run(root: &Path) -> Result<()> {
    build(false)?;
    let mut lab = Lab::open(root, Plan::quick().patience)?;
    let start = watch(&mut lab, Kind::Shim, &[])?;
    let mut all = watch(&mut lab, Kind::Shim, &LOADS)?;
    for (name, ran) in watch(&mut lab, Kind::Recorded, &LOADS)? {
        *all.entry(name).or_default() += ran;
    }
    let names = listed(&start, &all);
    fs::write(root.join(FILE), names.join("\n") + "\n").with_context(|| format!("cannot write {FILE}"))?;
    say(&format!("{} functions are listed in {FILE}; the next build puts them together", names.len()))
}

/// Says how many of the functions that are listed the binary has: names change with the compiler and with dependencies.
pub(super) fn tell(root: &Path) -> Result<()> {
    let output =
        Command::new("nm").arg(root.join("target/release/shim")).output().context("cannot start nm")?;
    let symbols = String::from_utf8_lossy(&output.stdout);
    let has: HashSet<&str> = symbols.lines().filter_map(|line| line.rsplit(' ').next()).collect();
    let listed = fs::read_to_string(root.join(FILE)).with_context(|| format!("cannot read {FILE}"))?;
    let found = listed.lines().filter(|name| has.contains(name)).count();
    let of = listed.lines().count();
    say(&format!("{found} of the {of} functions in {FILE} are there; `cargo xtask order` lists them anew"))
}

/// What the gateway runs from its start to its end, with these loads between.
fn watch(lab: &mut Lab, kind: Kind, loads: &[&str]) -> Result<Ran> {
    let folder = lab.new_folder("order")?;
    let out = folder.join("callgrind.out");
    let valgrind = ["valgrind", "--tool=callgrind", "--demangle=no"].map(str::to_owned);
    let valgrind = valgrind.into_iter().chain([format!("--callgrind-out-file={}", out.display())]);
    let mut subject = kind.start_under(lab, &valgrind.collect::<Vec<_>>())?;
    wait(&mut subject)?;
    for args in loads {
        load::run(lab, &subject, args)?;
    }
    subject.running.take().context("it was started")?.terminate()?;
    let text = fs::read_to_string(&out).with_context(|| format!("cannot read {}", out.display()))?;
    let ran = own_instructions(&text, &lab.shim.display().to_string());
    ensure!(!ran.is_empty(), "nothing was seen to run; is valgrind installed?");
    Ok(ran)
}

/// Waits until it answers, which takes longer while it is watched.
pub(super) fn wait(subject: &mut Subject) -> Result<()> {
    let running = subject.running.as_mut().context("it was started")?;
    let mut waited = running.wait_for_answer(subject.address, &load::first_request());
    for _ in 0..5 {
        if waited.is_ok() {
            break;
        }
        waited = running.wait_for_answer(subject.address, &load::first_request());
    }
    waited.map(drop)
}

fn listed<'a>(start: &Ran, all: &'a Ran) -> Vec<&'a str> {
    let of_requests = |name: &str, ran: u64| ran.saturating_sub(start.get(name).copied().unwrap_or(0));
    let mut names: Vec<(u64, u64, &str)> =
        all.iter().map(|(name, ran)| (of_requests(name, *ran), *ran, name.as_str())).collect();
    names.sort_unstable_by_key(|(of_requests, ran, name)| (u64::MAX - of_requests, u64::MAX - ran, *name));
    names.into_iter().map(|(_, _, name)| name).collect()
}

/// The functions of `object` in what callgrind wrote. Source of the format:
/// <https://valgrind.org/docs/manual/cl-format.html>, read 2026-11-26.
fn own_instructions(text: &str, object: &str) -> Ran {
    let (mut objects, mut names) = (HashMap::new(), HashMap::new());
    let (mut ran, mut is_own, mut current, mut is_call) = (Ran::new(), false, None, false);
    for line in text.lines() {
        if let Some(named) = line.strip_prefix("ob=") {
            is_own = known(named, &mut objects) == object;
        } else if let Some(named) = line.strip_prefix("cob=") {
            known(named, &mut objects);
        } else if let Some(named) = line.strip_prefix("fn=") {
            let name = known(named, &mut names);
            current = Some(name).filter(|name| is_own && is_kept(name));
        } else if let Some(named) = line.strip_prefix("cfn=") {
            known(named, &mut names);
        } else if line.starts_with("calls=") {
            is_call = true;
        } else if line.starts_with(['+', '-', '*']) || line.starts_with(|first: char| first.is_ascii_digit())
        {
            // The line behind a call says what was called cost.
            let cost = line.split(' ').nth(1).and_then(|cost| cost.parse::<u64>().ok()).filter(|_| !is_call);
            is_call = false;
            if let (Some(name), Some(cost)) = (&current, cost) {
                *ran.entry(name.clone()).or_default() += cost;
            }
        }
    }
    ran
}

/// A name that stands there in full the first time, with a number, and by its number alone from then on.
fn known(named: &str, names: &mut HashMap<String, String>) -> String {
    let Some((number, name)) = named.split_once(')') else { return named.to_owned() };
    if name.is_empty() {
        return names.get(number).cloned().unwrap_or_default();
    }
    // A function that calls itself has a level behind its name.
    let name = name.trim_start().split('\'').next().unwrap_or_default().to_owned();
    names.insert(number.to_owned(), name.clone());
    name
}

/// Whether a name is the same in the next build: one with a number behind it was made unique in this one.
fn is_kept(name: &str) -> bool {
    name != "(below main)" && name.rsplit_once('.').is_none_or(|(_, end)| end.parse::<u32>().is_err())
}

#[cfg(test)]
mod tests {
    use super::{Ran, listed, own_instructions};

    #[test]
    fn the_functions_of_the_program_are_found_with_what_they_ran() {
        let text = "\
version: 1
events: Ir
ob=(1) /lib/libc.so
fn=(1) malloc
3 50
ob=(2) /bin/shim
fn=(2) _Rmain
10 5
cob=(1)
cfn=(1)
calls=2 3
+2 40
+1 7
cfn=(3) _Rrecursive'2
calls=1 0
* 9
fn=(3)
20 6
fn=(4) _Rlocal.123
21 8
";
        let ran = own_instructions(text, "/bin/shim");
        assert_eq!(ran, Ran::from([("_Rmain".into(), 12), ("_Rrecursive".into(), 6)]));
    }

    #[test]
    fn what_requests_run_stands_before_what_the_start_runs() {
        let start = Ran::from([("parse".into(), 900), ("both".into(), 10)]);
        let all = Ran::from([("parse".into(), 900), ("both".into(), 30), ("relay".into(), 500)]);
        assert_eq!(listed(&start, &all), ["relay", "both", "parse"]);
    }
}
