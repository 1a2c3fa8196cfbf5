//! What ends an answer: usage, and why it ended.

use shim_ir::{Finish, FinishReason, LossKind, Usage};
use shim_wire::JsonWriter;

use super::losses::Losses;
use crate::openai_chat::decode;

/// Writes the members of `usage`: counts that include one another.
/// Source: <https://platform.openai.com/docs/api-reference/chat/object>, read 2026-11-25; `image_tokens` is OpenRouter's.
pub(crate) fn usage(usage: &Usage, w: &mut JsonWriter<'_>) {
    let (input, output) = (usage.input_total(), usage.output_total());
    w.number("prompt_tokens", input.0);
    w.number("completion_tokens", output.0);
    w.number("total_tokens", (input + output).0);
    w.nested("prompt_tokens_details", |w| {
        w.number("cached_tokens", usage.cache_read.0);
        w.number("cache_write_tokens", (usage.cache_write + usage.cache_write_1h).0);
        w.number("audio_tokens", usage.input_audio.0);
    });
    w.nested("completion_tokens_details", |w| {
        w.number("reasoning_tokens", usage.reasoning.0);
        w.number("audio_tokens", usage.output_audio.0);
        if usage.output_image.0 > 0 {
            w.number("image_tokens", usage.output_image.0);
        }
        w.number("accepted_prediction_tokens", 0);
        w.number("rejected_prediction_tokens", 0);
    });
}

/// The finish words that are written as they came: OpenAI's, and those that only providers of this dialect have.
const WORDS: [&str; 9] = [
    "stop",
    "length",
    "tool_calls",
    "content_filter",
    "function_call",
    "",
    "eos",
    "model_length",
    "insufficient_system_resource",
];

/// What a client was told when its answer ends.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Told {
    /// Whether a tool was called.
    pub(crate) calls: bool,
    /// Whether the model refused in words.
    pub(crate) refused: bool,
    /// Whether calls are told in the deprecated form.
    pub(crate) legacy: bool,
}

/// The end of an answer that did not say why it ended. Clients need a reason, and take a stream without one for one that was
/// cut.
pub(crate) fn unsaid(candidate: usize, losses: &mut Losses) -> Finish {
    let why = "an answer that is complete says why it ended";
    losses.add(format_args!("candidates[{candidate}].finish"), LossKind::Defaulted, why);
    Finish { reason: FinishReason::Stop, words: None, sequence: None }
}

/// Why an answer ended, in OpenAI's word.
pub(crate) fn finish_word<'f>(
    finish: &'f Finish,
    told: Told,
    candidate: usize,
    losses: &mut Losses,
) -> &'f str {
    if let Some(words) = finish.words.as_deref().filter(|words| WORDS.contains(words))
        && decode::finish(Some(words), finish.sequence.as_deref(), told.calls).as_ref() == Some(finish)
    {
        return words;
    }
    let mut near = |why: &'static str| {
        losses.approximated(format_args!("candidates[{candidate}].finish"), why);
    };
    match finish.reason {
        FinishReason::ToolCalls | FinishReason::Stop if told.calls && told.legacy => "function_call",
        FinishReason::Stop if told.calls => "tool_calls",
        FinishReason::Stop | FinishReason::Sequence => "stop",
        FinishReason::Length => "length",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::Filter => "content_filter",
        FinishReason::Refusal if told.refused => "stop",
        FinishReason::Refusal => {
            near("a refusal is told as the work of a filter");
            "content_filter"
        }
        FinishReason::Pause => {
            near("that the answer pauses cannot be told");
            "stop"
        }
        FinishReason::BadToolCall => {
            near("that a call could not be read cannot be told");
            "stop"
        }
        FinishReason::Other => {
            near("there is no word for it");
            "stop"
        }
    }
}
