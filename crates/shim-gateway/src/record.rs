//! What of an exchange is recorded, and what is kept of it on the way: nothing but references to bytes that pass.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use shim_config::Config;
use shim_ir::{KeyId, PicoUsd};
use shim_policy::access::MadeKey;
use shim_policy::record::Record;
use shim_store::ledger::{Admission, Exchange, Kept, Receipt};
use shim_telemetry::Settled;

use crate::shared::Shared;

/// The header with which a client asks for less to be recorded.
const RECORD: &str = "x-shim-record";

/// Who says how much is recorded: the strictest wins.
#[derive(Clone, Debug)]
pub struct Recording {
    /// Of everything.
    pub all: Record,
    /// Of what is asked for under an alias.
    pub aliases: BTreeMap<String, Record>,
    /// Of what is asked with a key.
    pub keys: BTreeMap<String, Record>,
    /// Most bytes kept of one body.
    pub body_bytes_max: usize,
}

impl Default for Recording {
    fn default() -> Self {
        Self::of(&Config::default(), &[])
    }
}

impl Recording {
    /// What a configuration and the keys that were made say.
    #[must_use]
    pub fn of(config: &Config, made: &[MadeKey]) -> Self {
        let aliases = config.aliases.iter().filter_map(|(name, a)| Some((name.to_string(), a.record?)));
        let made = made.iter().map(|key| (&key.id, &key.grant));
        let keys = made.chain(config.keys.iter().map(|(id, key)| (id, &key.grant)));
        let keys = keys.filter_map(|(id, grant)| Some((id.to_string(), grant.record?)));
        Self {
            all: config.record,
            aliases: aliases.collect(),
            keys: keys.collect(),
            body_bytes_max: config.ledger.record_bytes_max,
        }
    }

    /// What holds for a request with these headers, whoever asks for whatever. A word that is none asks for `off`: who
    /// misspells it wants less, not more.
    fn asked(&self, headers: &HeaderMap) -> Record {
        let words = headers.get_all(RECORD).iter();
        let asked = words.map(|word| word.to_str().ok().and_then(Record::parse).unwrap_or(Record::Off));
        self.all.tightened(asked.min())
    }
}

/// What is kept of one exchange until it is settled.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    /// How much may be recorded; `None` until the request's headers were looked at, and then no more than usage.
    record: Option<Record>,
    /// Whether bodies are kept.
    keeps: bool,
    bytes_max: usize,
    request: Kept,
    answer: Capture,
    team: Option<Arc<str>>,
    reserved: PicoUsd,
}

impl Recorder {
    /// Looks at the headers of a request.
    pub(crate) fn asked(&mut self, recording: &Recording, headers: &HeaderMap) {
        self.record = Some(recording.asked(headers));
    }

    /// Takes the request, as far as it may be recorded: `model` as the client named it.
    pub(crate) fn takes(
        &mut self,
        (recording, shared): (&Recording, &Shared),
        model: &str,
        key: Option<&KeyId>,
        body: &Bytes,
    ) {
        let alias = recording.aliases.get(model).copied();
        let key = key.and_then(|key| recording.keys.get(key.as_str())).copied();
        let record = self.record.unwrap_or(Record::Usage).tightened(alias).tightened(key);
        self.record = Some(record);
        self.keeps = record == Record::Full && shared.ledger().is_some();
        self.bytes_max = recording.body_bytes_max;
        if self.keeps {
            self.request = beginning(body, self.bytes_max);
        }
    }

    /// Whether bodies are kept.
    pub(crate) fn keeps(&self) -> bool {
        self.keeps
    }

    /// How much may be recorded, as far as it is known.
    pub(crate) fn record(&self) -> Record {
        self.record.unwrap_or(Record::Usage)
    }

    /// Notes whose team asks.
    pub(crate) fn counts_with(&mut self, team: Option<&str>) {
        self.team = team.map(Arc::from);
    }

    /// Notes what was set aside for the exchange.
    pub(crate) fn reserves(&mut self, reserved: PicoUsd) {
        self.reserved = reserved;
    }

    /// Keeps a piece of the answer that goes to the client.
    pub(crate) fn passes(&mut self, piece: &Bytes) {
        if self.keeps {
            self.answer.add(piece, self.bytes_max);
        }
    }

