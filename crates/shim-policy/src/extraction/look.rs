//! A text, looked at word by word: its edges, its words, and whether it asks for reasoning.

use std::hash::{BuildHasher as _, Hasher as _};

use foldhash::quality::FixedState;
use memchr::memmem;

use super::phrases::{ANCHORS, ELSEWHERE, PHRASES};

/// How much of a question is looked at for phrases, lines and words, in bytes; all of it goes into its hash.
const LOOKED_AT_BYTES: usize = 2 << 10;

/// Words of a question that are counted.
const WORDS_MAX: usize = 256;

/// Words of which a mark is made: at the edges of a question.
const MARK_WORDS: usize = 4;

/// Words of which one is made at the beginning of a line inside.
const LINE_WORDS: usize = 3;

/// Lines after the first of which the beginning is a mark.
const LINES_MAX: usize = 4;

/// Words shorter or longer than this say little of what a text is about: articles, and keys in base64.
const WORD_CHARS: std::ops::RangeInclusive<usize> = 4..=24;

/// Reads along with a text, word by word.
pub(super) struct Look<'s> {
    state: &'s FixedState,
    pub(super) marks: Vec<u64>,
    pub(super) words: Vec<u64>,
    anchored: bool,
    /// Hashes of the words of the line so far, up to those a mark is made of.
    line: Vec<u64>,
    /// Hashes of the last words.
    last: [u64; MARK_WORDS],
    lines: usize,
}

impl<'s> Look<'s> {
    pub(super) fn new(state: &'s FixedState) -> Self {
        let (marks, words, line) = (Vec::new(), Vec::new(), Vec::new());
        Self { state, marks, words, anchored: false, line, last: [0; MARK_WORDS], lines: 0 }
    }

    pub(super) fn over(&mut self, said: &[&str]) {
        let mut word = String::new();
        for char in head(said).chain(['\n']).chain(tail(said)).chain(['\n']) {
            if char.is_ascii_alphanumeric() {
                word.push(char.to_ascii_lowercase());
                continue;
            }
            if char.is_alphanumeric() && !ideographic(char) {
                word.extend(char.to_lowercase());
                continue;
            }
            self.word(&word);
            word.clear();
            if ideographic(char) {
                self.word(char.encode_utf8(&mut [0; 4]));
            }
            if char == '\n' {
                self.end_of_line();
            }
        }
        let end = self.mixed(&self.last, 1);
        self.mark(end);
    }

    fn word(&mut self, word: &str) {
        if word.is_empty() {
            return;
        }
        let hash = self.hash(word);
        self.anchored |= ANCHORS.contains(&word);
        if self.line.len() < MARK_WORDS {
            self.line.push(hash);
        }
        self.last.rotate_left(1);
        if let Some(last) = self.last.last_mut() {
            *last = hash;
        }
        let telling = WORD_CHARS.contains(&word.chars().count()) || word.chars().all(ideographic);
        if telling && self.words.len() < WORDS_MAX && word.chars().all(char::is_alphabetic) {
            self.words.push(hash);
        }
    }

    /// A line's first words are a mark, and so are the few of a first line that has no more. Of other lines, few words are
    /// none: `}` and `else` begin lines of all kinds of code.
    fn end_of_line(&mut self) {
        let words = if self.lines == 0 { Some(self.line.as_slice()) } else { self.line.get(..LINE_WORDS) };
        let words = words.filter(|_| self.lines <= LINES_MAX && !self.line.is_empty());
        if let Some(mark) = words.map(|words| self.mixed(words, 0)) {
            self.mark(mark);
        }
        self.lines += usize::from(!self.line.is_empty());
        self.line.clear();
    }

    fn mark(&mut self, mark: u64) {
        if !self.marks.contains(&mark) {
            self.marks.push(mark);
        }
    }

    /// Whether it asks for reasoning. Phrases are looked for where a word of theirs was seen.
    pub(super) fn phrased(&self, said: &[&str]) -> bool {
        let any = |phrases: &[&str], text: &str| {
            phrases.iter().any(|phrase| memmem::find(text.as_bytes(), phrase.as_bytes()).is_some())
        };
        let foreign = || said.iter().any(|text| !text.is_ascii());
        if !self.anchored && !foreign() {
            return false;
        }
        let text = plain(head(said).chain([' ']).chain(tail(said)));
        (self.anchored && any(&PHRASES, &text)) || (foreign() && any(&ELSEWHERE, &text))
    }

    fn hash(&self, word: &str) -> u64 {
        let mut hasher = self.state.build_hasher();
        hasher.write(word.as_bytes());
        hasher.finish()
    }

    fn mixed(&self, words: &[u64], kind: u64) -> u64 {
        let mut hasher = self.state.build_hasher();
        hasher.write_u64(kind);
        words.iter().for_each(|word| hasher.write_u64(*word));
        hasher.finish()
    }
}

/// A text as phrases are written: small letters, and one blank for whatever stands between words.
fn plain(text: impl Iterator<Item = char>) -> String {
    let mut plain = String::new();
    for char in text {
        if char.is_alphanumeric() {
            plain.extend(char.to_lowercase());
        } else if !plain.ends_with(' ') {
            plain.push(' ');
        }
    }
    plain
}

/// Whether a letter is a word by itself: Han, and the syllables of Japanese.
fn ideographic(char: char) -> bool {
    matches!(char, '\u{2E80}'..='\u{2FDF}' | '\u{3040}'..='\u{30FF}' | '\u{3400}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}')
}

/// The beginning of what was said, a piece a line.
fn head(said: &[&str]) -> impl Iterator<Item = char> {
    let lines = said.iter().flat_map(|text| text.chars().chain(['\n']));
    let mut left = LOOKED_AT_BYTES;
    lines.take_while(move |char| {
        let fits = left >= char.len_utf8();
        left = left.saturating_sub(char.len_utf8());
        fits
    })
}

/// The end of what was said, where the beginning did not reach that far.
fn tail<'a>(said: &[&'a str]) -> impl Iterator<Item = char> + use<'a> {
    let bytes: usize = said.iter().map(|text| text.len() + 1).sum();
    let last = said.last().copied().filter(|_| bytes > LOOKED_AT_BYTES).unwrap_or_default();
    let mut start = last.len().saturating_sub(LOOKED_AT_BYTES / 4);
    while !last.is_char_boundary(start) {
        start += 1;
    }
    last.get(start..).unwrap_or_default().chars()
}
