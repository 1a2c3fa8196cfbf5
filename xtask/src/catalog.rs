//! Imports what the catalogue knows of models from the facts beside the checkout.
//!
//! Each provider's models become one file of tab-separated rows, so that a new import reads well as a diff.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

/// Provider ids of the source, and ours.
const PROVIDERS: [(&str, &str); 17] = [
    ("anthropic", "anthropic"),
    ("azure", "azure"),
    ("cerebras", "cerebras"),
    ("cohere", "cohere"),
    ("deepseek", "deepseek"),
    ("fireworks-ai", "fireworks"),
    ("google", "google"),
    ("groq", "groq"),
    ("huggingface", "huggingface"),
    ("mistral", "mistral"),
    ("moonshotai", "moonshot"),
    ("openai", "openai"),
    ("openrouter", "openrouter"),
    ("perplexity", "perplexity"),
    ("togetherai", "together"),
    ("xai", "xai"),
    ("zai", "zai"),
];

#[derive(Deserialize)]
struct Fact {
    id: String,
    provider: String,
    name: Option<String>,
    release_date: Option<String>,
    #[serde(default)]
    tool_call: bool,
    #[serde(default)]
    reasoning: bool,
    #[serde(default)]
    structured_output: bool,
    limit: Option<Limit>,
    modalities: Option<Modalities>,
    cost: Option<Cost>,
}

#[derive(Deserialize)]
struct Limit {
    context: Option<u64>,
    output: Option<u64>,
}

#[derive(Deserialize)]
struct Modalities {
    #[serde(default)]
    input: Vec<String>,
    #[serde(default)]
    output: Vec<String>,
}

#[derive(Deserialize)]
struct Cost {
    input: Option<serde_json::Number>,
    output: Option<serde_json::Number>,
    cache_read: Option<serde_json::Number>,
    cache_write: Option<serde_json::Number>,
}

/// Writes `crates/shim-catalog/data/models/*.tsv` from the facts in `facts`.
///
/// # Errors
/// When the facts cannot be read or a file cannot be written.
pub(crate) fn import(root: &Path, facts: &Path) -> Result<()> {
    let path = facts.join("models-dev-models.jsonl");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let mut by_provider: BTreeMap<&str, BTreeMap<String, String>> = BTreeMap::new();
    for line in text.lines() {
        let fact: Fact = serde_json::from_str(line)?;
        let ours = PROVIDERS.iter().find(|(theirs, _)| *theirs == fact.provider);
        if let Some((_, ours)) = ours
            && fact.limit.is_some()
        {
            by_provider.entry(ours).or_default().insert(fact.id.clone(), row(&fact));
        }
    }
    let folder = root.join("crates/shim-catalog/data/models");
    fs::create_dir_all(&folder)?;
    for (provider, rows) in by_provider {
        let mut out = String::from(
            "# Source: models.dev, commit f3fc69229 of 2026-07-02 (MIT). Prices in USD per million tokens.\n\
             # id\tname\treleased\tcontext\toutput\tabilities\tinput modalities\toutput modalities\t\
             price in\tprice out\tcache read\tcache write\n",
        );
        for row in rows.values() {
            out.push_str(row);
        }
        fs::write(folder.join(format!("{provider}.tsv")), out)?;
    }
    Ok(())
}

fn row(fact: &Fact) -> String {
    let mut abilities = Vec::new();
    for (has, name) in
        [(fact.tool_call, "tools"), (fact.reasoning, "reasoning"), (fact.structured_output, "schema")]
    {
        if has {
            abilities.push(name);
        }
    }
    let number = |n: Option<u64>| n.filter(|n| *n > 0).map(|n| n.to_string()).unwrap_or_default();
    let limit = fact.limit.as_ref();
    let list = |l: Option<&Vec<String>>| l.map(|l| l.join(",")).unwrap_or_default();
    let cost = |pick: fn(&Cost) -> Option<&serde_json::Number>| {
        fact.cost.as_ref().and_then(pick).map(ToString::to_string).unwrap_or_default()
    };
    let columns = [
        fact.id.clone(),
        fact.name.clone().unwrap_or_else(|| fact.id.clone()),
        fact.release_date.clone().unwrap_or_default(),
        number(limit.and_then(|l| l.context)),
        number(limit.and_then(|l| l.output)),
        abilities.join(","),
        list(fact.modalities.as_ref().map(|m| &m.input)),
        list(fact.modalities.as_ref().map(|m| &m.output)),
        cost(|c| c.input.as_ref()),
        cost(|c| c.output.as_ref()),
        cost(|c| c.cache_read.as_ref()),
        cost(|c| c.cache_write.as_ref()),
    ];
    let mut line = String::new();
    for (at, column) in columns.iter().enumerate() {
        let tab = if at == 0 { "" } else { "\t" };
        let _ = write!(line, "{tab}{}", column.replace(['\t', '\n'], " "));
    }
    line.push('\n');
    line
}
