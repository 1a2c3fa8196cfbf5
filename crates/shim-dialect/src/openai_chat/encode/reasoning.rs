//! What is asked of reasoning.

use shim_ir::{Effort, ReasoningAsk, ReasoningControl, ReasoningMode, Request, Rest, Tokens};
use shim_wire::JsonWriter;

use super::losses::is_own;
use super::request::To;
use crate::common::member;

/// The members of other providers that ask for reasoning.
const OTHERS: [&str; 4] = ["reasoning", "thinking", "enable_thinking", "thinking_budget"];

/// Writes what is asked. As long as nothing is known of the model, what a client of this dialect asked in another
/// provider's words goes on in them.
pub(super) fn write(request: &Request, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    if to.unthinking {
        return none_at_all(Form::of(to), w);
    }
    let Some(ask) = &request.reasoning else { return };
    if to.goal.traits.reasoning == ReasoningControl::Unknown && as_it_came(ask, &request.rest, w) {
        return;
    }
    let form = Form::of(to);
    match to.goal.traits.reasoning.clone() {
        ReasoningControl::None => none(ask, to),
        ReasoningControl::Unknown => asked(ask, form, None, to, w),
        ReasoningControl::Effort(words) | ReasoningControl::Adaptive(words) => {
            asked(ask, form, Some(&words), to, w);
        }
        ReasoningControl::Budget { min, max, off } => budget(ask, form, (min, max, off), to, w),
    }
    beside(ask, to);
}

/// Whether no reasoning is asked for.
pub(super) fn is_off(ask: &ReasoningAsk) -> bool {
    ask.mode == Some(ReasoningMode::Off) || ask.effort == Some(Effort::None)
}

/// Whether the model knows a word for no reasoning.
pub(super) fn knows_none(to: &To<'_>) -> bool {
    match &to.goal.traits.reasoning {
        ReasoningControl::Effort(words) | ReasoningControl::Adaptive(words) => words.contains(&Effort::None),
        ReasoningControl::Unknown | ReasoningControl::None | ReasoningControl::Budget { .. } => false,
    }
}

/// Whether the model thinks, as far as is known, when it is asked this.
pub(super) fn thinks(request: &Request, to: &To<'_>) -> bool {
    to.goal.traits.reasoning != ReasoningControl::None && !request.reasoning.as_ref().is_some_and(is_off)
}

/// Whether the model can be told not to think.
pub(super) fn can_be_off(to: &To<'_>) -> bool {
    Form::of(to) != Form::Effort || knows_none(to)
}

/// Tells the model not to think.
fn none_at_all(form: Form, w: &mut JsonWriter<'_>) {
    match form {
        Form::Effort => w.string("reasoning_effort", Effort::None.word()),
        Form::Object => w.nested("reasoning", |w| w.string("effort", Effort::None.word())),
        Form::Thinking => w.nested("thinking", |w| w.string("type", "disabled")),
        Form::Switch => w.bool("enable_thinking", false),
    }
}

/// Writes what is asked in another provider's words, as it came; false where it did not come so.
fn as_it_came(ask: &ReasoningAsk, rest: &Rest, w: &mut JsonWriter<'_>) -> bool {
    let raws = OTHERS.iter().filter_map(|key| Some((*key, rest.get(key)?)));
    let raws: Vec<_> = raws.filter(|_| is_own(rest)).collect();
    if raws.is_empty() {
        return false;
    }
    let inside = rest.get("reasoning").is_some_and(|raw| member(raw.get(), "effort").is_some());
    let effort = ask.effort.as_ref().filter(|_| !inside);
    w.maybe("reasoning_effort", effort.map(Effort::word), JsonWriter::string);
    raws.iter().for_each(|(key, raw)| w.raw(key, raw));
    true
}

/// The member that a provider is asked in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// OpenAI's `reasoning_effort`.
    Effort,
    /// OpenRouter's `reasoning`.
    Object,
    /// `thinking` of DeepSeek, Z.ai and Moonshot, with OpenAI's word beside it.
    Thinking,
    /// Qwen's `enable_thinking` and `thinking_budget`.
    Switch,
}

impl Form {
    fn of(to: &To<'_>) -> Self {
        match () {
            () if to.has("reasoning_object") => Self::Object,
            () if to.has("thinking_object") => Self::Thinking,
            () if to.has("enable_thinking") => Self::Switch,
            () => Self::Effort,
        }
    }
}

/// The model does not reason.
fn none(ask: &ReasoningAsk, to: &mut To<'_>) {
    if ask.mode != Some(ReasoningMode::Off) && ask.effort != Some(Effort::None) {
        to.losses.dropped("reasoning", "the model does not reason");
    }
}

/// The word that is asked for; `None` where the model is to do as it does.
fn wanted(ask: &ReasoningAsk, to: &mut To<'_>) -> Option<Effort> {
    if ask.mode == Some(ReasoningMode::Off) {
        return Some(Effort::None);
    }
    if ask.effort.is_some() {
        if ask.budget.is_some() {
            to.losses.dropped("reasoning.budget", "a word says how hard to reason");
        }
        return ask.effort.clone();
    }
    let budget = ask.budget?;
    to.losses.approximated("reasoning.budget", "a word stands for the bound");
    Some(Effort::of_budget(budget))
}

