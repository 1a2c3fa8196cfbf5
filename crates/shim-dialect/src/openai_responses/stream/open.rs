//! A part as a stream of this dialect tells it.

use shim_ir::{Delta, Part, Reasoning, Text, ToolCall, ToolCallKind};
use shim_wire::{JsonWriter, RawJson};

use super::super::encode::{
    LogprobsIn, Stage, is_list, is_placed, is_told, put_annotation, put_content, put_logprobs,
};

/// The numbers of the events.
#[derive(Debug, Default)]
pub(super) struct Numbers(u64);

impl Numbers {
    /// The number of the next event.
    pub(super) fn next(&mut self) -> u64 {
        let number = self.0;
        self.0 += 1;
        number
    }

    /// Writes an event.
    pub(super) fn event(&mut self, out: &mut Vec<u8>, kind: &str, members: impl FnOnce(&mut JsonWriter<'_>)) {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"\ndata: ");
        JsonWriter::new(out).escaping_lines().object(|w| {
            w.string("type", kind);
            w.number("sequence_number", self.next());
            members(w);
        });
        out.extend_from_slice(b"\n\n");
    }

    /// Writes an event that adds `text`; `head` is all that stands before it.
    fn delta(&mut self, out: &mut Vec<u8>, head: &[u8], text: &str) {
        if text.is_empty() || head.is_empty() {
            return;
        }
        out.extend_from_slice(head);
        JsonWriter::new(out).escaping_lines().element().string(text);
        out.extend_from_slice(b",\"sequence_number\":");
        JsonWriter::new(out).element().number(self.next());
        out.extend_from_slice(b"}\n\n");
    }
}

/// A number of things, as it is written.
pub(super) fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// Where a part stands in the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spot {
    /// Nowhere: it cannot be told.
    Left,
    /// In the content of a message: the number of the item, and its own in it.
    Content(usize, usize),
    /// It is an item.
    Item(usize),
}

impl Spot {
    /// The number of the item it is in.
    pub(super) fn item(self) -> Option<usize> {
        match self {
            Self::Left => None,
            Self::Content(item, _) | Self::Item(item) => Some(item),
        }
    }
}

/// Pieces of reasoning, of either kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pieces {
    Text,
    Summary,
}

/// A part, and what was told of it.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) spot: Spot,
    /// Its number in its candidate.
    pub(super) at: usize,
    /// As it is so far.
    pub(super) part: Part,
    /// What stands before each text that is added; empty where its end tells all.
    head: Vec<u8>,
    /// The piece of reasoning that `head` is of.
    piece: Option<(Pieces, usize)>,
    /// How many pieces of text and of summary were opened.
    opened: (usize, usize),
    /// How many citations were told.
    cited: usize,
}

impl Told {
    fn new(spot: Spot, at: usize, part: Part, head: Vec<u8>) -> Self {
        Self { spot, at, part, head, piece: None, opened: (0, 0), cited: 0 }
    }

    /// A part that cannot be told.
    pub(super) fn left(at: usize) -> Self {
        Self::new(Spot::Left, at, Part::Text(Text::default()), Vec::new())
    }

    /// Content of the message whose item is `id`.
    pub(super) fn content(at: usize, part: &Part, (item, content): (usize, usize), id: &str) -> Self {
        let spot = Spot::Content(item, content);
        let of_content = |w: &mut JsonWriter<'_>| w.number("content_index", number(content));
        let mut before = Vec::new();
        if matches!(part, Part::Text(_)) {
            before = head("response.output_text.delta", id, item, |w| {
                of_content(w);
                w.array("logprobs", |_| ());
            });
        } else if matches!(part, Part::Refusal(_)) {
            before = head("response.refusal.delta", id, item, of_content);
        }
        Self::new(spot, at, part.clone(), before)
    }

    /// A part that is the item `id`.
    pub(super) fn item(at: usize, part: &Part, item: usize, id: &str) -> Self {
        let mut before = Vec::new();
        if let Part::ToolCall(call) = part
            && let Some((event, _)) = call_events(call)
        {
            before = head(&format!("response.{event}.delta"), id, item, |_| ());
        }
        Self::new(Spot::Item(item), at, part.clone(), before)
    }

