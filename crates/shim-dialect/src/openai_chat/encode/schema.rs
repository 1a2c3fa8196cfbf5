//! Schemas in the words of OpenAPI 3.0, as JSON Schema.
//!
//! Some clients write `"type": "OBJECT"` and `"nullable": true` (<https://spec.openapis.org/oas/v3.0.3#schema-object>,
//! read 2026-11-25); everybody else takes that for an error.

use std::borrow::Cow;

use shim_wire::{JsonWriter, RawJson, Value, ValueKind};

use crate::common::{each_element, each_member};

/// The schema as JSON Schema; itself, where it is that already.
pub(crate) fn json_schema(schema: &RawJson) -> Cow<'_, RawJson> {
    if !TYPES.iter().any(|(word, _)| schema.get().contains(word)) {
        return Cow::Borrowed(schema);
    }
    let mut out = Vec::new();
    JsonWriter::new(&mut out).list(|w| rewrite(w, schema.get()));
    let list = String::from_utf8(out).unwrap_or_default();
    let inner = list.strip_prefix('[').and_then(|list| list.strip_suffix(']')).unwrap_or_default();
    RawJson::parse(inner).map_or(Cow::Borrowed(schema), Cow::Owned)
}

const TYPES: [(&str, &str); 7] = [
    ("\"OBJECT\"", "object"),
    ("\"STRING\"", "string"),
    ("\"NUMBER\"", "number"),
    ("\"INTEGER\"", "integer"),
    ("\"BOOLEAN\"", "boolean"),
    ("\"ARRAY\"", "array"),
    ("\"NULL\"", "null"),
];

/// Members whose value is data, not a schema.
const DATA: [&str; 5] = ["default", "example", "examples", "enum", "const"];

/// Writes `text`, a schema or something that holds schemas, as an element of the open array.
fn rewrite(w: &mut JsonWriter<'_>, text: &str) {
    match text.as_bytes().first() {
        Some(b'{') => w.element().object(|w| members(w, text)),
        Some(b'[') => w.element().array(|w| {
            let _ = each_element(text, |_, value| rewrite(w, value.text()));
        }),
        _ => verbatim(w, text),
    }
}

fn verbatim(w: &mut JsonWriter<'_>, text: &str) {
    if let Ok(raw) = RawJson::parse(text) {
        w.element().raw(&raw);
    }
}

fn members(w: &mut JsonWriter<'_>, object: &str) {
    let nullable = is_nullable(object);
    let _ = each_member(object, |member| match &*member.key {
        "nullable" if nullable => {}
        "type" if member.value.kind() == ValueKind::String => kind(w, &member.value, nullable),
        key => value(w, key, &member.value),
    });
}

/// Whether a schema with a type of its own says that `null` is permitted too.
fn is_nullable(object: &str) -> bool {
    let (mut typed, mut nullable) = (false, false);
    let _ = each_member(object, |member| match &*member.key {
        "type" => typed = member.value.kind() == ValueKind::String,
        "nullable" => nullable = member.value.as_bool() == Some(true),
        _ => {}
    });
    typed && nullable
}

fn kind(w: &mut JsonWriter<'_>, value: &Value<'_>, nullable: bool) {
    let word = value.as_str().unwrap_or_default();
    let known = TYPES.iter().find(|(upper, _)| *upper == value.text()).map(|(_, lower)| *lower);
    let word = known.unwrap_or(&word);
    if nullable {
        w.array("type", |w| {
            w.element().string(word);
            w.element().string("null");
        });
    } else {
        w.string("type", word);
    }
}

fn value(w: &mut JsonWriter<'_>, key: &str, value: &Value<'_>) {
    match value.kind() {
        ValueKind::Object if !DATA.contains(&key) => w.nested(key, |w| members(w, value.text())),
        ValueKind::Array if !DATA.contains(&key) => w.array(key, |w| {
            let _ = each_element(value.text(), |_, value| rewrite(w, value.text()));
        }),
        ValueKind::Object
        | ValueKind::Array
        | ValueKind::String
        | ValueKind::Number
        | ValueKind::Bool
        | ValueKind::Null => w.raw(key, &RawJson::from(*value)),
    }
}

#[cfg(test)]
mod tests {
    use super::json_schema;
    use shim_wire::RawJson;

    #[test]
    fn words_of_openapi_become_json_schema() {
        let check = |schema: &str, wanted: &str| {
            assert_eq!(json_schema(&RawJson::parse(schema).unwrap()).get(), wanted);
        };
        let plain = r#"{"type": "object", "properties":{}}"#;
        check(plain, plain);
        check(
            r#"{"type":"OBJECT","properties":{"type":{"type":"STRING","nullable":true,"enum":["OBJECT"]},
            "list":{"type":"ARRAY","items":{"anyOf":[{"type":"INTEGER"},{"type":"BOOLEAN"}]}}},"required":["type"]}"#,
            r#"{"type":"object","properties":{"type":{"type":["string","null"],"enum":["OBJECT"]},"list":{"type":"array","items":{"anyOf":[{"type":"integer"},{"type":"boolean"}]}}},"required":["type"]}"#,
        );
    }
}
