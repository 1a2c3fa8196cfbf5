//! Dev only: the corpus and the recorded traffic, as test input and as a provider that answers.

pub mod corpus;
pub mod recordings;
pub mod replay;
pub mod strict;

use std::path::{Path, PathBuf};

/// The root of the repository.
#[must_use]
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}
