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
    // `GET /v1/models` is in several dialects; Anthropic's clients always name their version.
    if headers.contains_key("anthropic-version") {
        return (&[Dialect::Anthropic, Dialect::OpenaiChat, Dialect::OpenaiResponses, Dialect::Gemini], path);
    }
    if path.starts_with("/v1beta/") {
        return (&[Dialect::Gemini], path);
    }
    (&[Dialect::OpenaiChat, Dialect::OpenaiResponses, Dialect::Anthropic, Dialect::Gemini], path)
}
