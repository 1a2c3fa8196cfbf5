//! Which operation a request line asks for, where a provider has it, and the spans of a body that name the model.

use bytes::Bytes;
use shim_wire::frame::Framing;
use shim_wire::scan::Limits;
use shim_wire::{ObjectReader, Splice, ValueKind};
use smallvec::SmallVec;

use crate::common::{percent_decode, percent_encode, query_without, quoted};
use crate::{DecodeError, Head, Operation, Route};

/// The versions the dialect's paths start with. A client's version goes on to the upstream, in the route's query slot
/// it has none, so the path keeps it by its model: `/v1` and `/v1alpha` clients get what `/v1beta` has.
const VERSIONS: [&str; 3] = ["/v1beta", "/v1alpha", "/v1"];

/// What a request line asks for.
pub(super) fn route(method: &str, path: &str, query: Option<&str>) -> Option<Route> {
    let (version, rest) =
        VERSIONS.iter().find_map(|v| Some((*v, path.strip_prefix(v)?.strip_prefix('/')?)))?;
    let query = query_without(query, &["key"]);
    if method == "GET" {
        return (version != "/v1").then(|| listed(rest, query)).flatten();
    }
    let (model, verb) = rest.rsplit_once(':').filter(|_| method == "POST")?;
    let model = model.strip_prefix("models/").unwrap_or(model);
    let (operation, stream) = match verb {
        "generateContent" => (Operation::Generate, false),
        "streamGenerateContent" => (Operation::Generate, true),
        "countTokens" => (Operation::CountTokens, false),
        "embedContent" | "batchEmbedContents" => (Operation::Embed, false),
        _ => return None,
    };
    let sse =
        query.as_deref().unwrap_or_default().split('&').any(|pair| pair == "alt=sse" || pair == "$alt=sse");
    let framing = if sse { Framing::Sse } else { Framing::JsonArray };
    let verb_query = Some(verb.to_owned() + &query.map(|q| format!("?{q}")).unwrap_or_default());
    Some(Route { operation, model: Some(percent_decode(model)), stream, framing, query: verb_query })
}

fn listed(rest: &str, query: Option<String>) -> Option<Route> {
    let model = match rest {
        "models" | "models/" => None,
        _ => Some(percent_decode(rest.strip_prefix("models/")?)),
    };
    Some(Route { operation: Operation::Models, model, stream: false, framing: Framing::JsonArray, query })
}

/// The path behind a base URL that ends before the version. The route's query holds verb and query.
pub(super) fn upstream_path(route: &Route, model: &str) -> String {
    let verb = route.query.as_deref().unwrap_or("generateContent");
    let folder = if model.contains('/') { "" } else { "models/" };
    format!("/v1beta/{folder}{}:{verb}", percent_encode(model, true))
}

/// What the lane must know of a body. The model comes from the path; embeddings and counts name it in the body again.
pub(super) fn head(route: &Route, body: &str) -> Result<Head, DecodeError> {
    let mut object = ObjectReader::new(body, Limits::default())?;
    let mut span = None;
    while let Some(member) = object.next_member()? {
        if member.key == "model" && member.value.kind() == ValueKind::String {
            span = Some(member.value.span());
        }
    }
    let model = route.model.clone().unwrap_or_default();
    Ok(Head { model, model_span: span, stream: route.stream, usage_ask: None })
}

/// The splice for a body that names the model at its top.
pub(super) fn retarget(head: &Head, model: &str) -> SmallVec<[Splice; 2]> {
    let span = head.model_span.clone().filter(|_| head.model != model);
    let with = || Bytes::from(quoted(&format!("models/{model}")));
    span.map(|span| Splice { span, with: with() }).into_iter().collect()
}
