//! A strict JSON scanner: checks text against RFC 8259 in one pass without building anything.
//!
//! It is the only reader on the same-dialect lane, so it is written for strings: short ones are checked a word at a
//! time, long ones a block at a time. Nesting is a counter with a bit per level, never recursion.

use std::ops::Range;

use fearless_simd::Simd;
use thiserror::Error;

use crate::block::{Block, Escapes, Near, Work, before_first, widely};
use crate::{Found, Words};

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
    /// What is looked for among its strings, and what of it was found.
    words: Option<&'static Words>,
    found: u32,
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
    /// The bit of the innermost level.
    in_object: bool,
}

/// What is wrong at the place the scanner stands; the place is added on the way out.
type Checked<T = ()> = Result<T, ScanErrorKind>;

impl Nesting {
    fn new() -> Self {
        Self { bits: [0; DEPTH_CEILING / 64], depth: 0, in_object: false }
    }

    #[inline]
    fn open(&mut self, object: bool) {
        let (word, bit) = (self.depth / 64, self.depth % 64);
        if let Some(word) = self.bits.get_mut(word) {
            *word = (*word & !(1 << bit)) | (u64::from(object) << bit);
        }
        self.depth += 1;
        self.in_object = object;
    }

    #[inline]
    fn close(&mut self) {
        self.depth -= 1;
        let level = self.depth.wrapping_sub(1);
        self.in_object = self.bits.get(level / 64).is_some_and(|word| word >> (level % 64) & 1 == 1);
    }
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str, limits: Limits) -> Self {
        Self { text, at: 0, depth_max: limits.depth_max.min(DEPTH_CEILING), words: None, found: 0 }
    }

    /// Looks for `words` among the strings it passes.
    pub(crate) fn watching(mut self, words: Option<&'static Words>) -> Self {
        self.words = words;
        self
    }

    /// Which words it passed.
    pub(crate) fn found(&self) -> Option<Found> {
        self.words.map(|words| words.found(self.found))
    }

    /// The text of `span`; empty if it does not lie on character boundaries, which no span made here does.
    #[inline]
    pub(crate) fn slice(&self, span: Range<usize>) -> &'a str {
        self.text.get(span).unwrap_or_default()
    }

    #[inline]
    pub(crate) fn peek(&mut self) -> Option<u8> {
        let byte = self.byte()?;
        if byte > b' ' { Some(byte) } else { self.peek_past_space() }
    }

    fn peek_past_space(&mut self) -> Option<u8> {
        while let Some(byte) = self.byte() {
            match byte {
                b' ' | b'\n' | b'\r' | b'\t' => self.at += 1,
                _ => return Some(byte),
            }
        }
        None
    }

    #[inline]
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    /// How far it has come, in bytes.
    #[inline]
    pub(crate) fn offset(&self) -> usize {
        self.at
    }

    #[inline]
    pub(crate) fn advance(&mut self) {
        self.at += 1;
    }

    /// Goes on behind what ends at `at`.
    #[inline]
    pub(crate) fn resume(&mut self, at: usize) {
        self.at = at;
    }

    #[cold]
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
    #[inline]
    pub(crate) fn expect(&mut self, byte: u8) -> Result<(), ScanError> {
        self.passes(byte).map_err(|kind| self.error(kind))
    }

    /// Consumes one value of any kind and returns its span.
    pub(crate) fn skip_value(&mut self) -> Result<Range<usize>, ScanError> {
        let first = self.peek();
        let start = self.at;
        let passed = match first {
            Some(b'"') => self.string().map(drop),
            Some(b'{' | b'[') => self.container(),
            _ => self.scalar(first),
        };
        match passed {
            Ok(()) => Ok(start..self.at),
            Err(kind) => Err(self.error(kind)),
        }
    }

    /// Consumes a member's name and its colon; returns the name.
    #[inline]
    pub(crate) fn key(&mut self) -> Result<Quoted, ScanError> {
        let read = self.name();
        read.map_err(|kind| self.error(kind))
    }

    /// Consumes the string that starts here.
    #[inline]
    pub(crate) fn quoted(&mut self) -> Result<Quoted, ScanError> {
        let start = self.at;
        match self.string() {
            Ok(escaped) => Ok(Quoted { span: start..self.at, escaped }),
            Err(kind) => Err(self.error(kind)),
        }
    }

    /// Consumes the array or object that starts here, and all that is in it.
    fn container(&mut self) -> Checked {
        let mut nesting = Nesting::new();
        loop {
            match self.peek() {
                Some(b'"') => drop(self.string()?),
                Some(byte @ (b'{' | b'[')) => {
                    if self.opens(&mut nesting, byte)? {
                        continue;
                    }
                }
                first => self.scalar(first)?,
            }
            if !self.goes_on(&mut nesting)? {
                return Ok(());
            }
        }
    }

    /// Consumes an opening bracket and, in an object, the first name. False when the container is empty, its closing
    /// bracket consumed too.
    fn opens(&mut self, nesting: &mut Nesting, byte: u8) -> Checked<bool> {
        if nesting.depth >= self.depth_max {
            return Err(ScanErrorKind::TooDeep);
        }
        self.at += 1;
        nesting.open(byte == b'{');
        if self.peek() == Some(if nesting.in_object { b'}' } else { b']' }) {
            self.at += 1;
            nesting.close();
            return Ok(false);
        }
        if nesting.in_object {
            self.name()?;
        }
        Ok(true)
    }

    /// After a value: consumes what closes here, then the comma and name before the next value. False when all is closed.
    #[inline]
    fn goes_on(&mut self, nesting: &mut Nesting) -> Checked<bool> {
        while nesting.depth > 0 {
            match self.peek() {
                Some(b',') => {
                    self.at += 1;
                    if nesting.in_object {
                        self.name()?;
                    }
                    return Ok(true);
                }
                Some(byte @ (b'}' | b']')) if nesting.in_object == (byte == b'}') => {
                    self.at += 1;
                    nesting.close();
                }
                _ => return Err(ScanErrorKind::Unexpected),
            }
        }
        Ok(false)
    }

    #[inline]
    fn name(&mut self) -> Checked<Quoted> {
        if self.peek() != Some(b'"') {
            return Err(ScanErrorKind::Unexpected);
        }
        let start = self.at;
        let escaped = self.string()?;
        let span = start..self.at;
        self.passes(b':')?;
        Ok(Quoted { span, escaped })
    }

    #[inline]
    fn passes(&mut self, byte: u8) -> Checked {
        if self.peek() == Some(byte) {
            self.at += 1;
            return Ok(());
        }
        Err(ScanErrorKind::Unexpected)
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

    /// Consumes a number or a word, which begins with `first`.
    fn scalar(&mut self, first: Option<u8>) -> Checked {
        match first {
            Some(b't') => self.literal("true"),
            Some(b'f') => self.literal("false"),
            Some(b'n') => self.literal("null"),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(ScanErrorKind::Unexpected),
        }
    }

    fn literal(&mut self, word: &str) -> Checked {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        if rest.starts_with(word.as_bytes()) {
            self.at += word.len();
            return Ok(());
        }
        if word.as_bytes().starts_with(rest) {
            self.at = self.text.len();
        }
        Err(ScanErrorKind::Unexpected)
    }

    fn number(&mut self) -> Checked {
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        match self.byte() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits()?,
            _ => return Err(ScanErrorKind::BadNumber),
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
        Ok(())
    }

    #[inline]
    fn digits(&mut self) -> Checked {
        let start = self.at;
        while matches!(self.byte(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { Err(ScanErrorKind::BadNumber) }
    }

    #[inline]
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Consumes a string that starts here; tells whether it holds an escape. Most strings end within a few bytes; only for
    /// others is there a call.
    #[inline]
    fn string(&mut self) -> Checked<bool> {
        let start = self.at + 1;
        self.at = start;
        let escaped = if self.ends_near() { false } else { self.rest_of_string()? };
        if let Some(words) = self.words
            && !escaped
        {
            self.found |= words.bit(self.text.as_bytes().get(start..self.at - 1).unwrap_or_default());
        }
        Ok(escaped)
    }

    /// Consumes the rest of a string that ends within 16 bytes and has no escape before; else what of them is plain.
    #[inline]
    fn ends_near(&mut self) -> bool {
        let bytes = self.text.as_bytes();
        let Some(near) = bytes.get(self.at..).and_then(|rest| rest.first_chunk()) else { return false };
        let near = Near::of(near);
        let special = near.is(b'"') | near.is(b'\\') | near.below(0x20);
        self.at += special.trailing_zeros().min(16) as usize;
        let ends = bytes.get(self.at) == Some(&b'"') && special != 0;
        self.at += usize::from(ends);
        ends
    }

    /// Goes on in a string, at a byte that is not escaped: names are seldom longer than twice what is near, and texts are read
    /// a block at a time.
    #[inline(never)]
    fn rest_of_string(&mut self) -> Checked<bool> {
        if self.ends_near() { Ok(false) } else { widely(Rest(self)) }
    }

    /// Checks what stands behind backslashes: the bytes that are marked of those here.
    #[inline(never)]
    fn check_escapes(&mut self, mut taken: u64) -> Checked {
        while taken != 0 {
            let at = self.at + taken.trailing_zeros() as usize;
            let escape = self.text.as_bytes().get(at..).unwrap_or_default();
            match escape {
                // All four are looked at, as those that are there are nearly always right.
                [b'u', a, b, c, d, ..]
                    if [a, b, c, d].iter().fold(true, |all, digit| all & digit.is_ascii_hexdigit()) => {}
                [b'n' | b't' | b'r' | b'"' | b'\\' | b'/' | b'b' | b'f', ..] => {}
                _ => {
                    let digits = escape.iter().skip(1).take(4).take_while(|byte| byte.is_ascii_hexdigit());
                    self.at = at + digits.count();
                    return Err(ScanErrorKind::BadString);
                }
            }
            taken &= taken - 1;
        }
        Ok(())
    }
}

/// The rest of a string.
struct Rest<'s, 'a>(&'s mut Scanner<'a>);

impl Work for Rest<'_, '_> {
    type Done = Checked<bool>;

    #[inline(always)]
    fn on<S: Simd>(self, simd: S) -> Checked<bool> {
        let Self(scanner) = self;
        let (mut escaped, mut escapes) = (false, Escapes::default());
        loop {
            let rest = scanner.text.as_bytes().get(scanner.at..).unwrap_or_default();
            let block = Block::first(simd, rest, 0);
            let (slashes, marks) = (block.is(b'\\'), block.is(b'"'));
            let taken = escapes.next(slashes);
            let quotes = marks & !taken;
            let inside = before_first(quotes);
            let controls = block.below(0x20) & inside;
            if controls != 0 {
                scanner.at += controls.trailing_zeros() as usize;
                return Err(ScanErrorKind::BadString);
            }
            if taken & inside != 0 {
                escaped = true;
                // By far the most are these.
                let rare = taken & inside & !(block.is(b'n') | block.is(b't') | marks | slashes);
                if rare != 0 {
                    scanner.check_escapes(rare)?;
                }
            }
            if quotes != 0 {
                scanner.at += quotes.trailing_zeros() as usize + 1;
                return Ok(escaped);
            }
            scanner.at += 64;
        }
    }
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
