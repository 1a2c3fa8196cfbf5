//! Any interleaving of admissions, settlements, commits, crashes, refusals of the disk and damage.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use shim_telemetry::LedgerMetrics;

use super::{Disk, admission, exchange, id, settings};
use crate::ledger::day::Day;
use crate::ledger::health::Health;
use crate::ledger::pace::Pace;
use crate::ledger::queue::{Entry, Queue};
use crate::ledger::writer::{Batch, Writer};
use crate::ledger::{Cursor, Filter, Reader, Settings, Step};

/// Something that happens.
#[derive(Clone, Copy, Debug)]
enum Happens {
    /// The next exchange arrives.
    Admit,
    /// One of those under way ends.
    Settle(prop::sample::Index),
    /// One that ended is told of again.
    Double(prop::sample::Index),
    /// What waits is written.
    Commit,
    /// The disk refuses a step from now on; what waits meanwhile is kept.
    Refuse(bool),
    /// The process is killed: what waits is gone, and another is started.
    Kill,
    /// The process ends in order, and another is started.
    End,
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        6 => Just(Happens::Admit),
        6 => any::<prop::sample::Index>().prop_map(Happens::Settle),
        1 => any::<prop::sample::Index>().prop_map(Happens::Double),
        4 => Just(Happens::Commit),
        1 => any::<bool>().prop_map(Happens::Refuse),
        1 => Just(Happens::Kill),
        1 => Just(Happens::End),
    ]
}

/// A ledger whose writer is driven by hand, and what is known to be in it.
struct World {
    settings: Settings,
    disk: Arc<Disk>,
    writer: Writer,
    waiting: Vec<Entry>,
    next: u64,
    under_way: Vec<u64>,
    over: Vec<u64>,
    /// What a commit told of: whether it is settled.
    written: BTreeMap<u64, bool>,
    /// What waits, to be known when it is committed.
    told: Vec<(u64, bool)>,
}

impl World {
    fn new(folder: &Path) -> Self {
        let disk = Disk::new();
        let settings = Settings { faults: Some(disk.clone()), ..settings(folder) };
        let writer = opened(&settings);
        Self {
            settings,
            disk,
            writer,
            waiting: Vec::new(),
            next: 0,
            under_way: Vec::new(),
            over: Vec::new(),
            written: BTreeMap::new(),
            told: Vec::new(),
        }
    }

    fn happens(&mut self, what: Happens) {
        match what {
            Happens::Admit => {
                self.waiting.push(Entry::Admitted(admission(self.next), None));
                self.told.push((self.next, false));
                self.under_way.push(self.next);
                self.next += 1;
            }
            Happens::Settle(which) if !self.under_way.is_empty() => {
                let n = self.under_way.swap_remove(which.index(self.under_way.len()));
                self.settle(n);
                self.over.push(n);
            }
            Happens::Double(which) if !self.over.is_empty() => {
                self.settle(self.over[which.index(self.over.len())]);
            }
            Happens::Settle(_) | Happens::Double(_) => {}
            Happens::Commit => self.commit(),
            Happens::Refuse(commit) => {
                let step = if commit { Step::Commit } else { Step::Write };
                self.disk.fail(Some((step, rusqlite::ffi::SQLITE_FULL)));
                self.commit();
            }
            Happens::Kill => self.restart(false),
            Happens::End => {
                while let Some(n) = self.under_way.pop() {
                    self.settle(n);
                    self.over.push(n);
                }
                self.commit();
                self.restart(true);
            }
        }
    }

    fn settle(&mut self, n: u64) {
        self.waiting.push(Entry::Settled(exchange(n), None));
        self.told.push((n, true));
    }

    fn commit(&mut self) {
        let mut batch = Batch::of(std::mem::take(&mut self.waiting));
        let refused = self.writer.write(&mut batch, 0).is_err();
        if refused {
            batch.strip();
            self.disk.fail(None);
            self.writer.write(&mut batch, 0).unwrap();
        }
        for (n, settled) in self.told.drain(..) {
            let known = self.written.entry(n).or_default();
            *known |= settled;
        }
    }

