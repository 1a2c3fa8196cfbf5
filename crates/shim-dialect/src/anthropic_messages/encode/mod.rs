//! Meaning → wire: requests, whole answers, and the pieces of them that events share.
//!
//! Sources, read 2026-11-25: <https://platform.claude.com/docs/en/api/messages/create>,
//! <https://platform.claude.com/docs/en/build-with-claude/working-with-messages>, and the types of the official Python
//! SDK (<https://github.com/anthropics/anthropic-sdk-python/tree/main/src/anthropic/types>).

mod answer;
mod choice;
mod cite;
mod content;
mod ids;
mod mcp;
mod media;
mod messages;
mod models;
mod names;
mod plain;
mod reasoning;
mod request;
mod sampling;
mod schema;
mod tools;

use std::fmt;

use shim_ir::{CacheMark, Loss, LossKind, Rest, Traits};
use shim_wire::{JsonWriter, RawJson};

pub(super) use answer::{id_of, is_for_client, message, start_usage, stop, usage_members};
pub(super) use cite::{NARROWER, citation, is_narrower, told as cited};
pub(super) use content::{
    admitted, call_members, is_own_call, joined, lose_ids, text_members, thinking_members,
};
pub(super) use ids::made as made_id;
pub(super) use models::models;
pub(super) use plain::{plain, plain_stream};
pub(super) use request::request;

use super::decode::DIALECT;
use crate::common::own_rest;

/// The oddities of providers and models that writing a request knows, and where each is documented.
pub(crate) const QUIRKS: [(&str, &str); 11] = [
    (MID_SYSTEM, "https://platform.claude.com/docs/en/build-with-claude/mid-conversation-system-messages"),
    (NO_SAMPLING, "https://platform.claude.com/docs/en/about-claude/models/migration-guide"),
    (ONE_SAMPLER, "https://platform.claude.com/docs/en/about-claude/models/migration-guide"),
    (NO_PREFILL, "https://platform.claude.com/docs/en/about-claude/models/migration-guide"),
    (ALWAYS_THINKS, "https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking"),
    (NO_FORCED_TOOLS, "https://platform.claude.com/docs/en/models/opus-5-5/whats-new-opus-5-5"),
    (NO_FORCED_TOOLS_THINKING, "https://platform.claude.com/docs/en/build-with-claude/extended-thinking"),
    (UNSIGNED_THINKING, "https://api-docs.deepseek.com/guides/anthropic_api"),
    (
        INLINE_MEDIA,
        "https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages.html",
    ),
    (REASONING_NEEDED, "https://github.com/NousResearch/hermes-agent/pull/17510"),
    (NO_SERVER_TOOLS, "https://platform.claude.com/docs/en/build-with-claude/claude-in-amazon-bedrock"),
];

/// Takes a message of the operator in the middle of the conversation.
const MID_SYSTEM: &str = "mid_system";
/// Refuses `temperature`, `top_p` and `top_k`.
const NO_SAMPLING: &str = "no_sampling";
/// Refuses `temperature` and `top_p` together.
const ONE_SAMPLER: &str = "one_sampler";
/// Refuses a conversation that ends with the assistant.
const NO_PREFILL: &str = "no_prefill";
/// Refuses to be told not to think.
const ALWAYS_THINKS: &str = "always_thinks";
/// Cannot be made to call a tool.
const NO_FORCED_TOOLS: &str = "no_forced_tools";
/// Cannot be made to call a tool while it thinks, also where it does so as it sees fit.
const NO_FORCED_TOOLS_THINKING: &str = "no_forced_tools_thinking";
/// Takes thinking back that is not signed.
const UNSIGNED_THINKING: &str = "unsigned_thinking";
/// Refuses a message with calls that has no thinking. What it is given then is put in before the request comes here:
/// `shim_policy::vault`.
const REASONING_NEEDED: &str = "reasoning_needed";
/// Fetches no address.
const INLINE_MEDIA: &str = "inline_media";
/// Runs no tools of its own.
const NO_SERVER_TOOLS: &str = "no_server_tools";

/// Most marks of cached prefixes in one request.
/// Source: <https://platform.claude.com/docs/en/build-with-claude/prompt-caching>, read 2026-11-25.
const MARKS_MAX: usize = 4;

/// More losses than anyone reads; of what comes beyond only what is refused is told.
const LOSSES_MAX: usize = 1024;

