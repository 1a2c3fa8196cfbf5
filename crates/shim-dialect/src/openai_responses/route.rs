//! Which operation a request line asks for, and where a provider has it.

use shim_wire::frame::Framing;

use crate::common::query_without;
use crate::{Operation, Route};

/// What a request line asks for. For an answer that is kept, `model` holds what stands behind `/responses/`.
pub(super) fn route(method: &str, path: &str, query: Option<&str>) -> Option<Route> {
    let path = path.strip_prefix("/v1").filter(|rest| rest.starts_with('/')).unwrap_or(path);
    let (operation, model) = match (method, path) {
        ("POST", "/responses" | "/responses/compact") => {
            (Operation::Generate, path.strip_prefix("/responses/").map(str::to_owned))
        }
        ("POST", "/responses/input_tokens") => (Operation::CountTokens, None),
        ("GET" | "DELETE", path) => (Operation::Stored, Some(kept(path)?)),
        ("POST", path) if path.ends_with("/cancel") => (Operation::Stored, Some(kept(path)?)),
        _ => return None,
    };
    let query = query_without(query, &["key"]);
    Some(Route { operation, model, stream: false, framing: Framing::Sse, query })
}

/// What stands behind `/responses/`: an id, and what is wanted of it. Nothing that leads out of the folder.
fn kept(path: &str) -> Option<String> {
    let rest = path.strip_prefix("/responses/").filter(|rest| !rest.is_empty())?;
    let sound =
        rest.split('/').all(|part| !part.is_empty() && part != "." && part != ".." && !part.contains('%'));
    (sound && rest.split('/').count() <= 2).then(|| rest.to_owned())
}

/// The path behind a base URL that ends with the version.
pub(super) fn upstream_path(route: &Route) -> String {
    let path = match (route.operation, &route.model) {
        (Operation::CountTokens, _) => "/responses/input_tokens".to_owned(),
        (_, Some(rest)) => format!("/responses/{rest}"),
        (_, None) => "/responses".to_owned(),
    };
    match &route.query {
        Some(query) => format!("{path}?{query}"),
        None => path,
    }
}
