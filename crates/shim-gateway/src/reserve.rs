//! Third stage: what the exchange may come to at worst is reserved with all who are limited, before anything is sent.
//! The one place where limits are asked, for every route but lists of models.

mod told;
mod worst;

use std::time::Duration;

use shim_catalog::{Date, Pricing};
use shim_ir::{FaultKind, PicoUsd, Tokens};
use shim_policy::limits::{Actual, Ask, Governed, Lease, Subject};
use shim_telemetry::{Outcome, Settled};
use smallvec::SmallVec;

use crate::attempt::Failed;
use crate::extraction::throttle;
use crate::limited::Limited;
use crate::pipeline::Admitted;
use crate::plan::Plan;
use crate::shared::Shared;
use crate::ticket::Ticket;

use self::worst::{Worst, dearest};

/// Reserves the exchange's worst case; the ticket holds it from then on. Where nobody is limited, nothing is done.
///
/// # Errors
/// When a limit has no room for it, or it is not known what it could come to.
pub(crate) fn reserve(
    shared: &Shared,
    admitted: &Admitted,
    plan: &Plan,
    ticket: &mut Ticket,
) -> Result<(), Box<Failed>> {
    let own = admitted.key.iter().flat_map(|key| key.limited.iter());
    let throttle = throttle(shared, admitted, plan);
    let who: SmallVec<[&Governed; 4]> =
        own.chain(&plan.alias.limited).map(AsRef::as_ref).chain(&throttle).collect();
    if who.is_empty() {
        return Ok(());
    }
    let now_ms = shared.limited.now_ms();
    let worst = Worst::of(admitted, plan, &who, Date::at(now_ms / 1000));
    let worst = worst.map_err(|fault| Box::new(Failed::from(fault)))?;
    let ask = Ask { tokens: worst.tokens(), cost: worst.cost, unpriced: worst.unpriced, expires_ms: 0 };
    match shared.limited.reserve(&who, ask, life(plan)) {
        Ok(lease) => {
            ticket.holds(Hold { lease, worst });
            Ok(())
        }
        Err(refusal) => {
            if matches!(refusal.subject, Subject::Throttled(_)) {
                shared.metrics.extraction_refused.inc();
            }
            Err(Box::new(told::failed(&refusal, admitted.codec.0, now_ms)))
        }
    }
}

/// How long all attempts of a plan can take.
fn life(plan: &Plan) -> Duration {
    plan.steps
        .iter()
        .map(|step| step.target.provider.timeouts.total)
        .fold(Duration::ZERO, Duration::saturating_add)
}

/// What is reserved for an exchange.
#[derive(Debug)]
pub(crate) struct Hold {
    lease: Lease,
    worst: Worst,
}

impl Hold {
    /// The most it may cost, as far as prices are known.
    pub(crate) fn reserved(&self) -> PicoUsd {
        self.worst.cost
    }

    /// Settles to what the exchange came to, and says what budgets are charged with. `pricing`: of the target tried last.
    pub(crate) fn settle(
        self,
        limited: &Limited,
        record: &Settled,
        pricing: Option<&Pricing>,
    ) -> Option<PicoUsd> {
        let actual = self.worst.actual(record, pricing);
        limited.settle(self.lease, actual);
        actual.cost
    }
}

impl Worst {
    /// What an exchange came to, that could have come to this.
    ///
    /// What was delivered is not all that is billed: a provider that was asked has read the prompt, and has written what
    /// it sent before the client left or the line broke. So where no usage was told, what is settled is the prompt at its
    /// bound and each byte that was sent on as a token, never more than was reserved. Nothing is settled where nothing was
    /// asked, or the provider refused.
    fn actual(&self, record: &Settled, pricing: Option<&Pricing>) -> Actual {
        if self.free || untouched(record) {
            return Actual { tokens: Some(Tokens(0)), cost: Some(record.cost.unwrap_or_default()) };
        }
        let used = record.usage.as_ref().map(|usage| usage.input_total() + usage.output_total());
        if self.cost == PicoUsd(0) && !self.unpriced {
            return Actual { tokens: used, cost: Some(PicoUsd(0)) };
        }
        let whole = record.outcome == Outcome::Delivered && used.is_some();
        if whole && let Some(cost) = record.cost {
            return Actual { tokens: used, cost: Some(cost) };
        }
        let day = Date::at(record.at_ms / 1000);
        let output = record.answer_bytes.min(self.output);
        let sent = pricing.and_then(|pricing| dearest(pricing, day, (self.input, output), &self.asked));
        let known = sent.map(|sent| sent.min(self.cost).max(record.cost.unwrap_or_default()));
        Actual { tokens: used.filter(|_| whole), cost: known.or(record.cost) }
    }
}

/// Whether nobody has worked for the exchange: none was asked, or all who were refused, or the gateway itself did.
fn untouched(record: &Settled) -> bool {
    let nothing = record.failed.iter().all(|tried| tried.cost == Some(PicoUsd(0)));
    let last = match record.fault {
        _ if record.attempts == 0 => true,
        Some(
            FaultKind::UpstreamCut
            | FaultKind::UpstreamTimeout
            | FaultKind::UpstreamMalformed
            | FaultKind::Unavailable,
        )
        | None => false,
        Some(_) => record.usage.is_none() && record.first_token_us.is_none(),
    };
    nothing && last
}

#[cfg(test)]
mod tests;
