//! The data plane: listeners and the exchange pipeline.
//!
//! `admit → plan → reserve → attempt → relay → settle`: a file each, each a function from one struct to the next; [`pipeline`]
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
mod extraction;
mod feedback;
mod first;
mod generation;
mod head_timer;
mod headers;
mod hold;
mod kept;
mod key;
mod later;
mod limited;
mod made;
mod models;
mod patience;
mod pipeline;
mod plan;
mod record;
mod relay;
mod reprice;
mod reserve;
mod routes;
mod sentinel;
mod serve;
mod setup;
mod shared;
mod spent;
mod streams;
mod ticket;
mod translate;
mod vault;

pub use answer::AnswerBody;
pub use control::{AliasStatus, Control, ControlError, KeyStatus, SwapReport};
pub use extraction::{ExtractionStatus, KeyStanding};
pub use feedback::{Feedback, FeedbackError, Kept, NOTES_EACH_MAX, Note, Notes, Which};
pub use generation::{
    AliasSetup, EndpointSetup, HttpSetup, KnownModel, Limits, ProviderSetup, Secret, ServedBy, Setup,
    SetupError, Snapshot,
};
pub use key::{KeySetup, Proof};
pub use later::{Together, settle_what_waits};
pub use limited::Limited;
pub use made::{KEYS_MAX, KeyError, create, revoke, rotate};
pub use pipeline::{Worker, respond};
pub use record::Recording;
pub use reprice::PriceList;
pub use sentinel::{CacheStatus, LastCollapse};
pub use serve::{Listen, ServeLimits, ServerTls, bind, drain, serve, serve_connection};
pub use setup::{SecretError, Secrets, resolve};
pub use shared::{RECENT_MAX, Shared};
pub use spent::{Crashed, Rows, SpendRow, Spent, SpentError};
pub use vault::Vault;
