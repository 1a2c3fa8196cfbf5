//! What a typed node does not model, verbatim.

use shim_wire::{Members, RawJson};

use crate::Dialect;

/// The members of a node that its type does not model, in the order they came, and whose dialect they are.
///
/// An empty `Rest` belongs to no dialect, so nodes made here and nodes that were fully modelled compare equal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rest {
    origin: Option<Dialect>,
    members: Vec<(Box<str>, RawJson)>,
}

impl Rest {
    /// What `members` says, tagged as `dialect`'s: a member that is `null` only fills a slot, and is left out.
    #[must_use]
    pub fn new(dialect: Dialect, members: Members<'_>) -> Self {
        Self::from_owned(dialect, members.into_owned())
    }

    /// As [`Rest::new`], from members already owned.
    #[must_use]
    pub fn from_owned(dialect: Dialect, mut members: Vec<(Box<str>, RawJson)>) -> Self {
        members.retain(|(_, value)| value.get() != "null");
        Self { origin: (!members.is_empty()).then_some(dialect), members }
    }

    /// Adds a member behind the others.
    pub fn push(&mut self, dialect: Dialect, key: &str, value: RawJson) {
        self.origin = Some(dialect);
        self.members.push((key.into(), value));
    }

    /// Whose dialect the members are; `None` when there are none.
    #[must_use]
    pub fn origin(&self) -> Option<Dialect> {
        self.origin
    }

    /// The members, in order.
    #[must_use]
    pub fn members(&self) -> &[(Box<str>, RawJson)] {
        &self.members
    }

    /// The value of the member `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&RawJson> {
        self.members.iter().find(|(name, _)| **name == *key).map(|(_, value)| value)
    }

    /// Takes the member `key` out.
    pub fn take(&mut self, key: &str) -> Option<RawJson> {
        let at = self.members.iter().position(|(name, _)| **name == *key)?;
        let (_, value) = self.members.remove(at);
        self.origin = self.origin.filter(|_| !self.members.is_empty());
        Some(value)
    }

    /// Whether there is no member.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Adds the members of a later piece of the same node; a member that comes again replaces the earlier one.
    pub fn merge(&mut self, later: Self) {
        self.origin = self.origin.or(later.origin);
        for (key, value) in later.members {
            match self.members.iter_mut().find(|(name, _)| *name == key) {
                Some((_, slot)) => *slot = value,
                None => self.members.push((key, value)),
            }
        }
    }
}
