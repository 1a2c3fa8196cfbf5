//! Views of JSON objects and arrays: members in their order, each value as the text that arrived.

use std::borrow::Cow;
use std::ops::Range;

use crate::scan::{Limits, Quoted, ScanError, ScanErrorKind, Scanner};
use crate::text_of;

/// The members of one object, read one after the other; each value is checked as it is passed.
///
/// ```
/// use shim_wire::{ObjectReader, scan::Limits};
/// let mut object = ObjectReader::new(r#"{"model":"o1","n":2}"#, Limits::default())?;
/// let model = object.next_member()?.unwrap();
/// assert_eq!((model.key.as_ref(), model.value.as_str().unwrap().as_ref()), ("model", "o1"));
/// assert_eq!(model.value.span(), 9..13);
/// # Ok::<(), shim_wire::scan::ScanError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ObjectReader<'a> {
    scanner: Scanner<'a>,
    started: bool,
    ended: bool,
}

/// One member of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member<'a> {
    /// The name, unescaped.
    pub key: Cow<'a, str>,
    /// The value as it stands in the text.
    pub value: Value<'a>,
}

/// A JSON value that was checked, as its text and its place in the text it was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value<'a> {
    text: &'a str,
    start: usize,
}

/// The kind of a JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl<'a> ObjectReader<'a> {
    /// Starts reading the object that is the whole of `text`.
    ///
    /// # Errors
    /// When `text` does not start with an object.
    pub fn new(text: &'a str, limits: Limits) -> Result<Self, ScanError> {
        let mut scanner = Scanner::new(text, limits);
        scanner.expect(b'{').map_err(|e| not(e, ScanErrorKind::NotObject))?;
        Ok(Self { scanner, started: false, ended: false })
    }

    /// The next member, or `None` after the last, when also the text behind the object was checked to be empty.
    ///
    /// # Errors
    /// When the text is not JSON at this place.
    pub fn next_member(&mut self) -> Result<Option<Member<'a>>, ScanError> {
        if self.ended || !advance(&mut self.scanner, &mut self.started, b'}')? {
            self.ended = true;
            return Ok(None);
        }
        let key = name(&mut self.scanner)?;
        Ok(Some(Member { key, value: value(&mut self.scanner)? }))
    }
}

/// The elements of one array, read one after the other.
#[derive(Clone, Debug)]
pub struct ArrayReader<'a> {
    scanner: Scanner<'a>,
    started: bool,
    ended: bool,
}

impl<'a> ArrayReader<'a> {
    /// Starts reading the array that is the whole of `text`.
    ///
    /// # Errors
    /// When `text` does not start with an array.
    pub fn new(text: &'a str, limits: Limits) -> Result<Self, ScanError> {
        let mut scanner = Scanner::new(text, limits);
        scanner.expect(b'[').map_err(|e| not(e, ScanErrorKind::NotArray))?;
        Ok(Self { scanner, started: false, ended: false })
    }

    /// The next element, or `None` after the last.
    ///
    /// # Errors
    /// When the text is not JSON at this place.
    pub fn next_element(&mut self) -> Result<Option<Value<'a>>, ScanError> {
        if self.ended || !advance(&mut self.scanner, &mut self.started, b']')? {
            self.ended = true;
            return Ok(None);
        }
        value(&mut self.scanner).map(Some)
    }
}

/// Reads a member's name and its colon.
pub(crate) fn name<'a>(scanner: &mut Scanner<'a>) -> Result<Cow<'a, str>, ScanError> {
    let quoted = scanner.key()?;
    Ok(name_at(scanner, quoted))
}

/// A name that was read.
pub(crate) fn name_at<'a>(scanner: &Scanner<'a>, Quoted { span, escaped }: Quoted) -> Cow<'a, str> {
    if escaped {
        return unescape(scanner.slice(span));
    }
    Cow::Borrowed(scanner.slice(span.start + 1..span.end - 1))
}

/// Reads one value, whatever it is.
pub(crate) fn value<'a>(scanner: &mut Scanner<'a>) -> Result<Value<'a>, ScanError> {
    let span = scanner.skip_value()?;
    Ok(Value { start: span.start, text: scanner.slice(span) })
}

/// The kind of the value that begins with `byte`.
pub(crate) fn kind(byte: u8) -> ValueKind {
    match byte {
        b'{' => ValueKind::Object,
        b'[' => ValueKind::Array,
        b'"' => ValueKind::String,
        b't' | b'f' => ValueKind::Bool,
        b'n' => ValueKind::Null,
        _ => ValueKind::Number,
    }
}

/// Steps over the comma before the next entry; false, with the text behind checked, when `close` comes instead.
fn advance(scanner: &mut Scanner<'_>, started: &mut bool, close: u8) -> Result<bool, ScanError> {
    let more = step(scanner, started, close)?;
    if !more {
        scanner.end()?;
    }
    Ok(more)
}

