//! The order events must come in.

use std::collections::BTreeSet;

use thiserror::Error;

use crate::{Event, PartId};

/// Checks a stream of events as it passes. Wraps every decoder and encoder in tests and debug builds.
#[derive(Debug, Default)]
pub struct Grammar {
    started: bool,
    ended: bool,
    open: BTreeSet<PartId>,
    next: u32,
}

/// How a stream of events broke the order.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum GrammarError {
    /// Something before the start.
    #[error("an event came before the start")]
    BeforeStart,
    /// A second start.
    #[error("the answer started twice")]
    StartedTwice,
    /// Something behind the end.
    #[error("an event came after the end")]
    AfterEnd,
    /// A part id out of order.
    #[error("part {0:?} was opened out of order")]
    PartOrder(PartId),
    /// A delta or end of a part that is not open.
    #[error("part {0:?} is not open")]
    NotOpen(PartId),
    /// A clean end with open parts.
    #[error("the answer finished with part {0:?} open")]
    LeftOpen(PartId),
    /// No `Finish` or `Fault`.
    #[error("the stream has no end")]
    NoEnd,
}

impl Grammar {
    /// Takes the next event.
    ///
    /// # Errors
    /// When it may not come here.
    pub fn take(&mut self, event: &Event) -> Result<(), GrammarError> {
        if self.ended {
            return Err(GrammarError::AfterEnd);
        }
        if !self.started && !matches!(event, Event::Start(_) | Event::Fault(_)) {
            return Err(GrammarError::BeforeStart);
        }
        match event {
            Event::Start(_) if self.started => return Err(GrammarError::StartedTwice),
            Event::Start(_) => self.started = true,
            Event::PartStart { id, .. } => self.open_part(*id)?,
            Event::PartDelta { id, .. } if !self.open.contains(id) => return Err(GrammarError::NotOpen(*id)),
            Event::PartEnd { id } if !self.open.remove(id) => return Err(GrammarError::NotOpen(*id)),
            Event::Finish(_) => match self.open.first() {
                Some(id) => return Err(GrammarError::LeftOpen(*id)),
                None => self.ended = true,
            },
            Event::Fault(_) => self.ended = true,
            Event::PartDelta { .. }
            | Event::PartEnd { .. }
            | Event::Usage(_)
            | Event::Rest(_)
            | Event::Foreign(_) => {}
        }
        Ok(())
    }

    /// The stream is over.
    ///
    /// # Errors
    /// When it had no end.
    pub fn finish(&self) -> Result<(), GrammarError> {
        if self.ended { Ok(()) } else { Err(GrammarError::NoEnd) }
    }

    fn open_part(&mut self, id: PartId) -> Result<(), GrammarError> {
        if id.0 != self.next {
            return Err(GrammarError::PartOrder(id));
        }
        self.next += 1;
        self.open.insert(id);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Grammar, GrammarError};
    use crate::{Delta, Event, Fault, FaultKind, Part, PartId, Start, Text};

    fn check(events: &[Event]) -> Result<(), GrammarError> {
        let mut grammar = Grammar::default();
        events.iter().try_for_each(|e| grammar.take(e))?;
        grammar.finish()
    }

    #[test]
    fn holds_the_order() {
        let start = || Event::Start(Start::default());
        let open = |id| Event::PartStart { id: PartId(id), candidate: 0, part: Part::Text(Text::default()) };
        let grow = |id| Event::PartDelta { id: PartId(id), delta: Delta::Text("x".into()) };
        let end = |id| Event::PartEnd { id: PartId(id) };
        let finish = || Event::Finish(vec![]);
        let fault = || Event::Fault(Fault::new(FaultKind::UpstreamCut, "cut"));

        assert_eq!(check(&[start(), open(0), open(1), grow(0), grow(1), end(0), end(1), finish()]), Ok(()));
        assert_eq!(check(&[fault()]), Ok(()));
        assert_eq!(check(&[start(), open(0), fault()]), Ok(()));
        assert_eq!(check(&[open(0)]), Err(GrammarError::BeforeStart));
        assert_eq!(check(&[start(), start()]), Err(GrammarError::StartedTwice));
        assert_eq!(check(&[start(), open(1)]), Err(GrammarError::PartOrder(PartId(1))));
        assert_eq!(check(&[start(), grow(0)]), Err(GrammarError::NotOpen(PartId(0))));
        assert_eq!(check(&[start(), open(0), finish()]), Err(GrammarError::LeftOpen(PartId(0))));
        assert_eq!(check(&[start(), finish(), grow(0)]), Err(GrammarError::AfterEnd));
        assert_eq!(check(&[start()]), Err(GrammarError::NoEnd));
    }
}
