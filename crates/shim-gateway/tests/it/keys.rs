//! Keys: made, rotated, revoked, expired; and where their exchanges may go.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::Value;
use shim_gateway::{ControlError, KeyError};
use shim_ir::KeyId;
use shim_policy::access::Grant;

use crate::lab::{Got, Lab, Told, config, post, read};
use crate::tongues::{self, CHAT};

/// Two providers, in two regions, and one of which nobody knows where it is; `keys` are more of the file.
fn text(keys: &str) -> String {
    let provider = |name: &str, region: &str| {
        let version = "/v1";
        format!(
            "[providers.{name}]\ndialect = \"openai-chat\"\nbase_url = \"http://{name}.test{version}\"\n{region}\n\
             dialects.anthropic.base_url = \"http://{name}.test\"\n\
             dialects.gemini.base_url = \"http://{name}.test\"\n\
             dialects.openai-responses.base_url = \"http://{name}.test/v1\"\n"
        )
    };
    let providers = [
        provider("paris", "region = \"eu\""),
        provider("boston", "region = \"us\""),
        provider("nowhere", ""),
    ];
    format!(
        "{}[aliases.chat]\ntarget = \"paris/one\"\nfallback = [\"boston/two\", \"nowhere/three\"]\n\
         [aliases.far]\ntarget = \"boston/two\"\nfallback = [\"nowhere/three\"]\n{keys}",
        providers.concat()
    )
}

/// Answers in the dialect of the path it is asked at.
fn good(got: &Got) -> Option<Told> {
    let tongue = tongues::ALL.into_iter().find(|tongue| {
        let path = tongue.whole.0.split(':').next().unwrap_or_default();
        got.path.starts_with(path) || path.starts_with("/v1beta") && got.path.starts_with("/v1beta")
    });
    Some(Told::whole(200, "application/json", tongue.unwrap().good))
}

fn with(secret: &str, mut request: Request<Full<Bytes>>) -> Request<Full<Bytes>> {
    request.headers_mut().insert("authorization", format!("Bearer {secret}").parse().unwrap());
    request
}

