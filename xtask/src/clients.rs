//! `cargo xtask clients`: the official SDKs and terminal agents, working through a gateway against a provider that
//! answers from the corpus.
//!
//! Nothing here needs a network but the installation of the clients, which is done once. Clients that cannot be
//! installed are skipped and named; a check that fails fails the run.

mod agents;
mod gateway;
mod handover;
mod install;
mod process;
mod suites;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use gateway::Gateway;
use install::Installed;

use crate::say;

/// The suite that needs no gateway.
const TYPES: &str = "python types";

/// What came of a run.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    passed: usize,
    failed: Vec<String>,
    skipped: Vec<String>,
}

/// Where things are.
struct Places {
    /// The scripts, in the repository.
    scripts: PathBuf,
    /// What is installed and written, below `target`.
    work: PathBuf,
    /// The binaries.
    bin: PathBuf,
}

/// Runs the suites whose name holds one of the words of `filter`, or all of them without any.
///
/// # Errors
/// When a check fails, or the gateway does not start.
pub(crate) fn run(filter: &[String]) -> Result<()> {
    crate::cargo(&["build", "-p", "shim", "-p", "shim-testkit", "--bins", "--examples"], &[])?;
    let places = Places::open()?;
    let installed = Installed::all(&places)?;
    let mut tally = Tally::default();
    tally.skipped.extend(installed.missing.iter().cloned());
    if wanted(filter, TYPES) {
        suites::types(TYPES, &places, &installed, &mut tally)?;
    }
    served(&places, &installed, filter, &mut tally)?;
    unconfigured(&places, &installed, filter, &mut tally)?;
    handover::run(&places, &installed, filter, &mut tally)?;
    tally.tell()
}

/// Everything through `shim serve`: a provider for each dialect, aliases, and a key.
fn served(places: &Places, installed: &Installed, filter: &[String], tally: &mut Tally) -> Result<()> {
    let gateway = Gateway::serve(places)?;
    for suite in suites::all("serve", places, installed) {
        if wanted(filter, &suite.name) {
            suite.run(&gateway, places, tally)?;
        }
    }
    agents(&gateway, places, installed, filter, tally)
}

/// The SDKs through `shim up`, which finds the provider where Ollama would be.
fn unconfigured(places: &Places, installed: &Installed, filter: &[String], tally: &mut Tally) -> Result<()> {
    let gateway = Gateway::up(places)?;
    if !gateway.has_upstream() {
        tally.skipped.push("up: all but the demo, for another program listens on Ollama's port".to_owned());
    }
    for suite in suites::all("up", places, installed) {
        if wanted(filter, &suite.name) {
            suite.run(&gateway, places, tally)?;
        }
    }
    agents(&gateway, places, installed, filter, tally)
}

/// The agents, each over every dialect the gateway has an upstream for; a found upstream has several, and is asked in
/// the agent's own where it can be.
fn agents(
    gateway: &Gateway,
    places: &Places,
    installed: &Installed,
    filter: &[String],
    tally: &mut Tally,
) -> Result<()> {
    for agent in agents::ALL {
        for dialect in gateway.upstreams(agent.dialect) {
            let name = format!("{} agent {} over {dialect}", gateway.how, agent.name);
            if let (true, Some(model)) = (wanted(filter, &name), gateway.task(agent.name, dialect)) {
                agent.run(&name, &model, gateway, places, installed, tally)?;
            }
        }
    }
    Ok(())
}

fn wanted(filter: &[String], name: &str) -> bool {
    filter.is_empty() || filter.iter().any(|word| name.contains(word.as_str()))
}

impl Places {
    fn open() -> Result<Self> {
        let root = crate::root();
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let work = std::path::absolute(&target)?.join("clients");
        std::fs::create_dir_all(&work)?;
        Ok(Self { scripts: root.join("clients"), bin: target.join("debug"), work })
    }

    /// An empty folder `name`.
    fn fresh(&self, name: &str) -> Result<PathBuf> {
        let folder = self.work.join(name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
        }
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// One of our binaries.
    fn binary(&self, name: &str) -> Result<PathBuf> {
        let file = self.bin.join(name);
        file.canonicalize().with_context(|| file.display().to_string())
    }
}

impl Tally {
    fn pass(&mut self) {
        self.passed += 1;
    }

    fn fail(&mut self, what: impl Into<String>) {
        self.failed.push(what.into());
    }

    /// Prints the summary.
    fn tell(&self) -> Result<()> {
        for skipped in &self.skipped {
            say(&format!("skipped: {skipped}"))?;
        }
        say(&format!("clients: {} checks passed, {} failed", self.passed, self.failed.len()))?;
        if !self.failed.is_empty() {
            bail!("client checks failed:\n  {}", self.failed.join("\n  "));
        }
        Ok(())
    }
}

/// Writes text into a file, with the name of the file in the error.
fn write(file: &Path, text: &str) -> Result<()> {
    std::fs::write(file, text).with_context(|| file.display().to_string())
}
