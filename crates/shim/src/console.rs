//! What goes to the terminal. The one place that writes to standard output.

use std::io::Write as _;

use serde_json::Value;
use shim_telemetry::clean;

/// Text on standard output, with a line feed behind it. A reader that is gone is no error.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{}", shown(text));
}

/// JSON on standard output, as it is: what reads it is a program.
pub(crate) fn say_json(value: &Value) {
    let _ = writeln!(std::io::stdout(), "{value}");
}

/// Text on standard output as it is, at once.
pub(crate) fn put(text: &str) {
    let mut out = std::io::stdout();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Text on standard error.
pub(crate) fn error(text: &str) {
    let _ = writeln!(std::io::stderr(), "shim: {}", shown(text));
}

/// Text of several lines as a terminal may be shown it: names, bodies and messages in it come from outside. Where one of them
/// is not to make a line of its own, [`clean`] comes before.
pub(crate) fn shown(text: &str) -> String {
    let pieces = text.split_inclusive(['\n', '\t']).map(|piece| match piece.char_indices().next_back() {
        Some((at, end @ ('\n' | '\t'))) => format!("{}{end}", clean(&piece[..at])),
        Some(_) | None => clean(piece).into_owned(),
    });
    pieces.collect()
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn nothing_that_is_shown_moves_the_cursor_or_turns_the_direction() {
        assert_eq!(shown("a\n\tb\u{1b}[2Jc\r\u{202e}d\n"), "a\n\tb\u{fffd}[2Jc\u{fffd}\u{fffd}d\n");
        assert_eq!(shown(""), "");
    }
}
