//! What is said: by whom, and in which parts.

use serde_json::{Value, json};
use shim_ir::{
    Citation, Dialect, Executor, Foreign, MediaKind, OpaqueKind, Part, Reasoning, Request, Role,
    ServerResult, Source, Text, ToolCallKind, Traits, Turn,
};
use shim_wire::RawJson;

use super::super::told::call;
use super::{
    APPROXIMATED, DEFAULTED, DROPPED, Lost, UNSUPPORTED, check, foreign, mark, media, others, plain, quirky,
    raw, request, says, state, text, turn,
};

const NO_OTHER: &str = "no other dialect has it";
const ORIGIN: &str = "only its origin can read it";

fn saying(turns: Vec<Turn>) -> Request {
    Request { turns, ..request() }
}

fn user(content: Value) -> Value {
    json!({ "role": "user", "content": content })
}

/// What is sent where the user says `hi` and then `part`: these blocks behind it.
#[track_caller]
fn part_for(traits: &Traits, part: Part, blocks: Value, lost: &[Lost<'_>]) {
    let hi = Part::Text(Text::new("hi"));
    let mut content = vec![text("hi")];
    content.extend(blocks.as_array().expect("blocks").clone());
    // A text that stands alone is no list.
    let content = if content.len() == 1 { json!("hi") } else { json!(content) };
    let request = saying(vec![turn(Role::User, vec![hi, part])]);
    check(traits, &request, json!({ "messages": [user(content)] }), lost);
}

#[track_caller]
fn part(part: Part, blocks: Value, lost: &[Lost<'_>]) {
    part_for(&Traits::default(), part, blocks, lost);
}

#[test]
fn the_operator_before_the_conversation() {
    let words = "the operator's words are text";
    let image = || Part::Media(media(MediaKind::Image, Source::Url("https://a/b.png".into()), None));
    let system = Request { system: vec![Part::Text(Text::new("be kind")), image()], ..request() };
    let sent = || json!({ "system": "be kind" });
    plain(&system, sent(), &[("system[1]", UNSUPPORTED, words)]);
    let named = Turn {
        name: Some("boss".into()),
        rest: others(),
        ..turn(Role::System, vec![Part::Text(Text::new("be kind")), image()])
    };
    let lost = [
        ("turns[0].name", DROPPED, "speakers have no names"),
        ("turns[0].odd", DROPPED, NO_OTHER),
        ("turns[0].parts[1]", UNSUPPORTED, words),
    ];
    plain(&saying(vec![named, says(Role::User, "hi")]), sent(), &lost);
}

#[test]
fn the_operator_in_the_conversation() {
    let marked = Text { cache: mark(None), rest: others(), ..Text::new("be quick") };
    let blank = Text { cache: mark(None), ..Text::new(" ") };
    let parts = vec![Part::Text(marked), foreign(Dialect::Gemini, "odd_part"), Part::Text(blank)];
    let told = Turn { name: Some("boss".into()), rest: others(), ..turn(Role::System, parts) };
    let why = "the operator's words in the conversation are told to the user, marked as such";
    let lost = [
        ("turns[1].role", APPROXIMATED, why),
        ("turns[1].name", DROPPED, "speakers have no names"),
        ("turns[1].odd", DROPPED, NO_OTHER),
        ("turns[1].parts[0].cache", DROPPED, "the words were told to the user"),
        ("turns[1].parts[0].odd", DROPPED, NO_OTHER),
        ("turns[1].parts[1]", UNSUPPORTED, "the operator's words are text"),
        ("turns[1].parts[2].cache", DROPPED, "an empty text takes no cache mark"),
    ];
    let content = json!([text("hi"), text("<system>\nbe quick\n</system>")]);
    plain(&saying(vec![says(Role::User, "hi"), told]), json!({ "messages": [user(content)] }), &lost);
}

#[test]
fn who_speaks() {
    let critic = saying(vec![says(Role::Other("critic".into()), "hi")]);
    let role = ("turns[0].role", APPROXIMATED, "there is no such role: the user says it");
    plain(&critic, json!({}), &[role]);
    let named = saying(vec![Turn { name: Some("Ann".into()), ..says(Role::User, "hi") }]);
    plain(&named, json!({}), &[("turns[0].name", DROPPED, "speakers have no names")]);
    let numbered = saying(vec![Turn { id: Some("i".into()), ..says(Role::User, "hi") }]);
    plain(&numbered, json!({}), &[("turns[0].id", DROPPED, "turns have no ids")]);
    let odd = saying(vec![Turn { rest: others(), ..says(Role::User, "hi") }]);
    plain(&odd, json!({}), &[("turns[0].odd", DROPPED, NO_OTHER)]);
    let unsaid = Turn { rest: others(), ..turn(Role::User, vec![foreign(Dialect::Gemini, "odd_part")]) };
    let lost = [("turns[0].parts[0]", UNSUPPORTED, NO_OTHER), ("turns[0].odd", DROPPED, NO_OTHER)];
    plain(&saying(vec![unsaid, says(Role::User, "hi")]), json!({}), &lost);
}

#[test]
fn the_order_of_a_conversation() {
    let answered = |text: &str| saying(vec![says(Role::User, "hi"), says(Role::Assistant, text)]);
    let prefill = ("turns", UNSUPPORTED, "the model takes no beginning of its answer");
    check(&quirky("no_prefill"), &answered("so"), json!({}), &[prefill]);
    let end = "the beginning of an answer does not end in white space";
    let so = json!({ "messages": [user(json!("hi")), { "role": "assistant", "content": "so" }] });
    plain(&answered("so \n"), so, &[("turns[1].parts[0]", APPROXIMATED, end)]);
    let begun = saying(vec![says(Role::Assistant, "so"), says(Role::User, "hi")]);
    let opening = user(json!([text("(The conversation begins.)")]));
    let sent = json!([opening, { "role": "assistant", "content": "so" }, user(json!("hi"))]);
    let begins = ("turns[0]", DEFAULTED, "a conversation begins with the user");
    plain(&begun, json!({ "messages": sent }), &[begins]);
    let image = Part::Media(media(MediaKind::Image, Source::Url("https://a/b.png".into()), None));
    let shown = saying(vec![says(Role::User, "hi"), turn(Role::Assistant, vec![image])]);
    plain(&shown, json!({}), &[("turns[1].parts[0]", UNSUPPORTED, "the assistant says no media")]);
}

#[test]
fn a_conversation_in_which_nothing_is_said() {
    let nothing = ("turns", UNSUPPORTED, "nothing is said that could be answered");
    plain(&saying(vec![says(Role::User, "")]), json!({ "messages": [] }), &[nothing]);
    let operators = saying(vec![says(Role::System, "be brief")]);
    plain(&operators, json!({ "system": "be brief", "messages": [] }), &[nothing]);
    // A turn that says nothing beside others is none.
    let beside = saying(vec![says(Role::User, "hi"), says(Role::Assistant, ""), says(Role::User, "ho")]);
    plain(&beside, json!({ "messages": [user(json!([text("hi"), text("ho")]))] }), &[]);
}

#[test]
fn cache_marks() {
    let marked = |ttl| Part::Text(Text { cache: mark(ttl), ..Text::new("a") });
    let block = |ttl: Option<&str>| {
        let mut control = json!({ "type": "ephemeral" });
        ttl.into_iter().for_each(|ttl| control["ttl"] = json!(ttl));
        json!({ "type": "text", "text": "a", "cache_control": control })
    };
    let lives = "a cache lives five minutes or an hour";
    let life = ("turns[0].parts[1].cache.ttl", APPROXIMATED, lives);
    part(marked(Some("30m")), json!([block(Some("1h"))]), &[life]);
    let five = saying(vec![turn(Role::User, (0..5).map(|_| marked(None)).collect())]);
    let content = json!([text("a"), block(None), block(None), block(None), block(None)]);
    let most = ("turns[0].parts[0].cache", DROPPED, "no more than four cache marks are taken");
    plain(&five, json!({ "messages": [user(content)] }), &[most]);
    let blank = Part::Text(Text { cache: mark(None), ..Text::new(" ") });
    let empty = ("turns[0].parts[1].cache", DROPPED, "an empty text takes no cache mark");
    part(blank, json!([]), &[empty]);
}

#[test]
fn what_hangs_on_text() {
    let hung = |set: fn(&mut Text), path: &str, why: &str| {
        let mut said = Text::new("a");
        set(&mut said);
        let path = format!("turns[0].parts[1].{path}");
        part(Part::Text(said), json!([text("a")]), &[(&path, DROPPED, why)]);
    };
    hung(|t| t.logprobs = Some(raw(&json!([]))), "logprobs", "there are no log probabilities");
    hung(|t| t.opaque = state(OpaqueKind::ThoughtSignature), "opaque", ORIGIN);
    hung(|t| t.rest = others(), "odd", NO_OTHER);
    let source = "a citation without its source in this dialect has no place";
    let page = |text: &mut Text| {
        text.citations = vec![Citation { url: Some("https://a".into()), ..Citation::default() }];
    };
    hung(page, "citations", source);
    let blank = Text { opaque: state(OpaqueKind::ThoughtSignature), ..Text::default() };
    part(Part::Text(blank), json!([]), &[("turns[0].parts[1].opaque", DROPPED, ORIGIN)]);
    let refusal = ("turns[0].parts[1]", APPROXIMATED, "a refusal is told as text");
    part(Part::Refusal(Text::new("no")), json!([text("no")]), &[refusal]);
}

#[test]
fn what_nobody_else_has() {
    let path = "turns[0].parts[1]";
    part(foreign(Dialect::Gemini, "odd_part"), json!([]), &[(path, UNSUPPORTED, NO_OTHER)]);
    let kept = "only the provider that keeps what it names has it; send that whole";
    part(foreign(Dialect::OpenaiResponses, "item_reference"), json!([]), &[(path, UNSUPPORTED, kept)]);
    let written = |text: &str| {
        let raw = RawJson::parse(text).expect("JSON");
        Part::Foreign(Foreign { dialect: Dialect::OpenaiChat, kind: String::new(), raw })
    };
    part(written("5"), json!([]), &[(path, UNSUPPORTED, "expected text or a list of parts")]);
    let half = "it is no text: half of a character is escaped in it";
    part(written(r#""\ud800""#), json!([]), &[(path, UNSUPPORTED, half)]);
}

/// What is sent where the assistant says `part`: these blocks.
#[track_caller]
fn assistant(part: Part, blocks: Value, lost: &[Lost<'_>]) {
    let mut messages = vec![user(json!("hi"))];
    if blocks != json!([]) {
        messages.push(json!({ "role": "assistant", "content": blocks }));
    }
    let request = saying(vec![says(Role::User, "hi"), turn(Role::Assistant, vec![part])]);
    plain(&request, json!({ "messages": messages }), lost);
}

#[test]
fn thinking() {
    let path = "turns[1].parts[0]";
    let unsigned = Reasoning { text: vec!["hm".into()], ..Reasoning::default() };
    let signed = |reasoning: Reasoning| {
        let mut opaque = state(OpaqueKind::Signature);
        opaque.extend(reasoning.opaque);
        Part::Reasoning(Reasoning { opaque, ..reasoning })
    };
    let only = (path, DROPPED, "only signed thinking goes back");
    assistant(Part::Reasoning(unsigned.clone()), json!([]), &[only]);
    let block = json!([{ "type": "thinking", "thinking": "hm", "signature": "only-its-origin" }]);
    let check = |more: Reasoning, member: &str, why| {
        assistant(signed(more), block.clone(), &[(&format!("{path}.{member}"), DROPPED, why)]);
    };
    let encrypted = Reasoning { opaque: state(OpaqueKind::Encrypted), ..unsigned.clone() };
    check(encrypted, "opaque", ORIGIN);
    let summed = Reasoning { summary: vec!["in short".into()], ..unsigned.clone() };
    check(summed, "summary", "the reasoning itself is told");
    let named = Reasoning { id: Some("r".into()), ..unsigned.clone() };
    check(named, "id", "thoughts have no ids");
    check(Reasoning { rest: others(), ..unsigned }, "odd", NO_OTHER);
}

#[test]
fn calls() {
    let path = "turns[1].parts[0]";
    let function = || call("c", "f", ToolCallKind::Function, "{}");
    let used = |input: Value| json!([{ "type": "tool_use", "id": "c", "name": "f", "input": input }]);
    let another = (path, DROPPED, "it is of a tool that another provider runs");
    let search = shim_ir::ToolCall {
        executor: Executor::Provider,
        ..call("c", "web_search", ToolCallKind::Native("web_search_call".into()), "{}")
    };
    assistant(Part::ToolCall(search), json!([]), &[another]);
    let found = ServerResult {
        call: "c".into(),
        kind: "codeExecutionResult".into(),
        raw: raw(&json!({})),
        origin: Dialect::Gemini,
    };
    assistant(Part::ServerResult(found), json!([]), &[another]);
    let signed = shim_ir::ToolCall { opaque: state(OpaqueKind::ThoughtSignature), ..function() };
    assistant(Part::ToolCall(signed), used(json!({})), &[("turns[1].parts[0].opaque", DROPPED, ORIGIN)]);
    let item = shim_ir::ToolCall { item: Some("fc_1".into()), ..function() };
    let one = ("turns[1].parts[0].item", DROPPED, "a call has one id");
    assistant(Part::ToolCall(item), used(json!({})), &[one]);
    let odd = shim_ir::ToolCall { rest: others(), ..function() };
    assistant(Part::ToolCall(odd), used(json!({})), &[("turns[1].parts[0].odd", DROPPED, NO_OTHER)]);
    let cut = call("c", "f", ToolCallKind::Function, "{\"a\":");
    let stands = "arguments that are no object stand in one";
    let lost = ("turns[1].parts[0].arguments", APPROXIMATED, stands);
    assistant(Part::ToolCall(cut), used(json!({ "INVALID_JSON": "{\"a\":" })), &[lost]);
}

#[test]
fn media_that_are_not_taken() {
    use MediaKind::{Audio, File, Image, Video};
    let inline = || Source::Inline("AAAA".into());
    let url = |url: &str| Source::Url(url.into());
    let check = |traits: &Traits, kind, source, mime, why| {
        let lost = ("turns[0].parts[1]", UNSUPPORTED, why);
        part_for(traits, Part::Media(media(kind, source, mime)), json!([]), &[lost]);
    };
    let all = Traits::default();
    let blind = Traits { media: Some(vec![]), ..Traits::default() };
    check(&blind, Image, url("https://a/b.png"), None, "the model does not take media of this kind");
    check(&all, Audio, inline(), Some("audio/wav"), "sound is not taken");
    check(&all, Video, inline(), Some("video/mp4"), "video is not taken");
    let fetches = "the provider fetches no address";
    check(&quirky("inline_media"), Image, url("https://a/b.png"), None, fetches);
    check(&all, Image, url("gs://a/b.png"), None, "only addresses of the web are fetched");
    check(&all, File, Source::Handle("file-abc".into()), None, "the file is with another provider");
    check(&all, Image, inline(), Some("image/tiff"), "images of this type are not taken");
    check(&all, Image, Source::Plain("a".into()), None, "an image is no text");
    check(&all, File, inline(), Some("application/zip"), "only PDF and text are taken as documents");
}

#[test]
fn what_hangs_on_media() {
    let check = |set: fn(&mut shim_ir::Media), member: &str, why: &str| {
        let mut image = media(MediaKind::Image, Source::Url("https://a/b.png".into()), None);
        set(&mut image);
        let block = json!({ "type": "image", "source": { "type": "url", "url": "https://a/b.png" } });
        let path = format!("turns[0].parts[1].{member}");
        part(Part::Media(image), json!([block]), &[(&path, DROPPED, why)]);
    };
    let closely = "how closely to look cannot be asked";
    check(|m| m.detail = Some("high".into()), "detail", closely);
    check(|m| m.opaque = state(OpaqueKind::ThoughtSignature), "opaque", ORIGIN);
    check(|m| m.name = Some("b.png".into()), "name", "an image has no title");
    check(|m| m.rest = others(), "odd", NO_OTHER);
}
