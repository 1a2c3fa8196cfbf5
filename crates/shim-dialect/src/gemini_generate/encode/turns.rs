//! `systemInstruction` and `contents`: turns of the user and of the model, one after the other.

use std::collections::HashMap;

use shim_ir::{Part, Request, Role, Text, Turn};
use shim_wire::JsonWriter;

use super::super::decode::{DIALECT, ROLE};
use super::content::Scribe;
use super::losses::Of;
use super::names::Names;
use super::own::{left, own, write};

/// A `Content`: one turn, or several that are one here.
struct Content {
    role: String,
    /// Whether its role came from the dialect itself, so that no other turn may join it.
    own: bool,
    turns: Vec<usize>,
}

/// The names the calls of a conversation are sent under, by their ids.
pub(super) fn called<'r>(request: &'r Request, names: &Names<'_>) -> HashMap<&'r str, String> {
    let parts = request.turns.iter().flat_map(|turn| &turn.parts);
    let calls = parts.filter_map(|part| if let Part::ToolCall(call) = part { Some(call) } else { None });
    calls.filter(|call| !call.id.is_empty()).map(|call| (call.id.as_str(), names.of_call(call))).collect()
}

/// `systemInstruction`: what is outside the conversation, and what the operator says before it begins.
pub(super) fn system(w: &mut JsonWriter<'_>, request: &Request, scribe: &mut Scribe<'_>) {
    let own = own(&request.rest, String::new, &mut scribe.losses);
    let left = left(own, "systemInstruction");
    let lead = request.turns.get(..leading(request)).unwrap_or_default();
    if request.system.is_empty() && left.is_empty() && lead.is_empty() {
        return;
    }
    w.nested("systemInstruction", |w| {
        write(w, &left, &[]);
        w.array("parts", |w| {
            for (at, part) in request.system.iter().enumerate() {
                scribe.part(w, part, Of::System.part(at));
            }
            for (at, turn) in lead.iter().enumerate() {
                parts(w, turn, at, scribe);
            }
        });
    });
}

fn parts(w: &mut JsonWriter<'_>, turn: &Turn, at: usize, scribe: &mut Scribe<'_>) {
    lose_beside(turn, at, scribe);
    for (part, said) in turn.parts.iter().enumerate() {
        scribe.part(w, said, Of::Turn(at).part(part));
    }
}

/// Tells what of a turn has no place beside its parts.
fn lose_beside(turn: &Turn, at: usize, scribe: &mut Scribe<'_>) {
    if turn.id.is_some() {
        scribe.losses.dropped(format!("turns[{at}].id"), "turns have no ids");
    }
    if turn.name.is_some() {
        scribe.losses.dropped(format!("turns[{at}].name"), "speakers have no names");
    }
    own(&turn.rest, || format!("turns[{at}]"), &mut scribe.losses);
}

/// How many turns are the operator's before the conversation begins. Where there is nothing else, none is.
fn leading(request: &Request) -> usize {
    let lead = request.turns.iter().take_while(|turn| is_operators(turn)).count();
    if lead == request.turns.len() { 0 } else { lead }
}

fn is_operators(turn: &Turn) -> bool {
    matches!(turn.role, Role::System | Role::Developer) && !keeps_role(turn)
}

fn keeps_role(turn: &Turn) -> bool {
    turn.rest.origin() == Some(DIALECT) && turn.rest.get(ROLE).is_some()
}

pub(super) fn contents(w: &mut JsonWriter<'_>, request: &Request, scribe: &mut Scribe<'_>) {
    let list = arranged(request, scribe);
    if list.is_empty() && !request.turns.is_empty() {
        scribe.losses.lacking("turns".to_owned(), "nothing is said that could be answered");
    }
    let asked = list.iter().rposition(|content| content.role == "user" && asks(content, request));
    let signs = scribe.traits.has("thought_signatures");
    w.array("contents", |w| {
        for (at, content) in list.iter().enumerate() {
            // Only the turn that is going on is checked: what comes after the user's last words.
            scribe.sign = signs && content.role == "model" && asked.is_none_or(|asked| at > asked);
            w.element().object(|w| one(w, content, request, scribe));
        }
    });
}

