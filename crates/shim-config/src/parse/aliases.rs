//! `[aliases.NAME]`.

use std::collections::BTreeMap;
use std::ops::Range;

use shim_ir::{AliasName, ProviderId, TargetId};

use super::providers::BUILT_IN;
use super::{Parser, Sections};
use crate::extraction;
use crate::problem::did_you_mean;
use crate::{Alias, Fidelity, Provider, Verdict, raw};

impl Parser<'_> {
    pub(super) fn aliases(
        &mut self,
        sections: &mut Sections<'_>,
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
            let extraction = raw.extraction.as_deref();
            let extraction =
                extraction::mode(extraction, &format!("{path}.extraction"), &at, &mut self.gather);
            let limits = self.limits(raw.limits, &path, &at);
            if let Some(target) = target {
                let alias = Alias { target, fallback, fidelity, losses, record, extraction, limits };
                aliases.insert(alias_name, alias);
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
        let there = providers.contains_key(&target.provider) || target.provider.as_str() == BUILT_IN;
        // One that is only broken is there.
        let broken = ["providers".to_owned(), format!("providers.{}", target.provider)];
        if !there && !broken.iter().any(|path| self.gather.has(path)) {
            let hint = did_you_mean(target.provider.as_str(), providers.keys().map(ProviderId::as_str));
            let message = format!("there is no provider \"{}\" for \"{text}\"{hint}", target.provider);
            self.gather.add(path, at.clone(), message);
        }
        Some(target)
    }
}

#[cfg(test)]
mod tests {
    use shim_ir::AliasName;

    use super::super::tests::KNOWN;
    use crate::{Verdict, parse};

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
}
