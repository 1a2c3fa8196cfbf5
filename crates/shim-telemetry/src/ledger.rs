//! What the ledger counts of itself.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::names;

/// What the ledger counts of itself. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct LedgerMetrics {
    /// Rows written.
    pub rows: Counter,
    /// Exchanges whose bodies had no room in the queue.
    pub bodies_shed: Counter,
    /// Admissions that had none; the exchange is accounted when it is settled.
    pub admissions_shed: Counter,
    /// Rows of usage that had none.
    pub rows_shed: Counter,
    /// Settlements that came twice and were kept once.
    pub doubled: Counter,
    /// Exchanges found open at the start.
    pub crashed: Counter,
    /// Writes the disk refused.
    pub refused: Counter,
    /// Files that were damaged and set aside.
    pub set_aside: Counter,
    /// Bytes of what waits to be written.
    pub queue_bytes: Gauge,
}

impl LedgerMetrics {
    pub(crate) fn register(&self, r: &mut Registry) {
        r.register(names::LEDGER_ROWS, "Rows written to the ledger", self.rows.clone());
        let shed = "Exchanges whose bodies the ledger's queue had no room for";
        r.register(names::LEDGER_BODIES_SHED, shed, self.bodies_shed.clone());
        let shed = "Admissions the ledger's queue had no room for";
        r.register(names::LEDGER_ADMISSIONS_SHED, shed, self.admissions_shed.clone());
        let shed = "Rows of usage the ledger's queue had no room for";
        r.register(names::LEDGER_ROWS_SHED, shed, self.rows_shed.clone());
        r.register(names::LEDGER_DOUBLED, "Settlements that came twice", self.doubled.clone());
        r.register(names::LEDGER_CRASHED, "Exchanges found open at the start", self.crashed.clone());
        r.register(names::LEDGER_REFUSED, "Writes of the ledger the disk refused", self.refused.clone());
        r.register(names::LEDGER_SET_ASIDE, "Damaged files of the ledger set aside", self.set_aside.clone());
        r.register(
            names::LEDGER_QUEUE,
            "Bytes that wait to be written to the ledger",
            self.queue_bytes.clone(),
        );
    }
}
