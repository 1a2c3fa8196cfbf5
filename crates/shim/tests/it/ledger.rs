//! The ledger of the real binary: killed at any moment, read while it is written, and asked not to record.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::process::{APP_KEY, OPERATORS, Running, http, run, until};
use crate::upstream;

/// How often a gateway is killed; `SHIM_KILLS` says otherwise.
const KILLS: u64 = 15;

/// The window of the configuration, and what a commit may take on a machine that does other things as well.
const WINDOW: Duration = Duration::from_millis(20 + 230);

const BEGIN: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n";
const END: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}\n\ndata: [DONE]\n\n";
const WHOLE: &str = r#"{"model":"one","choices":[{"index":0,"message":{"role":"assistant","content":"said"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":4}}"#;

/// A provider that streams in three pieces, or answers whole.
fn lab() -> String {
    upstream::start(|body, stream| {
        if !body.contains("\"stream\":true") {
            return upstream::whole(stream, 200, WHOLE);
        }
        upstream::begin_stream(stream);
        // Long enough that a kill falls into it; each piece is a write of its own.
        for piece in std::iter::repeat_n(BEGIN, 100).chain([END]) {
            // The gateway may be dead.
            if stream.write_all(piece.as_bytes()).is_err() {
                return;
            }
        }
    })
}

fn configuration(base: &str, more: &str) -> String {
    format!(
        "[server]\nlisten = \"127.0.0.1:0\"\noperators = \"127.0.0.1:0\"\noperators_secret = {{ env = \"OPERATORS_KEY\" }}\n\
         workers = 2\n[log]\nformat = \"off\"\n\
         [providers.lab]\ndialect = \"openai-chat\"\nbase_url = \"{base}\"\nkey = {{ env = \"LAB_KEY\" }}\n\
         [aliases.chat]\ntarget = \"lab/one\"\n[aliases.private]\ntarget = \"lab/one\"\nrecord = \"off\"\n\
         [keys.app]\nsecret = {{ env = \"APP_KEY\" }}\n{more}"
    )
}

/// What a client saw of an exchange.
#[derive(Debug)]
struct Seen {
    id: String,
    /// When its answer was there, whole.
    whole: Option<Instant>,
}

/// Asks once; `None` where not even the head of an answer came.
fn ask(address: &str, streamed: bool) -> Option<Seen> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    let body = format!(
        r#"{{"model":"chat","stream":{streamed},"messages":[{{"role":"user","content":"hello there"}}]}}"#
    );
    let length = body.len();
    write!(stream, "POST /v1/chat/completions HTTP/1.0\r\nhost: x\r\nx-api-key: {APP_KEY}\r\ncontent-length: {length}\r\n\r\n{body}").ok()?;
    let mut reader = BufReader::new(stream);
    let (mut id, mut answer) = (None, String::new());
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(value) = line.strip_prefix("x-shim-exchange: ") {
            id = Some(value.trim().to_owned());
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut line = String::new();
    while reader.read_line(&mut line).unwrap_or(0) > 0 {
        answer.push_str(&line);
        line.clear();
    }
    let whole = if streamed { answer.ends_with("data: [DONE]\n\n") } else { answer == WHOLE };
    Some(Seen { id: id?, whole: whole.then(Instant::now) })
}

/// Clients that ask until they are told to stop; what they saw.
fn load(
    address: &str,
    stop: &Arc<AtomicBool>,
    seen: &Arc<Mutex<Vec<Seen>>>,
) -> Vec<std::thread::JoinHandle<()>> {
    let client = |n: usize| {
        let (address, stop, seen) = (address.to_owned(), stop.clone(), seen.clone());
        std::thread::spawn(move || {
            let mut streamed = n.is_multiple_of(2);
            while !stop.load(Ordering::Relaxed) {
                match ask(&address, streamed) {
                    Some(found) => seen.lock().unwrap().push(found),
                    None => std::thread::sleep(Duration::from_millis(1)),
                }
                streamed = !streamed;
            }
        })
    };
    (0..4).map(client).collect()
}

