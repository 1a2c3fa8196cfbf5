//! The limits at work: the machine of `shim_policy::limits`, with a clock, behind a lock.
//!
//! One lock for all workers: an exchange holds it twice, for as long as it takes to add a few numbers. Exchanges that
//! nobody limits never come here.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use shim_ir::PicoUsd;
use shim_policy::limits::{
    Account, Actual, Ask, Correction, Governed, Lease, Limiter, Period, Refusal, Subject,
};
use shim_store::ledger::{Change, Money};
use tokio::time::Instant;

use crate::generation::Snapshot;
use crate::shared::Clock;
use crate::spent::{SpendRow, Spent, SpentError};

/// How much longer a lease lives than its exchange can: what a client takes that reads slowly to the end.
pub(crate) const LEASE_SLACK: Duration = Duration::from_secs(600);

/// The limits at work.
#[derive(Debug, Default)]
pub struct Limited {
    machine: Mutex<Limiter>,
    spent: OnceLock<Box<dyn Spent>>,
    wall: Wall,
}

/// Time as limits take it: that of the wall at the start, and from there on what passes. A clock that is set back does
/// not set windows back; one that is set on, or a machine that slept, does set them on.
#[derive(Debug)]
struct Wall {
    start_ms: u64,
    start: Instant,
}

impl Default for Wall {
    fn default() -> Self {
        Self { start_ms: Clock.now_ms(), start: Instant::now() }
    }
}

impl Limited {
    /// Milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> u64 {
        let passed = u64::try_from(self.wall.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.wall.start_ms.saturating_add(passed).max(Clock.now_ms())
    }

    /// Reserves an exchange's worst case with all of `who`; `life` is how long it can take.
    pub(crate) fn reserve(&self, who: &[&Governed], ask: Ask, life: Duration) -> Result<Lease, Box<Refusal>> {
        let now_ms = self.now_ms();
        self.machine().reserve(now_ms, who, Ask { expires_ms: now_ms.saturating_add(lease_ms(life)), ..ask })
    }

    /// Settles a lease.
    pub(crate) fn settle(&self, lease: Lease, actual: Actual) {
        let now_ms = self.now_ms();
        self.machine().settle(now_ms, lease, actual);
    }

    /// How everyone who is limited under `snapshot` stands.
    #[must_use]
    pub fn accounts(&self, snapshot: &Snapshot) -> Vec<Account> {
        let now_ms = self.now_ms();
        self.machine().accounts(now_ms, &snapshot.governed())
    }

    /// Rests on what `spent` knows from now on: budgets under `snapshot` begin with what was spent in their window, and
    /// what crashed exchanges had reserved is held until it expires. To be called once, before anything is served.
    ///
    /// # Errors
    /// When it cannot be read: to serve all the same would be to overspend.
    pub(crate) fn rest_on(&self, spent: Box<dyn Spent>, snapshot: &Snapshot) -> Result<(), SpentError> {
        let crashed = spent.crashed()?;
        if self.spent.set(spent).is_err() {
            return Err(SpentError("it rests on another ledger already".to_owned()));
        }
        self.begin(snapshot)?;
        let (now_ms, life_ms) = (self.now_ms(), lease_ms(snapshot.longest()));
        let mut machine = self.machine();
        for exchange in crashed {
            let who = snapshot.limited_by(exchange.key.as_ref(), &exchange.alias);
            let who: Vec<&Governed> = who.iter().map(AsRef::as_ref).collect();
            let expires_ms = exchange.at_ms.saturating_add(life_ms);
            if !who.is_empty() {
                machine.restore(now_ms, &who, exchange.reserved, exchange.at_ms, expires_ms);
            }
        }
        Ok(())
    }

    /// Fits the accounts to `snapshot` before it is in force: budgets that are new to it begin with what was spent in
    /// their window, and who is in it no longer is forgotten.
    pub(crate) fn begin(&self, snapshot: &Snapshot) -> Result<(), SpentError> {
        let Some(spent) = self.spent.get() else { return Ok(()) };
        let (who, now_ms) = (snapshot.governed(), self.now_ms());
        let unknown = self.machine().unknown(now_ms, &who);
        if let Some(from_ms) = unknown.iter().map(|(_, period)| period.start_ms).min() {
            let rows = spent.spend(from_ms)?;
            let mut machine = self.machine();
            for (governed, period) in unknown {
                let (settled, unpriced) = sum(&rows, &governed.subject, period, snapshot);
                machine.begin(now_ms, governed, settled, unpriced);
            }
        }
        self.machine().retain(&who);
        Ok(())
    }

    /// What is known to have been spent since `from_ms`, by key, model and day; none where it rests on nothing.
    pub(crate) fn spent_since(&self, from_ms: u64) -> Result<Option<Vec<SpendRow>>, SpentError> {
        self.spent.get().map(|spent| spent.spend(from_ms)).transpose()
    }

    /// Corrects what exchanges came to under `snapshot`: their costs were reckoned anew, and are so in the ledger.
    pub(crate) fn corrects(&self, snapshot: &Snapshot, changes: &[Change]) {
        let now_ms = self.now_ms();
        for change in changes {
            let Some(correction) = correction(change) else { continue };
            let who = snapshot.limited_by(change.key.as_ref(), &change.model);
            let mut machine = self.machine();
            who.iter().for_each(|governed| machine.correct(now_ms, governed, change.at_ms, correction));
        }
    }

    fn machine(&self) -> MutexGuard<'_, Limiter> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a change is to a budget; `None` where it is nothing.
fn correction(change: &Change) -> Option<Correction> {
    // Without anything that was charged, an exchange is one of unknown cost, or nobody worked for it.
    let of = |money: Money| money.charged.or(Some(0).filter(|_| !money.unknown)).map(PicoUsd);
    let correction = Correction { was: of(change.before), is: of(change.after) };
    (correction.was != correction.is).then_some(correction)
}

/// How long the lease of an exchange lives that can take as long as `life`.
fn lease_ms(life: Duration) -> u64 {
    u64::try_from(life.saturating_add(LEASE_SLACK).as_millis()).unwrap_or(u64::MAX)
}

/// What `subject` spent in `period`, and how many exchanges of unknown cost it had.
fn sum(rows: &[SpendRow], subject: &Subject, period: Period, snapshot: &Snapshot) -> (PicoUsd, u64) {
    let of_subject = |row: &&SpendRow| match subject {
        Subject::Key(id) => row.key.as_ref() == Some(id),
        Subject::Team(name) => row.key.as_ref().and_then(|id| snapshot.keys().team(id)) == Some(name),
        Subject::Alias(name) => row.alias == name.as_str(),
        // It has no budget.
        Subject::Throttled(_) => false,
    };
    let rows = rows.iter().filter(|row| period.holds(row.day_ms)).filter(of_subject);
    rows.fold((PicoUsd(0), 0), |(settled, unknown), row| {
        (settled.plus(row.settled).unwrap_or(PicoUsd(u64::MAX)), unknown.saturating_add(row.unknown))
    })
}
