//! What counted requests say of the estimates of others.

use shim_ir::{TokenEstimate, Tokens};

use super::Estimate;

/// How a model's counts differ from estimates: by what its template adds to a request, without tools and with, and by
/// a factor on the text. They are learned from what it counted.
///
/// A Kalman filter over the three: a short request tells of the template, a long one of the factor, and the more is
/// known the less one exchange says. Never nothing, so that a model that changes is followed; and never much, whatever is
/// counted: a surprise counts up to twice its deviation, one beyond that makes nothing more certain, and template and
/// factor have bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Correction {
    /// What the template adds without tools and with, in tokens; the factor.
    mean: Vector,
    covariance: [Vector; 3],
    observed: u64,
}

/// A number for the template without tools, one for that with, and one for the factor.
type Vector = [f64; 3];

/// The least and the most that each may be. The largest template met adds 665.
const BOUNDS: [(f64, f64); 3] = [(-64.0, 2_048.0), (-64.0, 2_048.0), (0.25, 4.0)];
/// How far each is thought to be out at first, and how much it may change from one exchange to the next: deviations.
const AT_FIRST: Vector = [150.0, 150.0, 0.25];
const CHANGE: Vector = [5.0, 5.0, 0.01];
/// The deviation of a count from what a right correction would say, in tokens and as a part of the text.
const NOISE: f64 = 80.0;
const NOISE_PART: f64 = 0.08;
/// How many deviations of surprise count.
const SURPRISE_MAX: f64 = 2.0;

impl Default for Correction {
    fn default() -> Self {
        Self::new(0, 0)
    }
}

impl Correction {
    /// A model of which is known what its template adds to every request, and to one with tools beside that, in tokens.
    #[must_use]
    pub fn new(template: i32, tools: i32) -> Self {
        let mean = [f64::from(template), f64::from(template.saturating_add(tools)), 1.0];
        let [without, with, factor] = AT_FIRST.map(|deviation| deviation.powi(2));
        let covariance = [[without, 0.0, 0.0], [0.0, with, 0.0], [0.0, 0.0, factor]];
        Self { mean, covariance, observed: 0 }
    }

    /// Learns from a request that was `counted`, if it can tell anything.
    pub fn learn(&mut self, estimate: &Estimate, counted: Tokens) {
        if !estimate.teaches() || counted.0 == 0 {
            return;
        }
        let weights = weights(estimate.text, estimate.tools);
        let shared = self.covariance.map(|row| product(&row, &weights));
        let noise = NOISE.powi(2) + (NOISE_PART * real(estimate.text.0)).powi(2);
        let variance = product(&shared, &weights) + noise;
        let most = SURPRISE_MAX * variance.sqrt();
        let surprise = real(counted.0) - product(&self.mean, &weights);
        let step = surprise.clamp(-most, most) / variance;
        for ((mean, bounds), share) in self.mean.iter_mut().zip(BOUNDS).zip(shared) {
            *mean = (*mean + share * step).clamp(bounds.0, bounds.1);
        }
        if surprise.abs() <= most {
            self.settles(&shared, variance);
        }
        self.observed = self.observed.saturating_add(1);
    }

    /// Is more certain of what an exchange told, and a little less of everything.
    fn settles(&mut self, shared: &Vector, variance: f64) {
        for (at, (row, of_row)) in self.covariance.iter_mut().zip(shared).enumerate() {
            row.iter_mut().zip(shared).for_each(|(cell, of_cell)| *cell -= of_row * of_cell / variance);
            if let (Some(own), Some(change), Some(first)) =
                (row.get_mut(at), CHANGE.get(at), AT_FIRST.get(at))
            {
                *own = own.max(0.0) + if *own < first.powi(2) { change.powi(2) } else { 0.0 };
            }
        }
    }

    /// A text as the model would count it, in a request with tools or without.
    pub(super) fn apply(&self, text: TokenEstimate, tools: bool) -> TokenEstimate {
        TokenEstimate(whole(product(&self.mean, &weights(text, tools))))
    }

    /// From how many exchanges it has learned.
    #[must_use]
    pub fn observed(&self) -> u64 {
        self.observed
    }
}

/// How much of each there is in a count.
fn weights(text: TokenEstimate, tools: bool) -> Vector {
    let text = real(text.0);
    if tools { [0.0, 1.0, text] } else { [1.0, 0.0, text] }
}

