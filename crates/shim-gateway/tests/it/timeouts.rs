//! The bound of each phase of an attempt: kept to the second, told by its name, settled as what it is.

use std::time::Duration;

use shim_ir::FaultKind;
use tokio::time::Instant;

use crate::lab::Act::{Hang, Send, Wait};
use crate::lab::{Act, CONFIG, Lab, Line, read};
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