/// By a word.
fn asked(ask: &ReasoningAsk, form: Form, known: Option<&[Effort]>, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    if form == Form::Switch || (form == Form::Object && ask.effort.is_none() && ask.budget.is_some()) {
        return bound(ask, form, ask.budget, to, w);
    }
    let wanted = wanted(ask, to);
    let word = match (&wanted, known) {
        (Some(wanted), Some(words)) => nearest(wanted, words, form, to),
        (wanted, _) => wanted.clone(),
    };
    match form {
        Form::Object => object(ask, word.as_ref(), to, w),
        Form::Thinking => thinking(ask, word.as_ref(), w),
        Form::Effort | Form::Switch => {
            w.maybe("reasoning_effort", word.as_ref().map(Effort::word), JsonWriter::string);
            if wanted.is_none() && ask.mode == Some(ReasoningMode::On) {
                to.losses.dropped("reasoning.mode", "the model reasons as it does");
            }
        }
    }
}

/// The nearest word the model knows. Where reasoning is turned off by a member of its own, no word is needed.
fn nearest(wanted: &Effort, words: &[Effort], form: Form, to: &mut To<'_>) -> Option<Effort> {
    if *wanted == Effort::None && form != Form::Effort {
        return Some(Effort::None);
    }
    let found = wanted.nearest(words).cloned();
    match &found {
        Some(found) if found == wanted => {}
        Some(_) => to.losses.approximated("reasoning.effort", "the model knows other words"),
        None => to.losses.dropped("reasoning.effort", "the model does not know the word"),
    }
    found
}

/// OpenRouter's form: <https://openrouter.ai/docs/use-cases/reasoning-tokens>, read 2026-11-25.
fn object(ask: &ReasoningAsk, word: Option<&Effort>, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    let on = word.is_none() && matches!(ask.mode, Some(ReasoningMode::On | ReasoningMode::Adaptive));
    if word.is_none() && !on {
        return;
    }
    w.nested("reasoning", |w| {
        w.maybe("effort", word.map(Effort::word), JsonWriter::string);
        if on {
            w.bool("enabled", true);
        }
        to.losses.write_own(&ask.rest, &"reasoning", w);
    });
}

/// The form of DeepSeek: <https://api-docs.deepseek.com/guides/thinking_mode>, read 2026-11-25.
fn thinking(ask: &ReasoningAsk, word: Option<&Effort>, w: &mut JsonWriter<'_>) {
    let off = word == Some(&Effort::None);
    if word.is_none() && ask.mode.is_none() {
        return;
    }
    w.nested("thinking", |w| w.string("type", if off { "disabled" } else { "enabled" }));
    w.maybe("reasoning_effort", word.filter(|_| !off).map(Effort::word), JsonWriter::string);
}

/// The least and the most tokens a model can be bound to, and whether it can be bound to none.
type Range = (Tokens, Tokens, bool);

/// By a bound on tokens.
fn budget(ask: &ReasoningAsk, form: Form, range: Range, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    if matches!(form, Form::Effort | Form::Thinking) {
        return asked(ask, form, None, to, w);
    }
    let of_word = ask.effort.as_ref().and_then(Effort::budget);
    let Some(wanted) = ask.budget.or(of_word) else {
        return bound(ask, form, None, to, w);
    };
    if ask.budget.is_none() {
        to.losses.approximated("reasoning.effort", "a bound stands for the word");
    }
    bound(ask, form, Some(fitting(wanted, range, to)), to, w);
}

/// The bound nearest to the wanted one that the model takes.
fn fitting(wanted: Tokens, (min, max, off): Range, to: &mut To<'_>) -> Tokens {
    if wanted == Tokens(0) && off {
        return wanted;
    }
    let fitting = wanted.clamp(min, max.max(min));
    if fitting != wanted {
        to.losses.approximated("reasoning.budget", "it is outside of the model's range");
    }
    fitting
}

/// Writes a bound, or that there is to be reasoning or none.
fn bound(ask: &ReasoningAsk, form: Form, budget: Option<Tokens>, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    let off = ask.mode == Some(ReasoningMode::Off)
        || budget == Some(Tokens(0))
        || (budget.is_none() && ask.effort == Some(Effort::None));
    let budget = budget.filter(|budget| !off && *budget > Tokens(0));
    match (&ask.effort, budget) {
        (Some(_), None) if !off => {
            to.losses.approximated("reasoning.effort", "the model is told to reason, not how hard");
        }
        (Some(_), Some(_)) if ask.budget.is_some() => {
            to.losses.dropped("reasoning.effort", "a bound says how hard to reason");
        }
        _ => {}
    }
    if form == Form::Object {
        return bound_object(ask, budget, off, to, w);
    }
    w.bool("enable_thinking", !off);
    w.maybe("thinking_budget", budget.map(|budget| budget.0), JsonWriter::number);
}

/// As [`bound`], in OpenRouter's object.
fn bound_object(
    ask: &ReasoningAsk,
    budget: Option<Tokens>,
    off: bool,
    to: &mut To<'_>,
    w: &mut JsonWriter<'_>,
) {
    w.nested("reasoning", |w| {
        match budget {
            Some(budget) => w.number("max_tokens", budget.0),
            None => w.bool("enabled", !off),
        }
        to.losses.write_own(&ask.rest, &"reasoning", w);
    });
}

/// What a chat provider is not asked for.
fn beside(ask: &ReasoningAsk, to: &mut To<'_>) {
    if ask.show.is_some() {
        to.losses.dropped("reasoning.show", "reasoning is shown as the provider shows it");
    }
    if ask.encrypted {
        to.losses.dropped("reasoning.encrypted", "no encrypted reasoning is given");
    }
    if !is_own(&ask.rest) {
        to.losses.own(&ask.rest, &"reasoning").for_each(drop);
    }
}
