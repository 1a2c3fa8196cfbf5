//! What goes to the terminal. The one place that writes to standard output.

use std::io::Write as _;

/// A line on standard output. A reader that is gone is no error.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Text on standard output, at once.
pub(crate) fn put(text: &str) {
    let mut out = std::io::stdout();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// A line on standard error.
pub(crate) fn error(line: &str) {
    let _ = writeln!(std::io::stderr(), "shim: {line}");
}
