//! What clients are started with, and how a gateway is named.

use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::process::{Running, Said, run, shim, until};

const UP: [&str; 5] = ["up", "--listen", "127.0.0.1:0", "--operators", "127.0.0.1:0"];

/// Runs a command that has these variables beside the tests' own.
#[track_caller]
fn run_with(folder: &Path, args: &[&str], variables: &[(&str, &str)]) -> Said {
    let mut command = shim(folder, args);
    command.env("PATH", std::env::var_os("PATH").unwrap()).envs(variables.iter().copied());
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

#[test]
fn a_client_is_given_the_gateways_key_and_no_credential_of_its_users() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = Running::start(folder.path(), &UP);
    let theirs = [
        "ANTHROPIC_AUTH_TOKEN",
        "CLAUDE_CODE_OAUTH_TOKEN",
        "CLAUDE_CODE_USE_BEDROCK",
        "GOOGLE_API_KEY",
        "GOOGLE_GENAI_USE_VERTEXAI",
        "OPENAI_API_KEY",
        "OPENAI_ORG_ID",
        "AIDER_OPENAI_API_KEY",
    ];
    let variables: Vec<_> = theirs.iter().map(|name| (*name, "theirs")).collect();
    let url = format!("{}/v1/", gateway.clients);
    let said = run_with(folder.path(), &["run", "--url", &url, "--key", "ours", "--", "env"], &variables);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(!said.out.contains("theirs"), "{}", said.out);
    for wanted in [
        "OPENAI_API_KEY=ours\n".to_owned(),
        "ANTHROPIC_API_KEY=ours\n".to_owned(),
        "GOOGLE_API_KEY=ours\n".to_owned(),
        format!("OPENAI_BASE_URL=http://{}/v1\n", gateway.clients),
        format!("ANTHROPIC_BASE_URL=http://{}\n", gateway.clients),
    ] {
        assert!(said.out.contains(&wanted), "{wanted} is not in {}", said.out);
    }
}

#[test]
fn a_client_is_not_started_in_vain_and_ends_as_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = Running::start(folder.path(), &UP);
    let url = gateway.clients.as_str();
    for (args, code, told) in [
        (
            &["run", "--url", "127.0.0.1:1", "--", "echo", "started"][..],
            1,
            "no gateway answers at http://127.0.0.1:1",
        ),
        (&["run", "--url", "foo bar", "--", "echo", "started"], 2, "\"foo bar\" is no address of a gateway"),
        (&["run", "--url", url, "--model", "caht", "--", "echo", "started"], 1, "did you mean \"chat\"?"),
        (&["run", "--url", url, "--", "no-such-command"], 127, "cannot start no-such-command"),
        (&["run", "--url", url, "--", "/"], 126, "cannot start /"),
        (&["run", "--url", url, "--", "sh", "-c", "exit 7"], 7, ""),
        (&["run", "--url", url, "--", "sh", "-c", "kill -TERM $$"], 143, ""),
        (&["run", "--url", url, "--model", "chat", "--", "true"], 0, ""),
    ] {
        let said = run_with(folder.path(), args, &[]);
        assert!(said.code == Some(code) && said.err.contains(told), "{args:?}: {:?} {}", said.code, said.err);
        assert!(!said.out.contains("started"), "{args:?}");
    }
    let newer = run_with(
        folder.path(),
        &["run", "--url", url, "--model", "demo/newer", "--", "echo", "started"],
        &[],
    );
    assert!(newer.out.contains("started") && newer.err.contains("asked for all the same"), "{}", newer.err);
}

#[test]
fn the_tokens_of_a_chat_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = Running::start(folder.path(), &UP);
    let said = run(folder.path(), &["chat", "chat", "Hi", "--json", "--url", &gateway.clients]);
    let told: Value = serde_json::from_str(&said.out).unwrap();
    assert!(told["input_tokens"].is_u64() && told["output_tokens"].is_u64(), "{told}");
}

