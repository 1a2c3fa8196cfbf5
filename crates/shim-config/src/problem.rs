//! What is wrong with a configuration, and where.

use std::fmt;
use std::ops::Range;

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The member it is about, as `aliases.chat.target`; empty where the text itself cannot be read.
    pub path: String,
    /// Line and column, from 1.
    pub place: (usize, usize),
    /// What is wrong, and what to do about it.
    pub message: String,
}

/// All problems of a configuration, in the order of the text. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems {
    /// The name the text goes by; empty where it is no file.
    pub file: String,
    /// What is wrong.
    pub list: Vec<Problem>,
}

impl fmt::Display for Problems {
    /// A line each: `shim.toml:41:3: aliases.fast.target: there is no …`; without the place where there is no file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.list.iter().enumerate() {
            let (line, column) = problem.place;
            let path = if problem.path.is_empty() { String::new() } else { format!("{}: ", problem.path) };
            let end = if at + 1 < self.list.len() { "\n" } else { "" };
            if !self.file.is_empty() {
                write!(f, "{}:{line}:{column}: ", self.file)?;
            }
            write!(f, "{path}{}{end}", problem.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Gathers problems while a text is parsed.
#[derive(Debug)]
pub(crate) struct Gather<'a> {
    text: &'a str,
    pub(crate) list: Vec<Problem>,
}

impl<'a> Gather<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, list: Vec::new() }
    }

    pub(crate) fn add(&mut self, path: impl Into<String>, span: Range<usize>, message: impl Into<String>) {
        let place = place(self.text, span.start);
        self.list.push(Problem { path: path.into(), place, message: message.into() });
    }

    /// Whether there is a problem with this very member: what is wrong with it is told, and what follows from that is not.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.list.iter().any(|problem| problem.path == path)
    }
}

/// Line and column of a byte offset, both from 1.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at.min(text.len())).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
    (line, column)
}

/// ` (did you mean "…"?)` for the nearest of `names`, or nothing when none is near.
pub(crate) fn did_you_mean<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> String {
    let name: String = name.chars().take(100).collect();
    let near = names
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&name, candidate), candidate))
        .filter(|(score, _)| *score > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    near.map_or_else(String::new, |(_, candidate)| format!("; did you mean \"{candidate}\"?"))
}
