//! Why an answer ended.

use serde_json::value::RawValue;
use shim_ir::{Finish, FinishReason};
use shim_wire::from_raw;

use crate::gemini_generate::types::PromptFeedback;

/// Whether a finish reason says that the answer ended: its zero value does not.
pub(crate) fn is_finish(word: &str) -> bool {
    !word.is_empty() && word != "FINISH_REASON_UNSPECIFIED"
}

/// The words for an answer that was held back.
const FILTERED: [&str; 10] = [
    "SAFETY",
    "RECITATION",
    "LANGUAGE",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "MODEL_ARMOR",
    "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
];

/// Why an answer ended. The dialect says `STOP` also when tools are to be run.
pub(crate) fn finish(word: Option<&str>, calls: bool) -> Option<Finish> {
    let word = word.filter(|word| is_finish(word))?;
    let reason = match word {
        "STOP" if calls => FinishReason::ToolCalls,
        "STOP" => FinishReason::Stop,
        "MAX_TOKENS" => FinishReason::Length,
        _ if FILTERED.contains(&word) => FinishReason::Filter,
        "MALFORMED_FUNCTION_CALL" | "UNEXPECTED_TOOL_CALL" | "TOO_MANY_TOOL_CALLS" => {
            FinishReason::BadToolCall
        }
        // `OTHER`, `IMAGE_OTHER`, `NO_IMAGE`, `MISSING_THOUGHT_SIGNATURE`, `MALFORMED_RESPONSE` and what is to come.
        _ => FinishReason::Other,
    };
    Some(Finish { reason, words: Some(word.to_owned()), sequence: None })
}

/// The end of an answer to a prompt that was blocked, from `promptFeedback`; `None` when it was not.
pub(crate) fn blocked(feedback: &RawValue) -> Option<Finish> {
    let word = from_raw::<PromptFeedback<'_>>(feedback).ok()?.block_reason?.into_string();
    (!word.is_empty()).then_some(Finish { reason: FinishReason::Filter, words: Some(word), sequence: None })
}
