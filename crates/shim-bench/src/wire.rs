//! As much HTTP/1.1 as the bench programs need: heads, and bodies by length or in chunks, over a blocking stream.
//!
//! Not hyper, so that a mistake in hyper cannot be made the same way on both sides of a comparison, and because it is
//! a fraction of the work.

use std::io::{self, Read};

/// The longest head that is read.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// How the body after a head is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// `content-length`, or none at all (0).
    Length(u64),
    /// `transfer-encoding: chunked`.
    Chunked,
}

/// The first line of a message and the little that is needed from its headers.
#[derive(Debug)]
pub struct Head {
    /// The request line or status line, without the line end.
    pub line: String,
    /// How its body ends.
    pub framing: Framing,
    /// Whether the peer will close the connection afterwards.
    pub close: bool,
}

/// Reads messages from a stream through one buffer.
#[derive(Debug)]
pub struct Reader<S> {
    stream: S,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl<S: Read> Reader<S> {
    /// `buffer_bytes` is the most that one read takes; at least the longest head.
    pub fn new(stream: S, buffer_bytes: usize) -> Self {
        let buffer = vec![0; buffer_bytes.max(HEAD_BYTES_MAX)].into_boxed_slice();
        Self { stream, buffer, start: 0, end: 0 }
    }

    /// The next head; `None` when the peer closed between messages.
    ///
    /// # Errors
    /// A failed read, a head that is cut, too long, or not HTTP/1.1.
    pub fn head(&mut self) -> io::Result<Option<Head>> {
        loop {
            if let Some(at) = memchr::memmem::find(self.held(), b"\r\n\r\n") {
                let head = parse_head(self.held().get(..at + 2).unwrap_or_default())?;
                self.start += at + 4;
                return Ok(Some(head));
            }
            if self.held().len() >= HEAD_BYTES_MAX {
                return Err(invalid("head too long"));
            }
            if self.fill()? == 0 {
                return if self.held().is_empty() { Ok(None) } else { Err(cut()) };
            }
        }
    }

    /// Reads the body to its end and gives its pieces, without framing, to `sink` as they arrive.
    ///
    /// # Errors
    /// A failed read, a cut body, or broken framing.
    pub fn body(
        &mut self,
        framing: Framing,
        mut sink: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        match framing {
            Framing::Length(bytes) => self.pass(bytes, &mut sink),
            Framing::Chunked => loop {
                let line = self.line()?;
                let size = chunk_size(&line)?;
                if size == 0 {
                    // Trailers, and the empty line that ends them.
                    while !self.line()?.is_empty() {}
                    return Ok(());
                }
                self.pass(size, &mut sink)?;
                if !self.line()?.is_empty() {
                    return Err(invalid("chunk without an end"));
                }
            },
        }
    }

    fn pass(&mut self, bytes: u64, sink: &mut impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let mut left = bytes;
        while left > 0 {
            if self.held().is_empty() && self.fill()? == 0 {
                return Err(cut());
            }
            let held = self.held();
            let take = held.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            sink(held.get(..take).unwrap_or_default())?;
            self.start += take;
            left -= take as u64;
        }
        Ok(())
    }

    fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(at) = memchr::memmem::find(self.held(), b"\r\n") {
                let line = String::from_utf8_lossy(self.held().get(..at).unwrap_or_default()).into_owned();
                self.start += at + 2;
                return Ok(line);
            }
            if self.held().len() >= HEAD_BYTES_MAX {
                return Err(invalid("line too long"));
            }
            if self.fill()? == 0 {
                return Err(cut());
            }
        }
    }

    fn held(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    fn fill(&mut self) -> io::Result<usize> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.end == self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let read = self.stream.read(self.buffer.get_mut(self.end..).unwrap_or_default())?;
        self.end += read;
        Ok(read)
    }
}

