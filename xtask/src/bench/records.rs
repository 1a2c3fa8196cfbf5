//! Every figure taken, by measurement, subject and round, and what is read out of them.

use serde_json::{Value, json};

/// All figures of a run.
#[derive(Debug, Default)]
pub(super) struct Records(Vec<Record>);

#[derive(Debug)]
struct Record {
    measure: String,
    subject: &'static str,
    round: usize,
    figure: &'static str,
    value: f64,
}

/// A median, with the least and the greatest of the rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) least: f64,
    pub(super) greatest: f64,
}

impl Spread {
    /// `None` of nothing.
    pub(super) fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (least, greatest) = (*values.first()?, *values.last()?);
        let upper = *values.get(values.len() / 2)?;
        let lower = *values.get((values.len() - 1) / 2)?;
        Some(Self { median: f64::midpoint(lower, upper), least, greatest })
    }
}

impl Records {
    /// Adds one figure; one that could not be taken is left out.
    pub(super) fn add(
        &mut self,
        measure: &str,
        subject: &'static str,
        round: usize,
        figure: &'static str,
        value: Option<f64>,
    ) {
        if let Some(value) = value.filter(|value| value.is_finite()) {
            self.0.push(Record { measure: measure.to_owned(), subject, round, figure, value });
        }
    }

    /// One figure of one subject, over all rounds.
    pub(super) fn spread(&self, measure: &str, subject: &str, figure: &str) -> Option<Spread> {
        Spread::of(self.rounds(measure, subject, figure).map(|record| record.value).collect())
    }

    /// `combine` of the same figure of several subjects, formed within each round that has all of them.
    pub(super) fn compare<const N: usize>(
        &self,
        measure: &str,
        figure: &str,
        subjects: [&str; N],
        combine: impl Fn([f64; N]) -> f64,
    ) -> Option<Spread> {
        let last = self.0.iter().map(|record| record.round).max()?;
        let in_round = |round: usize| {
            let mut values = [0.0; N];
            for (value, subject) in values.iter_mut().zip(subjects) {
                *value = self.rounds(measure, subject, figure).find(|record| record.round == round)?.value;
            }
            Some(combine(values)).filter(|value| value.is_finite())
        };
        Spread::of((0..=last).filter_map(in_round).collect())
    }

    /// The measurements whose names begin with `prefix`, in the order they were made.
    pub(super) fn measures(&self, prefix: &str) -> Vec<&str> {
        let mut found: Vec<&str> = Vec::new();
        for record in self.0.iter().filter(|record| record.measure.starts_with(prefix)) {
            if !found.contains(&record.measure.as_str()) {
                found.push(&record.measure);
            }
        }
        found
    }

    /// The subjects, in the order they were first measured.
    pub(super) fn subjects(&self) -> Vec<&'static str> {
        let order = ["direct", "nginx", "floor", "shim", "second floor"];
        order.into_iter().filter(|name| self.0.iter().any(|record| record.subject == *name)).collect()
    }

    /// All of it.
    pub(super) fn json(&self) -> Value {
        let one = |record: &Record| {
            json!({
                "measure": record.measure, "subject": record.subject, "round": record.round,
                "figure": record.figure, "value": record.value,
            })
        };
        self.0.iter().map(one).collect()
    }

    fn rounds(&self, measure: &str, subject: &str, figure: &str) -> impl Iterator<Item = &Record> {
        self.0.iter().filter(move |record| {
            record.measure == measure && record.subject == subject && record.figure == figure
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Records, Spread};

    #[test]
    fn medians_are_medians() {
        assert_eq!(Spread::of(vec![]), None);
        let spread = |values: &[f64]| Spread::of(values.to_vec()).unwrap();
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Spread { median: 2.0, least: 1.0, greatest: 3.0 });
        assert_eq!(spread(&[4.0, 1.0]), Spread { median: 2.5, least: 1.0, greatest: 4.0 });
    }

    #[test]
    fn subjects_are_compared_within_a_round() {
        let mut records = Records::default();
        for (round, (floor, shim)) in [(10.0, 20.0), (20.0, 30.0), (5.0, 10.0)].into_iter().enumerate() {
            records.add("a", "floor", round, "cpu", Some(floor));
            records.add("a", "shim", round, "cpu", Some(shim));
        }
        records.add("a", "floor", 3, "cpu", Some(1.0));
        records.add("a", "shim", 3, "cpu", None);
        let ratio = records.compare("a", "cpu", ["shim", "floor"], |[shim, floor]| shim / floor).unwrap();
        assert_eq!(ratio, Spread { median: 2.0, least: 1.5, greatest: 2.0 });
        assert_eq!(records.measures(""), ["a"]);
    }
}
