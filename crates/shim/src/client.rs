//! A plain HTTP/1.1 client for the gateway's own listeners.

use anyhow::{Context as _, Result, bail};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::cli::Ask;

/// Sends one request to `address` and returns the head of the answer.
pub(crate) async fn send(address: &str, request: Request<Full<Bytes>>) -> Result<Response<Incoming>> {
    let stream = TcpStream::connect(address).await;
    let stream =
        stream.with_context(|| format!("no gateway answers at {address}; start one with `shim up`"))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender.send_request(request).await?)
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
        let mut request = Request::builder().method(method).uri(path).header("host", &ask.operators);
        if let Some(secret) = &ask.secret {
            request = request.header("authorization", format!("Bearer {secret}"));
        }
        let body = body.map(ToString::to_string).unwrap_or_default();
        let request = request.header("content-type", "application/json").body(Full::from(body))?;
        let response = send(&ask.operators, request).await?;
        let status = response.status();
        let bytes = response.into_body().collect().await?.to_bytes();
        let text = String::from_utf8_lossy(&bytes);
        let answer: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|_| text.trim().into());
        if !status.is_success() {
            bail!("{}", answer["error"].as_str().unwrap_or(&text).trim());
        }
        Ok(answer)
    })
}

/// Host and port of an `http://` URL.
pub(crate) fn address(url: &str) -> Result<String> {
    let uri: http::Uri = url.parse().with_context(|| format!("\"{url}\" is not a URL"))?;
    let host = uri.host().with_context(|| format!("\"{url}\" names no host"))?;
    if uri.scheme_str() == Some("https") {
        bail!("the gateway is spoken to over plain HTTP here; give its http:// address");
    }
    Ok(format!("{host}:{}", uri.port_u16().unwrap_or(80)))
}

/// The operators' address, given as `host:port` or as an `http://` URL.
pub(crate) fn operators(text: &str) -> Result<String, String> {
    match text.contains("://") {
        true => address(text).map_err(|error| error.to_string()),
        false => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::operators;

    #[test]
    fn an_address_may_be_given_as_a_url() {
        for text in ["127.0.0.1:7447", "http://127.0.0.1:7447", "http://127.0.0.1:7447/"] {
            assert_eq!(operators(text).as_deref(), Ok("127.0.0.1:7447"), "{text}");
        }
        assert_eq!(operators("http://[::1]:7447").as_deref(), Ok("[::1]:7447"));
        assert!(operators("https://shim.example").unwrap_err().contains("plain HTTP"));
    }
}
