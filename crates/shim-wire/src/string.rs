//! A string that nobody needs to unescape on its way from one JSON text into another.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::OnceLock;

use bytes::Bytes;
use fearless_simd::Simd;
use memchr::memchr;
use serde::de::{Deserialize, Deserializer, Error};
use serde_json::value::RawValue;

use crate::Str;
use crate::block::{Block, Work, widely};
use crate::scan::utf8;
use crate::source;
use crate::unescape::unescape;

/// A string, or the literal it had in the JSON it came in, which is decoded when somebody reads it.
///
/// What a string was written as in one JSON text says the same in another (RFC 8259 §7), and long ones are most of what
/// is translated: few of them are looked into, so most can be copied as they stand. What is compared, hashed and shown is
/// what they say.
///
/// ```
/// # use serde_json::value::RawValue;
/// let raw = serde_json::from_str::<&RawValue>(r#""a\/b\n""#)?;
/// let text = shim_wire::JsonString::read(raw).unwrap();
/// let mut out = Vec::new();
/// shim_wire::JsonWriter::new(&mut out).element().text(&text);
/// assert_eq!((&*out, &*text), (&br#""a\/b\n""#[..], "a/b\n"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone)]
pub struct JsonString(Form);

#[derive(Clone)]
enum Form {
    /// A string that was made here. Whether anything in it needs an escape is not known.
    Said(String),
    /// A string that came without an escape, and so needs none.
    Plain(String),
    /// What stood between the quotes, in which every escape is a short one or one of ASCII; and what it says, once somebody
    /// has asked.
    Quoted { literal: Box<str>, said: OnceLock<Box<str>> },
    /// The same of a long one, whether or not there are escapes in it.
    Shared(Box<Shared>),
}

/// A part of a body that was read, which is text.
#[derive(Clone)]
struct Shared {
    literal: Bytes,
    said: OnceLock<Box<str>>,
}

impl Shared {
    /// What stood between the quotes.
    fn literal(&self) -> &str {
        utf8(&self.literal).unwrap_or_default()
    }

    fn said(&self) -> &str {
        self.said.get_or_init(|| unescape(self.literal()).unwrap_or_default().into())
    }
}

/// How a string can be written.
pub(crate) enum Written<'s> {
    /// As what stands between the quotes.
    Literal(&'s [u8]),
    /// As what stands between the quotes, which can be had without being copied.
    Shared(&'s Bytes),
    /// With the escapes it needs.
    Said(&'s str),
}

/// Whether the escapes with digits, of what stands between quotes, are of ASCII. Others are resolved at once: not every pair
/// of them is a character, and an error must not come late. A backslash that is escaped itself counts as one that is not.
fn are_ascii(inner: &[u8]) -> bool {
    widely(Escaped(inner))
}

/// The inside of a string, a block at a time.
struct Escaped<'i>(&'i [u8]);

impl Work for Escaped<'_> {
    type Done = bool;

    #[inline(always)]
    fn on<S: Simd>(self, simd: S) -> bool {
        let mut rest = self.0;
        while !rest.is_empty() {
            let block = Block::first(simd, rest, 0);
            // What follows the last byte stands in the next block.
            let mut marks = block.is(b'\\') & (block.is(b'u') >> 1 | 1 << 63);
            while marks != 0 {
                let behind = marks.trailing_zeros() as usize + 1;
                if !is_of_ascii(rest.get(behind..).unwrap_or_default()) {
                    return false;
                }
                marks &= marks - 1;
            }
            rest = rest.get(64..).unwrap_or_default();
        }
        true
    }
}

/// Whether what follows a backslash is no escape with digits, or one of ASCII.
fn is_of_ascii(behind: &[u8]) -> bool {
    let digits =
        || matches!(behind.get(1..5), Some([b'0', b'0', b'0'..=b'7', last]) if last.is_ascii_hexdigit());
    behind.first() != Some(&b'u') || digits()
}

impl JsonString {
    /// The string that is the whole of `raw`. `None` where that is no string, or holds a lone surrogate, which is no text.
    #[must_use]
    pub fn read(raw: &RawValue) -> Option<Self> {
        let inner = raw.get().strip_prefix('"')?.strip_suffix('"')?;
        let first = memchr(b'\\', inner.as_bytes());
        if let Some(first) = first
            && !are_ascii(inner.as_bytes().get(first..)?)
        {
            return unescape(inner).map(Self::from);
        }
        let said = OnceLock::new();
        Some(Self(match (source::part(inner), first) {
            (Some(literal), _) => Form::Shared(Box::new(Shared { literal, said })),
            (None, Some(_)) => Form::Quoted { literal: inner.into(), said },
            (None, None) => Form::Plain(inner.to_owned()),
        }))
    }

