//! The words of bodies, whatever their dialect: every string of a JSON text; of a stream, the pieces put together.

use std::collections::BTreeMap;

use serde_json::Value;

/// The most that is taken of one exchange, in bytes.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// Strings longer than this without a space are no words: images, signatures, encrypted state.
const WORD_BYTES_MAX: usize = 200;

/// Members of a stream's events that hold a piece of a text.
const PIECES: [&str; 11] = [
    "content",
    "text",
    "delta",
    "thinking",
    "reasoning",
    "reasoning_content",
    "refusal",
    "arguments",
    "partial_json",
    "summary",
    "transcript",
];

/// All words of an exchange.
pub(super) fn words(request: &[u8], answer: &[u8], detail: Option<&str>) -> String {
    let mut out = String::new();
    if let Some(detail) = detail {
        put(detail, &mut out);
    }
    whole(request, &mut out);
    streamed(answer, &mut out);
    out
}

fn whole(body: &[u8], out: &mut String) {
    match serde_json::from_slice::<Value>(body) {
        Ok(value) => strings(&value, out),
        // The beginning of a body: its words are there all the same.
        Err(_) => put(&String::from_utf8_lossy(body), out),
    }
}

fn streamed(body: &[u8], out: &mut String) {
    let mut pieces = BTreeMap::new();
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Array(events)) => events.iter().for_each(|event| gather(event, None, &mut pieces)),
        Ok(value) => return strings(&value, out),
        Err(_) => {
            let mut events = 0;
            for line in body.split(|byte| *byte == b'\n') {
                let Some(data) = line.strip_prefix(b"data:") else { continue };
                if let Ok(event) = serde_json::from_slice::<Value>(data) {
                    events += 1;
                    gather(&event, None, &mut pieces);
                }
            }
            if events == 0 {
                return put(&String::from_utf8_lossy(body), out);
            }
        }
    }
    pieces.values().for_each(|text| put(text, out));
}

/// Appends each piece of text in an event to those of its member before.
fn gather<'e>(value: &'e Value, member: Option<&'e str>, pieces: &mut BTreeMap<&'static str, String>) {
    match value {
        Value::String(text) => {
            let known = PIECES.iter().find(|piece| Some(**piece) == member);
            if let Some(known) = known {
                let so_far = pieces.entry(known).or_default();
                if so_far.len() + text.len() <= TEXT_BYTES_MAX {
                    so_far.push_str(text);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| gather(item, member, pieces)),
        Value::Object(members) => members.iter().for_each(|(name, value)| gather(value, Some(name), pieces)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn strings(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => put(text, out),
        Value::Array(items) => items.iter().for_each(|item| strings(item, out)),
        Value::Object(members) => members.values().for_each(|value| strings(value, out)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn put(text: &str, out: &mut String) {
    if text.len() > WORD_BYTES_MAX && !text.contains(char::is_whitespace) {
        return;
    }
    let room = TEXT_BYTES_MAX.saturating_sub(out.len());
    let end = (0..=room.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    out.push_str(text.get(..end).unwrap_or(""));
    out.push('\n');
}

/// A part of `text` around the first of `terms`, on one line.
pub(super) fn snippet(text: &str, terms: &[String]) -> String {
    let lower = text.to_lowercase();
    let at = terms.iter().filter_map(|term| lower.find(term.as_str())).min().unwrap_or(0);
    // Lowering may have moved the place by some bytes, which does no harm to a part of a text.
    let from = text.char_indices().map(|(n, _)| n).take_while(|n| *n + 60 <= at).last().unwrap_or(0);
    let part: String = text.get(from..).unwrap_or("").chars().take(160).collect();
    part.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::{snippet, words};

    #[track_caller]
    fn check(request: &str, answer: &str, holds: &[&str]) {
        let found = words(request.as_bytes(), answer.as_bytes(), None);
        for wanted in holds {
            assert!(found.contains(wanted), "{wanted} is not in {found:?}");
        }
    }

    #[test]
    fn the_words_of_whole_and_streamed_bodies_are_found() {
        check(
            r#"{"messages":[{"content":"caf\u00e9 au lait"}]}"#,
            r#"{"choices":[{"message":{"content":"with sugar"}}]}"#,
            &["café au lait", "with sugar"],
        );
        let chat = "data: {\"choices\":[{\"delta\":{\"content\":\"Hel\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"lo\"}}]}\n\ndata: [DONE]\n\n";
        check("{}", chat, &["Hello"]);
        let gemini = r#"[{"candidates":[{"content":{"parts":[{"text":"Hel"}]}}]},{"candidates":[{"content":{"parts":[{"text":"lo"}]}}]}]"#;
        check("{}", gemini, &["Hello"]);
        check("{\"cut\": \"in the mid", "plain words", &["in the mid", "plain words"]);
    }

    #[test]
    fn what_is_no_text_is_left_out() {
        let image = "A".repeat(5000);
        let found = words(format!(r#"{{"image":"{image}","text":"a b"}}"#).as_bytes(), b"", Some("why"));
        assert_eq!(found, "why\na b\n\n");
    }

    #[test]
    fn a_snippet_is_around_what_was_found() {
        let text = format!("{}needle in {}", "hay ".repeat(100), "hay ".repeat(100));
        let part = snippet(&text, &["needle".to_owned()]);
        assert!(part.contains("needle in hay") && part.len() < 200, "{part}");
    }
}
