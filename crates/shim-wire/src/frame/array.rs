//! A JSON array as a stream: each element is a frame as soon as it is complete.

use super::{Frame, FrameError, text};

/// Cuts a JSON array of objects that arrives in pieces into its elements.
#[derive(Debug)]
pub struct ArrayFramer {
    element: Vec<u8>,
    state: State,
    depth: usize,
    bytes_max: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the opening bracket.
    Before,
    /// Between elements.
    Between,
    /// Inside an element, outside a string.
    Inside,
    /// Inside a string of an element.
    Text,
    /// Behind a backslash in a string.
    Escape,
    /// Behind the closing bracket.
    After,
}

impl ArrayFramer {
    /// A framer with a bound on one element, in bytes.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self { element: Vec::new(), state: State::Before, depth: 0, bytes_max }
    }

    /// Takes bytes and hands each element they complete to `on`.
    ///
    /// # Errors
    /// When the bytes are no array of objects, or an element is too large.
    pub fn push(&mut self, bytes: &[u8], on: &mut dyn FnMut(Frame<'_>)) -> Result<(), FrameError> {
        for byte in bytes {
            self.state = self.step(*byte)?;
            if self.state == State::Between && !self.element.is_empty() {
                on(Frame { event: None, data: text(&self.element)? });
                self.element.clear();
            }
        }
        Ok(())
    }

    /// The stream ended.
    ///
    /// # Errors
    /// When an element was left incomplete. A missing closing bracket alone is not an error here: the dialect knows
    /// whether the stream was complete.
    pub fn finish(&self) -> Result<(), FrameError> {
        match self.state {
            State::Before | State::Between | State::After => Ok(()),
            State::Inside | State::Text | State::Escape => Err(FrameError::Malformed),
        }
    }

    fn step(&mut self, byte: u8) -> Result<State, FrameError> {
        let blank = byte.is_ascii_whitespace();
        match (self.state, byte) {
            (State::Before, b'[') => Ok(State::Between),
            (State::Before | State::Between | State::After, _) if blank => Ok(self.state),
            (State::Between, b',') => Ok(State::Between),
            (State::Between, b']') => Ok(State::After),
            (State::Between, b'{') => self.keep(byte, State::Inside),
            (State::Before | State::Between | State::After, _) => Err(FrameError::Malformed),
            (State::Inside, b'"') => self.keep(byte, State::Text),
            (State::Inside, b'}' | b']') if self.depth == 1 => self.keep(byte, State::Between),
            (State::Inside, _) => self.keep(byte, State::Inside),
            (State::Text, b'\\') => self.keep(byte, State::Escape),
            (State::Text, b'"') => self.keep(byte, State::Inside),
            (State::Text | State::Escape, _) => self.keep(byte, State::Text),
        }
    }

    fn keep(&mut self, byte: u8, next: State) -> Result<State, FrameError> {
        if matches!(self.state, State::Between | State::Inside) {
            match byte {
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => self.depth -= 1,
                _ => {}
            }
        }
        if self.element.len() >= self.bytes_max {
            return Err(FrameError::TooLarge(self.bytes_max));
        }
        self.element.push(byte);
        Ok(next)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::ArrayFramer;
    use crate::frame::FrameError;

    fn elements(chunks: &[&[u8]]) -> Result<Vec<String>, FrameError> {
        let mut framer = ArrayFramer::new(1000);
        let mut out = Vec::new();
        for chunk in chunks {
            framer.push(chunk, &mut |f| out.push(f.data.to_owned()))?;
        }
        framer.finish()?;
        Ok(out)
    }

    #[test]
    fn gives_each_element() {
        let found = elements(&[b"[{\"a\":[1,{\"}\":\"\\\"]\"}]}\n,\r\n{}]\n"]).unwrap();
        assert_eq!(found, ["{\"a\":[1,{\"}\":\"\\\"]\"}]}", "{}"]);
        assert_eq!(elements(&[b"{\"error\":1}"]), Err(FrameError::Malformed));
        assert_eq!(elements(&[b"[{\"a\":"]), Err(FrameError::Malformed));
    }

    proptest! {
        #[test]
        fn never_panics_and_never_cares_for_chunks(bytes in prop::collection::vec(prop::sample::select(b"[]{}\",\\a ".to_vec()), 0..60), cut in any::<prop::sample::Index>()) {
            let (head, tail) = bytes.split_at(cut.index(bytes.len() + 1));
            prop_assert_eq!(elements(&[head, tail]), elements(&[&bytes]));
        }
    }
}
