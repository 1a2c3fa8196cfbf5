//! What an encoded request changed, so that the answer can be put back into the client's words.

use std::collections::HashMap;

use serde_json::value::RawValue;
use shim_ir::{
    Delta, Dialect, Event, Finish, FinishReason, Part, PartId, Response, Rest, Text, ThinkTags, ToolCall,
    ToolCallKind,
};
use shim_wire::RawJson;

use crate::think::{Thoughts, divide};

/// The one argument of a function that stands for a tool with free text.
pub(crate) const FREE_TEXT: &str = "input";

/// What reading the answer to an encoded request needs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Echo {
    /// Tools that were sent under another name, or in another form.
    pub tools: Vec<SentTool>,
    /// The function whose call stands for an answer in JSON, where the target has no other way to ask for its form: its
    /// arguments are the answer's text.
    pub json_tool: Option<String>,
    /// Whether the model's reasoning stands in its text, between tags: it is told apart.
    pub think_tags: ThinkTags,
}

/// A tool that was sent under another name, or in another form.
#[derive(Clone, Debug, PartialEq)]
pub struct SentTool {
    /// The name it was sent under.
    pub sent: String,
    /// The name the client knows.
    pub name: String,
    /// What a call of it carries beside, for the client (the group the tool was in).
    pub rest: Rest,
    /// Whether it takes free text and was sent as a function with the one argument `input`.
    pub free_text: bool,
}

impl Echo {
    /// Whether an answer can be given as it is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.has_no_changes() && self.think_tags == ThinkTags::None
    }

    fn has_no_changes(&self) -> bool {
        self.tools.is_empty() && self.json_tool.is_none()
    }

    /// Puts a whole answer back into the client's words.
    pub fn restore(&self, response: &mut Response) {
        if self.think_tags != ThinkTags::None {
            divide(response, self.think_tags);
        }
        if self.has_no_changes() {
            return;
        }
        for candidate in &mut response.candidates {
            let mut answered = false;
            for part in &mut candidate.parts {
                if let Part::ToolCall(call) = part {
                    if Some(&call.name) == self.json_tool.as_ref() {
                        answered = true;
                        *part = Part::Text(Text::new(std::mem::take(&mut call.arguments)));
                    } else {
                        self.restore_call(call);
                    }
                }
            }
            let calls = candidate.parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
            if let Some(finish) = candidate.finish.as_mut().filter(|_| answered && !calls) {
                stopped(finish);
            }
        }
    }

    fn restore_call(&self, call: &mut ToolCall) {
        let Some(tool) = self.tools.iter().find(|tool| tool.sent == call.name) else { return };
        call.name.clone_from(&tool.name);
        call.rest.merge(tool.rest.clone());
        if tool.free_text {
            call.kind = ToolCallKind::Custom;
            if let Some(text) = free_text(&call.arguments) {
                call.arguments = text;
            }
        }
    }

    /// A restorer for one streamed answer.
    #[must_use]
    pub fn restorer(self) -> Restorer {
        let thoughts = (self.think_tags != ThinkTags::None).then(|| Thoughts::new(self.think_tags));
        let divided = Vec::new();
        Restorer { echo: self, thoughts, divided, parts: HashMap::new(), answered: false, calls: false }
    }
}

/// An answer through the call of a tool is an answer.
fn stopped(finish: &mut Finish) {
    if finish.reason == FinishReason::ToolCalls {
        finish.reason = FinishReason::Stop;
    }
}

/// The text in the one argument of a function that stands for a tool with free text.
fn free_text(arguments: &str) -> Option<String> {
    let members: HashMap<&str, &RawValue> = serde_json::from_str(arguments).ok()?;
    match members.get(FREE_TEXT) {
        Some(text) if members.len() == 1 => serde_json::from_str(text.get()).ok(),
        Some(_) | None => None,
    }
}

/// Puts a streamed answer back into the client's words, event by event.
#[derive(Debug)]
pub struct Restorer {
    echo: Echo,
    /// Tells reasoning and text apart, before all else.
    thoughts: Option<Thoughts>,
    /// Events from there that wait to be restored.
    divided: Vec<Event>,
    /// What becomes of the open parts that change.
    parts: HashMap<PartId, Change>,
    answered: bool,
    calls: bool,
}

