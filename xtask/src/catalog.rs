//! Imports what the catalogue knows of models and prices from the facts beside the checkout, and writes the pages
//! that list it. Everything is a function of the facts and of the provider files, so a new import reads as a diff.

mod facts;
mod genai;
mod merge;
mod page;
mod price;
mod provider;
mod row;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use facts::{Fact, Facts};
use genai::Genai;
use merge::Difference;
use row::Row;

/// Where a provider's models come from: our id, models.dev's, and genai-prices' where it means the same service.
/// Z.ai has none there: its `zhipuai` is the Chinese platform, priced in another currency.
const PROVIDERS: [(&str, &str, Option<&str>); 23] = [
    ("alibaba", "alibaba", None),
    ("anthropic", "anthropic", Some("anthropic")),
    ("azure", "azure", Some("azure")),
    ("baseten", "baseten", None),
    ("cerebras", "cerebras", Some("cerebras")),
    ("cohere", "cohere", Some("cohere")),
    ("deepinfra", "deepinfra", None),
    ("deepseek", "deepseek", Some("deepseek")),
    ("fireworks", "fireworks-ai", Some("fireworks")),
    ("google", "google", Some("google")),
    ("groq", "groq", Some("groq")),
    ("huggingface", "huggingface", None),
    ("minimax", "minimax", Some("minimax")),
    ("mistral", "mistral", Some("mistral")),
    ("moonshot", "moonshotai", Some("moonshotai")),
    ("nebius", "nebius", None),
    ("nvidia", "nvidia", None),
    ("openai", "openai", Some("openai")),
    ("openrouter", "openrouter", Some("openrouter")),
    ("perplexity", "perplexity", Some("perplexity")),
    ("together", "togetherai", Some("together")),
    ("xai", "xai", Some("x-ai")),
    ("zai", "zai", None),
];

/// Writes the model files of `shim-catalog` and the pages `docs/providers.md` and `docs/catalog-differences.md` from
/// the facts in the folder `facts`.
///
/// # Errors
/// When the facts or the provider files cannot be read, or a file cannot be written.
pub(crate) fn import(root: &Path, facts: &Path) -> Result<()> {
    for (path, text) in generate(root, facts)? {
        let path = root.join(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

/// What an import writes: texts by their path from the root.
fn generate(root: &Path, facts: &Path) -> Result<BTreeMap<String, String>> {
    let models = facts::read(&facts.join("models-dev-models.jsonl"))?;
    let prices = genai::read(&facts.join("genai-prices.json"))?;
    let mut files = BTreeMap::new();
    let mut differences = Vec::new();
    let mut counts = BTreeMap::new();
    for (ours, theirs, genai) in PROVIDERS {
        let prices = genai.and_then(|id| prices.iter().find(|p| p.id == id));
        let rows = rows(ours, &models, theirs, prices, &mut differences);
        counts.insert(ours, rows.iter().filter(|row| row.listed()).count());
        files.insert(format!("crates/shim-catalog/data/models/{ours}.tsv"), row::print(&rows));
    }
    let providers = provider::read(&root.join("crates/shim-catalog/data/providers"))?;
    files.insert("docs/providers.md".to_owned(), page::providers(&providers, &counts));
    files.insert("docs/catalog-differences.md".to_owned(), page::differences(&differences));
    Ok(files)
}

/// A provider's rows, by id: what models.dev lists, then what only genai-prices has a price for.
fn rows(
    ours: &str,
    facts: &Facts,
    theirs: &str,
    genai: Option<&Genai>,
    differences: &mut Vec<Difference>,
) -> Vec<Row> {
    let listed: Vec<Fact> = facts.of(theirs).filter(Fact::served_where_we_call).collect();
    let mut rows = Vec::new();
    for fact in &listed {
        let stated = genai.and_then(|genai| genai.statement(&fact.id));
        let (prices, found) = merge::prices(&fact.cost.prices(), stated.as_ref());
        differences.extend(found.into_iter().map(|f| Difference::new(ours, &fact.id, f)));
        rows.push(Row::of(fact, prices));
    }
    let only = genai.into_iter().flat_map(|genai| genai.unlisted(ours, &listed));
    rows.extend(only.map(|(id, context, prices)| Row::unlisted(id, context, prices)));
    rows.sort_by(|a, b| a.id.cmp(&b.id));
    rows.dedup_by(|a, b| a.id == b.id);
    rows
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::{generate, provider};

    fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
    }

    /// The facts beside the checkout, or where `SHIM_CATALOG_FACTS` says; not every checkout has them.
    fn facts() -> Option<PathBuf> {
        let named = std::env::var_os("SHIM_CATALOG_FACTS").map(PathBuf::from);
        let facts = named.unwrap_or_else(|| root().join("../shared/catalog"));
        facts.join("models-dev-models.jsonl").is_file().then_some(facts)
    }

    #[test]
    fn the_files_are_what_an_import_writes() {
        let Some(facts) = facts() else {
            eprintln!("skipped: no catalogue facts beside the checkout; SHIM_CATALOG_FACTS names their folder");
            return;
        };
        let files = generate(&root(), &facts).unwrap();
        assert_eq!(files, generate(&root(), &facts).unwrap(), "the same facts gave two results");
        for (path, text) in &files {
            let there = fs::read_to_string(root().join(path)).unwrap_or_default();
            assert!(there == *text, "{path} is not what an import writes; run `cargo xtask catalog`");
        }
        let folder = root().join("crates/shim-catalog/data/models");
        for entry in fs::read_dir(folder).unwrap() {
            let path = format!("crates/shim-catalog/data/models/{}", entry.unwrap().file_name().display());
            assert!(files.contains_key(&path), "{path} is of no provider that is imported");
        }
    }

    #[test]
    fn every_provider_is_on_the_page() {
        let page = fs::read_to_string(root().join("docs/providers.md")).unwrap();
        for provider in provider::read(&root().join("crates/shim-catalog/data/providers")).unwrap() {
            assert!(page.contains(&format!("| `{}` |", provider.id)), "{}", provider.id);
            for endpoint in &provider.endpoints {
                assert!(page.contains(&endpoint.source), "{}", endpoint.source);
            }
        }
    }
}
