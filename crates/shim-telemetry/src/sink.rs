//! Where lines go: a bounded buffer, emptied by a thread of its own.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Bound on the bytes that wait to be written. Lines that do not fit are dropped and counted.
pub const SINK_BYTES_MAX: usize = 1 << 20;

/// How long lines may wait, so that many are written at once.
const FLUSH_EVERY: Duration = Duration::from_millis(50);

/// A sink for log lines. Writing to it never waits for whoever reads them.
#[derive(Clone, Debug)]
pub struct LineSink {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    buffer: Mutex<Buffer>,
    wake: Condvar,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct Buffer {
    bytes: Vec<u8>,
    /// The thread sleeps until there is something: whoever adds to an empty buffer wakes it.
    asleep: bool,
    closed: bool,
}

impl LineSink {
    /// A sink that writes to `out` from a thread of its own.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(out: impl Write + Send + 'static) -> std::io::Result<Self> {
        let sink = Self::idle();
        let shared = sink.shared.clone();
        std::thread::Builder::new()
            .name("lines".into())
            .stack_size(128 << 10)
            .spawn(move || run(&shared, out))?;
        Ok(sink)
    }

    fn idle() -> Self {
        let shared = Shared { buffer: Mutex::default(), wake: Condvar::new(), dropped: AtomicU64::new(0) };
        Self { shared: Arc::new(shared) }
    }

    /// Lets `write` append whole lines to the buffer; they are dropped, and counted, where it is full.
    pub fn with(&self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut buffer = self.shared.buffer.lock().unwrap_or_else(PoisonError::into_inner);
        let before = buffer.bytes.len();
        if before >= SINK_BYTES_MAX || buffer.closed {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        write(&mut buffer.bytes);
        if buffer.bytes.len() > SINK_BYTES_MAX {
            buffer.bytes.truncate(before);
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
        if std::mem::take(&mut buffer.asleep) {
            self.shared.wake.notify_one();
        }
    }

    /// Number of lines dropped since the start.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    /// Waits, for a second at most, until what was written is out, and takes no more.
    pub fn close(&self) {
        let mut buffer = self.shared.buffer.lock().unwrap_or_else(PoisonError::into_inner);
        buffer.closed = true;
        self.shared.wake.notify_all();
        let wait =
            self.shared.wake.wait_timeout_while(buffer, Duration::from_secs(1), |b| !b.bytes.is_empty());
        drop(wait);
    }
}

fn run(shared: &Shared, mut out: impl Write) {
    let mut taken = Vec::new();
    loop {
        let mut buffer = shared.buffer.lock().unwrap_or_else(PoisonError::into_inner);
        while buffer.bytes.is_empty() {
            if buffer.closed {
                return;
            }
            buffer.asleep = true;
            buffer = shared.wake.wait(buffer).unwrap_or_else(PoisonError::into_inner);
        }
        let closed = buffer.closed;
        if !closed {
            // More lines are likely on their way: they go out with one write.
            buffer = shared.wake.wait_timeout(buffer, FLUSH_EVERY).unwrap_or_else(PoisonError::into_inner).0;
        }
        std::mem::swap(&mut buffer.bytes, &mut taken);
        drop(buffer);
        // A reader that is gone must not stop the gateway; there is nobody left to tell.
        let _ = out.write_all(&taken).and_then(|()| out.flush());
        taken.clear();
        taken.shrink_to(64 << 10);
        if closed {
            shared.wake.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::{LineSink, SINK_BYTES_MAX};

    #[derive(Clone, Default)]
    struct Out(Arc<Mutex<Vec<u8>>>);

    impl Write for Out {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_was_written_is_out_when_closed() {
        let out = Out::default();
        let sink = LineSink::start(out.clone()).unwrap();
        for n in 0..1000 {
            sink.with(|buffer| writeln!(buffer, "{n}").unwrap());
        }
        sink.close();
        let lines = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
        assert_eq!(lines.lines().count(), 1000);
        assert_eq!(sink.dropped(), 0);
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let sink = LineSink::idle();
        sink.with(|buffer| buffer.resize(SINK_BYTES_MAX, b'x'));
        sink.with(|buffer| buffer.push(b'y'));
        assert_eq!(sink.dropped(), 1);
    }
}
