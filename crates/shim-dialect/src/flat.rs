//! Parameters of a tool as one object.
//!
//! Some providers refuse a schema that is an alternative or a sum of others at its top (`anyOf`, `oneOf`, `allOf`), where
//! MCP servers like to write one: <https://github.com/anthropics/claude-code/issues/27337>,
//! <https://github.com/langchain-ai/langchainjs/issues/9804>, read 2026-11-25. Its parts are merged into one object that
//! every value of the schema fits, and what the object cannot say is told in its description.

use shim_wire::{JsonWriter, RawJson};

use crate::common::{each_element, each_member};

/// Deeper than any schema is.
const DEPTH_MAX: usize = 16;

/// An object schema in place of another.
#[derive(Debug)]
pub(crate) struct Flat {
    /// The schema.
    pub(crate) schema: RawJson,
    /// Whether it permits more than the other one.
    pub(crate) loose: bool,
}

/// The schema as an object, where it is none for those who look at its top alone; `None` where nothing has to change.
pub(crate) fn object(schema: &RawJson) -> Option<Flat> {
    let is_flat = members(schema).iter().all(|(key, _)| !COMBINED.contains(&&**key));
    if is_flat {
        return None;
    }
    let shape = Shape::of(schema, schema, 0);
    let schema = shape.print(schema)?;
    Some(Flat { schema, loose: shape.loose })
}

/// The words that combine schemas.
const COMBINED: [&str; 3] = ["anyOf", "oneOf", "allOf"];

type Member = (Box<str>, RawJson);

fn members(object: &RawJson) -> Vec<Member> {
    let mut members: Vec<Member> = Vec::new();
    let _ = each_member(object.get(), |member| members.push((member.key.into(), member.value.into())));
    members
}

fn elements(list: &RawJson) -> Vec<RawJson> {
    let mut elements = Vec::new();
    let _ = each_element(list.get(), |_, value| elements.push(value.into()));
    elements
}

fn get<'m>(members: &'m [Member], key: &str) -> Option<&'m RawJson> {
    members.iter().find(|(name, _)| **name == *key).map(|(_, value)| value)
}

/// What a schema says of the members of an object.
#[derive(Debug, Default)]
struct Shape {
    /// The schemas of each member; several where parts of the schema differ in it.
    properties: Vec<(Box<str>, Vec<RawJson>)>,
    /// The members that are there in any case.
    required: Vec<String>,
    /// Whether something is said that this does not.
    loose: bool,
}

impl Shape {
    fn of(schema: &RawJson, root: &RawJson, depth: usize) -> Self {
        let mut shape = Self::default();
        if depth >= DEPTH_MAX {
            shape.loose = true;
            return shape;
        }
        for (key, value) in members(schema) {
            match &*key {
                "properties" => members(&value).into_iter().for_each(|(name, value)| shape.add(name, value)),
                "required" => shape.require(strings(&value)),
                "allOf" => {
                    elements(&value).iter().for_each(|part| shape.and(Self::of(part, root, depth + 1)))
                }
                "anyOf" | "oneOf" => {
                    let parts = elements(&value);
                    shape.or(parts.iter().map(|part| Self::of(part, root, depth + 1)).collect());
                }
                "$ref" => match target(&value, root) {
                    Some(target) => shape.and(Self::of(&target, root, depth + 1)),
                    None => shape.loose = true,
                },
                _ => {}
            }
        }
        shape
    }

    fn add(&mut self, name: Box<str>, schema: RawJson) {
        match self.properties.iter_mut().find(|(own, _)| *own == name) {
            Some((_, known)) if known.contains(&schema) => {}
            Some((_, known)) => known.push(schema),
            None => self.properties.push((name, vec![schema])),
        }
    }

    fn require(&mut self, names: Vec<String>) {
        for name in names {
            if !self.required.contains(&name) {
                self.required.push(name);
            }
        }
    }

    /// Both hold.
    fn and(&mut self, other: Self) {
        self.loose |= other.loose;
        for (name, schemas) in other.properties {
            schemas.into_iter().for_each(|schema| self.add(name.clone(), schema));
        }
        self.require(other.required);
    }

    /// This holds, and one of those: what all of them require is required.
    fn or(&mut self, parts: Vec<Self>) {
        self.loose |= parts.len() > 1;
        let always = |name: &String| parts.iter().all(|part| part.required.contains(name));
        let first = parts.first().map(|part| part.required.clone()).unwrap_or_default();
        let required = first.into_iter().filter(always).collect();
        for part in parts {
            self.and(Self { required: Vec::new(), ..part });
        }
        self.require(required);
    }

    /// The object: what the schema says beside its parts, and what they say together.
    fn print(&self, schema: &RawJson) -> Option<RawJson> {
        let own = members(schema);
        let mut out = Vec::new();
        JsonWriter::new(&mut out).object(|w| {
            w.string("type", "object");
            self.description(&own, w);
            w.nested("properties", |w| self.properties.iter().for_each(|(name, all)| property(w, name, all)));
            if !self.required.is_empty() {
                w.array("required", |w| self.required.iter().for_each(|name| w.element().string(name)));
            }
            let merged = ["type", "description", "properties", "required", "$ref", "additionalProperties"];
            let rest = own.iter().filter(|(key, _)| !COMBINED.contains(&&**key) && !merged.contains(&&**key));
            rest.for_each(|(key, value)| w.raw(key, value));
        });
        RawJson::parse(std::str::from_utf8(&out).ok()?).ok()
    }

