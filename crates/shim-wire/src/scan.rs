//! A strict JSON scanner: checks text against RFC 8259 in one pass without building anything.
//!
//! It is the only reader on the same-dialect lane, so it is written for strings: short ones are checked a word at a
//! time, long ones by a vectorised search for their end. Nesting is a counter with a bit per level, never recursion.

use std::ops::Range;

use thiserror::Error;

/// Deepest nesting the scanner can follow, whatever [`Limits`] say.
pub const DEPTH_CEILING: usize = 512;

/// Bounds for one JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Deepest nesting of arrays and objects; at most [`DEPTH_CEILING`].
    pub depth_max: usize,
}

impl Default for Limits {
    /// 120 levels, below the 128 of serde_json: what passes here can be decoded there.
    fn default() -> Self {
        Self { depth_max: 120 }
    }
}

/// Why a text is not acceptable JSON, and the byte offset where that was seen.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("{kind} at byte {offset}")]
pub struct ScanError {
    /// What was wrong.
    pub kind: ScanErrorKind,
    /// Offset in bytes from the start of the text.
    pub offset: usize,
}

/// What a [`ScanError`] found.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ScanErrorKind {
    /// The text ends inside a value.
    #[error("the JSON text ends too early")]
    Truncated,
    /// A byte that cannot stand there.
    #[error("unexpected character in JSON text")]
    Unexpected,
    /// A string with a bad escape or a raw control character.
    #[error("invalid string in JSON text")]
    BadString,
    /// A number outside the grammar of RFC 8259 §6.
    #[error("invalid number in JSON text")]
    BadNumber,
    /// More nesting than the limit.
    #[error("the JSON text is nested too deeply")]
    TooDeep,
    /// Something follows the value.
    #[error("unexpected text after the JSON value")]
    Trailing,
    /// The value is not an object, where one is needed.
    #[error("expected a JSON object")]
    NotObject,
    /// The value is not an array, where one is needed.
    #[error("expected a JSON array")]
    NotArray,
    /// The bytes are not UTF-8.
    #[error("the text is not UTF-8")]
    NotUtf8,
}

/// Checks that `bytes` are UTF-8 and one JSON value, with nothing but white space around it.
///
/// # Errors
/// The first offence, with its offset.
pub fn check(bytes: &[u8], limits: Limits) -> Result<&str, ScanError> {
    let text = utf8(bytes)?;
    let mut scanner = Scanner::new(text, limits);
    scanner.skip_value()?;
    scanner.end()?;
    Ok(text)
}

/// Checks that `bytes` are UTF-8, at several gigabytes a second.
///
/// # Errors
/// [`ScanErrorKind::NotUtf8`] with the offset of the first bad byte.
pub fn utf8(bytes: &[u8]) -> Result<&str, ScanError> {
    simdutf8::basic::from_utf8(bytes).map_err(|_| ScanError {
        kind: ScanErrorKind::NotUtf8,
        offset: std::str::from_utf8(bytes).err().map_or(0, |e| e.valid_up_to()),
    })
}

/// A cursor over JSON text. Every method leaves it behind what it consumed.
#[derive(Clone, Debug)]
pub(crate) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    depth_max: usize,
}

/// A string as it stands in the text.
pub(crate) struct Quoted {
    /// With its quotes.
    pub(crate) span: Range<usize>,
    /// Whether it holds an escape.
    pub(crate) escaped: bool,
}

/// One bit per open level: set for an object, clear for an array.
struct Nesting {
    bits: [u64; DEPTH_CEILING / 64],
    depth: usize,
}

/// What may come next inside the innermost open container.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    Value,
    /// Directly after `[` or `{`, where the container may close at once.
    First,
    /// After a value: a comma or the end of the container.
    Next,
}

impl Nesting {
    fn new() -> Self {
        Self { bits: [0; DEPTH_CEILING / 64], depth: 0 }
    }

