//! `cargo xtask bench`: what the gateway costs, beside nothing at all, nginx, and the least hyper can do.
//!
//! Every figure is taken in the same run, on the same core, from the same requests, because absolute figures of
//! two machines, or of one machine on two days, say little about a program. What is published is the ratio to the
//! *floor*, a pass-through on hyper without a single feature.
//!
//! - The subject has exactly one core to itself; the upstream and the load generator have the others. Throughput is
//!   given per CPU-second that the subject spent, so it does not matter whether the load kept that core busy to the
//!   last per cent.
//! - The subjects take turns in short rounds, forwards and then backwards, so that a machine that gets slower or
//!   faster while the bench runs does so for all of them. Ratios are formed within a round; their median is
//!   given, with the least and the greatest.
//! - Every byte is compared, in both directions; across dialects, what the bytes say. A wrong byte or a failed request
//!   fails the run; a slow figure never does.

mod cores;
mod goals;
mod lab;
mod load;
mod measure;
pub(crate) mod order;
mod page;
mod process;
pub(crate) mod profile;
mod quiet;
mod records;
mod subject;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};

use lab::Lab;
use measure::Plan;
use subject::Kind;

const HELP: &str = "\
cargo xtask bench [--quick] [--only NAME]... [--docs] [--self-check] [--install-nginx]

Measures Shim beside a direct connection, nginx and a bare hyper pass-through. Prints the figures, writes
target/bench.json and, after a complete run, docs/performance.md.

  --quick          About two minutes: fewer cases, shorter samples. Leaves docs/performance.md alone.
  --only NAME      Only this measurement; may be repeated. One of:
                   throughput, latency, rate, chunks, across, recording, held-back,
                   memory, start
  --docs           Write docs/performance.md even so.
  --self-check     Put a second floor in Shim's place. Every ratio should be 1: what it differs by is the noise.
  --install-nginx  Where nginx is absent, install Debian's nginx-light first (needs root).
";

/// What was asked for on the command line.
#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    quick: bool,
    only: Vec<String>,
    docs: bool,
    self_check: bool,
    install_nginx: bool,
}

/// Runs the bench; `args` are those after `bench`.
pub(crate) fn run(args: &[String]) -> Result<()> {
    if args.iter().any(|arg| arg == "--help" || arg == "-h") {
        return say(HELP);
    }
    let options = parse(args)?;
    if options.install_nginx && !subject::has_nginx() {
        command("apt-get", &["install", "-y", "nginx-light"])?;
    }
    build(options.self_check)?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no parent folder")?;
    let plan = if options.quick { Plan::quick() } else { Plan::full() };
    if !options.self_check {
        order::tell(root)?;
    }
    let mut lab = Lab::open(root, plan.patience)?;
    let subjects = subjects(&options)?;
    say(&lab.cores.describe())?;
    for name in measure::NAMES {
        if options.only.is_empty() || options.only.iter().any(|only| only == name) {
            let begun = Instant::now();
            measure::run(name, &mut lab, &plan, &subjects)
                .with_context(|| format!("while measuring {name}"))?;
            say(&format!("{name}: {:.0} s", begun.elapsed().as_secs_f64()))?;
        }
    }
    publish(&lab, &options, root)
}

fn parse(args: &[String]) -> Result<Options> {
    let mut options = Options::default();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--quick" => options.quick = true,
            "--docs" => options.docs = true,
            "--self-check" => options.self_check = true,
            "--install-nginx" => options.install_nginx = true,
            "--only" => {
                let name = args.next().context("--only needs the name of a measurement")?;
                ensure!(measure::NAMES.contains(&name.as_str()), "no measurement {name:?}; see --help");
                options.only.push(name.clone());
            }
            other => bail!("unknown option {other:?}; see --help"),
        }
    }
    Ok(options)
}

fn build(self_check: bool) -> Result<()> {
    let mut args = vec!["build", "--release", "-p", "shim-bench"];
    if !self_check {
        args.extend(["-p", "shim"]);
    }
    command(&std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()), &args)
}

fn command(program: &str, args: &[&str]) -> Result<()> {
    let status =
        Command::new(program).args(args).status().with_context(|| format!("cannot start {program}"))?;
    ensure!(status.success(), "{program} {} failed: {status}", args.join(" "));
    Ok(())
}

fn subjects(options: &Options) -> Result<Vec<Kind>> {
    let mut subjects = vec![Kind::Direct];
    if subject::has_nginx() {
        subjects.push(Kind::Nginx);
    } else {
        say("nginx is not installed and is left out; --install-nginx installs it.")?;
    }
    subjects.extend([Kind::Floor, if options.self_check { Kind::SecondFloor } else { Kind::Shim }]);
    Ok(subjects)
}

fn publish(lab: &Lab, options: &Options, root: &Path) -> Result<()> {
    let goals = goals::judge(&lab.records);
    let page = page::render(lab, &goals, options.quick, options.self_check);
    say(&page)?;
    write(&root.join("target/bench.json"), &page::json(lab, &goals)?)?;
    let complete = options.only.is_empty() && !options.quick && !options.self_check;
    if complete || options.docs {
        write(&root.join("docs/performance.md"), &page)?;
    }
    let total = &lab.total;
    ensure!(total.wrong == 0, "{} answers had wrong bytes", total.wrong);
    ensure!(total.failed == 0, "{} requests failed; the first: {}", total.failed, total.failures.join("; "));
    Ok(())
}

fn write(path: &PathBuf, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn say(text: &str) -> Result<()> {
    writeln!(std::io::stdout(), "{text}").context("cannot write to standard output")
}

#[cfg(test)]
mod tests {
    use super::{Options, parse};

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn options_are_read() {
        let options = parse(&words("--quick --only rate --only start")).unwrap();
        let only = vec!["rate".to_owned(), "start".to_owned()];
        assert_eq!(options, Options { quick: true, only, ..Options::default() });
        for wrong in ["--fast", "--only", "--only nothing"] {
            assert!(parse(&words(wrong)).is_err(), "{wrong}");
        }
    }
}
