//! The escapes of a literal: whether all are of a form that need not be resolved at once, and what each stands for.

use fearless_simd::Simd;
use memchr::memchr;

use crate::block::{Block, Work, widely};

/// Whether the escapes with digits, of what stands between quotes, are of ASCII. Others are resolved at once: not every pair
/// of them is a character, and an error must not come late. A backslash that is escaped itself counts as one that is not.
pub(super) fn are_ascii(inner: &[u8]) -> bool {
    widely(Escaped(inner))
}

/// The inside of a string, a block at a time.
struct Escaped<'i>(&'i [u8]);

impl Work for Escaped<'_> {
    type Done = bool;

    #[inline(always)]
    fn on<S: Simd>(self, simd: S) -> bool {
        let mut rest = self.0;
        while !rest.is_empty() {
            let block = Block::first(simd, rest, 0);
            // What follows the last byte stands in the next block.
            let mut marks = block.is(b'\\') & (block.is(b'u') >> 1 | 1 << 63);
            while marks != 0 {
                let behind = marks.trailing_zeros() as usize + 1;
                if !is_of_ascii(rest.get(behind..).unwrap_or_default()) {
                    return false;
                }
                marks &= marks - 1;
            }
            rest = rest.get(64..).unwrap_or_default();
        }
        true
    }
}

/// Whether what follows a backslash is no escape with digits, or one of ASCII.
fn is_of_ascii(behind: &[u8]) -> bool {
    let digits =
        || matches!(behind.get(1..5), Some([b'0', b'0', b'0'..=b'7', last]) if last.is_ascii_hexdigit());
    behind.first() != Some(&b'u') || digits()
}

/// What a literal says, piece by piece: what stands between two escapes, and what each of them stands for.
pub(super) struct Pieces<'s> {
    pub(super) rest: &'s str,
    pub(super) escapes: bool,
}

impl<'s> Iterator for Pieces<'s> {
    type Item = &'s str;

    fn next(&mut self) -> Option<&'s str> {
        let next = if self.escapes { memchr(b'\\', self.rest.as_bytes()) } else { None };
        let (piece, rest) = match next {
            Some(0) => {
                let length = if self.rest.as_bytes().get(1) == Some(&b'u') { 6 } else { 2 };
                let (escape, rest) = self.rest.split_at_checked(length)?;
                (meaning(escape), rest)
            }
            Some(at) => self.rest.split_at_checked(at)?,
            None => (self.rest, ""),
        };
        self.rest = rest;
        (!piece.is_empty()).then_some(piece)
    }
}

/// The characters of ASCII, each at its number.
const ASCII: &str = concat!(
    "\u{0}\u{1}\u{2}\u{3}\u{4}\u{5}\u{6}\u{7}\u{8}\u{9}\u{a}\u{b}\u{c}\u{d}\u{e}\u{f}",
    "\u{10}\u{11}\u{12}\u{13}\u{14}\u{15}\u{16}\u{17}\u{18}\u{19}\u{1a}\u{1b}\u{1c}\u{1d}\u{1e}\u{1f}",
    " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~",
    "\u{7f}",
);

/// What an escape stands for: a short one, or one of ASCII.
fn meaning(escape: &str) -> &str {
    match escape {
        "\\n" => "\n",
        "\\t" => "\t",
        "\\r" => "\r",
        "\\b" => "\u{8}",
        "\\f" => "\u{c}",
        _ if escape.len() == 6 => {
            let number = escape.get(4..).and_then(|digits| usize::from_str_radix(digits, 16).ok());
            number.and_then(|number| ASCII.get(number..=number)).unwrap_or_default()
        }
        _ => escape.get(1..).unwrap_or_default(),
    }
}
