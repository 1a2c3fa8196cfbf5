//! Days and months in UTC, as numbers of milliseconds since 1970: when budgets begin anew and keys end.

/// Milliseconds of a day.
pub const DAY_MS: u64 = 86_400_000;

/// The first moment of the day written as `2026-12-31`, in milliseconds since 1970; `None` for what is no such day, or
/// one before 1970.
#[must_use]
pub fn parse_day(text: &str) -> Option<u64> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if parts.next().is_some()
        || (year.len(), month.len(), day.len()) != (4, 2, 2)
        || ![year, month, day].into_iter().all(digits)
    {
        return None;
    }
    let (year, month, day): (u64, u64, u64) = (year.parse().ok()?, month.parse().ok()?, day.parse().ok()?);
    if year < 1970 || !(1..=12).contains(&month) || !(1..=length(year, month)).contains(&day) {
        return None;
    }
    Some((days(year, month) + day - 1) * DAY_MS)
}

/// The moment written as `2026-12-31T23:59:59Z`, in milliseconds since 1970; `None` for anything else.
#[must_use]
pub fn parse_moment(text: &str) -> Option<u64> {
    let (day, time) = text.split_once('T')?;
    let mut parts = time.strip_suffix('Z')?.split(':').map(|part| {
        let two = part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
        two.then(|| part.parse::<u64>().ok()).flatten()
    });
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let fits = parts.next().is_none() && hour < 24 && minute < 60 && second < 60;
    let ms = (hour * 3600 + minute * 60 + second) * 1000;
    parse_day(day).filter(|_| fits).map(|day| day + ms)
}

/// The day of a moment, as `2026-12-31`.
#[must_use]
pub fn print_day(at_ms: u64) -> String {
    let (year, month, day) = civil(at_ms / DAY_MS);
    format!("{year:04}-{month:02}-{day:02}")
}

/// The moment as RFC 3339 writes it, to the second: `2026-12-31T23:59:59Z`.
#[must_use]
pub fn print_moment(at_ms: u64) -> String {
    let second = at_ms % DAY_MS / 1000;
    let (hour, minute) = (second / 3600, second / 60 % 60);
    format!("{}T{hour:02}:{minute:02}:{:02}Z", print_day(at_ms), second % 60)
}

/// The day that holds a moment: its first moment and that of the next.
#[must_use]
pub fn day_of(at_ms: u64) -> (u64, u64) {
    let start = at_ms - at_ms % DAY_MS;
    (start, start.saturating_add(DAY_MS))
}

/// The month that holds a moment: its first moment and that of the next.
#[must_use]
pub fn month_of(at_ms: u64) -> (u64, u64) {
    let (year, month, _) = civil(at_ms / DAY_MS);
    let next = if month == 12 { days(year + 1, 1) } else { days(year, month + 1) };
    (days(year, month).saturating_mul(DAY_MS), next.saturating_mul(DAY_MS))
}

/// Year, month and day of a number of days since 1970 (civil from days, by Howard Hinnant:
/// <https://howardhinnant.github.io/date_algorithms.html>).
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

/// Days from 1970 to the first of a month (days from civil, by the same). Years before 1970 are no concern here.
fn days(year: u64, month: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5;
    (era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year).saturating_sub(719_468)
}

fn length(year: u64, month: u64) -> u64 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u64::from(leap),
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{DAY_MS, day_of, month_of, parse_day, parse_moment, print_day, print_moment};

    #[test]
    fn days_are_read_and_written() {
        assert_eq!(parse_day("1970-01-01"), Some(0));
        assert_eq!(parse_day("2024-02-29"), Some(1_709_164_800_000));
        assert_eq!(print_moment(1_709_164_800_000 + 3_723_000), "2024-02-29T01:02:03Z");
        for bad in ["", "2024-2-29", "2023-02-29", "2024-13-01", "2024-00-10", "+024-01-01", "1969-12-31"] {
            assert_eq!(parse_day(bad), None, "{bad}");
        }
    }

    #[test]
    fn months_end_where_the_next_begins() {
        let check = |day: &str, from: &str, to: &str| {
            let (start, end) = month_of(parse_day(day).unwrap() + DAY_MS - 1);
            assert_eq!((print_day(start).as_str(), print_day(end).as_str()), (from, to), "{day}");
        };
        check("2026-12-31", "2026-12-01", "2027-01-01");
        check("2024-02-29", "2024-02-01", "2024-03-01");
        check("2026-01-01", "2026-01-01", "2026-02-01");
    }

    proptest! {
        #[test]
        fn any_day_survives(at_ms in 0u64..253_402_300_800_000) {
            let day = parse_day(&print_day(at_ms)).unwrap();
            prop_assert_eq!(day_of(at_ms), (day, day + DAY_MS));
            prop_assert_eq!(parse_moment(&print_moment(at_ms)), Some(at_ms - at_ms % 1000));
            let (start, end) = month_of(at_ms);
            prop_assert!(start <= at_ms && at_ms < end && end - start <= 31 * DAY_MS);
            prop_assert!(print_day(start).ends_with("-01") && print_day(end).ends_with("-01"));
        }

        #[test]
        fn any_moment_is_answered(at_ms in any::<u64>(), text in any::<String>()) {
            let _ = (print_moment(at_ms), month_of(at_ms), day_of(at_ms), parse_day(&text), parse_moment(&text));
        }
    }
}
