//! The choice of tools.
//! Source: <https://platform.claude.com/docs/en/agents-and-tools/tool-use/define-tools>, read 2026-11-25.

use shim_ir::{LossKind, Request, ToolChoice, ToolKind};
use shim_wire::{JsonWriter, RawJson};

use super::super::decode::MCP;
use super::names::legal;
use super::tools::{Offer, Offers};
use super::{Cx, DIALECT, NO_FORCED_TOOLS};
use crate::common::member;

/// The choice of tools, as it is sent.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Choice {
    Auto,
    None,
    Any,
    Tool(String),
}

impl Choice {
    /// Whether a tool must be called.
    pub(super) fn forces(&self) -> bool {
        matches!(self, Self::Any | Self::Tool(_))
    }

    /// `type`, and the name of the tool.
    fn words(&self) -> (&'static str, Option<&str>) {
        match self {
            Self::Auto => ("auto", None),
            Self::None => ("none", None),
            Self::Any => ("any", None),
            Self::Tool(name) => ("tool", Some(name)),
        }
    }
}

/// The choice of a request; `None` where nothing is said.
pub(super) fn of(request: &Request, offers: &Offers<'_>, cx: &mut Cx<'_>) -> Option<Choice> {
    let chosen = request.tool_choice.as_ref().and_then(|choice| chosen(choice, offers, cx));
    if offers.list.is_empty() && offers.json.is_none() {
        if chosen.as_ref().is_some_and(Choice::forces) {
            cx.lose("tool_choice", LossKind::Dropped, "there is no tool to choose");
        }
        return None;
    }
    let choice = match (&offers.json, chosen) {
        (Some((name, _)), Some(Choice::None)) => Choice::Tool(name.clone()),
        (Some((name, _)), None | Some(Choice::Auto)) => match offers.list.is_empty() {
            true => Choice::Tool(name.clone()),
            false => Choice::Any,
        },
        (_, chosen) => chosen?,
    };
    if choice.forces() && cx.has(NO_FORCED_TOOLS) {
        cx.lose("tool_choice", LossKind::Approximated, "the model cannot be made to call a tool: it may");
        return Some(Choice::Auto);
    }
    Some(choice)
}

fn chosen(choice: &ToolChoice, offers: &Offers<'_>, cx: &mut Cx<'_>) -> Option<Choice> {
    let sent = |name: &str| {
        let offer = offers.list.iter().find(|offer| offer.tool.name == name);
        Choice::Tool(offer.map_or_else(|| legal(name).into_owned(), |offer| offer.sent.clone().into_owned()))
    };
    Some(match choice {
        ToolChoice::Auto => Choice::Auto,
        ToolChoice::None => Choice::None,
        ToolChoice::Required => Choice::Any,
        ToolChoice::Named(name) => sent(name),
        ToolChoice::Allowed { names, required: true } => match &names[..] {
            [name] => sent(name),
            _ => Choice::Any,
        },
        ToolChoice::Allowed { required: false, .. } => Choice::Auto,
        ToolChoice::Other(raw) => return other(raw, offers, cx),
    })
}

/// A choice of one of another provider's own tools, where it has a counterpart.
fn other(raw: &RawJson, offers: &Offers<'_>, cx: &mut Cx<'_>) -> Option<Choice> {
    let word = member(raw.get(), "type").and_then(|word| word.as_str()).unwrap_or_default();
    let named = |offer: &&Offer<'_>| matches!(&offer.tool.kind, ToolKind::Native(kind) if **kind == *word);
    // A server is no tool itself.
    let meant = |offer: &&Offer<'_>| named(offer) && *word != *MCP;
    let found = offers.list.iter().find(meant);
    if found.is_none() {
        cx.lose("tool_choice", LossKind::Unsupported, "there is no such choice");
    }
    found.map(|offer| Choice::Tool(offer.sent.clone().into_owned()))
}

/// `tool_choice` of a request. That only one tool may be called at once is said in a choice, where there is none too.
pub(super) fn write(w: &mut JsonWriter<'_>, request: &Request, choice: Option<&Choice>, offers: &Offers<'_>) {
    if let Some(raw) = request.rest.get("tool_choice").filter(|_| request.rest.origin() == Some(DIALECT)) {
        return w.raw("tool_choice", raw);
    }
    let parallel = if offers.json.is_some() { Some(false) } else { request.parallel_tool_calls };
    let unsaid = (parallel == Some(false) && !offers.is_empty()).then_some(&Choice::Auto);
    let Some(choice) = choice.or(unsaid) else { return };
    let (word, name) = choice.words();
    w.nested("tool_choice", |w| {
        w.string("type", word);
        w.maybe("name", name, JsonWriter::string);
        let disabled = parallel.filter(|_| *choice != Choice::None).map(|parallel| !parallel);
        w.maybe("disable_parallel_tool_use", disabled, JsonWriter::bool);
    });
}
