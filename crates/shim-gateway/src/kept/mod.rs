//! Answers that are kept, so that a later request can go on from them over any provider.
//!
//! The gateway keeps the input and the answer of every exchange that a client of a dialect with such answers asks to be
//! kept, whoever answered it. Where the provider says that it keeps the answer too, it stays the one that is asked: the
//! client's bytes pass as they are. Any other target is sent the conversation in full. See
//! `docs/decisions/0006-kept-answers.md`.

mod look;
mod stored;
mod tap;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use shim_dialect::{Head, Items, Keep, KeepAsk, Link, Operation, Refusal};
use shim_ir::{Fault, FaultKind, Request, ServerState};
use shim_policy::record::Record;
use shim_store::{KeptResponse, MemoryResponses, RESPONSE_BYTES_MAX, ResponseStore};
use shim_wire::scan::utf8;

use crate::generation::Snapshot;
use crate::pipeline::Admitted;
use crate::plan::Step;
use crate::shared::Shared;

pub(crate) use stored::{deleted, stored};
pub(crate) use tap::{Tap, tap};

/// Where answers are kept: in memory, unless a store was given before the first was needed.
#[derive(Debug, Default)]
pub(crate) struct Keeper {
    store: OnceLock<Arc<dyn ResponseStore>>,
    /// Answers that could not be read along with, and so not kept.
    unread: AtomicU64,
}

impl Keeper {
    pub(crate) fn store(&self) -> &Arc<dyn ResponseStore> {
        self.store.get_or_init(|| Arc::new(MemoryResponses::default()))
    }

    /// Bytes kept, and how many answers were to be kept and could not be.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let unread = self.unread.load(Ordering::Relaxed);
        self.store.get().map_or((0, unread), |store| (store.bytes(), store.dropped() + unread))
    }
}

impl Shared {
    /// Keeps answers in `store` from now on; false where one is in use already.
    pub fn keep_responses(&self, store: Arc<dyn ResponseStore>) -> bool {
        self.kept.store.set(store).is_ok()
    }

    /// Where answers are kept.
    #[must_use]
    pub fn responses(&self) -> &Arc<dyn ResponseStore> {
        self.kept.store()
    }
}

/// Whether the gateway keeps the answer: the client wishes it, and nothing says that the exchange is not to be recorded.
/// Recording that is off goes before the wish: what a key, an alias or a client asked not to be recorded is never stored.
pub(crate) fn keeps(admitted: &Admitted, ask: &KeepAsk) -> bool {
    let input = ask.input.as_ref().map_or(0, ExactSizeIterator::len);
    admitted.route.operation == Operation::Generate
        && ask.store
        && input < RESPONSE_BYTES_MAX
        && admitted.record > Record::Off
}

/// Whose answers a request may name: those of its key.
fn owner(admitted: &Admitted) -> &str {
    admitted.key.as_ref().map_or("", |key| key.id.as_str())
}

/// What a request names of kept answers, and what was found of it.
#[derive(Debug)]
pub(crate) struct Named {
    ask: KeepAsk,
    /// Whether its own answer is kept.
    keep: bool,
    /// The chain it goes on from, oldest first.
    links: Vec<Arc<KeptResponse>>,
    /// The items it refers to.
    found: Items,
    /// The one provider that keeps all it names as well.
    keeper: Option<Box<str>>,
    /// Why it cannot be said in full.
    missing: Option<Fault>,
    /// The request said in full: for another dialect, and for another provider of the same.
    whole: [OnceLock<Result<Bytes, Fault>>; 2],
}

/// Finds what a request names. One that names nothing costs a look at its body.
///
/// # Errors
/// When it names what is not there for its key.
pub(crate) async fn resolve(
    shared: &Shared,
    snapshot: &Snapshot,
    admitted: &mut Admitted,
) -> Result<(), Fault> {
    let operation = admitted.route.operation;
    let Some(keep) = admitted.codec.0.keep() else { return Ok(()) };
    if !matches!(operation, Operation::Generate | Operation::CountTokens) {
        return Ok(());
    }
    let invalid = shim_dialect::DecodeError::into_request_fault;
    let text = utf8(&admitted.body).map_err(|e| invalid(e.into()))?;
    let ask = keep.ask(text).map_err(invalid)?;
    let kept = keeps(admitted, &ask);
    let mut named = Named::new(ask, kept);
    if named.ask.names() {
        let looked = look::everything(shared, keep, owner(admitted), &named.ask).await?;
        named.take(keep, looked);
        // Where clients are told apart, an id that is not known here could be another's.
        if let Some(missing) = named.missing.clone().filter(|_| snapshot.wants_keys()) {
            return Err(missing);
        }
        let bytes = named.links.iter().map(|link| link.bytes()).sum::<usize>();
        bounded(bytes, snapshot)?;
        admitted.held.add(bytes, snapshot.limits.bodies_bytes_max)?;
    }
    admitted.named = Some(Box::new(named));
    Ok(())
}

fn bounded(bytes: usize, snapshot: &Snapshot) -> Result<(), Fault> {
    let bytes_max = snapshot.limits.body_bytes_max;
    if bytes <= bytes_max {
        return Ok(());
    }
    let message = format!(
        "the conversation this goes on from is larger than {bytes_max} bytes, the most this gateway takes"
    );
    Err(Fault::new(FaultKind::TooLarge, message).at("previous_response_id"))
}

