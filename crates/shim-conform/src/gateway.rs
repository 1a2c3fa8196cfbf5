//! The gateway under proof, and its clients.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use shim_config::{Config, Key, SecretRef};
use shim_gateway::{Control, ControlError, Secrets, ServeLimits, Setup, Worker, bind, serve};
use shim_ir::KeyId;
use shim_store::{SqliteState, StoreError};
use shim_telemetry::Settled;
use shim_upstream::{Pool, PoolLimits};
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::check::Heard;
use crate::script::Led;
use crate::tongue::Asked;

/// Why a proof cannot begin.
#[derive(Debug, Error)]
pub enum ConformError {
    /// There is nothing to try.
    #[error("there is nothing to try: {0}")]
    Nothing(String),
    /// The configuration cannot be put in force.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The store in memory cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No port can be had, or the gateway under proof cannot be reached.
    #[error("loopback failed: {0}")]
    Loopback(#[from] std::io::Error),
}

/// How long a client waits for an answer. Scripts answer at once, so whoever waits longer waits in vain.
const PATIENCE: Duration = Duration::from_secs(20);

/// Stands for every secret: no real one is needed, and none is sent anywhere.
pub(crate) struct Placeholders;

impl Secrets for Placeholders {
    fn env(&self, name: &str) -> Option<String> {
        let place = format!("{{{name}}}");
        let endpoints = shim_catalog::providers().iter().flat_map(|provider| &provider.endpoints);
        if endpoints.into_iter().any(|endpoint| endpoint.base_url.contains(&place)) {
            return Some(format!("https://{}.invalid", name.to_lowercase().replace('_', "-")));
        }
        Some(placeholder(name))
    }

    fn file(&self, path: &Path) -> Result<String, String> {
        Ok(placeholder(&path.to_string_lossy()))
    }
}

/// A word for what `name` names: another for each, and fit for a header.
fn placeholder(name: &str) -> String {
    let fit =
        |c: char| if c.is_ascii_alphanumeric() { c.to_string() } else { format!("_{:x}", u32::from(c)) };
    format!("placeholder-{}", name.chars().map(fit).collect::<String>())
}

/// The name of the key that the proof's clients present, where keys are configured.
const KEY: &str = "shim-conform";

/// What the proof's clients present.
pub(crate) fn credential() -> String {
    placeholder(KEY)
}

/// The configuration as far as the proof is concerned: its listeners' addresses and its own roots are of no use on
/// loopback, and where clients need a key there is one that may ask for everything.
pub(crate) fn prepared(mut config: Config) -> Config {
    for provider in config.providers.values_mut() {
        provider.ca = None;
    }
    if let Some(id) = KeyId::new(KEY).ok().filter(|_| !config.keys.is_empty()) {
        let secret = SecretRef::Env(KEY.to_owned());
        config.keys.insert(id, Key { secret, grant: shim_policy::access::Grant::default() });
    }
    config
}

/// What a configuration comes to, with placeholders for its secrets.
///
/// # Errors
/// When it cannot be put in force.
pub(crate) fn setup(config: &Config) -> Result<Setup, ConformError> {
    let setup = shim_gateway::resolve(config, &BTreeMap::new(), &[], &Placeholders);
    setup.map_err(|errors| ControlError::Secrets(errors).into())
}

/// The gateway under proof, on a loopback port.
pub(crate) struct Gateway {
    control: Control,
    address: std::net::SocketAddr,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

impl Gateway {
    /// Starts one from `config`.
    ///
    /// # Errors
    /// When it cannot be put in force, or no port can be had.
    pub(crate) fn start(config: Config, led: Led) -> Result<Self, ConformError> {
        let limits = ServeLimits { drain_timeout: Duration::ZERO, ..ServeLimits::default() };
        let store = Box::new(SqliteState::in_memory()?);
        let control = Control::start(config, store, Box::new(Placeholders), None)?;
        let shared = control.shared().clone();
        let worker = Arc::new(Worker { shared, connect: led, pool: Pool::new(PoolLimits::default()) });
        let bound = bind(([127, 0, 0, 1], 0).into(), 1)?.into_iter().next();
        let bound = bound.ok_or_else(|| std::io::Error::from(std::io::ErrorKind::AddrNotAvailable))?;
        let listener = TcpListener::from_std(bound)?;
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        let serving = tokio::spawn(serve(worker, listener, None, limits, stopped));
        Ok(Self { control, address, stop, serving })
    }

    /// Puts another configuration in force.
    ///
    /// # Errors
    /// When it cannot be.
    pub(crate) fn reload(&self, config: Config) -> Result<(), ConformError> {
        self.control.reload(config)?;
        Ok(())
    }

    /// Ends it.
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        // What is left of it holds nothing up: the runtime of the proof ends with the proof.
        let _ = timeout(PATIENCE, self.serving).await;
    }

    /// Sends one request on a connection of its own.
    ///
    /// # Errors
    /// With the reason, when there is no answer.
    pub(crate) async fn ask(&self, asked: &Asked) -> Result<Heard, String> {
        match timeout(PATIENCE, self.heard(asked)).await {
            Ok(Ok(heard)) => Ok(heard),
            Ok(Err(error)) => Err(format!("the gateway did not answer: {error}")),
            Err(_) => Err(format!("the gateway did not end its answer within {PATIENCE:?}")),
        }
    }

    async fn heard(&self, asked: &Asked) -> Result<Heard, Box<dyn std::error::Error + Send + Sync>> {
        let io = TokioIo::new(TcpStream::connect(self.address).await?);
        let (mut sender, connection) = http1::handshake(io).await?;
        let connection = tokio::spawn(connection);
        let request = Request::post(&asked.path)
            .header("host", self.address.to_string())
            .header("content-type", "application/json")
            .header("anthropic-version", "2023-06-01")
            .header(asked.credential.0, &asked.credential.1)
            .body(Full::new(Bytes::from(asked.body.to_string())))?;
        let (parts, mut incoming) = sender.send_request(request).await?.into_parts();
        let (mut body, mut broken) = (Vec::new(), false);
        while let Some(frame) = incoming.frame().await {
            match frame.map(hyper::body::Frame::into_data) {
                Ok(data) => body.extend_from_slice(&data.unwrap_or_default()),
                Err(_) => broken = true,
            }
        }
        connection.abort();
        Ok(Heard { status: parts.status.as_u16(), headers: parts.headers, body, broken })
    }

    /// The record of the exchange that an answer names, once it is settled.
    pub(crate) async fn record(&self, heard: &Heard) -> Option<Settled> {
        let id = heard.headers.get("x-shim-exchange")?.to_str().ok()?;
        let found = async {
            loop {
                match self.control.shared().recent(id) {
                    Some(settled) => return settled,
                    None => tokio::task::yield_now().await,
                }
            }
        };
        timeout(PATIENCE, found).await.ok()
    }
}