/// Status and body of a question to `model` by who has `secret`.
async fn ask(lab: &Lab, secret: &str, model: &str) -> (u16, String) {
    let body = format!(r#"{{"model":"{model}"}}"#);
    read(lab.send(with(secret, post(CHAT.whole.0, body))).await).await
}

fn id(name: &str) -> KeyId {
    KeyId::new(name).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_made_key_is_good_at_once_until_it_is_revoked() {
    let lab = Lab::new(&text(""), good);
    assert_eq!(ask(&lab, "anything", "chat").await.0, 200, "without keys any credential will do");
    let before = lab.control.shared().snapshot().number();
    let (key, secret) = lab.control.create_key(id("app"), Grant::default()).unwrap();
    assert!(lab.control.shared().snapshot().number() > before);
    assert_eq!((key.state, ask(&lab, secret.expose(), "chat").await.0), ("live", 200));
    assert_eq!(lab.control.shared().latest(1)[0].key, Some(id("app")));
    let (status, told) = ask(&lab, "anything", "chat").await;
    assert!(status == 401 && told.contains("not a key of this gateway"), "{told}");
    assert!(matches!(
        lab.control.create_key(id("app"), Grant::default()),
        Err(ControlError::Key(KeyError::Taken(_)))
    ));
    lab.control.revoke_key("app").unwrap();
    // The last key is gone, and the gateway is not open to everyone for that.
    assert_eq!(ask(&lab, "anything", "chat").await.0, 401);
    for tongue in tongues::ALL {
        let (status, told) =
            read(lab.send(with(secret.expose(), post(tongue.whole.0, tongue.whole.1))).await).await;
        assert_eq!(status, 401, "{told}");
        tongue.check_fault("revoked", &told, "the key \"app\" was revoked");
    }
    assert!(matches!(
        lab.control.rotate_key("app", Duration::ZERO),
        Err(ControlError::Key(KeyError::Revoked(_)))
    ));
}

#[tokio::test(start_paused = true)]
async fn a_rotated_key_has_two_secrets_for_the_grace_and_then_one() {
    let lab = Lab::new(&text(""), good);
    let (_, first) = lab.control.create_key(id("app"), Grant::default()).unwrap();
    let (_, second) = lab.control.rotate_key("app", Duration::from_secs(3600)).unwrap();
    for secret in [&first, &second] {
        assert_eq!(ask(&lab, secret.expose(), "chat").await.0, 200);
    }
    tokio::time::sleep(Duration::from_secs(3601)).await;
    let (status, told) = ask(&lab, first.expose(), "chat").await;
    assert!(status == 401 && told.contains("was replaced by another"), "{told}");
    assert_eq!(ask(&lab, second.expose(), "chat").await.0, 200);
    let (_, third) = lab.control.rotate_key("app", Duration::ZERO).unwrap();
    assert_eq!(ask(&lab, second.expose(), "chat").await.0, 401, "no grace, no old secret");
    assert_eq!(ask(&lab, third.expose(), "chat").await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn a_key_expires_while_requests_flow() {
    let lab = Lab::new(&text(""), good);
    let soon = shim_policy::calendar::DAY_MS;
    ask(&lab, "anything", "chat").await;
    let now = lab.control.shared().latest(1)[0].at_ms;
    let grant = Grant { expires_ms: Some(now + soon), ..Grant::default() };
    let (_, secret) = lab.control.create_key(id("app"), grant).unwrap();
    assert_eq!(ask(&lab, secret.expose(), "chat").await.0, 200);
    tokio::time::sleep(Duration::from_millis(soon) + Duration::from_secs(5)).await;
    let (status, told) = ask(&lab, secret.expose(), "chat").await;
    assert!(status == 401 && told.contains("the key \\\"app\\\" expired on "), "{told}");
}

#[tokio::test(start_paused = true)]
async fn a_target_outside_is_never_tried_not_even_as_a_fallback() {
    let keys = "[keys.app]\nsecret = { env = \"APP_KEY\" }\nregions = [\"eu\"]\n";
    let lab = Lab::new(&text(keys), |_| Some(Told::whole(503, "application/json", "{\"error\":{}}")));
    assert_eq!(ask(&lab, "app-secret", "chat").await.0, 503);
    let hosts: Vec<_> = lab.net.got.lock().unwrap().iter().map(|got| got.host.clone()).collect();
    assert_eq!(hosts, ["paris.test"]);
    for tongue in tongues::ALL {
        let (path, body) =
            (tongue.whole.0.replace("/chat:", "/far:"), tongue.whole.1.replace("\"chat\"", "\"far\""));
        let (status, told) = read(lab.send(with("app-secret", post(&path, body))).await).await;
        assert_eq!(status, 403, "{told}");
        let says = "boston is in us, and it may go to eu alone; the region of nowhere is not known";
        tongue.check_fault("outside", &told, says);
    }
    assert_eq!(ask(&lab, "app-secret", "nowhere/any").await.0, 403);
    assert_eq!(ask(&lab, "app-secret", "paris/any").await.0, 503);
    assert!(lab.net.got.lock().unwrap().iter().all(|got| got.host == "paris.test"));
}

#[tokio::test(start_paused = true)]
async fn a_key_reaches_the_providers_dialects_and_models_it_permits() {
    let keys = "[keys.app]\nsecret = { env = \"APP_KEY\" }\ndeny_providers = [\"paris\"]\nproviders = [\"boston\"]\n\
                dialects = [\"openai-chat\"]\n";
    let lab = Lab::new(&text(keys), good);
    let response = lab.send(with("app-secret", post(CHAT.whole.0, CHAT.whole.1))).await;
    assert_eq!(response.headers()["x-shim-target"], "boston/two", "the first that it may go to");
    let (status, told) =
        read(lab.send(with("app-secret", post("/v1/messages", "{\"model\":\"chat\"}"))).await).await;
    assert!(status == 403 && told.contains("may not be used in the dialect anthropic"), "{told}");
    let list = Request::get("/v1/models").body(Full::default()).unwrap();
    let (_, told) = read(lab.send(with("app-secret", list)).await).await;
    let told: Value = serde_json::from_str(&told).unwrap();
    let ids: Vec<_> =
        told["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["chat", "far"], "nothing of the built-in responder");
}

#[tokio::test(start_paused = true)]
async fn keys_can_be_required_before_there_is_one() {
    let lab = Lab::new(&format!("[server]\nrequire_keys = true\n{}", text("")), good);
    assert_eq!(ask(&lab, "anything", "chat").await.0, 401);
    let (_, secret) = lab.control.create_key(id("app"), Grant::default()).unwrap();
    assert_eq!(ask(&lab, secret.expose(), "chat").await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn a_key_of_the_file_and_a_made_one_do_not_share_a_name() {
    let keys = "[keys.app]\nsecret = { env = \"APP_KEY\" }\n";
    let lab = Lab::new(&text(""), good);
    lab.control.create_key(id("app"), Grant::default()).unwrap();
    let told = lab.control.reload(config(&text(keys))).unwrap_err().to_string();
    assert!(told.contains("there is a made key \"app\" already"), "{told}");
    lab.control.revoke_key("app").unwrap();
    lab.control.reload(config(&text(keys))).unwrap();
    assert_eq!(ask(&lab, "app-secret", "chat").await.0, 200);
    for error in [
        lab.control.revoke_key("app").unwrap_err(),
        lab.control.rotate_key("app", Duration::ZERO).unwrap_err(),
    ] {
        assert!(matches!(error, ControlError::Key(KeyError::InFile(_))), "{error}");
    }
    let listed: Vec<_> = lab.control.keys().iter().map(|key| (key.made.is_some(), key.state)).collect();
    assert_eq!(listed, [(false, "live"), (true, "revoked")]);
}
