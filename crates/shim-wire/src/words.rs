//! Words that are looked for among the strings of a text while it is read, which is much cheaper than to search for them.

/// Up to 32 words, each of at most 31 bytes.
#[derive(Debug, PartialEq, Eq)]
pub struct Words {
    words: &'static [&'static str],
    /// A bit for each length there is.
    lengths: u32,
}

/// Which of [`Words`] a text holds: as a whole string, a name or a value, that is written without escapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    words: &'static [&'static str],
    bits: u32,
}

impl Words {
    /// Looks for `words`. Those beyond the 32nd, and longer ones, are never found.
    #[must_use]
    pub const fn new(words: &'static [&'static str]) -> Self {
        let (mut lengths, mut rest) = (0, words);
        while let [word, others @ ..] = rest {
            lengths |= if word.len() < 32 { 1 << word.len() } else { 0 };
            rest = others;
        }
        Self { words, lengths }
    }

    /// The bit of `word`; 0 for what is not looked for.
    #[inline]
    pub(crate) fn bit(&self, word: &[u8]) -> u32 {
        if word.len() >= 32 || self.lengths >> word.len() & 1 == 0 {
            return 0;
        }
        let at = self.words.iter().take(32).position(|known| known.as_bytes() == word);
        at.map_or(0, |at| 1 << at)
    }

    pub(crate) fn found(&self, bits: u32) -> Found {
        Found { words: self.words, bits }
    }
}

impl Found {
    /// Whether the text holds `word`; true also of a word that was not looked for.
    #[must_use]
    pub fn may_hold(&self, word: &str) -> bool {
        let at = self.words.iter().take(32).position(|known| *known == word);
        at.is_none_or(|at| self.bits >> at & 1 == 1)
    }
}
