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

    /// Called between two rows.
    pub(super) fn between(&mut self) {
        if let Some(yields) = turn(self.since.elapsed(), || self.queue.fills()) {
            if yields {
                std::thread::yield_now();
            }
            self.since = Instant::now();
        }
    }
}

/// Whether others go first after so much work; `None` while it is not yet time to ask. Nobody goes first while the queue
/// fills: what has no room in it is not recorded.
fn turn(worked: Duration, fills: impl FnOnce() -> bool) -> Option<bool> {
    (worked >= AT_ONCE).then(|| !fills())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{AT_ONCE, turn};

    #[test]
    fn others_go_first_now_and_then_while_there_is_room() {
        let unasked = || -> bool { panic!("it was not yet time to look at the queue") };
        assert_eq!(turn(AT_ONCE - Duration::from_nanos(1), unasked), None);
        assert_eq!(turn(AT_ONCE, || false), Some(true));
        assert_eq!(turn(AT_ONCE, || true), Some(false), "what has no room in the queue is not recorded");
    }
}
