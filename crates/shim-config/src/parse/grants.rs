//! Keys, teams, and the limits of both and of aliases.

use std::collections::BTreeMap;
use std::ops::Range;

use shim_ir::{Dialect, KeyId, ProviderId, TeamName};
use shim_policy::access::Grant;
use shim_policy::calendar::{parse_day, parse_moment};
use shim_policy::limits::{Budget, BudgetWindow, Limits, Unpriced};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Parser, Sections};
use crate::extraction;
use crate::problem::did_you_mean;
use crate::{Config, Key, parse_usd, raw};

impl Parser<'_> {
    pub(super) fn teams(&mut self, sections: &mut Sections<'_>) -> BTreeMap<TeamName, Limits> {
        let mut teams = BTreeMap::new();
        for (name, at, value) in self.entries(sections, "teams") {
            let path = format!("teams.{name}");
            let team = match TeamName::new(&name) {
                Ok(team) => team,
                Err(why) => {
                    self.gather.add(&path, at, why.to_string());
                    continue;
                }
            };
            let Some((raw, _)) = self.read::<raw::Team>(&path, value) else { continue };
            let limits = self.limits(raw.limits, &path, &at);
            teams.insert(team, limits);
        }
        teams
    }

    /// `config` has its providers and teams already.
    pub(super) fn keys(&mut self, sections: &mut Sections<'_>, config: &Config) -> BTreeMap<KeyId, Key> {
        let mut keys = BTreeMap::new();
        for (name, at, value) in self.entries(sections, "keys") {
            let path = format!("keys.{name}");
            let id = match KeyId::new(&name) {
                Ok(id) => id,
                Err(why) => {
                    self.gather.add(&path, at, why.to_string());
                    continue;
                }
            };
            let Some((raw, _)) = self.read::<raw::Key>(&path, value) else { continue };
            let (secret, grant) = self.grant(raw, &path, &at, config);
            let Some(secret) = secret else {
                if !self.gather.has(&format!("{path}.secret")) {
                    self.gather.add(&path, at, "a key needs a secret: secret = { env = \"NAME\" }");
                }
                continue;
            };
            if let Some(secret) = self.secret(secret, &format!("{path}.secret"), &at) {
                keys.insert(id, Key { secret, grant });
            }
        }
        keys
    }

    /// What a key permits that is not in the file.
    pub(super) fn loose_grant(&mut self, table: Spanned<DeTable<'_>>, config: &Config) -> Option<Grant> {
        let at = table.span();
        let value = Spanned::new(at.clone(), DeValue::Table(table.into_inner()));
        let (raw, _) = self.read::<raw::Key>("key", value)?;
        let (secret, grant) = self.grant(raw, "key", &at, config);
        if secret.is_some() {
            self.gather.add("key.secret", at, "the secret of a key that is made is made with it");
        }
        Some(grant)
    }

    fn grant(
        &mut self,
        raw: raw::Key,
        path: &str,
        at: &Range<usize>,
        config: &Config,
    ) -> (Option<raw::SecretRef>, Grant) {
        let regions = raw.regions.unwrap_or_default();
        let region = |region: &String| self.region(region, &format!("{path}.regions"), at);
        let grant = Grant {
            regions: regions.iter().filter_map(region).collect(),
            allow: raw.allow.unwrap_or_default(),
            providers: self.named(raw.providers, &format!("{path}.providers"), at, config),
            deny_providers: self.named(raw.deny_providers, &format!("{path}.deny_providers"), at, config),
            dialects: self.dialects(raw.dialects.unwrap_or_default(), &format!("{path}.dialects"), at),
            owner: raw.owner,
            team: raw.team.and_then(|team| self.team(&team, &format!("{path}.team"), at, config)),
            expires_ms: raw.expires.and_then(|day| self.day(&day, &format!("{path}.expires"), at)),
            record: self.recorded(raw.record.as_deref(), &format!("{path}.record"), at),
            extraction: {
                let path = format!("{path}.extraction");
                extraction::mode(raw.extraction.as_deref(), &path, at, &mut self.gather)
            },
            limits: self.limits(raw.limits, path, at),
        };
        (raw.secret, grant)
    }

    /// A region, in lower case.
    pub(super) fn region(&mut self, region: &str, path: &str, at: &Range<usize>) -> Option<String> {
        let word = !region.is_empty() && region.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        if !word {
            let message = format!("\"{region}\" is no region; write it as a word, such as \"eu\"");
            self.gather.add(path, at.clone(), message);
        }
        word.then(|| region.to_ascii_lowercase())
    }

    /// Providers by name: those that are configured, or that the catalogue knows.
    fn named(
        &mut self,
        names: Option<Vec<String>>,
        path: &str,
        at: &Range<usize>,
        config: &Config,
    ) -> Vec<ProviderId> {
        let mut read = Vec::new();
        for name in names.unwrap_or_default() {
            let known = self.known.contains(&name.as_str()) || name == "demo";
            match ProviderId::new(&name) {
                Ok(id) if known || config.providers.contains_key(&id) => read.push(id),
                Ok(_) | Err(_) => {
                    let configured = config.providers.keys().map(ProviderId::as_str);
                    let hint = did_you_mean(&name, configured.chain(self.known.iter().copied()));
                    self.gather.add(path, at.clone(), format!("there is no provider \"{name}\"{hint}"));
                }
            }
        }
        read
    }

    fn dialects(&mut self, names: Vec<String>, path: &str, at: &Range<usize>) -> Vec<Dialect> {
        let mut read = Vec::new();
        for name in names {
            match name.parse() {
                Ok(dialect) => read.push(dialect),
                Err(why) => {
                    let why: shim_ir::UnknownDialect = why;
                    self.gather.add(path, at.clone(), why.to_string());
                }
            }
        }
        read
    }

    fn team(&mut self, name: &str, path: &str, at: &Range<usize>, config: &Config) -> Option<TeamName> {
        let team = TeamName::new(name).ok().filter(|team| config.teams.contains_key(team));
        if team.is_none() {
            let hint = did_you_mean(name, config.teams.keys().map(TeamName::as_str));
            let message = format!("there is no team \"{name}\"{hint}; declare it as [teams.{name}]");
            self.gather.add(path, at.clone(), message);
        }
        team
    }

    fn day(&mut self, day: &str, path: &str, at: &Range<usize>) -> Option<u64> {
        let read = parse_day(day).or_else(|| parse_moment(day));
        if read.is_none() {
            let message =
                format!("\"{day}\" is no day; write it as \"2027-01-01\" or \"2027-01-01T12:00:00Z\"");
            self.gather.add(path, at.clone(), message);
        }
        read
    }

    /// The limits at `path`, without limits where there are none.
    pub(super) fn limits(&mut self, raw: Option<raw::Limits>, path: &str, at: &Range<usize>) -> Limits {
        let Some(raw) = raw else { return Limits::default() };
        let path = format!("{path}.limits");
        let budget = self.budget(&raw, &path, at);
        let mut above_0 = |name: &str, limit: Option<u64>| {
            if limit == Some(0) {
                let message = "0 lets nothing pass; to shut someone out, revoke the key or remove the alias";
                self.gather.add(format!("{path}.{name}"), at.clone(), message);
            }
            limit
        };
        Limits {
            requests_per_minute: above_0("requests_per_minute", raw.requests_per_minute),
            tokens_per_minute: above_0("tokens_per_minute", raw.tokens_per_minute),
            concurrent: above_0("concurrent", raw.concurrent),
            output_tokens_max: above_0("output_tokens_max", raw.output_tokens_max),
            budget,
        }
    }

    fn budget(&mut self, raw: &raw::Limits, path: &str, at: &Range<usize>) -> Option<Budget> {
        let window = raw.budget_window.as_deref();
        let window =
            window.map(|word| self.word(word, BudgetWindow::parse, "day, month and total", path, at));
        let unpriced = raw.unpriced.as_deref();
        let unpriced = unpriced.map(|word| self.word(word, Unpriced::parse, "refuse and allow", path, at));
        let Some(text) = &raw.budget else {
            if window.is_some() || unpriced.is_some() {
                let message = "budget_window and unpriced say how a budget is kept, and there is none";
                self.gather.add(path, at.clone(), message);
            }
            return None;
        };
        let (window, unpriced) =
            (window.flatten().unwrap_or_default(), unpriced.flatten().unwrap_or_default());
        match parse_usd(text) {
            Ok(amount) => Some(Budget { amount, window, unpriced }),
            Err(why) => {
                self.gather.add(format!("{path}.budget"), at.clone(), why);
                None
            }
        }
    }

    fn word<T>(
        &mut self,
        word: &str,
        parse: fn(&str) -> Option<T>,
        there_are: &str,
        path: &str,
        at: &Range<usize>,
    ) -> Option<T> {
        let read = parse(word);
        if read.is_none() {
            self.gather.add(path, at.clone(), format!("\"{word}\" is not known here; there are {there_are}"));
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use shim_ir::{AliasName, Dialect, KeyId, PicoUsd, ProviderId, TeamName};
    use shim_policy::limits::{Budget, BudgetWindow, Unpriced};

    use shim_policy::access::Grant;

    use crate::{parse, parse_grant};

    const KNOWN: [&str; 2] = ["openai", "mistral"];

    #[test]
    fn keys_teams_and_aliases_have_limits() {
        let text = r#"
            [providers.lab]
            dialect = "anthropic"
            base_url = "http://x"
            region = "EU"
            [aliases.chat]
            target = "lab/m"
            limits = { concurrent = 4 }
            [teams.web.limits]
            budget = "$20"
            [keys.app]
            secret = { env = "A" }
            allow = ["chat"]
            providers = ["lab"]
            deny_providers = ["openai"]
            regions = ["EU", "ch"]
            dialects = ["anthropic"]
            owner = "Ada"
            team = "web"
            expires = "2027-01-01"
            [keys.app.limits]
            requests_per_minute = 60
            tokens_per_minute = 100000
            budget = "$0.50"
            budget_window = "day"
            unpriced = "allow"
            output_tokens_max = 4096
        "#;
        let config = parse(text, "f", &KNOWN).unwrap();
        assert_eq!(config.providers[&ProviderId::new("lab").unwrap()].region.as_deref(), Some("eu"));
        assert_eq!(config.aliases[&AliasName::new("chat").unwrap()].limits.concurrent, Some(4));
        let budget = config.teams[&TeamName::new("web").unwrap()].budget.unwrap();
        assert_eq!((budget.window, budget.unpriced), (BudgetWindow::Month, Unpriced::Refuse));
        let grant = &config.keys[&KeyId::new("app").unwrap()].grant;
        assert_eq!(
            (&grant.regions, &grant.dialects),
            (&vec!["eu".into(), "ch".into()], &vec![Dialect::Anthropic])
        );
        assert_eq!(
            (grant.team.as_ref().unwrap().as_str(), grant.expires_ms),
            ("web", Some(1_798_761_600_000))
        );
        let amount = PicoUsd(500_000_000_000);
        let wanted = Budget { amount, window: BudgetWindow::Day, unpriced: Unpriced::Allow };
        assert_eq!(grant.limits.budget, Some(wanted));
        assert_eq!(grant.limits.output_tokens_max, Some(4096));
    }

    #[test]
    fn what_is_wrong_with_keys_and_limits_is_told_with_its_place() {
        let text = "[providers.lab]\ndialect=\"anthropic\"\nbase_url=\"http://x\"\nregion=\"e u\"\n\
                    [teams.web.limits]\nbudget_window=\"week\"\n\
                    [aliases.a]\ntarget=\"lab/m\"\nlimits={ budget=\"20\" }\n\
                    [keys.k]\nsecret={env=\"A\"}\nproviders=[\"labb\"]\ndialects=[\"openai\"]\nteam=\"webb\"\n\
                    expires=\"tomorrow\"\nlimits={ requests_per_minute=0, budget=\"$1\", unpriced=\"maybe\" }\n";
        let told = parse(text, "f", &KNOWN).unwrap_err().to_string();
        for wanted in [
            "providers.lab.region: \"e u\" is no region",
            "teams.web.limits: \"week\" is not known here; there are day, month and total",
            "teams.web.limits: budget_window and unpriced say how a budget is kept, and there is none",
            "aliases.a.limits.budget: \"20\" is no amount",
            "keys.k.providers: there is no provider \"labb\"; did you mean \"lab\"?",
            "keys.k.dialects: no dialect \"openai\"",
            "keys.k.team: there is no team \"webb\"; did you mean \"web\"?",
            "keys.k.expires: \"tomorrow\" is no day",
            "keys.k.limits.requests_per_minute: 0 lets nothing pass",
            "keys.k.limits: \"maybe\" is not known here; there are refuse and allow",
        ] {
            assert!(told.contains(wanted), "{wanted}\nis not in\n{told}");
        }
    }

    #[test]
    fn what_a_made_key_permits_is_read_like_a_key_of_the_file() {
        let config = parse("[teams.web]\n", "f", &KNOWN).unwrap();
        let grant = |text: &str| parse_grant(text, &config, &KNOWN);
        let read =
            grant("team=\"web\"\nexpires=\"2027-01-01T12:00:00Z\"\nlimits={ concurrent=2 }\n").unwrap();
        assert_eq!((read.limits.concurrent, read.expires_ms), (Some(2), Some(1_798_804_800_000)));
        assert_eq!(grant(""), Ok(Grant::default()));
        for (text, wanted) in [
            ("team=\"wab\"", "key.team: there is no team \"wab\""),
            ("secret={env=\"A\"}", "key.secret: the secret of a key that is made is made with it"),
            ("colour=1", "unknown field `colour`"),
            ("limits=", "key: "),
        ] {
            let told = grant(text).unwrap_err().to_string();
            assert!(told.contains(wanted), "{wanted} is not in {told}");
            assert!(!told.contains(":1:"), "there is no file with such a place: {told}");
        }
        let told = parse("[keys.k]\n", "f", &KNOWN).unwrap_err().to_string();
        assert!(told.contains("keys.k: a key needs a secret"), "{told}");
    }

    #[test]
    fn who_requires_keys_may_listen_anywhere_before_one_is_made() {
        let text = "[server]\nlisten=\"0.0.0.0:7446\"\nrequire_keys=true\n";
        assert!(parse(text, "f", &KNOWN).unwrap().server.require_keys);
    }
}