    fn open(&mut self, object: bool) {
        let (word, bit) = (self.depth / 64, self.depth % 64);
        if let Some(word) = self.bits.get_mut(word) {
            *word = (*word & !(1 << bit)) | (u64::from(object) << bit);
        }
        self.depth += 1;
    }

    fn in_object(&self) -> bool {
        let level = self.depth.wrapping_sub(1);
        self.bits.get(level / 64).is_some_and(|word| word >> (level % 64) & 1 == 1)
    }
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str, limits: Limits) -> Self {
        Self { text, at: 0, depth_max: limits.depth_max.min(DEPTH_CEILING) }
    }

    /// The text of `span`; empty if it does not lie on character boundaries, which no span made here does.
    pub(crate) fn slice(&self, span: Range<usize>) -> &'a str {
        self.text.get(span).unwrap_or_default()
    }

    pub(crate) fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(byte) = bytes.get(self.at) {
            match byte {
                b' ' | b'\n' | b'\r' | b'\t' => self.at += 1,
                _ => return Some(*byte),
            }
        }
        None
    }

    /// How far it has come, in bytes.
    pub(crate) fn offset(&self) -> usize {
        self.at
    }

    pub(crate) fn advance(&mut self) {
        self.at += 1;
    }

    pub(crate) fn error(&self, kind: ScanErrorKind) -> ScanError {
        let kind = if self.at >= self.text.len() { ScanErrorKind::Truncated } else { kind };
        ScanError { kind, offset: self.at.min(self.text.len()) }
    }

    /// Checks that only white space is left.
    pub(crate) fn end(&mut self) -> Result<(), ScanError> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.error(ScanErrorKind::Trailing)),
        }
    }

    /// Consumes one byte, which must be `byte`, after white space.
    pub(crate) fn expect(&mut self, byte: u8) -> Result<(), ScanError> {
        if self.peek() == Some(byte) {
            self.at += 1;
            return Ok(());
        }
        Err(self.error(ScanErrorKind::Unexpected))
    }

    /// Consumes one value of any kind and returns its span.
    pub(crate) fn skip_value(&mut self) -> Result<Range<usize>, ScanError> {
        let first = self.peek();
        let start = self.at;
        let mut nesting = Nesting::new();
        if !matches!(first, Some(b'{' | b'[')) {
            self.value(&mut nesting)?;
            return Ok(start..self.at);
        }
        let mut expect = Expect::Value;
        loop {
            expect = self.step(&mut nesting, expect)?;
            if nesting.depth == 0 && expect == Expect::Next {
                return Ok(start..self.at);
            }
        }
    }

    /// Consumes one token of a value and tells what may follow.
    fn step(&mut self, nesting: &mut Nesting, expect: Expect) -> Result<Expect, ScanError> {
        let Some(byte) = self.peek() else {
            return Err(self.error(ScanErrorKind::Truncated));
        };
        match (expect, byte) {
            (Expect::First, b'}' | b']') | (Expect::Next, b'}' | b']') => self.close(nesting, byte),
            (Expect::Next, b',') => {
                self.at += 1;
                self.key_if_object(nesting)?;
                Ok(Expect::Value)
            }
            (Expect::First, _) => {
                self.key_if_object(nesting)?;
                self.value(nesting)
            }
            (Expect::Value, _) => self.value(nesting),
            (Expect::Next, _) => Err(self.error(ScanErrorKind::Unexpected)),
        }
    }

    fn close(&mut self, nesting: &mut Nesting, byte: u8) -> Result<Expect, ScanError> {
        if nesting.in_object() != (byte == b'}') {
            return Err(self.error(ScanErrorKind::Unexpected));
        }
        self.at += 1;
        nesting.depth -= 1;
        Ok(Expect::Next)
    }

    fn key_if_object(&mut self, nesting: &Nesting) -> Result<(), ScanError> {
        if nesting.in_object() {
            self.key()?;
        }
        Ok(())
    }

    /// Consumes a member's name and its colon; returns the name.
    pub(crate) fn key(&mut self) -> Result<Quoted, ScanError> {
        if self.peek() != Some(b'"') {
            return Err(self.error(ScanErrorKind::Unexpected));
        }
        let name = self.string()?;
        self.expect(b':')?;
        Ok(name)
    }

    /// Goes a level deeper, by the bound on nesting alone.
    pub(crate) fn enter(&mut self) -> Result<(), ScanError> {
        self.depth_max = self.depth_max.checked_sub(1).ok_or_else(|| self.error(ScanErrorKind::TooDeep))?;
        Ok(())
    }

    /// Comes back up.
    pub(crate) fn leave(&mut self) {
        self.depth_max += 1;
    }

    fn value(&mut self, nesting: &mut Nesting) -> Result<Expect, ScanError> {
        match self.peek() {
            Some(byte @ (b'{' | b'[')) => {
                if nesting.depth >= self.depth_max {
                    return Err(self.error(ScanErrorKind::TooDeep));
                }
                self.at += 1;
                nesting.open(byte == b'{');
                Ok(Expect::First)
            }
            Some(b'"') => self.string().map(|_| Expect::Next),
            Some(b't') => self.literal("true"),
            Some(b'f') => self.literal("false"),
            Some(b'n') => self.literal("null"),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) => Err(self.error(ScanErrorKind::Unexpected)),
            None => Err(self.error(ScanErrorKind::Truncated)),
        }
    }

    fn literal(&mut self, word: &str) -> Result<Expect, ScanError> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        if rest.starts_with(word.as_bytes()) {
            self.at += word.len();
            return Ok(Expect::Next);
        }
        if word.as_bytes().starts_with(rest) {
            self.at = self.text.len();
        }
        Err(self.error(ScanErrorKind::Unexpected))
    }

    fn number(&mut self) -> Result<Expect, ScanError> {
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        match self.byte() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits()?,
            _ => return Err(self.error(ScanErrorKind::BadNumber)),
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(Expect::Next)
    }

    fn digits(&mut self) -> Result<(), ScanError> {
        if !matches!(self.byte(), Some(b'0'..=b'9')) {
            return Err(self.error(ScanErrorKind::BadNumber));
        }
        while matches!(self.byte(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        Ok(())
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Consumes a string that starts here.
    fn string(&mut self) -> Result<Quoted, ScanError> {
        let start = self.at;
        self.at += 1;
        let mut escaped = false;
        loop {
            self.at += plain_len(self.text.as_bytes().get(self.at..).unwrap_or_default());
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Quoted { span: start..self.at, escaped });
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(_) => return Err(self.error(ScanErrorKind::BadString)),
                None => return Err(self.error(ScanErrorKind::Truncated)),
            }
        }
    }

    fn escape(&mut self) -> Result<(), ScanError> {
        self.at += 1;
        match self.byte() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                Ok(())
            }
            Some(b'u') => {
                self.at += 1;
                for _ in 0..4 {
                    if !self.byte().is_some_and(|b| b.is_ascii_hexdigit()) {
                        return Err(self.error(ScanErrorKind::BadString));
                    }
                    self.at += 1;
                }
                Ok(())
            }
            _ => Err(self.error(ScanErrorKind::BadString)),
        }
    }
}