/// `head` holds whole lines, each with its end.
fn parse_head(head: &[u8]) -> io::Result<Head> {
    let text = std::str::from_utf8(head).map_err(|_| invalid("head is not text"))?;
    let mut lines = text.split_terminator("\r\n");
    let line = lines.next().unwrap_or_default().to_owned();
    if !line.contains("HTTP/1.1") {
        return Err(invalid("not HTTP/1.1"));
    }
    let (mut framing, mut close) = (Framing::Length(0), false);
    for header in lines {
        let (name, value) = header.split_once(':').ok_or_else(|| invalid("header without a colon"))?;
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            framing = Framing::Length(value.parse().map_err(|_| invalid("content-length is not a number"))?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") && value.eq_ignore_ascii_case("chunked") {
            framing = Framing::Chunked;
        } else if name.eq_ignore_ascii_case("connection") {
            close = value.eq_ignore_ascii_case("close");
        }
    }
    Ok(Head { line, framing, close })
}

fn chunk_size(line: &str) -> io::Result<u64> {
    let digits = line.split(';').next().unwrap_or_default().trim();
    u64::from_str_radix(digits, 16).map_err(|_| invalid("chunk size is not a number"))
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "connection closed within a message")
}

#[cfg(test)]
mod tests {
    use super::{Framing, Reader};
    use std::io::{self, Read};

    /// Gives at most `cut` bytes a read.
    struct Cut<'a>(&'a [u8], usize);

    impl Read for Cut<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let take = self.1.min(out.len());
            self.0.read(&mut out[..take])
        }
    }

    fn read_all(bytes: &[u8], cut: usize) -> io::Result<Vec<(String, Vec<u8>)>> {
        let mut reader = Reader::new(Cut(bytes, cut), 0);
        let mut messages = Vec::new();
        while let Some(head) = reader.head()? {
            let mut body = Vec::new();
            reader.body(head.framing, |piece| {
                body.extend_from_slice(piece);
                Ok(())
            })?;
            messages.push((head.line, body));
        }
        Ok(messages)
    }

    #[test]
    fn messages_are_read_however_they_are_cut() {
        let bytes = b"POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc\
            HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3;x=y\r\nfoo\r\n0a\r\n0123456789\r\n0\r\nt: 1\r\n\r\n\
            HTTP/1.1 204 No Content\r\n\r\n";
        for cut in 1..=bytes.len() {
            let messages = read_all(bytes, cut).unwrap();
            assert_eq!(messages[0], ("POST /a HTTP/1.1".to_owned(), b"abc".to_vec()));
            assert_eq!(messages[1], ("HTTP/1.1 200 OK".to_owned(), b"foo0123456789".to_vec()));
            assert_eq!(messages[2], ("HTTP/1.1 204 No Content".to_owned(), Vec::new()));
        }
    }

    #[test]
    fn a_body_longer_than_the_buffer_is_passed_on_in_pieces() {
        let mut bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n".to_vec();
        bytes.resize(bytes.len() + 100_000, b'x');
        assert_eq!(read_all(&bytes, usize::MAX).unwrap()[0].1.len(), 100_000);
    }

    #[test]
    fn cut_and_broken_messages_are_errors() {
        let cases: [&[u8]; 5] = [
            b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab",
            b"HTTP/1.1 200 OK\r\ncontent-le",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nfoobar\r\n",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
            b"GET / HTTP/1.0\r\n\r\n",
        ];
        for case in cases {
            assert!(read_all(case, 4).is_err(), "{}", String::from_utf8_lossy(case));
        }
    }

    #[test]
    fn framing_is_read_from_any_spelling() {
        let mut reader = Reader::new(
            &b"HTTP/1.1 200 OK\r\nTRANSFER-Encoding: Chunked\r\nConnection: Close\r\n\r\n"[..],
            0,
        );
        let head = reader.head().unwrap().unwrap();
        assert_eq!((head.framing, head.close), (Framing::Chunked, true));
    }
}
