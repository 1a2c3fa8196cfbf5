//! Answers that are kept: who keeps them, who may ask for them, and for how long.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use shim_store::{ResponseLimits, SqliteResponses};

use crate::lab::{Lab, post, read};
use crate::responses_state::{DIALECTS, answers, config, get, keeping, lab, ok, response};

const ASK: &str = r#"{"model":"chat","input":"hi"}"#;

fn next(id: &Value) -> String {
    json!({ "model": "chat", "input": "and?", "previous_response_id": id }).to_string()
}

fn path(answer: &Value) -> String {
    format!("/v1/responses/{}", answer["id"].as_str().unwrap())
}

fn error(body: &str) -> Value {
    serde_json::from_str::<Value>(body).unwrap()["error"].clone()
}

#[tokio::test(start_paused = true)]
async fn a_kept_answer_is_told_byte_for_byte_listed_and_deleted() {
    for (dialect, ..) in DIALECTS {
        let lab = lab(dialect, "");
        // A provider of the dialect that does not say it keeps an answer is not relied on.
        let (_, told) = lab.told("/v1/responses", ASK).await;
        let first = response(&told);
        let asked = lab.net.got.lock().unwrap().len();
        assert_eq!(get(&lab, "GET", &path(&first), None).await, (200, told), "{dialect}");
        let second = ok(lab.told("/v1/responses", &next(&first["id"])).await);
        let items = |query: &str| get_items(&lab, &second, query.to_owned());
        let all = items("order=asc").await;
        assert_eq!(all.len(), 3, "{all:?}");
        let newest = items("limit=2").await;
        assert_eq!(newest, [all[2].clone(), all[1].clone()]);
        assert_eq!(items(&format!("after={}", newest[1])).await, all[..1]);
        assert_eq!(get(&lab, "POST", &format!("{}/cancel", path(&first)), None).await.0, 400);
        let (status, stream) = get(&lab, "GET", &format!("{}?stream=true", path(&first)), None).await;
        let events = events(&stream);
        assert_eq!((status, &events.last().unwrap()["response"]), (200, &first), "{dialect}");
        let behind = format!("{}?stream=true&starting_after={}", path(&first), events.len() - 2);
        let (status, last) = get(&lab, "GET", &behind, None).await;
        assert_eq!((status, self::events(&last)), (200, events[events.len() - 1..].to_vec()), "{dialect}");
        let (status, body) = get(&lab, "DELETE", &path(&first), None).await;
        let wanted = json!({ "id": first["id"], "object": "response", "deleted": true });
        assert_eq!((status, serde_json::from_str::<Value>(&body).unwrap()), (200, wanted));
        // Only the chain of two was asked for: the rest is the gateway's own.
        assert_eq!(lab.net.got.lock().unwrap().len(), asked + 1, "{dialect}");
        let gone = lab.told("/v1/responses", &next(&second["id"])).await;
        assert_eq!((gone.0, error(&gone.1)["code"].as_str()), (400, Some("previous_response_not_found")));
    }
}

