//! Which core does what.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};

/// Core lists, as `taskset -c` takes them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cores {
    pub(super) upstream: String,
    pub(super) subject: String,
    pub(super) load: String,
    /// How many this process may use.
    pub(super) count: usize,
}

impl Cores {
    /// Deals out the cores this process may use.
    pub(super) fn of_this_process() -> Result<Self> {
        let status = std::fs::read_to_string("/proc/self/status").context("needs Linux's /proc")?;
        let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        Ok(Self::deal(&parse_list(list.context("no Cpus_allowed_list")?.trim())))
    }

    /// The subject always has a core to itself, unless there is only one. The first core takes most of the machine's
    /// interrupts, so the subject is on the second.
    fn deal(cores: &BTreeSet<u32>) -> Self {
        let names: Vec<String> = cores.iter().map(u32::to_string).collect();
        let (upstream, subject, load) = match names.as_slice() {
            [] => (String::from("0"), String::from("0"), String::from("0")),
            [only] => (only.clone(), only.clone(), only.clone()),
            [first, second] => (first.clone(), second.clone(), first.clone()),
            [first, second, rest @ ..] => (first.clone(), second.clone(), rest.join(",")),
        };
        Self { upstream, subject, load, count: names.len() }
    }

    /// One sentence for whoever runs the bench, and for the page.
    pub(super) fn describe(&self) -> String {
        match self.count {
            0 | 1 => "Only one core: the subject shares it with upstream and load, so times mean little."
                .to_owned(),
            2 => "The subject has one core; upstream and load share the other.".to_owned(),
            count => format!("The subject has one core, the upstream one, the load generator {}.", count - 2),
        }
    }
}

/// `0-2,5` as `/proc` writes it.
fn parse_list(list: &str) -> BTreeSet<u32> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    list.split(',').filter_map(range).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::{Cores, parse_list};

    #[track_caller]
    fn check(list: &str, upstream: &str, subject: &str, load: &str) {
        let cores = Cores::deal(&parse_list(list));
        assert_eq!((&*cores.upstream, &*cores.subject, &*cores.load), (upstream, subject, load));
    }

    #[test]
    fn the_subject_is_alone_where_it_can_be() {
        check("0-3", "0", "1", "2,3");
        check("0-2", "0", "1", "2");
        check("4,6", "4", "6", "4");
        check("2", "2", "2", "2");
        check("0-1,8-9", "0", "1", "8,9");
    }
}
