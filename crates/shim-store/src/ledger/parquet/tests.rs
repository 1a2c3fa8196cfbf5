//! What is written is read back by a small reader of the format; `cargo xtask clients` has DuckDB read it too.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Column, Kind, MAGIC, Table, Value, columns, values};
use crate::ledger::tests::row;

/// A value of Thrift's compact protocol.
#[derive(Clone, Debug)]
enum Node {
    Int(i64),
    Text(Vec<u8>),
    Flag(bool),
    List(Vec<Node>),
    Struct(BTreeMap<u8, Node>),
}

struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap();
        self.0 = rest;
        *first
    }

    fn varint(&mut self) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let byte = self.byte();
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        value
    }

    fn zigzag(&mut self) -> i64 {
        let value = self.varint();
        (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
    }

    fn take(&mut self, bytes: usize) -> Vec<u8> {
        let (taken, rest) = self.0.split_at(bytes);
        self.0 = rest;
        taken.to_vec()
    }

    fn node(&mut self, kind: u8) -> Node {
        match kind {
            1 => Node::Flag(true),
            2 => Node::Flag(false),
            5 | 6 => Node::Int(self.zigzag()),
            8 => {
                let bytes = self.varint();
                Node::Text(self.take(usize::try_from(bytes).unwrap()))
            }
            9 => {
                let head = self.byte();
                let len = if head >> 4 == 15 { self.varint() } else { u64::from(head >> 4) };
                Node::List((0..len).map(|_| self.node(head & 15)).collect())
            }
            12 => {
                let (mut members, mut last) = (BTreeMap::new(), 0);
                loop {
                    let head = self.byte();
                    if head == 0 {
                        return Node::Struct(members);
                    }
                    last += head >> 4;
                    assert!(head >> 4 > 0, "fields come in order");
                    members.insert(last, self.node(head & 15));
                }
            }
            kind => panic!("no such kind {kind}"),
        }
    }
}

impl Node {
    fn get(&self, id: u8) -> &Self {
        let Self::Struct(members) = self else { panic!("{self:?} has no members") };
        members.get(&id).unwrap_or_else(|| panic!("{self:?} has no {id}"))
    }

    fn int(&self) -> u64 {
        let Self::Int(n) = self else { panic!("{self:?} is no number") };
        u64::try_from(*n).unwrap()
    }

    fn size(&self) -> usize {
        usize::try_from(self.int()).unwrap()
    }

    fn list(&self) -> &[Self] {
        let Self::List(list) = self else { panic!("{self:?} is no list") };
        list
    }

    fn text(&self) -> &str {
        let Self::Text(text) = self else { panic!("{self:?} is no text") };
        std::str::from_utf8(text).unwrap()
    }
}

/// Reads a file: the names of its columns, and its rows.
fn read(file: &[u8], of: &[Column]) -> Vec<Vec<Value>> {
    assert!(file.starts_with(MAGIC) && file.ends_with(MAGIC));
    let end = file.len() - 8;
    let bytes = u32::from_le_bytes(file[end..end + 4].try_into().unwrap()) as usize;
    let footer = Input(&file[end - bytes..end]).node(12);
    let schema = footer.get(2).list();
    assert_eq!(schema[0].get(5).size(), of.len());
    for (element, column) in schema[1..].iter().zip(of) {
        assert_eq!(element.get(4).text(), column.name);
        assert_eq!(element.get(3).int() == 1, column.optional);
        if column.kind == Kind::Time {
            assert!(matches!(element.get(10).get(8).get(1), Node::Flag(true)), "times are those of UTC");
        }
    }
    let mut rows = Vec::new();
    for group in footer.get(4).list() {
        let before = rows.len();
        rows.resize(before + group.get(3).size(), Vec::new());
        for (chunk, column) in group.get(1).list().iter().zip(of) {
            let meta = chunk.get(3);
            assert_eq!(meta.get(3).list()[0].text(), column.name);
            let page = &file[meta.get(9).size()..][..meta.get(7).size()];
            for (row, value) in rows[before..].iter_mut().zip(page_of(page, *column, meta.get(6).size())) {
                row.push(value);
            }
        }
        assert!(rows.iter().all(|row| row.len() == of.len()));
    }
    assert_eq!(footer.get(3).size(), rows.len());
    rows
}

