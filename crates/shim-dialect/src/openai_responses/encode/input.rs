//! Turns, as the items of `input`.

use shim_ir::{
    CacheMark, Executor, Media, MediaKind, Part, Reasoning, Role, Source, ToolCall, ToolCallKind, ToolResult,
    Turn,
};
use shim_wire::{JsonWriter, RawJson};

use super::super::decode::{DIALECT, call_form};
use super::ask::Ask;
use super::content::{Side, data_url, is_bare, lose_beside, lose_unsaid, put_part, put_parts};
use super::item::{CallItem, put_reasoning_item};
use super::loss::{At, verbatim};
use super::mark::lose_mark;
use super::reason::encrypted;
use crate::common::why_foreign;
use crate::echo::free_text_arguments;

/// Writes `input`: what the operator says that `instructions` cannot hold, and the turns.
pub(super) fn put_input(w: &mut JsonWriter<'_>, system: &[Part], turns: &[Turn], ask: &mut Ask<'_>) {
    if ask.own && turns.is_empty() {
        return;
    }
    w.array("input", |w| {
        if !system.is_empty() {
            let message = Message { role: &Role::System, id: None, members: &[], parts: system, first: 0 };
            put_message(w, &message, &|n| At::list("system", n), ask);
        }
        for (n, turn) in turns.iter().enumerate() {
            if ask.own { put_own_turn(w, turn, n, ask) } else { put_turn(w, turn, n, ask) }
        }
    });
}

/// A turn of this dialect: one item.
fn put_own_turn(w: &mut JsonWriter<'_>, turn: &Turn, n: usize, ask: &mut Ask<'_>) {
    let at = At::list("turns", n);
    let alone = turn.id.is_none() && turn.rest.is_empty();
    match turn.parts.as_slice() {
        [part] if alone && is_item(part, &turn.role) => put_item(w, part, (n, 0), at.nth("parts", 0), ask),
        parts => {
            let members = turn.rest.members();
            let message = Message { role: &turn.role, id: turn.id.as_deref(), members, parts, first: 0 };
            put_message(w, &message, &|part| at.nth("parts", part), ask);
        }
    }
}

/// Whether a part is an item of its own, not the content of a message.
fn is_item(part: &Part, role: &Role) -> bool {
    let made = matches!(part, Part::Media(media) if media.kind == MediaKind::Image);
    is_unsaid(part) || (made && *role == Role::Assistant)
}

/// A turn of another dialect: messages of what can stand in one, and between them the items that cannot.
fn put_turn(w: &mut JsonWriter<'_>, turn: &Turn, n: usize, ask: &mut Ask<'_>) {
    let at = At::list("turns", n);
    ask.losses.own(&turn.rest, at);
    if turn.name.is_some() {
        ask.losses.dropped(at.member("name"), "a speaker has no name here");
    }
    let apart = |part: &Part| is_item(part, &turn.role);
    let mut first = 0;
    for parts in turn.parts.chunk_by(|a, b| !apart(a) && !apart(b)) {
        match parts {
            [part] if apart(part) => put_item(w, part, (n, first), at.nth("parts", first), ask),
            parts => {
                let message = Message { role: &turn.role, id: None, members: &[], parts, first };
                put_message(w, &message, &|part| at.nth("parts", part), ask);
            }
        }
        first += parts.len();
    }
}

/// An item of `type` `message`.
struct Message<'m> {
    role: &'m Role,
    id: Option<&'m str>,
    members: &'m [(Box<str>, RawJson)],
    parts: &'m [Part],
    /// The number of the first part in its turn.
    first: usize,
}

impl Message<'_> {
    /// Whether `key` is among the members that are not modelled.
    fn states(&self, key: &str) -> bool {
        self.members.iter().any(|(own, _)| &**own == key)
    }
}

