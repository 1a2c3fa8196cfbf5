//! The cache sentinel: notices when a conversation's prompt is no longer read from the provider's cache, and says why.
//!
//! Providers cache what a prompt begins with. An agent that sends a growing conversation pays a tenth of the price for
//! what was read before, until something near the beginning changes; then it pays all of it, every turn, and nothing
//! fails. So the sentinel holds hashes of each conversation's last prompt, a piece of a KiB at a time, never a byte of
//! it. When an answer tells of far less read from the cache than the last one lets expect, it compares.
//!
//! Values in, values out: time is an argument, and where turns are held is a bounded [`Watch`].

mod judge;
mod outline;
#[cfg(test)]
mod tests;
mod watch;

pub use judge::{Cause, Collapse, Turn, judge, predecessor};
pub use outline::{Outline, PIECE_BYTES, Place, Section};
pub use watch::{Watch, WatchLimits};
