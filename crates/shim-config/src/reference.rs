//! The reference page, `docs/configuration.md`, written from the schema, and what it says held against the parser.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::parse::SECTIONS;
use crate::{Config, parse, schema};

/// The types of the schema, in the order of the page, and where they stand in the file.
const TYPES: [(&str, &str); 16] = [
    ("Server", "[server]"),
    ("Tls", "server.tls"),
    ("Store", "[store]"),
    ("Log", "[log]"),
    ("Timeouts", "[timeouts]"),
    ("Provider", "[providers.NAME]"),
    ("DialectAt", "providers.NAME.dialects.DIALECT"),
    ("Prices", "providers.NAME.prices.MODEL"),
    ("ProviderTls", "providers.NAME.tls"),
    ("Alias", "[aliases.NAME]"),
    ("Key", "[keys.NAME]"),
    ("Team", "[teams.NAME]"),
    ("Limits", "limits"),
    ("Extraction", "[extraction]"),
    ("SecretRef", "secret"),
    ("File", "The file"),
];

const INTRODUCTION: &str = "# Configuration

Written from the schema by `cargo xtask bless reference`; `shim schema` prints the schema itself, for editors that complete and
check TOML. `shim check` reports every problem of a file at once, with its place. A changed file is applied without a restart;
what cannot be (listeners, the store, the log) is told in the log and by `shim status`. `kill -HUP` has the file, and the files
that hold secrets, read again though nothing in it changed.

A **duration** is a whole number and its unit: `250ms`, `30s`, `5m`, `2h`, `30d`. A **size** likewise: `512B`, `64KiB`, `4MiB`,
`1GiB`. A **secret** never stands in the file: `{ env = \"NAME\" }` or `{ file = \"path\" }` says where it is.
";

struct Schema(Value);

impl Schema {
    fn new() -> Self {
        Self(serde_json::from_str(&schema()).unwrap())
    }

    /// A type by its name.
    fn named(&self, name: &str) -> &Value {
        if name == "File" { &self.0 } else { &self.0["$defs"][name] }
    }

    fn keys(&self, name: &str) -> &Map<String, Value> {
        self.named(name)["properties"].as_object().unwrap()
    }
}

/// The page.
fn page(schema: &Schema) -> String {
    let mut page = INTRODUCTION.to_owned();
    let (file, rest) = TYPES.split_last().unwrap();
    for (name, title) in std::iter::once(file).chain(rest) {
        let title = if *name == "File" { (*title).to_owned() } else { format!("`{title}`") };
        let _ = write!(page, "\n## {title}\n\n{}\n\n", words(schema.named(name)));
        page.push_str("| key | value | meaning |\n|---|---|---|\n");
        for (key, told) in schema.keys(name) {
            let needed =
                schema.named(name)["required"].as_array().is_some_and(|r| r.iter().any(|r| r == key));
            let needed = if needed { " **Needed.**" } else { "" };
            let meaning = words(told).replace('|', "\\|");
            let _ = writeln!(page, "| `{key}` | {} | {meaning}{needed} |", value(told));
        }
    }
    page
}

/// A description on one line.
fn words(told: &Value) -> String {
    told["description"].as_str().unwrap_or_else(|| panic!("no words for {told}")).replace('\n', " ")
}

/// What may stand behind a key.
fn value(told: &Value) -> String {
    if let Some(words) = told["enum"].as_array() {
        let words: Vec<_> = words.iter().map(|word| format!("`{}`", word.as_str().unwrap())).collect();
        return words.join(", ");
    }
    if let Some(name) = reference(told) {
        let (_, title) = TYPES.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("{name}"));
        let anchor: String = title.chars().filter(char::is_ascii_alphanumeric).collect();
        return format!("[`{title}`](#{})", anchor.to_ascii_lowercase());
    }
    match told["pattern"].as_str() {
        Some(pattern) if pattern.contains("KiB") => return "size".to_owned(),
        Some(_) => return "duration".to_owned(),
        None => {}
    }
    let kinds = told["type"].as_array().cloned().unwrap_or_else(|| vec![told["type"].clone()]);
    match kinds.first().and_then(Value::as_str) {
        Some("string") => "text".to_owned(),
        Some("integer") => "whole number".to_owned(),
        Some("number") => "number".to_owned(),
        Some("boolean") => "`true`, `false`".to_owned(),
        Some("array") => format!("list of {}", value(&told["items"])),
        Some("object") => format!("by name: {}", value(&told["additionalProperties"])),
        other => panic!("no words for {other:?} in {told}"),
    }
}

