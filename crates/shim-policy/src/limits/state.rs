//! How one subject stands: its windows, its place, its money.

use shim_ir::PicoUsd;

use super::machine::{Actual, Ask, Correction};
use super::rate::Rate;
use super::{
    Account, Allowance, Budget, BudgetWindow, Governed, Limit, Limits, Period, Standing, Subject, Unpriced,
};

/// In how many milliseconds to ask again where an exchange under way has to end first: nobody knows when it does.
pub(super) const ASK_AGAIN_MS: u64 = 1_000;

/// How one subject stands.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) requests: Option<Box<Rate>>,
    pub(super) tokens: Option<Box<Rate>>,
    pub(super) open: u64,
    pub(super) expired: u64,
    pub(super) money: Option<Money>,
}

/// How a subject's budget stands, in the window it is in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Money {
    pub(super) window: BudgetWindow,
    pub(super) period: Period,
    pub(super) settled: PicoUsd,
    pub(super) reserved: PicoUsd,
    overrun: PicoUsd,
    pub(super) unpriced: u64,
}

/// What a lease holds of one subject.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) subject: Subject,
    /// Tokens, and the second in which they count.
    pub(super) tokens: Option<(u64, u64)>,
    pub(super) cost: PicoUsd,
    /// The window the cost is of.
    pub(super) period: Option<Period>,
}

impl State {
    /// Fits the state to the limits in force, and to the time: windows that are over begin anew.
    pub(super) fn shape(&mut self, limits: &Limits, now_ms: u64) {
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
    pub(super) fn refuses(&self, limits: &Limits, ask: Ask, now_ms: u64) -> Option<(Limit, Option<u64>)> {
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

    pub(super) fn take(&mut self, governed: &Governed, ask: Ask) -> Part {
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
    pub(super) fn give_back(&mut self, part: &Part) {
        self.open = self.open.saturating_sub(1);
        if let Some(money) = self.money_of(part) {
            money.reserved = minus(money.reserved, part.cost);
        }
    }

    pub(super) fn settle(&mut self, part: &Part, actual: Actual, expired: bool, now_ms: u64) {
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

    pub(super) fn standing(&self, limits: &Limits, now_ms: u64) -> Standing {
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

    pub(super) fn account(&self, governed: &Governed, now_ms: u64) -> Account {
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

    /// Takes what an exchange was settled to back, and settles it to what it is.
    pub(super) fn correct(&mut self, correction: Correction) {
        match correction.was {
            Some(was) => self.settled = minus(self.settled, was),
            None => self.unpriced = self.unpriced.saturating_sub(1),
        }
        match correction.is {
            Some(is) => self.settled = plus(self.settled, is),
            None => self.unpriced = self.unpriced.saturating_add(1),
        }
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
pub(super) fn plus(a: PicoUsd, b: PicoUsd) -> PicoUsd {
    a.plus(b).unwrap_or(PicoUsd(u64::MAX))
}

fn minus(a: PicoUsd, b: PicoUsd) -> PicoUsd {
    PicoUsd(a.0.saturating_sub(b.0))
}
