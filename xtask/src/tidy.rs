//! `cargo xtask tidy`: the rules of the house that no compiler checks.
//!
//! Each check takes what it needs as values and returns complaints, one line each. All are told at once.

mod edges;
mod losses;
mod pages;
mod purity;
mod shape;
mod source;
mod words;

use anyhow::{Result, bail};

use crate::metadata;

/// Runs every check and prints the outliers of shape.
pub(crate) fn run() -> Result<()> {
    let root = crate::root();
    let sources = source::all(&root)?;
    let mut found = edges::check(&metadata::declared()?);
    found.extend(purity::check(&root, &sources));
    found.extend(words::check(&sources));
    found.extend(losses::check(&sources));
    found.extend(pages::check(&root, &sources)?);
    let shape = shape::Shape::of(&sources);
    crate::say(&shape.report())?;
    found.extend(shape.check());
    if !found.is_empty() {
        bail!("{} things are untidy:\n{}", found.len(), found.join("\n"));
    }
    crate::say("tidy")
}
