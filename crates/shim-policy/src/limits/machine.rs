//! The machine that reserves and settles.

use std::collections::{BTreeMap, BTreeSet};

use shim_ir::{PicoUsd, Tokens};

use super::rate::Rate;
use super::{
    Account, Allowance, Budget, BudgetWindow, Governed, Limit, Limits, Period, Refusal, Standing, Subject,
    Unpriced,
};

/// Most leases at once.
pub const LEASES_MAX: usize = 1 << 20;

/// In how many milliseconds to ask again where an exchange under way has to end first: nobody knows when it does.
const ASK_AGAIN_MS: u64 = 1_000;

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

/// How one subject stands.
#[derive(Debug, Default)]
struct State {
    requests: Option<Box<Rate>>,
    tokens: Option<Box<Rate>>,
    open: u64,
    expired: u64,
    money: Option<Money>,
}

/// How a subject's budget stands, in the window it is in.
#[derive(Clone, Copy, Debug)]
struct Money {
    window: BudgetWindow,
    period: Period,
    settled: PicoUsd,
    reserved: PicoUsd,
    overrun: PicoUsd,
    unpriced: u64,
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

/// What a lease holds of one subject.
#[derive(Debug)]
struct Part {
    subject: Subject,
    /// Tokens, and the second in which they count.
    tokens: Option<(u64, u64)>,
    cost: PicoUsd,
    /// The window the cost is of.
    period: Option<Period>,
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

impl State {
    /// Fits the state to the limits in force, and to the time: windows that are over begin anew.
    fn shape(&mut self, limits: &Limits, now_ms: u64) {
        let rate = |rate: &mut Option<Box<Rate>>, limited: bool| {
            if limited {
                rate.get_or_insert_default().advance(now_ms);
            } else {
                *rate = None;
            }
        };
        rate(&mut self.requests, limits.requests_per_minute.is_some());
        rate(&mut self.tokens, limits.tokens_per_minute.is_some());
        let fits = |money: &Money, budget: &Budget| {
            money.window == budget.window && money.period.end_ms.is_none_or(|end| now_ms < end)
        };
        self.money = limits.budget.map(|budget| match self.money {
            Some(money) if fits(&money, &budget) => money,
            Some(_) | None => Money::new(budget.window, now_ms),
        });
    }

    /// The limit that has no room for `ask`, and when it could have. They are asked in the order of how long they last.
    fn refuses(&self, limits: &Limits, ask: Ask, now_ms: u64) -> Option<(Limit, Option<u64>)> {
        let money = limits.budget.zip(self.money);
        if let Some(refusal) = money.and_then(|(budget, money)| money.refuses(budget, ask, now_ms)) {
            return Some(refusal);
        }
        if let (Some(limit), Some(rate)) = (limits.tokens_per_minute, &self.tokens) {
            let wait = rate.until(limit - ask.tokens.0.min(limit), now_ms);
            if wait > 0 {
                return Some((Limit::Tokens(limit), Some(wait)));
            }
        }
        if let (Some(limit), Some(rate)) = (limits.requests_per_minute, &self.requests) {
            let wait = rate.until(limit.saturating_sub(1), now_ms);
            if wait > 0 {
                return Some((Limit::Requests(limit), Some(wait)));
            }
        }
        let limit = limits.concurrent.filter(|limit| self.open >= *limit)?;
        Some((Limit::Concurrent(limit), Some(ASK_AGAIN_MS)))
    }

    fn take(&mut self, governed: &Governed, ask: Ask) -> Part {
        self.open += 1;
        if let Some(rate) = &mut self.requests {
            rate.add(1);
        }
        // What is larger than the whole limit takes all of it: it passes, alone.
        let tokens = self.tokens.as_mut().zip(governed.limits.tokens_per_minute).map(|(rate, limit)| {
            let tokens = ask.tokens.0.min(limit);
            (tokens, rate.add(tokens))
        });
        if let Some(money) = &mut self.money {
            money.reserved = plus(money.reserved, ask.cost);
        }
        let period = self.money.map(|money| money.period);
        Part { subject: governed.subject.clone(), tokens, cost: ask.cost, period }
    }

