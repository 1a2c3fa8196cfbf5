//! Wire types are read by this deserializer: serde_json's own looks at each byte of what it passes over, and passes over
//! it again at every level; this one passes over at the scanner's speed.
//!
//! It takes what serde_json takes and gives what that gives, which the laws in `tests.rs` and the fuzz target `json`
//! hold. Why it does not take a text it does not say: whoever wants to know has serde_json read it.

mod access;
mod skim;
#[cfg(test)]
mod tests;

use std::fmt::{self, Display};

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{self, Deserialize, Deserializer as _, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::value::RawValue;

use self::access::{Entries, Raw};
use crate::scan::{DEPTH_CEILING, Limits, Quoted, ScanError, Scanner};
use crate::source::is_checked;
use crate::text_of;

/// The name by which serde_json's `RawValue` asks for the text of a value, and of the one member that it wants it in. It is
/// that crate's own business: were it another, raw values would not be read here but there, and a test would tell.
/// Source: <https://docs.rs/serde_json/1.0.154/src/serde_json/raw.rs.html>, read 2026-11-26.
const RAW: &str = "$serde_json::private::RawValue";

/// The deepest nesting that is read into: serde_json's bound. What is passed over may be deeper.
const LEVELS_MAX: u8 = 127;

/// The text is not JSON, or not what was asked for, or asked for in a way that no wire type asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

type Read<T> = Result<T, Refused>;

/// Reads the `T` that is the whole of `text`; of a body that was checked ([`checked`](crate::checked)) as [`read_raw`].
///
/// # Errors
/// When the text is refused.
pub fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Read<T> {
    Reader::new(text, is_checked(text)).whole()
}

/// Reads the `T` that is the whole of `raw`, which was checked when it was read.
///
/// # Errors
/// When it is refused.
pub fn read_raw<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Read<T> {
    Reader::new(raw.get(), true).whole()
}

/// A place in a text.
struct Reader<'a> {
    scanner: Scanner<'a>,
    /// How many levels deeper it may go.
    levels: u8,
    /// Whether the text is known to be JSON: then there is only to be found where values end.
    checked: bool,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str, checked: bool) -> Self {
        let limits = Limits { depth_max: DEPTH_CEILING };
        Self { scanner: Scanner::new(text, limits), levels: LEVELS_MAX, checked }
    }

    fn whole<T: Deserialize<'a>>(mut self) -> Read<T> {
        let value = T::deserialize(&mut self)?;
        self.scanner.end()?;
        Ok(value)
    }

    /// Passes over the value at this place, and returns its text.
    #[inline]
    fn raw(&mut self) -> Read<&'a str> {
        if self.checked && matches!(self.scanner.peek(), Some(b'"' | b'{' | b'[')) {
            let span = self.scanner.skim()?;
            return Ok(self.scanner.slice(span));
        }
        let span = self.scanner.skip_value()?;
        Ok(self.scanner.slice(span))
    }

    /// Reads the string at this place.
    fn text<V: Visitor<'a>>(&mut self, visitor: V) -> Read<V::Value> {
        if self.scanner.peek() != Some(b'"') {
            return Err(Refused);
        }
        let Quoted { span, escaped } =
            if self.checked { self.scanner.skim_string()? } else { self.scanner.quoted()? };
        if escaped {
            let text = text_of(self.scanner.slice(span)).ok_or(Refused)?;
            return visitor.visit_string(text.into_owned());
        }
        visitor.visit_borrowed_str(self.scanner.slice(span.start + 1..span.end - 1))
    }

    /// Reads the number at this place. Most are short and whole.
    fn number<V: Visitor<'a>>(&mut self, visitor: V) -> Read<V::Value> {
        if !matches!(self.scanner.peek(), Some(b'-' | b'0'..=b'9')) {
            return Err(Refused);
        }
        let span = self.scanner.skip_value()?;
        let number = self.scanner.slice(span);
        if let Some(whole) = whole_number(number) {
            return visitor.visit_u64(whole);
        }
        serde_json::Deserializer::from_str(number).deserialize_f64(visitor).map_err(|_| Refused)
    }

    /// Reads the word at this place; it is one of `words`.
    fn word(&mut self, words: &[&str]) -> Read<&'a str> {
        if !matches!(self.scanner.peek(), Some(b'n' | b't' | b'f')) {
            return Err(Refused);
        }
        let span = self.scanner.skip_value()?;
        Some(self.scanner.slice(span)).filter(|word| words.contains(word)).ok_or(Refused)
    }

    fn bool<V: Visitor<'a>>(&mut self, visitor: V) -> Read<V::Value> {
        visitor.visit_bool(self.word(&["true", "false"])? == "true")
    }

    fn null<V: Visitor<'a>>(&mut self, visitor: V) -> Read<V::Value> {
        self.word(&["null"])?;
        visitor.visit_unit()
    }

    fn array<V: Visitor<'a>>(&mut self, visitor: V) -> Read<V::Value> {
        self.within(b'[', b']', |reader| visitor.visit_seq(Entries::new(reader)))
    }

    fn object<V: Visitor<'a>>(&mut self, visitor: V) -> Read<V::Value> {
        self.within(b'{', b'}', |reader| visitor.visit_map(Entries::new(reader)))
    }

    /// Goes a level deeper for what stands between the brackets, all of which `on` must read.
    #[inline]
    fn within<T>(&mut self, open: u8, close: u8, on: impl FnOnce(&mut Self) -> Read<T>) -> Read<T> {
        self.scanner.expect(open)?;
        self.levels = self.levels.checked_sub(1).ok_or(Refused)?;
        let value = on(self)?;
        self.levels += 1;
        self.scanner.expect(close)?;
        Ok(value)
    }
}

