//! How much a model is to think: `thinking` and `output_config.effort`.
//!
//! Sources, read 2026-11-25: <https://platform.claude.com/docs/en/build-with-claude/extended-thinking>,
//! <https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking>,
//! <https://platform.claude.com/docs/en/build-with-claude/effort>.

use shim_ir::{Effort, LossKind, ReasoningAsk, ReasoningControl, ReasoningMode, Tokens};
use shim_wire::JsonWriter;

use super::{ALWAYS_THINKS, Cx, members};

/// Least budget that is taken.
const BUDGET_MIN: u64 = 1_024;

/// The budget of medium effort.
const BUDGET_USUAL: Tokens = Tokens(8_192);

/// What is asked of thinking.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Thought {
    pub(super) mode: Option<Mode>,
    effort: Option<Effort>,
}

/// `type` of `thinking`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Off,
    Adaptive,
    /// With a budget; none where the source states none, which other providers take.
    Manual(Option<u64>),
}

impl Mode {
    /// Whether thinking is on.
    pub(super) fn thinks(self) -> bool {
        self != Self::Off
    }

    fn word(self) -> &'static str {
        match self {
            Self::Off => "disabled",
            Self::Adaptive => "adaptive",
            Self::Manual(_) => "enabled",
        }
    }

    pub(super) fn is_manual(self) -> bool {
        matches!(self, Self::Manual(_))
    }
}

impl Thought {
    /// What is asked for, in the terms of the model.
    pub(super) fn of(ask: Option<&ReasoningAsk>, cx: &mut Cx<'_>) -> Self {
        let Some(ask) = ask else { return Self::default() };
        let unknown = ReasoningControl::Unknown;
        let control = cx.traits.map_or(&unknown, |traits| &traits.reasoning);
        let mut thought = match control {
            ReasoningControl::Unknown => as_said(ask, cx),
            ReasoningControl::None => nothing(ask, cx),
            ReasoningControl::Effort(words) => by_effort(ask, words, cx),
            ReasoningControl::Budget { min, max, off } => by_budget(ask, *min, *max, *off, cx),
            ReasoningControl::Adaptive(words) => adaptive(ask, words, cx),
        };
        if thought.mode == Some(Mode::Off) && cx.has(ALWAYS_THINKS) {
            cx.lose("reasoning.mode", LossKind::Approximated, "the model always thinks: as little as it can");
            thought = Self { mode: None, effort: Some(Effort::Low) };
        }
        thought
    }

    /// Turns manual thinking off, which cannot be had here.
    pub(super) fn give_up(&mut self, why: &'static str, cx: &mut Cx<'_>) {
        cx.lose("reasoning", LossKind::Approximated, why);
        self.mode = Some(Mode::Off);
    }

    /// Fits a budget into the bound on the output, which must be larger.
    pub(super) fn fit(&mut self, output_max: u64, cx: &mut Cx<'_>) {
        let Some(Mode::Manual(Some(budget))) = self.mode else { return };
        if budget < output_max && budget >= BUDGET_MIN {
            return;
        }
        if output_max <= BUDGET_MIN {
            return self.give_up("the bound on the output leaves no room to think", cx);
        }
        cx.lose(
            "reasoning.budget",
            LossKind::Approximated,
            "a budget is 1024 or more, and below the output's bound",
        );
        self.mode = Some(Mode::Manual(Some(budget.clamp(BUDGET_MIN, output_max - 1))));
    }

    /// The budget, where one is set.
    pub(super) fn budget(&self) -> Option<u64> {
        match self.mode {
            Some(Mode::Manual(budget)) => budget,
            Some(Mode::Off | Mode::Adaptive) | None => None,
        }
    }

    /// `thinking` of a request.
    pub(super) fn write(&self, w: &mut JsonWriter<'_>, ask: Option<&ReasoningAsk>, cx: &mut Cx<'_>) {
        let Some(ask) = ask else { return };
        let rest = cx.own(&ask.rest, &"reasoning");
        if self.mode.is_none() && rest.is_empty() {
            if ask.show.is_some() {
                cx.lose("reasoning.show", LossKind::Dropped, "nothing is asked of thinking");
            }
            return;
        }
        let shown = ask.show.as_deref().and_then(|show| display(show, cx));
        w.nested("thinking", |w| {
            w.maybe("type", self.mode.map(Mode::word), JsonWriter::string);
            w.maybe("budget_tokens", self.budget(), JsonWriter::number);
            w.maybe("display", shown.filter(|_| self.mode != Some(Mode::Off)), JsonWriter::string);
            members(w, rest);
        });
    }

    /// `effort` of `output_config`.
    pub(super) fn effort(&self) -> Option<&str> {
        self.effort.as_ref().map(Effort::word)
    }
}

/// What is shown of thinking, in Anthropic's words.
fn display<'s>(show: &'s str, cx: &mut Cx<'_>) -> Option<&'s str> {
    match show {
        "summarized" | "omitted" => Some(show),
        "auto" | "true" => Some("summarized"),
        "concise" | "detailed" => {
            cx.lose("reasoning.show", LossKind::Approximated, "summaries have one length");
            Some("summarized")
        }
        "false" | "none" => Some("omitted"),
        _ => {
            cx.lose("reasoning.show", LossKind::Dropped, "thinking is shown as a summary or not at all");
            None
        }
    }
}

