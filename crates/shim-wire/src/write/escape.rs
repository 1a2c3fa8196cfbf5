//! The inside of strings: written with the escapes they need, or copied as it stood.

use fearless_simd::Simd;

use crate::block::{Block, Work, widely};

/// Writes `text` as a JSON string (RFC 8259 §7), with the least escapes.
pub(super) fn quote(out: &mut Vec<u8>, text: &str, lines: bool) {
    out.push(b'"');
    inside(out, text, lines);
    out.push(b'"');
}

/// Writes what stands between the quotes of a JSON string.
pub(super) fn inside(out: &mut Vec<u8>, text: &str, lines: bool) {
    // Room for the escapes that code has, and the quote behind them.
    out.reserve(text.len() + text.len() / 8 + 1);
    let text = text.as_bytes();
    if lines { widely(Escaped::<true> { out, text }) } else { widely(Escaped::<false> { out, text }) }
}

/// Writes what stood between the quotes of a JSON string.
pub(super) fn copy(out: &mut Vec<u8>, literal: &[u8], lines: bool) {
    if lines {
        return escape_lines(out, literal);
    }
    // Room for what comes behind it, too: grown by a byte, all of it would be copied.
    out.reserve(literal.len() + literal.len() / 8 + 64);
    out.extend_from_slice(literal);
}

/// Writes `text` with its escapes, a block at a time.
struct Escaped<'o, 't, const LINES: bool> {
    out: &'o mut Vec<u8>,
    text: &'t [u8],
}

impl<const LINES: bool> Work for Escaped<'_, '_, LINES> {
    type Done = ();

    #[inline(always)]
    fn on<S: Simd>(self, simd: S) {
        let Self { out, text } = self;
        let (mut at, mut plain) = (0, 0);
        while at < text.len() {
            let block = Block::first(simd, text.get(at..).unwrap_or_default(), b' ');
            let mut marks = need_escape::<LINES, S>(block);
            while marks != 0 {
                let first = at + marks.trailing_zeros() as usize;
                marks &= marks - 1;
                append(out, text, plain, first);
                plain = first + escape(out, text.get(first..).unwrap_or_default());
            }
            at += 64;
        }
        append(out, text, plain, text.len());
    }
}

/// Writes the bytes of `text` from `start` to `end`. Few are written as many, which is done without asking how many.
#[inline]
fn append(out: &mut Vec<u8>, text: &[u8], start: usize, end: usize) {
    let rest = text.get(start..).unwrap_or_default();
    let length = end.saturating_sub(start);
    match rest.first_chunk::<16>() {
        Some(few) if length <= 16 => {
            out.extend_from_slice(few);
            out.truncate(out.len() - 16 + length);
        }
        Some(_) | None => out.extend_from_slice(rest.get(..length).unwrap_or_default()),
    }
}

/// Writes the character that `from` begins with, escaped; gives its length in `from`.
#[inline]
fn escape(out: &mut Vec<u8>, from: &[u8]) -> usize {
    let Some(first) = from.first() else { return 0 };
    match short(*first) {
        None => return end_of_line(out, from),
        Some(b'u') => out.extend_from_slice(&[b'\\', b'u', b'0', b'0', hex(first >> 4), hex(first & 0xF)]),
        Some(short) => out.extend_from_slice(&[b'\\', short]),
    }
    1
}

/// What stands behind the backslash for a byte that needs an escape: `u` where there is no short one; `None` for others.
#[inline]
const fn short(byte: u8) -> Option<u8> {
    Some(match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0C => b'f',
        0..0x20 => b'u',
        _ => return None,
    })
}

const fn hex(digit: u8) -> u8 {
    if digit < 10 { b'0' + digit } else { b'a' + digit - 10 }
}

/// The bytes that need an escape, or begin a character that may.
#[inline(always)]
fn need_escape<const LINES: bool, S: Simd>(block: Block<S>) -> u64 {
    let marks = block.below(0x20) | block.is(b'"') | block.is(b'\\');
    if LINES { marks | block.is(0xC2) | block.is(0xE2) } else { marks }
}

/// Writes the character `from` begins with, escaped where some take it for the end of a line; gives how many of its bytes
/// that were.
fn end_of_line(out: &mut Vec<u8>, from: &[u8]) -> usize {
    let escapes: [(&[u8], &[u8]); 3] =
        [(b"\xC2\x85", b"\\u0085"), (b"\xE2\x80\xA8", b"\\u2028"), (b"\xE2\x80\xA9", b"\\u2029")];
    if let Some((character, escaped)) = escapes.iter().find(|(character, _)| from.starts_with(character)) {
        out.extend_from_slice(escaped);
        return character.len();
    }
    out.extend(from.first());
    1
}

/// Copies JSON text; the characters in question can only stand inside its strings, and line breaks only between tokens.
pub(super) fn escape_lines(out: &mut Vec<u8>, text: &[u8]) {
    let breaks = |byte: &u8| matches!(byte, 0xC2 | 0xE2 | b'\n' | b'\r');
    let mut rest = text;
    while let Some(at) = rest.iter().position(breaks) {
        let (plain, from) = rest.split_at(at);
        out.extend_from_slice(plain);
        let passed = match from.first() {
            Some(b'\n' | b'\r') => 1,
            Some(_) | None => end_of_line(out, from),
        };
        rest = from.get(passed..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}
