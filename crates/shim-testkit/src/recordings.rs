//! Recorded real traffic, where it is present: `$SHIM_WIRE_CORPUS`, or `../shared/wire-corpus` beside the checkout.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

/// One recorded exchange. The fields are explained in the recordings' own README.
#[derive(Clone, Debug, Deserialize)]
pub struct Recording {
    /// `wc-` and twelve hexadecimal digits.
    pub id: String,
    /// Where it is from, and behind `#` the number of the exchange in its conversation.
    pub source: String,
    /// Who answered.
    pub provider: String,
    /// The provider's flavour of a dialect, and the file it is in.
    pub dialect: String,
    /// The shape it belongs to, such as `openai.chat`.
    pub family: String,
    /// The model asked for.
    pub model: Option<String>,
    /// Whether a stream was asked for, or came.
    pub streaming: bool,
    /// HTTP status.
    pub status: Option<u16>,
    /// What the exchange exercises.
    pub features: Vec<String>,
    /// Peculiarities of framing and shape.
    pub traits: Vec<String>,
    /// The request; absent from recordings of answers alone.
    pub request: Option<Sent>,
    /// The answer.
    pub response: Answer,
}

/// The request of a recording.
#[derive(Clone, Debug, Deserialize)]
pub struct Sent {
    /// HTTP method.
    pub method: String,
    /// Path.
    pub path: String,
    /// Query, URL-encoded.
    pub query: Option<String>,
    /// Whether the body is the bytes that were recorded.
    pub body_exact: bool,
    /// `utf-8` or `base64`.
    pub body_encoding: String,
    /// The body.
    pub body: String,
}

/// The answer of a recording.
#[derive(Clone, Debug, Deserialize)]
pub struct Answer {
    /// HTTP status.
    pub status: Option<u16>,
    /// Headers, in lower case.
    pub headers: BTreeMap<String, String>,
    /// `json`, `sse`, `data-lines` and so on.
    pub framing: String,
    /// Whether the body is the bytes that were recorded.
    pub body_exact: bool,
    /// `utf-8` or `base64`.
    pub body_encoding: String,
    /// The body.
    pub body: String,
}

/// The recordings of all files whose `family` is one of `families`; `None` where there are no recordings here.
///
/// Answers without requests, of the folder `response-only`, are among them.
///
/// # Errors
/// When a file cannot be read or a line is no recording.
pub fn of_families(families: &[&str]) -> Result<Option<Vec<Recording>>> {
    let Some(folder) = folder() else {
        return Ok(None);
    };
    let mut found = Vec::new();
    for folder in [folder.clone(), folder.join("response-only")] {
        let mut files: Vec<_> = fs::read_dir(&folder)?.collect::<std::io::Result<Vec<_>>>()?;
        files.sort_by_key(fs::DirEntry::path);
        for file in files {
            read(&file.path(), families, &mut found).with_context(|| file.path().display().to_string())?;
        }
    }
    Ok(Some(found))
}

/// Where the recordings are, if they are anywhere.
#[must_use]
pub fn folder() -> Option<PathBuf> {
    let named = std::env::var_os("SHIM_WIRE_CORPUS").map(PathBuf::from);
    let folder = named.unwrap_or_else(|| crate::root().join("../shared/wire-corpus"));
    folder.is_dir().then_some(folder)
}

fn read(path: &Path, families: &[&str], found: &mut Vec<Recording>) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let text = if name.ends_with(".jsonl.zst") {
        let mut text = String::new();
        zstd::Decoder::new(fs::File::open(path)?)?.read_to_string(&mut text)?;
        text
    } else if name.ends_with(".jsonl") {
        fs::read_to_string(path)?
    } else {
        return Ok(());
    };
    for line in text.lines() {
        let recording: Recording = serde_json::from_str(line)?;
        if families.contains(&recording.family.as_str()) {
            found.push(recording);
        }
    }
    Ok(())
}
