//! The four ways to send.

use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use shim_bench::ask::{Ask, Dialect};
use shim_bench::schedule::{Schedule, wait_until};
use shim_bench::tally::Tally;
use shim_bench::wire::Reader;

use crate::connection::{Connection, Request};

/// A thousand threads hold little more than a read buffer each.
const STACK_BYTES: usize = 128 << 10;

/// A connection gives up after so many failures in a row: the subject is gone, and the rest would be no news.
const FAILURES_MAX: u32 = 20;

/// In lockstep nothing else happens on the machine; a chunk that takes longer was held back. Half the 40 ms after
/// which a delayed acknowledgement would release one that waits in the kernel.
const HELD_BACK: Duration = Duration::from_millis(20);

/// What to send, and where.
pub(crate) struct Run {
    target: SocketAddr,
    request: Request,
}

/// Counts the streams that are open, and the most there were.
#[derive(Default)]
struct Open {
    now: AtomicU64,
    max: AtomicU64,
}

impl Open {
    fn enter(&self) {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.max.fetch_max(now, Ordering::Relaxed);
    }
}

impl Run {
    pub(crate) fn new(target: SocketAddr, ask: Ask, dialect: Dialect, model: &str, key: &str) -> Self {
        Self { target, request: Request::new(target, ask, dialect, model, key) }
    }

    /// Every connection sends as soon as it can, for `duration`.
    pub(crate) fn closed(&self, connections: u32, duration: Duration) -> Value {
        self.all(connections, |connection, start, tally| {
            let mut failures = 0;
            while start.elapsed() < duration && failures < FAILURES_MAX {
                let right = connection.exchange(Instant::now(), tally, &mut || Ok(()));
                failures = if right { 0 } else { failures + 1 };
            }
        })
    }

    /// `rate` requests a second over all connections, for `duration`.
    pub(crate) fn open(&self, connections: u32, rate: u32, duration: Duration) -> Value {
        // The threads need a moment to get through the barrier; nothing is due before that.
        let schedule = Schedule::new(Instant::now() + Duration::from_millis(100), rate, duration);
        self.all(connections, |connection, _, tally| {
            let mut failures = 0;
            while failures < FAILURES_MAX
                && let Some(due) = schedule.take()
            {
                wait_until(due);
                let right = connection.exchange(due, tally, &mut || Ok(()));
                failures = if right { 0 } else { failures + 1 };
            }
        })
    }

    /// One request on every connection, at the same time.
    pub(crate) fn streams(&self, connections: u32) -> Value {
        let open = Open::default();
        self.all_counting(connections, &open, |connection, _, tally| {
            thread::sleep(ramp(connection.number()));
            let mut first = true;
            connection.exchange(Instant::now(), tally, &mut || {
                if std::mem::take(&mut first) {
                    open.enter();
                }
                Ok(())
            });
            if !first {
                open.now.fetch_sub(1, Ordering::Relaxed);
            }
        })
    }

    /// One stream, each chunk of which is asked for when the one before has come.
    pub(crate) fn lockstep(&self, upstream: SocketAddr) -> io::Result<Value> {
        let mut credits = Credits::connect(upstream)?;
        let (mut tally, mut held_back) = (Tally::default(), 0);
        let begun = Instant::now();
        let mut asked = begun;
        Connection::new(self.target, &self.request, 0).exchange(begun, &mut tally, &mut || {
            held_back += u64::from(asked.elapsed() > HELD_BACK);
            credits.grant()?;
            asked = Instant::now();
            Ok(())
        });
        tally.held_back = held_back;
        Ok(tally.report(begun.elapsed().as_secs_f64(), 1))
    }

    fn all(&self, connections: u32, work: impl Fn(&mut Connection<'_>, Instant, &mut Tally) + Sync) -> Value {
        self.all_counting(connections, &Open::default(), work)
    }

    /// Runs `work` on every connection in a thread of its own, all starting together.
    fn all_counting(
        &self,
        connections: u32,
        open: &Open,
        work: impl Fn(&mut Connection<'_>, Instant, &mut Tally) + Sync,
    ) -> Value {
        let barrier = Barrier::new(connections as usize);
        let one = |number| {
            let mut connection = Connection::new(self.target, &self.request, number);
            let mut tally = Tally::default();
            thread::sleep(ramp(number));
            // A failure to connect comes again in the exchange, and is counted there.
            drop(connection.warm());
            barrier.wait();
            let start = Instant::now();
            work(&mut connection, start, &mut tally);
            (tally, start, Instant::now())
        };
        let results = in_threads(connections, one);
        let first = results.iter().map(|(_, start, _)| *start).min();
        let last = results.iter().map(|(_, _, end)| *end).max();
        let seconds = first.zip(last).map_or(0.0, |(first, last)| (last - first).as_secs_f64());
        let mut sum = Tally::default();
        for (tally, _, _) in results {
            sum.absorb(tally);
        }
        sum.report(seconds, open.max.load(Ordering::Relaxed))
    }
}

fn in_threads<T: Send>(count: u32, work: impl Fn(u32) -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let work = &work;
        let start = |number| {
            let thread =
                thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, move || work(number));
            // Those already started wait for the ones that cannot be, so there is no way to unwind.
            thread.unwrap_or_else(|error| give_up(&error))
        };
        let threads: Vec<_> = (0..count).map(start).collect();
        let join = |thread: thread::ScopedJoinHandle<'_, T>| {
            thread.join().unwrap_or_else(|_| give_up(&io::Error::other("a thread ended early")))
        };
        threads.into_iter().map(join).collect()
    })
}

/// Connections come one after the other, 2,000 a second: a thousand in one instant would measure the listen queue.
fn ramp(number: u32) -> Duration {
    Duration::from_micros(500) * number
}

fn give_up(error: &io::Error) -> ! {
    eprintln!("bench-load: {error}");
    std::process::exit(1)
}

/// Tells the upstream, not through the subject, that a chunk has come.
struct Credits {
    reader: Reader<TcpStream>,
    writer: TcpStream,
    request: String,
}

impl Credits {
    fn connect(upstream: SocketAddr) -> io::Result<Self> {
        let writer = TcpStream::connect(upstream)?;
        writer.set_nodelay(true)?;
        let stream = std::process::id();
        let request =
            format!("POST /bench/credit/{stream} HTTP/1.1\r\nhost: {upstream}\r\ncontent-length: 0\r\n\r\n");
        Ok(Self { reader: Reader::new(writer.try_clone()?, 0), writer, request })
    }

    fn grant(&mut self) -> io::Result<()> {
        self.writer.write_all(self.request.as_bytes())?;
        let head = self.reader.head()?.ok_or(io::ErrorKind::UnexpectedEof)?;
        self.reader.body(head.framing, |_| Ok(()))
    }
}
