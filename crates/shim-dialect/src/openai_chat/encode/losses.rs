//! What could not be carried, and where it stood.

use std::fmt::{self, Display};

use shim_ir::{Loss, LossKind, Rest};
use shim_wire::{JsonWriter, RawJson};

use crate::common::own_rest;
use crate::openai_chat::decode::{DIALECT, FORM};

/// The losses so far. One that comes again is told once.
#[derive(Debug, Default)]
pub(crate) struct Losses(pub(crate) Vec<Loss>);

/// More losses than anybody reads; a stream may have one for each of its parts.
const LOSSES_MAX: usize = 1024;

impl Losses {
    pub(crate) fn add(&mut self, path: impl Display, kind: LossKind, why: &'static str) {
        self.tell(Loss::new(path.to_string(), kind, why));
    }

    fn tell(&mut self, loss: Loss) {
        if self.0.len() < LOSSES_MAX && !self.0.contains(&loss) {
            self.0.push(loss);
        }
    }

    /// Left out, which does no harm.
    pub(crate) fn dropped(&mut self, path: impl Display, why: &'static str) {
        self.add(path, LossKind::Dropped, why);
    }

    /// Carried as something near to it.
    pub(crate) fn approximated(&mut self, path: impl Display, why: &'static str) {
        self.add(path, LossKind::Approximated, why);
    }

    /// Left out although the answer depends on it.
    pub(crate) fn unsupported(&mut self, path: impl Display, why: &'static str) {
        self.add(path, LossKind::Unsupported, why);
    }

    /// The members of `rest` that can be written, without the note of a form.
    pub(crate) fn own<'r>(
        &mut self,
        rest: &'r Rest,
        path: &dyn Display,
    ) -> impl Iterator<Item = (&'r str, &'r RawJson)> + use<'r> {
        let mut others = Vec::new();
        let members =
            if rest.is_empty() { &[] } else { own_rest(rest, DIALECT, &path.to_string(), &mut others) };
        others.into_iter().for_each(|loss| self.tell(loss));
        members.iter().map(|(key, raw)| (&**key, raw)).filter(|(key, _)| *key != FORM)
    }

    /// Writes the members of `rest` that can be written into the open object.
    pub(crate) fn write_own(&mut self, rest: &Rest, path: &dyn Display, w: &mut JsonWriter<'_>) {
        for (key, raw) in self.own(rest, path) {
            w.raw(key, raw);
        }
    }
}

/// Whether `rest` holds members of this dialect's own.
pub(crate) fn is_own(rest: &Rest) -> bool {
    rest.origin() == Some(DIALECT)
}

/// Where a part stands, as a path of the intermediate representation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Site {
    /// In the instructions outside the conversation.
    System(usize),
    /// In a turn.
    Turn(usize, usize),
    /// In the result of a tool, in a turn.
    Result(usize, usize, usize),
    /// In an answer.
    Answer(usize, usize),
}

impl Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(part) => write!(f, "system[{part}]"),
            Self::Turn(turn, part) => write!(f, "turns[{turn}].parts[{part}]"),
            Self::Result(turn, part, inner) => write!(f, "turns[{turn}].parts[{part}].content[{inner}]"),
            Self::Answer(candidate, part) => write!(f, "candidates[{candidate}].parts[{part}]"),
        }
    }
}

impl Site {
    /// The place of a member of what stands here.
    pub(crate) fn at(self, member: &'static str) -> impl Display {
        Member(self, member)
    }
}

struct Member(Site, &'static str);

impl Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}
