//! The same-dialect lane: bytes leave as they came, but for the splices.

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};

use crate::lab::{CONFIG, Lab, Told, http2, post, post2, read};

const ANSWER: &str = r#"{ "id":"x",  "model":"one","choices":[{"index":0,"message":{"role":"assistant","content":"hi\u00e9"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}, "odd": 1.50 }"#;

#[tokio::test(start_paused = true)]
async fn same_dialect_bytes_pass_but_for_the_model() {
    let lab = Lab::new(CONFIG, |_| Some(Told::whole(200, "application/json", ANSWER)));
    let body = "{ \"odd\" : [1.50, null],\n \"model\":\"chat\", \"messages\":[]  }";
    let response = lab.ask("/v1/chat/completions", body).await;
    assert_eq!(response.headers()["x-shim-target"], "lab/one");
    assert_eq!(response.headers()["x-shim-fidelity"], "exact");
    assert!(!response.headers().contains_key("set-cookie"));
    assert_eq!(read(response).await, (200, ANSWER.to_owned()));
    let got = lab.net.got.lock().unwrap()[0].clone();
    assert_eq!(got.body, body.replace("\"chat\"", "\"one\""));
    assert_eq!(got.path, "/v1/chat/completions");
    assert_eq!(got.headers["authorization"], "Bearer sk-upstream-secret");
    assert_eq!(got.headers["host"], "lab.test");
    let settled = lab.control.shared().latest(1);
    let usage = settled[0].usage.as_ref().unwrap();
    assert_eq!((usage.input_uncached.0, usage.output_text.0, settled[0].generation.0), (3, 4, 1));
}

/// What one exchange holds until its answer begins is what thousands of waiting ones hold a thousand times, and what each
/// takes through the processor's caches. What is rare has its room elsewhere.
#[tokio::test]
async fn an_exchange_takes_little_room() {
    let lab = Lab::new(CONFIG, |_| None);
    let request = Request::new(Full::new(Bytes::new()));
    let room = size_of_val(&shim_gateway::respond(&lab.worker, request));
    assert!(room <= 4864, "{room} bytes");
}