/// Whether a content says more than what tools gave.
fn asks(content: &Content, request: &Request) -> bool {
    let turns = content.turns.iter().filter_map(|at| request.turns.get(*at));
    turns.flat_map(|turn| &turn.parts).any(|part| !matches!(part, Part::ToolResult(_)))
}

/// The turns in contents: neighbours of one role are one, unless the dialect itself kept them apart.
fn arranged(request: &Request, scribe: &mut Scribe<'_>) -> Vec<Content> {
    let mut list: Vec<Content> = Vec::new();
    for (at, turn) in request.turns.iter().enumerate().skip(leading(request)) {
        if is_lost(turn, at, scribe) {
            continue;
        }
        let own = keeps_role(turn);
        let role = role(turn, at, scribe);
        match list.last_mut().filter(|last| !own && !last.own && last.role == role) {
            Some(last) => last.turns.push(at),
            None => list.push(Content { role, own, turns: vec![at] }),
        }
    }
    list
}

/// Whether nothing of a turn has a place; the dialect takes no turns that say nothing.
fn is_lost(turn: &Turn, at: usize, scribe: &mut Scribe<'_>) -> bool {
    if keeps_role(turn) {
        return false;
    }
    let lacks: Vec<_> = turn.parts.iter().map(|part| scribe.lack(part, Of::Turn(at))).collect();
    let lost = lacks.iter().all(Option::is_some);
    if lost {
        lose_beside(turn, at, scribe);
    }
    for (part, lack) in lacks.into_iter().enumerate().filter(|_| lost) {
        if let Some((kind, why)) = lack {
            scribe.losses.tell(Of::Turn(at).part(part).path(), kind, why);
        }
    }
    lost
}

fn role(turn: &Turn, at: usize, scribe: &mut Scribe<'_>) -> String {
    if let Some(word) = turn.rest.get(ROLE).filter(|_| keeps_role(turn)) {
        return serde_json::from_str(word.get()).unwrap_or_default();
    }
    let results = turn.parts.iter().any(|part| matches!(part, Part::ToolResult(_)));
    let unsaid = match &turn.role {
        Role::Assistant => return "model".to_owned(),
        Role::User | Role::Tool => None,
        Role::System | Role::Developer => Some("the operator speaks in the user's turn"),
        Role::Other(_) => (!results).then_some("there are only users and models"),
    };
    if let Some(why) = unsaid {
        scribe.losses.near(format!("turns[{at}].role"), why);
    }
    "user".to_owned()
}

fn one(w: &mut JsonWriter<'_>, content: &Content, request: &Request, scribe: &mut Scribe<'_>) {
    w.string("role", &content.role);
    let turns = || content.turns.iter().filter_map(|at| Some((*at, request.turns.get(*at)?)));
    for (at, turn) in turns() {
        let members = own(&turn.rest, || format!("turns[{at}]"), &mut scribe.losses);
        write(w, members, &[ROLE]);
    }
    w.array("parts", |w| {
        for (at, turn) in turns() {
            if is_operators(turn) {
                folded(w, turn, at, scribe);
            } else {
                parts(w, turn, at, scribe);
            }
        }
    });
}

/// What the operator says in the middle of a conversation, marked as such.
fn folded(w: &mut JsonWriter<'_>, turn: &Turn, at: usize, scribe: &mut Scribe<'_>) {
    lose_beside(turn, at, scribe);
    for (part, said) in turn.parts.iter().enumerate() {
        let at = Of::Turn(at).part(part);
        match said {
            Part::Text(text) => {
                let marked =
                    Text { text: format!("<system>\n{}\n</system>", text.text).into(), ..text.clone() };
                scribe.text(w, &marked, at);
            }
            Part::Refusal(_)
            | Part::Media(_)
            | Part::Reasoning(_)
            | Part::ToolCall(_)
            | Part::ToolResult(_)
            | Part::ServerResult(_)
            | Part::Foreign(_) => scribe.part(w, said, at),
        }
    }
}
