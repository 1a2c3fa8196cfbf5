//! Turns → `system` and `messages`.
//!
//! A conversation is of messages of the user and of the assistant, in turn: consecutive ones are put together, results
//! of tools come first in the message behind their calls, and what the operator says in the middle is said to the user
//! where a model takes it nowhere else.
//! Sources, read 2026-11-25: <https://platform.claude.com/docs/en/build-with-claude/working-with-messages>,
//! <https://platform.claude.com/docs/en/agents-and-tools/tool-use/handle-tool-calls>,
//! <https://platform.claude.com/docs/en/build-with-claude/mid-conversation-system-messages>.

use std::borrow::Cow;

use shim_ir::{LossKind, Part, Request, Rest, Role, Text, Turn};
use shim_wire::JsonWriter;

use super::content::{NO_MARK, Tied, admitted, bare, blocks, list, marks, text_members};
use super::ids::Ids;
use super::tools::Offers;
use super::{Cx, DIALECT, MID_SYSTEM, NO_PREFILL, Place, members, members_but};
use crate::anthropic_messages::decode::APART;

/// What the user says where a conversation begins with the assistant.
const OPENING: &str = "(The conversation begins.)";

/// A conversation as it is sent.
#[derive(Default)]
pub(super) struct Conversation<'r> {
    system: Vec<(Place<'static>, &'r Part)>,
    messages: Vec<Message<'r>>,
}

struct Message<'r> {
    side: Side,
    blocks: Vec<Block<'r>>,
    /// What the turns have beside their parts, with where they stand.
    rests: Vec<(usize, &'r Rest)>,
}

/// Who speaks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    User,
    Assistant,
    /// The operator, in the middle of the conversation.
    System,
}

impl Side {
    fn role(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::System => "system",
        }
    }
}

