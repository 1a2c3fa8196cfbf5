//! What `shim up` finds: credentials in the environment, model servers on this machine.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use shim_catalog::{Probe, Provider, providers};
use shim_config::{Alias, Config, Fidelity};
use shim_gateway::Secrets;
use shim_ir::{AliasName, ModelId, ProviderId, TargetId};

use crate::check::missing;
use crate::host::Host;

/// How long a model server on this machine may take to answer a look.
const LOOK: Duration = Duration::from_millis(300);

/// The most that is read of its answer.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// One provider that was found.
pub(crate) struct Found {
    pub(crate) provider: &'static Provider,
    /// The environment variable with its credential, or the address where it answers.
    pub(crate) by: String,
    /// The models a server on this machine has.
    pub(crate) models: Option<Vec<ModelId>>,
}

/// A provider whose credential is there and of no use.
pub(crate) struct LeftOut {
    pub(crate) name: &'static str,
    /// Why, without the credential.
    pub(crate) why: String,
}

/// Looks in the environment and on the usual ports. What cannot be served does not keep the rest from it.
pub(crate) fn look() -> (Vec<Found>, Vec<LeftOut>) {
    let mut found = Vec::new();
    let mut unusable = Vec::new();
    for by_key in providers().iter().filter_map(|provider| by_key(provider, &Host)) {
        match by_key {
            Ok(one) => found.push(one),
            Err(left_out) => unusable.push(left_out),
        }
    }
    let looks: Vec<_> = providers()
        .iter()
        .filter(|p| p.probe.is_some())
        .map(|provider| std::thread::spawn(move || by_probe(provider)))
        .collect();
    found.extend(looks.into_iter().filter_map(|look| look.join().ok().flatten()));
    let (found, left_out) = servable(found, |found| missing(&configuration(std::slice::from_ref(found))));
    unusable.extend(left_out);
    (found, unusable)
}

/// Divides what was found by whether anything is wrong with it.
fn servable(found: Vec<Found>, wrong: impl Fn(&Found) -> Vec<String>) -> (Vec<Found>, Vec<LeftOut>) {
    let mut left_out = Vec::new();
    let mut servable = Vec::new();
    for found in found {
        match wrong(&found) {
            why if why.is_empty() => servable.push(found),
            why => left_out.push(LeftOut { name: &found.provider.name, why: why.join("; ") }),
        }
    }
    (servable, left_out)
}

/// A provider whose key is in the environment, or why it is of no use there; `None` without a key.
fn by_key(provider: &'static Provider, secrets: &dyn Secrets) -> Option<Result<Found, LeftOut>> {
    let name = provider.key_env.iter().find(|name| secrets.env(name).is_some())?;
    // A base URL that is itself in the environment must be there too.
    let address = provider.address_env().filter(|variable| secrets.env(variable).is_none());
    Some(match address {
        Some(address) => Err(LeftOut {
            name: &provider.name,
            why: format!("{name} is set, and {address}, which says where it is, is not"),
        }),
        None => Ok(Found { provider, by: name.clone(), models: None }),
    })
}

fn by_probe(provider: &'static Provider) -> Option<Found> {
    let probe = provider.probe.as_ref()?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, probe.port));
    if !answers(address, probe) {
        return None;
    }
    let list = get(address, "/v1/models").unwrap_or_default();
    let list: serde_json::Value = serde_json::from_str(&list).unwrap_or_default();
    let ids = list["data"].as_array().into_iter().flatten().filter_map(|m| m["id"].as_str());
    let models = ids.filter_map(|id| ModelId::new(id).ok()).collect();
    Some(Found { provider, by: address.to_string(), models: Some(models) })
}

/// Whether what listens there is what the probe looks for, and not another program on the same port.
fn answers(address: SocketAddr, probe: &Probe) -> bool {
    get(address, &probe.path).is_some_and(|answer| answer.contains(&probe.marker))
}

