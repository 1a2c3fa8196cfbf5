//! Limits of keys, teams and aliases, with clients at them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};
use shim_gateway::{Crashed, Rows, SpendRow};
use shim_ir::{ExchangeId, KeyId, PicoUsd};
use shim_policy::limits::Account;

use crate::lab::{Got, Lab, Told, config, post, read};
use crate::tongues;

const CHAT: &str = "/v1/chat/completions";

/// Pico-dollars of a token of gpt-4o, in and out; and a dollar.
const IN: u64 = 2_500_000;
const OUT: u64 = 10_000_000;
const DOLLAR: u64 = 1_000_000_000_000;

/// A provider with list prices and one without, and whoever is limited.
fn text(limits: &str) -> String {
    format!(
        "[providers.openai]\nbase_url = \"http://lab.test/v1\"\nkey = {{ env = \"LAB_KEY\" }}\n\
         [providers.lab]\ndialect = \"openai-chat\"\nbase_url = \"http://lab.test/v1\"\n\
         dialects.anthropic.base_url = \"http://lab.test\"\ndialects.gemini.base_url = \"http://lab.test\"\n\
         dialects.openai-responses.base_url = \"http://lab.test/v1\"\n\
         [aliases.gpt]\ntarget = \"openai/gpt-4o\"\n[aliases.chat]\ntarget = \"lab/one\"\n{limits}\n"
    )
}

/// A key of the file with these limits.
fn key(limits: &str) -> String {
    text(&format!("[keys.app]\nsecret = {{ env = \"APP_KEY\" }}\nlimits = {{ {limits} }}\n"))
}

fn with_key(mut request: Request<Full<Bytes>>) -> Request<Full<Bytes>> {
    request.headers_mut().insert("authorization", "Bearer app-secret".parse().unwrap());
    request
}

/// Status, headers and body of a question.
async fn ask(lab: &Lab, path: &str, body: &Value) -> (u16, HeaderMap, String) {
    let response = lab.send(with_key(post(path, body.to_string()))).await;
    let headers = response.headers().clone();
    let (status, told) = read(response).await;
    (status, headers, told)
}

fn question(model: &str, output: u64) -> Value {
    json!({ "model": model, "max_tokens": output, "messages": [{ "role": "user", "content": "Hi" }] })
}

