//! A gateway over strict fakes of providers, that is swapped and restarted.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use super::super::gateway::{replay, shim};
use super::super::process::{Service, Speaks};
use super::super::{Places, write};

/// The client's key.
pub(super) const KEY: &str = "suite-key";

/// How long the gateway may take to be quiet.
const PATIENCE: Duration = Duration::from_secs(20);

/// The providers: name in the catalogue, dialect, what of its base URL is behind the host, and a model. A model of the
/// catalogue brings its oddities along, by which Shim knows what the provider insists on.
const PROVIDERS: [(&str, &str, &str, &str); 4] = [
    ("anthropic", "anthropic", "", "claude-opus-5-5"),
    ("openai", "openai-responses", "/v1", "gpt-5.2"),
    ("google", "gemini", "", "gemini-3.1-pro-preview"),
    ("deepseek", "openai-chat", "", "deepseek-v4-pro"),
];

/// How the gateway ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// By `SIGKILL`, once the vault has nothing left to write: what waits there is lost with the process.
    Killed,
    /// By `SIGTERM`.
    Told,
}

/// The gateway and its providers, stopped when dropped.
pub(super) struct Lab<'p> {
    places: &'p Places,
    folder: PathBuf,
    serving: Option<Service>,
    clients: String,
    operators: String,
    _providers: Service,
}

impl<'p> Lab<'p> {
    /// Starts them, with aliases and the provider behind each.
    pub(super) fn start(places: &'p Places, aliases: &[(String, &str)]) -> Result<Self> {
        let folder = places.fresh("handover")?;
        let (providers, address) = replay(places, &folder, "127.0.0.1:0")?;
        let text = configuration(&address, &folder, aliases);
        let any = "127.0.0.1:0";
        write(&folder.join("shim.toml"), &format!("{}{text}", listeners(any, any)))?;
        let serving = serve(places, &folder)?;
        let (clients, operators) = ready(&folder)?;
        // Started again it is where it was.
        write(&folder.join("shim.toml"), &format!("{}{text}", listeners(&clients, &operators)))?;
        Ok(Self { places, folder, serving: Some(serving), clients, operators, _providers: providers })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.clients)
    }

    pub(super) fn log(&self) -> PathBuf {
        self.folder.join("shim.log")
    }

    /// The requests the providers got so far.
    pub(super) fn seen(&self) -> Result<Vec<Value>> {
        let text = match std::fs::read_to_string(self.folder.join("seen.jsonl")) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            text => text?,
        };
        text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }

    /// Swaps the model under an alias to a provider's, as an operator does.
    pub(super) fn swap(&self, alias: &str, provider: &str) -> Result<()> {
        let to = target(provider)?;
        self.told(&["swap", alias, "--to", &to, "--now", "--operators", &self.operators]).map(drop)
    }

    /// Ends the gateway and starts it again, on the same store and ports.
    pub(super) fn restart(&mut self, end: End) -> Result<()> {
        let serving = self.serving.take().context("the gateway does not serve")?;
        match end {
            End::Told => serving.end()?,
            End::Killed => {
                self.quiet()?;
                drop(serving);
            }
        }
        self.serving = Some(serve(self.places, &self.folder)?);
        ensure!(ready(&self.folder)? == (self.clients.clone(), self.operators.clone()), "it is elsewhere");
        Ok(())
    }

    /// Ends the gateway and judges its ledger: it accounts each request of the providers once, and all answers were
    /// delivered but those that were under way when it was killed, of which each kill may leave one.
    pub(super) fn end(mut self, kills: usize) -> Result<()> {
        self.serving.take().context("the gateway does not serve")?.end()?;
        self.told(&["ledger", "verify", "--store", "data"])?;
        let rows = self.told(&["ledger", "export", "--store", "data"])?;
        let rows = rows.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
        let delivered = |row: &&Value| row["outcome"] == "delivered" && row["status"] == 200;
        let others: Vec<_> = rows.iter().filter(|row| !delivered(row)).collect();
        let killed = others.iter().filter(|row| row["reason"] == "crash").count();
        ensure!(killed == others.len() && killed <= kills, "not delivered: {others:?}");
        let seen = self.seen()?.len();
        // The list of models, for which `shim run` asks first, comes from no provider.
        let asked = rows.iter().filter(|row| row["operation"] != "models").count();
        ensure!(asked == seen, "{asked} exchanges, but {seen} requests");
        Ok(())
    }

    /// Runs our own command line; what it says.
    fn told(&self, args: &[&str]) -> Result<String> {
        let done = shim(self.places, &self.folder, args)?.output()?;
        let said = String::from_utf8_lossy(&done.stderr);
        ensure!(done.status.success(), "shim {}: {}", args.join(" "), said.trim());
        Ok(String::from_utf8(done.stdout)?)
    }

    /// Waits until no exchange is under way and the vault has written all it was given.
    fn quiet(&self) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        loop {
            let metrics = page(&self.operators, "/metrics")?;
            let is_none = |name: &str| metrics.lines().any(|line| line == format!("{name} 0"));
            if is_none("shim_exchanges_in_flight") && is_none("shim_vault_queue_bytes") {
                return Ok(());
            }
            ensure!(Instant::now() < until, "the gateway has something under way: {metrics}");
            std::thread::yield_now();
        }
    }
}

