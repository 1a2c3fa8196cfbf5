//! Content encodings of request bodies, undone within bounds.

use std::io::Read;

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use shim_ir::{Fault, FaultKind};

use super::too_large_fault;

/// The content encodings that are undone.
#[derive(Clone, Copy, Debug)]
pub(super) enum Encoding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

/// The content encoding of a request; none where there is nothing to undo.
pub(super) fn encoding(headers: &HeaderMap) -> Result<Option<Encoding>, Fault> {
    let named =
        headers.get_all(CONTENT_ENCODING).iter().flat_map(|value| value.to_str().unwrap_or("?").split(','));
    let named =
        named.map(str::trim).filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case("identity"));
    let named: Vec<_> = named.map(str::to_ascii_lowercase).collect();
    let [name] = named.as_slice() else {
        return if named.is_empty() { Ok(None) } else { Err(unsupported(&named.join(", "))) };
    };
    match name.as_str() {
        "gzip" | "x-gzip" => Ok(Some(Encoding::Gzip)),
        "deflate" => Ok(Some(Encoding::Deflate)),
        "br" => Ok(Some(Encoding::Brotli)),
        "zstd" => Ok(Some(Encoding::Zstd)),
        other => Err(unsupported(other)),
    }
}

fn unsupported(named: &str) -> Fault {
    let message =
        format!("content-encoding \"{named}\" is not supported; send gzip, br, zstd, deflate or none");
    let mut fault = Fault::new(FaultKind::InvalidRequest, message);
    fault.status = Some(415);
    fault
}

/// The largest window of a decoder: that of brotli (RFC 7932 §9.1). Of zstd half of it is taken.
const WINDOW_BYTES_MAX: usize = 1 << 24;

/// The largest window of zstd that a content encoding may want, as a power of two: RFC 9659 §3.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

const _: () = assert!(1 << ZSTD_WINDOW_LOG_MAX <= WINDOW_BYTES_MAX);

/// Counts bytes that come out of a decoder.
pub(super) type Count<'a> = &'a mut dyn FnMut(usize) -> Result<(), Fault>;

/// Undoes one content encoding, bounded by `max` decoded bytes.
pub(super) fn decode(encoding: Encoding, bytes: &[u8], max: usize, count: Count<'_>) -> Result<Bytes, Fault> {
    match encoding {
        Encoding::Gzip => read(flate2::read::MultiGzDecoder::new(bytes), max, count),
        // RFC 9110 §8.4.1.2 means zlib; some clients send raw deflate.
        Encoding::Deflate if is_zlib(bytes) => read(flate2::read::ZlibDecoder::new(bytes), max, count),
        Encoding::Deflate => read(flate2::read::DeflateDecoder::new(bytes), max, count),
        Encoding::Brotli if wants_large_window(bytes) => {
            Err(undecodable(&"a window of more than 16 MiB is no part of the content encoding"))
        }
        Encoding::Brotli => read(brotli::Decompressor::new(bytes, 4096), max, count),
        Encoding::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes).map_err(|e| undecodable(&e))?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(|e| undecodable(&e))?;
            read(decoder, max, count)
        }
    }
}

/// Whether a brotli stream begins with the bits that RFC 7932 §9.1 reserves, and that its authors' own decoders take for a
/// window of up to 1 GiB.
fn wants_large_window(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|first| first & 0x7f == 0x11)
}

/// Whether bytes begin as RFC 1950 §2.2 says: method 8, and a check of the first two bytes.
fn is_zlib(bytes: &[u8]) -> bool {
    matches!(bytes, [cmf, flg, ..] if cmf & 0x0f == 8 && u16::from_be_bytes([*cmf, *flg]) % 31 == 0)
}

fn undecodable(error: &dyn std::fmt::Display) -> Fault {
    Fault::new(FaultKind::InvalidRequest, "the request body does not decompress").detail(error)
}

