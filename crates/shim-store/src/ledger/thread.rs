//! The writer's thread.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::health::Health;
use super::queue::Queue;
use super::schema::{Trouble, trouble};
use super::settings::{Durability, Settings};
use super::writer::{Batch, Writer};

/// How long the writer sleeps when there is nothing to do.
const IDLE: Duration = Duration::from_secs(60);

/// How long it sleeps when its care for the files was put off.
const SOON: Duration = Duration::from_millis(50);

/// Milliseconds since 1970.
pub(super) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Writes what comes until the queue is closed.
pub(super) fn run(mut writer: Writer, queue: &Arc<Queue>, health: &Health, settings: &Settings) {
    let window = match settings.durability {
        Durability::Window => settings.commit_every,
        // Who waits makes it urgent; what nobody waits for may wait for those.
        Durability::Strict => settings.commit_every.min(Duration::from_millis(5)),
    };
    loop {
        let idle = if writer.care(now_ms()) { IDLE } else { SOON };
        health.metrics.queue_bytes.set(i64::try_from(queue.bytes()).unwrap_or(i64::MAX));
        let taken = queue.take(idle, window);
        if taken.entries.is_empty() {
            if taken.closed {
                break;
            }
        } else {
            let mut bytes = taken.bytes;
            let mut batch = Batch::of(taken.entries);
            write(&mut writer, &mut batch, &mut bytes, (queue, health, settings));
            queue.written(bytes);
        }
    }
    writer.close(queue.orderly());
    queue.end();
}

/// Writes a batch, again and again where the disk does not take it; meanwhile the queue sheds what it has no room for.
fn write(
    writer: &mut Writer,
    batch: &mut Batch,
    bytes: &mut usize,
    (queue, health, settings): (&Arc<Queue>, &Health, &Settings),
) {
    let mut last = false;
    while let Err(error) = writer.write(batch, now_ms()) {
        writer.refused(&error);
        let stripped = batch.strip();
        queue.refused(true);
        health.metrics.bodies_shed.inc_by(stripped.bodies);
        queue.written(stripped.bytes.min(*bytes));
        *bytes -= stripped.bytes.min(*bytes);
        health.metrics.queue_bytes.set(i64::try_from(queue.bytes()).unwrap_or(i64::MAX));
        // What no disk will take must not stop what comes after it; nor may a disk that is full stop the end.
        if last || trouble(&error) == Trouble::Other {
            health.metrics.rows_shed.inc_by(batch.rows());
            return;
        }
        last = queue.pause(settings.retry_every);
    }
    queue.refused(false);
}
