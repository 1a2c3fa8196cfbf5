//! The wire dialects.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// How a client or provider speaks. The names are those of the configuration file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dialect {
    /// OpenAI Chat Completions, and the embeddings beside it: `openai-chat`.
    OpenaiChat,
    /// OpenAI Responses: `openai-responses`.
    OpenaiResponses,
    /// Anthropic Messages: `anthropic`.
    Anthropic,
    /// Gemini generateContent: `gemini`.
    Gemini,
}

impl Dialect {
    /// Every dialect, in the order they are documented.
    pub const ALL: [Self; 4] = [Self::OpenaiChat, Self::OpenaiResponses, Self::Anthropic, Self::Gemini];

    /// The name as written in configuration, headers and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenaiChat => "openai-chat",
            Self::OpenaiResponses => "openai-responses",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no dialect's.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("no dialect \"{0}\"; there are openai-chat, openai-responses, anthropic and gemini")]
pub struct UnknownDialect(pub String);

impl FromStr for Dialect {
    type Err = UnknownDialect;
    fn from_str(name: &str) -> Result<Self, UnknownDialect> {
        Self::ALL.into_iter().find(|d| d.name() == name).ok_or_else(|| UnknownDialect(name.to_owned()))
    }
}
