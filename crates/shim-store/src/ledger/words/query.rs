//! What is looked for, in the words of FTS5.

use super::super::read::Filter;

/// Words, phrases and beginnings of words, all of which an exchange must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Query {
    /// Each in quotes: a word, or several as a phrase.
    whole: Vec<String>,
    /// Each in quotes with a `*` behind them.
    beginnings: Vec<String>,
    /// What a snippet is to show, in lower case.
    pub(in super::super) terms: Vec<String>,
}

impl Query {
    /// Reads what a user wrote: each word as it is, words in quotes as a phrase, `*` behind one for its beginning. `None`
    /// where there is no word.
    pub(in super::super) fn read(words: &str) -> Option<Self> {
        let mut terms = Vec::new();
        for (n, part) in words.split('"').enumerate() {
            if n % 2 == 1 {
                terms.push(part.trim());
            } else {
                terms.extend(part.split_whitespace());
            }
        }
        terms.retain(|term| term.chars().any(char::is_alphanumeric));
        if terms.is_empty() {
            return None;
        }
        let (mut whole, mut beginnings) = (Vec::new(), Vec::new());
        for term in &terms {
            match term.strip_suffix('*') {
                Some(beginning) => beginnings.push(format!("\"{beginning}\"*")),
                None => whole.push(format!("\"{term}\"")),
            }
        }
        let terms = terms.iter().map(|term| term.trim_end_matches('*').to_lowercase()).collect();
        Some(Self { whole, beginnings, terms })
    }

    /// All of it, of exchanges that pass `filter`.
    pub(super) fn expression(&self, filter: &Filter) -> String {
        let text = [&self.whole[..], &self.beginnings[..]].concat().join(" AND ");
        let of = of_filter(filter);
        if of.is_empty() { format!("text : ({text})") } else { format!("text : ({text}) AND of : ({of})") }
    }

    /// What of it is quick to look up: FTS5 gathers all words of a beginning before it looks at anything else. `None` where
    /// that is all of it, or nothing.
    pub(super) fn quick(&self, filter: &Filter) -> Option<String> {
        let of = of_filter(filter);
        if self.beginnings.is_empty() || (self.whole.is_empty() && of.is_empty()) {
            return None;
        }
        let whole = self.whole.join(" AND ");
        Some(match (whole.is_empty(), of.is_empty()) {
            (true, _) => format!("of : ({of})"),
            (false, true) => format!("text : ({whole})"),
            (false, false) => format!("text : ({whole}) AND of : ({of})"),
        })
    }
}

fn of_filter(filter: &Filter) -> String {
    let names = filter.equal().into_iter().enumerate();
    let marks =
        names.filter_map(|(n, (_, name))| name.as_deref().map(|name| format!("\"{}\"", mark(n, name))));
    marks.collect::<Vec<_>>().join(" AND ")
}

/// The word that says whose an exchange is, or what of: the `n`th of a filter's names.
pub(super) fn mark(n: usize, name: &str) -> String {
    use std::fmt::Write as _;
    // Letters and digits alone, whatever the name holds: FTS5 divides words at all else.
    let mut mark = format!("n{n}x");
    for byte in name.bytes() {
        // Writing to a string cannot fail.
        let _ = write!(mark, "{byte:02x}");
    }
    mark
}

#[cfg(test)]
mod tests {
    use super::super::super::read::Filter;
    use super::Query;

    #[track_caller]
    fn check(words: &str, filter: &Filter, wanted: Option<&str>, quick: Option<&str>) {
        let query = Query::read(words);
        assert_eq!(query.as_ref().map(|query| query.expression(filter)).as_deref(), wanted, "{words}");
        assert_eq!(query.and_then(|query| query.quick(filter)).as_deref(), quick, "{words}");
    }

    #[test]
    fn words_are_read_as_they_are() {
        let any = Filter::default();
        check("two words", &any, Some("text : (\"two\" AND \"words\")"), None);
        check(
            "b* a \"whole phrase\"",
            &any,
            Some("text : (\"a\" AND \"whole phrase\" AND \"b\"*)"),
            Some("text : (\"a\" AND \"whole phrase\")"),
        );
        check(
            "NOT (x) OR -y: \"open",
            &any,
            Some("text : (\"NOT\" AND \"(x)\" AND \"OR\" AND \"-y:\" AND \"open\")"),
            None,
        );
        check(" \"\" * - ", &any, None, None);
    }

    #[test]
    fn a_filter_is_looked_up_like_words() {
        let key = Filter { key: Some("a-b".to_owned()), ..Filter::default() };
        check("x", &key, Some("text : (\"x\") AND of : (\"n0x612d62\")"), None);
        check("x*", &key, Some("text : (\"x\"*) AND of : (\"n0x612d62\")"), Some("of : (\"n0x612d62\")"));
    }
}