/// How many bytes at the front are plain inside a string: neither a quote, nor a backslash, nor a control character.
fn plain_len(bytes: &[u8]) -> usize {
    let (head, rest) = bytes.split_at(bytes.len().min(SHORT));
    let short = plain_words(head);
    if short < head.len() || rest.is_empty() {
        return short;
    }
    let (stretch, _) = rest.split_at(memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len()));
    SHORT + before_control(stretch)
}

/// How many bytes at the front are no control characters.
fn before_control(bytes: &[u8]) -> usize {
    let (blocks, tail) = bytes.as_chunks::<32>();
    let clean = blocks.iter().take_while(|block| !has_control(block)).count();
    let rest = if clean < blocks.len() { bytes.get(clean * 32..).unwrap_or_default() } else { tail };
    clean * 32 + rest.iter().position(|byte| *byte < 0x20).unwrap_or(rest.len())
}

/// Most strings end within so many bytes; only longer ones are worth a search.
const SHORT: usize = 16;

/// The same, eight bytes at a time.
fn plain_words(bytes: &[u8]) -> usize {
    let (words, tail) = bytes.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let marks = special_marks(u64::from_le_bytes(*word));
        if marks != 0 {
            return at * 8 + marks.trailing_zeros() as usize / 8;
        }
    }
    words.len() * 8 + tail.iter().position(|byte| is_special(*byte)).unwrap_or(tail.len())
}

