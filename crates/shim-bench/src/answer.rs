//! What the upstream answers: fixed bytes, so that the load generator can compare every one of them.
//!
//! A stream's chunks all have the same length. Each carries its number, so that a lost, doubled or reordered chunk is
//! seen, and the time it was written, so that its way through the subject can be timed. Both sit in `obfuscation`,
//! a member which the real API fills with noise.

/// The body of a whole answer: about 1 KB.
pub const WHOLE: &str = concat!(
    r#"{"id":"chatcmpl-CbA1b2C3d4E5f6G7h8I9j0K1l2M3n","object":"chat.completion","created":1763900000,"#,
    r#""model":"bench-model","choices":[{"index":0,"message":{"role":"assistant","content":"#,
    r#""The meeting decided three things.\n\n1. The release goes out on Friday; Zoë signs it off.\n"#,
    r#"2. \"Naïve\" totals stay in euros (1 204,50 €) until the audit is over.\n"#,
    r#"3. The red line in the log is harmless, and 会議 notes are kept for a year.\n\n"#,
    r#"Nobody objected to the first; the second was carried with two votes against, and the third was noted.","#,
    r#""refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"#,
    r#""usage":{"prompt_tokens":271,"completion_tokens":118,"total_tokens":389,"#,
    r#""prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"#,
    r#""completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"#,
    r#""rejected_prediction_tokens":0}},"service_tier":"default","system_fingerprint":"fp_b3nc400001"}"#,
);

/// What follows the last chunk of content: the finish, the usage, the end.
pub const STREAM_TAIL: &str = concat!(
    r#"data: {"id":"chatcmpl-CbA1b2C3d4E5f6G7h8I9j0K1l2M3n","object":"chat.completion.chunk","#,
    r#""created":1763900000,"model":"bench-model","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
    "\n\n",
    r#"data: {"id":"chatcmpl-CbA1b2C3d4E5f6G7h8I9j0K1l2M3n","object":"chat.completion.chunk","#,
    r#""created":1763900000,"model":"bench-model","choices":[],"#,
    r#""usage":{"prompt_tokens":271,"completion_tokens":118,"total_tokens":389}}"#,
    "\n\n",
    "data: [DONE]\n\n",
);

const BEFORE_WORD: &str = concat!(
    r#"data: {"id":"chatcmpl-CbA1b2C3d4E5f6G7h8I9j0K1l2M3n","object":"chat.completion.chunk","#,
    r#""created":1763900000,"model":"bench-model","choices":[{"index":0,"delta":{"content":""#,
);
const BEFORE_NUMBER: &str = r#""},"finish_reason":null}],"obfuscation":""#;
const AFTER_STAMP: &str = "\"}\n\n";

/// What chunks say in turn, escaped as in JSON. Six bytes each.
pub(crate) const WORDS: [&str; 8] =
    [r" model", r" naïf", r".\n\nA", r#" \"s\""#, r" a 会", r" gates", r" 1.250", r"  🙂"];
const WORD_BYTES: usize = 6;
const NUMBER_DIGITS: usize = 6;

/// Digits of a chunk's time stamp, in nanoseconds since the epoch.
pub const STAMP_DIGITS: usize = 20;

/// Bytes of every chunk of content, about 250.
pub const CHUNK_BYTES: usize = STAMP_AT + STAMP_DIGITS + AFTER_STAMP.len();

/// Where the stamp stands in a chunk.
pub const STAMP_AT: usize = BEFORE_WORD.len() + WORD_BYTES + BEFORE_NUMBER.len() + NUMBER_DIGITS;

/// Appends chunk `number`, written at `stamp_ns`.
pub fn put_chunk(number: u32, stamp_ns: u64, out: &mut Vec<u8>) {
    let word = WORDS.get(number as usize % WORDS.len()).copied().unwrap_or_default();
    out.extend_from_slice(BEFORE_WORD.as_bytes());
    out.extend_from_slice(word.as_bytes());
    out.extend_from_slice(BEFORE_NUMBER.as_bytes());
    put_digits(u64::from(number), NUMBER_DIGITS, out);
    put_digits(stamp_ns, STAMP_DIGITS, out);
    out.extend_from_slice(AFTER_STAMP.as_bytes());
}

/// `value` in decimal, with leading zeros, cut to its last `digits`.
fn put_digits(value: u64, digits: usize, out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + digits, b'0');
    let mut left = value;
    for place in out.iter_mut().skip(start).rev() {
        // A remainder of ten fits a byte; this spares a fallible conversion for each digit.
        *place = b"0123456789".get((left % 10) as usize).copied().unwrap_or(b'0');
        left /= 10;
    }
}

/// The stamp of a chunk, or `None` where its digits are damaged.
#[must_use]
pub fn stamp_of(chunk: &[u8]) -> Option<u64> {
    let digits = chunk.get(STAMP_AT..STAMP_AT + STAMP_DIGITS)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{CHUNK_BYTES, STREAM_TAIL, WHOLE, WORDS, put_chunk, stamp_of};

    fn as_json(event: &str) -> serde_json::Value {
        serde_json::from_str(event.strip_prefix("data: ").unwrap().trim_end()).unwrap()
    }

    #[test]
    fn the_whole_answer_is_json_of_a_kilobyte() {
        let value: serde_json::Value = serde_json::from_str(WHOLE).unwrap();
        assert_eq!(value["usage"]["total_tokens"], 389);
        assert!((900..1200).contains(&WHOLE.len()), "{}", WHOLE.len());
    }

    #[test]
    fn chunks_are_json_of_one_length() {
        assert!((200..300).contains(&CHUNK_BYTES), "{CHUNK_BYTES}");
        for number in 0..WORDS.len() * 2 {
            let mut chunk = Vec::new();
            put_chunk(u32::try_from(number).unwrap(), 1_763_900_000_123_456_789, &mut chunk);
            assert_eq!(chunk.len(), CHUNK_BYTES, "word {}", WORDS[number % WORDS.len()]);
            assert_eq!(stamp_of(&chunk), Some(1_763_900_000_123_456_789));
            as_json(std::str::from_utf8(&chunk).unwrap());
        }
    }

    #[test]
    fn the_tail_is_json_and_ends_the_stream() {
        let events: Vec<&str> = STREAM_TAIL.split_inclusive("\n\n").collect();
        assert_eq!(as_json(events[0])["choices"][0]["finish_reason"], "stop");
        assert_eq!(as_json(events[1])["usage"]["completion_tokens"], 118);
        assert_eq!(events[2], "data: [DONE]\n\n");
    }
}
