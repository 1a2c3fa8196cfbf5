//! UTC days, and the files of one.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use jiff::ToSpan as _;
use jiff::civil::Date;

/// Milliseconds of a day.
const DAY_MS: u64 = 86_400_000;

/// Milliseconds of an hour.
const HOUR_MS: u64 = 3_600_000;

/// A UTC day: days since 1970-01-01.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub u32);

impl Day {
    /// The day of a time in milliseconds since 1970.
    #[must_use]
    pub fn of_ms(at_ms: u64) -> Self {
        Self(u32::try_from(at_ms / DAY_MS).unwrap_or(LAST))
    }

    /// When it begins, in milliseconds since 1970.
    #[must_use]
    pub fn start_ms(self) -> u64 {
        u64::from(self.0) * DAY_MS
    }

    /// The day after it.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Its file in a ledger's folder.
    pub(super) fn file(self, folder: &Path) -> PathBuf {
        folder.join(format!("{self}.db"))
    }

    /// The file of the words found in its bodies.
    pub(super) fn words_file(self, folder: &Path) -> PathBuf {
        folder.join(format!("{self}.words.db"))
    }
}

/// 9999-12-31: what lies beyond no calendar shows.
const LAST: u32 = 2_932_896;

impl fmt::Display for Day {
    /// As in `2026-11-26`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = Date::constant(1970, 1, 1).checked_add(i64::from(self.0.min(LAST)).days());
        write!(f, "{}", date.unwrap_or(Date::MAX))
    }
}

/// A text that is no day.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no day; write it as 2026-11-26")]
pub struct NoDay(pub String);

impl FromStr for Day {
    type Err = NoDay;
    fn from_str(text: &str) -> Result<Self, NoDay> {
        let no_day = || NoDay(text.to_owned());
        let date: Date = text.parse().map_err(|_| no_day())?;
        let days = Date::constant(1970, 1, 1).until(date).map_err(|_| no_day())?.get_days();
        u32::try_from(days).map(Self).map_err(|_| no_day())
    }
}

/// A text that is no time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no time; write it as 2026-11-26, 2026-11-26T08:00:00Z, or so long ago: 30m, 2h, 7d")]
pub struct NoTime(pub String);

/// Reads a time, in milliseconds since 1970: a day, a time of one, or how long before `now_ms`.
///
/// # Errors
/// When it is none of these.
pub fn time(text: &str, now_ms: u64) -> Result<u64, NoTime> {
    let no_time = || NoTime(text.to_owned());
    if let Ok(day) = text.parse::<Day>() {
        return Ok(day.start_ms());
    }
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return u64::try_from(at.as_millisecond()).map_err(|_| no_time());
    }
    let units = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", HOUR_MS), ("d", DAY_MS)];
    let read = |(unit, ms): &(&str, u64)| text.strip_suffix(unit)?.parse::<u64>().ok()?.checked_mul(*ms);
    units.iter().find_map(read).map(|ago| now_ms.saturating_sub(ago)).ok_or_else(no_time)
}

/// The hour of a time in milliseconds, as hours since 1970.
pub(super) fn hour(at_ms: u64) -> u64 {
    at_ms / HOUR_MS
}

/// The days of a ledger's folder, oldest first.
///
/// # Errors
/// When the folder cannot be read. A folder that is not there has none.
pub(super) fn days(folder: &Path) -> std::io::Result<Vec<Day>> {
    let mut days = Vec::new();
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(days),
        entries => entries?,
    };
    for entry in entries {
        let name = entry?.file_name();
        let stem = name.to_str().and_then(|name| name.strip_suffix(".db"));
        days.extend(stem.and_then(|stem| stem.parse::<Day>().ok()));
    }
    days.sort_unstable();
    Ok(days)
}

/// A file's companions: what SQLite keeps beside it.
pub(super) fn companions(file: &Path) -> [PathBuf; 3] {
    let with = |end: &str| {
        let mut name = file.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    };
    [file.to_owned(), with("-wal"), with("-shm")]
}

/// Bytes of a database on the disk, its companions included.
pub(super) fn size(file: &Path) -> u64 {
    companions(file).iter().filter_map(|file| std::fs::metadata(file).ok()).map(|meta| meta.len()).sum()
}

/// Removes a database and its companions. What is not there is no error.
pub(super) fn remove(file: &Path) -> std::io::Result<()> {
    for file in companions(file) {
        match std::fs::remove_file(file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Day, NoTime, time};

    #[test]
    fn a_day_is_a_date() {
        assert_eq!(Day::of_ms(0).to_string(), "1970-01-01");
        assert_eq!(Day::of_ms(1_795_000_000_123).to_string(), "2026-11-18");
        assert_eq!("2026-11-18".parse(), Ok(Day::of_ms(1_795_000_000_123)));
        for no_day in ["", "2026-11", "1969-12-31", "2026-11-18.words", "2026-13-01"] {
            assert!(no_day.parse::<Day>().is_err(), "{no_day}");
        }
    }

    #[test]
    fn a_time_is_a_day_a_moment_or_so_long_ago() {
        assert_eq!(time("1970-01-02", 0), Ok(86_400_000));
        assert_eq!(time("1970-01-01T00:00:01Z", 0), Ok(1000));
        assert_eq!(time("2h", 10_000_000), Ok(2_800_000));
        assert_eq!(time("1000d", 5), Ok(0));
        for wrong in ["", "h", "2w", "-1h", "yesterday"] {
            assert_eq!(time(wrong, 0), Err(NoTime(wrong.to_owned())));
        }
    }

    proptest! {
        #[test]
        fn a_day_reads_as_it_prints(day in 0u32..2_932_896) {
            prop_assert_eq!(Day(day).to_string().parse(), Ok(Day(day)));
            prop_assert_eq!(Day::of_ms(Day(day).start_ms()), Day(day));
        }
    }
}
