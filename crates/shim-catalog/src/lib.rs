//! Models, limits, prices, providers and their quirks: data files and lookups. Nothing is fetched at run time.
//!
//! A provider is a file of `data/providers`, written by hand after the provider's documentation. Its models are a file
//! of `data/models`, written by `cargo xtask catalog` from models.dev and genai-prices; `docs/catalog-differences.md`
//! lists where the two differ. What the encoders must know of a target is put together of both by [`traits`]. What chat
//! templates add to a request is in `data/templates.toml`. All are
//! in the binary as text. The provider files are parsed at the first look at any,
//! a file of models at the first look at that provider's.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::wildcard_enum_match_arm))]

mod billing;
mod control;
mod date;
mod model;
mod nearest;
mod price;
mod provider;
mod quirk;
mod row;
mod template;
mod terms;
mod traits;

pub use billing::{Answered, Pricing};
pub use control::{Bounds, Control, Manner, Way};
pub use date::{Date, SnapshotSuffix};
pub use model::{Model, Status, model, models};
pub use nearest::nearest;
pub use price::{OwnPrice, Price, PriceRow, PriceSource, PriceTier, per_token};
pub use provider::{
    AskedIn, Auth, CachedFrom, Endpoint, HeaderValues, Probe, Provider, Region, Snapshots, Stated,
    StreamUsage, cached_from, provider, providers, region,
};
pub use quirk::{Quirk, fits};
pub use template::{Template, template};
pub use terms::{Billing, Images, Multiple, Search, Service, StatedCost, Surcharge};
pub use traits::traits;
