//! Which messages a conversation is, and what each holds.
//!
//! A message of the assistant holds all of its calls, and the messages that answer them follow it at once.

use shim_ir::{Executor, Part, Request, Role, Source, ToolResult, Turn};

use super::content::Sited;
use super::losses::Site;
use super::request::To;
use crate::openai_chat::decode::has_form;

/// A message to be.
pub(super) enum Message<'r> {
    /// Of the operator, the user, or whoever else speaks.
    Said { role: &'r str, parts: Vec<Sited<'r>>, turns: Vec<usize> },
    /// Of the assistant: one turn or several.
    Assistant { parts: Vec<Sited<'r>>, turns: Vec<usize> },
    /// Of a tool.
    Result { result: &'r ToolResult, site: Site, role: &'r str },
    /// Media that tools gave, which the user shows.
    Shown(Vec<(&'r ToolResult, Site, Vec<Sited<'r>>)>),
}

/// The messages that a conversation is.
pub(super) fn plan<'r>(request: &'r Request, to: &To<'_>) -> Vec<Message<'r>> {
    let mut plan = Plan { messages: Vec::new(), shown: Vec::new(), in_place: to.has("tool_media") };
    if !request.system.is_empty() {
        let parts = request.system.iter().enumerate().map(|(at, part)| (Site::System(at), part)).collect();
        plan.messages.push(Message::Said { role: "system", parts, turns: Vec::new() });
    }
    for (at, turn) in request.turns.iter().enumerate() {
        plan.turn(at, turn, to);
    }
    plan.show();
    plan.messages
}

struct Plan<'r> {
    messages: Vec<Message<'r>>,
    /// What tools gave beside text, until all results in a row are there.
    shown: Vec<(&'r ToolResult, Site, Vec<Sited<'r>>)>,
    /// Whether the messages of tools may hold media.
    in_place: bool,
}

impl<'r> Plan<'r> {
    fn turn(&mut self, at: usize, turn: &'r Turn, to: &To<'_>) {
        let parts = turn.parts.iter().enumerate().map(|(part_at, part)| (Site::Turn(at, part_at), part));
        let parts = parts.collect();
        match &turn.role {
            Role::Assistant => self.assistant(at, parts),
            Role::System | Role::Developer if to.has("system_first") => self.instruct(at, parts),
            Role::Developer if !to.has("no_developer_role") => self.say("developer", at, parts),
            Role::System | Role::Developer => self.say("system", at, parts),
            Role::User => self.say("user", at, parts),
            Role::Tool => self.say("tool", at, parts),
            Role::Other(word) => self.say(word, at, parts),
        }
    }

    /// Whether anybody but the operator has spoken.
    fn begun(&self) -> bool {
        let operator =
            |message: &Message<'_>| matches!(message, Message::Said { role: "system" | "developer", .. });
        !self.messages.iter().all(operator)
    }

    /// One message of the operator at the beginning; what the operator says later is the user's.
    fn instruct(&mut self, turn: usize, more: Vec<Sited<'r>>) {
        if self.begun() {
            self.say("user", turn, more);
        } else if let Some(Message::Said { parts, turns, .. }) = self.messages.last_mut() {
            parts.extend(more);
            turns.push(turn);
        } else {
            self.say("system", turn, more);
        }
    }

    /// What the assistant said goes on with its last message where that is not one of its own already.
    fn assistant(&mut self, turn: usize, parts: Vec<Sited<'r>>) {
        self.show();
        let (results, own): (Vec<_>, Vec<_>) =
            parts.into_iter().partition(|(_, part)| matches!(part, Part::ToolResult(_)));
        match self.messages.last_mut() {
            Some(Message::Assistant { parts, turns }) if joins(parts, &own) => {
                parts.extend(own);
                turns.push(turn);
            }
            Some(_) | None => self.messages.push(Message::Assistant { parts: own, turns: vec![turn] }),
        }
        self.results("tool", &results);
    }

    /// The results in a turn come first: they belong behind the calls.
    fn say(&mut self, role: &'r str, turn: usize, parts: Vec<Sited<'r>>) {
        let (results, spoken): (Vec<_>, Vec<_>) =
            parts.into_iter().partition(|(_, part)| matches!(part, Part::ToolResult(_)));
        let told = !results.is_empty();
        self.results(if role == "function" { role } else { "tool" }, &results);
        if !spoken.is_empty() || !told {
            self.show();
            let role = if role == "tool" { "user" } else { role };
            self.messages.push(Message::Said { role, parts: spoken, turns: vec![turn] });
        }
    }

    fn results(&mut self, role: &'r str, results: &[Sited<'r>]) {
        for (site, part) in results {
            let Part::ToolResult(result) = part else { continue };
            let media: Vec<_> = inside(result, *site).filter(|(_, part)| is_media(part)).collect();
            if !media.is_empty() && !self.in_place && !has_form(&result.rest, "parts") {
                self.shown.push((result, *site, media));
            }
            self.messages.push(Message::Result { result, site: *site, role });
        }
    }

    fn show(&mut self) {
        if !self.shown.is_empty() {
            self.messages.push(Message::Shown(std::mem::take(&mut self.shown)));
        }
    }
}

/// Whether what the assistant says next belongs to the same message: behind its calls only their results may follow,
/// and text begins a new message where there is text already, with the reasoning before it.
fn joins(open: &[Sited<'_>], next: &[Sited<'_>]) -> bool {
    let has = |parts: &[Sited<'_>], is: fn(&Part) -> bool| parts.iter().any(|(_, part)| is(part));
    let text = |part: &Part| matches!(part, Part::Text(_) | Part::Refusal(_));
    let call = |part: &Part| matches!(part, Part::ToolCall(call) if call.executor == Executor::Client);
    let reasoning = !next.is_empty() && next.iter().all(|(_, part)| matches!(part, Part::Reasoning(_)));
    has(open, call) || !has(open, text) || !(has(next, text) || reasoning)
}

/// The parts of a result.
pub(super) fn inside(result: &ToolResult, site: Site) -> impl Iterator<Item = Sited<'_>> {
    result.content.iter().enumerate().map(move |(at, part)| match site {
        Site::Turn(turn, part_at) => (Site::Result(turn, part_at, at), part),
        Site::System(_) | Site::Result(..) | Site::Answer(..) => (site, part),
    })
}

pub(super) fn is_media(part: &Part) -> bool {
    matches!(part, Part::Media(media) if !matches!(media.source, Source::Plain(_) | Source::Parts(_)))
}