/// The name of the type that stands behind a key.
fn reference(told: &Value) -> Option<&str> {
    let any = told["anyOf"].as_array().into_iter().flatten();
    any.chain([told]).find_map(|told| told["$ref"].as_str()?.rsplit('/').next())
}

/// The default that a key's words state, as it would stand in the file.
fn stated(told: &Value) -> Option<String> {
    let words = words(told);
    let word = if let Some((before, _)) = words.split_once("` (default)") {
        before.rsplit('`').next()?
    } else if let Some((_, after)) = words.split_once("Default `") {
        after.split('`').next()?
    } else {
        words.split_once("Default ")?.1.split(' ').next()?.trim_end_matches([',', '.', ':'])
    };
    let text = told["type"].as_array()?.iter().any(|kind| kind == "string");
    Some(if text { format!("\"{word}\"") } else { word.to_owned() })
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the page is a file")]
fn the_reference_page_is_current() {
    let found = page(&Schema::new());
    let place = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(place, &found).unwrap();
    }
    let published = std::fs::read_to_string(place).unwrap_or_default();
    assert!(found == published, "docs/configuration.md is not current: `cargo xtask bless reference`");
}

#[test]
fn the_page_has_every_key_and_the_parser_knows_every_key_of_it() {
    let schema = Schema::new();
    let mut told: Vec<_> = TYPES.iter().map(|(name, _)| *name).filter(|name| *name != "File").collect();
    let mut known: Vec<_> = schema.0["$defs"].as_object().unwrap().keys().map(String::as_str).collect();
    told.sort_unstable();
    known.sort_unstable();
    assert_eq!(told, known, "every type is on the page");
    let mut sections = SECTIONS.to_vec();
    let mut keys: Vec<_> = schema.keys("File").keys().map(String::as_str).collect();
    sections.sort_unstable();
    keys.sort_unstable();
    assert_eq!(keys, sections, "every section is read");
    for (name, title) in TYPES {
        for key in schema.keys(name).keys() {
            // A value of a type that no key has: the parser must complain of it, and not of the key.
            let text = match title.trim_matches(['[', ']']) {
                "The file" => format!("{key} = 1979-05-27\n"),
                "limits" => format!("[teams.NAME.limits]\n{key} = 1979-05-27\n"),
                "secret" => format!("[keys.NAME.secret]\n{key} = 1979-05-27\n"),
                path => format!("[{}]\n{key} = 1979-05-27\n", path.replace("DIALECT", "gemini")),
            };
            let problems = parse(&text, "f", &[]).map(|_| ()).unwrap_err().to_string();
            let unknown = [format!("unknown field `{key}`"), format!("there is no section \"{key}\"")];
            assert!(!unknown.iter().any(|told| problems.contains(told.as_str())), "{problems}");
        }
    }
}

#[test]
fn defaults_are_what_the_page_says() {
    let schema = Schema::new();
    let mut stated_defaults = 0;
    for (name, section) in [
        ("Server", "server"),
        ("Store", "store"),
        ("Log", "log"),
        ("Timeouts", "timeouts"),
        ("Extraction", "extraction"),
    ] {
        for (key, told) in schema.keys(name) {
            let Some(default) = stated(told) else { continue };
            let text = format!("[{section}]\n{key} = {default}\n");
            assert_eq!(parse(&text, "f", &[]), Ok(Config::default()), "{text}");
            stated_defaults += 1;
        }
    }
    assert!(stated_defaults >= 31, "only {stated_defaults} were found");
    assert_eq!(parse("record = \"full\"\n", "f", &[]), Ok(Config::default()));
}

#[test]
fn every_word_of_the_page_is_one_the_parser_takes() {
    let schema = Schema::new();
    for (name, before) in [
        ("File", ""),
        ("Store", "[store]\n"),
        ("Log", "[log]\n"),
        ("Provider", "[providers.lab]\nbase_url = \"http://x\"\n"),
        ("Alias", "[aliases.a]\ntarget = \"demo/hello\"\n"),
        ("Key", "[keys.k]\nsecret = { env = \"K\" }\n"),
        ("Limits", "[teams.t.limits]\nbudget = \"$1\"\n"),
    ] {
        for (key, told) in schema.keys(name) {
            for word in told["enum"].as_array().into_iter().flatten() {
                let text = format!("{before}{key} = {word}\n");
                assert!(parse(&text, "f", &[]).is_ok(), "{text}: {:?}", parse(&text, "f", &[]));
            }
        }
    }
}