fn read(mut decoder: impl Read, max: usize, count: Count<'_>) -> Result<Bytes, Fault> {
    let mut out = Vec::new();
    let mut piece = vec![0; 64 << 10];
    loop {
        let got = match decoder.read(&mut piece) {
            Ok(0) => return Ok(out.into()),
            Ok(got) => got,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(undecodable(&e)),
        };
        if out.len() + got > max {
            return Err(too_large_fault(max));
        }
        count(got)?;
        out.extend_from_slice(piece.get(..got).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use http::{HeaderMap, HeaderValue};
    use shim_ir::{Fault, FaultKind};

    use super::{Encoding, encoding};

    fn decode(encoding: Encoding, bytes: &[u8], max: usize) -> Result<Vec<u8>, Fault> {
        super::decode(encoding, bytes, max, &mut |_| Ok(())).map(Into::into)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn decodes_what_clients_send() {
        let text = br#"{"model":"chat"}"#.repeat(50);
        assert_eq!(decode(Encoding::Gzip, &gzip(&text), 10_000).unwrap(), text);
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        zlib.write_all(&text).unwrap();
        assert_eq!(decode(Encoding::Deflate, &zlib.finish().unwrap(), 10_000).unwrap(), text);
        let mut raw = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        raw.write_all(&text).unwrap();
        assert_eq!(decode(Encoding::Deflate, &raw.finish().unwrap(), 10_000).unwrap(), text);
        let mut br = Vec::new();
        brotli::CompressorWriter::new(&mut br, 4096, 5, 20).write_all(&text).unwrap();
        assert_eq!(decode(Encoding::Brotli, &br, 10_000).unwrap(), text);
        let zstd = zstd::encode_all(&text[..], 1).unwrap();
        assert_eq!(decode(Encoding::Zstd, &zstd, 10_000).unwrap(), text);
    }

    #[test]
    fn a_zstd_body_is_all_its_frames() {
        let frame = |text: &[u8]| zstd::encode_all(text, 1).unwrap();
        let skipped = [0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
        let body = [&skipped[..], &frame(b"{\"a\""), &skipped, &frame(b":1}")].concat();
        assert_eq!(decode(Encoding::Zstd, &body, 100).unwrap(), b"{\"a\":1}");
        let fault = decode(Encoding::Zstd, &[&frame(b"{}")[..], b"junk"].concat(), 100).unwrap_err();
        assert_eq!(fault.kind, FaultKind::InvalidRequest);
    }

    #[test]
    fn a_window_is_bounded() {
        // A brotli stream whose window is 30 bits, as the tool of its authors writes it with `--large_window`.
        let fault = decode(Encoding::Brotli, &[0x11, 0x1e, 0x03], 100).unwrap_err();
        assert!(fault.detail.unwrap().contains("16 MiB"));
        let zstd = |log: u32| {
            let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
            encoder.window_log(log).unwrap();
            encoder.include_contentsize(false).unwrap();
            encoder.write_all(b"{}").unwrap();
            decode(Encoding::Zstd, &encoder.finish().unwrap(), 100)
        };
        assert_eq!(zstd(23).unwrap(), b"{}");
        assert_eq!(zstd(24).unwrap_err().kind, FaultKind::InvalidRequest);
    }

    #[test]
    fn a_bomb_is_refused() {
        let bomb = gzip(&vec![b'a'; 1 << 20]);
        assert!(bomb.len() < 2000);
        assert_eq!(decode(Encoding::Gzip, &bomb, 1000).unwrap_err().kind, FaultKind::TooLarge);
    }

    #[test]
    fn what_comes_out_is_counted_while_it_comes() {
        let bomb = gzip(&vec![b'a'; 1 << 20]);
        let mut counted = 0;
        let full = |_: usize| Fault::new(FaultKind::Unavailable, "full");
        let told = super::decode(Encoding::Gzip, &bomb, 2 << 20, &mut |more| {
            counted += more;
            if counted > 200_000 { Err(full(more)) } else { Ok(()) }
        });
        assert_eq!(told.unwrap_err().kind, FaultKind::Unavailable);
        assert!(counted < 300_000, "{counted}");
    }

    #[test]
    fn garbage_is_refused_in_any_encoding() {
        for encoding in [Encoding::Gzip, Encoding::Deflate, Encoding::Brotli, Encoding::Zstd] {
            let fault = decode(encoding, b"certainly not compressed", 1000).unwrap_err();
            assert_eq!(fault.kind, FaultKind::InvalidRequest, "{encoding:?}");
        }
    }

    #[track_caller]
    fn check(values: &[&'static str], wanted: Option<&str>) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("content-encoding", HeaderValue::from_static(value));
        }
        let found = encoding(&headers).map(|found| found.map(|found| format!("{found:?}")));
        assert_eq!(
            found.unwrap_or_else(|f| f.status.map(|s| s.to_string())).as_deref(),
            wanted,
            "{values:?}"
        );
    }

    #[test]
    fn one_known_encoding_is_undone_and_no_other() {
        check(&[], None);
        check(&["identity"], None);
        check(&[" GZIP "], Some("Gzip"));
        check(&["identity, br"], Some("Brotli"));
        check(&["compress"], Some("415"));
        check(&["gzip, gzip"], Some("415"));
        check(&["gzip", "br"], Some("415"));
    }
}
