//! Where values end in text that was checked: only quotes, backslashes and brackets are looked at, and what is wrong is
//! not looked for.

use std::ops::Range;

use fearless_simd::Simd;
use memchr::memchr;

use super::Refused;
use crate::block::{Block, Near, Work, widely};
use crate::scan::{Quoted, Scanner};

impl Scanner<'_> {
    /// Passes over the string, array or object that starts at this place.
    pub(super) fn skim(&mut self) -> Result<Range<usize>, Refused> {
        let (start, bytes) = (self.offset(), self.bytes());
        let end = if bytes.get(start) == Some(&b'"') {
            string_end(bytes, start + 1)
        } else {
            container_end(bytes, start)
        };
        self.resume(end.ok_or(Refused)?);
        Ok(start..self.offset())
    }

    /// Passes over the string that starts at this place.
    #[inline]
    pub(super) fn skim_string(&mut self) -> Result<Quoted, Refused> {
        let (start, bytes) = (self.offset(), self.bytes());
        let end = string_end(bytes, start + 1).ok_or(Refused)?;
        self.resume(end);
        let escaped = memchr(b'\\', bytes.get(start..end).unwrap_or_default()).is_some();
        Ok(Quoted { span: start..end, escaped })
    }
}

/// The end of the array or object that starts at `at`.
fn container_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    loop {
        let byte = *bytes.get(at)?;
        at += 1;
        match byte {
            b'"' => at = string_end(bytes, at)?,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
}

/// The end of the string whose inside starts at `start`. Most end within a few bytes.
#[inline]
fn string_end(bytes: &[u8], start: usize) -> Option<usize> {
    if let Some(near) = bytes.get(start..).and_then(|rest| rest.first_chunk()) {
        let near = Near::of(near);
        let special = near.is(b'"') | near.is(b'\\');
        let at = start + special.trailing_zeros() as usize;
        if special != 0 && bytes.get(at) == Some(&b'"') {
            return Some(at + 1);
        }
    }
    far_end(bytes, start)
}

/// The same, a block at a time. Most quotes inside have one backslash before them; only for others is the run counted.
#[inline(never)]
fn far_end(bytes: &[u8], start: usize) -> Option<usize> {
    widely(FarEnd { bytes, start })
}

struct FarEnd<'b> {
    bytes: &'b [u8],
    start: usize,
}

impl Work for FarEnd<'_> {
    type Done = Option<usize>;

    #[inline(always)]
    fn on<S: Simd>(self, simd: S) -> Option<usize> {
        let Self { bytes, start } = self;
        let mut at = start;
        while at < bytes.len() {
            let block = Block::first(simd, bytes.get(at..)?, 0);
            let mut quotes = block.is(b'"');
            if quotes != 0 {
                quotes &= !behind_one(block.is(b'\\'));
            }
            while quotes != 0 {
                let quote = at + quotes.trailing_zeros() as usize;
                if !is_escaped(bytes.get(start..quote)?) {
                    return Some(quote + 1);
                }
                quotes &= quotes - 1;
            }
            at += 64;
        }
        None
    }
}

/// The bytes behind exactly one of `slashes`, of those before which two bytes of the block stand.
#[inline]
fn behind_one(slashes: u64) -> u64 {
    slashes << 1 & !(slashes << 2) & !0b11
}

/// Whether what follows `before` is escaped. No backslash is looked at twice: a quote follows each run.
#[inline]
fn is_escaped(before: &[u8]) -> bool {
    before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}
