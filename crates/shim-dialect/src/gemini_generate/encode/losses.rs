//! What could not be carried, each thing told once.

use shim_ir::{Loss, LossKind};

/// More losses than anybody reads; of what comes beyond only what is refused is told.
const LOSSES_MAX: usize = 256;

/// What could not be carried so far.
#[derive(Debug, Default)]
pub(crate) struct Losses(Vec<Loss>);

impl Losses {
    /// Left out, harmlessly.
    pub(crate) fn dropped(&mut self, path: String, why: &'static str) {
        self.tell(path, LossKind::Dropped, why);
    }

    /// Carried as something near to it.
    pub(crate) fn near(&mut self, path: String, why: &'static str) {
        self.tell(path, LossKind::Approximated, why);
    }

    /// Left out although the answer depends on it.
    pub(crate) fn lacking(&mut self, path: String, why: &'static str) {
        self.tell(path, LossKind::Unsupported, why);
    }

    pub(crate) fn tell(&mut self, path: String, kind: LossKind, why: &'static str) {
        self.add(Loss::new(path, kind, why));
    }

    /// Adds a loss that was not told yet. What is refused is told however many there are, and not again as left out.
    pub(crate) fn add(&mut self, loss: Loss) {
        let covers =
            |kind| kind == loss.kind || (kind, loss.kind) == (LossKind::Unsupported, LossKind::Dropped);
        let told = |other: &Loss| other.path == loss.path && covers(other.kind);
        let room = self.0.len() < LOSSES_MAX || loss.kind == LossKind::Unsupported;
        if room && !self.0.iter().any(told) {
            self.0.push(loss);
        }
    }

    pub(crate) fn list(&self) -> &[Loss] {
        &self.0
    }

    pub(crate) fn into_list(self) -> Vec<Loss> {
        self.0
    }
}

/// Where a part is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At {
    pub(crate) of: Of,
    pub(crate) part: usize,
    /// The part of a part.
    pub(crate) inside: Option<usize>,
}

/// What a part is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    System,
    Turn(usize),
    /// Something to embed.
    Input(usize),
    Candidate(usize),
}

impl Of {
    /// The path of the `at`-th part.
    pub(crate) fn part(self, part: usize) -> At {
        At { of: self, part, inside: None }
    }
}

impl At {
    /// The path of a member of the part.
    pub(crate) fn member(self, name: &str) -> String {
        format!("{}.{name}", self.path())
    }

    pub(crate) fn path(self) -> String {
        let part = self.part;
        let mut path = match self.of {
            Of::System => format!("system[{part}]"),
            Of::Turn(turn) => format!("turns[{turn}].parts[{part}]"),
            Of::Input(input) => format!("inputs[{input}].parts[{part}]"),
            Of::Candidate(candidate) => format!("candidates[{candidate}].parts[{part}]"),
        };
        if let Some(inside) = self.inside {
            path.push_str(&format!(".content[{inside}]"));
        }
        path
    }
}
