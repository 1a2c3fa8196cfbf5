//! Gates: named pipes that commands of an agent read.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, ensure};

/// The names of the pipes, in the order in which the task comes to them.
pub(super) const GATES: [&str; 2] = ["half", "late"];

/// The gates of a task.
pub(super) struct Gates {
    folder: PathBuf,
    /// Whether the agent ended.
    over: AtomicBool,
}

impl Gates {
    pub(super) fn make(folder: &Path) -> Result<Self> {
        let made = Command::new("mkfifo").args(GATES).current_dir(folder).status().context("mkfifo")?;
        ensure!(made.success(), "mkfifo: {made}");
        Ok(Self { folder: folder.to_owned(), over: AtomicBool::new(false) })
    }

    /// Waits until the agent is at the gate, does `act`, and lets it go on with `word`.
    ///
    /// # Errors
    /// When the agent ended before it came there, or `act` fails.
    pub(super) fn pass(&self, name: &str, word: &str, act: impl FnOnce() -> Result<()>) -> Result<()> {
        // A pipe opens for one side once the other is there.
        let mut gate = File::options().write(true).open(self.folder.join(name))?;
        ensure!(!self.over.load(Ordering::SeqCst), "it ended before it came to the gate \"{name}\"");
        act().with_context(|| format!("at the gate \"{name}\""))?;
        writeln!(gate, "It is word({word}).").with_context(|| format!("it left the gate \"{name}\""))
    }

    /// Lets whoever waits for the agent know that it ended. The files are to be held until they do.
    pub(super) fn open(&self) -> Result<Vec<File>> {
        self.over.store(true, Ordering::SeqCst);
        let both_sides = |name| File::options().read(true).write(true).open(self.folder.join(name));
        Ok(GATES.into_iter().map(both_sides).collect::<Result<_, _>>()?)
    }
}
