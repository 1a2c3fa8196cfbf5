//! The conversation: texts, reasoning, calls and what tools gave.

use serde_json::json;
use shim_ir::{
    CacheMark, Citation, Dialect, Executor, Foreign, LossKind, MediaKind, OpaqueKind, Part, Reasoning, Rest,
    Role, ServerResult, Source, Text, ToolCall, ToolCallKind, ToolResult, Turn,
};

use super::super::{call, mark, raw, text, traits, turn};
use super::{Lost, Seen, asking, media, odd, opaque, row, saying};
use LossKind::{Approximated, Dropped, Unsupported};
use Seen::{As, Gone, Has};

#[track_caller]
fn said(role: Role, part: Part, quirks: &[&str], lost: Lost<'_>, seen: &[Seen<'_>]) {
    row(&saying(role, part), &traits(quirks), &[lost], seen);
}

/// Where the one part of the one turn stands.
const PART: &str = "turns[0].parts[0]";

fn words() -> Text {
    Text::new("words")
}

#[test]
fn what_hangs_on_a_text_is_told() {
    let own = ["cache_breakpoints"];
    for role in [Role::User, Role::Assistant, Role::System] {
        let of = |text, quirks: &[&str], lost: Lost<'_>, seen: &[Seen<'_>]| {
            said(role.clone(), Part::Text(text), quirks, lost, seen);
        };
        of(
            Text { cache: mark(), ..words() },
            &[],
            ("turns[0].parts[0].cache", Dropped, "the target caches prefixes by itself"),
            &[Gone("cache"), Has("words")],
        );
        let hour = CacheMark { ttl: Some("1h".into()), rest: Rest::default() };
        of(
            Text { cache: Some(hour), ..words() },
            &own,
            ("turns[0].parts[0].cache.ttl", Approximated, "the target has no such life"),
            &[As("/input/0/content/0/prompt_cache_breakpoint", json!({ "mode": "explicit" })), Gone("1h")],
        );
        of(
            Text { opaque: opaque(OpaqueKind::ThoughtSignature), ..words() },
            &[],
            ("turns[0].parts[0].opaque", Dropped, "only its origin can read it"),
            &[Gone("sealed"), Has("words")],
        );
        of(
            Text { rest: odd(), ..words() },
            &[],
            ("turns[0].parts[0].odd", Dropped, "no other dialect has it"),
            &[Gone("strange"), Has("words")],
        );
        of(
            Text { logprobs: Some(raw("[7]")), ..words() },
            &[],
            ("turns[0].parts[0].logprobs", Dropped, "they mean nothing to a model"),
            &[Gone("[7]"), Has("words")],
        );
        let book =
            Citation { url: Some("https://b".into()), cited: Some("a line".into()), ..Citation::default() };
        of(
            Text { citations: vec![book], ..words() },
            &[],
            ("turns[0].parts[0].citations", Dropped, "annotations do not hold the words that are cited"),
            &[Gone("a line"), As("/input/0/content/0/annotations/0/url", json!("https://b"))],
        );
        of(
            Text { citations: vec![Citation { start: Some(77), ..Citation::default() }], ..words() },
            &[],
            ("turns[0].parts[0].citations", Dropped, "they name nothing that is cited"),
            &[As("/input/0/content/0/annotations", json!([])), Gone("77")],
        );
    }
}

#[test]
fn what_hangs_on_instructions_is_told() {
    let instructed = |text, lost: Lost<'_>, seen: &[Seen<'_>]| {
        row(&asking(|request| request.system = vec![Part::Text(text)]), &traits(&[]), &[lost], seen);
    };
    let kept = || As("/instructions", json!("words"));
    let cached = ("system[0].cache", Dropped, "the target caches prefixes by itself");
    instructed(Text { cache: mark(), ..words() }, cached, &[kept(), Gone("cache")]);
    let sealed = ("system[0].opaque", Dropped, "only its origin can read it");
    let with = Text { opaque: opaque(OpaqueKind::ThoughtSignature), ..words() };
    instructed(with, sealed, &[kept(), Gone("sealed")]);
    let other = ("system[0].odd", Dropped, "no other dialect has it");
    instructed(Text { rest: odd(), ..words() }, other, &[kept(), Gone("strange")]);
}

