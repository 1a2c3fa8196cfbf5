//! What the writer does, without its thread: batches into days' files, and the care for those.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;
use shim_ir::ExchangeId;
use shim_policy::record::Record;

use super::body::Packer;
use super::day::{Day, days};
use super::feedback::{self, FEEDBACK_EACH_MAX, Feedback, FeedbackError};
use super::file::{CRASH, Crashed, DayFile, Part, SHED, Written};
use super::health::Health;
use super::mend::mend;
use super::pace::Pace;
use super::queue::{Entry, Reply, RepriceReply};
use super::receipt::Promise;
use super::reprice::{self, Change};
use super::retain::retain;
use super::schema::{self, Trouble, trouble};
use super::settings::{Durability, Settings, Step};
use super::words::Gate;
use crate::{StoreError, private};

/// Most days' files open at once: an exchange is written into the day it was admitted on.
const FILES_MAX: usize = 3;

/// Entries that are written together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    parts: Vec<(Day, Part)>,
    promises: Vec<Promise>,
    feedback: Vec<(Box<Feedback>, Reply)>,
    repriced: Vec<(Day, Vec<Change>, RepriceReply)>,
}

impl Batch {
    /// Sorts entries by the day of their exchange. What was admitted and settled in one batch is never open.
    pub(super) fn of(entries: Vec<Entry>) -> Self {
        let mut batch = Self::default();
        let half = entries.len() / 2 + 1;
        let mut settled = HashSet::with_capacity_and_hasher(half, RandomState::default());
        let mut admitted = HashSet::with_capacity_and_hasher(half, RandomState::default());
        for entry in &entries {
            match entry {
                Entry::Admitted(admission, _) => drop(admitted.insert(admission.id)),
                Entry::Settled(exchange, _) => drop(settled.insert(exchange.settled.id)),
                Entry::Feedback(..) | Entry::Reprice(..) => {}
            }
        }
        for entry in entries {
            match entry {
                Entry::Admitted(admission, promise) => {
                    batch.promises.extend(promise);
                    let part = batch.part(Day::of_ms(admission.id.at_ms()));
                    part.admitted += 1;
                    if !settled.contains(&admission.id) {
                        part.opened.push(admission);
                    }
                }
                Entry::Settled(exchange, promise) => {
                    batch.promises.extend(promise);
                    let part = batch.part(Day::of_ms(exchange.settled.id.at_ms()));
                    let admitted_with = admitted.contains(&exchange.settled.id);
                    part.settled.push((exchange, admitted_with));
                }
                Entry::Feedback(feedback, reply) => batch.feedback.push((feedback, reply)),
                Entry::Reprice(day, changes, reply) => batch.repriced.push((day, changes, reply)),
            }
        }
        batch
    }

    fn part(&mut self, day: Day) -> &mut Part {
        let at = self.parts.iter().position(|(other, _)| *other == day).unwrap_or_else(|| {
            self.parts.push((day, Part::default()));
            self.parts.len() - 1
        });
        &mut self.parts[at].1
    }

    /// Lets go of the bodies and of who waits: the disk does not take it, and it may be long until it does.
    pub(super) fn strip(&mut self) -> Stripped {
        self.promises.clear();
        let mut stripped = Stripped::default();
        for (_, part) in &mut self.parts {
            for (exchange, _) in &mut part.settled {
                let bytes = exchange.body_bytes();
                stripped.bodies += u64::from(bytes > 0 && exchange.record == Record::Full);
                stripped.bytes += bytes;
                exchange.shed_bodies();
            }
        }
        for (_, reply) in self.feedback.drain(..) {
            let why = "the disk does not take it".to_owned();
            drop(reply.try_send(Err(FeedbackError::Unavailable(why))));
        }
        for (_, _, reply) in self.repriced.drain(..) {
            drop(reply.try_send(Err(StoreError::Busy)));
        }
        stripped
    }

    /// How many rows it holds.
    pub(super) fn rows(&self) -> u64 {
        self.parts.iter().map(|(_, part)| part.settled.len() as u64).sum()
    }
}

/// What was let go of.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stripped {
    pub(super) bodies: u64,
    pub(super) bytes: usize,
}

/// Writes batches.
pub(super) struct Writer {
    settings: Settings,
    health: Arc<Health>,
    /// Oldest day first.
    files: Vec<DayFile>,
    packer: Packer,
    pace: Pace,
    gate: Gate,
    cared: Option<Instant>,
}

