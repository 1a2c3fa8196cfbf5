//! Words that may not stand in the sources, or not there.

use std::collections::BTreeSet;

use super::source::{Source, words};

/// The folder that holds one folder for each dialect.
const DIALECTS: &str = "crates/shim-dialect/src/";

/// What stands for something that is not done.
const UNDONE: [&str; 3] = ["#[ignore", "todo!", "unimplemented!"];

/// Complaints about every source.
pub(super) fn check(sources: &[Source]) -> Vec<String> {
    let dialects: BTreeSet<&str> = sources.iter().filter_map(dialect).collect();
    sources
        .iter()
        .flat_map(|source| [undone(source), notes(source), siblings(source, &dialects)].concat())
        .collect()
}

fn undone(source: &Source) -> Vec<String> {
    let holds = UNDONE.iter().filter(|word| source.code.contains(*word));
    holds.map(|word| format!("{}: {word} stands for something that is not done", source.path)).collect()
}

/// Notes for later that name no issue.
fn notes(source: &Source) -> Vec<String> {
    let lines = source.comments.lines().enumerate();
    let bare =
        lines.filter(|(_, line)| words(line).any(|w| w == "TODO" || w == "FIXME") && !names_issue(line));
    bare.map(|(at, _)| format!("{}:{}: a note for later names an issue, as #12", source.path, at + 1))
        .collect()
}

fn names_issue(line: &str) -> bool {
    line.split('#').skip(1).any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// The dialect whose folder a source is in.
pub(super) fn dialect(source: &Source) -> Option<&str> {
    Some(source.path.strip_prefix(DIALECTS)?.split_once('/')?.0)
}

/// The other dialects a dialect's source names. Its tests may: what comes from another dialect is theirs to try.
fn siblings(source: &Source, dialects: &BTreeSet<&str>) -> Vec<String> {
    let shipped = |own: &&str| !source.path.contains(&format!("/{own}/tests/"));
    let Some(own) = dialect(source).filter(shipped) else { return Vec::new() };
    let named: BTreeSet<&str> = words(&source.code).filter(|w| *w != own && dialects.contains(w)).collect();
    named.iter().map(|other| format!("{}: names its sibling {other}", source.path)).collect()
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::source::Source;

    #[track_caller]
    fn told(text: &str, wanted: &[&str]) {
        let own = Source::new("crates/shim-dialect/src/one/mod.rs", text);
        let other = Source::new("crates/shim-dialect/src/two/mod.rs", "");
        assert_eq!(check(&[own, other]), wanted);
    }

    #[test]
    fn what_is_not_done_is_found() {
        let at = "crates/shim-dialect/src/one/mod.rs";
        told("#[ignore]\nfn a() {}", &[&format!("{at}: #[ignore stands for something that is not done")]);
        told("fn a() { todo!() }", &[&format!("{at}: todo! stands for something that is not done")]);
        told("// TODO: later.", &[&format!("{at}:1: a note for later names an issue, as #12")]);
        told("\n// TODO #12: later.\nfn a() { let x = \"todo!\"; }", &[]);
    }

    #[test]
    fn a_sibling_is_found() {
        let wanted = "crates/shim-dialect/src/one/mod.rs: names its sibling two";
        told("use crate::two::decode;", &[wanted]);
        told("use crate::{one, common};\nuse super::two;", &[wanted]);
        let test = Source::new("crates/shim-dialect/src/one/tests/encode.rs", "use crate::two;");
        let other = Source::new("crates/shim-dialect/src/two/mod.rs", "");
        assert_eq!(check(&[test, other]), Vec::<String>::new());
        told("// two\nconst FOLDER: &str = \"two\"; fn two_more() {}", &[]);
    }
}
