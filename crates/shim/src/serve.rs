//! `shim up` and `shim serve`: the process around the gateway.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, bail};
use serde_json::json;
use shim_admin::Operators;
use shim_config::{Config, LogFormat, SecretRef};
use shim_gateway::{Control, Secrets as _, ServeLimits, ServerTls, Worker, bind, drain};
use shim_store::{SqliteState, StateStore};
use shim_telemetry::{Format, LineSink};
use shim_upstream::{Network, Pool, PoolLimits};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::check::load;
use crate::cli::{Listen, Serve};
use crate::console::{put, say};
use crate::found::{Found, configuration, look, looked_for};
use crate::host::Host;

/// How often the configuration file is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Serves what can be found.
pub(crate) fn up(args: &Listen) -> Result<()> {
    for address in [args.listen, args.operators] {
        if !address.ip().is_loopback() {
            bail!(
                "{address} is not on loopback: anyone who reaches it could spend your money. Use `shim serve` with [keys]"
            );
        }
    }
    let found = look();
    let mut config = configuration(&found);
    config.server.listen = args.listen;
    config.server.operators = args.operators;
    let json = args.json;
    let announce = move |clients: SocketAddr, operators: SocketAddr, config: &Config| {
        if json { tell_json(&found, clients, operators) } else { tell(&found, clients, operators, config) }
    };
    host(&config, None, args.ready_file.as_deref(), announce)
}

/// Serves what a file says.
pub(crate) fn serve(args: &Serve) -> Result<()> {
    let config = match load(&args.config)? {
        Ok(config) => config,
        Err(problems) => bail!("the configuration has problems:\n{problems}"),
    };
    let announce = |clients: SocketAddr, operators: SocketAddr, _: &Config| {
        crate::console::error(&format!("serving clients on {clients}, operators on {operators}"));
    };
    host(&config, Some(&args.config), args.ready_file.as_deref(), announce)
}

/// Runs the gateway until it is told to stop.
fn host(
    config: &Config,
    file: Option<&Path>,
    ready: Option<&Path>,
    announce: impl FnOnce(SocketAddr, SocketAddr, &Config),
) -> Result<()> {
    logs();
    let store: Box<dyn StateStore> = Box::new(SqliteState::open(&config.store)?);
    let lines = lines(config.log)?;
    let control = Control::start(config.clone(), store, Box::new(Host), lines)?;
    let control = Arc::new(control);
    let tls = tls(config)?;
    let first = bind(config.server.listen).with_context(|| busy(config.server.listen))?;
    let clients = first.local_addr()?;
    let (stop, stopped) = watch::channel(false);
    let workers = workers(config, &control, first, &tls, &stopped)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(config.server.operators).await;
        let listener = listener.with_context(|| busy(config.server.operators))?;
        let operators = listener.local_addr()?;
        let secret = config.server.operators_secret.as_ref().map(secret).transpose()?;
        let version = env!("CARGO_PKG_VERSION");
        let admin = Operators { control: control.clone(), secret, version };
        let admin = tokio::spawn(shim_admin::serve(admin, listener, stopped.clone()));
        if let Some(ready) = ready {
            let told = json!({ "clients": clients.to_string(), "operators": operators.to_string() });
            std::fs::write(ready, told.to_string()).with_context(|| ready.display().to_string())?;
        }
        announce(clients, operators, config);
        let watching = file.map(|file| tokio::spawn(watch_file(file.to_owned(), control.clone())));
        told_to_stop().await?;
        drain(control.shared());
        stop.send_replace(true);
        if let Some(watching) = watching {
            watching.abort();
        }
        // The operators' listener answers until the workers are done.
        let joined = tokio::task::spawn_blocking(move || join(workers)).await?;
        admin.abort();
        control.shared().close_lines();
        joined
    })
}

fn busy(address: SocketAddr) -> String {
    format!("cannot listen on {address}; is a gateway running there already?")
}

/// Waits for SIGTERM or SIGINT.
async fn told_to_stop() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Diagnostics go to standard error; exchanges have lines of their own on standard output.
fn logs() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("SHIM_LOG").unwrap_or_else(|_| "warn".into());
    let made =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
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

fn secret(secret: &SecretRef) -> Result<String> {
    let text = match secret {
        SecretRef::Env(name) => {
            Host.env(name).with_context(|| format!("the environment variable {name} is not set"))?
        }
        SecretRef::File(file) => Host.file(file).map_err(anyhow::Error::msg)?,
    };
    Ok(text.trim().to_owned())
}

