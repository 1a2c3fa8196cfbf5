//! How the writer leaves room to others where threads share a core. What waits is written all at once, and the kernel lets a
//! thread that works go on for a millisecond or more: an exchange that came meanwhile would wait for as long.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::queue::Queue;

/// How long the writer works before it lets others go first.
const AT_ONCE: Duration = Duration::from_micros(100);

/// Lets others go first, every now and then.
#[derive(Debug)]
pub(super) struct Pace {
    queue: Arc<Queue>,
    since: Instant,
}

impl Pace {
    pub(super) fn new(queue: Arc<Queue>) -> Self {
        Self { queue, since: Instant::now() }
    }

    /// Called between two rows. Nobody goes first while the queue is filling: what has no room in it is not recorded.
    pub(super) fn between(&mut self) {
        if self.since.elapsed() < AT_ONCE {
            return;
        }
        if !self.queue.fills() {
            std::thread::yield_now();
        }
        self.since = Instant::now();
    }
}
