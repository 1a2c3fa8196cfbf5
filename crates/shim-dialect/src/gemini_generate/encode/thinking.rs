//! `thinkingConfig`: a level, or a budget, as the model takes it.
//! Source: <https://ai.google.dev/gemini-api/docs/thinking>, read 2026-11-25.

use shim_ir::{Effort, ReasoningAsk, ReasoningControl, ReasoningMode, Tokens, Traits};
use shim_wire::JsonWriter;

use super::losses::Losses;
use super::own::{own, write};

const EFFORT: &str = "reasoning.effort";
const BUDGET: &str = "reasoning.budget";

/// The words there are for a level.
const LEVELS: [Effort; 4] = [Effort::Minimal, Effort::Low, Effort::Medium, Effort::High];

/// What the model is told.
enum Told {
    Nothing,
    Level(Effort),
    /// −1 leaves it to the model, 0 turns it off.
    Budget(i128),
}

pub(super) fn thinking(w: &mut JsonWriter<'_>, ask: &ReasoningAsk, traits: &Traits, losses: &mut Losses) {
    let members = own(&ask.rest, || "reasoning".to_owned(), losses);
    let Some(told) = told(ask, &traits.reasoning, losses) else { return };
    match told {
        Told::Nothing => {}
        Told::Level(effort) => w.string("thinkingLevel", &effort.word().to_ascii_uppercase()),
        Told::Budget(tokens) => w.number("thinkingBudget", tokens),
    }
    w.maybe("includeThoughts", shown(ask, losses), JsonWriter::bool);
    write(w, members, &[]);
}

/// What a model is told, by what it takes; `None` for one that does not reason.
fn told(ask: &ReasoningAsk, control: &ReasoningControl, losses: &mut Losses) -> Option<Told> {
    match control {
        ReasoningControl::None => {
            if !is_off(ask) {
                losses.dropped("reasoning".to_owned(), "the model does not reason");
            }
            None
        }
        ReasoningControl::Unknown => Some(usual(ask, losses)),
        ReasoningControl::Effort(words) | ReasoningControl::Adaptive(words) => {
            Some(level(ask, words, losses))
        }
        ReasoningControl::Budget { min, max, off } => Some(budget(ask, *min, *max, *off, losses)),
    }
}

/// Whether it is asked not to reason.
fn is_off(ask: &ReasoningAsk) -> bool {
    match ask.mode {
        Some(ReasoningMode::Off) => true,
        Some(ReasoningMode::On | ReasoningMode::Adaptive) => false,
        None => ask.effort == Some(Effort::None) || ask.budget == Some(Tokens(0)),
    }
}

/// Whether thoughts are to be shown. Who turns reasoning on without a word on it expects to see it.
fn shown(ask: &ReasoningAsk, losses: &mut Losses) -> Option<bool> {
    match ask.show.as_deref() {
        Some("false" | "omitted" | "none" | "hidden") => Some(false),
        Some("true" | "auto" | "summarized") => Some(true),
        Some(_) => {
            losses.near("reasoning.show".to_owned(), "thoughts are shown, or they are not");
            Some(true)
        }
        None => matches!(ask.mode, Some(ReasoningMode::On | ReasoningMode::Adaptive)).then_some(true),
    }
}

/// For a model of which nothing is known: what was asked, in the dialect's usual member.
fn usual(ask: &ReasoningAsk, losses: &mut Losses) -> Told {
    match (ask.mode, ask.budget, &ask.effort) {
        (Some(ReasoningMode::Off), ..) | (_, None, Some(Effort::None)) => Told::Budget(0),
        (_, Some(Tokens(tokens)), effort) => {
            if effort.is_some() {
                losses.dropped(EFFORT.to_owned(), "a budget says it already");
            }
            Told::Budget(tokens.into())
        }
        (_, None, Some(effort)) => Told::Level(usual_level(effort, losses)),
        (Some(ReasoningMode::Adaptive), None, None) => Told::Budget(-1),
        (Some(ReasoningMode::On) | None, None, None) => Told::Nothing,
    }
}

/// The nearest of the usual levels; a word of the client's own stays as it is.
fn usual_level(effort: &Effort, losses: &mut Losses) -> Effort {
    if let Effort::Other(_) = effort {
        return effort.clone();
    }
    let nearest = effort.nearest(&LEVELS).unwrap_or(effort);
    if nearest != effort {
        losses.near(EFFORT.to_owned(), "there is no such level");
    }
    nearest.clone()
}

/// For a model that takes words.
fn level(ask: &ReasoningAsk, words: &[Effort], losses: &mut Losses) -> Told {
    let off = (ask.mode == Some(ReasoningMode::Off)).then_some(Effort::None);
    let effort = off.or_else(|| ask.effort.clone());
    let from_budget = effort.is_none() && ask.budget.is_some();
    if ask.budget.is_some() && !from_budget && ask.mode != Some(ReasoningMode::Off) {
        losses.dropped(BUDGET.to_owned(), "a level says it already");
    }
    let Some(effort) = effort.or_else(|| ask.budget.map(Effort::of_budget)) else { return Told::Nothing };
    let path = if from_budget { BUDGET } else { EFFORT };
    let Some(nearest) = effort.nearest(words) else {
        losses.dropped(path.to_owned(), "the model takes no such word");
        return Told::Nothing;
    };
    if from_budget || *nearest != effort {
        losses.near(path.to_owned(), "the nearest level of the model stands for it");
    }
    if *nearest == Effort::None { Told::Budget(0) } else { Told::Level(nearest.clone()) }
}

/// For a model that takes a bound.
fn budget(ask: &ReasoningAsk, min: Tokens, max: Tokens, off: bool, losses: &mut Losses) -> Told {
    if ask.mode == Some(ReasoningMode::Off) || (ask.budget.is_none() && ask.effort == Some(Effort::None)) {
        if !off {
            losses.near("reasoning.mode".to_owned(), "the model always reasons");
        }
        return Told::Budget(if off { 0 } else { min.0.into() });
    }
    let stands_for = ask.effort.as_ref().and_then(Effort::budget);
    match (ask.budget, stands_for, &ask.effort) {
        (Some(budget), ..) => {
            if ask.effort.is_some() {
                losses.dropped(EFFORT.to_owned(), "a budget says it already");
            }
            let within = budget.max(min).min(max);
            if within != budget {
                losses.near(BUDGET.to_owned(), "outside what the model takes");
            }
            Told::Budget(within.0.into())
        }
        (None, Some(budget), _) => {
            losses.near(EFFORT.to_owned(), "a bound on tokens stands for it");
            Told::Budget(budget.max(min).min(max).0.into())
        }
        (None, None, Some(_)) => {
            losses.dropped(EFFORT.to_owned(), "the model takes no such word");
            Told::Nothing
        }
        (None, None, None) if ask.mode == Some(ReasoningMode::Adaptive) => Told::Budget(-1),
        (None, None, None) => Told::Nothing,
    }
}
