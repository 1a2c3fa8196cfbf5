//! The bound of each phase of an attempt: kept to the second, told by its name, settled as what it is.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use shim_ir::FaultKind;
use tokio::time::{Instant, sleep};

use crate::clients::good;
use crate::lab::Act::{Hang, Send, Wait};
use crate::lab::{Act, CONFIG, Lab, Line, Told, post2, read};
use crate::tongues::CHAT;

const HEAD: Act = Send("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{");
const STREAM: Act = Send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n: hello\n\n");
const PIECE: Act = Send(" ");
const COMMENT: Act = Send(": still there\n\n");

/// Asks on such a line. The fault must come after so many seconds, be of this kind, and name this bound.
async fn check(line: Line, stream: bool, seconds: u64, kind: FaultKind, says: &str) {
    let lab = Lab::on(line, CONFIG, |_| None);
    let since = Instant::now();
    let (path, body) = if stream { CHAT.stream } else { CHAT.whole };
    let (status, told) = read(lab.ask(path, body).await).await;
    assert_eq!(since.elapsed().as_secs(), seconds, "{line:?}: {told}");
    assert!(told.contains(says) && told.contains(kind.code()), "{line:?}: {says} is not in {told}");
    assert_eq!(status, if stream { 200 } else { kind.status() }, "{line:?}");
    let settled = &lab.control.shared().latest(1)[0];
    assert_eq!(
        (settled.fault, settled.outcome.name(), settled.attempts),
        (Some(kind), "failed", 1),
        "{line:?}"
    );
    assert_eq!(Duration::from_micros(settled.duration_us).as_secs(), seconds, "{line:?}");
}

#[tokio::test(start_paused = true)]
async fn each_phase_has_its_bound() {
    use FaultKind::{UpstreamTimeout, UpstreamUnreachable};
    check(
        Line::Silent,
        false,
        3,
        UpstreamUnreachable,
        "no connection to lab could be made within 3s (timeouts.connect)",
    )
    .await;
    check(
        Line::Raw(&[Hang]),
        false,
        20,
        UpstreamTimeout,
        "lab did not begin to answer within 20s (timeouts.first_byte)",
    )
    .await;
    let idle = "lab fell silent in its answer for 10s (timeouts.idle)";
    check(Line::Raw(&[Wait(5), HEAD, Hang]), false, 15, UpstreamTimeout, idle).await;
    check(Line::Raw(&[HEAD, Wait(7), PIECE, Hang]), false, 17, UpstreamTimeout, idle).await;
    check(Line::Raw(&[STREAM, Wait(7), COMMENT, Hang]), true, 17, UpstreamTimeout, idle).await;
    check(Line::Raw(&[STREAM, Wait(7), COMMENT, Wait(7), COMMENT, Hang]), true, 24, UpstreamTimeout, idle)
        .await;
}

#[tokio::test(start_paused = true)]
async fn an_attempt_has_a_bound_over_all_its_phases() {
    let acts = |begin: Act, piece: Act| -> &'static [Act] {
        [vec![begin], [Wait(8), piece].repeat(9)].concat().leak()
    };
    let total = "lab was not done within 60s (timeouts.total)";
    check(Line::Raw(acts(HEAD, PIECE)), false, 60, FaultKind::UpstreamTimeout, total).await;
    check(Line::Raw(acts(STREAM, COMMENT)), true, 60, FaultKind::UpstreamTimeout, total).await;
}

/// A client of HTTP/2 that takes so many bytes of an answer, and no more before it has read them.
async fn client_that_takes(lab: &Lab, bytes: u32) -> http2::SendRequest<Full<Bytes>> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(bytes);
    let (sender, connection) = builder.handshake(TokioIo::new(lab.pipe())).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// Bounds of the gateway as it is by default, and what it may be late by to see that one is over.
const STALL: Duration = Duration::from_secs(300);
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
const LATE: Duration = Duration::from_secs(12);

/// How many are abandoned, and how many connections there are.
fn left(lab: &Lab) -> (u64, u64) {
    let counts = lab.counts();
    (counts["abandoned"], counts["connections"])
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_a_client_of_http2_does_not_take_is_given_up() {
    let lab = Lab::new(&CONFIG.replace("lab/one", "calm/one"), |got| {
        let (told, pieces) = Told::open("text/event-stream");
        tokio::spawn(async move {
            // Until nobody listens.
            while pieces.send(Ok(format!("{}\n\n", ":".repeat(999)).into())).is_ok() {
                sleep(Duration::from_secs(1)).await;
            }
        });
        if got.path.contains("chat") { Some(told) } else { None }
    });
    let mut client = client_that_takes(&lab, 100).await;
    let unread = client.send_request(post2(CHAT.stream.0, CHAT.stream.1)).await.unwrap();
    let mut read = client.send_request(post2(CHAT.stream.0, CHAT.stream.1)).await.unwrap().into_body();
    let reads = async {
        let until = Instant::now() + STALL - Duration::from_secs(1);
        while Instant::now() < until {
            read.frame().await.unwrap().unwrap();
        }
        assert_eq!(left(&lab), (0, 1));
        let until = Instant::now() + LATE * 4;
        while Instant::now() < until {
            read.frame().await.unwrap().unwrap();
        }
    };
    reads.await;
    assert_eq!(left(&lab), (1, 1), "one was given up, and its neighbour goes on");
    assert!(unread.into_body().collect().await.is_err(), "nobody takes it for whole");
}

#[tokio::test(start_paused = true)]
async fn a_connection_of_http2_is_kept_while_something_happens_on_it() {
    let lab = Lab::new(CONFIG, good);
    let mut client = client_that_takes(&lab, 100).await;
    sleep(HEAD_TIMEOUT - LATE).await;
    let response = client.send_request(post2(CHAT.whole.0, CHAT.whole.1)).await.unwrap();
    assert_eq!(read(response).await.0, 200);
    sleep(STALL - LATE).await;
    let unread = client.send_request(post2(CHAT.whole.0, CHAT.whole.1)).await.unwrap();
    sleep(STALL - LATE).await;
    assert_eq!(left(&lab), (0, 1), "it was handed over, and may still be on its way");
    sleep(LATE * 3).await;
    assert_eq!(left(&lab), (0, 0), "after it nothing was asked");
    drop(unread);
    let silent = client_that_takes(&lab, 100).await;
    sleep(HEAD_TIMEOUT - LATE).await;
    assert_eq!(left(&lab).1, 1);
    sleep(LATE * 3).await;
    assert_eq!(left(&lab).1, 0);
    drop(silent);
}
