//! Pages and what they are about: faults, providers, and the invariants with the tests that hold them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::source::{Source, functions, words};

/// What is missing among the pages, or stands there for nothing.
pub(super) fn check(root: &Path, sources: &[Source]) -> Result<Vec<String>> {
    let mut found = faults(&names(&root.join("docs/faults"), "md")?);
    let folder = root.join("crates/shim-catalog/data/providers");
    for name in names(&folder, "toml")? {
        let text = fs::read_to_string(folder.join(format!("{name}.toml")))?;
        found.extend(undocumented(&text).map(|what| format!("providers/{name}.toml: {what}")));
    }
    let page = fs::read_to_string(root.join("ARCHITECTURE.md")).context("ARCHITECTURE.md")?;
    let known = sources.iter().flat_map(|s| functions(&s.code)).map(|f| f.name.to_owned()).collect();
    found.extend(invariants(&page, &known));
    Ok(found)
}

/// The names, without their ending, of a folder's files that end so.
fn names(folder: &Path, ending: &str) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == ending) {
            found.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    Ok(found)
}

/// A page for every kind of fault, and no other.
fn faults(pages: &BTreeSet<String>) -> Vec<String> {
    let codes: BTreeSet<String> = shim_ir::FaultKind::ALL.iter().map(|kind| kind.code().to_owned()).collect();
    let missing = codes.difference(pages).map(|code| format!("docs/faults/{code}.md: there is no such page"));
    let left = pages.difference(&codes).map(|code| format!("docs/faults/{code}.md: there is no such fault"));
    missing.chain(left).collect()
}

#[derive(Debug, Deserialize)]
struct Provider {
    #[serde(default)]
    docs: String,
}

/// What a provider's file lacks: it links to the documentation it was written after.
fn undocumented(text: &str) -> Option<String> {
    match toml::from_str::<Provider>(text) {
        Ok(provider) if provider.docs.starts_with("https://") => None,
        Ok(_) => Some("has no link to its documentation".to_owned()),
        Err(error) => Some(error.message().to_owned()),
    }
}

/// Invariants that name no test, or one that is not there. `known` are the names of all functions.
fn invariants(page: &str, known: &BTreeSet<String>) -> Vec<String> {
    let section = page.split("\n## ").find(|section| section.starts_with("Invariants")).unwrap_or_default();
    let items = section.split("\n- ").skip(1);
    let mut found: Vec<_> = items.flat_map(|item| invariant(item, known)).collect();
    if section.is_empty() {
        found.push("ARCHITECTURE.md: there are no invariants".to_owned());
    }
    found
}

fn invariant(item: &str, known: &BTreeSet<String>) -> Vec<String> {
    let title = item.split([':', '\n']).next().unwrap_or_default();
    let tests: Vec<&str> = tests(item).collect();
    if tests.is_empty() {
        return vec![format!("ARCHITECTURE.md: {title}: no test holds it")];
    }
    let missing = tests.iter().filter(|test| !known.contains(**test));
    missing.map(|test| format!("ARCHITECTURE.md: {title}: there is no test {test}")).collect()
}

/// What stands between backticks and is a name of several words. One word is the name of something else.
fn tests(item: &str) -> impl Iterator<Item = &str> {
    let quoted = item.split('`').skip(1).step_by(2);
    quoted.filter(|text| text.contains('_') && words(text).next() == Some(*text))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{faults, invariants, undocumented};

    #[test]
    fn every_fault_has_a_page_and_every_page_a_fault() {
        let mut pages: BTreeSet<_> = shim_ir::FaultKind::ALL.iter().map(|k| k.code().to_owned()).collect();
        assert_eq!(faults(&pages), [""; 0]);
        pages.remove("too_large");
        pages.insert("too_small".to_owned());
        let wanted = ["too_large.md: there is no such page", "too_small.md: there is no such fault"];
        assert_eq!(faults(&pages), wanted.map(|page| format!("docs/faults/{page}")));
    }

    #[test]
    fn a_provider_links_to_its_documentation() {
        assert_eq!(undocumented("docs = \"https://example.com\"\nid = \"x\""), None);
        assert!(undocumented("id = \"x\"").is_some() && undocumented("docs = ").is_some());
    }

    #[test]
    fn an_invariant_names_tests_that_are_there() {
        let known = BTreeSet::from(["holds_it".to_owned()]);
        let page = |items: &str| format!("# Top\n\n## Invariants, and so on\n\n{items}\n\n## After\n\n- x\n");
        let check = |items: &str| invariants(&page(items), &known);
        assert_eq!(check("- A: `holds_it`,\n  and `relay`."), [""; 0]);
        assert_eq!(
            check("- A: `holds_it`,\n  `not_there`."),
            ["ARCHITECTURE.md: A: there is no test not_there"]
        );
        assert_eq!(check("- A: `relay` does."), ["ARCHITECTURE.md: A: no test holds it"]);
        assert_eq!(invariants("# Top", &known), ["ARCHITECTURE.md: there are no invariants"]);
    }
}
