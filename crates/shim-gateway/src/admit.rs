//! First stage: who asks, and what.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::request::Parts;
use http_body::Body;
use shim_dialect::{Codec, Head, Operation, Route};
use shim_ir::{Fault, FaultKind, TeamName};
use shim_wire::scan::utf8;

use crate::feedback::{is_word, word_wanted};
use crate::generation::Snapshot;
use crate::headers::{CLIENT_ID, HEAD_BYTES_MAX, credential, foreign_page};
use crate::hold::{collect, discard};
use crate::key::Key;
use crate::pipeline::{Admitted, Coded};
use crate::shared::Shared;
use crate::ticket::Ticket;

/// A request that has arrived, its body still to come.
pub(crate) struct Arrival<B> {
    pub(crate) codec: &'static dyn Codec,
    pub(crate) route: Route,
    pub(crate) parts: Box<Parts>,
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
    ticket.recorder().asked(&snapshot.recording, &parts.headers);
    let (key, client_id) = match introduced(shared, snapshot, codec, &parts) {
        Ok(introduced) => introduced,
        Err(fault) => {
            Box::pin(discard(&snapshot.limits, &parts.headers, body)).await;
            return Err(fault);
        }
    };
    ticket.named(client_id);
    ticket.asked_by(key.as_ref().map(|k| k.id.clone()));
    ticket.recorder().counts_with(key.as_ref().and_then(|key| key.team()).map(TeamName::as_str));
    let (body, held) = collect(shared, &snapshot.limits, &parts.headers, body).await?;
    let head = read_head(codec, &route, &body)?;
    ticket.asks(snapshot.name(&head.model), head.stream, body.len());
    let recording = (&snapshot.recording, shared.as_ref());
    ticket.recorder().takes(recording, &head.model, key.as_ref().map(|key| &key.id), &body);
    allowed(key.as_deref(), &head.model)?;
    Ok(Admitted {
        codec: Coded(codec),
        route,
        parts,
        head,
        body,
        key,
        decoded: OnceLock::new(),
        recalled: tokio::sync::OnceCell::new(),
        record: ticket.recorder().record(),
        named: None,
        keeper: None,
        held,
    })
}

/// The key of who asks, where one is wanted, and what it calls its exchange.
type Introduced = (Option<Arc<Key>>, Option<Box<str>>);

/// Who asks: all that the head of a request says of that.
fn introduced(
    shared: &Shared,
    snapshot: &Snapshot,
    codec: &dyn Codec,
    parts: &Parts,
) -> Result<Introduced, Fault> {
    bounded(parts)?;
    Ok((identify(shared, snapshot, codec, parts)?, client_id(parts)?))
}

/// Checks that the key may ask for the model, where it names one.
fn allowed(key: Option<&Key>, model: &str) -> Result<(), Fault> {
    match key {
        Some(key) if !model.is_empty() && !key.allows(model) => {
            let message = format!("the key \"{}\" may not ask for \"{model}\"", key.id);
            Err(Fault::new(FaultKind::Forbidden, message))
        }
        Some(_) | None => Ok(()),
    }
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
///
/// # Errors
/// When there is none, or it is not, or no longer, good for this.
fn identify(
    shared: &Shared,
    snapshot: &Snapshot,
    codec: &dyn Codec,
    parts: &Parts,
) -> Result<Option<Arc<Key>>, Fault> {
    let key = key_of(shared, snapshot, parts)?;
    if let Some(key) = &key {
        key.speaks(codec.dialect())?;
    }
    Ok(key)
}

/// The same, whatever it is to be used for.
///
/// # Errors
/// When there is no credential, or it is not, or no longer, good.
pub(crate) fn key_of(shared: &Shared, snapshot: &Snapshot, parts: &Parts) -> Result<Option<Arc<Key>>, Fault> {
    if !snapshot.wants_keys() {
        return match foreign_page(&parts.headers) {
            None => Ok(None),
            Some(page) => Err(refused_page(page)),
        };
    }
    let Some(secret) = credential(&parts.headers, &parts.uri) else {
        let message = "no credential: send a key of this gateway as your SDK sends its API key";
        return Err(Fault::new(FaultKind::Unauthenticated, message));
    };
    let key = snapshot.keys().of(secret, || shared.limited.now_ms())?;
    Ok(Some(key.clone()))
}

/// Without keys whoever reaches the gateway may ask, and a browser reaches it from this machine for any page it shows.
fn refused_page(page: &str) -> Fault {
    let message = format!(
        "the web page at {page} may not ask a gateway that wants no keys: configure [keys], or have the page served by this machine"
    );
    Fault::new(FaultKind::Forbidden, message)
}

/// The id a client chose for its exchange.
fn client_id(parts: &Parts) -> Result<Option<Box<str>>, Fault> {
    let Some(value) = parts.headers.get(CLIENT_ID) else { return Ok(None) };
    match value.to_str() {
        Ok(word) if is_word(word) => Ok(Some(word.into())),
        Ok(_) | Err(_) => Err(Fault::new(FaultKind::InvalidRequest, word_wanted(CLIENT_ID.as_str()))),
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