/// Rows of the ledger by id, and how often each is there.
fn rows(folder: &Path) -> BTreeMap<String, (u32, String)> {
    let mut rows: BTreeMap<String, (u32, String)> = BTreeMap::new();
    for line in run(folder, &["ledger", "export"]).out.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let outcome = row["outcome"].as_str().unwrap().to_owned();
        let found = rows.entry(row["exchange"].as_str().unwrap().to_owned()).or_insert((0, outcome));
        found.0 += 1;
    }
    rows
}

/// Checks that the ledger holds; what it came to.
#[track_caller]
fn verified(folder: &Path) -> Value {
    let said = run(folder, &["ledger", "verify", "--deep", "--json"]);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    serde_json::from_str(&said.out).unwrap()
}

/// Kills a gateway under load again and again. Nothing is accounted twice or never: with `strict` nothing any client saw
/// the beginning of, else nothing that was answered longer ago than the window.
fn kill(durability: &str, kills: u64) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let store = format!("[store]\ndurability = \"{durability}\"\n");
    std::fs::write(folder.join("shim.toml"), configuration(&lab(), &store)).unwrap();
    let (mut answered, mut begun, mut young) = (0, 0, 0);
    for round in 0..kills {
        let gateway = Running::start(folder, &["serve"]);
        let (stop, seen) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let clients = load(&gateway.clients, &stop, &seen);
        // Moments apart from each other in a way that repeats nothing.
        std::thread::sleep(Duration::from_millis(150 + round * 7919 % 331));
        let killed = Instant::now();
        gateway.signal(Signal::KILL);
        let _ = gateway.end();
        stop.store(true, Ordering::Relaxed);
        clients.into_iter().for_each(|client| client.join().unwrap());
        // Before anybody mends anything it holds already: what is open is accounted as open.
        verified(folder);
        let rows = rows(folder);
        let open = verified(folder)["open"].as_u64().unwrap();
        for seen in seen.lock().unwrap().iter() {
            let found = rows.get(&seen.id);
            assert!(found.is_none_or(|(times, _)| *times == 1), "{} is there {found:?}", seen.id);
            begun += 1;
            let Some(whole) = seen.whole else {
                let accounted = found.is_some() || open > 0;
                assert!(durability != "strict" || accounted, "{} was begun and is not there", seen.id);
                continue;
            };
            answered += 1;
            let old = killed.saturating_duration_since(whole) > WINDOW;
            if durability == "strict" || old {
                let outcome = found.map(|(_, outcome)| outcome.as_str());
                assert_eq!(outcome, Some("delivered"), "round {round}: {} was answered", seen.id);
            } else {
                young += u64::from(found.is_none());
            }
        }
    }
    assert!(answered > kills, "the load was one: {answered} answered of {begun} begun");
    let gateway = Running::start(folder, &["serve"]);
    gateway.signal(Signal::TERM);
    assert_eq!(gateway.end().0.code(), Some(0));
    let found = verified(folder);
    assert_eq!(found["open"], 0, "what was under way is abandoned by a crash: {found}");
    let rows = rows(folder);
    assert_eq!(rows.len() as u64, found["admitted"].as_u64().unwrap(), "each row once: {found}");
    eprintln!(
        "{kills} kills, {durability}: {answered} answered, {young} of them lost within the window; {found}"
    );
}

