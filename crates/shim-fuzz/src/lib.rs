//! Dev only: what the fuzz targets do, as functions a test can call too.
//!
//! A target takes any bytes and panics where a law does not hold. `fuzz/` wraps each in a binary for libFuzzer; the tests
//! here run them over the seeds, over what was found before, and over the corpus.

mod across;
mod config;
mod dialect;
mod frames;
mod json;
mod kept;
mod route;
mod splices;

use shim_dialect::Decode;
use shim_dialect::anthropic_messages::AnthropicMessages;
use shim_dialect::gemini_generate::GeminiGenerate;
use shim_dialect::openai_chat::OpenaiChat;
use shim_dialect::openai_responses::OpenaiResponses;

/// Every target. Those of a dialect begin with its folder's name.
pub const TARGETS: [&str; 24] = [
    "json",
    "sse",
    "array",
    "splice",
    "openai_chat_request",
    "openai_chat_answer",
    "openai_chat_stream",
    "openai_chat_fault",
    "openai_responses_request",
    "openai_responses_answer",
    "openai_responses_stream",
    "openai_responses_fault",
    "anthropic_messages_request",
    "anthropic_messages_answer",
    "anthropic_messages_stream",
    "anthropic_messages_fault",
    "gemini_generate_request",
    "gemini_generate_answer",
    "gemini_generate_stream",
    "gemini_generate_fault",
    "config",
    "route",
    "vault",
    "kept",
];

/// The dialects, by the names of their folders.
const DIALECTS: [(&str, &dyn Decode); 4] = [
    ("openai_chat", &OpenaiChat),
    ("openai_responses", &OpenaiResponses),
    ("anthropic_messages", &AnthropicMessages),
    ("gemini_generate", &GeminiGenerate),
];

/// Runs a target. One that is not in [`TARGETS`] does nothing.
pub fn run(target: &str, data: &[u8]) {
    match target {
        "json" => json::check(data),
        "sse" => frames::sse(data),
        "array" => frames::array(data),
        "splice" => splices::check(data),
        "config" => config::check(data),
        "route" => route::check(data),
        "vault" => kept::record(data),
        "kept" => kept::exchange(data),
        _ => of_dialect(target, data),
    }
}

fn of_dialect(target: &str, data: &[u8]) {
    let (folder, what) = target.rsplit_once('_').unwrap_or_default();
    for (_, codec) in DIALECTS.iter().filter(|(name, _)| *name == folder) {
        match what {
            "request" => dialect::request(*codec, data),
            "answer" => dialect::answer(*codec, data),
            "stream" => dialect::stream(*codec, data),
            "fault" => dialect::fault(*codec, data),
            _ => {}
        }
    }
}

/// A place in `data` that the fuzzer chooses, without taking anything from it.
fn place(data: &[u8]) -> usize {
    let number = data.iter().rev().take(2).fold(0, |number, byte| number << 8 | usize::from(*byte));
    number % (data.len() + 1)
}

/// `data` in two pieces that the fuzzer chooses.
fn halves(data: &[u8]) -> [&[u8]; 2] {
    let (head, tail) = data.split_at(place(data));
    [head, tail]
}
