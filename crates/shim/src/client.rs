//! An HTTP client for the gateway's own listeners.

use std::net::IpAddr;

use anyhow::{Context as _, Result, bail};
use http::uri::{PathAndQuery, Scheme};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use shim_upstream::{Connect as _, Connected, Network, Origin, Protocol};

use crate::cli::Ask;

/// A gateway's listener for clients, as a command line names it.
#[derive(Clone, Debug)]
pub(crate) struct Gateway {
    origin: Origin,
    /// What stands before `/v1` of every path, where a proxy put something there.
    path: String,
}

impl Gateway {
    /// Reads `host:port` or a URL, with a slash or the version at its end or without.
    ///
    /// # Errors
    /// When it is neither. What was given is not told where a password may be in it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.contains(['@', '?', '#']) {
            return Err("the address of a gateway holds no credentials and ends with its path".to_owned());
        }
        let url = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let refused = || format!("\"{text}\" is no address of a gateway; write it as http://127.0.0.1:7446");
        let (origin, path) = Origin::parse(&url).map_err(|_| refused())?;
        let path = path.trim_end_matches('/');
        let path = path.strip_suffix("/v1").unwrap_or(path).trim_end_matches('/').to_owned();
        Ok(Self { origin, path })
    }

    /// Its URL, without the version and without a slash at its end.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.origin.tls() { "https" } else { "http" };
        let usual = if self.origin.tls() { 443 } else { 80 };
        let port =
            if self.origin.port() == usual { String::new() } else { format!(":{}", self.origin.port()) };
        format!("{scheme}://{}{port}{}", self.origin.host(), self.path)
    }

    /// Whether it is on this machine.
    pub(crate) fn is_near(&self) -> bool {
        let host = self.origin.bare_host();
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// Its host, as proxies' exceptions are written.
    pub(crate) fn host(&self) -> &str {
        self.origin.bare_host()
    }

    /// Sends a client's request: `path` goes on from its URL.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        key: &str,
        body: String,
    ) -> Result<Response<Incoming>> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.path))
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {key}"))
            .body(Full::from(body))?;
        let answer = send(&self.origin, request).await;
        answer.with_context(|| format!("no gateway answers at {}; start one with `shim up`", self.url()))
    }
}

/// Sends one request, whose URI is a path, and returns the head of the answer.
async fn send(to: &Origin, mut request: Request<Full<Bytes>>) -> Result<Response<Incoming>> {
    let Connected { io, protocol } = Network::default().connect(to).await?;
    match protocol {
        Protocol::Http1 => {
            request.headers_mut().insert("host", to.host_header()?);
            let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(io)).await?;
            tokio::spawn(connection);
            Ok(sender.send_request(request).await?)
        }
        Protocol::Http2 => {
            let mut parts = std::mem::take(request.uri_mut()).into_parts();
            parts.scheme = Some(Scheme::HTTPS);
            parts.authority = Some(format!("{}:{}", to.host(), to.port()).parse()?);
            parts.path_and_query.get_or_insert(PathAndQuery::from_static("/"));
            *request.uri_mut() = Uri::from_parts(parts)?;
            let made = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(io)).await;
            let (mut sender, connection) = made?;
            tokio::spawn(connection);
            Ok(sender.send_request(request).await?)
        }
    }
}

/// Asks the operators' API, and gives the JSON it answers with.
pub(crate) fn ask(
    ask: &Ask,
    method: &str,
    path: &str,
    body: Option<&serde_json::Value>,
) -> Result<serde_json::Value> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(secret) = &ask.secret {
            request = request.header("authorization", format!("Bearer {secret}"));
        }
        let body = body.map(ToString::to_string).unwrap_or_default();
        let request = request.header("content-type", "application/json").body(Full::from(body))?;
        let (origin, _) = Origin::parse(&format!("http://{}", ask.operators))?;
        let response = send(&origin, request).await;
        let response = response
            .with_context(|| format!("no gateway answers at {}; start one with `shim up`", ask.operators))?;
        let status = response.status();
        let bytes = response.into_body().collect().await?.to_bytes();
        let text = String::from_utf8_lossy(&bytes);
        let answer: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|_| text.trim().into());
        if status == StatusCode::UNAUTHORIZED {
            let given = if ask.secret.is_some() { "the one given is not it" } else { "none is given" };
            bail!("the gateway wants its operators' secret, and {given}: --secret, or SHIM_OPERATORS_SECRET");
        }
        if !status.is_success() {
            bail!("{}", answer["error"].as_str().unwrap_or(&text).trim());
        }
        Ok(answer)
    })
}

/// The operators' address, given as `host:port` or as an `http://` URL, as `host:port`.
pub(crate) fn operators(text: &str) -> Result<String, String> {
    let Gateway { origin, .. } = Gateway::parse(text)?;
    if origin.tls() {
        return Err("operators are listened for over plain HTTP; give the http:// address".to_owned());
    }
    Ok(format!("{}:{}", origin.host(), origin.port()))
}

#[cfg(test)]
mod tests {
    use super::{Gateway, operators};

    #[test]
    fn an_address_may_be_given_as_a_url() {
        for text in ["127.0.0.1:7447", "http://127.0.0.1:7447", "http://127.0.0.1:7447/"] {
            assert_eq!(operators(text).as_deref(), Ok("127.0.0.1:7447"), "{text}");
        }
        assert_eq!(operators("http://[::1]:7447").as_deref(), Ok("[::1]:7447"));
        assert!(operators("https://shim.example").unwrap_err().contains("plain HTTP"));
        assert!(operators("foo bar").unwrap_err().contains("is no address"));
    }

    #[test]
    fn a_gateway_is_named_in_several_ways_and_has_one_url() {
        for (text, url) in [
            ("127.0.0.1:8120", "http://127.0.0.1:8120"),
            ("http://127.0.0.1:8120/", "http://127.0.0.1:8120"),
            ("http://127.0.0.1:8120/v1/", "http://127.0.0.1:8120"),
            ("http://[::1]:8120//v1", "http://[::1]:8120"),
            ("https://shim.example:443/llm/v1", "https://shim.example/llm"),
            ("localhost", "http://localhost"),
        ] {
            assert_eq!(Gateway::parse(text).map(|gateway| gateway.url()).as_deref(), Ok(url), "{text}");
        }
        for text in ["foo bar", "", "http://", "ftp://shim.example", "http://127.0.0.1:99999", "http://:80"] {
            assert!(Gateway::parse(text).unwrap_err().contains("is no address of a gateway"), "{text}");
        }
        let told = Gateway::parse("http://user:SUPER@shim.example").unwrap_err();
        assert!(!told.contains("SUPER") && told.contains("no credentials"), "{told}");
    }
}
