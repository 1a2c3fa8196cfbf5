//! What came of a proof.

use serde_json::{Value, json};
use shim_ir::{Dialect, Loss};

/// What came of a proof.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Each target.
    pub tried: Vec<Tried>,
    /// Targets that cannot be tried, and why.
    pub passed_over: Vec<(String, String)>,
}

/// One target, in every client dialect.
#[derive(Clone, Debug)]
pub struct Tried {
    /// What clients ask for: an alias, or the target itself.
    pub asked: String,
    /// The target, as `provider/model`.
    pub target: String,
    /// The dialects of clients, and for each the dialect its requests go on in.
    pub dialects: Vec<(Dialect, Dialect)>,
    /// Each case.
    pub rows: Vec<Row>,
}

/// One case of a target.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its name.
    pub case: &'static str,
    /// What it is about.
    pub about: &'static str,
    /// A cell for each dialect of clients, in their order.
    pub cells: Vec<Cell>,
}

/// What came of one case in one client dialect, whole and streamed.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    /// The worse of the two.
    pub verdict: Verdict,
    /// What the gateway declared as lost, each once.
    pub losses: Vec<Loss>,
    /// Why it is refused, cannot be, or what was expected and found.
    pub reasons: Vec<String>,
}

/// What came of a case, the worst last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The dialects have no words for it.
    #[default]
    NotApplicable,
    /// Everything arrived.
    Ok,
    /// Everything arrived but for what was declared as lost.
    Mapped,
    /// The alias refuses it, with the reason.
    Refused,
    /// Something did not arrive, or not as it should.
    Fail,
}

impl Verdict {
    /// The word in tables and JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::NotApplicable => "n/a",
            Self::Ok => "ok",
            Self::Mapped => "mapped",
            Self::Refused => "refused",
            Self::Fail => "FAIL",
        }
    }
}

impl Cell {
    /// What came of the whole and the streamed one together.
    pub(crate) fn with(mut self, other: Self) -> Self {
        self.verdict = self.verdict.max(other.verdict);
        for loss in other.losses {
            if !self.losses.contains(&loss) {
                self.losses.push(loss);
            }
        }
        for reason in other.reasons {
            if !self.reasons.contains(&reason) {
                self.reasons.push(reason);
            }
        }
        self
    }
}

impl Report {
    /// Every cell.
    pub fn cells(&self) -> impl Iterator<Item = &Cell> {
        self.tried.iter().flat_map(|tried| &tried.rows).flat_map(|row| &row.cells)
    }

    /// Number of cells of a verdict.
    #[must_use]
    pub fn count(&self, verdict: Verdict) -> usize {
        self.cells().filter(|cell| cell.verdict == verdict).count()
    }

    /// Whether nothing failed.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.count(Verdict::Fail) == 0
    }

    /// All of it as JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let verdicts =
            [Verdict::Ok, Verdict::Mapped, Verdict::Refused, Verdict::NotApplicable, Verdict::Fail];
        let counts: serde_json::Map<String, Value> =
            verdicts.iter().map(|verdict| (verdict.word().to_owned(), self.count(*verdict).into())).collect();
        let passed = |(target, why): &(String, String)| json!({ "target": target, "why": why });
        json!({
            "holds": self.holds(),
            "counts": counts,
            "targets": self.tried.iter().map(Tried::to_json).collect::<Vec<_>>(),
            "passed_over": self.passed_over.iter().map(passed).collect::<Vec<_>>(),
        })
    }
}

impl Tried {
    fn to_json(&self) -> Value {
        let cell = |(cell, (client, upstream)): (&Cell, &(Dialect, Dialect))| {
            let loss = |loss: &Loss| json!({ "path": loss.path, "kind": loss.kind.name(), "why": loss.why });
            json!({
                "client": client.name(),
                "upstream": upstream.name(),
                "verdict": cell.verdict.word(),
                "losses": cell.losses.iter().map(loss).collect::<Vec<_>>(),
                "reasons": cell.reasons,
            })
        };
        let row = |row: &Row| {
            let cells: Vec<_> = row.cells.iter().zip(&self.dialects).map(cell).collect();
            json!({ "case": row.case, "about": row.about, "cells": cells })
        };
        json!({
            "asked": self.asked,
            "target": self.target,
            "cases": self.rows.iter().map(row).collect::<Vec<_>>(),
        })
    }
}