/// Where nothing is known of the model, everything goes into its own member.
fn as_said(ask: &ReasoningAsk, cx: &mut Cx<'_>) -> Thought {
    let mode = match (ask.mode, &ask.effort, ask.budget) {
        (Some(ReasoningMode::Off), _, _) | (None, Some(Effort::None), None) => Some(Mode::Off),
        (Some(ReasoningMode::Adaptive), _, _) => Some(Mode::Adaptive),
        (Some(ReasoningMode::On), _, budget) => Some(Mode::Manual(budget.map(|budget| budget.0))),
        (None, _, Some(budget)) => Some(Mode::Manual(Some(budget.0))),
        (None, _, None) => None,
    };
    // A budget that the mode has no place for was said beside it.
    if ask.budget.is_some() && !mode.is_some_and(Mode::is_manual) {
        cx.lose("reasoning.budget", LossKind::Dropped, "there is a budget only where thinking is on");
    }
    Thought { mode, effort: ask.effort.as_ref().and_then(|effort| said_effort(effort, cx)) }
}

/// The effort in Anthropic's words; none for no effort, which is a mode.
fn said_effort(effort: &Effort, cx: &mut Cx<'_>) -> Option<Effort> {
    match effort {
        Effort::None => None,
        Effort::Minimal => {
            cx.lose("reasoning.effort", LossKind::Approximated, "the least effort is low");
            Some(Effort::Low)
        }
        Effort::Low | Effort::Medium | Effort::High | Effort::XHigh | Effort::Max | Effort::Other(_) => {
            Some(effort.clone())
        }
    }
}

/// Whether it is asked not to think.
fn is_off(ask: &ReasoningAsk) -> bool {
    match ask.mode {
        Some(ReasoningMode::Off) => true,
        Some(ReasoningMode::On | ReasoningMode::Adaptive) => false,
        None => ask.effort == Some(Effort::None) || ask.budget == Some(Tokens(0)),
    }
}

fn nothing(ask: &ReasoningAsk, cx: &mut Cx<'_>) -> Thought {
    if !is_off(ask) {
        cx.lose("reasoning", LossKind::Dropped, "the model does not reason");
    }
    Thought::default()
}

/// The word among `words` for what is asked.
fn nearest(ask: &ReasoningAsk, words: &[Effort], cx: &mut Cx<'_>) -> Option<Effort> {
    let (wanted, path) = match (&ask.effort, ask.budget) {
        (Some(effort), budget) => {
            if budget.is_some() {
                cx.lose("reasoning.budget", LossKind::Dropped, "the effort says it");
            }
            (effort.clone(), "reasoning.effort")
        }
        (None, Some(budget)) => (Effort::of_budget(budget), "reasoning.budget"),
        (None, None) => return None,
    };
    let found = wanted.nearest(words).cloned();
    if found.is_none() {
        cx.lose(path, LossKind::Dropped, "the model knows no such word for how hard to think");
    } else if found.as_ref() != Some(&wanted) || path == "reasoning.budget" {
        cx.lose(path, LossKind::Approximated, "the model is told how hard to think by another word");
    }
    found
}

fn by_effort(ask: &ReasoningAsk, words: &[Effort], cx: &mut Cx<'_>) -> Thought {
    if is_off(ask) {
        return Thought { mode: Some(Mode::Off), effort: None };
    }
    Thought { mode: None, effort: nearest(ask, words, cx) }
}

fn adaptive(ask: &ReasoningAsk, words: &[Effort], cx: &mut Cx<'_>) -> Thought {
    if is_off(ask) {
        return Thought { mode: Some(Mode::Off), effort: None };
    }
    let asked = ask.mode.is_some() || ask.effort.is_some() || ask.budget.is_some();
    Thought { mode: asked.then_some(Mode::Adaptive), effort: nearest(ask, words, cx) }
}

fn by_budget(ask: &ReasoningAsk, min: Tokens, max: Tokens, off: bool, cx: &mut Cx<'_>) -> Thought {
    let least = min.0.max(BUDGET_MIN);
    let manual = |budget: u64| Thought { mode: Some(Mode::Manual(Some(budget))), effort: None };
    if is_off(ask) {
        if off {
            return Thought { mode: Some(Mode::Off), effort: None };
        }
        cx.lose("reasoning.mode", LossKind::Approximated, "the model always thinks: as little as it can");
        return manual(least);
    }
    let Some(wanted) = wanted_budget(ask, cx) else { return Thought::default() };
    let budget = wanted.0.clamp(least, max.0.max(least));
    if budget != wanted.0 && ask.budget.is_some() {
        cx.lose("reasoning.budget", LossKind::Approximated, "the model's bounds on the budget");
    }
    manual(budget)
}

/// The budget that is asked for, or that stands for what is.
fn wanted_budget(ask: &ReasoningAsk, cx: &mut Cx<'_>) -> Option<Tokens> {
    let (wanted, path, kind, why) = match (ask.budget, &ask.effort) {
        (Some(budget), None) => return Some(budget),
        (Some(budget), Some(_)) => (budget, "reasoning.effort", LossKind::Dropped, "the budget says it"),
        (None, Some(effort)) => {
            let budget = effort.budget().unwrap_or(BUDGET_USUAL);
            (budget, "reasoning.effort", LossKind::Approximated, "the model is told by a budget")
        }
        (None, None) if ask.mode.is_none() => return None,
        (None, None) => {
            let why = "the model needs a budget: that of medium effort";
            (BUDGET_USUAL, "reasoning.budget", LossKind::Defaulted, why)
        }
    };
    cx.lose(path, kind, why);
    Some(wanted)
}
