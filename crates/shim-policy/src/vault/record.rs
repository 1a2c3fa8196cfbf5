//! What is kept, as bytes: for the store.
//!
//! Fields follow each other without names; each text is its length, as a varint, and its bytes. The first byte is the
//! version. Reading is total: bytes that this did not write give an error.

use shim_ir::{
    Dialect, Executor, Foreign, Opaque, OpaqueKind, Part, Reasoning, Rest, ServerResult, ToolCall,
    ToolCallKind,
};
use shim_wire::RawJson;
use thiserror::Error;

use super::kept::{Kept, Piece};
use super::origin::Origin;

/// Why bytes are no record.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the record cannot be read")]
pub struct RecordError;

const VERSION: u8 = 2;

/// The bytes of what is kept.
#[must_use]
pub fn write(kept: &Kept) -> Vec<u8> {
    let mut out = vec![VERSION];
    for text in [&kept.origin.provider, &kept.origin.account, &kept.origin.family] {
        put(&mut out, text);
    }
    for piece in &kept.pieces {
        match piece {
            Piece::Reasoning(reasoning) => {
                out.push(1);
                put_maybe(&mut out, reasoning.id.as_deref());
                put_list(&mut out, &reasoning.text);
                put_list(&mut out, &reasoning.summary);
                put_opaque(&mut out, &reasoning.opaque);
                put_rest(&mut out, &reasoning.rest);
            }
            Piece::Text { opaque, bytes } => {
                out.push(2);
                put_opaque(&mut out, opaque);
                put_number(&mut out, *bytes);
            }
            Piece::Call { name, item, opaque } => {
                out.push(3);
                put(&mut out, name);
                put_maybe(&mut out, item.as_deref());
                put_opaque(&mut out, opaque);
            }
            Piece::Own(part) => put_own(&mut out, part),
        }
    }
    out
}

/// A part that only its dialect has. Of all others nothing is kept this way.
fn put_own(out: &mut Vec<u8>, part: &Part) {
    match part {
        Part::ToolCall(call) => {
            out.push(4);
            put(out, &call.id);
            put_maybe(out, call.item.as_deref());
            put(out, &call.name);
            put(out, &call.arguments);
            put(out, word_of(&call.kind));
            put_opaque(out, &call.opaque);
            put_rest(out, &call.rest);
        }
        Part::ServerResult(result) => {
            out.push(5);
            for text in [&result.call, &result.kind, result.raw.get(), result.origin.name()] {
                put(out, text);
            }
        }
        Part::Foreign(foreign) => {
            out.push(6);
            for text in [&foreign.kind, foreign.raw.get(), foreign.dialect.name()] {
                put(out, text);
            }
        }
        Part::Text(_) | Part::Refusal(_) | Part::Media(_) | Part::Reasoning(_) | Part::ToolResult(_) => {}
    }
}

/// The kind of a call in a word: a provider's own, which none of them begins with a space, or one of ours.
fn word_of(kind: &ToolCallKind) -> &str {
    match kind {
        ToolCallKind::Function => " function",
        ToolCallKind::Custom => " custom",
        ToolCallKind::Native(word) => word,
    }
}

/// What bytes tell that [`write`] made.
///
/// # Errors
/// When it did not.
pub fn read(bytes: &[u8]) -> Result<Kept, RecordError> {
    let mut from = Reader(bytes);
    if from.byte()? != VERSION {
        return Err(RecordError);
    }
    let origin = Origin { provider: from.text()?, account: from.text()?, family: from.text()? };
    let mut pieces = Vec::new();
    while !from.0.is_empty() {
        pieces.push(from.piece()?);
    }
    Ok(Kept { origin, pieces })
}

fn put_number(out: &mut Vec<u8>, mut number: usize) {
    loop {
        let low = u8::try_from(number & 0x7f).unwrap_or_default();
        number >>= 7;
        if number == 0 {
            return out.push(low);
        }
        out.push(low | 0x80);
    }
}

