//! Calls of tools, in the conversation and in answers.

use std::borrow::Cow;

use shim_ir::{OpaqueKind, ToolCall, ToolCallKind};
use shim_wire::JsonWriter;

use super::losses::{Losses, Site, is_own};
use super::request::To;
use crate::echo::{free_text_arguments, group_of};
use crate::openai_chat::decode::has_form;

/// How a call is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form<'a> {
    Function,
    Custom,
    /// A kind of another provider's, by its word (Moonshot's `builtin_function`).
    Other(&'a str),
}

impl<'a> Form<'a> {
    /// The form of a call as its tool was offered. A kind that only another dialect has becomes a function.
    pub(crate) fn of(kind: &'a ToolCallKind) -> Self {
        match kind {
            ToolCallKind::Custom => Self::Custom,
            ToolCallKind::Native(word) if word == "builtin_function" => Self::Other(word),
            ToolCallKind::Function | ToolCallKind::Native(_) => Self::Function,
        }
    }

    fn word(self) -> &'a str {
        match self {
            Self::Function => "function",
            Self::Custom => "custom",
            Self::Other(word) => word,
        }
    }

    /// The members that hold what is called, and what with.
    fn members(self) -> (&'static str, &'static str) {
        match self {
            Self::Function | Self::Other(_) => ("function", "arguments"),
            Self::Custom => ("custom", "input"),
        }
    }

    /// Writes `type`, and what is called with what.
    pub(crate) fn write(self, name: &str, arguments: &str, w: &mut JsonWriter<'_>) {
        w.string("type", self.word());
        let (of, with) = self.members();
        w.nested(of, |w| {
            w.string("name", name);
            w.string(with, arguments);
        });
    }
}

/// Writes a call of the conversation as an element of `tool_calls`.
pub(super) fn history(call: &ToolCall, site: Site, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    let (name, arguments, form) = sent(call, site, to);
    let signed = call.opaque.iter().find(|opaque| opaque.kind == OpaqueKind::ThoughtSignature);
    let known = has_form(&call.rest, "extra_content") || to.has("thought_signatures");
    let signature = signed.filter(|_| known).map(|opaque| opaque.value.as_str());
    if call.opaque.len() > usize::from(signature.is_some()) {
        to.losses.dropped(site.at("opaque"), "only its origin can read it");
    }
    let id = to.ids.id(site, &call.id);
    w.element().object(|w| {
        w.string("id", &id);
        form.write(&name, &arguments, w);
        w.maybe("extra_content", signature, extra_content);
        write_rest(call, &mut to.losses, site, w);
    });
    lose_beside(call, site, to);
}

/// What a call has beside what is called. The group of its tool is in the name it was sent under.
pub(crate) fn write_rest(call: &ToolCall, losses: &mut Losses, site: Site, w: &mut JsonWriter<'_>) {
    if is_own(&call.rest) || group_of(&call.rest).is_none() {
        losses.write_own(&call.rest, &site, w);
    }
}

fn lose_beside(call: &ToolCall, site: Site, to: &mut To<'_>) {
    to.lose_mark(call.cache.as_ref(), site.at("cache"));
    if call.item.is_some() {
        to.losses.dropped(site.at("item"), "a call has one id here");
    }
}

/// The name, the arguments and the form that a call of the conversation is sent in.
fn sent<'c>(call: &'c ToolCall, site: Site, to: &mut To<'_>) -> (String, Cow<'c, str>, Form<'c>) {
    let form = Form::of(&call.kind);
    let name = to.names.name(&call.name, &call.rest).into_owned();
    let offered = to.names.sent(&call.name, &call.rest).is_some_and(|tool| tool.free_text);
    if form == Form::Custom && (offered || to.has("no_custom_tools")) {
        return (name, Cow::Owned(free_text_arguments(&call.arguments)), Form::Function);
    }
    if form == Form::Function && matches!(call.kind, ToolCallKind::Native(_)) {
        to.losses.approximated(site, "a call of another dialect's own tool is written as one of a function");
    }
    let arguments = if call.arguments.is_empty() && form == Form::Function { "{}" } else { &call.arguments };
    (name, Cow::Borrowed(arguments), form)
}

/// Writes the deprecated form of a call, which has no id.
pub(super) fn legacy(call: &ToolCall, site: Site, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    w.nested("function_call", |w| {
        w.string("name", &call.name);
        w.string("arguments", &call.arguments);
        to.losses.write_own(&call.rest, &site, w);
    });
}

/// Gemini's signature, in the form of Google's compatible API.
/// Source: <https://ai.google.dev/gemini-api/docs/thought-signatures>, read 2026-11-25.
pub(crate) fn extra_content(w: &mut JsonWriter<'_>, key: &str, signature: &str) {
    w.nested(key, |w| w.nested("google", |w| w.string("thought_signature", signature)));
}
