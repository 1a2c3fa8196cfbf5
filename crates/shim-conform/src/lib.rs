//! Proves a configuration: scripted upstreams behind it, every client dialect before it.
//!
//! A gateway is started from the configuration on a loopback port. Every connection it opens leads to a scripted
//! upstream in the same process, which answers as `data/<dialect>/<case>` says: bytes written by hand in the form of
//! the providers' API references, not by the gateway's own encoders. Then each client dialect asks each target each case, whole and
//! streamed, and what came of it is checked on both sides. Nothing real is ever asked and no key is needed.

mod case;
mod check;
mod data;
mod gateway;
mod page;
mod report;
mod run;
mod script;
mod target;
mod tongue;

use shim_ir::Dialect;

pub use data::Scripts;
pub use gateway::ConformError;
pub use page::{matrix, page};
pub use report::{Cell, Report, Row, Tried, Verdict};
pub use run::prove;

/// The name of every case, and what it is about, in the order they are shown.
pub fn cases() -> impl Iterator<Item = (&'static str, &'static str)> {
    case::CASES.iter().map(|case| (case.name, case.about))
}

/// What is to be proved; all of it where nothing is named.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// Targets: an alias, a `provider/model`, or a provider.
    pub targets: Vec<String>,
    /// Dialects of clients.
    pub dialects: Vec<Dialect>,
    /// Cases, by name.
    pub cases: Vec<String>,
}
