//! Newtypes for the names that could be mistaken for each other.

use std::fmt;

use thiserror::Error;

/// Why a text is no valid name.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum NameError {
    /// Nothing at all.
    #[error("a name must not be empty")]
    Empty,
    /// Longer than 256 bytes.
    #[error("a name is at most {NAME_BYTES_MAX} bytes long")]
    TooLong,
    /// White space or a control character.
    #[error("a name holds no white space or control characters")]
    Character,
    /// A `.` or `..` between slashes: names become paths of upstreams.
    #[error("a name holds no \".\" or \"..\" between slashes")]
    Dots,
    /// A target without `provider/` before the model.
    #[error("a target is written provider/model")]
    NoProvider,
}

/// Longest name accepted anywhere, in bytes.
const NAME_BYTES_MAX: usize = 256;

fn check(name: &str) -> Result<&str, NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(NameError::TooLong);
    }
    if name.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(NameError::Character);
    }
    if name.split(['/', '\\']).any(|segment| segment == "." || segment == "..") {
        return Err(NameError::Dots);
    }
    Ok(name)
}

macro_rules! names {
    ($( $(#[$meta:meta])* $name:ident )+) => {$(
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// Checks and keeps a name.
            ///
            /// # Errors
            /// When it is empty, too long, or holds white space, control characters or segments of dots.
            pub fn new(name: &str) -> Result<Self, NameError> {
                check(name).map(|name| Self(name.into()))
            }

            /// The name.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    )+};
}

names! {
    /// What clients ask for: a name under which any model can be put.
    AliasName
    /// A provider of the catalogue or the configuration.
    ProviderId
    /// A model as its provider names it.
    ModelId
    /// A client's key, by its name in the configuration; never the secret.
    KeyId
    /// A team of keys: who shares limits.
    TeamName
}

/// Provider and model: what one attempt is made at. The credential follows from the provider.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TargetId {
    /// Who serves.
    pub provider: ProviderId,
    /// Which model, in the provider's own words; it may hold slashes.
    pub model: ModelId,
}

impl TargetId {
    /// Parses `provider/model`; the model is everything behind the first slash.
    ///
    /// # Errors
    /// When there is no slash, or a part is no valid name.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let (provider, model) = text.split_once('/').ok_or(NameError::NoProvider)?;
        Ok(Self { provider: ProviderId::new(provider)?, model: ModelId::new(model)? })
    }
}

impl fmt::Display for TargetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.provider, self.model)
    }
}

/// The number of a configuration snapshot; it only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Generation(pub u64);

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The id of one exchange: the 128 bits of a UUIDv7.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExchangeId(pub u128);

impl fmt::Display for ExchangeId {
    /// Hyphenated lower-case hexadecimal, as RFC 9562 §4 writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.print(&mut [0; 36]))
    }
}

impl ExchangeId {
    /// When it was made, in milliseconds since 1970 (RFC 9562 §5.7).
    #[must_use]
    pub fn at_ms(self) -> u64 {
        u64::try_from(self.0 >> 80).unwrap_or_default()
    }

    /// Writes the id into `buffer` as it is displayed, without the formatting machinery: it is in every answer and
    /// every log line.
    #[must_use]
    pub fn print<'b>(&self, buffer: &'b mut [u8; 36]) -> &'b str {
        let mut slots = buffer.iter_mut();
        let mut put = |character: u8| {
            if let Some(slot) = slots.next() {
                *slot = character;
            }
        };
        for (at, byte) in self.0.to_be_bytes().into_iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                put(b'-');
            }
            for digit in [byte >> 4, byte & 0xf] {
                put(digit + if digit < 10 { b'0' } else { b'a' - 10 });
            }
        }
        std::str::from_utf8(buffer).unwrap_or_default()
    }
}

/// A text that is no id of an exchange.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("an id of an exchange is a UUID, such as 01923456-789a-7bcd-8123-456789abcdef")]
pub struct NoExchangeId;

impl std::str::FromStr for ExchangeId {
    type Err = NoExchangeId;
    fn from_str(text: &str) -> Result<Self, NoExchangeId> {
        let digits: String = text.chars().filter(|c| *c != '-').collect();
        let id = u128::from_str_radix(&digits, 16).map(Self).map_err(|_| NoExchangeId)?;
        // Only as it is written: other writings would be other names of the same exchange.
        if id.print(&mut [0; 36]).eq_ignore_ascii_case(text) { Ok(id) } else { Err(NoExchangeId) }
    }
}

impl fmt::Debug for ExchangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::{ExchangeId, NameError, TargetId};

    #[test]
    fn a_target_is_split_at_the_first_slash() {
        let target = TargetId::parse("openrouter/meta-llama/llama-4").unwrap();
        assert_eq!((target.provider.as_str(), target.model.as_str()), ("openrouter", "meta-llama/llama-4"));
        assert_eq!(TargetId::parse("gpt-5"), Err(NameError::NoProvider));
        assert_eq!(TargetId::parse("openai/"), Err(NameError::Empty));
        assert_eq!(TargetId::parse("openai/a b"), Err(NameError::Character));
        for climbing in ["google/../x", "google/a/..", "google/.", "../x", "google/a\\..\\b"] {
            assert_eq!(TargetId::parse(climbing), Err(NameError::Dots), "{climbing}");
        }
        assert!(TargetId::parse("lab/model..v1.5/...").is_ok());
    }

    #[test]
    fn an_exchange_id_prints_as_a_uuid() {
        let id = ExchangeId(0x0192_3456_789a_7bcd_8123_4567_89ab_cdef);
        assert_eq!(id.to_string(), "01923456-789a-7bcd-8123-456789abcdef");
        assert_eq!(id.at_ms(), 0x0192_3456_789a);
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in ["", "1", "01923456789a7bcd8123456789abcdef", "01923456-789a-7bcd-8123-456789abcdeg"] {
            assert_eq!(wrong.parse::<ExchangeId>(), Err(super::NoExchangeId), "{wrong}");
        }
    }
}
