//! The names nearest to one that is not there.

/// Longest name compared; what comes behind it does not count. The longest of the catalogue has 72 characters.
const NAME_CHARS_MAX: usize = 80;

/// How near a name must be to be told of, from 0 to 1.
const NEAR: f64 = 0.82;

/// Up to `max` of `candidates` that a person who wrote `name` may have meant, the nearest first.
///
/// The names are compared whole, and by what follows their last slash, so that a missing or wrong provider does not
/// hide the right model. Case, and what divides the words, does not count. The work is bounded for any `name`: only
/// its first 80 characters count, and candidates that share too few letters with it are not compared.
#[must_use]
pub fn nearest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>, max: usize) -> Vec<String> {
    let name = Name::new(name);
    let mut scored: Vec<(f64, &str)> = candidates
        .into_iter()
        .filter_map(|candidate| Some((name.score(&Name::new(candidate))?, candidate)))
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    scored.dedup_by(|a, b| a.1 == b.1);
    scored.into_iter().take(max).map(|(_, candidate)| candidate.to_owned()).collect()
}

/// A name as it is compared.
struct Name {
    whole: String,
    /// Where the part behind the last slash begins.
    last: usize,
}

impl Name {
    fn new(name: &str) -> Self {
        let fold = |c: char| match c {
            '_' | '.' | ':' | '@' | ' ' => '-',
            other => other.to_ascii_lowercase(),
        };
        let whole: String = name.chars().take(NAME_CHARS_MAX).map(fold).collect();
        let last = whole.rfind('/').map_or(0, |at| at + 1);
        Self { whole, last }
    }

    fn last(&self) -> &str {
        self.whole.get(self.last..).unwrap_or_default()
    }

    /// How near two names are; `None` where that is not near enough to be told of.
    fn score(&self, other: &Self) -> Option<f64> {
        let whole = likeness(&self.whole, &other.whole);
        let (short, long) = (self.last(), other.last());
        let parts =
            if self.last == 0 && other.last == 0 { None } else { likeness(short, long).map(|s| s * 0.98) };
        // In a short name one slip is a large part of it.
        let slip = || short.len() >= 3 && is_slip(short, long);
        let begins = || short.len() >= 4 && long.starts_with(short);
        let word = || short.len() >= 4 && long.split('-').any(|word| word == short);
        let near = whole.into_iter().chain(parts).reduce(f64::max).filter(|score| *score >= NEAR);
        let near = near.or_else(|| (slip() || begins()).then_some(0.85)).or_else(|| word().then_some(NEAR));
        // Many providers serve a model of one name: the one that was named is meant.
        near.map(|score| {
            if self.provider().is_some_and(|p| other.provider() == Some(p)) { score + 0.05 } else { score }
        })
    }

    /// What is before the first slash.
    fn provider(&self) -> Option<&str> {
        self.whole.split_once('/').map(|(provider, _)| provider)
    }
}

/// The likeness of two texts, from 0 to 1; `None` where it is surely too little, told without comparing them.
fn likeness(a: &str, b: &str) -> Option<f64> {
    (bound(a, b) >= NEAR).then(|| strsim::normalized_damerau_levenshtein(a, b))
}

/// Whether one edit makes one of the other.
fn is_slip(a: &str, b: &str) -> bool {
    a.len().abs_diff(b.len()) <= 4 && missing(a, b) <= 1 && strsim::damerau_levenshtein(a, b) == 1
}

/// No two texts are more alike than this: every letter that only one of them has costs an edit.
fn bound(a: &str, b: &str) -> f64 {
    let (longer, shorter) = if a.len() < b.len() { (b, a) } else { (a, b) };
    let chars = longer.chars().count().max(shorter.chars().count());
    let missing = missing(a, b).max(longer.chars().count().abs_diff(shorter.chars().count()));
    if chars == 0 { 1.0 } else { 1.0 - f64::from(small(missing)) / f64::from(small(chars)) }
}

