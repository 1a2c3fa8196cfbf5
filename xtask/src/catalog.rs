//! Imports what the catalogue knows of models and prices, and writes the pages that list it.
//!
//! Each provider's models become one file of tab-separated rows, so that a new import reads well as a diff. What comes
//! out depends on the facts and the provider files alone: a second run writes nothing.

#[cfg(test)]
mod bills;
mod control;
mod facts;
mod genai;
mod merge;
mod page;
mod price;
mod provider;
mod row;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use facts::{Fact, Facts};
use genai::Genai;
use merge::Difference;
use price::Prices;
use row::Row;

/// A provider, by its id here and in the two sources.
struct Names {
    ours: &'static str,
    models_dev: &'static str,
    /// `None` where genai-prices has it not, or means another host (see [`page::NOT_COMPARED`]).
    genai: Option<&'static str>,
}

const fn names(ours: &'static str, models_dev: &'static str, genai: Option<&'static str>) -> Names {
    Names { ours, models_dev, genai }
}

const PROVIDERS: [Names; 23] = [
    names("alibaba", "alibaba", None),
    names("anthropic", "anthropic", Some("anthropic")),
    names("azure", "azure", Some("azure")),
    names("baseten", "baseten", None),
    names("cerebras", "cerebras", Some("cerebras")),
    names("cohere", "cohere", Some("cohere")),
    names("deepinfra", "deepinfra", None),
    names("deepseek", "deepseek", Some("deepseek")),
    names("fireworks", "fireworks-ai", Some("fireworks")),
    names("google", "google", Some("google")),
    names("groq", "groq", Some("groq")),
    names("huggingface", "huggingface", None),
    names("minimax", "minimax", Some("minimax")),
    names("mistral", "mistral", Some("mistral")),
    names("moonshot", "moonshotai", Some("moonshotai")),
    names("nebius", "nebius", None),
    names("nvidia", "nvidia", None),
    names("openai", "openai", Some("openai")),
    names("openrouter", "openrouter", Some("openrouter")),
    names("perplexity", "perplexity", Some("perplexity")),
    names("together", "togetherai", Some("together")),
    names("xai", "xai", Some("x-ai")),
    names("zai", "zai", None),
];

/// Where the files of models are, from the root of the repository.
const MODELS: &str = "crates/shim-catalog/data/models";
/// Where the provider files are.
const PROVIDER_FILES: &str = "crates/shim-catalog/data/providers";

/// Writes `crates/shim-catalog/data/models/*.tsv`, `docs/catalog-differences.md` and `docs/providers.md` from the
/// facts in the folder `facts`, as far as they change.
///
/// # Errors
/// When the facts cannot be read or a file cannot be written.
pub(crate) fn import(root: &Path, facts: &Path) -> Result<()> {
    let files = files(root, facts)?;
    let (count, mut written) = (files.len(), 0);
    for (path, text) in files {
        let path = root.join(path);
        if fs::read_to_string(&path).is_ok_and(|old| old == text) {
            continue;
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        }
        fs::write(&path, text).with_context(|| path.display().to_string())?;
        eprintln!("{}", path.display());
        written += 1;
    }
    eprintln!("{written} of {count} files written, the others are as they were");
    Ok(())
}

/// Every file of an import, by its path from the root of the repository.
fn files(root: &Path, facts: &Path) -> Result<BTreeMap<PathBuf, String>> {
    let models_dev = facts::read(&facts.join("models-dev-models.jsonl"))?;
    let genai = genai::read(&facts.join("genai-prices.json"))?;
    let mut files = BTreeMap::new();
    let mut all = Vec::new();
    let mut counts = BTreeMap::new();
    for names in &PROVIDERS {
        let (rows, differences) = provider_rows(names, &models_dev, &genai)?;
        counts.insert(names.ours, rows.iter().filter(|row| row.listed()).count());
        files.insert(Path::new(MODELS).join(format!("{}.tsv", names.ours)), row::print(&rows));
        all.extend(differences);
    }
    let providers = provider::read(&root.join(PROVIDER_FILES))?;
    files.insert("docs/catalog-differences.md".into(), page::differences(&all));
    files.insert("docs/providers.md".into(), page::providers(&providers, &counts));
    Ok(files)
}

