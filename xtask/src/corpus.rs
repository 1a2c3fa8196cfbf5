//! `cargo xtask corpus`: what the corpus holds, whether each case is whole, and which recordings are here beside it.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, Result, bail, ensure};
use serde::de::IgnoredAny;
use shim_testkit::corpus::{self, Case, Meta};
use shim_testkit::recordings;

/// Folders of the corpus, and the families of recordings in the same dialect.
const DIALECTS: [(&str, &[&str]); 4] = [
    ("openai_chat", &["openai.chat", "openai.embeddings"]),
    ("openai_responses", &["openai.responses", "openai.responses_compact", "openai.responses_input_tokens"]),
    ("anthropic_messages", &["anthropic.messages", "anthropic.count_tokens"]),
    ("gemini_generate", &["gemini.generate", "gemini.stream", "gemini.count_tokens", "gemini.embed"]),
];

/// Lists the cases; fails when one is not whole.
pub(crate) fn run() -> Result<()> {
    let mut broken = Vec::new();
    for (folder, _) in DIALECTS {
        let cases = corpus::cases(folder)?;
        crate::say(&format!("{folder}: {} cases", cases.len()))?;
        for case in cases {
            crate::say(&format!("  {:24} {}", case.name, case.meta.about))?;
            broken.extend(whole(&case).err().map(|e| format!("corpus/{folder}/{}: {e:#}", case.name)));
        }
    }
    recorded()?;
    if !broken.is_empty() {
        bail!("{} cases are not whole:\n{}", broken.len(), broken.join("\n"));
    }
    Ok(())
}

/// Whether a case that could be read also holds together.
fn whole(case: &Case) -> Result<()> {
    let Meta { about, source, malformed, content_type, .. } = &case.meta;
    ensure!(!about.is_empty() && !source.is_empty(), "meta.toml: about or source is empty");
    ensure!(
        !(case.streamed && case.folder.join("response.json").exists()),
        "there are both stream.sse and response.json"
    );
    for file in fs::read_dir(&case.folder)? {
        let path = file?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("json") if name == "response.json" && (*malformed || !content_type.contains("json")) => {}
            Some("json") => drop(serde_json::from_slice::<IgnoredAny>(&fs::read(&path)?).context(name)?),
            Some("sse" | "snap") => {}
            _ => ensure!(name == "meta.toml", "nobody reads {name}"),
        }
    }
    Ok(())
}

/// Counts the recordings in the dialects the corpus has.
fn recorded() -> Result<()> {
    let families = DIALECTS.map(|(_, families)| families).concat();
    let Some(found) = recordings::of_families(&families)? else {
        return crate::say("no recordings here; $SHIM_WIRE_CORPUS names their folder");
    };
    let mut counts: BTreeMap<&str, usize> = families.iter().map(|family| (*family, 0)).collect();
    for recording in &found {
        *counts.entry(&recording.family).or_default() += 1;
    }
    crate::say(&format!("{} recordings", found.len()))?;
    for (family, count) in counts {
        crate::say(&format!("  {family:32} {count:4}"))?;
    }
    Ok(())
}
