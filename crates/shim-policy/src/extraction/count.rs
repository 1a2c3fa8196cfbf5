//! Counting within a fixed room: how many different ones there were, and how often one came.

/// Registers of a [`Distinct`]: its standard error is 1.04 / √256, which is 6.5 %.
const REGISTERS: usize = 256;

/// How many different hashes there were, about: `HyperLogLog` (Flajolet et al. 2007,
/// <https://algo.inria.fr/flajolet/Publications/FlFuGaMe07.pdf>, read 2026-11-26) with its correction for few.
#[derive(Clone, Debug)]
pub(super) struct Distinct([u8; REGISTERS]);

impl Default for Distinct {
    fn default() -> Self {
        Self([0; REGISTERS])
    }
}

impl Distinct {
    /// Counts one, unless it was counted before.
    pub(super) fn add(&mut self, hash: u64) {
        let [register, ..] = hash.to_le_bytes();
        // The lowest bit of the rest that is set, counted from 1; 57 where none is.
        let rank = u8::try_from(((hash >> 8) | (1 << 56)).trailing_zeros() + 1).unwrap_or(u8::MAX);
        if let Some(known) = self.0.get_mut(usize::from(register)) {
            *known = rank.max(*known);
        }
    }

    /// Counts all that `other` counted.
    pub(super) fn merge(&mut self, other: &Self) {
        for (own, other) in self.0.iter_mut().zip(&other.0) {
            *own = (*own).max(*other);
        }
    }

    /// How many there were.
    pub(super) fn estimate(&self) -> f64 {
        let registers = REGISTERS as f64;
        let harmonic: f64 = self.0.iter().map(|rank| 0.5_f64.powi(i32::from(*rank))).sum();
        let raw = 0.7213 / (1.0 + 1.079 / registers) * registers * registers / harmonic;
        let empty = self.0.iter().filter(|rank| **rank == 0).count();
        if raw <= 2.5 * registers && empty > 0 {
            return registers * (registers / empty as f64).ln();
        }
        raw
    }
}

/// Cells in a row of [`Often`].
const CELLS: usize = 1024;

/// How often each hash came, never too low: a count-min sketch (Cormode and Muthukrishnan 2005) of two rows, of which only
/// the lower cell is raised. What it adds by mistake is about 0.1 % of all that came.
#[derive(Debug)]
pub(super) struct Often {
    rows: Box<[[u32; CELLS]; 2]>,
}

impl Default for Often {
    fn default() -> Self {
        Self { rows: Box::new([[0; CELLS]; 2]) }
    }
}

impl Often {
    /// Counts one, and says how often it came by now.
    pub(super) fn add(&mut self, hash: u64) -> u32 {
        let places = [place(hash), place(hash >> 32)];
        let cell = |row: &[u32; CELLS], place: usize| row.get(place).copied().unwrap_or(0);
        let known = self.rows.iter().zip(places).map(|(row, place)| cell(row, place)).min().unwrap_or(0);
        let now = known.saturating_add(1);
        for (row, place) in self.rows.iter_mut().zip(places) {
            if let Some(cell) = row.get_mut(place) {
                *cell = now.max(*cell);
            }
        }
        now
    }

    /// Halves all counts `times` times: what came long ago counts less.
    pub(super) fn halve(&mut self, times: u64) {
        let by = u32::try_from(times.min(31)).unwrap_or(31);
        for cell in self.rows.iter_mut().flatten() {
            *cell >>= by;
        }
    }
}

fn place(hash: u64) -> usize {
    usize::try_from(hash % CELLS as u64).unwrap_or(0)
}

/// Entries of [`Resampled`].
const RECENT: usize = 256;

/// Notices a question that is asked again with its answer drawn in another way.
#[derive(Clone, Debug)]
pub(super) struct Resampled([(u64, u64); RECENT]);

impl Default for Resampled {
    fn default() -> Self {
        Self([(0, 0); RECENT])
    }
}

impl Resampled {
    /// Whether this question was asked lately with another sampling.
    pub(super) fn again(&mut self, question: u64, sampling: u64) -> bool {
        let at = usize::try_from(question % RECENT as u64).unwrap_or(0);
        let Some(held) = self.0.get_mut(at) else { return false };
        let again = held.0 == question && held.1 != sampling;
        *held = (question, sampling);
        again
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Distinct, Often, Resampled};

    /// A hash, as good as those of the salted hasher.
    fn hash(seed: u64, n: u64) -> u64 {
        let mut z = seed.wrapping_add(n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// Law: it is near, whatever was counted twice and however it was divided.
        #[test]
        fn different_ones_are_counted_once(seed in any::<u64>(), count in 1..60_000_u64, parts in 1..6_u64) {
            let mut all = Distinct::default();
            for part in 0..parts {
                let mut one = Distinct::default();
                (0..count).filter(|n| n % parts == part || n % 7 == 0).for_each(|n| one.add(hash(seed, n)));
                all.merge(&one);
            }
            let (count, estimate) = (count as f64, all.estimate());
            // Five standard errors.
            prop_assert!((estimate - count).abs() <= 0.33 * count + 2.0, "{} for {}", estimate, count);
        }

        /// Law: it never says less than there were, nor much more.
        #[test]
        fn what_came_often_is_known(seed in any::<u64>(), often in 1..2000_u32, others in 0..20_000_u64) {
            let mut counts = Often::default();
            let mut last = 0;
            let each = others / u64::from(often);
            for n in 0..u64::from(often) {
                for m in 0..each {
                    counts.add(hash(seed, 1 + n * each + m));
                }
                last = counts.add(hash(seed, 0));
            }
            prop_assert!(last >= often && f64::from(last) <= f64::from(often) + 5.0 + others as f64 / 100.0, "{}", last);
            counts.halve(1);
            prop_assert!(counts.add(hash(seed, 0)) > often / 2);
            counts.halve(64);
            prop_assert_eq!(counts.add(hash(seed, 0)), 1);
        }
    }

    #[test]
    fn a_question_asked_again_in_another_way_is_noticed() {
        let mut asked = Resampled::default();
        let told = [(7, 1), (7, 1), (7, 2), (8, 2), (7, 1)].map(|(question, way)| asked.again(question, way));
        assert_eq!(told, [false, false, true, false, true]);
    }
}
