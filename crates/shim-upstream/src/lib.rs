//! One attempt at one target: connection pools, TLS, and a timeout for each phase until the answer's head.
//!
//! Nothing here retries, but for a pooled connection that turned out to be closed before a byte of the request was
//! taken. Nothing here knows a dialect.

mod arriving;
mod body;
mod connect;
mod origin;
mod pool;
mod roots;
mod send;

pub use arriving::Arriving;
pub use body::PiecesBody;
pub use connect::{Connect, Connected, Io, Network, Protocol};
pub use origin::{Origin, OriginError};
pub use pool::{Lease, Pool, PoolLimits};
pub use roots::{Roots, RootsError};
pub use send::{Answer, AttemptError, Phase, Timeouts, in_time, send, send_anew};
