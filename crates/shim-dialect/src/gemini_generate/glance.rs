//! An answer as the meter sees it: read in one pass, without building anything.

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use shim_wire::Str;

use super::message::{Unread, is_name};

message! {
    /// An answer, or a piece of one.
    struct Glance<'a>, _rest: Unread {
        seq candidates: Vec<CandidateGlance<'a>>,
        opt prompt_feedback: &'a RawValue,
        opt usage_metadata: &'a RawValue,
        opt model_version: Str<'a>,
        opt error: &'a RawValue,
    }

    /// One of the answers, or a piece of one.
    struct CandidateGlance<'a>, _rest: Unread {
        opt content: ContentGlance<'a>,
        opt finish_reason: Str<'a>,
        opt grounding_metadata: &'a RawValue,
        opt index: u32,
    }

    /// A turn.
    struct ContentGlance<'a>, _rest: Unread {
        opt parts: Parts,
    }

    /// A part. What is none of these says something, too.
    struct PartGlance<'a>, rest: Others {
        opt text: &'a RawValue,
        opt function_call: &'a RawValue,
    }
}

/// Whether there are members that say something: not `null`, and not aside from what is said.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Others<'a>(bool, std::marker::PhantomData<&'a ()>);

impl<'a> Others<'a> {
    #[expect(clippy::needless_pass_by_value, reason = "other kinds of rest keep what they are handed")]
    fn push(&mut self, key: Str<'a>, value: &'a RawValue) {
        let aside = is_name(&key, "thought") || is_name(&key, "thought_signature");
        self.0 |= !aside && value.get() != "null";
    }
}

/// What a list of parts says.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Parts {
    /// Whether anything is said: text, a thought, a call.
    pub(super) said: bool,
    /// Whether a function is called.
    pub(super) calls: bool,
}

impl Parts {
    fn take(&mut self, part: &PartGlance<'_>) {
        let text = part.text.is_some_and(|text| text.get() != "\"\"");
        self.calls |= part.function_call.is_some();
        self.said |= text || part.function_call.is_some() || part.rest.0;
    }
}

impl<'de> Deserialize<'de> for Parts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrMany)
    }
}

/// Reads a list of parts, or one in its place.
struct OneOrMany;

impl<'de> Visitor<'de> for OneOrMany {
    type Value = Parts;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list of parts")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Parts, A::Error> {
        let mut parts = Parts::default();
        while let Some(part) = list.next_element::<PartGlance<'de>>()? {
            parts.take(&part);
        }
        Ok(parts)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Parts, A::Error> {
        let mut parts = Parts::default();
        parts.take(&PartGlance::deserialize(MapAccessDeserializer::new(map))?);
        Ok(parts)
    }
}
