//! Token usage in disjoint classes.

use shim_wire::RawJson;

use crate::Tokens;

/// What an answer used. The counters are disjoint: no token is in two of them, and totals are computed.
///
/// A dialect whose counts include one another (OpenAI's `prompt_tokens` holds the cached ones) takes them apart when
/// decoding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Input read at full price: text, and whatever has no class of its own.
    pub input_uncached: Tokens,
    /// Audio input, where it is counted apart; not in `input_uncached`.
    pub input_audio: Tokens,
    /// Input read from a prompt cache, of any modality.
    pub cache_read: Tokens,
    /// Input written to a prompt cache that lives minutes (Anthropic's 5 minutes; any cache without a stated life).
    pub cache_write: Tokens,
    /// Input written to a prompt cache that lives an hour.
    pub cache_write_1h: Tokens,
    /// Output that is neither reasoning nor audio nor an image.
    pub output_text: Tokens,
    /// Output spent on reasoning, shown or not.
    pub reasoning: Tokens,
    /// Audio output.
    pub output_audio: Tokens,
    /// Image output.
    pub output_image: Tokens,
    /// The upstream's own words: its usage object, verbatim.
    pub words: Option<RawJson>,
}

impl Usage {
    /// The counters alone, without the upstream's words.
    #[must_use]
    pub fn counts(&self) -> Self {
        let Self { input_uncached, input_audio, cache_read, cache_write, cache_write_1h, .. } = *self;
        let Self { output_text, reasoning, output_audio, output_image, .. } = *self;
        Self {
            input_uncached,
            input_audio,
            cache_read,
            cache_write,
            cache_write_1h,
            output_text,
            reasoning,
            output_audio,
            output_image,
            words: None,
        }
    }

    /// All input.
    #[must_use]
    pub fn input_total(&self) -> Tokens {
        self.input_uncached + self.input_audio + self.cache_read + self.cache_write + self.cache_write_1h
    }

    /// All output.
    #[must_use]
    pub fn output_total(&self) -> Tokens {
        self.output_text + self.reasoning + self.output_audio + self.output_image
    }

    /// Whether the counters say the same as `other`'s, whatever the words.
    #[must_use]
    pub fn same_counts(&self, other: &Self) -> bool {
        Self { words: None, ..self.clone() } == Self { words: None, ..other.clone() }
    }
}
