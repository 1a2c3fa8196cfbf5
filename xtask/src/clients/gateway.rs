//! The gateway under test, and the provider behind it.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::process::{Service, Speaks};
use super::{Places, write};

/// The client's key of the configured gateway.
const KEY: &str = "suite-key";

/// The dialects of providers.
const DIALECTS: [&str; 4] = ["openai-chat", "openai-responses", "anthropic", "gemini"];

/// Where `shim up` looks for Ollama.
const OLLAMA: &str = "127.0.0.1:11434";

/// A gateway and its provider, stopped when dropped.
pub(super) struct Gateway {
    /// How it was started: `serve` or `up`.
    pub(super) how: &'static str,
    /// The clients' address.
    pub(super) url: String,
    /// What clients send as their key.
    pub(super) key: &'static str,
    /// The requests the provider got, a line of JSON each.
    pub(super) seen: PathBuf,
    operators: String,
    places: Value,
    shim: PathBuf,
    _services: Vec<Service>,
}

impl Gateway {
    /// `shim serve` with a provider, and an alias, for each dialect.
    pub(super) fn serve(places: &Places) -> Result<Self> {
        let folder = places.fresh("serve")?;
        let (provider, address) = replay(places, &folder, "127.0.0.1:0")?;
        write(&folder.join("shim.toml"), &configuration(&address, &folder))?;
        let mut command =
            shim(places, &folder, &["serve", "--config", "shim.toml", "--ready-file", "ready.json"])?;
        command.env("LAB_KEY", "lab-key").env("SUITE_KEY", KEY);
        let serving =
            Service::start(&mut command, &folder.join("shim.log"), Speaks::Error, "serving clients")?;
        let named = json!({
            "openai-chat": { "provider": "chat-lab", "alias": "chat" },
            "openai-responses": { "provider": "answers-lab", "alias": "answers" },
            "anthropic": { "provider": "messages-lab", "alias": "messages" },
            "gemini": { "provider": "content-lab", "alias": "content" },
        });
        Self::ready(places, "serve", KEY, named, vec![serving, provider])
    }

    /// `shim up` in an empty environment. Its provider is found where Ollama would be; if another program has that
    /// port, there is the built-in responder alone.
    pub(super) fn up(places: &Places) -> Result<Self> {
        let folder = places.fresh("up")?;
        let provider = if is_free(OLLAMA) { Some(replay(places, &folder, OLLAMA)?.0) } else { None };
        let listen = ["up", "--json", "--listen", "127.0.0.1:0", "--operators", "127.0.0.1:0"];
        let args = [&listen[..], &["--ready-file", "ready.json"]].concat();
        let mut command = shim(places, &folder, &args)?;
        let serving = Service::start(&mut command, &folder.join("shim.log"), Speaks::Out, "\"found\"")?;
        let place = json!({ "provider": "ollama", "alias": "chat" });
        let named = match provider {
            Some(_) => json!({ "openai-chat": place, "openai-responses": place, "anthropic": place }),
            None => json!({}),
        };
        Self::ready(places, "up", "any", named, std::iter::once(serving).chain(provider).collect())
    }

    fn ready(
        places: &Places,
        how: &'static str,
        key: &'static str,
        named: Value,
        services: Vec<Service>,
    ) -> Result<Self> {
        let folder = places.work.join(how);
        let told = std::fs::read_to_string(folder.join("ready.json")).context("there is no ready file")?;
        let told: Value = serde_json::from_str(&told)?;
        let address =
            |name: &str| told[name].as_str().map(str::to_owned).context("the ready file lacks an address");
        Ok(Self {
            how,
            url: format!("http://{}", address("clients")?),
            operators: address("operators")?,
            key,
            seen: folder.join("seen.jsonl"),
            places: named,
            shim: places.binary("shim")?,
            _services: services,
        })
    }

    /// Whether there is an upstream besides the built-in responder.
    pub(super) fn has_upstream(&self) -> bool {
        self.places.as_object().is_some_and(|places| !places.is_empty())
    }