#[derive(Debug)]
enum Change {
    /// Arguments that are the answer's text.
    Answer,
    /// Arguments that hold a free text, which is told once all of them are there.
    FreeText(String),
}

impl Restorer {
    /// Takes one event; appends what it is in the client's words.
    pub fn take(&mut self, event: Event, out: &mut Vec<Event>) {
        let Some(thoughts) = &mut self.thoughts else {
            self.rename(event, out);
            return;
        };
        let mut divided = std::mem::take(&mut self.divided);
        thoughts.take(event, &mut divided);
        divided.drain(..).for_each(|event| self.rename(event, out));
        // The room is kept for the next event.
        self.divided = divided;
    }

    fn rename(&mut self, event: Event, out: &mut Vec<Event>) {
        if self.echo.has_no_changes() {
            out.push(event);
            return;
        }
        match event {
            Event::PartStart { id, candidate, part: Part::ToolCall(call) } => {
                let part = self.begin(id, call);
                out.push(Event::PartStart { id, candidate, part });
            }
            Event::PartDelta { id, delta } => self.delta(id, delta, out),
            Event::PartEnd { id } => {
                if let Some(Change::FreeText(arguments)) = self.parts.remove(&id) {
                    let text = free_text(&arguments).unwrap_or(arguments);
                    out.push(Event::PartDelta { id, delta: Delta::Arguments(text) });
                }
                out.push(Event::PartEnd { id });
            }
            Event::Finish(mut finishes) => {
                if self.answered && !self.calls {
                    finishes.iter_mut().flatten().for_each(stopped);
                }
                out.push(Event::Finish(finishes));
            }
            event @ (Event::Start(_)
            | Event::PartStart { .. }
            | Event::Usage(_)
            | Event::Rest(_)
            | Event::Foreign(_)
            | Event::Fault(_)) => out.push(event),
        }
    }

    fn begin(&mut self, id: PartId, mut call: ToolCall) -> Part {
        if Some(&call.name) == self.echo.json_tool.as_ref() {
            self.answered = true;
            self.parts.insert(id, Change::Answer);
            return Part::Text(Text::new(call.arguments));
        }
        self.calls = true;
        let free_text = self.echo.tools.iter().any(|tool| tool.sent == call.name && tool.free_text);
        if free_text {
            self.parts.insert(id, Change::FreeText(std::mem::take(&mut call.arguments)));
        }
        self.echo.restore_call(&mut call);
        Part::ToolCall(call)
    }

    fn delta(&mut self, id: PartId, delta: Delta, out: &mut Vec<Event>) {
        let delta = match (self.parts.get_mut(&id), delta) {
            (Some(Change::Answer), Delta::Arguments(text)) => Delta::Text(text),
            (Some(Change::FreeText(so_far)), Delta::Arguments(text)) => {
                so_far.push_str(&text);
                return;
            }
            (Some(Change::Answer), Delta::Whole(mut part)) => {
                if let Part::ToolCall(call) = &mut *part {
                    let arguments = std::mem::take(&mut call.arguments);
                    *part = Part::Text(Text::new(arguments));
                }
                Delta::Whole(part)
            }
            (change, Delta::Whole(mut part)) => {
                if let Part::ToolCall(call) = &mut *part {
                    self.echo.restore_call(call);
                }
                if let Some(Change::FreeText(so_far)) = change {
                    so_far.clear();
                    if let Part::ToolCall(call) = &mut *part {
                        *so_far = std::mem::take(&mut call.arguments);
                    }
                }
                Delta::Whole(part)
            }
            (Some(_) | None, other) => other,
        };
        out.push(Event::PartDelta { id, delta });
    }
}

/// The member of a call that names the group its tool is in. One dialect has groups, and this is its word.
pub(crate) const GROUP: &str = "namespace";

/// What a call of a tool in `group` carries beside, for a client that knows groups.
pub(crate) fn group_rest(group: &str) -> Rest {
    Rest::from_owned(Dialect::OpenaiResponses, vec![(GROUP.into(), RawJson::string(group))])
}

/// The group that the tool of a call is in, by what the call carries beside.
pub(crate) fn group_of(rest: &Rest) -> Option<String> {
    serde_json::from_str(rest.get(GROUP)?.get()).ok()
}

