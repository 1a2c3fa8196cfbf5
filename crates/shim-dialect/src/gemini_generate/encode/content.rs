//! Parts.

use std::collections::HashMap;

use shim_ir::{
    CacheMark, Executor, LossKind, Opaque, OpaqueKind, Part, Reasoning, Rest, ServerResult, Text, ToolCall,
    ToolCallKind, Traits,
};
use shim_wire::{JsonWriter, RawJson};

use super::super::decode::DIALECT;
use super::losses::{At, Losses, Of};
use super::names::Names;
use super::own::{Member, own, write};
use crate::common::why_foreign;
use crate::echo::{free_text_arguments, group_of};

/// The members of a part that stand beside the one that says what it is.
const BESIDE: [&str; 5] = ["thought", "thoughtSignature", "text", "mediaResolution", "videoMetadata"];

/// Signs a call that came from a model of another family:
/// <https://ai.google.dev/gemini-api/docs/thought-signatures#faqs>, read 2026-11-25.
const UNSIGNED: &str = "skip_thought_signature_validator";

/// Writes parts, and keeps what they lose.
pub(crate) struct Scribe<'a> {
    pub(super) names: &'a Names<'a>,
    /// The names calls are sent under, by their ids.
    pub(super) called: &'a HashMap<&'a str, String>,
    pub(super) traits: &'a Traits,
    pub(crate) losses: Losses,
    /// Whether the next call, unless it is signed, is signed with the dummy.
    pub(super) sign: bool,
}

/// What stands between two pieces of reasoning.
pub(crate) const BETWEEN: &str = "\n\n";

