//! The conversation: texts, reasoning, calls and what tools gave.

use serde_json::json;
use shim_ir::{
    CacheMark, Citation, Dialect, Executor, Foreign, LossKind, Media, MediaKind, OpaqueKind, Part, Reasoning,
    Request, Rest, Role, ServerResult, Source, Text, ToolCall, ToolCallKind, ToolResult, Turn,
};

use super::super::{call, media, of_turns, raw, result, text, traits, turn};
use super::{Lost, Seen, mark, odd, opaque, row, saying};
use LossKind::{Approximated, Dropped, Unsupported};
use Seen::{As, Gone, Has};

#[track_caller]
fn said(role: Role, part: Part, lost: Lost<'_>, seen: &[Seen<'_>]) {
    row(&saying(role, part), &traits(&[]), &[lost], seen);
}

#[track_caller]
fn turns(turns: Vec<Turn>, quirks: &[&str], lost: Lost<'_>, seen: &[Seen<'_>]) {
    row(&of_turns(turns), &traits(quirks), &[lost], seen);
}

fn words() -> Text {
    Text::new("words")
}

fn cited() -> Text {
    let citation = Citation { url: Some("https://source".into()), ..Citation::default() };
    Text { citations: vec![citation], ..words() }
}

/// Where the one part of the one turn stands.
const PART: &str = "turns[0].parts[0]";

#[test]
fn what_hangs_on_a_text_is_told() {
    let marked = ("turns[0].parts[0].cache", Dropped, "it cannot be marked for the prompt cache");
    let sealed = ("turns[0].parts[0].opaque", Dropped, "only its origin can read it");
    let other = ("turns[0].parts[0].odd", Dropped, "no other dialect has it");
    // Refusals are told by whoever refuses, and texts by anybody.
    for part in [Part::Text, Part::Refusal] {
        for role in [Role::User, Role::Assistant] {
            let gone = [Gone("cache"), Has("words")];
            said(role.clone(), part(Text { cache: mark(), ..words() }), marked, &gone);
            let of_text = Text { opaque: opaque(OpaqueKind::ThoughtSignature), ..words() };
            said(role.clone(), part(of_text), sealed, &[Gone("sealed"), Has("words")]);
            said(
                role.clone(),
                part(Text { rest: odd(), ..words() }),
                other,
                &[Gone("strange"), Has("words")],
            );
            let told = Text { logprobs: Some(raw("[7]")), ..words() };
            let back = ("turns[0].parts[0].logprobs", Dropped, "they are not sent back");
            said(role, part(told), back, &[Gone("[7]"), Has("words")]);
        }
    }
    let hour = || Some(CacheMark { ttl: Some("1h".into()), rest: Rest::default() });
    let life = ("turns[0].parts[0].cache.ttl", Approximated, "all breakpoints have one life");
    row(
        &saying(Role::User, Part::Text(Text { cache: hour(), ..words() })),
        &traits(&["prompt_cache_breakpoint"]),
        &[life],
        &[As("/messages/0/content/0/prompt_cache_breakpoint", json!({ "mode": "explicit" })), Gone("1h")],
    );
    let image = media(MediaKind::Image, Source::Url("https://i".into()), None);
    row(
        &saying(Role::User, Part::Media(Media { cache: hour(), ..image })),
        &traits(&["prompt_cache_breakpoint"]),
        &[life],
        &[As("/messages/0/content/0/prompt_cache_breakpoint", json!({ "mode": "explicit" })), Gone("1h")],
    );
    let request = Request { system: vec![Part::Text(Text { cache: mark(), ..words() })], ..of_turns(vec![]) };
    let of_system = ("system[0].cache", Dropped, "it cannot be marked for the prompt cache");
    row(&request, &traits(&[]), &[of_system], &[Gone("cache")]);
}

#[test]
fn citations_are_told_where_they_do_not_go_back() {
    let lost = ("turns[0].parts[0].citations", Dropped, "they are not sent back");
    for role in [Role::Assistant, Role::User, Role::System] {
        said(role, Part::Text(cited()), lost, &[Gone("https://source"), Has("words")]);
    }
    said(
        Role::Tool,
        Part::ToolResult(result("c", None, vec![Part::Text(cited())])),
        ("turns[0].parts[0].content[0].citations", Dropped, "they are not sent back"),
        &[Gone("https://source"), Has("words")],
    );
}

