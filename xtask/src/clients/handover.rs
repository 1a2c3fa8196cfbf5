//! Agents whose model is changed in the middle of a task, or whose gateway ends there: each has `clients/agents/task.toml`
//! done by strict fakes of providers, and two of its commands wait at gates, where this swaps and restarts.
//!
//! All of it happens between two requests of the agent: it has the answer that names the command, and sends the next
//! request only with what the command gave. So nothing here is a matter of luck, or of an agent's retries.
//!
//! All four make their calls at once where they are told to, and send all results back in one request. Claude Code and
//! Gemini CLI run those that write one after the other; Codex has its shell alone, for reading and writing too.

mod gates;
mod lab;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use serde_json::Value;

use self::gates::{GATES, Gates};
use self::lab::{End, Lab};
use super::agents::{self, Start};
use super::install::Installed;
use super::process::finish;
use super::{Places, Tally, wanted, write};
use crate::say;

/// How long an agent may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the agents are asked.
const TASK: &str = "Do the task of the three words.";

/// The task's open files.
const OPEN: [&str; 2] = ["one.txt", "two.txt"];

/// What happens at the gates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// At the first the model is swapped, at the second it is swapped back.
    Swapped,
    /// At the first the gateway ends and is started again, at the second the model is swapped.
    Restarted(End),
}

/// An agent's task.
struct Run {
    agent: &'static str,
    /// The provider it begins with, and the one it is swapped to.
    from: &'static str,
    to: &'static str,
    way: Way,
}

/// Each agent both ways. When swapped it begins with its own dialect's provider, which gets its state back from the agent;
/// when restarted with another's, which gets it back from the store. Each provider is begun with and swapped to both ways.
const RUNS: [Run; 8] = [
    Run { agent: "claude", from: "anthropic", to: "openai", way: Way::Swapped },
    Run { agent: "codex", from: "openai", to: "google", way: Way::Swapped },
    Run { agent: "gemini", from: "google", to: "deepseek", way: Way::Swapped },
    Run { agent: "opencode", from: "deepseek", to: "anthropic", way: Way::Swapped },
    Run { agent: "claude", from: "deepseek", to: "google", way: Way::Restarted(End::Killed) },
    Run { agent: "codex", from: "google", to: "anthropic", way: Way::Restarted(End::Told) },
    Run { agent: "gemini", from: "anthropic", to: "openai", way: Way::Restarted(End::Killed) },
    Run { agent: "opencode", from: "openai", to: "deepseek", way: Way::Restarted(End::Told) },
];

/// Runs those that `filter` names.
///
/// # Errors
/// When files cannot be written, or the gateway does not start.
pub(super) fn run(
    places: &Places,
    installed: &Installed,
    filter: &[String],
    tally: &mut Tally,
) -> Result<()> {
    let Some(programs) = &installed.agents else { return Ok(()) };
    let runs: Vec<_> = RUNS.iter().filter(|run| wanted(filter, &run.name())).collect();
    if runs.is_empty() {
        return Ok(());
    }
    let aliases: Vec<_> = RUNS.iter().map(|run| (run.alias(), run.from)).collect();
    let mut lab = Lab::start(places, &aliases)?;
    let mut kills = 0;
    for run in runs {
        let log = places.work.join(format!("{}.log", run.name().replace(' ', "-")));
        let wrong = run.judged(&mut lab, places, programs, &log).err();
        tell(&run.name(), "eight calls, to the right end", wrong, &log, tally)?;
        kills += usize::from(matches!(run.way, Way::Restarted(End::Killed)));
    }
    let log = lab.log();
    let wrong = lab.end(kills).err();
    tell("agents handed over", "each exchange delivered, and accounted once", wrong, &log, tally)
}

fn tell(name: &str, check: &str, wrong: Option<anyhow::Error>, log: &Path, tally: &mut Tally) -> Result<()> {
    let Some(why) = wrong else {
        tally.pass();
        return say(&format!("{name}: ok    {check}"));
    };
    tally.fail(format!("{name}: {check}"));
    say(&format!("{name}: FAIL  {check}\n{name}: {why:#}; see {}", log.display()))
}

impl Run {
    fn name(&self) -> String {
        let Self { agent, from, to, way } = self;
        match way {
            Way::Swapped => format!("agent {agent} from {from} to {to} and back"),
            Way::Restarted(End::Killed) => format!("agent {agent} from {from} past a kill to {to}"),
            Way::Restarted(End::Told) => format!("agent {agent} from {from} past a restart to {to}"),
        }
    }

    fn alias(&self) -> String {
        let how = if self.way == Way::Swapped { "swapped" } else { "restarted" };
        format!("{}-{how}", self.agent)
    }

    /// Whom the six requests of the task must reach.
    fn asked(&self) -> [&'static str; 6] {
        let (from, to) = (self.from, self.to);
        match self.way {
            Way::Swapped => [from, from, to, to, from, from],
            Way::Restarted(_) => [from, from, from, from, to, to],
        }
    }

