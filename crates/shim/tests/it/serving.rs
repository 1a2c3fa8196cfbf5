//! A gateway from its start to its end.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Mutex;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::exposition;
use crate::process::{APP_KEY, CLIENT, LAB_KEY, Running, check_silent, http, run, until};
use crate::upstream;

const UP: [&str; 5] = ["up", "--listen", "127.0.0.1:0", "--operators", "127.0.0.1:0"];

/// Each dialect's path and body for a question to demo/hello, and how a stream of it ends.
const DIALECTS: [(&str, &str, &str); 8] = [
    ("/v1/chat/completions", r#"{"model":"demo/hello","messages":[{"role":"user","content":"Hi"}]}"#, "}"),
    ("/v1/chat/completions", r#"{"model":"chat","stream":true,"messages":[]}"#, "data: [DONE]\n\n"),
    ("/v1/responses", r#"{"model":"demo/hello","input":"Hi"}"#, "}"),
    ("/v1/responses", r#"{"model":"chat","stream":true,"input":"Hi"}"#, "\n\n"),
    ("/v1/messages", r#"{"model":"demo/hello","max_tokens":9,"messages":[]}"#, "}"),
    ("/v1/messages", r#"{"model":"chat","max_tokens":9,"stream":true,"messages":[]}"#, "\n\n"),
    ("/v1beta/models/demo%2Fhello:generateContent", r#"{"contents":[]}"#, "}"),
    ("/v1beta/models/chat:streamGenerateContent?alt=sse", r#"{"contents":[]}"#, "\n\n"),
];

/// The lines of exchanges among what a gateway said.
fn lines(said: &str) -> Vec<Value> {
    said.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(|l: &Value| l["exchange"].is_string())
        .collect()
}

#[test]
fn a_first_word_needs_neither_key_nor_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = Running::start(folder.path(), &UP);
    let mut exchanges = Vec::new();
    for (path, body, end) in DIALECTS {
        let heard = gateway.post(path, body);
        assert_eq!(heard.status, 200, "{path}: {}", heard.body);
        assert!(
            heard.body.contains("Hello from shim") && heard.body.trim_end_matches(' ').ends_with(end),
            "{path}: {}",
            heard.body
        );
        assert_eq!(heard.header("x-shim-target"), Some("demo/hello"), "{path}");
        exchanges.push(heard.header("x-shim-exchange").unwrap().to_owned());
    }
    let asked = r#"{"model":"demo/hello","messages":[{"role":"user","content":"Hi there"}]}"#;
    let counted = gateway.post("/v1/messages/count_tokens", asked);
    let told = (counted.status, counted.header("x-shim-fidelity"));
    assert_eq!(told, (200, Some("mapped; losses=1")), "{}", counted.body);
    exchanges.push(counted.header("x-shim-exchange").unwrap().to_owned());
    let models = http(&gateway.clients, "GET", "/v1/models", "", CLIENT).unwrap();
    exchanges.push(models.header("x-shim-exchange").unwrap().to_owned());
    assert!(models.body.contains("\"demo/hello\""), "{}", models.body);
    let known = gateway.json(folder.path(), &["models"]);
    let hello = known["models"].as_array().unwrap().iter().find(|m| m["id"] == "demo/hello").unwrap();
    assert_eq!(hello["name"], "demo: a built-in responder, no model");
    let status = gateway.json(folder.path(), &["status"]);
    assert_eq!(
        (&status["draining"], &status["aliases"][0]["live"]),
        (&Value::from(false), &Value::from("demo/hello"))
    );
    check_chat(folder.path(), &gateway);
    check_operators(&gateway, &exchanges);
    gateway.signal(Signal::TERM);
    let (status, said) = gateway.end();
    assert_eq!(status.code(), Some(0), "{said}");
    check_told(&said, &exchanges);
}

/// The command that chats.
#[track_caller]
fn check_chat(folder: &Path, gateway: &Running) {
    let url = format!("http://{}", gateway.clients);
    let chat = run(folder, &["chat", "demo/hello", "Hi", "--url", &url]);
    assert!(chat.code == Some(0) && chat.out.starts_with("Hello from shim"), "{}{}", chat.out, chat.err);
    let chat = run(folder, &["chat", "chat", "Hi", "--json", "--url", &url]);
    let told: Value = serde_json::from_str(&chat.out).unwrap();
    assert!(
        told["text"].as_str().unwrap().starts_with("Hello from shim") && told["finish"] == "stop",
        "{told}"
    );
    let wrong = run(folder, &["chat", "caht", "Hi", "--url", &url]);
    assert!(wrong.code == Some(1) && wrong.err.contains("did you mean \"chat\""), "{}", wrong.err);
}

/// What was told while it ran: what to do without a key, and each exchange once.
#[track_caller]
fn check_told(said: &str, exchanges: &[String]) {
    for told in ["no key and no model server", "copy one of these", "shim-data: exchanges are recorded there"]
    {
        assert!(said.contains(told), "{told} is not in {said}");
    }
    let lines = lines(said);
    for id in exchanges.iter().filter(|id| !id.is_empty()) {
        assert_eq!(
            lines.iter().filter(|line| line["exchange"] == **id).count(),
            1,
            "one line for {id}: {said}"
        );
    }
    assert_eq!(lines.len(), 13, "{said}");
}

/// The operators' pages after eight exchanges.
fn check_operators(gateway: &Running, exchanges: &[String]) {
    assert_eq!((gateway.page("/healthz").status, gateway.page("/readyz").status), (200, 200));
    let metrics = gateway.page("/metrics");
    let samples = exposition::check(&metrics.body);
    assert!(samples["shim_exchanges_admitted_total"] >= 11.0, "{samples:?}");
    assert_eq!(samples["shim_exchanges_in_flight"], 0.0);
    let delivered = r#"shim_exchanges_total{model="chat",target="demo/hello",outcome="delivered"}"#;
    assert!(samples[delivered] >= 4.0, "{samples:?}");
    let page = gateway.page(&format!("/v1/exchanges/{}", exchanges[0]));
    let exchange: Value = serde_json::from_str(&page.body).unwrap();
    assert_eq!((&exchange["outcome"], &exchange["status"]), (&Value::from("delivered"), &Value::from(200)));
    let told = gateway.page("/v1/status");
    assert_eq!(told.status, 200);
}

/// A provider whose answers are whole, but for models of a certain name.
fn lab() -> String {
    upstream::start(|body, stream| {
        let asked: Value = serde_json::from_str(body).unwrap();
        let key = format!(r#"{{"error":{{"message":"bad key {LAB_KEY}"}}}}"#);
        let good = format!(
            r#"{{"model":{},"choices":[{{"index":0,"message":{{"content":"good"}},"finish_reason":"stop"}}]}}"#,
            asked["model"]
        );
        match asked["model"].as_str().unwrap_or_default() {
            "refuses" => upstream::whole(stream, 401, &key),
            "fails" => upstream::whole(stream, 500, &key),
            "tells" => upstream::whole(stream, 200, &key),
            _ => upstream::whole(stream, 200, &good),
        }
    })
}

/// A configuration with a key for clients and a secret for operators.
fn configuration(base: &str, more: &str) -> String {
    format!(
        "[server]\nlisten = \"127.0.0.1:0\"\noperators = \"127.0.0.1:0\"\noperators_secret = {{ env = \"OPERATORS_KEY\" }}\n\
         [providers.lab]\ndialect = \"openai-chat\"\nbase_url = \"{base}\"\nkey = {{ env = \"LAB_KEY\" }}\n\
         [aliases.chat]\ntarget = \"lab/one\"\n[keys.app]\nsecret = {{ env = \"APP_KEY\" }}\n{more}"
    )
}

/// Asks for `model` with the application's key.
fn ask(gateway: &Running, model: &str) -> (u16, String) {
    let body = format!(r#"{{"model":"{model}","messages":[]}}"#);
    let heard = http(&gateway.clients, "POST", "/v1/chat/completions", &body, APP_KEY).unwrap();
    check_silent("a client", &heard.body);
    (heard.status, heard.body)
}

#[test]
fn a_swap_is_seen_taken_back_and_outlives_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("shim.toml"), configuration(&lab(), "")).unwrap();
    let gateway = Running::start(folder, &["serve"]);
    assert!(ask(&gateway, "chat").1.contains("\"one\""));
    let swap = gateway.json(folder, &["swap", "chat", "--to", "lab/two", "--now"]);
    assert_eq!(
        (&swap["from"], &swap["to"], &swap["generation"]),
        (&"lab/one".into(), &"lab/two".into(), &2.into())
    );
    assert!(ask(&gateway, "chat").1.contains("\"two\""));
    assert!(gateway.ask(folder, &["status"]).out.contains("lab/two   (the file declares lab/one)"));
    let listed = gateway.ask(folder, &["swap", "--list"]).out;
    assert!(
        listed.starts_with("20") && listed.contains("Z  committed    chat lab/one → lab/two"),
        "{listed}"
    );
    let gated = gateway.ask(folder, &["swap", "chat", "--to", "lab/three"]);
    assert!(gated.code == Some(1) && gated.err.contains("--now"), "{}", gated.err);
    let wrong = gateway.ask(folder, &["swap", "caht", "--to", "lab/two", "--now"]);
    assert!(wrong.code == Some(1) && wrong.err.contains("did you mean \"chat\""), "{}", wrong.err);
    gateway.signal(Signal::KILL);
    let _ = gateway.end();
    let gateway = Running::start(folder, &["serve"]);
    assert!(ask(&gateway, "chat").1.contains("\"two\""), "the swap outlives the process, killed as it was");
    assert_eq!(gateway.json(folder, &["status"])["aliases"][0]["diverged"], true);
    assert_eq!(gateway.json(folder, &["swap", "chat", "--back"])["to"], "lab/one");
    assert!(ask(&gateway, "chat").1.contains("\"one\""));
    let none = gateway.ask(folder, &["swap", "chat", "--back"]);
    assert_eq!(none.code, Some(1), "{}", none.out);
    gateway.signal(Signal::TERM);
    assert_eq!(gateway.end().0.code(), Some(0));
    check_store(folder);
}

/// The store holds no secret.
fn check_store(folder: &Path) {
    let store = folder.join("shim-data");
    let ledger = std::fs::read_dir(store.join("ledger")).unwrap();
    for file in std::fs::read_dir(&store).unwrap().chain(ledger) {
        let path = file.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        check_silent(&path.display().to_string(), &String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn a_changed_file_is_applied_and_a_broken_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (folder, base) = (folder.path(), lab());
    let write = |text: String| std::fs::write(folder.join("shim.toml"), text).unwrap();
    write(configuration(&base, ""));
    let gateway = Running::start(folder, &["serve"]);
    let generation = |wanted: u64| {
        until("the generation", || {
            let status = gateway.json(folder, &["status"]);
            (status["generation"] == wanted && status["refused"].is_null()).then_some(())
        });
    };
    let refused = |says: &str| {
        until(says, || {
            gateway.json(folder, &["status"])["refused"]
                .as_str()
                .map(str::to_owned)
                .filter(|why| why.contains(says))
        })
    };
    write(configuration(&base, "[aliases.new]\ntarget = \"lab/three\"\n"));
    generation(2);
    assert!(ask(&gateway, "new").1.contains("\"three\""));
    write(configuration(&base, "[aliases.new]\ntarget = \"lba/three\"\n"));
    refused("aliases.new.target: there is no provider \"lba\"");
    assert!(ask(&gateway, "new").1.contains("\"three\""), "the old one goes on");
    write(configuration(&base, "[aliases.new\n"));
    refused("shim.toml:");
    write(configuration(&base, "[keys.other]\nsecret = { env = \"NOT_SET\" }\n"));
    assert!(refused("NOT_SET").contains("keys.other.secret"));
    std::fs::remove_file(folder.join("shim.toml")).unwrap();
    refused("cannot read");
    assert!(gateway.ask(folder, &["status"]).out.contains("is NOT in force"));
    write(configuration(&base, "[aliases.newer]\ntarget = \"lab/four\"\n"));
    generation(3);
    assert!(ask(&gateway, "newer").1.contains("\"four\""));
    assert_eq!(ask(&gateway, "new").0, 404);
    gateway.signal(Signal::INT);
    let (status, said) = gateway.end();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(said.contains("the changed configuration is refused, the old one goes on"), "{said}");
}

#[test]
fn a_hang_up_reads_secrets_anew_and_what_waits_for_a_restart_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (folder, base) = (folder.path(), lab());
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    let keyed = configuration(&base, "[keys.other]\nsecret = { file = \"other.key\" }\n");
    write("other.key", "other-1\n");
    write("shim.toml", &keyed);
    let gateway = Running::start(folder, &["serve"]);
    let good = |secret: &str| {
        let body = r#"{"model":"chat","messages":[]}"#;
        http(&gateway.clients, "POST", "/v1/chat/completions", body, secret).unwrap().status == 200
    };
    assert!(good("other-1") && !good("other-2"));
    write("other.key", "other-2\n");
    gateway.signal(Signal::HUP);
    until("the new secret", || good("other-2").then_some(()));
    assert!(!good("other-1"), "the old one is gone");
    assert!(gateway.json(folder, &["status"])["restart"].as_array().unwrap().is_empty());
    write("shim.toml", &format!("{keyed}[store]\nledger_days_max = 7\n"));
    let waits = until("what waits for a restart", || {
        gateway.json(folder, &["status"])["restart"][0].as_str().map(str::to_owned)
    });
    assert_eq!(waits, "the ledger's members of store");
    assert!(gateway.ask(folder, &["status"]).out.contains("these wait for a restart: the ledger's"));
    gateway.signal(Signal::TERM);
    let (status, said) = gateway.end();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(!said.contains('\u{1b}'), "no colours where nobody sees them: {said:?}");
}

#[test]
fn no_secret_is_told_whatever_an_upstream_says() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("shim.toml"), configuration(&lab(), "[log]\nformat = \"text\"\n")).unwrap();
    let gateway = Running::start(folder, &["serve"]);
    for (model, status) in [("lab/refuses", 401), ("lab/fails", 502), ("lab/tells", 502)] {
        let (found, told) = ask(&gateway, model);
        assert_eq!(found, status, "{told}");
        assert!(told.contains("refused the gateway's credential (LAB_KEY)"), "{told}");
    }
    let stranger = gateway.post("/v1/chat/completions?key=client-9e8d7c6b", "{}");
    assert_eq!(stranger.status, 401, "{}", stranger.body);
    check_silent("a client", &stranger.body);
    let refused = http(&gateway.operators, "GET", "/v1/status", "", CLIENT).unwrap();
    assert_eq!(refused.status, 401);
    let exchanges = gateway.page("/v1/exchanges").body;
    assert!(exchanges.contains("upstream_credential"), "{exchanges}");
    exposition::check(&gateway.page("/metrics").body);
    gateway.signal(Signal::TERM);
    let (status, said) = gateway.end();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(said.contains(" 401 lab/refuses → lab/refuses openai-chat"), "a line of text: {said}");
    check_store(folder);
}

const BEGIN: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n";
const END: &str =
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

/// A gateway with a stream under way, whose upstream ends it when told; and the client's side of it.
fn streaming(folder: &Path) -> (Running, TcpStream, mpsc::Sender<()>) {
    let (go, told) = mpsc::channel();
    let told = Mutex::new(told);
    let base = upstream::start(move |_, stream| {
        upstream::begin_stream(stream);
        stream.write_all(BEGIN.as_bytes()).unwrap();
        if told.lock().unwrap().recv().is_ok() {
            stream.write_all(END.as_bytes()).unwrap();
        }
    });
    std::fs::write(folder.join("shim.toml"), configuration(&base, "")).unwrap();
    let gateway = Running::start(folder, &["serve"]);
    let mut client = TcpStream::connect(&gateway.clients).unwrap();
    let body = r#"{"model":"chat","stream":true}"#;
    let length = body.len();
    write!(client, "POST /v1/chat/completions HTTP/1.0\r\nhost: x\r\nx-api-key: {APP_KEY}\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
    let mut begun = vec![0; 4096];
    let mut heard = String::new();
    while !heard.contains(BEGIN) {
        let read = client.read(&mut begun).unwrap();
        assert!(read > 0, "{heard}");
        heard.push_str(std::str::from_utf8(&begun[..read]).unwrap());
    }
    (gateway, client, go)
}

#[test]
fn a_signal_drains_and_then_ends_with_success() {
    let folder = tempfile::tempdir().unwrap();
    let (gateway, mut client, go) = streaming(folder.path());
    gateway.signal(Signal::TERM);
    until("the drain", || (gateway.page("/readyz").status == 503).then_some(()));
    assert_eq!(gateway.page("/healthz").status, 200);
    assert_eq!(gateway.json(folder.path(), &["status"])["draining"], true);
    until("the listener to close", || TcpStream::connect(&gateway.clients).is_err().then_some(()));
    go.send(()).unwrap();
    let mut rest = String::new();
    client.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, END, "the stream ends whole");
    let (status, said) = gateway.end();
    assert_eq!(status.code(), Some(0), "{said}");
    assert_eq!(lines(&said).iter().filter(|line| line["outcome"] == "delivered").count(), 1, "{said}");
}

#[test]
fn a_second_signal_stops_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (gateway, mut client, _go) = streaming(folder.path());
    gateway.signal(Signal::TERM);
    until("the drain", || (gateway.page("/readyz").status == 503).then_some(()));
    let since = Instant::now();
    gateway.signal(Signal::TERM);
    let (status, said) = gateway.end();
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("stopped at once by a second signal"), "{said}");
    let mut rest = String::new();
    // A reset or an end, but nothing that looks like the end of an answer.
    let _ = client.read_to_string(&mut rest);
    assert!(!rest.contains("[DONE]"), "{rest}");
}

#[test]
fn a_response_is_gone_on_from_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let ask = r#"{"model":"demo/hello","input":"Hi"}"#;
    let gateway = Running::start(folder.path(), &UP);
    let first = gateway.post("/v1/responses", ask);
    let id = serde_json::from_str::<Value>(&first.body).unwrap()["id"].as_str().unwrap().to_owned();
    gateway.signal(Signal::TERM);
    assert!(gateway.end().0.success());
    let gateway = Running::start(folder.path(), &UP);
    let path = format!("/v1/responses/{id}");
    let told = http(&gateway.clients, "GET", &path, "", CLIENT).unwrap();
    assert_eq!((told.status, &told.body), (200, &first.body));
    let next =
        format!(r#"{{"model":"demo/hello","stream":true,"input":"and?","previous_response_id":"{id}"}}"#);
    let second = gateway.post("/v1/responses", &next);
    let end = second.body.lines().rfind(|line| line.starts_with("data: {")).unwrap();
    let end: Value = serde_json::from_str(end.trim_start_matches("data: ")).unwrap();
    let path = format!("/v1/responses/{}/input_items", end["response"]["id"].as_str().unwrap());
    let listed = http(&gateway.clients, "GET", &path, "", CLIENT).unwrap();
    let items = serde_json::from_str::<Value>(&listed.body).unwrap()["data"].as_array().unwrap().len();
    assert_eq!((listed.status, items), (200, 3), "{}", listed.body);
    let unknown = next.replace(&id, "resp_nobody");
    let heard = gateway.post("/v1/responses", &unknown);
    assert_eq!(heard.status, 400, "{}", heard.body);
    assert!(heard.body.contains("previous_response_not_found"), "{}", heard.body);
    let deleted = http(&gateway.clients, "DELETE", &format!("/v1/responses/{id}"), "", CLIENT).unwrap();
    assert_eq!(deleted.status, 200, "{}", deleted.body);
    assert_eq!(
        http(&gateway.clients, "GET", &format!("/v1/responses/{id}"), "", CLIENT).unwrap().status,
        404
    );
}
