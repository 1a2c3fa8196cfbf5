//! Compares what a client of the Messages dialect gets with what the upstream says in Chat Completions.
//!
//! The bytes are the subject's own, so they are judged by value: text, finish, usage, and the order of events. Reading
//! every event would cost the load generator more than the subject spends on writing it, so each form is read once;
//! what comes later has to be the same to the byte, but for the message's id.

use std::ops::Range;
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::answer::{WHOLE, WORDS};

/// Longer than any event of an answer.
const EVENT_BYTES_MAX: usize = 4096;

/// Events that come besides those of content.
const FRAME_EVENTS: u32 = 5;

/// All that an answer may consist of. One for all connections of a run.
#[derive(Debug)]
pub struct Forms {
    whole: Form,
    start: Form,
    block_start: Form,
    words: Vec<Form>,
    block_stop: Form,
    end: Form,
    stop: Form,
}

/// A body or an event, as it has to be.
#[derive(Debug)]
struct Form {
    /// What it has to hold; it may hold more.
    expected: Value,
    /// Whether it names the message.
    named: bool,
    known: OnceLock<Known>,
}

/// Bytes that were right by value.
#[derive(Debug)]
struct Known {
    bytes: Vec<u8>,
    /// Where the id stands; empty where there is none.
    id: Range<usize>,
}

impl Default for Forms {
    fn default() -> Self {
        let usage = json!({ "input_tokens": 271, "output_tokens": 118 });
        let text = json!([{ "type": "text", "text": text_of(WHOLE, "/choices/0/message/content") }]);
        let message =
            json!({ "type": "message", "role": "assistant", "model": "bench-model", "content": [] });
        let whole = json!({
            "type": "message", "role": "assistant", "model": "bench-model", "content": text,
            "stop_reason": "end_turn", "stop_sequence": null, "usage": usage,
        });
        let block = json!({ "type": "text", "text": "" });
        let end = json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn" }, "usage": usage });
        Self {
            whole: Form::named(whole),
            start: Form::named(json!({ "type": "message_start", "message": message })),
            block_start: Form::new(
                json!({ "type": "content_block_start", "index": 0, "content_block": block }),
            ),
            words: WORDS.iter().map(|word| Form::new(delta(word))).collect(),
            block_stop: Form::new(json!({ "type": "content_block_stop", "index": 0 })),
            end: Form::new(end),
            stop: Form::new(json!({ "type": "message_stop" })),
        }
    }
}

/// The event that says `word`, which is escaped as in JSON.
fn delta(word: &str) -> Value {
    let text = text_of(&format!("\"{word}\""), "");
    json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": text } })
}

/// The value at `pointer` of a text of the upstream's.
fn text_of(json: &str, pointer: &str) -> Option<Value> {
    serde_json::from_str::<Value>(json).ok()?.pointer(pointer).cloned()
}

impl Forms {
    /// Whether `body` is the whole answer.
    #[must_use]
    pub fn is_whole(&self, body: &[u8]) -> bool {
        self.whole.is_met_by(body)
    }

    /// The form of event `place` in a stream of `chunks` chunks of content.
    fn event(&self, place: u32, chunks: u32) -> Option<&Form> {
        match place.checked_sub(2) {
            None if place == 0 => Some(&self.start),
            None => Some(&self.block_start),
            Some(word) if word < chunks => self.words.get(word as usize % self.words.len()),
            Some(behind) => {
                let forms = [&self.block_stop, &self.end, &self.stop];
                forms.get((behind - chunks) as usize).copied()
            }
        }
    }
}

impl Form {
    fn new(expected: Value) -> Self {
        Self { expected, named: false, known: OnceLock::new() }
    }

    fn named(expected: Value) -> Self {
        Self { named: true, ..Self::new(expected) }
    }

    fn is_met_by(&self, bytes: &[u8]) -> bool {
        if let Some(known) = self.known.get() {
            return known.is_equal(bytes);
        }
        let id = if self.named { id_of(bytes) } else { Some(0..0) };
        let Some(id) = id.filter(|_| read(bytes).is_some_and(|found| holds(&found, &self.expected))) else {
            return false;
        };
        // Two threads may read the first at a time: each of them has found it right by value.
        self.known.get_or_init(|| Known { bytes: bytes.to_vec(), id }).is_equal(bytes)
    }
}

impl Known {
    fn is_equal(&self, bytes: &[u8]) -> bool {
        let Range { start, end } = self.id;
        bytes.get(..start) == self.bytes.get(..start)
            && bytes.get(end..) == self.bytes.get(end..)
            && bytes.get(start..end).is_some_and(is_id)
    }
}

