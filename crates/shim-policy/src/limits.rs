//! Limits of keys, teams and aliases: how many requests and tokens a minute, how many exchanges at once, how much
//! money in a window.
//!
//! An exchange reserves its worst case with all who are limited before anything is sent, and settles to the actual when
//! it is over; what it did not use is given back. So `settled + reserved ≤ budget` holds at every moment, and with it
//! `settled ≤ budget`, unless an exchange comes to more than its worst case. That is counted ([`Account::overrun`])
//! and shown, since it has then been spent.

mod machine;
mod period;
mod rate;
mod state;
#[cfg(test)]
mod tests;

use std::fmt;

use shim_ir::{AliasName, KeyId, PicoUsd, TeamName, Tokens};

pub use machine::{Actual, Ask, Correction, LEASES_MAX, Lease, Limiter};
pub use period::Period;

/// What is limited of a key, a team or an alias. What is `None` is not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Requests in any sixty seconds.
    pub requests_per_minute: Option<u64>,
    /// Tokens in any sixty seconds, input and output together.
    pub tokens_per_minute: Option<u64>,
    /// Exchanges under way at once.
    pub concurrent: Option<u64>,
    /// Money.
    pub budget: Option<Budget>,
    /// The most output, in tokens, that is reckoned with where neither the request nor the catalogue bounds it.
    pub output_tokens_max: Option<u64>,
}

impl Limits {
    /// Whether nothing is limited.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { requests_per_minute, tokens_per_minute, concurrent, budget, output_tokens_max: _ } = self;
        requests_per_minute.is_none()
            && tokens_per_minute.is_none()
            && concurrent.is_none()
            && budget.is_none()
    }
}

/// How much may be spent in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// So much.
    pub amount: PicoUsd,
    /// In this window.
    pub window: BudgetWindow,
    /// What becomes of what has no known price.
    pub unpriced: Unpriced,
}

/// When a budget begins anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum BudgetWindow {
    /// With each day, in UTC.
    Day,
    /// With each month, in UTC.
    #[default]
    Month,
    /// Never.
    Total,
}

impl BudgetWindow {
    /// The word in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
            Self::Total => "total",
        }
    }

    /// The window of this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Day, Self::Month, Self::Total].into_iter().find(|window| window.name() == word)
    }
}

/// What becomes of a request whose price is not known, under a budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unpriced {
    /// It is refused.
    #[default]
    Refuse,
    /// It passes, costs nothing of the budget, and is counted.
    Allow,
}

impl Unpriced {
    /// The word in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Allow => "allow",
        }
    }

    /// The verdict of this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Refuse, Self::Allow].into_iter().find(|verdict| verdict.name() == word)
    }
}

/// Who is limited.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A key.
    Key(KeyId),
    /// All keys of a team together.
    Team(TeamName),
    /// An alias, whoever asks for it.
    Alias(AliasName),
    /// A key for as long as it seems to harvest a model, beside its own limits.
    Throttled(KeyId),
}

impl Subject {
    /// `key`, `team`, `alias` or `throttled key`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Key(_) => "key",
            Self::Team(_) => "team",
            Self::Alias(_) => "alias",
            Self::Throttled(_) => "throttled key",
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Key(id) | Self::Throttled(id) => id.as_str(),
            Self::Team(name) => name.as_str(),
            Self::Alias(name) => name.as_str(),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} \"{}\"", self.kind(), self.name())
    }
}

/// Someone and the limits they have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Governed {
    /// Who.
    pub subject: Subject,
    /// What.
    pub limits: Limits,
}

/// Why an exchange is not admitted just now, or not at all. Nothing was reserved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Whose limit.
    pub subject: Subject,
    /// Which.
    pub limit: Limit,
    /// In how many milliseconds the same request could be admitted; `None` when time alone does not help.
    pub retry_after_ms: Option<u64>,
    /// How the limits by the minute of that subject stand.
    pub standing: Standing,
}

/// Which limit it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Requests a minute: so many.
    Requests(u64),
    /// Tokens a minute: so many.
    Tokens(u64),
    /// Exchanges at once: so many.
    Concurrent(u64),
    /// Money.
    Budget {
        /// The budget.
        budget: Budget,
        /// What is neither settled nor reserved of it.
        available: PicoUsd,
        /// What the request could come to.
        wanted: PicoUsd,
        /// Whether exchanges under way hold what is missing, and may give it back.
        held: bool,
    },
    /// The price is not known, and the budget refuses that.
    Unpriced,
    /// More exchanges are under way than leases are kept ([`LEASES_MAX`]).
    Leases,
}

/// How limits by the minute stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Requests.
    pub requests: Option<Allowance>,
    /// Tokens.
    pub tokens: Option<Allowance>,
}

/// What is left of a limit by the minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// The limit.
    pub limit: u64,
    /// What is left of it.
    pub remaining: u64,
    /// In how many milliseconds all of it is there again.
    pub reset_ms: u64,
}

/// How someone's limits stand, for who wants to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Who.
    pub subject: Subject,
    /// Exchanges under way.
    pub open: u64,
    /// How the limits by the minute stand.
    pub standing: Standing,
    /// Spent in the window by exchanges that are over.
    pub settled: PicoUsd,
    /// Reserved for exchanges under way.
    pub reserved: PicoUsd,
    /// Left of the budget; none where there is no budget.
    pub available: Option<PicoUsd>,
    /// Spent beyond what was reserved, and so perhaps beyond the budget.
    pub overrun: PicoUsd,
    /// Exchanges in the window whose cost is not known.
    pub unpriced: u64,
    /// Leases that expired before they were settled.
    pub expired: u64,
    /// The window the sums are of; none where there is no budget.
    pub period: Option<Period>,
}

/// The tokens of a worst case: saturating, since more than there are numbers is more than any limit.
#[must_use]
pub fn tokens(input: u64, output: u64) -> Tokens {
    Tokens(input.saturating_add(output))
}

/// An amount as people write it: `$0.25`, `$12.00`, `$0.000004`; at least two decimal places, and no digit is lost.
#[must_use]
pub fn usd(amount: PicoUsd) -> String {
    const UNIT: u64 = 1_000_000_000_000;
    let fraction = format!("{:012}", amount.0 % UNIT);
    let shown = fraction.trim_end_matches('0').len().max(2);
    format!("${}.{}", amount.0 / UNIT, fraction.get(..shown).unwrap_or(&fraction))
}
