//! The data plane: listeners and the exchange pipeline.
//!
//! `admit → plan → attempt → relay → settle`: a file each, each a function from one struct to the next; [`pipeline`]
//! strings them together. What a stage needs is in its arguments.

mod admit;
mod answer;
mod attempt;
mod control;
mod count;
mod crossing;
mod demo;
mod embed;
mod ending;
mod generation;
mod headers;
mod hold;
mod models;
mod patience;
mod pipeline;
mod plan;
mod relay;
mod routes;
mod serve;
mod setup;
mod shared;
mod ticket;
mod translate;
mod vault;

pub use answer::AnswerBody;
pub use control::{AliasStatus, Control, ControlError, SwapReport};
pub use generation::{
    AliasSetup, EndpointSetup, HttpSetup, KeySetup, KnownModel, Limits, ProviderSetup, Secret, ServedBy,
    Setup, SetupError, Snapshot,
};
pub use pipeline::{Worker, respond};
pub use serve::{Listen, ServeLimits, ServerTls, bind, drain, serve, serve_connection};
pub use setup::{SecretError, Secrets, resolve};
pub use shared::{RECENT_MAX, Shared};
pub use vault::Vault;
