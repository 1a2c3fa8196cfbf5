//! Counts of tokens where the provider has no counter: an estimate, with what was learned from the model's own counts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use shim_dialect::{Asker, Operation, Reading, speaker};
use shim_ir::{ExchangeId, Fault, Loss, LossKind, Response, Tokens, Usage};
use shim_policy::fidelity::Rule;
use shim_policy::tokens::{Correction, Estimate};

use crate::attempt::{Answered, Attempt, Failed};
use crate::crossing::{crossed, decoded};
use crate::pipeline::Admitted;
use crate::plan::Step;
use crate::shared::Shared;
use crate::ticket::Ticket;
use crate::translate::{Known, permitted};

/// What is learned of each target's counts.
#[derive(Debug, Default)]
pub(crate) struct Corrections(Mutex<HashMap<Arc<str>, Correction>>);

/// Most targets whose corrections are kept; of more, what is known from the first is used.
pub(crate) const CORRECTIONS_MAX: usize = 1024;

/// So many exchanges teach each; after them one in [`ONE_IN`].
const EACH_OF_THE_FIRST: u64 = 64;

/// One in so many, by the random end of its id.
const ONE_IN: u128 = 64;

impl Corrections {
    /// The correction of the target of this name.
    pub(crate) fn of(&self, target: &str) -> Correction {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(target).copied().unwrap_or_else(|| first(target))
    }

    /// Whether the exchange `id` with the target of this name is to teach something: each of the first ones, then one in
    /// a few, since reading all of a long prompt for a correction that hardly moves any more would cost too much. None
    /// where there is no room to keep it.
    pub(crate) fn wants(&self, target: &str, id: ExchangeId) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get(target) {
            Some(known) => known.observed() < EACH_OF_THE_FIRST || id.0.is_multiple_of(ONE_IN),
            None => all.len() < CORRECTIONS_MAX,
        }
    }

    /// Learns from an exchange with the target of this name.
    pub(crate) fn learn(&self, target: &Arc<str>, estimate: &Estimate, counted: Tokens) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < CORRECTIONS_MAX || all.contains_key(target) {
            all.entry(target.clone()).or_insert_with(|| first(target)).learn(estimate, counted);
        }
    }
}

/// What is known of a target's template before it counted anything.
fn first(target: &str) -> Correction {
    let model = target.split_once('/').map_or(target, |(_, model)| model);
    let known = shim_catalog::template(model);
    known.map_or_else(Correction::default, |known| Correction::new(known.request, known.tools))
}

/// Answers a request for a count by the estimate. Nobody is asked.
///
/// # Errors
/// When the request cannot be read, or `rule` does not permit an estimate.
pub(crate) fn estimated(
    shared: &Shared,
    admitted: &Admitted,
    rule: &Rule,
    step: &Step,
    ticket: &Ticket,
) -> Result<Attempt, Fault> {
    let client = speaker(admitted.codec.0.dialect());
    let request = decoded(admitted)?;
    let correction = shared.corrections.of(&step.target.name);
    let path = format!("response.{}", client.name_path("usage.input_total"));
    let why = why(step, correction.observed());
    let losses = vec![Loss::new(path, LossKind::Approximated, why)];
    let losses = permitted(&step.target.name, losses, rule)?;
    let tokens = Estimate::of(&request).corrected(&correction);
    // The client's dialect has one word for both; nobody is billed by it, and the record holds no usage.
    let usage = Usage { input_uncached: Tokens(tokens.0), ..Usage::default() };
    let response = Response { usage: Some(usage), ..Response::default() };
    let id = ticket.id().to_string();
    let asker = Asker {
        operation: Operation::CountTokens,
        id: &id,
        created: shared.clock.now_ms() / 1000,
        framing: admitted.route.framing,
        request: &request,
    };
    let told = client.encode_response(&response, &asker);
    let reading = Reading { complete: true, ..Reading::default() };
    let (bytes, meter) = (told.body.into(), Box::new(Known(reading)));
    let body = Answered::Whole { bytes, meter, read: true };
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(crossed(admitted, step, StatusCode::OK, headers, body, losses))
}

fn why(step: &Step, observed: u64) -> String {
    let provider = &step.target.provider.id;
    let learned = match observed {
        0 => "no exchange has corrected it yet".to_owned(),
        1 => "corrected by what 1 exchange was counted".to_owned(),
        n => format!("corrected by what {n} exchanges were counted"),
    };
    format!("{provider} has no counter of tokens, so this is an estimate, {learned}")
}

/// Whether an upstream that was asked to count says that it has no such path. One that names the model in its refusal
/// does not know the model.
pub(crate) fn has_no_counter(admitted: &Admitted, step: &Step, asked: &Result<Attempt, Failed>) -> bool {
    let fault = match asked {
        Ok(Attempt { fault: Some(fault), .. }) | Err(Failed { fault, .. }) => fault,
        Ok(Attempt { fault: None, .. }) => return false,
    };
    admitted.route.operation == Operation::CountTokens
        && matches!(fault.status, Some(404 | 405 | 501))
        && !fault.message.contains(step.target.id.model.as_str())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use shim_ir::{ExchangeId, Request, Tokens};
    use shim_policy::tokens::Estimate;

    use super::{CORRECTIONS_MAX, Corrections, EACH_OF_THE_FIRST};

    #[test]
    fn the_first_exchanges_teach_and_then_one_in_a_few() {
        let (corrections, estimate) = (Corrections::default(), Estimate::of(&Request::default()));
        let name = Arc::from("lab/one");
        let taught = |corrections: &Corrections| {
            (0..640).filter(|id| corrections.wants("lab/one", ExchangeId(*id))).count()
        };
        assert_eq!(taught(&corrections), 640);
        (0..EACH_OF_THE_FIRST).for_each(|_| corrections.learn(&name, &estimate, Tokens(100)));
        assert_eq!(taught(&corrections), 640 / 64);
    }

    #[test]
    fn invented_models_do_not_fill_the_corrections() {
        let (corrections, estimate) = (Corrections::default(), Estimate::of(&Request::default()));
        let name = |n: usize| Arc::<str>::from(format!("lab/{n}"));
        (0..CORRECTIONS_MAX + 10).for_each(|n| corrections.learn(&name(n), &estimate, Tokens(100)));
        assert_eq!(corrections.0.lock().unwrap().len(), CORRECTIONS_MAX);
        assert!(!corrections.wants(&name(CORRECTIONS_MAX + 5), ExchangeId(0)));
        corrections.learn(&name(0), &estimate, Tokens(100));
        let observed = |n| corrections.of(&name(n)).observed();
        assert_eq!((observed(0), observed(1), observed(CORRECTIONS_MAX)), (2, 1, 0));
    }

    #[test]
    fn what_is_known_of_a_template_is_there_from_the_first() {
        let (corrections, estimate) = (Corrections::default(), Estimate::of(&Request::default()));
        let of = |name| estimate.corrected(&corrections.of(name)).0;
        assert!(of("any/openai/gpt-oss-20b") > of("any/gpt-4o") + 50);
    }
}