/// Something left out, and why.
pub(crate) type Lack = (LossKind, &'static str);

/// Writes with a scribe of answers, which know no names but their own; gives back the losses with what they were.
pub(crate) fn answering<T>(losses: &mut Losses, with: impl FnOnce(&mut Scribe<'_>) -> T) -> T {
    let (names, called, traits) = (Names::default(), HashMap::new(), Traits::default());
    let losses_so_far = std::mem::take(losses);
    let mut scribe =
        Scribe { names: &names, called: &called, traits: &traits, losses: losses_so_far, sign: false };
    let done = with(&mut scribe);
    *losses = scribe.losses;
    done
}

impl Scribe<'_> {
    /// Writes the elements a part is: one, or none, or more for a document of parts.
    pub(crate) fn part(&mut self, w: &mut JsonWriter<'_>, part: &Part, at: At) {
        if let Some((kind, why)) = self.lack(part, at.of) {
            return self.losses.tell(at.path(), kind, why);
        }
        match part {
            Part::Text(text) => self.text(w, text, at),
            Part::Refusal(text) => {
                self.losses.near(at.path(), "a refusal is said as text");
                self.text(w, text, at);
            }
            Part::Media(media) => self.media(w, media, at),
            Part::Reasoning(reasoning) => self.reasoning(w, reasoning, at),
            Part::ToolCall(call) => self.call(w, call, at),
            Part::ToolResult(result) => self.result(w, result, at),
            Part::ServerResult(ServerResult { raw, .. }) => w.element().raw(raw),
            Part::Foreign(foreign) => w.element().raw(&foreign.raw),
        }
    }

    /// Why a part has no place here; `None` where it has one.
    pub(crate) fn lack(&self, part: &Part, of: Of) -> Option<Lack> {
        match part {
            Part::Text(_) | Part::Refusal(_) | Part::ToolResult(_) => None,
            Part::Media(media) => self.located(media).err(),
            Part::Reasoning(reasoning) => {
                let empty = reasoning.text.is_empty() && reasoning.summary.is_empty();
                let signed = reasoning.opaque.iter().any(is_own_opaque);
                (empty && !signed).then_some((LossKind::Dropped, "only its origin can read it"))
            }
            Part::ToolCall(call) => {
                let others = call.executor == Executor::Provider && own_word(call).is_none();
                others.then_some((LossKind::Dropped, "another provider ran the tool"))
            }
            Part::ServerResult(result) => {
                (result.origin != DIALECT).then_some((LossKind::Dropped, "another provider ran the tool"))
            }
            Part::Foreign(foreign) if foreign.dialect == DIALECT => None,
            Part::Foreign(foreign) => Some((unsaid(of), why_foreign(foreign))),
        }
    }

    pub(super) fn text(&mut self, w: &mut JsonWriter<'_>, text: &Text, at: At) {
        let members = own(&text.rest, || at.path(), &mut self.losses);
        self.cache(text.cache.as_ref(), at);
        let signature = self.signature(&text.opaque, at);
        if !matches!(at.of, Of::Candidate(_)) {
            self.answers_alone(text, at);
        }
        w.element().object(|w| {
            w.text("text", &text.text);
            write(w, members, &[]);
            w.maybe("thoughtSignature", signature, JsonWriter::string);
        });
    }

    /// Tells what hangs on a text that only an answer has a place for.
    pub(super) fn answers_alone(&mut self, text: &Text, at: At) {
        if !text.citations.is_empty() {
            self.losses.dropped(at.member("citations"), "only answers cite");
        }
        if text.logprobs.is_some() {
            self.losses.dropped(at.member("logprobs"), "only answers have log probabilities");
        }
    }

    fn reasoning(&mut self, w: &mut JsonWriter<'_>, reasoning: &Reasoning, at: At) {
        let members = own(&reasoning.rest, || at.path(), &mut self.losses);
        let signature = self.signature(&reasoning.opaque, at);
        if reasoning.id.is_some() {
            self.losses.dropped(at.member("id"), "thoughts have no ids");
        }
        w.element().object(|w| {
            w.string("text", &thoughts(reasoning));
            w.bool("thought", true);
            write(w, members, &[]);
            w.maybe("thoughtSignature", signature, JsonWriter::string);
        });
    }

    fn call(&mut self, w: &mut JsonWriter<'_>, call: &ToolCall, at: At) {
        let members = self.call_rest(call, at);
        self.cache(call.cache.as_ref(), at);
        if call.item.is_some() {
            self.losses.dropped(at.member("item"), "a call has one id");
        }
        let signature = self.signature(&call.opaque, at);
        let sign = std::mem::take(&mut self.sign);
        let signature = signature.or(sign.then_some(UNSIGNED));
        w.element().object(|w| {
            self.call_body(w, call, members, at);
            write_beside(w, members);
            w.maybe("thoughtSignature", signature, JsonWriter::string);
        });
    }

    fn call_body(&mut self, w: &mut JsonWriter<'_>, call: &ToolCall, members: &[Member], at: At) {
        let text = self.arguments_of(call, at);
        match own_word(call) {
            Some("executableCode") => w.raw("executableCode", &text),
            Some(_) => w.nested("toolCall", |w| {
                w.maybe("id", said(&call.id), JsonWriter::string);
                w.string("toolType", &call.name);
                w.raw("args", &text);
                write(w, members, &BESIDE);
            }),
            None => w.nested("functionCall", |w| {
                w.maybe("id", self.id(&call.id), JsonWriter::string);
                w.maybe("name", said(&self.names.of_call(call)), JsonWriter::string);
                w.raw("args", &text);
                write(w, members, &BESIDE);
            }),
        }
    }

    /// The group of a call is in its name, so it is not lost.
    fn call_rest<'c>(&mut self, call: &'c ToolCall, at: At) -> &'c [Member] {
        let grouped = group_of(&call.rest).is_some() && call.rest.origin() != Some(DIALECT);
        if grouped && call.rest.members().len() == 1 {
            &[]
        } else {
            own(&call.rest, || at.path(), &mut self.losses)
        }
    }

    fn arguments_of(&mut self, call: &ToolCall, at: At) -> RawJson {
        let free = call.kind == ToolCallKind::Custom;
        if free && matches!(at.of, Of::Candidate(_)) {
            self.losses.near(at.member("arguments"), "free text is told as the argument `input`");
        }
        let (raw, whole) = arguments(call);
        if !whole {
            self.losses
                .near(at.member("arguments"), "arguments that are no JSON object are told as one of them");
        }
        raw
    }

    /// The id of a call, where the target takes one.
    pub(super) fn id<'c>(&self, id: &'c str) -> Option<&'c str> {
        said(id).filter(|_| !self.traits.has("no_call_ids"))
    }

    /// The signature among opaque state; state of other kinds is left out.
    pub(super) fn signature<'o>(&mut self, opaque: &'o [Opaque], at: At) -> Option<&'o str> {
        if opaque.iter().any(|opaque| !is_own_opaque(opaque)) {
            self.losses.dropped(at.member("opaque"), "only its origin can read it");
        }
        opaque.iter().rfind(|opaque| is_own_opaque(opaque)).map(|opaque| opaque.value.as_str())
    }

    pub(super) fn cache(&mut self, cache: Option<&CacheMark>, at: At) {
        if cache.is_some() {
            self.losses.dropped(at.member("cache"), "the provider caches by itself");
        }
    }
}

