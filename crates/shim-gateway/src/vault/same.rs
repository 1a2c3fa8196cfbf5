//! The lane of one dialect: the client's bytes go on as they came, unless a glance finds state that its target is known not
//! to read, or misses state that it is known to want.

use bytes::Bytes;
use shim_dialect::{Goal, Operation, speaker};
use shim_ir::{Fault, FaultKind, Loss, Traits};
use shim_policy::fidelity::Rule;
use shim_policy::vault::{Name, trace};
use shim_wire::Found;
use shim_wire::scan::utf8;

use super::recall::made_by;
use super::{give_to, origin, partition};
use crate::crossing::decoded;
use crate::kept::{resaid, said};
use crate::pipeline::Admitted;
use crate::plan::Step;
use crate::shared::Shared;
use crate::translate::{judged, renumbered};

/// A request that goes on in its own dialect with other state than the client sent.
#[derive(Debug)]
pub(crate) struct Changed {
    pub(crate) body: Bytes,
    /// What reading it needs.
    pub(crate) head: shim_dialect::Head,
    /// What was left out, in the client's words.
    pub(crate) losses: Vec<Loss>,
}

/// The oddities that reading and writing state depends on. Of all else a client of the dialect knows what it wants.
const STATE_QUIRKS: [&str; 7] = [
    "reasoning_content_back",
    "reasoning_back",
    "reasoning_text_back",
    "reasoning_object",
    "thought_signatures",
    "unsigned_thinking",
    "reasoning_needed",
];

/// What goes to a target of the client's dialect in place of what the client sent; `None` where that passes as it is.
/// Where `bare`, it is to go without anybody's state.
///
/// # Errors
/// When the request cannot be read, or `rule` does not permit what is left out.
pub(crate) async fn same(
    shared: &Shared,
    admitted: &Admitted,
    rule: &Rule,
    step: &Step,
    seed: &str,
    bare: bool,
) -> Result<Option<Box<Changed>>, Fault> {
    if !matches!(admitted.route.operation, Operation::Generate | Operation::CountTokens) {
        return Ok(None);
    }
    if !bare && !needs_look(shared, admitted, step).await {
        return Ok(None);
    }
    let given = Box::pin(give_to(shared, admitted, step, bare)).await?;
    let Some(request) = &given.request else { return Ok(None) };
    let dialect = admitted.codec.0.dialect();
    let known = step.target.traits(dialect);
    let quirks = known.quirks.into_iter().filter(|quirk| STATE_QUIRKS.contains(&quirk.as_str())).collect();
    let traits = Traits { quirks, ..Traits::default() };
    let model = step.target.id.model.as_str();
    let goal = Goal { operation: admitted.route.operation, model, traits: &traits, seed };
    let encoded = speaker(dialect).encode_request(request, &goal);
    let losses = given.losses.iter().cloned().chain(renumbered(encoded.losses, &given.turns)).collect();
    let losses = judged(speaker(dialect), &step.target.name, losses, rule)?;
    let body = encoded.body.into_bytes();
    let text = utf8(&body).map_err(|error| unwritten(&error))?;
    let head = admitted.codec.0.head(&admitted.route, text).map_err(|error| unwritten(&error))?;
    Ok(Some(Box::new(Changed { body, head, losses })))
}

fn unwritten(error: &dyn std::fmt::Display) -> Fault {
    Fault::new(FaultKind::Internal, "the request cannot be written again").detail(error)
}

/// Whether there is anything in the request for which it could have to change: nearly always there is not, and nothing
/// more is done.
pub(crate) fn may_change(admitted: &Admitted, step: &Step) -> bool {
    let (states, glance) = seen(admitted, step);
    !states.is_empty() || glance.carriers > 0 || glance.empty > 0 || glance.readable > 0
}

/// The names of the states in what the target is sent, and what a glance at it found. A chain that another provider keeps
/// is said in full, with the state of who made it.
fn seen(admitted: &Admitted, step: &Step) -> (Vec<Name>, shim_dialect::Glance) {
    match resaid(admitted, step).ok().flatten() {
        Some((head, body)) => states_in(admitted, &body, head.layout.found()),
        None => states(admitted),
    }
}

/// Whether the request has to change for the target, as far as that is found without decoding it.
async fn needs_look(shared: &Shared, admitted: &Admitted, step: &Step) -> bool {
    let (states, glance) = seen(admitted, step);
    let dialect = step.endpoint.dialect;
    let rules = step.target.rules(dialect);
    let missing = glance.carriers > glance.states && (rules.restores || rules.signs || rules.items);
    // The glance does not see whether a call has reasoning that can be read.
    let wanting = (rules.restores || rules.wants) && glance.carriers > 0;
    let unwanted = glance.readable > 0 && !rules.readable;
    if missing || wanting || unwanted || (rules.signed && glance.empty > 0) {
        return true;
    }
    let own = origin(step);
    let found = shared.vault.find(&states, shared.clock.now_ms()).await;
    found.values().filter_map(made_by).any(|maker| maker != own)
}

/// Most states of a request that are looked up: the last ones.
const STATES_MAX: usize = 1024;

/// The names of the states in the client's request, in order, and what a glance at it found.
pub(super) fn states(admitted: &Admitted) -> (Vec<Name>, shim_dialect::Glance) {
    states_in(admitted, &admitted.body, admitted.head.layout.found())
}

fn states_in(admitted: &Admitted, body: &[u8], found: Option<Found>) -> (Vec<Name>, shim_dialect::Glance) {
    let mut names = Vec::new();
    let mut see = |state: &str| names.push(trace(&partition(admitted), state));
    let glance = admitted.codec.0.marks().glance(body, found, &mut see);
    names.drain(..names.len().saturating_sub(STATES_MAX));
    (names, glance)
}

/// Whether the request carries state, and so may be refused for it: what it names of kept answers included.
pub(crate) fn carries(admitted: &Admitted) -> bool {
    let full = said(admitted).unwrap_or_else(|_| admitted.body.clone());
    let found = admitted.is_own(&full).then(|| admitted.head.layout.found()).flatten();
    let (states, glance) = states_in(admitted, &full, found);
    let decodes = || decoded(admitted).is_ok();
    (!states.is_empty() || glance.carriers > 0 || glance.empty > 0) && decodes()
}
