//! Opening a connection: TCP, and TLS by rustls with the platform's trust store and a provider's own roots.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig};
use rustls_platform_verifier::Verifier;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::{Origin, Roots};

/// What a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2, as agreed by ALPN.
    Http2,
}

/// A connection and what it speaks.
#[derive(Debug)]
pub struct Connected<S> {
    /// The byte stream.
    pub io: S,
    /// What is spoken over it.
    pub protocol: Protocol,
}

/// Opens connections. The gateway's tests put a simulated network here.
pub trait Connect: Clone + Send + Sync + 'static {
    /// The byte stream of a connection.
    type Io: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Opens a connection to `origin`.
    fn connect(&self, origin: &Origin) -> impl Future<Output = io::Result<Connected<Self::Io>>> + Send;
}

/// Connections over the machine's network.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// Built at the first TLS connection: reading the platform's roots takes time and memory nobody may need.
    tls: Arc<OnceLock<Arc<ClientConfig>>>,
}

impl Network {
    fn tls(&self, roots: Option<&Roots>) -> io::Result<TlsConnector> {
        let place = roots.map_or(&*self.tls, Roots::config);
        if let Some(config) = place.get() {
            return Ok(TlsConnector::from(config.clone()));
        }
        let config = client_config(roots).map_err(io::Error::other)?;
        Ok(TlsConnector::from(place.get_or_init(|| Arc::new(config)).clone()))
    }
}

fn client_config(roots: Option<&Roots>) -> Result<ClientConfig, rustls::Error> {
    let builder = ClientConfig::builder();
    let roots = roots.map(Roots::owned).unwrap_or_default();
    let verifier = Verifier::new_with_extra_roots(roots, builder.crypto_provider().clone())?;
    let verified = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = verified.with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// Why a connection could not be opened, in words a client may read.
pub(crate) fn why(error: &io::Error) -> String {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(why)) => certificate(why),
        Some(other) => format!("TLS failed: {other}"),
        None => error.to_string(),
    }
}

fn certificate(why: &CertificateError) -> String {
    let told = match why {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "it is not signed by a root this machine or the provider's `tls.ca` trusts"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is for another host name"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "it is not valid yet",
        CertificateError::Revoked => "it was revoked",
        _ => return format!("its certificate is refused: {why}"),
    };
    format!("its certificate is refused: {told}")
}

impl Connect for Network {
    type Io = Io;

    async fn connect(&self, origin: &Origin) -> io::Result<Connected<Io>> {
        let tcp = TcpStream::connect((origin.bare_host(), origin.port())).await?;
        tcp.set_nodelay(true)?;
        if !origin.tls() {
            return Ok(Connected { io: Io::Plain(tcp), protocol: Protocol::Http1 });
        }
        let name = ServerName::try_from(origin.bare_host().to_owned()).map_err(io::Error::other)?;
        let tls = self.tls(origin.roots())?.connect(name, tcp).await?;
        let protocol = match tls.get_ref().1.alpn_protocol() {
            Some(b"h2") => Protocol::Http2,
            _ => Protocol::Http1,
        };
        Ok(Connected { io: Io::Tls(Box::new(tls)), protocol })
    }
}

/// A connection over the network, plain or through TLS.
#[derive(Debug)]
pub enum Io {
    /// Plain TCP.
    Plain(TcpStream),
    /// TLS over TCP.
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Io {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_read(cx, buf),
            Self::Tls(io) => Pin::new(io).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Io {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_write(cx, bytes),
            Self::Tls(io) => Pin::new(io).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_write_vectored(cx, bufs),
            Self::Tls(io) => Pin::new(io).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(io) => io.is_write_vectored(),
            Self::Tls(io) => io.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_flush(cx),
            Self::Tls(io) => Pin::new(io).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_shutdown(cx),
            Self::Tls(io) => Pin::new(io).poll_shutdown(cx),
        }
    }
}
