//! How tokens are chosen, in the members and ranges that Anthropic has.

use shim_ir::{LossKind, Sampling};
use shim_wire::JsonWriter;

use super::{Cx, NO_SAMPLING, ONE_SAMPLER};

/// Bound on the output where neither the client nor the catalogue states one, beside the budget to think: what every
/// model that is served takes.
/// Source: <https://platform.claude.com/docs/en/about-claude/models/overview>, read 2026-11-25.
const OUTPUT_MAX: u64 = 8_192;

/// The bound on the output, which is required. `budget` is what of it may be thought.
pub(super) fn output_max(sampling: &Sampling, budget: Option<u64>, cx: &mut Cx<'_>) -> u64 {
    let known = cx.traits.and_then(|traits| traits.output_max).map(|max| max.0);
    match (sampling.output_max, known) {
        (Some(asked), Some(known)) if asked.0 > known => {
            let why = "the model's own bound on the output is lower";
            cx.lose("sampling.output_max", LossKind::Approximated, why);
            known
        }
        (Some(asked), _) => asked.0,
        (None, known) => {
            let why = match known {
                Some(_) => "a bound is required: the model's own",
                None => "a bound is required: 8192, beside the budget to think",
            };
            cx.lose("sampling.output_max", LossKind::Defaulted, why);
            known.unwrap_or(OUTPUT_MAX.saturating_add(budget.unwrap_or_default()))
        }
    }
}

/// `temperature`, `top_p`, `top_k` and `stop_sequences` of a request.
pub(super) fn write(w: &mut JsonWriter<'_>, sampling: &Sampling, thinks: bool, cx: &mut Cx<'_>) {
    let temperature = temperature(sampling, thinks, cx);
    if let Some(temperature) = temperature {
        w.member("temperature").float(temperature);
    }
    if let Some(top_p) = top_p(sampling, temperature.is_some(), thinks, cx) {
        w.member("top_p").float(top_p);
    }
    if let Some(top_k) = top_k(sampling, thinks, cx) {
        w.number("top_k", top_k);
    }
    stop_sequences(w, sampling, cx);
    leave_out(sampling, cx);
}

/// 0 to 1, and 1 where the model thinks.
fn temperature(sampling: &Sampling, thinks: bool, cx: &mut Cx<'_>) -> Option<f64> {
    let asked = sampling.temperature?;
    if cx.has(NO_SAMPLING) || (thinks && asked != 1.0) {
        let why = if thinks { "a model that thinks takes none" } else { "the model takes none" };
        cx.lose("sampling.temperature", LossKind::Dropped, why);
        return None;
    }
    let taken = asked.clamp(0.0, 1.0);
    if taken != asked {
        cx.lose("sampling.temperature", LossKind::Approximated, "a temperature is 0 to 1");
    }
    Some(taken)
}

/// 0 to 1, and 0.95 or more where the model thinks.
fn top_p(sampling: &Sampling, tempered: bool, thinks: bool, cx: &mut Cx<'_>) -> Option<f64> {
    let asked = sampling.top_p?;
    if cx.has(NO_SAMPLING) || (tempered && cx.has(ONE_SAMPLER)) {
        if asked < 1.0 {
            cx.lose(
                "sampling.top_p",
                LossKind::Dropped,
                "the model takes none, or none beside a temperature",
            );
        }
        return None;
    }
    let taken = asked.clamp(if thinks { 0.95 } else { 0.0 }, 1.0);
    if taken != asked {
        let why = if thinks { "a model that thinks takes 0.95 to 1" } else { "it is 0 to 1" };
        cx.lose("sampling.top_p", LossKind::Approximated, why);
    }
    Some(taken)
}

/// A whole number, not below 0, and none where the model thinks.
#[expect(clippy::cast_possible_truncation, reason = "the cast saturates, and the number was rounded")]
fn top_k(sampling: &Sampling, thinks: bool, cx: &mut Cx<'_>) -> Option<u64> {
    let asked = sampling.top_k?;
    if thinks || cx.has(NO_SAMPLING) {
        cx.lose("sampling.top_k", LossKind::Dropped, "the model takes none, or none where it thinks");
        return None;
    }
    let taken = asked.round() as u64;
    if asked.fract() != 0.0 || asked < 0.0 {
        cx.lose("sampling.top_k", LossKind::Approximated, "it is a whole number");
    }
    Some(taken)
}

/// `stop_sequences`, each of which has more than white space.
fn stop_sequences(w: &mut JsonWriter<'_>, sampling: &Sampling, cx: &mut Cx<'_>) {
    if sampling.stop.iter().any(|word| !word.trim().is_empty()) {
        w.array("stop_sequences", |w| {
            sampling
                .stop
                .iter()
                .filter(|word| !word.trim().is_empty())
                .for_each(|word| w.element().string(word));
        });
    }
    for (at, word) in sampling.stop.iter().enumerate() {
        if word.trim().is_empty() {
            let why = "a stop sequence has more than white space";
            cx.lose(format_args!("sampling.stop[{at}]"), LossKind::Unsupported, why);
        }
    }
}

/// Tells what has no place.
fn leave_out(sampling: &Sampling, cx: &mut Cx<'_>) {
    let set = |penalty: Option<f64>| penalty.is_some_and(|penalty| penalty != 0.0);
    let mut lose = |lost: bool, path: &str, kind: LossKind, why: &'static str| {
        if lost {
            cx.lose(path, kind, why);
        }
    };
    let none = "there is no such setting";
    lose(set(sampling.frequency_penalty), "sampling.frequency_penalty", LossKind::Dropped, none);
    lose(set(sampling.presence_penalty), "sampling.presence_penalty", LossKind::Dropped, none);
    lose(sampling.seed.is_some(), "sampling.seed", LossKind::Dropped, none);
    let several = sampling.candidates.is_some_and(|number| number > 1);
    lose(several, "sampling.candidates", LossKind::Unsupported, "there is one answer to a request");
    let wanted = sampling.logprobs == Some(true);
    lose(wanted, "sampling.logprobs", LossKind::Unsupported, "there are no log probabilities");
}
