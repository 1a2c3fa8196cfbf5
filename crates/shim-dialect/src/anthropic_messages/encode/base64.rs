//! Base64 (RFC 4648 §4) of files that are text.

/// The text that `data` encodes; `None` where it is no base64, or not of a text.
pub(super) fn text(data: &str) -> Option<String> {
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
    String::from_utf8(bytes).ok()
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
    use super::text;

    #[test]
    fn texts_are_read() {
        for (data, wanted) in [("", ""), ("aGk=", "hi"), ("aGk", "hi"), ("aGV5Cg==", "hey\n"), ("w6k=", "é")]
        {
            assert_eq!(text(data).as_deref(), Some(wanted), "{data}");
        }
        for data in ["!", "/////w==", "a b?"] {
            assert_eq!(text(data), None, "{data}");
        }
    }
}
