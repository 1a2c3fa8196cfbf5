//! Which operation a request line asks for, where a provider has it, and the spans of a body that name the model.

use std::ops::Range;

use bytes::Bytes;
use shim_wire::frame::Framing;
use shim_wire::scan::ScanError;
use shim_wire::{Splice, Value, ValueKind};
use smallvec::SmallVec;

use super::WORDS;
use crate::common::{each_element, lay_out, percent_decode, percent_encode, query_without, quoted};
use crate::{DecodeError, Head, Operation, Route};

/// The versions the dialect's paths start with.
const VERSIONS: [&str; 3] = ["v1beta", "v1alpha", "v1"];

/// What a request line asks for.
pub(super) fn route(method: &str, path: &str, query: Option<&str>) -> Option<Route> {
    let (version, rest) = path.strip_prefix('/')?.split_once('/')?;
    let version = VERSIONS.iter().find(|known| **known == version)?;
    let query = query_without(query, &["key"]);
    if method == "GET" {
        return listed(version, rest, query.as_deref());
    }
    let (model, verb) = rest.rsplit_once(':').filter(|_| method == "POST")?;
    let model = model.strip_prefix("models/").unwrap_or(model);
    let (operation, stream) = operation(verb)?;
    let query = query.as_deref();
    let sse = query.unwrap_or_default().split('&').any(|pair| pair == "alt=sse" || pair == "$alt=sse");
    let framing = if sse { Framing::Sse } else { Framing::JsonArray };
    let query = Some(Asked { version, verb, query }.print());
    Some(Route { operation, model: Some(percent_decode(model)), stream, framing, query })
}

/// What a verb asks for, and whether as a stream.
fn operation(verb: &str) -> Option<(Operation, bool)> {
    match verb {
        "generateContent" => Some((Operation::Generate, false)),
        "streamGenerateContent" => Some((Operation::Generate, true)),
        "countTokens" => Some((Operation::CountTokens, false)),
        "embedContent" | "batchEmbedContents" => Some((Operation::Embed, false)),
        _ => None,
    }
}

fn listed(version: &str, rest: &str, query: Option<&str>) -> Option<Route> {
    let model = match rest {
        "models" | "models/" => None,
        _ => Some(percent_decode(rest.strip_prefix("models/")?)),
    };
    let query = Some(Asked { version, verb: "", query }.print());
    Some(Route { operation: Operation::Models, model, stream: false, framing: Framing::JsonArray, query })
}

/// What a path says beside the model. A route has no member for it, so it stands before the query in the query's.
struct Asked<'a> {
    version: &'a str,
    verb: &'a str,
    query: Option<&'a str>,
}

impl<'a> Asked<'a> {
    fn print(&self) -> String {
        let query = self.query.map(|query| format!("?{query}")).unwrap_or_default();
        format!("{}:{}{query}", self.version, self.verb)
    }

    fn of(route: &'a Route) -> Self {
        let text = route.query.as_deref().unwrap_or("v1beta:generateContent");
        let (path, query) = text.split_once('?').map_or((text, None), |(path, query)| (path, Some(query)));
        let (version, verb) = path.split_once(':').unwrap_or((path, ""));
        Self { version, verb, query }
    }
}

/// The path behind a base URL that ends before the version: the client's version, the model, and what is to be done.
pub(super) fn upstream_path(route: &Route, model: &str) -> String {
    let Asked { version, verb, query } = Asked::of(route);
    let colon = if verb.is_empty() { "" } else { ":" };
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    if route.operation == Operation::Models && route.model.is_none() {
        return format!("/{version}/models{query}");
    }
    format!("/{version}/{}{}{colon}{verb}{query}", folder(model), percent_encode(model, true))
}

/// Where a client would ask for `operation`.
pub(super) fn route_for(operation: Operation, model: &str, stream: bool) -> Route {
    let verb = match operation {
        Operation::Generate | Operation::Stored if stream => "streamGenerateContent",
        Operation::Generate | Operation::Stored => "generateContent",
        Operation::CountTokens => "countTokens",
        Operation::Embed => "batchEmbedContents",
        Operation::Models => "",
    };
    let stream = verb == "streamGenerateContent";
    let framing = if stream { Framing::Sse } else { Framing::JsonArray };
    let query = stream.then_some("alt=sse");
    let query = Some(Asked { version: "v1beta", verb, query }.print());
    let model = (operation != Operation::Models || !model.is_empty()).then(|| model.to_owned());
    Route { operation, model, stream, framing, query }
}

/// What stands before a model's name among the provider's resources; a name with a folder (`tunedModels/…`) has it.
fn folder(model: &str) -> &'static str {
    if model.contains('/') { "" } else { "models/" }
}

/// What the lane must know of a body. The model comes from the path; embeddings and counts name it in the body again,
/// at the top, in each of `requests`, or in `generateContentRequest`.
pub(super) fn head(route: &Route, body: &str) -> Result<Head, DecodeError> {
    let mut head = Head { stream: route.stream, ..Head::default() };
    head.model = route.model.clone().unwrap_or_default();
    head.layout = lay_out(body, &WORDS, |member| {
        match (&*member.key, route.operation) {
            ("model", _) if member.value.kind() == ValueKind::String => {
                head.model_span = Some(member.value.span());
            }
            ("requests", Operation::Embed) if member.value.kind() == ValueKind::Array => {
                head.model_spans_inside = models_of_each(&member.value)?;
            }
            ("generateContentRequest" | "generate_content_request", Operation::CountTokens) => {
                head.model_spans_inside = model_in(&member.value, 0).into_iter().collect();
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(head)
}

/// Where the requests of a batch name the model.
fn models_of_each(requests: &Value<'_>) -> Result<Vec<Range<usize>>, ScanError> {
    let mut spans = Vec::new();
    each_element(requests.text(), |_, request| spans.extend(model_in(&request, requests.span().start)))?;
    Ok(spans)
}

/// Where an object names the model, in the text that `object` stands in at `offset`.
fn model_in(object: &Value<'_>, offset: usize) -> Option<Range<usize>> {
    let span = object.get("model").filter(|model| model.kind() == ValueKind::String)?.span();
    let offset = offset + object.span().start;
    Some(span.start + offset..span.end + offset)
}

/// The splices for a body that names the model.
pub(super) fn retarget(head: &Head, model: &str) -> SmallVec<[Splice; 2]> {
    if head.model == model {
        return SmallVec::new();
    }
    let with = || Bytes::from(quoted(&format!("{}{model}", folder(model))));
    let spans = head.model_span.iter().chain(&head.model_spans_inside);
    spans.map(|span| Splice { span: span.clone(), with: with() }).collect()
}
