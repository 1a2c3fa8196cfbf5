//! Bodies, many in one compressed segment: prompts of one application have long beginnings in common, and a segment costs
//! one row.
//!
//! Zstandard at its first level, by measurement over recorded traffic in segments of 256 KiB (2 cores, 2026-11-26): ratio
//! 3.2 at 646 MB/s, where LZ4 has 2.2 at 807 MB/s and level 3 has 3.2 at 366 MB/s. A third less disk for a fifth more time.
//!
//! Of a request that begins like one before it in the segment only the rest is compressed: to compare takes a third of the
//! time, and with instructions and tools that stand before what is asked, as everybody is told to have them for the sake of
//! the provider's cache, that is most of a request.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, params};
use zstd::bulk::Compressor;
use zstd::zstd_safe::{CParameter, get_frame_content_size};

use super::entry::{Exchange, Kept};

/// A segment is closed when so many bytes of it are to be compressed.
const SEGMENT_BYTES: usize = 256 << 10;

/// A segment is closed when it holds so many bytes, those that were told before included: all of it is read for any of it.
const SEGMENT_BYTES_ALL: usize = 1 << 20;

/// Bytes that are compared at once: a beginning in common is a multiple of it.
const COMPARED_BYTES: usize = 512;

/// How many requests of a segment others may begin like.
const MODELS_MAX: usize = 4;

/// What the data of a segment begins with in which bodies begin like others.
const SHARED: &[u8; 4] = b"shr1";

/// The level of compression.
const LEVEL: i32 = 1;

/// The most bytes a segment may claim to hold: one that claims more is damaged.
const CLAIM_BYTES_MAX: i64 = 1 << 30;

/// Where the bodies of a row are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) segment: i64,
    pub(super) at: usize,
    pub(super) request: usize,
    pub(super) answer: usize,
}

/// Segments as they fill.
pub(super) struct Packer {
    compressor: Compressor<'static>,
    open: Open,
    /// The number of the open segment.
    segment: i64,
    /// Those that are full: number, first row, bytes, data.
    full: Vec<(i64, i64, usize, Vec<u8>)>,
}

/// A segment that fills.
#[derive(Default)]
struct Open {
    first_row: i64,
    /// Bytes it holds.
    bytes: usize,
    /// Those of them that no step gives.
    told: Vec<u8>,
    steps: Vec<Step>,
    /// How many of those told stand before the last step.
    before: usize,
    /// Requests that others may begin like, with where they are.
    models: Vec<(usize, Bytes)>,
    /// Which of them gives way to the next.
    oldest: usize,
}

/// Some bytes that are told, and behind them some that stand in the segment already.
struct Step {
    told: usize,
    from: usize,
    bytes: usize,
}

impl Packer {
    /// A packer.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub(super) fn new() -> std::io::Result<Self> {
        let mut compressor = Compressor::new(LEVEL)?;
        compressor.set_parameter(CParameter::ChecksumFlag(true))?;
        Ok(Self { compressor, open: Open::default(), segment: 0, full: Vec::new() })
    }

    /// Begins anew, with this number for the next segment. What an earlier transaction left is forgotten.
    pub(super) fn begin(&mut self, segment: i64) {
        self.open.clear();
        self.full.clear();
        self.segment = segment;
    }

    /// Takes the bodies of a row; `None` where there are none.
    pub(super) fn add(&mut self, row: i64, exchange: &Exchange) -> std::io::Result<Option<Place>> {
        let (request, answer) = (exchange.request.len(), exchange.answer.len());
        if request + answer == 0 {
            return Ok(None);
        }
        if self.open.bytes == 0 {
            self.open.first_row = row;
        }
        let place = Place { segment: self.segment, at: self.open.bytes, request, answer };
        self.open.asks(&exchange.request);
        exchange.answer.pieces.iter().for_each(|piece| self.open.tell(piece));
        if self.open.told.len() >= SEGMENT_BYTES || self.open.bytes >= SEGMENT_BYTES_ALL {
            self.seal()?;
        }
        Ok(Some(place))
    }

    fn seal(&mut self) -> std::io::Result<()> {
        let data = if self.open.steps.is_empty() {
            self.compressor.compress(&self.open.told)?
        } else {
            self.open.end_with_steps();
            [SHARED.as_slice(), &self.compressor.compress(&self.open.told)?].concat()
        };
        self.full.push((self.segment, self.open.first_row, self.open.bytes, data));
        self.segment += 1;
        self.open.clear();
        Ok(())
    }

    /// Writes the segments; the number of the next.
    pub(super) fn write(&mut self, connection: &Connection) -> rusqlite::Result<i64> {
        if self.open.bytes > 0 {
            self.seal().map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))?;
        }
        let sql = "INSERT INTO segments (segment, first_row, bytes, data) VALUES (?1, ?2, ?3, ?4)";
        let mut statement = connection.prepare_cached(sql)?;
        for (segment, first_row, bytes, data) in self.full.drain(..) {
            statement.execute(params![segment, first_row, size(bytes), data])?;
        }
        Ok(self.segment)
    }
}

