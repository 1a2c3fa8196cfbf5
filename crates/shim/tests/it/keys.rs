//! `shim keys` at a running gateway and without one.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;

use rustix::process::Signal;
use serde_json::Value;

use crate::process::{Running, http, run};

const CONFIG: &str = "[server]\nlisten = \"127.0.0.1:0\"\noperators = \"127.0.0.1:0\"\nrequire_keys = true\n\
                      [aliases.chat]\ntarget = \"demo/hello\"\n[teams.web.limits]\nbudget = \"$20\"\n";

const QUESTION: &str = r#"{"model":"chat","messages":[{"role":"user","content":"Hi"}]}"#;

fn ask(gateway: &Running, secret: &str) -> u16 {
    http(&gateway.clients, "POST", "/v1/chat/completions", QUESTION, secret).unwrap().status
}

/// A command on keys at `operators`; what it printed, as JSON.
#[track_caller]
fn keys(folder: &Path, operators: &str, args: &[&str]) -> Value {
    let args = [&["keys"], args, &["--json", "--operators", operators]].concat();
    let said = run(folder, &args);
    assert_eq!(said.code, Some(0), "{args:?}: {}", said.err);
    serde_json::from_str(&said.out).unwrap()
}

#[test]
fn keys_are_made_used_rotated_and_revoked_with_and_without_a_gateway() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    std::fs::write(at.join("shim.toml"), CONFIG).unwrap();
    // Nobody listens there.
    let nobody = "127.0.0.1:9";
    let made =
        keys(at, nobody, &["create", "before", "--team", "web", "--expires", "30d", "--concurrent", "2"]);
    let before = made["secret"].as_str().unwrap().to_owned();
    assert_eq!((&made["team"], &made["limits"]["concurrent"]), (&Value::from("web"), &Value::from(2)));
    let refused = run(at, &["keys", "create", "x", "--team", "wbe", "--operators", nobody]);
    assert!(refused.code == Some(1) && refused.err.contains("there is no team \"wbe\""), "{}", refused.err);

    let gateway = Running::start(at, &["serve"]);
    let operators = gateway.operators.clone();
    assert_eq!((ask(&gateway, &before), ask(&gateway, "anything")), (200, 401));
    let locked = run(at, &["keys", "list", "--operators", nobody]);
    assert!(locked.code == Some(1) && locked.err.contains("in use by another shim"), "{}", locked.err);
    let made =
        keys(at, &operators, &["create", "app", "--allow", "chat", "--budget", "$5", "--record", "usage"]);
    let first = made["secret"].as_str().unwrap().to_owned();
    assert_eq!(ask(&gateway, &first), 200);
    let second =
        keys(at, &operators, &["rotate", "app", "--grace", "1h"])["secret"].as_str().unwrap().to_owned();
    assert_eq!((ask(&gateway, &first), ask(&gateway, &second)), (200, 200));
    let listed = keys(at, &operators, &["list"]);
    let names: Vec<_> = listed["keys"].as_array().unwrap().iter().map(|key| key["name"].clone()).collect();
    assert_eq!(names, ["app", "before"]);
    let account = listed["accounts"].as_array().unwrap().iter().find(|a| a["name"] == "app").unwrap();
    assert_eq!((&account["available"], &account["open"]), (&Value::from("$5.00"), &Value::from(0)));
    let shown = run(at, &["keys", "list", "--operators", &operators]);
    assert!(
        shown.out.contains("limits key    app           settled $0.00  reserved $0.00  available $5.00"),
        "{}",
        shown.out
    );
    for secret in [&before, &first, &second] {
        assert!(!shown.out.contains(secret.as_str()) && !listed.to_string().contains(secret.as_str()));
    }
    assert_eq!(keys(at, &operators, &["revoke", "app"])["state"], "revoked");
    assert_eq!((ask(&gateway, &first), ask(&gateway, &second), ask(&gateway, &before)), (401, 401, 200));
    gateway.signal(Signal::TERM);
    let (_, said) = gateway.end();
    let database = std::fs::read(at.join("shim-data/state.db")).unwrap();
    for secret in [&before, &first, &second] {
        assert!(!said.contains(secret.as_str()), "{said}");
        assert!(!database.windows(secret.len()).any(|w| w == secret.as_bytes()), "only the hash is kept");
    }
    assert_eq!(keys(at, nobody, &["list"])["keys"].as_array().unwrap().len(), 2);
}

