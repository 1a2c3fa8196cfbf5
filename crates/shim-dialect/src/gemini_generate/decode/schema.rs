//! Schemas in the words of OpenAPI, as JSON Schema, which is what every other dialect reads.
//! Source: `Schema` of <https://ai.google.dev/api/caching#Schema>, read 2026-11-25.

use serde_json::value::RawValue;
use shim_wire::{JsonWriter, Place, RawJson};

use super::members;
use crate::gemini_generate::message::camel;

/// Deeper than any schema is.
const DEPTH_MAX: usize = 64;

/// The keywords that hold several words, which may be written in either spelling.
const LONG: [&str; 12] = [
    "anyOf",
    "oneOf",
    "allOf",
    "minItems",
    "maxItems",
    "minLength",
    "maxLength",
    "minProperties",
    "maxProperties",
    "prefixItems",
    "propertyOrdering",
    "additionalProperties",
];

/// The same schema as JSON Schema.
pub(crate) fn json_schema(schema: &RawValue) -> RawJson {
    let mut out = Vec::new();
    write(&RawJson::from(schema), JsonWriter::new(&mut out).element(), 0);
    let written = std::str::from_utf8(&out).ok().and_then(|text| RawJson::parse(text).ok());
    written.unwrap_or_else(|| schema.into())
}

fn write(schema: &RawJson, place: Place<'_, '_>, depth: usize) {
    let keywords = keywords(schema).filter(|_| depth < DEPTH_MAX);
    let Some(keywords) = keywords else { return place.raw(schema) };
    let nullable = keywords.iter().any(|(key, value)| &**key == "nullable" && value.get() == "true");
    place.object(|w| {
        for (key, value) in &keywords {
            keyword(w, key, value, nullable, depth + 1);
        }
    });
}

/// The members of an object, keywords in lower camel case; `None` for a value of another kind.
fn keywords(schema: &RawJson) -> Option<Vec<(String, RawJson)>> {
    let spelled = |key: &str| {
        let name = camel(key);
        if LONG.contains(&name.as_str()) { name } else { key.to_owned() }
    };
    let found = pairs(schema)?.into_iter();
    Some(found.map(|(key, value)| (spelled(&key), value)).collect())
}

fn pairs(object: &RawJson) -> Option<Vec<(Box<str>, RawJson)>> {
    let raw: &RawValue = serde_json::from_str(object.get()).ok().filter(|_| object.get().starts_with('{'))?;
    Some(members(raw))
}

fn elements(list: &RawJson) -> Option<Vec<RawJson>> {
    let list: Vec<&RawValue> = serde_json::from_str(list.get()).ok()?;
    Some(list.into_iter().map(RawJson::from).collect())
}

fn keyword(w: &mut JsonWriter<'_>, key: &str, value: &RawJson, nullable: bool, depth: usize) {
    match key {
        "type" => kind(w, value, nullable),
        "nullable" | "propertyOrdering" => {}
        "format" if value.get() == "\"enum\"" => {}
        "example" => w.array("examples", |w| w.element().raw(value)),
        "enum" if nullable => listed(w, key, value, Some("null")),
        "minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties" | "maxProperties" => {
            bound(w, key, value)
        }
        "properties" | "$defs" | "definitions" => named(w, key, value, depth),
        "defs" => named(w, "$defs", value, depth),
        "ref" => w.raw("$ref", value),
        "items" | "additionalProperties" => write(value, w.member(key), depth),
        "anyOf" | "oneOf" | "allOf" | "prefixItems" => several(w, key, value, nullable, depth),
        _ => w.raw(key, value),
    }
}

/// The type, in lower case.
fn kind(w: &mut JsonWriter<'_>, value: &RawJson, nullable: bool) {
    let Ok(word) = serde_json::from_str::<String>(value.get()) else { return w.raw("type", value) };
    let word = word.to_ascii_lowercase();
    match (word.as_str(), nullable) {
        ("type_unspecified", _) => {}
        (word, false) => w.string("type", word),
        (word, true) => w.array("type", |w| {
            w.element().string(word);
            w.element().string("null");
        }),
    }
}

/// A bound; JSON of protocol buffers writes 64-bit integers as strings.
fn bound(w: &mut JsonWriter<'_>, key: &str, value: &RawJson) {
    let number = serde_json::from_str::<String>(value.get()).ok().and_then(|text| text.parse::<i64>().ok());
    match number {
        Some(number) => w.number(key, number),
        None => w.raw(key, value),
    }
}

/// A list, and what else it holds.
fn listed(w: &mut JsonWriter<'_>, key: &str, value: &RawJson, also: Option<&str>) {
    let Some(list) = elements(value) else { return w.raw(key, value) };
    w.array(key, |w| {
        list.iter().for_each(|entry| w.element().raw(entry));
        if also.is_some_and(|also| list.iter().all(|entry| entry.get() != also)) {
            w.element().null();
        }
    });
}

fn named(w: &mut JsonWriter<'_>, key: &str, value: &RawJson, depth: usize) {
    let Some(list) = pairs(value) else { return w.raw(key, value) };
    w.nested(key, |w| list.iter().for_each(|(name, schema)| write(schema, w.member(name), depth)));
}

fn several(w: &mut JsonWriter<'_>, key: &str, value: &RawJson, nullable: bool, depth: usize) {
    let Some(list) = elements(value) else { return w.raw(key, value) };
    w.array(key, |w| {
        list.iter().for_each(|schema| write(schema, w.element(), depth));
        if nullable && key == "anyOf" {
            w.element().object(|w| w.string("type", "null"));
        }
    });
}
