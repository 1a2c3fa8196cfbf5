//! `shim up` and `shim serve`: the process around the gateway.

use std::io::IsTerminal as _;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::json;
use shim_admin::Operators;
use shim_config::{Config, LogFormat, SecretRef};
use shim_gateway::{
    Control, Secrets as _, ServeLimits, ServerTls, Together, Worker, bind, drain, settle_what_waits,
};
use shim_store::{ResponseLimits, SqliteResponses, SqliteState, SqliteVault, StateStore, VaultLimits};
use shim_telemetry::{Format, LineSink};
use shim_upstream::{Network, Pool, PoolLimits};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::announce::Announcement;
use crate::check::{notes, read, validate};
use crate::cli::{Listen, Serve};
use crate::found::{configuration, look};
use crate::host::Host;
use crate::watch::Watched;

/// Serves what can be found.
pub(crate) fn up(args: &Listen) -> Result<()> {
    for address in [args.listen, args.operators] {
        if !address.ip().is_loopback() {
            bail!(
                "{address} is not on loopback: anyone who reaches it could spend your money. Use `shim serve` with [keys]"
            );
        }
    }
    let (found, left_out) = look();
    let mut config = configuration(&found);
    config.server.listen = args.listen;
    config.server.operators = args.operators;
    let announce = |(clients, operators): (SocketAddr, SocketAddr), config: &Config, control: &Control| {
        let told = Announcement { found: &found, left_out: &left_out, clients, operators, config, control };
        if args.json { told.tell_json() } else { told.tell() }
    };
    host(&config, None, args.ready_file.as_deref(), announce)
}

/// Serves what a file says.
pub(crate) fn serve(args: &Serve) -> Result<()> {
    let text = read(&args.config)?;
    let config = match validate(&args.config, &text) {
        Ok(config) => config,
        Err(problems) => bail!("the configuration has problems:\n{problems}"),
    };
    let announce = |(clients, operators): (SocketAddr, SocketAddr), config: &Config, _: &Control| {
        notes(config, &Host).iter().for_each(|note| tracing::warn!("{note}"));
        crate::console::error(&format!("serving clients on {clients}, operators on {operators}"));
    };
    host(&config, Some(Watched::new(&args.config, text)), args.ready_file.as_deref(), announce)
}

/// Runs the gateway until it is told to stop.
fn host(
    config: &Config,
    file: Option<Watched>,
    ready: Option<&Path>,
    announce: impl FnOnce((SocketAddr, SocketAddr), &Config, &Control),
) -> Result<()> {
    logs();
    let (clients, operators) = listeners(config)?;
    let control = started(config)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(async {
        // Before anyone can know that it serves, and might tell it to stop.
        let mut signals = Signals::new()?;
        let at = (clients[0].local_addr()?, operators.local_addr()?);
        let (stop, stopped) = watch::channel(false);
        let workers = workers(config, &control, clients, &stopped)?;
        let (close, closed) = watch::channel(false);
        let admin = tokio::spawn(shim_admin::serve(admin(config, &control)?, operators.try_into()?, closed));
        told_ready(ready, at)?;
        announce(at, config, &control);
        let watching = file.map(|file| file.watch(control.clone(), config.clone())).transpose()?;
        signals.wait().await;
        if let Some(watching) = watching {
            watching.abort();
        }
        drain(control.shared());
        stop.send_replace(true);
        let done = tokio::select! {
            joined = tokio::task::spawn_blocking(move || join(workers)) => joined?,
            () = signals.wait() => Err(anyhow!("stopped at once by a second signal: what was under way is cut")),
        };
        // The operators' listener answers until the workers are done.
        close.send_replace(true);
        let _ = tokio::time::timeout(CLOSE, admin).await;
        done
    });
    close(&control, done.is_ok());
    // After a second signal there is a thread that waits for the workers.
    runtime.shutdown_background();
    done
}

/// What clients and operators are served from, with all that is stored.
fn started(config: &Config) -> Result<Arc<Control>> {
    let store: Box<dyn StateStore> = Box::new(SqliteState::open(&config.store)?);
    let control = Arc::new(Control::start(config.clone(), store, Box::new(Host), lines(config.log)?)?);
    crate::ledger::open(config, &control)?;
    control.shared().keep_responses(Arc::new(responses(config)?));
    control.shared().vault.attach(Arc::new(SqliteVault::open(&config.store, vault_limits(config.vault))?));
    Ok(control)
}

/// Closes what is stored: what waits is written. `orderly` says that no exchange is under way.
fn close(control: &Control, orderly: bool) {
    crate::ledger::close(control.shared(), orderly);
    control.shared().close_lines();
    control.shared().responses().close();
    control.shared().vault.flush();
}

/// The vault's bounds as the store counts them.
fn vault_limits(vault: shim_config::Vault) -> VaultLimits {
    let age_ms_max = u64::from(vault.days_max) * 24 * 3_600_000;
    VaultLimits { bytes_max: vault.bytes_max as u64, age_ms_max }
}

/// How long operators' requests under way may take at the end.
const CLOSE: Duration = Duration::from_millis(500);

