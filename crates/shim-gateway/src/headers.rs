//! Which headers pass, in both directions. What is not named here does not pass: a client's credential never reaches
//! an upstream, an upstream's never reaches a client.

use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, Uri};
use shim_catalog::fits;
use smallvec::SmallVec;

use crate::generation::HttpSetup;

/// Bound on the head of a request: request line and headers.
pub(crate) const HEAD_BYTES_MAX: usize = 64 << 10;

/// `x-shim-exchange`
pub(crate) const EXCHANGE: HeaderName = HeaderName::from_static("x-shim-exchange");
/// `x-shim-target`
pub(crate) const TARGET: HeaderName = HeaderName::from_static("x-shim-target");
/// `x-shim-generation`
pub(crate) const GENERATION: HeaderName = HeaderName::from_static("x-shim-generation");
/// `x-shim-fidelity`
pub(crate) const FIDELITY: HeaderName = HeaderName::from_static("x-shim-fidelity");
/// `x-shim-affinity`
pub(crate) const AFFINITY: HeaderName = HeaderName::from_static("x-shim-affinity");
/// `x-shim-attempts`
pub(crate) const ATTEMPTS: HeaderName = HeaderName::from_static("x-shim-attempts");

/// `x-shim-client-id`: the id a client chose for its exchange, to tell of it by.
pub(crate) const CLIENT_ID: HeaderName = HeaderName::from_static("x-shim-client-id");

/// Headers of a client that go on to every upstream.
const REQUEST: [HeaderName; 3] = [ACCEPT, CONTENT_TYPE, USER_AGENT];

/// Headers of an upstream that go on to the client, by the beginning of their name.
const RESPONSE_PREFIXES: [&str; 2] = ["x-ratelimit-", "anthropic-ratelimit-"];

/// Headers of a request that are added when it is sent: `content-length`.
const ADDED: usize = 1;

/// The headers of a request to an upstream: its own, and of the client's those that may pass.
pub(crate) fn for_upstream(client: &HeaderMap, endpoint: &HttpSetup) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(endpoint.headers.len() + REQUEST.len() + ADDED);
    headers.extend(endpoint.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
    for name in &REQUEST {
        // The first of several counts: some clients send `user-agent` twice.
        if let Some(value) = client.get(name).filter(|value| !value.is_sensitive())
            && !headers.contains_key(name)
        {
            headers.insert(name.clone(), value.clone());
        }
    }
    for name in &endpoint.request_allow {
        if let Some(value) = passing(client, endpoint, name) {
            headers.insert(name.clone(), value);
        }
    }
    headers
}

/// Headers that list values, which may come in several lines: <https://platform.claude.com/docs/en/api/beta-headers>, read
/// 2026-11-26.
const LISTS: [&str; 2] = ["anthropic-beta", "openai-beta"];

/// What of a client's header goes on: of one that lists values, those that may.
fn passing(client: &HeaderMap, endpoint: &HttpSetup, name: &HeaderName) -> Option<HeaderValue> {
    let mut lines = client.get_all(name).iter().filter(|value| !value.is_sensitive());
    let allow = endpoint.request_values.iter().find(|(listed, _)| listed == name).map(|(_, allow)| allow);
    if allow.is_none() && !LISTS.contains(&name.as_str()) {
        return lines.next_back().cloned();
    }
    let lines: Vec<_> = lines.collect();
    if let ([one], None) = (&lines[..], allow) {
        return Some((*one).clone());
    }
    let values = lines.iter().filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
    let may = |value: &&str| allow.is_none_or(|allow| allow.iter().any(|pattern| fits(pattern, value)));
    let values: Vec<_> = values.map(str::trim).filter(|value| !value.is_empty()).filter(may).collect();
    (!values.is_empty()).then(|| HeaderValue::from_str(&values.join(",")).ok()).flatten()
}

/// Adds a header without which a body is not taken, unless the endpoint does not take it: of one that lists values, its
/// value.
pub(crate) fn need(headers: &mut HeaderMap, endpoint: &HttpSetup, name: &'static str, value: &'static str) {
    let name = HeaderName::from_static(name);
    let allow = endpoint.request_values.iter().find(|(listed, _)| *listed == name).map(|(_, allow)| allow);
    if allow.is_some_and(|allow| !allow.iter().any(|pattern| fits(pattern, value))) {
        return;
    }
    let before = headers.get(&name).and_then(|before| before.to_str().ok());
    let listed = before.map(|before| HeaderValue::from_str(&format!("{before},{value}")));
    headers.insert(name, listed.and_then(Result::ok).unwrap_or(HeaderValue::from_static(value)));
}

