//! What a translation could not carry.

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
    /// Where in the source text: a JSON path such as `messages[2].content[0].cache_control`.
    pub path: String,
    /// What became of it.
    pub kind: LossKind,
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
}
