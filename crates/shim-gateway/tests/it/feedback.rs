//! Feedback of clients on answers.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};
use shim_gateway::{Kept, NOTES_EACH_MAX};

use crate::lab::{CONFIG, Got, Lab, Told, post, read};
use crate::tongues::CHAT;

const KEYS: &str =
    "[keys.app]\nsecret = { env = \"APP_KEY\" }\n[keys.other]\nsecret = { env = \"LAB_KEY\" }\n";

fn good(_: &Got) -> Option<Told> {
    Some(Told::whole(200, "application/json", CHAT.good))
}

/// A gateway, and what is told at it.
fn lab(text: &str) -> (Lab, Kept) {
    let (lab, kept) = (Lab::new(text, good), Kept::default());
    lab.control.shared().notes.keep_in(std::sync::Arc::new(kept.clone()));
    (lab, kept)
}

fn with(secret: &str, mut request: Request<Full<Bytes>>) -> Request<Full<Bytes>> {
    request.headers_mut().insert("authorization", format!("Bearer {secret}").parse().unwrap());
    request
}

/// The id of an exchange of who has `secret`, which may choose one of its own.
async fn exchange(lab: &Lab, secret: &str, own: Option<&str>) -> String {
    let mut request = with(secret, post(CHAT.whole.0, CHAT.whole.1));
    if let Some(own) = own {
        request.headers_mut().insert("x-shim-client-id", own.parse().unwrap());
    }
    let response = lab.send(request).await;
    assert_eq!(response.status(), 200);
    response.headers()["x-shim-exchange"].to_str().unwrap().to_owned()
}

async fn tell(lab: &Lab, secret: &str, body: &Value) -> (u16, String) {
    read(lab.send(with(secret, post("/v1/feedback", body.to_string()))).await).await
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_told_of_by_its_id_or_by_one_the_client_chose() {
    let (lab, kept) = lab(&format!("{CONFIG}{KEYS}"));
    let first = exchange(&lab, "app-secret", None).await;
    let older = exchange(&lab, "app-secret", Some("turn-7")).await;
    let newest = exchange(&lab, "app-secret", Some("turn-7")).await;
    exchange(&lab, "sk-upstream-secret", Some("turn-7")).await;
    let (status, told) =
        tell(&lab, "app-secret", &json!({ "exchange": first, "score": 0.5, "label": "ok" })).await;
    assert_eq!((status, told), (200, json!({ "exchange": first, "kept": true }).to_string()));
    let own =
        json!({ "client_id": "turn-7", "value": false, "correction": "Lisbon", "comment": "wrong city" });
    assert_eq!(tell(&lab, "app-secret", &own).await.0, 200);
    let notes = kept.notes();
    assert_eq!((notes[0].0.to_string(), notes[0].1.score), (first, Some(0.5)));
    assert_eq!((notes[1].0.to_string(), notes[1].1.value), (newest, Some(false)), "not {older}");
    assert_eq!(notes[1].1.key.as_ref().unwrap().as_str(), "app");
    assert_eq!(lab.counts()["admitted"], 4, "feedback is no exchange");
}

#[tokio::test(start_paused = true)]
async fn exchanges_of_another_key_cannot_be_told_of() {
    let (lab, kept) = lab(&format!("{CONFIG}{KEYS}"));
    let id = exchange(&lab, "app-secret", Some("mine")).await;
    for body in [json!({ "exchange": id, "score": 1 }), json!({ "client_id": "mine", "score": 1 })] {
        let (status, told) = tell(&lab, "sk-upstream-secret", &body).await;
        assert!(status == 404 && told.contains("no such exchange of this key"), "{told}");
        assert_eq!(tell(&lab, "nobody", &body).await.0, 401);
    }
    assert!(kept.notes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_told_is_checked_and_bounded() {
    let (lab, kept) = lab(CONFIG);
    let id = exchange(&lab, "anything", None).await;
    let long = "x".repeat(5_000);
    for (body, says) in [
        (json!({ "score": 1 }), "name the exchange"),
        (json!({ "exchange": id, "client_id": "a", "score": 1 }), "name the exchange"),
        (json!({ "exchange": "7", "score": 1 }), "no id of an exchange"),
        (json!({ "client_id": "a b", "score": 1 }), "printable ASCII"),
        (json!({ "exchange": id }), "there is nothing told"),
        (json!({ "exchange": id, "score": 1e9 }), "score is a number"),
        (json!({ "exchange": id, "label": "" }), "label is a text"),
        (json!({ "exchange": id, "comment": long }), "comment is a text"),
        (json!({ "exchange": id, "stars": 5 }), "unknown field `stars`"),
    ] {
        let (status, told) = tell(&lab, "anything", &body).await;
        assert!(status == 400 && told.contains(says), "{says} is not in {told}");
    }
    let (status, _) =
        tell(&lab, "anything", &json!({ "exchange": id, "correction": "x".repeat(70_000) })).await;
    assert_eq!(status, 413);
    for _ in 0..NOTES_EACH_MAX {
        assert_eq!(tell(&lab, "anything", &json!({ "exchange": id, "value": true })).await.0, 200);
    }
    assert_eq!(tell(&lab, "anything", &json!({ "exchange": id, "value": true })).await.0, 429);
    assert_eq!(kept.notes().len(), NOTES_EACH_MAX);
}

#[tokio::test(start_paused = true)]
async fn an_id_of_a_client_is_a_word() {
    let (lab, _) = lab(CONFIG);
    let mut request = post(CHAT.whole.0, CHAT.whole.1);
    request.headers_mut().insert("x-shim-client-id", "two words".parse().unwrap());
    let (status, told) = read(lab.send(request).await).await;
    assert!(status == 400 && told.contains("x-shim-client-id is 1 to 128 printable"), "{told}");
}
