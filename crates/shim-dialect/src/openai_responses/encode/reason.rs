//! What is asked of reasoning.

use shim_ir::{
    Effort, Opaque, OpaqueKind, Part, ReasoningAsk, ReasoningControl, ReasoningMode, Request, Tokens,
};
use shim_wire::{JsonWriter, RawJson};

use super::ask::Ask;
use super::loss::{At, verbatim};

/// `reasoning`, as it is written.
#[derive(Debug, Default, PartialEq)]
struct Asked<'r> {
    effort: Option<Effort>,
    summary: Option<&'r str>,
    max_tokens: Option<u64>,
    enabled: Option<bool>,
    rest: &'r [(Box<str>, RawJson)],
}

/// Writes `reasoning`.
pub(super) fn put_reasoning(w: &mut JsonWriter<'_>, wish: &ReasoningAsk, ask: &mut Ask<'_>) {
    let free = ask.own && ask.traits.reasoning == ReasoningControl::Unknown;
    let mut asked = if free { as_it_is(wish) } else { controlled(wish, ask) };
    asked.rest = ask.losses.own(&wish.rest, At::of("reasoning"));
    // The client's empty object stays one.
    if asked == Asked::default() && !(ask.own && *wish == ReasoningAsk::default()) {
        return;
    }
    w.nested("reasoning", |w| {
        w.maybe("effort", asked.effort.as_ref().map(Effort::word), JsonWriter::string);
        w.maybe("summary", asked.summary, JsonWriter::string);
        w.maybe("max_tokens", asked.max_tokens, JsonWriter::number);
        w.maybe("enabled", asked.enabled, JsonWriter::bool);
        verbatim(w, asked.rest, &[]);
    });
}

/// The client's own words.
fn as_it_is(wish: &ReasoningAsk) -> Asked<'_> {
    Asked {
        effort: wish.effort.clone(),
        summary: wish.show.as_deref(),
        max_tokens: wish.budget.map(|Tokens(budget)| budget),
        enabled: wish.mode.map(|mode| mode != ReasoningMode::Off),
        rest: &[],
    }
}

/// What the model takes of what is wished.
fn controlled<'r>(wish: &'r ReasoningAsk, ask: &mut Ask<'_>) -> Asked<'r> {
    let traits = ask.traits;
    let mut asked = Asked::default();
    match &traits.reasoning {
        ReasoningControl::Unknown => asked.effort = word(wish, None, ask),
        ReasoningControl::Effort(known) | ReasoningControl::Adaptive(known) => {
            asked.effort = word(wish, Some(known), ask);
        }
        ReasoningControl::Budget { min, max, off } => bound(wish, (*min, *max, *off), &mut asked, ask),
        ReasoningControl::None => {
            if !is_off(wish) {
                ask.losses.dropped(At::of("reasoning"), "the model does not reason");
            }
            return asked;
        }
    }
    asked.summary = summary(wish, ask);
    asked
}

/// Whether the model knows a word for no reasoning.
pub(super) fn knows_none(control: &ReasoningControl) -> bool {
    match control {
        ReasoningControl::Effort(known) | ReasoningControl::Adaptive(known) => known.contains(&Effort::None),
        ReasoningControl::Unknown | ReasoningControl::None | ReasoningControl::Budget { .. } => false,
    }
}

/// Whether no reasoning is wished for.
pub(super) fn is_off(wish: &ReasoningAsk) -> bool {
    wish.mode == Some(ReasoningMode::Off) || (wish.mode.is_none() && wish.effort == Some(Effort::None))
}

/// The word that is wished for, or that stands for the bound that is.
fn wanted(wish: &ReasoningAsk, ask: &mut Ask<'_>) -> Option<Effort> {
    if is_off(wish) {
        return Some(Effort::None);
    }
    let at = At::of("reasoning");
    if wish.effort.is_some() {
        if wish.budget.is_some() {
            ask.losses.dropped(at.member("budget"), "a word says how hard to reason");
        }
        return wish.effort.clone();
    }
    let budget = wish.budget?;
    ask.losses.approximated(at.member("budget"), "the target takes a word for how hard to reason");
    Some(Effort::of_budget(budget))
}

/// The word for how hard to reason, of those known, if any are.
fn word(wish: &ReasoningAsk, known: Option<&[Effort]>, ask: &mut Ask<'_>) -> Option<Effort> {
    let root = At::of("reasoning");
    let wanted = wanted(wish, ask)?;
    let Some(known) = known else {
        if matches!(wanted, Effort::Other(_)) && !ask.own {
            ask.losses.dropped(root.member("effort"), "the target does not know the word");
            return None;
        }
        return Some(wanted);
    };
    let place = if is_off(wish) { "mode" } else { "effort" };
    match wanted.nearest(known) {
        Some(near) if *near == wanted => {}
        Some(_) => ask.losses.approximated(root.member(place), "the model takes other words"),
        None => ask.losses.dropped(root.member(place), "the model takes no word for how hard to reason"),
    }
    wanted.nearest(known).cloned()
}

