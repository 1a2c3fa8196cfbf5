//! Child processes that are stopped whatever happens.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

/// How long a service may take until it says that it serves.
const START: Duration = Duration::from_secs(60);

/// A process that is stopped when it is dropped, by its id.
#[derive(Debug)]
struct Running {
    child: Child,
    /// Whether it leads a group of its own, so that what it started is stopped with it.
    leads: bool,
}

impl Running {
    fn start(command: &mut Command, leads: bool) -> Result<Self> {
        if leads {
            command.process_group(0);
        }
        let child = command.stdin(Stdio::null()).spawn();
        Ok(Self { child: child.with_context(|| format!("cannot start {:?}", command.get_program()))?, leads })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // That it ended by itself, or that there is no `kill`, is no reason to leave the rest.
        if self.leads && !matches!(self.child.try_wait(), Ok(Some(_))) {
            let group = format!("-{}", self.child.id());
            drop(Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status());
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// On which stream a service says that it serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaks {
    /// Standard output.
    Out,
    /// Standard error.
    Error,
}

/// A process that serves until it is dropped.
#[derive(Debug)]
pub(super) struct Service {
    running: Running,
    /// The line by which it said so.
    pub(super) said: String,
}

impl Service {
    /// Starts `command` and waits for a line that holds `mark`. All it says goes to `log`.
    pub(super) fn start(command: &mut Command, log: &Path, speaks: Speaks, mark: &str) -> Result<Self> {
        let file = File::create(log).with_context(|| log.display().to_string())?;
        let other = Stdio::from(file.try_clone()?);
        match speaks {
            Speaks::Out => command.stdout(Stdio::piped()).stderr(other),
            Speaks::Error => command.stdout(other).stderr(Stdio::piped()),
        };
        let mut running = Running::start(command, false)?;
        let lines = match speaks {
            Speaks::Out => lines(running.child.stdout.take().context("no standard output")?, file),
            Speaks::Error => lines(running.child.stderr.take().context("no standard error")?, file),
        };
        let until = Instant::now() + START;
        loop {
            match lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) if line.contains(mark) => return Ok(Self { running, said: line }),
                Ok(_) => {}
                Err(_) => bail!("{:?} does not serve; see {}", command.get_program(), log.display()),
            }
        }
    }
}

impl Service {
    /// Tells the process to end, and waits until it has.
    ///
    /// # Errors
    /// When it ends as one that failed.
    pub(super) fn end(mut self) -> Result<()> {
        let told = Command::new("kill").args(["-TERM", &self.running.child.id().to_string()]).status()?;
        ensure!(told.success(), "kill: {told}");
        let ended = self.running.child.wait()?;
        ensure!(ended.success(), "it ended with {ended}");
        Ok(())
    }
}

/// Reads lines in a thread, to the end, whether or not anybody wants them, and copies them to `log`.
fn lines(stream: impl Read + Send + 'static, mut log: File) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            // A log that cannot be written is no reason to stop reading, nor is a reader who has enough.
            drop(writeln!(log, "{line}"));
            drop(sender.send(line));
        }
    });
    receiver
}

/// Runs `command` to its end and gives each line of its standard output to `take`. Its standard error goes to `log`.
/// After `patience` it is stopped.
///
/// # Errors
/// When it does not start, or does not end in time.
pub(super) fn finish(
    command: &mut Command,
    log: &Path,
    patience: Duration,
    take: &mut dyn FnMut(&str) -> Result<()>,
) -> Result<ExitStatus> {
    let file = File::create(log).with_context(|| log.display().to_string())?;
    command.stdout(Stdio::piped()).stderr(Stdio::from(file.try_clone()?));
    let mut running = Running::start(command, true)?;
    let lines = lines(running.child.stdout.take().context("no standard output")?, file);
    let until = Instant::now() + patience;
    loop {
        match lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(line) => take(&line)?,
            Err(RecvTimeoutError::Disconnected) => return Ok(running.child.wait()?),
            Err(RecvTimeoutError::Timeout) => {
                bail!("{:?} was stopped after {} s", command.get_program(), patience.as_secs())
            }
        }
    }
}