    /// Runs the agent and judges what came of it.
    fn judged(&self, lab: &mut Lab<'_>, places: &Places, programs: &Path, log: &Path) -> Result<()> {
        let words = ["amber", "birch", "cedar", "damask"].map(|word| format!("{word}{}", std::process::id()));
        let folder = places.fresh("task")?;
        for (file, word) in OPEN.iter().zip(&words) {
            write(&folder.join(file), &format!("The word is word({word}).\n"))?;
        }
        let agent = agents::ALL.iter().find(|agent| agent.name == self.agent).context("no such agent")?;
        let start = Start { url: &lab.url(), key: lab::KEY, model: &self.alias(), task: TASK };
        let mut command = agent.command(&start, places, programs)?;
        command.current_dir(&folder);
        let before = lab.seen()?.len();
        let said = self.done(&mut command, lab, &Gates::make(&folder)?, &words, log)?;
        let [one, two, half, late] = &words;
        let (forward, backward) = (format!("{one}-{two}-{half}"), format!("{half}-{two}-{one}"));
        let end = format!("Done: forward {forward}, backward {backward}, by way of {late}.");
        ensure!(said.contains(&end), "it says {said:?}, not {end:?}");
        for (file, word) in [("forward.txt", forward), ("backward.txt", backward)] {
            let text = std::fs::read_to_string(folder.join(file)).with_context(|| file.to_owned())?;
            ensure!(text.trim_end() == format!("word({word})"), "{file} says {text:?}");
        }
        self.is_right(lab.seen()?.get(before..).unwrap_or_default())
    }

    /// Has the agent do the task; what it says.
    fn done(
        &self,
        command: &mut Command,
        lab: &mut Lab<'_>,
        gates: &Gates,
        words: &[String; 4],
        log: &Path,
    ) -> Result<String> {
        let mut said = String::new();
        let mut take = |line: &str| {
            said.push_str(line);
            said.push('\n');
            Ok(())
        };
        let ended = std::thread::scope(|scope| {
            let keeper = scope.spawn(|| self.keep(gates, lab, words));
            let ended = finish(command, log, PATIENCE, &mut take);
            let opened = gates.open();
            let kept = keeper.join().unwrap_or_else(|_| Err(anyhow!("the thread at the gates broke")));
            drop(opened);
            // What went wrong at a gate is why the agent failed.
            kept.and(ended)
        })?;
        ensure!(ended.success(), "{ended}, and it says {said:?}");
        Ok(said)
    }

    /// What happens while the agent waits at each gate.
    fn keep(&self, gates: &Gates, lab: &mut Lab<'_>, words: &[String; 4]) -> Result<()> {
        let [_, _, half, late] = words;
        gates.pass(GATES[0], half, || match self.way {
            Way::Swapped => lab.swap(&self.alias(), self.to),
            Way::Restarted(end) => lab.restart(end),
        })?;
        let then = if self.way == Way::Swapped { self.from } else { self.to };
        gates.pass(GATES[1], late, || lab.swap(&self.alias(), then))
    }

    /// Judges what the providers saw: nothing they would refuse, the task's requests each at its provider, and with each
    /// all the state that this provider had given before, byte for byte and in order.
    ///
    /// That each holds every call and its result is for the providers to say: they refuse it otherwise.
    fn is_right(&self, seen: &[Value]) -> Result<()> {
        for line in seen {
            ensure!(line["status"] == 200, "refused: {line}");
        }
        let of_task = |line: &&Value| {
            let body: Value =
                serde_json::from_str(line["body"].as_str().unwrap_or_default()).unwrap_or_default();
            let offers = body["tools"].as_array().is_some_and(|tools| !tools.is_empty());
            offers && line["strict"]["gave"].as_array().is_some_and(|gave| !gave.is_empty())
        };
        let turns: Vec<_> = seen.iter().filter(of_task).map(|line| &line["strict"]).collect();
        let asked: Vec<_> = turns.iter().map(|turn| turn["name"].as_str().unwrap_or_default()).collect();
        ensure!(asked == self.asked(), "asked were {asked:?}, not {:?}", self.asked());
        for (at, turn) in turns.iter().enumerate() {
            let earlier = turns.iter().take(at).filter(|earlier| earlier["name"] == turn["name"]);
            let gave: Vec<_> = earlier.flat_map(|earlier| earlier["gave"].as_array()).flatten().collect();
            let got: Vec<_> = turn["got"].as_array().into_iter().flatten().collect();
            ensure!(got == gave, "request {}: its provider had given {gave:?} and got back {got:?}", at + 1);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::agents;
    use super::{RUNS, Run, Way};

    /// What `of` gives of the runs of a way, once each.
    fn all(swapped: bool, of: impl Fn(&Run) -> &'static str) -> BTreeSet<&'static str> {
        RUNS.iter().filter(|run| (run.way == Way::Swapped) == swapped).map(of).collect()
    }

    #[test]
    fn every_agent_and_every_provider_is_there_both_ways() {
        let agents: BTreeSet<_> = agents::ALL.iter().map(|agent| agent.name).collect();
        for swapped in [true, false] {
            assert_eq!(all(swapped, |run| run.agent), agents);
            assert_eq!(all(swapped, |run| run.from).len(), 4);
            assert_eq!(all(swapped, |run| run.from), all(swapped, |run| run.to));
        }
    }
}
