//! What of a file does not fit its schema: told in plain words and taken out, so that the rest can be read.
//!
//! No message holds a value: people write secrets where their names belong, and messages go to terminals, logs and web
//! pages.

use std::ops::Range;

use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use crate::problem::{Gather, did_you_mean};

/// How a secret is written.
pub(crate) const SECRET: &str =
    "a secret never stands in the file: write { env = \"NAME\" } or { file = \"PATH\" }";

/// Takes out of `value` what is not as `T` is written, and tells of it. Whether what is left can be read.
pub(crate) fn fit<T: JsonSchema>(
    gather: &mut Gather<'_>,
    path: &str,
    value: &mut Spanned<DeValue<'_>>,
) -> bool {
    let schema = SchemaGenerator::default().into_root_schema_for::<T>().to_value();
    Fit { root: &schema, gather }.value(&schema, path, value)
}

struct Fit<'f, 'g> {
    root: &'f Value,
    gather: &'f mut Gather<'g>,
}

impl Fit<'_, '_> {
    /// Whether what is left of `value` can be read as `schema` says.
    fn value(&mut self, schema: &Value, path: &str, value: &mut Spanned<DeValue<'_>>) -> bool {
        let root = self.root;
        let (schema, name) = resolved(root, schema);
        let span = value.span();
        match (kind(schema), value.get_mut()) {
            ("object", DeValue::Table(table)) => self.table(schema, path, &span, table),
            ("array", DeValue::Array(list)) => self.list(&schema["items"], path, list),
            ("string", DeValue::String(_)) | ("boolean", DeValue::Boolean(_)) => true,
            ("number", DeValue::Integer(_) | DeValue::Float(_)) => true,
            ("integer", DeValue::Integer(number)) => {
                let max = most(schema);
                let fits = u64::from_str_radix(number.as_str(), number.radix()).is_ok_and(|n| n <= max);
                if !fits {
                    // Nobody means the largest number that there is.
                    let to = if max == i64::MAX as u64 { "up".to_owned() } else { format!("to {max}") };
                    self.gather.add(path, span, format!("expected a whole number from 0 {to}"));
                }
                fits
            }
            (kind, found) => {
                let message = match name {
                    Some("SecretRef") => SECRET.to_owned(),
                    Some(_) | None => format!("expected {}, found {}", expected(kind), words(found)),
                };
                self.gather.add(path, span, message);
                false
            }
        }
    }

    fn table(&mut self, schema: &Value, path: &str, at: &Range<usize>, table: &mut DeTable<'_>) -> bool {
        let none = Map::new();
        let fields = schema["properties"].as_object().unwrap_or(&none);
        let others = schema.get("additionalProperties").filter(|others| others.is_object());
        let mut misfits = Vec::new();
        for (key, value) in table.iter_mut() {
            let name = key.get_ref().as_ref();
            match fields.get(name).or(others) {
                Some(field) if self.value(field, &below(path, name), value) => {}
                Some(_) => misfits.push(name.to_owned()),
                None => {
                    let message = format!("unknown field `{name}`{}", instead(name, fields));
                    self.gather.add(path, key.span(), message);
                    misfits.push(name.to_owned());
                }
            }
        }
        let mut whole = true;
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !table.contains_key(name) {
                self.gather.add(path, at.clone(), format!("missing field `{name}`"));
            }
            whole &= table.contains_key(name) && !misfits.iter().any(|misfit| misfit == name);
        }
        for misfit in &misfits {
            table.remove(misfit.as_str());
        }
        whole
    }

    /// A list of which something does not fit is not read: what is left of it would mean something else.
    fn list(&mut self, items: &Value, path: &str, list: &mut DeArray<'_>) -> bool {
        let mut fits = true;
        for (at, item) in list.iter_mut().enumerate() {
            fits &= self.value(items, &format!("{path}[{at}]"), item);
        }
        fits
    }
}

/// The schema that one stands for, and the name it goes by.
fn resolved<'s>(root: &'s Value, schema: &'s Value) -> (&'s Value, Option<&'s str>) {
    let any = schema["anyOf"].as_array().into_iter().flatten();
    let reference = any.chain([schema]).find_map(|schema| schema["$ref"].as_str());
    let Some(name) = reference.and_then(|reference| reference.rsplit('/').next()) else {
        return (schema, None);
    };
    (root["$defs"].get(name).unwrap_or(schema), Some(name))
}

/// What kind of value a schema wants; an optional one may also be null, which TOML has not.
fn kind(schema: &Value) -> &str {
    let kind = &schema["type"];
    let first = kind.as_array().into_iter().flatten().filter_map(Value::as_str).find(|kind| *kind != "null");
    first.or(kind.as_str()).unwrap_or_default()
}

/// The largest number that fits.
fn most(schema: &Value) -> u64 {
    let format = match schema["format"].as_str() {
        Some("uint16") => u64::from(u16::MAX),
        Some("uint32") => u64::from(u32::MAX),
        // TOML knows no larger ones.
        Some(_) | None => i64::MAX as u64,
    };
    schema["maximum"].as_u64().unwrap_or(format)
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// What may have been meant: the nearest name, or all there are.
fn instead(name: &str, fields: &Map<String, Value>) -> String {
    let names: Vec<_> = fields.keys().map(String::as_str).collect();
    let near = did_you_mean(name, names.iter().copied());
    if near.is_empty() { format!("; there are {}", names.join(", ")) } else { near }
}

fn expected(kind: &str) -> &'static str {
    match kind {
        "object" => "a table",
        "array" => "a list",
        "string" => "text in quotes",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        _ => "something else",
    }
}

