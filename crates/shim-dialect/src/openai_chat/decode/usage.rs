//! `usage` → disjoint classes.

use shim_ir::{Tokens, Usage};
use shim_wire::scan::{Limits, ScanError};
use shim_wire::{RawJson, Value, Walk};

/// The classes of a `usage` object; `None` when it is none, or states nothing.
pub(crate) fn usage(words: RawJson) -> Option<Usage> {
    let mut stated = Stated::default();
    Walk::whole(words.get(), Limits::default(), |walk, key| stated.member(walk, key)).ok()?;
    stated.usage(words)
}

/// The numbers of a `usage` object. `prompt_tokens` includes the cached and the audio ones, `completion_tokens` those of
/// reasoning and audio. Others count some of them apart.
#[derive(Default)]
pub(crate) struct Stated {
    prompt: Option<u64>,
    completion: Option<u64>,
    total: Option<u64>,
    audio: Option<u64>,
    cached: Option<u64>,
    /// Words of others for cached input: DeepSeek's, Moonshot's and Together's, Mistral's.
    cached_elsewhere: [Option<u64>; 3],
    cache_write: Option<u64>,
    reasoning: Option<u64>,
    /// Perplexity's place for reasoning.
    reasoning_elsewhere: Option<u64>,
    audio_out: Option<u64>,
    /// OpenRouter's.
    image_out: Option<u64>,
}

impl Stated {
    /// Reads the object at this place.
    pub(crate) fn read(&mut self, walk: &mut Walk<'_>) -> Result<(), ScanError> {
        walk.object(|walk, key| self.member(walk, key))
    }

    fn member(&mut self, walk: &mut Walk<'_>, key: &str) -> Result<(), ScanError> {
        let [hit, cached, num_cached] = &mut self.cached_elsewhere;
        let slot = match key {
            "prompt_tokens_details" => return walk.object(|walk, key| self.of_prompt(walk, key)),
            "completion_tokens_details" => return walk.object(|walk, key| self.of_completion(walk, key)),
            "prompt_tokens" => &mut self.prompt,
            "completion_tokens" => &mut self.completion,
            "total_tokens" => &mut self.total,
            "prompt_cache_hit_tokens" => hit,
            "cached_tokens" => cached,
            "num_cached_tokens" => num_cached,
            "reasoning_tokens" => &mut self.reasoning_elsewhere,
            _ => return Ok(()),
        };
        *slot = number(&walk.value()?);
        Ok(())
    }

    fn of_prompt(&mut self, walk: &mut Walk<'_>, key: &str) -> Result<(), ScanError> {
        let slot = match key {
            "audio_tokens" => &mut self.audio,
            "cached_tokens" => &mut self.cached,
            "cache_write_tokens" => &mut self.cache_write,
            _ => return Ok(()),
        };
        *slot = number(&walk.value()?);
        Ok(())
    }

    fn of_completion(&mut self, walk: &mut Walk<'_>, key: &str) -> Result<(), ScanError> {
        let slot = match key {
            "audio_tokens" => &mut self.audio_out,
            "reasoning_tokens" => &mut self.reasoning,
            "image_tokens" => &mut self.image_out,
            _ => return Ok(()),
        };
        *slot = number(&walk.value()?);
        Ok(())
    }

    /// The classes of what was read, with `words` for what it was read from; `None` when nothing was stated.
    ///
    /// OpenAI's counts include one another, so classes are taken out of them. Some providers count a class apart; the
    /// total they state tells. Where none is stated, a class larger than what should include it is apart.
    pub(crate) fn usage(&self, words: RawJson) -> Option<Usage> {
        let count = Counts::of(self)?;
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
}

/// A count, which some providers write as a float. A negative one is 0, what is no number states nothing.
#[expect(clippy::cast_possible_truncation, reason = "the cast saturates, and a fraction has no meaning")]
#[expect(clippy::cast_sign_loss, reason = "the cast saturates at 0")]
fn number(value: &Value<'_>) -> Option<u64> {
    value.as_u64().or_else(|| value.text().parse::<f64>().ok().map(|number| number as u64))
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
    fn of(stated: &Stated) -> Option<Self> {
        let (prompt, completion) = sides(stated)?;
        let read = stated.cached_elsewhere.iter().fold(stated.cached, |read, other| read.or(*other));
        Some(Self {
            prompt,
            completion,
            beyond: stated.total.unwrap_or_default().saturating_sub(prompt.saturating_add(completion)),
            audio: stated.audio.unwrap_or_default(),
            read: read.unwrap_or_default(),
            write: stated.cache_write.unwrap_or_default(),
            reasoning: stated.reasoning.or(stated.reasoning_elsewhere).unwrap_or_default(),
            audio_out: stated.audio_out.unwrap_or_default(),
            image_out: stated.image_out.unwrap_or_default(),
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
fn sides(stated: &Stated) -> Option<(u64, u64)> {
    match (stated.prompt, stated.completion, stated.total) {
        (Some(prompt), completion, _) => Some((prompt, completion.unwrap_or_default())),
        (None, Some(completion), total) => {
            Some((total.unwrap_or_default().saturating_sub(completion), completion))
        }
        (None, None, Some(total)) => Some((total, 0)),
        (None, None, None) => None,
    }
}
