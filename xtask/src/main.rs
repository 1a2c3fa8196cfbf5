//! Repository chores. CI and people call the same verbs.

mod bench;
mod catalog;
mod clients;
mod corpus;
mod deny;
mod fuzz;
mod metadata;
mod tidy;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail};

const USAGE: &str = "\
usage: cargo xtask VERB

  test [FILTER]                     every test, then the client suites; with a filter only the tests it names
  check                             formatting, lints, tidy, and what deny.toml allows to depend on
  tidy                              what no compiler checks: crate edges, purity, pages, shape
  bless [FILTER]                    runs the tests and accepts every snapshot that changed, to be reviewed as a diff
  corpus                            what the corpus holds, and whether each case is whole
  fuzz [TARGET]... [--seconds N]    every fuzz target, or those named; see docs/fuzzing.md
  clients [FILTER]...               official SDKs and agents, through the gateway; installs them at first
  bench [--help]                    what the gateway costs
  profile                           counts anew what requests run, for the compiler; needs llvm-profdata
  order                             lists anew which functions the linker puts together; needs valgrind
  catalog [FACTS]                   imports the catalogue from a folder of facts";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<()> {
    let (verb, rest) = args.split_first().context(USAGE)?;
    if matches!(verb.as_str(), "check" | "tidy" | "corpus" | "order" | "profile") && !rest.is_empty() {
        bail!("{USAGE}");
    }
    match verb.as_str() {
        "test" if rest.is_empty() => test(rest, &[]).and_then(|()| clients::run(&[])),
        "test" => test(rest, &[]),
        "check" => check(),
        "tidy" => tidy::run(),
        "bless" => test(rest, &[("INSTA_UPDATE", "always")]),
        "corpus" => corpus::run(),
        "fuzz" => fuzz::run(rest),
        "bench" => bench::run(rest),
        "clients" => clients::run(rest),
        "order" => bench::order::run(&root()),
        "profile" => bench::profile::run(&root()),
        "catalog" => {
            let facts = rest.first().map_or_else(|| root().join("../shared/catalog"), PathBuf::from);
            catalog::import(&root(), &facts)
        }
        _ => bail!("{USAGE}"),
    }
}

/// The root of the repository.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// Every test, those in the documentation included.
fn test(filter: &[String], env: &[(&str, &str)]) -> Result<()> {
    let with = |args: &[&'static str]| -> Vec<String> {
        args.iter().map(|arg| (*arg).to_owned()).chain(filter.iter().cloned()).collect()
    };
    if !has_subcommand("nextest") {
        return cargo(&with(&["test", "--workspace"]), env);
    }
    // A filter that names a unit test leaves no test in the documentation, and the other way round.
    cargo(&with(&["nextest", "run", "--workspace", "--no-tests=pass"]), env)?;
    cargo(&with(&["test", "--workspace", "--doc", "--quiet"]), env)
}

/// Everything that is not a test.
fn check() -> Result<()> {
    cargo(&["fmt", "--all", "--check"], &[])?;
    cargo(&["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"], &[])?;
    for features in metadata::feature_sets(&metadata::declared()?) {
        let mut args = vec!["clippy", "--workspace", "--all-targets", "--quiet"];
        args.extend(features);
        args.extend(["--", "-D", "warnings"]);
        cargo(&args, &[])?;
    }
    tidy::run()?;
    deny::run()
}

/// Runs cargo in the root of the repository.
fn cargo<S: AsRef<str>>(args: &[S], env: &[(&str, &str)]) -> Result<()> {
    let args: Vec<&str> = args.iter().map(AsRef::as_ref).collect();
    let status = command(&args).envs(env.iter().copied()).status().context("cargo does not start")?;
    if !status.success() {
        bail!("cargo {} failed", args.join(" "));
    }
    Ok(())
}

/// What cargo prints when it is run in the root of the repository.
fn cargo_output(args: &[&str]) -> Result<Vec<u8>> {
    let output = command(args).output().context("cargo does not start")?;
    if !output.status.success() {
        bail!("cargo {} failed: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(output.stdout)
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(root());
    command
}

/// Whether cargo has an installed subcommand of this name.
fn has_subcommand(name: &str) -> bool {
    command(&[name, "--version"]).output().is_ok_and(|output| output.status.success())
}

/// Prints a line.
fn say(line: &str) -> Result<()> {
    writeln!(std::io::stdout(), "{line}").context("cannot write to standard output")
}
