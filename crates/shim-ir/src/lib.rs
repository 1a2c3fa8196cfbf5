//! What an exchange means, whatever dialect it was spoken in.
//!
//! A typed common part, and the rest verbatim: every node keeps what its type does not model in a [`Rest`]. Nothing
//! here is serialised; dialects translate between bytes and these values.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::wildcard_enum_match_arm))]

mod bill;
mod dialect;
mod embed;
mod event;
mod fault;
mod fold;
mod grammar;
mod loss;
mod name;
mod part;
mod request;
mod response;
mod rest;
mod traits;
mod unit;
mod usage;

pub use bill::{Basis, Bill};
pub use dialect::{Dialect, UnknownDialect};
pub use embed::{EmbedContent, EmbedInput, EmbedRequest, Embedding, Embeddings, Vector, VectorForm};
pub use event::{Delta, Event, PartId, Start};
pub use fault::{Blame, Fault, FaultKind, Retry};
pub use fold::{FoldError, fold, unfold};
pub use grammar::{Grammar, GrammarError};
pub use loss::{Fidelity, Loss, LossKind};
pub use name::{
    AliasName, ExchangeId, Generation, KeyId, ModelId, NameError, NoExchangeId, ProviderId, TargetId,
    TeamName,
};
pub use part::{
    CacheMark, Citation, Executor, Foreign, Media, MediaKind, Opaque, OpaqueKind, Part, Reasoning,
    ServerResult, Source, Text, ToolCall, ToolCallKind, ToolResult,
};
pub use request::{
    Effort, OutputFormat, ReasoningAsk, ReasoningMode, Request, Role, Sampling, Schema, ServerState,
    StreamAsk, Tool, ToolChoice, ToolKind, Turn,
};
pub use response::{Candidate, Finish, FinishReason, Response};
pub use rest::Rest;
pub use traits::{ReasoningControl, ThinkTags, Traits};
pub use unit::{PicoUsd, TokenEstimate, Tokens};
pub use usage::Usage;
