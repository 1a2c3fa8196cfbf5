//! Request bodies: collected within bounds, and decoded where the client compressed them.

mod encoding;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, EXPECT};
use http_body::Body;
use http_body_util::BodyExt as _;
use shim_ir::{Fault, FaultKind};
use shim_upstream::in_time;
use tokio::time::{Instant, timeout};

use self::encoding::{Encoding, decode, encoding};
use crate::generation::Limits;
use crate::shared::Shared;

/// Bytes counted against the bound on all bodies held at once; given back when dropped.
#[derive(Debug)]
pub(crate) struct Held {
    shared: Arc<Shared>,
    bytes: usize,
}

impl Held {
    fn new(shared: &Arc<Shared>) -> Self {
        Self { shared: shared.clone(), bytes: 0 }
    }

    /// Counts `more` bytes.
    pub(crate) fn add(&mut self, more: usize, max: usize) -> Result<(), Fault> {
        let before = self.shared.held.fetch_add(more, Ordering::Relaxed);
        self.bytes += more;
        if before + more <= max {
            return Ok(());
        }
        let mut fault = Fault::new(
            FaultKind::Unavailable,
            "the gateway holds as many request bytes as it may; try again",
        );
        fault.retry_after_ms = Some(1000);
        Err(fault)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.shared.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A request body that arrives slower than this, after a while, is not waited for.
const RATE_MIN: u64 = 1024;

/// Reads a request body whole and undoes its content encoding.
///
/// A body that is too large is read on and thrown away for a while, so that the client gets to reading the answer.
pub(crate) async fn collect<B>(
    shared: &Arc<Shared>,
    limits: &Limits,
    headers: &HeaderMap,
    body: B,
) -> Result<(Bytes, Held), Fault>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let max = limits.body_bytes_max;
    let announced = announced(headers);
    if announced > max && headers.contains_key(EXPECT) {
        // The client asked before it sends anything.
        return Err(too_large_fault(max));
    }
    let mut held = Held::new(shared);
    let bytes = gather(limits, announced, body, &mut held).await?;
    match encoding(headers)? {
        None => Ok((bytes, held)),
        Some(encoding) => Box::pin(decoded(shared, encoding, bytes, held, limits)).await,
    }
}

/// The length a client announces.
fn announced(headers: &HeaderMap) -> usize {
    headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok()).unwrap_or(0)
}

async fn gather<B>(limits: &Limits, announced: usize, mut body: B, held: &mut Held) -> Result<Bytes, Fault>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let max = limits.body_bytes_max;
    let since = Instant::now();
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    if announced > max {
        Box::pin(thrown_away(limits, body)).await;
        return Err(too_large_fault(max));
    }
    while let Some(data) = next(limits, since, first.len() + all.len(), &mut body).await? {
        let so_far = first.len() + all.len();
        if so_far + data.len() > max {
            Box::pin(thrown_away(limits, body)).await;
            return Err(too_large_fault(max));
        }
        held.add(data.len(), limits.bodies_bytes_max)?;
        if so_far == 0 {
            first = data;
            continue;
        }
        if all.is_empty() {
            // What is announced is believed up to a bound; beyond it the buffer grows as bytes arrive.
            all.reserve(announced.min(1 << 20).max(so_far + data.len()));
            all.extend_from_slice(&std::mem::take(&mut first));
        }
        all.extend_from_slice(&data);
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

/// The next piece of a body of which `so_far` bytes came since `since`: it may neither stand still nor trickle.
async fn next<B>(limits: &Limits, since: Instant, so_far: usize, body: &mut B) -> Result<Option<Bytes>, Fault>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let trickles = since + limits.body_timeout * 2 + Duration::from_secs(so_far as u64 / RATE_MIN);
    loop {
        let until = || {
            let still = Instant::now() + limits.body_timeout;
            (still.min(trickles), still <= trickles)
        };
        match in_time(body.frame(), until).await.map_err(|still| slow(limits, still))? {
            None => return Ok(None),
            Some(Err(e)) => {
                return Err(Fault::new(FaultKind::InvalidRequest, "the request body ended early").detail(e));
            }
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) if data.is_empty() => {}
                Ok(data) => return Ok(Some(data)),
                Err(_trailers) => {}
            },
        }
    }
}

fn slow(limits: &Limits, still: bool) -> Fault {
    let message = if still {
        format!("the request body stopped arriving for {} s", limits.body_timeout.as_secs())
    } else {
        format!("the request body arrives too slowly: less than {RATE_MIN} bytes a second")
    };
    Fault::new(FaultKind::RequestTimeout, message)
}

/// Reads a body that nobody wants, and throws it away. A client that asked before it sends, by its `headers`, is not told
/// to.
pub(crate) async fn discard<B>(limits: &Limits, headers: &HeaderMap, body: B)
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    if !headers.contains_key(EXPECT) {
        thrown_away(limits, body).await;
    }
}

/// Reads on and throws away, up to a few times the bound: a client that is still sending when its connection is closed
/// may never read the answer.
async fn thrown_away<B>(limits: &Limits, mut body: B)
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let mut left = limits.body_bytes_max.saturating_mul(4).max(256 << 20);
    let since = Instant::now();
    let work = async {
        while let Ok(Some(data)) = next(limits, since, 0, &mut body).await {
            if data.len() > left {
                break;
            }
            left -= data.len();
        }
    };
    let _ = timeout(Duration::from_secs(30), work).await;
}

fn too_large_fault(max: usize) -> Fault {
    let message = format!("the request body is larger than {max} bytes, the most this gateway takes");
    Fault::new(FaultKind::TooLarge, message)
}

/// Most bodies that are decoded at once: a decoder's window, up to 16 MiB, is not counted with the bodies.
pub(crate) const DECODERS_MAX: usize = 4;

/// Undoes a content encoding on a thread that may be busy; what comes out is counted as it comes.
async fn decoded(
    shared: &Arc<Shared>,
    encoding: Encoding,
    bytes: Bytes,
    mut held: Held,
    limits: &Limits,
) -> Result<(Bytes, Held), Fault> {
    let (max, all_max) = (limits.body_bytes_max, limits.bodies_bytes_max);
    let internal =
        |e: &dyn std::fmt::Display| Fault::new(FaultKind::Internal, "decoding the body failed").detail(e);
    let turn = shared.decoders.clone().acquire_owned().await.map_err(|e| internal(&e))?;
    let work = move || {
        // The work goes on where the client leaves, and has its turn until it is done.
        let _turn = turn;
        let out = decode(encoding, &bytes, max, &mut |more| held.add(more, all_max))?;
        Ok((out, held))
    };
    tokio::task::spawn_blocking(work).await.map_err(|e| internal(&e))?
}
