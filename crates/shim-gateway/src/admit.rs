//! First stage: who asks, and what.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::request::Parts;
use http_body::Body;
use shim_dialect::{Codec, Head, Operation, Route};
use shim_ir::{Fault, FaultKind};
use shim_wire::scan::utf8;

use crate::generation::{Key, Snapshot};
use crate::headers::{HEAD_BYTES_MAX, credential};
use crate::hold::{collect, discard};
use crate::pipeline::{Admitted, Coded};
use crate::shared::Shared;
use crate::ticket::Ticket;

/// A request that has arrived, its body still to come.
pub(crate) struct Arrival<B> {
    pub(crate) codec: &'static dyn Codec,
    pub(crate) route: Route,
    pub(crate) parts: Parts,
    pub(crate) body: B,
}

/// Checks the credential, collects the body and reads its head.
///
/// # Errors
/// When the client may not ask, or what it asks cannot be read.
pub(crate) async fn admit<B>(
    shared: &Arc<Shared>,
    snapshot: &Snapshot,
    arrival: Arrival<B>,
    ticket: &mut Ticket,
) -> Result<Admitted, Fault>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let Arrival { codec, route, parts, body } = arrival;
    let key = match bounded(&parts).and_then(|()| identify(snapshot, &parts)) {
        Ok(key) => key,
        Err(fault) => {
            discard(&snapshot.limits, body).await;
            return Err(fault);
        }
    };
    ticket.asked_by(key.as_ref().map(|k| k.id.clone()));
    let (body, held) = collect(shared, &snapshot.limits, &parts.headers, body).await?;
    let head = read_head(codec, &route, &body)?;
    ticket.asks(snapshot.name(&head.model), head.stream, body.len());
    if let Some(key) = &key
        && !head.model.is_empty()
        && !key.allows(&head.model)
    {
        let message = format!("the key \"{}\" may not ask for \"{}\"", key.id, head.model);
        return Err(Fault::new(FaultKind::Forbidden, message));
    }
    Ok(Admitted {
        codec: Coded(codec),
        route,
        parts,
        head,
        body,
        key,
        decoded: OnceLock::new(),
        recalled: tokio::sync::OnceCell::new(),
        _held: held,
    })
}

/// Checks the size of the head.
fn bounded(parts: &Parts) -> Result<(), Fault> {
    let line = parts.uri.path().len() + parts.uri.query().map_or(0, str::len);
    let size =
        parts.headers.iter().fold(line, |size, (name, value)| size + name.as_str().len() + value.len());
    if size <= HEAD_BYTES_MAX {
        return Ok(());
    }
    let message = format!(
        "the request line and headers are larger than {HEAD_BYTES_MAX} bytes, the most this gateway takes"
    );
    let mut fault = Fault::new(FaultKind::TooLarge, message);
    fault.status = Some(431);
    Err(fault)
}

/// Finds the key of the client's credential; none is needed where none is configured.
fn identify(snapshot: &Snapshot, parts: &Parts) -> Result<Option<Arc<Key>>, Fault> {
    if !snapshot.wants_keys() {
        return Ok(None);
    }
    let Some(secret) = credential(&parts.headers, &parts.uri) else {
        let message = "no credential: send a key of this gateway as your SDK sends its API key";
        return Err(Fault::new(FaultKind::Unauthenticated, message));
    };
    match snapshot.key(secret) {
        Some(key) => Ok(Some(key.clone())),
        None => Err(Fault::new(FaultKind::Unauthenticated, "the credential is not a key of this gateway")),
    }
}

fn read_head(codec: &dyn Codec, route: &Route, body: &Bytes) -> Result<Head, Fault> {
    match route.operation {
        Operation::Models | Operation::Stored => Ok(Head::default()),
        Operation::Generate | Operation::Embed | Operation::CountTokens => {
            let text = utf8(body).map_err(|e| shim_dialect::DecodeError::from(e).into_request_fault())?;
            codec.head(route, text).map_err(shim_dialect::DecodeError::into_request_fault)
        }
    }
}