fn put(out: &mut Vec<u8>, text: &str) {
    put_number(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

fn put_maybe(out: &mut Vec<u8>, text: Option<&str>) {
    out.push(u8::from(text.is_some()));
    text.into_iter().for_each(|text| put(out, text));
}

fn put_list(out: &mut Vec<u8>, list: &[String]) {
    put_number(out, list.len());
    list.iter().for_each(|text| put(out, text));
}

fn put_opaque(out: &mut Vec<u8>, list: &[Opaque]) {
    put_number(out, list.len());
    for opaque in list {
        out.push(number_of(opaque.kind));
        put(out, &opaque.value);
    }
}

fn put_rest(out: &mut Vec<u8>, rest: &Rest) {
    put_maybe(out, rest.origin().map(Dialect::name));
    put_number(out, rest.members().len());
    for (key, value) in rest.members() {
        put(out, key);
        put(out, value.get());
    }
}

const KINDS: [OpaqueKind; 5] = [
    OpaqueKind::Signature,
    OpaqueKind::Redacted,
    OpaqueKind::Encrypted,
    OpaqueKind::ThoughtSignature,
    OpaqueKind::Details,
];

fn number_of(kind: OpaqueKind) -> u8 {
    match kind {
        OpaqueKind::Signature => 0,
        OpaqueKind::Redacted => 1,
        OpaqueKind::Encrypted => 2,
        OpaqueKind::ThoughtSignature => 3,
        OpaqueKind::Details => 4,
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Result<u8, RecordError> {
        let (first, rest) = self.0.split_first().ok_or(RecordError)?;
        self.0 = rest;
        Ok(*first)
    }

    fn number(&mut self) -> Result<usize, RecordError> {
        let mut number = 0_usize;
        for place in (0..).step_by(7).take(5) {
            let byte = self.byte()?;
            number |= usize::from(byte & 0x7f) << place;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(RecordError)
    }

    fn borrowed(&mut self) -> Result<&'a str, RecordError> {
        let length = self.number()?;
        let (text, rest) = self.0.split_at_checked(length).ok_or(RecordError)?;
        self.0 = rest;
        std::str::from_utf8(text).map_err(|_| RecordError)
    }

    fn text(&mut self) -> Result<String, RecordError> {
        self.borrowed().map(str::to_owned)
    }

    fn maybe(&mut self) -> Result<Option<String>, RecordError> {
        match self.byte()? {
            0 => Ok(None),
            1 => self.text().map(Some),
            _ => Err(RecordError),
        }
    }

    /// A list; each entry takes a byte at least, so a length beyond what is left is none.
    fn list<T>(
        &mut self,
        entry: impl Fn(&mut Self) -> Result<T, RecordError>,
    ) -> Result<Vec<T>, RecordError> {
        let length = self.number()?;
        if length > self.0.len() {
            return Err(RecordError);
        }
        (0..length).map(|_| entry(self)).collect()
    }

    fn opaque(&mut self) -> Result<Vec<Opaque>, RecordError> {
        self.list(|from| {
            let kind = KINDS.get(usize::from(from.byte()?)).copied().ok_or(RecordError)?;
            Ok(Opaque { kind, value: from.text()? })
        })
    }

    fn rest(&mut self) -> Result<Rest, RecordError> {
        let origin = self.maybe()?;
        let member = |from: &mut Self| {
            let key = from.borrowed()?.into();
            Ok((key, from.raw()?))
        };
        let members = self.list(member)?;
        match origin {
            None if members.is_empty() => Ok(Rest::default()),
            None => Err(RecordError),
            Some(name) => Ok(Rest::from_owned(name.parse().map_err(|_| RecordError)?, members)),
        }
    }

    fn piece(&mut self) -> Result<Piece, RecordError> {
        Ok(match self.byte()? {
            1 => Piece::Reasoning(Reasoning {
                id: self.maybe()?,
                text: self.list(Self::text)?,
                summary: self.list(Self::text)?,
                opaque: self.opaque()?,
                rest: self.rest()?,
            }),
            2 => Piece::Text { opaque: self.opaque()?, bytes: self.number()? },
            3 => Piece::Call { name: self.text()?, item: self.maybe()?, opaque: self.opaque()? },
            4 => Piece::Own(Part::ToolCall(self.call()?)),
            5 => Piece::Own(Part::ServerResult(ServerResult {
                call: self.text()?,
                kind: self.text()?,
                raw: self.raw()?,
                origin: self.dialect()?,
            })),
            6 => Piece::Own(Part::Foreign(Foreign {
                kind: self.text()?,
                raw: self.raw()?,
                dialect: self.dialect()?,
            })),
            _ => return Err(RecordError),
        })
    }

    fn call(&mut self) -> Result<ToolCall, RecordError> {
        Ok(ToolCall {
            id: self.text()?,
            item: self.maybe()?,
            name: self.text()?,
            arguments: self.text()?,
            kind: match self.borrowed()? {
                " function" => ToolCallKind::Function,
                " custom" => ToolCallKind::Custom,
                word => ToolCallKind::Native(word.to_owned()),
            },
            executor: Executor::Provider,
            opaque: self.opaque()?,
            cache: None,
            rest: self.rest()?,
        })
    }

    fn raw(&mut self) -> Result<RawJson, RecordError> {
        RawJson::parse(self.borrowed()?).map_err(|_| RecordError)
    }

    fn dialect(&mut self) -> Result<Dialect, RecordError> {
        self.borrowed()?.parse().map_err(|_| RecordError)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use shim_ir::{
        Dialect, Executor, Foreign, Opaque, Part, Reasoning, Rest, ServerResult, ToolCall, ToolCallKind,
    };
    use shim_wire::RawJson;

    use super::{KINDS, read, write};
    use crate::vault::{Kept, Origin, Piece};

    fn opaque() -> impl Strategy<Value = Vec<Opaque>> {
        let one = (0..KINDS.len(), ".*").prop_map(|(kind, value)| Opaque { kind: KINDS[kind], value });
        proptest::collection::vec(one, 0..3)
    }

    fn rest() -> impl Strategy<Value = Rest> {
        let member = ("[a-z]{1,4}", ".*").prop_map(|(key, text)| (key.into(), RawJson::string(&text)));
        proptest::collection::vec(member, 0..3)
            .prop_map(|members| Rest::from_owned(Dialect::OpenaiChat, members))
    }

    fn piece() -> impl Strategy<Value = Piece> {
        let texts = || proptest::collection::vec(".*", 0..3);
        let reasoning = (proptest::option::of(".*"), texts(), texts(), opaque(), rest()).prop_map(
            |(id, text, summary, opaque, rest)| {
                Piece::Reasoning(Reasoning { id, text, summary, opaque, rest })
            },
        );
        let call = (".*", proptest::option::of(".*"), opaque())
            .prop_map(|(name, item, opaque)| Piece::Call { name, item, opaque });
        let text = (opaque(), any::<u32>())
            .prop_map(|(opaque, bytes)| Piece::Text { opaque, bytes: bytes as usize });
        prop_oneof![reasoning, text, call, own().prop_map(Piece::Own)]
    }

    fn own() -> impl Strategy<Value = Part> {
        let raw = || ".*".prop_map(|text: String| RawJson::string(&text));
        let kind = prop_oneof![
            Just(ToolCallKind::Function),
            Just(ToolCallKind::Custom),
            "[a-z_]*".prop_map(ToolCallKind::Native),
        ];
        let call = (".*", proptest::option::of(".*"), ".*", ".*", kind, opaque(), rest()).prop_map(
            |(id, item, name, arguments, kind, opaque, rest)| {
                let executor = Executor::Provider;
                Part::ToolCall(ToolCall {
                    id,
                    item,
                    name,
                    arguments,
                    kind,
                    executor,
                    opaque,
                    cache: None,
                    rest,
                })
            },
        );
        let result = (".*", ".*", raw()).prop_map(|(call, kind, raw)| {
            Part::ServerResult(ServerResult { call, kind, raw, origin: Dialect::Anthropic })
        });
        let foreign = (".*", raw())
            .prop_map(|(kind, raw)| Part::Foreign(Foreign { dialect: Dialect::OpenaiResponses, kind, raw }));
        prop_oneof![call, result, foreign]
    }

    fn kept() -> impl Strategy<Value = Kept> {
        ((".*", ".*", ".*"), proptest::collection::vec(piece(), 0..6)).prop_map(
            |((provider, account, family), pieces)| Kept {
                origin: Origin { provider, account, family },
                pieces,
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_kept_is_read_as_it_was_written(kept in kept()) {
            prop_assert_eq!(read(&write(&kept)), Ok(kept));
        }

        #[test]
        fn any_bytes_are_a_record_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = read(&bytes);
        }
    }
}
