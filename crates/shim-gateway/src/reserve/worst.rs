//! The most an exchange can come to.

use shim_catalog::{Answered, Date, Pricing};
use shim_dialect::{Billed, Operation};
use shim_ir::{Fault, FaultKind, PicoUsd, Request, Tokens, Usage};
use shim_policy::limits::{Governed, tokens};
use shim_policy::tokens::Estimate;

use crate::crossing::decoded;
use crate::generation::Target;
use crate::pipeline::Admitted;
use crate::plan::{Plan, Step};

/// The most an exchange can come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Worst {
    /// Tokens of input.
    pub(super) input: u64,
    /// Tokens of output.
    pub(super) output: u64,
    /// Cost at the dearest target of the plan, as far as prices are known.
    pub(super) cost: PicoUsd,
    /// Whether the price of some target is not known.
    pub(super) unpriced: bool,
    /// Whether it costs nothing: it counts as a request, and as nothing else.
    pub(super) free: bool,
    /// What the request asks for that costs another price than the ordinary one.
    pub(super) asked: Billed,
}

impl Worst {
    /// The worst case of what was admitted, over all targets of `plan`.
    ///
    /// # Errors
    /// When nothing bounds the output, it costs something, and there is a budget.
    pub(super) fn of(admitted: &Admitted, plan: &Plan, who: &[&Governed], day: Date) -> Result<Self, Fault> {
        let generates = match admitted.route.operation {
            Operation::Generate => true,
            Operation::Embed => false,
            // Providers bill no counts, and what is stored was billed when it was made.
            Operation::CountTokens | Operation::Stored | Operation::Models => {
                return Ok(Self { free: true, ..Self::default() });
            }
        };
        let limits = who.iter().map(|governed| &governed.limits);
        let budget = limits.clone().any(|limits| limits.budget.is_some());
        if !budget && limits.clone().all(|limits| limits.tokens_per_minute.is_none()) {
            return Ok(Self { free: true, ..Self::default() });
        }
        // One that cannot be decoded may still pass to a target of its own dialect, which will say what is wrong with it.
        let request = if generates { decoded(admitted).ok() } else { None };
        let configured = limits.filter_map(|limits| limits.output_tokens_max).max();
        let mut worst =
            Self { asked: request.as_deref().map(Billed::asked).unwrap_or_default(), ..Self::default() };
        for step in &plan.steps {
            let (pricing, input) = (
                step.target.pricing(),
                input(request.as_deref(), generates, admitted.body.len(), &step.target),
            );
            let output =
                if generates { output(request.as_deref(), &step.target).or(configured) } else { Some(0) };
            let paid = || dearest(pricing, day, (1, 1), &worst.asked).is_some_and(|cost| cost > PicoUsd(0));
            if output.is_none() && budget && paid() {
                return Err(unbounded(step));
            }
            let output = output.unwrap_or(0);
            let cost = dearest(pricing, day, (input, output), &worst.asked);
            worst.input = worst.input.max(input);
            worst.output = worst.output.max(output);
            match cost {
                Some(cost) => worst.cost = worst.cost.max(cost),
                None => worst.unpriced = true,
            }
        }
        Ok(worst)
    }

    pub(super) fn tokens(&self) -> Tokens {
        tokens(self.input, self.output)
    }
}

/// The most input: what `Estimate::bound` says, and where the provider adds what nobody knows (searches, stored turns),
/// all that the model takes.
fn input(request: Option<&Request>, generates: bool, body_bytes: usize, target: &Target) -> u64 {
    let bytes = body_bytes as u64;
    if !generates {
        return bytes;
    }
    let bound = request.and_then(|request| Estimate::of(request).bound(body_bytes));
    bound.unwrap_or_else(|| known(target).0.unwrap_or(bytes).max(bytes))
}

/// The most output: what the request permits, else what the model can do, for each answer it asks for.
fn output(request: Option<&Request>, target: &Target) -> Option<u64> {
    let asked = request.and_then(|request| request.sampling.output_max).map(|tokens| tokens.0);
    let answers = request.and_then(|request| request.sampling.candidates).unwrap_or(1).max(1);
    asked.or_else(|| known(target).1).map(|tokens| tokens.saturating_mul(u64::from(answers)))
}

/// The context window of a target, and its bound on output, as far as they are known.
fn known(target: &Target) -> (Option<u64>, Option<u64>) {
    let listed = target.provider.models.iter().find(|model| model.id == target.id.model);
    let (context, output) = listed.map_or((None, None), |model| (model.context_max, model.output_max));
    let known = shim_catalog::model(target.provider.id.as_str(), target.id.model.as_str());
    let catalog = known.map_or((None, None), |model| (model.context_max, model.output_max));
    (context.or(catalog.0), output.or(catalog.1))
}

/// What so many tokens in and out cost, whatever class they turn out to be of, at the ordinary class of service or the one
/// that is asked for: writing to a cache, reasoning and images cost more than other tokens with some. `None` where
/// ordinary ones have no known price.
pub(super) fn dearest(
    pricing: &Pricing,
    day: Date,
    (input, output): (u64, u64),
    asked: &Billed,
) -> Option<PicoUsd> {
    let cost = |usage: &Usage| {
        let bill = |service| {
            let region = asked.region.as_deref();
            pricing
                .bill(&Answered { usage, service, searches: 0, region, stated: None, complete: true, day })
                .cost
        };
        let ordinary = bill(None)?;
        Some(asked.service.as_deref().map_or(Some(ordinary), |word| bill(Some(word)))?.max(ordinary))
    };
    let (input, output) = (Tokens(input), Tokens(output));
    let ordinary = Usage { input_uncached: input, output_text: output, ..Usage::default() };
    let inputs = [
        Usage { input_uncached: input, ..Usage::default() },
        Usage { cache_write: input, ..Usage::default() },
        Usage { cache_write_1h: input, ..Usage::default() },
        Usage { input_audio: input, ..Usage::default() },
    ];
    // The price of output can depend on the length of the input, so both are in one bill.
    let each = inputs.into_iter().flat_map(|usage| {
        [
            Usage { output_text: output, ..usage.clone() },
            Usage { reasoning: output, ..usage.clone() },
            Usage { output_image: output, ..usage.clone() },
            Usage { output_audio: output, ..usage },
        ]
    });
    let first = cost(&ordinary)?;
    Some(each.filter_map(|usage| cost(&usage)).fold(first, PicoUsd::max))
}

fn unbounded(step: &Step) -> Fault {
    let message = format!(
        "there is a budget, and nothing says how much {} may answer: state a maximum of tokens in the request, or have \
         output_tokens_max set in the limits",
        step.target.name
    );
    Fault::new(FaultKind::InvalidRequest, message)
}