#[tokio::test(start_paused = true)]
async fn every_dialect_passes_by_its_own_route() {
    let lab = Lab::new(CONFIG, |got| {
        let answer = match got.path.as_str() {
            "/v1/messages?beta=true" => {
                r#"{"type":"message","model":"one","content":[],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":2}}"#
            }
            "/v1/responses" => r#"{"object":"response","status":"completed","output":[]}"#,
            // The client's version of the API is the upstream's.
            path => {
                let known = ["/v1beta/models/one:generateContent", "/v1/models/one:generateContent"];
                assert!(known.contains(&path), "{path}");
                r#"{"candidates":[{"finishReason":"STOP"}]}"#
            }
        };
        Some(Told::whole(200, "application/json", answer))
    });
    for (path, body) in [
        ("/v1/messages?beta=true", r#"{"model":"chat"}"#),
        ("/anthropic/v1/messages?beta=true", r#"{"model":"lab/one"}"#),
        ("/v1/responses", r#"{"model":"chat"}"#),
        ("/v1beta/models/chat:generateContent", "{}"),
        ("/gemini/v1/models/chat:generateContent?key=client", "{}"),
    ] {
        assert_eq!(lab.told(path, body).await.0, 200, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn usage_is_asked_for_and_the_client_is_spared_it() {
    const USAGE: &str = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1,\"total_tokens\":2}}\n\n";
    let lab = Lab::new(CONFIG, |got| {
        let (told, pieces) = Told::open("text/event-stream");
        let asked = String::from_utf8_lossy(&got.body).contains("include_usage");
        let frames = [
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\nda",
            "ta: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
            if asked { USAGE } else { "" },
            "data: [DONE]\n\n",
        ];
        for frame in frames {
            pieces.send(Ok(Bytes::from(frame))).unwrap();
        }
        Some(told)
    });
    let quiet = lab.told("/v1/chat/completions", r#"{"model":"chat","stream":true,"messages":[]}"#).await.1;
    assert!(!quiet.contains("usage") && quiet.ends_with("data: [DONE]\n\n"), "{quiet}");
    let settled = lab.control.shared().latest(1);
    assert_eq!(settled[0].usage.as_ref().map(|u| u.output_text.0), Some(1));
    let asks = r#"{"model":"chat","stream":true,"stream_options":{"include_usage":true}}"#;
    assert!(lab.told("/v1/chat/completions", asks).await.1.contains(USAGE));
}

#[tokio::test(start_paused = true)]
async fn a_chunk_is_never_held_back() {
    let (told, pieces) = Told::open("text/event-stream");
    let told = std::sync::Mutex::new(Some(told));
    let lab = Lab::new(CONFIG, move |_| told.lock().unwrap().take());
    let chunk = |n: u32| {
        Bytes::from(format!(
            "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"n\":{n}}}\n\n"
        ))
    };
    let since = tokio::time::Instant::now();
    pieces.send(Ok(chunk(0))).unwrap();
    let mut response = lab.ask("/v1/messages", r#"{"model":"chat","stream":true}"#).await;
    for n in 0..100 {
        let frame = response.body_mut().frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), chunk(n));
        // The next is sent when the one before has come: in lockstep, so no piece waits for another.
        pieces.send(Ok(chunk(n + 1))).unwrap();
    }
    assert!(since.elapsed().is_zero(), "no piece, and not the head, waited for a timer");
}

#[tokio::test(start_paused = true)]
async fn http2_clients_and_probes_are_answered() {
    let lab = Lab::new(CONFIG, |_| Some(Told::whole(200, "application/json", ANSWER)));
    let mut client = http2(lab.pipe()).await;
    let request = post2("/v1/chat/completions", r#"{"model":"chat"}"#);
    assert_eq!(client.send_request(request).await.unwrap().status(), 200);
    for (method, path, status) in [
        ("HEAD", "/", 200),
        ("GET", "/", 200),
        ("GET", "/v1/models", 200),
        ("GET", "/v1/models/chat", 200),
        ("GET", "/v1/models/lab%2Fany", 200),
        ("GET", "/v1/models/demo%2Fany", 404),
        ("GET", "/v1/models/nobody", 404),
        ("HEAD", "/api/hello", 404),
    ] {
        let request =
            Request::builder().method(method).uri(path).header("host", "x").body(Full::default()).unwrap();
        assert_eq!(lab.send(request).await.status(), status, "{method} {path}");
    }
    let upgrade = Request::get("/v1/responses")
        .header("host", "x")
        .header("upgrade", "websocket")
        .body(Full::default());
    assert_eq!(lab.send(upgrade.unwrap()).await.status(), 426);
}

#[tokio::test(start_paused = true)]
async fn beta_headers_go_where_they_are_taken() {
    let config = "[providers.anthropic]\nbase_url = \"http://one.test\"\n\
                  [providers.deepseek]\nbase_url = \"http://two.test\"\n\
                  [providers.bedrock]\ndialect = \"anthropic\"\nbase_url = \"http://three.test\"\n\
                  header_values = { anthropic-beta = [\"interleaved-thinking-*\"] }\n";
    let lab =
        Lab::new(config, |_| Some(Told::whole(400, "application/json", r#"{"error":{"message":"no"}}"#)));
    let betas = "interleaved-thinking-2025-05-14,prompt-caching-scope-2026-01-05";
    for (model, wanted) in [
        ("anthropic/m", Some(betas)),
        ("deepseek/m", None),
        ("bedrock/m", Some("interleaved-thinking-2025-05-14")),
    ] {
        let body =
            format!(r#"{{"model":"{model}","max_tokens":1,"messages":[{{"role":"user","content":"x"}}]}}"#);
        let mut request = post("/v1/messages", body);
        request.headers_mut().insert("anthropic-beta", betas.parse().unwrap());
        lab.send(request).await;
        let got = lab.net.got.lock().unwrap().last().unwrap().clone();
        let sent = got.headers.get("anthropic-beta").map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(sent.as_deref(), wanted, "{model}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_translated_request_asks_for_the_betas_that_it_needs_where_they_are_taken() {
    let config = "[providers.anthropic]\nbase_url = \"http://one.test\"\n\
                  [providers.bedrock]\ndialect = \"anthropic\"\nbase_url = \"http://three.test\"\n\
                  header_values = { anthropic-beta = [\"interleaved-thinking-*\"] }\n";
    let lab =
        Lab::new(config, |_| Some(Told::whole(400, "application/json", r#"{"error":{"message":"no"}}"#)));
    let file = r#"{"type":"file","file":{"file_id":"file_011CNha8iCJcU1wXNR6q4V8w"}}"#;
    let text = r#"{"type":"text","text":"\"type\":\"file\",\"file_id\":"}"#;
    for (model, part, wanted) in [
        ("anthropic/m", file, Some("files-api-2025-04-14")),
        ("anthropic/m", text, None),
        ("bedrock/m", file, None),
    ] {
        let body = format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":[{part}]}}]}}"#);
        let mut request = post("/v1/chat/completions", body);
        // What the client says to its own provider is not for another.
        request.headers_mut().insert("anthropic-beta", "interleaved-thinking-2025-05-14".parse().unwrap());
        lab.send(request).await;
        let got = lab.net.got.lock().unwrap().last().unwrap().clone();
        let sent = got.headers.get("anthropic-beta").map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(sent.as_deref(), wanted, "{model} {part}");
    }
}

/// Reads on until `count` pieces of an answer are `sign`, nothing else among them.
async fn signs(response: &mut http::Response<hyper::body::Incoming>, sign: &str, count: usize) {
    let mut seen = 0;
    while seen < count {
        let piece = response.body_mut().frame().await.unwrap().unwrap().into_data().unwrap();
        let told = std::str::from_utf8(&piece).unwrap();
        assert!(seen == 0 || told == sign, "{told}");
        seen += usize::from(told == sign);
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_silence_of_a_translated_stream_is_filled_with_signs_of_life() {
    let config = "[providers.ant]\ndialect = \"anthropic\"\nbase_url = \"http://ant.test\"\n\
                  [providers.chat]\ndialect = \"openai-chat\"\nbase_url = \"http://chat.test/v1\"\n";
    let user = r#"[{"role":"user","content":"hi"}]"#;
    for (path, body, sign) in [
        (
            "/v1/chat/completions",
            format!(r#"{{"model":"ant/m","stream":true,"messages":{user}}}"#),
            ": keep-alive\n\n",
        ),
        ("/v1/responses", format!(r#"{{"model":"ant/m","stream":true,"input":{user}}}"#), ": keep-alive\n\n"),
        (
            "/v1/messages",
            format!(r#"{{"model":"chat/m","stream":true,"max_tokens":9,"messages":{user}}}"#),
            "event: ping\ndata: {\"type\": \"ping\"}\n\n",
        ),
        (
            "/v1beta/models/ant/m:streamGenerateContent?alt=sse",
            r#"{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}"#.to_owned(),
            "\n",
        ),
    ] {
        let (told, pieces) = Told::open("text/event-stream");
        let told = std::sync::Mutex::new(Some(told));
        let lab = Lab::new(config, move |_| told.lock().unwrap().take());
        let [begins, ends] = match path {
            "/v1/messages" => [
                "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n",
                "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
            ],
            _ => [
                "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":[],\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}}\n\n",
                "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":1}}\n\n\
                 event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
            ],
        };
        pieces.send(Ok(Bytes::from(begins))).unwrap();
        let mut response = lab.ask(path, &body).await;
        // Four minutes, in which the upstream says nothing.
        signs(&mut response, sign, 16).await;
        pieces.send(Ok(Bytes::from(ends))).unwrap();
        drop(pieces);
        let (status, rest) = read(response).await;
        assert!(status == 200 && !rest.is_empty(), "{path}: {rest}");
        assert!(lab.control.shared().latest(1)[0].fault.is_none(), "{path}");
    }
}
