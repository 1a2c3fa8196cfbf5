//! What the gateway tells of itself: one settled record per exchange, the metrics summed from them, and the log lines
//! written of them. Every name a dashboard may rely on is in [`names`].

mod line;
mod metrics;
pub mod names;
mod settled;
mod sink;

pub use line::{Format, write_line};
pub use metrics::{Metrics, Series};
pub use settled::{Outcome, Settled, Tried};
pub use sink::{LineSink, SINK_BYTES_MAX};
