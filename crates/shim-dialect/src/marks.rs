//! A glance at the state in a body, which is much cheaper than decoding it.

use std::sync::OnceLock;

use memchr::memmem;
use shim_wire::{Found, Str, Words};

/// How state that only its origin can read stands in a dialect's bodies, requests and answers alike.
#[derive(Clone, Copy, Debug)]
pub struct StateMarks {
    /// The words of all marks: a body that was read and holds none of them need not be looked at.
    pub words: &'static Words,
    /// The members whose text is state.
    pub values: &'static [Mark],
    /// What stands in a body once for each thing that may carry state: JSON as it is commonly spelt. A text in which it
    /// stands has it escaped.
    pub carriers: &'static [Mark],
    /// What stands there once for each text of reasoning that anybody can read, where not every provider takes it.
    pub readable: &'static [Mark],
}

/// What is looked for, made ready once: frames are many, and short.
#[derive(Debug)]
pub struct Mark {
    name: &'static str,
    /// The string of JSON without which it stands nowhere.
    word: &'static str,
    finder: OnceLock<memmem::Finder<'static>>,
}

impl Mark {
    /// Looks for the member `name`, whatever its value.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self::of(name, name)
    }

    /// Looks for `text`, in which the whole string `word` stands.
    #[must_use]
    pub const fn of(text: &'static str, word: &'static str) -> Self {
        Self { name: text, word, finder: OnceLock::new() }
    }

    /// Whether it can stand in a body of which `found` is known.
    fn may_stand(&self, found: Option<Found>) -> bool {
        found.is_none_or(|found| found.may_hold(self.word))
    }

    fn finder(&self) -> &memmem::Finder<'static> {
        self.finder.get_or_init(|| memmem::Finder::new(self.name))
    }
}

/// What a glance found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Glance {
    /// How many states there are.
    pub states: usize,
    /// How many members are there for a state and hold an empty text.
    pub empty: usize,
    /// How many things may carry state.
    pub carriers: usize,
    /// How many texts of reasoning there are.
    pub readable: usize,
}

impl StateMarks {
    /// Looks over `body` and shows each state to `see`, those of one member in order. `found` is what reading it found of
    /// [`StateMarks::words`].
    pub fn glance(&self, body: &[u8], found: Option<Found>, see: &mut dyn FnMut(&str)) -> Glance {
        let mut glance = self.seen(body, found, see);
        let count = |marks: &[Mark]| -> usize {
            let marks = marks.iter().filter(|mark| mark.may_stand(found));
            marks.map(|mark| mark.finder().find_iter(body).count()).sum()
        };
        (glance.carriers, glance.readable) = (count(self.carriers), count(self.readable));
        glance
    }

    /// As [`StateMarks::glance`], without counting what may carry state.
    pub fn states(&self, body: &[u8], see: &mut dyn FnMut(&str)) -> Glance {
        self.seen(body, None, see)
    }

    fn seen(&self, body: &[u8], found: Option<Found>, see: &mut dyn FnMut(&str)) -> Glance {
        let mut glance = Glance::default();
        for member in self.values.iter().filter(|mark| mark.may_stand(found)) {
            let name = member.name;
            for at in member.finder().find_iter(body) {
                let behind = body.get(at + name.len()..).unwrap_or_default();
                match text(behind).filter(|_| opens(body.get(..at).unwrap_or_default())) {
                    Some("") => glance.empty += 1,
                    Some(raw) => {
                        glance.states += 1;
                        see(&unescaped(raw));
                    }
                    None => {}
                }
            }
        }
        glance
    }
}

/// Whether `before` ends with a quote that opens a string: one that is not escaped.
fn opens(before: &[u8]) -> bool {
    let Some(before) = before.strip_suffix(b"\"") else { return false };
    before.iter().rev().take_while(|byte| **byte == b'\\').count().is_multiple_of(2)
}

/// The text of the member whose name ends before `behind`, its escapes as they are.
fn text(behind: &[u8]) -> Option<&str> {
    let value = behind.strip_prefix(b"\"")?.trim_ascii_start().strip_prefix(b":")?;
    let inside = value.trim_ascii_start().strip_prefix(b"\"")?;
    let mut from = 0;
    loop {
        let at = from + memchr::memchr2(b'"', b'\\', inside.get(from..)?)?;
        if inside.get(at) == Some(&b'"') {
            return std::str::from_utf8(inside.get(..at)?).ok();
        }
        from = at + 2;
    }
}

