//! Bytes without meaning: JSON object views that keep every member verbatim, byte splices, and stream framing.
//!
//! Nothing here knows a dialect or a model name. Everything is synchronous, bounded and total over hostile input.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::wildcard_enum_match_arm))]

mod block;
mod de;
pub mod frame;
mod layout;
mod object;
mod raw;
pub mod scan;
mod source;
mod splice;
mod string;
mod text;
mod unescape;
mod view;
mod walk;
mod words;
mod write;

pub use layout::{Layout, LayoutAsked};
pub use object::{WireError, from_json, from_json_kept, from_raw};
pub use raw::{Members, RawJson, Str};
pub use source::checked;
pub use splice::{Pieces, Splice, SpliceError, splice};
pub use string::JsonString;
pub use text::JsonText;
pub use unescape::text_of;
pub use view::{ArrayReader, Member, ObjectReader, Value, ValueKind};
pub use walk::Walk;
pub use words::{Found, Words};
pub use write::{JsonWriter, Place};

#[doc(hidden)]
pub mod macro_support {
    //! What the expansion of [`object!`](crate::object) names; not an interface.
    pub use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
    pub use serde_json::value::RawValue;
}

#[doc(hidden)]
pub mod law_support {
    //! How wire types are read, without serde_json behind it: what the laws hold against serde_json; not an interface.
    pub use crate::de::{Refused, read, read_raw};
}
