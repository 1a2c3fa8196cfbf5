//! Framing: any chunking gives the same frames, and they are what the specification says.

use serde_json::value::RawValue;
use shim_wire::frame::{FRAME_BYTES_MAX, Frame, FrameError, Framer, Framing};

use crate::halves;

/// A frame of its own.
type Owned = (Option<String>, String);

/// A bound that small inputs reach.
const SMALL: usize = 24;

/// Server-sent events: any chunking, and the steps of the specification.
pub(crate) fn sse(data: &[u8]) {
    chunking(data, Framing::Sse, SMALL);
    chunking(data, Framing::Sse, FRAME_BYTES_MAX);
    let (frames, failed) = framed(&[data], Framing::Sse, FRAME_BYTES_MAX);
    match failed {
        None => assert_eq!(frames, specified(data)),
        Some(error) => assert!(std::str::from_utf8(data).is_err(), "{error}"),
    }
}

/// A growing array: any chunking, and each element of what is an array of objects.
pub(crate) fn array(data: &[u8]) {
    chunking(data, Framing::JsonArray, SMALL);
    chunking(data, Framing::JsonArray, FRAME_BYTES_MAX);
    let Ok(elements) = serde_json::from_slice::<Vec<&RawValue>>(data) else { return };
    if elements.iter().all(|element| element.get().starts_with('{')) {
        let (frames, failed) = framed(&[data], Framing::JsonArray, FRAME_BYTES_MAX);
        let wanted: Vec<Owned> = elements.iter().map(|element| (None, element.get().to_owned())).collect();
        assert_eq!((frames, failed), (wanted, None));
    }
}

/// Law: any chunking gives the same frames, and fails the same.
fn chunking(data: &[u8], framing: Framing, bytes_max: usize) {
    let whole = framed(&[data], framing, bytes_max);
    assert_eq!(framed(&halves(data), framing, bytes_max), whole, "in two pieces");
    let bytes: Vec<_> = data.chunks(1).collect();
    assert_eq!(framed(&bytes, framing, bytes_max), whole, "byte by byte");
}

fn framed(chunks: &[&[u8]], framing: Framing, bytes_max: usize) -> (Vec<Owned>, Option<FrameError>) {
    let mut framer = Framer::new(framing, bytes_max);
    let mut frames = Vec::new();
    let mut on = |frame: Frame<'_>| frames.push((frame.event.map(str::to_owned), frame.data.to_owned()));
    let pushed = chunks.iter().try_for_each(|chunk| framer.push(chunk, &mut on));
    let failed = pushed.and_then(|()| framer.finish(&mut on)).err();
    (frames, failed)
}

/// The steps of WHATWG HTML §9.2.6, written to be read beside it; and the last event counts though it has no blank line.
fn specified(data: &[u8]) -> Vec<Owned> {
    let text = String::from_utf8_lossy(data).replace("\r\n", "\n").replace('\r', "\n");
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut frames = Vec::new();
    let (mut event, mut lines) = (None, Vec::new());
    for line in text.split('\n').chain([""]) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "" if line.is_empty() => {
                if !lines.is_empty() {
                    frames.push((event.take(), trimmed(&lines.join("\n"))));
                }
                (event, lines) = (None, Vec::new());
            }
            "event" => event = Some(trimmed(value)),
            "data" => lines.push(value.to_owned()),
            _ => {}
        }
    }
    frames
}

fn trimmed(text: &str) -> String {
    text.trim_matches([' ', '\n', '\r', '\t']).to_owned()
}
