//! `usage` → disjoint classes.

use shim_ir::{Tokens, Usage};
use shim_wire::from_json_kept;

use crate::openai_responses::types::{self, Count};

/// The classes of a `usage` object; `None` when it is none, or states nothing.
///
/// The counts include one another, so classes are taken out of them.
pub(crate) fn usage(text: &str) -> Option<Usage> {
    let (wire, words): (types::Usage<'_>, _) = from_json_kept(text).ok()?;
    let number = |count: Option<Count>| count.unwrap_or_default().0;
    let (input, output) = sides(&wire)?;
    let (mut input, mut output) = (Remaining(input), Remaining(output));
    let of_input = wire.input_tokens_details.as_ref();
    let of_output = wire.output_tokens_details.as_ref();
    Some(Usage {
        cache_read: input.take(number(of_input.and_then(|d| d.cached_tokens))),
        cache_write: input.take(number(of_input.and_then(|d| d.cache_write_tokens))),
        input_audio: input.take(number(of_input.and_then(|d| d.audio_tokens))),
        reasoning: output.take(number(of_output.and_then(|d| d.reasoning_tokens))),
        output_audio: output.take(number(of_output.and_then(|d| d.audio_tokens))),
        output_image: output.take(number(of_output.and_then(|d| d.image_tokens))),
        input_uncached: Tokens(input.0),
        output_text: Tokens(output.0),
        words: Some(words),
        ..Usage::default()
    })
}

/// Input and output. A side that is not stated is what the total leaves for it.
fn sides(wire: &types::Usage<'_>) -> Option<(u64, u64)> {
    let left = |side: Count| wire.total_tokens.unwrap_or(side).0.saturating_sub(side.0);
    match (wire.input_tokens, wire.output_tokens) {
        (Some(input), Some(output)) => Some((input.0, output.0)),
        (Some(input), None) => Some((input.0, left(input))),
        (None, Some(output)) => Some((left(output), output.0)),
        (None, None) => wire.total_tokens.map(|total| (total.0, 0)),
    }
}

/// What is left of a count that includes others.
struct Remaining(u64);

impl Remaining {
    /// Takes a class out.
    fn take(&mut self, class: u64) -> Tokens {
        let taken = class.min(self.0);
        self.0 -= taken;
        Tokens(taken)
    }
}
