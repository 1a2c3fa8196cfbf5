//! `usage` → disjoint classes.

use serde_json::value::RawValue;
use shim_ir::{Rest, Tokens, Usage};
use shim_wire::{RawJson, Str, from_json, from_raw};

use super::{members, object};
use crate::anthropic_messages::types;

/// The classes of a `usage` object; `None` when it is none, or states nothing.
///
/// The counts at its top leave out what a compaction of the conversation read and wrote, though it is billed like the
/// rest; it is added here. What an advisor used is left out as well, and stays so: that is another model's, at another
/// price, and is told in `words`.
/// Source: <https://platform.claude.com/docs/en/build-with-claude/compaction-threshold>, read 2026-11-24.
pub(crate) fn usage(text: &str) -> Option<Usage> {
    let wire: types::Usage<'_> = from_json(text).ok()?;
    if wire.input_tokens.is_none() && wire.output_tokens.is_none() {
        return None;
    }
    let compactions = wire.iterations.map(compactions).unwrap_or_default();
    let total = compactions.iter().fold(classes(&wire), add);
    Some(Usage { words: RawJson::parse(text).ok(), ..total })
}

/// What each compaction used.
fn compactions(raw: &RawValue) -> Vec<Usage> {
    let iterations: Vec<types::Usage<'_>> = from_raw(raw).unwrap_or_default();
    let of_kind = |iteration: &&types::Usage<'_>| iteration.kind.as_deref() == Some("compaction");
    iterations.iter().filter(of_kind).map(classes).collect()
}

/// The counts of one object, without what its iterations say.
fn classes(wire: &types::Usage<'_>) -> Usage {
    let number = |count: Option<u64>| Tokens(count.unwrap_or_default());
    let lives = wire.cache_creation.as_ref();
    let hour = number(lives.and_then(|lives| lives.ephemeral_1h_input_tokens));
    let minutes = number(lives.and_then(|lives| lives.ephemeral_5m_input_tokens));
    let written = wire.cache_creation_input_tokens.map_or(hour + minutes, Tokens);
    let output = number(wire.output_tokens);
    let details = wire.output_tokens_details.as_ref();
    let reasoning = number(details.and_then(|details| details.thinking_tokens)).min(output);
    Usage {
        input_uncached: number(wire.input_tokens),
        cache_read: number(wire.cache_read_input_tokens),
        cache_write: written.without(hour),
        cache_write_1h: hour.min(written),
        output_text: output.without(reasoning),
        reasoning,
        ..Usage::default()
    }
}

/// The sum, class by class.
fn add(mut sum: Usage, more: &Usage) -> Usage {
    sum.input_uncached += more.input_uncached;
    sum.cache_read += more.cache_read;
    sum.cache_write += more.cache_write;
    sum.cache_write_1h += more.cache_write_1h;
    sum.output_text += more.output_text;
    sum.reasoning += more.reasoning;
    sum
}

/// The class of service a `usage` object tells of.
pub(crate) fn service_tier(text: &str) -> Option<String> {
    from_json::<types::Usage<'_>>(text).ok()?.service_tier.map(Str::into_string)
}

/// What was used by the last word on each count: the events of a stream are cumulative, and a later one repeats only
/// some members.
#[derive(Debug, Default)]
pub(crate) struct Used(Option<Words>);

#[derive(Debug)]
struct Words {
    members: Rest,
    text: String,
}

impl Used {
    /// Takes a `usage` object and returns what was used so far.
    pub(crate) fn take(&mut self, text: &str) -> Option<Usage> {
        let later = members(text)?;
        match &mut self.0 {
            Some(words) => {
                words.members.merge(later);
                words.text = object(&words.members);
            }
            None => self.0 = Some(Words { members: later, text: text.to_owned() }),
        }
        usage(&self.0.as_ref()?.text)
    }
}