/// The certificate of the clients' listener.
fn tls(config: &Config) -> Result<ServerTls> {
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

/// Starts a thread for each core, each with a runtime, a listener and a pool of its own: nothing is shared on the path
/// of a request but the snapshot.
fn workers(
    config: &Config,
    control: &Arc<Control>,
    first: std::net::TcpListener,
    tls: &ServerTls,
    stopped: &watch::Receiver<bool>,
) -> Result<Vec<JoinHandle<Result<()>>>> {
    let count =
        config.server.workers.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let address = first.local_addr()?;
    let limits = ServeLimits {
        connections_max: config.server.connections_max.div_ceil(count),
        head_timeout: config.server.head_timeout,
        drain_timeout: config.server.drain_timeout,
        ..ServeLimits::default()
    };
    let connect = Network::default();
    let mut listeners = vec![first];
    for _ in 1..count {
        listeners.push(bind(address)?);
    }
    let start = |(n, listener): (usize, std::net::TcpListener)| {
        let worker = Worker {
            shared: control.shared().clone(),
            connect: connect.clone(),
            pool: Pool::new(PoolLimits::default()),
        };
        let (tls, stopped) = (tls.clone(), stopped.clone());
        let run = move || -> Result<()> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            Ok(runtime.block_on(shim_gateway::serve(Arc::new(worker), listener, tls, limits, stopped))?)
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

/// Applies the file anew when it changes. A broken one is refused with the reason; the old one goes on.
async fn watch_file(file: PathBuf, control: Arc<Control>) {
    let mut seen = stamp(&file);
    let mut tick = tokio::time::interval(LOOK_EVERY);
    loop {
        tick.tick().await;
        let now = stamp(&file);
        if now == seen {
            continue;
        }
        seen = now;
        match load(&file) {
            Ok(Ok(config)) => match control.reload(config) {
                Ok(number) => tracing::warn!(generation = %number, "the changed configuration is in force"),
                Err(error) => {
                    tracing::error!("the changed configuration is refused, the old one goes on: {error}")
                }
            },
            Ok(Err(problems)) => {
                control.refuse(problems.to_string());
                tracing::error!("the changed configuration is refused, the old one goes on:\n{problems}");
            }
            Err(error) => {
                control.refuse(format!("{error:#}"));
                tracing::error!("the configuration cannot be read, the old one goes on: {error:#}");
            }
        }
    }
}

/// What tells one version of a file from the next.
fn stamp(file: &Path) -> Option<(SystemTime, u64)> {
    let meta = std::fs::metadata(file).ok()?;
    Some((meta.modified().ok()?, meta.len()))
}

fn tell_json(found: &[Found], clients: SocketAddr, operators: SocketAddr) {
    let list: Vec<_> = found.iter().map(|f| json!({ "provider": f.provider.id, "by": f.by })).collect();
    say(&json!({ "clients": clients.to_string(), "operators": operators.to_string(), "found": list })
        .to_string());
}

/// Says what was found, what is served, and a line to copy for each SDK and agent.
fn tell(found: &[Found], clients: SocketAddr, operators: SocketAddr, config: &Config) {
    let mut text = String::from("\n  shim is serving\n\n");
    for found in found {
        let dialects: Vec<_> =
            found.provider.endpoints.iter().filter_map(|e| e.dialect()).map(|d| d.name()).collect();
        text.push_str(&format!(
            "  found   {:<14} {:<22} {}\n",
            found.provider.name,
            found.by,
            dialects.join(", ")
        ));
    }
    if found.is_empty() {
        let (variables, ports) = looked_for();
        text.push_str(
            "  found   no key and no model server. Looked for the environment variables\n          ",
        );
        text.push_str(&variables.join(", "));
        text.push_str("\n          and for servers on the ports ");
        text.push_str(&ports.join(", "));
        text.push_str(".\n          Until there is one, `demo/hello` answers: built in, without a model.\n");
    }
    for (alias, target) in &config.aliases {
        text.push_str(&format!("  alias   {alias} → {}\n", target.target));
    }
    text.push_str(&format!("\n  clients   http://{clients}     operators   http://{operators}\n\n"));
    text.push_str("  copy one of these:\n");
    for (what, line) in [
        ("OpenAI SDKs", format!("export OPENAI_BASE_URL=http://{clients}/v1 OPENAI_API_KEY=shim")),
        ("Anthropic SDKs", format!("export ANTHROPIC_BASE_URL=http://{clients} ANTHROPIC_API_KEY=shim")),
        ("Google Gen AI", format!("export GOOGLE_GEMINI_BASE_URL=http://{clients} GEMINI_API_KEY=shim")),
        ("Claude Code", "shim run -- claude".to_owned()),
        ("Codex", "shim run -- codex".to_owned()),
        ("Gemini CLI", "shim run -- gemini".to_owned()),
        ("a first word", "shim chat chat \"Hello\"".to_owned()),
        (
            "curl",
            format!(
                "curl http://{clients}/v1/chat/completions -d '{{\"model\":\"chat\",\"messages\":[{{\"role\":\"user\",\"content\":\"Hello\"}}]}}'"
            ),
        ),
        ("swap the model", "shim swap chat --to PROVIDER/MODEL --now".to_owned()),
    ] {
        text.push_str(&format!("    {what:<15} {line}\n"));
    }
    text.push('\n');
    put(&text);
}
