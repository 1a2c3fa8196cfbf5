//! Commands that end by themselves: what they say, and their exit codes.

use std::net::TcpListener;

use crate::process::{LAB_KEY, OPERATORS, Running, run};

#[test]
fn check_reports_every_problem_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shim.toml");
    std::fs::write(
        &path,
        "[servers]\n[server]\nlisten = \"0.0.0.0:1\"\nbody_max = \"4MB\"\n[providers.opnai]\nkey = { env = \"X\" }\n\
         [aliases.a]\ntarget = \"openi/gpt\"\n",
    )
    .unwrap();
    let said = run(folder.path(), &["check", "--config", "shim.toml"]);
    assert_eq!(said.code, Some(1));
    for wanted in [
        "shim.toml:1:2: servers: there is no section \"servers\"; did you mean \"server\"?",
        "server.listen: 0.0.0.0:1 is not on loopback",
        "server.body_max: \"4MB\" is no size",
        "did you mean \"openai\"?",
        "aliases.a.target: there is no provider \"openi\"",
    ] {
        assert!(said.out.contains(wanted), "{wanted} is not in {}", said.out);
    }
    let json = run(folder.path(), &["check", "--config", "shim.toml", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(
        (json.code, told["ok"].as_bool(), told["problems"].as_array().unwrap().len()),
        (Some(1), Some(false), 5)
    );
    let serve = run(folder.path(), &["serve", "--config", "shim.toml"]);
    assert_eq!(serve.code, Some(1));
    assert!(serve.err.contains("servers: there is no section"), "{}", serve.err);
}

#[test]
fn check_reports_everything_this_machine_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let lab = "dialect = \"openai-chat\"\nbase_url = \"https://lab.test/v1\"\n";
    let text = format!(
        "[server]\noperators_secret = {{ env = \"NOT_SET\" }}\n[providers.lab]\n{lab}key = {{ env = \"UNSET\" }}\n\
         [providers.ca]\n{lab}tls = {{ ca = {{ file = \"missing.pem\" }} }}\n"
    );
    std::fs::write(folder.path().join("shim.toml"), text).unwrap();
    let said = run(folder.path(), &["check"]);
    assert_eq!(said.code, Some(1));
    for wanted in [
        "providers.lab.key: the environment variable UNSET",
        "providers.ca.tls.ca: missing.pem",
        "server.operators_secret",
    ] {
        assert!(said.out.contains(wanted), "{wanted} is not in {}", said.out);
    }
    let twice = "[keys.a]\nsecret = { env = \"APP_KEY\" }\n[keys.b]\nsecret = { env = \"APP_KEY\" }\n";
    std::fs::write(folder.path().join("shim.toml"), twice).unwrap();
    assert!(run(folder.path(), &["check"]).out.contains("the keys a and b have the same secret"));
    std::fs::write(folder.path().join("shim.toml"), "[keys.a]\nsecret = { env = \"APP_KEY\" }\n").unwrap();
    assert_eq!(run(folder.path(), &["check"]).code, Some(0));
    let missing = run(folder.path(), &["check", "--config", "nowhere.toml"]);
    assert!(missing.code == Some(1) && missing.err.contains("cannot read nowhere.toml"), "{}", missing.err);
    let missing = run(folder.path(), &["check", "--config", "nowhere.toml", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&missing.out).unwrap();
    assert_eq!((missing.code, told["ok"].as_bool()), (Some(1), Some(false)));
    assert!(told["problems"][0].as_str().unwrap().contains("cannot read nowhere.toml"), "{told}");
}

#[test]
fn a_secret_that_stands_in_the_file_is_told_without_its_value() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "[server]\noperators_secret = \"{OPERATORS}\"\n[providers.openai]\nkey = \"{LAB_KEY}\"\n\
         [providers.lab]\ndialect = \"anthropic\"\nbase_url = \"http://user:{LAB_KEY}@lab.test\"\n\
         [aliases.chat]\ntarget = \"openai/gpt-5.2\"\n"
    );
    std::fs::write(folder.path().join("shim.toml"), text).unwrap();
    // `run` looks for the secrets in all that is said.
    for args in [&["check"][..], &["check", "--json"], &["serve"], &["conform"], &["keys", "list"]] {
        let said = run(folder.path(), args);
        let told = said.out + &said.err;
        assert_eq!(said.code, Some(1), "{args:?}: {told}");
        for wanted in ["server.operators_secret: a secret never", "providers.openai.key: a secret never"] {
            assert!(told.contains(wanted), "{args:?}: {wanted} is not in {told}");
        }
        assert!(told.contains("providers.lab.base_url: a base URL holds no credentials"), "{told}");
        assert!(!told.contains("there is no provider"), "it is there: {told}");
    }
}

