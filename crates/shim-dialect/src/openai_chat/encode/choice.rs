//! The choice of tools.
//! Source: <https://platform.openai.com/docs/api-reference/chat/create>, read 2026-11-25.

use shim_ir::{Request, Tool, ToolChoice, ToolKind};
use shim_wire::{JsonWriter, RawJson};

use super::names::is_custom;
use super::reasoning;
use super::request::To;
use super::tools::Offer;
use crate::common::member;
use crate::openai_chat::decode::{FORM, has_form};

/// Writes `tool_choice`, which is refused where there are no tools.
pub(super) fn choice(
    request: &Request,
    offered: &[Offer<'_>],
    answer: Option<&str>,
    any: bool,
    to: &mut To<'_>,
    w: &mut JsonWriter<'_>,
) {
    let forced = answer.is_some() || request.tool_choice.as_ref().is_some_and(forces);
    let unforced = forced && (any || answer.is_some()) && !can_force(request, to);
    match (answer, any) {
        (Some(_), _) if unforced => return w.string("tool_choice", "auto"),
        (Some(name), false) if !to.has("no_named_choice") => {
            return named(w.member("tool_choice"), "function", name);
        }
        (Some(_), _) => return w.string("tool_choice", "required"),
        (None, false) if request.tools.is_empty() => {}
        (None, false) => return,
        (None, true) => {}
    }
    let Some(choice) = &request.tool_choice else { return };
    let legacy = any && offered.iter().all(|offer| has_form(&offer.tool.rest, "functions"));
    let key = if legacy { "function_call" } else { "tool_choice" };
    match choice {
        ToolChoice::Auto | ToolChoice::None if !any => {}
        ToolChoice::Auto => w.string(key, "auto"),
        _ if unforced => w.string(key, "auto"),
        ToolChoice::None => w.string(key, "none"),
        ToolChoice::Required => w.string(key, if to.has("tool_choice_any") { "any" } else { "required" }),
        ToolChoice::Named(name) if left_out(name, request, offered) => {
            to.losses.unsupported("tool_choice", "the tool is not offered");
        }
        ToolChoice::Named(_) if to.has("no_named_choice") => {
            if offered.len() > 1 {
                to.losses.approximated("tool_choice", "any tool may be the one that must be called");
            }
            w.string(key, "required");
        }
        ToolChoice::Named(name) if legacy => w.nested(key, |w| w.string("name", name)),
        ToolChoice::Named(name) => named(w.member(key), word(offered, name), &to.names.chosen(name)),
        ToolChoice::Allowed { names, required } => allowed(names, *required, offered, to, w),
        ToolChoice::Other(raw) => other(raw, request, to, w),
    }
}

/// Whether a choice has a tool called.
fn forces(choice: &ToolChoice) -> bool {
    match choice {
        ToolChoice::Required | ToolChoice::Named(_) | ToolChoice::Allowed { required: true, .. } => true,
        ToolChoice::Auto
        | ToolChoice::None
        | ToolChoice::Allowed { required: false, .. }
        | ToolChoice::Other(_) => false,
    }
}

/// Whether the model can be made to call a tool. Some cannot while they think: then they are told not to, where they can
/// be, since what calls the tool relies on it.
fn can_force(request: &Request, to: &mut To<'_>) -> bool {
    let hindered = to.has("no_forced_tools_thinking") && reasoning::thinks(request, to);
    let never = to.has("tool_choice_auto") || to.has("no_forced_tools");
    if never || (hindered && !reasoning::can_be_off(to)) {
        to.losses.approximated("tool_choice", "the model cannot be made to call a tool: it may");
        return false;
    }
    if hindered {
        to.unthinking = true;
        to.losses.approximated("reasoning", "the model cannot think where it must call a tool");
    }
    true
}

/// Whether the tool of this name is one that could not be sent.
fn left_out(name: &str, request: &Request, offered: &[Offer<'_>]) -> bool {
    let asked = request.tools.iter().any(|tool| tool.name == name);
    asked && !offered.iter().any(|offer| offer.tool.name == name)
}

/// Whether the tool of this name is a function or takes free text.
fn word(offered: &[Offer<'_>], name: &str) -> &'static str {
    let found = offered.iter().find(|offer| offer.tool.name == name);
    if found.is_some_and(|offer| is_custom(offer.tool) && !offer.free_text) { "custom" } else { "function" }
}

fn named(place: shim_wire::Place<'_, '_>, word: &str, name: &str) {
    place.object(|w| {
        w.string("type", word);
        w.nested(word, |w| w.string("name", name));
    });
}

fn allowed(names: &[String], required: bool, offered: &[Offer<'_>], to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    let mode = if required { "required" } else { "auto" };
    if to.has("no_allowed_tools") {
        to.losses.approximated("tool_choice", "all tools are allowed");
        w.string("tool_choice", mode);
        return;
    }
    w.nested("tool_choice", |w| {
        w.string("type", "allowed_tools");
        w.nested("allowed_tools", |w| {
            w.string("mode", mode);
            w.array("tools", |w| {
                for name in names {
                    named(w.element(), word(offered, name), &to.names.chosen(name));
                }
            });
        });
    });
}

/// A choice that nobody else has. One of a tool of another dialect's own means nothing here.
fn other(raw: &RawJson, request: &Request, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    let kind = member(raw.get(), "type").and_then(|kind| kind.as_str()).unwrap_or_default();
    let native = |tool: &Tool| matches!(&tool.kind, ToolKind::Native(word) if **word == *kind);
    let foreign = request.tools.iter().any(|tool| native(tool) && tool.rest.get(FORM).is_none());
    if foreign {
        to.losses.unsupported("tool_choice", "the provider has no such tool");
    } else {
        w.raw("tool_choice", raw);
    }
}
