//! Names of tools: letters, digits, `_` and `-`.

use std::borrow::Cow;
use std::collections::HashSet;

/// Longest name of a tool, in characters. The reference says 64; what is longer than 128 is refused.
const NAME_MAX: usize = 128;

/// Whether a name is taken as it is.
pub(super) fn is_legal(name: &str) -> bool {
    let taken = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    !name.is_empty() && name.len() <= NAME_MAX && name.bytes().all(taken)
}

/// `name` with `_` for each character that is not taken, and no longer than is taken.
pub(super) fn legal(name: &str) -> Cow<'_, str> {
    if is_legal(name) {
        return Cow::Borrowed(name);
    }
    let taken = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '_' };
    let cleaned: String = name.chars().map(taken).take(NAME_MAX).collect();
    Cow::Owned(if cleaned.is_empty() { "_".to_owned() } else { cleaned })
}

/// `name`, with a number behind it where it is used already.
pub(super) fn unused(name: &str, used: &HashSet<&str>) -> String {
    let mut free = name.to_owned();
    let mut number = 1;
    while used.contains(&*free) {
        number += 1;
        let end = format!("_{number}");
        let kept: String = name.chars().take(NAME_MAX - end.len()).collect();
        free = kept + &end;
    }
    free
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{legal, unused};

    #[test]
    fn names_are_made_to_be_taken() {
        for (name, wanted) in [("f", "f"), ("a.b/c", "a_b_c"), ("größe", "gr__e"), ("", "_")] {
            assert_eq!(legal(name), wanted);
        }
        assert_eq!(legal(&"x".repeat(200)).len(), 128);
        let used = HashSet::from(["f", "f_2"]);
        assert_eq!((unused("f", &used), unused("g", &used)), ("f_3".to_owned(), "g".to_owned()));
    }
}
