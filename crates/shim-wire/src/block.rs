//! Which bytes of a text are of a kind, for many bytes at a time and without a branch: a bit for each, the first byte's lowest.
//!
//! Where escapes stand in a text cannot be guessed, and a guess that fails costs as much as looking at a hundred bytes.
//! Source: Geoff Langdale, Daniel Lemire, "Parsing Gigabytes of JSON per Second", <https://arxiv.org/abs/1902.08318>.

use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch, u8x16, u8x64};

/// Work on a text that is done with the widest registers the processor has. Everything in it has to be inlined, or it is
/// compiled for the narrowest.
pub(crate) trait Work {
    type Done;

    fn on<S: Simd>(self, simd: S) -> Self::Done;
}

/// Does `work`.
#[inline]
pub(crate) fn widely<W: Work>(work: W) -> W::Done {
    dispatch!(Level::new(), simd => work.on(simd))
}

/// Sixteen bytes, looked at with what every processor of this kind has: that is done in line.
#[derive(Clone, Copy)]
pub(crate) struct Near<'b>(&'b [u8; 16]);

impl<'b> Near<'b> {
    #[inline]
    pub(crate) fn of(bytes: &'b [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Those that are `byte`.
    #[inline]
    pub(crate) fn is(self, byte: u8) -> u64 {
        dispatch!(Level::baseline(), simd => u8x16::load_array_ref(simd, self.0).simd_eq(byte).to_bitmask())
    }

    /// Those below `bound`, which is not 0.
    #[inline]
    pub(crate) fn below(self, bound: u8) -> u64 {
        dispatch!(Level::baseline(), simd => {
            let bytes = u8x16::load_array_ref(simd, self.0);
            bytes.min(u8x16::splat(simd, bound - 1)).simd_eq(bytes).to_bitmask()
        })
    }
}

/// Sixty-four bytes.
#[derive(Clone, Copy)]
pub(crate) struct Block<S: Simd>(u8x64<S>);

impl<S: Simd> Block<S> {
    #[inline(always)]
    pub(crate) fn of(simd: S, bytes: &[u8; 64]) -> Self {
        Self(u8x64::load_array_ref(simd, bytes))
    }

    /// The first bytes of `rest`, or all of it with `padding` behind.
    #[inline(always)]
    pub(crate) fn first(simd: S, rest: &[u8], padding: u8) -> Self {
        match rest.first_chunk() {
            Some(bytes) => Self::of(simd, bytes),
            None => Self::of(simd, &pad(rest, padding)),
        }
    }

    /// Those that are `byte`.
    #[inline(always)]
    pub(crate) fn is(self, byte: u8) -> u64 {
        self.0.simd_eq(byte).to_bitmask()
    }

    /// Those below `bound`, which is not 0.
    #[inline(always)]
    pub(crate) fn below(self, bound: u8) -> u64 {
        self.0.min(bound - 1).simd_eq(self.0).to_bitmask()
    }
}

/// `rest`, which is shorter than a block, with `padding` behind it.
#[cold]
fn pad(rest: &[u8], padding: u8) -> [u8; 64] {
    let mut padded = [padding; 64];
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

    use fearless_simd::{Level, dispatch};

    use super::{Block, Escapes, Near, before_first};

    fn marked(bytes: &[u8], is: impl Fn(u8) -> bool) -> u64 {
        bytes.iter().enumerate().fold(0, |marks, (at, byte)| marks | u64::from(is(*byte)) << at)
    }

    proptest! {
        #[test]
        fn the_bytes_of_a_kind_are_marked(bytes: [[u8; 32]; 2], byte: u8, bound in 1_u8..) {
            let bytes: [u8; 64] = bytes.concat().try_into().unwrap();
            let found = |level| dispatch!(level, simd => {
                let block = Block::of(simd, &bytes);
                [block.is(byte), block.is(bytes[5]), block.below(bound)]
            });
            let marks = [
                marked(&bytes, |b| b == byte),
                marked(&bytes, |b| b == bytes[5]),
                marked(&bytes, |b| b < bound),
            ];
            prop_assert_eq!(found(Level::new()), marks);
            prop_assert_eq!(found(Level::baseline()), marks);
            let near = Near::of(bytes.first_chunk().unwrap());
            let near = [near.is(byte), near.is(bytes[5]), near.below(bound)];
            prop_assert_eq!(near, marks.map(|marks| marks & 0xFFFF));
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
