//! What a dialect tells as lost, its tests know: every reason that its sources give for a loss stands in its tests.
//!
//! A reason is a string of several words among the arguments of what tells a loss, beside the kind of a loss, or in a
//! `why` or a constant that is handed to it. Of a reason that is put together with `format!` only the beginning is fixed.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::source::{Source, strings};
use super::words::dialect;

/// What tells a loss. The names are those of all dialects; one of them must be told here of a new one.
const TELLS: [&str; 14] = [
    "Left",
    "add",
    "approximated",
    "defaulted",
    "dropped",
    "lacking",
    "lose",
    "lose_once",
    "loss",
    "lost",
    "near",
    "silent",
    "tell",
    "unsupported",
];

/// The kinds of a loss.
const KINDS: [&str; 4] = ["Approximated", "Defaulted", "Dropped", "Unsupported"];

/// Complaints about every reason of a dialect that none of its tests names.
pub(super) fn check(sources: &[Source]) -> Vec<String> {
    let mut dialects: BTreeMap<&str, Vec<&Source>> = BTreeMap::new();
    for source in sources {
        if let Some(dialect) = dialect(source) {
            dialects.entry(dialect).or_default().push(source);
        }
    }
    dialects.values().flat_map(|sources| untested(sources)).collect()
}

/// The same of one dialect.
fn untested(sources: &[&Source]) -> Vec<String> {
    let (tests, shipped): (Vec<&Source>, Vec<&Source>) =
        sources.iter().partition(|source| source.shipped.trim().is_empty());
    let named: BTreeSet<&str> =
        tests.iter().flat_map(|test| strings(&test.text)).map(|(_, text)| text).collect();
    let read: Vec<_> = shipped.iter().map(|source| Read::of(source)).collect();
    let constants: BTreeSet<&str> = read.iter().flat_map(Read::constants).collect();
    let reasons = read.iter().flat_map(|read| read.reasons(&constants));
    let missing = reasons.filter(|reason| !is_named(reason.text, &named));
    missing.map(|r| format!("{}:{}: no test tells of the loss \"{}\"", r.path, r.line, r.text)).collect()
}

/// Whether a test names the reason, or one that begins like it where the rest is put in.
fn is_named(reason: &str, named: &BTreeSet<&str>) -> bool {
    match reason.split_once('{') {
        Some((fixed, _)) => named.iter().any(|text| text.starts_with(fixed)),
        None => named.contains(reason),
    }
}

#[derive(Debug, PartialEq)]
struct Reason<'s> {
    path: &'s str,
    line: usize,
    text: &'s str,
}

/// A source that ships, as characters, with the words of it and where losses are told.
struct Read<'s> {
    source: &'s Source,
    code: Vec<char>,
    words: Vec<(usize, &'s str)>,
    spans: Vec<Range<usize>>,
}

impl<'s> Read<'s> {
    fn of(source: &'s Source) -> Self {
        let words = words(&source.shipped);
        let mut read = Self { source, code: source.shipped.chars().collect(), words, spans: Vec::new() };
        let spans = (0..read.words.len()).filter_map(|nth| read.span(nth));
        read.spans = spans.collect();
        read
    }

    /// What stands behind the `nth` word, where that begins to tell a loss.
    fn span(&self, nth: usize) -> Option<Range<usize>> {
        let (at, word) = *self.words.get(nth)?;
        let before = nth.checked_sub(1).and_then(|nth| self.words.get(nth)).map_or("", |(_, word)| *word);
        let end = at + word.len();
        match self.next(end)? {
            (open, '(') if TELLS.contains(&word) && before != "fn" => Some(open..self.end(open + 1)),
            (equals, '=') if word == "why" && before == "let" => Some(equals..self.end(equals)),
            (comma, ',') if KINDS.contains(&word) => Some(comma..self.end(comma)),
            _ => None,
        }
    }

    /// The first character from `at` on that is no space.
    fn next(&self, at: usize) -> Option<(usize, char)> {
        let rest = self.code.iter().enumerate().skip(at);
        rest.map(|(at, c)| (at, *c)).find(|(_, c)| !c.is_whitespace())
    }

    /// Where what stands around `at` is closed, or the statement ends.
    fn end(&self, at: usize) -> usize {
        let mut depth = 0_usize;
        for (at, c) in self.code.iter().enumerate().skip(at) {
            match c {
                '(' | '[' | '{' => depth += 1,
                ')' | ']' | '}' if depth == 0 => return at,
                ')' | ']' | '}' => depth -= 1,
                ';' if depth == 0 => return at,
                _ => {}
            }
        }
        self.code.len()
    }