fn put_message<'p>(
    w: &mut JsonWriter<'_>,
    message: &Message<'_>,
    at: &dyn Fn(usize) -> At<'p>,
    ask: &mut Ask<'_>,
) {
    w.element().object(|w| {
        if !ask.own {
            w.string("type", "message");
        }
        w.maybe("id", message.id, JsonWriter::string);
        w.string("role", role_word(message.role, ask.own));
        put_content(w, message, at, ask);
        verbatim(w, message.members, &[]);
    });
}

/// `content` of a message: text where that is all, or parts.
fn put_content<'p>(
    w: &mut JsonWriter<'_>,
    message: &Message<'_>,
    at: &dyn Fn(usize) -> At<'p>,
    ask: &mut Ask<'_>,
) {
    let bare = message.id.is_none() && !message.states("status");
    match message.parts {
        [Part::Text(text)] if bare && is_bare(text, ask) => {
            lose_beside(text, at(message.first), ask);
            w.text("content", &text.text);
        }
        [] if message.states("content") => {}
        _ => w.array("content", |w| put_list(w, message, at, ask)),
    }
}

fn put_list<'p>(
    w: &mut JsonWriter<'_>,
    message: &Message<'_>,
    at: &dyn Fn(usize) -> At<'p>,
    ask: &mut Ask<'_>,
) {
    let side = if *message.role == Role::Assistant { Side::Output } else { Side::Input };
    for (n, part) in message.parts.iter().enumerate() {
        put_part(w, part, side, None, at(message.first + n), ask);
    }
}

/// The word for who speaks; one that this dialect does not know is the user's.
fn role_word(role: &Role, own: bool) -> &str {
    match role {
        Role::System => "system",
        Role::Developer => "developer",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool if own => "tool",
        Role::Other(word) if own => word,
        Role::Tool | Role::Other(_) => "user",
    }
}

/// Writes a part that is an item of its own; `place` is its turn and its number in it.
fn put_item(w: &mut JsonWriter<'_>, part: &Part, place: (usize, usize), at: At<'_>, ask: &mut Ask<'_>) {
    match part {
        Part::Reasoning(reasoning) => put_reasoning(w, reasoning, at, ask),
        Part::ToolCall(call) if is_provider_run(call) || ask.own && !is_reshaped(call, ask) => {
            w.element().object(|w| CallItem::own(call).put(w));
        }
        Part::ToolCall(call) => put_call(w, call, place, at, ask),
        Part::ToolResult(result) => put_result(w, result, place, at, ask),
        Part::Media(media) => put_image(w, media, at, ask),
        Part::ServerResult(result) if result.origin == DIALECT => w.element().raw(&result.raw),
        Part::Foreign(foreign) if foreign.dialect == DIALECT => w.element().raw(&foreign.raw),
        Part::ServerResult(_) => {
            ask.losses.dropped(at, "what another provider's tool gave is read by that provider alone");
        }
        Part::Foreign(foreign) => ask.losses.unsupported(at, why_foreign(foreign)),
        Part::Text(_) | Part::Refusal(_) => {}
    }
}

/// Whether a call is of a tool that a provider of this dialect ran: it is known by its word, whatever dialect asks.
fn is_provider_run(call: &ToolCall) -> bool {
    let own = |word: &str| !call_form(word, "").member.is_empty();
    call.executor == Executor::Provider && matches!(&call.kind, ToolCallKind::Native(word) if own(word))
}

/// Whether a call of this dialect goes under another name or in another form, as its tool does.
fn is_reshaped(call: &ToolCall, ask: &Ask<'_>) -> bool {
    let free_text = call.kind == ToolCallKind::Custom && ask.has("no_custom_tools");
    free_text || (!ask.names.group_of(&call.rest).is_empty())
}

