//! The ledger of the real binary, read while it is written, and asked not to record.

use std::path::Path;

use rustix::process::Signal;
use serde_json::Value;

use crate::kills::load::{WHOLE, ask, configure, lab};
use crate::kills::verified;
use crate::process::{APP_KEY, OPERATORS, Running, http, run, until};

#[test]
fn what_was_said_is_found_shown_followed_and_exported() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    configure(folder, &lab(), "");
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
    check_exports(folder);
    let page = gateway.page("/v1/exchanges?model=chat&limit=1");
    let page: Value = serde_json::from_str(&page.body).unwrap();
    assert_eq!(page["exchanges"][0]["exchange"], *id);
    let status = gateway.json(folder, &["status"]);
    assert_eq!(status["ledger"]["alarms"], Value::Array(Vec::new()), "{status}");
    gateway.signal(Signal::TERM);
    assert_eq!(gateway.end().0.code(), Some(0));
    let found = verified(folder);
    assert_eq!((&found["settled"], &found["open"]), (&2.into(), &0.into()), "{found}");
    check_wrong(folder);
}

/// What is exported of two exchanges, of one of which the bodies were recorded.
#[track_caller]
fn check_exports(folder: &Path) {
    let csv =
        run(folder, &["ledger", "export", "--format", "csv", "--since", "1h", "--outcome", "delivered"]);
    assert!(csv.out.starts_with("exchange,at,") && csv.out.lines().count() == 3, "{}", csv.out);
    let bodies = run(folder, &["ledger", "export", "--bodies", "--limit", "1"]);
    assert!(bodies.out.contains("zebra crossing") && bodies.out.lines().count() == 1, "{}", bodies.out);
}

/// What is told of commands that cannot be done.
#[track_caller]
fn check_wrong(folder: &Path) {
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
        configure(folder, &lab, &more);
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
    check_beside(folder, &gateway);
    gateway.signal(Signal::TERM);
    assert_eq!(gateway.end().0.code(), Some(0));
    verified(folder);
    write("input = \"10\"\noutput = \"0\"");
    check_without(folder);
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

/// Three exchanges whose output had no price get one by a running gateway.
#[track_caller]
fn check_beside(folder: &Path, gateway: &Running) {
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
}

/// Three exchanges get other prices where no gateway runs.
#[track_caller]
fn check_without(folder: &Path) {
    let (looked, target) = repriced(folder, &[]);
    assert_eq!((&looked["written"], &target["changed"]), (&0.into(), &3.into()));
    let shown = run(folder, &["ledger", "reprice", "--write", "--since", "1d"]);
    let told = "$0.000033 → $0.00009, 3 of 3 exchanges change: 3 written";
    assert!(shown.code == Some(0) && shown.out.contains(told), "{}{}", shown.out, shown.err);
    assert_eq!(costs(folder), [Some(30_000_000); 3]);
}
