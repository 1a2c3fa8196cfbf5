//! One folder per wire dialect: bytes to meaning and back, streams, errors, routes.
//!
//! N dialects cost N folders of the same files, and no file knows two dialects. What they share is [`Codec`] and the
//! helpers in [`common`], which know none.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::wildcard_enum_match_arm))]

pub mod anthropic_messages;
mod base64;
mod billed;
#[cfg(test)]
mod carried;
#[cfg(test)]
mod carried_parts;
mod codec;
mod common;
mod echo;
mod error;
mod exchange;
mod flat;
pub mod gemini_generate;
mod keep;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod literals;
#[cfg(test)]
mod lost;
mod marks;
pub mod openai_chat;
pub mod openai_responses;
mod pieces;
mod progress;
#[cfg(test)]
mod silent;
mod standing;
mod think;
#[cfg(test)]
mod think_tests;
mod vector;

pub use billed::{Billed, is_set, number_at};
pub use codec::{Codec, Decode, Decoder, Embed, Encode, Encoder, Meter};
pub use echo::{Echo, Restorer, SentTool};
pub use error::{AnswerError, DecodeError};
pub use exchange::{
    Asker, Encoded, Goal, Head, ModelEntry, Operation, Plain, Reading, Route, Told, UsageAsk,
};
pub use keep::{Gather, Items, Keep, KeepAsk, KeptAnswer, Link, Page, Refusal, Wants};
pub use marks::{Glance, Mark, StateMarks};
use shim_ir::Dialect;
pub use standing::{Allowance, Standing};

/// The codec of a dialect, as far as the lane needs it.
#[must_use]
pub fn codec(dialect: Dialect) -> &'static dyn Codec {
    speaker(dialect)
}

/// All of a dialect. The one place that names them all.
#[must_use]
pub fn speaker(dialect: Dialect) -> &'static dyn Encode {
    match dialect {
        Dialect::OpenaiChat => &openai_chat::OpenaiChat,
        Dialect::OpenaiResponses => &openai_responses::OpenaiResponses,
        Dialect::Anthropic => &anthropic_messages::AnthropicMessages,
        Dialect::Gemini => &gemini_generate::GeminiGenerate,
    }
}
