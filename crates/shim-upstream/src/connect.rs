//! Opening a connection: TCP, and TLS by rustls with the platform's trust store.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use rustls::pki_types::ServerName;
use rustls_platform_verifier::ConfigVerifierExt as _;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::Origin;

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
    tls: Arc<OnceLock<Arc<rustls::ClientConfig>>>,
}

impl Network {
    fn tls(&self) -> io::Result<TlsConnector> {
        if let Some(config) = self.tls.get() {
            return Ok(TlsConnector::from(config.clone()));
        }
        let mut config = rustls::ClientConfig::with_platform_verifier().map_err(io::Error::other)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(TlsConnector::from(self.tls.get_or_init(|| Arc::new(config)).clone()))
    }
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
        let tls = self.tls()?.connect(name, tcp).await?;
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
