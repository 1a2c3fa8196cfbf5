//! `usage` → disjoint classes.

use shim_ir::{Tokens, Usage};
use shim_wire::from_json_kept;

use crate::openai_chat::types::{self, Count};

/// The classes of a `usage` object; `None` when it is none, or states nothing.
///
/// OpenAI's counts include one another, so classes are taken out of them. Some providers count a class apart; the
/// total they state tells. Where none is stated, a class larger than what should include it is apart.
pub(crate) fn usage(text: &str) -> Option<Usage> {
    let (wire, words): (types::Usage<'_>, _) = from_json_kept(text).ok()?;
    let count = Counts::of(&wire)?;
    let (cache_read, cache_write) = count.cached();
    let mut input = Remaining(count.prompt);
    let mut output = Remaining(count.completion);
    Some(Usage {
        cache_read: input.take(cache_read),
        cache_write: input.take(cache_write),
        input_audio: if count.audio_apart() { Tokens(count.audio) } else { input.take(count.audio) },
        reasoning: count.reasoning_of(&mut output),
        output_audio: output.take(count.audio_out),
        output_image: output.take(count.image_out),
        input_uncached: Tokens(input.0),
        output_text: Tokens(output.0),
        words: Some(words),
        ..Usage::default()
    })
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

/// The counts as stated.
struct Counts {
    prompt: u64,
    completion: u64,
    /// Tokens of the stated total that are in neither count.
    beyond: u64,
    audio: u64,
    read: u64,
    write: u64,
    reasoning: u64,
    audio_out: u64,
    image_out: u64,
}

impl Counts {
    fn of(wire: &types::Usage<'_>) -> Option<Self> {
        let number = |count: Option<Count>| count.unwrap_or_default().0;
        let input = wire.prompt_tokens_details.as_ref();
        let output = wire.completion_tokens_details.as_ref();
        let read = input.and_then(|d| d.cached_tokens).or(wire.prompt_cache_hit_tokens);
        let read = read.or(wire.cached_tokens).or(wire.num_cached_tokens);
        let reasoning = output.and_then(|d| d.reasoning_tokens).or(wire.reasoning_tokens);
        let (prompt, completion) = sides(wire)?;
        Some(Self {
            prompt,
            completion,
            beyond: number(wire.total_tokens).saturating_sub(prompt.saturating_add(completion)),
            audio: number(input.and_then(|d| d.audio_tokens)),
            read: number(read),
            write: number(input.and_then(|d| d.cache_write_tokens)),
            reasoning: number(reasoning),
            audio_out: number(output.and_then(|d| d.audio_tokens)),
            image_out: number(output.and_then(|d| d.image_tokens)),
        })
    }

    /// Cached input read and written. Grok on Azure reports cached tokens of a prompt of its own, more than
    /// `prompt_tokens` and not in its total: they are not the client's. Gemini behind OpenRouter reports the same
    /// tokens as written and read: they count as read.
    fn cached(&self) -> (u64, u64) {
        let read = if self.read > self.prompt { 0 } else { self.read };
        let write = if read.saturating_add(self.write) > self.prompt { 0 } else { self.write };
        (read, write)
    }

    /// Mistral counts audio input beside `prompt_tokens`.
    fn audio_apart(&self) -> bool {
        self.audio > 0 && self.beyond >= self.audio && self.beyond != self.reasoning
    }

    /// xAI counts reasoning beside `completion_tokens`; so does Perplexity's deep research, beside its total even.
    fn reasoning_apart(&self) -> bool {
        let audio = if self.audio_apart() { self.audio } else { 0 };
        self.reasoning > 0 && (self.beyond - audio == self.reasoning || self.reasoning > self.completion)
    }

    /// The tokens of reasoning, taken out of `output` where they are in it.
    fn reasoning_of(&self, output: &mut Remaining) -> Tokens {
        if self.reasoning_apart() {
            return Tokens(self.reasoning);
        }
        output.take(self.reasoning) + Tokens(self.unexplained())
    }

    /// Tokens of the total that no count explains: Gemini's compatible API leaves its thinking out of both.
    fn unexplained(&self) -> u64 {
        self.beyond - if self.audio_apart() { self.audio } else { 0 }
    }
}

/// Input and output. Voyage states the total alone, which is all input.
fn sides(wire: &types::Usage<'_>) -> Option<(u64, u64)> {
    match (wire.prompt_tokens, wire.completion_tokens, wire.total_tokens) {
        (Some(prompt), completion, _) => Some((prompt.0, completion.unwrap_or_default().0)),
        (None, Some(completion), total) => {
            Some((total.unwrap_or_default().0.saturating_sub(completion.0), completion.0))
        }
        (None, None, Some(total)) => Some((total.0, 0)),
        (None, None, None) => None,
    }
}
