//! `[providers.NAME]`.

use std::collections::BTreeMap;
use std::ops::Range;

use shim_ir::{Dialect, ModelId, ProviderId, ThinkTags, UnknownDialect};

use super::{Parser, Sections};
use crate::problem::did_you_mean;
use crate::{Endpoint, Provider, Timeouts, prices, raw};

/// The id of the provider that is always there.
pub(super) const BUILT_IN: &str = "demo";

impl Parser<'_> {
    pub(super) fn providers(
        &mut self,
        sections: &mut Sections<'_>,
        timeouts: Timeouts,
    ) -> BTreeMap<ProviderId, Provider> {
        let mut providers = BTreeMap::new();
        for (name, at, value) in self.entries(sections, "providers") {
            let path = format!("providers.{name}");
            let id = match ProviderId::new(&name) {
                Ok(_) if name == BUILT_IN => {
                    self.gather.add(&path, at, format!("{BUILT_IN} is built in: take another name"));
                    continue;
                }
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
        let place = (raw.dialect, raw.base_url);
        if place != (None, None) || !(self.known.contains(&name) || raw.dialects.is_some()) {
            self.place(&mut provider, name, place, path, at);
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

    /// The dialect and base URL that stand beside one another.
    fn place(
        &mut self,
        provider: &mut Provider,
        name: &str,
        place: (Option<String>, Option<String>),
        path: &str,
        at: &Range<usize>,
    ) {
        // What was to stand there is told already.
        if ["dialect", "base_url"].iter().any(|field| self.gather.has(&format!("{path}.{field}"))) {
            return;
        }
        let unknown = || format!("\"{name}\" is not in the catalogue, so it needs a dialect");
        match place {
            (Some(dialect), Some(base_url)) => {
                provider.elsewhere = true;
                self.endpoint(provider, &dialect, base_url, path, at);
            }
            (Some(_), None) => self.gather.add(path, at.clone(), "a dialect needs a base_url"),
            (None, Some(base_url)) if self.known.contains(&name) => {
                self.url(&base_url, &format!("{path}.base_url"), at);
                provider.base_url = Some(base_url);
            }
            (None, Some(_)) => self.gather.add(path, at.clone(), unknown()),
            (None, None) => {
                let hint = did_you_mean(name, self.known.iter().copied());
                self.gather.add(path, at.clone(), format!("{} and a base_url{hint}", unknown()));
            }
        }
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
                let why: UnknownDialect = why;
                self.gather.add(format!("{path}.dialect"), at.clone(), why.to_string());
                return;
            }
        };
        self.url(&base_url, &format!("{path}.base_url"), at);
        if provider.endpoints.iter().any(|e| e.dialect == dialect) {
            self.gather.add(path, at.clone(), format!("the dialect {dialect} is there twice"));
            return;
        }
        provider.endpoints.push(Endpoint { dialect, base_url });
    }

    /// Checks a base URL. It is not told: a password may be in it.
    fn url(&mut self, url: &str, path: &str, at: &Range<usize>) {
        let message = if !url.starts_with("http://") && !url.starts_with("https://") {
            "a base URL starts with http:// or https://"
        } else if url.contains('@') {
            "a base URL holds no credentials: name them by key = { env = \"NAME\" }; an @ in its path is written %40"
        } else if url.contains(['?', '#']) {
            "a base URL ends with its path: what stands behind ? or # would not be sent"
        } else if !has_port(url) {
            "the port of a base URL is a number up to 65535"
        } else {
            return;
        };
        self.gather.add(path, at.clone(), message);
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
}

/// Whether the port of a URL is one, or there is none.
fn has_port(url: &str) -> bool {
    let authority = url.split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
    // Behind the bracket of an IPv6 address, whose colons are its own.
    let named = authority.rsplit(']').next().unwrap_or_default();
    named.split_once(':').is_none_or(|(_, port)| port.is_empty() || port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use shim_ir::{Dialect, PicoUsd, ProviderId, ThinkTags};

    use super::super::tests::KNOWN;
    use crate::{SecretRef, parse};

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
    fn a_base_url_is_one() {
        let with = |url: &str| {
            let text = format!("[providers.lab]\ndialect=\"anthropic\"\nbase_url=\"{url}\"\n");
            parse(&text, "f", &KNOWN).map_err(|problems| problems.to_string())
        };
        for url in [
            "http://lab.test",
            "https://lab.test:8443/v1",
            "http://[::1]:9/v1",
            "http://[::1]/",
            "http://lab:",
        ] {
            assert!(with(url).is_ok(), "{url}");
        }
        for (url, told) in [
            ("lab.test/v1", "starts with http:// or https://"),
            ("http://lab.test:99999/v1", "is a number up to 65535"),
            ("http://[::1]:http/v1", "is a number up to 65535"),
            ("http://lab.test/v1?key=k", "would not be sent"),
            ("http://me@lab.test/v1", "holds no credentials"),
        ] {
            let problem = with(url).unwrap_err();
            assert!(
                problem.contains(told) && problem.contains("providers.lab.base_url: "),
                "{url}: {problem}"
            );
        }
    }

    #[test]
    fn the_built_in_provider_is_not_configured() {
        let told = parse("[providers.demo]\ndialect=\"anthropic\"\nbase_url=\"http://x\"\n", "f", &KNOWN);
        assert!(told.unwrap_err().to_string().contains("providers.demo: demo is built in"));
    }

    #[test]
    fn a_credential_in_a_header_or_in_the_file_is_refused() {
        let text = "[providers.lab]\ndialect=\"anthropic\"\nbase_url=\"http://x\"\nheaders={Authorization=\"Bearer x\"}\n";
        assert!(parse(text, "f", &KNOWN).unwrap_err().to_string().contains("holds a credential"));
        let text = "[providers.openai]\nkey = \"sk-123\"\n";
        assert!(parse(text, "f", &KNOWN).is_err());
    }
}
