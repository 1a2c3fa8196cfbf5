//! Who may speak to the operators' listener.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode};
use sha2::{Digest as _, Sha256};

use crate::Operators;

/// Lets a request pass that has the token, where one is configured, and that no web page of another origin sent.
///
/// A page a browser shows can reach loopback too: it always names its origin, or is tricked there by a host name that
/// resolves to loopback, which then stands in `host`.
pub(crate) async fn guard(State(operators): State<Operators>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    if !same_origin(headers) {
        return (StatusCode::FORBIDDEN, "requests of web pages of other origins are refused\n")
            .into_response();
    }
    let open = matches!(request.uri().path(), "/healthz" | "/readyz");
    match &operators.secret {
        Some(secret) if !open && !presents(headers, secret) => {
            (StatusCode::UNAUTHORIZED, "present the operators' secret as a bearer token\n").into_response()
        }
        None if !loopback_host(headers) => {
            (StatusCode::FORBIDDEN, "without an operators' secret only loopback names are answered\n")
                .into_response()
        }
        Some(_) | None => next.run(request).await,
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

fn same_origin(headers: &HeaderMap) -> bool {
    let Some(origin) = text(headers, "origin") else { return true };
    let host = text(headers, "host").unwrap_or_default();
    origin.split_once("://").is_some_and(|(_, authority)| authority == host)
}

/// Whether `host` is a name of loopback.
fn loopback_host(headers: &HeaderMap) -> bool {
    let host = text(headers, "host").unwrap_or_default();
    let name = if host.starts_with('[') { host.split_inclusive(']').next() } else { host.split(':').next() };
    matches!(name, Some("localhost" | "127.0.0.1" | "[::1]"))
}

/// Compares hashes, so that the time taken tells nothing of the secret.
fn presents(headers: &HeaderMap, secret: &str) -> bool {
    let shown = text(headers, "authorization").and_then(|v| v.strip_prefix("Bearer ")).unwrap_or_default();
    Sha256::digest(shown) == Sha256::digest(secret)
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::{loopback_host, presents, same_origin};

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap())).collect()
    }

    #[test]
    fn web_pages_of_others_are_kept_out() {
        assert!(same_origin(&map(&[("host", "127.0.0.1:7447")])));
        assert!(same_origin(&map(&[("host", "127.0.0.1:7447"), ("origin", "http://127.0.0.1:7447")])));
        assert!(!same_origin(&map(&[("host", "127.0.0.1:7447"), ("origin", "https://evil.example")])));
        assert!(!same_origin(&map(&[("host", "127.0.0.1:7447"), ("origin", "null")])));
        assert!(loopback_host(&map(&[("host", "[::1]:7447")])));
        assert!(!loopback_host(&map(&[("host", "rebound.example:7447")])));
        assert!(presents(&map(&[("authorization", "Bearer s")]), "s"));
        assert!(!presents(&map(&[]), "s"));
    }
}
