//! Whether an answer is the upstream's, in the dialect that the client speaks.

use crate::answer::WHOLE;
use crate::ask::Dialect;
use crate::messages_check::{Forms, MessagesCheck};
use crate::stream_check::StreamCheck;

/// What answers have to be. One for all connections of a run.
#[derive(Debug)]
pub enum Answers {
    /// The bytes that the upstream wrote.
    Chat,
    /// The same text, finish and usage.
    Messages(Box<Forms>),
}

/// Takes the bytes of one stream as they come.
#[derive(Debug)]
pub enum Check<'a> {
    /// Of a client that speaks as the upstream does.
    Chat(StreamCheck),
    /// Of a client of the Messages dialect.
    Messages(MessagesCheck<'a>),
}

impl Answers {
    /// Of a client that speaks `dialect`.
    #[must_use]
    pub fn new(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Chat => Self::Chat,
            Dialect::Messages => Self::Messages(Box::default()),
        }
    }

    /// Whether `body` is the whole answer.
    #[must_use]
    pub fn is_whole(&self, body: &[u8]) -> bool {
        match self {
            Self::Chat => body == WHOLE.as_bytes(),
            Self::Messages(forms) => forms.is_whole(body),
        }
    }

    /// For a stream of `chunks` chunks of content.
    #[must_use]
    pub fn stream(&self, chunks: u32) -> Check<'_> {
        match self {
            Self::Chat => Check::Chat(StreamCheck::new(chunks)),
            Self::Messages(forms) => Check::Messages(MessagesCheck::new(forms, chunks)),
        }
    }
}

impl Check<'_> {
    /// Takes what arrived; calls `seen` for every right chunk of content completed by it, with the time it was written
    /// where the chunk tells: the member that does is of no other dialect.
    pub fn push(&mut self, bytes: &[u8], mut seen: impl FnMut(Option<u64>)) {
        match self {
            Self::Chat(check) => check.push(bytes, |stamp| seen(Some(stamp))),
            Self::Messages(check) => check.push(bytes, || seen(None)),
        }
    }

    /// Whether everything arrived and nothing else did.
    #[must_use]
    pub fn is_right(&self) -> bool {
        match self {
            Self::Chat(check) => check.is_right(),
            Self::Messages(check) => check.is_right(),
        }
    }
}
