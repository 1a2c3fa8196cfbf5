//! JSON as people write it into settings: with comments, and commas before a closing bracket.

use serde_json::Value;

/// Reads JSON with comments.
///
/// # Errors
/// When what is left without them is no JSON.
pub(super) fn parse(text: &str) -> Result<Value, serde_json::Error> {
    serde_json::from_str(&plain(text))
}

/// Lays `over` over `under`: objects member by member, anything else as a whole.
pub(super) fn lay(under: &mut Value, over: Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (key, value) in over {
                lay(under.entry(key).or_insert(Value::Null), value);
            }
        }
        (under, over) => *under = over,
    }
}

/// The text without comments and without commas that nothing follows.
fn plain(text: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(next) = rest.chars().next() {
        let taken = match next {
            '"' => string_len(rest),
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            _ => next.len_utf8(),
        };
        let (token, after) = rest.split_at(taken);
        if matches!(next, '}' | ']') && out.trim_end().ends_with(',') {
            out.truncate(out.trim_end().len() - 1);
        }
        let comment = next == '/' && taken > 1;
        out.push_str(if comment { " " } else { token });
        rest = after;
    }
    out
}

/// The length of the string that `text` begins with, quotes included.
fn string_len(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{lay, parse};

    #[test]
    fn comments_and_last_commas_are_left_out_and_strings_are_not() {
        let text = "// first\n{\"a\": \"// no \\\" comment, ]\", /* b, */ \"c\": [1, 2, /* 3 */ ], }";
        assert_eq!(parse(text).unwrap(), json!({"a": "// no \" comment, ]", "c": [1, 2]}));
        for broken in ["{", "{\"a", "/*", "{,}x"] {
            parse(broken).unwrap_err();
        }
    }

    #[test]
    fn objects_are_laid_member_by_member() {
        let mut settings = json!({"a": {"b": 1, "c": [1, 2]}, "d": 3});
        lay(&mut settings, json!({"a": {"c": [4]}, "e": {"f": 5}}));
        assert_eq!(settings, json!({"a": {"b": 1, "c": [4]}, "d": 3, "e": {"f": 5}}));
    }
}
