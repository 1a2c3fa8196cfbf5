//! The pieces a streamed answer is written in.

use shim_ir::Rest;
use shim_wire::frame::Framing;
use shim_wire::{JsonWriter, RawJson};

/// Writes pieces, each with its framing.
pub(super) struct Frames {
    framing: Framing,
    /// Whether a piece was written.
    begun: bool,
    model: String,
    id: Option<String>,
    /// What ends each piece: the model and the id.
    tail: Vec<u8>,
    /// What only the first piece has.
    once: Vec<(Box<str>, RawJson)>,
}

const TEXT: &[u8] = br#"{"candidates":[{"content":{"parts":[{"text":"#;
const PARTS: &[u8] = br#"{"candidates":[{"content":{"parts":["#;
const ROLE: &[u8] = br#"],"role":"model"},"index":"#;

impl Frames {
    pub(super) fn new(framing: Framing) -> Self {
        let (model, id, tail, once) = (String::new(), None, Vec::new(), Vec::new());
        Self { framing, begun: false, model, id, tail, once }
    }

    /// Takes what every piece has, and what only the first one has.
    pub(super) fn start(&mut self, model: String, id: Option<String>, once: Vec<(Box<str>, RawJson)>) {
        (self.model, self.id, self.once) = (model, id, once);
        let mut tail = Vec::new();
        JsonWriter::new(&mut tail).escaping_lines().object(|w| self.ends(w));
        let members = tail.get(1..).unwrap_or_default();
        if members.len() > 1 {
            self.tail.push(b',');
        }
        self.tail.extend_from_slice(members);
    }

    fn ends(&self, w: &mut JsonWriter<'_>) {
        w.maybe("modelVersion", Some(&*self.model).filter(|model| !model.is_empty()), JsonWriter::string);
        w.maybe("responseId", self.id.as_deref(), JsonWriter::string);
    }

    /// A piece of text, or of a thought.
    pub(super) fn text(&mut self, out: &mut Vec<u8>, candidate: u32, text: &str, thought: bool) {
        self.open(out);
        out.extend_from_slice(TEXT);
        JsonWriter::new(out).escaping_lines().element().string(text);
        if thought {
            out.extend_from_slice(br#","thought":true"#);
        }
        out.push(b'}');
        self.close(out, candidate);
    }

    /// A piece with these parts.
    pub(super) fn parts(
        &mut self,
        out: &mut Vec<u8>,
        candidate: u32,
        parts: impl FnOnce(&mut JsonWriter<'_>),
    ) {
        self.open(out);
        out.extend_from_slice(PARTS);
        parts(&mut JsonWriter::new(out).escaping_lines());
        self.close(out, candidate);
    }

    fn close(&mut self, out: &mut Vec<u8>, candidate: u32) {
        out.extend_from_slice(ROLE);
        JsonWriter::new(out).element().number(candidate);
        out.extend_from_slice(b"}]");
        let once = std::mem::take(&mut self.once);
        if !once.is_empty() {
            out.push(b',');
            let mut writer = JsonWriter::new(out).escaping_lines();
            once.iter().for_each(|(key, value)| writer.raw(key, value));
        }
        out.extend_from_slice(&self.tail);
        self.end(out);
    }

    /// A piece whose only answer has these members, and no parts.
    pub(super) fn candidate(
        &mut self,
        out: &mut Vec<u8>,
        candidate: u32,
        members: impl FnOnce(&mut JsonWriter<'_>),
    ) {
        self.object(out, |w| {
            w.array("candidates", |w| {
                w.element().object(|w| {
                    w.number("index", candidate);
                    members(w);
                });
            });
        });
    }

    /// A piece with these members.
    pub(super) fn object(&mut self, out: &mut Vec<u8>, members: impl FnOnce(&mut JsonWriter<'_>)) {
        self.open(out);
        let once = std::mem::take(&mut self.once);
        JsonWriter::new(out).escaping_lines().object(|w| {
            members(w);
            once.iter().for_each(|(key, value)| w.raw(key, value));
            self.ends(w);
        });
        self.end(out);
    }

    /// Leaves out of the first piece what is said better in it.
    pub(super) fn never(&mut self, key: &str) {
        self.once.retain(|(name, _)| **name != *key);
    }

    /// The dialect's own members of an answer, as a piece; what the first piece has gives way to what is newer.
    pub(super) fn rest(&mut self, out: &mut Vec<u8>, rest: &Rest) {
        rest.members().iter().for_each(|(key, _)| self.never(key));
        self.object(out, |w| rest.members().iter().for_each(|(key, value)| w.raw(key, value)));
    }

    /// The last piece tells of a failure: the official SDKs raise on an element that holds an `error`.
    pub(super) fn fault(&mut self, out: &mut Vec<u8>, body: &str) {
        self.open(out);
        out.extend_from_slice(body.as_bytes());
        self.end(out);
        self.finish(out);
    }

    /// The end of the stream.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        match self.framing {
            Framing::Sse => {}
            Framing::JsonArray => out.extend_from_slice(if self.begun { b"]" } else { b"[]" }),
        }
    }

    fn open(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(match (self.framing, self.begun) {
            (Framing::Sse, _) => b"data: ",
            (Framing::JsonArray, false) => b"[",
            (Framing::JsonArray, true) => b",\r\n",
        });
        self.begun = true;
    }

    fn end(&self, out: &mut Vec<u8>) {
        if self.framing == Framing::Sse {
            out.extend_from_slice(b"\n\n");
        }
    }
}
