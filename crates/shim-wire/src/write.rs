//! JSON written straight into a buffer: no tree, members in the order they are put.

mod escape;

use bytes::Bytes;

use self::escape::{copy, escape_lines, inside, quote};
use crate::string::Written;
use crate::{JsonString, JsonText, RawJson};

/// Writes one JSON text behind what a buffer holds.
///
/// Commas and quotes are its business, nesting is by closures, so what it writes is always well-formed.
///
/// ```
/// let mut out = Vec::new();
/// shim_wire::JsonWriter::new(&mut out).object(|w| {
///     w.string("model", "m");
///     w.array("stop", |w| w.element().string("\"\n"));
///     w.number("n", 2);
///     w.maybe("seed", None::<u64>, shim_wire::JsonWriter::number);
/// });
/// assert_eq!(out, br#"{"model":"m","stop":["\"\n"],"n":2}"#);
/// ```
#[derive(Debug)]
pub struct JsonWriter<'a> {
    out: &'a mut Vec<u8>,
    /// Takes strings that can be had without being copied, each with where in `out` it belongs; otherwise they are copied.
    shared: Option<&'a mut Vec<(usize, Bytes)>>,
    /// Whether the next member or element needs a comma before it.
    more: bool,
    /// Whether U+0085, U+2028 and U+2029, which some clients take for the end of a line, are escaped.
    lines: bool,
}

/// A place in the text where exactly one value goes.
#[derive(Debug)]
#[must_use = "a place without a value is no JSON"]
pub struct Place<'w, 'a>(&'w mut JsonWriter<'a>);

impl<'a> JsonWriter<'a> {
    /// A writer behind what `out` holds.
    #[must_use]
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, shared: None, more: false, lines: false }
    }

    /// A writer behind what `text` holds, which shares long strings.
    #[must_use]
    pub fn sharing(text: &'a mut JsonText) -> Self {
        let JsonText { own, shared } = text;
        Self { out: own, shared: Some(shared), more: false, lines: false }
    }

    /// Escapes the characters that some clients take for the end of a line; values kept verbatim lose the line breaks
    /// between their tokens. So what is written is one line.
    #[must_use]
    pub fn escaping_lines(mut self) -> Self {
        self.lines = true;
        self
    }

    /// Writes an object as the whole text.
    pub fn object(&mut self, members: impl FnOnce(&mut Self)) {
        Place(self).object(members);
    }

    /// Writes an array as the whole text.
    pub fn list(&mut self, elements: impl FnOnce(&mut Self)) {
        Place(self).array(elements);
    }

    /// Begins a member of the open object.
    pub fn member<'w>(&'w mut self, key: &str) -> Place<'w, 'a> {
        self.comma();
        quote(self.out, key, self.lines);
        self.out.push(b':');
        Place(self)
    }

    /// Begins an element of the open array.
    pub fn element<'w>(&'w mut self) -> Place<'w, 'a> {
        self.comma();
        Place(self)
    }

    /// A member that is a string.
    pub fn string(&mut self, key: &str, text: &str) {
        self.member(key).string(text);
    }

    /// A member that is a string, as it was written where that is known.
    pub fn text(&mut self, key: &str, text: &JsonString) {
        self.member(key).text(text);
    }

    /// A member that is a whole number.
    pub fn number(&mut self, key: &str, number: impl Into<i128>) {
        self.member(key).number(number);
    }

    /// A member that is a boolean.
    pub fn bool(&mut self, key: &str, value: bool) {
        self.member(key).bool(value);
    }

    /// A member that is a value kept verbatim.
    pub fn raw(&mut self, key: &str, raw: &RawJson) {
        self.member(key).raw(raw);
    }

    /// A member that is `null`.
    pub fn null(&mut self, key: &str) {
        self.member(key).null();
    }

    /// A member that is an object.
    pub fn nested(&mut self, key: &str, members: impl FnOnce(&mut Self)) {
        self.member(key).object(members);
    }

    /// A member that is an array.
    pub fn array(&mut self, key: &str, elements: impl FnOnce(&mut Self)) {
        self.member(key).array(elements);
    }

    /// A member that is there only where there is a value: `w.maybe("seed", seed, JsonWriter::number)`.
    pub fn maybe<T>(&mut self, key: &str, value: Option<T>, write: impl FnOnce(&mut Self, &str, T)) {
        if let Some(value) = value {
            write(self, key, value);
        }
    }

    fn comma(&mut self) {
        if self.more {
            self.out.push(b',');
        }
        self.more = true;
    }

    fn nest(&mut self, open: u8, close: u8, inside: impl FnOnce(&mut Self)) {
        self.out.push(open);
        self.more = false;
        inside(self);
        self.out.push(close);
        self.more = true;
    }
}

