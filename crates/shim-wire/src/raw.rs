//! Verbatim values: text that was checked once and is never reprinted.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use serde::de::{Deserialize, Deserializer, Visitor};
use serde_json::value::RawValue;

use crate::Value;
use crate::scan::{Limits, ScanError, check};

/// Owned JSON text that was checked and is never reprinted.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RawJson(Box<str>);

impl RawJson {
    /// Checks `text` and keeps it without the white space around it.
    ///
    /// # Errors
    /// When `text` is not one JSON value.
    pub fn parse(text: &str) -> Result<Self, ScanError> {
        check(text.as_bytes(), Limits::default())?;
        Ok(Self(text.trim_matches([' ', '\n', '\r', '\t']).into()))
    }

    /// Keeps text that was checked when it was read, without the white space around it.
    pub(crate) fn checked(text: &str) -> Self {
        Self(text.trim_matches([' ', '\n', '\r', '\t']).into())
    }

    /// A JSON string holding `text`.
    #[must_use]
    pub fn string(text: &str) -> Self {
        Self(serde_json::Value::from(text).to_string().into())
    }

    /// The text.
    #[must_use]
    pub fn get(&self) -> &str {
        &self.0
    }
}

impl From<Value<'_>> for RawJson {
    /// Keeps a value that was checked when it was read.
    fn from(value: Value<'_>) -> Self {
        Self(value.text().into())
    }
}

impl From<&RawValue> for RawJson {
    fn from(raw: &RawValue) -> Self {
        Self(raw.get().into())
    }
}

impl fmt::Debug for RawJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A string of a wire type: borrowed from the text where it has no escapes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Str<'a>(Cow<'a, str>);

impl Str<'_> {
    /// The string, owned.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0.into_owned()
    }
}

impl Deref for Str<'_> {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'a> From<&'a str> for Str<'a> {
    fn from(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl From<Str<'_>> for String {
    fn from(text: Str<'_>) -> Self {
        text.into_string()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Str<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Str<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Str<'de>, E> {
                Ok(Str(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Str<'de>, E> {
                Ok(Str(Cow::Owned(text.to_owned())))
            }
            fn visit_string<E>(self, text: String) -> Result<Str<'de>, E> {
                Ok(Str(Cow::Owned(text)))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// The members of a wire object that its type does not model, and the modelled ones that were `null`, in their order.
#[derive(Clone, Debug, Default)]
pub struct Members<'a>(Vec<(Str<'a>, &'a RawValue)>);

impl<'a> Members<'a> {
    /// Adds a member behind the others.
    pub fn push(&mut self, key: Str<'a>, value: &'a RawValue) {
        self.0.push((key, value));
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The members, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.0.iter().map(|(key, value)| (&**key, *value))
    }

    /// Takes the member `key` out.
    pub fn take(&mut self, key: &str) -> Option<&'a RawValue> {
        let at = self.0.iter().position(|(name, _)| &**name == key)?;
        Some(self.0.remove(at).1)
    }

    /// The members, owned.
    #[must_use]
    pub fn into_owned(self) -> Vec<(Box<str>, RawJson)> {
        self.0.into_iter().map(|(key, value)| (key.into_string().into(), value.into())).collect()
    }
}
