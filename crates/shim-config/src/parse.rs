//! The file, section by section, into a [`Config`].

mod grants;
mod ledger;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use serde::de::DeserializeOwned;
use shim_ir::{AliasName, Dialect, KeyId, ModelId, ProviderId, TargetId, ThinkTags};
use shim_policy::access::Grant;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use crate::prices;
use crate::problem::{Gather, did_you_mean};
use crate::{
    Alias, Config, Endpoint, Fidelity, Key, LogFormat, Problems, Provider, Responses, SecretRef, Server,
    Timeouts, Verdict, raw,
};
use crate::{parse_duration, parse_size};

/// The sections of the file.
const SECTIONS: [&str; 9] =
    ["record", "server", "store", "log", "timeouts", "providers", "aliases", "keys", "teams"];

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
            parser.gather.add("", error.span().unwrap_or(0..0), error.message());
            None
        }
    };
    match grant {
        Some(grant) if parser.gather.list.is_empty() => Ok(grant),
        Some(_) | None => Err(Problems { file: "key".to_owned(), list: parser.gather.list }),
    }
}

struct Parser<'a> {
    gather: Gather<'a>,
    known: &'a [&'a str],
}

type Entry<'t> = (String, Range<usize>, Spanned<DeValue<'t>>);

impl Parser<'_> {
    fn file(&mut self, table: DeTable<'_>) -> Config {
        let mut sections: BTreeMap<String, Spanned<DeValue<'_>>> = BTreeMap::new();
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
        config.providers = self.providers(&mut sections, config.timeouts);
        config.aliases = self.aliases(&mut sections, &config.providers);
        config.teams = self.teams(&mut sections);
        config.keys = self.keys(&mut sections, &config);
        config.server = self.server(&mut sections, &config.keys);
        config
    }

    /// Reads one value as a raw type; a misfit is a problem.
    fn read<T: DeserializeOwned>(
        &mut self,
        path: &str,
        value: Spanned<DeValue<'_>>,
    ) -> Option<(T, Range<usize>)> {
        let span = value.span();
        match T::deserialize(ValueDeserializer::from(value)) {
            Ok(read) => Some((read, span)),
            Err(error) => {
                self.gather.add(path, error.span().unwrap_or(span), error.message());
                None
            }
        }
    }

    fn section<T: DeserializeOwned>(
        &mut self,
        sections: &mut BTreeMap<String, Spanned<DeValue<'_>>>,
        name: &str,
    ) -> Option<(T, Range<usize>)> {
        let value = sections.remove(name)?;
        self.read(name, value)
    }

    /// The entries of a section that is a table of tables.
    fn entries<'t>(
        &mut self,
        sections: &mut BTreeMap<String, Spanned<DeValue<'t>>>,
        name: &str,
    ) -> Vec<Entry<'t>> {
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

    fn log(&mut self, sections: &mut BTreeMap<String, Spanned<DeValue<'_>>>) -> LogFormat {
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
        text: Option<String>,
        path: String,
        span: &Range<usize>,
        default: Duration,
    ) -> Duration {
        let Some(text) = text else { return default };
        parse_duration(&text).unwrap_or_else(|why| {
            self.gather.add(path, span.clone(), why);
            default
        })
    }

    fn size(&mut self, text: Option<String>, path: &str, span: &Range<usize>, default: usize) -> usize {
        let Some(text) = text else { return default };
        parse_size(&text).unwrap_or_else(|why| {
            self.gather.add(path, span.clone(), why);
            default
        })
    }

    fn responses(&mut self, store: &raw::Store, span: &Range<usize>) -> Responses {
        let Responses { bytes_max, age_max } = Responses::default();
        let bytes_max = self.size(store.responses_max.clone(), "store.responses_max", span, bytes_max);
        let age_max =
            self.duration(store.responses_age.clone(), "store.responses_age".to_owned(), span, age_max);
        Responses { bytes_max, age_max }
    }

    fn timeouts(
        &mut self,
        raw: Option<(raw::Timeouts, Range<usize>)>,
        path: &str,
        default: Timeouts,
    ) -> Timeouts {
        let Some((raw, span)) = raw else { return default };
        Timeouts {
            connect: self.duration(raw.connect, format!("{path}.connect"), &span, default.connect),
            first_byte: self.duration(
                raw.first_byte,
                format!("{path}.first_byte"),
                &span,
                default.first_byte,
            ),
            idle: self.duration(raw.idle, format!("{path}.idle"), &span, default.idle),
            total: self.duration(raw.total, format!("{path}.total"), &span, default.total),
        }
    }

    fn providers(
        &mut self,
        sections: &mut BTreeMap<String, Spanned<DeValue<'_>>>,
        timeouts: Timeouts,
    ) -> BTreeMap<ProviderId, Provider> {
        let mut providers = BTreeMap::new();
        for (name, at, value) in self.entries(sections, "providers") {
            let path = format!("providers.{name}");
            let id = match ProviderId::new(&name) {
                Ok(id) if !name.contains('/') => id,
                Ok(_) | Err(_) => {
                    self.gather.add(&path, at, "a provider's id is a word without \"/\"");
                    continue;
                }
            };
            if let Some((raw, span)) = self.read::<raw::Provider>(&path, value) {
                let provider = self.provider(&name, raw, &path, &at, &span, timeouts);
                providers.insert(id, provider);
            }
        }
        providers
    }

    fn provider(
        &mut self,
        name: &str,
        raw: raw::Provider,
        path: &str,
        at: &Range<usize>,
        span: &Range<usize>,
        timeouts: Timeouts,
    ) -> Provider {
        let mut provider = Provider::default();
        if let Some(key) = raw.key {
            provider.key = self.secret(key, &format!("{path}.key"), at);
        }
        provider.ca = raw.tls.and_then(|tls| self.secret(tls.ca, &format!("{path}.tls.ca"), at));
        match (raw.dialect, raw.base_url) {
            (Some(dialect), Some(base_url)) => self.endpoint(&mut provider, &dialect, base_url, path, at),
            (Some(_), None) => self.gather.add(path, at.clone(), "a dialect needs a base_url"),
            (None, Some(base_url)) if self.known.contains(&name) => provider.base_url = Some(base_url),
            (None, Some(_)) => {
                self.gather.add(
                    path,
                    at.clone(),
                    format!("\"{name}\" is not in the catalogue, so it needs a dialect"),
                );
            }
            (None, None) if self.known.contains(&name) || raw.dialects.is_some() => {}
            (None, None) => {
                let hint = did_you_mean(name, self.known.iter().copied());
                let message =
                    format!("\"{name}\" is not in the catalogue, so it needs a dialect and a base_url{hint}");
                self.gather.add(path, at.clone(), message);
            }
        }
        for (dialect, place) in raw.dialects.unwrap_or_default() {
            self.endpoint(&mut provider, &dialect, place.base_url, path, at);
        }
        provider.models = raw.models.map(|models| self.models(&models, path, at));
        provider.asked_in = self.asked_in(raw.asked_in.unwrap_or_default(), path, at);
        provider.think_tags = self.think_tags(raw.think_tags.unwrap_or_default(), path, at);
        provider.region = raw.region.and_then(|region| self.region(&region, &format!("{path}.region"), at));
        provider.prices = prices::read(&mut self.gather, raw.prices.unwrap_or_default(), path, at);
        provider.headers = self.headers(raw.headers.unwrap_or_default(), path, at);
        provider.header_values = self.header_values(raw.header_values.unwrap_or_default(), path, at);
        let own = raw.timeouts.map(|t| (t, span.clone()));
        if own.is_some() {
            provider.timeouts = Some(self.timeouts(own, &format!("{path}.timeouts"), timeouts));
        }
        provider
    }

    fn endpoint(
        &mut self,
        provider: &mut Provider,
        dialect: &str,
        base_url: String,
        path: &str,
        at: &Range<usize>,
    ) {
        let dialect: Dialect = match dialect.parse() {
            Ok(dialect) => dialect,
            Err(why) => {
                let why: shim_ir::UnknownDialect = why;
                self.gather.add(format!("{path}.dialect"), at.clone(), why.to_string());
                return;
            }
        };
        if !base_url.starts_with("http://") && !base_url.starts_with("https://") {
            let message = format!("\"{base_url}\" must start with http:// or https://");
            self.gather.add(format!("{path}.base_url"), at.clone(), message);
        }
        if provider.endpoints.iter().any(|e| e.dialect == dialect) {
            self.gather.add(path, at.clone(), format!("the dialect {dialect} is there twice"));
            return;
        }
        provider.endpoints.push(Endpoint { dialect, base_url });
    }

    fn models(&mut self, models: &[String], path: &str, at: &Range<usize>) -> Vec<ModelId> {
        let mut read = Vec::new();
        for model in models {
            match ModelId::new(model) {
                Ok(id) => read.push(id),
                Err(why) => self.gather.add(format!("{path}.models"), at.clone(), why.to_string()),
            }
        }
        read
    }

    fn asked_in(
        &mut self,
        raw: BTreeMap<String, Vec<String>>,
        path: &str,
        at: &Range<usize>,
    ) -> Vec<(String, Vec<Dialect>)> {
        let mut read = Vec::new();
        for (models, names) in raw {
            let path = format!("{path}.asked_in.{models}");
            if names.is_empty() {
                self.gather.add(&path, at.clone(), "name at least one dialect");
            }
            let mut dialects = Vec::new();
            for name in names {
                match name.parse::<Dialect>() {
                    Ok(dialect) => dialects.push(dialect),
                    Err(why) => self.gather.add(&path, at.clone(), why.to_string()),
                }
            }
            read.push((models, dialects));
        }
        read.sort_by_key(|(models, _)| std::cmp::Reverse(models.len()));
        read
    }

    fn think_tags(
        &mut self,
        raw: BTreeMap<String, String>,
        path: &str,
        at: &Range<usize>,
    ) -> Vec<(String, ThinkTags)> {
        let mut read = Vec::new();
        for (models, word) in raw {
            match ThinkTags::parse(&word) {
                Some(tags) => read.push((models, tags)),
                None => {
                    let hint = did_you_mean(&word, ["none", "explicit", "implicit"]);
                    let message = format!("\"{word}\" is neither none, explicit nor implicit{hint}");
                    self.gather.add(format!("{path}.think_tags.{models}"), at.clone(), message);
                }
            }
        }
        read.sort_by_key(|(models, _)| std::cmp::Reverse(models.len()));
        read
    }

    fn header_values(
        &mut self,
        values: BTreeMap<String, Vec<String>>,
        path: &str,
        at: &Range<usize>,
    ) -> BTreeMap<String, Vec<String>> {
        let is_header = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        for name in values.keys().filter(|name| name.is_empty() || !name.bytes().all(is_header)) {
            let message = format!("\"{name}\" is no header name in lower case");
            self.gather.add(format!("{path}.header_values"), at.clone(), message);
        }
        values
    }

    fn headers(
        &mut self,
        headers: BTreeMap<String, String>,
        path: &str,
        at: &Range<usize>,
    ) -> BTreeMap<String, String> {
        const SECRET: [&str; 5] = ["authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie"];
        for name in headers.keys() {
            if SECRET.contains(&name.to_ascii_lowercase().as_str()) {
                let message = format!("the header {name} holds a credential: name it by `key` instead");
                self.gather.add(format!("{path}.headers"), at.clone(), message);
            }
        }
        headers
    }

    fn secret(&mut self, raw: raw::SecretRef, path: &str, at: &Range<usize>) -> Option<SecretRef> {
        match (raw.env, raw.file) {
            (Some(env), None) if !env.is_empty() => Some(SecretRef::Env(env)),
            (None, Some(file)) => Some(SecretRef::File(file)),
            _ => {
                let message = "a secret is named either by { env = \"NAME\" } or by { file = \"path\" }";
                self.gather.add(path, at.clone(), message);
                None
            }
        }
    }

    fn aliases(
        &mut self,
        sections: &mut BTreeMap<String, Spanned<DeValue<'_>>>,
        providers: &BTreeMap<ProviderId, Provider>,
    ) -> BTreeMap<AliasName, Alias> {
        let mut aliases = BTreeMap::new();
        for (name, at, value) in self.entries(sections, "aliases") {
            let path = format!("aliases.{name}");
            let alias_name = match AliasName::new(&name) {
                Ok(alias) => alias,
                Err(why) => {
                    self.gather.add(&path, at, why.to_string());
                    continue;
                }
            };
            let Some((raw, _)) = self.read::<raw::Alias>(&path, value) else { continue };
            let target = self.target(&raw.target, &format!("{path}.target"), &at, providers);
            let fallback = raw.fallback.unwrap_or_default();
            let fallback = fallback.iter().enumerate().filter_map(|(i, target)| {
                self.target(target, &format!("{path}.fallback[{i}]"), &at, providers)
            });
            let fallback = fallback.collect();
            let fidelity = self.fidelity(raw.fidelity.as_deref(), &path, &at);
            let losses = self.losses(raw.losses.unwrap_or_default(), &path, &at);
            let record = self.recorded(raw.record.as_deref(), &format!("{path}.record"), &at);
            let limits = self.limits(raw.limits, &path, &at);
            if let Some(target) = target {
                aliases.insert(alias_name, Alias { target, fallback, fidelity, losses, record, limits });
            }
        }
        aliases
    }

    fn losses(
        &mut self,
        words: BTreeMap<String, String>,
        path: &str,
        at: &Range<usize>,
    ) -> Vec<(String, Verdict)> {
        let mut losses = Vec::new();
        for (field, word) in words {
            match Verdict::parse(&word) {
                Some(verdict) => losses.push((field, verdict)),
                None => {
                    let message = format!("there is no verdict \"{word}\"; there are drop, map and refuse");
                    self.gather.add(format!("{path}.losses.\"{field}\""), at.clone(), message);
                }
            }
        }
        losses.sort_by(|(a, _), (b, _)| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        losses
    }

    fn fidelity(&mut self, word: Option<&str>, path: &str, at: &Range<usize>) -> Fidelity {
        match word {
            None | Some("report") => Fidelity::Report,
            Some("strict") => Fidelity::Strict,
            Some(other) => {
                let message = format!("there is no fidelity \"{other}\"; there are report and strict");
                self.gather.add(format!("{path}.fidelity"), at.clone(), message);
                Fidelity::Report
            }
        }
    }

    fn target(
        &mut self,
        text: &str,
        path: &str,
        at: &Range<usize>,
        providers: &BTreeMap<ProviderId, Provider>,
    ) -> Option<TargetId> {
        let target = match TargetId::parse(text) {
            Ok(target) => target,
            Err(why) => {
                self.gather.add(path, at.clone(), format!("\"{text}\": {why}"));
                return None;
            }
        };
        if !providers.contains_key(&target.provider) && target.provider.as_str() != "demo" {
            let hint = did_you_mean(target.provider.as_str(), providers.keys().map(ProviderId::as_str));
            let message = format!("there is no provider \"{}\" for \"{text}\"{hint}", target.provider);
            self.gather.add(path, at.clone(), message);
        }
        Some(target)
    }

    fn server(
        &mut self,
        sections: &mut BTreeMap<String, Spanned<DeValue<'_>>>,
        keys: &BTreeMap<KeyId, Key>,
    ) -> Server {
        let default = Server::default();
        let Some((raw, span)) = self.section::<raw::Server>(sections, "server") else { return default };
        let listen = self.address(raw.listen, "server.listen", &span, default.listen);
        let operators = self.address(raw.operators, "server.operators", &span, default.operators);
        let secret = raw.operators_secret;
        let operators_secret = secret.and_then(|s| self.secret(s, "server.operators_secret", &span));
        let require_keys = raw.require_keys.unwrap_or(default.require_keys);
        if !listen.ip().is_loopback() && keys.is_empty() && !require_keys {
            let message = format!(
                "{listen} is not on loopback: anyone who reaches it could spend your money. Configure [keys.NAME], or set \
                 server.require_keys and make keys with `shim keys create`"
            );
            self.gather.add("server.listen", span.clone(), message);
        }
        if !operators.ip().is_loopback() && operators_secret.is_none() {
            let message = format!("{operators} is not on loopback: configure server.operators_secret");
            self.gather.add("server.operators", span.clone(), message);
        }
        Server {
            listen,
            operators,
            tls: raw.tls.map(|tls| crate::Tls { cert: tls.cert, key: tls.key }),
            operators_secret,
            require_keys,
            body_bytes_max: self.size(raw.body_max, "server.body_max", &span, default.body_bytes_max),
            bodies_bytes_max: self.size(raw.bodies_max, "server.bodies_max", &span, default.bodies_bytes_max),
            body_timeout: self.duration(
                raw.body_timeout,
                "server.body_timeout".into(),
                &span,
                default.body_timeout,
            ),
            head_timeout: self.duration(
                raw.head_timeout,
                "server.head_timeout".into(),
                &span,
                default.head_timeout,
            ),
            stall_timeout: self.duration(
                raw.stall_timeout,
                "server.stall_timeout".into(),
                &span,
                default.stall_timeout,
            ),
            connections_max: raw.connections_max.map_or(default.connections_max, |n| n.max(1) as usize),
            drain_timeout: self.duration(
                raw.drain_timeout,
                "server.drain_timeout".into(),
                &span,
                default.drain_timeout,
            ),
            bare_models: raw.bare_models.unwrap_or(default.bare_models),
            workers: raw.workers.map(usize::from).filter(|n| *n > 0),
        }
    }

    fn address(
        &mut self,
        text: Option<String>,
        path: &str,
        span: &Range<usize>,
        default: SocketAddr,
    ) -> SocketAddr {
        let Some(text) = text else { return default };
        text.parse().unwrap_or_else(|_| {
            let message = format!("\"{text}\" is no address; write it as \"127.0.0.1:7446\"");
            self.gather.add(path, span.clone(), message);
            default
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use shim_ir::{AliasName, Dialect, PicoUsd, ProviderId, ThinkTags};

    use super::parse;
    use crate::{Config, Fidelity, SecretRef, Verdict};

    const KNOWN: [&str; 2] = ["openai", "anthropic"];

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
        let text = "[servers]\n[server]\nlisten = \"0.0.0.0:1\"\nbody_max = \"4MB\"\n\
                    [providers.opnai]\nkey = { env = \"X\" }\n[providers.lab]\ndialect = \"openai\"\nbase_url = \"x\"\n\
                    [aliases.a]\ntarget = \"openi/gpt\"\n[aliases.b]\ntarget = \"gpt\"\nretries = 3\n\
                    [keys.k]\nsecret = { env = \"A\", file = \"b\" }\n";
        let problems = parse(text, "shim.toml", &KNOWN).unwrap_err();
        let told = problems.to_string();
        for wanted in [
            "shim.toml:1:2: servers: there is no section \"servers\"; did you mean \"server\"?",
            "server.listen: 0.0.0.0:1 is not on loopback",
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

    #[test]
    fn tags_are_by_model_and_the_longest_name_comes_first() {
        let with = |tags: &str| {
            let text = format!(
                "[providers.lab]\ndialect=\"openai-chat\"\nbase_url=\"http://x\"\nthink_tags={tags}\n"
            );
            parse(&text, "f", &KNOWN)
        };
        let config = with(r#"{ "*" = "explicit", "qwen3.5*" = "implicit", "q*" = "none" }"#).unwrap();
        let lab = &config.providers[&ProviderId::new("lab").unwrap()];
        let told: Vec<_> = lab.think_tags.iter().map(|(models, tags)| (models.as_str(), *tags)).collect();
        let wanted = [("qwen3.5*", ThinkTags::Implicit), ("q*", ThinkTags::None), ("*", ThinkTags::Explicit)];
        assert_eq!(told, wanted);
        let problem = with(r#"{ "q*" = "explicitly" }"#).unwrap_err().to_string();
        assert!(problem.contains("providers.lab.think_tags.q*: \"explicitly\" is neither"), "{problem}");
        assert!(problem.contains("did you mean \"explicit\"?"), "{problem}");
    }

    #[test]
    fn dialects_are_by_model_and_the_longest_name_comes_first() {
        let with = |asked: &str| {
            let text = format!("[providers.openai]\nasked_in={asked}\n");
            parse(&text, "f", &KNOWN)
        };
        let config =
            with(r#"{ "*" = ["openai-chat"], "gpt-5*" = ["openai-responses", "openai-chat"] }"#).unwrap();
        let openai = &config.providers[&ProviderId::new("openai").unwrap()];
        let both = vec![Dialect::OpenaiResponses, Dialect::OpenaiChat];
        let wanted = [("gpt-5*".to_owned(), both), ("*".to_owned(), vec![Dialect::OpenaiChat])];
        assert_eq!(openai.asked_in, wanted);
        for (asked, told) in [
            (r#"{ "*" = ["openai"] }"#, "providers.openai.asked_in.*: no dialect \"openai\""),
            (r#"{ "a*" = [] }"#, "providers.openai.asked_in.a*: name at least one dialect"),
        ] {
            let problem = with(asked).unwrap_err().to_string();
            assert!(problem.contains(told), "{problem}");
        }
    }

    #[test]
    fn prices_are_by_model_and_exact() {
        let with = |prices: &str| {
            let text = format!("[providers.lab]\ndialect=\"anthropic\"\nbase_url=\"http://x\"\n{prices}\n");
            parse(&text, "f", &KNOWN)
        };
        let config =
            with("prices.\"*\" = { input = \"0.25\", output = \"1\" }\nprices.\"big*\" = { input = \"2\" }");
        let lab = config.unwrap().providers[&ProviderId::new("lab").unwrap()].clone();
        let told: Vec<_> =
            lab.prices.iter().map(|(models, own)| (models.as_str(), own.price.input)).collect();
        assert_eq!(told, [("big*", Some(PicoUsd(2_000_000))), ("*", Some(PicoUsd(250_000)))]);
        let problem = with("prices.\"*\" = { input = \"$2\", outptu = \"1\" }").unwrap_err().to_string();
        assert!(problem.contains("unknown field `outptu`"), "{problem}");
        let problem = with("prices.\"*\" = { input = \"$2\" }").unwrap_err().to_string();
        assert!(problem.contains("providers.lab.prices.*.input: \"$2\" is no price"), "{problem}");
    }

    #[test]
    fn fields_may_have_a_verdict_of_their_own() {
        let text =
            "[providers.lab]\ndialect=\"anthropic\"\nbase_url=\"http://x\"\n[aliases.a]\ntarget=\"lab/m\"\n";
        let with = |losses: &str| parse(&format!("{text}losses = {losses}\n"), "f", &KNOWN);
        let config = with(r#"{ "seed" = "refuse", "tools[*].strict" = "drop" }"#).unwrap();
        let losses = &config.aliases[&AliasName::new("a").unwrap()].losses;
        let wanted = [("tools[*].strict".to_owned(), Verdict::Drop), ("seed".to_owned(), Verdict::Refuse)];
        assert_eq!(*losses, wanted);
        let told = with(r#"{ "seed" = "ignore" }"#).unwrap_err().to_string();
        assert!(
            told.contains("aliases.a.losses.\"seed\"") && told.contains("drop, map and refuse"),
            "{told}"
        );
    }

    #[test]
    fn a_provider_may_have_roots_of_its_own() {
        let lab = "[providers.lab]\ndialect=\"anthropic\"\nbase_url=\"https://x\"\n";
        let text = format!("{lab}tls = {{ ca = {{ file = \"lab.pem\" }} }}\n");
        let config = parse(&text, "f", &KNOWN).unwrap();
        let ca = &config.providers[&ProviderId::new("lab").unwrap()].ca;
        assert_eq!(*ca, Some(SecretRef::File("lab.pem".into())));
        let text = format!("{lab}tls = {{ ca = {{ }} }}\n");
        assert!(parse(&text, "f", &KNOWN).unwrap_err().to_string().contains("providers.lab.tls.ca"));
    }

    #[test]
    fn a_credential_in_a_header_or_in_the_file_is_refused() {
        let text = "[providers.lab]\ndialect=\"anthropic\"\nbase_url=\"http://x\"\nheaders={Authorization=\"Bearer x\"}\n";
        assert!(parse(text, "f", &KNOWN).unwrap_err().to_string().contains("holds a credential"));
        let text = "[providers.openai]\nkey = \"sk-123\"\n";
        assert!(parse(text, "f", &KNOWN).is_err());
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