    fn restart(&mut self, orderly: bool) {
        if orderly {
            self.writer.close(true);
        }
        self.waiting.clear();
        self.told.clear();
        self.under_way.clear();
        self.over.retain(|n| self.written.get(n) == Some(&true));
        self.writer = opened(&self.settings);
        // What was open is settled now.
        self.written.values_mut().for_each(|settled| *settled = true);
        self.over = self.written.keys().copied().collect();
    }

    /// What the files hold is what commits told of, each once.
    fn check(&self) -> Result<(), TestCaseError> {
        let reader = Reader::new(&self.settings.folder);
        let verified = reader.verify(true).unwrap();
        prop_assert!(verified.holds(), "{:#?}", verified);
        let mut rows = Vec::new();
        reader
            .each(&Filter::default(), None, |row| {
                rows.push(row.id);
                Ok(())
            })
            .unwrap();
        let settled: BTreeSet<_> = rows.iter().cloned().collect();
        prop_assert_eq!(settled.len(), rows.len(), "each exactly once");
        let wanted = self.written.iter().filter(|(_, settled)| **settled);
        let wanted: BTreeSet<_> = wanted.map(|(n, _)| id(*n).to_string()).collect();
        prop_assert_eq!(settled, wanted);
        prop_assert_eq!(verified.to_json()["admitted"].as_u64(), Some(self.written.len() as u64));
        Ok(())
    }
}

fn opened(settings: &Settings) -> Writer {
    let health = Arc::new(Health::new(LedgerMetrics::default()));
    let pace = Pace::new(Queue::new(settings.queue_bytes_max).into());
    Writer::open(settings.clone(), health, pace, 0).unwrap().0
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_admitted_exchange_is_accounted_exactly_once(steps in prop::collection::vec(happens(), 1..60)) {
        let folder = tempfile::tempdir().unwrap();
        let mut world = World::new(folder.path());
        for step in steps {
            world.happens(step);
        }
        world.commit();
        world.check()?;
        world.restart(false);
        world.check()?;
        let open = Reader::new(folder.path()).verify(true).unwrap().to_json()["open"].as_u64();
        prop_assert_eq!(open, Some(0));
    }

    #[test]
    fn pages_of_a_list_are_the_whole_and_a_filter_leaves_out_what_it_says(
        count in 1u64..200, page in 1usize..40, since in 0u64..200,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut world = World::new(folder.path());
        for _ in 0..count {
            world.happens(Happens::Admit);
            world.happens(Happens::Settle(any_index()));
            if world.next.is_multiple_of(7) {
                world.commit();
            }
        }
        world.commit();
        let reader = Reader::new(folder.path());
        let filter = Filter { since_ms: Some(id(since).at_ms()), key: Some("app".to_owned()), ..Filter::default() };
        let mut found: Vec<String> = Vec::new();
        let mut before: Option<Cursor> = None;
        loop {
            let rows = reader.list(&filter, before, page).unwrap();
            before = rows.last().map(|(cursor, _)| *cursor);
            found.extend(rows.into_iter().map(|(_, row)| row.id));
            if before.is_none() {
                break;
            }
        }
        let mut wanted: Vec<String> = (since..count).map(|n| id(n).to_string()).collect();
        wanted.reverse();
        prop_assert_eq!(found, wanted);
        let none = Filter { key: Some("other".to_owned()), ..Filter::default() };
        prop_assert!(reader.list(&none, None, page).unwrap().is_empty());
        let spent = crate::ledger::spend::since(&super::super::settings::folder(folder.path()), Day(0)).unwrap();
        let sums = spent.iter().fold((0, 0, 0), |(r, i, o), s| (r + s.requests, i + s.tokens_in, o + s.tokens_out));
        prop_assert_eq!(sums, (count, 3 * count, 4 * count));
    }
}

/// The only one under way.
fn any_index() -> prop::sample::Index {
    use proptest::strategy::{Strategy as _, ValueTree as _};
    use proptest::test_runner::TestRunner;
    any::<prop::sample::Index>().new_tree(&mut TestRunner::deterministic()).unwrap().current()
}