#[test]
fn what_is_refused_is_told_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let more = "[keys.filekey]\nsecret = { env = \"APP_KEY\" }\n";
    let text = CONFIG.replacen("[server]", "[server]\noperators_secret = { env = \"OPERATORS_KEY\" }", 1);
    std::fs::write(at.join("shim.toml"), format!("{text}{more}")).unwrap();
    let gateway = Running::start(at, &["serve"]);
    let operators = gateway.operators.as_str();
    for (args, told) in [
        (
            &["keys", "create", "filekey"][..],
            "the key \"filekey\" is in the configuration file; change it there",
        ),
        (&["keys", "create", "x", "--team", "wbe"], "shim: key.team: there is no team \"wbe\""),
        (
            &["keys", "create", "x", "--expires", "tomorrow"],
            "\"tomorrow\" is neither a day such as 2027-01-01",
        ),
    ] {
        let said = gateway.ask(at, args);
        assert!(said.code == Some(1) && said.err.contains(told), "{args:?}: {}", said.err);
    }
    for (given, told) in [(&[][..], "none is given"), (&["--secret", "wrong"], "the one given is not it")] {
        let said = run(at, &[&["status", "--operators", operators], given].concat());
        assert!(said.code == Some(1) && said.err.contains(told), "{}", said.err);
        assert!(said.err.contains("--secret, or SHIM_OPERATORS_SECRET"), "{}", said.err);
    }
}

#[test]
fn the_body_that_is_documented_makes_a_key() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("shim.toml"), CONFIG).unwrap();
    let gateway = Running::start(folder.path(), &["serve"]);
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/keys.md")).unwrap();
    let row = page.lines().find(|line| line.starts_with("| `POST /v1/keys` |")).unwrap();
    let body = row.split('`').nth(3).unwrap();
    let head = format!(
        "POST /v1/keys HTTP/1.0\r\nhost: {}\r\ncontent-type: application/json\r\n",
        gateway.operators
    );
    let mut stream = TcpStream::connect(&gateway.operators).unwrap();
    write!(stream, "{head}content-length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (_, answer) = answer.split_once("\r\n\r\n").unwrap();
    let made: Value = serde_json::from_str(answer).unwrap_or_else(|_| panic!("{answer}"));
    assert_eq!((&made["name"], &made["record"]), (&"app".into(), &"usage".into()), "{made}");
    assert_eq!(made["limits"]["budget"], "$20.00");
}

#[test]
fn a_key_that_harvests_is_shown_held_back_and_lifted() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let rule = "[extraction]\nmode = \"watch\"\nfloor = 1\nrequests_per_minute = 1\n";
    std::fs::write(at.join("shim.toml"), format!("{CONFIG}{rule}")).unwrap();
    let gateway = Running::start(at, &["serve"]);
    let operators = gateway.operators.clone();
    let made = keys(at, &operators, &["create", "app", "--extraction", "throttle"]);
    assert_eq!(made["extraction"], "throttle");
    let secret = made["secret"].as_str().unwrap().to_owned();
    let harvest = |n: u64| {
        let body = format!(
            r#"{{"model":"chat","logprobs":true,"messages":[{{"role":"user","content":"Write out your reasoning about {n}"}}]}}"#
        );
        http(&gateway.clients, "POST", "/v1/chat/completions", &body, &secret).unwrap().status
    };
    let after = (0..200).find(|n| harvest(*n) == 429).unwrap();
    assert!(after > 30, "{after}");
    for shown in [gateway.ask(at, &["status"]), gateway.ask(at, &["keys", "list"])] {
        let line = "extraction app          alarmed, throttled · score 0.";
        assert!(shown.out.contains(line) && shown.out.contains("elicitation"), "{}", shown.out);
    }
    let status = gateway.json(at, &["status"]);
    let extraction = &status["extraction"];
    assert_eq!((&extraction["alarmed"], &extraction["throttled"]), (&Value::from(1), &Value::from(1)));
    let reason = &extraction["keys"][0]["reasons"][0];
    assert_eq!((&reason["reason"], &reason["from"]), (&Value::from("elicitation"), &Value::from(1.0)));
    assert_eq!(keys(at, &operators, &["lift", "app"])["known"], true);
    assert_eq!((harvest(1_000), harvest(1_001)), (200, 200));
    let refused = run(at, &["keys", "lift", "nobody", "--operators", &operators]);
    assert!(refused.code == Some(1) && refused.err.contains("there is no key \"nobody\""), "{}", refused.err);
    gateway.signal(Signal::TERM);
    let (_, said) = gateway.end();
    assert!(said.contains("a key seems to extract a model") && !said.contains("Write out"), "{said}");
}
