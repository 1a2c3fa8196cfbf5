//! How much of the machine went to something else while a sample was taken.
//!
//! A build in the next window, or a neighbour on the same host, makes any figure worthless, and nothing in the figure
//! shows it. So each sample is weighed: what all cores did, less what upstream, subject and load did, and with what
//! the host took away. A sample that was disturbed is taken again, within a bound; what remains is printed.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::process::{Cpu, parse_stat};

/// The largest share of the machine that may go elsewhere before a sample is taken again.
const DISTURBED: f64 = 0.04;

/// Processor time at one moment, in seconds.
pub(super) struct Clock {
    at: Instant,
    machine: f64,
    children: f64,
}

/// The shares lost by the samples that were kept, and the time left for taking some again.
#[derive(Debug)]
pub(super) struct Quiet {
    kept: Vec<f64>,
    patience: Duration,
}

impl Clock {
    /// What all cores have done, the host's theft included, and what the children waited for so far have.
    pub(super) fn read(ticks_a_second: f64) -> Result<Self> {
        let machine = fs::read_to_string("/proc/stat").context("needs Linux's /proc")?;
        let machine = busy_ticks(&machine).context("unexpected /proc/stat")? / ticks_a_second;
        let own = fs::read_to_string("/proc/self/stat").context("needs Linux's /proc")?;
        // The fields of the children follow those of the process itself.
        let children = parse_stat(&own, 13, ticks_a_second).context("unexpected /proc/self/stat")?;
        Ok(Self { at: Instant::now(), machine, children: children.total() })
    }

    /// The share of `cores` cores that was lost since `earlier`, when the subject and the upstream spent `running`.
    pub(super) fn lost_since(&self, earlier: &Self, running: Cpu, cores: usize) -> f64 {
        let ours = running.total() + self.children - earlier.children;
        let lost = self.machine - earlier.machine - ours;
        let cores = u32::try_from(cores.max(1)).map_or(1.0, f64::from);
        (lost / (self.since(earlier).as_secs_f64() * cores)).max(0.0)
    }

    /// The time from `earlier` to this.
    pub(super) fn since(&self, earlier: &Self) -> Duration {
        self.at - earlier.at
    }
}

impl Quiet {
    /// At most `patience` is spent on samples that are thrown away.
    pub(super) fn new(patience: Duration) -> Self {
        Self { kept: Vec::new(), patience }
    }

    /// Whether a sample that lost `share` and took `time` is to be taken again.
    pub(super) fn try_again(&mut self, share: f64, time: Duration) -> bool {
        let again = share > DISTURBED && self.patience >= time;
        if again {
            self.patience -= time;
        }
        again
    }

    /// Notes what a sample that is used has lost.
    pub(super) fn keep(&mut self, share: f64) {
        self.kept.push(share);
    }

    /// One sentence for the page.
    pub(super) fn describe(&self) -> String {
        let disturbed = self.kept.iter().filter(|share| **share > DISTURBED).count();
        let worst = self.kept.iter().copied().fold(0.0, f64::max) * 100.0;
        let all = self.kept.len();
        let limit = DISTURBED * 100.0;
        if all == 0 {
            return String::new();
        }
        if disturbed == 0 {
            return format!(
                "The machine was quiet: of {all} samples none lost more than {worst:.1} % to anything else."
            );
        }
        format!(
            "**The machine was not quiet:** {disturbed} of {all} samples lost more than {limit:.0} % of it to other work \
             (the worst {worst:.0} %), so the figures are less exact than their digits."
        )
    }
}

/// All columns but idle, waiting for disks, and guests, which are counted as user time already.
fn busy_ticks(stat: &str) -> Option<f64> {
    let fields: Vec<f64> =
        stat.lines().next()?.split_whitespace().skip(1).filter_map(|n| n.parse().ok()).collect();
    let [user, nice, system, _idle, _waiting, irq, softirq, steal, ..] = fields.as_slice() else {
        return None;
    };
    Some(user + nice + system + irq + softirq + steal)
}

#[cfg(test)]
mod tests {
    use super::{Clock, Quiet, busy_ticks};
    use crate::bench::process::Cpu;
    use std::time::{Duration, Instant};

    #[test]
    fn theft_counts_and_idling_does_not() {
        assert_eq!(busy_ticks("cpu  1 2 4 100 100 8 16 32 100 100\ncpu0 1"), Some(63.0));
        assert_eq!(busy_ticks("cpu 1 2"), None);
    }

    #[test]
    fn what_is_not_ours_is_lost() {
        let at = Instant::now();
        let before = Clock { at, machine: 10.0, children: 1.0 };
        let after = Clock { at: at + Duration::from_secs(2), machine: 15.0, children: 3.0 };
        let share = after.lost_since(&before, Cpu { user: 1.0, system: 1.0 }, 4);
        assert!((share - 0.125).abs() < 1e-9, "{share}");
    }

    #[test]
    fn patience_ends() {
        let mut quiet = Quiet::new(Duration::from_secs(3));
        assert!(!quiet.try_again(0.01, Duration::from_secs(2)));
        assert!(quiet.try_again(0.5, Duration::from_secs(2)));
        assert!(!quiet.try_again(0.5, Duration::from_secs(2)));
        quiet.keep(0.5);
        assert!(quiet.describe().contains("not quiet"), "{}", quiet.describe());
    }
}