#[test]
fn a_gateway_is_spoken_to_through_tls() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(folder.path().join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let text = "[server]\nlisten = \"127.0.0.1:0\"\noperators = \"127.0.0.1:0\"\ntls = { cert = \"cert.pem\", key = \"key.pem\" }\n";
    std::fs::write(folder.path().join("shim.toml"), text).unwrap();
    let gateway = Running::start(folder.path(), &["serve"]);
    let url = format!("https://localhost:{}", gateway.clients.rsplit(':').next().unwrap());
    let args = ["chat", "demo/hello", "Hi", "--url", &url];
    let trusted = run_with(folder.path(), &args, &[("SSL_CERT_FILE", "cert.pem")]);
    assert!(trusted.out.starts_with("Hello from shim"), "{}", trusted.err);
    let started = run_with(folder.path(), &["run", "--url", &url, "--", "echo", "started"], &[]);
    assert!(
        started.out.contains("started") && started.err.contains("started all the same"),
        "{}",
        started.err
    );
    let other = run_with(folder.path(), &args, &[]);
    assert!(other.code == Some(1) && other.err.contains("certificate"), "{}", other.err);
}

#[test]
fn a_name_from_outside_makes_no_line_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = Running::start(folder.path(), &UP);
    let body = r#"{"model":"evil\n2026-11-26T00:00:00Z 200 forged\u202e","messages":[]}"#;
    let refused = gateway.post("/v1/chat/completions", body);
    let id = refused.header("x-shim-exchange").unwrap().to_owned();
    until("the row", || (run(folder.path(), &["ledger", "show", &id]).code == Some(0)).then_some(()));
    let tail = run(folder.path(), &["ledger", "tail"]).out;
    assert_eq!(tail.lines().count(), 1, "{tail}");
    assert!(tail.contains("evil\u{fffd}2026") && !tail.contains('\u{202e}'), "{tail}");
    let shown = run(folder.path(), &["ledger", "show", &id]).out;
    assert!(
        !shown.contains('\u{202e}') && !shown.lines().any(|line| line.starts_with("2026-11-26T00:00:00Z"))
    );
    let json = run(folder.path(), &["ledger", "show", &id, "--json"]).out;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert!(json["model"].as_str().unwrap().contains('\n'), "what reads JSON gets the name as it is: {json}");
}

#[test]
fn every_metric_that_is_scraped_is_on_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = Running::start(folder.path(), &UP);
    gateway.post("/v1/chat/completions", "{}");
    let scraped = gateway.page("/metrics").body;
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/running.md")).unwrap();
    let families: Vec<_> =
        scraped.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    assert!(families.len() > 20, "{families:?}");
    for family in families {
        assert!(page.contains(&format!("| `{family}` |")), "{family} is not on the page");
    }
}

#[test]
fn what_is_announced_is_what_is_in_force() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = Running::start(folder.path(), &UP);
    let swap = ["swap", "chat", "--to", "demo/other", "--now", "--force"];
    assert_eq!(gateway.ask(folder.path(), &swap).code, Some(0));
    gateway.signal(rustix::process::Signal::TERM);
    gateway.end();
    let again = Running::start(folder.path(), &UP);
    let told = until("what it says", || {
        let said = again.said();
        said.contains("copy one of these").then_some(said)
    });
    assert!(told.contains("chat → demo/other   (swapped before, from demo/hello"), "{told}");
    again.signal(rustix::process::Signal::TERM);
    again.end();
    let json = Running::start(folder.path(), &[&UP[..], &["--json"]].concat());
    let told: Value = until("what it says", || serde_json::from_str(json.said().lines().next()?).ok());
    assert_eq!(
        (&told["aliases"]["chat"], &told["swapped"]["chat"]["found"]),
        (&"demo/other".into(), &"demo/hello".into())
    );
}

#[test]
fn a_key_that_is_of_no_use_alone_is_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let ready = folder.path().join("ready.json");
    let args = [&UP[..], &["--ready-file", ready.to_str().unwrap()]].concat();
    let mut command = shim(folder.path(), args);
    command.env("AZURE_OPENAI_API_KEY", "k").env("SAMBANOVA_API_KEY", "k");
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    until("the gateway to serve", || ready.exists().then_some(()));
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::TERM)
        .unwrap();
    child.wait().unwrap();
    let mut said = String::new();
    std::io::Read::read_to_string(&mut child.stdout.take().unwrap(), &mut said).unwrap();
    for wanted in [
        "left out  Azure OpenAI: AZURE_OPENAI_API_KEY is set, and AZURE_OPENAI_ENDPOINT, which says where it is, is not",
        "found     SambaNova Cloud",
        "alias     chat → demo/hello",
        "no chat   SambaNova Cloud: its models are in no list that is known here; `shim swap chat --to sambanova/MODEL",
    ] {
        assert!(said.contains(wanted), "{wanted} is not in {said}");
    }
}