/// Reasoning in history: what this dialect encrypted goes back; what can be read goes where the target takes it.
fn put_reasoning(w: &mut JsonWriter<'_>, reasoning: &Reasoning, at: At<'_>, ask: &mut Ask<'_>) {
    let members = ask.losses.own(&reasoning.rest, at);
    if ask.own {
        let id = reasoning.id.as_deref();
        return w.element().object(|w| put_reasoning_item(w, reasoning, id, true, members));
    }
    let state = encrypted(&reasoning.opaque);
    if reasoning.opaque.len() > usize::from(state.is_some()) {
        ask.losses.dropped(at.member("opaque"), "only its origin can read it");
    }
    let readable = ask.has("reasoning_text_back") && !reasoning.text.concat().is_empty();
    if state.is_some() || readable {
        w.element().object(|w| put_reasoning_item(w, reasoning, None, true, members));
    } else if !reasoning.text.is_empty() || !reasoning.summary.is_empty() {
        ask.losses.dropped(at, "the target takes back only reasoning that it encrypted");
    }
}

/// A call by another dialect's words, or one whose tool is sent in another form.
fn put_call(w: &mut JsonWriter<'_>, call: &ToolCall, place: (usize, usize), at: At<'_>, ask: &mut Ask<'_>) {
    if call.executor == Executor::Provider {
        return ask.losses.dropped(at, "it was a call of another provider's own tool");
    }
    if !call.opaque.is_empty() {
        ask.losses.dropped(at.member("opaque"), "only its origin can read it");
    }
    if call.cache.is_some() {
        ask.losses.dropped(at.member("cache"), "a call has no markers");
    }
    if !ask.own {
        ask.losses.own(&call.rest, at);
    }
    let (group, id) = (ask.names.group_of(&call.rest), ask.ids.get(place.0, place.1, &call.id));
    let custom = call.kind == ToolCallKind::Custom;
    let free_text = custom && ask.has("no_custom_tools");
    let arguments = if free_text { Some(free_text_arguments(&call.arguments)) } else { None };
    let empty = if custom { "" } else { "{}" };
    let plain = if call.arguments.is_empty() { empty } else { &call.arguments };
    let item = CallItem {
        word: if custom && !free_text { "custom_tool_call" } else { "function_call" },
        id: None,
        call_id: Some(id),
        name: Some(&ask.names.sent(&group, &call.name)),
        arguments: arguments.as_deref().unwrap_or(plain),
        status: None,
        members: &[],
    };
    w.element().object(|w| item.put(w));
}

/// What a tool of the client gave.
fn put_result(
    w: &mut JsonWriter<'_>,
    result: &ToolResult,
    place: (usize, usize),
    at: At<'_>,
    ask: &mut Ask<'_>,
) {
    let members = ask.losses.own(&result.rest, at);
    let stated = |key: &str| members.iter().any(|(own, _)| &**own == key);
    let word = result_word(&result.kind, ask);
    w.element().object(|w| {
        w.string("type", &word);
        // An answer without a call's id is known by its own.
        let key = if stated("call_id") { "id" } else { "call_id" };
        w.string(key, ask.ids.get(place.0, place.1, &result.call));
        if !stated("output") {
            put_output(w, result, at, ask);
        }
        if result.error && ask.own {
            w.string("status", "failed");
        }
        verbatim(w, members, &[]);
    });
    if result.error && !ask.own {
        ask.losses.dropped(at.member("error"), "nothing says that a tool failed but what it gave");
    }
}

/// The `type` of what answers a kind of call.
fn result_word(kind: &ToolCallKind, ask: &Ask<'_>) -> String {
    match kind {
        ToolCallKind::Custom if ask.has("no_custom_tools") => "function_call_output".to_owned(),
        ToolCallKind::Custom => "custom_tool_call_output".to_owned(),
        ToolCallKind::Native(word) if ask.own && word == "tool_search_call" => {
            "tool_search_output".to_owned()
        }
        ToolCallKind::Native(word) if ask.own => format!("{word}_output"),
        ToolCallKind::Function | ToolCallKind::Native(_) => "function_call_output".to_owned(),
    }
}

