//! Days, as prices and the names of snapshots hold them.

use std::fmt;

use serde::Deserialize;

/// A day of the Gregorian calendar, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

impl Date {
    /// The day written as `2026-09-01`; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() || (year.len(), month.len(), day.len()) != (4, 2, 2) {
            return None;
        }
        Self::new(digits(year)?, u8::try_from(digits(month)?).ok()?, u8::try_from(digits(day)?).ok()?)
    }

    /// The day of a moment in seconds since 1970; the last day there is for moments behind the year 9999.
    #[must_use]
    pub fn at(unix_seconds: u64) -> Self {
        // Civil from days, by Howard Hinnant: https://howardhinnant.github.io/date_algorithms.html
        let days = unix_seconds / 86_400 + 719_468;
        let of_era = days % 146_097;
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * of_year + 2) / 153;
        let day = of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        let year = year_of_era + days / 146_097 * 400 + u64::from(month <= 2);
        let date =
            || Self::new(u16::try_from(year).ok()?, u8::try_from(month).ok()?, u8::try_from(day).ok()?);
        date().unwrap_or(Self { year: 9_999, month: 12, day: 31 })
    }

    fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let days = match month {
            4 | 6 | 9 | 11 => 30,
            2 => 28 + u8::from(leap),
            _ => 31,
        };
        let is_day = (1..=9_999).contains(&year) && (1..=12).contains(&month) && (1..=days).contains(&day);
        is_day.then_some(Self { year, month, day })
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

fn digits(text: &str) -> Option<u16> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// How a provider writes the day of a snapshot behind a model's name.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub enum SnapshotSuffix {
    /// `claude-sonnet-4-6-20260217`
    #[serde(rename = "yyyymmdd")]
    Compact,
    /// `gpt-4o-2024-08-06`
    #[serde(rename = "yyyy-mm-dd")]
    Dashed,
}

impl SnapshotSuffix {
    /// The name before the day; `None` where there is no day behind it.
    #[must_use]
    pub fn strip(self, id: &str) -> Option<&str> {
        let length = match self {
            Self::Compact => 8,
            Self::Dashed => 10,
        };
        let (name, day) = id.split_at_checked(id.len().checked_sub(length)?)?;
        let dashed = match self {
            Self::Compact => format!("{}-{}-{}", day.get(..4)?, day.get(4..6)?, day.get(6..)?),
            Self::Dashed => day.to_owned(),
        };
        Date::parse(&dashed)?;
        name.strip_suffix('-').filter(|name| !name.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Date, SnapshotSuffix};

    #[test]
    fn days_are_read_and_counted() {
        assert_eq!(Date::at(0), Date::parse("1970-01-01").unwrap());
        assert_eq!(Date::at(1_788_220_799), Date::parse("2026-08-31").unwrap());
        assert_eq!(Date::at(1_788_220_800), Date::parse("2026-09-01").unwrap());
        assert_eq!(Date::at(1_709_164_800), Date::parse("2024-02-29").unwrap());
        assert_eq!(Date::at(u64::MAX).to_string(), "9999-12-31");
        for text in ["2026-02-29", "2026-13-01", "2026-1-01", "2026-01-00", "+026-01-01", "2026-01-01-", ""] {
            assert_eq!(Date::parse(text), None, "{text}");
        }
    }

    #[test]
    fn snapshots_end_in_a_day() {
        let strip = |id| (SnapshotSuffix::Compact.strip(id), SnapshotSuffix::Dashed.strip(id));
        assert_eq!(strip("claude-sonnet-4-6-20260217"), (Some("claude-sonnet-4-6"), None));
        assert_eq!(strip("gpt-4o-2024-08-06"), (None, Some("gpt-4o")));
        for id in
            ["claude-sonnet-4-6-20261301", "gpt-4o-2024-08-32", "20260217", "-20260217", "", "é20260217"]
        {
            assert_eq!(strip(id), (None, None), "{id}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in any::<String>()) {
            let _ = (Date::parse(&text), SnapshotSuffix::Compact.strip(&text), SnapshotSuffix::Dashed.strip(&text));
        }

        #[test]
        fn days_print_as_they_parse(seconds in 0u64..250_000_000_000) {
            let day = Date::at(seconds);
            prop_assert_eq!(Date::parse(&day.to_string()), Some(day));
            prop_assert!(Date::at(seconds + 86_400) > day);
        }
    }
}
