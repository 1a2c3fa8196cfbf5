//! Items that requests and answers share: reasoning, and calls.

use shim_ir::{Reasoning, ToolCall, ToolCallKind};
use shim_wire::{JsonWriter, RawJson};

use super::super::decode::call_form;
use super::loss::verbatim;
use super::reason::encrypted;

/// Writes the members of an item of `type` `reasoning`. `filled` is false where it only begins.
pub(crate) fn put_reasoning_item(
    w: &mut JsonWriter<'_>,
    reasoning: &Reasoning,
    id: Option<&str>,
    filled: bool,
    members: &[(Box<str>, RawJson)],
) {
    let listed = |key: &str| members.iter().any(|(own, _)| &**own == key);
    if !listed("type") {
        w.string("type", "reasoning");
    }
    w.maybe("id", id, JsonWriter::string);
    if !listed("summary") {
        put_texts(w, "summary", "summary_text", if filled { &reasoning.summary } else { &[] });
    }
    if filled && !reasoning.text.is_empty() && !listed("content") {
        put_texts(w, "content", "reasoning_text", &reasoning.text);
    }
    let state = encrypted(&reasoning.opaque).filter(|_| filled);
    w.maybe("encrypted_content", state, JsonWriter::string);
    verbatim(w, members, if state.is_some() { &["encrypted_content"] } else { &[] });
}

fn put_texts(w: &mut JsonWriter<'_>, key: &str, word: &str, texts: &[String]) {
    w.array(key, |w| {
        for text in texts {
            w.element().object(|w| {
                w.string("type", word);
                w.string("text", text);
            });
        }
    });
}

/// The `type` of a call's item, and the tool's name where the type does not say it.
fn word_and_name(call: &ToolCall) -> (&str, Option<&str>) {
    let name = Some(call.name.as_str());
    match &call.kind {
        ToolCallKind::Function => ("function_call", name),
        ToolCallKind::Custom => ("custom_tool_call", name),
        ToolCallKind::Native(word) => (word, name.filter(|name| *name != call_form(word, "").tool)),
    }
}

/// The item of a call.
pub(crate) struct CallItem<'c> {
    /// Its `type`.
    pub(crate) word: &'c str,
    /// The id of the item.
    pub(crate) id: Option<&'c str>,
    /// The id that its result refers to.
    pub(crate) call_id: Option<&'c str>,
    /// The tool's name, where it has one.
    pub(crate) name: Option<&'c str>,
    /// What the tool is called with.
    pub(crate) arguments: &'c str,
    pub(crate) status: Option<&'c str>,
    pub(crate) members: &'c [(Box<str>, RawJson)],
}

impl<'c> CallItem<'c> {
    /// The item of a call in this dialect's own words.
    pub(crate) fn own(call: &'c ToolCall) -> Self {
        let members = call.rest.members();
        let item = call.item.as_deref();
        let (word, name) = word_and_name(call);
        // What the provider runs is known by its item alone.
        let named = name.is_some() && !matches!(call.kind, ToolCallKind::Native(_));
        let call_id = Some(call.id.as_str()).filter(|id| named || Some(*id) != item);
        let stated = |key: &str| call.rest.get(key).is_some();
        Self {
            word,
            id: item,
            call_id: call_id.filter(|_| !stated("call_id")),
            name: name.filter(|_| !stated("name")),
            arguments: &call.arguments,
            status: None,
            members,
        }
    }

    /// Writes its members.
    pub(crate) fn put(&self, w: &mut JsonWriter<'_>) {
        w.string("type", self.word);
        w.maybe("id", self.id, JsonWriter::string);
        w.maybe("call_id", self.call_id, JsonWriter::string);
        w.maybe("name", self.name, JsonWriter::string);
        self.put_arguments(w);
        w.maybe("status", self.status, JsonWriter::string);
        verbatim(w, self.members, &[]);
    }

    fn put_arguments(&self, w: &mut JsonWriter<'_>) {
        let form = call_form(self.word, self.arguments);
        let stated = self.members.iter().any(|(key, _)| &**key == form.member);
        if form.member.is_empty() || stated || (self.arguments.is_empty() && form.raw) {
            return;
        }
        match form.raw.then(|| RawJson::parse(self.arguments)) {
            Some(Ok(raw)) => w.raw(form.member, &raw),
            Some(Err(_)) | None => w.string(form.member, self.arguments),
        }
    }
}