/// What a part nobody else has is, where it is left out.
fn unsaid(of: Of) -> LossKind {
    match of {
        Of::System | Of::Turn(_) | Of::Input(_) => LossKind::Unsupported,
        Of::Candidate(_) => LossKind::Dropped,
    }
}

fn said(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

pub(crate) fn is_own_opaque(opaque: &Opaque) -> bool {
    opaque.kind == OpaqueKind::ThoughtSignature
}

/// The dialect's own word for a call, where it is one of its own tools that is called.
fn own_word(call: &ToolCall) -> Option<&str> {
    match &call.kind {
        ToolCallKind::Native(word) => {
            Some(word.as_str()).filter(|w| matches!(*w, "executableCode" | "toolCall"))
        }
        ToolCallKind::Function | ToolCallKind::Custom => None,
    }
}

/// Writes those members of a part that stand beside what it is.
pub(super) fn write_beside(w: &mut JsonWriter<'_>, members: &[Member]) {
    for (key, value) in members.iter().filter(|(key, _)| BESIDE.contains(&&**key)) {
        w.raw(key, value);
    }
}

/// Writes those that stand inside it.
pub(super) fn write_inside(w: &mut JsonWriter<'_>, members: &[Member]) {
    write(w, members, &BESIDE);
}

/// All that can be read of reasoning, its pieces apart.
pub(crate) fn thoughts(reasoning: &Reasoning) -> String {
    let pieces = reasoning.summary.iter().chain(&reasoning.text).map(String::as_str);
    pieces.filter(|piece| !piece.is_empty()).collect::<Vec<_>>().join(BETWEEN)
}

/// The arguments of a call as an object, and whether they were one.
pub(crate) fn arguments(call: &ToolCall) -> (RawJson, bool) {
    let text = if call.kind == ToolCallKind::Custom {
        free_text_arguments(&call.arguments)
    } else if call.arguments.trim().is_empty() {
        "{}".to_owned()
    } else {
        call.arguments.clone()
    };
    match RawJson::parse(&text) {
        Ok(raw) if raw.get().starts_with('{') => (raw, true),
        Ok(_) | Err(_) => {
            let named = free_text_arguments(&text);
            (RawJson::parse(&named).unwrap_or_else(|_| RawJson::string("")), false)
        }
    }
}

/// What hangs on a text beside what it says; `None` where nothing of the dialect's own does.
pub(crate) fn mark(opaque: &[Opaque], rest: &Rest) -> Option<Text> {
    let own = opaque.iter().any(is_own_opaque) || rest.origin() == Some(DIALECT);
    own.then(|| Text { opaque: opaque.to_vec(), rest: rest.clone(), ..Text::default() })
}

/// Writes a text, or a thought, and what hangs on it.
pub(crate) fn marked(w: &mut JsonWriter<'_>, text: &str, thought: bool, mark: &Text) {
    let signature = mark.opaque.iter().rfind(|opaque| is_own_opaque(opaque));
    w.element().object(|w| {
        w.string("text", text);
        if thought {
            w.bool("thought", true);
        }
        write(w, mark.rest.members(), &[]);
        w.maybe("thoughtSignature", signature.map(|opaque| opaque.value.as_str()), JsonWriter::string);
    });
}