/// The events of a stream.
fn events(stream: &str) -> Vec<Value> {
    let data = stream.split("\n\n").filter_map(|frame| frame.split_once("\ndata: "));
    data.map(|(_, data)| serde_json::from_str(data).unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_nobody_could_have_is_not_found() {
    let text = "[providers.lab]\ndialect = \"anthropic\"\nbase_url = \"http://anthropic.test\"\n\
                [aliases.chat]\ntarget = \"lab/one\"\n";
    let lab = Lab::new(text, |got| Some(answers(0, got)));
    let first = ok(lab.told("/v1/responses", ASK).await);
    assert_eq!(get(&lab, "DELETE", &path(&first), None).await.0, 200);
    for (method, tail) in [("GET", ""), ("GET", "/input_items"), ("DELETE", ""), ("POST", "/cancel")] {
        let (status, body) = get(&lab, method, &format!("{}{tail}", path(&first)), None).await;
        let wanted = format!("Response with id '{}' not found.", first["id"].as_str().unwrap());
        assert_eq!((status, error(&body)["message"].as_str()), (404, Some(&*wanted)), "{method} {tail}");
    }
}

async fn get_items(lab: &Lab, answer: &Value, query: String) -> Vec<String> {
    let (status, body) = get(lab, "GET", &format!("{}/input_items?{query}", path(answer)), None).await;
    assert_eq!(status, 200, "{body}");
    let list: Value = serde_json::from_str(&body).unwrap();
    let data = list["data"].as_array().unwrap().clone();
    data.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_keeps_an_answer_is_asked_for_it_until_the_alias_is_swapped() {
    let number = AtomicUsize::new(0);
    let lab = Lab::new(&config("openai-responses", ""), move |got| {
        if got.path.starts_with("/v1/responses/") {
            let told = r#"{"id":"x","object":"response","status":"completed","output":[],"deleted":true}"#;
            return Some(crate::lab::Told::whole(200, "application/json", told));
        }
        Some(keeping(answers(number.fetch_add(1, Ordering::Relaxed), got)).1)
    });
    let first = ok(lab.told("/v1/responses", ASK).await);
    let second = ok(lab.told("/v1/responses", &next(&first["id"])).await);
    let last = || lab.net.got.lock().unwrap().last().unwrap().clone();
    assert_eq!(last().body, next(&first["id"]).replace("\"chat\"", "\"one\""), "the client's bytes");
    assert_eq!(get(&lab, "GET", &path(&second), None).await.0, 200);
    assert_eq!((last().path, last().host.as_str()), (path(&second), "openai-responses.test"));
    lab.control.swap("chat", shim_ir::TargetId::parse("gemini/one").unwrap(), true).unwrap();
    let third = ok(lab.told("/v1/responses", &next(&second["id"])).await);
    let told: Value = serde_json::from_slice(&last().body).unwrap();
    assert_eq!(told["contents"].as_array().unwrap().len(), 5, "{told}");
    // Asked for by its id, an answer is still looked for where it is.
    assert_eq!(get(&lab, "GET", &path(&first), None).await.0, 200);
    assert_eq!(last().host, "openai-responses.test");
    let asked = lab.net.got.lock().unwrap().len();
    assert_eq!(get(&lab, "GET", &path(&third), None).await.0, 200);
    assert_eq!(lab.net.got.lock().unwrap().len(), asked, "the gateway's own");
    // What is deleted there is kept here no longer.
    assert_eq!(get(&lab, "DELETE", &path(&second), None).await.0, 200);
    let gone = lab.told("/v1/responses", &next(&third["id"])).await;
    assert_eq!(error(&gone.1)["code"], "previous_response_not_found");
}

const KEYS: &str = "[keys.app]\nsecret = { env = \"APP_KEY\" }\n[keys.lab]\nsecret = { env = \"LAB_KEY\" }\n";

async fn with(lab: &Lab, key: &str, body: &str) -> (u16, String) {
    let mut request = post("/v1/responses", body);
    request.headers_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
    read(lab.send(request).await).await
}

#[tokio::test(start_paused = true)]
async fn another_keys_answers_are_not_there() {
    for (dialect, ..) in DIALECTS {
        let lab = lab(dialect, KEYS);
        let first = ok(with(&lab, "app-secret", ASK).await);
        let own = "app-secret";
        let other = "sk-upstream-secret";
        let asked = lab.net.got.lock().unwrap().len();
        let (status, body) = with(&lab, other, &next(&first["id"])).await;
        assert_eq!(
            (status, &error(&body)["code"]),
            (400, &json!("previous_response_not_found")),
            "{dialect}"
        );
        let item = first["output"].as_array().unwrap().last().unwrap()["id"].clone();
        let refers =
            json!({ "model": "chat", "input": [{ "type": "item_reference", "id": item }] }).to_string();
        assert_eq!(with(&lab, other, &refers).await.0, 404, "{dialect}");
        for (method, tail) in [("GET", ""), ("GET", "/input_items"), ("DELETE", ""), ("POST", "/cancel")] {
            let (status, body) = get(&lab, method, &format!("{}{tail}", path(&first)), Some(other)).await;
            assert_eq!(status, 404, "{dialect} {method} {tail}: {body}");
            assert!(body.contains("not found"), "{body}");
        }
        // Nobody was asked, and its own key still has all of it.
        assert_eq!(lab.net.got.lock().unwrap().len(), asked, "{dialect}");
        assert_eq!(get(&lab, "GET", &path(&first), Some(own)).await.0, 200);
        ok(with(&lab, own, &next(&first["id"])).await);
        ok(with(&lab, own, &refers).await);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_to_be_recorded_is_not_kept() {
    let lab = lab("anthropic", "");
    let unstored = r#"{"model":"chat","input":"hi","store":false}"#;
    let mut off = post("/v1/responses", r#"{"model":"chat","input":"hi","store":true}"#);
    off.headers_mut().insert("x-shim-record", "off".parse().unwrap());
    for request in [post("/v1/responses", unstored), off] {
        let answer = ok(read(lab.send(request).await).await);
        assert_eq!(answer["store"], false, "{answer}");
        let (status, body) = lab.told("/v1/responses", &next(&answer["id"])).await;
        assert_eq!((status, &error(&body)["code"]), (400, &json!("previous_response_not_found")));
        assert_eq!(error(&body)["param"], "previous_response_id");
    }
    assert_eq!(lab.control.shared().responses().bytes(), 0);
    // An answer that goes on from a kept one without being kept itself.
    let first = ok(lab.told("/v1/responses", ASK).await);
    let mut body: Value = serde_json::from_str(&next(&first["id"])).unwrap();
    body["store"] = json!(false);
    let second = ok(lab.told("/v1/responses", &body.to_string()).await);
    assert_eq!(
        (second["store"].clone(), second["previous_response_id"].clone()),
        (json!(false), first["id"].clone())
    );
}

#[tokio::test(start_paused = true)]
async fn items_that_are_referred_to_are_said() {
    // As the AI SDK's `openai()` sends them.
    for (dialect, ..) in DIALECTS {
        let lab = lab(dialect, "");
        let first = ok(lab
            .told("/v1/responses", r#"{"model":"chat","input":[{"role":"user","content":"the weather?"}]}"#)
            .await);
        let call = &first["output"].as_array().unwrap().last().unwrap().clone();
        let body = json!({ "model": "chat", "input": [
            { "role": "user", "content": "the weather?" },
            { "type": "item_reference", "id": call["id"] },
            { "type": "function_call_output", "call_id": call["call_id"], "output": "rain" },
        ] });
        let second = ok(lab.told("/v1/responses", &body.to_string()).await);
        let last = || String::from_utf8(lab.net.got.lock().unwrap().last().unwrap().body.to_vec()).unwrap();
        assert!(last().contains("Oslo") && !last().contains("item_reference"), "{dialect}: {}", last());
        // A chain whose input refers to items says them too.
        ok(lab.told("/v1/responses", &next(&second["id"])).await);
        assert!(last().contains("Oslo") && !last().contains("item_reference"), "{dialect}: {}", last());
        let unknown = r#"{"model":"chat","input":[{"type":"item_reference","id":"msg_nobody"}]}"#;
        let (status, body) = lab.told("/v1/responses", unknown).await;
        if dialect == "openai-responses" {
            assert!(status == 200 && last().contains("msg_nobody"), "its provider may know: {body}");
        } else {
            assert_eq!(status, 404, "{dialect}: {body}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_only_a_provider_can_do_is_refused_by_name() {
    for (dialect, ..) in DIALECTS.into_iter().filter(|(word, ..)| *word != "openai-responses") {
        let lab = lab(dialect, "");
        for (member, value) in [("background", "true"), ("conversation", "\"conv_1\"")] {
            let body = format!(r#"{{"model":"chat","input":"hi","{member}":{value}}}"#);
            let (status, told) = lab.told("/v1/responses", &body).await;
            assert!(status == 400 && told.contains(member), "{dialect} {member}: {status} {told}");
        }
        assert!(lab.net.got.lock().unwrap().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_complete_is_gone_on_from_where_it_is_worked_on_alone() {
    let lab = Lab::new(&config("openai-responses", ""), |_| {
        let told = r#"{"id":"resp_b","object":"response","status":"queued","store":true,"output":[]}"#;
        Some(crate::lab::Told::whole(200, "application/json", told))
    });
    let first = ok(lab.told("/v1/responses", r#"{"model":"chat","input":"hi","background":true}"#).await);
    assert_eq!(lab.told("/v1/responses", &next(&first["id"])).await.0, 200);
    lab.control.swap("chat", shim_ir::TargetId::parse("gemini/one").unwrap(), true).unwrap();
    let (status, body) = lab.told("/v1/responses", &next(&json!("resp_b"))).await;
    // The second answer had the same id: a chain that leads into itself is told as broken, not walked for ever.
    assert!(status == 400 && body.contains("previous_response_id"), "{body}");
}

#[tokio::test(start_paused = true)]
async fn a_chain_outlives_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let limits = ResponseLimits::default();
    let mut before: Option<Value> = None;
    for turn in 0..5 {
        let (dialect, ..) = DIALECTS[turn % 4];
        let number = turn * 100;
        let lab = Lab::new(&config(dialect, ""), move |got| Some(answers(number, got)));
        let store = Arc::new(SqliteResponses::open(folder.path(), limits).unwrap());
        assert!(lab.control.shared().keep_responses(store.clone()));
        let body = before.as_ref().map_or_else(|| ASK.to_owned(), |before| next(&before["id"]));
        before = Some(ok(lab.told("/v1/responses", &body).await));
        let got = lab.net.got.lock().unwrap().last().unwrap().clone();
        let told = String::from_utf8(got.body.to_vec()).unwrap();
        assert_eq!(told.matches("\"and?\"").count(), turn, "{dialect}: {told}");
        shim_store::ResponseStore::close(&*store);
    }
}

#[tokio::test(start_paused = true)]
async fn a_flood_stays_within_its_bound_and_takes_from_no_other_key() {
    let folder = tempfile::tempdir().unwrap();
    let limits =
        ResponseLimits { responses_bytes_max: 256 << 10, responses_age_max: Duration::from_secs(3600) };
    let store = Arc::new(SqliteResponses::open(folder.path(), limits).unwrap());
    let lab = lab("gemini", KEYS);
    assert!(lab.control.shared().keep_responses(store));
    let quiet = ok(with(&lab, "app-secret", ASK).await);
    let big = json!({ "model": "chat", "input": "x".repeat(20_000) }).to_string();
    let mut last = Value::Null;
    for _ in 0..60 {
        last = ok(with(&lab, "sk-upstream-secret", &big).await);
    }
    ok(with(&lab, "sk-upstream-secret", &next(&last["id"])).await);
    ok(with(&lab, "app-secret", &next(&quiet["id"])).await);
    let store = lab.control.shared().responses().clone();
    store.close();
    let text = lab.control.shared().metrics_text().unwrap();
    assert!(text.contains("\nshim_responses_dropped 0"), "{text}");
    assert!(text.contains(&format!("\nshim_responses_kept_bytes {}", store.bytes())), "{text}");
    assert!(store.bytes() <= 256 << 10, "{}", store.bytes());
    assert_eq!(store.dropped(), 0);
}

/// The responder that is built in keeps nothing, and so takes no id for its own.
#[tokio::test(start_paused = true)]
async fn the_demonstration_goes_on_from_what_is_kept_and_from_nothing_else() {
    let lab = Lab::new("", |_| None);
    let ask = |previous: Option<&str>| {
        let mut body = json!({ "model": "demo/hello", "input": "Hi" });
        if let Some(id) = previous {
            body["previous_response_id"] = json!(id);
        }
        body.to_string()
    };
    let (status, told) = lab.told("/v1/responses", &ask(None)).await;
    let first = serde_json::from_str::<Value>(&told).unwrap()["id"].as_str().unwrap().to_owned();
    assert_eq!(status, 200, "{told}");
    let second = ok(lab.told("/v1/responses", &ask(Some(&first))).await);
    assert_eq!(second["previous_response_id"], first);
    let (status, told) = lab.told("/v1/responses", &ask(Some("resp_of_nobody"))).await;
    assert!(status == 400 && told.contains("previous_response_not_found"), "{told}");
}