fn small(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// How many letters one text has that the other lacks, the larger of both ways. Letters other than ASCII fall
/// together, which can only make it less.
fn missing(a: &str, b: &str) -> usize {
    let mut counts = [0_i32; 128];
    let mut count = |text: &str, by: i32| {
        for c in text.chars() {
            if let Some(count) = counts.get_mut(usize::try_from(u32::from(c)).unwrap_or(127).min(127)) {
                *count += by;
            }
        }
    };
    count(a, 1);
    count(b, -1);
    let sum = |sign: i32| counts.iter().map(|count| (count * sign).max(0).unsigned_abs()).sum::<u32>();
    usize::try_from(sum(1).max(sum(-1))).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::{bound, nearest};

    const NAMES: [&str; 6] = [
        "chat",
        "anthropic/claude-haiku-4-5",
        "anthropic/claude-sonnet-4-6",
        "openai/gpt-5.2",
        "mistral/mistral-large-latest",
        "openrouter/meta-llama/llama-4-maverick",
    ];

    #[track_caller]
    fn check(name: &str, wanted: &str) {
        assert_eq!(nearest(name, NAMES, 3).first().map(String::as_str), Some(wanted), "{name}");
    }

    #[test]
    fn finds_what_was_meant() {
        check("anthropic/claude-hiku-4-5", "anthropic/claude-haiku-4-5");
        check("claude-haiku-4-5", "anthropic/claude-haiku-4-5");
        check("claude-haiku-4.5", "anthropic/claude-haiku-4-5");
        check("Claude_Haiku_4_5", "anthropic/claude-haiku-4-5");
        check("google/claude-haiku-4-5", "anthropic/claude-haiku-4-5");
        check("openia/gpt-5.2", "openai/gpt-5.2");
        check("openai/gtp-5.2", "openai/gpt-5.2");
        check("sonnet", "anthropic/claude-sonnet-4-6");
        check("claude-sonnet", "anthropic/claude-sonnet-4-6");
        check("caht", "chat");
        check("Chat", "chat");
        assert!(nearest("something-else-entirely", NAMES, 3).is_empty());
        assert!(nearest("", NAMES, 3).is_empty());
        assert!(nearest("chat", NAMES, 0).is_empty());
    }

    /// The whole catalogue, as `provider/model`.
    fn catalogue() -> Vec<String> {
        let of =
            |p: &'static crate::Provider| crate::models(&p.id).iter().map(|m| format!("{}/{}", p.id, m.id));
        crate::providers().iter().flat_map(of).collect()
    }

    #[test]
    fn one_slip_in_any_name_is_seen_through() {
        let names = catalogue();
        let every = names.len() / 60;
        for name in names.iter().step_by(every.max(1)) {
            let typed: String =
                name.char_indices().filter(|(at, _)| *at != name.len() / 2).map(|(_, c)| c).collect();
            let found = nearest(&typed, names.iter().map(String::as_str), 3);
            assert!(found.contains(name) || names.contains(&typed), "{typed}: {found:?}");
        }
    }

    proptest! {
        #[test]
        fn any_name_is_answered(name in any::<String>(), candidates in prop::collection::vec(any::<String>(), 0..8)) {
            let found = nearest(&name, candidates.iter().map(String::as_str), 3);
            prop_assert!(found.len() <= 3);
        }

        #[test]
        fn one_edit_is_seen_through(name in select(&NAMES[1..]), at in 0usize..64, edit in 0u8..3, c in "[a-z0-9]") {
            let at = at % name.len();
            let (before, after) = name.split_at(at);
            let typed = match edit {
                0 => format!("{before}{c}{after}"),
                1 => format!("{before}{}", &after[1..]),
                _ => format!("{before}{c}{}", &after[1..]),
            };
            prop_assert_eq!(nearest(&typed, NAMES, 1), [name.to_owned()], "{}", typed);
        }

        #[test]
        fn nothing_near_is_passed_over(a in "[a-fé-]{0,12}", b in "[a-fé-]{0,12}") {
            prop_assert!(bound(&a, &b) + 1e-9 >= strsim::normalized_damerau_levenshtein(&a, &b), "{} {}", a, b);
        }
    }
}
