//! Stream framing: bytes as they arrive → frames, the same whatever the chunking.

mod array;
mod sse;

use thiserror::Error;

pub use array::ArrayFramer;
pub use sse::SseFramer;

/// One frame of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The `event:` field, where the frame has one.
    pub event: Option<&'a str>,
    /// The data; several `data:` lines are joined by line feeds. Without white space around it.
    pub data: &'a str,
}

/// How a stream is cut into frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// Server-sent events (WHATWG HTML §9.2).
    #[default]
    Sse,
    /// One JSON array that grows by an element at a time, as Gemini streams without `alt=sse`.
    JsonArray,
}

/// Why a stream cannot be framed.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum FrameError {
    /// A frame larger than the bound.
    #[error("a stream frame is larger than {0} bytes")]
    TooLarge(usize),
    /// A frame that is not UTF-8.
    #[error("a stream frame is not UTF-8")]
    NotUtf8,
    /// Bytes that cannot stand between frames.
    #[error("the stream is not framed as its content type says")]
    Malformed,
}

/// Default bound on one frame: an image in base64 fits, a runaway line does not.
pub const FRAME_BYTES_MAX: usize = 32 << 20;

/// A framer of either kind.
#[derive(Debug)]
pub enum Framer {
    /// Server-sent events.
    Sse(SseFramer),
    /// Elements of a JSON array.
    JsonArray(ArrayFramer),
}

impl Framer {
    /// A framer with a bound on one frame, in bytes.
    #[must_use]
    pub fn new(framing: Framing, frame_bytes_max: usize) -> Self {
        match framing {
            Framing::Sse => Self::Sse(SseFramer::new(frame_bytes_max)),
            Framing::JsonArray => Self::JsonArray(ArrayFramer::new(frame_bytes_max)),
        }
    }

    /// Takes bytes and hands each frame they complete to `on`.
    ///
    /// # Errors
    /// When the stream cannot be framed; the framer is then of no further use.
    pub fn push(&mut self, bytes: &[u8], on: &mut dyn FnMut(Frame<'_>)) -> Result<(), FrameError> {
        match self {
            Self::Sse(framer) => framer.push(bytes, on),
            Self::JsonArray(framer) => framer.push(bytes, on),
        }
    }

    /// The stream ended: hands a last frame whose blank line is missing to `on`.
    ///
    /// # Errors
    /// When what is left is no frame.
    pub fn finish(&mut self, on: &mut dyn FnMut(Frame<'_>)) -> Result<(), FrameError> {
        match self {
            Self::Sse(framer) => framer.finish(on),
            Self::JsonArray(framer) => framer.finish(),
        }
    }
}

/// The checked text of a frame without the white space around it.
fn text(data: &[u8]) -> Result<&str, FrameError> {
    let text = simdutf8::basic::from_utf8(data).map_err(|_| FrameError::NotUtf8)?;
    Ok(text.trim_matches([' ', '\n', '\r', '\t']))
}
