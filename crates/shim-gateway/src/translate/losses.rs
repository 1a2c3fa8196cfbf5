//! What a translation could not carry: in the client's words, and as far as it is permitted.

use shim_dialect::Encode;
use shim_ir::{Fault, FaultKind, Loss, LossKind, Retry};
use shim_policy::fidelity::Rule;

/// Most losses that are told one by one in a message.
const TOLD_MAX: usize = 8;

/// Losses of a request that was given in place of the client's, by the turns of the client's.
pub(crate) fn renumbered(mut losses: Vec<Loss>, turns: &[usize]) -> Vec<Loss> {
    for loss in &mut losses {
        let found = loss.path.strip_prefix("turns[").and_then(|rest| rest.split_once(']'));
        let turn = found.and_then(|(number, rest)| Some((turns.get(number.parse::<usize>().ok()?)?, rest)));
        if let Some((turn, rest)) = turn {
            loss.path = format!("turns[{turn}]{rest}");
        }
    }
    losses
}

/// The losses of a request that mean something, each with the path the client knows.
///
/// # Errors
/// When `rule` does not permit one of them.
pub(crate) fn judged(
    client: &dyn Encode,
    target: &str,
    losses: Vec<Loss>,
    rule: &Rule,
) -> Result<Vec<Loss>, Fault> {
    judged_as(client, target, losses, rule, |path| client.name_path(path))
}

/// The same, each path as `named` puts it.
pub(super) fn judged_as(
    client: &dyn Encode,
    target: &str,
    losses: Vec<Loss>,
    rule: &Rule,
    named: impl Fn(&str) -> String,
) -> Result<Vec<Loss>, Fault> {
    let telling = losses.into_iter().filter(|loss| !is_left_out(loss, |path| client.is_bookkeeping(path)));
    let losses: Vec<_> = telling.map(|loss| Loss { path: named(&loss.path), ..loss }).collect();
    permitted(target, losses, rule)
}

/// Whether a loss is of bookkeeping that was left out, which is none. What was said otherwise than it came may stand at the
/// same path, and is one.
fn is_left_out(loss: &Loss, is_bookkeeping: impl Fn(&str) -> bool) -> bool {
    loss.kind == LossKind::Dropped && is_bookkeeping(&loss.path)
}

/// Losses in the client's words, all of which must be permitted.
///
/// # Errors
/// When `rule` does not permit one of them.
pub(crate) fn permitted(target: &str, losses: Vec<Loss>, rule: &Rule) -> Result<Vec<Loss>, Fault> {
    let refused = rule.refused(&losses);
    if refused.is_empty() { Ok(losses) } else { Err(untranslatable(target, &refused)) }
}

/// The losses of an answer that mean something, each with the path the client knows, which nobody takes for one of the
/// request.
pub(crate) fn of_answer(client: &dyn Encode, upstream: &dyn Encode, losses: &[Loss]) -> Vec<Loss> {
    let telling =
        losses.iter().filter(|loss| !is_left_out(loss, |path| upstream.is_answer_bookkeeping(path)));
    let named = |path: &str| format!("response.{}", client.name_path(path));
    telling.map(|loss| Loss { path: named(&loss.path), ..loss.clone() }).collect()
}

/// The fault of a request that a target cannot be asked. Another target may be able to.
fn untranslatable(target: &str, refused: &[&Loss]) -> Fault {
    let told: Vec<_> = refused
        .iter()
        .take(TOLD_MAX)
        .map(|loss| format!("{} ({}: {})", loss.path, loss.kind.name(), loss.why))
        .collect();
    let more = refused.len().saturating_sub(TOLD_MAX);
    let more = if more == 0 { String::new() } else { format!(", and {more} more") };
    let message = format!("{target} cannot be asked this: {}{more}", told.join(", "));
    let mut fault = Fault::new(FaultKind::Untranslatable, message);
    fault.path = refused.first().map(|loss| loss.path.clone());
    fault.retry = Retry::OtherTarget;
    fault
}