/// Takes the addresses: for clients a listener for each worker, and one for operators.
fn listeners(config: &Config) -> Result<(Vec<TcpListener>, TcpListener)> {
    let server = &config.server;
    let count = server.workers.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let clients = bind(server.listen, count).with_context(|| busy(server.listen))?;
    let operators = bind(server.operators, 1).with_context(|| busy(server.operators))?;
    Ok((clients, operators.into_iter().next().with_context(|| busy(server.operators))?))
}

/// The answers that clients may go on from.
fn responses(config: &Config) -> Result<SqliteResponses> {
    let shim_config::Responses { bytes_max, age_max } = config.responses;
    let limits = ResponseLimits { responses_bytes_max: bytes_max, responses_age_max: age_max };
    SqliteResponses::open(&config.store, limits).context("the kept answers cannot be opened")
}

fn busy(address: SocketAddr) -> String {
    format!("cannot listen on {address}; is a gateway running there already?")
}

fn admin(config: &Config, control: &Arc<Control>) -> Result<Operators> {
    let secret = config.server.operators_secret.as_ref().map(secret).transpose()?;
    Ok(Operators { control: control.clone(), secret, version: env!("CARGO_PKG_VERSION") })
}

/// Writes the addresses down for who waits for them.
fn told_ready(ready: Option<&Path>, (clients, operators): (SocketAddr, SocketAddr)) -> Result<()> {
    let Some(ready) = ready else { return Ok(()) };
    let told = json!({ "clients": clients.to_string(), "operators": operators.to_string() });
    std::fs::write(ready, told.to_string()).with_context(|| ready.display().to_string())
}

/// SIGTERM and SIGINT, caught from now on.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next one.
    async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Diagnostics go to standard error; exchanges have lines of their own on standard output.
fn logs() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("SHIM_LOG").unwrap_or_else(|_| "warn".into());
    let coloured = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let made = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let made = made.with_target(false).with_ansi(coloured);
    // A second call in one process would be a bug of a test; the first subscriber goes on.
    let _ = made.try_init();
}

fn lines(format: LogFormat) -> Result<Option<(LineSink, Format)>> {
    let terminal = std::io::stdout().is_terminal();
    let format = match format {
        LogFormat::Off => return Ok(None),
        LogFormat::Text => Format::Text,
        LogFormat::Json => Format::Json,
        LogFormat::Auto if terminal => Format::Text,
        LogFormat::Auto => Format::Json,
    };
    Ok(Some((LineSink::start(std::io::stdout())?, format)))
}

/// Reads a secret.
pub(crate) fn secret(secret: &SecretRef) -> Result<String> {
    let text = match secret {
        SecretRef::Env(name) => {
            Host.env(name).with_context(|| format!("the environment variable {name} is not set"))?
        }
        SecretRef::File(file) => Host.file(file).map_err(anyhow::Error::msg)?,
    };
    Ok(text.trim().to_owned())
}

/// The certificate of the clients' listener.
pub(crate) fn tls(config: &Config) -> Result<ServerTls> {
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};

    let Some(tls) = &config.server.tls else { return Ok(None) };
    let chain = CertificateDer::pem_file_iter(&tls.cert).with_context(|| tls.cert.display().to_string())?;
    let chain = chain.collect::<Result<Vec<_>, _>>().with_context(|| tls.cert.display().to_string())?;
    let key = PrivateKeyDer::from_pem_file(&tls.key).with_context(|| tls.key.display().to_string())?;
    let made = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key);
    let mut made = made.context("the certificate and its key do not go together")?;
    made.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Some(Arc::new(made).into()))
}

/// Starts a thread for each listener, each with a runtime and a pool of its own: nothing is shared on the path of a
/// request but the snapshot.
fn workers(
    config: &Config,
    control: &Arc<Control>,
    listeners: Vec<TcpListener>,
    stopped: &watch::Receiver<bool>,
) -> Result<Vec<JoinHandle<Result<()>>>> {
    let tls = tls(config)?;
    let limits = ServeLimits {
        connections_max: config.server.connections_max.div_ceil(listeners.len().max(1)),
        head_timeout: config.server.head_timeout,
        stall_timeout: config.server.stall_timeout,
        drain_timeout: config.server.drain_timeout,
        ..ServeLimits::default()
    };
    let connect = Network::default();
    let start = |(n, listener): (usize, TcpListener)| {
        let worker = Worker {
            shared: control.shared().clone(),
            connect: connect.clone(),
            pool: Pool::new(PoolLimits::default()),
        };
        let (tls, stopped) = (tls.clone(), stopped.clone());
        let run = move || -> Result<()> {
            let mut builder = tokio::runtime::Builder::new_current_thread();
            let runtime = builder.enable_all().on_thread_park(settle_what_waits).build()?;
            let _together = Together::new();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                shim_gateway::serve(Arc::new(worker), listener, tls, limits, stopped).await;
                Ok(())
            })
        };
        Ok(std::thread::Builder::new().name(format!("worker-{n}")).spawn(run)?)
    };
    listeners.into_iter().enumerate().map(start).collect()
}

fn join(workers: Vec<JoinHandle<Result<()>>>) -> Result<()> {
    for worker in workers {
        match worker.join() {
            Ok(done) => done?,
            Err(_) => bail!("a worker ended by a bug"),
        }
    }
    Ok(())
}