    /// Tells that content begins, and what is known of the part already.
    pub(super) fn begin(&mut self, id: &str, numbers: &mut Numbers, out: &mut Vec<u8>) {
        if let Spot::Content(item, content) = self.spot {
            numbers.event(out, "response.content_part.added", |w| {
                place(w, id, item);
                w.number("content_index", number(content));
                put_content(w.member("part"), &self.part, Stage::Begun);
            });
        }
        match &self.part {
            Part::Text(text) | Part::Refusal(text) => {
                numbers.delta(out, &self.head, &text.text);
                self.cite(id, false, numbers, out);
            }
            Part::ToolCall(call) => numbers.delta(out, &self.head, &call.arguments),
            Part::Reasoning(reasoning) => self.begin_pieces(&reasoning.clone(), id, numbers, out),
            Part::Media(_) | Part::ToolResult(_) | Part::ServerResult(_) | Part::Foreign(_) => {}
        }
    }

    fn begin_pieces(&mut self, of: &Reasoning, id: &str, numbers: &mut Numbers, out: &mut Vec<u8>) {
        for (at, text) in of.text.iter().enumerate() {
            self.tell_piece(Pieces::Text, at, text, id, numbers, out);
        }
        for (at, text) in of.summary.iter().enumerate() {
            self.tell_piece(Pieces::Summary, at, text, id, numbers, out);
        }
    }

    /// Tells of a delta that the part has taken.
    pub(super) fn tell(&mut self, delta: &Delta, id: &str, numbers: &mut Numbers, out: &mut Vec<u8>) {
        match delta {
            Delta::Text(text) | Delta::Arguments(text) => numbers.delta(out, &self.head, text),
            Delta::Reasoning { piece, text } => self.tell_piece(Pieces::Text, *piece, text, id, numbers, out),
            Delta::Summary { piece, text } => {
                self.tell_piece(Pieces::Summary, *piece, text, id, numbers, out)
            }
            Delta::Citation(_) => self.cite(id, false, numbers, out),
            Delta::Logprobs(list) => self.tell_logprobs(list, id, numbers, out),
            // Its end tells of these.
            Delta::Data(_) | Delta::Opaque { .. } | Delta::Rest(_) | Delta::Whole(_) => {}
        }
    }

    /// Log probabilities of a text that was told before them.
    fn tell_logprobs(&self, list: &RawJson, id: &str, numbers: &mut Numbers, out: &mut Vec<u8>) {
        let Spot::Content(item, content) = self.spot else { return };
        if !is_list(list) {
            return;
        }
        numbers.event(out, "response.output_text.delta", |w| {
            place(w, id, item);
            w.number("content_index", number(content));
            w.string("delta", "");
            put_logprobs(w.member("logprobs"), Some(list), LogprobsIn::Event);
        });
    }

    /// Tells of the citations that were not told yet, in their order; of those that hang on the whole text when that
    /// is complete.
    fn cite(&mut self, id: &str, complete: bool, numbers: &mut Numbers, out: &mut Vec<u8>) {
        let (Spot::Content(item, content), Part::Text(text)) = (self.spot, &self.part) else { return };
        for citation in text.citations.iter().filter(|citation| is_told(citation)).skip(self.cited) {
            if !complete && !is_placed(citation) {
                return;
            }
            numbers.event(out, "response.output_text.annotation.added", |w| {
                place(w, id, item);
                w.number("content_index", number(content));
                w.number("annotation_index", number(self.cited));
                put_annotation(w.member("annotation"), citation, &text.text);
            });
            self.cited += 1;
        }
    }

    /// Adds to a piece of reasoning; a new one is opened, and those before it.
    fn tell_piece(
        &mut self,
        kind: Pieces,
        piece: usize,
        text: &str,
        id: &str,
        numbers: &mut Numbers,
        out: &mut Vec<u8>,
    ) {
        let Some(item) = self.spot.item() else { return };
        let opened = if kind == Pieces::Text { &mut self.opened.0 } else { &mut self.opened.1 };
        while *opened <= piece {
            numbers.event(out, &format!("{}.added", kind.part()), |w| {
                place(w, id, item);
                w.number(kind.index(), number(*opened));
                w.nested("part", |w| kind.put(w, ""));
            });
            *opened += 1;
        }
        if self.piece != Some((kind, piece)) {
            self.piece = Some((kind, piece));
            let at = |w: &mut JsonWriter<'_>| w.number(kind.index(), number(piece));
            self.head = head(&format!("{}.delta", kind.text()), id, item, at);
        }
        numbers.delta(out, &self.head, text);
    }

