//! What is remembered of the answers in a conversation.

use std::collections::HashMap;
use std::sync::Arc;

use shim_dialect::speaker;
use shim_ir::{Fault, Opaque, Part, Request};
use shim_policy::vault::{
    Given, Kept, Name, Names, Origin, Partition, Span, conversation, give, spans, trace,
};

use super::{Item, origin, partition};
use crate::crossing::decoded;
use crate::pipeline::Admitted;
use crate::plan::Step;
use crate::shared::Shared;

/// What is remembered of the answers in a conversation: looked up once for all targets that are tried.
#[derive(Debug)]
pub(crate) struct Recalled {
    request: Arc<Request>,
    partition: Partition,
    spans: Vec<(Span, Option<Arc<Kept>>)>,
    /// Who made the states that the client sends, where that is known.
    makers: HashMap<Name, Origin>,
}

impl Recalled {
    /// What is remembered of the conversation of an exchange.
    ///
    /// # Errors
    /// When the request is not one of the client's dialect.
    pub(super) async fn of<'a>(shared: &Shared, admitted: &'a Admitted) -> Result<&'a Self, Fault> {
        let request = decoded(admitted)?;
        Ok(admitted.recalled.get_or_init(|| Self::look(shared, admitted, request)).await)
    }

    /// The name of the conversation.
    pub(super) fn conversation(&self) -> Name {
        conversation(&self.partition, &self.request)
    }

    /// Whether anything was answered in the conversation.
    pub(super) fn is_under_way(&self) -> bool {
        !self.spans.is_empty()
    }

    async fn look(shared: &Shared, admitted: &Admitted, request: Arc<Request>) -> Self {
        let partition = partition(admitted);
        let named = named_spans(&partition, &request);
        let states: Vec<Name> = request
            .turns
            .iter()
            .flat_map(|turn| &turn.parts)
            .flat_map(opaque_of)
            .map(|opaque| trace(&partition, &opaque.value))
            .collect();
        let all: Vec<Name> = named.iter().flat_map(|(names, _)| names).chain(&states).copied().collect();
        let found = shared.vault.find(&all, shared.clock.now_ms()).await;
        let kept = |names: &[Name]| names.iter().find_map(|name| answer(found.get(name)?));
        let spans = named.into_iter().map(|(names, span)| (span, kept(&names))).collect();
        let maker = |name: Name| Some((name, made_by(found.get(&name)?)?));
        let makers = states.into_iter().filter_map(maker).collect();
        Self { request, partition, spans, makers }
    }
}

/// The answers of a conversation, and their names. To name them all that was said before is hashed, so where there are none
/// nothing is.
fn named_spans(partition: &Partition, request: &Request) -> Vec<(Vec<Name>, Span)> {
    let spans = spans(request);
    if spans.is_empty() {
        return Vec::new();
    }
    let names = Names::of(partition, request);
    spans.into_iter().map(|span| (names.of_span(&span), span)).collect()
}

/// What is kept of an answer.
fn answer(item: &Item) -> Option<Arc<Kept>> {
    match item {
        Item::Kept(kept) if !kept.pieces.is_empty() => Some(kept.clone()),
        Item::Kept(_) | Item::Target(_) => None,
    }
}

/// Who made a state.
pub(super) fn made_by(item: &Item) -> Option<Origin> {
    match item {
        Item::Kept(kept) => Some(kept.origin.clone()),
        Item::Target(_) => None,
    }
}

fn opaque_of(part: &Part) -> &[Opaque] {
    match part {
        Part::Text(text) | Part::Refusal(text) => &text.opaque,
        Part::Media(media) => &media.opaque,
        Part::Reasoning(reasoning) => &reasoning.opaque,
        Part::ToolCall(call) => &call.opaque,
        Part::ToolResult(_) | Part::ServerResult(_) | Part::Foreign(_) => &[],
    }
}

/// What of the conversation goes to a target: with its own state, or where `bare`, with nobody's.
///
/// # Errors
/// When the request is not one of the client's dialect.
pub(crate) async fn give_to(
    shared: &Shared,
    admitted: &Admitted,
    step: &Step,
    bare: bool,
) -> Result<Given, Fault> {
    let recalled = Recalled::of(shared, admitted).await?;
    if !recalled.is_under_way() {
        return Ok(Given::default());
    }
    let dialect = step.endpoint.dialect;
    let rules = step.target.rules(dialect);
    let nobody = Origin { provider: String::new(), account: String::new(), family: String::new() };
    let origin = if bare { nobody } else { origin(step) };
    let foreign = |opaque: &Opaque| {
        let made = || recalled.makers.get(&trace(&recalled.partition, &opaque.value));
        bare || made().is_some_and(|maker| *maker != origin)
    };
    let found: Vec<_> = recalled.spans.iter().map(|(span, kept)| (span.clone(), kept.as_deref())).collect();
    let client = speaker(admitted.codec.0.dialect()).dialect();
    Ok(give(&recalled.request, client, &found, &origin, rules, &foreign))
}
