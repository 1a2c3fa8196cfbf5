//! Where something stands in the intermediate representation, and what is lost there.

use std::fmt;

use shim_ir::{Loss, LossKind, Rest};
use shim_wire::{JsonWriter, RawJson};

use super::super::decode::DIALECT;
use crate::common::own_rest;

/// A place in the intermediate representation; it is written out only where something is lost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At<'a> {
    up: Option<&'a At<'a>>,
    name: &'a str,
    index: Option<usize>,
}

impl<'a> At<'a> {
    /// The request or the answer itself.
    pub(crate) const ROOT: Self = Self { up: None, name: "", index: None };

    /// A member of the request or the answer.
    pub(crate) fn of(name: &'a str) -> Self {
        Self { up: None, name, index: None }
    }

    /// An element of a list of the request or the answer.
    pub(crate) fn list(name: &'a str, index: usize) -> Self {
        Self { up: None, name, index: Some(index) }
    }

    /// A member of what stands here.
    pub(crate) fn member<'b>(&'b self, name: &'b str) -> At<'b> {
        At { up: Some(self), name, index: None }
    }

    /// An element of a list of what stands here.
    pub(crate) fn nth<'b>(&'b self, name: &'b str, index: usize) -> At<'b> {
        At { up: Some(self), name, index: Some(index) }
    }
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(up) = self.up.filter(|up| !up.name.is_empty()) {
            write!(f, "{up}.")?;
        }
        f.write_str(self.name)?;
        self.index.map_or(Ok(()), |index| write!(f, "[{index}]"))
    }
}

/// What could not be carried so far.
#[derive(Debug, Default)]
pub(crate) struct Losses(Vec<Loss>);

impl Losses {
    /// All of them.
    pub(crate) fn into_list(self) -> Vec<Loss> {
        self.0
    }

    /// All of them so far.
    pub(crate) fn list(&self) -> &[Loss] {
        &self.0
    }

    /// Left out, without harm.
    pub(crate) fn dropped(&mut self, at: At<'_>, why: &'static str) {
        self.0.push(Loss::new(at.to_string(), LossKind::Dropped, why));
    }

    /// Carried as something near to it.
    pub(crate) fn approximated(&mut self, at: At<'_>, why: &'static str) {
        self.0.push(Loss::new(at.to_string(), LossKind::Approximated, why));
    }

    /// A value the source does not have.
    pub(crate) fn defaulted(&mut self, at: At<'_>, why: &'static str) {
        self.0.push(Loss::new(at.to_string(), LossKind::Defaulted, why));
    }

    /// Left out although the answer depends on it.
    pub(crate) fn unsupported(&mut self, at: At<'_>, why: &'static str) {
        self.0.push(Loss::new(at.to_string(), LossKind::Unsupported, why));
    }

    /// The members of `rest` that can be written here, being this dialect's; those of another are told as left out.
    pub(crate) fn own<'r>(&mut self, rest: &'r Rest, at: At<'_>) -> &'r [(Box<str>, RawJson)] {
        match rest.origin() {
            None => &[],
            Some(DIALECT) => rest.members(),
            Some(_) => own_rest(rest, DIALECT, &at.to_string(), &mut self.0),
        }
    }
}

/// Writes members as they came, but for those named in `except`.
pub(crate) fn verbatim(w: &mut JsonWriter<'_>, members: &[(Box<str>, RawJson)], except: &[&str]) {
    for (key, value) in members.iter().filter(|(key, _)| !except.contains(&&**key)) {
        w.raw(key, value);
    }
}