/// The values of a page.
fn page_of(page: &[u8], column: Column, bytes: usize) -> Vec<Value> {
    let mut input = Input(page);
    let head = input.node(12);
    let (plain, count) = (head.get(2).size(), head.get(5).get(1).size());
    assert_eq!(input.0.len(), head.get(3).size());
    assert_eq!(page.len() - input.0.len() + plain, bytes, "the size uncompressed");
    let body = zstd::bulk::decompress(input.0, plain).unwrap();
    let mut input = Input(&body);
    let mut there = vec![true; count];
    if column.optional {
        let bytes = u32::from_le_bytes(input.take(4).try_into().unwrap()) as usize;
        let levels = input.take(bytes);
        there = levels_of(&levels);
        assert_eq!(there.len(), count);
    }
    let mut bits = 0;
    let mut value = |there: bool| match column.kind {
        Kind::Text if !there => Value::Text(None),
        Kind::Int if !there => Value::Int(None),
        Kind::Text => {
            let bytes = u32::from_le_bytes(input.take(4).try_into().unwrap()) as usize;
            Value::Text(Some(String::from_utf8(input.take(bytes)).unwrap()))
        }
        Kind::Int => Value::Int(Some(u64::from_le_bytes(input.take(8).try_into().unwrap()))),
        Kind::Time => Value::Time(u64::from_le_bytes(input.take(8).try_into().unwrap())),
        Kind::Flag => {
            let flag = input.0[bits / 8] >> (bits % 8) & 1 == 1;
            bits += 1;
            Value::Flag(flag)
        }
    };
    let values = there.into_iter().map(&mut value).collect();
    assert_eq!(input.0.len(), bits.div_ceil(8), "nothing is left");
    values
}

fn levels_of(levels: &[u8]) -> Vec<bool> {
    let (mut input, mut there) = (Input(levels), Vec::new());
    while !input.0.is_empty() {
        let head = input.varint();
        assert_eq!(head & 1, 0, "a run, not packed bits");
        let level = input.byte() == 1;
        there.extend(std::iter::repeat_n(level, usize::try_from(head >> 1).unwrap()));
    }
    there
}

const KINDS: [Column; 6] = [
    super::column("text", Kind::Text, false),
    super::column("maybe_text", Kind::Text, true),
    super::column("int", Kind::Int, false),
    super::column("maybe_int", Kind::Int, true),
    super::column("time", Kind::Time, false),
    super::column("flag", Kind::Flag, false),
];

fn any_row() -> impl Strategy<Value = Vec<Value>> {
    let number = 0..=i64::MAX as u64;
    let (text, maybe) = (".{0,20}", prop::option::of(".{0,20}"));
    (text, maybe, number.clone(), prop::option::of(number.clone()), number, any::<bool>()).prop_map(
        |(text, maybe_text, int, maybe_int, time, flag)| {
            vec![
                Value::Text(Some(text)),
                Value::Text(maybe_text),
                Value::Int(Some(int)),
                Value::Int(maybe_int),
                Value::Time(time),
                Value::Flag(flag),
            ]
        },
    )
}

proptest! {
    #[test]
    fn any_table_is_read_as_it_was_written(
        groups in prop::collection::vec(prop::collection::vec(any_row(), 0..40), 0..18),
    ) {
        let mut table = Table::new(Vec::new(), KINDS.to_vec()).unwrap();
        for rows in &groups {
            rows.iter().for_each(|row| table.add(row.clone()).unwrap());
            table.flush().unwrap();
        }
        let file = table.finish().unwrap();
        prop_assert_eq!(read(&file, &KINDS), groups.concat());
    }
}

#[test]
fn a_group_ends_where_its_rows_or_bytes_are_enough() {
    let row = |bytes: usize| {
        let text = "x".repeat(bytes);
        vec![
            Value::Text(Some(text)),
            Value::Text(None),
            Value::Int(Some(1)),
            Value::Int(None),
            Value::Time(2),
            Value::Flag(true),
        ]
    };
    let groups = |rows: u64, bytes: usize| {
        let mut table = Table::new(std::io::sink(), KINDS.to_vec()).unwrap();
        (0..rows).for_each(|_| table.add(row(bytes)).unwrap());
        (table.groups.len(), table.rows)
    };
    assert_eq!(groups(super::GROUP_ROWS + 3, 1), (1, 3));
    assert_eq!(groups(9, super::GROUP_BYTES / 4), (2, 1));
}

#[test]
fn a_row_of_the_ledger_has_a_value_of_its_kind_in_every_column() {
    let (row, columns) = (row(7), columns());
    let values = values(&row);
    assert_eq!(values.len(), columns.len());
    for (value, column) in values.iter().zip(&columns) {
        let fits = match (value, column.kind) {
            (Value::Text(text), Kind::Text) => column.optional || text.is_some(),
            (Value::Int(int), Kind::Int) => column.optional || int.is_some(),
            (Value::Time(_), Kind::Time) | (Value::Flag(_), Kind::Flag) => !column.optional,
            _ => false,
        };
        assert!(fits, "{column:?}: {value:?}");
    }
    let mut writer = super::ParquetWriter::new(Vec::new()).unwrap();
    (0..3).for_each(|_| writer.add(&row).unwrap());
    let file = writer.finish().unwrap();
    assert_eq!(read(&file, &columns), vec![values; 3]);
    let names: Vec<_> = columns.iter().map(|column| column.name).collect();
    let csv = crate::ledger::csv_columns();
    for name in csv.split(',') {
        assert!(names.contains(&name), "{name} of the CSV is there too");
    }
}
