//! The clients, at the versions the repository names, below `target/clients`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use super::Places;
use crate::say;

/// What could be installed.
#[derive(Debug, Default)]
pub(super) struct Installed {
    /// The Python that has the SDKs.
    pub(super) python: Option<PathBuf>,
    /// The Python that has the frameworks.
    pub(super) frameworks: Option<PathBuf>,
    /// The folder whose `node_modules` has the SDKs.
    pub(super) js: Option<PathBuf>,
    /// The folder with the agents' programs.
    pub(super) agents: Option<PathBuf>,
    /// What is missing and why, a line each.
    pub(super) missing: Vec<String>,
}

impl Installed {
    /// Installs what is not installed yet.
    ///
    /// # Errors
    /// When our own files cannot be read or written. What cannot be installed is told of in `missing`.
    pub(super) fn all(places: &Places) -> Result<Self> {
        let mut installed = Self::default();
        // Apart, so that one framework that cannot be installed does not take the SDKs with it.
        let venv = places.work.join("venv");
        let wanted = places.scripts.join("requirements.txt");
        if installed.get("the Python SDKs", &wanted, &venv, |folder| python(folder, &wanted))? {
            installed.python = Some(venv.join("bin/python"));
        }
        let venv = places.work.join("venv-frameworks");
        let wanted = places.scripts.join("frameworks.txt");
        if installed.get("the Python frameworks", &wanted, &venv, |folder| python(folder, &wanted))? {
            installed.frameworks = Some(venv.join("bin/python"));
        }
        let js = places.work.join("js");
        let wanted = places.scripts.join("js/package.json");
        if installed.get("the JS SDKs and the AI SDK", &wanted, &js, |folder| npm(folder, &wanted))? {
            installed.js = Some(js);
        }
        let agents = places.work.join("agents");
        let wanted = places.scripts.join("agents/package.json");
        if installed.get("the agents", &wanted, &agents, |folder| npm(folder, &wanted))? {
            installed.agents = Some(agents.join("node_modules/.bin"));
        }
        Ok(installed)
    }

    /// Whether `folder` has what `wanted` asks for; if it has not, `make` is to make it so.
    fn get(
        &mut self,
        what: &str,
        wanted: &Path,
        folder: &Path,
        make: impl Fn(&Path) -> Result<(), String>,
    ) -> Result<bool> {
        let text = fs::read_to_string(wanted).with_context(|| wanted.display().to_string())?;
        let stamp = folder.join("installed");
        if fs::read_to_string(&stamp).is_ok_and(|installed| installed == text) {
            return Ok(true);
        }
        say(&format!("installing {what}"))?;
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir_all(folder)?;
        match make(folder) {
            Ok(()) => {
                fs::write(stamp, text)?;
                Ok(true)
            }
            Err(why) => {
                self.missing.push(format!("{what}: {why}"));
                Ok(false)
            }
        }
    }
}

fn python(folder: &Path, wanted: &Path) -> Result<(), String> {
    command(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
    let pip = folder.join("bin/pip");
    command(Command::new(pip).args(["install", "--quiet", "--disable-pip-version-check", "-r"]).arg(wanted))
}

fn npm(folder: &Path, wanted: &Path) -> Result<(), String> {
    command(Command::new("node").arg("--version"))?;
    fs::copy(wanted, folder.join("package.json")).map_err(|error| error.to_string())?;
    let quiet = ["install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"];
    command(Command::new("npm").args(quiet).arg("--prefix").arg(folder))
}

/// Runs `command`; in its error is the last line it wrote.
fn command(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let done = command.stdin(Stdio::null()).output().map_err(|error| format!("{program}: {error}"))?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it says nothing");
    Err(format!("{program} failed: {last}"))
}
