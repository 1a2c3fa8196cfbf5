//! The figures that were promised, and whether they are reached. A missed goal is shown, and fails nothing.

use serde_json::{Value, json};

use super::records::{Records, Spread};

/// One promise.
pub(super) struct Goal {
    pub(super) what: &'static str,
    pub(super) unit: &'static str,
    /// `None` where it was not measured.
    pub(super) found: Option<Spread>,
    pub(super) first: f64,
    pub(super) aim: f64,
    sense: Sense,
}

#[derive(Clone, Copy)]
enum Sense {
    AtLeast,
    AtMost,
}

impl Goal {
    /// Whether the median reaches `limit`.
    fn reaches(&self, limit: f64) -> Option<bool> {
        let median = self.found?.median;
        Some(match self.sense {
            Sense::AtLeast => median >= limit,
            Sense::AtMost => median <= limit,
        })
    }

    /// `aim`, `first`, or `no`.
    pub(super) fn reached(&self) -> &'static str {
        match (self.reaches(self.aim), self.reaches(self.first)) {
            (Some(true), _) => "aim",
            (_, Some(true)) => "first",
            (_, Some(false)) => "**no**",
            (_, None) => "not measured",
        }
    }

    /// `≥` or `≤`.
    pub(super) fn sign(&self) -> &'static str {
        match self.sense {
            Sense::AtLeast => "≥",
            Sense::AtMost => "≤",
        }
    }

    pub(super) fn json(&self) -> Value {
        let found = self.found.map(|found| [found.median, found.least, found.greatest]);
        json!({
            "what": self.what, "unit": self.unit, "median_least_greatest": found,
            "first": self.first, "aim": self.aim, "reached": self.reached().trim_matches('*'),
        })
    }
}

/// Judges Shim, or the second floor in a self-check.
pub(super) fn judge(records: &Records) -> Vec<Goal> {
    let ours = ours(records);
    let mut goals = throughput_and_latency(records, ours);
    goals.extend(across(records, ours));
    goals.extend(recording(records));
    goals.extend(memory_and_start(records, ours));
    goals
}

/// The subject that stands where Shim does.
pub(super) fn ours(records: &Records) -> &'static str {
    if records.subjects().contains(&"second floor") { "second floor" } else { "shim" }
}

fn goal(
    what: &'static str,
    unit: &'static str,
    found: Option<Spread>,
    sense: Sense,
    limits: [f64; 2],
) -> Goal {
    let [first, aim] = limits;
    Goal { what, unit, found, first, aim, sense }
}

fn throughput_and_latency(records: &Records, ours: &str) -> Vec<Goal> {
    use Sense::{AtLeast, AtMost};
    let work = |measure| {
        records.compare(measure, "requests_per_cpu_second", [ours, "floor"], |[ours, floor]| ours / floor)
    };
    let added_p50 = records.compare("latency/whole/1k", "p50", [ours, "floor"], |[ours, floor]| ours - floor);
    let chunk = records.compare("chunks", "cpu_us", [ours, "floor"], |[ours, floor]| ours / floor);
    vec![
        goal(
            "requests per CPU-second, 1 KB prompt",
            "× floor",
            work("throughput/whole/1k"),
            AtLeast,
            [0.60, 0.80],
        ),
        goal(
            "requests per CPU-second, 64 KB prompt",
            "× floor",
            work("throughput/whole/64k"),
            AtLeast,
            [0.50, 0.75],
        ),
        goal("p50 on one connection, beyond the floor's", "µs", added_p50, AtMost, [15.0, 8.0]),
        goal(
            "added p99 at a constant rate",
            "× floor",
            added_p99(records, "rate/whole/1k", [ours, "floor"]),
            AtMost,
            [2.0, 1.3],
        ),
        goal("CPU per flushed stream chunk", "× floor", chunk, AtMost, [1.3, 1.0]),
        goal(
            "chunks held back, of 500 in lockstep",
            "",
            records.spread("held-back", ours, "held_back"),
            AtMost,
            [0.0, 0.0],
        ),
    ]
}

/// Against the floor that passes the upstream's own dialect on.
fn across(records: &Records, ours: &str) -> Vec<Goal> {
    let ratio =
        |measure, figure| records.compare(measure, figure, [ours, "floor"], |[ours, floor]| ours / floor);
    let work = |what, measure| {
        goal(what, "× floor", ratio(measure, "requests_per_cpu_second"), Sense::AtLeast, [0.45, 0.60])
    };
    let chunk = ratio("across/chunks", "cpu_us");
    vec![
        work("requests per CPU-second across dialects, 1 KB prompt", "across/whole/1k"),
        work("requests per CPU-second across dialects, 64 KB prompt", "across/whole/64k"),
        goal("CPU per flushed stream chunk across dialects", "× floor", chunk, Sense::AtMost, [1.8, 1.3]),
    ]
}

