//! `[extraction]`, and `extraction` wherever else it may stand.

use std::ops::Range;

use shim_policy::extraction::{Mode, Rule, Score};

use crate::problem::{Gather, did_you_mean};
use crate::raw;

/// A lower threshold would alarm of nearly everything that counts at all.
const THRESHOLD: std::ops::RangeInclusive<f64> = 0.05..=1.0;

/// More a day than anything here should take for little.
const FLOOR_MAX: u64 = 1_000_000_000;

/// What `[extraction]` says.
pub(crate) fn rule(section: Option<(raw::Extraction, Range<usize>)>, gather: &mut Gather<'_>) -> Rule {
    let default = Rule::default();
    let Some((raw, span)) = section else { return default };
    let mode = mode(raw.mode.as_deref(), "extraction.mode", &span, gather);
    let threshold = raw.threshold.unwrap_or(default.threshold.value());
    if !THRESHOLD.contains(&threshold) {
        let message = format!("{threshold} is no threshold; it lies between 0.05 and 1");
        gather.add("extraction.threshold", span.clone(), message);
    }
    let floor = raw.floor.unwrap_or(default.floor);
    if !(1..=FLOOR_MAX).contains(&floor) {
        let message = format!("{floor} is out of range; from 1 to {FLOOR_MAX}");
        gather.add("extraction.floor", span.clone(), message);
    }
    let requests_per_minute = raw.requests_per_minute.unwrap_or(default.requests_per_minute);
    if requests_per_minute == 0 {
        let message = "0 lets nothing pass; to shut someone out, revoke the key";
        gather.add("extraction.requests_per_minute", span, message);
    }
    let threshold = Score::of(threshold);
    Rule { mode: mode.unwrap_or_default(), threshold, floor, requests_per_minute }
}

/// Reads the word of an `extraction`.
pub(crate) fn mode(
    word: Option<&str>,
    path: &str,
    at: &Range<usize>,
    gather: &mut Gather<'_>,
) -> Option<Mode> {
    let word = word?;
    let mode = Mode::parse(word);
    if mode.is_none() {
        let hint = did_you_mean(word, Mode::NAMES);
        gather.add(path, at.clone(), format!("\"{word}\" is neither off, watch nor throttle{hint}"));
    }
    mode
}

#[cfg(test)]
mod tests {
    use shim_policy::extraction::{Mode, Rule, Score};

    use crate::parse;

    #[test]
    fn the_rule_is_as_the_file_says_and_keys_and_aliases_may_say_otherwise() {
        let text = "[extraction]\nmode = \"watch\"\nthreshold = 0.65\nfloor = 500\nrequests_per_minute = 3\n\
                    [aliases.a]\ntarget = \"demo/hello\"\nextraction = \"throttle\"\n\
                    [keys.k]\nsecret = { env = \"K\" }\nextraction = \"off\"\n";
        let config = parse(text, "f", &[]).unwrap();
        let wanted =
            Rule { mode: Mode::Watch, threshold: Score::of(0.65), floor: 500, requests_per_minute: 3 };
        assert_eq!(config.extraction, wanted);
        assert_eq!(config.aliases.values().next().unwrap().extraction, Some(Mode::Throttle));
        assert_eq!(config.keys.values().next().unwrap().grant.extraction, Some(Mode::Off));
        let whole = parse("[extraction]\nthreshold = 1\n", "f", &[]).unwrap();
        assert_eq!(whole.extraction, Rule { threshold: Score::of(1.0), ..Rule::default() });
        assert_eq!(parse("", "f", &[]).unwrap().extraction, Rule::default());
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        let text = "[extraction]\nmode = \"wach\"\nthreshold = 8.0\nfloor = 0\nrequests_per_minute = 0\n\
                    [aliases.a]\ntarget = \"demo/hello\"\nextraction = \"no\"\n\
                    [keys.k]\nsecret = { env = \"K\" }\nextraction = \"trottle\"\n";
        let told = parse(text, "f", &[]).unwrap_err().to_string();
        for wanted in [
            "extraction.mode: \"wach\" is neither off, watch nor throttle; did you mean \"watch\"?",
            "extraction.threshold: 8 is no threshold",
            "extraction.floor: 0 is out of range",
            "extraction.requests_per_minute: 0 lets nothing pass",
            "aliases.a.extraction: \"no\" is neither",
            "keys.k.extraction: \"trottle\" is neither off, watch nor throttle; did you mean \"throttle\"?",
        ] {
            assert!(told.contains(wanted), "{wanted}\nis not in\n{told}");
        }
        let told = parse("[extraction]\nthreshold = nan\n", "f", &[]).unwrap_err().to_string();
        assert!(told.contains("is no threshold"), "{told}");
    }
}
