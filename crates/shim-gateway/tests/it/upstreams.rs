//! Bad upstreams: each a clear fault in the client's dialect, whole and streamed, while a neighbour's stream goes on.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::sync::mpsc;

use crate::lab::Act::{Hang, Read, Send, Wait};
use crate::lab::{CONFIG, Got, Lab, Line, Piece, Told, read};
use crate::tongues::{self, CHAT, Tongue};

/// A stream of another client, at another provider, that is open while something goes wrong.
struct Neighbour {
    sender: mpsc::UnboundedSender<Piece>,
    response: Response<Incoming>,
}

/// Answers the neighbour, and everybody else with `bad`.
fn beside(
    neighbour: mpsc::UnboundedSender<mpsc::UnboundedSender<Piece>>,
    bad: impl Fn(&Got) -> Option<Told> + std::marker::Send + Sync + 'static,
) -> impl Fn(&Got) -> Option<Told> + std::marker::Send + Sync + 'static {
    move |got| {
        if got.host != "calm.test" {
            return bad(got);
        }
        let (told, sender) = Told::open("text/event-stream");
        neighbour.send(sender).unwrap();
        Some(told)
    }
}

/// A gateway on such a line, and a neighbour in it.
async fn lab(
    line: Line,
    bad: impl Fn(&Got) -> Option<Told> + std::marker::Send + Sync + 'static,
) -> (Lab, Neighbour) {
    let (announce, mut announced) = mpsc::unbounded_channel();
    let lab = Lab::on(line, CONFIG, beside(announce, bad));
    let response = lab.ask(CHAT.stream.0, r#"{"model":"calm/x","stream":true}"#).await;
    let sender: mpsc::UnboundedSender<Piece> = announced.recv().await.unwrap();
    sender.send(Ok(CHAT.begin.into())).unwrap();
    (lab, Neighbour { sender, response })
}

impl Neighbour {
    /// Ends the stream; it must have come whole and unchanged.
    async fn check(self, case: &str) {
        self.sender.send(Ok(CHAT.end.into())).unwrap();
        drop(self.sender);
        let (status, body) = read(self.response).await;
        assert_eq!((status, body), (200, format!("{}{}", CHAT.begin, CHAT.end)), "{case}: the neighbour");
    }
}

/// Asks for a whole answer and for a stream in every dialect; both must fail in the same way.
async fn check<B>(case: &str, line: Line, bad: impl Fn(&'static Tongue) -> B, status: u16, says: &str)
where
    B: Fn(&Got) -> Option<Told> + std::marker::Send + Sync + 'static,
{
    for tongue in tongues::ALL {
        let (lab, neighbour) = lab(line, bad(tongue)).await;
        for (path, body) in [tongue.whole, tongue.stream] {
            let (found, told) = lab.told(path, body).await;
            assert_eq!(found, status, "{case}, {}: {told}", tongue.name);
            tongue.check_fault(case, &told, says);
            assert!(!told.contains("sk-ups"), "{case}: {told}");
        }
        neighbour.check(case).await;
        let counts = lab.counts();
        assert_eq!((counts["failed"], counts["delivered"], counts["in_flight"]), (2, 1, 0), "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_cannot_be_had_is_told_of_in_every_dialect() {
    let never = |_: &'static Tongue| |_: &Got| None;
    check("refused", Line::Refused, never, 502, "lab could not be reached: connection refused").await;
    check("silent", Line::Silent, never, 502, "within 3s (timeouts.connect)").await;
    check("hangs up", Line::Http1, never, 502, "lab closed the connection before it answered").await;
    check("hangs up", Line::Http2, never, 502, "lab closed the connection before it answered").await;
    check("hangs", Line::Raw(&[Hang]), never, 504, "within 20s (timeouts.first_byte)").await;
    let raw: [(&str, &[_], u16, &str); 8] = [
        ("no HTTP", &[Send("SSH-2.0-OpenSSH_9.6\r\n\r\n")], 502, "lab does not answer in HTTP"),
        ("half a head", &[Send("HTTP/1.1 200 OK\r\ncontent-")], 502, "before it answered"),
        ("half a head, then silence", &[Send("HTTP/1.1 200 OK\r\ncontent-"), Hang], 504, "first_byte"),
        (
            "cut in the middle",
            &[Send(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{\"choices\":[",
            )],
            502,
            "in the middle of its answer",
        ),
        (
            "stalls in the middle",
            &[Send("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"choices\":["), Hang],
            504,
            "fell silent in its answer for 10s (timeouts.idle)",
        ),
        (
            "trickles",
            &[
                Send("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"),
                Wait(9),
                Send(" "),
                Wait(9),
                Send(" "),
                Wait(9),
                Send(" "),
                Wait(9),
                Send(" "),
                Wait(9),
                Send(" "),
                Wait(9),
                Send(" "),
                Wait(9),
            ],
            504,
            "lab was not done within 60s (timeouts.total)",
        ),
        (
            "bad chunks",
            &[Send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}")],
            502,
            "middle",
        ),
        (
            "two lengths",
            &[Send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 9\r\n\r\n{}")],
            502,
            "HTTP",
        ),
    ];
    for (case, acts, status, says) in raw {
        check(case, Line::Raw(acts), never, status, says).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_bad_answer_is_told_of_in_every_dialect() {
    let html = "<!doctype html><title>Down for maintenance</title>";
    let cases: [(&str, u16, &str, &str, u16, &str); 10] = [
        ("a page", 200, "text/html", html, 502, "not an answer (text/html)"),
        ("a page that says JSON", 200, "application/json", html, 502, "not an answer"),
        ("half of an answer", 200, "application/json", r#"{"choices":[{"mess"#, 502, "not an answer"),
        ("nothing", 200, "application/json", "", 502, "not an answer"),
        ("no content", 204, "application/json", "", 502, "not an answer"),
        ("a page with an error", 500, "text/html", html, 500, "status 500"),
        ("a word with an error", 503, "application/json", "\"overloaded\"", 503, "overloaded"),
        ("nothing with an error", 502, "application/json", "", 502, "status 502"),
        ("a redirect", 302, "text/html", html, 502, "status 302, a redirect that is not followed"),
        (
            "a key in an error",
            500,
            "application/json",
            r#"{"m":"sk-upstream-secret"}"#,
            502,
            "credential (LAB_KEY)",
        ),
    ];
    for (case, status, kind, body, wanted, says) in cases {
        for line in [Line::Http1, Line::Http2] {
            let bad =
                move |_| move |_: &Got| Some(Told::whole(status, kind, body).with(&[("location", "/else")]));
            check(case, line, bad, wanted, says).await;
        }
    }
    let failed =
        |tongue: &'static Tongue| move |_: &Got| Some(Told::whole(200, "application/json", tongue.failed));
    check("an error inside a 200", Line::Http1, failed, 502, "boom").await;
    let error =
        |tongue: &'static Tongue| move |_: &Got| Some(Told::whole(500, "application/json", tongue.error));
    check("an error", Line::Http1, error, 500, "boom").await;
    let refused =
        |tongue: &'static Tongue| move |_: &Got| Some(Told::whole(401, "application/json", tongue.error));
    check("a refused key", Line::Http1, refused, 401, "refused the gateway's credential (LAB_KEY)").await;
    let packed = |tongue: &'static Tongue| {
        move |_: &Got| {
            Some(Told::whole(200, "application/json", tongue.good).with(&[("content-encoding", "gzip")]))
        }
    };
    check("compressed", Line::Http1, packed, 502, "compressed its answer").await;
}

#[tokio::test(start_paused = true)]
async fn a_redirect_is_not_followed() {
    let lab = Lab::new(CONFIG, |_| {
        Some(Told::whole(307, "text/html", "").with(&[("location", "http://calm.test/v1/chat/completions")]))
    });
    let response = lab.ask(CHAT.whole.0, CHAT.whole.1).await;
    assert!(response.headers().get("location").is_none());
    assert_eq!(response.status(), 502);
    assert_eq!(lab.net.got.lock().unwrap().len(), 1);
}

/// What an upstream says of when to ask again, and what it must not say to clients.
const LIMITS: [(&str, &str); 9] = [
    ("retry-after", "7"),
    ("x-ratelimit-remaining-requests", "0"),
    ("anthropic-ratelimit-tokens-reset", "2026-11-23T00:00:00Z"),
    ("authorization", "Bearer sk-upstream-secret"),
    ("x-api-key", "sk-upstream-secret"),
    ("connection", "keep-alive, x-hop"),
    ("keep-alive", "timeout=5"),
    ("x-hop", "1"),
    ("proxy-authenticate", "Basic"),
];

#[tokio::test(start_paused = true)]
async fn limits_pass_and_credentials_and_hop_by_hop_headers_do_not() {
    for tongue in tongues::ALL {
        for (status, body) in [
            (200, tongue.good),
            (200, tongue.failed),
            (429, tongue.error),
            (429, "<html>"),
            (529, ""),
            (401, "{}"),
        ] {
            let lab =
                Lab::new(CONFIG, move |_| Some(Told::whole(status, "application/json", body).with(&LIMITS)));
            let response = lab.ask(tongue.whole.0, tongue.whole.1).await;
            let headers = response.headers().clone();
            for (name, value) in &LIMITS[..3] {
                assert_eq!(
                    headers.get(*name).map(|v| v.to_str().unwrap()),
                    Some(*value),
                    "{} {body}",
                    tongue.name
                );
            }
            for (name, _) in &LIMITS[3..] {
                assert!(!headers.contains_key(*name), "{name} of {} {body}", tongue.name);
            }
            assert!(!headers.contains_key("set-cookie"));
            assert_eq!(headers["x-shim-target"], "lab/one");
            let length = headers["content-length"].to_str().unwrap().parse::<usize>().unwrap();
            assert_eq!(read(response).await.1.len(), length);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_date_to_ask_again_at_and_a_delay_in_the_body_are_kept() {
    const DATE: &str = "Mon, 23 Nov 2026 10:00:00 GMT";
    let lab = Lab::new(CONFIG, |_| Some(Told::whole(503, "text/html", "<p>").with(&[("retry-after", DATE)])));
    assert_eq!(lab.ask(CHAT.whole.0, CHAT.whole.1).await.headers()["retry-after"], DATE);
    let body = r#"{"error":{"code":429,"message":"slow","status":"RESOURCE_EXHAUSTED","details":[{"retryDelay":"12.5s"}]}}"#;
    let lab = Lab::new(CONFIG, move |_| Some(Told::whole(429, "application/json", body)));
    let (path, ask) = tongues::GEMINI.whole;
    let response = lab.ask(path, ask).await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["retry-after"]),
        (429, &"13".parse().unwrap())
    );
    assert_eq!(read(response).await.1, body, "the upstream's own error passes as it came");
}

/// A stream in every framing that begins and goes on as `then` says; it must end with a fault of the dialect.
async fn check_stream(
    case: &str,
    line: Line,
    then: fn(&'static Tongue) -> Vec<Piece>,
    stalls: bool,
    says: &str,
) {
    for tongue in tongues::STREAMS {
        let (lab, neighbour) = lab(line, move |_| {
            let (told, sender) = Told::open(tongue.kind());
            tokio::spawn(async move {
                for piece in then(tongue) {
                    let _ = sender.send(piece);
                    // Each on its way before the next, in virtual time.
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                if stalls {
                    sender.closed().await;
                }
            });
            Some(told)
        })
        .await;
        let (status, body) = lab.told(tongue.stream.0, tongue.stream.1).await;
        assert_eq!(status, 200, "{case}: {body}");
        tongue.check_stream_fault(case, &body, says);
        neighbour.check(case).await;
        let counts = lab.counts();
        assert_eq!((counts["failed"], counts["delivered"], counts["in_flight"]), (1, 1, 0), "{case}");
    }
}

/// What says nothing in a stream.
fn blank(tongue: &Tongue) -> &'static str {
    if tongue.kind() == "application/json" { "\n" } else { ": still there\n\n" }
}

fn reset() -> Piece {
    Err(io::ErrorKind::ConnectionReset.into())
}

#[tokio::test(start_paused = true)]
async fn a_bad_stream_ends_with_a_fault_in_every_dialect() {
    for line in [Line::Http1, Line::Http2] {
        let closed = "closed the stream before the answer was complete";
        let broke = "closed the connection before the answer was complete";
        check_stream("closes early", line, |t| vec![Ok(t.begin.into())], false, closed).await;
        check_stream("breaks off", line, |t| vec![Ok(t.begin.into()), reset()], false, broke).await;
        let twice = |t: &'static Tongue| vec![Ok(t.begin.into()), Ok(blank(t).into())];
        check_stream("stalls", line, twice, true, "lab fell silent in its answer for 10s").await;
        check_stream("stalls at once", line, |_| vec![], true, "(timeouts.idle)").await;
        let late = |_: &'static Tongue| (0..7).map(|_| Ok(Bytes::new())).chain([reset()]).collect();
        check_stream("says nothing for long, then breaks off", line, late, false, broke).await;
        let slow = |t: &'static Tongue| {
            std::iter::once(Ok(t.begin.into())).chain((0..80).map(|_| Ok(blank(t).into()))).collect()
        };
        check_stream("never ends", line, slow, true, "lab was not done within 60s (timeouts.total)").await;
    }
}

#[tokio::test(start_paused = true)]
async fn garbage_in_a_stream_is_a_fault_in_every_dialect() {
    let frames = |_: &'static Tongue| vec![Ok("data: <html>certainly no JSON</html>\n\n".into())];
    for tongue in tongues::ALL {
        for breaks in [false, true] {
            let lab = Lab::new(CONFIG, move |_| {
                let (told, sender) = Told::open("text/event-stream");
                tokio::spawn(async move {
                    for piece in frames(tongue).into_iter().chain(breaks.then(reset)) {
                        let _ = sender.send(piece);
                        tokio::time::sleep(Duration::from_secs(1)).await;
                    }
                });
                Some(told)
            });
            let (_, body) = lab.told(tongue.stream.0, tongue.stream.1).await;
            tongue.check_stream_fault("garbage", &body, "");
            assert_eq!(lab.counts()["failed"], 1, "{}", tongue.name);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_inside_a_stream_passes_as_it_came_and_is_settled_as_a_fault() {
    for tongue in tongues::STREAMS {
        for breaks in [false, true] {
            let lab = Lab::new(CONFIG, move |_| {
                let (told, sender) = Told::open(tongue.kind());
                tokio::spawn(async move {
                    let _ = sender.send(Ok(tongue.begin.into()));
                    let _ = sender.send(Ok(tongue.stream_error.into()));
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    if breaks {
                        let _ = sender.send(reset());
                    }
                });
                Some(told)
            });
            let (_, body) = lab.told(tongue.stream.0, tongue.stream.1).await;
            assert_eq!(body, format!("{}{}", tongue.begin, tongue.stream_error), "{}", tongue.name);
            assert_eq!(
                (lab.counts()["failed"], lab.counts()["delivered"]),
                (1, 0),
                "{} {breaks}",
                tongue.name
            );
            assert!(lab.control.shared().latest(1)[0].detail.as_ref().unwrap().contains("boom"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_break_behind_the_end_is_none() {
    for tongue in tongues::STREAMS {
        let lab = Lab::new(CONFIG, move |_| {
            let (told, sender) = Told::open(tongue.kind());
            tokio::spawn(async move {
                let _ = sender.send(Ok(tongue.begin.into()));
                let _ = sender.send(Ok(tongue.end.into()));
                tokio::time::sleep(Duration::from_secs(1)).await;
                let _ = sender.send(reset());
            });
            Some(told)
        });
        let (_, body) = lab.told(tongue.stream.0, tongue.stream.1).await;
        assert_eq!(body, format!("{}{}", tongue.begin, tongue.end), "{}", tongue.name);
        assert_eq!((lab.counts()["failed"], lab.counts()["delivered"]), (0, 1), "{}", tongue.name);
    }
}

#[tokio::test(start_paused = true)]
async fn a_large_whole_answer_that_is_cut_is_no_whole_answer() {
    let lab = Lab::new(CONFIG, |_| {
        let (told, sender) = Told::open("application/json");
        sender.send(Ok(Bytes::from(format!("{{\"x\":\"{}", "a".repeat(2 << 20))))).unwrap();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let _ = sender.send(reset());
        });
        Some(told)
    });
    let response = lab.ask(CHAT.whole.0, CHAT.whole.1).await;
    assert!(response.into_body().collect().await.is_err(), "the connection is closed, not the answer ended");
    assert_eq!((lab.counts()["failed"], lab.counts()["in_flight"]), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_bad_answer_gives_way_to_another_target() {
    let tries = AtomicUsize::new(0);
    let lab = Lab::new(CONFIG, move |_| match tries.fetch_add(1, Ordering::Relaxed) {
        0 => Some(Told::whole(200, "text/html", "<html>")),
        _ => Some(Told::whole(200, "application/json", CHAT.good)),
    });
    let response = lab.ask(CHAT.whole.0, r#"{"model":"sure"}"#).await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["x-shim-target"]),
        (200, &"lab/two".parse().unwrap())
    );
}

/// How a stream fails before it said anything: a name, its pieces, and what is told of it.
type Stillborn = (&'static str, fn(&'static Tongue) -> Vec<Piece>, &'static str);

const STILLBORN: [Stillborn; 3] = [
    ("nothing", |_| vec![], "closed the stream before its answer began"),
    ("a reset", |_| vec![Ok(Bytes::new()), reset()], "closed the connection before its answer began"),
    ("an error", |t| vec![Ok(t.stream_error.trim_start_matches(",\n").into())], "boom"),
];

/// The stream of these pieces, each on its way before the next, in virtual time.
fn stream_of(kind: &'static str, pieces: Vec<Piece>) -> Told {
    let (told, sender) = Told::open(kind);
    tokio::spawn(async move {
        for piece in pieces {
            let _ = sender.send(piece);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    told
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_fails_before_it_said_anything_is_told_of_by_its_status() {
    for line in [Line::Http1, Line::Http2] {
        for (case, pieces, says) in STILLBORN {
            for tongue in tongues::ALL {
                let lab = Lab::on(line, CONFIG, move |_| Some(stream_of(tongue.kind(), pieces(tongue))));
                let (status, body) = lab.told(tongue.stream.0, tongue.stream.1).await;
                assert!(status >= 500, "{case}, {}: {status} {body}", tongue.name);
                tongue.check_fault(case, &body, says);
                assert_eq!((lab.counts()["failed"], lab.counts()["in_flight"]), (1, 0), "{case}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_fails_before_it_said_anything_gives_way_to_another_target() {
    // Once where the target speaks the client's dialect, once where it speaks another.
    let foreign = "[providers.lab]\ndialect = \"openai-chat\"\nbase_url = \"http://lab.test/v1\"\n\
                   [aliases.sure]\ntarget = \"lab/one\"\nfallback = [\"lab/two\"]\n";
    for (config, path) in [(CONFIG, CHAT.stream.0), (foreign, tongues::MESSAGES.stream.0)] {
        for (case, pieces, _) in STILLBORN {
            let tries = AtomicUsize::new(0);
            let lab = Lab::new(config, move |_| {
                let good = || vec![Ok(CHAT.begin.into()), Ok(CHAT.end.into())];
                let first = tries.fetch_add(1, Ordering::Relaxed) == 0;
                Some(stream_of("text/event-stream", if first { pieces(&CHAT) } else { good() }))
            });
            let ask =
                r#"{"model":"sure","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"x"}]}"#;
            let response = lab.ask(path, ask).await;
            let head = (response.status().as_u16(), response.headers()["x-shim-target"].to_str().unwrap());
            assert_eq!(head, (200, "lab/two"), "{case} over {path}");
            assert_eq!(response.headers()["x-shim-attempts"], "2", "{case} over {path}");
            assert!(!read(response).await.1.contains("error"), "{case} over {path}");
            assert_eq!((lab.counts()["failed"], lab.counts()["delivered"]), (0, 1), "{case} over {path}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_head_of_a_stream_that_is_silent_for_long_goes_out_before_its_first_piece() {
    let (told, pieces) = Told::open("text/event-stream");
    let told = std::sync::Mutex::new(Some(told));
    let lab = Lab::new(CONFIG, move |_| told.lock().unwrap().take());
    let since = tokio::time::Instant::now();
    let response = lab.ask(CHAT.stream.0, CHAT.stream.1).await;
    assert_eq!((response.status().as_u16(), since.elapsed().as_secs()), (200, 5));
    for piece in [CHAT.begin, CHAT.end] {
        pieces.send(Ok(piece.into())).unwrap();
    }
    drop(pieces);
    assert_eq!(read(response).await.1, format!("{}{}", CHAT.begin, CHAT.end));
}

/// An upstream that closes a kept connection just as the next request is on its way: that goes over a new one, once. One
/// that closes a new connection without an answer is not asked again.
#[tokio::test(start_paused = true)]
async fn a_connection_that_was_kept_and_is_closed_is_replaced_by_a_new_one() {
    let length = CHAT.good.len();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ";
    let answer = Send(format!("{head}{length}\r\n\r\n{}", CHAT.good).leak());
    // The second is translated, where the upstream speaks nothing but Chat Completions.
    let config = CONFIG.lines().filter(|line| !line.contains("dialects.")).collect::<Vec<_>>().join("\n");
    let body = r#"{"model":"chat","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}"#;
    for tongue in [&CHAT, &tongues::MESSAGES] {
        let lab = Lab::on(Line::Raw(vec![answer, Read].leak()), &config, |_| None);
        for n in 0..4 {
            let (status, told) = lab.told(tongue.whole.0, body).await;
            assert_eq!(status, 200, "{} {n}: {told}", tongue.name);
        }
        let lab = Lab::on(Line::Raw(&[]), &config, |_| None);
        let (status, told) = lab.told(tongue.whole.0, body).await;
        assert_eq!(status, 502, "{}: {told}", tongue.name);
        // What breaks later may have been worked on, and is not asked twice.
        let lab = Lab::on(Line::Raw(vec![answer, Read, Wait(5)].leak()), &config, |_| None);
        for wanted in [200, 502] {
            let (status, told) = lab.told(tongue.whole.0, body).await;
            assert_eq!(status, wanted, "{}: {told}", tongue.name);
        }
    }
}

/// Also across dialects it is told who answered with what.
#[tokio::test(start_paused = true)]
async fn a_page_in_place_of_an_answer_is_told_with_its_provider_and_type() {
    let config = CONFIG.lines().filter(|line| !line.contains("dialects.")).collect::<Vec<_>>().join("\n");
    let lab = Lab::new(&config, |_| Some(Told::whole(200, "text/html", "<html>")));
    let body = r#"{"model":"chat","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}"#;
    let (status, told) = lab.told(tongues::MESSAGES.whole.0, body).await;
    assert_eq!(status, 502, "{told}");
    assert!(told.contains("lab answered with something that is not an answer (text/html)"), "{told}");
}