    /// Gives back place and money; tokens that were let in go on counting until their minute is over.
    fn give_back(&mut self, part: &Part) {
        self.open = self.open.saturating_sub(1);
        if let Some(money) = self.money_of(part) {
            money.reserved = minus(money.reserved, part.cost);
        }
    }

    fn settle(&mut self, part: &Part, actual: Actual, expired: bool, now_ms: u64) {
        if !expired {
            self.give_back(part);
        }
        if let (Some(rate), Some((tokens, second)), Some(is)) = (&mut self.tokens, part.tokens, actual.tokens)
        {
            rate.advance(now_ms);
            rate.correct(second, tokens, is.0);
        }
        if let Some(money) = self.money_of(part) {
            money.spend(if expired { PicoUsd(0) } else { part.cost }, actual.cost);
        }
    }

    /// The budget that `part` holds something of: an exchange counts in the window it was admitted in.
    fn money_of(&mut self, part: &Part) -> Option<&mut Money> {
        self.money.as_mut().filter(|money| Some(money.period) == part.period)
    }

    fn standing(&self, limits: &Limits, now_ms: u64) -> Standing {
        let allowance = |rate: &Option<Box<Rate>>, limit: Option<u64>| {
            let (rate, limit) = (rate.as_ref()?, limit?);
            let remaining = limit.saturating_sub(rate.sum());
            Some(Allowance { limit, remaining, reset_ms: rate.until(0, now_ms) })
        };
        Standing {
            requests: allowance(&self.requests, limits.requests_per_minute),
            tokens: allowance(&self.tokens, limits.tokens_per_minute),
        }
    }

    fn account(&self, governed: &Governed, now_ms: u64) -> Account {
        let money = self.money;
        let available = money.zip(governed.limits.budget).map(|(money, budget)| money.available(budget));
        Account {
            subject: governed.subject.clone(),
            open: self.open,
            standing: self.standing(&governed.limits, now_ms),
            settled: money.map_or(PicoUsd(0), |money| money.settled),
            reserved: money.map_or(PicoUsd(0), |money| money.reserved),
            available,
            overrun: money.map_or(PicoUsd(0), |money| money.overrun),
            unpriced: money.map_or(0, |money| money.unpriced),
            expired: self.expired,
            period: money.map(|money| money.period),
        }
    }
}

impl Money {
    fn new(window: BudgetWindow, now_ms: u64) -> Self {
        let (period, none) = (Period::of(window, now_ms), PicoUsd(0));
        Self { window, period, settled: none, reserved: none, overrun: none, unpriced: 0 }
    }

    fn available(&self, budget: Budget) -> PicoUsd {
        minus(minus(budget.amount, self.settled), self.reserved)
    }

    fn refuses(&self, budget: Budget, ask: Ask, now_ms: u64) -> Option<(Limit, Option<u64>)> {
        if ask.unpriced && budget.unpriced == Unpriced::Refuse {
            return Some((Limit::Unpriced, None));
        }
        let wanted = ask.cost;
        let available = self.available(budget);
        // One that is used up takes not even what costs nothing, as far as anybody knows.
        if wanted <= available && (available > PicoUsd(0) || self.settled < budget.amount) {
            return None;
        }
        let held = wanted <= minus(budget.amount, self.settled) && self.settled < budget.amount;
        let renewed = self.period.end_ms.map(|end| end.saturating_sub(now_ms));
        let wait = if held {
            Some(ASK_AGAIN_MS)
        } else {
            renewed.filter(|_| wanted <= budget.amount && budget.amount > PicoUsd(0))
        };
        Some((Limit::Budget { budget, available, wanted, held }, wait))
    }

    fn spend(&mut self, reserved: PicoUsd, actual: Option<PicoUsd>) {
        match actual {
            Some(cost) => {
                self.settled = plus(self.settled, cost);
                self.overrun = plus(self.overrun, minus(cost, reserved));
            }
            None => self.unpriced = self.unpriced.saturating_add(1),
        }
    }
}

/// More than there are numbers is more than any budget.
fn plus(a: PicoUsd, b: PicoUsd) -> PicoUsd {
    a.plus(b).unwrap_or(PicoUsd(u64::MAX))
}

fn minus(a: PicoUsd, b: PicoUsd) -> PicoUsd {
    PicoUsd(a.0.saturating_sub(b.0))
}