/// The headers of an answer to the client: of the upstream's those that may pass. What does not is taken out where it
/// stands, for that leaves room for the gateway's own.
pub(crate) fn for_client(mut headers: HeaderMap) -> HeaderMap {
    let kept_back: SmallVec<[HeaderName; 8]> = headers.keys().filter(|name| !passes(name)).cloned().collect();
    for name in &kept_back {
        headers.remove(name);
    }
    headers
}

fn passes(name: &HeaderName) -> bool {
    if *name == CONTENT_TYPE || *name == CONTENT_LENGTH || *name == RETRY_AFTER {
        return true;
    }
    let name = name.as_str();
    passes_by_name(name) || RESPONSE_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Headers of an upstream that go on to the client, by name. None of them can hold a credential.
fn passes_by_name(name: &str) -> bool {
    matches!(
        name,
        "anthropic-organization-id"
            | "apim-request-id"
            | "cf-ray"
            | "inference-id"
            | "mistral-correlation-id"
            | "openai-model"
            | "openai-processing-ms"
            | "openai-version"
            | "ratelimit"
            | "ratelimit-limit"
            | "ratelimit-policy"
            | "ratelimit-remaining"
            | "ratelimit-reset"
            | "request-id"
            | "retry-after-ms"
            | "server-timing"
            | "x-generation-id"
            | "x-groq-region"
            | "x-ms-region"
            | "x-ms-request-id"
            | "x-request-id"
            | "x-should-retry"
            | "x-trace-id"
            | "x-inference-time"
    )
}

/// The secret a client sends, wherever its SDK puts it.
pub(crate) fn credential<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Option<&'a [u8]> {
    if let Some(value) = headers.get(http::header::AUTHORIZATION) {
        let bytes = value.as_bytes();
        let scheme = bytes.get(..7)?;
        return scheme
            .eq_ignore_ascii_case(b"bearer ")
            .then(|| bytes.get(7..).unwrap_or_default().trim_ascii());
    }
    for name in ["x-api-key", "x-goog-api-key", "api-key"] {
        if let Some(value) = headers.get(name) {
            return Some(value.as_bytes());
        }
    }
    let query = uri.query()?;
    query.split('&').find_map(|pair| pair.strip_prefix("key=")).map(str::as_bytes)
}

/// The web page that sent a request, where it is not of this machine: a browser names it with whatever a page can cause. What
/// is no page of the web, as an extension of the browser or a program of its own, is none.
pub(crate) fn foreign_page(headers: &HeaderMap) -> Option<&str> {
    let origin = headers.get(http::header::ORIGIN)?.to_str().unwrap_or("?");
    let (scheme, authority) = origin.split_once("://").unwrap_or(("http", origin));
    let host = Uri::try_from(format!("http://{authority}")).ok();
    let host = host.as_ref().and_then(Uri::host).unwrap_or_default();
    (matches!(scheme, "http" | "https") && !is_loopback(host)).then_some(origin)
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    address.is_ok_and(|address| address.is_loopback()) || host == "localhost" || host.ends_with(".localhost")
}