fn kills() -> u64 {
    std::env::var("SHIM_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS)
}

#[test]
fn a_gateway_killed_at_any_moment_accounts_everything_once() {
    kill("window", kills());
}

#[test]
fn a_strict_gateway_killed_at_any_moment_misses_nothing_a_client_saw() {
    kill("strict", kills());
}

#[test]
fn what_was_said_is_found_shown_followed_and_exported() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("shim.toml"), configuration(&lab(), "")).unwrap();
    let none = run(folder, &["ledger", "verify"]);
    assert!(none.code == Some(1) && none.err.contains("there is no ledger"), "{}", none.err);
    let gateway = Running::start(folder, &["serve"]);
    let post = |model: &str, words: &str| {
        let body = format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"{words}"}}]}}"#);
        let heard = http(&gateway.clients, "POST", "/v1/chat/completions", &body, APP_KEY).unwrap();
        assert_eq!(heard.status, 200, "{}", heard.body);
        heard.header("x-shim-exchange").unwrap().to_owned()
    };
    let id = post("chat", "where is the zebra crossing");
    let shown = until("the row", || {
        let said = run(folder, &["ledger", "show", &id, "--json"]);
        serde_json::from_str::<Value>(&said.out).ok()
    });
    assert!(shown["request"].as_str().unwrap().contains("zebra crossing"), "{shown}");
    assert_eq!((shown["answer"].as_str(), &shown["outcome"]), (Some(WHOLE), &Value::from("delivered")));
    let private = post("private", "my zebra has a secret");
    until("the other row", || (run(folder, &["ledger", "show", &private]).code == Some(0)).then_some(()));
    let found = run(folder, &["ledger", "search", "zebra", "--json"]);
    let found: Vec<Value> = found.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(found.len(), 1, "what is not to be recorded is not found: {found:?}");
    assert!(found[0]["exchange"] == *id && found[0]["snippet"].as_str().unwrap().contains("zebra crossing"));
    let private: Value =
        serde_json::from_str(&run(folder, &["ledger", "show", &private, "--json"]).out).unwrap();
    assert_eq!((&private["request"], &private["usage"]["output_text"]), (&Value::Null, &Value::from(4)));
    let tail = run(folder, &["ledger", "tail", "-n", "1", "--model", "chat"]);
    assert!(tail.out.contains(&id) && tail.out.contains("delivered"), "{}", tail.out);
    let csv =
        run(folder, &["ledger", "export", "--format", "csv", "--since", "1h", "--outcome", "delivered"]);
    assert!(csv.out.starts_with("exchange,at,") && csv.out.lines().count() == 3, "{}", csv.out);
    let bodies = run(folder, &["ledger", "export", "--bodies", "--limit", "1"]);
    assert!(bodies.out.contains("zebra crossing") && bodies.out.lines().count() == 1, "{}", bodies.out);
    let page = gateway.page("/v1/exchanges?model=chat&limit=1");
    let page: Value = serde_json::from_str(&page.body).unwrap();
    assert_eq!(page["exchanges"][0]["exchange"], *id);
    let status = gateway.json(folder, &["status"]);
    assert_eq!(status["ledger"]["alarms"], Value::Array(Vec::new()), "{status}");
    gateway.signal(Signal::TERM);
    assert_eq!(gateway.end().0.code(), Some(0));
    let found = verified(folder);
    assert_eq!((&found["settled"], &found["open"]), (&2.into(), &0.into()), "{found}");
    for (args, told) in [
        (vec!["show", "x"], "is a UUID"),
        (vec!["show", "01923456-789a-7bcd-8123-456789abcdef"], "has no exchange"),
        (vec!["tail", "--since", "yesterday"], "is no time"),
        (vec!["search", "*"], "no word"),
    ] {
        let said = run(folder, &[&["ledger"], &args[..]].concat());
        assert!(said.code == Some(1) && said.err.contains(told), "{args:?}: {}", said.err);
    }
}

/// A report of `shim ledger reprice`, and what it says of the one target.
#[track_caller]
fn repriced(folder: &Path, args: &[&str]) -> (Value, Value) {
    let said = run(folder, &[&["ledger", "reprice", "--json"], args].concat());
    assert_eq!(said.code, Some(0), "{args:?}: {}", said.err);
    let report: Value = serde_json::from_str(&said.out).unwrap();
    let target = report["targets"][0].clone();
    (report, target)
}

