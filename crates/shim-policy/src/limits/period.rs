//! The window of a budget that holds a moment.

use super::BudgetWindow;
use crate::calendar::{day_of, month_of};

/// A window of a budget, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// Its first moment.
    pub start_ms: u64,
    /// The first moment of the next; none for one that never ends.
    pub end_ms: Option<u64>,
}

impl Period {
    /// The window of this kind that holds a moment.
    #[must_use]
    pub fn of(window: BudgetWindow, at_ms: u64) -> Self {
        let (start_ms, end_ms) = match window {
            BudgetWindow::Day => day_of(at_ms),
            BudgetWindow::Month => month_of(at_ms),
            BudgetWindow::Total => return Self { start_ms: 0, end_ms: None },
        };
        Self { start_ms, end_ms: Some(end_ms) }
    }

    /// Whether a moment is in it.
    #[must_use]
    pub fn holds(&self, at_ms: u64) -> bool {
        self.start_ms <= at_ms && self.end_ms.is_none_or(|end| at_ms < end)
    }
}
