//! Who can read a state.

use std::borrow::Cow;

/// Who made a state, and so can read it: a provider's entry, an account of it, and a family of models.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The provider's entry in the configuration.
    pub provider: String,
    /// The account: the beginning of a hash of the credential, in hexadecimal; empty where there is none.
    pub account: String,
    /// The family of the model, as [`family`] finds it.
    pub family: String,
}

impl Origin {
    /// The origin of answers of `model`.
    #[must_use]
    pub fn new(provider: &str, account: &str, model: &str) -> Self {
        Self {
            provider: provider.to_owned(),
            account: account.to_owned(),
            family: family(model).into_owned(),
        }
    }
}

/// The family of a model: the models that read each other's state.
///
/// - Claude: every model takes the thinking of every other, and leaves out what it cannot read without an error.
///   Source: <https://platform.claude.com/docs/en/build-with-claude/preserved-thinking>, read 2026-11-26.
/// - Gemini: a generation, `gemini-3`; what comes from another one is signed with the dummy.
///   Source: <https://ai.google.dev/gemini-api/docs/thought-signatures>, read 2026-11-26.
/// - OpenAI and all others: the name up to its first number, `gpt-5` of `gpt-5.2-codex`. Encrypted reasoning is bound to
///   the organisation; between families nothing is documented, so nothing is given.
///   Source: <https://platform.openai.com/docs/guides/reasoning>, read 2026-11-26.
#[must_use]
pub fn family(model: &str) -> Cow<'_, str> {
    let bare = model.rsplit('/').next().unwrap_or(model);
    if bare.starts_with("claude") {
        return Cow::Borrowed("claude");
    }
    let Some(first) = bare.find(|c: char| c.is_ascii_digit()) else { return Cow::Borrowed(bare) };
    let digits = bare.get(first..).unwrap_or_default();
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    Cow::Borrowed(bare.get(..first + end).unwrap_or(bare))
}

#[cfg(test)]
mod tests {
    use super::family;

    #[test]
    fn a_family_is_the_models_that_read_each_other() {
        for (model, wanted) in [
            ("claude-opus-5-5", "claude"),
            ("anthropic/claude-sonnet-4.6", "claude"),
            ("gemini-3.1-pro-preview", "gemini-3"),
            ("gemini-2.5-flash", "gemini-2"),
            ("gpt-5.2-codex", "gpt-5"),
            ("gpt-5", "gpt-5"),
            ("o3-mini", "o3"),
            ("deepseek-v4-pro", "deepseek-v4"),
            ("deepseek-reasoner", "deepseek-reasoner"),
            ("kimi-k3", "kimi-k3"),
            ("", ""),
        ] {
            assert_eq!(family(model), wanted, "{model}");
        }
    }
}
