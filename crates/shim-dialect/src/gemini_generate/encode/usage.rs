//! Disjoint classes → `usageMetadata`.
//! Source: <https://ai.google.dev/api/generate-content#UsageMetadata>, read 2026-11-25.

use shim_ir::{Tokens, Usage};
use shim_wire::JsonWriter;

use super::losses::Losses;

/// The prompt holds the cached tokens; what was thought is counted apart.
pub(crate) fn usage(w: &mut JsonWriter<'_>, usage: &Usage, tier: Option<&str>, losses: &mut Losses) {
    if usage.cache_write + usage.cache_write_1h != Tokens(0) {
        losses.near("usage.cache_write".to_owned(), "counted with the rest of the prompt");
    }
    let said = usage.output_text + usage.output_audio + usage.output_image;
    w.number("promptTokenCount", usage.input_total().0);
    some(w, "cachedContentTokenCount", usage.cache_read);
    w.number("candidatesTokenCount", said.0);
    some(w, "thoughtsTokenCount", usage.reasoning);
    w.number("totalTokenCount", (usage.input_total() + usage.output_total()).0);
    let text = usage.input_total().without(usage.input_audio);
    details(w, "promptTokensDetails", [("TEXT", text), ("AUDIO", usage.input_audio), ("IMAGE", Tokens(0))]);
    let media = [("TEXT", usage.output_text), ("AUDIO", usage.output_audio), ("IMAGE", usage.output_image)];
    details(w, "candidatesTokensDetails", media);
    w.maybe("serviceTier", tier, JsonWriter::string);
}

/// The word for a class of service; `None` for one that clients do not know.
/// Source: `ServiceTier` of <https://ai.google.dev/api/generate-content>, read 2026-11-25.
pub(crate) fn tier(word: &str) -> Option<&'static str> {
    let is = |own: &&&str| own.eq_ignore_ascii_case(word);
    let usual = ["default", "standard_only", "on_demand"];
    let known = ["standard", "flex", "priority"].iter().find(is).copied();
    known.or_else(|| usual.iter().find(is).map(|_| "standard"))
}

/// The class of service an answer tells of.
pub(crate) fn told_tier(word: Option<&str>, losses: &mut Losses) -> Option<&'static str> {
    let known = word.and_then(tier);
    if word.is_some() && known.is_none() {
        losses.dropped("service_tier".to_owned(), "there is no such class of service");
    }
    known
}

fn some(w: &mut JsonWriter<'_>, key: &str, tokens: Tokens) {
    if tokens != Tokens(0) {
        w.number(key, tokens.0);
    }
}

/// The tokens of each modality, where there is more than text.
fn details(w: &mut JsonWriter<'_>, key: &str, list: [(&str, Tokens); 3]) {
    if list.iter().skip(1).all(|(_, tokens)| *tokens == Tokens(0)) {
        return;
    }
    w.array(key, |w| {
        for (modality, tokens) in list.into_iter().filter(|(_, tokens)| *tokens != Tokens(0)) {
            w.element().object(|w| {
                w.string("modality", modality);
                w.number("tokenCount", tokens.0);
            });
        }
    });
}
