//! The provider files, as far as the pages list them.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;

/// One provider.
#[derive(Deserialize)]
pub(crate) struct Provider {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) docs: String,
    pub(crate) read: String,
    #[serde(default)]
    pub(crate) aliases: Vec<String>,
    #[serde(default)]
    pub(crate) key_env: Vec<String>,
    pub(crate) chat_model: Option<String>,
    pub(crate) no_chat_model: Option<String>,
    pub(crate) stream_usage: String,
    pub(crate) stream_usage_source: Option<String>,
    pub(crate) probe: Option<Probe>,
    #[serde(default)]
    pub(crate) asked_in: Vec<AskedIn>,
    #[serde(default)]
    pub(crate) header_values: Vec<HeaderValues>,
    pub(crate) endpoints: Vec<Endpoint>,
}

/// In which dialects some of its models are asked.
#[derive(Deserialize)]
pub(crate) struct AskedIn {
    pub(crate) models: Vec<String>,
    pub(crate) dialects: Vec<String>,
    pub(crate) why: String,
    pub(crate) source: String,
    pub(crate) read: String,
}

/// Which values of a header go on to it.
#[derive(Deserialize)]
pub(crate) struct HeaderValues {
    pub(crate) header: String,
    pub(crate) allow: Vec<String>,
    pub(crate) source: String,
    pub(crate) read: String,
}

#[derive(Deserialize)]
pub(crate) struct Probe {
    pub(crate) port: u16,
}

/// One dialect of it.
#[derive(Deserialize)]
pub(crate) struct Endpoint {
    pub(crate) dialect: String,
    pub(crate) base_url: String,
    pub(crate) source: String,
    pub(crate) note: Option<String>,
    #[serde(default)]
    pub(crate) quirks: Vec<Quirk>,
}

/// One oddity of it.
#[derive(Deserialize)]
pub(crate) struct Quirk {
    #[serde(default)]
    pub(crate) models: Vec<String>,
    #[serde(default)]
    pub(crate) words: Vec<String>,
    pub(crate) reasoning: Option<String>,
    pub(crate) schema: Option<bool>,
    pub(crate) think_tags: Option<String>,
    #[serde(default)]
    pub(crate) input: Vec<String>,
    pub(crate) source: String,
    pub(crate) read: String,
}

/// Reads the folder, in order of id.
pub(crate) fn read(folder: &Path) -> Result<Vec<Provider>> {
    let mut paths: Vec<_> = fs::read_dir(folder)
        .with_context(|| folder.display().to_string())?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    paths.retain(|path| path.extension().is_some_and(|end| end == "toml"));
    paths.sort();
    paths.iter().map(|path| one(path).with_context(|| path.display().to_string())).collect()
}

fn one(path: &Path) -> Result<Provider> {
    Ok(toml::from_str(&fs::read_to_string(path)?)?)
}