impl Open {
    fn clear(&mut self) {
        let mut told = std::mem::take(&mut self.told);
        told.clear();
        told.shrink_to(2 * SEGMENT_BYTES);
        *self = Self { told, ..Self::default() };
    }

    fn tell(&mut self, bytes: &[u8]) {
        self.told.extend_from_slice(bytes);
        self.bytes += bytes.len();
    }

    /// Takes a request. It is compared with those before it where it is in one piece, as those are that are not streamed.
    fn asks(&mut self, request: &Kept) {
        let [piece] = request.pieces.as_slice() else {
            return request.pieces.iter().for_each(|piece| self.tell(piece));
        };
        let at = self.bytes;
        let (from, shared) = self.like(piece);
        if shared > 0 {
            let told = self.told.len() - std::mem::replace(&mut self.before, self.told.len());
            self.steps.push(Step { told, from, bytes: shared });
            self.bytes += shared;
        }
        self.tell(piece.get(shared..).unwrap_or_default());
        if piece.len() >= 2 * shared.max(COMPARED_BYTES) {
            self.is_model(at, piece);
        }
    }

    /// Where the request stands that `piece` begins like, and for how many bytes. The first that gives most of it will do.
    fn like(&self, piece: &[u8]) -> (usize, usize) {
        let mut best = (0, 0);
        for (at, model) in &self.models {
            let shared = in_common(model, piece);
            if shared > best.1 {
                best = (*at, shared);
            }
            if shared > piece.len() / 2 {
                break;
            }
        }
        best
    }

    fn is_model(&mut self, at: usize, piece: &Bytes) {
        let model = (at, piece.clone());
        match self.models.get_mut(self.oldest) {
            Some(oldest) => *oldest = model,
            None => self.models.push(model),
        }
        self.oldest = (self.oldest + 1) % MODELS_MAX;
    }

    /// Puts the steps behind what is told, and how many they are: three numbers of four bytes each, the lowest byte first.
    fn end_with_steps(&mut self) {
        // A segment is far smaller than four gigabytes.
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes();
        for Step { told, from, bytes } in &self.steps {
            [*told, *from, *bytes].into_iter().for_each(|n| self.told.extend_from_slice(&number(n)));
        }
        self.told.extend_from_slice(&number(self.steps.len()));
    }
}

/// How many bytes two texts begin with in common, but for the last few.
fn in_common(one: &[u8], other: &[u8]) -> usize {
    let (one, _) = one.as_chunks::<COMPARED_BYTES>();
    let (other, _) = other.as_chunks::<COMPARED_BYTES>();
    one.iter().zip(other).take_while(|(one, other)| one == other).count() * COMPARED_BYTES
}

/// A size as a column holds it.
pub(super) fn size(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// Why a body is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gone {
    /// Its segment made room for younger ones.
    Trimmed,
    /// Its segment cannot be read.
    Damaged,
}

