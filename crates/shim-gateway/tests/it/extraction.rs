//! Keys that harvest a model through the gateway: told of with reasons, held back where that is wanted, let go again.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};
use shim_gateway::{KeyStanding, Rows, SpendRow};
use shim_ir::{KeyId, PicoUsd};
use shim_policy::extraction::{Level, Reason};

use crate::lab::{Got, Lab, Told, post, read};
use crate::tongues;

const CHAT: &str = "/v1/chat/completions";

/// A gateway whose one key is watched by `rule`, a floor of 20 questions a day.
fn text(rule: &str, key: &str, alias: &str) -> String {
    format!(
        "[providers.lab]\ndialect = \"openai-chat\"\nbase_url = \"http://lab.test/v1\"\n\
         dialects.anthropic.base_url = \"http://lab.test\"\ndialects.gemini.base_url = \"http://lab.test\"\n\
         dialects.openai-responses.base_url = \"http://lab.test/v1\"\n\
         [aliases.chat]\ntarget = \"lab/one\"\n{alias}\n\
         [keys.app]\nsecret = {{ env = \"APP_KEY\" }}\n{key}\n\
         [extraction]\nfloor = 20\n{rule}\n"
    )
}

/// Answers in the dialect it is asked in.
fn good(got: &Got) -> Option<Told> {
    let tongue = tongues::ALL.into_iter().find(|tongue| {
        let path = tongue.whole.0.split(':').next().unwrap_or_default();
        got.path.starts_with(path) || path.starts_with("/v1beta") && got.path.starts_with("/v1beta")
    });
    Some(Told::whole(200, "application/json", tongue.unwrap().good))
}

fn lab(rule: &str) -> Lab {
    Lab::new(&text(rule, "", ""), good)
}

fn with_key(mut request: Request<Full<Bytes>>) -> Request<Full<Bytes>> {
    request.headers_mut().insert("authorization", "Bearer app-secret".parse().unwrap());
    request
}

async fn ask(lab: &Lab, path: &str, body: &Value) -> u16 {
    read(lab.send(with_key(post(path, body.to_string()))).await).await.0
}

/// What a harvester asks: one template, with reasoning asked for.
fn harvest(n: u64) -> String {
    format!(
        "You are an expert. Solve this: what is {n} times {}?\nWrite out your reasoning process in full.",
        n * 7
    )
}

fn question(text: &str) -> Value {
    json!({ "model": "chat", "messages": [{ "role": "user", "content": text }] })
}

/// How the key stands; none that did nothing.
fn standing(lab: &Lab) -> Option<KeyStanding> {
    lab.control.shared().extraction().keys.into_iter().next()
}

fn alarmed(lab: &Lab) -> bool {
    standing(lab).is_some_and(|key| key.standing.level == Level::Alarmed)
}

/// Harvests until the key is alarmed of.
async fn until_alarmed(lab: &Lab) -> u64 {
    for n in 0..600 {
        assert_eq!(ask(lab, CHAT, &question(&harvest(n))).await, 200);
        if alarmed(lab) {
            return n;
        }
    }
    panic!("no alarm: {:?}", standing(lab));
}