enum Block<'r> {
    /// A part of a turn.
    Part { turn: usize, at: usize, part: &'r Part },
    /// What the operator says, as a block of its own.
    System { turn: usize, said: &'r Turn },
    /// What the operator says, told to the user.
    Told(&'r str),
    /// What the user is made to say first.
    Opening,
}

impl Block<'_> {
    fn is_result(&self) -> bool {
        matches!(self, Self::Part { part: Part::ToolResult(_), .. })
    }
}

impl<'r> Conversation<'r> {
    /// The conversation of a request.
    pub(super) fn of(request: &'r Request, cx: &mut Cx<'_>) -> Self {
        let mut all = Self::default();
        for (at, part) in request.system.iter().enumerate() {
            all.operator(Place::System(at), part, cx);
        }
        let mut turns = request.turns.iter().enumerate().peekable();
        while let Some((at, turn)) = turns.next() {
            match turn.role {
                Role::System | Role::Developer => {
                    let next = turns.peek().map(|(_, next)| &next.role);
                    all.system_turn(at, turn, matches!(next, None | Some(Role::Assistant)), cx);
                }
                Role::User | Role::Assistant | Role::Tool | Role::Other(_) => all.turn(at, turn, cx),
            }
        }
        all.settle(cx);
        if all.messages.is_empty() && !request.turns.is_empty() {
            cx.lose("turns", LossKind::Unsupported, "nothing is said that could be answered");
        }
        all
    }

    /// Something the operator says before the conversation: it is text.
    fn operator(&mut self, place: Place<'static>, part: &'r Part, cx: &mut Cx<'_>) {
        match part {
            Part::Text(_) | Part::Refusal(_) => {
                if admitted(part, place, cx) {
                    self.system.push((place, part));
                }
            }
            Part::Foreign(foreign) if foreign.dialect == DIALECT => self.system.push((place, part)),
            Part::Media(_)
            | Part::Reasoning(_)
            | Part::ToolCall(_)
            | Part::ToolResult(_)
            | Part::ServerResult(_)
            | Part::Foreign(_) => {
                cx.lose(place, LossKind::Unsupported, "the operator's words are text");
            }
        }
    }

    /// A turn of the operator. `before_answer` says that the assistant, or nobody, speaks next.
    fn system_turn(&mut self, at: usize, turn: &'r Turn, before_answer: bool, cx: &mut Cx<'_>) {
        let own = |key: &str| turn.rest.origin() == Some(DIALECT) && turn.rest.get(key).is_some();
        let last = self.messages.last().map(|message| message.side);
        if own("type") {
            let side = last.unwrap_or(Side::User);
            self.say(side, false, Block::System { turn: at, said: turn });
        } else if own(APART) {
            self.add(at, turn, Side::System, true, cx);
        } else if last.is_none() {
            lose_beside(at, turn, cx);
            cx.own(&turn.rest, &format_args!("turns[{at}]"));
            for (part, said) in turn.parts.iter().enumerate() {
                self.operator(Place::Turn(at, part), said, cx);
            }
        } else if cx.has(MID_SYSTEM) && before_answer && matches!(last, Some(Side::User | Side::System)) {
            self.add(at, turn, Side::System, false, cx);
        } else {
            self.tell(at, turn, cx);
        }
    }

    /// Tells the user what the operator says in the middle of the conversation.
    fn tell(&mut self, at: usize, turn: &'r Turn, cx: &mut Cx<'_>) {
        let why = "the operator's words in the conversation are told to the user, marked as such";
        cx.lose(format_args!("turns[{at}].role"), LossKind::Approximated, why);
        lose_beside(at, turn, cx);
        cx.own(&turn.rest, &format_args!("turns[{at}]"));
        for (part, said) in turn.parts.iter().enumerate() {
            match said {
                Part::Text(text) | Part::Refusal(text) => self.tell_text(text, Place::Turn(at, part), cx),
                Part::Media(_)
                | Part::Reasoning(_)
                | Part::ToolCall(_)
                | Part::ToolResult(_)
                | Part::ServerResult(_)
                | Part::Foreign(_) => {
                    cx.lose(Place::Turn(at, part), LossKind::Unsupported, "the operator's words are text");
                }
            }
        }
    }

    fn tell_text(&mut self, text: &'r Text, place: Place<'_>, cx: &mut Cx<'_>) {
        let blank = text.text.is_blank();
        if text.cache.is_some() {
            let why = if blank { NO_MARK } else { "the words were told to the user" };
            cx.lose(format_args!("{place}.cache"), LossKind::Dropped, why);
        }
        cx.own(&text.rest, &place);
        if !blank {
            self.say(Side::User, false, Block::Told(&text.text));
        }
    }

    /// A turn of anyone else.
    fn turn(&mut self, at: usize, turn: &'r Turn, cx: &mut Cx<'_>) {
        let side = match &turn.role {
            Role::Assistant => Side::Assistant,
            Role::Other(_) if !turn.parts.iter().any(|part| matches!(part, Part::ToolResult(_))) => {
                let why = "there is no such role: the user says it";
                cx.lose(format_args!("turns[{at}].role"), LossKind::Approximated, why);
                Side::User
            }
            Role::User | Role::Tool | Role::System | Role::Developer | Role::Other(_) => Side::User,
        };
        let apart = turn.rest.origin() == Some(DIALECT) && turn.rest.get(APART).is_some();
        self.add(at, turn, side, apart, cx);
    }

    /// Adds the parts of a turn, each where it may stand.
    fn add(&mut self, at: usize, turn: &'r Turn, side: Side, mut apart: bool, cx: &mut Cx<'_>) {
        lose_beside(at, turn, cx);
        let mut side_of_rest = side;
        for (number, part) in turn.parts.iter().enumerate() {
            let place = Place::Turn(at, number);
            let side = side_of(part, side);
            if side == Side::Assistant && matches!(part, Part::Media(_)) {
                cx.lose(place, LossKind::Unsupported, "the assistant says no media");
            } else if admitted(part, place, cx) {
                let block = Block::Part { turn: at, at: number, part };
                self.say(side, std::mem::take(&mut apart), block);
                side_of_rest = side;
            }
        }
        match self.messages.last_mut().filter(|last| last.side == side_of_rest) {
            Some(last) => last.rests.push((at, &turn.rest)),
            None => {
                cx.own(&turn.rest, &format_args!("turns[{at}]"));
            }
        }
    }

    /// Adds a block to the message that goes on, or to a new one where another speaks or `apart` asks for one.
    fn say(&mut self, side: Side, apart: bool, block: Block<'r>) {
        match self.messages.last_mut() {
            Some(last) if !apart && last.side == side => last.blocks.push(block),
            Some(_) | None => self.messages.push(Message { side, blocks: vec![block], rests: Vec::new() }),
        }
    }

    /// Puts everything in the order that is taken.
    fn settle(&mut self, cx: &mut Cx<'_>) {
        for message in self.messages.iter_mut().filter(|message| message.side == Side::User) {
            message.blocks.sort_by_key(|block| !block.is_result());
        }
        if self.messages.last().is_some_and(|last| last.side == Side::Assistant) && cx.has(NO_PREFILL) {
            let why = "the model takes no beginning of its answer";
            cx.lose("turns", LossKind::Unsupported, why);
            self.messages.pop();
        }
        if self.messages.first().is_some_and(|first| first.side == Side::Assistant) {
            cx.lose("turns[0]", LossKind::Defaulted, "a conversation begins with the user");
            let opening = Message { side: Side::User, blocks: vec![Block::Opening], rests: Vec::new() };
            self.messages.insert(0, opening);
        }
    }

    /// How many cache marks are in it.
    pub(super) fn marks(&self) -> usize {
        let system = self.system.iter().map(|(_, part)| marks(part));
        let said = self.messages.iter().flat_map(|message| &message.blocks).map(|block| match block {
            Block::Part { part, .. } => marks(part),
            Block::System { said, .. } => said.parts.iter().map(marks).sum(),
            Block::Told(_) | Block::Opening => 0,
        });
        system.chain(said).sum()
    }

    /// Whether the assistant is in the middle of a turn with tools that does not begin with thinking of its own: then it
    /// cannot go on with a budget to think.
    /// Source: <https://platform.claude.com/docs/en/build-with-claude/thinking-tool-workflows>, read 2026-11-25.
    pub(super) fn goes_on_unthought(&self) -> bool {
        let waits = |message: &Message<'_>| message.blocks.iter().any(Block::is_result);
        let mut back = self.messages.iter().rev();
        if !back.next().is_some_and(|last| last.side == Side::User && waits(last)) {
            return false;
        }
        // The turn began behind the last message of the user that is not a result.
        let turn = back.take_while(|message| message.side == Side::Assistant || waits(message));
        let first = turn.filter(|message| message.side == Side::Assistant).last();
        let thinks = |block: &Block<'_>| matches!(block, Block::Part { part: Part::Reasoning(_), .. });
        first.is_some_and(|message| !message.blocks.first().is_some_and(thinks))
    }

    /// `system` of a request.
    pub(super) fn write_system(&self, w: &mut JsonWriter<'_>, cx: &mut Cx<'_>) {
        match &self.system[..] {
            [] => {}
            [(_, one)] if bare(one).is_some() => w.maybe("system", bare(one), JsonWriter::text),
            several => w.array("system", |w| {
                for (place, part) in several {
                    blocks(w, part, Tied::default(), *place, cx);
                }
            }),
        }
    }

    /// `messages` of a request.
    pub(super) fn write(&self, w: &mut JsonWriter<'_>, ids: &Ids, offers: &Offers<'_>, cx: &mut Cx<'_>) {
        let said = self.messages.len();
        w.array("messages", |w| {
            for (at, message) in self.messages.iter().enumerate() {
                let prefill = at + 1 == said && message.side == Side::Assistant;
                w.element().object(|w| message.write(w, prefill, ids, offers, cx));
            }
        });
    }
}

/// Tells what a turn has no place for beside its parts.
fn lose_beside(at: usize, turn: &Turn, cx: &mut Cx<'_>) {
    if turn.id.is_some() {
        cx.lose(format_args!("turns[{at}].id"), LossKind::Dropped, "turns have no ids");
    }
    if turn.name.is_some() {
        cx.lose(format_args!("turns[{at}].name"), LossKind::Dropped, "speakers have no names");
    }
}

/// Who may say a part: calls and what was thought are the assistant's, results are told by the user.
fn side_of(part: &Part, side: Side) -> Side {
    match part {
        Part::ToolResult(_) => Side::User,
        Part::Reasoning(_) | Part::ToolCall(_) | Part::ServerResult(_) => Side::Assistant,
        Part::Text(_) | Part::Refusal(_) | Part::Media(_) | Part::Foreign(_) => side,
    }
}

impl Message<'_> {
    fn write(&self, w: &mut JsonWriter<'_>, prefill: bool, ids: &Ids, offers: &Offers<'_>, cx: &mut Cx<'_>) {
        w.string("role", self.side.role());
        match &self.blocks[..] {
            [Block::Part { part, turn, at }] if bare(part).is_some() => {
                w.maybe("content", bare(part), |w, key, text| match prefill {
                    true => w.string(key, ended(text, Place::Turn(*turn, *at), cx)),
                    false => w.text(key, text),
                });
            }
            several => w.array("content", |w| {
                for block in several {
                    block.write(w, ids, offers, cx);
                }
            }),
        }
        for (turn, rest) in &self.rests {
            members_but(w, cx.own(rest, &format_args!("turns[{turn}]")), &[APART]);
        }
    }
}