fn serve(places: &Places, folder: &Path) -> Result<Service> {
    let mut command =
        shim(places, folder, &["serve", "--config", "shim.toml", "--ready-file", "ready.json"])?;
    command.env("LAB_KEY", "lab-key").env("SUITE_KEY", KEY);
    Service::start(&mut command, &folder.join("shim.log"), Speaks::Error, "serving clients")
}

/// The addresses of the clients' and the operators' listener.
fn ready(folder: &Path) -> Result<(String, String)> {
    let told: Value = serde_json::from_str(&std::fs::read_to_string(folder.join("ready.json"))?)?;
    let address =
        |name: &str| told[name].as_str().map(str::to_owned).context("the ready file lacks an address");
    Ok((address("clients")?, address("operators")?))
}

/// A page of the operators' listener.
fn page(address: &str, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    // In HTTP/1.0 an answer ends with its connection.
    write!(stream, "GET {path} HTTP/1.0\r\nhost: {address}\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.contains(" 200 ") => Ok(body.to_owned()),
        _ => bail!("{path}: {answer}"),
    }
}

fn target(provider: &str) -> Result<String> {
    let known = PROVIDERS.iter().find(|(name, ..)| *name == provider);
    let (name, .., model) = known.context("no such provider")?;
    Ok(format!("{name}/{model}"))
}

fn listeners(clients: &str, operators: &str) -> String {
    format!("[server]\nlisten = \"{clients}\"\noperators = \"{operators}\"\n")
}

fn configuration(address: &str, folder: &Path, aliases: &[(String, &str)]) -> String {
    let store = folder.join("data").display().to_string();
    let mut text =
        format!("\n[store]\npath = {store:?}\n\n[keys.suite]\nsecret = {{ env = \"SUITE_KEY\" }}\n");
    for (name, dialect, path, model) in PROVIDERS {
        text.push_str(&format!(
            "\n[providers.{name}]\ndialect = \"{dialect}\"\nbase_url = \"http://{address}/strict/{name}{path}\"\n\
             key = {{ env = \"LAB_KEY\" }}\nmodels = [\"{model}\"]\n"
        ));
    }
    for (alias, provider) in aliases {
        let model = PROVIDERS.iter().find(|(name, ..)| name == provider).map_or("", |(.., model)| model);
        // Codex always offers a search that its provider is to run, and no chat provider has one.
        text.push_str(&format!(
            "\n[aliases.{alias}]\ntarget = \"{provider}/{model}\"\nlosses = {{ \"tools[*]\" = \"drop\" }}\n"
        ));
    }
    text
}
