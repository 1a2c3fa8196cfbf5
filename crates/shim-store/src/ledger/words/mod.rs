//! Full-text search over recorded bodies and faults. The index of a day is a file of its own that can be thrown away. A
//! thread fills it beside the writer ([`Indexer`]), so that recording never waits for it; what it has not come to yet is
//! looked at directly, as far as that is quick ([`look`]).

mod index;
mod indexer;
mod look;
mod query;

pub(super) use index::{forget, index, progress};
pub(super) use indexer::{Gate, Indexer};
pub(super) use look::{Asked, look};
pub(super) use query::Query;
