//! A started program: pinned, ended with its owner, and observed through `/proc`.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

/// Raises the limit on open files as far as it goes, has the program ended with this process should this one be
/// killed, pins it, and becomes it; so the process id is the program's own.
const LAUNCH: &str = r#"ulimit -n "$(ulimit -Hn)"; exec setpriv --pdeathsig KILL taskset -c "$@""#;

/// What to start, and on which cores.
pub(super) struct Launch<'a> {
    pub(super) cores: &'a str,
    pub(super) program: &'a Path,
    pub(super) args: Vec<String>,
    pub(super) environment: Vec<(&'static str, String)>,
    /// Takes its standard error.
    pub(super) log: PathBuf,
}

impl Launch<'_> {
    /// As a command, still without output.
    pub(super) fn command(&self) -> Result<Command> {
        let log = File::create(&self.log).with_context(|| format!("cannot write {}", self.log.display()))?;
        let mut command = Command::new("sh");
        command.args(["-c", LAUNCH, "sh", self.cores]).arg(self.program).args(&self.args);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        Ok(command)
    }

    /// Starts it.
    pub(super) fn start(&self) -> Result<Running> {
        let child = self.command()?.spawn().context("cannot start sh")?;
        Ok(Running { child, log: self.log.clone() })
    }
}

/// A started program, killed when dropped.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    log: PathBuf,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill, and waiting returns at once.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Processor time of a process, all its threads, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Cpu {
    pub(super) user: f64,
    pub(super) system: f64,
}

impl Cpu {
    /// Spent since `earlier`.
    pub(super) fn since(self, earlier: Self) -> Self {
        Self { user: self.user - earlier.user, system: self.system - earlier.system }
    }

    /// Both together.
    pub(super) fn plus(self, other: Self) -> Self {
        Self { user: self.user + other.user, system: self.system + other.system }
    }

    /// User and system.
    pub(super) fn total(self) -> f64 {
        self.user + self.system
    }
}

impl Running {
    /// Processor time spent so far. The kernel counts in ticks of 10 ms, so samples should be long against that.
    pub(super) fn cpu(&self, ticks_a_second: f64) -> Result<Cpu> {
        parse_stat(&self.proc_file("stat")?, 11, ticks_a_second).context("unexpected /proc/PID/stat")
    }

    /// Resident memory in MiB.
    pub(super) fn resident_mib(&self) -> Result<f64> {
        let status = self.proc_file("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kib: f64 = line.trim().trim_end_matches(" kB").parse().context("unexpected VmRSS")?;
        Ok(kib / 1024.0)
    }

    /// Sends `request` again and again until it is answered with 200. Returns when that was.
    pub(super) fn wait_for_answer(&mut self, address: SocketAddr, request: &[u8]) -> Result<Instant> {
        let begun = Instant::now();
        loop {
            if is_answered(address, request) {
                return Ok(Instant::now());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended ({status}) before it answered: {}", self.log_tail());
            }
            if begun.elapsed() > Duration::from_secs(10) {
                bail!("no answer within 10 s: {}", self.log_tail());
            }
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    /// Asks it to end, and waits until it has.
    pub(super) fn terminate(mut self) -> Result<()> {
        let pid = self.child.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &pid]).status().context("cannot start kill")?;
        ensure!(asked.success(), "it could not be asked to end");
        let status = self.child.wait()?;
        ensure!(status.success(), "it ended ({status}): {}", self.log_tail());
        Ok(())
    }

    /// That it has not ended.
    pub(super) fn lives(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("it ended ({status}): {}", self.log_tail()),
        }
    }

    fn proc_file(&self, name: &str) -> Result<String> {
        let path = format!("/proc/{}/{name}", self.child.id());
        fs::read_to_string(path).with_context(|| format!("the program is gone: {}", self.log_tail()))
    }

    fn log_tail(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines.get(lines.len().saturating_sub(8)..).unwrap_or_default().join(" / ")
    }
}

/// User and system time out of `/proc/PID/stat`: those after the first `skip` fields behind the program's name, which
/// may hold anything. 11 are skipped for the process itself, 13 for the children it has waited for.
pub(super) fn parse_stat(stat: &str, skip: usize, ticks_a_second: f64) -> Option<Cpu> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(skip);
    let mut seconds = || Some(fields.next()?.parse::<f64>().ok()? / ticks_a_second);
    Some(Cpu { user: seconds()?, system: seconds()? })
}

fn is_answered(address: SocketAddr, request: &[u8]) -> bool {
    let attempt = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(request)?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        Ok(&status == b"HTTP/1.1 200")
    };
    // Refused until the program listens; that is what is being waited for.
    attempt().unwrap_or(false)
}

/// A loopback port that was free a moment ago.
pub(super) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("cannot listen on loopback")?;
    Ok(listener.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::{Cpu, Launch, parse_stat};
    use crate::bench::cores::Cores;
    use std::path::Path;

    #[test]
    fn what_has_ended_is_said_to_have() {
        let start = |program: &str, args: &[&str]| {
            let log = std::env::temp_dir().join(format!("shim-bench-lives-{}-{program}", std::process::id()));
            let args = args.iter().map(|arg| (*arg).to_owned()).collect();
            let cores = Cores::of_this_process().unwrap().subject;
            let launch =
                Launch { cores: &cores, program: Path::new(program), args, environment: vec![], log };
            let running = launch.start().unwrap();
            std::fs::remove_file(&launch.log).unwrap();
            running
        };
        assert!(start("sleep", &["100"]).lives().is_ok());
        let mut ended = start("false", &[]);
        ended.child.wait().unwrap();
        assert!(ended.lives().is_err());
    }

    #[test]
    fn processor_time_is_found_behind_any_name() {
        let stat = "123 (a (b) c) S 1 2 3 4 5 6 7 8 9 10 250 50 30 20 20 0 1 0 100 1 1";
        assert_eq!(parse_stat(stat, 11, 100.0), Some(Cpu { user: 2.5, system: 0.5 }));
        assert_eq!(parse_stat(stat, 13, 100.0), Some(Cpu { user: 0.3, system: 0.2 }));
        assert_eq!(parse_stat("123 (sh) S 1", 11, 100.0), None);
    }
}
