//! Which bytes of a text are of a kind, for many bytes at a time and without a branch: a bit for each, the first byte's lowest.
//!
//! Where escapes stand in a text cannot be guessed, and a guess that fails costs as much as looking at a hundred bytes.
//! Source: Geoff Langdale, Daniel Lemire, "Parsing Gigabytes of JSON per Second", <https://arxiv.org/abs/1902.08318>.

use wide::u8x16;

/// Sixteen bytes.
#[derive(Clone, Copy)]
pub(crate) struct Near(u8x16);

impl Near {
    #[inline]
    pub(crate) fn of(bytes: &[u8; 16]) -> Self {
        Self(u8x16::new(*bytes))
    }

    /// Those that are `byte`.
    #[inline]
    pub(crate) fn is(self, byte: u8) -> u32 {
        self.0.simd_eq(u8x16::splat(byte)).to_bitmask()
    }

    /// Those below `bound`, which is not 0.
    #[inline]
    pub(crate) fn below(self, bound: u8) -> u32 {
        self.0.min(u8x16::splat(bound - 1)).simd_eq(self.0).to_bitmask()
    }
}

/// Sixty-four bytes.
#[derive(Clone, Copy)]
pub(crate) struct Block([Near; 4]);

impl Block {
    #[inline]
    pub(crate) fn of(bytes: &[u8; 64]) -> Self {
        let (quarters, _) = bytes.as_chunks();
        let quarter = |at: usize| Near::of(quarters.get(at).unwrap_or(&[0; 16]));
        Self([quarter(0), quarter(1), quarter(2), quarter(3)])
    }

    /// Those that are `byte`.
    #[inline]
    pub(crate) fn is(&self, byte: u8) -> u64 {
        self.each(|near| near.is(byte))
    }

    /// Those below `bound`, which is not 0.
    #[inline]
    pub(crate) fn below(&self, bound: u8) -> u64 {
        self.each(|near| near.below(bound))
    }

    #[inline]
    fn each(&self, marks: impl Fn(Near) -> u32) -> u64 {
        let [a, b, c, d] = self.0.map(|near| u64::from(marks(near)));
        a | b << 16 | c << 32 | d << 48
    }
}

/// `rest`, which is shorter than a block, with zeros behind it.
#[inline]
pub(crate) fn pad<'p>(rest: &[u8], padded: &'p mut [u8; 64]) -> &'p [u8; 64] {
    if let Some(front) = padded.get_mut(..rest.len()) {
        front.copy_from_slice(rest);
    }
    padded
}

/// Every bit below the lowest that is set; all where none is.
#[inline]
pub(crate) fn before_first(marks: u64) -> u64 {
    (marks & marks.wrapping_neg()).wrapping_sub(1)
}

/// Finds which bytes are escaped, block by block.
#[derive(Clone, Copy, Default)]
pub(crate) struct Escapes {
    /// Whether the first byte of the next block is.
    carried: bool,
}

impl Escapes {
    /// The bytes of the next block that are escaped, of whose bytes `slashes` are backslashes.
    #[inline]
    pub(crate) fn next(&mut self, slashes: u64) -> u64 {
        const ODD: u64 = 0xAAAA_AAAA_AAAA_AAAA;
        let carried = u64::from(self.carried);
        // A run of backslashes escapes every second of them and, where it is odd, what follows: subtracting its first
        // bit from the alternating pattern turns the bits over as far as the run goes.
        let begins = slashes & !carried;
        let code = ((begins << 1) | ODD).wrapping_sub(begins) ^ ODD;
        self.carried = (code & slashes) >> 63 != 0;
        code ^ (slashes | carried)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Block, Escapes, before_first};

    fn marked(bytes: &[u8], is: impl Fn(u8) -> bool) -> u64 {
        bytes.iter().enumerate().fold(0, |marks, (at, byte)| marks | u64::from(is(*byte)) << at)
    }

    proptest! {
        #[test]
        fn the_bytes_of_a_kind_are_marked(bytes: [[u8; 32]; 2], byte: u8, bound in 1_u8..) {
            let bytes: [u8; 64] = bytes.concat().try_into().unwrap();
            let block = Block::of(&bytes);
            prop_assert_eq!(block.is(byte), marked(&bytes, |b| b == byte));
            prop_assert_eq!(block.is(bytes[5]), marked(&bytes, |b| b == bytes[5]));
            prop_assert_eq!(block.below(bound), marked(&bytes, |b| b < bound));
        }

        #[test]
        fn what_is_escaped_is_found_across_blocks(slashes in prop::collection::vec(prop::bool::weighted(0.7), 256)) {
            let mut escapes = Escapes::default();
            let mut escaped = false;
            for block in slashes.chunks(64) {
                let bits = block.iter().enumerate().fold(0, |bits, (at, slash)| bits | u64::from(*slash) << at);
                let wanted = block.iter().enumerate().fold(0, |wanted, (at, slash)| {
                    let here = u64::from(escaped) << at;
                    escaped = *slash && !escaped;
                    wanted | here
                });
                prop_assert_eq!(escapes.next(bits), wanted);
            }
        }
    }

    #[test]
    fn what_is_before_the_first() {
        assert_eq!(before_first(0), u64::MAX);
        assert_eq!(before_first(1), 0);
        assert_eq!(before_first(0b1010_0000), 0b1_1111);
    }
}
