//! What the gateway tells of itself: one settled record per exchange, the metrics summed from them, and the log lines
//! written of them. Every name a dashboard may rely on is in [`names`].

mod ledger;
mod line;
mod metrics;
pub mod names;
mod settled;
mod sink;

pub use ledger::LedgerMetrics;
pub use line::{Format, clean, timestamp, write_line};
pub use metrics::{Metrics, Series};
pub use settled::{Outcome, Settled, Terms, Tried, finish_word, losses_json};
pub use sink::{LineSink, SINK_BYTES_MAX};
