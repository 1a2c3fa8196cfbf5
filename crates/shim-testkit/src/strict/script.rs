//! What a fake says next, by what the history says.

use serde_json::{Value, json};

/// What a history says.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// All calls, in order, with what came of each.
    pub done: Vec<Done>,
    /// How many of them belong to the turn that goes on.
    pub open: usize,
    /// The names of the tools that are offered.
    pub tools: Vec<String>,
}

/// A call of the history.
#[derive(Clone, Debug, PartialEq)]
pub struct Done {
    /// What was called.
    pub call: Call,
    /// What came of it, as text.
    pub result: String,
}

/// A call.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The tool.
    pub name: String,
    /// What it is given.
    pub arguments: Value,
}

/// What comes next.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Next {
    /// What is said.
    pub says: String,
    /// What is called, all at once; nothing at the end.
    pub calls: Vec<Call>,
    /// Whether the provider runs a tool of its own before it says that.
    pub searches: bool,
}

/// A plan of what is said and called.
pub trait Script {
    /// What comes after this history.
    ///
    /// # Errors
    /// When the history is not what the script had done so far.
    fn next(&self, told: &Told) -> Result<Next, String>;
}

/// Two calls at once, one more, and an answer, to each question: the script of the gateway's own tests.
#[derive(Clone, Copy, Debug)]
pub struct Looks;

impl Script for Looks {
    fn next(&self, told: &Told) -> Result<Next, String> {
        let call = |name: &str, arguments: Value| Call { name: name.to_owned(), arguments };
        let next = |says: &str, calls: Vec<Call>| {
            Ok(Next { says: says.to_owned(), searches: calls.is_empty(), calls })
        };
        match told.open {
            0 | 1 if !told.tools.is_empty() => next(
                "Let me look at both.",
                vec![
                    call("look", json!({ "at": 1, "how": "near" })),
                    call("look", json!({ "at": 2, "how": "far" })),
                ],
            ),
            2 if !told.tools.is_empty() => {
                next("One more thing.", vec![call("note", json!({ "text": "both" }))])
            }
            _ => next("All is done.", Vec::new()),
        }
    }
}

/// The calls of a history and what came of them, as they are met, each under its id.
#[derive(Debug, Default)]
pub(super) struct Met {
    calls: Vec<(String, Call)>,
    results: Vec<(String, String)>,
}

impl Met {
    pub(super) fn call(&mut self, id: &str, name: &str, arguments: Value) {
        self.calls.push((id.to_owned(), Call { name: name.to_owned(), arguments }));
    }

    pub(super) fn result(&mut self, id: &str, result: String) {
        self.results.push((id.to_owned(), result));
    }

    /// The calls in order. One without a result is left out; the dialect's own rules refuse it before.
    pub(super) fn told(self, open: usize, tools: Vec<String>) -> Told {
        let Self { calls, results } = self;
        let result = |id: &str| results.iter().find(|(of, _)| of == id).map(|(_, result)| result.clone());
        let done = calls.into_iter().filter_map(|(id, call)| Some(Done { call, result: result(&id)? }));
        Told { done: done.collect(), open, tools }
    }
}