    /// Tells the ledger that the exchange is admitted.
    pub(crate) fn admitted(&self, shared: &Shared, record: &Settled) -> Receipt {
        let Some(ledger) = shared.ledger() else { return Receipt::ready() };
        ledger.admitted(Admission {
            id: record.id,
            at_ms: record.at_ms,
            key: record.key.clone(),
            model: record.model.clone(),
            reserved: self.reserved,
        })
    }

    /// Tells the ledger what became of it.
    pub(crate) fn settled(&mut self, shared: &Shared, settled: &Settled) -> Receipt {
        let Some(ledger) = shared.ledger() else { return Receipt::ready() };
        ledger.settled(Box::new(Exchange {
            settled: settled.clone(),
            team: self.team.take(),
            client_id: settled.client_id.as_deref().map(Arc::from),
            record: self.record.unwrap_or(Record::Usage),
            request: std::mem::take(&mut self.request),
            answer: std::mem::take(&mut self.answer).kept(),
        }))
    }

    /// Whether somebody asked that nothing of what was said be kept: messages of faults may quote it.
    pub(crate) fn is_quiet(&self) -> bool {
        self.record.is_some_and(|record| record < Record::Full)
    }
}

/// A body, or its beginning. A part is copied: it would hold on to the whole.
fn beginning(body: &Bytes, bytes_max: usize) -> Kept {
    match body.get(..bytes_max) {
        Some(part) if part.len() < body.len() => {
            Kept { pieces: vec![Bytes::copy_from_slice(part)], cut: true }
        }
        _ => Kept { pieces: vec![body.clone()], cut: false },
    }
}

/// Pieces smaller than this are copied: a reference takes more room, and holds on to what it was cut from.
const COPIED_BYTES_MAX: usize = 512;

/// The pieces of an answer as they pass.
#[derive(Debug, Default)]
struct Capture {
    pieces: Vec<Bytes>,
    small: Vec<u8>,
    bytes: usize,
    cut: bool,
}

impl Capture {
    fn add(&mut self, piece: &Bytes, bytes_max: usize) {
        let room = bytes_max.saturating_sub(self.bytes).min(piece.len());
        self.cut |= room < piece.len();
        self.bytes += room;
        if room <= COPIED_BYTES_MAX || room < piece.len() {
            self.small.extend_from_slice(piece.get(..room).unwrap_or_default());
        } else {
            self.flush();
            self.pieces.push(piece.clone());
        }
    }

    fn flush(&mut self) {
        if !self.small.is_empty() {
            self.pieces.push(std::mem::take(&mut self.small).into());
        }
    }

    fn kept(mut self) -> Kept {
        self.flush();
        Kept { pieces: self.pieces, cut: self.cut }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderMap;
    use proptest::prelude::*;
    use shim_policy::record::Record;

    use super::{Capture, Recording, beginning};

    proptest! {
        #[test]
        fn what_is_kept_is_the_beginning_of_what_passed(
            sizes in prop::collection::vec(0usize..2000, 0..20), bytes_max in 1usize..6000,
        ) {
            let mut capture = Capture::default();
            let mut whole = Vec::new();
            for (n, size) in sizes.iter().enumerate() {
                let piece = Bytes::from(vec![u8::try_from(n).unwrap(); *size]);
                capture.add(&piece, bytes_max);
                whole.extend_from_slice(&piece);
            }
            let kept = capture.kept();
            let wanted = &whole[..bytes_max.min(whole.len())];
            prop_assert_eq!(kept.pieces.concat(), wanted);
            prop_assert_eq!(kept.cut, whole.len() > bytes_max);
            let request = beginning(&Bytes::from(whole.clone()), bytes_max);
            prop_assert_eq!(request.pieces.concat(), wanted);
            prop_assert_eq!(request.cut, whole.len() > bytes_max);
        }
    }

    #[test]
    fn a_client_asks_for_less_and_never_for_more() {
        let asked = |all: Record, words: &[&'static str]| {
            let headers: HeaderMap = words
                .iter()
                .map(|word| (http::HeaderName::from_static("x-shim-record"), word.parse().unwrap()))
                .collect();
            Recording { all, ..Recording::default() }.asked(&headers)
        };
        assert_eq!(asked(Record::Full, &[]), Record::Full);
        assert_eq!(asked(Record::Full, &["usage"]), Record::Usage);
        assert_eq!(asked(Record::Usage, &["full"]), Record::Usage);
        assert_eq!(asked(Record::Full, &["full", "off"]), Record::Off);
        assert_eq!(asked(Record::Full, &["of"]), Record::Off);
    }
}
