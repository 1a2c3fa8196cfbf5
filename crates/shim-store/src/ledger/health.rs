//! How the ledger is: counted for machines, told in words for people.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use shim_telemetry::LedgerMetrics;

/// How the ledger is.
#[derive(Debug)]
pub(super) struct Health {
    pub(super) metrics: LedgerMetrics,
    alarms: Mutex<BTreeMap<&'static str, String>>,
}

impl Health {
    pub(super) fn new(metrics: LedgerMetrics) -> Self {
        Self { metrics, alarms: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, String>> {
        self.alarms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Raises the alarm of this kind. It is told to the log when it is raised, not while it lasts.
    pub(super) fn raise(&self, kind: &'static str, words: &str) {
        let before = self.lock().insert(kind, words.to_owned());
        if before.is_none() {
            tracing::error!("{words}");
        }
    }

    /// Ends the alarm of this kind.
    pub(super) fn clear(&self, kind: &'static str) {
        if self.lock().remove(kind).is_some() {
            tracing::warn!("the ledger's alarm is over: {kind}");
        }
    }

    /// What is wrong, in words.
    pub(super) fn alarms(&self) -> Vec<String> {
        let mut alarms: Vec<String> = self.lock().values().cloned().collect();
        let metrics = &self.metrics;
        let shed = [
            (metrics.bodies_shed.get(), "bodies"),
            (metrics.admissions_shed.get(), "admissions"),
            (metrics.rows_shed.get(), "rows of usage"),
        ];
        let shed = shed.iter().filter(|(count, _)| *count > 0);
        let shed: Vec<String> = shed.map(|(count, what)| format!("{count} {what}")).collect();
        if !shed.is_empty() {
            let words = "the ledger's queue was full, and these were not recorded since the start";
            alarms.push(format!("{words}: {}", shed.join(", ")));
        }
        alarms
    }
}
