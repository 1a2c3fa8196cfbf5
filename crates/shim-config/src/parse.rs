//! The file, section by section, into a [`Config`].

mod aliases;
mod grants;
mod ledger;
mod providers;
mod server;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use shim_policy::access::Grant;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use crate::problem::{Gather, did_you_mean};
use crate::{Config, LogFormat, Problems, Responses, SecretRef, Timeouts, parse_duration, parse_size, raw};
use crate::{extraction, fit};

/// The sections of the file.
pub(crate) const SECTIONS: [&str; 10] =
    ["record", "server", "store", "log", "timeouts", "providers", "aliases", "keys", "teams", "extraction"];

/// Parses `text`, which goes by the name `file`. `known` are the ids of the catalogue's providers.
///
/// # Errors
/// With every problem that was found.
pub fn parse(text: &str, file: &str, known: &[&str]) -> Result<Config, Problems> {
    let mut parser = Parser { gather: Gather::new(text), known };
    let config = match DeTable::parse(text) {
        Ok(table) => parser.file(table.into_inner()),
        Err(error) => {
            parser.gather.add("", error.span().unwrap_or(0..0), error.message());
            Config::default()
        }
    };
    let mut list = parser.gather.list;
    if list.is_empty() {
        return Ok(config);
    }
    list.sort_by_key(|problem| problem.place);
    Err(Problems { file: file.to_owned(), list })
}

/// Parses what a key permits, written as in `[keys.NAME]`, for a key that is not in the file: without its secret. Providers
/// and teams are those of `config`.
///
/// # Errors
/// With every problem that was found.
pub fn parse_grant(text: &str, config: &Config, known: &[&str]) -> Result<Grant, Problems> {
    let mut parser = Parser { gather: Gather::new(text), known };
    let grant = match DeTable::parse(text) {
        Ok(table) => parser.loose_grant(table, config),
        Err(error) => {
            parser.gather.add("key", error.span().unwrap_or(0..0), error.message());
            None
        }
    };
    match grant {
        Some(grant) if parser.gather.list.is_empty() => Ok(grant),
        Some(_) | None => Err(Problems { file: String::new(), list: parser.gather.list }),
    }
}

struct Parser<'a> {
    gather: Gather<'a>,
    known: &'a [&'a str],
}

/// Sections of the file by name, as they were written.
type Sections<'t> = BTreeMap<String, Spanned<DeValue<'t>>>;

type Entry<'t> = (String, Range<usize>, Spanned<DeValue<'t>>);

