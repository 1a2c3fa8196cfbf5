//! Wire types read by visitor: the [`object!`](crate::object) macro, and decoding with a path in every error.

use serde::Deserialize;
use serde_json::value::RawValue;
use thiserror::Error;

use crate::{RawJson, de};

/// Why a JSON text does not fit a wire type.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{path}: {message}")]
pub struct WireError {
    /// Where, as `messages[2].content`; `.` for the whole text.
    pub path: String,
    /// What was expected and what was found.
    pub message: String,
}

/// Reads `text` as a `T`. Only an error pays for knowing its path: the text is then read a second time.
///
/// # Errors
/// When the text is not JSON or does not fit, with the path of the offending value.
pub fn from_json<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, WireError> {
    de::read(text).or_else(|_| locate(text))
}

/// Reads `raw`, which is known to be JSON, as a `T`: what of it stays raw is passed over several times as fast.
///
/// # Errors
/// When it does not fit, as [`from_json`].
pub fn from_raw<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T, WireError> {
    de::read_raw(raw).or_else(|_| locate(raw.get()))
}

/// Reads `text` as a `T`, and keeps it verbatim: reading it has checked that it is JSON.
///
/// # Errors
/// As [`from_json`].
pub fn from_json_kept<'a, T: Deserialize<'a>>(text: &'a str) -> Result<(T, RawJson), WireError> {
    Ok((from_json(text)?, RawJson::checked(text)))
}

/// Has serde_json read a text that was refused, which knows where and why.
#[cold]
fn locate<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, WireError> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|located| WireError {
        path: located.path().to_string(),
        message: located.inner().to_string(),
    })?;
    deserializer
        .end()
        .map(|()| value)
        .map_err(|error| WireError { path: ".".to_owned(), message: error.to_string() })
}

/// Declares wire objects: structs with one lifetime that are read by a visitor and keep what they do not model.
///
/// `req` members must be there; `opt` members become `Option`s; `seq` members become `Vec`s, empty when absent. A
/// member that is `null` counts as absent and is kept in `rest` with the unknown ones, so absent and `null` stay
/// apart. The wire name follows `as` where it differs. Of a member that comes twice the last one counts.
///
/// ```
/// shim_wire::object! {
///     /// `usage` of an answer.
///     pub struct Usage<'a> {
///         /// All of the input.
///         req input_tokens: u64,
///         /// Absent from older models.
///         opt cached: u64,
///         /// The kind of answer.
///         opt kind as "type": shim_wire::Str<'a>,
///     }
/// }
/// let usage: Usage = shim_wire::from_json(r#"{"new":[1],"type":"x","input_tokens":3,"cached":null}"#)?;
/// assert_eq!((usage.input_tokens, usage.cached), (3, None));
/// let rest: Vec<_> = usage.rest.iter().map(|(key, raw)| (key, raw.get())).collect();
/// assert_eq!(rest, [("new", "[1]"), ("cached", "null")]);
/// # Ok::<(), shim_wire::WireError>(())
/// ```
#[macro_export]
macro_rules! object {
    ($(
        $(#[$meta:meta])*
        $vis:vis struct $name:ident<$lt:lifetime> {
            $( $(#[$fmeta:meta])* $mode:ident $field:ident $(as $key:literal)? : $ty:ty ),* $(,)?
        }
    )+) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug)]
        $vis struct $name<$lt> {
            $( $(#[$fmeta])* $vis $field: $crate::object!(@type $mode $ty), )*
            /// The members not modelled here, and the modelled ones that were `null`, verbatim and in order.
            $vis rest: $crate::Members<$lt>,
        }

        impl<$lt> $crate::macro_support::Deserialize<$lt> for $name<$lt> {
            fn deserialize<D>(deserializer: D) -> Result<Self, D::Error>
            where
                D: $crate::macro_support::Deserializer<$lt>,
            {
                struct Object<$lt>(std::marker::PhantomData<&$lt ()>);
                impl<$lt> $crate::macro_support::Visitor<$lt> for Object<$lt> {
                    type Value = $name<$lt>;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object")
                    }
                    fn visit_map<A>(self, mut map: A) -> Result<Self::Value, A::Error>
                    where
                        A: $crate::macro_support::MapAccess<$lt>,
                    {
                        $( let mut $field: Option<$ty> = None; )*
                        let mut rest = $crate::Members::default();
                        while let Some(key) = map.next_key::<$crate::Str<$lt>>()? {
                            $( if &*key == $crate::object!(@key $field $($key)?) {
                                $field = map.next_value()?;
                                if $field.is_none() {
                                    rest.push(key, $crate::macro_support::RawValue::NULL);
                                }
                                continue;
                            } )*
                            rest.push(key, map.next_value()?);
                        }
                        Ok($name {
                            $( $field: $crate::object!(@take $mode $field, $crate::object!(@key $field $($key)?)), )*
                            rest,
                        })
                    }
                }
                deserializer.deserialize_map(Object(std::marker::PhantomData))
            }
        }
    )+};
    (@type req $ty:ty) => { $ty };
    (@type opt $ty:ty) => { Option<$ty> };
    (@type seq $ty:ty) => { $ty };
    (@take req $field:ident, $key:expr) => {
        $field.ok_or_else(|| <A::Error as $crate::macro_support::Error>::missing_field($key))?
    };
    (@take opt $field:ident, $key:expr) => { $field };
    (@take seq $field:ident, $key:expr) => { $field.unwrap_or_default() };
    (@key $field:ident) => { stringify!($field) };
    (@key $field:ident $key:literal) => { $key };
}

#[cfg(test)]
mod tests {
    use crate::{RawJson, Str, from_json};

    object! {
        /// An outer object.
        struct Outer<'a> {
            req name: Str<'a>,
            seq items: Vec<Inner<'a>>,
            opt raw: &'a serde_json::value::RawValue,
        }
        /// An inner object.
        struct Inner<'a> {
            req n: u64,
        }
    }

    #[test]
    fn keeps_what_it_does_not_model() {
        let outer: Outer =
            from_json(r#"{"name":"a\nb","x":{"y": 1.0},"items":[{"n":1,"m":2}],"raw":[ 1,2 ],"z":null}"#)
                .unwrap();
        assert_eq!((&*outer.name, outer.items[0].n, outer.raw.unwrap().get()), ("a\nb", 1, "[ 1,2 ]"));
        assert_eq!(outer.items[0].rest.iter().count(), 1);
        let rest = outer.rest.into_owned();
        assert_eq!(
            rest,
            [
                ("x".into(), RawJson::parse("{\"y\": 1.0}").unwrap()),
                ("z".into(), RawJson::parse("null").unwrap())
            ]
        );
    }

    #[track_caller]
    fn fails(text: &str, path: &str, says: &str) {
        let error = from_json::<Outer>(text).unwrap_err();
        assert_eq!(error.path, path);
        assert!(error.message.contains(says), "{error}");
    }

    #[test]
    fn an_error_carries_its_path() {
        fails(r#"{"name":"a","items":[{"n":1},{"n":"x"}]}"#, "items[1].n", "invalid type");
        fails(r#"{"name":"a","items":[{}]}"#, "items[0]", "missing field `n`");
        fails(r#"{"name":7}"#, "name", "expected a string");
        fails("[]", ".", "expected an object");
    }
}
