//! The ids that tie results to calls.
//!
//! Anthropic takes letters, digits, `_` and `-`, and each id once until it is answered. What other providers give may be
//! none of that: Gemini gives none at all, and Moonshot writes `functions.f:0`.

use std::collections::{HashMap, HashSet};

use shim_ir::{Executor, Part, Request, ToolCall, ToolResult};

/// From what ids of a conversation are made.
const MADE: &str = "made";

/// The ids that are not sent as they came, by turn and part.
#[derive(Debug, Default)]
pub(super) struct Ids(HashMap<(usize, usize), String>);

/// An id where the source has none: the `number`-th made from `seed`.
pub(crate) fn made(seed: &str, number: usize) -> String {
    format!("toolu_{}_{number}", cleaned(seed))
}

/// A call of the history.
struct Called<'r> {
    name: &'r str,
    sent: String,
    answered: bool,
}

#[derive(Default)]
struct Walk<'r> {
    calls: Vec<Called<'r>>,
    /// The calls that came with an id, oldest first.
    by_id: HashMap<&'r str, Vec<usize>>,
    /// The ids of calls without an answer yet. One that was answered may come again.
    waiting: HashSet<String>,
    number: usize,
}

impl Ids {
    /// Finds the ids of all calls and of what answers them. Those that are made are made of nothing but their place, so
    /// that the conversation, grown by a turn, begins with the same text: it is cached by that, and thinking is bound to it.
    pub(super) fn of(request: &Request) -> Self {
        let seed = MADE;
        let mut walk = Walk::default();
        let mut changed = HashMap::new();
        for (turn, said) in request.turns.iter().enumerate() {
            for (at, part) in said.parts.iter().enumerate() {
                if let Some((own, sent)) = walk.take(part, seed)
                    && own != sent
                {
                    changed.insert((turn, at), sent);
                }
            }
        }
        Self(changed)
    }

    /// What is sent for the id `own` of a part.
    pub(super) fn sent<'s>(&'s self, turn: usize, part: usize, own: &'s str) -> &'s str {
        self.0.get(&(turn, part)).map_or(own, String::as_str)
    }
}

impl<'r> Walk<'r> {
    /// The id a part has, and the one that is sent.
    fn take(&mut self, part: &'r Part, seed: &str) -> Option<(&'r str, String)> {
        match part {
            Part::ToolCall(call) if call.executor == Executor::Client => {
                Some((&call.id, self.call(call, seed)))
            }
            Part::ToolResult(result) => Some((&result.call, self.result(result, seed))),
            Part::ToolCall(_)
            | Part::Text(_)
            | Part::Refusal(_)
            | Part::Media(_)
            | Part::Reasoning(_)
            | Part::ServerResult(_)
            | Part::Foreign(_) => None,
        }
    }

    fn call(&mut self, call: &'r ToolCall, seed: &str) -> String {
        let sent = self.unused(&call.id, seed);
        self.by_id.entry(&call.id).or_default().push(self.calls.len());
        self.calls.push(Called { name: &call.name, sent: sent.clone(), answered: false });
        sent
    }

    /// The id of the call that a result answers: the first of that id that has no answer, else the last of it.
    fn result(&mut self, result: &ToolResult, seed: &str) -> String {
        let found = self.by_id.get(&*result.call).map(Vec::as_slice).unwrap_or_default();
        let named = |call: &Called<'_>| {
            !result.call.is_empty() || result.name.as_ref().is_none_or(|name| name == call.name)
        };
        let fits = |at: &&usize| self.calls.get(**at).is_some_and(|call| !call.answered && named(call));
        let at = found.iter().find(fits).or(found.last()).copied();
        match at.and_then(|at| self.calls.get_mut(at)) {
            Some(call) => {
                call.answered = true;
                self.waiting.remove(&call.sent);
                call.sent.clone()
            }
            None if result.call.is_empty() => self.next(seed),
            None => cleaned(&result.call),
        }
    }

    /// An id like `own` that may be sent and was not yet.
    fn unused(&mut self, own: &str, seed: &str) -> String {
        let mut id = if own.is_empty() { self.next(seed) } else { cleaned(own) };
        while self.waiting.contains(&id) {
            let more = self.next(seed);
            id = format!("{}_{more}", cleaned(own));
        }
        self.waiting.insert(id.clone());
        id
    }

    fn next(&mut self, seed: &str) -> String {
        self.number += 1;
        made(seed, self.number)
    }
}

/// `id` with `_` for each character that is not taken.
fn cleaned(id: &str) -> String {
    id.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '_' }).collect()
}
