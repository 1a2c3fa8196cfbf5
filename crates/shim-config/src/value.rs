//! Values that carry their unit: durations, sizes and money.

use std::time::Duration;

use shim_ir::PicoUsd;

/// Parses `250ms`, `30s`, `5m`, `2h` or `30d`.
///
/// # Errors
/// When the text is no whole number with one of these units, or too large.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text)?;
    let ms = match unit {
        "ms" => Some(number),
        "s" => number.checked_mul(1000),
        "m" => number.checked_mul(60_000),
        "h" => number.checked_mul(3_600_000),
        "d" => number.checked_mul(86_400_000),
        _ => {
            return Err(format!(
                "\"{text}\" is no duration; write it as \"250ms\", \"30s\", \"5m\", \"2h\" or \"30d\""
            ));
        }
    };
    // A year is longer than anything here should take, and far from the edge of what clocks can add.
    let ms = ms.filter(|ms| (1..=365 * 24 * 3_600_000).contains(ms));
    ms.map(Duration::from_millis).ok_or_else(|| format!("\"{text}\" is out of range; from 1ms to a year"))
}

/// Parses `512B`, `64KiB`, `4MiB` or `1GiB` into bytes.
///
/// # Errors
/// When the text is no whole number with one of these units, or too large.
pub fn parse_size(text: &str) -> Result<usize, String> {
    let (number, unit) = split(text)?;
    let shift = match unit {
        "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        _ => {
            return Err(format!(
                "\"{text}\" is no size; write it as \"512B\", \"64KiB\", \"4MiB\" or \"1GiB\""
            ));
        }
    };
    let bytes = number.checked_mul(1 << shift).filter(|bytes| *bytes <= 1 << 40);
    let bytes = bytes.and_then(|bytes| usize::try_from(bytes).ok()).filter(|bytes| *bytes > 0);
    bytes.ok_or_else(|| format!("\"{text}\" is out of range; from 1B to 1024GiB"))
}

/// Parses an amount of US dollars: `$20`, `$0.50`. It is kept exactly, to the pico-dollar.
///
/// # Errors
/// When the text is no such amount, or more than fits.
pub fn parse_usd(text: &str) -> Result<PicoUsd, String> {
    let refused = || format!("\"{text}\" is no amount; write it as \"$20\" or \"$0.50\"");
    let number = text.strip_prefix('$').map(str::trim).ok_or_else(refused)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 12 {
        return Err(refused());
    }
    let fraction: u64 = format!("{fraction:0<12}").parse().map_err(|_| refused())?;
    let whole = whole.parse::<u64>().ok().and_then(|whole| whole.checked_mul(1_000_000_000_000));
    let amount = whole.and_then(|whole| whole.checked_add(fraction)).map(PicoUsd);
    amount.ok_or_else(|| format!("\"{text}\" is out of range; up to \"$18000000\""))
}

fn split(text: &str) -> Result<(u64, &str), String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits).unwrap_or_default();
    let number = number.parse().map_err(|_| format!("\"{text}\" must start with a whole number"))?;
    Ok((number, unit.trim_start()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use shim_ir::PicoUsd;
    use shim_policy::limits::usd;

    use super::{parse_duration, parse_size, parse_usd};

    #[test]
    fn reads_units() {
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_duration("5 m"), Ok(Duration::from_secs(300)));
        assert_eq!(parse_duration("30d"), Ok(Duration::from_secs(30 * 86_400)));
        assert_eq!(parse_size("64KiB"), Ok(65536));
        assert_eq!(parse_usd("$20"), Ok(PicoUsd(20_000_000_000_000)));
        assert_eq!(parse_usd("$0.000001"), Ok(PicoUsd(1_000_000)));
        for bad in ["", "20", "$", "$-1", "$1e3", "$1.", "$.5", "$1.0000000000001", "$18446745", "€5"] {
            assert!(parse_usd(bad).is_err(), "{bad}");
        }
        for bad in ["", "s", "30", "1.5s", "-1s", "99999999999h", "0s"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
        for bad in ["", "MiB", "4MB", "0B", "99999999999GiB"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            let _ = (parse_duration(&text), parse_size(&text), parse_usd(&text));
        }

        #[test]
        fn any_amount_survives(pico in any::<u64>()) {
            prop_assert_eq!(parse_usd(&usd(PicoUsd(pico))), Ok(PicoUsd(pico)));
        }
    }
}
