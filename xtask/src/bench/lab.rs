//! Where the bench happens: the cores, the upstream, a temporary folder, and what was recorded.

use std::cell::Cell;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::cores::Cores;
use super::load::Total;
use super::process::{Launch, Running, free_port};
use super::quiet::Quiet;
use super::records::Records;

/// Everything the measurements share. Dropping it ends the upstream and removes the folder.
pub(super) struct Lab {
    pub(super) cores: Cores,
    /// The upstream's address.
    pub(super) upstream: SocketAddr,
    pub(super) ticks_a_second: f64,
    pub(super) floor: PathBuf,
    pub(super) shim: PathBuf,
    pub(super) load: PathBuf,
    pub(super) records: Records,
    pub(super) total: Total,
    folders: Cell<u32>,
    pub(super) quiet: Quiet,
    // Ended before its folder goes.
    pub(super) upstream_running: Running,
    folder: Folder,
}

/// A folder that is removed when dropped.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // It lies in the system's temporary folder; what cannot be removed is removed there in time.
        drop(fs::remove_dir_all(&self.0));
    }
}

impl Lab {
    /// Starts the upstream built under `root`. `patience` is for samples that have to be taken again.
    pub(super) fn open(root: &Path, patience: Duration) -> Result<Self> {
        let binary = |name: &str| root.join("target/release").join(name);
        let folder = Folder(std::env::temp_dir().join(format!("shim-bench-{}", std::process::id())));
        fs::create_dir_all(&folder.0).with_context(|| format!("cannot make {}", folder.0.display()))?;
        let cores = Cores::of_this_process()?;
        let upstream = loopback(free_port()?);
        let launch = Launch {
            cores: &cores.upstream,
            program: &binary("bench-upstream"),
            args: vec!["--listen".into(), upstream.to_string()],
            environment: Vec::new(),
            log: folder.0.join("upstream.log"),
        };
        let mut running = launch.start()?;
        running.wait_for_answer(upstream, &super::load::first_request()).context("bench-upstream")?;
        Ok(Self {
            upstream,
            ticks_a_second: ticks_a_second()?,
            floor: binary("bench-floor"),
            shim: binary("shim"),
            load: binary("bench-load"),
            records: Records::default(),
            total: Total::default(),
            folders: Cell::new(0),
            quiet: Quiet::new(patience),
            upstream_running: running,
            folder,
            cores,
        })
    }

    /// A new, empty folder for one start of a subject.
    pub(super) fn new_folder(&self, name: &str) -> Result<PathBuf> {
        let number = self.folders.replace(self.folders.get() + 1);
        let path = self.folder.0.join(format!("{}-{number}", name.replace(' ', "-")));
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(path)
    }
}

/// `port` on this machine.
pub(super) fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

fn ticks_a_second() -> Result<f64> {
    let output = Command::new("getconf").arg("CLK_TCK").output().context("cannot start getconf")?;
    String::from_utf8_lossy(&output.stdout).trim().parse().context("getconf CLK_TCK printed no number")
}
