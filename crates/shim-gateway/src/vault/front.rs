//! What is in memory of the vault: what was used last, within a bound.

use std::collections::HashMap;
use std::sync::Arc;

use shim_policy::vault::{Kept, Name, Piece, part_size, read, write};

/// Most bytes of records in memory.
pub(super) const FRONT_BYTES_MAX: usize = 32 << 20;

/// What is found under a name.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Item {
    /// What is kept of an answer; without pieces, only who made a state.
    Kept(Arc<Kept>),
    /// A target.
    Target(Arc<str>),
}

impl Item {
    /// The bytes for the store.
    pub(super) fn bytes(&self) -> Arc<[u8]> {
        let (tag, mut rest) = match self {
            Self::Kept(kept) => (1, write(kept)),
            Self::Target(name) => (2, name.as_bytes().to_vec()),
        };
        rest.insert(0, tag);
        rest.into()
    }

    /// What the store's bytes say; `None` where that is nothing known here.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        match bytes.split_first()? {
            (1, rest) => read(rest).ok().map(|kept| Self::Kept(Arc::new(kept))),
            (2, rest) => std::str::from_utf8(rest).ok().map(|name| Self::Target(name.into())),
            _ => None,
        }
    }

    /// About how many bytes it takes.
    fn size(&self) -> usize {
        let opaque = |list: &[shim_ir::Opaque]| list.iter().map(|o| o.value.len() + 32).sum::<usize>();
        let texts = |list: &[String]| list.iter().map(|text| text.len() + 24).sum::<usize>();
        match self {
            Self::Target(name) => name.len(),
            Self::Kept(kept) => {
                let piece = |piece: &Piece| match piece {
                    Piece::Reasoning(r) => texts(&r.text) + texts(&r.summary) + opaque(&r.opaque) + 256,
                    Piece::Text { opaque: list, .. } => opaque(list) + 128,
                    Piece::Call { name, opaque: list, .. } => name.len() + opaque(list) + 128,
                    Piece::Own(part) => part_size(part) + 256,
                };
                kept.pieces.iter().map(piece).sum::<usize>() + 128
            }
        }
    }
}

/// What a name costs beside what it names.
const NAME_BYTES: usize = 64;

/// A cache of two generations: what is used comes into the young one; when that is full, it becomes the old one, and what
/// was in the old one and not used since is gone.
#[derive(Debug)]
pub(super) struct Front {
    young: HashMap<Name, Option<Item>>,
    old: HashMap<Name, Option<Item>>,
    /// Bytes in the young generation.
    bytes: usize,
    bytes_max: usize,
}

impl Default for Front {
    fn default() -> Self {
        Self::new(FRONT_BYTES_MAX)
    }
}

impl Front {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), bytes: 0, bytes_max }
    }

    /// What is known of a name: nothing at all, that there is nothing under it, or what is.
    pub(super) fn get(&mut self, name: &Name) -> Option<Option<Item>> {
        if let Some(found) = self.young.get(name) {
            return Some(found.clone());
        }
        let found = self.old.remove(name)?;
        self.put(*name, found.clone(), 1);
        Some(found)
    }

    /// Puts what is under a name; `shared` names have it together.
    pub(super) fn put(&mut self, name: Name, item: Option<Item>, shared: usize) {
        let size = item.as_ref().map_or(0, Item::size) / shared.max(1);
        self.bytes += NAME_BYTES + size;
        self.young.insert(name, item);
        if self.bytes > self.bytes_max / 2 {
            self.old = std::mem::take(&mut self.young);
            self.bytes = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Front, Item};
    use shim_policy::vault::Name;

    fn name(number: u32) -> Name {
        let mut name = [0; 16];
        name[..4].copy_from_slice(&number.to_le_bytes());
        Name(name)
    }

    #[test]
    fn it_is_bounded_and_what_is_used_stays() {
        let mut front = Front::new(64 << 10);
        let target = || Some(Item::Target("lab/one".into()));
        front.put(name(0), target(), 1);
        for number in 1..100_000 {
            front.put(name(number), target(), 1);
            assert!(front.get(&name(0)).is_some(), "{number}");
            assert!(front.young.len() + front.old.len() < 1000);
        }
        assert!(front.get(&name(1)).is_none());
    }

    #[test]
    fn what_goes_to_the_store_comes_back() {
        let item = Item::Target("lab/one".into());
        assert_eq!(Item::read(&item.bytes()), Some(item));
        assert_eq!(Item::read(&[]), None);
        assert_eq!(Item::read(&[9, 1]), None);
        assert_eq!(Item::read(&[1, 1]), None);
    }
}
