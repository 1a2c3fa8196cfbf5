//! Terminal agents, started by `shim run`: each is asked about a file, is told by the provider to print it, and must
//! send what the file says back before it gets its answer.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::gateway::Gateway;
use super::install::Installed;
use super::process::finish;
use super::{Places, Tally, write};
use crate::say;

/// How long an agent may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the agent is asked.
const TASK: &str = "What does note.txt say?";

/// What it must answer in the end: `then.sse` of the cases `agent_task_…`.
const ANSWER: &str = "The note was read.";

/// An agent.
pub(super) struct Agent {
    /// Its program.
    pub(super) name: &'static str,
    /// How it speaks.
    pub(super) dialect: &'static str,
    /// Its arguments before the task.
    before: &'static [&'static str],
    /// And after it.
    after: &'static [&'static str],
    /// Its user's own settings, below the home folder: they are in force where `RULE` reaches the provider.
    settings: &'static [(&'static str, &'static str)],
}

/// What an agent is started with.
pub(super) struct Start<'s> {
    /// The clients' address of the gateway.
    pub(super) url: &'s str,
    /// What it sends as its key.
    pub(super) key: &'s str,
    /// What it asks for.
    pub(super) model: &'s str,
    /// What it is asked.
    pub(super) task: &'s str,
}

/// What the agent's user has it told always.
const RULE: &str = "Mind the heliotrope of the user.";

/// The agents.
pub(super) const ALL: [Agent; 4] = [
    Agent {
        name: "claude",
        dialect: "anthropic",
        before: &["-p"],
        after: &["--output-format", "text"],
        // Without the first it may neither run commands nor write files.
        settings: &[
            (".claude/settings.json", r#"{"permissions": {"allow": ["Bash", "Write"]}}"#),
            (".claude/CLAUDE.md", RULE),
        ],
    },
    Agent {
        name: "codex",
        dialect: "openai-responses",
        before: &["exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"],
        after: &[],
        settings: &[(".codex/config.toml", r#"developer_instructions = "Mind the heliotrope of the user.""#)],
    },
    Agent {
        name: "gemini",
        dialect: "gemini",
        before: &["-p"],
        after: &["--approval-mode", "yolo", "--skip-trust"],
        settings: &[
            (
                ".gemini/settings.json",
                r#"{"context": {"fileName": "OWN.md"}, /* mine */ "security": {"auth": {"selectedType": "oauth-personal"}}}"#,
            ),
            (".gemini/OWN.md", RULE),
        ],
    },
    Agent {
        name: "opencode",
        dialect: "openai-chat",
        before: &["run"],
        after: &[],
        settings: &[
            (
                ".config/opencode/opencode.jsonc",
                r#"{"instructions": ["~/.config/opencode/own.md"], /* mine */}"#,
            ),
            (".config/opencode/own.md", RULE),
        ],
    },
];

impl Agent {
    /// Runs the agent on its task, with `model`. `name` is what the check is called.
    ///
    /// # Errors
    /// When files cannot be written. That the agent fails, or takes too long, is counted.
    pub(super) fn run(
        &self,
        name: &str,
        model: &str,
        gateway: &Gateway,
        places: &Places,
        installed: &Installed,
        tally: &mut Tally,
    ) -> Result<()> {
        let Some(programs) = &installed.agents else { return Ok(()) };
        let folder = places.fresh("task")?;
        let note = format!("The colour is heliotrope, says {name}.");
        write(&folder.join("note.txt"), &format!("{note}\n"))?;
        let start = Start { url: &gateway.url, key: gateway.key, model, task: TASK };
        let mut command = self.command(&start, places, programs)?;
        command.current_dir(&folder);
        let log = places.work.join(format!("{}.log", name.replace(' ', "-")));
        let mut said = String::new();
        let mut take = |line: &str| {
            said.push_str(line);
            said.push('\n');
            Ok(())
        };
        let before = std::fs::read_to_string(&gateway.seen).map_or(0, |seen| seen.lines().count());
        let ended = finish(&mut command, &log, PATIENCE, &mut take);
        let seen = std::fs::read_to_string(&gateway.seen).context("the provider noted nothing")?;
        let wrong = match ended {
            Err(error) => Some(format!("{error:#}")),
            Ok(status) if !status.success() => Some(status.to_string()),
            Ok(_) if !said.contains(ANSWER) => Some(format!("it says {said:?}")),
            Ok(_) if !seen.contains(&note) => {
                Some("what the file says did not reach the provider".to_owned())
            }
            Ok(_) if !seen.lines().skip(before).any(|line| line.contains(RULE)) => {
                Some("its user's own settings were not in force".to_owned())
            }
            Ok(_) => None,
        };
        tell(name, wrong, &log, tally)
    }

    /// The command that starts it, in a home of its own.
    pub(super) fn command(&self, start: &Start<'_>, places: &Places, programs: &Path) -> Result<Command> {
        let mut command = Command::new(places.binary("shim")?);
        command.args(["run", "--url", start.url, "--key", start.key]);
        command.args(["--model", start.model, "--", self.name]);
        command.args(self.before).arg(start.task).args(self.after);
        command.env_clear().env("PATH", path(programs)?);
        command.env("HOME", self.home(places)?).env("TERM", "dumb");
        command.env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1");
        command.env("OPENCODE_DISABLE_MODELS_FETCH", "1").env("OPENCODE_DISABLE_AUTOUPDATE", "1");
        Ok(command)
    }

    /// A home folder with the settings of its user.
    fn home(&self, places: &Places) -> Result<PathBuf> {
        let home = places.fresh("home")?;
        for (file, text) in self.settings {
            let file = home.join(file);
            std::fs::create_dir_all(file.parent().unwrap_or(&home))?;
            write(&file, text)?;
        }
        Ok(home)
    }
}

fn tell(name: &str, wrong: Option<String>, log: &Path, tally: &mut Tally) -> Result<()> {
    let check = "a task with a tool call, under its user's settings";
    match wrong {
        None => {
            tally.pass();
            say(&format!("{name}: ok    {check}"))
        }
        Some(why) => {
            tally.fail(format!("{name}: {check}"));
            say(&format!("{name}: FAIL  {check}\n{name}: {why}; see {}", log.display()))
        }
    }
}

/// The programs in `first` before those everybody has.
fn path(first: &Path) -> Result<OsString> {
    let rest = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(PathBuf::from(first)).chain(std::env::split_paths(&rest));
    Ok(std::env::join_paths(folders)?)
}