fn product(one: &Vector, other: &Vector) -> f64 {
    one.iter().zip(other).map(|(a, b)| a * b).sum()
}

/// Lengths beyond this are told apart no more: no request is longer, and a real number holds them exactly.
const LENGTH_MAX: u64 = 1 << 40;

fn real(tokens: u64) -> f64 {
    let tokens = tokens.min(LENGTH_MAX);
    let (high, low) = (u32::try_from(tokens >> 20), u32::try_from(tokens & 0xf_ffff));
    f64::from(high.unwrap_or(u32::MAX)) * 1_048_576.0 + f64::from(low.unwrap_or(u32::MAX))
}

#[expect(clippy::cast_possible_truncation, reason = "it is between zero and 2⁴³")]
fn whole(tokens: f64) -> u64 {
    tokens.round().max(0.0) as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use shim_ir::{TokenEstimate, Tokens};

    use super::Correction;
    use crate::tokens::Estimate;

    fn long(text: u64) -> Estimate {
        Estimate { text: TokenEstimate(text), ..Estimate::default() }
    }

    #[test]
    fn one_exchange_does_not_swing_it() {
        let mut correction = Correction::default();
        correction.learn(&long(20), Tokens(1_000_000));
        correction.learn(&long(20_000), Tokens(1));
        let short = long(20).corrected(&correction).0;
        assert!(short < 400, "{short}");
        let far = long(10_000).corrected(&correction).0;
        assert!((4_500..11_000).contains(&far), "{far}");
        assert_eq!(correction.observed(), 2);
    }

    #[test]
    fn what_is_known_of_a_template_is_there_from_the_first() {
        let correction = Correction::new(60, 500);
        assert_eq!(long(100).corrected(&correction), TokenEstimate(160));
        assert_eq!(Estimate { tools: true, ..long(100) }.corrected(&correction), TokenEstimate(660));
        assert_eq!(
            long(1).corrected(&Correction::new(-6, 0)),
            TokenEstimate(1),
            "there is no request of nothing"
        );
    }

    #[test]
    fn what_cannot_be_compared_teaches_nothing() {
        let mut correction = Correction::default();
        correction.learn(&Estimate { open: true, ..long(50) }, Tokens(5_000));
        correction.learn(&Estimate { media: TokenEstimate(1), ..long(50) }, Tokens(5_000));
        correction.learn(&long(50), Tokens(0));
        assert_eq!(correction, Correction::default());
    }

    #[test]
    fn a_template_is_told_from_a_factor() {
        let mut correction = Correction::default();
        for text in [20, 4_000, 60, 9_000].into_iter().cycle().take(200) {
            correction.learn(&long(text), Tokens(text * 3 / 2 + 300));
        }
        for (text, wanted) in [(10, 315_u64), (1_000, 1_800), (20_000, 30_300)] {
            let found = long(text).corrected(&correction).0;
            assert!(found.abs_diff(wanted) * 20 <= wanted, "{found} for {wanted}");
        }
    }

    proptest! {
        #[test]
        fn it_comes_to_a_steady_factor(
            percent in 26u64..390,
            lengths in proptest::collection::vec(200u64..50_000, 1..20),
        ) {
            let mut correction = Correction::default();
            for text in lengths.iter().cycle().take(400) {
                correction.learn(&long(*text), Tokens(text * percent / 100));
            }
            for text in lengths {
                let (found, wanted) = (long(text).corrected(&correction).0, text * percent / 100);
                prop_assert!(found.abs_diff(wanted) <= wanted / 10 + 120, "{found} for {wanted}");
            }
        }

        #[test]
        fn it_is_bounded_whatever_is_counted(
            told in proptest::collection::vec((any::<u64>(), any::<u64>(), any::<bool>()), 0..50),
            text in any::<u64>(),
            more in any::<u64>(),
            tools in any::<bool>(),
        ) {
            let mut correction = Correction::default();
            for (text, counted, tools) in told {
                correction.learn(&Estimate { tools, ..long(text) }, Tokens(counted));
            }
            let of = |text: u64| Estimate { tools, ..long(text) }.corrected(&correction).0;
            prop_assert!(of(text) <= text.saturating_mul(4).saturating_add(2_048));
            prop_assert!(of(text).saturating_add(65) >= text.min(1 << 40) / 4);
            prop_assert!(of(text.saturating_add(more)) >= of(text));
        }
    }
}
