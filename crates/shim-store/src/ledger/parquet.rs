//! Rows as Apache Parquet: a flat table, one page a column and row group, values in plain encoding, pages compressed with
//! Zstandard. That much of the format is a few hundred lines; the crate for all of it brings ten others and a second
//! Zstandard, and takes a minute to build.
//!
//! Source: <https://github.com/apache/parquet-format> (`README.md`, `Encodings.md`, `src/main/thrift/parquet.thrift`), read
//! 2026-11-26.

mod chunk;
mod thrift;

#[cfg(test)]
mod tests;

use std::io::{self, Write};

use chunk::{Chunk, Written};
use thrift::{Compact, Kind as Wire};

use super::Row;
use super::row::CLASSES;

/// Rows of a group. What is held in memory is one group.
const GROUP_ROWS: u64 = 1 << 16;

/// Bytes of values after which a group ends, however few rows it has.
const GROUP_BYTES: usize = 16 << 20;

const MAGIC: &[u8; 4] = b"PAR1";

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// UTF-8.
    Text,
    /// A count or an amount: 64 bits.
    Int,
    /// Milliseconds since 1970, UTC.
    Time,
    Flag,
}

/// A column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Column {
    name: &'static str,
    kind: Kind,
    optional: bool,
}

/// A value of a column; `None` where the row has none.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Text(Option<String>),
    Int(Option<u64>),
    Time(u64),
    Flag(bool),
}

const fn column(name: &'static str, kind: Kind, optional: bool) -> Column {
    Column { name, kind, optional }
}

/// The columns before the classes of tokens.
const BEFORE: [Column; 25] = [
    column("exchange", Kind::Text, false),
    column("at", Kind::Time, false),
    column("generation", Kind::Int, false),
    column("dialect", Kind::Text, false),
    column("operation", Kind::Text, false),
    column("key", Kind::Text, true),
    column("team", Kind::Text, true),
    column("model", Kind::Text, false),
    column("target", Kind::Text, true),
    column("attempts", Kind::Int, false),
    column("status", Kind::Int, false),
    column("outcome", Kind::Text, false),
    column("reason", Kind::Text, true),
    column("fault", Kind::Text, true),
    column("detail", Kind::Text, true),
    column("streamed", Kind::Flag, false),
    column("cost_pico_usd", Kind::Int, true),
    column("cost_basis", Kind::Text, true),
    column("cost_unknown", Kind::Flag, false),
    column("delivered_pico_usd", Kind::Int, true),
    column("charged_pico_usd", Kind::Int, true),
    column("service", Kind::Text, true),
    column("region", Kind::Text, true),
    column("searches", Kind::Int, true),
    column("finish", Kind::Text, true),
];

/// The columns after them.
const AFTER: [Column; 8] = [
    column("request_bytes", Kind::Int, true),
    column("answer_bytes", Kind::Int, true),
    column("first_token_us", Kind::Int, true),
    column("duration_us", Kind::Int, true),
    column("client_id", Kind::Text, true),
    column("record", Kind::Text, false),
    column("losses", Kind::Text, true),
    column("failed", Kind::Text, true),
];

/// All columns, in order.
fn columns() -> Vec<Column> {
    let classes = CLASSES.map(|name| column(name, Kind::Int, true));
    [&BEFORE[..], &classes, &AFTER].concat()
}

/// The values of a row, in the order of the columns.
fn values(row: &Row) -> Vec<Value> {
    let some = |text: &str| Value::Text(Some(text.to_owned()));
    let text = |text: &Option<String>| Value::Text(text.clone());
    let json = |json: &Option<serde_json::Value>| Value::Text(json.as_ref().map(ToString::to_string));
    let (int, counted) = (|n: u64| Value::Int(Some(n)), row.usage);
    let mut values = vec![
        some(&row.id),
        Value::Time(row.at_ms),
        int(row.generation),
        some(&row.dialect),
        some(&row.operation),
        text(&row.key),
        text(&row.team),
        some(&row.model),
        text(&row.target),
        int(row.attempts),
        int(row.status),
        some(&row.outcome),
        text(&row.reason),
        text(&row.fault),
        text(&row.detail),
        Value::Flag(row.streamed),
        Value::Int(row.cost),
        text(&row.basis),
        Value::Flag(row.unknown),
        Value::Int(row.delivered()),
        Value::Int(row.charged),
        text(&row.service),
        text(&row.region),
        Value::Int(row.searches),
        text(&row.finish),
    ];
    values.extend((0..CLASSES.len()).map(|n| Value::Int(counted.and_then(|usage| usage.get(n).copied()))));
    values.extend([row.request_bytes, row.answer_bytes, row.first_token_us, row.duration_us].map(Value::Int));
    values.extend([text(&row.client_id), some(&row.record), json(&row.losses), json(&row.failed)]);
    values
}

/// Writes rows as a Parquet file, group by group.
#[derive(Debug)]
pub struct ParquetWriter<W: Write>(Table<W>);