    /// The string.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Form::Said(text) | Form::Plain(text) => text,
            // It was checked when it was read, so there is nothing in it that is no text.
            Form::Quoted { literal, said } => {
                said.get_or_init(|| unescape(literal).unwrap_or_default().into())
            }
            Form::Shared(shared) => shared.said(),
        }
    }

    /// The string, owned.
    #[must_use]
    pub fn into_string(self) -> String {
        match self.0 {
            Form::Said(text) | Form::Plain(text) => text,
            Form::Quoted { literal, said } => {
                said.into_inner().map(String::from).or_else(|| unescape(&literal)).unwrap_or_default()
            }
            Form::Shared(mut shared) => shared
                .said
                .take()
                .map(String::from)
                .or_else(|| unescape(shared.literal()))
                .unwrap_or_default(),
        }
    }

    /// Adds to the string.
    pub fn push_str(&mut self, more: &str) {
        let mut text = std::mem::take(self).into_string();
        text.push_str(more);
        *self = text.into();
    }

    /// Whether somebody has had it decoded.
    #[cfg(debug_assertions)]
    #[doc(hidden)]
    #[must_use]
    pub fn was_decoded(&self) -> bool {
        match &self.0 {
            Form::Said(_) | Form::Plain(_) => true,
            Form::Quoted { said, .. } => said.get().is_some(),
            Form::Shared(shared) => shared.said.get().is_some(),
        }
    }

    /// Whether it says nothing. Like all that follows, it decodes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match &self.0 {
            Form::Said(text) | Form::Plain(text) => text.is_empty(),
            Form::Quoted { literal, .. } => literal.is_empty(),
            Form::Shared(shared) => shared.literal.is_empty(),
        }
    }

    /// Whether there is nothing in it but white space.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        let first = match self.written() {
            Written::Said(text) => text.as_bytes().first(),
            Written::Literal(literal) => literal.first(),
            Written::Shared(literal) => literal.first(),
        };
        // Most begin with a letter, and few are long.
        if first.is_some_and(|first| first.is_ascii_graphic() && *first != b'\\') {
            return false;
        }
        self.pieces().all(|piece| piece.trim_start().is_empty())
    }

    /// Its length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pieces().map(str::len).sum()
    }

    /// What it says, in order, piece by piece.
    pub fn pieces(&self) -> impl Iterator<Item = &str> {
        let said = match &self.0 {
            Form::Said(text) | Form::Plain(text) => Some(text.as_str()),
            Form::Quoted { said, .. } => said.get().map(|text| &**text),
            Form::Shared(shared) => shared.said.get().map(|text| &**text),
        };
        let literal = || match &self.0 {
            Form::Said(_) | Form::Plain(_) => "",
            Form::Quoted { literal, .. } => literal,
            Form::Shared(shared) => shared.literal(),
        };
        Pieces { rest: said.unwrap_or_else(literal), escapes: said.is_none() }
    }

    pub(crate) fn written(&self) -> Written<'_> {
        match &self.0 {
            Form::Said(text) => Written::Said(text),
            Form::Plain(text) => Written::Literal(text.as_bytes()),
            Form::Quoted { literal, .. } => Written::Literal(literal.as_bytes()),
            Form::Shared(shared) => Written::Shared(&shared.literal),
        }
    }
}

/// What a literal says, piece by piece: what stands between two escapes, and what each of them stands for.
struct Pieces<'s> {
    rest: &'s str,
    escapes: bool,
}

impl<'s> Iterator for Pieces<'s> {
    type Item = &'s str;

    fn next(&mut self) -> Option<&'s str> {
        let next = if self.escapes { memchr(b'\\', self.rest.as_bytes()) } else { None };
        let (piece, rest) = match next {
            Some(0) => {
                let length = if self.rest.as_bytes().get(1) == Some(&b'u') { 6 } else { 2 };
                let (escape, rest) = self.rest.split_at_checked(length)?;
                (meaning(escape), rest)
            }
            Some(at) => self.rest.split_at_checked(at)?,
            None => (self.rest, ""),
        };
        self.rest = rest;
        (!piece.is_empty()).then_some(piece)
    }
}

/// The characters of ASCII, each at its number.
const ASCII: &str = concat!(
    "\u{0}\u{1}\u{2}\u{3}\u{4}\u{5}\u{6}\u{7}\u{8}\u{9}\u{a}\u{b}\u{c}\u{d}\u{e}\u{f}",
    "\u{10}\u{11}\u{12}\u{13}\u{14}\u{15}\u{16}\u{17}\u{18}\u{19}\u{1a}\u{1b}\u{1c}\u{1d}\u{1e}\u{1f}",
    " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~",
    "\u{7f}",
);

