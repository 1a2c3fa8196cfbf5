//! Our own golden files: `corpus/<dialect>/<case>/`, described in `corpus/README.md`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

/// One case: what a client sends and what a provider answers.
#[derive(Clone, Debug)]
pub struct Case {
    /// The folder's name.
    pub name: String,
    /// The folder.
    pub folder: PathBuf,
    /// What `meta.toml` says.
    pub meta: Meta,
    /// The request body, where the case has one.
    pub request: Option<String>,
    /// The answer's body.
    pub answer: Vec<u8>,
    /// Whether the answer is a stream.
    pub streamed: bool,
}

/// What `meta.toml` of a case says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meta {
    /// Status of the answer.
    pub status: u16,
    /// What the case is about, in a sentence.
    pub about: String,
    /// The specification or the oddity it was written after.
    pub source: String,
    /// `content-type` of the answer.
    pub content_type: String,
    /// More headers of the answer.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The request's path, where it is not the dialect's usual one.
    pub path: Option<String>,
    /// Whether the answer must be refused or counts as cut.
    #[serde(default)]
    pub malformed: bool,
}

/// The cases of a dialect's folder, by name.
///
/// # Errors
/// When a file cannot be read or a `meta.toml` does not parse.
pub fn cases(dialect: &str) -> Result<Vec<Case>> {
    let folder = crate::root().join("corpus").join(dialect);
    let mut cases = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let folder = entry?.path();
        if folder.is_dir() {
            cases.push(case(&folder).with_context(|| folder.display().to_string())?);
        }
    }
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(cases)
}

fn case(folder: &Path) -> Result<Case> {
    let stream = folder.join("stream.sse");
    let streamed = stream.exists();
    let answer = if streamed { stream } else { folder.join("response.json") };
    let request = folder.join("request.json");
    Ok(Case {
        name: folder.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        folder: folder.to_owned(),
        meta: toml::from_str(&fs::read_to_string(folder.join("meta.toml"))?)?,
        request: request.exists().then(|| fs::read_to_string(&request)).transpose()?,
        answer: fs::read(answer)?,
        streamed,
    })
}
