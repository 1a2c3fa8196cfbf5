//! Models, limits, prices, providers and their quirks: data files and lookups. Nothing is fetched at run time.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::wildcard_enum_match_arm))]

mod model;
mod nearest;
mod provider;

pub use model::{Model, Price, model, models};
pub use nearest::nearest;
pub use provider::{Auth, Endpoint, Probe, Provider, StreamUsage, provider, providers};
