//! Answers that are kept, so that a later request can name one instead of saying all of it again. What is kept where is
//! not decided here: this is how a dialect speaks of it.

use std::collections::HashMap;
use std::ops::Range;

use bytes::Bytes;
use shim_ir::Fault;
use shim_wire::frame::Frame;

use crate::{DecodeError, Route};

/// A dialect whose requests can name answers that were kept.
pub trait Keep: Send + Sync {
    /// What a request says of answers that are kept: one pass over the body.
    ///
    /// # Errors
    /// When the body is not JSON.
    fn ask(&self, body: &str) -> Result<KeepAsk, DecodeError>;

    /// The same request with everything it names said in full: the conversation of `links`, oldest first, before its own
    /// input, and for every item it only refers to, what `found` has. `own` says that it goes to a provider of this
    /// dialect that kept none of it, so that what means something to its maker alone is left out.
    ///
    /// # Errors
    /// When the body is not JSON.
    fn rebuild(
        &self,
        body: &str,
        links: &[Link<'_>],
        found: &Items,
        own: bool,
    ) -> Result<String, DecodeError>;

    /// What is to be kept of a whole answer; `None` where it is none that can be named later.
    fn answer(&self, body: &str) -> Option<KeptAnswer>;

    /// What reads along with a streamed answer until it is there as a whole.
    fn gather(&self) -> Box<dyn Gather>;

    /// Every item of an exchange by the id it can be referred to by: its input as it was sent, then its output.
    fn items(&self, link: &Link<'_>) -> Vec<(String, String)>;

    /// The ids of the items that an input only refers to.
    fn references(&self, input: &str) -> Vec<String>;

    /// What a request about an answer that is kept wants.
    ///
    /// # Errors
    /// When a member of the query makes no sense.
    fn wants(&self, method: &str, route: &Route) -> Result<Wants, Fault>;

    /// The page of a list of all that went into the last of `links`, oldest first.
    ///
    /// # Errors
    /// When the page is to begin behind an item that is not in the list.
    fn page(&self, links: &[Link<'_>], found: &Items, page: &Page) -> Result<Bytes, Fault>;

    /// An answer as a stream of the events that it came in or could have come in, those behind number `after`; `None` where
    /// it has not come to its end.
    fn replay(&self, answer: &str, after: Option<u64>) -> Option<Bytes>;

    /// Says that the answer of this id is no longer kept.
    fn deleted(&self, id: &str) -> Bytes;

    /// Tells of a wish that cannot be granted, in the words of the dialect's own provider.
    fn refuse(&self, refusal: Refusal<'_>) -> Fault;
}

/// Items by their ids, each as it was sent or told.
pub type Items = HashMap<String, String>;

/// Reads along with a streamed answer.
pub trait Gather: Send + Sync {
    /// Takes one frame; gives the answer with the one that ends it.
    fn frame(&mut self, frame: Frame<'_>) -> Option<KeptAnswer>;
}

/// What a request says of answers that are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeepAsk {
    /// The answer it goes on from.
    pub previous: Option<String>,
    /// The items it refers to.
    pub references: Vec<String>,
    /// Whether its own answer is to be kept. A client that says nothing means yes.
    pub store: bool,
    /// Where its input stands in the body.
    pub input: Option<Range<usize>>,
}

impl KeepAsk {
    /// Whether it names anything that was kept.
    #[must_use]
    pub fn names(&self) -> bool {
        self.previous.is_some() || !self.references.is_empty()
    }
}

/// One exchange that was kept.
#[derive(Clone, Copy, Debug)]
pub struct Link<'a> {
    /// The id of its answer.
    pub id: &'a str,
    /// Its input, as it was sent; empty where there was none.
    pub input: &'a str,
    /// Its answer, as it was told.
    pub answer: &'a str,
}

/// What is to be kept of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAnswer {
    /// The id it is named by.
    pub id: String,
    /// Whether the provider says that it keeps the answer as well.
    pub there: bool,
    /// Whether it is complete, so that a conversation can go on from it.
    pub complete: bool,
    /// The answer as it was told, byte for byte; of a stream, the object its last event holds.
    pub text: String,
}

/// What a request about an answer that is kept wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wants {
    /// The answer.
    Answer {
        /// Which.
        id: String,
        /// As a stream of events.
        stream: bool,
        /// Of those only what comes behind the one of this number.
        after: Option<u64>,
    },
    /// That it is no longer kept.
    Delete {
        /// Which.
        id: String,
    },
    /// All that went into it.
    Input {
        /// Of which answer.
        id: String,
        /// Which page.
        page: Page,
    },
    /// That work on it stops.
    Cancel {
        /// Which.
        id: String,
    },
    /// Something that only its provider knows of.
    Other {
        /// Of which answer.
        id: String,
    },
}

impl Wants {
    /// The id of the answer it is about.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Answer { id, .. }
            | Self::Delete { id }
            | Self::Input { id, .. }
            | Self::Cancel { id }
            | Self::Other { id } => id,
        }
    }
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Most items on it.
    pub items_max: usize,
    /// Whether the newest come first.
    pub newest_first: bool,
    /// The item it begins behind.
    pub after: Option<String>,
}

/// What cannot be granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal<'a> {
    /// The answer to go on from is not kept.
    Previous(&'a str),
    /// The answer to go on from is kept, and is not complete.
    Unfinished(&'a str),
    /// The answer asked for is not kept.
    Answer(&'a str),
    /// The item referred to is not kept.
    Item(&'a str),
    /// It was answered while the client waited: there is nothing to stop.
    Cancel,
    /// The answer has not come to its end here, so that there is no stream of it.
    Stream,
}
