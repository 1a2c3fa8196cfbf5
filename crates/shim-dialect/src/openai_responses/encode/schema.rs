//! Schemas of other flavours as this dialect's JSON Schema, and whether a schema can be kept to exactly.

use std::borrow::Cow;

use shim_wire::{JsonWriter, Place, RawJson, Value, ValueKind};

use crate::common::{each_element, each_member, member};

/// The types of OpenAPI as Google writes them.
const UPPER_CASE: [&str; 7] = ["STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"];

/// Bounds that Google writes as strings, as it does with any 64-bit number.
const BOUNDS: [&str; 6] =
    ["minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"];

/// The schema in JSON Schema's words: types in lower case, `nullable` as a type. Most are it already.
/// Source: <https://ai.google.dev/api/caching#Schema>, read 2026-11-25.
pub(super) fn json_schema(schema: &RawJson) -> Cow<'_, RawJson> {
    if !UPPER_CASE.iter().any(|word| schema.get().contains(&format!("\"{word}\""))) {
        return Cow::Borrowed(schema);
    }
    let mut text = Vec::new();
    JsonWriter::new(&mut text).object(|w| w.nested("schema", |w| put_members(w, schema.get())));
    let written = std::str::from_utf8(&text).ok().and_then(|text| member(text, "schema"));
    written.map_or(Cow::Borrowed(schema), |schema| Cow::Owned(schema.into()))
}

/// Writes the members of the object `schema`.
fn put_members(w: &mut JsonWriter<'_>, schema: &str) {
    let nullable = member(schema, "nullable").and_then(|v| v.as_bool()) == Some(true);
    let _ = each_member(schema, |member| put_member(w, &member.key, member.value, nullable));
}

fn put_schema(place: Place<'_, '_>, schema: Value<'_>) {
    if schema.kind() == ValueKind::Object {
        place.object(|w| put_members(w, schema.text()));
    } else {
        place.raw(&schema.into());
    }
}

fn put_member(w: &mut JsonWriter<'_>, key: &str, value: Value<'_>, nullable: bool) {
    match (key, value.kind()) {
        ("type", ValueKind::String) => put_type(w, &value.as_str().unwrap_or_default(), nullable),
        ("nullable", _) => {}
        ("properties" | "$defs" | "definitions", ValueKind::Object) => w.nested(key, |w| {
            let _ = each_member(value.text(), |member| put_schema(w.member(&member.key), member.value));
        }),
        ("anyOf" | "oneOf" | "allOf" | "prefixItems", ValueKind::Array) => w.array(key, |w| {
            let _ = each_element(value.text(), |_, schema| put_schema(w.element(), schema));
        }),
        ("items" | "additionalProperties" | "not", _) => put_schema(w.member(key), value),
        (key, ValueKind::String) if BOUNDS.contains(&key) => {
            match value.as_str().and_then(|number| number.parse::<u64>().ok()) {
                Some(number) => w.number(key, number),
                None => w.raw(key, &value.into()),
            }
        }
        _ => w.raw(key, &value.into()),
    }
}

fn put_type(w: &mut JsonWriter<'_>, word: &str, nullable: bool) {
    let lower = word.to_ascii_lowercase();
    if nullable {
        w.array("type", |w| {
            w.element().string(&lower);
            w.element().string("null");
        });
    } else {
        w.string("type", &lower);
    }
}

/// Whether a schema is one that OpenAI keeps to exactly: its objects permit no further property and need each of
/// theirs. Source: <https://developers.openai.com/api/docs/guides/structured-outputs>, read 2026-11-25.
pub(super) fn is_strict(schema: &str) -> bool {
    let mut sound = is_closed(schema);
    let read = each_member(schema, |inner| match (&*inner.key, inner.value.kind()) {
        ("properties" | "$defs" | "definitions", ValueKind::Object) => {
            let _ = each_member(inner.value.text(), |inner| sound &= is_strict_inside(inner.value));
        }
        ("anyOf", ValueKind::Array) => {
            let _ = each_element(inner.value.text(), |_, inner| sound &= is_strict_inside(inner));
        }
        ("oneOf" | "allOf" | "not" | "patternProperties", _) => sound = false,
        ("items", _) => sound &= is_strict_inside(inner.value),
        _ => {}
    });
    read.is_ok() && sound
}

fn is_strict_inside(schema: Value<'_>) -> bool {
    schema.kind() != ValueKind::Object || is_strict(schema.text())
}

/// Whether an object's schema permits no further property and needs each of its own; true for other schemas.
fn is_closed(schema: &str) -> bool {
    let properties = member(schema, "properties");
    let is_object = member(schema, "type").and_then(|kind| kind.as_str()).as_deref() == Some("object");
    if properties.is_none() && !is_object {
        return true;
    }
    let mut needed = Vec::new();
    if let Some(required) = member(schema, "required") {
        let _ = each_element(required.text(), |_, name| needed.extend(name.as_str().map(Cow::into_owned)));
    }
    let mut closed = member(schema, "additionalProperties").and_then(|v| v.as_bool()) == Some(false);
    if let Some(properties) = properties {
        let _ = each_member(properties.text(), |own| closed &= needed.iter().any(|name| *name == own.key));
    }
    closed
}