/// Where the digits of the message's id stand.
fn id_of(bytes: &[u8]) -> Option<Range<usize>> {
    const BEFORE: &[u8] = br#""id":"msg_"#;
    let start = memchr::memmem::find(bytes, BEFORE)? + BEFORE.len();
    let end = start + memchr::memchr(b'"', bytes.get(start..)?)?;
    (end > start).then_some(start..end)
}

fn is_id(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_alphanumeric)
}

/// The value of a body, or of an event whose name is its type.
fn read(bytes: &[u8]) -> Option<Value> {
    let Some(event) = bytes.strip_prefix(b"event: ") else { return serde_json::from_slice(bytes).ok() };
    let (name, data) = std::str::from_utf8(event).ok()?.split_once("\ndata: ")?;
    let value: Value = serde_json::from_str(data).ok()?;
    (value.get("type")?.as_str()? == name).then_some(value)
}

/// Whether `found` has all that is `expected`. Lists have to be of one length.
fn holds(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            expected.iter().all(|(key, value)| found.get(key).is_some_and(|found| holds(found, value)))
        }
        (Value::Array(found), Value::Array(expected)) => {
            found.len() == expected.len()
                && found.iter().zip(expected).all(|(found, expected)| holds(found, expected))
        }
        _ => found == expected,
    }
}

/// Takes the bytes of one stream as they come.
#[derive(Debug)]
pub struct MessagesCheck<'a> {
    forms: &'a Forms,
    chunks: u32,
    /// The place of the event to come.
    next: u32,
    held: Vec<u8>,
    wrong: bool,
}

impl<'a> MessagesCheck<'a> {
    /// For a stream of `chunks` chunks of content.
    #[must_use]
    pub fn new(forms: &'a Forms, chunks: u32) -> Self {
        Self { forms, chunks, next: 0, held: Vec::with_capacity(EVENT_BYTES_MAX), wrong: false }
    }

    /// Takes what arrived; calls `seen` for every right delta completed by it.
    pub fn push(&mut self, bytes: &[u8], mut seen: impl FnMut()) {
        if self.wrong {
            return;
        }
        self.held.extend_from_slice(bytes);
        let mut taken = 0;
        while let Some(event) = first_event(self.held.get(taken..).unwrap_or_default()) {
            let form = self.forms.event(self.next, self.chunks);
            if !form.is_some_and(|form| form.is_met_by(event)) {
                self.wrong = true;
                return;
            }
            taken += event.len() + EVENT_END.len();
            if (2..self.chunks + 2).contains(&self.next) {
                seen();
            }
            self.next += 1;
        }
        self.held.drain(..taken);
        self.wrong |= self.held.len() > EVENT_BYTES_MAX;
    }

    /// Whether everything arrived and nothing else did.
    #[must_use]
    pub fn is_right(&self) -> bool {
        !self.wrong && self.next == self.chunks + FRAME_EVENTS && self.held.is_empty()
    }
}

const EVENT_END: &[u8] = b"\n\n";

/// The first complete event, without its end. JSON on one line holds no line end, so none is found too early.
fn first_event(bytes: &[u8]) -> Option<&[u8]> {
    bytes.get(..memchr::memmem::find(bytes, EVENT_END)?)
}

#[cfg(test)]
mod tests {
    use super::{Forms, MessagesCheck};
    use crate::answer::WORDS;
    use serde_json::{Value, json};

    fn whole() -> String {
        let answer: Value = serde_json::from_str(crate::answer::WHOLE).unwrap();
        json!({
            "id": "msg_01ab", "type": "message", "role": "assistant", "model": "bench-model",
            "content": [{"type": "text", "text": answer["choices"][0]["message"]["content"]}],
            "stop_reason": "end_turn", "stop_sequence": null,
            "usage": {"input_tokens": 271, "cache_read_input_tokens": 0, "output_tokens": 118},
        })
        .to_string()
    }

    fn event(data: &str) -> String {
        let value: Value = serde_json::from_str(data).unwrap();
        format!("event: {}\ndata: {data}\n\n", value["type"].as_str().unwrap())
    }

    fn word(number: usize) -> String {
        let word = WORDS[number % WORDS.len()];
        event(&format!(
            r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":"{word}"}}}}"#
        ))
    }

    /// A stream that says the words of these numbers.
    fn stream(numbers: &[usize]) -> Vec<u8> {
        let before = [
            r#"{"type":"message_start","message":{"id":"msg_01ab","type":"message","role":"assistant","model":"bench-model","content":[],"stop_reason":null,"usage":{"input_tokens":0,"output_tokens":0}}}"#,
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
        ];
        let after = [
            r#"{"type":"content_block_stop","index":0}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"input_tokens":271,"output_tokens":118}}"#,
            r#"{"type":"message_stop"}"#,
        ];
        let mut text: String = before.into_iter().map(event).collect();
        text.extend(numbers.iter().map(|number| word(*number)));
        text.extend(after.into_iter().map(event));
        text.into_bytes()
    }

