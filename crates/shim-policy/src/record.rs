//! How much of an exchange is recorded.

/// How much of an exchange is recorded; the strictest of all who may say so wins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Record {
    /// What accounting needs: who asked for what, what answered, how it ended, tokens and cost.
    Off,
    /// All but what was said: no bodies, and no message of a fault, which may quote them.
    Usage,
    /// Everything, the bodies included.
    #[default]
    Full,
}

impl Record {
    /// The words, strictest first.
    pub const NAMES: [&str; 3] = ["off", "usage", "full"];

    /// The word in configuration, headers and ledger.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Usage => "usage",
            Self::Full => "full",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "off" => Some(Self::Off),
            "usage" => Some(Self::Usage),
            "full" => Some(Self::Full),
            _ => None,
        }
    }

    /// The stricter of the two.
    #[must_use]
    pub fn tightened(self, other: Option<Self>) -> Self {
        other.map_or(self, |other| self.min(other))
    }
}

#[cfg(test)]
mod tests {
    use super::Record;

    #[test]
    fn the_strictest_wins() {
        for a in Record::NAMES {
            let a = Record::parse(a).unwrap();
            assert_eq!(a.tightened(None), a);
            for b in Record::NAMES.map(|b| Record::parse(b).unwrap()) {
                assert_eq!(a.tightened(Some(b)), if a < b { a } else { b });
                assert!(a.tightened(Some(b)) <= b);
            }
        }
        assert_eq!(Record::NAMES.map(|n| Record::parse(n).unwrap().name()), Record::NAMES);
        assert_eq!(Record::parse("none"), None);
    }
}