/// Google writes `=` as an escape.
fn unescaped(raw: &str) -> std::borrow::Cow<'_, str> {
    if !raw.contains('\\') {
        return raw.into();
    }
    serde_json::from_str::<Str<'_>>(&format!("\"{raw}\""))
        .map_or(raw.into(), |text| text.into_string().into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use shim_ir::Dialect;
    use shim_wire::scan::{Limits, ScanError};
    use shim_wire::{Found, Layout, LayoutAsked};

    use super::{Glance, Mark, StateMarks, Words};

    static VALUES: [Mark; 1] = [Mark::new("signature")];
    static CARRIERS: [Mark; 1] = [Mark::of("\"thinking\"", "thinking")];
    static WORDS: Words = Words::new(&["signature", "thinking"]);

    const MARKS: StateMarks =
        StateMarks { words: &WORDS, values: &VALUES, carriers: &CARRIERS, readable: &[] };

    #[track_caller]
    fn seen(body: &str) -> (Vec<String>, Glance) {
        let mut seen = Vec::new();
        let glance = MARKS.glance(body.as_bytes(), None, &mut |state| seen.push(state.to_owned()));
        (seen, glance)
    }

    #[test]
    fn states_are_seen_and_what_only_looks_like_them_is_not() {
        let (states, glance) = seen(
            r#"{"type":"thinking","signature" : "a\u003d\"b","x":{"signature":""},"my_signature":"no","t":"\"signature\":\"no\"","signature":null}"#,
        );
        assert_eq!(states, ["a=\"b"]);
        assert_eq!(glance, Glance { states: 1, empty: 1, carriers: 1, readable: 0 });
    }

    /// Every dialect's marks see the state that its encoder wrote.
    #[test]
    fn every_dialect_has_its_marks() {
        for (dialect, body) in [
            (
                Dialect::Anthropic,
                r#"[{"type":"thinking","thinking":"","signature":"S"},{"type":"tool_use"}]"#,
            ),
            (Dialect::OpenaiResponses, r#"{"type":"reasoning","encrypted_content":"S"}"#),
            (Dialect::Gemini, r#"{"functionCall":{"name":"f"},"thoughtSignature":"S"}"#),
            (Dialect::Gemini, r#"{"functionCall":{"name":"f"},"thought_signature":"S"}"#),
            (
                Dialect::OpenaiChat,
                r#"{"tool_calls":[{"extra_content":{"google":{"thought_signature":"S"}}}]}"#,
            ),
        ] {
            let mut seen = Vec::new();
            let marks = crate::codec(dialect).marks();
            let glance = marks.glance(body.as_bytes(), None, &mut |state| seen.push(state.to_owned()));
            assert_eq!(seen, ["S"], "{dialect}");
            assert_eq!(glance.carriers, usize::from(!marks.carriers.is_empty()), "{dialect}");
        }
    }

    fn read(body: &str, words: &'static Words) -> Option<Found> {
        let asked = LayoutAsked { words: Some(words), elements: false };
        Layout::read(body, Limits::default(), asked, |_| Ok::<_, ScanError>(())).unwrap().found()
    }

    /// JSON of the words that dialects look for, and of others.
    fn json() -> impl Strategy<Value = serde_json::Value> {
        let word = || {
            prop_oneof![
                Just("signature"),
                Just("thought_signature"),
                Just("thoughtSignature"),
                Just("data"),
                Just("type"),
                Just("encrypted_content"),
                Just("reasoning"),
                Just("functionCall"),
                Just("function_call"),
                Just("tool_calls"),
                Just("tool_use"),
                Just("reasoning_content"),
                Just("a\"signature"),
                Just("\n"),
            ]
        };
        let leaf = prop_oneof![Just(serde_json::Value::Null), word().prop_map(Into::into)];
        leaf.prop_recursive(4, 24, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                prop::collection::vec((word().prop_map(str::to_owned), inner), 0..4)
                    .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// Law: what reading found spares looks, and changes nothing of what is seen.
        #[test]
        fn what_was_found_changes_nothing(value in json()) {
            let body = serde_json::json!({ "x": value }).to_string();
            for dialect in Dialect::ALL {
                let marks = crate::codec(dialect).marks();
                let (mut all, mut some) = (Vec::new(), Vec::new());
                let whole = marks.glance(body.as_bytes(), None, &mut |state| all.push(state.to_owned()));
                let found = read(&body, marks.words);
                let spared = marks.glance(body.as_bytes(), found, &mut |state| some.push(state.to_owned()));
                prop_assert_eq!((whole, all), (spared, some), "{} {}", dialect, &body);
            }
        }

        #[test]
        fn any_bytes_can_be_looked_at(body in proptest::collection::vec(any::<u8>(), 0..200), text in ".*") {
            MARKS.glance(&body, None, &mut |_| ());
            MARKS.glance(format!("{{\"signature\":\"{text}").as_bytes(), None, &mut |_| ());
        }

        #[test]
        fn a_state_is_seen_as_it_was_said(text in ".+") {
            let body = serde_json::json!({ "a": 1, "signature": text }).to_string();
            prop_assert_eq!(seen(&body).0, [text]);
        }
    }
}