/// `output`: text where that is all, the one screenshot of a computer, or parts.
fn put_output(w: &mut JsonWriter<'_>, result: &ToolResult, at: At<'_>, ask: &mut Ask<'_>) {
    let mark = inherited(result, at, ask);
    match result.content.as_slice() {
        [Part::Text(text)] if mark.is_none() && is_bare(text, ask) => {
            lose_beside(text, at.nth("content", 0), ask);
            w.text("output", &text.text);
        }
        [Part::Media(screen)] if is_computers(result) => put_screenshot(w, screen, at, ask),
        parts if !ask.own && parts.iter().all(is_unsaid) => {
            for (n, part) in parts.iter().enumerate() {
                lose_unsaid(part, at.nth("content", n), ask);
            }
            w.string("output", "");
        }
        [] if matches!(result.kind, ToolCallKind::Native(_)) => {}
        parts => w.array("output", |w| put_parts(w, parts, mark, &|n| at.nth("content", n), ask)),
    }
}

/// Whether a part is nothing that is said or shown.
fn is_unsaid(part: &Part) -> bool {
    !matches!(part, Part::Text(_) | Part::Refusal(_) | Part::Media(_))
}

/// The marker behind a result, which stands behind its last part.
fn inherited<'r>(result: &'r ToolResult, at: At<'_>, ask: &mut Ask<'_>) -> Option<&'r CacheMark> {
    let mark = result.cache.as_ref()?;
    lose_mark(Some(mark), at, ask);
    ask.marks(mark).then_some(mark)
}

fn is_computers(result: &ToolResult) -> bool {
    matches!(&result.kind, ToolCallKind::Native(word) if word == "computer_call")
}

fn put_screenshot(w: &mut JsonWriter<'_>, screen: &Media, at: At<'_>, ask: &mut Ask<'_>) {
    let members = ask.losses.own(&screen.rest, at);
    w.nested("output", |w| {
        w.string("type", "computer_screenshot");
        match &screen.source {
            Source::Inline(data) => {
                let mime = screen.mime.as_deref().unwrap_or("image/png");
                w.string("image_url", &data_url(mime, data));
            }
            Source::Url(url) => w.string("image_url", url),
            Source::Handle(id) => w.string("file_id", id),
            Source::Plain(_) | Source::Parts(_) => {}
        }
        w.maybe("detail", screen.detail.as_deref(), JsonWriter::string);
        verbatim(w, members, &[]);
    });
}

/// An image the model made. One that another model made can only be given back as the user's.
fn put_image(w: &mut JsonWriter<'_>, media: &Media, at: At<'_>, ask: &mut Ask<'_>) {
    if !ask.own {
        ask.losses.approximated(at, "an image that another model made goes back as the user's");
        let parts = [Part::Media(media.clone())];
        let message = Message { role: &Role::User, id: None, members: &[], parts: &parts, first: 0 };
        return put_message(w, &message, &|_| at, ask);
    }
    w.element().object(|w| put_image_item(w, media, None, None, media.rest.members()));
}

/// Writes the members of an item of `type` `image_generation_call`.
pub(crate) fn put_image_item(
    w: &mut JsonWriter<'_>,
    media: &Media,
    id: Option<&str>,
    status: Option<&str>,
    members: &[(Box<str>, RawJson)],
) {
    if members.iter().all(|(key, _)| &**key != "type") {
        w.string("type", "image_generation_call");
    }
    w.maybe("id", handle(media).or(id), JsonWriter::string);
    w.maybe("status", status, JsonWriter::string);
    if let Source::Inline(data) = &media.source {
        w.string("result", data);
    }
    let format = media.mime.as_deref().map(|mime| mime.strip_prefix("image/").unwrap_or(mime));
    w.maybe("output_format", format, JsonWriter::string);
    verbatim(w, members, &[]);
}

/// The id that the provider keeps media under.
fn handle(media: &Media) -> Option<&str> {
    let Source::Handle(id) = &media.source else { return None };
    Some(id.as_str()).filter(|id| !id.is_empty())
}
