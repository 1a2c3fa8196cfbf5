//! Why an answer ended.

use std::borrow::Cow;

use shim_ir::{Finish, FinishReason};

use super::super::decode::finish;

/// The word for the end of an answer, and what it does not say. The dialect's own words are given back as they came.
pub(crate) fn finish_word(ended: &Finish, calls: bool) -> (Cow<'_, str>, Option<&'static str>) {
    let own = ended.words.as_deref().filter(|word| is_own(word, &ended.reason, calls));
    if let Some(word) = own {
        return (Cow::Borrowed(word), None);
    }
    let (word, unsaid) = match ended.reason {
        FinishReason::Stop | FinishReason::ToolCalls | FinishReason::Sequence => ("STOP", None),
        FinishReason::Length => ("MAX_TOKENS", None),
        FinishReason::Filter => ("SAFETY", None),
        FinishReason::Refusal => ("SAFETY", Some("a refusal ends as what a filter stops")),
        FinishReason::Pause => ("OTHER", Some("a pause ends as an end for another reason")),
        FinishReason::BadToolCall => ("MALFORMED_FUNCTION_CALL", None),
        FinishReason::Other => ("OTHER", None),
    };
    (Cow::Borrowed(word), unsaid)
}

/// Whether a word is one of the dialect's: they are in upper case, and say what the reason says.
fn is_own(word: &str, reason: &FinishReason, calls: bool) -> bool {
    let upper = word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    upper && finish(Some(word), calls).is_some_and(|read| read.reason == *reason)
}
