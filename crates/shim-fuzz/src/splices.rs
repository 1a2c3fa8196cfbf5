//! Splices: what comes out is what replacing one span after the other gives.

use bytes::Bytes;
use shim_wire::{Splice, splice};

/// How many splices are made, each of two bytes.
const SPLICES_MAX: usize = 4;

/// The first bytes say where, the rest is spliced.
pub(crate) fn check(data: &[u8]) {
    let (places, text) = data.split_at(data.len().min(SPLICES_MAX * 2));
    let mut splices: Vec<Splice> = places.as_chunks::<2>().0.iter().enumerate().map(numbered).collect();
    let found = splice(&Bytes::copy_from_slice(text), splices.iter().cloned().collect());
    splices.sort_by_key(|splice| (splice.span.start, splice.span.end));
    let outside = splices.iter().any(|s| s.span.start > s.span.end || s.span.end > text.len());
    let overlap = splices.iter().zip(splices.iter().skip(1)).any(|(a, b)| b.span.start < a.span.end);
    assert_eq!(found.is_ok(), !(outside || overlap), "{splices:?}: {found:?}");
    if let Ok(pieces) = found {
        let mut wanted = text.to_vec();
        for splice in splices.iter().rev() {
            wanted.splice(splice.span.clone(), splice.with.iter().copied());
        }
        assert_eq!(pieces.concat(), wanted);
    }
}

fn numbered((at, [start, end]): (usize, &[u8; 2])) -> Splice {
    Splice { span: usize::from(*start)..usize::from(*end), with: Bytes::from(format!("<{at}>")) }
}
