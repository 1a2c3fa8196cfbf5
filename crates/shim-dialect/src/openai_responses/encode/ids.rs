//! The ids calls and their results are sent under.

use std::collections::{HashMap, HashSet};

use shim_ir::{Executor, Part, Turn};

use super::names::hash;

/// Longest `call_id`: the API answers `string_above_max_length` beyond it, as seen in
/// <https://github.com/openclaw/openclaw/pull/137489>, read 2026-11-25.
const CALL_ID_BYTES_MAX: usize = 64;

/// The ids that are not sent as they came, by turn and part. They are made of nothing but the conversation, so that
/// they stay the same as it grows and its beginning can be cached.
#[derive(Debug, Default)]
pub(super) struct Ids(HashMap<(usize, usize), String>);

#[derive(Default)]
struct Gather<'r> {
    ids: HashMap<(usize, usize), String>,
    used: HashSet<String>,
    /// The id each of the source's ids was sent under last.
    last: HashMap<&'r str, String>,
    /// Calls without an id whose result has not come: name and id.
    open: Vec<(&'r str, String)>,
}

impl Ids {
    /// The ids of a conversation of another dialect: those that are missing are made, those too long are shortened, and
    /// one that comes again for another call is told apart.
    pub(super) fn of(turns: &[Turn]) -> Self {
        let mut gather = Gather::default();
        for (turn, parts) in turns.iter().enumerate() {
            for (at, part) in parts.parts.iter().enumerate() {
                gather.take((turn, at), part);
            }
        }
        Self(gather.ids)
    }

    /// The id of the call, or of the call answered, at a place; `own` is the one it came with.
    pub(super) fn get<'i>(&'i self, turn: usize, part: usize, own: &'i str) -> &'i str {
        self.0.get(&(turn, part)).map_or(own, String::as_str)
    }
}

impl<'r> Gather<'r> {
    fn take(&mut self, at: (usize, usize), part: &'r Part) {
        match part {
            Part::ToolCall(call) if call.executor == Executor::Client => {
                self.call(at, &call.id, &call.name);
            }
            Part::ToolResult(result) => self.result(at, &result.call, result.name.as_deref()),
            Part::Text(_)
            | Part::Refusal(_)
            | Part::Media(_)
            | Part::Reasoning(_)
            | Part::ToolCall(_)
            | Part::ServerResult(_)
            | Part::Foreign(_) => {}
        }
    }

    fn call(&mut self, at: (usize, usize), id: &'r str, name: &'r str) {
        let sent = self.unused(id);
        if id.is_empty() {
            self.open.push((name, sent.clone()));
        } else {
            self.last.insert(id, sent.clone());
        }
        if sent != id {
            self.ids.insert(at, sent);
        }
    }

    /// `id`, or one like it that was not used before.
    fn unused(&mut self, id: &str) -> String {
        let wanted = if id.is_empty() { format!("call_made_{}", self.used.len()) } else { shortened(id) };
        let mut sent = wanted.clone();
        let mut again = 1_u32;
        while !self.used.insert(sent.clone()) {
            again += 1;
            sent = shortened(&format!("{wanted}_{again}"));
        }
        sent
    }

    fn result(&mut self, at: (usize, usize), id: &'r str, name: Option<&str>) {
        let sent = if id.is_empty() {
            let of_name = self.open.iter().position(|(open, _)| name.is_none_or(|name| name == *open));
            let answered = of_name.or_else(|| (!self.open.is_empty()).then_some(0));
            answered.map(|place| self.open.remove(place).1)
        } else {
            self.last.get(id).cloned().or_else(|| Some(shortened(id)))
        };
        if let Some(sent) = sent.filter(|sent| sent != id) {
            self.ids.insert(at, sent);
        }
    }
}

/// `id`, or where it is too long its beginning and a hash of all of it.
fn shortened(id: &str) -> String {
    if id.len() <= CALL_ID_BYTES_MAX {
        return id.to_owned();
    }
    let mut kept = CALL_ID_BYTES_MAX - 9;
    while !id.is_char_boundary(kept) {
        kept -= 1;
    }
    format!("{}_{:08x}", id.get(..kept).unwrap_or_default(), hash(id))
}
