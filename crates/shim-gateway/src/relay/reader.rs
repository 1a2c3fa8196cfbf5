//! Who reads along with an answer: what of it is kept for that, and what its ticket is told.

use std::time::Duration;

use bytes::Bytes;
use shim_dialect::Meter;
use tokio::time::Instant;

use super::stream::Stream;
use crate::attempt::joined;
use crate::ticket::Ticket;
use crate::translate::Translation;

/// The most of a large whole answer that is kept for the meter.
const METER_BYTES_MAX: usize = 32 << 20;

/// How long the client of a translated stream hears nothing before it is told that the stream goes on. A stream that
/// passes as it is has its upstream's own signs of life.
pub(super) const PULSE: Duration = Duration::from_secs(15);

/// Who reads along.
pub(super) enum Reader {
    Stream(Box<Stream>),
    Large { meter: Box<dyn Meter>, kept: Vec<Bytes>, size: usize },
    Translated(Box<Translation>),
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Stream(_) => "stream",
            Self::Large { .. } => "large",
            Self::Translated(_) => "translated",
        })
    }
}

impl Reader {
    /// When a client that was told something at `spoke` is to be told that the stream goes on.
    pub(super) fn pulse(&self, spoke: Instant) -> Option<Instant> {
        self.keep_alive().map(|_| spoke + PULSE)
    }

    pub(super) fn keep_alive(&self) -> Option<&'static [u8]> {
        match self {
            Self::Translated(translation) if !translation.over() => translation.keep_alive(),
            Self::Translated(_) | Self::Stream(_) | Self::Large { .. } => None,
        }
    }

    /// Whether the last of the answer's events was read.
    pub(super) fn ends(&self) -> bool {
        match self {
            Self::Stream(stream) => stream.complete(),
            Self::Translated(translation) => translation.over(),
            Self::Large { .. } => false,
        }
    }

    /// Whether all of a good stream was passed on.
    pub(super) fn passed_whole(&self) -> bool {
        match self {
            Self::Stream(stream) => stream.passed_whole(),
            Self::Translated(translation) => translation.over() && translation.reading().fault.is_none(),
            Self::Large { .. } => false,
        }
    }

    /// Keeps a piece of a large answer for the meter, unless the answer is too large for it.
    pub(super) fn keep(&mut self, piece: &Bytes) {
        if let Self::Large { kept, size, .. } = self {
            *size += piece.len();
            if *size <= METER_BYTES_MAX {
                kept.push(piece.clone());
            } else {
                kept.clear();
            }
        }
    }

    /// Tells the ticket what was read of the answer, of which the last pieces are still `waiting`, last first.
    pub(super) fn account(&mut self, waiting: &[Bytes], ticket: &mut Ticket) {
        match self {
            Self::Stream(stream) => ticket.reads(stream.meter.reading()),
            Self::Translated(translation) => {
                ticket.reads(translation.reading());
                ticket.carried(translation.losses());
            }
            Self::Large { meter, kept, size } => {
                let bytes = *size + waiting.iter().map(Bytes::len).sum::<usize>();
                if bytes <= METER_BYTES_MAX {
                    kept.extend(waiting.iter().rev().cloned());
                    let whole = joined(std::mem::take(kept));
                    ticket.tells(&whole);
                    if let Ok(text) = shim_wire::scan::utf8(&whole) {
                        meter.whole(text);
                    }
                    ticket.reads(meter.reading());
                } else {
                    ticket.unmetered();
                }
            }
        }
    }
}

/// Puts a piece of another dialect's stream into the client's.
pub(super) fn translated(translation: &mut Translation, data: &[u8], ticket: &mut Option<Ticket>) -> Bytes {
    let out = translation.take(data);
    if translation.reading().content
        && let Some(ticket) = ticket
    {
        ticket.first_token();
    }
    out
}