impl Named {
    fn new(ask: KeepAsk, keep: bool) -> Self {
        let whole = [OnceLock::new(), OnceLock::new()];
        Self { ask, keep, links: Vec::new(), found: Items::new(), keeper: None, missing: None, whole }
    }

    fn take(&mut self, keep: &dyn Keep, looked: look::Looked) {
        let look::Looked { links, found, keepers, missing } = looked;
        let one = keepers.first().cloned().flatten();
        self.keeper = one.filter(|one| keepers.iter().all(|keeper| keeper.as_ref() == Some(one)));
        self.missing = missing.or_else(|| {
            let unfinished = links.iter().find(|link| !link.complete)?;
            Some(keep.refuse(Refusal::Unfinished(&unfinished.id)))
        });
        self.links = links;
        self.found = found;
    }

    /// Whether a provider of the client's dialect gets the request as it came: what it names is kept there, or nothing is
    /// known of it here.
    fn passes(&self, provider: &str) -> bool {
        let unknown = self.links.is_empty() && self.found.is_empty() && self.missing.is_some();
        !self.ask.names() || unknown || self.keeper.as_deref() == Some(provider)
    }

    /// The request said in full.
    fn whole(&self, admitted: &Admitted, own: bool) -> Result<Bytes, Fault> {
        let Some(keep) = admitted.codec.0.keep() else { return Ok(admitted.body.clone()) };
        let [other, same] = &self.whole;
        let make = || {
            if let Some(missing) = &self.missing {
                return Err(missing.clone());
            }
            let invalid = shim_dialect::DecodeError::into_request_fault;
            let text = utf8(&admitted.body).map_err(|e| invalid(e.into()))?;
            let links: Vec<_> = self.links.iter().map(|kept| link(kept)).collect();
            keep.rebuild(text, &links, &self.found, own).map(Bytes::from).map_err(invalid)
        };
        if own { same.get_or_init(make).clone() } else { other.get_or_init(make).clone() }
    }
}

/// An exchange as its dialect reads it.
fn link(kept: &KeptResponse) -> Link<'_> {
    Link { id: &kept.id, input: &kept.input, answer: &kept.answer }
}

/// The body that a target of another dialect is to be told.
///
/// # Errors
/// When it names what is not kept here.
pub(crate) fn said(admitted: &Admitted) -> Result<Bytes, Fault> {
    match &admitted.named {
        Some(named) if named.ask.names() => named.whole(admitted, false),
        Some(_) | None => Ok(admitted.body.clone()),
    }
}

/// The body, and its head, for a provider of the client's dialect that does not keep what the request names; none where
/// the request passes as it came.
///
/// # Errors
/// When it names what is not kept here.
pub(crate) fn resaid(admitted: &Admitted, step: &Step) -> Result<Option<(Head, Bytes)>, Fault> {
    let Some(named) = admitted.named.as_ref().filter(|named| !named.passes(step.target.provider.id.as_str()))
    else {
        return Ok(None);
    };
    let body = named.whole(admitted, true)?;
    let invalid = shim_dialect::DecodeError::into_request_fault;
    let text = utf8(&body).map_err(|e| invalid(e.into()))?;
    let head = admitted.codec.0.head(&admitted.route, text).map_err(invalid)?;
    Ok(Some((head, body)))
}

/// The body that was sent, or what was put into another dialect; none where the provider took up what it keeps itself.
pub(crate) fn sent(admitted: &Admitted) -> Option<Bytes> {
    match &admitted.named {
        Some(named) if named.ask.names() => {
            named.whole.iter().find_map(|whole| whole.get()?.as_ref().ok().cloned())
        }
        Some(_) | None => Some(admitted.body.clone()),
    }
}

/// The kept answer that a request goes on from.
pub(crate) fn previous(admitted: &Admitted) -> Option<&str> {
    admitted.named.as_ref()?.ask.previous.as_deref()
}

/// The request as a target of another dialect is asked it: whether its answer is kept is not the target's business.
pub(crate) fn asked(admitted: &Admitted, mut request: Request) -> Request {
    if admitted.named.as_ref().is_some_and(|named| named.keep) {
        request.state.store = None;
    }
    request
}

/// The request as the answer repeats it: with the answer it goes on from, and whether its own is kept. Its turns, which no
/// answer repeats, are left out.
pub(crate) fn repeated(admitted: &Admitted, request: Arc<Request>) -> Arc<Request> {
    let Some(named) = &admitted.named else { return request };
    let r = &*request;
    let state = ServerState {
        store: Some(named.keep),
        previous: named.ask.previous.clone(),
        conversation: r.state.conversation.clone(),
        background: r.state.background,
    };
    Arc::new(Request {
        model: r.model.clone(),
        system: r.system.clone(),
        turns: Vec::new(),
        tools: r.tools.clone(),
        tool_choice: r.tool_choice.clone(),
        parallel_tool_calls: r.parallel_tool_calls,
        output: r.output.clone(),
        reasoning: r.reasoning.clone(),
        sampling: r.sampling.clone(),
        stream: r.stream.clone(),
        state,
        modalities: r.modalities.clone(),
        user: r.user.clone(),
        metadata: r.metadata.clone(),
        service_tier: r.service_tier.clone(),
        cache_key: r.cache_key.clone(),
        rest: r.rest.clone(),
    })
}