fn words(found: &DeValue<'_>) -> &'static str {
    match found {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

#[cfg(test)]
mod tests {
    use crate::parse;

    /// What is told of a text.
    fn told(text: &str) -> String {
        parse(text, "f", &["openai"]).unwrap_err().to_string()
    }

    #[test]
    fn no_message_holds_what_stands_where_a_secret_may() {
        for text in [
            "[providers.openai]\nkey = \"SUPER\"\n",
            "[providers.openai]\nkey = [\"SUPER\"]\n",
            "[providers.openai]\nkey = { env = [\"SUPER\"] }\n",
            "[providers.openai]\nkey = { env = \"sk-proj-SUPER\" }\n",
            "[providers.openai]\nkey = { value = \"SUPER\" }\n",
            "[providers.openai]\nkey = { file = \"-----BEGIN PRIVATE KEY-----\\nSUPER\" }\n",
            "[providers.openai]\nkey = SUPER\n",
            "[providers.openai]\nkey = \"SUPER\n",
            "[providers.openai]\nkey = 5_SUPER\n",
            "[providers.openai]\nkey = 2026-SUPER\n",
            "[providers.openai]\nmodels = \"SUPER\"\n",
            "[providers]\nopenai = \"SUPER\"\n",
            "providers = \"SUPER\"\n",
            "[providers.openai]\ntls = { ca = \"SUPER\" }\n",
            "[providers.openai]\nbase_url = \"http://user:SUPER@127.0.0.1:9\"\n",
            "[providers.openai]\nbase_url = \"user:SUPER@127.0.0.1:9\"\n",
            "[providers.lab]\ndialect = \"anthropic\"\nbase_url = \"http://user:SUPER@127.0.0.1:9\"\n",
            "[providers.lab]\ndialect = \"anthropic\"\nbase_url = \"ftp://user:SUPER@127.0.0.1:9\"\n",
            "[providers.lab]\ndialects.gemini.base_url = \"http://user:SUPER@127.0.0.1:9\"\n",
            "[providers.lab]\ndialect = \"anthropic\"\nbase_url = \"http://host/?key=SUPER\"\n",
            "[server]\noperators_secret = \"SUPER\"\n",
            "[server]\ntls = { cert = \"c.pem\", key = \"-----BEGIN PRIVATE KEY-----\\nSUPER\" }\n",
            "[keys.app]\nsecret = \"SUPER\"\n",
            "[keys]\napp = \"SUPER\"\n",
        ] {
            let told = told(text);
            assert!(!told.contains("SUPER"), "{text}: {told}");
        }
    }

    #[test]
    fn a_literal_secret_is_answered_with_how_to_write_it_and_nothing_follows_from_it() {
        for (text, wanted) in [
            ("[providers.openai]\nkey = \"sk\"\n", "f:2:7: providers.openai.key"),
            (
                "[server]\noperators = \"0.0.0.0:1\"\noperators_secret = \"o\"\n",
                "f:3:20: server.operators_secret",
            ),
            ("[keys.app]\nsecret = \"s\"\n[server]\nlisten = \"0.0.0.0:1\"\n", "f:2:10: keys.app.secret"),
        ] {
            let wanted = format!(
                "{wanted}: a secret never stands in the file: write {{ env = \"NAME\" }} or {{ file = \"PATH\" }}"
            );
            assert_eq!(told(text), wanted, "{text}");
        }
    }

    #[test]
    fn what_is_only_broken_is_there() {
        let lab = "[providers.lab]\ndialect = 5\nbase_url = \"http://x\"\n[aliases.a]\ntarget = \"lab/m\"\n";
        assert_eq!(told(lab), "f:2:11: providers.lab.dialect: expected text in quotes, found a whole number");
        let all = "providers = 5\n[aliases.a]\ntarget = \"lab/m\"\n";
        assert_eq!(
            told(all),
            "f:1:13: providers: [providers] is a table of tables, such as [providers.example]"
        );
        let one = "[providers]\nlab = 5\n[aliases.a]\ntarget = \"lab/m\"\n";
        assert_eq!(told(one), "f:2:7: providers.lab: expected a table, found a whole number");
    }

    #[test]
    fn every_misfit_of_a_section_is_told_in_plain_words() {
        let text = "[server]\nworkers = 70000\nconnections_max = -1\nbare_models = \"yes\"\nlisen = \"\"\nzzz = 1\n\
                    [aliases.a]\nfallback = \"openai/m\"\n[aliases.b]\ntarget = 3\n\
                    [aliases.c]\ntarget = \"demo/hello\"\nfallback = [1, \"demo/hello\", 2]\nlimits = { concurent = 1 }\n\
                    [extraction]\nthreshold = \"high\"\n[teams.t]\nlimits = []\n[aliases]\nd = 1979-05-27\n";
        let told = told(text);
        for wanted in [
            "f:2:11: server.workers: expected a whole number from 0 to 65535",
            "f:3:19: server.connections_max: expected a whole number from 0 to 4294967295",
            "f:4:15: server.bare_models: expected true or false, found text",
            "f:5:1: server: unknown field `lisen`; did you mean \"listen\"?",
            "f:6:1: server: unknown field `zzz`; there are ",
            "aliases.a: missing field `target`",
            "f:8:12: aliases.a.fallback: expected a list, found text",
            "f:10:10: aliases.b.target: expected text in quotes, found a whole number",
            "aliases.c.fallback[0]: expected text in quotes, found a whole number",
            "aliases.c.fallback[2]: expected text in quotes, found a whole number",
            "aliases.c.limits: unknown field `concurent`; did you mean \"concurrent\"?",
            "extraction.threshold: expected a number, found text",
            "teams.t.limits: expected a table, found a list",
            "aliases.d: expected a table, found a date",
        ] {
            assert!(told.contains(wanted), "{wanted}\nis not in\n{told}");
        }
        assert_eq!(told.lines().count(), 14, "{told}");
    }
}
