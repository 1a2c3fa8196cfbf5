//! Requests for embeddings.

use shim_ir::{Request, Role, Turn};
use shim_wire::from_json;

use super::request::{keep_model, turn};
use super::{read, rest};
use crate::gemini_generate::types::{BatchEmbedContentsRequest, EmbedContentRequest};
use crate::{DecodeError, Route};

/// The role of the turn that is what `:embedContent` embeds, and of those that are what `:batchEmbedContents` does.
pub(crate) const ONE: &str = "content";
pub(crate) const MANY: &str = "requests";

/// The body of `:embedContent` or `:batchEmbedContents`: each content to embed is a turn, whose role says which.
pub(crate) fn embeddings(route: &Route, body: &str) -> Result<Request, DecodeError> {
    let batch: BatchEmbedContentsRequest<'_> = from_json(body)?;
    let model = route.model.clone().unwrap_or_default();
    if batch.requests.is_empty() && !batch.rest.is_empty() {
        let mut turn = one(from_json(body)?, route, "content", ONE)?;
        let rest = std::mem::take(&mut turn.rest);
        return Ok(Request { model, turns: vec![turn], rest, ..Request::default() });
    }
    let turns = batch.requests.into_iter().enumerate().map(|(at, raw)| {
        let path = format!("requests[{at}]");
        one(read(raw.get(), &path)?, route, &format!("{path}.content"), MANY)
    });
    let turns = turns.collect::<Result<Vec<_>, _>>()?;
    Ok(Request { model, turns, rest: rest(batch.rest), ..Request::default() })
}

/// A content to embed, with what is asked of it (`taskType`, `outputDimensionality`) among its members.
fn one(wire: EmbedContentRequest<'_>, route: &Route, path: &str, role: &str) -> Result<Turn, DecodeError> {
    let mut turn = turn(wire.content, path)?;
    turn.role = Role::Other(role.to_owned());
    turn.rest.merge(rest(wire.rest));
    keep_model(&mut turn.rest, wire.model, route);
    Ok(turn)
}
