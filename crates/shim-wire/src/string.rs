//! A string that nobody needs to unescape on its way from one JSON text into another.

mod escapes;

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::OnceLock;

use bytes::Bytes;
use memchr::memchr;
use serde::de::{Deserialize, Deserializer, Error};
use serde_json::value::RawValue;

use self::escapes::{Pieces, are_ascii};
use crate::Str;
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
mod tests;
