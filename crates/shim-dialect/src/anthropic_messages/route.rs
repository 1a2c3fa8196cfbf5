//! Which operation a request line asks for, and where a provider has it.

use shim_wire::frame::Framing;

use crate::common::{percent_decode, query_without};
use crate::{Operation, Route};

/// What a request line asks for.
pub(super) fn route(method: &str, path: &str, query: Option<&str>) -> Option<Route> {
    let (operation, model) = match (method, path) {
        ("POST", "/v1/messages") => (Operation::Generate, None),
        ("POST", "/v1/messages/count_tokens") => (Operation::CountTokens, None),
        ("GET", "/v1/models" | "/v1/models/") => (Operation::Models, None),
        ("GET", path) => (Operation::Models, Some(percent_decode(path.strip_prefix("/v1/models/")?))),
        _ => return None,
    };
    let query = query_without(query, &["key"]);
    Some(Route { operation, model, stream: false, framing: Framing::Sse, query })
}

/// The path behind a base URL that ends before the version.
pub(super) fn upstream_path(route: &Route) -> String {
    let path = match route.operation {
        Operation::CountTokens => "/v1/messages/count_tokens",
        Operation::Models => "/v1/models",
        Operation::Generate | Operation::Embed | Operation::Stored => "/v1/messages",
    };
    match &route.query {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    }
}

/// What an upstream is asked: whether a stream is wanted stands in the body.
pub(super) fn route_for(operation: Operation) -> Route {
    Route { operation, model: None, stream: false, framing: Framing::Sse, query: None }
}