    /// What the object cannot say is told in words.
    fn description(&self, own: &[Member], w: &mut JsonWriter<'_>) {
        let said: String =
            get(own, "description").and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
        let parts = own.iter().filter(|(key, _)| self.loose && COMBINED.contains(&&**key));
        let parts: Vec<_> = parts.map(|(key, value)| format!("{key}: {}", value.get())).collect();
        let beyond = if parts.is_empty() { String::new() } else { format!("\n\n{{{}}}", parts.join(", ")) };
        let told = format!("{said}{beyond}");
        if !told.is_empty() {
            w.string("description", told.trim_start());
        }
    }
}

fn property(w: &mut JsonWriter<'_>, name: &str, schemas: &[RawJson]) {
    match schemas {
        [one] => w.raw(name, one),
        several => w.nested(name, |w| {
            w.array("anyOf", |w| several.iter().for_each(|schema| w.element().raw(schema)));
        }),
    }
}

fn strings(list: &RawJson) -> Vec<String> {
    serde_json::from_str(list.get()).unwrap_or_default()
}

/// What a reference inside of the schema stands for.
fn target(reference: &RawJson, root: &RawJson) -> Option<RawJson> {
    let path: String = serde_json::from_str(reference.get()).ok()?;
    let mut found = root.clone();
    for step in path.strip_prefix("#/")?.split('/') {
        found = get(&members(&found), step)?.clone();
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use shim_wire::RawJson;

    use super::object;

    #[track_caller]
    fn check(schema: &Value, wanted: &Value, loose: bool) {
        let flat = object(&RawJson::parse(&schema.to_string()).unwrap()).expect("it has to change");
        let got: Value = serde_json::from_str(flat.schema.get()).unwrap();
        assert_eq!((&got, flat.loose), (wanted, loose));
    }

    #[test]
    fn an_object_stays_as_it_is() {
        for schema in [
            r#"{"type":"object","properties":{"a":{"anyOf":[{"type":"string"},{"type":"null"}]}}}"#,
            r#"{"type":"object"}"#,
            "true",
        ] {
            assert!(object(&RawJson::parse(schema).unwrap()).is_none(), "{schema}");
        }
    }

    #[test]
    fn what_is_required_by_some_is_told_in_words() {
        let schema = json!({
            "type": "object", "description": "Finds it.",
            "properties": { "a": { "type": "string" }, "b": { "type": "string" }, "c": {} }, "required": ["c"],
            "anyOf": [{ "required": ["a"] }, { "required": ["b"] }],
        });
        let wanted = json!({
            "type": "object",
            "description": "Finds it.\n\n{anyOf: [{\"required\":[\"a\"]},{\"required\":[\"b\"]}]}",
            "properties": { "a": { "type": "string" }, "b": { "type": "string" }, "c": {} }, "required": ["c"],
        });
        check(&schema, &wanted, true);
    }

    #[test]
    fn alternatives_become_one_object_that_each_of_them_fits() {
        let schema = json!({
            "oneOf": [
                { "type": "object", "properties": { "kind": { "const": "x" }, "n": { "type": "number" } }, "required": ["kind", "n"] },
                { "$ref": "#/$defs/y" },
            ],
            "$defs": { "y": { "type": "object", "properties": { "kind": { "const": "y" } }, "required": ["kind"], "additionalProperties": false } },
        });
        let flat = object(&RawJson::parse(&schema.to_string()).unwrap()).unwrap();
        let got: Value = serde_json::from_str(flat.schema.get()).unwrap();
        assert!(flat.loose);
        assert_eq!(got["properties"]["kind"], json!({ "anyOf": [{ "const": "x" }, { "const": "y" }] }));
        assert_eq!(
            (&got["properties"]["n"], &got["required"]),
            (&json!({ "type": "number" }), &json!(["kind"]))
        );
        assert_eq!(got["$defs"], schema["$defs"]);
        assert!(got.get("oneOf").is_none() && got["description"].as_str().unwrap().contains("oneOf: ["));
    }

    #[test]
    fn a_sum_is_one_object_and_nothing_is_lost() {
        let schema = json!({ "allOf": [
            { "properties": { "a": { "type": "string" } }, "required": ["a"] },
            { "properties": { "b": { "type": "string" } }, "required": ["b"] },
        ] });
        let wanted = json!({
            "type": "object",
            "properties": { "a": { "type": "string" }, "b": { "type": "string" } }, "required": ["a", "b"],
        });
        check(&schema, &wanted, false);
    }

    #[test]
    fn a_schema_of_itself_comes_to_an_end() {
        let schema = json!({ "anyOf": [{ "$ref": "#" }, { "$ref": "https://elsewhere" }, true] });
        let flat = object(&RawJson::parse(&schema.to_string()).unwrap()).unwrap();
        assert!(flat.loose);
    }
}
