//! What is done about extraction, and the score it is decided by.

use std::fmt;

/// What is done about a key that seems to harvest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Nothing: its exchanges are not looked at.
    #[default]
    Off,
    /// It is told.
    Watch,
    /// It is told, and may make only a few requests a minute for as long as it seems so.
    Throttle,
}

impl Mode {
    /// The words.
    pub const NAMES: [&str; 3] = ["off", "watch", "throttle"];

    /// The word in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Watch => "watch",
            Self::Throttle => "throttle",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Off, Self::Watch, Self::Throttle].into_iter().find(|mode| mode.name() == word)
    }
}

/// How much a key's day looks like harvesting, from 0 to 1; in thousandths, so that it can be compared exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Score(u16);

impl Score {
    /// The score nearest to `value`; what is no number is 0.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it lies between 0 and 1000")]
    pub const fn of(value: f64) -> Self {
        Self((value.clamp(0.0, 1.0) * 1000.0).round() as u16)
    }

    /// It as a number from 0 to 1.
    #[must_use]
    pub fn value(self) -> f64 {
        f64::from(self.0) / 1000.0
    }

    /// It less a tenth of the whole scale.
    pub(super) const fn less_a_tenth(self) -> Self {
        Self(self.0.saturating_sub(100))
    }
}

impl fmt::Display for Score {
    /// `0.85`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2}", self.value())
    }
}

/// How extraction is looked for, and what comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What is done where neither key nor alias says.
    pub mode: Mode,
    /// The score from which on it is an alarm.
    pub threshold: Score,
    /// Different questions a day up to which nothing is made of them; all figures without a history grow with it.
    pub floor: u64,
    /// Requests a minute of a key that is throttled.
    pub requests_per_minute: u64,
}

impl Default for Rule {
    /// Off; 0.8, 2000 questions, 6 requests.
    fn default() -> Self {
        Self { mode: Mode::Off, threshold: Score::of(0.8), floor: 2000, requests_per_minute: 6 }
    }
}