    fn tells(&self, at: usize) -> bool {
        self.spans.iter().any(|span| span.contains(&at))
    }

    /// The constants that are handed to what tells a loss.
    fn constants(&self) -> impl Iterator<Item = &'s str> {
        let loud = |word: &str| !word.chars().any(char::is_lowercase);
        let told = self.words.iter().filter(move |(at, word)| loud(word) && self.tells(*at));
        told.map(|(_, word)| *word)
    }

    /// The reasons it gives. `constants` are those that hold one.
    fn reasons(&self, constants: &BTreeSet<&str>) -> Vec<Reason<'s>> {
        let pairs = self.words.iter().zip(self.words.iter().skip(1));
        let held = pairs.filter(|((_, word), (_, name))| *word == "const" && constants.contains(name));
        let held: Vec<_> = held.map(|(_, (at, _))| *at..self.end(*at)).collect();
        let strings = strings(&self.source.text).into_iter();
        let told = strings.filter(|(at, text)| {
            text.contains(' ') && (self.tells(*at) || held.iter().any(|span| span.contains(at)))
        });
        let line = |at: usize| self.code.iter().take(at).filter(|c| **c == '\n').count() + 1;
        told.map(|(at, text)| Reason { path: &self.source.path, line: line(at), text }).collect()
    }
}

/// The words of a text, and where each stands, in characters.
fn words(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut at = 0;
    for piece in text.split_inclusive(|c: char| !c.is_alphanumeric() && c != '_') {
        let word = piece.trim_end_matches(|c: char| !c.is_alphanumeric() && c != '_');
        if !word.is_empty() {
            found.push((at, word));
        }
        at += piece.chars().count();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::source::Source;

    /// What is said of a dialect with this code and this test.
    #[track_caller]
    fn told(code: &str, test: &str, wanted: &[(usize, &str)]) {
        let shipped = Source::new("crates/shim-dialect/src/one/encode.rs", code);
        let mut tests = Source::new("crates/shim-dialect/src/one/tests/encode.rs", test);
        tests.shipped.clear();
        let wanted = wanted.iter().map(|(line, reason)| {
            format!("crates/shim-dialect/src/one/encode.rs:{line}: no test tells of the loss \"{reason}\"")
        });
        assert_eq!(check(&[shipped, tests]), wanted.collect::<Vec<_>>(), "{code}");
    }

    #[test]
    fn a_reason_that_no_test_names_is_found() {
        let code = "fn a() {\n    losses.dropped(at.member(\"x\"), \"it has no place\");\n}";
        told(code, "", &[(2, "it has no place")]);
        told(code, "check(\"it has no place\");", &[]);
        told(code, "// \"it has no place\"", &[(2, "it has no place")]);
        told(code, "check(\"it has no place here\");", &[(2, "it has no place")]);
    }

    #[test]
    fn reasons_are_found_wherever_they_are_told() {
        for code in [
            "cx.lose(\n\"a\",\nLossKind::Dropped, \"no é place\");",
            "\n\nlet why = if x { \"no é place\" } else { WHY };",
            "/* é\n */\nfn b() -> K { K::Left(\"no é place\") }",
            "\n\nPart::A(_) => Some((LossKind::Unsupported, \"no é place\")),",
            "\n\nlose(at, format_args!(\"{x}.y\"), ('(', \"no é place\"));",
            "fn a() { dropped(at, WHY) }\n\nconst WHY: &str = \"no é place\";",
        ] {
            told(code, "", &[(3, "no é place")]);
        }
    }

    #[test]
    fn what_is_no_reason_is_let_be() {
        for code in [
            "fn lose(a: &str) { w.string(\"no place\", x) }",
            "losses.dropped(path, \"one\");",
            "expect(\"no place\"); let other = \"no place\";",
            "const OTHER: &str = \"no place\";",
            "#[cfg(test)]\nmod tests { fn a() { dropped(\"no place\") } }",
        ] {
            told(code, "", &[]);
        }
        let elsewhere = Source::new("crates/shim-dialect/src/common.rs", "dropped(\"no place\")");
        assert_eq!(check(&[elsewhere]), Vec::<String>::new());
    }

    #[test]
    fn a_reason_that_is_put_together_is_known_by_its_beginning() {
        let code = "losses.near(at, format!(\"it takes {n} at most\"));";
        told(code, "check(\"it takes 4 at most\")", &[]);
        told(code, "check(\"they take 4\")", &[(1, "it takes {n} at most")]);
    }
}
