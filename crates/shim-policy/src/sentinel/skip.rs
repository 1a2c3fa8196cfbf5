//! Where the elements of a body stand. The body was checked when it was admitted; here it is only passed over, several
//! times as fast as it is read. Total over anything: what is no JSON gives fewer elements.

use std::ops::Range;

use memchr::memchr;

/// Calls `on` with the name of each member of the object that is the whole of `text`, as it is written, and where its value
/// stands. `None` where it is no object.
pub(super) fn members(text: &str, mut on: impl FnMut(&str, Range<usize>)) -> Option<()> {
    let bytes = text.as_bytes();
    let mut at = opened(bytes, 0, b'{')?;
    while *bytes.get(at)? != b'}' {
        let key = at + 1..end_of_string(bytes, at)? - 1;
        let colon = white(bytes, key.end + 1);
        let value = white(bytes, opened(bytes, colon, b':')?);
        let end = end_of_value(bytes, value)?;
        on(text.get(key)?, value..end);
        at = next(bytes, end)?;
    }
    Some(())
}

/// Calls `on` with where each element of the array at `array` stands; none where it is no array.
pub(super) fn elements(text: &str, array: Range<usize>, mut on: impl FnMut(Range<usize>)) -> Option<()> {
    let bytes = text.as_bytes().get(..array.end)?;
    let mut at = opened(bytes, array.start, b'[')?;
    while *bytes.get(at)? != b']' {
        let end = end_of_value(bytes, at)?;
        on(at..end);
        at = next(bytes, end)?;
    }
    Some(())
}

/// Behind the white space behind `byte`, which must stand at `at` or behind white space there.
fn opened(bytes: &[u8], at: usize, byte: u8) -> Option<usize> {
    let at = white(bytes, at);
    (*bytes.get(at)? == byte).then(|| white(bytes, at + 1))
}

/// Behind the comma at `at`, or at the end of what is listed.
fn next(bytes: &[u8], at: usize) -> Option<usize> {
    let at = white(bytes, at);
    Some(if *bytes.get(at)? == b',' { white(bytes, at + 1) } else { at })
}

fn white(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t')).count()
}

fn end_of_value(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at)? {
        b'"' => end_of_string(bytes, at),
        b'{' | b'[' => end_of_nested(bytes, at),
        _ => {
            let ends = |byte: &u8| matches!(byte, b',' | b']' | b'}' | b' ' | b'\n' | b'\r' | b'\t');
            let length = bytes.get(at..)?.iter().position(ends)?;
            // Nothing at all is no value.
            (length > 0).then_some(at + length)
        }
    }
}

/// Behind the quote that ends the string at `at`: one before which an even number of backslashes stands.
fn end_of_string(bytes: &[u8], at: usize) -> Option<usize> {
    let mut from = at + 1;
    loop {
        let quote = from + memchr(b'"', bytes.get(from..)?)?;
        let before = bytes.get(from..quote)?;
        let escapes = before.iter().rev().take_while(|byte| **byte == b'\\').count();
        from = quote + 1;
        if escapes.is_multiple_of(2) {
            return Some(from);
        }
    }
}

fn end_of_nested(bytes: &[u8], at: usize) -> Option<usize> {
    let (mut depth, mut here) = (0_usize, at);
    loop {
        match bytes.get(here)? {
            b'"' => {
                here = end_of_string(bytes, here)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(here + 1);
                }
            }
            _ => {}
        }
        here += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use shim_wire::Walk;
    use shim_wire::scan::Limits;

    use super::{elements, members};

    /// Every member, and every element of those that are arrays, as they are written.
    fn skipped(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        let read = members(text, |key, span| {
            found.push(format!("{key} {}", &text[span.clone()]));
            let listed = elements(text, span, |span| found.push(text[span].to_owned()));
            let _ = listed;
        });
        if read.is_none() { Vec::new() } else { found }
    }

    fn walked(text: &str) -> Option<Vec<String>> {
        let mut found = Vec::new();
        let read = Walk::whole(text, Limits::default(), |walk, key| {
            let at = found.len();
            let mut inside = Vec::new();
            let whole = walk.kept(|walk| {
                walk.array(|walk, _| {
                    inside.push(walk.value()?.text().to_owned());
                    Ok(())
                })
            })?;
            found.insert(at, format!("{key} {}", whole.text()));
            found.extend(inside);
            Ok(())
        });
        read.is_ok().then_some(found)
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i32>().prop_map(Into::into),
            "[a\"\\\\{}\\[\\],: \n]{0,8}".prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                prop::collection::vec(("[a-c]{1,3}", inner), 0..6)
                    .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// Law: what is passed over is what would be read.
        #[test]
        fn what_is_passed_over_is_what_would_be_read(
            members in prop::collection::vec(("[a-z]{1,6}", json()), 0..6),
            pretty in any::<bool>(),
        ) {
            let object = serde_json::Value::Object(members.into_iter().collect());
            let text = if pretty { serde_json::to_string_pretty(&object).unwrap() } else { object.to_string() };
            prop_assert_eq!(Some(skipped(&text)), walked(&text));
        }

        /// Law: nothing makes it fail, and what can be read is read the same.
        #[test]
        fn anything_is_passed_over(text in r#"\{?[\[\]{}\\",:a1 .e-]{0,40}\}?"#) {
            let skipped = skipped(&text);
            if let Some(walked) = walked(&text).filter(|_| !text.contains('\\')) {
                prop_assert_eq!(skipped, walked);
            }
        }
    }
}
