//! How much is measured: the cases, and how often and for how long each.

use std::time::Duration;

/// How much is measured, and for how long.
pub(in crate::bench) struct Plan {
    /// Time for samples that are taken again because something else was running.
    pub(in crate::bench) patience: Duration,
    pub(super) rounds: usize,
    pub(super) starts: usize,
    pub(super) throughput: &'static [Case],
    pub(super) sample_ms: u32,
    pub(super) latency: &'static [&'static str],
    pub(super) latency_ms: u32,
    pub(super) rate: &'static [Case],
    pub(super) rate_ms: u32,
    pub(super) chunks_each: u32,
    pub(super) memory_prompts: &'static [&'static str],
    /// Half a second each.
    pub(super) memory_chunks: u32,
}

impl Plan {
    /// Every case; at most ten minutes. Many short rounds rather than few long ones: a machine that others use changes its
    /// speed within seconds, and a ratio is formed within a round.
    pub(in crate::bench) fn full() -> Self {
        Self {
            patience: Duration::from_secs(60),
            rounds: 7,
            starts: 7,
            throughput: &THROUGHPUT,
            sample_ms: 500,
            latency: &PROMPTS,
            latency_ms: 400,
            rate: &RATE,
            rate_ms: 1200,
            chunks_each: 700,
            memory_prompts: &["1k", "64k"],
            memory_chunks: 8,
        }
    }

    /// The cases that have a goal; about two minutes.
    pub(in crate::bench) fn quick() -> Self {
        Self {
            patience: Duration::from_secs(20),
            rounds: 5,
            starts: 3,
            throughput: THROUGHPUT.split_at(3).0,
            sample_ms: 400,
            latency: PROMPTS.split_at(1).0,
            latency_ms: 300,
            rate: RATE.split_at(1).0,
            rate_ms: 800,
            chunks_each: 250,
            memory_prompts: PROMPTS.split_at(1).0,
            memory_chunks: 5,
        }
    }
}

/// A name, and the options of the load generator.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) args: &'static str,
}

/// Answers in one piece, or in 20 chunks sent as fast as the upstream can. Those that have a goal come first.
pub(super) const THROUGHPUT: [Case; 6] = [
    Case { name: "whole/1k", args: "--prompt 1k" },
    Case { name: "whole/64k", args: "--prompt 64k" },
    Case { name: "stream/1k", args: "--prompt 1k --chunks 20" },
    Case { name: "whole/400k", args: "--prompt 400k" },
    Case { name: "stream/64k", args: "--prompt 64k --chunks 20" },
    Case { name: "stream/400k", args: "--prompt 400k --chunks 20" },
];

/// About a tenth of what one core of the floor can do, so that the tail is that of a service with room to spare and not
/// of a queue.
pub(super) const RATE: [Case; 3] = [
    Case { name: "whole/1k", args: "--prompt 1k --rate 2000" },
    Case { name: "whole/64k", args: "--prompt 64k --rate 500" },
    Case { name: "stream/1k", args: "--prompt 1k --chunks 20 --rate 250" },
];

/// What [`across`](super::across) sends as fast as it can. Few enough for every run.
pub(super) const ACROSS: [Case; 3] = [
    Case { name: "whole/1k", args: "--prompt 1k" },
    Case { name: "whole/64k", args: "--prompt 64k" },
    Case { name: "stream/1k", args: "--prompt 1k --chunks 20" },
];

const PROMPTS: [&str; 3] = ["1k", "64k", "400k"];
