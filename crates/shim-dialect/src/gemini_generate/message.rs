//! JSON of protocol buffers: a name may be written `mimeType` or `mime_type`
//! (<https://protobuf.dev/programming-guides/json/>), and Google's parser takes one value for a list of one, as
//! recorded traffic shows. A member whose value is a list or one of many kinds is therefore kept raw by the wire types.

use serde_json::value::RawValue;
use shim_wire::Str;

/// Declares wire objects as [`shim_wire::object!`] does, with names in either spelling. The members not modelled, and
/// the modelled ones that were `null`, are in `rest`; an object that is kept verbatim elsewhere leaves them `Unread`.
macro_rules! message {
    ($(
        $(#[$meta:meta])*
        struct $name:ident<$lt:lifetime>, $rest:ident: $kept:ident {
            $( $(#[$fmeta:meta])* $mode:ident $field:ident: $ty:ty ),* $(,)?
        }
    )+) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug)]
        pub(crate) struct $name<$lt> {
            $( $(#[$fmeta])* pub(crate) $field: message!(@type $mode $ty), )*
            pub(crate) $rest: $kept<$lt>,
        }

        impl<$lt> serde::Deserialize<$lt> for $name<$lt> {
            fn deserialize<D: serde::Deserializer<$lt>>(deserializer: D) -> Result<Self, D::Error> {
                struct Object<$lt>(std::marker::PhantomData<&$lt ()>);
                impl<$lt> serde::de::Visitor<$lt> for Object<$lt> {
                    type Value = $name<$lt>;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object")
                    }
                    fn visit_map<A: serde::de::MapAccess<$lt>>(
                        self,
                        mut map: A,
                    ) -> Result<Self::Value, A::Error> {
                        $( let mut $field: Option<$ty> = None; )*
                        let mut rest = $kept::default();
                        while let Some(key) = map.next_key::<shim_wire::Str<$lt>>()? {
                            $( if $crate::gemini_generate::message::is_name(&key, stringify!($field)) {
                                $field = map.next_value()?;
                                if $field.is_none() {
                                    rest.push(key, serde_json::value::RawValue::NULL);
                                }
                                continue;
                            } )*
                            rest.push(key, map.next_value()?);
                        }
                        Ok($name { $( $field: message!(@take $mode $field), )* $rest: rest })
                    }
                }
                deserializer.deserialize_map(Object(std::marker::PhantomData))
            }
        }
    )+};
    (@type req $ty:ty) => { $ty };
    (@type opt $ty:ty) => { Option<$ty> };
    (@type seq $ty:ty) => { $ty };
    (@take req $field:ident) => { $field.ok_or_else(|| <A::Error as serde::de::Error>::missing_field(stringify!($field)))? };
    (@take opt $field:ident) => { $field };
    (@take seq $field:ident) => { $field.unwrap_or_default() };
}

/// Members that nobody reads.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Unread<'a>(std::marker::PhantomData<&'a ()>);

impl<'a> Unread<'a> {
    /// Passes a member over.
    pub(crate) fn push(&mut self, _: Str<'a>, _: &'a RawValue) {}
}

/// Whether `key` is the name `snake`, in that spelling or in lower camel case.
pub(crate) fn is_name(key: &str, snake: &str) -> bool {
    if key == snake {
        return true;
    }
    let mut key = key.bytes();
    let mut raise = false;
    for byte in snake.bytes() {
        if byte == b'_' {
            raise = true;
            continue;
        }
        let wanted = if raise { byte.to_ascii_uppercase() } else { byte };
        raise = false;
        if key.next() != Some(wanted) {
            return false;
        }
    }
    key.next().is_none()
}

/// The name `key` in lower camel case.
pub(crate) fn camel(key: &str) -> String {
    let mut name = String::with_capacity(key.len());
    let mut raise = false;
    for letter in key.chars() {
        match letter {
            '_' => raise = true,
            _ if raise => {
                name.push(letter.to_ascii_uppercase());
                raise = false;
            }
            _ => name.push(letter),
        }
    }
    name
}
