//! The machine that reserves and settles.

use std::collections::{BTreeMap, BTreeSet};

use shim_ir::{PicoUsd, Tokens};

use super::state::{ASK_AGAIN_MS, Part, State, plus};
use super::{Account, Governed, Limit, Period, Refusal, Subject};

/// Most leases at once.
pub const LEASES_MAX: usize = 1 << 20;

/// What an exchange could come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Tokens, input and output together.
    pub tokens: Tokens,
    /// Cost, as far as prices are known.
    pub cost: PicoUsd,
    /// Whether there are prices that are not.
    pub unpriced: bool,
    /// When the lease expires by itself, in milliseconds since 1970.
    pub expires_ms: u64,
}

/// What an exchange came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Actual {
    /// Tokens; `None` when nobody told, and then what was reserved goes on counting.
    pub tokens: Option<Tokens>,
    /// Cost; `None` when it is not known.
    pub cost: Option<PicoUsd>,
}

/// What an exchange came to by an account, and what it comes to now; `None` where that is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Correction {
    /// What it was settled to.
    pub was: Option<PicoUsd>,
    /// What it is.
    pub is: Option<PicoUsd>,
}

/// What an exchange holds until it is settled. Whoever loses it loses what it holds until it expires.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a lease holds what it reserved until it is settled"]
pub struct Lease(u64);

/// Limits at work. Time is an argument, in milliseconds since 1970; time that goes back stands still.
#[derive(Debug, Default)]
pub struct Limiter {
    subjects: BTreeMap<Subject, State>,
    leases: BTreeMap<u64, Held>,
    /// When each lease that is not yet expired expires.
    expiries: BTreeSet<(u64, u64)>,
    next: u64,
    now_ms: u64,
}

/// What a lease holds.
#[derive(Debug)]
struct Held {
    parts: Vec<Part>,
    expires_ms: u64,
    /// Somebody has it and will settle it; one that a crash left behind is only waited for.
    owned: bool,
    expired: bool,
}

impl Limiter {
    /// Reserves the worst case of an exchange with everyone in `who`, or with nobody.
    ///
    /// # Errors
    /// When one of them has no room: of several refusals, the one that lasts longest.
    pub fn reserve(&mut self, now_ms: u64, who: &[&Governed], ask: Ask) -> Result<Lease, Box<Refusal>> {
        let now_ms = self.pass(now_ms);
        for governed in who {
            self.subjects.entry(governed.subject.clone()).or_default().shape(&governed.limits, now_ms);
        }
        let refusals = who.iter().filter_map(|governed| self.refusal(governed, ask, now_ms));
        let longest = |refusal: &Refusal| refusal.retry_after_ms.unwrap_or(u64::MAX);
        // Of several that last as long, the first.
        if let Some(refusal) =
            refusals.reduce(|worst, next| if longest(&next) > longest(&worst) { next } else { worst })
        {
            return Err(Box::new(refusal));
        }
        let parts = who.iter().filter_map(|governed| self.take(governed, ask)).collect();
        Ok(Lease(self.keep(Held { parts, expires_ms: ask.expires_ms, owned: true, expired: false })))
    }

    /// Settles a lease to what the exchange came to, and gives back the rest.
    #[expect(clippy::needless_pass_by_value, reason = "a lease is settled once, so it is taken")]
    pub fn settle(&mut self, now_ms: u64, lease: Lease, actual: Actual) {
        let now_ms = self.pass(now_ms);
        let Some(held) = self.leases.remove(&lease.0) else { return };
        self.expiries.remove(&(held.expires_ms, lease.0));
        for part in held.parts {
            if let Some(state) = self.subjects.get_mut(&part.subject) {
                state.settle(&part, actual, held.expired, now_ms);
            }
        }
    }

    /// Takes up what a crashed exchange had reserved with `who`, until it expires: it was admitted at `at_ms`, and what it
    /// came to is in no account. One that has expired by now holds nothing any more.
    pub fn restore(
        &mut self,
        now_ms: u64,
        who: &[&Governed],
        reserved: PicoUsd,
        at_ms: u64,
        expires_ms: u64,
    ) {
        let now_ms = self.pass(now_ms);
        if expires_ms <= now_ms || self.leases.len() >= LEASES_MAX {
            return;
        }
        let mut parts = Vec::new();
        for governed in who {
            let state = self.subjects.entry(governed.subject.clone()).or_default();
            state.shape(&governed.limits, now_ms);
            let period = state.money.as_mut().filter(|money| money.period.holds(at_ms)).map(|money| {
                money.reserved = plus(money.reserved, reserved);
                money.period
            });
            state.open += 1;
            parts.push(Part { subject: governed.subject.clone(), tokens: None, cost: reserved, period });
        }
        self.keep(Held { parts, expires_ms, owned: false, expired: false });
    }