impl Parser<'_> {
    fn file(&mut self, table: DeTable<'_>) -> Config {
        let mut sections = Sections::new();
        for (name, value) in table {
            let span = name.span();
            let name = name.into_inner().into_owned();
            if SECTIONS.contains(&name.as_str()) {
                sections.insert(name, value);
            } else {
                let hint = did_you_mean(&name, SECTIONS);
                self.gather.add(&name, span, format!("there is no section \"{name}\"{hint}"));
            }
        }
        let mut config = Config::default();
        let timeouts = self.section::<raw::Timeouts>(&mut sections, "timeouts");
        config.timeouts = self.timeouts(timeouts, "timeouts", Timeouts::default());
        let store = self.section::<raw::Store>(&mut sections, "store");
        if let Some((store, span)) = &store {
            config.responses = self.responses(store, span);
        }
        config.vault = crate::vault::bounds(store.as_ref(), &mut self.gather);
        self.store(store, &mut config);
        config.record = sections.remove("record").map(|record| self.record(record)).unwrap_or_default();
        config.log = self.log(&mut sections);
        let extraction = self.section::<raw::Extraction>(&mut sections, "extraction");
        config.extraction = extraction::rule(extraction, &mut self.gather);
        config.providers = self.providers(&mut sections, config.timeouts);
        config.aliases = self.aliases(&mut sections, &config.providers);
        config.teams = self.teams(&mut sections);
        let has_keys = sections.get("keys");
        let has_keys =
            has_keys.is_some_and(|keys| keys.get_ref().as_table().is_none_or(|keys| !keys.is_empty()));
        config.keys = self.keys(&mut sections, &config);
        config.server = self.server(&mut sections, has_keys);
        config
    }

    /// Reads one value as a raw type; a misfit is a problem, and what is left without it is read.
    fn read<T: DeserializeOwned + JsonSchema>(
        &mut self,
        path: &str,
        mut value: Spanned<DeValue<'_>>,
    ) -> Option<(T, Range<usize>)> {
        let span = value.span();
        if !fit::fit::<T>(&mut self.gather, path, &mut value) {
            return None;
        }
        match T::deserialize(ValueDeserializer::from(value)) {
            Ok(read) => Some((read, span)),
            Err(error) => {
                // Not in the words of the error: they may quote a value.
                self.gather.add(path, error.span().unwrap_or(span), "this cannot be read: see `shim schema`");
                None
            }
        }
    }

    fn section<T: DeserializeOwned + JsonSchema>(
        &mut self,
        sections: &mut Sections<'_>,
        name: &str,
    ) -> Option<(T, Range<usize>)> {
        let value = sections.remove(name)?;
        self.read(name, value)
    }

    /// The entries of a section that is a table of tables.
    fn entries<'t>(&mut self, sections: &mut Sections<'t>, name: &str) -> Vec<Entry<'t>> {
        let Some(value) = sections.remove(name) else { return Vec::new() };
        let span = value.span();
        match value.into_inner() {
            DeValue::Table(table) => table
                .into_iter()
                .map(|(key, value)| (key.get_ref().clone().into_owned(), key.span(), value))
                .collect(),
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_) => {
                self.gather.add(
                    name,
                    span,
                    format!("[{name}] is a table of tables, such as [{name}.example]"),
                );
                Vec::new()
            }
        }
    }

    fn log(&mut self, sections: &mut Sections<'_>) -> LogFormat {
        let Some((log, span)) = self.section::<raw::Log>(sections, "log") else { return LogFormat::Auto };
        match log.format.as_deref() {
            None | Some("auto") => LogFormat::Auto,
            Some("text") => LogFormat::Text,
            Some("json") => LogFormat::Json,
            Some("off") => LogFormat::Off,
            Some(other) => {
                let hint = did_you_mean(other, ["auto", "text", "json", "off"]);
                self.gather.add("log.format", span, format!("there is no log format \"{other}\"{hint}"));
                LogFormat::Auto
            }
        }
    }

    fn duration(
        &mut self,
        text: Option<&str>,
        path: &str,
        span: &Range<usize>,
        default: Duration,
    ) -> Duration {
        let Some(text) = text else { return default };
        parse_duration(text).unwrap_or_else(|why| {
            self.gather.add(path, span.clone(), why);
            default
        })
    }

    fn size(&mut self, text: Option<&str>, path: &str, span: &Range<usize>, default: usize) -> usize {
        let Some(text) = text else { return default };
        parse_size(text).unwrap_or_else(|why| {
            self.gather.add(path, span.clone(), why);
            default
        })
    }

    fn responses(&mut self, store: &raw::Store, span: &Range<usize>) -> Responses {
        let Responses { bytes_max, age_max } = Responses::default();
        let bytes_max = self.size(store.responses_max.as_deref(), "store.responses_max", span, bytes_max);
        let age_max = self.duration(store.responses_age.as_deref(), "store.responses_age", span, age_max);
        Responses { bytes_max, age_max }
    }

    fn timeouts(
        &mut self,
        raw: Option<(raw::Timeouts, Range<usize>)>,
        path: &str,
        default: Timeouts,
    ) -> Timeouts {
        let Some((raw, span)) = raw else { return default };
        let mut read = |text: Option<String>, name: &str, default| {
            self.duration(text.as_deref(), &format!("{path}.{name}"), &span, default)
        };
        Timeouts {
            connect: read(raw.connect, "connect", default.connect),
            first_byte: read(raw.first_byte, "first_byte", default.first_byte),
            idle: read(raw.idle, "idle", default.idle),
            total: read(raw.total, "total", default.total),
        }
    }

    fn secret(&mut self, raw: raw::SecretRef, path: &str, at: &Range<usize>) -> Option<SecretRef> {
        match (raw.env, raw.file) {
            (Some(env), None) if !is_name(&env) => {
                // Not its text: who writes the secret itself there would find it in the log.
                let message = "this is no name of an environment variable, which is of letters, digits and _; the secret itself never \
                     stands in the file";
                self.gather.add(path, at.clone(), message);
                None
            }
            (Some(env), None) => Some(SecretRef::Env(env)),
            (None, Some(file)) if is_pem(&file) => {
                self.gather.add(path, at.clone(), PEM);
                None
            }
            (None, Some(file)) => Some(SecretRef::File(file)),
            _ => {
                let message = "a secret is named either by { env = \"NAME\" } or by { file = \"path\" }";
                self.gather.add(path, at.clone(), message);
                None
            }
        }
    }
}