#[test]
fn what_hangs_on_a_refusal_is_told() {
    let refused = |text| Part::Refusal(text);
    let cached = "the target caches prefixes by itself";
    said(
        Role::Assistant,
        refused(Text { cache: mark(), ..words() }),
        &[],
        ("turns[0].parts[0].cache", Dropped, cached),
        &[Gone("cache"), Has("words")],
    );
    said(
        Role::Assistant,
        refused(Text { cache: mark(), ..words() }),
        &["cache_breakpoints"],
        ("turns[0].parts[0].cache", Dropped, "a refusal has no markers"),
        &[Gone("cache"), As("/input/0/content/0/refusal", json!("words"))],
    );
    said(
        Role::Assistant,
        refused(Text { logprobs: Some(raw("[7]")), ..words() }),
        &[],
        ("turns[0].parts[0].logprobs", Dropped, "they mean nothing to a model"),
        &[Gone("[7]"), Has("words")],
    );
    said(
        Role::User,
        refused(words()),
        &[],
        (PART, Approximated, "a refusal of anybody but the model is text"),
        &[As("/input/0/content/0", json!({ "type": "input_text", "text": "words" }))],
    );
}

fn foreign(kind: &str) -> Part {
    Part::Foreign(Foreign { dialect: Dialect::Gemini, kind: kind.into(), raw: raw(r#"{"strange":1}"#) })
}

#[test]
fn parts_that_have_no_place_are_told() {
    let gone = [Gone("strange"), As("/input", json!([]))];
    let whole = "only the provider that keeps what it names has it; send that whole";
    for role in [Role::User, Role::Assistant] {
        let lost = (PART, Unsupported, "no other dialect has it");
        said(role.clone(), foreign("strange"), &[], lost, &gone);
        said(role, foreign("item_reference"), &[], (PART, Unsupported, whole), &gone);
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
        &[],
        (PART, Dropped, "what another provider's tool gave is read by that provider alone"),
        &gone,
    );
    said(
        Role::Assistant,
        Part::ToolCall(ToolCall { executor: Executor::Provider, ..call("c", "strange", "{}") }),
        &[],
        (PART, Dropped, "it was a call of another provider's own tool"),
        &gone,
    );
}

#[test]
fn what_hangs_on_a_turn_is_told() {
    let spoken = |turn, lost: Lost<'_>, seen: &[Seen<'_>]| {
        row(&asking(|request| request.turns = vec![turn]), &traits(&[]), &[lost], seen);
    };
    let user = || turn(Role::User, vec![text("words")]);
    spoken(
        Turn { name: Some("jo".into()), ..user() },
        ("turns[0].name", Dropped, "a speaker has no name here"),
        &[Gone("jo"), Has("words")],
    );
    spoken(
        Turn { rest: odd(), ..user() },
        ("turns[0].odd", Dropped, "no other dialect has it"),
        &[Gone("strange"), Has("words")],
    );
}

#[test]
fn reasoning_that_does_not_go_back_is_told() {
    let thought = || Reasoning { text: vec!["hm".into()], ..Reasoning::default() };
    let history = |reasoning, quirks: &[&str], lost: Lost<'_>, seen: &[Seen<'_>]| {
        said(Role::Assistant, Part::Reasoning(reasoning), quirks, lost, seen);
    };
    history(
        thought(),
        &[],
        (PART, Dropped, "the target takes back only reasoning that it encrypted"),
        &[Gone("hm"), As("/input", json!([]))],
    );
    let back = ["reasoning_text_back"];
    history(
        Reasoning { opaque: opaque(OpaqueKind::Signature), ..thought() },
        &back,
        ("turns[0].parts[0].opaque", Dropped, "only its origin can read it"),
        &[Gone("sealed"), Has("hm")],
    );
    history(
        Reasoning { rest: odd(), ..thought() },
        &back,
        ("turns[0].parts[0].odd", Dropped, "no other dialect has it"),
        &[Gone("strange"), Has("hm")],
    );
}

#[test]
fn what_hangs_on_a_call_is_told() {
    let called = |call, lost: Lost<'_>, seen: &[Seen<'_>]| {
        said(Role::Assistant, Part::ToolCall(call), &["cache_breakpoints"], lost, seen);
    };
    let dig = || call("c", "dig", "{}");
    called(
        ToolCall { opaque: opaque(OpaqueKind::ThoughtSignature), ..dig() },
        ("turns[0].parts[0].opaque", Dropped, "only its origin can read it"),
        &[Gone("sealed"), Has("dig")],
    );
    called(
        ToolCall { cache: mark(), ..dig() },
        ("turns[0].parts[0].cache", Dropped, "a call has no markers"),
        &[Gone("cache"), Has("dig")],
    );
    called(
        ToolCall { rest: odd(), ..dig() },
        ("turns[0].parts[0].odd", Dropped, "no other dialect has it"),
        &[Gone("strange"), Has("dig")],
    );
}