fn metric(lab: &Lab, line: &str) -> u64 {
    let text = lab.control.shared().metrics_text().unwrap();
    let found = text.lines().find_map(|l| l.strip_prefix(line)?.trim().parse().ok());
    found.unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn a_key_that_harvests_is_told_of_with_its_reasons_and_nothing_is_refused() {
    let lab = lab("mode = \"watch\"");
    let after = until_alarmed(&lab).await;
    assert!(after > 100, "{after}");
    let key = standing(&lab).unwrap();
    assert!(!key.throttled && key.standing.young && key.standing.key.as_str() == "app");
    let reasons: Vec<_> = key.standing.verdict.reasons.iter().map(|weighed| weighed.reason).collect();
    assert_eq!(reasons, [Reason::Elicitation, Reason::Sweep]);
    for weighed in &key.standing.verdict.reasons {
        assert!(weighed.value > 100.0 && weighed.from == 20.0 && weighed.share > 0.8, "{weighed:?}");
    }
    assert_eq!(metric(&lab, r#"shim_extraction_events_total{level="alarmed",reason="elicitation"}"#), 1);
    assert_eq!(metric(&lab, r#"shim_extraction_keys{level="alarmed"}"#), 1);
    for n in 0..50 {
        assert_eq!(ask(&lab, CHAT, &question(&harvest(10_000 + n))).await, 200);
    }
    assert_eq!(metric(&lab, "shim_extraction_refused_requests_total"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_harvests_is_held_back_until_its_day_is_over() {
    let lab = lab("mode = \"throttle\"\nrequests_per_minute = 1");
    until_alarmed(&lab).await;
    assert!(standing(&lab).unwrap().throttled);
    assert_eq!(ask(&lab, CHAT, &question(&harvest(20_000))).await, 200);
    for tongue in tongues::ALL {
        for (path, body) in [tongue.whole, tongue.stream] {
            let response = lab.send(with_key(post(path, body))).await;
            let wait =
                response.headers().get("retry-after").unwrap().to_str().unwrap().parse::<u64>().unwrap();
            assert!(response.status() == 429 && (1..=61).contains(&wait), "{path}: {wait}");
            let (_, told) = read(response).await;
            tongue.check_fault(
                "rate_limited",
                &told,
                "the throttled key \"app\" may make 1 request a minute",
            );
        }
    }
    assert!(metric(&lab, "shim_extraction_refused_requests_total") >= 8);
    // It is let in again as its minute passes, and counts of tokens and lists are not held back at all.
    tokio::time::advance(Duration::from_secs(62)).await;
    assert_eq!(ask(&lab, CHAT, &question("And now?")).await, 200);
    tokio::time::advance(Duration::from_secs(24 * 3600)).await;
    for n in 0..10 {
        assert_eq!(ask(&lab, CHAT, &question(&format!("Number {n}, please"))).await, 200);
    }
    let key = standing(&lab).unwrap();
    assert!(!key.throttled && key.standing.level == Level::Quiet, "{key:?}");
}

#[tokio::test(start_paused = true)]
async fn an_operator_lifts_it() {
    let lab = lab("mode = \"throttle\"\nrequests_per_minute = 1");
    until_alarmed(&lab).await;
    ask(&lab, CHAT, &question(&harvest(20_000))).await;
    assert_eq!(ask(&lab, CHAT, &question(&harvest(20_001))).await, 429);
    assert!(lab.control.lift("app").unwrap());
    for n in 0..40 {
        assert_eq!(ask(&lab, CHAT, &question(&harvest(30_000 + n))).await, 200);
    }
    assert_eq!(standing(&lab).unwrap().standing.level, Level::Quiet);
    let told = lab.control.lift("apq").unwrap_err().to_string();
    assert_eq!(told, "there is no key \"apq\"; did you mean \"app\"?");
}

#[tokio::test(start_paused = true)]
async fn keys_and_aliases_say_otherwise_and_the_key_has_the_last_word() {
    let watched = async |rule: &str, key: &str, alias: &str| {
        let lab = Lab::new(&text(rule, key, alias), good);
        assert_eq!(ask(&lab, CHAT, &question("Hi")).await, 200);
        standing(&lab).is_some()
    };
    let (on, off) = ("extraction = \"watch\"", "extraction = \"off\"");
    assert!(!watched("", "", "").await, "off by default");
    assert!(watched("mode = \"watch\"", "", "").await);
    assert!(watched("", on, "").await);
    assert!(watched("", "", on).await);
    assert!(!watched("mode = \"watch\"", "", off).await);
    assert!(!watched("mode = \"watch\"", off, "").await);
    assert!(!watched("", off, on).await);
    assert!(watched("", on, off).await);
}

/// The same question in the words of each dialect.
fn in_all_dialects(text: &str) -> [(&'static str, Value); 4] {
    let user = json!([{ "role": "user", "content": text }]);
    [
        (CHAT, json!({ "model": "chat", "messages": user })),
        ("/v1/responses", json!({ "model": "chat", "input": text })),
        ("/v1/messages", json!({ "model": "chat", "max_tokens": 99, "messages": user })),
        (
            "/v1beta/models/chat:generateContent",
            json!({ "contents": [{ "role": "user", "parts": [{ "text": text }] }] }),
        ),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_question_is_the_same_in_every_dialect_and_a_tools_result_is_none() {
    let lab = lab("mode = \"watch\"");
    for n in 0..40 {
        for (path, body) in in_all_dialects(&harvest(n)) {
            assert_eq!(ask(&lab, path, &body).await, 200, "{path}");
        }
    }
    let key = standing(&lab).unwrap();
    assert_eq!(key.standing.questions, 160);
    // Forty different ones, about, each asked four times.
    let weighed = key.standing.verdict.reasons[0];
    assert!(weighed.reason == Reason::Elicitation && (30.0..50.0).contains(&weighed.value), "{weighed:?}");
    let results = [
        (
            CHAT,
            json!({ "model": "chat", "messages": [
            { "role": "user", "content": "Add" },
            { "role": "assistant", "tool_calls": [{ "id": "c", "type": "function", "function": { "name": "f", "arguments": "{}" } }] },
            { "role": "tool", "tool_call_id": "c", "content": "42" }] }),
        ),
        (
            "/v1/messages",
            json!({ "model": "chat", "max_tokens": 9, "messages": [
            { "role": "user", "content": "Add" },
            { "role": "assistant", "content": [{ "type": "tool_use", "id": "c", "name": "f", "input": {} }] },
            { "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "c", "content": "42" }] }] }),
        ),
        (
            "/v1/responses",
            json!({ "model": "chat", "input": [
            { "type": "function_call", "call_id": "c", "name": "f", "arguments": "{}" },
            { "type": "function_call_output", "call_id": "c", "output": "42" }] }),
        ),
        (
            "/v1beta/models/chat:generateContent",
            json!({ "contents": [
            { "role": "model", "parts": [{ "functionCall": { "name": "f", "args": {} } }] },
            { "role": "user", "parts": [{ "functionResponse": { "name": "f", "response": {} } }] }] }),
        ),
    ];
    for (path, body) in results {
        assert_eq!(ask(&lab, path, &body).await, 200, "{path}");
    }
    assert_eq!(standing(&lab).unwrap().standing.questions, 160);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_left_before_its_end_counts_and_a_refused_one_does_not() {
    let lab = Lab::new(&text("mode = \"watch\"", "", ""), |got| {
        let body: Value = serde_json::from_slice(&got.body).unwrap();
        if body["stream"] != true {
            return Some(Told::whole(400, "application/json", r#"{"error":{"message":"no"}}"#));
        }
        let (told, pieces) = Told::open("text/event-stream");
        let frame = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"nearly all of it\"}}]}\n\n";
        pieces.send(Ok(Bytes::from(frame))).unwrap();
        tokio::spawn(async move { pieces.closed().await });
        Some(told)
    });
    assert_eq!(ask(&lab, CHAT, &question("Hi")).await, 400);
    assert!(standing(&lab).is_none());
    let mut body = question("Tell me a long story");
    body["stream"] = json!(true);
    let mut response = lab.send(with_key(post(CHAT, body.to_string()))).await;
    response.frame().await.unwrap().unwrap();
    drop(response);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(standing(&lab).unwrap().standing.questions, 1);
}

#[tokio::test(start_paused = true)]
async fn volume_is_compared_with_what_the_ledger_has_of_the_days_before() {
    let alarmed_after = async |requests: Option<u64>| {
        let lab = Lab::new(&text("mode = \"watch\"", "", "").replace("floor = 20", "floor = 1"), good);
        let day_ms = lab.control.shared().now_ms() / 86_400_000 * 86_400_000 - 86_400_000;
        let row = |requests| SpendRow {
            key: Some(KeyId::new("app").unwrap()),
            alias: "chat".into(),
            day_ms,
            settled: PicoUsd(0),
            unknown: 0,
            requests,
            tokens_in: 0,
            tokens_out: 1_000_000,
        };
        let rows = Rows { spend: requests.map(row).into_iter().collect(), crashed: Vec::new() };
        lab.control.rests_on(Box::new(rows)).unwrap();
        for n in 0..160_u64 {
            // Nothing but volume: short, and all different.
            let text = format!("{:x} {:x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15), n * 77_777);
            assert_eq!(ask(&lab, CHAT, &question(&text)).await, 200);
        }
        alarmed(&lab)
    };
    assert!(alarmed_after(Some(1)).await);
    assert!(!alarmed_after(Some(40)).await, "four times as many is not so many");
    assert!(!alarmed_after(None).await, "nothing to compare with");
}
