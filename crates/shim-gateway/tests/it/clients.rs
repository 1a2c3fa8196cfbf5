//! Bad clients: each is told so in its dialect, or let go, and nobody else notices.

use std::io::Write as _;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request};
use http_body_util::{BodyExt as _, Full};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, timeout};

use crate::lab::{CONFIG, Got, Lab, Told, http2, post, post2, read};
use crate::tongues::{self, CHAT, GEMINI, MESSAGES, RESPONSES, Tongue};

pub(crate) fn good(got: &Got) -> Option<Told> {
    let by_path = [("/messages", &MESSAGES), ("/responses", &RESPONSES), ("generateContent", &GEMINI)];
    let tongue =
        by_path.iter().find(|(part, _)| got.path.contains(part)).map_or(&CHAT, |(_, tongue)| *tongue);
    Some(Told::whole(200, "application/json", tongue.good))
}

/// The request for a whole answer with another body.
fn with_body(tongue: &Tongue, body: impl AsRef<[u8]>) -> Request<Full<Bytes>> {
    post(tongue.whole.0, body)
}

/// Sends `request` in every dialect; each must answer with this status and say this, and go on serving.
async fn check(
    case: &str,
    config: &str,
    request: impl Fn(&Tongue) -> Request<Full<Bytes>>,
    status: u16,
    says: &str,
) {
    for tongue in tongues::ALL {
        let lab = Lab::new(config, good);
        let (found, told) = read(lab.send(request(tongue)).await).await;
        assert_eq!(found, status, "{case}, {}: {told}", tongue.name);
        tongue.check_fault(case, &told, says);
        let after = lab.told(tongue.whole.0, tongue.whole.1).await;
        assert_eq!(after, (200, tongue.good.to_owned()), "{case}, {}: the next request", tongue.name);
        let counts = lab.counts();
        assert_eq!((counts["failed"], counts["delivered"], counts["in_flight"]), (1, 1, 0), "{case}");
    }
}

