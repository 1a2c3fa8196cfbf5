//! Units: tokens and money.

use std::fmt;
use std::ops::{Add, AddAssign};

/// A number of tokens as an upstream counted them. Addition saturates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tokens(pub u64);

impl Add for Tokens {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Tokens {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl std::iter::Sum for Tokens {
    fn sum<I: Iterator<Item = Self>>(tokens: I) -> Self {
        tokens.fold(Self(0), Add::add)
    }
}

impl Tokens {
    /// What is left when `part` is taken out of a count that includes it; an upstream's inconsistent counts give 0.
    #[must_use]
    pub fn without(self, part: Self) -> Self {
        Self(self.0.saturating_sub(part.0))
    }
}

impl fmt::Display for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A number of tokens that was estimated here. It cannot be billed, so it does not turn into [`Tokens`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenEstimate(pub u64);

/// An amount of money in pico-dollars (10⁻¹² USD).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PicoUsd(pub u64);

impl PicoUsd {
    /// The price of `tokens` at this price each; `None` when it does not fit.
    #[must_use]
    pub fn times(self, tokens: Tokens) -> Option<Self> {
        self.0.checked_mul(tokens.0).map(Self)
    }

    /// The sum; `None` when it does not fit.
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }
}