/// No reasoning, or the least there is where a model cannot do without.
fn turn_off(least: Tokens, can_be_off: bool, asked: &mut Asked<'_>, ask: &mut Ask<'_>) {
    if can_be_off {
        asked.enabled = Some(false);
        return;
    }
    let at = At::of("reasoning");
    ask.losses.approximated(at.member("mode"), "the model cannot be told not to reason");
    asked.max_tokens = Some(least.0);
}

/// A bound on the tokens of reasoning. Not OpenAI's: OpenRouter,
/// <https://openrouter.ai/docs/use-cases/reasoning-tokens>, read 2026-11-25.
fn bound(wish: &ReasoningAsk, limits: (Tokens, Tokens, bool), asked: &mut Asked<'_>, ask: &mut Ask<'_>) {
    let (min, max, can_be_off) = limits;
    let root = At::of("reasoning");
    if is_off(wish) {
        return turn_off(min, can_be_off, asked, ask);
    }
    let stated = wish.budget.or_else(|| wish.effort.as_ref().and_then(Effort::budget));
    let Some(wanted) = stated else {
        if wish.effort.is_some() {
            ask.losses.dropped(root.member("effort"), "the target does not know the word");
        }
        asked.enabled = wish.mode.map(|_| true);
        return;
    };
    let given = wanted.clamp(min, max.max(min));
    if wish.budget.is_none() {
        ask.losses.approximated(root.member("effort"), "the model takes a bound on tokens");
    } else if wish.effort.is_some() {
        ask.losses.dropped(root.member("effort"), "a bound says how hard to reason");
    }
    if wish.budget.is_some() && given != wanted {
        ask.losses.approximated(root.member("budget"), "the model takes other bounds");
    }
    asked.max_tokens = Some(given.0);
}

/// How a summary is asked for: in the target's words, or by those of others that ask for one or for none.
fn summary<'r>(wish: &'r ReasoningAsk, ask: &mut Ask<'_>) -> Option<&'r str> {
    let word = wish.show.as_deref()?;
    match word {
        "auto" | "concise" | "detailed" => Some(word),
        word if ask.own => Some(word),
        "summarized" | "true" => Some("auto"),
        "omitted" | "false" => None,
        _ => {
            ask.losses.dropped(At::of("reasoning").member("show"), "the target does not know the word");
            None
        }
    }
}

/// Whether encrypted reasoning is asked for. A client whose dialect keeps no state with the provider is given all there
/// is to give back, where it asks for reasoning or gives some back; and where it says nothing of reasoning, if the model is
/// known to reason all the same and has tools: what it thought before a call is lost to it otherwise.
/// Source: <https://platform.openai.com/docs/guides/reasoning#keeping-reasoning-items-in-context>, read 2026-11-26.
///
/// Models that do not reason answer 400 to it, so it is not asked of those of which nothing is known.
/// Source: <https://github.com/ShishirPatil/gorilla/issues/1148>, read 2026-11-26.
pub(super) fn is_encrypted_wanted(request: &Request, ask: &Ask<'_>) -> bool {
    let wish = request.reasoning.as_ref();
    if wish.is_some_and(|wish| wish.encrypted) {
        return true;
    }
    let kept = ask.own || request.state.store == Some(true);
    if kept || ask.traits.reasoning == ReasoningControl::None {
        return false;
    }
    let carried = || request.turns.iter().flat_map(|turn| &turn.parts).any(is_encrypted);
    let thinks =
        wish.map_or_else(|| is_known_to_reason(ask) && !request.tools.is_empty(), |wish| !is_off(wish));
    thinks || carried()
}

fn is_known_to_reason(ask: &Ask<'_>) -> bool {
    !matches!(ask.traits.reasoning, ReasoningControl::Unknown | ReasoningControl::None)
}

fn is_encrypted(part: &Part) -> bool {
    matches!(part, Part::Reasoning(reasoning) if encrypted(&reasoning.opaque).is_some())
}

/// The encrypted state among opaque ones.
pub(super) fn encrypted(opaque: &[Opaque]) -> Option<&str> {
    opaque.iter().rfind(|own| own.kind == OpaqueKind::Encrypted).map(|own| own.value.as_str())
}
