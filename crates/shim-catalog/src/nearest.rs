//! The names nearest to one that is not there.

/// Longest name compared; what comes behind it does not count.
const NAME_CHARS_MAX: usize = 100;

/// Up to `max` of `candidates` that a person who wrote `name` may have meant, the nearest first.
///
/// The names are compared whole, and by what follows their last slash, so that a missing or wrong provider does not
/// hide the right model.
#[must_use]
pub fn nearest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>, max: usize) -> Vec<String> {
    let name: String = name.chars().take(NAME_CHARS_MAX).collect();
    let mut scored: Vec<(f64, &str)> = candidates
        .into_iter()
        .map(|candidate| (score(&name, candidate), candidate))
        .filter(|(score, _)| *score >= 0.82)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    scored.dedup_by(|a, b| a.1 == b.1);
    scored.into_iter().take(max).map(|(_, candidate)| candidate.to_owned()).collect()
}

/// How near two names are, from 0 to 1.
fn score(name: &str, candidate: &str) -> f64 {
    let candidate: String = candidate.chars().take(NAME_CHARS_MAX).collect();
    let whole = strsim::normalized_damerau_levenshtein(name, &candidate);
    let (short, other) = (last(name), last(&candidate));
    let parts = strsim::normalized_damerau_levenshtein(short, other);
    // In a short name one slip is a large part of it.
    let slip = short.len() >= 3 && strsim::damerau_levenshtein(short, other) == 1;
    let begins = short.len() >= 4 && other.starts_with(short);
    whole.max(parts * 0.98).max(if slip || begins { 0.85 } else { 0.0 })
}

fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::nearest;

    const NAMES: [&str; 4] =
        ["chat", "anthropic/claude-haiku-4-5", "openai/gpt-5.2", "openrouter/meta-llama/llama-4-maverick"];

    #[track_caller]
    fn check(name: &str, wanted: &str) {
        assert_eq!(nearest(name, NAMES, 3).first().map(String::as_str), Some(wanted));
    }

    #[test]
    fn finds_what_was_meant() {
        check("anthropic/claude-hiku-4-5", "anthropic/claude-haiku-4-5");
        check("claude-haiku-4-5", "anthropic/claude-haiku-4-5");
        check("openia/gpt-5.2", "openai/gpt-5.2");
        check("caht", "chat");
        assert!(nearest("something-else-entirely", NAMES, 3).is_empty());
    }

    proptest! {
        #[test]
        fn any_name_is_answered(name in any::<String>(), candidates in prop::collection::vec(any::<String>(), 0..8)) {
            let found = nearest(&name, candidates.iter().map(String::as_str), 3);
            prop_assert!(found.len() <= 3);
        }
    }
}