/// What writing needs to know, and what it could not carry.
#[derive(Debug, Default)]
pub(super) struct Cx<'a> {
    pub(super) losses: Vec<Loss>,
    /// What is known of the model; nothing where an answer is written.
    traits: Option<&'a Traits>,
    /// Whether an answer is written, and not a request.
    answering: bool,
    /// How many of the next cache marks are left out, being too many.
    marks_over: usize,
    /// Whether a file is named that Anthropic keeps.
    names_file: bool,
}

impl<'a> Cx<'a> {
    pub(super) fn asking(traits: &'a Traits) -> Self {
        Self { traits: Some(traits), ..Self::default() }
    }

    pub(super) fn answering() -> Self {
        Self { answering: true, ..Self::default() }
    }

    /// Whether a documented oddity is known of the model.
    fn has(&self, quirk: &str) -> bool {
        debug_assert!(QUIRKS.iter().any(|(word, _)| *word == quirk), "{quirk} is not documented");
        self.traits.is_some_and(|traits| traits.has(quirk))
    }

    pub(super) fn lose(&mut self, path: impl fmt::Display, kind: LossKind, why: &'static str) {
        if self.losses.len() < LOSSES_MAX || kind == LossKind::Unsupported {
            self.losses.push(Loss::new(path.to_string(), kind, why));
        }
    }

    /// As [`Cx::lose`], for what comes again and again in a stream.
    pub(super) fn lose_once(&mut self, path: impl fmt::Display, kind: LossKind, why: &'static str) {
        let path = path.to_string();
        if !self.losses.iter().any(|loss| loss.path == path && loss.kind == kind) {
            self.lose(path, kind, why);
        }
    }

    /// The members of `rest` that are this dialect's; those of another are told as left out.
    pub(super) fn own<'r>(&mut self, rest: &'r Rest, at: &dyn fmt::Display) -> Members<'r> {
        if rest.is_empty() || rest.origin() == Some(DIALECT) {
            return rest.members();
        }
        own_rest(rest, DIALECT, &at.to_string(), &mut self.losses)
    }
}

/// Where a part stands, in the words of the intermediate representation.
#[derive(Clone, Copy)]
pub(super) enum Place<'p> {
    System(usize),
    Turn(usize, usize),
    Answer(usize),
    Inside(&'p Place<'p>, usize),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(at) => write!(f, "system[{at}]"),
            Self::Turn(turn, at) => write!(f, "turns[{turn}].parts[{at}]"),
            Self::Answer(at) => write!(f, "candidates[0].parts[{at}]"),
            Self::Inside(outer, at) => write!(f, "{outer}.content[{at}]"),
        }
    }
}

/// Members that are kept verbatim.
pub(super) type Members<'r> = &'r [(Box<str>, RawJson)];

/// The members of a node that are kept verbatim.
pub(super) fn members(w: &mut JsonWriter<'_>, members: Members<'_>) {
    for (key, value) in members {
        w.raw(key, value);
    }
}

/// As [`members`], without those of these names.
pub(super) fn members_but(w: &mut JsonWriter<'_>, members: Members<'_>, without: &[&str]) {
    for (key, value) in members.iter().filter(|(key, _)| !without.contains(&&**key)) {
        w.raw(key, value);
    }
}

/// A marker of a cached prefix. What other dialects have beside a life only tells their kinds of markers apart.
fn cache_control(w: &mut JsonWriter<'_>, mark: Option<&CacheMark>, at: &dyn fmt::Display, cx: &mut Cx<'_>) {
    let Some(mark) = mark else { return };
    if cx.marks_over > 0 {
        cx.marks_over -= 1;
        cx.lose(format_args!("{at}.cache"), LossKind::Dropped, "no more than four cache marks are taken");
        return;
    }
    let own = if mark.rest.origin() == Some(DIALECT) { mark.rest.members() } else { &[] };
    w.nested("cache_control", |w| {
        if mark.rest.get("type").is_none() || own.is_empty() {
            w.string("type", "ephemeral");
        }
        w.maybe("ttl", mark.ttl.as_deref().map(|ttl| life(ttl, own.is_empty(), at, cx)), JsonWriter::string);
        members(w, own);
    });
}

/// The life of a cached prefix: five minutes or an hour.
fn life<'t>(ttl: &'t str, own: bool, at: &dyn fmt::Display, cx: &mut Cx<'_>) -> &'t str {
    if matches!(ttl, "5m" | "1h") || !own {
        return ttl;
    }
    cx.lose(format_args!("{at}.cache.ttl"), LossKind::Approximated, "a cache lives five minutes or an hour");
    "1h"
}
