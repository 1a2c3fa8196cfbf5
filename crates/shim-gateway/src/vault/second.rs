//! A second try without any state, where a provider says that it cannot read what it was given.
//!
//! What is kept is given to its origin only, but whose the state is that a client brings along is not always known, and a
//! provider may have forgotten its keys, or find that a prefix of the conversation changed.

use shim_ir::{Fault, FaultKind, Part, Request};

/// What providers say of state that they do not take, in lower case:
/// - Anthropic: "Invalid `signature` in `thinking` block",
///   <https://platform.claude.com/docs/en/build-with-claude/preserved-thinking/prefix-checks>, read 2026-11-26;
/// - OpenAI: "The encrypted content … could not be verified",
///   <https://github.com/openai/codex/issues/8145>, and "Item with id 'rs_…' not found",
///   <https://platform.openai.com/docs/guides/conversation-state>, read 2026-11-26;
/// - Google: "Function call is missing a thought_signature", "Corrupted thought signature",
///   <https://ai.google.dev/gemini-api/docs/thought-signatures>, read 2026-11-26;
/// - DeepSeek and Moonshot: "The reasoning_content in the thinking mode must be passed back to the API",
///   <https://api-docs.deepseek.com/guides/thinking_mode>, read 2026-11-26.
const SAID: [&[&str]; 6] = [
    &["signature", "thinking"],
    &["thought", "signature"],
    &["thought_signature"],
    &["encrypted content"],
    &["encrypted_content"],
    &["item with id 'rs_", "not found"],
];

/// Whether an upstream's fault tells of state that it does not take.
pub(crate) fn is_about_state(fault: &Fault) -> bool {
    let refused =
        matches!(fault.kind, FaultKind::InvalidRequest) || matches!(fault.status, Some(400 | 404 | 422));
    let said = fault.message.to_lowercase();
    refused && SAID.iter().any(|words| words.iter().all(|word| said.contains(word)))
}

/// Whether a conversation holds state that only its origin can read.
pub(crate) fn carries_state(request: &Request) -> bool {
    let sealed = |part: &Part| match part {
        Part::Text(text) | Part::Refusal(text) => !text.opaque.is_empty(),
        Part::Media(media) => !media.opaque.is_empty(),
        Part::Reasoning(reasoning) => !reasoning.opaque.is_empty() || reasoning.id.is_some(),
        Part::ToolCall(call) => !call.opaque.is_empty(),
        Part::ToolResult(_) | Part::ServerResult(_) | Part::Foreign(_) => false,
    };
    request.turns.iter().flat_map(|turn| &turn.parts).any(sealed)
}
