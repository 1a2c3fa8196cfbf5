//! Law: every word that is said in one dialect is written in another, or it is told that it is not.
//!
//! Each case is one thing with a word of its own in each of its members, encoded for every oddity that a dialect knows of
//! its targets. What became of a word must be seen in the bytes or in the path of a loss.

use std::collections::BTreeMap;

use shim_ir::{
    Candidate, Dialect, Event, Finish, FinishReason, OutputFormat, Part, PartId, ReasoningAsk, Request,
    Response, Rest, Role, Schema, Start, StreamAsk, Tool, ToolChoice, ToolKind, Traits, Turn,
};
use shim_wire::RawJson;
use shim_wire::frame::Framing;

use crate::carried_parts as parts;
use crate::laws::asker;
use crate::{Encode, Goal, Operation};

/// Words that nobody says, each with the path of what says it.
#[derive(Clone, Debug)]
pub(crate) struct Words {
    /// The dialect that says them.
    pub(crate) origin: Dialect,
    /// What is said stands here.
    base: String,
    said: Vec<(String, String)>,
    /// How many were said, those that were taken back too.
    count: usize,
}

impl Words {
    fn new(origin: Dialect, base: &str) -> Self {
        Self { origin, base: base.to_owned(), said: Vec::new(), count: 0 }
    }

    /// The path of the member `name` of what stands here.
    fn path(&self, name: &str) -> String {
        let dot = if self.base.is_empty() { "" } else { "." };
        format!("{}{dot}{name}", self.base)
    }

    /// A word that the member `name` says. It is base64, and a name that any dialect permits.
    pub(crate) fn word(&mut self, name: &str) -> String {
        let word = format!("zq{:04}zq", self.count);
        self.count += 1;
        self.said.push((word.clone(), self.path(name)));
        word
    }

    /// Takes back what the member `name` says, and what is in it.
    pub(crate) fn unsay(&mut self, name: &str) {
        let path = self.path(name);
        self.said.retain(|(_, said)| !said.starts_with(&path));
    }

    /// The same as JSON.
    pub(crate) fn raw(&mut self, name: &str) -> RawJson {
        RawJson::parse(&format!("{{\"strange\":\"{}\"}}", self.word(name))).expect("JSON")
    }

    /// A member that only its origin has.
    pub(crate) fn rest(&mut self) -> Rest {
        Rest::from_owned(self.origin, vec![("odd".into(), self.raw("odd"))])
    }

    /// What stands in an element of the list `name`.
    pub(crate) fn inside<T>(&mut self, name: &str, say: impl FnOnce(&mut Self) -> T) -> T {
        let inner = self.path(name);
        let outer = std::mem::replace(&mut self.base, inner);
        let said = say(self);
        self.base = outer;
        said
    }