    #[track_caller]
    fn check(forms: &Forms, bytes: &[u8], cut: usize, right: bool) -> u32 {
        let mut check = MessagesCheck::new(forms, 9);
        let mut seen = 0;
        for piece in bytes.chunks(cut) {
            check.push(piece, || seen += 1);
        }
        assert_eq!(check.is_right(), right, "cut at {cut}: {}", String::from_utf8_lossy(bytes));
        seen
    }

    const NINE: [usize; 9] = [0, 1, 2, 3, 4, 5, 6, 7, 8];

    /// Forms that know every event of a right stream, and some that have read none.
    fn forms() -> [Forms; 2] {
        let known = Forms::default();
        check(&known, &stream(&NINE), 1000, true);
        assert!(known.is_whole(whole().as_bytes()));
        [known, Forms::default()]
    }

    #[test]
    fn any_cutting_of_a_right_stream_is_right() {
        let bytes = stream(&NINE);
        let forms = Forms::default();
        for cut in 1..=bytes.len() {
            assert_eq!(check(&forms, &bytes, cut, true), 9);
        }
    }

    #[test]
    fn lost_doubled_reordered_and_joined_words_are_wrong() {
        for forms in forms() {
            for numbers in [&NINE[..8], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], &[0, 2, 1, 3, 4, 5, 6, 7, 8]] {
                check(&forms, &stream(numbers), 100, false);
            }
            let text = String::from_utf8(stream(&NINE)).unwrap();
            let joined = text.replace(&format!("{}{}", word(6), word(7)), &word(6));
            check(&forms, joined.as_bytes(), 100, false);
        }
    }

    #[test]
    fn events_that_are_missing_or_too_many_are_wrong() {
        let text = String::from_utf8(stream(&NINE)).unwrap();
        let events: Vec<&str> = text.split_inclusive("\n\n").collect();
        for forms in forms() {
            for at in 0..events.len() {
                let without = [&events[..at], &events[at + 1..]].concat().concat();
                check(&forms, without.as_bytes(), 100, false);
                let twice = [&events[..=at], &events[at..]].concat().concat();
                check(&forms, twice.as_bytes(), 100, false);
            }
            check(&forms, &text.as_bytes()[..text.len() - 1], 100, false);
        }
    }

    #[test]
    fn a_wrong_value_is_found_by_the_first_reading() {
        let text = String::from_utf8(stream(&NINE)).unwrap();
        let changes = [
            ("gates", "gales"),
            ("end_turn", "max_tokens"),
            ("271", "272"),
            ("118", "117"),
            ("event: content_block_stop", "event: content_block_end"),
            ("\"content\":[]", "\"content\":[1]"),
            ("assistant", "user"),
            ("msg_", "mess"),
        ];
        for (right, wrong) in changes {
            assert!(text.contains(right), "{right}");
            check(&Forms::default(), text.replacen(right, wrong, 1).as_bytes(), 100, false);
        }
    }

    #[test]
    fn a_wrong_byte_is_found_once_the_right_one_is_known() {
        let [known, _] = forms();
        let (right, id) = (stream(&NINE), b"msg_01ab");
        let id_at = memchr::memmem::find(&right, id).unwrap() + 4;
        for at in (0..right.len()).filter(|at| !(id_at..id_at + 4).contains(at)) {
            let mut bytes = right.clone();
            bytes[at] = b'~';
            check(&known, &bytes, 100, false);
        }
        let mut other_id = right;
        other_id[id_at] = b'7';
        check(&known, &other_id, 100, true);
    }

    #[test]
    fn a_whole_answer_is_compared_to_the_last_byte() {
        let right = whole();
        for (from, to) in [("Zoë", "Zoe"), ("end_turn", "stop"), ("118", "119"), ("msg_", "mess")] {
            assert!(!Forms::default().is_whole(right.replacen(from, to, 1).as_bytes()), "{from}");
        }
        let [known, _] = forms();
        assert!(known.is_whole(right.replace("msg_01ab", "msg_77cd").as_bytes()));
        for wrong in [right.replace("msg_01ab", "msg_7"), right.replace("Zoë", "Zoe"), right.clone() + " "] {
            assert!(!known.is_whole(wrong.as_bytes()), "{wrong}");
        }
        assert!(!known.is_whole(&right.as_bytes()[..right.len() - 1]));
        assert!(!known.is_whole(b""));
    }
}
