//! The suites of the SDKs: a script each, that prints a line for each check.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::gateway::Gateway;
use super::install::Installed;
use super::process::finish;
use super::{Places, Tally};
use crate::say;

/// How long a suite may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// The scripts: one for each SDK.
const SDKS: [(&str, &str); 3] =
    [("openai", "openai_suite"), ("anthropic", "anthropic_suite"), ("genai", "genai_suite")];

/// The scripts that go over the upstreams of every dialect, which `shim up` does not find.
const SQUARE: (&str, &str) = ("square", "square");
const PYTHON: [(&str, &str); 2] = [SQUARE, ("ledger", "ledger_suite")];
const FRAMEWORKS: [(&str, &str); 2] =
    [("langchain", "langchain_suite"), ("pydantic-ai", "pydantic_ai_suite")];
const JS: [(&str, &str); 2] = [SQUARE, ("ai-sdk", "ai_sdk_suite")];

/// A script to run.
pub(super) struct Suite {
    /// `serve python openai`
    pub(super) name: String,
    program: PathBuf,
    script: PathBuf,
    /// Node finds packages beside the script alone, so the scripts are copied there first.
    copied_from: Option<PathBuf>,
}

/// The suites of the SDKs that are installed, to be run against the gateway `how`.
pub(super) fn all(how: &str, places: &Places, installed: &Installed) -> Vec<Suite> {
    let every = |over_all: &'static [(&'static str, &'static str)]| {
        SDKS.into_iter().chain(over_all.iter().copied().filter(|_| how == "serve"))
    };
    let in_python = |python: &PathBuf, (name, script): (&str, &str)| Suite {
        name: format!("{how} python {name}"),
        program: python.clone(),
        script: places.scripts.join(format!("python/{script}.py")),
        copied_from: None,
    };
    let sdks = installed.python.iter().flat_map(|python| every(&PYTHON).map(|one| in_python(python, one)));
    let over_all = installed.frameworks.iter().filter(|_| how == "serve");
    let frameworks = over_all.flat_map(|python| FRAMEWORKS.map(|one| in_python(python, one)));
    let js = installed.js.iter().flat_map(|js| {
        every(&JS).map(|(name, script)| Suite {
            name: format!("{how} js {name}"),
            program: "node".into(),
            script: js.join(format!("{script}.mjs")),
            copied_from: Some(places.scripts.join("js")),
        })
    });
    sdks.chain(frameworks).chain(js).collect()
}

/// Has every answer of the corpus and the recordings told to a client of each dialect, and the SDKs' own types judge
/// what it is told, and what `shim conform` asks and answers: the suite `name`.
///
/// # Errors
/// When the answers cannot be told, or the script does not start or end in time.
pub(super) fn types(name: &str, places: &Places, installed: &Installed, tally: &mut Tally) -> Result<()> {
    let Some(python) = &installed.python else { return Ok(()) };
    let retold = places.work.join("retold.jsonl");
    let told = Command::new(places.binary("examples/testkit-retold")?).arg(&retold).output()?;
    ensure!(told.status.success(), "testkit-retold: {}", String::from_utf8_lossy(&told.stderr));
    say(&format!("{name}: {}", String::from_utf8_lossy(&told.stdout).trim()))?;
    let mut command = Command::new(python);
    let scripts = crate::root().join("crates/shim-conform/data");
    command
        .arg(places.scripts.join("python/types_suite.py"))
        .arg(&retold)
        .arg(scripts)
        .current_dir(&places.work);
    command.env_clear().env("PYTHONDONTWRITEBYTECODE", "1");
    counted(name, &mut command, places, tally)
}

/// Runs a script and counts the checks it tells of.
fn counted(name: &str, command: &mut Command, places: &Places, tally: &mut Tally) -> Result<()> {
    let log = places.work.join(format!("{}.log", name.replace(' ', "-")));
    let failed = tally.failed.len();
    let mut count = |line: &str| {
        if line.starts_with("ok ") {
            tally.pass();
        } else if let Some(check) = line.strip_prefix("FAIL ") {
            tally.fail(format!("{name}: {}", check.trim()));
        }
        say(&format!("{name}: {line}"))
    };
    let status = finish(command, &log, PATIENCE, &mut count)?;
    if !status.success() && tally.failed.len() == failed {
        tally.fail(format!("{name}: {status}; see {}", log.display()));
    }
    Ok(())
}

impl Suite {
    /// Runs the script and counts its checks.
    ///
    /// # Errors
    /// When it does not start or does not end in time.
    pub(super) fn run(&self, gateway: &Gateway, places: &Places, tally: &mut Tally) -> Result<()> {
        self.copy()?;
        let mut command = Command::new(&self.program);
        command.arg(&self.script).current_dir(&places.work).env_clear();
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.env("HOME", places.fresh("home")?).env("PYTHONDONTWRITEBYTECODE", "1");
        command.env("SHIM_SUITE", gateway.described());
        counted(&self.name, &mut command, places, tally)
    }

    fn copy(&self) -> Result<()> {
        let (Some(from), Some(to)) = (&self.copied_from, self.script.parent()) else { return Ok(()) };
        for entry in std::fs::read_dir(from)? {
            let file = entry?.path();
            if let (Some(name), true) = (file.file_name(), file.extension().is_some_and(|e| e == "mjs")) {
                std::fs::copy(&file, to.join(name))?;
            }
        }
        Ok(())
    }
}
