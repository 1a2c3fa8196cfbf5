//! Requests about answers that are kept: the gateway's own are told by it, those a provider keeps by that.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use shim_dialect::{Keep, Operation, Refusal, Wants};
use shim_ir::Fault;

use super::look::{aside, chain};
use super::{link, owner};
use crate::answer::{AnswerBody, exact, mark};
use crate::generation::Snapshot;
use crate::pipeline::Admitted;
use crate::plan::speakers;
use crate::shared::Shared;
use crate::ticket::Ticket;

/// The answer to a request about a kept answer; none where a provider is to be asked, which is noted.
///
/// # Errors
/// When it is not kept for this key, or the wish cannot be granted.
pub(crate) async fn stored(
    shared: &Shared,
    snapshot: &Snapshot,
    admitted: &mut Admitted,
    ticket: &Ticket,
) -> Result<Option<Response<AnswerBody>>, Fault> {
    let Some(keep) = admitted.codec.0.keep().filter(|_| admitted.route.operation == Operation::Stored) else {
        return Ok(None);
    };
    let wants = keep.wants(admitted.parts.method.as_str(), &admitted.route)?;
    let looked = chain(shared, keep, owner(admitted), wants.id()).await?;
    let dialect = admitted.codec.0.dialect();
    let Some(kept) = looked.links.last() else {
        // Where clients are told apart, an id that is not known here could be another's.
        let nowhere = speakers(snapshot, dialect).next().is_none();
        let gone = snapshot.wants_keys() || nowhere;
        return if gone { Err(keep.refuse(Refusal::Answer(wants.id()))) } else { Ok(None) };
    };
    let there = |name: &&str| speakers(snapshot, dialect).any(|provider| provider.id.as_str() == *name);
    if let Some(keeper) = kept.keeper.as_deref().filter(there) {
        admitted.keeper = Some(keeper.into());
        return Ok(None);
    }
    let body = match &wants {
        Wants::Answer { stream: false, .. } => Bytes::from(kept.answer.to_string()),
        Wants::Answer { stream: true, after, .. } => {
            let events = keep.replay(&kept.answer, *after).ok_or_else(|| keep.refuse(Refusal::Stream))?;
            return Ok(Some(told(events, "text/event-stream", snapshot, ticket)));
        }
        Wants::Cancel { .. } => return Err(keep.refuse(Refusal::Cancel)),
        Wants::Other { id } => return Err(keep.refuse(Refusal::Answer(id))),
        Wants::Input { page, .. } => {
            let links: Vec<_> = looked.links.iter().map(|kept| link(kept)).collect();
            keep.page(&links, &looked.found, page)?
        }
        Wants::Delete { id } => {
            forget(shared, keep, owner(admitted), id).await?;
            keep.deleted(id)
        }
    };
    Ok(Some(told(body, "application/json", snapshot, ticket)))
}

fn told(body: Bytes, kind: &'static str, snapshot: &Snapshot, ticket: &Ticket) -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody::whole(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    mark(headers, snapshot, ticket);
    exact(headers);
    response
}

/// Keeps an answer no longer.
async fn forget(shared: &Shared, keep: &dyn Keep, owner: &str, id: &str) -> Result<(), Fault> {
    let (of, name) = (owner.to_owned(), id.to_owned());
    let there = aside(shared, move |store, _| store.delete(&of, &name)).await?;
    if there { Ok(()) } else { Err(keep.refuse(Refusal::Answer(id))) }
}

/// After a provider answered a request about an answer it keeps: what it deleted is kept here no longer.
///
/// # Errors
/// When the store cannot be written.
pub(crate) async fn deleted(shared: &Shared, admitted: &Admitted, status: StatusCode) -> Result<(), Fault> {
    let Some(keep) = admitted.codec.0.keep().filter(|_| admitted.keeper.is_some()) else { return Ok(()) };
    if status.is_success()
        && let Wants::Delete { id } = keep.wants(admitted.parts.method.as_str(), &admitted.route)?
    {
        let of = owner(admitted).to_owned();
        aside(shared, move |store, _| store.delete(&of, &id)).await?;
    }
    Ok(())
}
