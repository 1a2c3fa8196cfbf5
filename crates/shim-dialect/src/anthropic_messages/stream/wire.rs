//! The frames of a streamed message, and the block that is open on the wire.

use shim_ir::Citation;
use shim_wire::{JsonWriter, RawJson};

use super::super::encode::citation;

/// Appends the frame of an event of `kind`.
pub(super) fn frame(out: &mut Vec<u8>, kind: &str, members: impl FnOnce(&mut JsonWriter<'_>)) {
    let begin = out.len();
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    let data = out.len();
    JsonWriter::new(out).object(|w| {
        w.string("type", kind);
        members(w);
    });
    debug_assert!(begin < data);
    one_line(out, data);
    out.extend_from_slice(b"\n\n");
}

/// Appends an event as it came.
pub(super) fn verbatim(out: &mut Vec<u8>, kind: &str, raw: &RawJson) {
    out.extend_from_slice(b"event: ");
    out.extend(kind.bytes().map(|byte| if byte.is_ascii_control() { b' ' } else { byte }));
    out.extend_from_slice(b"\ndata: ");
    let data = out.len();
    out.extend_from_slice(raw.get().as_bytes());
    one_line(out, data);
    out.extend_from_slice(b"\n\n");
}

/// Values that are kept verbatim may be spread over lines; a frame's data may not. Ends of lines stand only between the
/// tokens of a JSON text.
fn one_line(out: &mut [u8], data: usize) {
    for byte in out.get_mut(data..).unwrap_or_default() {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
}

/// What grows in a block.
#[derive(Clone, Copy)]
pub(super) enum Tongue {
    Text,
    Thinking,
    Input,
}

impl Tongue {
    /// `type` of its deltas, and the member that holds what is added.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Text => ("text_delta", "text"),
            Self::Thinking => ("thinking_delta", "thinking"),
            Self::Input => ("input_json_delta", "partial_json"),
        }
    }
}

/// The blocks of a message: one after the other, numbered from 0.
#[derive(Default)]
pub(super) struct Wire {
    /// The number of the open block, or of the next.
    index: u32,
    /// What every delta of the open block begins with.
    head: Vec<u8>,
}

impl Wire {
    /// Opens a block with these members.
    pub(super) fn start(
        &mut self,
        tongue: Tongue,
        out: &mut Vec<u8>,
        block: impl FnOnce(&mut JsonWriter<'_>),
    ) {
        self.block_start(out, block);
        let (kind, member) = tongue.words();
        self.head.clear();
        self.head.extend_from_slice(
            format!(
                "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":{},\
                 \"delta\":{{\"type\":\"{kind}\",\"{member}\":",
                self.index
            )
            .as_bytes(),
        );
    }

    fn block_start(&self, out: &mut Vec<u8>, block: impl FnOnce(&mut JsonWriter<'_>)) {
        frame(out, "content_block_start", |w| {
            w.number("index", self.index);
            w.nested("content_block", block);
        });
    }

    /// Lets the open block grow by `text`.
    pub(super) fn say(&self, text: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head);
        JsonWriter::new(out).element().string(text);
        out.extend_from_slice(b"}}\n\n");
    }

    /// Hangs a citation on the open block.
    pub(super) fn cite(&self, cited: &Citation, out: &mut Vec<u8>) {
        self.delta(out, |w| {
            w.string("type", "citations_delta");
            citation(w, cited);
        });
    }

    /// Signs the open block.
    pub(super) fn sign(&self, signature: &str, out: &mut Vec<u8>) {
        self.delta(out, |w| {
            w.string("type", "signature_delta");
            w.string("signature", signature);
        });
    }

    fn delta(&self, out: &mut Vec<u8>, delta: impl FnOnce(&mut JsonWriter<'_>)) {
        frame(out, "content_block_delta", |w| {
            w.number("index", self.index);
            w.nested("delta", delta);
        });
    }

    /// Closes the open block.
    pub(super) fn stop(&mut self, out: &mut Vec<u8>) {
        frame(out, "content_block_stop", |w| w.number("index", self.index));
        self.index += 1;
    }

    /// A block that comes at once.
    pub(super) fn whole(&mut self, out: &mut Vec<u8>, block: impl FnOnce(&mut JsonWriter<'_>)) {
        self.block_start(out, block);
        self.stop(out);
    }

    /// A block that comes at once, as it came.
    pub(super) fn whole_raw(&mut self, out: &mut Vec<u8>, raw: &RawJson) {
        frame(out, "content_block_start", |w| {
            w.number("index", self.index);
            w.raw("content_block", raw);
        });
        self.stop(out);
    }
}
