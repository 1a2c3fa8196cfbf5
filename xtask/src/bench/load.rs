//! Runs the load generator and reads what it prints.

use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::lab::Lab;
use super::process::Launch;
use super::subject::{KEY, KEY_VARIABLE, Subject};

/// What all runs together came to.
#[derive(Debug, Default)]
pub(super) struct Total {
    pub(super) ok: u64,
    pub(super) failed: u64,
    pub(super) wrong: u64,
    /// The first few, each with the subject it happened to.
    pub(super) failures: Vec<String>,
}

/// The report of one run.
pub(super) struct Report(Value);

impl Report {
    /// A figure by its path, `latency_us/p50`; `None` when the run had none.
    pub(super) fn figure(&self, path: &str) -> Option<f64> {
        self.0.pointer(&format!("/{path}"))?.as_f64()
    }

    fn count(&self, name: &str) -> u64 {
        self.0.get(name).and_then(Value::as_u64).unwrap_or(0)
    }
}

/// Sends load at `subject`; `args` are those of `bench-load`, in one string.
pub(super) fn run(lab: &mut Lab, subject: &Subject, args: &str) -> Result<Report> {
    let mut all = vec!["--target".to_owned(), subject.address.to_string()];
    all.extend(["--upstream".to_owned(), lab.upstream.to_string()]);
    all.extend(args.split_whitespace().map(str::to_owned));
    let launch = Launch {
        cores: &lab.cores.load,
        program: &lab.load,
        args: all,
        environment: vec![(KEY_VARIABLE, KEY.to_owned())],
        log: lab.new_folder("load")?.join("stderr.log"),
    };
    let output = launch.command()?.stdout(Stdio::piped()).output().context("cannot start sh")?;
    let said = || std::fs::read_to_string(&launch.log).unwrap_or_default();
    ensure!(output.status.success(), "bench-load failed ({}): {}", output.status, said());
    let report = Report(serde_json::from_slice(&output.stdout).context("bench-load printed no JSON")?);
    // Every request would fail from now on, and none of them would say why.
    lab.upstream_running.lives().context("bench-upstream")?;
    lab.total.add(subject.kind.name(), &report);
    Ok(report)
}

impl Total {
    fn add(&mut self, subject: &str, report: &Report) {
        self.ok += report.count("ok");
        self.failed += report.count("failed");
        self.wrong += report.count("wrong");
        if let Some(failure) = report.0.get("failure").and_then(Value::as_str)
            && self.failures.len() < 5
        {
            self.failures.push(format!("{subject}: {failure}"));
        }
    }
}

/// A request of its own, small and whole, with which a start is timed.
pub(super) fn first_request() -> Vec<u8> {
    let body = r#"{"model":"chat","messages":[{"role":"user","content":"Hello."}]}"#;
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {KEY}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::{Report, Total};
    use serde_json::json;

    #[test]
    fn reports_are_read_and_added_up() {
        let report = Report(json!({
            "ok": 7, "failed": 1, "wrong": 2, "failure": "cut", "latency_us": {"p50": 12.5}, "late_us": null,
        }));
        assert_eq!(report.figure("latency_us/p50"), Some(12.5));
        assert_eq!(report.figure("late_us/p50"), None);
        let mut total = Total::default();
        total.add("floor", &report);
        total.add("shim", &report);
        assert_eq!((total.ok, total.failed, total.wrong), (14, 2, 4));
        assert_eq!(total.failures, ["floor: cut", "shim: cut"]);
    }
}