/// The body of a 200 answer; `None` for anything else, slowness included.
fn get(address: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect_timeout(&address, LOOK).ok()?;
    stream.set_read_timeout(Some(LOOK)).ok()?;
    stream.set_write_timeout(Some(LOOK)).ok()?;
    // In one write: a server that answers the first half and closes would take its answer back with a reset.
    let request = format!("GET {path} HTTP/1.0\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split_whitespace().nth(1)?;
    (status == "200").then(|| body.to_owned())
}

/// The configuration that serves what was found, with the alias `chat` on the first of it.
pub(crate) fn configuration(found: &[Found]) -> Config {
    let mut config = Config::default();
    config.server.bare_models = true;
    for found in found {
        let Ok(id) = ProviderId::new(&found.provider.id) else { continue };
        let models = found.models.clone().filter(|models| !models.is_empty());
        config.providers.insert(id, shim_config::Provider { models, ..shim_config::Provider::default() });
    }
    let target = found.iter().find_map(first_model).unwrap_or_else(|| "demo/hello".to_owned());
    if let (Ok(name), Ok(target)) = (AliasName::new("chat"), TargetId::parse(&target)) {
        config.aliases.insert(
            name,
            Alias {
                target,
                fallback: Vec::new(),
                fidelity: Fidelity::Report,
                losses: Vec::new(),
                record: None,
                extraction: None,
                limits: shim_policy::limits::Limits::default(),
            },
        );
    }
    config
}

/// The model to begin with: the catalogue's choice; of a server on this machine the first of its own that is not for
/// embeddings alone, as far as its name tells.
fn first_model(found: &Found) -> Option<String> {
    let id = &found.provider.id;
    let talks = |model: &&ModelId| !model.as_str().to_ascii_lowercase().contains("embed");
    let model = match &found.models {
        Some(models) => models.iter().find(talks)?.as_str(),
        None => found.provider.chat_model.as_deref()?,
    };
    Some(format!("{id}/{model}"))
}

/// Why nothing that was found is under `chat`.
pub(crate) fn without_chat(found: &Found) -> String {
    let Provider { id, no_chat_model, .. } = found.provider;
    let why = no_chat_model.as_deref().unwrap_or("it has no model to talk to yet");
    format!("{why}; `shim swap chat --to {id}/MODEL --now --force` puts one under it")
}

/// What was looked for, for those with whom nothing was found.
pub(crate) fn looked_for() -> (Vec<String>, Vec<String>) {
    let variables = providers().iter().filter(|provider| !provider.key_env.is_empty()).map(|provider| {
        let keys = provider.key_env.join(" or ");
        provider.address_env().map_or_else(|| keys.clone(), |address| format!("{keys} with {address}"))
    });
    let ports = providers().iter().filter_map(|p| Some(format!("{} ({})", p.probe.as_ref()?.port, p.name)));
    (variables.collect(), ports.collect())
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use shim_catalog::{provider, providers};
    use shim_gateway::Secrets;
    use shim_ir::{AliasName, ModelId};

    use super::{Found, answers, by_key, configuration, first_model, looked_for, servable, without_chat};

    /// Whether a server that gives this body to anything is taken for an Ollama.
    #[track_caller]
    fn check(body: &str, taken: bool) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let answer = format!("HTTP/1.0 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 1024]).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        });
        assert_eq!(answers(address, provider("ollama").unwrap().probe.as_ref().unwrap()), taken, "{body}");
        server.join().unwrap();
    }

    #[test]
    fn another_program_on_the_port_is_not_taken_for_the_server() {
        check(r#"{"version":"0.20.0"}"#, true);
        check("<!doctype html><title>Something else</title>", false);
    }

    fn found(id: &str) -> Found {
        Found { provider: provider(id).unwrap(), by: "a test".to_owned(), models: None }
    }

    /// An environment with these variables.
    struct With(Vec<String>);

    impl Secrets for With {
        fn env(&self, name: &str) -> Option<String> {
            self.0.iter().any(|set| set == name).then(|| "https://resource.test".to_owned())
        }
        fn file(&self, path: &std::path::Path) -> Result<String, String> {
            Err(path.display().to_string())
        }
    }

    #[test]
    fn a_key_alone_gives_a_model_to_talk_to_or_a_reason() {
        for provider in providers().iter().filter(|provider| !provider.key_env.is_empty()) {
            let (id, key) = (&provider.id, &provider.key_env[0]);
            let Ok(found) = by_key(provider, &With(vec![key.clone()])).unwrap() else {
                let Some(Err(left_out)) = by_key(provider, &With(vec![key.clone()])) else { panic!("{id}") };
                let address = provider.address_env().unwrap();
                assert!(left_out.why.contains(key) && left_out.why.contains(address), "{}", left_out.why);
                let both = With(vec![key.clone(), address.to_owned()]);
                assert!(by_key(provider, &both).unwrap().is_ok(), "{id}");
                continue;
            };
            let chat = &configuration(std::slice::from_ref(&found)).aliases[&AliasName::new("chat").unwrap()];
            let own = chat.target.provider.as_str() == id;
            assert_ne!(own, provider.no_chat_model.is_some(), "{id}: {}", chat.target);
            assert!(own || without_chat(&found).contains(&format!("--to {id}/MODEL")), "{id}");
        }
        assert!(by_key(provider("openai").unwrap(), &With(Vec::new())).is_none());
    }

    #[test]
    fn every_variable_is_looked_for() {
        let (variables, _) = looked_for();
        let told = variables.join(", ");
        let all =
            providers().iter().flat_map(|p| p.key_env.iter().map(String::as_str).chain(p.address_env()));
        for name in all {
            assert!(told.contains(name), "{name} is not in {told}");
        }
    }

    #[test]
    fn of_a_server_on_this_machine_a_model_that_talks_is_first() {
        let of = |models: &[&str]| {
            let models = models.iter().map(|id| ModelId::new(id).unwrap()).collect();
            first_model(&Found { models: Some(models), ..found("ollama") })
        };
        assert_eq!(of(&["nomic-embed-text", "qwen3"]).as_deref(), Some("ollama/qwen3"));
        assert_eq!(of(&[]), None);
        assert!(without_chat(&found("ollama")).contains("no model to talk to"));
    }

    #[test]
    fn what_cannot_be_served_is_left_out_and_the_rest_is_not() {
        let all = vec![found("openai"), found("xai"), found("groq")];
        let (servable, left_out) = servable(all, |f| {
            (f.provider.id == "xai").then(|| "it is broken".to_owned()).into_iter().collect()
        });
        let ids: Vec<_> = servable.iter().map(|f| f.provider.id.as_str()).collect();
        assert_eq!(ids, ["openai", "groq"]);
        let told: Vec<_> = left_out.iter().map(|l| (l.name, l.why.as_str())).collect();
        assert_eq!(told, [("xAI", "it is broken")]);
    }
}