    /// The dialects of the upstreams that a client which speaks `dialect` is to be tried over: all, each its own
    /// provider; or, of the one provider that `shim up` finds, the one it answers this client in.
    pub(super) fn upstreams(&self, dialect: &'static str) -> Vec<&'static str> {
        if self.how == "serve" {
            return DIALECTS.to_vec();
        }
        vec![if self.places.get(dialect).is_some() { dialect } else { DIALECTS[0] }]
    }

    /// What `agent` is to ask for to be given its task by the upstream that speaks `dialect`, if there is one.
    ///
    /// Codex always offers a search that its provider is to run. No chat provider has one, and none is asked without
    /// it unless the alias says so.
    pub(super) fn task(&self, agent: &str, dialect: &str) -> Option<String> {
        if (self.how, agent, dialect) == ("serve", "codex", "openai-chat") {
            return Some("codex-over-chat".to_owned());
        }
        self.model(dialect, &format!("agent_task_{agent}"))
    }

    /// What to ask for to get `case` from the upstream that speaks `dialect`, if there is one.
    fn model(&self, dialect: &str, case: &str) -> Option<String> {
        let provider = self.places.get(dialect)?.get("provider")?.as_str()?;
        Some(format!("{provider}/{case}"))
    }

    /// What a suite reads from `SHIM_SUITE`.
    pub(super) fn described(&self) -> String {
        json!({
            "url": self.url,
            "key": self.key,
            "operators": self.operators,
            "seen": self.seen,
            "store": self.seen.with_file_name("data"),
            "shim": self.shim,
            "wants_keys": self.key == KEY,
            "places": self.places,
        })
        .to_string()
    }
}

/// Whether nobody listens at `address`.
fn is_free(address: &str) -> bool {
    TcpListener::bind(address).is_ok()
}

/// `testkit-replay` at `listen`, and the address it got.
pub(super) fn replay(places: &Places, folder: &Path, listen: &str) -> Result<(Service, String)> {
    let mut command = Command::new(places.binary("testkit-replay")?);
    command.args(["--listen", listen, "--seen"]).arg(folder.join("seen.jsonl"));
    let service = Service::start(&mut command, &folder.join("replay.log"), Speaks::Out, "\"listen\"")?;
    let said: Value = serde_json::from_str(&service.said)?;
    let address = said["listen"].as_str().context("the replay names no address")?.to_owned();
    Ok((service, address))
}

/// `shim` in `folder`, without the environment of whoever runs this: no key of theirs is to be found.
pub(super) fn shim(places: &Places, folder: &Path, args: &[&str]) -> Result<Command> {
    let mut command = Command::new(places.binary("shim")?);
    command.args(args).current_dir(folder).env_clear();
    Ok(command)
}

fn configuration(replay: &str, folder: &Path) -> String {
    let mut text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\noperators = \"127.0.0.1:0\"\n\n[store]\npath = {:?}\n\n\
         [keys.suite]\nsecret = {{ env = \"SUITE_KEY\" }}\n",
        folder.join("data").display().to_string()
    );
    let version = format!("http://{replay}/v1");
    let root = format!("http://{replay}");
    let labs = [
        ("chat", "openai-chat", &version),
        ("answers", "openai-responses", &version),
        ("messages", "anthropic", &root),
        ("content", "gemini", &root),
    ];
    for (alias, dialect, url) in labs {
        text.push_str(&format!(
            "\n[providers.{alias}-lab]\ndialect = \"{dialect}\"\nbase_url = \"{url}\"\n\
             key = {{ env = \"LAB_KEY\" }}\nmodels = [\"plain\", \"other\", \"plain_stream\"]\n\n\
             [aliases.{alias}]\ntarget = \"{alias}-lab/plain_stream\"\n\n\
             [aliases.strict-{alias}-lab]\ntarget = \"{alias}-lab/plain\"\nfidelity = \"strict\"\n"
        ));
        for (other, _, _) in labs.iter().filter(|(other, _, _)| *other != alias) {
            text.push_str(&format!(
                "\n[aliases.strict-{alias}-lab-then-{other}-lab]\ntarget = \"{alias}-lab/plain\"\n\
                 fallback = [\"{other}-lab/plain\"]\nfidelity = \"strict\"\n"
            ));
        }
    }
    text.push_str(
        "\n[aliases.codex-over-chat]\ntarget = \"chat-lab/agent_task_codex\"\nlosses = { \"tools[*]\" = \"drop\" }\n",
    );
    text
}
