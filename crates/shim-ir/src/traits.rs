//! What is known of the model a request goes to.

use crate::{Effort, MediaKind, Tokens};

/// What is known of the model a request goes to, as far as writing the request depends on it. What is not known is
/// not guessed: the client's wish is passed on, and the provider answers for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traits {
    /// Bound on output, in tokens.
    pub output_max: Option<Tokens>,
    /// How it is told to reason.
    pub reasoning: ReasoningControl,
    /// Kinds of media it takes.
    pub media: Option<Vec<MediaKind>>,
    /// Whether it calls tools.
    pub tools: Option<bool>,
    /// Whether it keeps to a JSON schema.
    pub schema: Option<bool>,
    /// Whether its reasoning stands in its text, between tags.
    pub think_tags: ThinkTags,
    /// Oddities of the provider or the model, by the words that the dialects document.
    pub quirks: Vec<String>,
}

/// Whether a model's reasoning stands in the text of its answers, between tags (`<think>…</think>`): some servers pass
/// on what the model writes, and do not tell the two apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ThinkTags {
    /// No: a tag in the text is text.
    #[default]
    None,
    /// Where the text begins with the opening tag.
    Explicit,
    /// Also where there is no opening tag: the chat template has written it into the prompt, so that the text begins
    /// inside the reasoning.
    Implicit,
}

impl ThinkTags {
    /// What a word of the configuration or the catalogue stands for.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "none" => Self::None,
            "explicit" => Self::Explicit,
            "implicit" => Self::Implicit,
            _ => return None,
        })
    }
}

/// How a model is told to reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ReasoningControl {
    /// Not known: what was asked goes into the dialect's usual member.
    #[default]
    Unknown,
    /// It does not reason.
    None,
    /// By a word for how hard: the words it knows, the least first.
    Effort(Vec<Effort>),
    /// By a bound on tokens.
    Budget {
        /// The least it takes, beside 0.
        min: Tokens,
        /// The most it takes.
        max: Tokens,
        /// Whether it can be told not to reason.
        off: bool,
    },
    /// As it sees fit, with a word for how hard: the words it knows, the least first; none where it takes none.
    Adaptive(Vec<Effort>),
}

impl Traits {
    /// Whether an oddity is known of it.
    #[must_use]
    pub fn has(&self, quirk: &str) -> bool {
        self.quirks.iter().any(|own| own == quirk)
    }
}

impl Effort {
    /// The word, as OpenAI writes it.
    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::XHigh => "xhigh",
            Self::Max => "max",
            Self::Other(word) => word,
        }
    }

    /// The bound on reasoning tokens that stands for the word where a model takes only a bound. Up to `high` it is
    /// Google's own table (<https://ai.google.dev/gemini-api/docs/openai#thinking>, read 2026-11-25); the words above
    /// it go on from there. `None` for a word that is not known.
    #[must_use]
    pub fn budget(&self) -> Option<Tokens> {
        Some(Tokens(match self {
            Self::None => 0,
            Self::Minimal | Self::Low => 1_024,
            Self::Medium => 8_192,
            Self::High => 24_576,
            Self::XHigh => 32_768,
            Self::Max => 65_536,
            Self::Other(_) => return None,
        }))
    }

    /// The word that stands for a bound on reasoning tokens where a model takes only words: the least whose own bound
    /// is not smaller.
    #[must_use]
    pub fn of_budget(budget: Tokens) -> Self {
        let words = [Self::None, Self::Low, Self::Medium, Self::High, Self::XHigh];
        words.into_iter().find(|word| word.budget() >= Some(budget)).unwrap_or(Self::Max)
    }

    /// The word of `known`, the least first, that is nearest to this one: itself, else the next greater, else the
    /// greatest. `None` where there are none, or this one is not comparable.
    #[must_use]
    pub fn nearest<'k>(&self, known: &'k [Self]) -> Option<&'k Self> {
        if let Some(same) = known.iter().find(|word| *word == self) {
            return Some(same);
        }
        let wanted = self.rank()?;
        let reason = |word: &&Self| wanted == 0 || **word != Self::None;
        let greater = known.iter().filter(reason).find(|word| word.rank() >= Some(wanted));
        greater.or_else(|| known.iter().rfind(|word| word.rank().is_some()))
    }

    fn rank(&self) -> Option<u8> {
        Some(match self {
            Self::None => 0,
            Self::Minimal => 1,
            Self::Low => 2,
            Self::Medium => 3,
            Self::High => 4,
            Self::XHigh => 5,
            Self::Max => 6,
            Self::Other(_) => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::{Effort, Tokens};

    #[test]
    fn words_and_bounds_meet() {
        for word in [Effort::None, Effort::Low, Effort::Medium, Effort::High, Effort::XHigh, Effort::Max] {
            assert_eq!(Effort::of_budget(word.budget().unwrap()), word);
        }
        assert_eq!(Effort::of_budget(Tokens(1)), Effort::Low);
        assert_eq!(Effort::of_budget(Tokens(10_000)), Effort::High);
        assert_eq!(Effort::of_budget(Tokens(u64::MAX)), Effort::Max);
    }

    #[test]
    fn the_nearest_word_is_not_less_where_it_can_be() {
        let known = [Effort::Low, Effort::High];
        assert_eq!(Effort::Minimal.nearest(&known), Some(&Effort::Low));
        assert_eq!(Effort::Medium.nearest(&known), Some(&Effort::High));
        assert_eq!(Effort::Max.nearest(&known), Some(&Effort::High));
        assert_eq!(Effort::None.nearest(&known), Some(&Effort::Low));
        assert_eq!(Effort::Low.nearest(&[Effort::None, Effort::High]), Some(&Effort::High));
        assert_eq!(Effort::Other("odd".into()).nearest(&known), None);
        assert_eq!(Effort::Low.nearest(&[]), None);
    }
}
