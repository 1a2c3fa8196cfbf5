//! Compares a stream with what the upstream sends, however the bytes are cut on the way.

use crate::answer::{CHUNK_BYTES, STAMP_AT, STAMP_DIGITS, STREAM_TAIL, put_chunk, stamp_of};

/// Takes the bytes of one stream as they come.
#[derive(Debug)]
pub struct StreamCheck {
    chunks: u32,
    next: u32,
    held: Vec<u8>,
    expected: Vec<u8>,
    wrong: bool,
}

impl StreamCheck {
    /// For a stream of `chunks` chunks of content.
    #[must_use]
    pub fn new(chunks: u32) -> Self {
        Self { chunks, next: 0, held: Vec::with_capacity(CHUNK_BYTES), expected: Vec::new(), wrong: false }
    }

    /// Takes what arrived; calls `seen` with the stamp of every chunk of content completed by it.
    pub fn push(&mut self, mut bytes: &[u8], mut seen: impl FnMut(u64)) {
        while self.next < self.chunks && !self.wrong {
            let (taken, rest) = bytes.split_at(bytes.len().min(CHUNK_BYTES - self.held.len()));
            self.held.extend_from_slice(taken);
            bytes = rest;
            if self.held.len() < CHUNK_BYTES {
                return;
            }
            match self.matching_stamp() {
                Some(stamp) => seen(stamp),
                None => self.wrong = true,
            }
            self.held.clear();
            self.next += 1;
        }
        if self.held.len() + bytes.len() > STREAM_TAIL.len() {
            self.wrong = true;
        } else {
            self.held.extend_from_slice(bytes);
        }
    }

    /// Whether everything arrived and nothing else did.
    #[must_use]
    pub fn is_right(&self) -> bool {
        !self.wrong && self.next == self.chunks && self.held == STREAM_TAIL.as_bytes()
    }

    fn matching_stamp(&mut self) -> Option<u64> {
        let stamp = stamp_of(&self.held)?;
        self.expected.clear();
        put_chunk(self.next, 0, &mut self.expected);
        let behind = STAMP_AT + STAMP_DIGITS;
        let same = self.held.get(..STAMP_AT) == self.expected.get(..STAMP_AT)
            && self.held.get(behind..) == self.expected.get(behind..);
        same.then_some(stamp)
    }
}

#[cfg(test)]
mod tests {
    use super::StreamCheck;
    use crate::answer::{STREAM_TAIL, put_chunk};

    fn stream(numbers: &[u32]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for number in numbers {
            put_chunk(*number, 1_000 + u64::from(*number), &mut bytes);
        }
        bytes.extend_from_slice(STREAM_TAIL.as_bytes());
        bytes
    }

    #[track_caller]
    fn check(bytes: &[u8], cut: usize, right: bool) -> Vec<u64> {
        let mut check = StreamCheck::new(3);
        let mut stamps = Vec::new();
        for piece in bytes.chunks(cut) {
            check.push(piece, |stamp| stamps.push(stamp));
        }
        assert_eq!(check.is_right(), right, "cut at {cut}");
        stamps
    }

    #[test]
    fn any_cutting_of_the_right_bytes_is_right() {
        let bytes = stream(&[0, 1, 2]);
        for cut in 1..=bytes.len() {
            assert_eq!(check(&bytes, cut, true), [1_000, 1_001, 1_002]);
        }
    }

    #[test]
    fn lost_doubled_reordered_and_changed_chunks_are_wrong() {
        for numbers in [&[0, 2][..], &[0, 1], &[0, 1, 1, 2], &[0, 2, 1], &[0, 1, 2, 3]] {
            check(&stream(numbers), 100, false);
        }
        let good = stream(&[0, 1, 2]);
        check(&good[..good.len() - 1], 100, false);
        for at in (0..good.len()).step_by(7).chain([good.len() - 1]) {
            let mut bytes = good.clone();
            bytes[at] = b'~';
            check(&bytes, 100, false);
        }
    }
}
