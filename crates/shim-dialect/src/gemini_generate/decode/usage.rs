//! `usageMetadata` → disjoint classes.

use crate::gemini_generate::types::UsageMetadata;
use serde_json::value::RawValue;
use shim_ir::{Tokens, Usage};

/// The classes of a `usageMetadata` object; `None` when it is none, or counts nothing.
///
/// The prompt holds the cached tokens; what tools read and what was thought is counted apart.
pub(crate) fn usage(raw: &RawValue) -> Option<Usage> {
    let wire: UsageMetadata<'_> = serde_json::from_str(raw.get()).ok().filter(counts)?;
    let cached = number(wire.cached_content_token_count);
    let prompt = number(wire.prompt_token_count).without(cached);
    let heard = Tokens(wire.prompt_tokens_details.audio).without(Tokens(wire.cache_tokens_details.audio));
    let input_audio = heard.min(prompt);
    let (output_text, output_audio, output_image) = output(&wire);
    Some(Usage {
        input_uncached: prompt.without(input_audio) + number(wire.tool_use_prompt_token_count),
        input_audio,
        cache_read: cached,
        output_text,
        reasoning: number(wire.thoughts_token_count),
        output_audio,
        output_image,
        words: Some(raw.into()),
        ..Usage::default()
    })
}

/// The text, the sound and the images of the candidates.
fn output(wire: &UsageMetadata<'_>) -> (Tokens, Tokens, Tokens) {
    let all = number(wire.candidates_token_count);
    let audio = Tokens(wire.candidates_tokens_details.audio).min(all);
    let image = Tokens(wire.candidates_tokens_details.image).min(all.without(audio));
    (all.without(audio).without(image), audio, image)
}

fn number(count: Option<u64>) -> Tokens {
    Tokens(count.unwrap_or_default())
}

/// Whether anything is counted: Vertex AI's chunks before the last tell the kind of traffic alone.
fn counts(wire: &UsageMetadata<'_>) -> bool {
    wire.prompt_token_count.is_some()
        || wire.candidates_token_count.is_some()
        || wire.thoughts_token_count.is_some()
        || wire.tool_use_prompt_token_count.is_some()
        || wire.total_token_count.is_some()
}
