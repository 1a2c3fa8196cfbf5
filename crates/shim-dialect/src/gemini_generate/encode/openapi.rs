//! JSON Schema in the words of OpenAPI, for targets that read nothing else.
//! Source: `Schema` of <https://ai.google.dev/api/caching#Schema>, read 2026-11-25.

use serde_json::value::RawValue;
use shim_wire::{JsonWriter, Place, RawJson};

use super::super::decode::members;
use super::own::Member;

/// Deeper than any schema is.
const DEPTH_MAX: usize = 64;

/// The keywords both have, with the same values.
const SHARED: [&str; 18] = [
    "title",
    "description",
    "format",
    "enum",
    "required",
    "default",
    "pattern",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "minLength",
    "maxLength",
    "minProperties",
    "maxProperties",
    "propertyOrdering",
    "nullable",
    "example",
];

/// Annotations that hold nobody to anything.
const IDLE: [&str; 6] = ["$schema", "$id", "$comment", "examples", "readOnly", "strict"];

/// The schema in the words of OpenAPI, and whether all of it is said; none for an object without members, which the
/// dialect refuses.
pub(super) fn openapi(schema: &RawJson) -> (Option<RawJson>, bool) {
    let empty = pairs(schema).is_some_and(|keywords| {
        let named = get(&keywords, "properties").is_some_and(|raw| pairs(raw).is_some_and(|p| !p.is_empty()));
        get(&keywords, "type").is_some_and(|kind| kind.get() == "\"object\"") && !named
    });
    if empty {
        return (None, true);
    }
    let mut out = Vec::new();
    let mut whole = true;
    write(schema, JsonWriter::new(&mut out).element(), 0, &mut whole);
    (std::str::from_utf8(&out).ok().and_then(|text| RawJson::parse(text).ok()), whole)
}

fn pairs(object: &RawJson) -> Option<Vec<Member>> {
    let raw: &RawValue = serde_json::from_str(object.get()).ok().filter(|_| object.get().starts_with('{'))?;
    Some(members(raw))
}

fn get<'m>(keywords: &'m [Member], key: &str) -> Option<&'m RawJson> {
    keywords.iter().find(|(name, _)| **name == *key).map(|(_, value)| value)
}

fn write(schema: &RawJson, place: Place<'_, '_>, depth: usize, whole: &mut bool) {
    let Some(keywords) = pairs(schema).filter(|_| depth < DEPTH_MAX) else {
        // `true` and `false` are schemas in JSON Schema alone.
        *whole = false;
        return place.object(|_| ());
    };
    place.object(|w| {
        for (key, value) in &keywords {
            keyword(w, key, value, depth + 1, whole);
        }
    });
}

fn keyword(w: &mut JsonWriter<'_>, key: &str, value: &RawJson, depth: usize, whole: &mut bool) {
    match key {
        "type" => kind(w, value, whole),
        "properties" => named(w, key, value, depth, whole),
        "items" => write(value, w.member(key), depth, whole),
        "anyOf" | "oneOf" => {
            *whole &= key == "anyOf";
            several(w, "anyOf", value, depth, whole);
        }
        "const" => w.array("enum", |w| w.element().raw(value)),
        "additionalProperties" if value.get() == "false" => {}
        _ if SHARED.contains(&key) => w.raw(key, value),
        _ => *whole &= IDLE.contains(&key),
    }
}

fn named(w: &mut JsonWriter<'_>, key: &str, value: &RawJson, depth: usize, whole: &mut bool) {
    let list = pairs(value).unwrap_or_default();
    w.nested(key, |w| list.iter().for_each(|(name, schema)| write(schema, w.member(name), depth, whole)));
}

fn several(w: &mut JsonWriter<'_>, key: &str, value: &RawJson, depth: usize, whole: &mut bool) {
    let list: Vec<&RawValue> = serde_json::from_str(value.get()).unwrap_or_default();
    w.array(key, |w| {
        list.iter().for_each(|raw| write(&RawJson::from(*raw), w.element(), depth, whole));
    });
}

/// The type, in upper case; that it may be `null` is said apart.
fn kind(w: &mut JsonWriter<'_>, value: &RawJson, whole: &mut bool) {
    let words = match serde_json::from_str::<String>(value.get()) {
        Ok(word) => vec![word],
        Err(_) => serde_json::from_str::<Vec<String>>(value.get()).unwrap_or_default(),
    };
    let (null, kinds): (Vec<_>, Vec<_>) = words.iter().partition(|word| *word == "null");
    *whole &= kinds.len() <= 1;
    if let Some(kind) = kinds.first() {
        w.string("type", &kind.to_ascii_uppercase());
    }
    if !null.is_empty() {
        w.bool("nullable", true);
    }
}
