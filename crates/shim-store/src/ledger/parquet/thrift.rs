//! Thrift's compact protocol, as far as a Parquet file needs it to be written.
//!
//! Source: <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>, read 2026-11-26.

/// How an element is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    True = 1,
    False = 2,
    I32 = 5,
    I64 = 6,
    Text = 8,
    List = 9,
    Struct = 12,
}

/// A structure under way.
#[derive(Debug)]
pub(super) struct Compact {
    out: Vec<u8>,
    /// The number of the field written last, of each structure that is open.
    last: Vec<u8>,
}

impl Default for Compact {
    fn default() -> Self {
        Self { out: Vec::new(), last: vec![0] }
    }
}

impl Compact {
    /// A field of 32 bits.
    pub(super) fn i32(&mut self, id: u8, value: i32) {
        self.field(id, Kind::I32);
        self.zigzag(i64::from(value));
    }

    /// A field of 64 bits.
    pub(super) fn i64(&mut self, id: u8, value: i64) {
        self.field(id, Kind::I64);
        self.zigzag(value);
    }

    /// A field that is true or false.
    pub(super) fn flag(&mut self, id: u8, value: bool) {
        self.field(id, if value { Kind::True } else { Kind::False });
    }

    /// A field of text.
    pub(super) fn text(&mut self, id: u8, text: &str) {
        self.field(id, Kind::Text);
        self.text_element(text);
    }

    /// Begins a field that is a structure.
    pub(super) fn begin(&mut self, id: u8) {
        self.field(id, Kind::Struct);
        self.begin_element();
    }

    /// Begins an element of a list that is a structure.
    pub(super) fn begin_element(&mut self) {
        self.last.push(0);
    }

    /// Ends a structure.
    pub(super) fn end(&mut self) {
        self.out.push(0);
        self.last.pop();
    }

    /// A field that is a list of so many elements, which follow.
    pub(super) fn list(&mut self, id: u8, of: Kind, len: usize) {
        self.field(id, Kind::List);
        match u8::try_from(len) {
            Ok(few) if few < 15 => self.out.push(few << 4 | of as u8),
            _ => {
                self.out.push(0xf0 | of as u8);
                self.varint(len as u64);
            }
        }
    }

    /// An element of a list of numbers of 32 bits.
    pub(super) fn i32_element(&mut self, value: i32) {
        self.zigzag(i64::from(value));
    }

    /// An element of a list of texts.
    pub(super) fn text_element(&mut self, text: &str) {
        self.varint(text.len() as u64);
        self.out.extend_from_slice(text.as_bytes());
    }

    /// Ends the outermost structure.
    pub(super) fn stop(mut self) -> Vec<u8> {
        self.out.push(0);
        self.out
    }

    /// The head of a field. Fields come in the order of their numbers, which are small here.
    fn field(&mut self, id: u8, kind: Kind) {
        let last = self.last.last_mut();
        let before = last.map_or(0, |last| std::mem::replace(last, id));
        self.out.push(id.saturating_sub(before) << 4 | kind as u8);
    }

    fn zigzag(&mut self, value: i64) {
        self.varint((value << 1 ^ value >> 63).cast_unsigned());
    }

    fn varint(&mut self, value: u64) {
        varint(value, &mut self.out);
    }
}

/// Appends a number, seven bits a byte, the lowest first.
pub(super) fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push((value & 0x7f) as u8);
}
