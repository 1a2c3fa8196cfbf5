//! Costs reckoned anew while the gateway runs.

use std::sync::TryLockError;

use shim_store::ledger::{Filter, RepriceReport};

use super::{Control, ControlError};
use crate::reprice::PriceList;

impl Control {
    /// Reckons the costs of the recorded exchanges that pass `filter` anew by the prices in force; with `write`, the ledger
    /// and the budgets that rest on it follow. It waits for the disk.
    ///
    /// # Errors
    /// When there is no ledger, it cannot be read or written, or somebody else is at it: what was written before that is
    /// in force.
    pub fn reprice(&self, filter: &Filter, write: bool) -> Result<RepriceReport, ControlError> {
        let ledger = self.shared.ledger().ok_or(ControlError::NoLedger)?;
        let _one = match self.repricing.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Err(ControlError::Repricing),
        };
        let mut prices = PriceList::of(&self.lock().config);
        let report =
            ledger.reader().reprice(filter, &mut |priced| prices.price(priced), &mut |day, changes| {
                if !write {
                    return Ok(0);
                }
                // A budget that is new to the snapshot begins with what the ledger says: not between the two.
                let inner = self.lock();
                let changed = ledger.reprice(day, changes)?;
                self.shared.limited.corrects(&self.shared.snapshot(), &changed);
                self.shared.repriced(&changed);
                drop(inner);
                Ok(changed.len() as u64)
            });
        report.map_err(ControlError::Reprice)
    }
}