/// The beginning of an answer, which may not end in white space.
fn ended<'t>(text: &'t str, at: Place<'_>, cx: &mut Cx<'_>) -> &'t str {
    let end = text.trim_end();
    if end.len() < text.len() {
        cx.lose(at, LossKind::Approximated, "the beginning of an answer does not end in white space");
    }
    end
}

impl Block<'_> {
    fn write(&self, w: &mut JsonWriter<'_>, ids: &Ids, offers: &Offers<'_>, cx: &mut Cx<'_>) {
        match self {
            Self::Part { turn, at, part } => {
                let (id, name) = tie(part, (*turn, *at), ids, offers);
                blocks(w, part, Tied { id, name: &name }, Place::Turn(*turn, *at), cx);
            }
            Self::System { turn, said } => {
                let outer = Place::Turn(*turn, 0);
                w.element().object(|w| {
                    members(w, said.rest.members());
                    w.array("content", |w| list(w, &said.parts, outer, cx));
                });
            }
            Self::Told(text) => {
                w.element().object(|w| text_members(w, &format!("<system>\n{text}\n</system>")));
            }
            Self::Opening => w.element().object(|w| text_members(w, OPENING)),
        }
    }
}

/// The id and the name that a part of a turn is sent with.
fn tie<'r>(
    part: &'r Part,
    (turn, at): (usize, usize),
    ids: &'r Ids,
    offers: &Offers<'r>,
) -> (&'r str, Cow<'r, str>) {
    match part {
        Part::ToolCall(call) => (ids.sent(turn, at, &call.id), offers.called(call)),
        Part::ToolResult(result) => (ids.sent(turn, at, &result.call), Cow::Borrowed("")),
        Part::Text(_)
        | Part::Refusal(_)
        | Part::Media(_)
        | Part::Reasoning(_)
        | Part::ServerResult(_)
        | Part::Foreign(_) => ("", Cow::Borrowed("")),
    }
}