    /// The words that are neither in `written` nor told as lost.
    fn missing(&self, written: &[u8], losses: &[shim_ir::Loss]) -> Vec<&str> {
        // A word that is written in capitals is written.
        let text = std::str::from_utf8(written).expect("UTF-8").to_ascii_lowercase();
        let covers = |path: &str, loss: &str| {
            path.strip_prefix(loss).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        let lost = |path: &str| losses.iter().any(|loss| covers(path, &loss.path));
        let missing = self.said.iter().filter(|(word, path)| !text.contains(word) && !lost(path));
        missing.map(|(_, path)| &**path).filter(|path| !is_silent(path)).collect()
    }
}

/// What may be left out in silence: it means nothing outside of its dialect, or what it says is said by something else.
const SILENT: [&str; 6] = [
    // Ids of turns and items, by which only their provider knows them.
    "id",
    "item",
    // The id of a call, which is made to fit, and its result's alike; the name beside that is its call's.
    "call",
    "name_of_call",
    // Of a citation that has an address: its title, and the words it cites.
    "title",
    "cited",
];

fn is_silent(path: &str) -> bool {
    SILENT.iter().any(|name| path.rsplit('.').next() == Some(*name))
}

/// Encodes a request for each oddity of a target, and tells the words that are missing, each with the first oddity.
fn of_request(codec: &dyn Encode, quirks: &[(&str, &str)], words: &Words, request: &Request) -> Vec<String> {
    let mut found = BTreeMap::new();
    for quirk in std::iter::once("").chain(quirks.iter().map(|(word, _)| *word)) {
        let traits = Traits { quirks: vec![quirk.to_owned()], ..Traits::default() };
        let goal = Goal { operation: Operation::Generate, model: "m", traits: &traits, seed: "s" };
        let encoded = codec.encode_request(request, &goal);
        for path in words.missing(encoded.body.to_text().as_bytes(), &encoded.losses) {
            found.entry(path).or_insert(quirk);
        }
    }
    found.into_iter().map(|(path, quirk)| format!("{path} ({quirk})")).collect()
}

#[track_caller]
fn none(found: &[String]) {
    assert!(found.is_empty(), "{} words are lost in silence:\n{}", found.len(), found.join("\n"));
}

fn turn(role: Role, parts: Vec<Part>) -> Turn {
    Turn { role, id: None, name: None, parts, rest: Rest::default() }
}

/// The dialect whose words are said to `codec`.
fn origin(codec: &dyn Encode) -> Dialect {
    if codec.dialect() == Dialect::Anthropic { Dialect::Gemini } else { Dialect::Anthropic }
}

/// Law: each part of a turn, whoever says it, is carried word by word or told.
#[track_caller]
pub(crate) fn turns_are_carried(codec: &dyn Encode, quirks: &[(&str, &str)]) {
    let mut found = Vec::new();
    for role in [Role::User, Role::Assistant, Role::System, Role::Developer, Role::Tool] {
        for (name, say) in parts::ALL {
            let mut words = Words::new(origin(codec), "turns[0].parts[0]");
            // What the operator says is not all that is said.
            let asked = turn(Role::User, vec![Part::Text(shim_ir::Text::new("go on"))]);
            let turns = vec![turn(role.clone(), vec![say(&mut words)]), asked];
            let request = Request { turns, ..Request::default() };
            let missing = of_request(codec, quirks, &words, &request);
            found.extend(missing.iter().map(|path| format!("{name} of {role:?}: {path}")));
        }
    }
    none(&found);
}

/// Law: what a request says beside its parts is carried word by word or told.
#[track_caller]
pub(crate) fn requests_are_carried(codec: &dyn Encode, quirks: &[(&str, &str)]) {
    let mut found = Vec::new();
    for (name, say) in asks() {
        let mut words = Words::new(origin(codec), "");
        let mut request = Request { turns: vec![turn(Role::User, vec![])], ..Request::default() };
        say(&mut request, &mut words);
        let missing = of_request(codec, quirks, &words, &request);
        found.extend(missing.iter().map(|path| format!("{name}: {path}")));
    }
    none(&found);
}

type Ask = fn(&mut Request, &mut Words);

fn asks() -> impl Iterator<Item = (&'static str, Ask)> {
    PLAIN.into_iter().chain(WANTS).chain(TOOLS)
}

/// What is said in a word, or in an object that nobody knows.
const PLAIN: [(&str, Ask); 11] = [
    ("user", |r, w| r.user = Some(w.word("user"))),
    ("metadata", |r, w| r.metadata = Some(w.raw("metadata"))),
    ("tier", |r, w| r.service_tier = Some(w.word("service_tier"))),
    ("cache key", |r, w| r.cache_key = Some(w.word("cache_key"))),
    ("previous", |r, w| r.state.previous = Some(w.word("state.previous"))),
    ("conversation", |r, w| r.state.conversation = Some(w.raw("state.conversation"))),
    ("modalities", |r, w| r.modalities = vec![w.word("modalities[0]")]),
    ("stops", |r, w| r.sampling.stop = vec![w.word("sampling.stop[0]")]),
    ("stream", |r, w| {
        r.stream = Some(StreamAsk { usage: None, rest: w.inside("stream", Words::rest) });
    }),
    ("rest", |r, w| r.rest = w.rest()),
    ("turn", |r, w| {
        r.turns = w.inside("turns[0]", |w| {
            let name = Some(w.word("name"));
            let parts = vec![Part::Text(shim_ir::Text::new(w.word("parts[0]")))];
            vec![Turn { name, rest: w.rest(), ..turn(Role::User, parts) }]
        });
    }),
];

/// How the answer is to be thought of and what form it is to have.
const WANTS: [(&str, Ask); 3] = [
    ("reasoning", |r, w| {
        let ask = w.inside("reasoning", |w| ReasoningAsk {
            effort: Some(shim_ir::Effort::Other(w.word("effort"))),
            show: Some(w.word("show")),
            rest: w.rest(),
            ..ReasoningAsk::default()
        });
        r.reasoning = Some(ask);
    }),
    ("schema", |r, w| {
        let schema = w.inside("output", |w| Schema {
            name: Some(w.word("name")),
            description: Some(w.word("description")),
            schema: Some(w.raw("schema")),
            strict: None,
            rest: w.rest(),
        });
        r.output = Some(OutputFormat::Schema(schema));
    }),
    ("form", |r, w| r.output = Some(OutputFormat::Other(w.raw("output")))),
];

/// The tools on offer, and the choice of one.
const TOOLS: [(&str, Ask); 3] = [
    ("tools", |r, w| {
        let says = [function, custom, native].into_iter().zip(0..);
        r.tools = says.map(|(say, n)| w.inside(&format!("tools[{n}]"), say)).collect();
    }),
    ("group", |r, w| {
        r.tools = vec![w.inside("tools[0]", |w| {
            let kind = ToolKind::Group(vec![w.inside("tools[0]", function)]);
            tool(w, kind)
        })];
    }),
    ("choice", |r, w| {
        let mut other = Words::new(w.origin, "");
        r.tools = vec![function(&mut other)];
        r.tool_choice = Some(ToolChoice::Other(w.raw("tool_choice")));
    }),
];

fn function(w: &mut Words) -> Tool {
    let kind = ToolKind::Function { parameters: Some(w.raw("parameters")), strict: None };
    tool(w, kind)
}

fn custom(w: &mut Words) -> Tool {
    let kind = ToolKind::Custom { format: Some(w.raw("format")) };
    tool(w, kind)
}

/// A tool that nobody else has.
fn native(w: &mut Words) -> Tool {
    let kind = ToolKind::Native(w.word("kind"));
    tool(w, kind)
}

fn tool(w: &mut Words, kind: ToolKind) -> Tool {
    Tool {
        name: w.word("name"),
        description: Some(w.word("description")),
        kind,
        cache: Some(parts::mark(w)),
        rest: w.rest(),
    }
}

/// Law: each part of an answer is carried word by word or told, whole and streamed.
#[track_caller]
pub(crate) fn answers_are_carried(codec: &dyn Encode) {
    let mut found = Vec::new();
    let request = Request::default();
    let asker = asker(&request, Framing::Sse);
    for (name, say) in parts::ALL {
        let mut words = Words::new(origin(codec), "candidates[0].parts[0]");
        let part = say(&mut words);
        // Nothing in an answer is marked for a cache, or says how closely it is to be looked at.
        ["cache", "detail"].iter().for_each(|name| words.unsay(name));
        let finish = Some(Finish { reason: FinishReason::Stop, words: None, sequence: None });
        let candidate =
            Candidate { parts: vec![part.clone()], finish: finish.clone(), rest: Rest::default() };
        let whole = Response { candidates: vec![candidate], ..Response::default() };
        let told = codec.encode_response(&whole, &asker);
        let missing = words.missing(&told.body, &told.losses);
        found.extend(missing.iter().map(|path| format!("{name}, whole: {path}")));
        let mut encoder = codec.encoder(&asker);
        let mut out = Vec::new();
        let id = PartId(0);
        let events = [
            Event::Start(Start::default()),
            Event::PartStart { id, candidate: 0, part },
            Event::PartEnd { id },
            Event::Finish(vec![finish]),
        ];
        events.iter().for_each(|event| encoder.push(event, &mut out));
        let missing = words.missing(&out, encoder.losses());
        found.extend(missing.iter().map(|path| format!("{name}, streamed: {path}")));
    }
    none(&found);
}

/// Law: what an answer says beside the parts of the first one of its candidates is carried word by word or told, whole and
/// streamed.
#[track_caller]
pub(crate) fn ends_are_carried(codec: &dyn Encode) {
    let request = Request::default();
    let asker = asker(&request, Framing::Sse);
    let mut words = Words::new(origin(codec), "");
    let answer = Response {
        service_tier: Some(words.word("service_tier")),
        rest: words.rest(),
        candidates: vec![ended(&mut words, 0), ended(&mut words, 1)],
        ..Response::default()
    };
    let told = codec.encode_response(&answer, &asker);
    let missing = words.missing(&told.body, &told.losses);
    let mut found: Vec<_> = missing.iter().map(|path| format!("whole: {path}")).collect();
    // What a candidate keeps beside its parts is an event of its own in a stream.
    ["candidates[0].odd", "candidates[1].odd"].iter().for_each(|path| words.unsay(path));
    let raw = words.raw("odd_event");
    let foreign = Event::Foreign(shim_ir::Foreign { dialect: words.origin, kind: "odd_event".into(), raw });
    let mut events = shim_ir::unfold(answer);
    let late = events.len().saturating_sub(1);
    events.splice(late..late, [foreign, Event::Rest(words.inside("late", Words::rest))]);
    words.said.iter_mut().for_each(|(_, path)| *path = path.replace("late.", ""));
    let mut encoder = codec.encoder(&asker);
    let mut out = Vec::new();
    events.iter().for_each(|event| encoder.push(event, &mut out));
    let missing = words.missing(&out, encoder.losses());
    found.extend(missing.iter().map(|path| format!("streamed: {path}")));
    none(&found);
}

/// A candidate that a stop sequence ended.
fn ended(w: &mut Words, number: usize) -> Candidate {
    w.inside(&format!("candidates[{number}]"), |w| {
        let sequence = Some(w.word("finish.sequence"));
        Candidate {
            parts: vec![Part::Text(shim_ir::Text::new(w.word("parts[0]")))],
            finish: Some(Finish { reason: FinishReason::Sequence, words: None, sequence }),
            rest: w.rest(),
        }
    })
}