/// The costs of all rows, in order.
fn costs(folder: &Path) -> Vec<Option<u64>> {
    let export = run(folder, &["ledger", "export"]).out;
    let cost = |line: &str| serde_json::from_str::<Value>(line).unwrap()["cost_pico_usd"].as_u64();
    export.lines().map(cost).collect()
}

#[test]
fn costs_are_reckoned_anew_beside_a_gateway_and_without_one() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let lab = lab();
    let write = |price: &str| {
        let more = format!(
            "limits = {{ budget = \"$1\", unpriced = \"allow\" }}\n[providers.lab.prices.\"*\"]\n{price}\n"
        );
        std::fs::write(folder.join("shim.toml"), configuration(&lab, &more)).unwrap();
    };
    // Three tokens in, four out.
    write("input = \"1\"");
    let gateway = Running::start(folder, &["serve"]);
    for _ in 0..3 {
        assert!(ask(&gateway.clients, false).is_some());
    }
    until("the rows", || (costs(folder).len() == 3).then_some(()));
    assert_eq!(costs(folder), [None; 3], "output has no price");
    let nobody = run(folder, &["ledger", "reprice", "--operators", "127.0.0.1:9"]);
    assert!(nobody.code == Some(1) && nobody.err.contains("name its operators' address"), "{}", nobody.err);
    write("input = \"1\"\noutput = \"2\"");
    let asked = ["--operators", &gateway.operators, "--secret", OPERATORS];
    let known = until("the new prices", || {
        let (report, target) = repriced(folder, &asked);
        (target["became_known"] == 3).then_some((report, target))
    });
    assert_eq!((&known.0["written"], &known.1["after_pico_usd"]), (&0.into(), &33_000_000.into()));
    assert_eq!(costs(folder), [None; 3], "it was only looked at");
    let (written, _) = repriced(folder, &[&asked[..], &["--write", "--model", "chat"]].concat());
    assert_eq!(written["written"], 3, "{written}");
    assert_eq!(costs(folder), [Some(11_000_000); 3]);
    let keys: Value = gateway.json(folder, &["keys", "list"]);
    let account = keys["accounts"].as_array().unwrap().iter().find(|a| a["name"] == "app").unwrap();
    assert_eq!((&account["settled_pico_usd"], &account["unpriced"]), (&33_000_000.into(), &0.into()));
    let page = gateway.page("/v1/exchanges");
    let page: Value = serde_json::from_str(&page.body).unwrap();
    assert_eq!(page["exchanges"][0]["cost_pico_usd"], 11_000_000, "what is in memory follows");
    gateway.signal(Signal::TERM);
    assert_eq!(gateway.end().0.code(), Some(0));
    verified(folder);
    write("input = \"10\"\noutput = \"0\"");
    let (looked, target) = repriced(folder, &[]);
    assert_eq!((&looked["written"], &target["changed"]), (&0.into(), &3.into()));
    let shown = run(folder, &["ledger", "reprice", "--write", "--since", "1d"]);
    let told = "$0.000033 → $0.00009, 3 of 3 exchanges change: 3 written";
    assert!(shown.code == Some(0) && shown.out.contains(told), "{}{}", shown.out, shown.err);
    assert_eq!(costs(folder), [Some(30_000_000); 3]);
    verified(folder);
    let gateway = Running::start(folder, &["serve"]);
    let keys: Value = gateway.json(folder, &["keys", "list"]);
    let account = keys["accounts"].as_array().unwrap().iter().find(|a| a["name"] == "app").unwrap();
    assert_eq!(account["settled_pico_usd"], 90_000_000, "a start rests on it");
    let parquet = run(folder, &["ledger", "export", "--format", "parquet", "--bodies"]);
    assert!(parquet.code == Some(1) && parquet.err.contains("jsonl only"), "{}", parquet.err);
    gateway.signal(Signal::TERM);
    gateway.end();
}
