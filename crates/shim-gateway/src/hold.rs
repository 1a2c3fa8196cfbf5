//! Request bodies: collected within bounds, and decoded where the client compressed them.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http_body::Body;
use http_body_util::BodyExt as _;
use shim_ir::{Fault, FaultKind};
use tokio::time::timeout;

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
    fn add(&mut self, more: usize, max: usize) -> Result<(), Fault> {
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
    let mut held = Held::new(shared);
    let announced =
        headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok()).unwrap_or(0);
    let bytes = gather(limits, announced, body, &mut held).await?;
    let Some(encoding) = headers.get(CONTENT_ENCODING) else {
        return Ok((bytes, held));
    };
    let encoding = encoding.to_str().unwrap_or("?").trim().to_ascii_lowercase();
    if encoding.is_empty() || encoding == "identity" {
        return Ok((bytes, held));
    }
    let max = limits.body_bytes_max;
    let decoded = tokio::task::spawn_blocking(move || decode(&encoding, &bytes, max)).await;
    let decoded =
        decoded.map_err(|e| Fault::new(FaultKind::Internal, "decoding the body failed").detail(e))??;
    held.add(decoded.len(), limits.bodies_bytes_max)?;
    Ok((decoded, held))
}

async fn gather<B>(limits: &Limits, announced: usize, mut body: B, held: &mut Held) -> Result<Bytes, Fault>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let max = limits.body_bytes_max;
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    let mut too_large = announced > max;
    while let Some(data) = next(limits, &mut body).await? {
        let so_far = first.len() + all.len();
        too_large |= so_far + data.len() > max;
        if too_large {
            return discard(limits, body).await;
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
    if too_large {
        return Err(too_large_fault(max));
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

async fn next<B>(limits: &Limits, body: &mut B) -> Result<Option<Bytes>, Fault>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    loop {
        let frame = timeout(limits.body_timeout, body.frame()).await.map_err(|_| {
            let message =
                format!("the request body stopped arriving for {} s", limits.body_timeout.as_secs());
            Fault::new(FaultKind::RequestTimeout, message)
        })?;
        match frame {
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

/// Reads on and throws away, up to a few times the bound, then says what was wrong.
async fn discard<B>(limits: &Limits, mut body: B) -> Result<Bytes, Fault>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let mut left = limits.body_bytes_max.saturating_mul(4).max(256 << 20);
    let work = async {
        while let Ok(Some(data)) = next(limits, &mut body).await {
            if data.len() > left {
                break;
            }
            left -= data.len();
        }
    };
    let _ = timeout(Duration::from_secs(30), work).await;
    Err(too_large_fault(limits.body_bytes_max))
}

fn too_large_fault(max: usize) -> Fault {
    let message = format!("the request body is larger than {max} bytes, the most this gateway takes");
    Fault::new(FaultKind::TooLarge, message)
}

/// Undoes one content encoding, bounded by `max` decoded bytes.
fn decode(encoding: &str, bytes: &[u8], max: usize) -> Result<Bytes, Fault> {
    match encoding {
        "gzip" | "x-gzip" => read(flate2::read::MultiGzDecoder::new(bytes), max),
        "deflate" => {
            // RFC 9110 §8.4.1.2 means zlib; some clients send raw deflate.
            let zlib = read(flate2::read::ZlibDecoder::new(bytes), max);
            zlib.or_else(|_| read(flate2::read::DeflateDecoder::new(bytes), max))
        }
        "br" => read(brotli::Decompressor::new(bytes, 4096), max),
        "zstd" => match ruzstd::decoding::StreamingDecoder::new(bytes) {
            Ok(decoder) => read(decoder, max),
            Err(e) => {
                Err(Fault::new(FaultKind::InvalidRequest, "the request body is not valid zstd").detail(e))
            }
        },
        _ => {
            let message = format!(
                "content-encoding \"{encoding}\" is not supported; send gzip, br, zstd, deflate or none"
            );
            let mut fault = Fault::new(FaultKind::InvalidRequest, message);
            fault.status = Some(415);
            Err(fault)
        }
    }
}

fn read(decoder: impl Read, max: usize) -> Result<Bytes, Fault> {
    let mut out = Vec::new();
    let mut bounded = decoder.take(max as u64 + 1);
    let invalid = |e| Fault::new(FaultKind::InvalidRequest, "the request body does not decompress").detail(e);
    bounded.read_to_end(&mut out).map_err(invalid)?;
    if out.len() > max { Err(too_large_fault(max)) } else { Ok(out.into()) }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use shim_ir::FaultKind;

    use super::decode;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn decodes_what_clients_send() {
        let text = br#"{"model":"chat"}"#.repeat(50);
        assert_eq!(decode("gzip", &gzip(&text), 10_000).unwrap(), text);
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        zlib.write_all(&text).unwrap();
        assert_eq!(decode("deflate", &zlib.finish().unwrap(), 10_000).unwrap(), text);
        let mut raw = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        raw.write_all(&text).unwrap();
        assert_eq!(decode("deflate", &raw.finish().unwrap(), 10_000).unwrap(), text);
        let mut br = Vec::new();
        brotli::CompressorWriter::new(&mut br, 4096, 5, 20).write_all(&text).unwrap();
        assert_eq!(decode("br", &br, 10_000).unwrap(), text);
        let zstd = ruzstd::encoding::compress_to_vec(&text[..], ruzstd::encoding::CompressionLevel::Fastest);
        assert_eq!(decode("zstd", &zstd, 10_000).unwrap(), text);
    }

    #[test]
    fn a_bomb_is_refused() {
        let bomb = gzip(&vec![b'a'; 1 << 20]);
        assert!(bomb.len() < 2000);
        assert_eq!(decode("gzip", &bomb, 1000).unwrap_err().kind, FaultKind::TooLarge);
    }

    #[test]
    fn garbage_is_refused_in_any_encoding() {
        for encoding in ["gzip", "deflate", "br", "zstd", "compress"] {
            let fault = decode(encoding, b"certainly not compressed", 1000).unwrap_err();
            assert_eq!(fault.kind, FaultKind::InvalidRequest, "{encoding}");
        }
    }
}
