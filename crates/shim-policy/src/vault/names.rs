//! The names an answer is found again by.
//!
//! A client that sends a conversation back leaves the ids of calls, their arguments and the text as they were, and drops
//! whatever else its SDK does not know. Each name is a hash, and the first thing in it is whose it is: nothing of one key
//! is found by another.

use sha2::{Digest as _, Sha256};
use shim_ir::{Part, Request, Role, ToolCall, ToolCallKind, Turn};

use super::spans::{Span, calls, parts, says, spans, texts};

/// A name: the first half of a SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(pub [u8; 16]);

/// Whose names they are: the client's key, or nobody's where there are no keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Partition(String);

impl Partition {
    /// The names of `key`.
    #[must_use]
    pub fn of(key: Option<&str>) -> Self {
        // So that a key without a name is not nobody.
        Self(key.map(|key| ["key ", key].concat()).unwrap_or_default())
    }

    /// A name of this kind, made of fields.
    fn name(&self, kind: &str, fields: &[&[u8]]) -> Name {
        let mut hasher = Sha256::new();
        for field in [self.0.as_bytes(), kind.as_bytes()].iter().chain(fields) {
            hasher.update((field.len() as u64).to_le_bytes());
            hasher.update(field);
        }
        let mut name = [0; 16];
        name.iter_mut().zip(hasher.finalize()).for_each(|(byte, hashed)| *byte = hashed);
        Name(name)
    }
}

/// The names of a thing that is known of a state or of a conversation, not of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaceName {
    /// The target that answered a conversation of an alias last.
    Affinity,
    /// Whether a conversation of an alias was ever answered by another target than its first; of no one conversation.
    Diverged,
}

/// How a conversation of `alias` is named for `what`. `conversation` is what [`conversation`] gave.
#[must_use]
pub fn named(partition: &Partition, what: PlaceName, alias: &str, conversation: Name) -> Name {
    match what {
        PlaceName::Affinity => partition.name("affinity", &[alias.as_bytes(), &conversation.0]),
        PlaceName::Diverged => partition.name("diverged", &[alias.as_bytes()]),
    }
}

/// Longest beginning of a state that is hashed: every state there is begins with what is nobody else's.
const TRACE_BYTES_MAX: usize = 512;

/// The name of a state by itself: of its beginning and its length.
#[must_use]
pub fn trace(partition: &Partition, value: &str) -> Name {
    let bytes = value.as_bytes();
    let beginning = bytes.get(..TRACE_BYTES_MAX).unwrap_or(bytes);
    partition.name("trace", &[beginning, &(bytes.len() as u64).to_le_bytes()])
}

/// What stays the same of a conversation as it grows: the user's first words. The instructions are not part of it: coding
/// agents put what changes with every request into theirs.
#[must_use]
pub fn conversation(partition: &Partition, request: &Request) -> Name {
    let first = spans(request).first().map_or(request.turns.len(), |span| span.turns.start);
    let before = request.turns.get(..first).unwrap_or_default().iter();
    let users = before.filter(|turn| !matches!(turn.role, Role::System | Role::Developer));
    let said: String = texts(users.flat_map(|turn| &turn.parts)).map(|text| text.text.trim()).collect();
    partition.name("conversation", &[said.as_bytes()])
}

/// The names of the answers of a conversation.
#[derive(Debug)]
pub struct Names<'r> {
    partition: &'r Partition,
    request: &'r Request,
    conversation: Name,
    /// What was said before each turn, and at last before the answer.
    before: Vec<Name>,
}

/// Most names of one answer; of more calls only the first lead back.
const NAMES_MAX: usize = 64;

