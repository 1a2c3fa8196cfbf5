//! The last turns of conversations, within bounds.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::Turn;

/// How much a [`Watch`] holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchLimits {
    /// Most turns.
    pub turns_max: usize,
    /// Most bytes of their outlines.
    pub outline_bytes_max: usize,
}

/// Most turns of one name: conversations that end in the same words.
const ALIKE_MAX: usize = 4;

/// What a turn takes beside its outline, in bytes.
const TURN_BYTES: usize = size_of::<Turn>() + 64;

/// The last turns of conversations, each under the names of its outline. The oldest give way.
#[derive(Debug)]
pub struct Watch {
    limits: WatchLimits,
    turns: HashMap<u64, Vec<Arc<Turn>>>,
    /// The names in the order their turns came; those whose turn is gone are passed over.
    order: VecDeque<(u64, Arc<Turn>)>,
    bytes: usize,
}

impl Watch {
    /// Holds within `limits`.
    #[must_use]
    pub fn new(limits: WatchLimits) -> Self {
        Self { limits, turns: HashMap::new(), order: VecDeque::new(), bytes: 0 }
    }

    /// The turns of a name, the latest last.
    #[must_use]
    pub fn find(&self, name: u64) -> &[Arc<Turn>] {
        self.turns.get(&name).map_or(&[], Vec::as_slice)
    }

    /// Holds a turn under its name, in the place of one with the same prompt.
    pub fn put(&mut self, name: u64, turn: Arc<Turn>) {
        let same = self.find(name).iter().find(|held| held.outline == turn.outline).cloned();
        if let Some(same) = same {
            self.remove(name, &same);
        }
        self.bytes += bytes(&turn);
        let alike = self.turns.entry(name).or_default();
        alike.push(turn.clone());
        let one_more = (alike.len() > ALIKE_MAX).then(|| alike.first().cloned()).flatten();
        self.order.push_back((name, turn));
        if let Some(oldest) = one_more {
            self.remove(name, &oldest);
        }
        while self.order.len() > self.limits.turns_max || self.bytes > self.limits.outline_bytes_max {
            let Some((name, oldest)) = self.order.pop_front() else { break };
            self.remove(name, &oldest);
        }
    }

    /// Holds a turn no longer: its conversation went on.
    pub fn remove(&mut self, name: u64, turn: &Arc<Turn>) {
        let Some(alike) = self.turns.get_mut(&name) else { return };
        let before = alike.len();
        alike.retain(|held| !Arc::ptr_eq(held, turn));
        if alike.len() < before {
            self.bytes -= bytes(turn);
        }
        if alike.is_empty() {
            self.turns.remove(&name);
        }
        // Its place in the order goes with it, so that it keeps no memory: it is nearly always among the latest.
        if let Some(at) = self.order.iter().rposition(|(_, held)| Arc::ptr_eq(held, turn)) {
            self.order.remove(at);
        }
    }

    /// Number of turns held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether none is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Bytes the turns take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

fn bytes(turn: &Turn) -> usize {
    turn.outline.memory_bytes() + TURN_BYTES
}