impl Writer {
    /// Opens the ledger: what was open when the process before ended is settled as abandoned, and given.
    ///
    /// # Errors
    /// When the folder cannot be used, or a newer program wrote a file.
    pub(super) fn open(
        settings: Settings,
        health: Arc<Health>,
        pace: Pace,
        now_ms: u64,
    ) -> Result<(Self, Vec<Crashed>), StoreError> {
        let folder = settings.ledger();
        let unusable = |source| StoreError::Folder { path: folder.clone(), source };
        private(&folder).map_err(unusable)?;
        let packer = Packer::new().map_err(unusable)?;
        let mut writer =
            Self { settings, health, files: Vec::new(), packer, pace, gate: Gate::default(), cared: None };
        let mut crashed = Vec::new();
        for day in days(&folder).map_err(unusable)? {
            if day.next() < Day::of_ms(now_ms) && at_rest(&folder, day) {
                continue;
            }
            match writer.recover(day, now_ms) {
                Ok(found) => crashed.extend(found),
                Err(error) if trouble(&error) == Trouble::Disk => writer.refused(&error),
                Err(error) => return Err(error),
            }
        }
        crashed.truncate(CRASHED_MAX);
        Ok((writer, crashed))
    }

    /// What is held while files are replaced or removed.
    pub(super) fn gate(&self) -> Gate {
        self.gate.clone()
    }

    fn recover(&mut self, day: Day, now_ms: u64) -> Result<Vec<Crashed>, StoreError> {
        let abandon = |writer: &mut Self| writer.file(day).and_then(|file| file.abandon(CRASH));
        let found = match abandon(self) {
            Err(error) if trouble(&error) == Trouble::Damaged => {
                self.set_aside(day, &error, now_ms)?;
                abandon(self)?
            }
            found => found?,
        };
        self.health.metrics.crashed.inc_by(found.len() as u64);
        Ok(found)
    }

    /// The file of `day`, opened where it is not.
    fn file(&mut self, day: Day) -> Result<&mut DayFile, StoreError> {
        if let Some(at) = self.files.iter().position(|file| file.day == day) {
            return Ok(&mut self.files[at]);
        }
        let opened = DayFile::open(&self.settings, day)?;
        if self.files.len() >= FILES_MAX {
            let oldest = self.files.remove(0);
            oldest.close()?;
        }
        let at = self.files.partition_point(|file| file.day < day);
        self.files.insert(at, opened);
        Ok(&mut self.files[at])
    }

    /// Writes a batch; what is written is no longer in it. A damaged file is set aside on the way.
    ///
    /// # Errors
    /// When the disk refuses; the rest of the batch can be tried again.
    pub(super) fn write(&mut self, batch: &mut Batch, now_ms: u64) -> Result<(), StoreError> {
        while let Some((day, part)) = batch.parts.last() {
            let written = match self.part(*day, part) {
                Err(error) if trouble(&error) == Trouble::Damaged => {
                    self.set_aside(*day, &error, now_ms)?;
                    self.part(*day, part)
                }
                written => written,
            }?;
            self.health.metrics.rows.inc_by(written.rows);
            self.health.metrics.doubled.inc_by(written.doubled);
            batch.parts.pop();
        }
        batch.promises.clear();
        for (feedback, reply) in batch.feedback.drain(..) {
            let kept = self.feedback(&feedback);
            // Who asked may have left.
            drop(reply.try_send(kept));
        }
        for (day, changes, reply) in batch.repriced.drain(..) {
            drop(reply.try_send(self.reprice(day, changes)));
        }
        self.health.clear(DISK);
        Ok(())
    }

    fn part(&mut self, day: Day, part: &Part) -> Result<Written, StoreError> {
        self.file(day)?;
        let Self { settings, files, packer, pace, .. } = self;
        match files.iter_mut().find(|file| file.day == day) {
            Some(file) => file.write(settings, part, packer, pace),
            None => Ok(Written::default()),
        }
    }

    fn feedback(&mut self, feedback: &Feedback) -> Result<ExchangeId, FeedbackError> {
        let unavailable = |error: &dyn std::fmt::Display| FeedbackError::Unavailable(error.to_string());
        for day in feedback.days() {
            if !day.file(&self.settings.ledger()).exists() {
                continue;
            }
            let file = self.file(day).map_err(|e| unavailable(&e))?;
            let found = feedback::find(&file.connection, feedback).map_err(|e| unavailable(&e))?;
            if let Some(id) = found {
                if feedback::count(&file.connection, id).map_err(|e| unavailable(&e))? >= FEEDBACK_EACH_MAX {
                    return Err(FeedbackError::Many);
                }
                feedback::add(&file.connection, id, feedback).map_err(|e| unavailable(&e))?;
                return Ok(id);
            }
        }
        Err(FeedbackError::NoExchange)
    }