/// A body that begins well: the beginning of an object, with the model where the body names it.
fn object(tongue: &Tongue, rest: &str) -> String {
    if tongue.name == "gemini" { format!("{{{rest}") } else { format!(r#"{{"model":"chat",{rest}"#) }
}

#[tokio::test(start_paused = true)]
async fn a_bad_body_is_told_of_in_every_dialect() {
    let bodies: [(&str, &str, &str); 6] = [
        ("cut", r#""contents":["#, "not valid JSON"),
        ("two values", r#""x":1} {"#, "not valid JSON"),
        ("a bare word", r#""x":yes}"#, "not valid JSON"),
        ("control character", "\"x\":\"a\nb\"}", "not valid JSON"),
        ("half a surrogate", r#""x":"\ud800\ug"}"#, "not valid JSON"),
        ("a comment", r#"/* hello */ "x":1}"#, "not valid JSON"),
    ];
    for (case, rest, says) in bodies {
        check(case, CONFIG, |tongue| with_body(tongue, object(tongue, rest)), 400, says).await;
    }
    let deep = format!(r#""x":{}1{}}}"#, "[".repeat(500), "]".repeat(500));
    check("deep", CONFIG, |tongue| with_body(tongue, object(tongue, &deep)), 400, "nested too deeply").await;
    let very = format!(r#""x":{}"#, "{\"a\":".repeat(1 << 20));
    check("very deep", CONFIG, |tongue| with_body(tongue, object(tongue, &very)), 400, "nested too deeply")
        .await;
    for (case, body) in
        [("an array", "[]"), ("a text", "\"x\""), ("a number", "1e999"), ("null", "null"), ("", "")]
    {
        check(case, CONFIG, |tongue| with_body(tongue, body), 400, "").await;
    }
    let latin =
        |tongue: &Tongue| with_body(tongue, [object(tongue, "\"x\":\"caf").as_bytes(), b"\xe9\"}"].concat());
    check("not UTF-8", CONFIG, latin, 400, "UTF-8").await;
}

#[tokio::test(start_paused = true)]
async fn a_wrong_member_is_named() {
    for tongue in [&CHAT, &RESPONSES, &MESSAGES] {
        for (body, says) in [
            (r#"{"model":7}"#, "model: expected a string"),
            (r#"{"model":["chat"]}"#, "model: expected a string"),
            (r#"{"model":null}"#, "model: expected a string"),
            (r#"{"messages":[]}"#, "model: the member is missing"),
            (r#"{"model":"chat","stream":"yes"}"#, "stream: expected a boolean"),
            (r#"{"model":"chat","stream":1}"#, "stream: expected a boolean"),
            (r#"{"model":"chat","model":"lab/one"}"#, "model: the member is there twice"),
            (r#"{"model":"chat","mod\u0065l":"lab/one"}"#, "model: the member is there twice"),
            (r#"{"model":"chat","stream":true,"stream":false}"#, "stream: the member is there twice"),
        ] {
            let lab = Lab::new(CONFIG, good);
            let (status, told) = lab.told(tongue.whole.0, body).await;
            assert_eq!(status, 400, "{} {body}: {told}", tongue.name);
            tongue.check_fault(body, &told, says);
            assert!(lab.net.got.lock().unwrap().is_empty(), "{body}: nobody was asked");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_unknown_model_is_told_of_with_the_nearest_names() {
    for tongue in tongues::ALL {
        for (model, says) in
            [("caht", "did you mean \"chat\""), ("shure", "\"sure\""), ("zzzzzzzz", "GET /v1/models")]
        {
            let lab = Lab::new(CONFIG, good);
            let swap = |text: &str| {
                text.replace("chat:", &format!("{model}:")).replace("\"chat\"", &format!("\"{model}\""))
            };
            let (status, told) = lab.told(&swap(tongue.whole.0), &swap(tongue.whole.1)).await;
            assert_eq!(status, 404, "{told}");
            tongue.check_fault(model, &told, says);
        }
    }
    let long = format!(r#"{{"model":"{}"}}"#, "x".repeat(100_000));
    let (status, told) = Lab::new(CONFIG, good).told(CHAT.whole.0, &long).await;
    assert!(status == 404 && told.len() < 1000, "{told}");
}

#[tokio::test(start_paused = true)]
async fn a_hundred_megabytes_are_refused_after_they_were_read() {
    let body = vec![b' '; 100 << 20];
    for tongue in tongues::ALL {
        let lab = Lab::new(CONFIG, good);
        let (status, told) = read(lab.send(with_body(tongue, &body)).await).await;
        assert_eq!(status, 413, "{told}");
        tongue.check_fault("100 MB", &told, "larger than 67108864 bytes");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_asks_first_need_not_send_what_is_too_large() {
    let lab = Lab::new(CONFIG, good);
    let mut pipe = lab.pipe();
    let head =
        "POST /v1/messages HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 100000000\r\n\r\n";
    pipe.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    pipe.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("request_too_large"), "{answer}");
}

/// `text`, compressed.
fn packed(encoding: &str, text: &[u8]) -> Vec<u8> {
    let level = flate2::Compression::best();
    match encoding {
        "gzip" => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
            encoder.write_all(text).unwrap();
            encoder.finish().unwrap()
        }
        "deflate" => {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
            encoder.write_all(text).unwrap();
            encoder.finish().unwrap()
        }
        "br" => {
            let mut out = Vec::new();
            brotli::CompressorWriter::new(&mut out, 4096, 5, 20).write_all(text).unwrap();
            out
        }
        _ => zstd::encode_all(text, 1).unwrap(),
    }
}

const ENCODINGS: [&str; 4] = ["gzip", "deflate", "br", "zstd"];

fn encoded(mut request: Request<Full<Bytes>>, encoding: &'static str) -> Request<Full<Bytes>> {
    request.headers_mut().insert("content-encoding", HeaderValue::from_static(encoding));
    request
}

#[tokio::test(start_paused = true)]
async fn every_encoding_is_undone_in_every_dialect_over_both_versions() {
    for tongue in tongues::ALL {
        for encoding in ENCODINGS {
            let lab = Lab::new(CONFIG, good);
            let body = object(tongue, &format!("\"x\":\"{}\"}}", "long and dull ".repeat(10_000)));
            let wanted = body.replace("\"chat\"", "\"one\"");
            let sent = packed(encoding, body.as_bytes());
            let first = lab.send(encoded(with_body(tongue, &sent), encoding)).await;
            assert_eq!(read(first).await, (200, tongue.good.to_owned()), "{} {encoding}", tongue.name);
            let second = encoded(post2(tongue.whole.0, &sent), encoding);
            let second = http2(lab.pipe()).await.send_request(second).await.unwrap();
            assert_eq!(read(second).await.0, 200, "{} {encoding}", tongue.name);
            for got in lab.net.got.lock().unwrap().iter() {
                assert_eq!(got.body, wanted, "{} {encoding}", tongue.name);
                assert!(!got.headers.contains_key("content-encoding"));
                assert_eq!(got.headers["content-length"], wanted.len().to_string().as_str());
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn bombs_and_unknown_encodings_are_refused_in_every_dialect() {
    let small = CONFIG.replace("[timeouts]", "[server]\nbody_max = \"1MiB\"\n[timeouts]");
    for encoding in ENCODINGS {
        let bomb = packed(encoding, &vec![b' '; 16 << 20]);
        let send = |tongue: &Tongue| encoded(with_body(tongue, &bomb), encoding);
        check(encoding, &small, send, 413, "larger than 1048576 bytes").await;
        let garbage = |tongue: &Tongue| encoded(with_body(tongue, "certainly not compressed"), encoding);
        check(encoding, CONFIG, garbage, 400, "does not decompress").await;
        let cut = |tongue: &Tongue| {
            let whole = packed(encoding, object(tongue, "\"x\":1}").as_bytes());
            encoded(with_body(tongue, &whole[..whole.len() / 2]), encoding)
        };
        check(encoding, CONFIG, cut, 400, "").await;
    }
    for encoding in ["compress", "gzip, gzip", "aws-chunked", "\u{7f}"] {
        let Ok(value) = HeaderValue::from_str(encoding) else { continue };
        let send = |tongue: &Tongue| {
            let mut request = with_body(tongue, tongue.whole.1);
            request.headers_mut().insert("content-encoding", value.clone());
            request
        };
        check(encoding, CONFIG, send, 415, "send gzip, br, zstd, deflate or none").await;
    }
}

#[tokio::test(start_paused = true)]
async fn bombs_share_the_bound_on_all_bodies() {
    let small = CONFIG.replace("[timeouts]", "[server]\nbodies_max = \"2MiB\"\n[timeouts]");
    let bomb = packed("gzip", &vec![b' '; 16 << 20]);
    let send = |tongue: &Tongue| encoded(with_body(tongue, &bomb), "gzip");
    check("a bomb", &small, send, 503, "as many request bytes as it may").await;
    for encoding in ["br", "zstd"] {
        let bomb = packed(encoding, &vec![b' '; 16 << 20]);
        let send = |tongue: &Tongue| encoded(with_body(tongue, &bomb), encoding);
        check(encoding, &small, send, 503, "as many request bytes as it may").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_counts_for_as_long_as_it_is_held() {
    let small = CONFIG.replace("[timeouts]", "[server]\nbodies_max = \"1500KiB\"\n[timeouts]");
    let text = "x".repeat(1 << 20);
    let body = format!(
        r#"{{"model":"chat","max_tokens":9,"stream":true,"messages":[{{"role":"user","content":"{text}"}}]}}"#
    );
    // Translated, the request is held for as long as the answer is written.
    for (path, over, held) in [("/v1/messages", "lab/one", true), (CHAT.whole.0, "lab/one", false)] {
        let only_chat = small.lines().filter(|line| !line.contains("dialects.anthropic"));
        let config = only_chat.collect::<Vec<_>>().join("\n").replace("lab/one", over);
        let ends = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let kept = ends.clone();
        let lab = Lab::new(&config, move |_| {
            let (told, pieces) = Told::open("text/event-stream");
            pieces.send(Ok(CHUNK.into())).unwrap();
            kept.lock().unwrap().push(pieces);
            Some(told)
        });
        let first = lab.ask(path, &body).await;
        assert_eq!(first.status(), 200, "{path}");
        let second = lab.ask(path, &body).await;
        assert_eq!(second.status(), if held { 503 } else { 200 }, "{path}");
        drop(second);
        ends.lock().unwrap().clear();
        read_to_its_end(first).await;
        assert_eq!(lab.ask(path, &body).await.status(), 200, "{path}: the first is over");
    }
}

const CHUNK: &str = "data: {\"id\":\"1\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}]}\n\n";

/// Reads what is left of an answer, however it ends.
async fn read_to_its_end(response: http::Response<hyper::body::Incoming>) {
    let mut body = response.into_body();
    while let Some(Ok(_)) = body.frame().await {}
}

#[tokio::test(start_paused = true)]
async fn a_client_that_asks_before_it_sends_is_answered_at_once_where_it_may_not() {
    let keys = format!("{CONFIG}\n[keys.app]\nsecret = {{ env = \"APP_KEY\" }}\n");
    let lab = Lab::new(&keys, good);
    for (path, status) in [(CHAT.whole.0, 401), ("/v1/nothing", 404)] {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 999999\r\n\r\n"
        );
        let since = tokio::time::Instant::now();
        let answer = lab.spoken(head.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        assert_eq!(since.elapsed().as_secs(), 0, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_web_page_may_not_ask_where_no_keys_are_wanted() {
    let from_a_page = |tongue: &Tongue| {
        let mut request = with_body(tongue, tongue.whole.1);
        request.headers_mut().insert("content-type", HeaderValue::from_static("text/plain"));
        request.headers_mut().insert("origin", HeaderValue::from_static("https://evil.example"));
        request
    };
    check("a page", CONFIG, from_a_page, 403, "the web page at https://evil.example may not ask").await;
    let keys = format!("{CONFIG}\n[keys.app]\nsecret = {{ env = \"APP_KEY\" }}\n");
    let lab = Lab::new(&keys, good);
    let mut request = from_a_page(&CHAT);
    request.headers_mut().insert("authorization", HeaderValue::from_static("Bearer app-secret"));
    assert_eq!(lab.send(request).await.status(), 200, "whoever has a key may ask from anywhere");
}

#[tokio::test(start_paused = true)]
async fn a_length_beyond_the_bound_is_told_as_that_though_nothing_comes() {
    let lab = Lab::new(CONFIG, good);
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 99999999999\r\n\r\n",
        CHAT.whole.0
    );
    let answer = lab.spoken(head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn large_headers_are_told_of_in_every_dialect_and_larger_ones_cut_off() {
    let send = |tongue: &Tongue| {
        let mut request = with_body(tongue, tongue.whole.1);
        request.headers_mut().insert("x-large", "x".repeat(70 << 10).parse().unwrap());
        request
    };
    check("a large header", CONFIG, send, 431, "larger than 65536 bytes").await;
    let lab = Lab::new(CONFIG, good);
    let mut neighbour = lab.client().await;
    for head in [format!("x: {}\r\n", "x".repeat(1 << 20)), "x: y\r\n".repeat(1000)] {
        let answer =
            lab.spoken(format!("POST {} HTTP/1.1\r\nhost: x\r\n{head}\r\n", CHAT.whole.0).as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    }
    let long =
        lab.spoken(format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "x".repeat(80_000)).as_bytes()).await;
    assert!(long.starts_with("HTTP/1.1 414"), "{long}");
    let mut second = http2(lab.pipe()).await;
    let mut request = post2(CHAT.whole.0, CHAT.whole.1);
    request.headers_mut().insert("x-large", "x".repeat(200 << 10).parse().unwrap());
    assert!(second.send_request(request).await.map_or(true, |response| response.status() == 431));
    let after = neighbour.send_request(with_body(&CHAT, CHAT.whole.1)).await.unwrap();
    assert_eq!(after.status(), 200, "the neighbour");
}

#[tokio::test(start_paused = true)]
async fn a_client_without_a_key_gets_its_answer_however_much_it_sends() {
    let keys = format!("{CONFIG}\n[keys.app]\nsecret = {{ env = \"APP_KEY\" }}\n");
    let body = vec![b' '; 8 << 20];
    for tongue in tongues::ALL {
        let lab = Lab::new(&keys, good);
        for (path, status) in [(tongue.whole.0, 401), ("/v1/nothing", 404)] {
            let mut pipe = lab.pipe();
            let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
            pipe.write_all(head.as_bytes()).await.unwrap();
            // A connection that is closed while the client is still sending takes the answer with it.
            pipe.write_all(&body).await.expect("what the client sends is read");
            let mut answer = vec![0; 4096];
            let read = pipe.read(&mut answer).await.unwrap();
            let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
            if status == 401 {
                tongue.check_fault("no key", answer.split("\r\n\r\n").nth(1).unwrap(), "no credential");
            }
        }
    }
}

/// Whether the gateway closes a connection on which these bytes came, at about this time.
async fn check_let_go(case: &str, bytes: &[u8], seconds: u64, says: &str) {
    let lab = Lab::new(CONFIG, good);
    let mut pipe = lab.pipe();
    pipe.write_all(bytes).await.unwrap();
    let since = Instant::now();
    let mut answer = Vec::new();
    let closed = timeout(Duration::from_secs(600), pipe.read_to_end(&mut answer)).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    closed.unwrap_or_else(|_| panic!("{case}: still open; {answer:?}")).unwrap();
    let took = since.elapsed().as_secs();
    assert!((seconds..seconds + 2).contains(&took), "{case}: after {took} s");
    assert!(answer.contains(says), "{case}: {answer:?}");
    assert_eq!(lab.counts()["connections"], 0, "{case}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_nothing_is_let_go() {
    check_let_go("silent", b"", 75, "").await;
    check_let_go("half a preface", b"PRI * HTTP/2.0\r\n", 75, "").await;
    check_let_go("half a line", b"POST /v1/mess", 75, "").await;
    check_let_go("half a head", b"POST /v1/messages HTTP/1.1\r\nhost: x\r\n", 75, "").await;
    check_let_go("one letter", b"P", 75, "").await;
    check_let_go("preface alone", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 40, "").await;
    let done = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
    check_let_go("idle", done, 75, "200 OK").await;
    let body = b"POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{";
    check_let_go("half a body", body, 30, "stopped arriving for 30 s").await;
}

#[tokio::test(start_paused = true)]
async fn a_head_or_body_that_trickles_is_not_waited_for() {
    let lab = Lab::new(CONFIG, good);
    let mut head = lab.pipe();
    let since = Instant::now();
    head.write_all(b"POST /v1/messages HTTP/1.1\r\n").await.unwrap();
    while head.write_all(b"x: y\r\n").await.is_ok() {
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert!(since.elapsed() < Duration::from_secs(120), "a head may trickle");
    }
    for tongue in tongues::ALL {
        let mut body = lab.pipe();
        let line = format!("POST {} HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n", tongue.whole.0);
        body.write_all(line.as_bytes()).await.unwrap();
        let (mut reads, mut writes) = tokio::io::split(body);
        let trickle = tokio::spawn(async move {
            while writes.write_all(b" ").await.is_ok() {
                tokio::time::sleep(Duration::from_secs(10)).await;
            }
        });
        let mut answer = vec![0; 4096];
        let read =
            timeout(Duration::from_secs(120), reads.read(&mut answer)).await.expect("a body may trickle");
        let answer = String::from_utf8_lossy(&answer[..read.unwrap()]).into_owned();
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
        let told = answer.split("\r\n\r\n").nth(1).unwrap();
        tongue.check_fault("trickle", told, "too slowly");
        trickle.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_is_let_go_and_its_upstream_too() {
    let (announce, mut announced) = tokio::sync::mpsc::unbounded_channel();
    let lab = Lab::new(&CONFIG.replace("total = \"60s\"", "total = \"24h\""), move |_| {
        let (told, sender) = Told::open("text/event-stream");
        announce.send(sender).unwrap();
        Some(told)
    });
    let mut pipe = lab.pipe();
    let (path, body) = CHAT.stream;
    let request = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    pipe.write_all(request.as_bytes()).await.unwrap();
    let sender: tokio::sync::mpsc::UnboundedSender<crate::lab::Piece> = announced.recv().await.unwrap();
    for _ in 0..1000 {
        let _ = sender.send(Ok(Bytes::from(CHAT.begin.repeat(100))));
    }
    timeout(Duration::from_secs(400), sender.closed()).await.expect("the upstream is let go");
    let counts = lab.counts();
    assert_eq!((counts["abandoned"], counts["in_flight"], counts["connections"]), (1, 0, 0));
    drop(pipe);
}

#[tokio::test(start_paused = true)]
async fn junk_behind_a_request_harms_neither_it_nor_others() {
    for tongue in tongues::ALL {
        let lab = Lab::new(CONFIG, good);
        let (path, body) = tongue.whole;
        let one = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let answer = lab.spoken(format!("{one}{one}\0\x01junk\r\n\r\n").as_bytes()).await;
        assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 2, "{answer}");
        assert_eq!(answer.matches(tongue.good).count(), 2, "{answer}");
        assert_eq!(answer.matches("HTTP/1.1 400").count(), 1, "{answer}");
        assert_eq!((lab.counts()["delivered"], lab.counts()["in_flight"]), (2, 0));
    }
    let lab = Lab::new(CONFIG, good);
    for (junk, wanted) in [
        ("\x16\x03\x01\x02\x00\x01\x00\x01\u{fc}", "HTTP/1.1 400"),
        ("POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n", "HTTP/1.1 400"),
        (
            "POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}",
            "HTTP/1.1 400",
        ),
        ("POST /v1/messages HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", "HTTP/1.1 400"),
        ("POST /v1/messages HTTP/9.9\r\n\r\n", "HTTP/1.1 400"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\u{5}junk, certainly no frame of HTTP/2", ""),
    ] {
        let answer = lab.spoken(junk.as_bytes()).await;
        assert!(answer.contains(wanted), "{junk:?}: {answer:?}");
    }
    assert_eq!(lab.told(CHAT.whole.0, CHAT.whole.1).await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_stops_the_upstream_over_both_versions_before_and_in_an_answer() {
    for version in [1, 2] {
        for streams in [false, true] {
            let (announce, mut announced) = tokio::sync::mpsc::unbounded_channel();
            let lab = Lab::new(CONFIG, move |_| {
                let (told, sender) =
                    Told::open(if streams { "text/event-stream" } else { "application/json" });
                sender.send(Ok(CHAT.begin.into())).unwrap();
                announce.send(sender).unwrap();
                Some(told)
            });
            let (path, body) = if streams { CHAT.stream } else { CHAT.whole };
            let asked = if version == 1 {
                let mut client = lab.client().await;
                tokio::spawn(async move { client.send_request(post(path, body)).await })
            } else {
                let mut client = http2(lab.pipe()).await;
                tokio::spawn(async move { client.send_request(post2(path, body)).await })
            };
            let sender: tokio::sync::mpsc::UnboundedSender<crate::lab::Piece> =
                announced.recv().await.unwrap();
            if streams {
                let mut response = asked.await.unwrap().unwrap();
                assert!(response.body_mut().frame().await.is_some());
            } else {
                // The answer is not complete, so the client still waits for its head.
                tokio::time::sleep(Duration::from_secs(1)).await;
                asked.abort();
            }
            let closed = timeout(Duration::from_secs(5), sender.closed()).await;
            closed.unwrap_or_else(|_| panic!("HTTP/{version}, streams {streams}: the upstream goes on"));
            assert_eq!((lab.counts()["abandoned"], lab.counts()["in_flight"]), (1, 0));
        }
    }
}
