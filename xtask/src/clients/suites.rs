//! The suites of the SDKs: a script each, that prints a line for each check.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::gateway::Gateway;
use super::install::Installed;
use super::process::finish;
use super::{Places, Tally};
use crate::say;

/// How long a suite may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// The SDKs, by the names of their scripts.
const SDKS: [&str; 3] = ["openai", "anthropic", "genai"];

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
    let mut suites = Vec::new();
    for sdk in SDKS {
        if let Some(python) = &installed.python {
            suites.push(Suite {
                name: format!("{how} python {sdk}"),
                program: python.clone(),
                script: places.scripts.join(format!("python/{sdk}_suite.py")),
                copied_from: None,
            });
        }
        if let Some(js) = &installed.js {
            suites.push(Suite {
                name: format!("{how} js {sdk}"),
                program: "node".into(),
                script: js.join(format!("{sdk}_suite.mjs")),
                copied_from: Some(places.scripts.join("js")),
            });
        }
    }
    suites
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
        let log = places.work.join(format!("{}.log", self.name.replace(' ', "-")));
        let failed = tally.failed.len();
        let mut count = |line: &str| {
            if line.starts_with("ok ") {
                tally.pass();
            } else if let Some(check) = line.strip_prefix("FAIL ") {
                tally.fail(format!("{}: {}", self.name, check.trim()));
            }
            say(&format!("{}: {line}", self.name))
        };
        let status = finish(&mut command, &log, PATIENCE, &mut count)?;
        if !status.success() && tally.failed.len() == failed {
            tally.fail(format!("{}: {status}; see {}", self.name, log.display()));
        }
        Ok(())
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
