//! Leave to send: in lockstep the client says, past the subject, when it has a chunk.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How many chunks each lockstep stream may have sent.
#[derive(Debug, Default)]
pub(crate) struct Credits {
    by_stream: Mutex<HashMap<u32, u32>>,
    changed: Condvar,
}

/// After so long without credit a stream is cut: the client is gone, or the chunk never reached it.
const PATIENCE: Duration = Duration::from_secs(5);

impl Credits {
    /// One more chunk for `stream`.
    pub(crate) fn grant(&self, stream: u32) {
        let mut held = self.lock();
        // Bounded, should somebody count up the numbers.
        if held.len() < 4096 || held.contains_key(&stream) {
            *held.entry(stream).or_default() += 1;
        }
        drop(held);
        self.changed.notify_all();
    }

    /// Waits until `stream` was granted `chunks`; `false` when that did not come in time.
    pub(crate) fn wait(&self, stream: u32, chunks: u32) -> bool {
        let lacks = |held: &mut HashMap<u32, u32>| held.get(&stream).copied().unwrap_or(0) < chunks;
        let (_held, result) = self
            .changed
            .wait_timeout_while(self.lock(), PATIENCE, lacks)
            .unwrap_or_else(PoisonError::into_inner);
        !result.timed_out()
    }

    /// Forgets `stream`, so that its number may be used again.
    pub(crate) fn forget(&self, stream: u32) {
        self.lock().remove(&stream);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u32, u32>> {
        self.by_stream.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
