//! What the gateway bills is what genai-prices says, for every model both know, by class and length of the input.

use std::path::Path;

use shim_catalog::{Answered, Date, Pricing};
use shim_ir::{Tokens, Usage};

use super::genai::{self, Statement};
use super::price::{Class, Pico};
use super::{PROVIDERS, merge};

/// Where the facts are that are imported from.
fn facts() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/catalog")
}

/// So many tokens of one class; `None` for a class whose tokens the source counts in another way.
fn usage(class: Class, tokens: u64) -> Option<Usage> {
    let tokens = Tokens(tokens);
    let none = Usage::default();
    Some(match class {
        Class::Input => Usage { input_uncached: tokens, ..none },
        Class::Output => Usage { output_text: tokens, ..none },
        Class::CacheRead => Usage { cache_read: tokens, ..none },
        Class::CacheWrite => Usage { cache_write: tokens, ..none },
        Class::InputAudio => Usage { input_audio: tokens, ..none },
        Class::OutputAudio => Usage { output_audio: tokens, ..none },
        Class::Reasoning => return None,
    })
}

/// What `tokens` of one class cost here, in pico-dollars; `None` where that is not known.
fn billed(provider: &str, model: &str, class: Class, tokens: u64) -> Option<u64> {
    let usage = usage(class, tokens)?;
    let day = Date::parse(merge::GENAI_DATE)?;
    let answered = Answered {
        usage: &usage,
        service: None,
        searches: 0,
        region: None,
        stated: None,
        complete: true,
        day,
    };
    Pricing::of(provider, model).bill(&answered).cost.map(|cost| cost.0)
}

/// Compares every price of a statement with the bill of as many tokens as it is of; how many were compared.
#[track_caller]
fn check(provider: &str, model: &str, statement: &Statement, wrong: &mut Vec<String>) -> usize {
    let is_past = |from: &Option<String>| from.as_deref().is_none_or(|day| day <= merge::GENAI_DATE);
    let then = statement.since.iter().flatten().rfind(|(from, _)| is_past(from));
    // Nobody knows what requests cost whose prices are not the whole.
    let Some((_, prices)) = then.filter(|(_, prices)| !prices.fees) else { return 0 };
    let all = prices.all();
    for ((above, class), price) in &all {
        let output = matches!(class, Class::Output | Class::OutputAudio);
        // Output in a tier is reached by input, which is another class's price.
        let tokens = above.map_or(1_000, |above| if output { 0 } else { above + 1 });
        let expected = Pico::times(*price, tokens);
        // models.dev knows of fees beside the tokens of one model of Perplexity, and genai-prices does not.
        let fees = (provider, model) == ("perplexity", "sonar-deep-research");
        // The source knows one price of output, and the provider another of what is no image.
        let images = provider == "google" && *class == Class::Output && model.contains("-image");
        if tokens > 0 && !fees && !images && billed(provider, model, *class, tokens) != Some(expected) {
            let bill = billed(provider, model, *class, tokens);
            wrong.push(format!("{provider}/{model} {} >{above:?}: {bill:?}, not {expected}", class.name()));
        }
    }
    all.len()
}

#[test]
fn bills_are_those_of_genai_prices() {
    let path = facts().join("genai-prices.json");
    if !path.is_file() {
        eprintln!("skipped: there are no facts beside this checkout");
        return;
    }
    let sources = genai::read(&path).unwrap();
    let (mut compared, mut wrong) = (0, Vec::new());
    for names in &PROVIDERS {
        let Some(source) = names.genai.and_then(|id| sources.iter().find(|source| source.id == id)) else {
            continue;
        };
        for model in shim_catalog::models(names.ours) {
            // What names the model only as another name of a second one does not overrule an entry of its own: the page
            // of differences lists those.
            let statement = source.statement(&model.id).filter(|statement| statement.other_name_of.is_none());
            compared += statement.map_or(0, |statement| check(names.ours, &model.id, &statement, &mut wrong));
        }
    }
    assert!(wrong.is_empty(), "{} of {compared}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(compared > 500, "{compared}");
}