#[test]
fn parts_that_have_no_place_are_told() {
    let reasoning = Reasoning { text: vec!["hm".into()], ..Reasoning::default() };
    said(
        Role::User,
        Part::Reasoning(reasoning),
        (PART, Dropped, "it has no place in this message"),
        &[Gone("hm")],
    );
    let foreign = |kind: &str| {
        Part::Foreign(Foreign { dialect: Dialect::Gemini, kind: kind.into(), raw: raw(r#"{"strange":1}"#) })
    };
    let whole = "only the provider that keeps what it names has it; send that whole";
    for role in [Role::User, Role::Assistant] {
        let lost = (PART, Unsupported, "no other dialect has it");
        said(role.clone(), foreign("strange"), lost, &[Gone("strange")]);
        said(role, foreign("item_reference"), (PART, Unsupported, whole), &[Gone("strange")]);
    }
    let given = ServerResult {
        call: "c".into(),
        kind: "web_search_tool_result".into(),
        raw: raw(r#"{"strange":1}"#),
        origin: Dialect::Anthropic,
    };
    said(
        Role::Assistant,
        Part::ServerResult(given),
        (PART, Dropped, "a tool of another provider's gave it"),
        &[Gone("strange")],
    );
    said(
        Role::Assistant,
        Part::ToolCall(ToolCall { executor: Executor::Provider, ..call("c", "dig", "{}") }),
        (PART, Dropped, "a tool of another provider's was called"),
        &[Gone("dig")],
    );
}

#[test]
fn what_hangs_on_a_turn_is_told() {
    let user = || turn(Role::User, vec![text("a")]);
    turns(
        vec![Turn { id: Some("msg_7".into()), ..user() }],
        &[],
        ("turns[0].id", Dropped, "a message has no id here"),
        &[Gone("msg_7")],
    );
    turns(
        vec![Turn { name: Some("jo".into()), ..user() }],
        &["no_message_name"],
        ("turns[0].name", Dropped, "the provider refuses it"),
        &[Gone("name"), Gone("jo")],
    );
    let operator = |name: &str| Turn { name: Some(name.into()), ..turn(Role::System, vec![text("b")]) };
    turns(
        vec![operator("jo"), operator("al")],
        &["system_first"],
        ("turns[1].name", Dropped, "a message has one name"),
        &[As("/messages/0/name", json!("jo")), Gone("al")],
    );
    turns(
        vec![Turn { rest: odd(), ..user() }],
        &[],
        ("turns[0].odd", Dropped, "no other dialect has it"),
        &[Gone("strange")],
    );
    turns(
        vec![user(), turn(Role::System, vec![text("b")])],
        &["system_first"],
        ("turns[1].role", Approximated, "instructions inside the conversation are the user's here"),
        &[As("/messages/1/role", json!("user")), As("/messages/1/content", json!("b"))],
    );
}

#[test]
fn reasoning_that_does_not_go_back_is_told() {
    let thought = || Reasoning { text: vec!["hm".into()], ..Reasoning::default() };
    let assistant = |reasoning| vec![turn(Role::Assistant, vec![Part::Reasoning(reasoning), text("a")])];
    turns(
        assistant(thought()),
        &[],
        (PART, Dropped, "reasoning of earlier turns has no place here"),
        &[Gone("hm")],
    );
    let back = ["reasoning_content_back"];
    turns(
        assistant(Reasoning { opaque: opaque(OpaqueKind::Signature), ..thought() }),
        &back,
        ("turns[0].parts[0].opaque", Dropped, "only its origin can read it"),
        &[Gone("sealed"), As("/messages/0/reasoning_content", json!("hm"))],
    );
    turns(
        assistant(Reasoning { id: Some("rs_7".into()), ..thought() }),
        &back,
        ("turns[0].parts[0].id", Dropped, "reasoning has no id here"),
        &[Gone("rs_7"), Has("hm")],
    );
    turns(
        assistant(Reasoning { rest: odd(), ..thought() }),
        &back,
        ("turns[0].parts[0].odd", Dropped, "no other dialect has it"),
        &[Gone("strange"), Has("hm")],
    );
}

#[test]
fn what_hangs_on_a_call_is_told() {
    let called =
        |call, lost: Lost<'_>, seen: &[Seen<'_>]| said(Role::Assistant, Part::ToolCall(call), lost, seen);
    let dig = || call("c", "dig", r#"{"a":1}"#);
    for kind in [OpaqueKind::ThoughtSignature, OpaqueKind::Encrypted] {
        called(
            ToolCall { opaque: opaque(kind), ..dig() },
            ("turns[0].parts[0].opaque", Dropped, "only its origin can read it"),
            &[Gone("sealed"), Has("dig")],
        );
    }
    called(
        ToolCall { cache: mark(), ..dig() },
        ("turns[0].parts[0].cache", Dropped, "it cannot be marked for the prompt cache"),
        &[Gone("cache"), Has("dig")],
    );
    called(
        ToolCall { item: Some("fc_7".into()), ..dig() },
        ("turns[0].parts[0].item", Dropped, "a call has one id here"),
        &[Gone("fc_7"), As("/messages/0/tool_calls/0/id", json!("c"))],
    );
    called(
        ToolCall { rest: odd(), ..dig() },
        ("turns[0].parts[0].odd", Dropped, "no other dialect has it"),
        &[Gone("strange"), Has("dig")],
    );
    called(
        ToolCall { kind: ToolCallKind::Native("local_shell_call".into()), ..dig() },
        (PART, Approximated, "a call of another dialect's own tool is written as one of a function"),
        &[As("/messages/0/tool_calls/0/type", json!("function")), Gone("local_shell_call")],
    );
}

#[test]
fn what_hangs_on_a_result_is_told() {
    let given =
        |result, lost: Lost<'_>, seen: &[Seen<'_>]| said(Role::Tool, Part::ToolResult(result), lost, seen);
    given(
        ToolResult { error: true, ..result("c", None, vec![text("broken")]) },
        ("turns[0].parts[0].error", Approximated, "that a tool failed is told in the text"),
        &[As("/messages/0/content", json!("Error: broken"))],
    );
    given(
        ToolResult { cache: mark(), ..result("c", None, vec![text("x")]) },
        ("turns[0].parts[0].cache", Dropped, "it cannot be marked for the prompt cache"),
        &[Gone("cache")],
    );
    given(
        ToolResult { rest: odd(), ..result("c", None, vec![text("x")]) },
        ("turns[0].parts[0].odd", Dropped, "no other dialect has it"),
        &[Gone("strange")],
    );
    let image = media(MediaKind::Image, Source::Url("https://i".into()), None);
    given(
        result("c", None, vec![Part::Media(image)]),
        ("turns[0].parts[0].content[0]", Approximated, "media of a tool's result is shown by the user"),
        &[
            As("/messages/1/content/1/image_url/url", json!("https://i")),
            As("/messages/1/role", json!("user")),
        ],
    );
}

#[test]
fn media_of_earlier_answers_is_told() {
    let back = (PART, Dropped, "media the model made is not sent back");
    for kind in [MediaKind::Image, MediaKind::Audio, MediaKind::Video, MediaKind::File] {
        let made = Part::Media(media(kind, Source::Inline("QUJD".into()), None));
        said(Role::Assistant, made, back, &[Gone("QUJD")]);
    }
    let kept = |source, opaque| {
        let rest = Rest::from_owned(Dialect::OpenaiChat, vec![("expires_at".into(), raw("1"))]);
        Part::Media(Media { rest, opaque, ..media(MediaKind::Audio, source, None) })
    };
    said(
        Role::Assistant,
        kept(Source::Url("https://a".into()), vec![]),
        (PART, Dropped, "sound is told with its bytes"),
        &[Gone("https://a")],
    );
    let marked = |media| Part::Media(Media { cache: mark(), ..media });
    said(
        Role::Assistant,
        marked(media(MediaKind::Audio, Source::Handle("audio_7".into()), None)),
        ("turns[0].parts[0].cache", Dropped, "it cannot be marked for the prompt cache"),
        &[As("/messages/0/audio/id", json!("audio_7")), Gone("cache")],
    );
    said(
        Role::Assistant,
        kept(Source::Handle("audio_7".into()), opaque(OpaqueKind::ThoughtSignature)),
        ("turns[0].parts[0].opaque", Dropped, "only its origin can read it"),
        &[As("/messages/0/audio/id", json!("audio_7")), Gone("sealed")],
    );
}
