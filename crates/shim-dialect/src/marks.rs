//! A glance at the state in a body, which is much cheaper than decoding it.

use std::sync::OnceLock;

use memchr::memmem;
use shim_wire::Str;

/// How state that only its origin can read stands in a dialect's bodies, requests and answers alike.
#[derive(Clone, Copy, Debug, Default)]
pub struct StateMarks {
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
    finder: OnceLock<memmem::Finder<'static>>,
}

impl Mark {
    /// Looks for `name`.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, finder: OnceLock::new() }
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
    /// Looks over `body` and shows each state to `see`, those of one member in order.
    pub fn glance(&self, body: &[u8], see: &mut dyn FnMut(&str)) -> Glance {
        let mut glance = self.states(body, see);
        let count = |words: &[Mark]| -> usize {
            words.iter().map(|word| word.finder().find_iter(body).count()).sum()
        };
        (glance.carriers, glance.readable) = (count(self.carriers), count(self.readable));
        glance
    }

    /// As [`StateMarks::glance`], without counting what may carry state.
    pub fn states(&self, body: &[u8], see: &mut dyn FnMut(&str)) -> Glance {
        let mut glance = Glance::default();
        for member in self.values {
            let name = member.name;
            for at in member.finder().find_iter(body) {
                let quoted = at.checked_sub(1).and_then(|before| body.get(before)) == Some(&b'"');
                let behind = body.get(at + name.len()..).unwrap_or_default();
                match text(behind).filter(|_| quoted) {
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

    use super::{Glance, Mark, StateMarks};

    static VALUES: [Mark; 1] = [Mark::new("signature")];
    static CARRIERS: [Mark; 1] = [Mark::new("\"thinking\"")];

    const MARKS: StateMarks = StateMarks { values: &VALUES, carriers: &CARRIERS, readable: &[] };

    #[track_caller]
    fn seen(body: &str) -> (Vec<String>, Glance) {
        let mut seen = Vec::new();
        let glance = MARKS.glance(body.as_bytes(), &mut |state| seen.push(state.to_owned()));
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
            let glance = marks.glance(body.as_bytes(), &mut |state| seen.push(state.to_owned()));
            assert_eq!(seen, ["S"], "{dialect}");
            assert_eq!(glance.carriers, usize::from(!marks.carriers.is_empty()), "{dialect}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_looked_at(body in proptest::collection::vec(any::<u8>(), 0..200), text in ".*") {
            MARKS.glance(&body, &mut |_| ());
            MARKS.glance(format!("{{\"signature\":\"{text}").as_bytes(), &mut |_| ());
        }

        #[test]
        fn a_state_is_seen_as_it_was_said(text in ".+") {
            let body = serde_json::json!({ "a": 1, "signature": text }).to_string();
            prop_assert_eq!(seen(&body).0, [text]);
        }
    }
}