/// Request and answer.
pub(super) type Bodies<'s> = (&'s [u8], &'s [u8]);

/// The segment last read: neighbours are read one after the other.
#[derive(Debug, Default)]
pub(super) struct Segments(Option<(i64, Result<Vec<u8>, Gone>)>);

impl Segments {
    /// Request and answer at `place`.
    pub(super) fn bodies(
        &mut self,
        connection: &Connection,
        place: &Place,
    ) -> rusqlite::Result<Result<Bodies<'_>, Gone>> {
        if self.0.as_ref().is_none_or(|(segment, _)| *segment != place.segment) {
            self.0 = Some((place.segment, segment(connection, place.segment)?));
        }
        let Some((_, Ok(bytes))) = &self.0 else {
            let gone = self.0.as_ref().and_then(|(_, bytes)| bytes.as_ref().err().copied());
            return Ok(Err(gone.unwrap_or(Gone::Damaged)));
        };
        let request = bytes.get(place.at..place.at + place.request);
        let answer = bytes.get(place.at + place.request..place.at + place.request + place.answer);
        Ok(match (request, answer) {
            (Some(request), Some(answer)) => Ok((request, answer)),
            _ => Err(Gone::Damaged),
        })
    }
}

fn segment(connection: &Connection, segment: i64) -> rusqlite::Result<Result<Vec<u8>, Gone>> {
    let sql = "SELECT bytes, data FROM segments WHERE segment = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement.query_row([segment], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?)));
    let Some((bytes, data)) = found.optional()? else { return Ok(Err(Gone::Trimmed)) };
    let bytes = usize::try_from(bytes.min(CLAIM_BYTES_MAX)).unwrap_or(0);
    Ok(read(&data, bytes).ok_or(Gone::Damaged))
}

/// The bodies of a segment, which says that there are so many `bytes`; `None` where it is damaged.
fn read(data: &[u8], bytes: usize) -> Option<Vec<u8>> {
    let Some(frame) = data.strip_prefix(SHARED) else { return zstd::bulk::decompress(data, bytes).ok() };
    let told = i64::try_from(get_frame_content_size(frame).ok()??).ok()?;
    let told = usize::try_from(told.min(CLAIM_BYTES_MAX)).ok()?;
    together(&zstd::bulk::decompress(frame, told).ok()?, bytes)
}

