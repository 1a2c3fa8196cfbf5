//! Base64 (RFC 4648 §4).

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The text that `data` encodes; `None` where it is no base64, or not of a text.
pub(crate) fn text(data: &str) -> Option<String> {
    String::from_utf8(decode(data)?).ok()
}

/// The bytes that `data` encodes, padded or not; `None` where it is no base64.
pub(crate) fn decode(data: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(data.len() / 4 * 3 + 3);
    let (mut bits, mut held) = (0u32, 0u32);
    for byte in data.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=') {
        held = (held << 6) | value(byte)?;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from((held >> bits) & 0xFF).ok()?);
            held &= (1 << bits) - 1;
        }
    }
    Some(bytes)
}

/// The bytes, with padding.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let held =
            chunk.iter().fold(0, |held, byte| (held << 8) | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for at in 0..4 {
            let sextet = usize::try_from((held >> (18 - 6 * at)) & 0x3F).unwrap_or_default();
            let letter = ALPHABET.get(sextet).filter(|_| at <= chunk.len());
            text.push(letter.map_or('=', |letter| char::from(*letter)));
        }
    }
    text
}

/// The six bits of a character, of the usual alphabet or of the one for addresses.
fn value(byte: u8) -> Option<u32> {
    Some(match byte {
        b'A'..=b'Z' => u32::from(byte - b'A'),
        b'a'..=b'z' => u32::from(byte - b'a') + 26,
        b'0'..=b'9' => u32::from(byte - b'0') + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{encode, text};

    #[test]
    fn texts_are_read() {
        for (data, wanted) in [("", ""), ("aGk=", "hi"), ("aGk", "hi"), ("aGV5Cg==", "hey\n"), ("w6k=", "é")]
        {
            assert_eq!(text(data).as_deref(), Some(wanted), "{data}");
            assert_eq!(encode(wanted.as_bytes()).trim_end_matches('='), data.trim_end_matches('='));
        }
        for data in ["!", "/////w==", "a b?"] {
            assert_eq!(text(data), None, "{data}");
        }
    }
}
