//! What `shim up` finds: credentials in the environment, model servers on this machine.

use std::cmp::Reverse;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use shim_catalog::{Probe, Provider, Status, providers};
use shim_config::{Alias, Config, Fidelity};
use shim_gateway::Secrets as _;
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
    let mut found: Vec<Found> = providers().iter().filter_map(by_key).collect();
    let looks: Vec<_> = providers()
        .iter()
        .filter(|p| p.probe.is_some())
        .map(|provider| std::thread::spawn(move || by_probe(provider)))
        .collect();
    found.extend(looks.into_iter().filter_map(|look| look.join().ok().flatten()));
    servable(found, |found| missing(&configuration(std::slice::from_ref(found))))
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

fn by_key(provider: &'static Provider) -> Option<Found> {
    let name = provider.key_env.iter().find(|name| Host.env(name).is_some())?;
    // A base URL that is itself in the environment must be there too.
    let needs =
        provider.endpoints.first()?.base_url.strip_prefix('{').and_then(|rest| rest.split('}').next());
    if needs.is_some_and(|variable| Host.env(variable).is_none()) {
        return None;
    }
    Some(Found { provider, by: name.clone(), models: None })
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

/// The newest model of a provider that is to stay, takes and gives text and calls tools; of several as new the cheapest, for
/// nobody asked for the dearest. Of a server on this machine its first.
fn first_model(found: &Found) -> Option<String> {
    let id = &found.provider.id;
    if let Some(models) = &found.models {
        return models.first().map(|model| format!("{id}/{model}"));
    }
    let talks = |m: &&shim_catalog::Model| {
        let has = |list: &[String], word: &str| list.iter().any(|w| w == word);
        m.status != Status::Deprecated
            && has(&m.abilities, "tools")
            && has(&m.input, "text")
            && m.output == ["text"]
    };
    let price = |m: &shim_catalog::Model| m.prices.last().and_then(|row| row.base.output);
    let known = shim_catalog::models(id).iter().filter(talks);
    let first = known.min_by_key(|m| (Reverse(&m.released), price(m).is_none(), price(m)))?;
    Some(format!("{id}/{}", first.id))
}

/// What was looked for, for those with whom nothing was found.
pub(crate) fn looked_for() -> (Vec<&'static str>, Vec<String>) {
    let variables = providers().iter().filter_map(|p| p.key_env.first().map(String::as_str)).collect();
    let ports =
        providers().iter().filter_map(|p| Some(format!("{} ({})", p.probe.as_ref()?.port, p.name))).collect();
    (variables, ports)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use shim_catalog::provider;

    use super::{Found, answers, first_model, servable};

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

    #[test]
    fn of_models_as_new_the_cheapest_is_first() {
        for id in ["openai", "anthropic", "google"] {
            let first = first_model(&found(id)).unwrap();
            let of = |name: &str| {
                let all = shim_catalog::models(id);
                all.iter().find(|m| name.ends_with(&format!("/{}", m.id))).unwrap()
            };
            let first = of(&first);
            let output = |m: &shim_catalog::Model| m.prices.last().and_then(|row| row.base.output);
            let rivals = shim_catalog::models(id).iter().filter(|m| {
                m.released == first.released
                    && m.output == ["text"]
                    && m.abilities.iter().any(|a| a == "tools")
            });
            for rival in rivals.filter(|m| output(m).is_some()) {
                assert!(output(first) <= output(rival), "{} before {}", first.id, rival.id);
            }
        }
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