impl<'r> Names<'r> {
    /// The names of the answers of `request`.
    #[must_use]
    pub fn of(partition: &'r Partition, request: &'r Request) -> Self {
        let conversation = conversation(partition, request);
        let mut before = vec![partition.name("before", &[&conversation.0])];
        let mut last = before.first().copied().unwrap_or(conversation);
        for chunk in request.turns.chunk_by(|a, b| says(a) == says(b)) {
            // What one speaks in a row is one, however it is divided into turns.
            before.extend(chunk.iter().skip(1).map(|_| last));
            last = partition.name("before", &[&last.0, said(chunk).as_bytes()]);
            before.push(last);
        }
        Self { partition, request, conversation, before }
    }

    /// The name of the conversation.
    #[must_use]
    pub fn conversation(&self) -> Name {
        self.conversation
    }

    /// The names of an answer in the conversation, the surest first.
    #[must_use]
    pub fn of_span(&self, span: &Span) -> Vec<Name> {
        let mut names = Vec::new();
        for id in ids(self.request, span) {
            names.extend(minted(id).map(|exchange| self.partition.name("exchange", &[exchange.as_bytes()])));
        }
        self.answer(parts(self.request, span), span.turns.start, &mut names);
        names.truncate(NAMES_MAX);
        names
    }

    /// The names of the answer to the request, given by `exchange`, as the client sees its parts.
    #[must_use]
    pub fn of_answer(&self, exchange: &str, answer: &[Part]) -> Vec<Name> {
        let mut names = vec![self.partition.name("exchange", &[exchange.as_bytes()])];
        self.answer(answer.iter(), self.request.turns.len(), &mut names);
        names.truncate(NAMES_MAX);
        names
    }

    fn answer<'p>(&self, parts: impl Iterator<Item = &'p Part> + Clone, turn: usize, names: &mut Vec<Name>) {
        let of = |kind: &str, fields: &[&[u8]]| self.partition.name(kind, fields);
        let before = self.before.get(turn).copied().unwrap_or(self.conversation);
        for call in calls(parts.clone()).filter(|call| !call.id.is_empty()) {
            names.push(of("id", &[&self.conversation.0, call.id.as_bytes(), call.name.as_bytes()]));
        }
        for call in calls(parts.clone()) {
            names.push(of("call", &[&before.0, call.name.as_bytes(), arguments(call).as_bytes()]));
        }
        let text: String = texts(parts.clone()).map(|text| &*text.text).collect();
        if !text.trim().is_empty() {
            names.push(of("text", &[&before.0, text.trim().as_bytes()]));
        }
        // A client that has put its beginning together anew still knows the id and what was called.
        for call in calls(parts).filter(|call| !call.id.is_empty()) {
            let said = arguments(call);
            names.push(of("id alone", &[call.id.as_bytes(), call.name.as_bytes(), said.as_bytes()]));
        }
    }
}

/// What is said in turns, as far as every client sends it back.
fn said(turns: &[Turn]) -> String {
    let mut said = String::new();
    for part in turns.iter().flat_map(|turn| &turn.parts) {
        match part {
            Part::Text(text) => said.push_str(text.text.trim()),
            Part::ToolResult(result) => {
                texts(result.content.iter()).for_each(|text| said.push_str(text.text.trim()));
            }
            Part::ToolCall(call) => {
                said.push_str(&call.name);
                said.push_str(&arguments(call));
            }
            Part::Refusal(_)
            | Part::Media(_)
            | Part::Reasoning(_)
            | Part::ServerResult(_)
            | Part::Foreign(_) => continue,
        }
        said.push('\n');
    }
    said
}

/// The ids in an answer of a conversation.
fn ids<'r>(request: &'r Request, span: &Span) -> impl Iterator<Item = &'r str> {
    let turns = request.turns.get(span.turns.clone()).unwrap_or_default();
    turns.iter().flat_map(|turn| {
        let inside = turn.parts.iter().flat_map(|part| match part {
            Part::ToolCall(call) => [Some(call.id.as_str()), call.item.as_deref()],
            Part::Reasoning(reasoning) => [reasoning.id.as_deref(), None],
            Part::Text(_)
            | Part::Refusal(_)
            | Part::Media(_)
            | Part::ToolResult(_)
            | Part::ServerResult(_)
            | Part::Foreign(_) => [None, None],
        });
        turn.id.as_deref().into_iter().chain(inside.flatten())
    })
}