/// The schema of a function that stands for a tool with free text.
pub(crate) fn free_text_schema() -> Option<RawJson> {
    let schema = serde_json::json!({
        "type": "object",
        "properties": { FREE_TEXT: { "type": "string" } },
        "required": [FREE_TEXT],
        "additionalProperties": false,
    });
    RawJson::parse(&schema.to_string()).ok()
}

/// A call with free text as the arguments of the function that stands for its tool.
pub(crate) fn free_text_arguments(text: &str) -> String {
    serde_json::json!({ FREE_TEXT: text }).to_string()
}

#[cfg(test)]
mod tests {
    use shim_ir::{
        Candidate, Delta, Event, Executor, Finish, FinishReason, Part, PartId, Response, Rest, Start,
        ToolCall, ToolCallKind, fold,
    };

    use super::{Echo, SentTool, free_text_arguments};

    fn call(name: &str, arguments: &str) -> ToolCall {
        ToolCall {
            id: "c".into(),
            item: None,
            name: name.into(),
            arguments: arguments.into(),
            kind: ToolCallKind::Function,
            executor: Executor::Client,
            opaque: vec![],
            cache: None,
            rest: Rest::default(),
        }
    }

    fn echo() -> Echo {
        let tool = |sent: &str, name: &str, free_text| SentTool {
            sent: sent.into(),
            name: name.into(),
            rest: Rest::default(),
            free_text,
        };
        Echo {
            tools: vec![tool("a_b", "a.b", false), tool("patch", "patch", true)],
            json_tool: Some("answer".into()),
            ..Echo::default()
        }
    }

    fn finish() -> Finish {
        Finish { reason: FinishReason::ToolCalls, words: None, sequence: None }
    }

    /// An answer of one call, restored whole.
    fn whole(call: ToolCall) -> Response {
        let candidate =
            Candidate { parts: vec![Part::ToolCall(call)], finish: Some(finish()), rest: Rest::default() };
        let mut response = Response { candidates: vec![candidate], ..Response::default() };
        echo().restore(&mut response);
        response
    }

    /// The same answer, restored as a stream whose arguments come in pieces.
    fn streamed(mut call: ToolCall) -> Response {
        let id = PartId(0);
        let arguments = std::mem::take(&mut call.arguments);
        let mut events = vec![
            Event::Start(Start::default()),
            Event::PartStart { id, candidate: 0, part: Part::ToolCall(call) },
        ];
        let pieces = arguments.chars().map(|c| Delta::Arguments(c.into()));
        events.extend(pieces.map(|delta| Event::PartDelta { id, delta }));
        events.extend([Event::PartEnd { id }, Event::Finish(vec![Some(finish())])]);
        let (mut restorer, mut out) = (echo().restorer(), Vec::new());
        events.into_iter().for_each(|event| restorer.take(event, &mut out));
        fold(out).expect("the order is kept").0
    }

    #[test]
    fn streamed_and_whole_answers_are_restored_alike() {
        let calls = [
            call("a_b", "{}"),
            call("patch", &free_text_arguments("*** \"Begin\"\n")),
            call("patch", "not what was asked for"),
            call("answer", r#"{"x":1}"#),
            call("other", "{}"),
        ];
        for call in calls {
            assert_eq!(streamed(call.clone()), whole(call.clone()), "{call:?}");
        }
    }

    #[test]
    fn names_forms_and_ends_are_the_clients() {
        let part = |response: Response| response.candidates.into_iter().next().unwrap();
        let Part::ToolCall(renamed) = part(whole(call("a_b", "{}"))).parts.remove(0) else { panic!() };
        assert_eq!(renamed.name, "a.b");
        let Part::ToolCall(custom) = part(whole(call("patch", &free_text_arguments("hi")))).parts.remove(0)
        else {
            panic!()
        };
        assert_eq!((custom.kind, custom.arguments.as_str()), (ToolCallKind::Custom, "hi"));
        let answered = part(whole(call("answer", "{}")));
        assert_eq!(answered.finish.unwrap().reason, FinishReason::Stop);
        assert!(matches!(&answered.parts[0], Part::Text(text) if text.text == "{}"));
    }
}
