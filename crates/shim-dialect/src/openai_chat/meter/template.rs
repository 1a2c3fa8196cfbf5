//! Most chunks of a stream are the one before with another piece of text in it.

use std::ops::Range;

use shim_wire::{Value, ValueKind};
use smallvec::SmallVec;

use crate::common::each_member;

/// A chunk that told nothing but text, with holes where its text is. A chunk that only fills the holes differently
/// tells nothing else either, and that is seen without reading it as JSON.
///
/// Escapes in the new text are not checked; every other byte is one that was.
#[derive(Debug, Default)]
pub(super) struct Template {
    text: String,
    /// What is between the quotes of the strings that may differ, in order.
    holes: SmallVec<[Range<usize>; 4]>,
    /// How many chunks in a row did not fit.
    misses: u8,
}

/// After so many chunks in a row that did not fit, a stream is taken to have no pattern.
const MISSES_MAX: u8 = 8;

/// Strings of a delta that say something.
const TEXTS: [&str; 4] = ["content", "reasoning", "reasoning_content", "refusal"];

/// Strings of a chunk that only pad it.
const PADDING: [&str; 2] = ["obfuscation", "p"];

impl Template {
    /// Whether `data` is this chunk with other text.
    pub(super) fn fits(&mut self, data: &str) -> bool {
        let fits = !self.holes.is_empty() && self.fill(data).is_some();
        self.misses = if fits { 0 } else { self.misses.saturating_add(1) };
        fits
    }

    fn fill(&self, data: &str) -> Option<()> {
        let mut rest = data;
        let mut at = 0;
        for hole in &self.holes {
            rest = string_end(rest.strip_prefix(self.text.get(at..hole.start)?)?)?;
            at = hole.end;
        }
        (rest == self.text.get(at..)?).then_some(())
    }

    /// Takes a chunk that told nothing but text as the pattern of the next ones.
    pub(super) fn learn(&mut self, data: &str) {
        if self.misses > MISSES_MAX {
            return;
        }
        self.text.clear();
        self.text.push_str(data);
        self.holes.clear();
        let _ = each_member(data, |member| match &*member.key {
            "choices" => self.learn_choice(data, &member.value),
            key if PADDING.contains(&key) => self.add(data, &member.value),
            _ => {}
        });
        self.holes.sort_by_key(|hole| hole.start);
    }

    /// The texts of the one choice, and those of its first call and first piece of reasoning.
    fn learn_choice(&mut self, data: &str, choices: &Value<'_>) {
        let Some(Ok(mut members)) =
            first(choices).and_then(|choice| choice.get("delta")).map(|delta| delta.object())
        else {
            return;
        };
        while let Ok(Some(member)) = members.next_member() {
            let text = match &*member.key {
                key if TEXTS.contains(&key) => Some(member.value),
                "tool_calls" => first(&member.value).and_then(|call| call.get("function")?.get("arguments")),
                "reasoning_details" => first(&member.value).and_then(|detail| detail.get("text")),
                _ => None,
            };
            if let Some(text) = text {
                self.add(data, &text);
            }
        }
    }

    fn add(&mut self, data: &str, value: &Value<'_>) {
        if value.kind() == ValueKind::String {
            let start = (value.text().as_ptr() as usize).saturating_sub(data.as_ptr() as usize);
            self.holes.push(start + 1..start + value.text().len() - 1);
        }
    }
}

/// The first element of an array.
fn first<'a>(array: &Value<'a>) -> Option<Value<'a>> {
    array.array().ok()?.next_element().ok()?
}

/// What follows the body of a string: its closing quote and the rest.
fn string_end(body: &str) -> Option<&str> {
    let mut at = 0;
    loop {
        let quote = at + body.get(at..)?.find('"')?;
        let before = body.get(..quote)?;
        let escapes = before.len() - before.trim_end_matches('\\').len();
        if escapes % 2 == 0 {
            return body.get(quote..);
        }
        at = quote + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::Template;

    #[track_caller]
    fn check(data: &str, fits: bool) {
        let mut template = Template::default();
        template.learn(r#"{"id":"a","choices":[{"index":0,"delta":{"content":"x","reasoning":""},"finish_reason":null}],"p":"12"}"#);
        assert_eq!(template.fits(data), fits, "{data}");
    }

    #[test]
    fn only_the_text_may_differ() {
        let chunk = |content: &str, tail: &str| {
            format!(
                r#"{{"id":"a","choices":[{{"index":0,"delta":{{"content":{content},"reasoning":"r"}},"finish_reason":{tail}}}],"p":"1"}}"#
            )
        };
        check(&chunk(r#""x""#, "null"), true);
        check(&chunk(r#""""#, "null"), true);
        check(&chunk(r#""\"q\" \\""#, "null"), true);
        check(&chunk(r#""ü\\\"""#, "null"), true);
        check(&chunk("null", "null"), false);
        check(&chunk(r#""x","tool_calls":[]"#, "null"), false);
        check(&chunk(r#""x""#, r#""stop""#), false);
        check(&chunk(r#""x\""#, "null"), false);
        check("", false);
        check(r#"{"id":"a","choices":[{"index":0,"delta":{"content":"x"#, false);
    }
}