/// The rows of a provider in order of id, and where the sources differ about it.
fn provider_rows(names: &Names, models_dev: &Facts, genai: &[Genai]) -> Result<(Vec<Row>, Vec<Difference>)> {
    let genai = names.genai.and_then(|id| genai.iter().find(|provider| provider.id == id));
    let mut listed = models_dev.of(names.models_dev)?;
    listed.retain(Fact::served_where_we_call);
    let (mut rows, mut differences) = (Vec::new(), Vec::new());
    for fact in &listed {
        let statement = genai.and_then(|genai| genai.statement(&fact.id));
        let stated: Prices = fact.cost.prices();
        let (prices, findings) = merge::prices(&stated, statement.as_ref());
        differences.extend(findings.into_iter().map(|f| Difference::new(names.ours, &fact.id, f)));
        let context = statement.as_ref().filter(|s| s.other_name_of.is_none()).and_then(|s| s.context);
        rows.push(Row::of(fact, context, prices));
    }
    if let Some(genai) = genai {
        let unlisted = genai.unlisted(names.ours, &listed);
        rows.extend(unlisted.into_iter().map(|(id, context, since)| Row::unlisted(id, context, since)));
    }
    rows.sort_by(|a, b| a.id.cmp(&b.id));
    Ok((rows, differences))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::{files, provider_rows, row};
    use crate::catalog::facts::Facts;
    use crate::catalog::{PROVIDERS, genai};

    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
    }

    /// What is checked in is what an import writes, so another run writes nothing.
    #[test]
    fn a_second_import_writes_nothing() {
        let facts = root().join("../shared/catalog");
        if !facts.is_dir() {
            eprintln!("skipped: there are no facts beside this checkout");
            return;
        }
        for (path, text) in files(root(), &facts).unwrap() {
            let there = fs::read_to_string(root().join(&path)).unwrap_or_default();
            assert!(there == text, "{} is not what `cargo xtask catalog` writes", path.display());
        }
    }

    #[test]
    fn both_sources_become_rows() {
        let models_dev = [
            r#"{"provider":"anthropic","id":"a","name":"A","limit":{"context":8,"output":4},"temperature":false,"reasoning_options":[{"type":"toggle"}],"cost":{"input":1,"output":2}}"#,
            r#"{"provider":"anthropic","id":"b","base_model":"anthropic/a","cost":{"input":3,"output":4}}"#,
        ];
        let genai: Vec<genai::Genai> = serde_json::from_str(
            r#"[{"id":"anthropic","models":[
                {"id":"a","match":{"equals":"a"},"prices":[
                    {"prices":{"input_mtok":1,"output_mtok":2,"cache_read_mtok":0.1}},
                    {"constraint":{"start_date":"2026-09-01"},"prices":{"input_mtok":2,"output_mtok":{"base":3,"tiers":[{"start":100,"price":5}]}}}]},
                {"id":"c","match":{"equals":"c"},"context_window":9,"prices":{"input_mtok":5}},
                {"id":"d","match":{"equals":"d"},"price_comments":"Imported from OpenRouter pricing","prices":{"input_mtok":5}}
            ]}]"#,
        )
        .unwrap();
        let names = PROVIDERS.iter().find(|names| names.ours == "anthropic").unwrap();
        let facts = Facts::parse(&models_dev.join("\n")).unwrap();
        let (rows, differences) = provider_rows(names, &facts, &genai).unwrap();
        let text = row::print(&rows);
        let rows: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            rows,
            [
                "a\tA\t\t\t8\t\t4\t\t\t\tmg in=1 out=2 read=0.1 | 2026-09-01 g in=2 out=3 >100 out=5\toff no=temperature",
                "b\tA\t\t\t8\t\t4\t\t\t\tm in=3 out=4\tno=temperature",
                "c\tc\tunlisted\t\t9\t\t\t\t\t\tg in=5",
            ]
        );
        assert!(differences.is_empty());
    }
}
