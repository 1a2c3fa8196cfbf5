//! Server-sent events, as WHATWG HTML §9.2 parses them, and the liberties providers take with them.
//! Source: <https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation>, read 2026-11-23.

use super::{Frame, FrameError, text};

/// Cuts a byte stream into server-sent events. Comments, ids and retry times carry nothing and are passed over.
///
/// Beyond the standard: an event at the end of the stream counts though its blank line is missing.
#[derive(Debug)]
pub struct SseFramer {
    /// A line whose end has not come yet.
    line: Vec<u8>,
    data: Vec<u8>,
    event: Option<String>,
    has_data: bool,
    /// The last byte was a carriage return: a line feed that follows belongs to it.
    after_cr: bool,
    /// Nothing was read yet, so a byte order mark may come.
    at_start: bool,
    bytes_max: usize,
}

impl SseFramer {
    /// A framer with a bound on one event, in bytes.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self {
            line: Vec::new(),
            data: Vec::new(),
            event: None,
            has_data: false,
            after_cr: false,
            at_start: true,
            bytes_max,
        }
    }

    /// Takes bytes and hands each event they complete to `on`.
    ///
    /// # Errors
    /// When an event is too large or not UTF-8.
    pub fn push(&mut self, mut bytes: &[u8], on: &mut dyn FnMut(Frame<'_>)) -> Result<(), FrameError> {
        while !bytes.is_empty() {
            if std::mem::take(&mut self.after_cr) && bytes.first() == Some(&b'\n') {
                bytes = bytes.get(1..).unwrap_or_default();
                continue;
            }
            let Some(end) = memchr::memchr2(b'\n', b'\r', bytes) else {
                self.bounded(self.line.len() + bytes.len())?;
                self.line.extend_from_slice(bytes);
                return Ok(());
            };
            let (head, tail) = bytes.split_at_checked(end).unwrap_or_default();
            self.after_cr = tail.first() == Some(&b'\r');
            bytes = tail.get(1..).unwrap_or_default();
            self.end_line(head, on)?;
        }
        Ok(())
    }

    /// The stream ended: an event that still waits for its blank line is handed to `on`.
    ///
    /// # Errors
    /// When that event is not UTF-8.
    pub fn finish(&mut self, on: &mut dyn FnMut(Frame<'_>)) -> Result<(), FrameError> {
        if !self.line.is_empty() {
            self.end_line(&[], on)?;
        }
        self.dispatch(on)
    }

    /// A line is complete: what was carried over, and `head`. It is as long as it is however it came.
    fn end_line(&mut self, head: &[u8], on: &mut dyn FnMut(Frame<'_>)) -> Result<(), FrameError> {
        self.bounded(self.line.len() + head.len())?;
        if self.line.is_empty() {
            return self.take_line(head, on);
        }
        let mut line = std::mem::take(&mut self.line);
        line.extend_from_slice(head);
        let taken = self.take_line(&line, on);
        line.clear();
        self.line = line;
        taken
    }

    fn take_line(&mut self, mut line: &[u8], on: &mut dyn FnMut(Frame<'_>)) -> Result<(), FrameError> {
        if std::mem::take(&mut self.at_start) {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        if line.is_empty() {
            return self.dispatch(on);
        }
        let (name, value) = field(line);
        match name {
            b"data" => self.add_data(value),
            b"event" => {
                self.bounded(value.len())?;
                self.event = Some(text(value)?.to_owned());
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn add_data(&mut self, value: &[u8]) -> Result<(), FrameError> {
        self.bounded(self.data.len() + value.len() + 1)?;
        if self.has_data {
            self.data.push(b'\n');
        }
        self.has_data = true;
        self.data.extend_from_slice(value);
        Ok(())
    }

    fn dispatch(&mut self, on: &mut dyn FnMut(Frame<'_>)) -> Result<(), FrameError> {
        let event = self.event.take();
        if !std::mem::take(&mut self.has_data) {
            return Ok(());
        }
        on(Frame { event: event.as_deref(), data: text(&self.data)? });
        self.data.clear();
        Ok(())
    }

    fn bounded(&self, len: usize) -> Result<(), FrameError> {
        if len > self.bytes_max { Err(FrameError::TooLarge(self.bytes_max)) } else { Ok(()) }
    }
}

/// The name and value of a field line; one space after the colon belongs to neither.
fn field(line: &[u8]) -> (&[u8], &[u8]) {
    let Some(colon) = memchr::memchr(b':', line) else {
        return (line, b"");
    };
    let (name, value) = line.split_at_checked(colon).unwrap_or_default();
    let value = value.get(1..).unwrap_or_default();
    (name, value.strip_prefix(b" ").unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::SseFramer;
    use crate::frame::{FRAME_BYTES_MAX, FrameError};

    type Owned = (Option<String>, String);

    fn frames(chunks: &[&[u8]]) -> Result<Vec<Owned>, FrameError> {
        let mut framer = SseFramer::new(FRAME_BYTES_MAX);
        let mut out = Vec::new();
        let mut on = |f: crate::frame::Frame<'_>| out.push((f.event.map(str::to_owned), f.data.to_owned()));
        for chunk in chunks {
            framer.push(chunk, &mut on)?;
        }
        framer.finish(&mut on)?;
        Ok(out)
    }

    #[track_caller]
    fn check(stream: &str, wanted: &[(Option<&str>, &str)]) {
        let found = frames(&[stream.as_bytes()]).unwrap();
        let found: Vec<_> = found.iter().map(|(e, d)| (e.as_deref(), d.as_str())).collect();
        assert_eq!(found, wanted, "{stream:?}");
    }

    #[test]
    fn reads_the_forms_in_the_wild() {
        check("data: {\"a\":1}\n\ndata: [DONE]\n\n", &[(None, "{\"a\":1}"), (None, "[DONE]")]);
        check("event: ping\ndata: {}\n\n", &[(Some("ping"), "{}")]);
        check("data:{}\r\n\r\n", &[(None, "{}")]);
        check("data: {\rdata: }\r\r", &[(None, "{\n}")]);
        check(": OPENROUTER PROCESSING\n\ndata: 1\n\n", &[(None, "1")]);
        check("data: last", &[(None, "last")]);
        check("data: last\n", &[(None, "last")]);
        check("\u{feff}data: 1\n\n", &[(None, "1")]);
        check("data:    {\"padded\":true}  \n\n", &[(None, "{\"padded\":true}")]);
        check("event: nothing\n\ndata: 1\n\n", &[(None, "1")]);
        check("id: 7\nretry: 10\nx\ndata\n\n", &[(None, "")]);
    }

    #[test]
    fn a_runaway_frame_is_refused() {
        let mut framer = SseFramer::new(64);
        let refused = framer.push(&[b'x'; 65], &mut |_| ());
        assert_eq!(refused, Err(FrameError::TooLarge(64)));
        let mut framer = SseFramer::new(64);
        let lines = "data: 0123456789\n".repeat(8);
        assert_eq!(framer.push(lines.as_bytes(), &mut |_| ()), Err(FrameError::TooLarge(64)));
    }

    proptest! {
        #[test]
        fn any_chunking_gives_the_same_frames(
            stream in prop::collection::vec(prop::sample::select(vec!["data: a", "data:b", ":c", "event: e", "\n", "\r", "\r\n", "ü", "x"]), 0..40),
            sizes in prop::collection::vec(1usize..5, 1..20),
        ) {
            let stream = stream.concat();
            let mut chunks = Vec::new();
            let mut rest = stream.as_bytes();
            for size in sizes.iter().cycle() {
                if rest.is_empty() { break; }
                let (head, tail) = rest.split_at((*size).min(rest.len()));
                chunks.push(head);
                rest = tail;
            }
            prop_assert_eq!(frames(&chunks), frames(&[stream.as_bytes()]));
        }
    }
}
