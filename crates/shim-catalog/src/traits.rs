//! What the encoders must know of a target, out of the model's row and the quirks of the endpoint.

use shim_ir::{Dialect, Effort, MediaKind, ReasoningControl, Tokens, Traits};

use crate::control::{Control, Manner, Way};
use crate::{Model, Provider, Quirk, StreamUsage};

/// What is known of `model` of a provider, spoken to in `dialect`.
///
/// Of a model that is not in the catalogue only the quirks of the endpoint are known, and those of the names that are
/// like its own; of a provider that is not in it, nothing.
#[must_use]
pub fn traits(provider: &str, model: &str, dialect: Dialect) -> Traits {
    let Some(provider) = crate::provider(provider) else { return Traits::default() };
    let row = crate::model(&provider.id, model);
    let endpoint = provider.endpoint(dialect);
    let quirks: Vec<&Quirk> =
        endpoint.into_iter().flat_map(|e| &e.quirks).filter(|quirk| quirk.is_of(model)).collect();
    Traits {
        output_max: row.and_then(|row| row.output_max).map(Tokens),
        reasoning: reasoning(row, &quirks, dialect),
        media: row.and_then(|row| media(row, &quirks)),
        tools: row.and_then(|row| stated(row, "tools")),
        schema: quirks.iter().rev().find_map(|quirk| quirk.schema).or_else(|| stated(row?, "schema")),
        think_tags: quirks.iter().rev().find_map(|quirk| quirk.think_tags).unwrap_or_default(),
        quirks: endpoint.map(|_| words(provider, row, &quirks, dialect)).unwrap_or_default(),
    }
}

/// Whether a row says that a model has an ability; `None` where it says neither.
fn stated(row: &Model, ability: &str) -> Option<bool> {
    let named = |names: &[String]| names.iter().any(|name| name == ability);
    if named(&row.abilities) { Some(true) } else { named(&row.control.refuses).then_some(false) }
}

/// The media a model takes; `None` where its row does not say. What a quirk adds is beside them.
fn media(row: &Model, quirks: &[&Quirk]) -> Option<Vec<MediaKind>> {
    let takes =
        |name: &str| row.input.iter().chain(quirks.iter().flat_map(|q| &q.input)).any(|own| own == name);
    let kinds = [
        ("image", MediaKind::Image),
        ("pdf", MediaKind::File),
        ("audio", MediaKind::Audio),
        ("video", MediaKind::Video),
    ];
    (!row.input.is_empty())
        .then(|| kinds.into_iter().filter_map(|(name, kind)| takes(name).then_some(kind)).collect())
}

/// How a model is told to reason: as the last quirk that tells of it says, else as its row suggests. A quirk of all
/// models holds for those that are known to reason.
fn reasoning(row: Option<&Model>, quirks: &[&Quirk], dialect: Dialect) -> ReasoningControl {
    let reasons =
        row.and_then(|row| stated(row, "reasoning").or_else(|| row.control.has_way().then_some(true)));
    if reasons == Some(false) {
        return ReasoningControl::None;
    }
    let holds = |quirk: &&&Quirk| !quirk.models.is_empty() || reasons == Some(true);
    let manner = quirks.iter().rev().filter(holds).find_map(|quirk| quirk.reasoning.as_ref());
    let empty = Control::default();
    let own = row.map_or(&empty, |row| &row.control);
    let way = manner.map_or_else(|| usual(own, dialect), |manner| manner.way);
    by(way, &merged(own, manner), row.and_then(|row| row.output_max))
}

/// The way that a row suggests in a dialect.
fn usual(own: &Control, dialect: Dialect) -> Way {
    let effort = (!own.effort.is_empty()).then_some(Way::Effort);
    let budget = own.budget.map(|_| Way::Budget);
    let way = match dialect {
        Dialect::OpenaiChat | Dialect::OpenaiResponses => effort.or(budget),
        Dialect::Gemini => budget.or(effort),
        // A word alone does not tell whether the model takes `adaptive`: that is for the provider files to say.
        Dialect::Anthropic => budget,
    };
    way.unwrap_or(Way::Unknown)
}

/// The control of a row with what an endpoint says in its place.
fn merged(own: &Control, manner: Option<&Manner>) -> Control {
    let Some(other) = manner.map(|manner| &manner.control) else { return own.clone() };
    let mut merged = own.clone();
    if !other.effort.is_empty() {
        merged.effort.clone_from(&other.effort);
    }
    merged.budget = other.budget.or(own.budget);
    merged.off |= other.off;
    merged
}

/// The control in the form that the encoders read. A switch counts as the word `none`.
fn by(way: Way, control: &Control, output_max: Option<u64>) -> ReasoningControl {
    let words = || {
        let off = control.off && !control.effort.contains(&Effort::None);
        off.then_some(Effort::None).into_iter().chain(control.effort.iter().cloned()).collect()
    };
    match way {
        Way::Effort if control.effort.is_empty() => ReasoningControl::Unknown,
        Way::Unknown => ReasoningControl::Unknown,
        Way::None => ReasoningControl::None,
        Way::Fixed => ReasoningControl::Effort(Vec::new()),
        Way::Effort => ReasoningControl::Effort(words()),
        Way::Adaptive => ReasoningControl::Adaptive(words()),
        Way::Budget => {
            let bounds = control.budget.unwrap_or_default();
            ReasoningControl::Budget {
                min: Tokens(bounds.min.unwrap_or_default()),
                max: Tokens(bounds.max.or(output_max).unwrap_or(u64::MAX)),
                off: control.off,
            }
        }
    }
}

/// The words of the quirks, each once, and those that follow from the row and from what the provider does.
fn words(provider: &Provider, row: Option<&Model>, quirks: &[&Quirk], dialect: Dialect) -> Vec<String> {
    let unasked = dialect == Dialect::OpenaiChat && provider.stream_usage != StreamUsage::Option;
    let row = row.into_iter().flat_map(|row| of_row(&row.control, dialect));
    let own = row.chain(unasked.then_some("no_stream_options")).map(str::to_owned);
    let mut words: Vec<String> = Vec::new();
    for word in quirks.iter().flat_map(|quirk| quirk.words.iter().cloned()).chain(own) {
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words
}

/// The words that follow from a row.
fn of_row(control: &Control, dialect: Dialect) -> impl Iterator<Item = &'static str> {
    let back = dialect == Dialect::OpenaiChat && control.back.as_deref() == Some("reasoning_content");
    let fixed = match dialect {
        Dialect::OpenaiChat | Dialect::Anthropic => Some("no_sampling"),
        Dialect::OpenaiResponses => Some("fixed_sampling"),
        Dialect::Gemini => None,
    };
    let fixed = fixed.filter(|_| control.refuses.iter().any(|name| name == "temperature"));
    back.then_some("reasoning_content_back").into_iter().chain(fixed)
}

#[cfg(test)]
mod tests;
