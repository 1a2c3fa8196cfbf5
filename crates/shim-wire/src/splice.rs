//! Byte splices: a text with a few spans replaced, every other byte shared with the original.

use std::ops::Range;

use bytes::Bytes;
use smallvec::SmallVec;
use thiserror::Error;

/// One replacement: the bytes of `span` give way to `with`. An empty span inserts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Splice {
    /// Offsets in bytes into the original.
    pub span: Range<usize>,
    /// What stands there instead.
    pub with: Bytes,
}

/// The spliced text as pieces to be sent one after the other; unchanged pieces share the original's memory.
pub type Pieces = SmallVec<[Bytes; 5]>;

/// Why splices do not fit a text.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SpliceError {
    /// A span reaches beyond the text or ends before it starts.
    #[error("splice {0:?} lies outside the text")]
    Outside(Range<usize>),
    /// Two spans overlap.
    #[error("splice {0:?} overlaps the one before it")]
    Overlap(Range<usize>),
}

/// Applies `splices`, in any order (insertions at one place keep theirs), to `original` without copying what stays.
///
/// # Errors
/// When a span lies outside `original` or two spans overlap.
pub fn splice(original: &Bytes, mut splices: SmallVec<[Splice; 2]>) -> Result<Pieces, SpliceError> {
    splices.sort_by_key(|s| (s.span.start, s.span.end));
    let mut pieces = Pieces::new();
    let mut at = 0;
    for splice in splices {
        let Range { start, end } = splice.span;
        if start > end || end > original.len() {
            return Err(SpliceError::Outside(start..end));
        }
        if start < at {
            return Err(SpliceError::Overlap(start..end));
        }
        keep(&mut pieces, original.slice(at..start));
        keep(&mut pieces, splice.with);
        at = end;
    }
    keep(&mut pieces, original.slice(at..));
    Ok(pieces)
}

/// Adds a piece, unless there is nothing in it.
pub(crate) fn keep(pieces: &mut Pieces, piece: Bytes) {
    if !piece.is_empty() {
        pieces.push(piece);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;
    use smallvec::smallvec;

    use super::{Splice, SpliceError, splice};

    fn at(span: std::ops::Range<usize>, with: &'static str) -> Splice {
        Splice { span, with: Bytes::from_static(with.as_bytes()) }
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let text = Bytes::from_static(b"abcdef");
        assert_eq!(splice(&text, smallvec![at(4..9, "x")]), Err(SpliceError::Outside(4..9)));
        assert_eq!(splice(&text, smallvec![at(2..4, "x"), at(0..3, "y")]), Err(SpliceError::Overlap(2..4)));
        assert_eq!(splice(&text, smallvec![at(4..5, "x"), at(0..1, "y")]).unwrap().concat(), b"ybcdxf");
    }

    proptest! {
        #[test]
        fn equals_replacing_in_a_string(text in ".{0,40}", cut in prop::collection::vec(any::<prop::sample::Index>(), 4)) {
            let bytes = Bytes::from(text.clone().into_bytes());
            let mut cut: Vec<_> = cut.iter().map(|c| c.index(bytes.len() + 1)).collect();
            cut.sort_unstable();
            let (a, b, c, d) = (cut[0], cut[1], cut[2], cut[3]);
            let pieces = splice(&bytes, smallvec![at(a..b, "<1>"), at(c..d, "<2>")]).unwrap();
            let wanted = [&bytes[..a], b"<1>", &bytes[b..c], b"<2>", &bytes[d..]].concat();
            prop_assert_eq!(pieces.concat(), wanted);
        }
    }
}
