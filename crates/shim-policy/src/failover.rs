//! Whether a failed attempt is followed by another target.

use std::time::Duration;

use shim_ir::{Fault, Retry};

/// What to do after an attempt failed before the first byte of its answer went to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Tell the client of the fault.
    Report,
    /// Try the next target of the alias.
    NextTarget,
}

/// Decides after `fault`: with `left` targets not yet tried, `elapsed` since admission and `total` as the bound on the
/// whole exchange.
///
/// A fault that is the client's own doing is never tried elsewhere, and no attempt starts when most of the time is
/// gone: it could not finish.
#[must_use]
pub fn after(fault: &Fault, left: usize, elapsed: Duration, total: Duration) -> Next {
    let in_time = elapsed < total.mul_f64(0.8);
    match fault.retry {
        Retry::OtherTarget if left > 0 && in_time => Next::NextTarget,
        Retry::OtherTarget | Retry::SameTarget | Retry::Never => Next::Report,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use shim_ir::{Fault, FaultKind};

    use super::{Next, after};

    #[track_caller]
    fn check(kind: FaultKind, left: usize, elapsed_s: u64, wanted: Next) {
        let fault = Fault::new(kind, "x");
        assert_eq!(after(&fault, left, Duration::from_secs(elapsed_s), Duration::from_secs(100)), wanted);
    }

    #[test]
    fn only_what_another_target_can_mend_goes_there() {
        check(FaultKind::UpstreamOverloaded, 1, 1, Next::NextTarget);
        check(FaultKind::RateLimited, 2, 1, Next::NextTarget);
        check(FaultKind::UpstreamOverloaded, 0, 1, Next::Report);
        check(FaultKind::UpstreamOverloaded, 1, 90, Next::Report);
        check(FaultKind::UpstreamInvalid, 1, 1, Next::Report);
        check(FaultKind::InvalidRequest, 1, 1, Next::Report);
    }
}