    /// Those of `who` whose budget knows nothing of what was spent in its window before.
    pub fn unknown<'g>(&self, now_ms: u64, who: &'g [Governed]) -> Vec<(&'g Governed, Period)> {
        let missing = |governed: &'g Governed| {
            let budget = governed.limits.budget?;
            let known = self.subjects.get(&governed.subject).and_then(|state| state.money);
            let known = known.is_some_and(|money| money.window == budget.window);
            (!known).then(|| (governed, Period::of(budget.window, now_ms.max(self.now_ms))))
        };
        who.iter().filter_map(missing).collect()
    }

    /// Begins a budget with what was spent in its window before, and how many exchanges of unknown cost there were.
    pub fn begin(&mut self, now_ms: u64, governed: &Governed, settled: PicoUsd, unpriced: u64) {
        let now_ms = self.pass(now_ms);
        let state = self.subjects.entry(governed.subject.clone()).or_default();
        state.shape(&governed.limits, now_ms);
        if let Some(money) = &mut state.money {
            money.settled = plus(money.settled, settled);
            money.unpriced = money.unpriced.saturating_add(unpriced);
        }
    }

    /// Corrects what an exchange that was admitted at `at_ms` came to, where the budget's window holds it: it was reckoned
    /// anew.
    pub fn correct(&mut self, now_ms: u64, governed: &Governed, at_ms: u64, correction: Correction) {
        let now_ms = self.pass(now_ms);
        let Some(state) = self.subjects.get_mut(&governed.subject) else { return };
        state.shape(&governed.limits, now_ms);
        if let Some(money) = state.money.as_mut().filter(|money| money.period.holds(at_ms)) {
            money.correct(correction);
        }
    }

    /// Forgets whoever is not in `who` and has no exchange under way.
    pub fn retain(&mut self, who: &[Governed]) {
        let known: BTreeSet<&Subject> = who.iter().map(|governed| &governed.subject).collect();
        self.subjects.retain(|subject, state| state.open > 0 || known.contains(subject));
    }

    /// How those of `who` stand.
    pub fn accounts(&mut self, now_ms: u64, who: &[Governed]) -> Vec<Account> {
        let now_ms = self.pass(now_ms);
        let mut account = |governed: &Governed| {
            let state = self.subjects.entry(governed.subject.clone()).or_default();
            state.shape(&governed.limits, now_ms);
            state.account(governed, now_ms)
        };
        who.iter().map(&mut account).collect()
    }

    /// Leases that hold something.
    #[must_use]
    pub fn held(&self) -> usize {
        self.expiries.len()
    }

    /// Lets this one lease expire, whatever the time.
    #[cfg(test)]
    pub(super) fn lapse(&mut self, lease: &Lease) {
        self.expiries.retain(|(_, id)| *id != lease.0);
        self.expire(lease.0);
    }

    /// Lets time pass: leases expire.
    fn pass(&mut self, now_ms: u64) -> u64 {
        self.now_ms = self.now_ms.max(now_ms);
        while let Some((expires_ms, id)) = self.expiries.first().copied() {
            if expires_ms > self.now_ms {
                break;
            }
            self.expiries.remove(&(expires_ms, id));
            self.expire(id);
        }
        self.now_ms
    }

    /// Gives back what a lease holds. One that is owned is kept: when it is settled after all, what it came to was spent.
    fn expire(&mut self, id: u64) {
        let Some(held) = self.leases.get_mut(&id) else { return };
        held.expired = true;
        for part in &held.parts {
            if let Some(state) = self.subjects.get_mut(&part.subject) {
                state.give_back(part);
                state.expired += 1;
            }
        }
        if !held.owned {
            self.leases.remove(&id);
        }
    }

    fn refusal(&self, governed: &Governed, ask: Ask, now_ms: u64) -> Option<Refusal> {
        let state = self.subjects.get(&governed.subject)?;
        let (limit, retry_after_ms) = if self.leases.len() >= LEASES_MAX {
            (Limit::Leases, Some(ASK_AGAIN_MS))
        } else {
            state.refuses(&governed.limits, ask, now_ms)?
        };
        let standing = state.standing(&governed.limits, now_ms);
        Some(Refusal { subject: governed.subject.clone(), limit, retry_after_ms, standing })
    }

    fn take(&mut self, governed: &Governed, ask: Ask) -> Option<Part> {
        let state = self.subjects.get_mut(&governed.subject)?;
        Some(state.take(governed, ask))
    }

    fn keep(&mut self, held: Held) -> u64 {
        let id = self.next;
        self.next += 1;
        self.expiries.insert((held.expires_ms, id));
        self.leases.insert(id, held);
        id
    }
}