/// The high bit of the first special byte of a word is set, and no bit below it. Higher bits mean nothing.
/// Source: <https://graphics.stanford.edu/~seander/bithacks.html#HasLessInWord>.
fn special_marks(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    let below = |word: u64, bound: u64| word.wrapping_sub(ONES * bound) & !word;
    let is = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    (below(word, 0x20) | is(b'"') | is(b'\\')) & (ONES * 0x80)
}

fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Folds without a branch over a block of known size, so that the compiler turns it into vector instructions.
fn has_control(block: &[u8; 32]) -> bool {
    block.iter().fold(u8::MAX, |least, byte| least.min(*byte)) < 0x20
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Limits, ScanErrorKind, check};

    #[track_caller]
    fn refused(text: &str, kind: ScanErrorKind) {
        let error = check(text.as_bytes(), Limits::default()).unwrap_err();
        assert_eq!(error.kind, kind, "{text}: {error}");
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        refused(r#"{"a":"#, ScanErrorKind::Truncated);
        refused(r#"{"a":"b"#, ScanErrorKind::Truncated);
        refused("tru", ScanErrorKind::Truncated);
        refused("[1,]", ScanErrorKind::Unexpected);
        refused("[1}", ScanErrorKind::Unexpected);
        refused("{\"a\" 1}", ScanErrorKind::Unexpected);
        refused("01", ScanErrorKind::Trailing);
        refused("1.x", ScanErrorKind::BadNumber);
        refused("\"\\x\"", ScanErrorKind::BadString);
        refused("\"a\nb\"", ScanErrorKind::BadString);
        refused("{} {}", ScanErrorKind::Trailing);
        refused("", ScanErrorKind::Truncated);
        let deep = "[".repeat(100_000);
        refused(&deep, ScanErrorKind::TooDeep);
    }

    /// JSON text, and JSON text damaged in one place.
    fn text() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            any::<bool>().prop_map(|b| b.to_string()),
            any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(|f| f.to_string()),
            any::<String>().prop_map(|s| serde_json::to_string(&s).unwrap()),
        ];
        leaf.prop_recursive(6, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(|v| format!("[ {} ]", v.join(" ,\n"))),
                prop::collection::vec((any::<String>(), inner), 0..6).prop_map(|v| {
                    let members: Vec<_> = v
                        .iter()
                        .map(|(k, v)| format!("{} : {v}", serde_json::to_string(k).unwrap()))
                        .collect();
                    format!("{{{}}}", members.join(","))
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn agrees_with_serde_json_on_good_text(text in text()) {
            prop_assert!(check(text.as_bytes(), Limits::default()).is_ok(), "{}", text);
        }

        #[test]
        fn agrees_with_serde_json_on_damaged_text(text in text(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = text.into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let theirs = serde_json::from_slice::<&serde_json::value::RawValue>(&bytes).is_ok();
            prop_assert_eq!(check(&bytes, Limits::default()).is_ok(), theirs, "{:?}", String::from_utf8_lossy(&bytes));
        }
    }
}
