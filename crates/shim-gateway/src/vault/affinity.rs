//! Which of an alias's targets goes on with a conversation.
//!
//! State that only one account can read goes to that account. Without any, a conversation that another target than the
//! first went on with, because the first failed, stays with it: its prompt is in that provider's cache. What it costs is
//! that the first target gets the conversation back only when the other one fails.

use shim_dialect::Operation;
use shim_policy::vault::{Name, PlaceName, named};

use super::recall::{Recalled, made_by};
use super::same::states;
use super::{Item, may_record, origin, partition};
use crate::pipeline::Admitted;
use crate::plan::Plan;
use crate::shared::Shared;
use crate::ticket::Ticket;

/// Why a target was preferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Affinity {
    /// The conversation carries state that only it can read.
    State,
    /// It answered the conversation last.
    Conversation,
}

impl Affinity {
    /// The value of the `x-shim-affinity` header.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Conversation => "conversation",
        }
    }
}

/// Puts the target first that the conversation belongs to; the ticket notes why, where that changed the order.
pub(crate) async fn prefer(shared: &Shared, admitted: &Admitted, plan: &mut Plan, ticket: &mut Ticket) {
    if plan.steps.len() < 2 || admitted.route.operation != Operation::Generate {
        return;
    }
    if let Some((at, why)) = Box::pin(belongs(shared, admitted, plan)).await
        && at > 0
    {
        let step = plan.steps.remove(at);
        plan.steps.insert(0, step);
        ticket.prefers(why);
    }
}

/// Which step the conversation belongs to, and why.
async fn belongs(shared: &Shared, admitted: &Admitted, plan: &Plan) -> Option<(usize, Affinity)> {
    if let Some(at) = by_state(shared, admitted, plan).await {
        return Some((at, Affinity::State));
    }
    let at = by_conversation(shared, admitted, plan).await?;
    Some((at, Affinity::Conversation))
}

/// The step that can read the last state in the conversation whose maker is known.
async fn by_state(shared: &Shared, admitted: &Admitted, plan: &Plan) -> Option<usize> {
    let (states, _) = states(admitted);
    if states.is_empty() {
        return None;
    }
    let found = shared.vault.find(&states, shared.clock.now_ms()).await;
    let maker = states.iter().rev().find_map(|name| made_by(found.get(name)?))?;
    plan.steps.iter().position(|step| origin(step) == maker)
}

/// The step that answered the conversation last, where that was not always the first.
async fn by_conversation(shared: &Shared, admitted: &Admitted, plan: &Plan) -> Option<usize> {
    let alias = &plan.alias.name;
    let diverged = named(&partition(admitted), PlaceName::Diverged, alias, Name([0; 16]));
    let now = shared.clock.now_ms();
    shared.vault.find(&[diverged], now).await.remove(&diverged)?;
    let recalled = Recalled::of(shared, admitted).await.ok()?;
    if !recalled.is_under_way() {
        return None;
    }
    let conversation = recalled.conversation();
    let name = named(&partition(admitted), PlaceName::Affinity, alias, conversation);
    match shared.vault.find(&[name], now).await.remove(&name)? {
        Item::Target(target) => plan.steps.iter().position(|step| *step.target.name == *target),
        Item::Kept(_) => None,
    }
}

/// Remembers which target went on with a conversation: the one that was tried last. Where the alias's first one always
/// answers, there is nothing to remember.
pub(crate) async fn note(shared: &Shared, admitted: &Admitted, plan: &Plan, ticket: &Ticket) {
    if plan.steps.len() < 2 || admitted.route.operation != Operation::Generate {
        return;
    }
    let (Some(answered), Some(first)) = (ticket.target(), plan.alias.targets.first()) else { return };
    let (alias, now) = (&plan.alias.name, shared.clock.now_ms());
    let partition = partition(admitted);
    let diverged = named(&partition, PlaceName::Diverged, alias, Name([0; 16]));
    let elsewhere = *answered != first.name;
    if !elsewhere && shared.vault.find(&[diverged], now).await.is_empty() {
        return;
    }
    let Ok(recalled) = Box::pin(Recalled::of(shared, admitted)).await else { return };
    let name = named(&partition, PlaceName::Affinity, alias, recalled.conversation());
    let item = Item::Target(answered.clone());
    let known = shared.vault.find(&[name], now).await.remove(&name);
    if known.as_ref() == Some(&item) || (known.is_none() && !elsewhere) {
        return;
    }
    let record = may_record(admitted);
    shared.vault.put(vec![diverged], &item, record, now);
    shared.vault.put(vec![name], &item, record, now);
}
