//! A reader of Prometheus' text format, as strict as a scraper.
//! Source: <https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md>, read 2026-11-23.

use std::collections::{BTreeMap, BTreeSet};

/// Checks a whole exposition; the samples by name and labels.
#[track_caller]
pub(crate) fn check(text: &str) -> BTreeMap<String, f64> {
    let mut samples = BTreeMap::new();
    let mut families: BTreeSet<&str> = BTreeSet::new();
    let mut kinds: BTreeMap<&str, &str> = BTreeMap::new();
    let body = text.strip_suffix("# EOF\n").unwrap_or_else(|| panic!("no end mark in {text}"));
    for line in body.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap_or_else(|| panic!("{line}"));
            assert!(families.insert(name), "{name} is there twice");
            assert!(matches!(kind, "counter" | "gauge" | "histogram"), "{line}");
            kinds.insert(name, kind);
        } else if !line.starts_with("# HELP ") && !line.starts_with("# UNIT ") {
            let (series, value) = sample(line);
            let name = series.split('{').next().unwrap_or_default();
            let family = kinds.iter().find(|(family, kind)| belongs(name, family, kind));
            assert!(family.is_some(), "{line}: no family");
            assert!(samples.insert(series.to_owned(), value).is_none(), "{series} is there twice");
        }
    }
    assert!(!samples.is_empty());
    samples
}

/// Whether a sample of this name can be of that family.
fn belongs(name: &str, family: &str, kind: &str) -> bool {
    let suffixes: &[&str] = match kind {
        "counter" => &["_total"],
        "histogram" => &["_bucket", "_count", "_sum"],
        _ => &[""],
    };
    suffixes.iter().any(|suffix| name.strip_suffix(suffix) == Some(family))
}

/// `name{label="value",…} number`.
#[track_caller]
fn sample(line: &str) -> (&str, f64) {
    let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
    let value = value.parse().unwrap_or_else(|_| panic!("{line}: no number"));
    let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
    assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{line}");
    let labels = labels.strip_suffix('}').unwrap_or_else(|| panic!("{line}: open labels"));
    for label in labels.split("\",").filter(|label| !label.is_empty()) {
        let (name, value) = label.split_once("=\"").unwrap_or_else(|| panic!("{line}: {label}"));
        assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{line}");
        assert!(!value.trim_end_matches('"').contains(['"', '\n']), "{line}: {value}");
    }
    (series, value)
}

#[test]
fn the_reader_reads_what_is_right() {
    let samples =
        check("# HELP a b.\n# TYPE a counter\na_total{x=\"y\",z=\"\"} 3\n# TYPE g gauge\ng -1.5\n# EOF\n");
    assert_eq!(samples["a_total{x=\"y\",z=\"\"}"], 3.0);
}

#[test]
fn the_reader_refuses_what_is_not() {
    for wrong in [
        "",
        "a 1\n# EOF\n",
        "# TYPE a counter\na 1\n# EOF\n",
        "# TYPE a gauge\na x\n# EOF\n",
        "# TYPE a gauge\na 1\n",
    ] {
        assert!(std::panic::catch_unwind(|| check(wrong)).is_err(), "{wrong:?}");
    }
}
