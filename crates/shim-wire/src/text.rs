//! JSON text that is made of bytes of its own and of parts of other texts.

use bytes::{Bytes, BytesMut};
use smallvec::smallvec;

use crate::Pieces;
use crate::splice::keep;

/// A JSON text that was written: long strings that are parts of another ([`JsonString`](crate::JsonString)) stand in it
/// without having been copied. [`JsonWriter::sharing`](crate::JsonWriter::sharing) writes one.
#[derive(Clone, Debug, Default)]
pub struct JsonText {
    pub(crate) own: Vec<u8>,
    /// What stands between the own bytes, in order, each with how many of those come before it.
    pub(crate) shared: Vec<(usize, Bytes)>,
}

impl JsonText {
    /// An empty one, with room for `capacity` own bytes.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { own: Vec::with_capacity(capacity), shared: Vec::new() }
    }

    /// The text as pieces to be sent one after the other.
    #[must_use]
    pub fn into_pieces(self) -> Pieces {
        let mut own = Bytes::from(self.own);
        if self.shared.is_empty() {
            return smallvec![own];
        }
        let mut pieces = Pieces::with_capacity(2 * self.shared.len() + 1);
        let mut before = 0;
        for (at, shared) in self.shared {
            // Between strings that are joined there may be nothing.
            keep(&mut pieces, own.split_to(at - before));
            pieces.push(shared);
            before = at;
        }
        pieces.push(own);
        pieces
    }

    /// A copy of the text.
    #[must_use]
    pub fn to_text(&self) -> String {
        String::from_utf8_lossy(&self.clone().into_bytes()).into_owned()
    }

    /// The text as one piece.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        if self.shared.is_empty() {
            return self.own.into();
        }
        let pieces = self.into_pieces();
        let mut all = BytesMut::with_capacity(pieces.iter().map(Bytes::len).sum());
        pieces.iter().for_each(|piece| all.extend_from_slice(piece));
        all.freeze()
    }
}

/// Two are equal that say the same, whatever of it they share.
impl PartialEq for JsonText {
    fn eq(&self, other: &Self) -> bool {
        self.clone().into_bytes() == other.clone().into_bytes()
    }
}

impl From<Vec<u8>> for JsonText {
    fn from(own: Vec<u8>) -> Self {
        Self { own, shared: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::JsonText;
    use crate::{JsonString, JsonWriter, checked, from_json};

    proptest! {
        #[test]
        fn what_is_shared_stands_where_a_copy_would(
            strings in prop::collection::vec(("[a-t\\n\"\\\\é]{1,40}", 0..500_usize), 0..5),
            between in "[a\"]{0,3}",
        ) {
            let strings: Vec<String> = strings.into_iter().map(|(text, times)| text.repeat(times)).collect();
            let body = Bytes::from(serde_json::to_string(&strings).unwrap());
            let text = std::str::from_utf8(&body).unwrap();
            let read: Vec<JsonString> = checked(&body, || from_json(text)).unwrap();
            prop_assert_eq!(&read, &strings);
            let write = |mut w: JsonWriter<'_>| w.list(|w| {
                read.iter().for_each(|text| w.element().text(text));
                w.element().joined(&read.iter().collect::<Vec<_>>(), &between);
            });
            let (mut copied, mut shared) = (Vec::new(), JsonText::with_capacity(1));
            write(JsonWriter::new(&mut copied));
            write(JsonWriter::sharing(&mut shared));
            let pieces = shared.clone().into_pieces();
            let is_long = |text: &&String| text.len() > 2 * crate::source::SHARED_MIN;
            let parts = pieces.iter().filter(|piece| body.as_ptr_range().contains(&piece.as_ptr())).count();
            prop_assert!(parts >= 2 * strings.iter().filter(is_long).count());
            prop_assert!(pieces.iter().all(|piece| !piece.is_empty()));
            prop_assert_eq!(pieces.concat(), copied.as_slice());
            prop_assert_eq!(shared.into_bytes(), copied);
        }
    }
}
