//! Scripted upstreams: on loopback, one for each origin of the configuration, and the way there.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use shim_ir::Dialect;
use shim_upstream::{Connect, Connected, Origin, Protocol};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::case::{Case, Does};
use crate::data::Scripts;
use crate::tongue::{Tongue, tongue};

/// Where one target is asked: what its provider's endpoint is by the configuration.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// How it is spoken to.
    pub(crate) dialect: Dialect,
    /// Scheme, host and port.
    pub(crate) origin: String,
    /// What stands before the dialect's paths.
    pub(crate) base_path: String,
    /// The headers that every request must have, the host and the credential among them.
    pub(crate) headers: HeaderMap,
    /// The provider's name for the model.
    pub(crate) model: String,
}

/// What is played just now.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    /// What the upstream does.
    pub(crate) case: &'static Case,
    /// The targets of the alias, in order.
    pub(crate) places: Vec<Place>,
    /// Which of them plays; those before it are overloaded.
    pub(crate) plays: usize,
}

/// What an upstream got.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    /// Which of the scene's places; none where the request is for none of them.
    pub(crate) place: Option<usize>,
    /// Host, path and query.
    pub(crate) address: String,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The body, as JSON.
    pub(crate) body: Value,
    /// Whether a stream was asked for.
    pub(crate) stream: bool,
}

/// The scripted upstreams. Dropping it ends them.
#[derive(Debug)]
pub(crate) struct Stage {
    shared: Arc<Shared>,
    addresses: Arc<BTreeMap<String, SocketAddr>>,
    _servers: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    scripts: Scripts,
    scene: Mutex<Option<Scene>>,
    got: Mutex<Vec<Got>>,
}

/// Leads every connection to the scripted upstream of its origin. TLS ends here: it is not part of the proof.
#[derive(Clone, Debug)]
pub(crate) struct Led(Arc<BTreeMap<String, SocketAddr>>);

impl Connect for Led {
    type Io = TcpStream;

    async fn connect(&self, origin: &Origin) -> io::Result<Connected<TcpStream>> {
        let address = self.0.get(&origin.to_string()).ok_or(io::ErrorKind::HostUnreachable)?;
        let io = TcpStream::connect(address).await?;
        io.set_nodelay(true)?;
        Ok(Connected { io, protocol: Protocol::Http1 })
    }
}

impl Stage {
    /// Starts an upstream for each of `origins`.
    ///
    /// # Errors
    /// When no port can be had.
    pub(crate) async fn open(origins: impl Iterator<Item = String>, scripts: Scripts) -> io::Result<Self> {
        let shared = Arc::new(Shared { scripts, scene: Mutex::default(), got: Mutex::default() });
        let (mut addresses, mut servers) = (BTreeMap::new(), JoinSet::new());
        for origin in origins {
            if !addresses.contains_key(&origin) {
                let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
                addresses.insert(origin.clone(), listener.local_addr()?);
                servers.spawn(listen(listener, origin, shared.clone()));
            }
        }
        Ok(Self { shared, addresses: Arc::new(addresses), _servers: servers })
    }

    /// The way to them.
    pub(crate) fn led(&self) -> Led {
        Led(self.addresses.clone())
    }

    /// Sets a scene.
    pub(crate) fn set(&self, scene: Scene) {
        *lock(&self.shared.scene) = Some(scene);
        lock(&self.shared.got).clear();
    }

