//! The ledger of the real binary, read while it is written, and asked not to record.

use rustix::process::Signal;
use serde_json::Value;

use crate::kills::load::{WHOLE, configure, lab};
use crate::kills::verified;
use crate::process::{APP_KEY, Running, http, run, until};

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
