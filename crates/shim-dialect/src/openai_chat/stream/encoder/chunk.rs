//! The bytes of a chunk: what all chunks of an answer share is rendered once. A chunk is one line, so values that are
//! kept verbatim lose their line breaks.

use shim_wire::JsonWriter;

/// Writes the chunks of one answer.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    /// All of a chunk up to its first choice.
    head: Vec<u8>,
    /// The members that the next chunk has beside its choices, each behind a comma.
    beside: Vec<u8>,
}

const TAIL: &[u8] = b",\"finish_reason\":null}]";

impl Chunks {
    /// Renders what all chunks share.
    pub(super) fn begin(&mut self, id: &str, model: &str, created: u64) {
        self.head.extend_from_slice(b"data: ");
        JsonWriter::new(&mut self.head).object(|w| {
            w.string("id", id);
            w.string("object", "chat.completion.chunk");
            w.number("created", created);
            w.string("model", model);
        });
        // The object goes on in each chunk.
        self.head.pop();
        self.head.extend_from_slice(b",\"choices\":[");
    }

    /// Adds members to what the next chunk has beside its choices.
    pub(super) fn beside(&mut self, members: impl FnOnce(&mut JsonWriter<'_>)) {
        let mut object = Vec::new();
        JsonWriter::new(&mut object).escaping_lines().object(members);
        let inner = object.get(1..object.len().saturating_sub(1)).unwrap_or_default();
        if !inner.is_empty() {
            self.beside.push(b',');
            self.beside.extend_from_slice(inner);
        }
    }

    pub(super) fn has_beside(&self) -> bool {
        !self.beside.is_empty()
    }

    fn open(&self, candidate: u32, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head);
        out.extend_from_slice(b"{\"index\":");
        JsonWriter::new(out).element().number(candidate);
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if !self.beside.is_empty() {
            out.append(&mut self.beside);
        }
        out.extend_from_slice(b"}\n\n");
    }

    /// The commonest chunk: one member of the delta of a candidate that has begun, and its text.
    pub(super) fn text(&mut self, candidate: u32, member: &str, text: &str, out: &mut Vec<u8>) {
        self.open(candidate, out);
        out.extend_from_slice(b",\"delta\":{\"");
        out.extend_from_slice(member.as_bytes());
        out.extend_from_slice(b"\":");
        JsonWriter::new(out).element().string(text);
        out.push(b'}');
        out.extend_from_slice(TAIL);
        self.close(out);
    }

    /// A chunk with a delta.
    pub(super) fn delta(
        &mut self,
        candidate: u32,
        out: &mut Vec<u8>,
        members: impl FnOnce(&mut JsonWriter<'_>),
    ) {
        self.open(candidate, out);
        out.extend_from_slice(b",\"delta\":");
        JsonWriter::new(out).escaping_lines().object(members);
        out.extend_from_slice(TAIL);
        self.close(out);
    }

    /// A chunk whose delta says nothing, with members of the choice.
    pub(super) fn choice(
        &mut self,
        candidate: u32,
        out: &mut Vec<u8>,
        members: impl FnOnce(&mut JsonWriter<'_>),
    ) {
        out.extend_from_slice(&self.head);
        JsonWriter::new(out).escaping_lines().object(|w| {
            w.number("index", candidate);
            w.nested("delta", |_| ());
            members(w);
            w.null("finish_reason");
        });
        out.push(b']');
        self.close(out);
    }

    /// The chunk that ends a candidate; `first` says that it is its first, too.
    pub(super) fn end(
        &mut self,
        candidate: u32,
        first: bool,
        word: &str,
        sequence: Option<&str>,
        out: &mut Vec<u8>,
    ) {
        out.extend_from_slice(&self.head);
        JsonWriter::new(out).object(|w| {
            w.number("index", candidate);
            w.nested("delta", |w| {
                if first {
                    w.string("role", "assistant");
                    w.string("content", "");
                }
            });
            w.string("finish_reason", word);
            w.maybe("stop_reason", sequence, JsonWriter::string);
        });
        out.push(b']');
        self.close(out);
    }

    /// A chunk without choices.
    pub(super) fn empty(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head);
        out.push(b']');
        self.close(out);
    }
}
