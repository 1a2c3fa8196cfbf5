//! How long functions and files are. Most functions are short; what is not is printed, and where too much is not in a
//! crate whose code is all of one kind, that is a complaint.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::source::{Source, functions};

/// Longer functions are printed.
const FUNCTION_LINES_MAX: usize = 70;

/// Longer files are printed.
const FILE_LINES_MAX: usize = 400;

/// Crates nine tenths of whose functions have at most so many lines.
const P90_LINES_MAX: [(&str, usize); 1] = [("shim-dialect", 20)];

/// Lengths, in lines. Tests are left out of functions and counted in files.
#[derive(Debug, Default)]
pub(super) struct Shape {
    /// The lengths of each crate's functions, longest first.
    functions: BTreeMap<String, Vec<usize>>,
    long_functions: Vec<(usize, String)>,
    long_files: Vec<(usize, String)>,
}

impl Shape {
    pub(super) fn of(sources: &[Source]) -> Self {
        let mut shape = Self::default();
        for source in sources {
            shape.add(source);
        }
        shape.functions.values_mut().for_each(|lines| lines.sort_unstable_by_key(|n| Reverse(*n)));
        shape.long_functions.sort_unstable_by_key(|(lines, _)| Reverse(*lines));
        shape.long_files.sort_unstable_by_key(|(lines, _)| Reverse(*lines));
        shape
    }

    fn add(&mut self, source: &Source) {
        let lines = source.code.lines().count();
        if lines > FILE_LINES_MAX {
            self.long_files.push((lines, source.path.clone()));
        }
        let lengths = self.functions.entry(source.krate().to_owned()).or_default();
        for function in functions(&source.shipped) {
            lengths.push(function.lines);
            if function.lines > FUNCTION_LINES_MAX {
                let place = format!("{}:{} {}", source.path, function.line, function.name);
                self.long_functions.push((function.lines, place));
            }
        }
    }

    /// A line for each crate and each outlier.
    pub(super) fn report(&self) -> String {
        let mut page = format!("{:16} {:>9} {:>5} {:>5} {:>5}\n", "", "functions", "p90", "p99", "max");
        for (name, lines) in self.functions.iter().filter(|(_, lines)| !lines.is_empty()) {
            let [p90, p99, max] = [100, 10, 0].map(|thousandths| longest(lines, thousandths));
            let _ = writeln!(page, "{name:16} {:9} {p90:5} {p99:5} {max:5}", lines.len());
        }
        for (lines, place) in &self.long_functions {
            let _ = writeln!(page, "{lines:5} lines in a function: {place}");
        }
        for (lines, path) in &self.long_files {
            let _ = writeln!(page, "{lines:5} lines in a file: {path}");
        }
        page.trim_end().to_owned()
    }

    /// Crates with too many long functions.
    pub(super) fn check(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (name, most) in P90_LINES_MAX {
            let lines = self.functions.get(name).map_or(0, |lines| longest(lines, 100));
            if lines > most {
                found.push(format!(
                    "{name}: nine tenths of its functions have up to {lines} lines, not {most}"
                ));
            }
        }
        found
    }
}

/// What all but so many thousandths are at most; `lines` has the longest first.
fn longest(lines: &[usize], thousandths: usize) -> usize {
    let at = (lines.len() * thousandths / 1000).min(lines.len().saturating_sub(1));
    lines.get(at).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::Shape;
    use crate::tidy::source::Source;

    fn function(name: &str, lines: usize) -> String {
        format!("fn {name}() {{{}}}\n", "\n".repeat(lines - 1))
    }

    #[track_caller]
    fn told(text: &str, wanted: usize) {
        let shape = Shape::of(&[Source::new("crates/shim-dialect/src/a.rs", text)]);
        assert_eq!(shape.check().len(), wanted, "{}", shape.report());
    }

    #[test]
    fn too_many_long_functions_are_found() {
        let short: String = (0..9).map(|n| function(&format!("f{n}"), 20)).collect();
        told(&(short.clone() + &function("long", 200)), 0);
        told(&(short.clone() + &function("a", 21) + &function("b", 30)), 1);
        told(&(short + "#[cfg(test)]\nmod tests {\n" + &function("a", 21) + &function("b", 30) + "}"), 0);
    }

    #[test]
    fn outliers_are_printed() {
        let text = function("long", 71) + &"\n".repeat(400);
        let report = Shape::of(&[Source::new("xtask/src/a.rs", &text)]).report();
        assert!(report.contains("   71 lines in a function: xtask/src/a.rs:1 long"), "{report}");
        assert!(report.contains("  471 lines in a file: xtask/src/a.rs"), "{report}");
    }
}