/// A whole answer that used so much.
fn answer(input: u64, output: u64) -> Told {
    let message = json!({ "role": "assistant", "content": "hi" });
    let usage =
        json!({ "prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output });
    let choice = json!({ "index": 0, "message": message, "finish_reason": "stop" });
    let body =
        json!({ "id": "x", "object": "chat.completion", "model": "m", "choices": [choice], "usage": usage });
    Told::whole(200, "application/json", &body.to_string())
}

/// The account of the first who is limited.
fn account(lab: &Lab) -> Account {
    lab.control.accounts().remove(0)
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

/// An upstream that streams twenty frames of twenty tokens over two seconds, and adds up what it bills.
fn stream(billed: &Arc<AtomicU64>) -> impl Fn(&Got) -> Option<Told> + Send + Sync + use<> {
    let billed = billed.clone();
    move |_| {
        let (told, pieces) = Told::open("text/event-stream");
        let billed = billed.clone();
        billed.fetch_add(30 * IN, Ordering::Relaxed);
        tokio::spawn(async move {
            for _ in 0..20 {
                let frame = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"twenty tokens of text\"}}]}\n\n";
                if pieces.send(Ok(Bytes::from(frame))).is_err() {
                    return;
                }
                billed.fetch_add(20 * OUT, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            let end = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
                       data: {\"choices\":[],\"usage\":{\"prompt_tokens\":30,\"completion_tokens\":400,\"total_tokens\":430}}\n\n\
                       data: [DONE]\n\n";
            let _ = pieces.send(Ok(Bytes::from(end)));
        });
        Some(told)
    }
}

/// A client that asks until it is answered or told not to ask again. One in ten leaves in the middle. Whether it was
/// answered.
async fn client(lab: Arc<Lab>, n: u64) -> bool {
    let mut body = question("gpt", 1_000);
    body["stream"] = json!(true);
    tokio::time::sleep(Duration::from_millis(n % 7)).await;
    loop {
        let response = lab.send(with_key(post(CHAT, body.to_string()))).await;
        if response.status() == 200 {
            if n % 10 == 3 {
                let mut response = response;
                let _ = response.frame().await;
                return true;
            }
            let (_, told) = read(response).await;
            assert!(told.ends_with("data: [DONE]\n\n"), "{told}");
            return true;
        }
        assert_eq!(response.status(), 429);
        let headers = response.headers().clone();
        if headers.contains_key("x-should-retry") {
            return false;
        }
        let wait = number(&headers, "retry-after").unwrap();
        tokio::time::sleep(Duration::from_secs(wait)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn five_hundred_streams_on_a_dollar_never_spend_more() {
    let billed = Arc::new(AtomicU64::new(0));
    let lab = Arc::new(Lab::new(&key("budget = \"$1\", budget_window = \"total\""), stream(&billed)));
    let clients: Vec<_> = (0..500).map(|n| tokio::spawn(client(lab.clone(), n))).collect();
    let watched = lab.clone();
    let watch = tokio::spawn(async move {
        let mut most = 0;
        loop {
            let account = account(&watched);
            assert!(account.settled.0 + account.reserved.0 <= DOLLAR, "{account:?}");
            most = account.open.max(most);
            if account.open == 0 && most > 0 {
                return most;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let mut answered = 0;
    for client in clients {
        answered += u64::from(client.await.unwrap());
    }
    let most = watch.await.unwrap();
    let account = account(&lab);
    assert!(most > 50, "{most} at once");
    assert!(answered > 150 && answered < 500, "{answered} were answered");
    assert_eq!((account.open, account.reserved, account.overrun), (0, PicoUsd(0), PicoUsd(0)));
    assert!(account.settled.0 <= DOLLAR, "{account:?}");
    let billed = billed.load(Ordering::Relaxed);
    assert!(billed <= account.settled.0, "billed {billed}, settled {}", account.settled.0);
    // Everything is given back: what fits into what is left is admitted.
    let small = question("openai/gpt-4o-mini", 1);
    assert_eq!(ask(&lab, CHAT, &small).await.0, 200, "{account:?}");
    let counts = lab.counts();
    assert_eq!(counts["admitted"], counts["delivered"] + counts["failed"] + counts["abandoned"]);
}

#[tokio::test(start_paused = true)]
async fn requests_a_minute_are_refused_in_every_dialect_and_let_in_again() {
    let limits = "[aliases.chat.limits]\nrequests_per_minute = 2\n";
    let text = text("").replace("[aliases.chat]\ntarget = \"lab/one\"\n", "")
        + "[aliases.chat]\ntarget = \"lab/one\"\n"
        + limits;
    for tongue in tongues::ALL {
        let lab = Lab::new(&text, |_| Some(Told::whole(200, "application/json", tongue.good)));
        for _ in 0..2 {
            assert_eq!(lab.told(tongue.whole.0, tongue.whole.1).await.0, 200);
        }
        for (path, body) in [tongue.whole, tongue.stream] {
            let response = lab.ask(path, body).await;
            let headers = response.headers().clone();
            let (status, told) = read(response).await;
            assert_eq!(status, 429, "{told}");
            tongue.check_fault("rate", &told, "the alias \"chat\" may make 2 requests a minute");
            let wait = number(&headers, "retry-after").unwrap();
            assert!((59..=61).contains(&wait), "{wait}");
            match tongue.name {
                "messages" => {
                    assert_eq!(headers["anthropic-ratelimit-requests-limit"], "2");
                    assert_eq!(headers["anthropic-ratelimit-requests-remaining"], "0");
                    assert!(headers["anthropic-ratelimit-requests-reset"].to_str().unwrap().ends_with('Z'));
                }
                "chat" | "responses" => {
                    assert_eq!(headers["x-ratelimit-limit-requests"], "2");
                    assert_eq!(headers["x-ratelimit-remaining-requests"], "0");
                    assert!(headers["x-ratelimit-reset-requests"].to_str().unwrap().ends_with('s'));
                }
                _ => assert!(!headers.keys().any(|name| name.as_str().contains("ratelimit"))),
            }
        }
        // A minute, the second that may be longer, and one by which the clocks of wall and test may be apart.
        tokio::time::sleep(Duration::from_secs(62)).await;
        assert_eq!(lab.told(tongue.whole.0, tongue.whole.1).await.0, 200, "{}", tongue.name);
        assert_eq!(lab.net.got.lock().unwrap().len(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn exchanges_at_once_give_their_place_back_however_they_end() {
    let lab = Lab::new(&key("concurrent = 1"), |got| {
        if got.body.windows(6).any(|w| w == b"\"wait\"") {
            let (told, pieces) = Told::open("text/event-stream");
            let _ = pieces.send(Ok(Bytes::from(tongues::CHAT.begin)));
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(5)).await;
                drop(pieces);
            });
            return Some(told);
        }
        Some(answer(1, 1))
    });
    let mut waits = question("lab/one", 5);
    (waits["stream"], waits["user"]) = (json!(true), json!("wait"));
    for leaves in [true, false] {
        let response = lab.send(with_key(post(CHAT, waits.to_string()))).await;
        assert_eq!(response.status(), 200);
        let (status, headers, told) = ask(&lab, CHAT, &question("lab/one", 5)).await;
        assert!(status == 429 && told.contains("1 request under way at once"), "{told}");
        assert_eq!(number(&headers, "retry-after"), Some(1));
        if leaves {
            drop(response);
            tokio::time::sleep(Duration::from_millis(10)).await;
        } else {
            // The upstream hangs up in the middle.
            let _ = read(response).await;
        }
        assert_eq!(ask(&lab, CHAT, &question("lab/one", 5)).await.0, 200, "leaves: {leaves}");
        assert_eq!(account(&lab).open, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn tokens_a_minute_are_reserved_at_their_bound_and_settled_to_what_was_used() {
    let lab = Lab::new(&key("tokens_per_minute = 10000"), |_| Some(answer(100, 900)));
    for n in 1..=4 {
        let (status, headers, told) = ask(&lab, CHAT, &question("lab/one", 5_000)).await;
        assert_eq!(status, 200, "{n}: {told} {headers:?}");
        assert_eq!(account(&lab).standing.tokens.unwrap().remaining, 10_000 - n * 1_000);
    }
    let (status, headers, told) = ask(&lab, CHAT, &question("lab/one", 5_000)).await;
    assert!(status == 429 && told.contains("10000 tokens a minute"), "{told}");
    assert_eq!(headers["x-ratelimit-remaining-tokens"], "6000");
    assert_eq!(ask(&lab, CHAT, &question("lab/one", 1_000)).await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn a_budget_is_settled_alike_in_the_same_dialect_and_across_streamed_or_not() {
    let lab = Lab::new(&key("budget = \"$1\", budget_window = \"day\""), |got| {
        if !got.body.windows(13).any(|w| w == b"\"stream\":true") {
            return Some(answer(100, 50));
        }
        let end = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}\n\n\
                   data: {\"choices\":[],\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":50,\"total_tokens\":150}}\n\n\
                   data: [DONE]\n\n";
        Some(Told::whole(200, "text/event-stream", end))
    });
    let messages = json!([{ "role": "user", "content": "Hi" }]);
    let cost = 100 * IN + 50 * OUT;
    for (n, (path, stream)) in
        [(CHAT, false), (CHAT, true), ("/v1/messages", false), ("/v1/messages", true)].into_iter().enumerate()
    {
        let body = json!({ "model": "gpt", "max_tokens": 200, "messages": messages, "stream": stream });
        let (status, _, told) = ask(&lab, path, &body).await;
        assert_eq!(status, 200, "{told}");
        let (account, n) = (account(&lab), n as u64 + 1);
        assert_eq!((account.settled, account.reserved), (PicoUsd(n * cost), PicoUsd(0)), "{path} {stream}");
        let last = lab.control.shared().latest(1).remove(0);
        assert_eq!((last.cost, last.charged), (Some(PicoUsd(cost)), Some(PicoUsd(cost))));
        // 1024 tokens a template may add, and the body's bytes.
        let input = 1_024 + last.request_bytes;
        assert_eq!(last.reserved, Some(PicoUsd(input * IN + 200 * OUT)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_budget_that_does_not_reach_is_told_in_every_dialect_with_what_is_left() {
    let limits = "[aliases.small]\ntarget = \"openai/gpt-4o\"\nlimits = { budget = \"$0.001\", budget_window = \"total\" }\n";
    let lab = Lab::new(&text(limits), |_| panic!("nobody is asked"));
    for tongue in tongues::ALL {
        let (path, body) =
            (tongue.whole.0.replace("/chat:", "/small:"), tongue.whole.1.replace("\"chat\"", "\"small\""));
        let response = lab.ask(&path, &body).await;
        assert_eq!(response.headers()["x-should-retry"], "false");
        assert!(response.headers().get("retry-after").is_none(), "waiting does not help");
        let (status, told) = read(response).await;
        assert_eq!(status, 429, "{told}");
        tongue.check_fault(
            "budget",
            &told,
            "the budget of the alias \"small\" ($0.001, total) does not reach",
        );
        assert!(told.contains("and $0.001 is left"), "{told}");
    }
    assert_eq!(lab.control.shared().latest(1)[0].fault.unwrap().code(), "quota_exceeded");
}

#[tokio::test(start_paused = true)]
async fn a_team_shares_its_budget_and_a_day_begins_anew() {
    let limits = "[teams.web.limits]\nbudget = \"$0.02\"\nbudget_window = \"day\"\n\
                  [keys.app]\nsecret = { env = \"APP_KEY\" }\nteam = \"web\"\n\
                  [keys.other]\nsecret = { env = \"LAB_KEY\" }\nteam = \"web\"\n";
    let lab = Lab::new(&text(limits), |_| Some(answer(100, 1_000)));
    assert_eq!(ask(&lab, CHAT, &question("gpt", 1_000)).await.0, 200);
    let mut other = post(CHAT, question("gpt", 1_000).to_string());
    other.headers_mut().insert("authorization", "Bearer sk-upstream-secret".parse().unwrap());
    let response = lab.send(other).await;
    let wait = number(response.headers(), "retry-after").unwrap();
    let (status, told) = read(response).await;
    assert!(
        status == 429 && told.contains("the budget of the team \\\"web\\\" ($0.02, day) does not reach"),
        "{told}"
    );
    assert!(wait <= 86_400, "{wait}");
    tokio::time::sleep(Duration::from_secs(wait + 1)).await;
    assert_eq!(ask(&lab, CHAT, &question("gpt", 1_000)).await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn what_has_no_price_or_no_bound_is_refused_unless_the_limits_say_more() {
    let lab = Lab::new(&key("budget = \"$1\""), |_| Some(answer(1, 1)));
    let (status, _, told) = ask(&lab, CHAT, &question("lab/one", 5)).await;
    assert!(status == 403 && told.contains("unpriced = \\\"allow\\\""), "{told}");
    let mut open = question("lab/one", 5);
    open.as_object_mut().unwrap().remove("max_tokens");
    assert_eq!(
        ask(&lab, CHAT, &json!({ "model": "demo/hello", "messages": [] })).await.0,
        200,
        "the built-in responder costs nothing"
    );
    assert!(lab.net.got.lock().unwrap().is_empty());
    lab.control.reload(config(&key("budget = \"$1\", unpriced = \"allow\""))).unwrap();
    assert_eq!(ask(&lab, CHAT, &open).await.0, 200);
    assert_eq!((account(&lab).unpriced, account(&lab).settled), (1, PicoUsd(0)));
    let priced =
        |limits: &str| key(limits) + "\n[providers.lab.prices.\"*\"]\ninput = \"1\"\noutput = \"2\"\n";
    lab.control.reload(config(&priced("budget = \"$1\""))).unwrap();
    let (status, _, told) = ask(&lab, CHAT, &open).await;
    assert!(status == 400 && told.contains("output_tokens_max"), "{told}");
    lab.control.reload(config(&priced("budget = \"$1\", output_tokens_max = 1000"))).unwrap();
    assert_eq!(ask(&lab, CHAT, &open).await.0, 200);
    assert_eq!(account(&lab).settled, PicoUsd(1_000_000 + 2_000_000), "a token in and one out");
}

#[tokio::test(start_paused = true)]
async fn every_route_passes_the_same_point_and_lists_of_models_do_not() {
    let text = key("requests_per_minute = 3, budget = \"$1\"")
        .replace("[providers.lab]", "[providers.else]")
        .replace("lab/one", "else/one");
    let lab = Lab::new(&text, |got| {
        let embeddings = json!({ "object": "list", "data": [], "model": "m", "usage": { "prompt_tokens": 8, "total_tokens": 8 } });
        let body = if got.path.starts_with("/v1/embeddings") {
            embeddings
        } else {
            json!({ "input_tokens": 3, "id": "r", "object": "response" })
        };
        Some(Told::whole(200, "application/json", &body.to_string()))
    });
    let embed = json!({ "model": "openai/text-embedding-3-small", "input": "Hi" });
    assert_eq!(ask(&lab, "/v1/embeddings", &embed).await.0, 200);
    let settled = account(&lab).settled;
    assert_eq!(settled, PicoUsd(8 * 20_000));
    let count = json!({ "model": "gpt", "input": "Hi" });
    assert_eq!(ask(&lab, "/v1/responses/input_tokens", &count).await.0, 200);
    let get = |path: &str| {
        with_key(Request::get(path).header("x-shim-target", "openai").body(Full::default()).unwrap())
    };
    assert_eq!(lab.send(get("/v1/responses/resp_1")).await.status(), 404, "an id of nobody's goes nowhere");
    assert_eq!(ask(&lab, "/v1/responses/input_tokens", &count).await.0, 200);
    assert_eq!(lab.send(get("/v1/models")).await.status(), 200);
    assert_eq!(ask(&lab, "/v1/responses/input_tokens", &count).await.0, 429);
    assert_eq!(ask(&lab, "/v1/embeddings", &embed).await.0, 429);
    assert_eq!(lab.send(get("/v1/models")).await.status(), 200);
    assert_eq!(account(&lab).settled, settled, "counts cost nothing");
}

#[tokio::test(start_paused = true)]
async fn a_start_rests_on_what_was_spent_and_holds_what_a_crash_left_until_it_expires() {
    let lab = Lab::new(&key("budget = \"$1\", budget_window = \"month\""), |_| Some(answer(1, 1)));
    let now_ms = {
        ask(&lab, CHAT, &question("demo/hello", 1)).await;
        lab.control.shared().latest(1)[0].at_ms
    };
    let lab = Lab::new(&key("budget = \"$1\", budget_window = \"month\""), |_| Some(answer(1, 1)));
    let app = KeyId::new("app").unwrap();
    let (day_ms, _) = shim_policy::calendar::day_of(now_ms);
    let row = |key: &KeyId, settled: u64, day_ms: u64| SpendRow {
        key: Some(key.clone()),
        alias: "gpt".into(),
        day_ms,
        settled: PicoUsd(settled),
        unknown: 1,
        requests: 9,
        tokens_in: 0,
        tokens_out: 0,
    };
    let long_ago = day_ms - 40 * shim_policy::calendar::DAY_MS;
    let other = KeyId::new("other").unwrap();
    let spend = vec![row(&app, DOLLAR / 2, day_ms), row(&app, DOLLAR, long_ago), row(&other, DOLLAR, day_ms)];
    let crashed = Crashed {
        id: ExchangeId(7),
        key: Some(app),
        alias: "gpt".into(),
        reserved: PicoUsd(DOLLAR / 2 - 1),
        at_ms: now_ms,
    };
    lab.control.rests_on(Box::new(Rows { spend, crashed: vec![crashed] })).unwrap();
    let before = account(&lab);
    assert_eq!((before.settled, before.reserved), (PicoUsd(DOLLAR / 2), PicoUsd(DOLLAR / 2 - 1)));
    assert_eq!(before.unpriced, 1);
    let (status, headers, told) = ask(&lab, CHAT, &question("gpt", 10)).await;
    assert!(status == 429 && told.contains("is held by requests under way"), "{told}");
    assert_eq!(number(&headers, "retry-after"), Some(1));
    // An hour, as an attempt may take, and ten minutes.
    tokio::time::sleep(Duration::from_secs(70 * 60)).await;
    assert_eq!(account(&lab).reserved, PicoUsd(0));
    assert_eq!(ask(&lab, CHAT, &question("gpt", 10)).await.0, 200);
    assert!(lab.control.rests_on(Box::new(Rows::default())).is_err(), "once");
}