/// Puts what is told and what the steps behind it give together.
fn together(told: &[u8], bytes: usize) -> Option<Vec<u8>> {
    let number = |bytes: [u8; 4]| usize::try_from(u32::from_le_bytes(bytes)).ok();
    let (told, steps) = told.split_last_chunk()?;
    let steps = number(*steps)?;
    let (mut told, steps) = told.split_at_checked(told.len().checked_sub(steps.checked_mul(12)?)?)?;
    let mut all = Vec::with_capacity(bytes.min(2 * SEGMENT_BYTES_ALL));
    for step in steps.as_chunks::<12>().0 {
        let [from, shared] = [4, 8].map(|at| step.get(at..).and_then(<[u8]>::first_chunk));
        let (length, from, shared) = (number(*step.first_chunk()?)?, number(*from?)?, number(*shared?)?);
        all.extend_from_slice(told.split_off(..length)?);
        let end = from.checked_add(shared).filter(|end| *end <= all.len() && all.len() + shared <= bytes)?;
        all.extend_from_within(from..end);
    }
    all.extend_from_slice(told);
    (all.len() == bytes).then_some(all)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;
    use rusqlite::Connection;

    use super::{COMPARED_BYTES, Packer, SEGMENT_BYTES, SEGMENT_BYTES_ALL, SHARED, Segments, together};
    use crate::ledger::Kept;
    use crate::ledger::tests::exchange;

    /// A body that begins with so many bytes like all of its `kind`, and then says something of its own.
    fn body(n: usize, kind: u8, [like, own, pieces]: [usize; 3]) -> Kept {
        let words = |what: u8| (0..).flat_map(move |n| format!("{what} says {n} and ").into_bytes());
        let own = (n..).flat_map(|n| format!("{n} or ").into_bytes()).take(own);
        let all: Vec<u8> = words(kind).take(like).chain(own).collect();
        let each = all.len().div_ceil(pieces).max(1);
        Kept { pieces: all.chunks(each).map(Bytes::copy_from_slice).collect(), cut: false }
    }

    fn bodies() -> impl Strategy<Value = (u8, [usize; 3], [usize; 3])> {
        let size = || prop_oneof![0..40usize, 400..1100usize, 1000..9000usize, 60_000..70_000usize];
        let sizes = || (size(), size(), 1..3usize).prop_map(|(like, own, pieces)| [like, own, pieces]);
        (0..6u8, sizes(), sizes())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn bodies_are_read_as_they_were_whatever_they_begin_like(
            batches in prop::collection::vec(prop::collection::vec(bodies(), 1..30), 1..4),
        ) {
            let connection = Connection::open_in_memory().unwrap();
            let sql = "CREATE TABLE segments (segment INTEGER PRIMARY KEY, first_row, bytes, data BLOB)";
            connection.execute(sql, []).unwrap();
            let (mut packer, mut next, mut row, mut placed) = (Packer::new().unwrap(), 1, 0, Vec::new());
            for batch in batches {
                packer.begin(next);
                for (kind, request, answer) in batch {
                    let mut exchange = exchange(0);
                    (exchange.request, exchange.answer) = (body(placed.len(), kind, request), body(7, 9, answer));
                    let place = packer.add(row, &exchange).unwrap();
                    prop_assert_eq!(place.is_none(), exchange.request.is_empty() && exchange.answer.is_empty());
                    placed.extend(place.map(|place| (place, exchange)));
                    row += 1;
                }
                next = packer.write(&connection).unwrap();
            }
            let mut segments = Segments::default();
            for (place, exchange) in &placed {
                let (request, answer) = segments.bodies(&connection, place).unwrap().unwrap();
                prop_assert_eq!(request, exchange.request.pieces.concat());
                prop_assert_eq!(answer, exchange.answer.pieces.concat());
            }
            let sql = "SELECT coalesce(max(bytes), 0) FROM segments";
            let most: i64 = connection.query_row(sql, [], |row| row.get(0)).unwrap();
            prop_assert!(most < i64::try_from(SEGMENT_BYTES_ALL + 4 * 70_000).unwrap(), "{most}");
        }

        #[test]
        fn steps_that_are_damaged_give_nothing_and_take_no_memory(bytes: Vec<u8>, steps in 0..4u8, all in 0..5000usize) {
            let told = [bytes.as_slice(), &[steps, 0, 0, 0]].concat();
            prop_assert!(together(&told, all).is_none_or(|read| read.len() == all));
        }
    }

    #[test]
    fn of_requests_that_begin_alike_the_beginning_is_stored_once() {
        let mut packer = Packer::new().unwrap();
        packer.begin(1);
        let mut noise = 1u64;
        let mut random = || {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (noise >> 56) as u8
        };
        let beginnings = [(); 2].map(|()| (0..60 * COMPARED_BYTES).map(|_| random()).collect::<Vec<u8>>());
        for (n, beginning) in (0..16).zip(beginnings.iter().cycle()) {
            let mut exchange = exchange(n);
            let own = format!("question {n}").into_bytes();
            exchange.request.pieces = vec![[beginning.as_slice(), &own].concat().into()];
            packer.add(0, &exchange).unwrap();
        }
        packer.seal().unwrap();
        let [(_, _, bytes, data)] = packer.full.as_slice() else { panic!("one segment") };
        assert!(data.starts_with(SHARED) && *bytes > 16 * 60 * COMPARED_BYTES);
        assert!(data.len() < 2 * 60 * COMPARED_BYTES + 2000 && data.len() < SEGMENT_BYTES, "{}", data.len());
    }
}