/// The exchange an id was minted from: its 32 hexadecimal digits, of a UUID of version 7, after the prefix of a dialect.
pub(super) fn minted(id: &str) -> Option<&str> {
    let (_, rest) = id.split_once('_')?;
    let digits = rest.split('_').next()?;
    let hex = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    (hex && digits.as_bytes().get(12) == Some(&b'7')).then_some(digits)
}

/// The arguments of a call in one spelling: clients print JSON anew, and some count every number as a fraction.
fn arguments(call: &ToolCall) -> String {
    match call.kind {
        ToolCallKind::Custom => call.arguments.trim().to_owned(),
        ToolCallKind::Function | ToolCallKind::Native(_) => {
            let text = if call.arguments.trim().is_empty() { "{}" } else { &call.arguments };
            match serde_json::from_str(text) {
                Ok(value) => {
                    let mut spelt = String::new();
                    spell(&value, &mut spelt);
                    spelt
                }
                Err(_) => text.trim().to_owned(),
            }
        }
    }
}

/// Writes a value with sorted members and whole numbers as such. Its depth is bounded by the parser's.
fn spell(value: &serde_json::Value, out: &mut String) {
    use serde_json::Value;
    match value {
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by_key(|(name, _)| *name);
            out.push('{');
            for (name, value) in sorted {
                out.push_str(&Value::from(name.as_str()).to_string());
                out.push(':');
                spell(value, out);
                out.push(',');
            }
            out.push('}');
        }
        Value::Array(values) => {
            out.push('[');
            for value in values {
                spell(value, out);
                out.push(',');
            }
            out.push(']');
        }
        Value::Number(number) => out.push_str(&whole(number)),
        Value::Null | Value::Bool(_) | Value::String(_) => out.push_str(&value.to_string()),
    }
}

fn whole(number: &serde_json::Number) -> String {
    let fraction = number.as_f64().filter(|_| number.is_f64());
    match fraction.filter(|f| f.fract() == 0.0 && f.abs() < 9.0e15) {
        Some(whole) => format!("{whole:.0}"),
        None => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Partition, minted, spell, trace};

    #[track_caller]
    fn spelt(text: &str) -> String {
        let mut out = String::new();
        spell(&serde_json::from_str(text).unwrap(), &mut out);
        out
    }

    #[test]
    fn arguments_have_one_spelling() {
        assert_eq!(spelt(r#"{"b": 1.0, "a": [true,null, "x"]}"#), spelt(r#"{"a":[true,null,"x"],"b":1}"#));
        assert_ne!(spelt(r#"{"a":1}"#), spelt(r#"{"a":1.5}"#));
        assert_ne!(spelt(r#"{"a":"1"}"#), spelt(r#"{"a":1}"#));
    }

    #[test]
    fn only_ids_of_the_gateway_lead_to_an_exchange() {
        let hex = "0198c0ffee007abc8def0123456789ab";
        for id in
            [format!("call_{hex}_0"), format!("toolu_{hex}_1"), format!("rs_{hex}_2"), format!("msg_{hex}")]
        {
            assert_eq!(minted(&id), Some(hex), "{id}");
        }
        for id in ["call_abc", "rs_0a18166210d72b5e0069fd938e69a08193a992a58d690a224b", "", hex] {
            assert_eq!(minted(id), None, "{id}");
        }
    }

    #[test]
    fn nobody_has_another_ones_names() {
        let partitions = [Partition::of(None), Partition::of(Some("a")), Partition::of(Some("b"))];
        let names: Vec<_> = partitions.iter().map(|partition| trace(partition, "state")).collect();
        assert!(names[0] != names[1] && names[1] != names[2] && names[0] != names[2]);
    }
}
