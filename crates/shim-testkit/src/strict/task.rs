//! A task of several turns for a real agent, with the tools it offers: `clients/agents/task.toml`.

use std::fs;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::script::{Call, Done, Next, Script, Told};

/// A task. What was done of it, and what comes next, follows from the history alone.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// What is said to whoever offers no tools: agents have their conversations named.
    title: String,
    /// What is said in the end.
    says: String,
    turns: Vec<Turn>,
    tools: Vec<Tool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Turn {
    says: String,
    calls: Vec<Act>,
}

/// What is to be done by a call.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Act {
    does: Deed,
    #[serde(default)]
    file: String,
    #[serde(default)]
    text: String,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Deed {
    /// Shows a file.
    Read,
    /// Writes a text into a file.
    Write,
    /// Runs a command.
    Run,
}

/// A tool of an agent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tool {
    name: String,
    does: Deed,
    /// The members that take the file, and the text or the command.
    file: Option<String>,
    text: Option<String>,
    /// What it is given besides.
    #[serde(default)]
    with: Map<String, Value>,
}

impl Task {
    /// Reads the task.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read() -> Result<Self> {
        let file = crate::root().join("clients/agents/task.toml");
        let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        toml::from_str(&text).with_context(|| file.display().to_string())
    }

    /// How an agent that offers these tools does what is to be done: with a tool for it, or else with its shell.
    fn call(&self, act: &Act, offered: &[String], words: &[Option<String>]) -> Result<Call, String> {
        let text = filled(&act.text, words)?;
        let tool =
            |does: Deed| self.tools.iter().find(|tool| tool.does == does && offered.contains(&tool.name));
        if let Some(tool) = tool(act.does) {
            return Ok(tool.call(&act.file, &text));
        }
        let command = match act.does {
            Deed::Read => format!("cat {}", act.file),
            Deed::Write => format!("printf '%s' '{text}' > {}", act.file),
            Deed::Run => text,
        };
        let shell = tool(Deed::Run).ok_or_else(|| format!("no known tool runs a command: {offered:?}"))?;
        Ok(shell.call("", &command))
    }
}

impl Tool {
    fn call(&self, file: &str, text: &str) -> Call {
        let mut arguments = Map::new();
        for (member, value) in [(&self.file, file), (&self.text, text)] {
            if let Some(member) = member {
                arguments.insert(member.clone(), json!(value));
            }
        }
        arguments.extend(self.with.clone());
        Call { name: self.name.clone(), arguments: Value::Object(arguments) }
    }
}

impl Script for Task {
    fn next(&self, told: &Told) -> Result<Next, String> {
        if told.tools.is_empty() {
            return Ok(Next { says: self.title.clone(), calls: Vec::new(), searches: false });
        }
        let (mut done, mut words) = (told.done.iter(), Vec::new());
        for turn in &self.turns {
            let call = |act| self.call(act, &told.tools, &words);
            let calls = turn.calls.iter().map(call).collect::<Result<Vec<_>, _>>()?;
            if done.len() == 0 {
                return Ok(Next { says: turn.says.clone(), calls, searches: false });
            }
            for call in &calls {
                words.push(checked(call, done.next())?);
            }
        }
        match done.next() {
            None => Ok(Next { says: filled(&self.says, &words)?, calls: Vec::new(), searches: false }),
            Some(more) => Err(format!("a call was not asked for: {:?}", more.call)),
        }
    }
}

/// The word that came of a call, where it is the one that was asked for.
fn checked(asked: &Call, done: Option<&Done>) -> Result<Option<String>, String> {
    match done {
        Some(done) if done.call == *asked => Ok(word(&done.result).map(str::to_owned)),
        Some(done) => Err(format!("another call was asked for: {:?}, not {:?}", asked, done.call)),
        None => Err(format!("a call is missing: {asked:?}")),
    }
}

/// The word that a result holds: agents put much around what a tool gave.
fn word(result: &str) -> Option<&str> {
    let (_, rest) = result.split_once("word(")?;
    rest.split_once(')').map(|(word, _)| word)
}

/// `text` with the word of the nth call for each `{n}`.
fn filled(text: &str, words: &[Option<String>]) -> Result<String, String> {
    let mut filled = text.to_owned();
    for (at, word) in words.iter().enumerate() {
        let mark = format!("{{{}}}", at + 1);
        if filled.contains(&mark) {
            let word = word.as_ref().ok_or_else(|| format!("the result of call {} holds no word", at + 1))?;
            filled = filled.replace(&mark, word);
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::{Done, Next, Script as _, Task, Told};

    /// What each turn calls, by the tools' names, and what is said in the end, with these tools.
    fn played(tools: &[&str]) -> (Vec<Vec<String>>, String) {
        let task = Task::read().unwrap();
        let tools = tools.iter().map(|&name| name.to_owned()).collect();
        let (mut told, mut turns) = (Told { tools, ..Told::default() }, Vec::new());
        loop {
            let Next { says, calls, .. } = task.next(&told).unwrap();
            if calls.is_empty() {
                return (turns, says);
            }
            turns.push(calls.iter().map(|call| call.name.clone()).collect());
            for call in calls {
                let result = format!("got: word(w{})\n", told.done.len() + 1);
                told.done.push(Done { call, result });
            }
        }
    }

    #[test]
    fn it_is_done_with_what_an_agent_has() {
        let (turns, says) = played(&["Bash", "Read", "Other", "Write"]);
        assert_eq!(turns, [vec!["Read"; 2], vec!["Bash"], vec!["Write"; 2], vec!["Bash"], vec!["Read"; 2]]);
        assert_eq!(says, "Done: forward w7, backward w8, by way of w6.");
        let (turns, _) = played(&["exec_command"]);
        assert_eq!(turns.concat(), ["exec_command"; 8]);
        assert_eq!(played(&[]), (vec![], "Three words".to_owned()));
    }

    #[test]
    fn a_history_that_is_not_its_own_is_refused() {
        let task = Task::read().unwrap();
        let mut told = Told { tools: vec!["Bash".into()], ..Told::default() };
        let calls = task.next(&told).unwrap().calls;
        told.done.push(Done { call: calls[0].clone(), result: "word(a)".into() });
        assert!(task.next(&told).unwrap_err().contains("a call is missing"));
        told.done.push(Done { call: calls[0].clone(), result: "word(b)".into() });
        assert!(task.next(&told).unwrap_err().contains("another call was asked for"));
        told.done[1].call = calls[1].clone();
        told.done[1].result = "nothing".into();
        let gate = task.next(&told).unwrap().calls.remove(0);
        told.done.push(Done { call: gate, result: "word(c)".into() });
        assert_eq!(task.next(&told).unwrap_err(), "the result of call 2 holds no word");
        told.tools = vec!["Other".into()];
        assert!(task.next(&told).unwrap_err().contains("no known tool runs a command"));
    }
}