/// Told of a file that is not named and stands there itself.
const PEM: &str = "name the file; what is in it never stands here";

/// Whether the text of a certificate or key stands where the name of its file belongs.
fn is_pem(file: &Path) -> bool {
    file.to_string_lossy().contains("-----BEGIN ")
}

/// Whether an environment variable may be called so.
fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.bytes().all(plain) && text.bytes().next().is_some_and(|first| !first.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use shim_ir::{AliasName, Dialect, ProviderId};

    use super::parse;
    use crate::{Config, Fidelity, SecretRef};

    pub(super) const KNOWN: [&str; 2] = ["openai", "anthropic"];

    /// The skeleton that must keep working.
    const SKELETON: &str = r#"
        [server]
        listen = "127.0.0.1:7446"
        operators = "127.0.0.1:7447"

        [store]
        path = "shim-data"

        [providers.openai]
        key = { env = "OPENAI_API_KEY" }

        [providers.lab]
        dialect = "openai-chat"
        base_url = "http://127.0.0.1:9001/v1"
        key = { env = "LAB_KEY" }

        [providers.anthropic]

        [aliases.chat]
        target = "openai/gpt-5.2"
        fallback = ["anthropic/claude-sonnet-4-6", "lab/some-model"]

        [aliases.strict]
        target = "lab/some-model"
        fidelity = "strict"
    "#;

    #[test]
    fn the_documented_skeleton_is_read() {
        let config = parse(SKELETON, "shim.toml", &KNOWN).unwrap();
        let lab = &config.providers[&ProviderId::new("lab").unwrap()];
        assert_eq!(lab.endpoints[0].dialect, Dialect::OpenaiChat);
        assert_eq!(lab.key, Some(SecretRef::Env("LAB_KEY".into())));
        let chat = &config.aliases[&AliasName::new("chat").unwrap()];
        assert_eq!((chat.target.to_string().as_str(), chat.fallback.len()), ("openai/gpt-5.2", 2));
        assert_eq!(config.aliases[&AliasName::new("strict").unwrap()].fidelity, Fidelity::Strict);
        assert_eq!(parse("", "shim.toml", &KNOWN), Ok(Config::default()));
    }

    #[test]
    fn every_problem_is_reported_at_once_with_its_place() {
        let text = "[servers]\n[server]\noperators = \"0.0.0.0:1\"\nbody_max = \"4MB\"\n\
                    [providers.opnai]\nkey = { env = \"X\" }\n[providers.lab]\ndialect = \"openai\"\nbase_url = \"x\"\n\
                    [aliases.a]\ntarget = \"openi/gpt\"\n[aliases.b]\ntarget = \"gpt\"\nretries = 3\n\
                    [keys.k]\nsecret = { env = \"A\", file = \"b\" }\n";
        let problems = parse(text, "shim.toml", &KNOWN).unwrap_err();
        let told = problems.to_string();
        for wanted in [
            "shim.toml:1:2: servers: there is no section \"servers\"; did you mean \"server\"?",
            "server.operators: 0.0.0.0:1 is not on loopback",
            "server.body_max: \"4MB\" is no size",
            "providers.opnai: \"opnai\" is not in the catalogue, so it needs a dialect and a base_url; did you mean \"openai\"?",
            "providers.lab.dialect: no dialect \"openai\"",
            "aliases.a.target: there is no provider \"openi\" for \"openi/gpt\"",
            "shim.toml:14:1: aliases.b: unknown field `retries`",
            "keys.k.secret: a secret is named either by",
        ] {
            assert!(told.contains(wanted), "{wanted}\nis not in\n{told}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            let _ = parse(&text, "f", &KNOWN);
        }

        #[test]
        fn a_damaged_file_is_read_or_refused(at in any::<prop::sample::Index>(), byte in 0x20u8..0x7f) {
            let mut bytes = SKELETON.as_bytes().to_vec();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _ = parse(std::str::from_utf8(&bytes).unwrap(), "f", &KNOWN);
        }
    }
}
