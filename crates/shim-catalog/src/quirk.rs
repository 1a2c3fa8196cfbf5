//! Oddities of an endpoint, or of some of its models, as data.

use serde::{Deserialize, Deserializer};
use shim_ir::ThinkTags;

use crate::Manner;

/// An oddity, in the words that the dialect's encoder documents, or where its models are other than their rows say.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Quirk {
    /// The names of the models it is of, `*` standing for any text; none where it is of all.
    #[serde(default)]
    pub models: Vec<String>,
    /// The words.
    #[serde(default)]
    pub words: Vec<String>,
    /// How they are told to reason.
    pub reasoning: Option<Manner>,
    /// Whether they keep to a JSON schema.
    pub schema: Option<bool>,
    /// Whether their reasoning stands in their text, between tags: `none`, `explicit` or `implicit`.
    #[serde(default, deserialize_with = "think_tags")]
    pub think_tags: Option<ThinkTags>,
    /// Modalities that they take beside those of their rows.
    #[serde(default)]
    pub input: Vec<String>,
    /// Where this is documented.
    pub source: String,
    /// When that was read, as a date.
    pub read: String,
}

impl Quirk {
    /// Whether it is of `model`.
    #[must_use]
    pub fn is_of(&self, model: &str) -> bool {
        self.models.is_empty() || self.models.iter().any(|pattern| fits(pattern, model))
    }
}

fn think_tags<'de, D: Deserializer<'de>>(from: D) -> Result<Option<ThinkTags>, D::Error> {
    let word = String::deserialize(from)?;
    let unknown = || serde::de::Error::custom(format!("`{word}` says nothing of tags"));
    ThinkTags::parse(&word).map(Some).ok_or_else(unknown)
}

/// Whether a name fits a pattern in which `*` stands for any text.
#[must_use]
pub fn fits(pattern: &str, name: &str) -> bool {
    let Some((head, mut rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut name) = name.strip_prefix(head) else { return false };
    while let Some((middle, behind)) = rest.split_once('*') {
        let Some(at) = name.find(middle) else { return false };
        name = name.get(at + middle.len()..).unwrap_or_default();
        rest = behind;
    }
    name.ends_with(rest)
}

#[cfg(test)]
impl Quirk {
    /// Checks that it says something, and who says it.
    #[track_caller]
    pub(crate) fn sound(&self, name: &str) {
        assert!(self.source.starts_with("https://"), "{name}: {self:?}");
        assert!(crate::Date::parse(&self.read).is_some(), "{name}: {self:?}");
        let says = self.reasoning.is_some() || self.schema.is_some() || self.think_tags.is_some();
        assert!(says || !self.input.is_empty() || !self.words.is_empty(), "{name}: {self:?}");
        assert!(
            self.input.iter().all(|name| ["image", "pdf", "audio", "video"].contains(&name.as_str())),
            "{name}"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_star_is_any_text() {
        for (pattern, name) in [
            ("gpt-5*", "gpt-5"),
            ("gpt-5*", "gpt-5.2"),
            ("*", ""),
            ("*/gpt-5*", "openai/gpt-5"),
            ("*sonnet-4?6", "a-sonnet-4?6"),
            ("a*b*c", "aXbXbc"),
        ] {
            assert!(fits(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in
            [("gpt-5", "gpt-5.2"), ("gpt-5*", "gpt-4"), ("*a", "ab"), ("a*b*c", "acb"), ("ab*ba", "aba")]
        {
            assert!(!fits(pattern, name), "{pattern} {name}");
        }
    }
}
