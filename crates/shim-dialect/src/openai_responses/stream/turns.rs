//! Whose turn it is to be told. Parts may grow beside each other; OpenAI tells one item at a time, and clients that put
//! arguments together by their order (LangChain) mix up calls whose arguments come by turns.

use std::collections::{BTreeMap, VecDeque};

use shim_ir::{Delta, Event, Part, PartId, ToolCallKind};

use crate::pieces::Json;

/// While the arguments of a call come and are not complete, every other part waits.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// The call whose arguments are not complete.
    speaking: Option<(PartId, Json)>,
    waiting: BTreeMap<PartId, VecDeque<Event>>,
}

impl Turns {
    /// Whether an event must wait; it is kept then.
    pub(super) fn wait(&mut self, event: &Event) -> bool {
        let Some(id) = part_of(event) else { return false };
        let waits = self.speaking.as_ref().is_some_and(|(speaking, _)| *speaking != id);
        if waits {
            self.waiting.entry(id).or_default().push_back(event.clone());
        }
        waits
    }

    /// Takes note of an event that is told.
    pub(super) fn note(&mut self, event: &Event) {
        if let Event::PartStart { id, part: Part::ToolCall(call), .. } = event
            && call.kind == ToolCallKind::Function
        {
            self.speaking = Some((*id, Json::default()));
            self.speak(&call.arguments);
        } else if part_of(event).is_some_and(|id| self.is_speaking(id)) {
            if let Event::PartDelta { delta: Delta::Arguments(text), .. } = event {
                self.speak(text);
            } else if matches!(event, Event::PartEnd { .. }) {
                self.speaking = None;
            }
        }
    }

    /// The next event that need not wait any longer.
    pub(super) fn next(&mut self) -> Option<Event> {
        let id = match &self.speaking {
            Some((id, _)) => *id,
            None => *self.waiting.keys().next()?,
        };
        let queue = self.waiting.get_mut(&id)?;
        let event = queue.pop_front();
        if queue.is_empty() {
            self.waiting.remove(&id);
        }
        event
    }

    fn is_speaking(&self, id: PartId) -> bool {
        self.speaking.as_ref().is_some_and(|(speaking, _)| *speaking == id)
    }

    fn speak(&mut self, text: &str) {
        if let Some((_, json)) = &mut self.speaking {
            json.take(text);
        }
        self.speaking.take_if(|(_, json)| json.is_whole());
    }
}

fn part_of(event: &Event) -> Option<PartId> {
    match event {
        Event::PartStart { id, .. } | Event::PartDelta { id, .. } | Event::PartEnd { id } => Some(*id),
        Event::Start(_)
        | Event::Usage(_)
        | Event::Rest(_)
        | Event::Foreign(_)
        | Event::Finish(_)
        | Event::Fault(_) => None,
    }
}