    /// What was asked since then.
    pub(crate) fn got(&self) -> Vec<Got> {
        std::mem::take(&mut lock(&self.shared.got))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn listen(listener: TcpListener, origin: String, shared: Arc<Shared>) {
    let origin: Arc<str> = origin.into();
    // The connections end with the listener.
    let mut connections = JoinSet::new();
    while let Ok((io, _)) = listener.accept().await {
        let (origin, shared) = (origin.clone(), shared.clone());
        let service = service_fn(move |request| play(shared.clone(), origin.clone(), request));
        connections.spawn(async move {
            // A script that breaks a connection off ends here; what the client saw of it is checked there.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(io), service).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// What is answered: status, more headers, and the pieces of the body.
struct Told {
    status: u16,
    retry_after: Option<u64>,
    /// Whether it is an event stream.
    streamed: bool,
    pieces: Vec<io::Result<Bytes>>,
}

async fn play(
    shared: Arc<Shared>,
    origin: Arc<str>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let (parts, body) = request.into_parts();
    let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let body = serde_json::from_slice(&bytes).unwrap_or_default();
    let path = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let scene = lock(&shared.scene).clone();
    let told = scene.and_then(|scene| {
        let place = scene.places.iter().position(|place| is_at(place, &origin, &path, &body));
        let stream = body["stream"] == true || path.contains(":streamGenerateContent");
        let address = format!("{origin}{path}");
        let forced = place.and_then(|at| tongue(scene.places.get(at)?.dialect).forced(&body));
        lock(&shared.got).push(Got { place, address, headers: parts.headers, body, stream });
        let told = told(&shared.scripts, &scene, place?, forced.as_deref(), stream)?;
        let array = path.contains(":streamGenerateContent") && !path.ends_with("?alt=sse");
        Some(if array { told.into_array() } else { told })
    });
    Ok(response(told.unwrap_or_else(|| {
        Told::whole(404, "{\"error\":{\"message\":\"nothing is played here\"}}".to_owned())
    })))
}

/// Whether a request is for a place: its origin, its path and the model it names.
fn is_at(place: &Place, origin: &str, path: &str, body: &Value) -> bool {
    let model = path.replace("%2F", "/");
    let wanted = |stream| format!("{}{}", place.base_path, tongue(place.dialect).path(&place.model, stream));
    let (whole, streamed) = (wanted(false), wanted(true));
    let here = [whole.as_str(), &streamed, streamed.trim_end_matches("?alt=sse")];
    let here = here.iter().any(|wanted| *wanted == path || *wanted == model);
    let named = place.dialect == Dialect::Gemini || body["model"] == place.model.as_str();
    place.origin == origin && here && named
}

/// What is told at the `at`-th place of a scene; `None` where there is no script for it.
fn told(scripts: &Scripts, scene: &Scene, at: usize, forced: Option<&str>, stream: bool) -> Option<Told> {
    let dialect = scene.places.get(at)?.dialect;
    let error = |name: &str, status| Some(Told::whole(status, scripts.answer(dialect, name, false)?));
    if at < scene.plays {
        return error("overloaded", if dialect == Dialect::Anthropic { 529 } else { 503 });
    }
    match &scene.case.does {
        Does::Refuses(refuses) => {
            let status = if dialect == Dialect::Anthropic { refuses.anthropic } else { refuses.status };
            let mut told = error(scene.case.data, status)?;
            told.retry_after = refuses.retry_after;
            Some(told)
        }
        Does::Breaks | Does::Stops if !stream => {
            let text = scripts.answer(dialect, "plain", false)?;
            let half = text.get(..text.len() / 2)?.to_owned();
            Some(Told::whole(200, half).broken(matches!(scene.case.does, Does::Breaks)))
        }
        Does::Says(_) if forced.is_some() => {
            let text = scripts.by_tool(dialect, scene.case.data, forced?, stream)?;
            Some(if stream { Told::stream(&text, false) } else { Told::whole(200, text) })
        }
        Does::Says(_) | Does::StandsIn(_) | Does::Fails | Does::Breaks | Does::Stops if stream => {
            let text = scripts.answer(dialect, scene.case.data, true)?;
            let told = Told::stream(&text, scene.case.name == "unicode");
            Some(told.broken(matches!(scene.case.does, Does::Breaks)))
        }
        Does::Says(_) | Does::StandsIn(_) | Does::Fails | Does::Breaks | Does::Stops => {
            error(scene.case.data, 200)
        }
    }
}

/// Bytes a piece has in a stream that is cut anywhere: an odd number, less than an escape or an emoji takes.
const ODD_PIECE: usize = 5;

impl Told {
    fn whole(status: u16, body: String) -> Self {
        Self { status, retry_after: None, streamed: false, pieces: vec![Ok(body.into())] }
    }

    /// A stream, a frame a piece; or cut `anywhere`.
    fn stream(text: &str, anywhere: bool) -> Self {
        let pieces: Vec<_> = if anywhere {
            text.as_bytes().chunks(ODD_PIECE).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect()
        } else {
            let end = if text.contains("\r\n\r\n") { "\r\n\r\n" } else { "\n\n" };
            text.split_inclusive(end).map(|frame| Ok(Bytes::copy_from_slice(frame.as_bytes()))).collect()
        };
        Self { status: 200, retry_after: None, streamed: true, pieces }
    }

    /// A stream as one array that grows, an element a piece. One that is cut lacks its closing bracket.
    fn into_array(mut self) -> Self {
        if !self.streamed {
            return self;
        }
        let broken = self.pieces.last().is_some_and(Result::is_err).then(|| self.pieces.pop()).flatten();
        let text: Vec<u8> = self.pieces.iter().flatten().flat_map(|piece| piece.to_vec()).collect();
        let text = String::from_utf8_lossy(&text).into_owned();
        let elements: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
        let last = elements.last().copied().unwrap_or_default();
        let ended = last.contains("\"finishReason\"") || last.contains("\"error\"");
        let begins = std::iter::once("[").chain(std::iter::repeat(",\r\n"));
        let piece = |(begin, element)| Ok(Bytes::from(format!("{begin}{element}\n")));
        self.pieces = begins.zip(elements).map(piece).collect();
        self.pieces.extend(ended.then(|| Ok(Bytes::from_static(b"]"))));
        self.pieces.extend(broken);
        self.streamed = false;
        self
    }

    /// The same, the connection breaking off behind it.
    fn broken(mut self, breaks: bool) -> Self {
        if breaks {
            self.pieces.push(Err(io::ErrorKind::ConnectionReset.into()));
        }
        self
    }
}

fn response(told: Told) -> Response<Body> {
    let pieces = told.pieces.into_iter().map(|piece| piece.map(Frame::data));
    let mut response = Response::new(UnsyncBoxBody::new(StreamBody::new(stream::iter(pieces))));
    *response.status_mut() = http::StatusCode::from_u16(told.status).unwrap_or_default();
    let kind = if told.streamed { "text/event-stream" } else { "application/json" };
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(kind));
    if let Some(seconds) = told.retry_after {
        headers.insert(http::header::RETRY_AFTER, seconds.into());
    }
    response
}

/// What of a request to a place is not as the configuration and the dialect have it.
pub(crate) fn misdirected(got: &Got, place: &Place) -> Vec<String> {
    let speaks: &dyn Tongue = tongue(place.dialect);
    let mut faults = Vec::new();
    for (name, value) in &place.headers {
        // A client's own header may stand for one that is not the credential.
        let differs = if value.is_sensitive() || name == http::header::HOST {
            got.headers.get(name) != Some(value)
        } else {
            !got.headers.contains_key(name)
        };
        if differs {
            faults.push(format!("{} lacks the header {name} as the configuration has it", got.address));
        }
    }
    if let Some(name) = speaks.must_header().filter(|name| !got.headers.contains_key(*name)) {
        faults.push(format!("{} lacks the header {name}", got.address));
    }
    faults
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};
    use serde_json::json;
    use shim_ir::Dialect;

    use super::{Got, Place, Told, is_at, misdirected};

    fn place(dialect: Dialect, base_path: &str) -> Place {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("lab.test"));
        let mut secret = HeaderValue::from_static("secret");
        secret.set_sensitive(true);
        headers.insert("x-api-key", secret);
        let (origin, model) = ("https://lab.test:443".to_owned(), "org/model".to_owned());
        Place { dialect, origin, base_path: base_path.to_owned(), headers, model }
    }

    #[test]
    fn a_request_is_for_the_place_of_its_origin_path_and_model() {
        let chat = place(Dialect::OpenaiChat, "/deep/v1");
        let (origin, path, body) =
            ("https://lab.test:443", "/deep/v1/chat/completions", json!({ "model": "org/model" }));
        assert!(is_at(&chat, origin, path, &body));
        assert!(!is_at(&chat, "https://other.test:443", path, &body));
        assert!(!is_at(&chat, origin, "/v1/chat/completions", &body));
        assert!(!is_at(&chat, origin, path, &json!({ "model": "other" })));
        let gemini = place(Dialect::Gemini, "");
        assert!(is_at(&gemini, origin, "/v1beta/models/org%2Fmodel:generateContent", &json!({})));
        assert!(!is_at(&gemini, origin, "/v1beta/models/other:generateContent", &json!({})));
    }

    #[test]
    fn a_stream_becomes_an_array_that_is_closed_where_the_stream_is() {
        let array = |text: &str| {
            let pieces = Told::stream(text, false).into_array().pieces;
            pieces
                .into_iter()
                .flatten()
                .map(|piece| String::from_utf8(piece.to_vec()).unwrap())
                .collect::<String>()
        };
        let (one, end) = ("data: {\"a\":1}\r\n\r\n", "data: {\"finishReason\":\"STOP\"}\r\n\r\n");
        assert_eq!(array(&format!("{one}{end}")), "[{\"a\":1}\n,\r\n{\"finishReason\":\"STOP\"}\n]");
        assert_eq!(array(one), "[{\"a\":1}\n");
    }

    #[test]
    fn a_request_without_its_credential_host_or_version_is_found() {
        let place = place(Dialect::Anthropic, "");
        let mut headers = place.headers.clone();
        headers.insert("anthropic-version", HeaderValue::from_static("2023-06-01"));
        let faults = |headers: &HeaderMap| {
            let address = "https://lab.test:443/v1/messages".to_owned();
            let got =
                Got { place: Some(0), address, headers: headers.clone(), body: json!({}), stream: false };
            misdirected(&got, &place).len()
        };
        assert_eq!(faults(&headers), 0);
        for name in ["x-api-key", "host", "anthropic-version"] {
            let mut without = headers.clone();
            without.remove(name);
            assert_eq!(faults(&without), 1, "{name}");
        }
        headers.insert("x-api-key", HeaderValue::from_static("a client's"));
        assert_eq!(faults(&headers), 1);
    }
}
