//! What stands between brackets, handed to a visitor one after the other.

use super::{
    BorrowedStrDeserializer, RAW, Read, Reader, Refused, Visitor, de, forward_to_deserialize_any, refuse,
};

/// The elements of an array, or the members of an object.
pub(super) struct Entries<'r, 'a> {
    reader: &'r mut Reader<'a>,
    started: bool,
}

impl<'r, 'a> Entries<'r, 'a> {
    pub(super) fn new(reader: &'r mut Reader<'a>) -> Self {
        Self { reader, started: false }
    }

    /// Steps to the next entry; false at the bracket that closes, which stays.
    #[inline]
    fn more(&mut self, close: u8) -> Read<bool> {
        let scanner = &mut self.reader.scanner;
        match scanner.peek() {
            Some(byte) if byte == close => Ok(false),
            Some(_) if !self.started => {
                self.started = true;
                Ok(true)
            }
            Some(b',') => {
                scanner.advance();
                if scanner.peek() == Some(close) { Err(Refused) } else { Ok(true) }
            }
            _ => Err(Refused),
        }
    }
}

impl<'de> de::SeqAccess<'de> for Entries<'_, 'de> {
    type Error = Refused;

    #[inline]
    fn next_element_seed<T: de::DeserializeSeed<'de>>(&mut self, seed: T) -> Read<Option<T::Value>> {
        if self.more(b']')? { seed.deserialize(&mut *self.reader).map(Some) } else { Ok(None) }
    }
}

impl<'de> de::MapAccess<'de> for Entries<'_, 'de> {
    type Error = Refused;

    #[inline]
    fn next_key_seed<K: de::DeserializeSeed<'de>>(&mut self, seed: K) -> Read<Option<K::Value>> {
        if !self.more(b'}')? {
            return Ok(None);
        }
        if self.reader.scanner.peek() != Some(b'"') {
            return Err(Refused);
        }
        seed.deserialize(Key(self.reader)).map(Some)
    }

    #[inline]
    fn next_value_seed<V: de::DeserializeSeed<'de>>(&mut self, seed: V) -> Read<V::Value> {
        self.reader.scanner.expect(b':')?;
        seed.deserialize(&mut *self.reader)
    }
}

/// The name of a member: a string, whatever is asked for.
struct Key<'r, 'a>(&'r mut Reader<'a>);

impl<'de> de::Deserializer<'de> for Key<'_, 'de> {
    type Error = Refused;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.0.text(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Read<V::Value> {
        if name == RAW {
            return visitor.visit_map(Raw::new(self.0.raw()?));
        }
        visitor.visit_newtype_struct(self)
    }

    // serde_json reads these out of the string.
    refuse! {
        deserialize_bool() deserialize_i8() deserialize_i16() deserialize_i32() deserialize_i64() deserialize_i128()
        deserialize_u8() deserialize_u16() deserialize_u32() deserialize_u64() deserialize_u128()
        deserialize_f32() deserialize_f64() deserialize_bytes() deserialize_byte_buf()
        deserialize_enum(&'static str, &'static [&'static str])
    }

    forward_to_deserialize_any! {
        char str string unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// A value that stays text, as serde_json's `RawValue` wants it: as the one member of an object.
pub(super) struct Raw<'a>(Option<&'a str>);

impl<'a> Raw<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self(Some(text))
    }
}

impl<'de> de::MapAccess<'de> for Raw<'de> {
    type Error = Refused;

    #[inline]
    fn next_key_seed<K: de::DeserializeSeed<'de>>(&mut self, seed: K) -> Read<Option<K::Value>> {
        if self.0.is_none() {
            return Ok(None);
        }
        seed.deserialize(BorrowedStrDeserializer::new(RAW)).map(Some)
    }

    #[inline]
    fn next_value_seed<V: de::DeserializeSeed<'de>>(&mut self, seed: V) -> Read<V::Value> {
        let text = self.0.take().ok_or(Refused)?;
        seed.deserialize(BorrowedStrDeserializer::new(text))
    }
}