    /// Tells that the part is complete, with all it holds.
    pub(super) fn end(&mut self, id: &str, numbers: &mut Numbers, out: &mut Vec<u8>) {
        self.cite(id, true, numbers, out);
        match (&self.part, self.spot) {
            (part, Spot::Content(item, content)) => end_content(part, (item, content), id, numbers, out),
            (Part::ToolCall(call), Spot::Item(item)) => end_call(call, item, id, numbers, out),
            (Part::Reasoning(reasoning), Spot::Item(item)) => {
                end_pieces(Pieces::Text, &reasoning.text, self.opened.0, (item, id), numbers, out);
                end_pieces(Pieces::Summary, &reasoning.summary, self.opened.1, (item, id), numbers, out);
            }
            (_, Spot::Item(_) | Spot::Left) => {}
        }
    }
}

impl Pieces {
    /// The name of the events of a piece.
    fn part(self) -> &'static str {
        match self {
            Self::Text => "response.content_part",
            Self::Summary => "response.reasoning_summary_part",
        }
    }

    /// The name of the events of its text.
    fn text(self) -> &'static str {
        match self {
            Self::Text => "response.reasoning_text",
            Self::Summary => "response.reasoning_summary_text",
        }
    }

    /// The member that holds its number.
    fn index(self) -> &'static str {
        match self {
            Self::Text => "content_index",
            Self::Summary => "summary_index",
        }
    }

    /// Writes the members of a piece.
    fn put(self, w: &mut JsonWriter<'_>, text: &str) {
        w.string("type", if self == Self::Text { "reasoning_text" } else { "summary_text" });
        w.string("text", text);
    }
}

/// Writes where an event belongs.
fn place(w: &mut JsonWriter<'_>, id: &str, item: usize) {
    w.string("item_id", id);
    w.number("output_index", number(item));
}

/// All of an event that stands before the text it adds.
fn head(kind: &str, id: &str, item: usize, members: impl FnOnce(&mut JsonWriter<'_>)) -> Vec<u8> {
    let mut head = format!("event: {kind}\ndata: ").into_bytes();
    JsonWriter::new(&mut head).escaping_lines().object(|w| {
        w.string("type", kind);
        place(w, id, item);
        members(w);
    });
    head.pop();
    head.extend_from_slice(b",\"delta\":");
    head
}

/// The events that tell of what a call is called with, and the member that holds all of it; `None` where only the item
/// does.
fn call_events(call: &ToolCall) -> Option<(&'static str, &'static str)> {
    Some(match &call.kind {
        ToolCallKind::Function => ("function_call_arguments", "arguments"),
        ToolCallKind::Custom => ("custom_tool_call_input", "input"),
        ToolCallKind::Native(word) => match word.as_str() {
            "mcp_call" => ("mcp_call_arguments", "arguments"),
            "code_interpreter_call" => ("code_interpreter_call_code", "code"),
            _ => return None,
        },
    })
}

fn end_content(
    part: &Part,
    (item, content): (usize, usize),
    id: &str,
    numbers: &mut Numbers,
    out: &mut Vec<u8>,
) {
    let at = |w: &mut JsonWriter<'_>| {
        place(w, id, item);
        w.number("content_index", number(content));
    };
    if let Part::Text(text) = part {
        numbers.event(out, "response.output_text.done", |w| {
            at(w);
            w.text("text", &text.text);
            put_logprobs(w.member("logprobs"), text.logprobs.as_ref(), LogprobsIn::Event);
        });
    } else if let Part::Refusal(text) = part {
        numbers.event(out, "response.refusal.done", |w| {
            at(w);
            w.text("refusal", &text.text);
        });
    }
    numbers.event(out, "response.content_part.done", |w| {
        at(w);
        put_content(w.member("part"), part, Stage::Done);
    });
}

fn end_call(call: &ToolCall, item: usize, id: &str, numbers: &mut Numbers, out: &mut Vec<u8>) {
    let Some((event, member)) = call_events(call) else { return };
    numbers.event(out, &format!("response.{event}.done"), |w| {
        place(w, id, item);
        if call.kind == ToolCallKind::Function {
            w.string("name", &call.name);
        }
        w.string(member, &call.arguments);
    });
}

fn end_pieces(
    kind: Pieces,
    texts: &[String],
    opened: usize,
    (item, id): (usize, &str),
    numbers: &mut Numbers,
    out: &mut Vec<u8>,
) {
    for (at, text) in texts.iter().take(opened).enumerate() {
        numbers.event(out, &format!("{}.done", kind.text()), |w| {
            place(w, id, item);
            w.number(kind.index(), number(at));
            w.string("text", text);
        });
        numbers.event(out, &format!("{}.done", kind.part()), |w| {
            place(w, id, item);
            w.number(kind.index(), number(at));
            w.nested("part", |w| kind.put(w, text));
        });
    }
}