/// The number, where it has neither sign nor fraction and cannot be too large.
#[inline]
fn whole_number(number: &str) -> Option<u64> {
    if number.len() > 19 {
        return None;
    }
    let digit = |byte: u8| byte.is_ascii_digit().then(|| u64::from(byte - b'0'));
    number.bytes().try_fold(0, |whole, byte| Some(whole * 10 + digit(byte)?))
}

/// Methods for which a wire type has no use. serde_json has: it reads what is refused here.
macro_rules! refuse {
    ($( $method:ident( $($argument:ty),* ) )*) => {$(
        fn $method<V: Visitor<'de>>(self, $(_: $argument,)* _: V) -> Result<V::Value, Refused> {
            Err(Refused)
        }
    )*};
}

macro_rules! numbers {
    ($( $method:ident )*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
            self.number(visitor)
        }
    )*};
}

use refuse;

impl<'de> de::Deserializer<'de> for &mut Reader<'de> {
    type Error = Refused;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        match self.scanner.peek() {
            Some(b'"') => self.text(visitor),
            Some(b'{') => self.object(visitor),
            Some(b'[') => self.array(visitor),
            Some(b't' | b'f') => self.bool(visitor),
            Some(b'n') => self.null(visitor),
            _ => self.number(visitor),
        }
    }

    numbers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_f64
    }

    // Single precision is rounded once in serde_json, and the rest is read by no wire type.
    refuse! {
        deserialize_f32() deserialize_i128() deserialize_u128() deserialize_bytes() deserialize_byte_buf()
        deserialize_enum(&'static str, &'static [&'static str])
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.bool(visitor)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.text(visitor)
    }

    #[inline]
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.text(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.text(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.text(visitor)
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        if self.scanner.peek() == Some(b'n') {
            self.word(&["null"])?;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.null(visitor)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Read<V::Value> {
        self.null(visitor)
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Read<V::Value> {
        if name == RAW {
            return visitor.visit_map(Raw::new(self.raw()?));
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.array(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Read<V::Value> {
        self.array(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Read<V::Value> {
        self.array(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.object(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Read<V::Value> {
        if self.scanner.peek() == Some(b'[') { self.array(visitor) } else { self.object(visitor) }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.raw()?;
        visitor.visit_unit()
    }
}

impl de::Error for Refused {
    /// Forgets what is said: nobody reads it.
    #[cold]
    fn custom<T: Display>(_: T) -> Self {
        Self
    }
}

impl From<ScanError> for Refused {
    fn from(_: ScanError) -> Self {
        Self
    }
}

impl Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the text is not what was asked for")
    }
}

impl std::error::Error for Refused {}