/// What an escape stands for: a short one, or one of ASCII.
fn meaning(escape: &str) -> &str {
    match escape {
        "\\n" => "\n",
        "\\t" => "\t",
        "\\r" => "\r",
        "\\b" => "\u{8}",
        "\\f" => "\u{c}",
        _ if escape.len() == 6 => {
            let number = escape.get(4..).and_then(|digits| usize::from_str_radix(digits, 16).ok());
            number.and_then(|number| ASCII.get(number..=number)).unwrap_or_default()
        }
        _ => escape.get(1..).unwrap_or_default(),
    }
}

impl Default for JsonString {
    fn default() -> Self {
        Self(Form::Plain(String::new()))
    }
}

impl Deref for JsonString {
    type Target = str;
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for JsonString {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl From<String> for JsonString {
    fn from(text: String) -> Self {
        Self(Form::Said(text))
    }
}

impl From<&str> for JsonString {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<&String> for JsonString {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl From<Cow<'_, str>> for JsonString {
    fn from(text: Cow<'_, str>) -> Self {
        text.into_owned().into()
    }
}

impl From<JsonString> for String {
    fn from(text: JsonString) -> Self {
        text.into_string()
    }
}

impl PartialEq for JsonString {
    fn eq(&self, other: &Self) -> bool {
        if self.is_empty() || other.is_empty() {
            return self.is_empty() && other.is_empty();
        }
        match (self.written(), other.written()) {
            (Written::Literal(own), Written::Literal(others)) if own == others => true,
            (Written::Shared(own), Written::Shared(others)) if own == others => true,
            _ => self.as_str() == other.as_str(),
        }
    }
}

impl Eq for JsonString {}

impl PartialEq<str> for JsonString {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for JsonString {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialEq<String> for JsonString {
    fn eq(&self, other: &String) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Hash for JsonString {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for JsonString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for JsonString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

impl<'de> Deserialize<'de> for JsonString {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        Self::read(raw).ok_or_else(|| no_string(raw))
    }
}

/// Why `raw` is no string, in the words of who reads strings.
#[cold]
fn no_string<E: Error>(raw: &RawValue) -> E {
    let error = serde_json::from_str::<Str<'_>>(raw.get()).err();
    let words = error.map(|error| error.to_string()).unwrap_or_default();
    // The place is one in `raw`.
    E::custom(words.split(" at line ").next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use bytes::Bytes;
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::{Form, JsonString, are_ascii};
    use crate::source::SHARED_MIN;
    use crate::{JsonWriter, Str, checked, from_json};

    fn read(literal: &str) -> Option<JsonString> {
        JsonString::read(serde_json::from_str::<&RawValue>(literal).unwrap())
    }

    fn written(write: impl FnOnce(JsonWriter<'_>)) -> String {
        let mut out = Vec::new();
        write(JsonWriter::new(&mut out));
        String::from_utf8(out).unwrap()
    }

    /// The same, read from a body that is so long that it is shared.
    fn shared(literal: &str) -> Option<JsonString> {
        let body = Bytes::from(literal.to_owned());
        let text = std::str::from_utf8(&body).unwrap();
        let text = checked(&body, || from_json::<JsonString>(text)).ok()?;
        assert!(matches!(text.0, Form::Said(_) | Form::Shared(_)), "{literal}");
        Some(text)
    }

    /// Literals with every form of escape, and without.
    fn literal() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            4 => "[a-z é\u{2028}🙂/\u{7f}]{0,30}",
            4 => r#"\\["\\/bfnrt]"#,
            2 => r"\\u00[0-7][0-9a-fA-F]",
            1 => r"\\u[0-9a-fA-F]{4}",
            1 => Just(r"\ud83d\uDE42".to_owned()),
        ];
        prop::collection::vec(piece, 0..20).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
    }

    /// Everything that can be asked of it, against the string it stands for.
    #[track_caller]
    fn check(text: &JsonString, known: &str) {
        assert_eq!((text.len(), text.is_empty()), (known.len(), known.is_empty()));
        assert_eq!(text.is_blank(), known.trim().is_empty());
        assert_eq!(text.pieces().collect::<String>(), known);
        let made = JsonString::from(known);
        let json = written(|mut w| w.element().text(text));
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), known, "{json}");
        let lines = written(|w| w.escaping_lines().element().text(text));
        assert!(!lines.contains(['\u{85}', '\u{2028}', '\u{2029}', '\n']), "{lines}");
        assert_eq!(serde_json::from_str::<String>(&lines).unwrap(), known, "{lines}");
        let joined = written(|mut w| w.element().joined(&[text, &made, text], "\n\""));
        let wanted = format!("{known}\n\"{known}\n\"{known}");
        assert_eq!(serde_json::from_str::<String>(&joined).unwrap(), wanted, "{joined}");
        let mut grown = text.clone();
        grown.push_str("\"+");
        assert_eq!(grown, format!("{known}\"+"));
        assert_eq!((text, text.as_str()), (&made, known));
        let state = std::hash::RandomState::new();
        assert_eq!(state.hash_one(text), state.hash_one(made));
        assert_eq!((format!("{text}"), format!("{text:?}")), (known.to_owned(), format!("{known:?}")));
        assert_eq!(text.pieces().collect::<String>(), known, "also when it was decoded");
        assert_eq!(String::from(text.clone()), known);
    }

    proptest! {
        #[test]
        fn escapes_of_other_characters_are_found_wherever_they_stand(
            inner in prop::collection::vec(prop_oneof![4 => Just("a"), 4 => Just("u"), 2 => Just("\\"), 1 => Just("\\u00"),
                1 => Just("\\u0041"), 1 => Just("\\u00e9")], 0..200)
        ) {
            let inner = inner.concat();
            let is_other = |at: usize| {
                let digits = inner.get(at + 2..at + 6);
                digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()).is_none_or(|number| number > 0x7F)
            };
            prop_assert_eq!(are_ascii(inner.as_bytes()), !inner.match_indices("\\u").any(|(at, _)| is_other(at)));
        }

        #[test]
        fn a_literal_says_what_serde_json_reads(literal in literal()) {
            match (read(&literal), serde_json::from_str::<String>(&literal)) {
                (Some(text), Ok(known)) => {
                    prop_assert_eq!(text.clone().into_string(), known.as_str());
                    check(&text, &known);
                }
                (None, Err(_)) => {}
                (text, known) => prop_assert!(false, "{:?} {:?}", text, known),
            }
        }

        #[test]
        fn a_shared_literal_says_the_same(literal in literal()) {
            let inner = literal.trim_matches('"');
            let literal = format!("\"{}\"", inner.repeat(SHARED_MIN / inner.len().max(1) + 1));
            prop_assume!(literal.len() >= SHARED_MIN + 2);
            match (shared(&literal), serde_json::from_str::<String>(&literal)) {
                (Some(text), Ok(known)) => {
                    prop_assert_eq!(text.clone().into_string(), known.as_str());
                    prop_assert_eq!(&text, &read(&literal).unwrap());
                    prop_assert_eq!(&text, &shared(&literal).unwrap());
                    check(&text, &known);
                }
                (None, Err(_)) => {}
                (text, known) => prop_assert!(false, "{:?} {:?}", text, known),
            }
        }

        #[test]
        fn any_string_is_said(text in any::<String>()) {
            check(&text.as_str().into(), &text);
            check(&read(&serde_json::to_string(&text).unwrap()).unwrap(), &text);
        }

        /// Whoever reads it as a member meets the same error at the same time.
        #[test]
        fn what_is_no_string_is_refused_as_ever(literal in literal(), other in "[0-9]|true|\\[\\]|\\{\\}|null") {
            for json in [literal, other] {
                let words = |error: crate::WireError| {
                    let words = error.message.split(" at line ").next().unwrap().to_owned();
                    (error.path, words)
                };
                let list = format!("[{json}]");
                let ours = from_json::<Vec<JsonString>>(&list).map_err(words);
                let known = from_json::<Vec<Str<'_>>>(&list).map_err(words);
                let known = known.map(|list| list.into_iter().map(|text| text.into_string().into()).collect());
                prop_assert_eq!(ours, known);
            }
        }
    }

    #[test]
    fn a_literal_is_copied_as_it_stands_and_decoded_once_it_is_read() {
        let literal = r#""a \/ \"b\"\\\n\u001b""#;
        let text = read(literal).unwrap();
        let copy = text.clone();
        assert_eq!(written(|mut w| w.element().text(&text)), literal);
        assert!(!text.is_empty() && !text.is_blank() && text.pieces().count() > 1 && copy == text);
        assert!(!text.was_decoded() && !copy.was_decoded());
        assert_eq!(&*text, "a / \"b\"\\\n\u{1b}");
        assert!(text.was_decoded() && !copy.was_decoded());
    }
}
