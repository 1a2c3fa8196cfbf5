//! Repository chores. CI and people call the same verbs.

mod catalog;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail};

const USAGE: &str = "usage: cargo xtask test [FILTER] | check | catalog [FACTS]";

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
    match verb.as_str() {
        "test" => test(rest),
        "check" => check(),
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

/// Every test.
fn test(filter: &[String]) -> Result<()> {
    let mut args = vec!["test", "--workspace"];
    args.extend(filter.iter().map(String::as_str));
    cargo(&args)
}

/// Formatting, lints, and a page for every kind of fault.
fn check() -> Result<()> {
    cargo(&["fmt", "--all", "--check"])?;
    cargo(&["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"])?;
    for kind in shim_ir::FaultKind::ALL {
        let page = root().join("docs/faults").join(format!("{}.md", kind.code()));
        if !page.is_file() {
            bail!("there is no page {}", page.display());
        }
    }
    Ok(())
}

fn cargo(args: &[&str]) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status =
        Command::new(cargo).args(args).current_dir(root()).status().context("cargo does not start")?;
    if !status.success() {
        bail!("cargo {} failed", args.join(" "));
    }
    Ok(())
}
