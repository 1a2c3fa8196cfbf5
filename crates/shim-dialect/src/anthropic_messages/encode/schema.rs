//! JSON Schemas as Anthropic takes them.
//!
//! Arguments of tools may be described in all of JSON Schema. What answers, and the arguments of strict tools, are made
//! to fit is a part of it: <https://platform.claude.com/docs/en/build-with-claude/structured-outputs>, read 2026-11-25.
//! What is beyond that part goes into the description, as in `transform_schema` of the official Python SDK.

use std::borrow::Cow;

use shim_ir::LossKind;
use shim_wire::{JsonWriter, RawJson, Value, ValueKind};

use super::Cx;
use crate::common::{each_element, each_member, member};

/// Which part of JSON Schema is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Flavour {
    /// All of it, for an object.
    Arguments,
    /// What an answer can be made to fit.
    Exact,
}

/// Formats of strings that an answer can be made to fit.
const FORMATS: [&str; 10] =
    ["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"];

/// The words of a schema that an answer cannot be made to fit.
const BEYOND: [&str; 18] = [
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "maxItems",
    "uniqueItems",
    "contains",
    "minProperties",
    "maxProperties",
    "patternProperties",
    "propertyNames",
    "not",
    "if",
    "then",
    "else",
];

/// The words whose value is a schema.
const ONE: [&str; 8] =
    ["items", "additionalProperties", "not", "contains", "propertyNames", "if", "then", "else"];

/// The words whose value is a count.
const COUNTS: [&str; 6] =
    ["minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"];

/// The schema as it is taken: the same text where nothing has to change.
pub(super) fn fitted<'s>(
    schema: &'s RawJson,
    flavour: Flavour,
    path: &str,
    cx: &mut Cx<'_>,
) -> Cow<'s, RawJson> {
    if flavour == Flavour::Arguments && is_plain(schema.get()) {
        return Cow::Borrowed(schema);
    }
    let mut fit = Fit { flavour, changed: false, beyond: false };
    let written = fit.whole(schema.get());
    if fit.changed && fit.beyond {
        cx.lose(path, LossKind::Approximated, "what cannot be made to fit is told in the description");
    }
    written.map_or(Cow::Borrowed(schema), Cow::Owned)
}

/// Whether a schema is of an object and holds nothing that is Gemini's alone.
fn is_plain(schema: &str) -> bool {
    const GEMINIS: [&str; 9] = [
        "\"nullable\"",
        "\"propertyOrdering\"",
        "\"property_ordering\"",
        "\"OBJECT\"",
        "\"STRING\"",
        "\"ARRAY\"",
        "\"INTEGER\"",
        "\"NUMBER\"",
        "\"BOOLEAN\"",
    ];
    member(schema, "type").is_some() && !GEMINIS.iter().any(|word| schema.contains(word))
}