impl<W: Write> ParquetWriter<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// When `out` does not take it.
    pub fn new(out: W) -> io::Result<Self> {
        Table::new(out, columns()).map(Self)
    }

    /// Adds a row.
    ///
    /// # Errors
    /// When `out` does not take it.
    pub fn add(&mut self, row: &Row) -> io::Result<()> {
        self.0.add(values(row))
    }

    /// Ends the file: without that it is none.
    ///
    /// # Errors
    /// When `out` does not take it.
    pub fn finish(self) -> io::Result<W> {
        self.0.finish()
    }
}

/// A table under way.
#[derive(Debug)]
struct Table<W: Write> {
    out: W,
    /// Bytes that were written.
    at: u64,
    columns: Vec<Column>,
    chunks: Vec<Chunk>,
    rows: u64,
    groups: Vec<Group>,
}

/// A row group that was written.
#[derive(Debug)]
struct Group {
    rows: u64,
    chunks: Vec<Written>,
}

impl<W: Write> Table<W> {
    fn new(mut out: W, columns: Vec<Column>) -> io::Result<Self> {
        out.write_all(MAGIC)?;
        let chunks = columns.iter().map(|column| Chunk::new(*column)).collect();
        Ok(Self { out, at: MAGIC.len() as u64, columns, chunks, rows: 0, groups: Vec::new() })
    }

    fn add(&mut self, values: Vec<Value>) -> io::Result<()> {
        for (chunk, value) in self.chunks.iter_mut().zip(values) {
            chunk.push(value);
        }
        self.rows += 1;
        let bytes: usize = self.chunks.iter().map(Chunk::bytes).sum();
        if self.rows >= GROUP_ROWS || bytes >= GROUP_BYTES { self.flush() } else { Ok(()) }
    }

    /// Writes what was added as a group.
    fn flush(&mut self) -> io::Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        let mut chunks = Vec::with_capacity(self.chunks.len());
        for chunk in &mut self.chunks {
            let (page, written) = chunk.take(self.at)?;
            self.out.write_all(&page)?;
            self.at += page.len() as u64;
            chunks.push(written);
        }
        self.groups.push(Group { rows: std::mem::take(&mut self.rows), chunks });
        Ok(())
    }

    fn finish(mut self) -> io::Result<W> {
        self.flush()?;
        let footer = self.footer();
        let bytes = u32::try_from(footer.len()).map_err(io::Error::other)?;
        self.out.write_all(&footer)?;
        self.out.write_all(&bytes.to_le_bytes())?;
        self.out.write_all(MAGIC)?;
        self.out.flush()?;
        Ok(self.out)
    }

    /// `FileMetaData`.
    fn footer(&self) -> Vec<u8> {
        let mut t = Compact::default();
        t.i32(1, 1);
        t.list(2, Wire::Struct, self.columns.len() + 1);
        t.begin_element();
        t.text(4, "exchanges");
        t.i32(5, i32::try_from(self.columns.len()).unwrap_or(i32::MAX));
        t.end();
        self.columns.iter().for_each(|column| column.describe(&mut t));
        t.i64(3, signed(self.groups.iter().map(|group| group.rows).sum()));
        t.list(4, Wire::Struct, self.groups.len());
        self.groups.iter().for_each(|group| group.describe(&self.columns, &mut t));
        t.text(6, "shim");
        t.stop()
    }
}

impl Column {
    /// `Type`.
    const fn physical(self) -> i32 {
        match self.kind {
            Kind::Flag => 0,
            Kind::Int | Kind::Time => 2,
            Kind::Text => 6,
        }
    }

    /// `SchemaElement`, as an element of a list.
    fn describe(self, t: &mut Compact) {
        t.begin_element();
        t.i32(1, self.physical());
        t.i32(3, i32::from(self.optional));
        t.text(4, self.name);
        match self.kind {
            Kind::Text => {
                // `ConvertedType::UTF8`, and `LogicalType::STRING` for those that know that one only.
                t.i32(6, 0);
                t.begin(10);
                t.begin(1);
                t.end();
                t.end();
            }
            Kind::Time => {
                // `ConvertedType::TIMESTAMP_MILLIS`, and `LogicalType::TIMESTAMP`, adjusted to UTC, in `MILLIS`.
                t.i32(6, 9);
                t.begin(10);
                t.begin(8);
                t.flag(1, true);
                t.begin(2);
                t.begin(1);
                t.end();
                t.end();
                t.end();
                t.end();
            }
            Kind::Int | Kind::Flag => {}
        }
        t.end();
    }
}

impl Group {
    /// `RowGroup`, as an element of a list.
    fn describe(&self, columns: &[Column], t: &mut Compact) {
        t.begin_element();
        t.list(1, Wire::Struct, self.chunks.len());
        for (column, chunk) in columns.iter().zip(&self.chunks) {
            chunk.describe(*column, t);
        }
        t.i64(2, signed(self.chunks.iter().map(|chunk| chunk.bytes).sum()));
        t.i64(3, signed(self.rows));
        t.end();
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