    /// A day that is over is opened for this alone: that it was closed in order stays true of it.
    fn reprice(&self, day: Day, changes: Vec<Change>) -> Result<Vec<Change>, StoreError> {
        self.settings.fails(Step::Write)?;
        match self.files.iter().find(|file| file.day == day) {
            Some(file) => reprice::apply(&file.connection, changes),
            None if day.file(&self.settings.ledger()).exists() => {
                let strict = self.settings.durability == Durability::Strict;
                let connection = schema::open(&day.file(&self.settings.ledger()), strict)?;
                reprice::apply(&connection, changes)
            }
            // It went meanwhile.
            None => Ok(Vec::new()),
        }
    }

    /// Sets the file of `day` aside; what can be read of it goes into a new one.
    fn set_aside(&mut self, day: Day, why: &StoreError, now_ms: u64) -> Result<(), StoreError> {
        self.files.retain(|file| file.day != day);
        let _gate = self.gate.lock();
        let mended = mend(&self.settings.ledger(), day, now_ms)?;
        self.health.metrics.set_aside.inc();
        let words = format!(
            "the ledger's file of {day} was damaged ({}): it is set aside as {}; {} rows were taken over, {} cannot be read",
            told(why),
            mended.aside.display(),
            mended.rows,
            mended.lost
        );
        self.health.raise(DAMAGED, &words);
        Ok(())
    }

    /// Notes that the disk refused.
    pub(super) fn refused(&self, error: &StoreError) {
        self.health.metrics.refused.inc();
        let words = format!(
            "the ledger is not recording: {}; serving goes on, and so does recording once the disk takes it",
            told(error)
        );
        self.health.raise(DISK, &words);
    }

    /// Looks after the files, every now and then; `false` where that has to be put off, because words are being indexed:
    /// what is to be written does not wait for those.
    pub(super) fn care(&mut self, now_ms: u64) -> bool {
        if self.cared.is_some_and(|cared| cared.elapsed() < CARE_EVERY) {
            return true;
        }
        let gate = self.gate.clone();
        let Some(_gate) = gate.try_lock() else { return false };
        self.cared = Some(Instant::now());
        let today = Day::of_ms(now_ms);
        while let Some(file) = self.files.first().filter(|file| file.day < today && !file.is_open()) {
            // A day that is over; should a straggler come, it is opened again.
            if let Err(error) = file.close() {
                self.refused(&error);
                break;
            }
            self.files.remove(0);
        }
        match retain(&self.settings, &self.files, today) {
            Ok(retained) if retained.within => self.health.clear(LARGE),
            Ok(retained) => {
                let most = self.settings.bytes_max;
                let words = format!(
                    "the ledger is {} bytes large without any bodies, more than the {most} it may be: rows of usage of \
                     the day are kept",
                    retained.bytes
                );
                self.health.raise(LARGE, &words);
            }
            Err(error) => self.refused(&error),
        }
        true
    }

    /// Closes the files. In order, nothing is under way any more: what is open still was shed.
    pub(super) fn close(&mut self, orderly: bool) {
        for mut file in self.files.drain(..) {
            let abandoned = if orderly { file.abandon(SHED).map(drop) } else { Ok(()) };
            if let Err(error) = abandoned.and_then(|()| file.close()) {
                tracing::warn!(error = %told(&error), "the ledger could not be closed in order");
            }
        }
    }
}

/// Whether a day's file was closed in order, and can be read: there is nothing to recover.
fn at_rest(folder: &Path, day: Day) -> bool {
    let closed = schema::read(&day.file(folder)).and_then(|connection| match connection {
        Some(connection) => Ok(schema::meta(&connection, "closed")? == 1),
        None => Ok(false),
    });
    closed.unwrap_or(false)
}

/// An error with its cause.
pub(super) fn told(error: &StoreError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// Most crashed exchanges told of; there are never more than connections.
const CRASHED_MAX: usize = 100_000;

/// The alarm of a disk that refuses.
const DISK: &str = "disk";
/// The alarm of a damaged file.
const DAMAGED: &str = "damaged";
/// The alarm of a ledger beyond its bound.
const LARGE: &str = "large";

/// How often the files are looked after.
const CARE_EVERY: Duration = Duration::from_secs(10);
