//! Disjoint classes → `usage`, whose counts include one another.

use shim_ir::{Tokens, Usage};
use shim_wire::JsonWriter;

/// Writes the members of `usage`. Source: `ResponseUsage` of the official SDK's types, read 2026-11-25.
pub(crate) fn put_usage(w: &mut JsonWriter<'_>, usage: &Usage) {
    w.number("input_tokens", usage.input_total().0);
    w.nested("input_tokens_details", |w| {
        w.number("cache_write_tokens", (usage.cache_write + usage.cache_write_1h).0);
        w.number("cached_tokens", usage.cache_read.0);
        counted(w, "audio_tokens", usage.input_audio);
    });
    w.number("output_tokens", usage.output_total().0);
    w.nested("output_tokens_details", |w| {
        w.number("reasoning_tokens", usage.reasoning.0);
        counted(w, "audio_tokens", usage.output_audio);
        counted(w, "image_tokens", usage.output_image);
    });
    w.number("total_tokens", (usage.input_total() + usage.output_total()).0);
}

/// A class that OpenAI does not count here: written only where there is any of it.
fn counted(w: &mut JsonWriter<'_>, key: &str, tokens: Tokens) {
    if tokens > Tokens(0) {
        w.number(key, tokens.0);
    }
}
