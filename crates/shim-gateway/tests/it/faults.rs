//! Bad input and bad upstreams: each a clear fault in the client's dialect, and nobody else affected.

use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::lab::{CONFIG, Lab, Told, post, read};
use crate::tongues;

const CHAT: &str = "/v1/chat/completions";
const GOOD: &str = r#"{"choices":[{"index":0,"message":{"content":"x"},"finish_reason":"stop"}]}"#;

fn good() -> Lab {
    Lab::new(CONFIG, |_| Some(Told::whole(200, "application/json", GOOD)))
}

#[tokio::test(start_paused = true)]
async fn bad_requests_are_told_so_in_every_dialect() {
    let lab = good();
    let deep = format!(r#"{{"model":"chat","x":{}1{}}}"#, "[".repeat(500), "]".repeat(500));
    for (path, body, status, says) in [
        (CHAT, r#"{"model":"chat","messages":["#, 400, "\"invalid_request\""),
        (CHAT, deep.as_str(), 400, "nested too deeply"),
        (CHAT, r#"{"model":7}"#, 400, "model: expected a string"),
        (CHAT, r#"{"model":"chat","model":"lab/one"}"#, 400, "twice"),
        (CHAT, r#"{"messages":[]}"#, 400, "model: the member is missing"),
        (CHAT, r#"{"model":"caht"}"#, 404, "did you mean \\\"chat\\\"?"),
        (CHAT, "[]", 400, "not a JSON object"),
        ("/v1/messages", r#"{"model":"nobody"}"#, 404, r#""type":"not_found_error""#),
        ("/v1/responses", "{", 400, r#""code":"invalid_request""#),
        ("/v1beta/models/nobody:generateContent", "{}", 404, r#""status":"NOT_FOUND""#),
        ("/v1/nothing", "{}", 404, "there is no route POST /v1/nothing"),
    ] {
        let (found, told) = lab.told(path, body).await;
        assert_eq!(found, status, "{path} {told}");
        assert!(told.contains(says), "{says} is not in {told}");
    }
    assert_eq!(lab.told(CHAT, r#"{"model":"chat"}"#).await.0, 200);
    let counts = lab.counts();
    assert_eq!(
        (counts["admitted"], counts["failed"], counts["delivered"], counts["in_flight"]),
        (12, 11, 1, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn a_body_too_large_is_refused_after_it_was_read() {
    let text = CONFIG.replace("[timeouts]", "[server]\nbody_max = \"64KiB\"\n[timeouts]");
    let lab = Lab::new(&text, |_| Some(Told::whole(200, "application/json", GOOD)));
    let body = format!(r#"{{"model":"chat","x":"{}"}}"#, "a".repeat(1 << 20));
    let (status, told) = lab.told(CHAT, &body).await;
    assert_eq!(status, 413, "{told}");
    assert!(told.contains("65536"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_client_is_told_and_let_go() {
    let lab = good();
    let mut slow = lab.pipe();
    slow.write_all(b"POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{\"mo")
        .await
        .unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("invalid_request_error"), "{answer}");
    let mut head = lab.pipe();
    head.write_all(b"POST /v1/messages HTT").await.unwrap();
    let mut answer = String::new();
    let closed = tokio::time::timeout(Duration::from_secs(100), head.read_to_string(&mut answer)).await;
    closed.expect("the connection is closed").unwrap();
}

/// What a client gets of an upstream that answers with `pieces` and then ends, or breaks off.
async fn streamed(path: &str, pieces: &[&str], breaks: bool) -> String {
    let (told, sender) = Told::open("text/event-stream");
    for piece in pieces {
        sender.send(Ok(Bytes::copy_from_slice(piece.as_bytes()))).unwrap();
    }
    if breaks {
        // Only once what came before it is on its way, in virtual time.
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let _ = sender.send(Err(io::ErrorKind::ConnectionReset.into()));
        });
    } else {
        drop(sender);
    }
    let told = Mutex::new(Some(told));
    let lab = Lab::new(CONFIG, move |_| told.lock().unwrap().take());
    let (status, body) = lab.told(path, r#"{"model":"chat","stream":true}"#).await;
    assert_eq!(status, 200);
    assert_eq!(lab.counts()["failed"], 1, "{body}");
    body
}

#[tokio::test(start_paused = true)]
async fn a_cut_stream_never_looks_like_a_clean_stop() {
    for breaks in [false, true] {
        let body =
            streamed(CHAT, &["data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: {\"ch"], breaks)
                .await;
        assert!(body.contains("\"code\":\"upstream_cut\"") && !body.contains("[DONE]"), "{body}");
        let body = streamed(
            "/v1/messages",
            &["event: message_start\ndata: {\"type\":\"message_start\",\"message\":{}}\n\n"],
            breaks,
        )
        .await;
        assert!(body.contains("event: error\ndata: {"), "{body}");
        let body =
            streamed("/v1/responses", &["data: {\"type\":\"response.created\",\"response\":{}}\n\n"], breaks)
                .await;
        assert!(body.contains("event: error"), "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn garbage_and_errors_inside_a_stream_are_faults() {
    let body = streamed("/v1/messages", &["<html>", "nonsense</html>"], false).await;
    assert!(body.contains("event: error"), "{body}");
    let told = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"busy\"}}\n\n";
    let begun = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{}}\n\n";
    assert_eq!(streamed("/v1/messages", &[begun, told], false).await, format!("{begun}{told}"));
}

#[tokio::test(start_paused = true)]
async fn a_stalled_stream_ends_with_a_fault() {
    let (told, sender) = Told::open("text/event-stream");
    sender.send(Ok(Bytes::from("data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n"))).unwrap();
    let told = Mutex::new(Some(told));
    let lab = Lab::new(CONFIG, move |_| told.lock().unwrap().take());
    let (_, body) = lab.told(CHAT, r#"{"model":"chat","stream":true}"#).await;
    assert!(body.contains("upstream_timeout"), "{body}");
    drop(sender);
}

#[tokio::test(start_paused = true)]
async fn a_bad_whole_answer_is_a_clear_fault() {
    for (status, kind, answer, wanted, says) in [
        (200, "application/json", r#"{"choices":[{"mess"#, 502, "upstream_malformed"),
        (200, "text/html", "<html>maintenance</html>", 502, "upstream_malformed"),
        (200, "application/json", r#"{"error":{"message":"boom","code":"server_error"}}"#, 502, "boom"),
        (429, "application/json", r#"{"error":{"message":"slow down"}}"#, 429, "slow down"),
        (
            401,
            "application/json",
            r#"{"error":{"message":"bad key sk-ups***ret"}}"#,
            401,
            "refused the gateway's credential (LAB_KEY)",
        ),
        (
            500,
            "application/json",
            r#"{"error":{"message":"with sk-upstream-secret in it"}}"#,
            502,
            "credential",
        ),
        (503, "text/html", "<html>sk-upstream</html>", 503, "no reason"),
    ] {
        let lab = Lab::new(CONFIG, move |_| Some(Told::whole(status, kind, answer)));
        let (found, told) = lab.told(CHAT, r#"{"model":"chat"}"#).await;
        assert_eq!(found, wanted, "{answer}: {told}");
        assert!(told.contains(says) && !told.contains("sk-ups"), "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_hangs_up_or_is_silent_is_told_of() {
    let lab = Lab::new(CONFIG, |_| None);
    let (status, told) = lab.told("/v1/messages", r#"{"model":"chat"}"#).await;
    assert!(status == 502 && told.contains("api_error"), "{status} {told}");
    let lab = Lab::new(CONFIG, |_| Some(Told::open("application/json").0));
    let (status, _) = lab.told(CHAT, r#"{"model":"chat"}"#).await;
    assert_eq!(status, 502, "an answer without an end");
}

#[tokio::test(start_paused = true)]
async fn a_failed_target_gives_way_before_the_first_byte() {
    let tries = AtomicUsize::new(0);
    let lab = Lab::new(CONFIG, move |_| match tries.fetch_add(1, Ordering::Relaxed) {
        0 => Some(Told::whole(503, "application/json", r#"{"error":{"message":"busy"}}"#)),
        _ => Some(Told::whole(200, "application/json", GOOD)),
    });
    let response = lab.ask(CHAT, r#"{"model":"sure"}"#).await;
    assert_eq!(
        (response.status().as_u16(), response.headers()["x-shim-attempts"].to_str().unwrap()),
        (200, "2")
    );
    assert_eq!(response.headers()["x-shim-target"], "lab/two");
    let _ = read(response).await;
    assert!(lab.net.got.lock().unwrap()[1].body.ends_with(b"\"two\"}"));
}

/// What an exchange cost that first was tried in vain: its cost, what that rests on, and of the failed attempt.
async fn cost_after(first: fn() -> Option<Told>) -> (Option<u64>, &'static str, Option<u64>) {
    let tries = AtomicUsize::new(0);
    let good = r#"{"model":"m","choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop"}],
        "usage":{"prompt_tokens":1000,"completion_tokens":10}}"#;
    let text = format!("{CONFIG}\n[providers.lab.prices.\"*\"]\ninput = \"3\"\noutput = \"15\"\n");
    let lab = Lab::new(&text, move |_| match tries.fetch_add(1, Ordering::Relaxed) {
        0 => first(),
        _ => Some(Told::whole(200, "application/json", good)),
    });
    assert_eq!(lab.told(CHAT, r#"{"model":"sure"}"#).await.0, 200);
    let settled = lab.worker.shared.latest(1).remove(0);
    assert_eq!((settled.attempts, settled.failed.len()), (2, 1));
    assert_eq!(&*settled.failed[0].target, "lab/one");
    (settled.cost.map(|cost| cost.0), settled.basis.name(), settled.failed[0].cost.map(|cost| cost.0))
}

#[tokio::test(start_paused = true)]
async fn every_attempt_is_told_with_what_it_cost() {
    let refused = || Some(Told::whole(503, "application/json", r#"{"error":{"message":"busy"}}"#));
    let cost = 1_000 * 3_000_000 + 10 * 15_000_000;
    assert_eq!(cost_after(refused).await, (Some(cost), "listed", Some(0)));
    // It may have worked on what it never delivered.
    let garbage = || Some(Told::whole(200, "application/json", "<html>"));
    assert_eq!(cost_after(garbage).await, (Some(cost), "partial", None));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_stops_the_upstream_and_is_settled() {
    let (told, sender) = Told::open("text/event-stream");
    sender.send(Ok(Bytes::from("data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n"))).unwrap();
    let told = Mutex::new(Some(told));
    let lab = Lab::new(CONFIG, move |_| told.lock().unwrap().take());
    let mut client = lab.client().await;
    let mut response = client.send_request(post(CHAT, r#"{"model":"chat","stream":true}"#)).await.unwrap();
    let _first = response.body_mut().frame().await;
    drop((client, response));
    tokio::time::timeout(Duration::from_secs(5), sender.closed()).await.expect("the upstream is let go");
    assert_eq!(lab.counts()["abandoned"], 1);
    assert_eq!(lab.counts()["in_flight"], 0);
}

/// Codex closes its connection when it has read the last event, whether or not the stream's own end has come.
#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_with_the_last_event_was_given_the_whole_answer() {
    // `calm` speaks Chat Completions alone.
    let messages =
        r#"{"model":"calm/one","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"x"}]}"#;
    for (path, body, last) in
        [(CHAT, r#"{"model":"chat","stream":true}"#, "[DONE]"), ("/v1/messages", messages, "message_stop\"}")]
    {
        let (told, sender) = Told::open("text/event-stream");
        for piece in [tongues::CHAT.begin, tongues::CHAT.end] {
            sender.send(Ok(piece.into())).unwrap();
        }
        let told = Mutex::new(Some(told));
        let lab = Lab::new(CONFIG, move |_| told.lock().unwrap().take());
        let mut client = lab.client().await;
        let mut response = client.send_request(post(path, body)).await.unwrap();
        let mut heard = String::new();
        while !heard.contains(last) {
            let frame = response.body_mut().frame().await.unwrap_or_else(|| panic!("{path}: {heard}"));
            heard.push_str(std::str::from_utf8(&frame.unwrap().into_data().unwrap()).unwrap());
        }
        drop((client, response));
        tokio::time::timeout(Duration::from_secs(5), sender.closed()).await.expect("the upstream is let go");
        let counts = lab.counts();
        assert_eq!((counts["delivered"], counts["abandoned"], counts["in_flight"]), (1, 0, 0), "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn keys_are_asked_for_where_there_are_any() {
    let text = format!("{CONFIG}\n[keys.app]\nsecret = {{ env = \"APP_KEY\" }}\nallow = [\"chat\"]\n");
    let lab = Lab::new(&text, |_| Some(Told::whole(200, "application/json", GOOD)));
    let body = r#"{"model":"chat"}"#;
    assert_eq!(lab.told(CHAT, body).await.0, 401);
    let with = |body: &str| {
        let mut request = post(CHAT, body);
        request.headers_mut().insert("authorization", "Bearer app-secret".parse().unwrap());
        request
    };
    assert_eq!(lab.send(with(body)).await.status(), 200);
    assert_eq!(lab.send(with(r#"{"model":"lab/two"}"#)).await.status(), 403);
    let got = lab.net.got.lock().unwrap();
    assert!(got.iter().all(|g| g.headers["authorization"] == "Bearer sk-upstream-secret"));
}

#[tokio::test(start_paused = true)]
async fn a_model_that_no_configured_provider_has_is_told_with_who_has_it() {
    let lab = Lab::new(CONFIG, |_| None);
    for (model, says) in [
        ("claude-sonnet-4-6", "no provider that has it is configured: anthropic (ANTHROPIC_API_KEY)"),
        ("deepseek/anything", "no provider that has it is configured: deepseek (DEEPSEEK_API_KEY)"),
        ("ollama/llama", "no provider that has it is configured: ollama"),
        ("no-such-model-anywhere", "GET /v1/models lists what there is"),
    ] {
        let (status, told) = lab.told(CHAT, &format!(r#"{{"model":"{model}","messages":[]}}"#)).await;
        assert_eq!(status, 404, "{told}");
        assert!(told.contains(says), "{says} is not in {told}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_is_told_of_no_name_that_it_does_not_reach() {
    let keyed = format!("{CONFIG}\n[keys.app]\nsecret = {{ env = \"APP_KEY\" }}\nproviders = [\"calm\"]\n");
    let lab = Lab::new(&keyed, |_| None);
    let mut request = post(CHAT, r#"{"model":"chatt","messages":[]}"#);
    request.headers_mut().insert("authorization", "Bearer app-secret".parse().unwrap());
    let (status, told) = read(lab.send(request).await).await;
    assert_eq!(status, 404, "{told}");
    assert!(!told.contains("\\\"chat\\\""), "{told}");
}