#[test]
fn an_address_beyond_loopback_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    for which in ["--listen", "--operators"] {
        let said = run(folder.path(), &["up", which, "0.0.0.0:0"]);
        assert!(said.code == Some(1) && said.err.contains("is not on loopback"), "{}", said.err);
        assert!(said.err.contains("could spend your money"), "{}", said.err);
    }
    let path = folder.path().join("shim.toml");
    std::fs::write(&path, "[server]\nlisten = \"0.0.0.0:0\"\noperators = \"0.0.0.0:0\"\n").unwrap();
    let said = run(folder.path(), &["serve"]);
    assert_eq!(said.code, Some(1));
    assert!(
        said.err.contains("Configure [keys.NAME]") && said.err.contains("operators_secret"),
        "{}",
        said.err
    );
}

#[test]
fn an_address_that_is_taken_is_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = other.local_addr().unwrap().to_string();
    for (listen, operators) in [(taken.as_str(), "127.0.0.1:0"), ("127.0.0.1:0", taken.as_str())] {
        let said = run(folder.path(), &["up", "--listen", listen, "--operators", operators]);
        assert_eq!(said.code, Some(1));
        assert!(
            said.err.contains(&format!("cannot listen on {taken}; is a gateway running there already?")),
            "{}",
            said.err
        );
    }
}

#[test]
fn a_second_gateway_takes_neither_address_nor_store_of_the_first() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first =
        Running::start(folder.path(), &["up", "--listen", "127.0.0.1:0", "--operators", "127.0.0.1:0"]);
    let said = run(other.path(), &["up", "--listen", &first.clients, "--operators", "127.0.0.1:0"]);
    assert!(
        said.code == Some(1) && said.err.contains("cannot listen on"),
        "its sockets share a port: {}",
        said.err
    );
    let said = run(folder.path(), &["up", "--listen", "127.0.0.1:0", "--operators", "127.0.0.1:0"]);
    assert!(said.code == Some(1) && said.err.contains("in use by another shim"), "{}", said.err);
    assert_eq!(first.page("/healthz").status, 200, "the first goes on");
}

#[test]
fn commands_without_a_gateway_say_how_to_start_one() {
    let folder = tempfile::tempdir().unwrap();
    for args in [
        &["status", "--operators", "127.0.0.1:1"][..],
        &["models", "--operators", "127.0.0.1:1"],
        &["swap", "chat", "--back", "--operators", "127.0.0.1:1"],
        &["chat", "chat", "Hello", "--url", "http://127.0.0.1:1"],
    ] {
        let said = run(folder.path(), args);
        assert!(
            said.code == Some(1) && said.err.contains("start one with `shim up`"),
            "{args:?}: {}",
            said.err
        );
    }
}

#[test]
fn conform_proves_a_configuration_whose_keys_are_not_set() {
    let folder = tempfile::tempdir().unwrap();
    let lab = "[providers.lab]\ndialect = \"openai-chat\"\nbase_url = \"https://lab.test/v1\"\nkey = { env = \"UNSET\" }\n";
    let text = format!("{lab}[aliases.chat]\ntarget = \"lab/some-model\"\n");
    std::fs::write(folder.path().join("shim.toml"), &text).unwrap();
    let said = run(folder.path(), &["conform"]);
    assert_eq!(said.code, Some(0), "{}", said.out);
    for wanted in ["chat → lab/some-model (openai-chat)", "tool_calls", "104 cells: ", ", 0 FAIL"] {
        assert!(said.out.contains(wanted), "{wanted} is not in {}", said.out);
    }
    let args = ["conform", "--json", "--target", "chat", "--dialect", "gemini", "--case", "plain"];
    let told: serde_json::Value = serde_json::from_str(&run(folder.path(), &args).out).unwrap();
    assert_eq!((&told["holds"], &told["counts"]["ok"]), (&true.into(), &1.into()), "{told}");
    for (args, wanted) in [
        (["conform", "--target", "nobody"], "nobody is not among chat"),
        (["conform", "--dialect", "latin"], "no dialect \"latin\""),
        (["conform", "--case", "nothing"], "nothing is not among the cases plain, system"),
        (["conform", "--config", "missing.toml"], "missing.toml"),
    ] {
        let said = run(folder.path(), &args);
        assert!(said.code != Some(0) && said.err.contains(wanted), "{args:?}: {}", said.err);
    }
    // A bound on bodies that no request with an image keeps.
    std::fs::write(folder.path().join("shim.toml"), format!("[server]\nbody_max = \"200B\"\n{text}"))
        .unwrap();
    let said = run(folder.path(), &["conform", "--case", "image"]);
    assert_eq!(said.code, Some(1), "{}", said.out);
    assert!(said.out.contains("FAIL image from gemini to openai-chat"), "{}", said.out);
    assert!(said.out.contains("expected status 200, found 413"), "{}", said.out);
}
