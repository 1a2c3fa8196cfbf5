//! The values of one column in one row group: a page with a head.

use std::io;

use super::thrift::{Compact, Kind as Wire, varint};
use super::{Column, Kind, Value, signed};

/// How hard pages are compressed.
const LEVEL: i32 = 1;

/// `Encoding::PLAIN` and `Encoding::RLE`.
const PLAIN: i32 = 0;
const RLE: i32 = 3;

/// `CompressionCodec::ZSTD`.
const ZSTD: i32 = 6;

/// Values on their way into a page.
#[derive(Debug)]
pub(super) struct Chunk {
    column: Column,
    /// How many, those that are not there included.
    count: u64,
    plain: Vec<u8>,
    /// How many bits of the last byte are taken, where values are bits.
    bits: u8,
    levels: Levels,
}

/// Whether each value is there: runs of the same.
#[derive(Debug, Default)]
struct Levels {
    out: Vec<u8>,
    there: bool,
    run: u64,
}

/// A chunk that was written.
#[derive(Debug)]
pub(super) struct Written {
    count: u64,
    /// Where its page begins.
    at: u64,
    /// What it would take uncompressed, its head included.
    pub(super) bytes: u64,
    compressed: u64,
}

impl Chunk {
    pub(super) fn new(column: Column) -> Self {
        Self { column, count: 0, plain: Vec::new(), bits: 0, levels: Levels::default() }
    }

    /// What it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        self.plain.len() + self.levels.out.len()
    }

    /// Adds a value. One of another kind, or none where there must be one, is the kind's own nothing: the table of columns
    /// and that of values are held against each other by a test.
    pub(super) fn push(&mut self, value: Value) {
        self.count += 1;
        let there = !matches!(value, Value::Text(None) | Value::Int(None));
        if self.column.optional {
            self.levels.push(there);
        }
        if !there && self.column.optional {
            return;
        }
        match (self.column.kind, value) {
            (Kind::Text, Value::Text(text)) => self.text(&text.unwrap_or_default()),
            (Kind::Text, _) => self.text(""),
            (Kind::Int | Kind::Time, Value::Int(Some(n)) | Value::Time(n)) => self.number(n),
            (Kind::Int | Kind::Time, _) => self.number(0),
            (Kind::Flag, Value::Flag(flag)) => self.flag(flag),
            (Kind::Flag, _) => self.flag(false),
        }
    }

    fn text(&mut self, text: &str) {
        // A column of a row is far smaller than what 32 bits can say.
        let bytes = u32::try_from(text.len()).unwrap_or(0);
        self.plain.extend_from_slice(&bytes.to_le_bytes());
        self.plain.extend_from_slice(text.as_bytes().get(..bytes as usize).unwrap_or_default());
    }

    fn number(&mut self, number: u64) {
        self.plain.extend_from_slice(&signed(number).to_le_bytes());
    }

    fn flag(&mut self, flag: bool) {
        if self.bits == 0 {
            self.plain.push(0);
        }
        if let Some(last) = self.plain.last_mut() {
            *last |= u8::from(flag) << self.bits;
        }
        self.bits = (self.bits + 1) % 8;
    }

    /// Takes what was added as a page that will begin at `at`.
    pub(super) fn take(&mut self, at: u64) -> io::Result<(Vec<u8>, Written)> {
        let mut body = Vec::with_capacity(self.bytes() + 16);
        if self.column.optional {
            let levels = std::mem::take(&mut self.levels).end();
            let bytes = u32::try_from(levels.len()).map_err(io::Error::other)?;
            body.extend_from_slice(&bytes.to_le_bytes());
            body.extend_from_slice(&levels);
        }
        body.append(&mut self.plain);
        let compressed = zstd::bulk::compress(&body, LEVEL)?;
        let count = std::mem::take(&mut self.count);
        self.bits = 0;
        let mut page = head(body.len(), compressed.len(), count)?;
        let bytes = (page.len() + body.len()) as u64;
        page.extend_from_slice(&compressed);
        let written = Written { count, at, bytes, compressed: page.len() as u64 };
        Ok((page, written))
    }
}

/// `PageHeader`.
fn head(body: usize, compressed: usize, count: u64) -> io::Result<Vec<u8>> {
    let small = |n: u64| i32::try_from(n).map_err(io::Error::other);
    let mut t = Compact::default();
    // `PageType::DATA_PAGE`.
    t.i32(1, 0);
    t.i32(2, small(body as u64)?);
    t.i32(3, small(compressed as u64)?);
    t.begin(5);
    t.i32(1, small(count)?);
    t.i32(2, PLAIN);
    t.i32(3, RLE);
    t.i32(4, RLE);
    t.end();
    Ok(t.stop())
}

impl Levels {
    fn push(&mut self, there: bool) {
        if there != self.there {
            self.close();
            self.there = there;
        }
        self.run += 1;
    }

    fn close(&mut self) {
        if self.run > 0 {
            varint(self.run << 1, &mut self.out);
            self.out.push(u8::from(self.there));
            self.run = 0;
        }
    }

    fn end(mut self) -> Vec<u8> {
        self.close();
        self.out
    }
}

impl Written {
    /// `ColumnChunk`, as an element of a list.
    pub(super) fn describe(&self, column: Column, t: &mut Compact) {
        t.begin_element();
        t.i64(2, signed(self.at));
        t.begin(3);
        t.i32(1, column.physical());
        t.list(2, Wire::I32, 2);
        t.i32_element(PLAIN);
        t.i32_element(RLE);
        t.list(3, Wire::Text, 1);
        t.text_element(column.name);
        t.i32(4, ZSTD);
        t.i64(5, signed(self.count));
        t.i64(6, signed(self.bytes));
        t.i64(7, signed(self.compressed));
        t.i64(9, signed(self.at));
        t.end();
        t.end();
    }
}