/// A schema that any object fits.
pub(super) fn any_object() -> Option<RawJson> {
    RawJson::parse(r#"{"type":"object","additionalProperties":true}"#).ok()
}

struct Fit {
    flavour: Flavour,
    /// Whether the schema is another one than it was.
    changed: bool,
    /// Whether it says less than it said.
    beyond: bool,
}

/// What must be known of a schema before its members are written.
#[derive(Default)]
struct Glance {
    is_object: bool,
    typed: bool,
    nullable: bool,
    closed: bool,
    description: String,
    /// What goes into the description.
    beyond: Vec<String>,
}

impl Fit {
    /// The schema of arguments or of an answer, where it has to be another.
    fn whole(&mut self, schema: &str) -> Option<RawJson> {
        let mut out = Vec::new();
        JsonWriter::new(&mut out).object(|w| self.node(w, schema, true));
        if !self.changed {
            return None;
        }
        RawJson::parse(std::str::from_utf8(&out).ok()?).ok()
    }

    /// The members of a schema. `root` says that it describes arguments or an answer itself.
    fn node(&mut self, w: &mut JsonWriter<'_>, schema: &str, root: bool) {
        let glance = self.glance(schema);
        if root && !glance.typed && self.flavour == Flavour::Arguments {
            self.changed = true;
            w.string("type", "object");
        }
        let read = each_member(schema, |member| self.keyword(w, &member.key, &member.value, &glance));
        if read.is_err() {
            self.changed = false;
        }
        if self.flavour == Flavour::Exact && glance.is_object && !glance.closed {
            self.changed = true;
            w.bool("additionalProperties", false);
        }
        if !glance.beyond.is_empty() {
            (self.changed, self.beyond) = (true, true);
            let told = format!("{}\n\n{{{}}}", glance.description, glance.beyond.join(", "));
            w.string("description", told.trim_start());
        }
    }

    fn glance(&self, schema: &str) -> Glance {
        let mut glance = Glance::default();
        let _ = each_member(schema, |member| {
            let value = &member.value;
            match &*member.key {
                "type" => {
                    glance.typed = true;
                    glance.is_object = value.text().to_ascii_lowercase().contains("\"object\"");
                }
                "nullable" => glance.nullable = value.as_bool() == Some(true),
                "additionalProperties" => glance.closed = true,
                "description" => glance.description = value.as_str().unwrap_or_default().into_owned(),
                _ => {}
            }
            if self.is_beyond(&member.key, value) {
                glance.beyond.push(format!("{}: {}", member.key, value.text()));
            }
        });
        glance
    }

    /// Whether an answer cannot be made to fit this.
    fn is_beyond(&self, key: &str, value: &Value<'_>) -> bool {
        self.flavour == Flavour::Exact
            && match key {
                "format" => !value.as_str().is_some_and(|word| FORMATS.contains(&&*word)),
                "minItems" => !matches!(value.text(), "0" | "1"),
                _ => BEYOND.contains(&key),
            }
    }

    fn keyword(&mut self, w: &mut JsonWriter<'_>, key: &str, value: &Value<'_>, glance: &Glance) {
        match key {
            _ if self.is_beyond(key, value) => {}
            "description" if !glance.beyond.is_empty() => {}
            "type" => self.kind(w, value, glance.nullable),
            // Gemini's words: `nullable` is in the type, and the order of the members is the order they are in.
            "nullable" | "propertyOrdering" | "property_ordering" => self.changed = true,
            "properties" | "$defs" | "definitions" | "patternProperties" => self.named(w, key, value),
            "additionalProperties" if self.flavour == Flavour::Exact => self.close(w, value),
            _ if ONE.contains(&key) => self.one(w, key, value),
            "anyOf" | "allOf" | "prefixItems" => self.several(w, key, value),
            "oneOf" if self.flavour == Flavour::Exact => {
                (self.changed, self.beyond) = (true, true);
                self.several(w, "anyOf", value);
            }
            "oneOf" => self.several(w, key, value),
            _ if COUNTS.contains(&key) => self.count(w, key, value),
            _ => w.raw(key, &RawJson::from(*value)),
        }
    }

    /// What an answer is made to fit has no other members than those that are named.
    fn close(&mut self, w: &mut JsonWriter<'_>, value: &Value<'_>) {
        let closed = value.as_bool() == Some(false);
        self.changed |= !closed;
        self.beyond |= !closed;
        w.bool("additionalProperties", false);
    }

    /// A type. Gemini writes them in capitals.
    fn kind(&mut self, w: &mut JsonWriter<'_>, value: &Value<'_>, nullable: bool) {
        let Some(word) = value.as_str() else { return w.raw("type", &RawJson::from(*value)) };
        let lower = word.to_ascii_lowercase();
        self.changed |= lower != *word || nullable;
        if nullable {
            w.array("type", |w| {
                w.element().string(&lower);
                w.element().string("null");
            });
        } else {
            w.string("type", &lower);
        }
    }

    /// A count. Gemini's are 64 bits wide and may stand in a string.
    fn count(&mut self, w: &mut JsonWriter<'_>, key: &str, value: &Value<'_>) {
        match value.as_str().and_then(|text| text.parse::<u64>().ok()) {
            Some(count) => {
                self.changed = true;
                w.number(key, count);
            }
            None => w.raw(key, &RawJson::from(*value)),
        }
    }

    /// Schemas by name.
    fn named(&mut self, w: &mut JsonWriter<'_>, key: &str, value: &Value<'_>) {
        if value.kind() != ValueKind::Object {
            return w.raw(key, &RawJson::from(*value));
        }
        w.nested(key, |w| {
            let _ = each_member(value.text(), |member| self.one(w, &member.key, &member.value));
        });
    }

    /// A schema; `true` and `false` are schemas too.
    fn one(&mut self, w: &mut JsonWriter<'_>, key: &str, value: &Value<'_>) {
        match value.kind() {
            ValueKind::Object => w.nested(key, |w| self.node(w, value.text(), false)),
            ValueKind::Array => self.several(w, key, value),
            ValueKind::Null | ValueKind::Bool | ValueKind::Number | ValueKind::String => {
                w.raw(key, &RawJson::from(*value));
            }
        }
    }

    /// A list of schemas.
    fn several(&mut self, w: &mut JsonWriter<'_>, key: &str, value: &Value<'_>) {
        if value.kind() != ValueKind::Array {
            return w.raw(key, &RawJson::from(*value));
        }
        w.array(key, |w| {
            let _ = each_element(value.text(), |_, value| match value.kind() {
                ValueKind::Object => w.element().object(|w| self.node(w, value.text(), false)),
                ValueKind::Null
                | ValueKind::Bool
                | ValueKind::Number
                | ValueKind::String
                | ValueKind::Array => {
                    w.element().raw(&RawJson::from(value));
                }
            });
        });
    }
}
