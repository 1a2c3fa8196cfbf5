//! Upstreams over TLS, on loopback: whom the gateway trusts, and what it says of those it does not.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use shim_gateway::{Control, Secrets, ServeLimits, Worker, serve_connection};
use shim_store::SqliteState;
use shim_upstream::{Network, Pool, PoolLimits};
use tokio::io::duplex;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};
use tokio_rustls::TlsAcceptor;

use crate::clients::good;
use crate::drain::House;
use crate::lab::{CONFIG, Lab, config, http1, post, read};
use crate::tongues::CHAT;

/// A root in PEM, and the certificate and key it vouches for, for `localhost`.
struct Certified {
    root: String,
    leaf: CertificateDer<'static>,
    key: PrivatePkcs8KeyDer<'static>,
}

fn certified() -> Certified {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let root = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    Certified { root, leaf: leaf.der().clone(), key: PrivatePkcs8KeyDer::from(key.serialize_der()) }
}

impl Certified {
    /// What a server of it shakes hands with, where it speaks one of these protocols.
    fn acceptor(&self, protocols: &[&str]) -> TlsAcceptor {
        let config = rustls::ServerConfig::builder().with_no_client_auth();
        let key = self.key.clone_key().into();
        let mut config = config.with_single_cert(vec![self.leaf.clone()], key).unwrap();
        config.alpn_protocols = protocols.iter().map(|p| p.as_bytes().to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }
}

/// Starts an upstream that speaks one of these protocols over TLS, and answers with the version it was asked in.
async fn upstream(certified: &Certified, protocols: &[&str]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = certified.acceptor(protocols);
    tokio::spawn(async move {
        while let Ok((io, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // A gateway that does not trust this upstream hangs up.
                let Ok(io) = acceptor.accept(io).await else { return };
                let answers = auto::Builder::new(TokioExecutor::new());
                let _ = answers.serve_connection(TokioIo::new(io), service_fn(answer)).await;
            });
        }
    });
    port
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let version = if request.version() == Version::HTTP_2 { "2" } else { "1.1" };
    let response =
        Response::builder().header("content-type", "application/json").header("x-request-id", version);
    Ok(response.body(Full::from(CHAT.good)).unwrap())
}

/// The root certificates, as the one file there is.
struct Files(String);

impl Secrets for Files {
    fn env(&self, _: &str) -> Option<String> {
        None
    }
    fn file(&self, path: &Path) -> Result<String, String> {
        assert_eq!(path, Path::new("lab.pem"));
        Ok(self.0.clone())
    }
}

/// Asks an upstream at `base` through a gateway that has `roots` for it; status, request id and body.
async fn ask(base: &str, roots: Option<&str>) -> (u16, String, String) {
    let tls = if roots.is_some() { "tls = { ca = { file = \"lab.pem\" } }" } else { "" };
    let text = format!(
        "[providers.lab]\ndialect=\"openai-chat\"\nbase_url=\"{base}/v1\"\n{tls}\n[aliases.chat]\ntarget=\"lab/one\"\n"
    );
    let store = Box::new(SqliteState::in_memory().unwrap());
    let files = Box::new(Files(roots.unwrap_or_default().to_owned()));
    let control = Control::start(config(&text), store, files, None).unwrap();
    let pool = Pool::new(PoolLimits::default());
    let worker = Arc::new(Worker { shared: control.shared().clone(), connect: Network::default(), pool });
    let (near, far) = duplex(64 << 10);
    tokio::spawn(async move { serve_connection(&worker, far, ServeLimits::default()).await });
    let response = http1(near).await.send_request(post(CHAT.whole.0, CHAT.whole.1)).await.unwrap();
    let version = response.headers().get("x-request-id").map(|v| v.to_str().unwrap().to_owned());
    let (status, body) = read(response).await;
    (status, version.unwrap_or_default(), body)
}

#[tokio::test]
async fn an_upstream_with_a_root_of_its_own_is_spoken_to_in_both_versions() {
    let certified = certified();
    for (protocols, version) in [(&["h2", "http/1.1"][..], "2"), (&["http/1.1"], "1.1"), (&[], "1.1")] {
        let port = upstream(&certified, protocols).await;
        let told = ask(&format!("https://localhost:{port}"), Some(&certified.root)).await;
        assert_eq!(told, (200, version.to_owned(), CHAT.good.to_owned()), "{protocols:?}");
    }
}

#[tokio::test]
async fn an_upstream_that_cannot_be_trusted_is_unreachable_and_the_reason_is_told() {
    let certified = certified();
    let port = upstream(&certified, &["http/1.1"]).await;
    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let plain_port = plain.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((io, _)) = plain.accept().await {
            let refusal = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
            let _ = tokio::io::AsyncWriteExt::write_all(&mut { io }, refusal).await;
        }
    });
    let other = self::certified().root;
    for (base, roots, says) in [
        (
            format!("https://localhost:{port}"),
            Some(&other),
            "not signed by a root this machine or the provider's `tls.ca`",
        ),
        (format!("https://127.0.0.1:{port}"), Some(&certified.root), "it is for another host name"),
        (format!("https://localhost:{plain_port}"), Some(&certified.root), "TLS failed"),
        ("https://localhost:1".to_owned(), None, "refused"),
        ("https://nowhere.invalid".to_owned(), None, "lookup"),
    ] {
        let (status, _, body) = ask(&base, roots.map(String::as_str)).await;
        assert_eq!(status, 502, "{base}: {body}");
        CHAT.check_fault(&base, &body, says);
        assert!(body.contains("\"code\":\"upstream_unreachable\""), "{body}");
    }
}

/// A client that connects to a TLS listener and says nothing is not waited for when the gateway shuts down.
#[tokio::test(start_paused = true)]
async fn a_drain_does_not_wait_for_a_client_that_never_shook_hands() {
    let house = House::with(Lab::new(CONFIG, good), ServeLimits::default(), Some(certified().acceptor(&[])));
    let silent = house.connect().unwrap();
    sleep(Duration::from_secs(1)).await;
    let since = Instant::now();
    house.stop();
    house.served.await.unwrap();
    assert_eq!(since.elapsed().as_secs(), 0);
    drop(silent);
}