impl<'a> Place<'_, 'a> {
    /// A string.
    pub fn string(self, text: &str) {
        quote(self.0.out, text, self.0.lines);
    }

    /// A string, as it was written where that is known.
    pub fn text(self, text: &JsonString) {
        self.joined(&[text], "");
    }

    /// Several strings as one, with `between` between them.
    pub fn joined(self, texts: &[&JsonString], between: &str) {
        let JsonWriter { out, shared, lines, .. } = self.0;
        out.push(b'"');
        for (at, text) in texts.iter().enumerate() {
            if at > 0 {
                inside(out, between, *lines);
            }
            match text.written() {
                // What needs an escape has one, and no escape is made beyond that need but for the ends of lines.
                Written::Literal(literal) => copy(out, literal, *lines),
                Written::Shared(literal) => match shared {
                    Some(shared) if !*lines => shared.push((out.len(), literal.clone())),
                    Some(_) | None => copy(out, literal, *lines),
                },
                Written::Said(text) => inside(out, text, *lines),
            }
        }
        out.push(b'"');
    }

    /// A whole number.
    pub fn number(self, number: impl Into<i128>) {
        let mut digits = itoa::Buffer::new();
        self.0.out.extend_from_slice(digits.format(number.into()).as_bytes());
    }

    /// A number; one that is not finite has no JSON and becomes `null`.
    pub fn float(self, number: f64) {
        match serde_json::Number::from_f64(number) {
            Some(number) => self.0.out.extend_from_slice(number.to_string().as_bytes()),
            None => self.null(),
        }
    }

    /// A boolean.
    pub fn bool(self, value: bool) {
        self.0.out.extend_from_slice(if value { b"true" } else { b"false" });
    }

    /// `null`.
    pub fn null(self) {
        self.0.out.extend_from_slice(b"null");
    }

    /// A value kept verbatim.
    pub fn raw(self, raw: &RawJson) {
        if self.0.lines {
            escape_lines(self.0.out, raw.get().as_bytes());
        } else {
            self.0.out.extend_from_slice(raw.get().as_bytes());
        }
    }

    /// An object.
    pub fn object(self, members: impl FnOnce(&mut JsonWriter<'a>)) {
        self.0.nest(b'{', b'}', members);
    }

    /// An array.
    pub fn array(self, elements: impl FnOnce(&mut JsonWriter<'a>)) {
        self.0.nest(b'[', b']', elements);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::JsonWriter;
    use crate::RawJson;

    fn written(lines: bool, write: impl FnOnce(&mut JsonWriter<'_>)) -> String {
        let mut out = Vec::new();
        let mut writer = JsonWriter::new(&mut out);
        if lines {
            writer = writer.escaping_lines();
        }
        write(&mut writer);
        String::from_utf8(out).unwrap()
    }

    proptest! {
        #[test]
        fn strings_read_back(text in any::<String>(), lines in any::<bool>()) {
            let json = written(lines, |w| w.object(|w| w.string(&text, &text)));
            let read: serde_json::Value = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(read, serde_json::json!({ &*text: &*text }));
        }

        #[test]
        fn numbers_read_back(float in any::<f64>(), number in any::<i64>()) {
            let json = written(false, |w| w.list(|w| {
                w.element().float(float);
                w.element().number(number);
            }));
            let wanted = serde_json::json!([float.is_finite().then_some(float), number]);
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap(), wanted);
        }
    }

    #[test]
    fn nothing_that_ends_a_line_is_left_where_asked() {
        let text = "a\u{85}b\u{2028}c\u{2029}d\u{e9}\u{2014}";
        let raw = RawJson::parse(&format!("\"{text}\"")).unwrap();
        let broken = RawJson::parse("{\r\n \"a\":\n1}").unwrap();
        assert_eq!(written(true, |w| w.list(|w| w.element().raw(&broken))), r#"[{ "a":1}]"#);
        let json = written(true, |w| {
            w.list(|w| {
                w.element().string(text);
                w.element().raw(&raw);
            });
        });
        assert!(!json.contains(['\u{85}', '\u{2028}', '\u{2029}']), "{json}");
        assert_eq!(serde_json::from_str::<[String; 2]>(&json).unwrap(), [text, text]);
        assert!(written(false, |w| w.list(|w| w.element().string(text))).contains('\u{2028}'));
    }

    #[test]
    fn members_and_elements_are_divided() {
        let json = written(false, |w| {
            w.object(|w| {
                w.nested("a", |_| ());
                w.array("b", |w| {
                    w.element().array(|_| ());
                    w.element().object(|w| w.null("c"));
                });
                w.bool("d", true);
            });
        });
        assert_eq!(json, r#"{"a":{},"b":[[],{"c":null}],"d":true}"#);
    }
}