/// The gateway that records everything, against the one that records nothing.
fn recording(records: &Records) -> Vec<Goal> {
    let ratio = |measure: &str| {
        let kinds = ["recording full", "recording off"];
        records.compare(measure, "requests_per_cpu_second", kinds, |[full, off]| full / off)
    };
    let work = |what, measure| goal(what, "× off", ratio(measure), Sense::AtLeast, [0.8, 0.8]);
    let p99 = added_p99(records, "recording/rate", ["recording full", "recording off"]);
    vec![
        work("requests per CPU-second, all bodies recorded, 1 KB prompt", "recording/whole/1k"),
        work("requests per CPU-second, all bodies recorded, 64 KB prompt", "recording/whole/64k"),
        goal("added p99, all bodies recorded", "× off", p99, Sense::AtMost, [1.3, 1.3]),
    ]
}

/// What a subject adds to the direct connection's p99, over what another adds. Formed from the medians of the rounds
/// and not within each: the difference of two tails of one short round can be next to nothing, or less.
fn added_p99(records: &Records, measure: &str, [ours, other]: [&str; 2]) -> Option<Spread> {
    let p99 = |subject| records.spread(measure, subject, "p99");
    let (direct, other, ours) = (p99("direct")?, p99(other)?, p99(ours)?);
    let added_by_other = other.median - direct.median;
    // Where even the other adds nothing measurable there is no ratio to give.
    let ratio = |value: f64| (value - direct.median) / added_by_other;
    (added_by_other > 1.0).then(|| Spread {
        median: ratio(ours.median),
        least: ratio(ours.least),
        greatest: ratio(ours.greatest),
    })
}

fn memory_and_start(records: &Records, ours: &str) -> Vec<Goal> {
    use Sense::{AtLeast, AtMost};
    let memory = |figure| records.spread("memory/1k", ours, figure);
    let returned = || {
        let (idle, peak, after) = (memory("idle_mib")?, memory("peak_mib")?, memory("after_mib")?);
        Spread::of(vec![100.0 * (peak.median - after.median) / (peak.median - idle.median)])
    };
    vec![
        goal("resident memory, idle", "MiB", memory("idle_mib"), AtMost, [15.0, 10.0]),
        goal("resident memory, 1,000 open streams", "MiB", memory("peak_mib"), AtMost, [70.0, 45.0]),
        goal("of that growth, returned 3 s afterwards", "%", returned(), AtLeast, [50.0, 50.0]),
        goal("first answer after start", "ms", records.spread("start", ours, "ms"), AtMost, [100.0, 50.0]),
    ]
}

#[cfg(test)]
mod tests {
    use super::{Sense, Spread, goal, judge};
    use crate::bench::records::Records;

    #[test]
    fn a_goal_says_how_far_it_was_reached() {
        for (found, reached) in [(0.9, "aim"), (0.8, "aim"), (0.7, "first"), (0.5, "**no**")] {
            let found = Spread::of(vec![found]);
            assert_eq!(goal("", "", found, Sense::AtLeast, [0.6, 0.8]).reached(), reached);
        }
        assert_eq!(goal("", "", Spread::of(vec![9.0]), Sense::AtMost, [15.0, 8.0]).reached(), "first");
        assert_eq!(goal("", "", None, Sense::AtMost, [15.0, 8.0]).reached(), "not measured");
    }

    #[test]
    fn added_p99_is_a_ratio_of_what_is_added() {
        let mut records = Records::default();
        for (subject, p99) in [("direct", 100.0), ("floor", 150.0), ("shim", 175.0)] {
            records.add("rate/whole/1k", subject, 0, "p99", Some(p99));
        }
        let goals = judge(&records);
        let found = goals.iter().find(|goal| goal.what.starts_with("added p99")).unwrap();
        assert_eq!(found.found.unwrap().median, 1.5);
    }

    #[test]
    fn crossing_is_measured_against_the_bare_pass_through() {
        let mut records = Records::default();
        for (subject, requests, cpu) in [("floor", 10_000.0, 20.0), ("shim", 5_000.0, 32.0)] {
            for measure in ["across/whole/1k", "across/whole/64k"] {
                records.add(measure, subject, 0, "requests_per_cpu_second", Some(requests));
            }
            records.add("across/chunks", subject, 0, "cpu_us", Some(cpu));
        }
        let goals = judge(&records);
        let found: Vec<(f64, &str)> = goals
            .iter()
            .filter(|goal| goal.what.contains("across"))
            .filter_map(|goal| Some((goal.found?.median, goal.reached())))
            .collect();
        assert_eq!(found, [(0.5, "first"), (0.5, "first"), (1.6, "first")]);
    }
}
