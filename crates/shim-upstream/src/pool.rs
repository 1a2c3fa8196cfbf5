//! Idle connections, kept for the next request to the same origin.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use foldhash::fast::RandomState;
use hyper::client::conn::{http1, http2};
use tokio::time::Instant;

use crate::{Origin, PiecesBody};

/// Idle connections by origin. One pool a worker thread, so its lock is never waited for.
#[derive(Clone, Debug)]
pub struct Pool {
    inner: Arc<Mutex<Inner>>,
    limits: PoolLimits,
}

/// Bounds of a pool.
#[derive(Clone, Copy, Debug)]
pub struct PoolLimits {
    /// Idle HTTP/1.1 connections kept for one origin.
    pub idle_max: usize,
    /// How long an idle connection is kept.
    pub idle_for: Duration,
}

impl Default for PoolLimits {
    /// 128 connections, 55 seconds: below the 60 seconds after which common load balancers hang up.
    fn default() -> Self {
        Self { idle_max: 128, idle_for: Duration::from_secs(55) }
    }
}

#[derive(Debug, Default)]
struct Inner {
    http1: HashMap<Origin, Vec<Idle>, RandomState>,
    http2: HashMap<Origin, http2::SendRequest<PiecesBody>, RandomState>,
}

#[derive(Debug)]
struct Idle {
    sender: http1::SendRequest<PiecesBody>,
    since: Instant,
}

/// A connection taken out of the pool; given back when its answer was read to the end.
#[derive(Debug)]
pub struct Lease {
    pub(crate) sender: Sender,
    pub(crate) origin: Origin,
    pool: Pool,
}

#[derive(Debug)]
pub(crate) enum Sender {
    Http1(http1::SendRequest<PiecesBody>),
    /// Shared by all; never given back.
    Http2(http2::SendRequest<PiecesBody>),
}

impl Pool {
    /// An empty pool.
    #[must_use]
    pub fn new(limits: PoolLimits) -> Self {
        Self { inner: Arc::default(), limits }
    }

    /// A connection to `origin` that was open when last seen: the one used last, so that the others may age.
    pub(crate) fn take(&self, origin: &Origin) -> Option<Lease> {
        let mut inner = self.lock();
        if let Some(sender) = inner.http2.get(origin) {
            if !sender.is_closed() {
                return Some(self.lease(origin, Sender::Http2(sender.clone())));
            }
            inner.http2.remove(origin);
        }
        let idle = inner.http1.get_mut(origin)?;
        let now = Instant::now();
        while let Some(last) = idle.pop() {
            if !last.sender.is_closed() && now.duration_since(last.since) < self.limits.idle_for {
                return Some(self.lease(origin, Sender::Http1(last.sender)));
            }
        }
        None
    }

    pub(crate) fn lease(&self, origin: &Origin, sender: Sender) -> Lease {
        Lease { sender, origin: origin.clone(), pool: self.clone() }
    }

    /// Keeps an HTTP/2 connection for all to share.
    pub(crate) fn share(&self, origin: &Origin, sender: &http2::SendRequest<PiecesBody>) {
        self.lock().http2.insert(origin.clone(), sender.clone());
    }

    /// Drops connections that were idle for too long, or closed. To be called now and then.
    pub fn sweep(&self) {
        let now = Instant::now();
        let limits = self.limits;
        let mut inner = self.lock();
        inner.http2.retain(|_, sender| !sender.is_closed());
        inner.http1.retain(|_, idle| {
            idle.retain(|i| !i.sender.is_closed() && now.duration_since(i.since) < limits.idle_for);
            idle.shrink_to_fit();
            !idle.is_empty()
        });
    }

    /// Number of idle HTTP/1.1 connections.
    #[must_use]
    pub fn idle(&self) -> usize {
        self.lock().http1.values().map(Vec::len).sum()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    /// Gives the connection back: its answer was read to the end.
    pub fn give_back(self) {
        let Sender::Http1(sender) = self.sender else { return };
        if sender.is_closed() {
            return;
        }
        let mut inner = self.pool.lock();
        let idle = match inner.http1.get_mut(&self.origin) {
            Some(idle) => idle,
            None => inner.http1.entry(self.origin).or_default(),
        };
        if idle.len() < self.pool.limits.idle_max {
            idle.push(Idle { sender, since: Instant::now() });
        }
    }
}
