//! Which dialect a request line belongs to.

use http::{HeaderMap, Method};
use shim_dialect::{Codec, Route, codec};
use shim_ir::Dialect;

/// A request line, understood.
pub(crate) enum Routed {
    /// An exchange in a dialect.
    Exchange(&'static dyn Codec, Route),
    /// A sign of life: 200 with nothing.
    Root,
    /// A client tried to upgrade to a websocket, which is not spoken here; it falls back to plain requests.
    Upgrade,
    /// Feedback of a client on an answer.
    Feedback,
    /// No route; the fault is told in this dialect.
    Unknown(&'static dyn Codec),
}

/// The prefixes under which a dialect's routes are found again.
const PREFIXES: [(&str, &[Dialect]); 3] = [
    ("/openai", &[Dialect::OpenaiChat, Dialect::OpenaiResponses]),
    ("/anthropic", &[Dialect::Anthropic]),
    ("/gemini", &[Dialect::Gemini]),
];

/// The headers that tell whose client asks, where a path is in several dialects (`GET /v1/models`) or in none: Anthropic's
/// clients always name their version, and Google's have a header of their own for the key.
const MARKS: [(&str, &[Dialect]); 2] = [
    (
        "anthropic-version",
        &[Dialect::Anthropic, Dialect::OpenaiChat, Dialect::OpenaiResponses, Dialect::Gemini],
    ),
    ("x-goog-api-key", &[Dialect::Gemini, Dialect::OpenaiChat, Dialect::OpenaiResponses, Dialect::Anthropic]),
];

/// Understands a request line.
pub(crate) fn route(method: &Method, path: &str, query: Option<&str>, headers: &HeaderMap) -> Routed {
    if path == "/" && (method == Method::GET || method == Method::HEAD) {
        return Routed::Root;
    }
    if path == "/v1/feedback" && method == Method::POST {
        return Routed::Feedback;
    }
    let (dialects, path) = dialects(path, headers);
    let fallback = codec(dialects.first().copied().unwrap_or(Dialect::OpenaiChat));
    if headers.contains_key(http::header::UPGRADE) && method == Method::GET {
        return Routed::Upgrade;
    }
    for dialect in dialects {
        let codec = codec(*dialect);
        if let Some(route) = codec.route(method.as_str(), path, query) {
            return Routed::Exchange(codec, route);
        }
    }
    Routed::Unknown(fallback)
}

/// The dialects to ask, the likeliest first, and the path they are asked about.
fn dialects<'a>(path: &'a str, headers: &HeaderMap) -> (&'static [Dialect], &'a str) {
    for (prefix, dialects) in PREFIXES {
        if let Some(rest) = path.strip_prefix(prefix)
            && rest.starts_with('/')
        {
            return (dialects, rest);
        }
    }
    if let Some((_, dialects)) = MARKS.iter().find(|(header, _)| headers.contains_key(*header)) {
        return (dialects, path);
    }
    if path.starts_with("/v1beta/") {
        return (&[Dialect::Gemini], path);
    }
    (&[Dialect::OpenaiChat, Dialect::OpenaiResponses, Dialect::Anthropic, Dialect::Gemini], path)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, Method};
    use shim_dialect::Operation;
    use shim_ir::Dialect;

    use super::{Routed, route};

    /// The dialect and the operation of a `GET` with a header; of no route there is only the dialect.
    fn got(path: &str, header: Option<&'static str>) -> Option<(Dialect, Option<Operation>)> {
        let mut headers = HeaderMap::new();
        header.into_iter().for_each(|name| drop(headers.insert(name, HeaderValue::from_static("x"))));
        match route(&Method::GET, path, None, &headers) {
            Routed::Exchange(codec, route) => Some((codec.dialect(), Some(route.operation))),
            Routed::Unknown(codec) => Some((codec.dialect(), None)),
            Routed::Root | Routed::Upgrade | Routed::Feedback => None,
        }
    }

    #[test]
    fn a_path_of_several_dialects_is_that_of_the_client_who_asks() {
        let (google, anthropic) = (Some("x-goog-api-key"), Some("anthropic-version"));
        for (path, header, dialect) in [
            ("/v1/models", None, Dialect::OpenaiChat),
            ("/v1/models", google, Dialect::Gemini),
            ("/v1/models", anthropic, Dialect::Anthropic),
            ("/v1/models/chat", google, Dialect::Gemini),
            ("/v1/models/openai/gpt-5.2", google, Dialect::Gemini),
            ("/v1beta/models", None, Dialect::Gemini),
            ("/gemini/v1/models", None, Dialect::Gemini),
            ("/gemini/v1/models/chat", None, Dialect::Gemini),
            ("/openai/v1/models", google, Dialect::OpenaiChat),
        ] {
            assert_eq!(got(path, header), Some((dialect, Some(Operation::Models))), "{path} {header:?}");
        }
        for (header, dialect) in
            [(None, Dialect::OpenaiChat), (google, Dialect::Gemini), (anthropic, Dialect::Anthropic)]
        {
            assert_eq!(got("/v1/nothing", header), Some((dialect, None)), "{header:?}");
        }
    }
}