/// Steps over the comma before the next entry; false when `close` comes instead.
pub(crate) fn step(scanner: &mut Scanner<'_>, started: &mut bool, close: u8) -> Result<bool, ScanError> {
    match scanner.peek() {
        Some(byte) if byte == close => {
            scanner.advance();
            return Ok(false);
        }
        Some(b',') if *started => scanner.advance(),
        Some(_) if !*started => {}
        _ => return Err(scanner.error(ScanErrorKind::Unexpected)),
    }
    *started = true;
    Ok(true)
}

/// As `kind`, unless the text ends there.
pub(crate) fn not(error: ScanError, kind: ScanErrorKind) -> ScanError {
    if error.kind == ScanErrorKind::Truncated { error } else { ScanError { kind, ..error } }
}

impl<'a> Value<'a> {
    /// The value from `start` to where `scanner` stands, which has passed over it.
    pub(crate) fn at(scanner: &Scanner<'a>, start: usize) -> Self {
        Self { text: scanner.slice(start..scanner.offset()), start }
    }

    /// The value's text, verbatim.
    #[must_use]
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// Where the value stands, in bytes, in the text its reader was given.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.start..self.start + self.text.len()
    }

    /// What kind of value it is.
    #[must_use]
    pub fn kind(&self) -> ValueKind {
        self.text.as_bytes().first().map_or(ValueKind::Null, |byte| kind(*byte))
    }

    /// The text of a string value, unescaped; `None` for other kinds.
    #[must_use]
    pub fn as_str(&self) -> Option<Cow<'a, str>> {
        (self.kind() == ValueKind::String).then(|| unescape(self.text))
    }

    /// The value as an unsigned integer; `None` for other kinds, signs, fractions and what does not fit.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        self.text.parse().ok()
    }

    /// The value as a boolean; `None` for other kinds.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        self.text.parse().ok()
    }

    /// Reads the value as an object.
    ///
    /// # Errors
    /// When it is of another kind.
    pub fn object(&self) -> Result<ObjectReader<'a>, ScanError> {
        ObjectReader::new(self.text, Limits::default())
    }

    /// Reads the value as an array.
    ///
    /// # Errors
    /// When it is of another kind.
    pub fn array(&self) -> Result<ArrayReader<'a>, ScanError> {
        ArrayReader::new(self.text, Limits::default())
    }

    /// The member `name` of an object value; `None` when it is absent or the value is not an object.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Value<'a>> {
        let mut object = self.object().ok()?;
        while let Some(member) = object.next_member().ok()? {
            if member.key == name {
                return Some(member.value);
            }
        }
        None
    }
}

/// Takes the quotes off a checked string and resolves its escapes. A lone surrogate becomes U+FFFD.
fn unescape(quoted: &str) -> Cow<'_, str> {
    text_of(quoted).unwrap_or_else(|| Cow::Owned(unescape_lossy(quoted)))
}

/// Escapes that serde_json refuses are lone surrogates: bytes of WTF-8, shown as replacement characters.
fn unescape_lossy(quoted: &str) -> String {
    let bytes: Vec<u8> = serde_json::from_str::<ByteText>(quoted).map(|b| b.0).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A JSON string read as bytes, which serde_json allows to hold lone surrogates.
struct ByteText(Vec<u8>);

impl<'de> serde::Deserialize<'de> for ByteText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl serde::de::Visitor<'_> for Bytes {
            type Value = ByteText;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<ByteText, E> {
                Ok(ByteText(bytes.to_vec()))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::ObjectReader;
    use crate::scan::Limits;

    fn members(text: &str) -> Vec<(String, String)> {
        let mut reader = ObjectReader::new(text, Limits::default()).unwrap();
        let mut out = Vec::new();
        while let Some(member) = reader.next_member().unwrap() {
            assert_eq!(&text[member.value.span()], member.value.text());
            out.push((member.key.into_owned(), member.value.text().to_owned()));
        }
        out
    }

    #[test]
    fn keeps_members_verbatim_and_in_order() {
        let text = " { \"b\" : [1, 2.50 ] ,\n\"a\":\"x\\u0041\", \"m\\u006fdel\":null } ";
        let pairs = members(text);
        let pairs: Vec<_> = pairs.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(pairs, [("b", "[1, 2.50 ]"), ("a", "\"x\\u0041\""), ("model", "null")]);
    }

    #[test]
    fn a_lone_surrogate_is_replaced_and_nothing_panics() {
        let text = r#"{"a":"x\ud800y"}"#;
        let mut reader = ObjectReader::new(text, Limits::default()).unwrap();
        let value = reader.next_member().unwrap().unwrap().value;
        assert!(value.as_str().unwrap().starts_with('x'));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            if let Ok(mut reader) = ObjectReader::new(&text, Limits::default()) {
                while let Ok(Some(_)) = reader.next_member() {}
            }
        }

        #[test]
        fn reads_what_serde_json_writes(map in prop::collection::btree_map(any::<String>(), any::<String>(), 0..8)) {
            let text = serde_json::to_string_pretty(&map).unwrap();
            let read: Vec<_> = members(&text).into_iter().map(|(k, v)| (k, serde_json::from_str::<String>(&v).unwrap())).collect();
            let wanted: Vec<_> = map.into_iter().collect();
            prop_assert_eq!(read, wanted);
        }
    }
}
