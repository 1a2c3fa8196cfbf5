//! Where a request goes: which operation its line asks for, where a provider has it, and the spans of its body that
//! change on the way.

use bytes::Bytes;
use shim_wire::frame::Framing;
use shim_wire::{Member, Splice, Value, ValueKind};
use smallvec::SmallVec;

use crate::common::{body_head, model_splice, percent_decode, percent_encode, query_without};
use crate::{DecodeError, Head, Operation, Route, UsageAsk};

/// Query members that hold a credential.
const CREDENTIALS: [&str; 3] = ["key", "api_key", "api-key"];

/// What a request line asks for. Ids of models may hold slashes, encoded or not.
pub(super) fn route(method: &str, path: &str, query: Option<&str>) -> Option<Route> {
    let path = path.strip_prefix("/v1").filter(|rest| rest.starts_with('/')).unwrap_or(path);
    let (operation, model) = match (method, path) {
        ("POST", "/chat/completions") => (Operation::Generate, None),
        ("POST", "/embeddings") => (Operation::Embed, None),
        ("GET", "/models" | "/models/") => (Operation::Models, None),
        ("GET", path) => (Operation::Models, Some(percent_decode(path.strip_prefix("/models/")?))),
        _ => return None,
    };
    let query = query_without(query, &CREDENTIALS);
    Some(Route { operation, model, stream: false, framing: Framing::Sse, query })
}

/// Where a client of this dialect asks for `operation`: the body says the rest, but for one model of the list.
pub(super) fn route_for(operation: Operation, model: &str) -> Route {
    let model = (operation == Operation::Models && !model.is_empty()).then(|| model.to_owned());
    Route { operation, model, stream: false, framing: Framing::Sse, query: None }
}

/// The path behind a base URL that ends with the version.
pub(super) fn upstream_path(route: &Route, model: &str) -> String {
    let mut path = match route.operation {
        Operation::Embed => "/embeddings".to_owned(),
        Operation::Models if route.model.is_some() => format!("/models/{}", percent_encode(model, true)),
        Operation::Models => "/models".to_owned(),
        Operation::Generate | Operation::CountTokens | Operation::Stored => "/chat/completions".to_owned(),
    };
    if let Some(query) = &route.query {
        path.push('?');
        path.push_str(query);
    }
    path
}

/// What the lane must know of a body.
pub(super) fn head(route: &Route, body: &str) -> Result<Head, DecodeError> {
    let mut asked = Asked::Absent;
    let mut head = body_head(body, &super::WORDS, |member| {
        if member.key == "stream_options" {
            asked = Asked::of(&member);
        }
    })?;
    if route.operation == Operation::Generate && head.stream {
        head.usage_ask = asked.ask(&head);
    }
    Ok(head)
}

/// The splices that direct a body at `model`, and with `usage` make a stream tell its usage.
pub(super) fn retarget(head: &Head, model: &str, usage: bool) -> SmallVec<[Splice; 2]> {
    let ask = head.usage_ask.as_ref().filter(|_| usage);
    let ask = ask.map(|ask| Splice { span: ask.span.clone(), with: Bytes::from(ask.with.clone()) });
    model_splice(head, model).into_iter().chain(ask).collect()
}

/// What `stream_options` says of usage.
enum Asked {
    /// There is no such member.
    Absent,
    /// It says so or not, or is of a kind that the provider has to refuse: it stays as it is.
    Said,
    /// What to put where, so that it says so.
    Unsaid(UsageAsk),
}

impl Asked {
    fn of(member: &Member<'_>) -> Self {
        let span = member.value.span();
        let whole = || UsageAsk { span: span.clone(), with: r#"{"include_usage":true}"#.to_owned() };
        match member.value.kind() {
            ValueKind::Null => Self::Unsaid(whole()),
            ValueKind::Object => match member.value.get("include_usage") {
                Some(said) => Self::of_member(&said, span.start),
                None if is_empty(&member.value) => Self::Unsaid(whole()),
                None => Self::Unsaid(UsageAsk {
                    span: span.start + 1..span.start + 1,
                    with: r#""include_usage":true,"#.to_owned(),
                }),
            },
            ValueKind::Bool | ValueKind::Number | ValueKind::String | ValueKind::Array => Self::Said,
        }
    }

    /// A client that says `false` gets what it asked for; `null` says nothing.
    fn of_member(said: &Value<'_>, offset: usize) -> Self {
        if said.kind() != ValueKind::Null {
            return Self::Said;
        }
        let span = said.span();
        Self::Unsaid(UsageAsk { span: offset + span.start..offset + span.end, with: "true".to_owned() })
    }

    fn ask(self, head: &Head) -> Option<UsageAsk> {
        match self {
            Self::Said => None,
            Self::Unsaid(ask) => Some(ask),
            Self::Absent => head.model_span.as_ref().map(|model| UsageAsk {
                span: model.end..model.end,
                with: r#","stream_options":{"include_usage":true}"#.to_owned(),
            }),
        }
    }
}

fn is_empty(object: &Value<'_>) -> bool {
    object.object().is_ok_and(|mut members| members.next_member().is_ok_and(|member| member.is_none()))
}