/// `text` as a header value; a text that cannot be one is left out.
pub(crate) fn value(text: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(text).ok()
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, Uri};
    use shim_upstream::Origin;

    use super::{credential, for_client, for_upstream, foreign_page, need};
    use crate::generation::HttpSetup;

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn credentials_pass_in_neither_direction() {
        let endpoint = HttpSetup {
            origin: Origin::parse("http://127.0.0.1:1").unwrap().0,
            base_path: String::new(),
            headers: map(&[("authorization", "Bearer upstream"), ("anthropic-version", "2023-06-01")]),
            request_allow: vec!["anthropic-beta".parse().unwrap(), "anthropic-version".parse().unwrap()],
            request_values: Vec::new(),
            ask_usage: false,
            secret: None,
        };
        let client = map(&[
            ("authorization", "Bearer client"),
            ("x-api-key", "client"),
            ("cookie", "a=b"),
            ("anthropic-beta", "x"),
            ("anthropic-version", "2024-01-01"),
            ("user-agent", "one"),
            ("user-agent", "two"),
            ("x-forwarded-for", "10.0.0.1"),
        ]);
        let sent = for_upstream(&client, &endpoint);
        let mut sent: Vec<_> = sent.iter().map(|(n, v)| (n.as_str(), v.to_str().unwrap())).collect();
        sent.sort_unstable();
        assert_eq!(
            sent,
            [
                ("anthropic-beta", "x"),
                ("anthropic-version", "2024-01-01"),
                ("authorization", "Bearer upstream"),
                ("user-agent", "one"),
            ]
        );
        let back = map(&[
            ("set-cookie", "s=1"),
            ("x-goog-api-key", "upstream"),
            ("authorization", "Bearer upstream"),
            ("x-ratelimit-remaining-tokens", "5"),
            ("retry-after", "2"),
            ("transfer-encoding", "chunked"),
        ]);
        let back = for_client(back);
        let mut names: Vec<_> = back.keys().map(http::HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["retry-after", "x-ratelimit-remaining-tokens"]);
    }

    #[track_caller]
    fn betas(allow: Option<&[&str]>, lines: &[&'static str], wanted: Option<&str>) {
        let name = http::HeaderName::from_static("anthropic-beta");
        let listed = |allow: &[&str]| (name.clone(), allow.iter().map(ToString::to_string).collect());
        let endpoint = HttpSetup {
            origin: Origin::parse("http://127.0.0.1:1").unwrap().0,
            base_path: String::new(),
            headers: HeaderMap::new(),
            request_allow: vec![name.clone()],
            request_values: allow.into_iter().map(listed).collect(),
            ask_usage: false,
            secret: None,
        };
        let mut client = HeaderMap::new();
        for line in lines {
            client.append(name.clone(), HeaderValue::from_static(line));
        }
        let sent = for_upstream(&client, &endpoint);
        assert_eq!(sent.get(&name).map(|value| value.to_str().unwrap()), wanted, "{allow:?} {lines:?}");
    }

    #[test]
    fn of_beta_headers_the_values_pass_that_the_provider_takes() {
        betas(None, &["a-1, b-2"], Some("a-1, b-2"));
        betas(None, &["a-1", "b-2,c-3"], Some("a-1,b-2,c-3"));
        betas(Some(&["a-*", "c-3"]), &["a-1, b-2", " c-3 ,,d"], Some("a-1,c-3"));
        betas(Some(&["a-*"]), &["b-2"], None);
        betas(Some(&[]), &["a-1"], None);
        betas(Some(&["a-*"]), &[], None);
    }

    #[test]
    fn what_a_body_needs_is_added_where_it_is_taken() {
        let name = http::HeaderName::from_static("anthropic-beta");
        let check = |allow: Option<&str>, set: Option<&'static str>, wanted: Option<&str>| {
            let endpoint = HttpSetup {
                origin: Origin::parse("http://127.0.0.1:1").unwrap().0,
                base_path: String::new(),
                headers: HeaderMap::new(),
                request_allow: Vec::new(),
                request_values: allow
                    .map(|allow| (name.clone(), vec![allow.to_owned()]))
                    .into_iter()
                    .collect(),
                ask_usage: false,
                secret: None,
            };
            let mut headers = HeaderMap::new();
            set.into_iter().for_each(|set| drop(headers.insert(&name, HeaderValue::from_static(set))));
            need(&mut headers, &endpoint, "anthropic-beta", "b-2");
            assert_eq!(headers.get(&name).map(|value| value.to_str().unwrap()), wanted);
        };
        check(None, None, Some("b-2"));
        check(None, Some("a-1"), Some("a-1,b-2"));
        check(Some("b-*"), None, Some("b-2"));
        check(Some("a-*"), Some("a-1"), Some("a-1"));
    }

    #[test]
    fn a_credential_is_found_where_each_sdk_puts_it() {
        let bare = Uri::from_static("/v1/messages");
        assert_eq!(credential(&map(&[("authorization", "Bearer a")]), &bare), Some(&b"a"[..]));
        assert_eq!(credential(&map(&[("authorization", "bearer a")]), &bare), Some(&b"a"[..]));
        assert_eq!(credential(&map(&[("authorization", "Basic a")]), &bare), None);
        assert_eq!(credential(&map(&[("x-api-key", "b")]), &bare), Some(&b"b"[..]));
        assert_eq!(credential(&map(&[("x-goog-api-key", "c")]), &bare), Some(&b"c"[..]));
        let query = Uri::from_static("/v1beta/models/m:generateContent?alt=sse&key=d");
        assert_eq!(credential(&map(&[]), &query), Some(&b"d"[..]));
        assert_eq!(credential(&map(&[]), &bare), None);
    }

    #[test]
    fn a_page_of_another_machine_is_told_from_one_of_this() {
        for own in [
            "http://localhost:3000",
            "https://app.localhost",
            "http://127.0.0.1:8080",
            "http://[::1]:8080",
            "chrome-extension://abcdef",
            "tauri://localhost",
        ] {
            assert_eq!(foreign_page(&map(&[("origin", own)])), None, "{own}");
        }
        for foreign in
            ["http://evil.example", "https://localhost.evil.example", "http://10.0.0.1", "null", ""]
        {
            assert_eq!(foreign_page(&map(&[("origin", foreign)])), Some(foreign));
        }
        assert_eq!(foreign_page(&map(&[])), None);
    }
}
