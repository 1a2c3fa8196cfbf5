//! What a translation could not carry.

use std::borrow::Cow;

/// How faithfully an exchange was carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fidelity {
    /// Every byte that need not change is the byte that arrived.
    Exact,
    /// Translated, with this many losses.
    Mapped {
        /// Number of entries in the list of losses.
        losses: u32,
    },
}

impl std::fmt::Display for Fidelity {
    /// The value of the `x-shim-fidelity` header.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exact => f.write_str("exact"),
            Self::Mapped { losses } => write!(f, "mapped; losses={losses}"),
        }
    }
}

/// One thing a translation could not carry unchanged. Policy lets it pass, reports it, or refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Where: a path in the words of the intermediate representation, such as `turns[2].parts[0].cache`. The source's
    /// dialect turns it into its own words for people.
    pub path: String,
    /// What became of it.
    pub kind: LossKind,
    /// Why, in a few words without a full stop.
    pub why: Cow<'static, str>,
}

/// What became of something that could not be carried unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LossKind {
    /// Left out.
    Dropped,
    /// Carried as something near to it.
    Approximated,
    /// The other side needs a value the source does not have, and got a documented default.
    Defaulted,
    /// Left out although the answer depends on it: refused, unless the alias permits it to be dropped.
    Unsupported,
    /// Left out or cut short, and no model reads it: who the client's user is, the client's own data. Told; refused only
    /// where the alias says so of the field.
    Noted,
}

impl Loss {
    /// A loss at `path`.
    #[must_use]
    pub fn new(path: impl Into<String>, kind: LossKind, why: impl Into<Cow<'static, str>>) -> Self {
        Self { path: path.into(), kind, why: why.into() }
    }
}

impl LossKind {
    /// The word, as in answers and in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dropped => "dropped",
            Self::Approximated => "approximated",
            Self::Defaulted => "defaulted",
            Self::Unsupported => "unsupported",
            Self::Noted => "noted",
        }
    }
}