#[test]
fn what_hangs_on_a_result_is_told() {
    let result = |content| ToolResult {
        call: "c".into(),
        name: None,
        content,
        json: false,
        error: false,
        kind: ToolCallKind::Function,
        cache: None,
        rest: Rest::default(),
    };
    let given = |result, lost: Lost<'_>, seen: &[Seen<'_>]| {
        said(Role::Tool, Part::ToolResult(result), &[], lost, seen);
    };
    let seen = || result(vec![text("seen")]);
    given(
        ToolResult { error: true, ..seen() },
        ("turns[0].parts[0].error", Dropped, "nothing says that a tool failed but what it gave"),
        &[As("/input/0/output", json!("seen")), Gone("error"), Gone("status")],
    );
    given(
        ToolResult { cache: mark(), ..seen() },
        ("turns[0].parts[0].cache", Dropped, "the target caches prefixes by itself"),
        &[Gone("cache"), Has("seen")],
    );
    given(
        ToolResult { rest: odd(), ..seen() },
        ("turns[0].parts[0].odd", Dropped, "no other dialect has it"),
        &[Gone("strange"), Has("seen")],
    );
    let hour = CacheMark { ttl: Some("1h".into()), rest: Rest::default() };
    said(
        Role::Tool,
        Part::ToolResult(ToolResult { cache: Some(hour), ..seen() }),
        &["cache_breakpoints"],
        ("turns[0].parts[0].cache.ttl", Approximated, "the target has no such life"),
        &[As("/input/0/output/0/prompt_cache_breakpoint", json!({ "mode": "explicit" })), Gone("1h")],
    );
    let inner = "turns[0].parts[0].content[0]";
    let empty = As("/input/0/output", json!(""));
    let other = (inner, Unsupported, "no other dialect has it");
    given(result(vec![foreign("strange")]), other, &[empty.clone(), Gone("strange")]);
    given(result(vec![foreign("strange"), text("seen")]), other, &[Has("seen"), Gone("strange")]);
    let thought = || Part::Reasoning(Reasoning { text: vec!["hm".into()], ..Reasoning::default() });
    let stands = (inner, Dropped, "nothing like it can stand inside a message");
    given(result(vec![thought()]), stands, &[empty, Gone("hm")]);
    given(result(vec![thought(), text("seen")]), stands, &[Has("seen"), Gone("hm")]);
}

#[test]
fn an_image_of_an_earlier_answer_is_told() {
    let image = media(MediaKind::Image, Source::Inline("QUJD".into()), Some("image/png"));
    said(
        Role::Assistant,
        Part::Media(image),
        &[],
        (PART, Approximated, "an image that another model made goes back as the user's"),
        &[
            As("/input/0/role", json!("user")),
            As("/input/0/content/0/image_url", json!("data:image/png;base64,QUJD")),
        ],
    );
}
