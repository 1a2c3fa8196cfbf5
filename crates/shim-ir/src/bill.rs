//! What an exchange costs, and what that rests on.

use crate::PicoUsd;

/// What is known of the price of one attempt. A price that is not known is `None`, never 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bill {
    /// The price, in pico-dollars.
    pub cost: Option<PicoUsd>,
    /// What it rests on.
    pub basis: Basis,
}

/// What a price rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Basis {
    /// The provider's own statement in its answer.
    Stated,
    /// The tokens it counted, at the list price of the day.
    Listed,
    /// The same of an answer that was not complete: the provider may bill more.
    Partial,
    /// Nothing: no usage was told, or a part of it has no known price.
    #[default]
    Unknown,
}

impl Basis {
    /// The word in logs, records and pages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stated => "stated",
            Self::Listed => "listed",
            Self::Partial => "partial",
            Self::Unknown => "unknown",
        }
    }

    /// The basis of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Stated, Self::Listed, Self::Partial, Self::Unknown].into_iter().find(|b| b.name() == name)
    }
}
