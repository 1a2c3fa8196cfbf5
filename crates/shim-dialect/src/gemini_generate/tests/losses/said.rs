//! What is said: by whom, and in which parts.

use serde_json::{Value, json};
use shim_ir::{
    Citation, Dialect, Executor, Media, MediaKind, OpaqueKind, Part, Reasoning, Request, Role, ServerResult,
    Source, Text, ToolCall, ToolCallKind, ToolResult, Traits, Turn,
};

use super::super::written::{call, media};
use super::{
    APPROXIMATED, CACHES, DEFAULTED, DROPPED, Lost, NO_OTHER, ORIGIN, UNSUPPORTED, check, foreign, mark,
    others, plain, quirky, raw, request, says, state, text, turn, user,
};

fn saying(turns: Vec<Turn>) -> Request {
    Request { turns, ..request() }
}

fn model(parts: Value) -> Value {
    json!({ "role": "model", "parts": parts })
}

/// What is sent where the user says `hi` and then `part`: these parts behind it.
#[track_caller]
fn part_for(traits: &Traits, part: Part, parts: Value, lost: &[Lost<'_>]) {
    let mut sent = vec![text("hi")];
    sent.extend(parts.as_array().expect("parts").clone());
    let request = saying(vec![turn(Role::User, vec![Part::Text(Text::new("hi")), part])]);
    check(traits, &request, json!({ "contents": [user(json!(sent))] }), lost);
}

#[track_caller]
fn part(part: Part, parts: Value, lost: &[Lost<'_>]) {
    part_for(&Traits::default(), part, parts, lost);
}

#[test]
fn who_speaks() {
    let named =
        || Turn { id: Some("i".into()), name: Some("n".into()), rest: others(), ..says(Role::User, "hi") };
    let lost = [
        ("turns[0].id", DROPPED, "turns have no ids"),
        ("turns[0].name", DROPPED, "speakers have no names"),
        ("turns[0].odd", DROPPED, NO_OTHER),
    ];
    let [id, name, odd] = lost;
    plain(&saying(vec![named()]), json!({}), &[odd, id, name]);
    let operator = Turn { role: Role::System, ..named() };
    let system = json!({ "systemInstruction": { "parts": [text("hi")] } });
    plain(&saying(vec![operator.clone(), says(Role::User, "hi")]), system, &lost);
    let alone = json!({ "contents": [user(json!([text("<system>\nhi\n</system>")]))] });
    let role = ("turns[0].role", APPROXIMATED, "the operator speaks in the user's turn");
    plain(&saying(vec![operator]), alone, &[role, odd, id, name]);
    let critic = ("turns[0].role", APPROXIMATED, "there are only users and models");
    plain(&saying(vec![says(Role::Other("critic".into()), "hi")]), json!({}), &[critic]);
    let unsaid = Turn { parts: vec![foreign(Dialect::Anthropic, "odd_part")], ..named() };
    let left = [id, name, odd, ("turns[0].parts[0]", UNSUPPORTED, NO_OTHER)];
    plain(&saying(vec![unsaid, says(Role::User, "hi")]), json!({}), &left);
    let nothing = ("turns", UNSUPPORTED, "nothing is said that could be answered");
    plain(&saying(vec![turn(Role::User, vec![])]), json!({ "contents": [] }), &[nothing]);
}

#[test]
fn what_hangs_on_text() {
    let hung = |set: fn(&mut Text), member: &str, why: &str| {
        let mut said = Text::new("a");
        set(&mut said);
        let path = format!("turns[0].parts[1].{member}");
        part(Part::Text(said), json!([text("a")]), &[(&path, DROPPED, why)]);
    };
    hung(|t| t.cache = mark(), "cache", CACHES);
    hung(|t| t.opaque = state(OpaqueKind::Details), "opaque", ORIGIN);
    hung(|t| t.rest = others(), "odd", NO_OTHER);
    hung(|t| t.citations = vec![Citation::default()], "citations", "only answers cite");
    let logprobs = "only answers have log probabilities";
    hung(|t| t.logprobs = Some(raw(&json!([]))), "logprobs", logprobs);
    let refusal = ("turns[0].parts[1]", APPROXIMATED, "a refusal is said as text");
    part(Part::Refusal(Text::new("no")), json!([text("no")]), &[refusal]);
}

#[test]
fn what_nobody_else_has() {
    let path = "turns[0].parts[1]";
    part(foreign(Dialect::Anthropic, "odd_part"), json!([]), &[(path, UNSUPPORTED, NO_OTHER)]);
    let kept = "only the provider that keeps what it names has it; send that whole";
    part(foreign(Dialect::OpenaiResponses, "item_reference"), json!([]), &[(path, UNSUPPORTED, kept)]);
}

/// What is sent where the model says `part`: these parts.
#[track_caller]
fn assistant(part: Part, parts: Value, lost: &[Lost<'_>]) {
    let mut contents = vec![user(json!([text("hi")]))];
    if parts != json!([]) {
        contents.push(model(parts));
    }
    let request = saying(vec![says(Role::User, "hi"), turn(Role::Assistant, vec![part])]);
    plain(&request, json!({ "contents": contents }), lost);
}

#[test]
fn reasoning() {
    let sealed = Reasoning { opaque: state(OpaqueKind::Encrypted), ..Reasoning::default() };
    assistant(Part::Reasoning(sealed.clone()), json!([]), &[("turns[1].parts[0]", DROPPED, ORIGIN)]);
    let shown = Reasoning { text: vec!["hm".into()], id: Some("r".into()), rest: others(), ..sealed };
    let lost = [
        ("turns[1].parts[0].odd", DROPPED, NO_OTHER),
        ("turns[1].parts[0].opaque", DROPPED, ORIGIN),
        ("turns[1].parts[0].id", DROPPED, "thoughts have no ids"),
    ];
    assistant(Part::Reasoning(shown), json!([{ "text": "hm", "thought": true }]), &lost);
}

#[test]
fn calls() {
    let path = "turns[1].parts[0]";
    let called = |args: Value| json!([{ "functionCall": { "id": "c", "name": "f", "args": args } }]);
    let another = (path, DROPPED, "another provider ran the tool");
    let search = ToolCall {
        executor: Executor::Provider,
        kind: ToolCallKind::Native("web_search_call".into()),
        ..call("c", "f", "{}")
    };
    assistant(Part::ToolCall(search), json!([]), &[another]);
    let found = ServerResult {
        call: "c".into(),
        kind: "web_search_tool_result".into(),
        raw: raw(&json!({})),
        origin: Dialect::Anthropic,
    };
    assistant(Part::ServerResult(found), json!([]), &[another]);
    let hung = |set: fn(&mut ToolCall), member: &str, why: &str| {
        let mut function = call("c", "f", "{}");
        set(&mut function);
        assistant(
            Part::ToolCall(function),
            called(json!({})),
            &[(&format!("{path}.{member}"), DROPPED, why)],
        );
    };
    hung(|c| c.cache = mark(), "cache", CACHES);
    hung(|c| c.item = Some("fc_1".into()), "item", "a call has one id");
    hung(|c| c.opaque = state(OpaqueKind::Encrypted), "opaque", ORIGIN);
    hung(|c| c.rest = others(), "odd", NO_OTHER);
    let object = "arguments that are no JSON object are told as one of them";
    let cut = Part::ToolCall(call("c", "f", "{\"a\":"));
    let lost = ("turns[1].parts[0].arguments", APPROXIMATED, object);
    assistant(cut, called(json!({ "input": "{\"a\":" })), &[lost]);
}

/// What is sent where a tool gave `content`, whose call is known or not: these members, and parts behind it.
#[track_caller]
fn gave(traits: &Traits, result: ToolResult, parts: Value, lost: &[Lost<'_>]) {
    let turns = vec![
        turn(Role::Assistant, vec![Part::ToolCall(call("c", "f", "{}"))]),
        turn(Role::Tool, vec![Part::ToolResult(result)]),
    ];
    let called = json!([{ "functionCall": { "id": "c", "name": "f", "args": {} } }]);
    check(traits, &saying(turns), json!({ "contents": [model(called), user(parts)] }), lost);
}

fn result(id: &str, content: Vec<Part>) -> ToolResult {
    ToolResult {
        call: id.into(),
        name: None,
        content,
        json: false,
        error: false,
        kind: ToolCallKind::Function,
        cache: None,
        rest: shim_ir::Rest::default(),
    }
}

#[test]
fn what_tools_gave() {
    let any = Traits::default();
    let given = |id: &str, name: &str, result: &str| json!({ "functionResponse": { "id": id, "name": name, "response": { "result": result } } });
    let nameless = ("turns[1].parts[0].name", DEFAULTED, "the call is not in the conversation");
    gave(&any, result("x", vec![]), json!([given("x", "tool", "")]), &[nameless]);
    let marked = Text {
        cache: mark(),
        rest: others(),
        citations: vec![Citation::default()],
        opaque: state(OpaqueKind::Details),
        ..Text::new("a")
    };
    let content = vec![Part::Text(marked), Part::Refusal(Text::new("no"))];
    let hung = ToolResult { cache: mark(), rest: others(), ..result("c", content) };
    let lost = [
        ("turns[1].parts[0].odd", DROPPED, NO_OTHER),
        ("turns[1].parts[0].cache", DROPPED, CACHES),
        ("turns[1].parts[0].content[0].odd", DROPPED, NO_OTHER),
        ("turns[1].parts[0].content[0].cache", DROPPED, CACHES),
        ("turns[1].parts[0].content[0].citations", DROPPED, "only answers cite"),
        ("turns[1].parts[0].content[0].opaque", DROPPED, ORIGIN),
        ("turns[1].parts[0].content[1]", DROPPED, "a response has no place for it"),
    ];
    gave(&any, hung, json!([given("c", "f", "a")]), &lost);
    let image = |source| Part::Media(media(MediaKind::Image, source, Some("image/png")));
    let inline = json!({ "inlineData": { "mimeType": "image/png", "data": "AAAA" } });
    let shown = result("c", vec![image(Source::Inline("AAAA".into()))]);
    let behind = ("turns[1].parts[0].content[0]", APPROXIMATED, "media stand behind the response");
    gave(&quirky("no_result_media"), shown, json!([given("c", "f", ""), inline]), &[behind]);
    let kept = result("c", vec![image(Source::Handle("file-abc".into()))]);
    let elsewhere = ("turns[1].parts[0].content[0]", UNSUPPORTED, "another provider keeps the file");
    gave(&any, kept, json!([given("c", "f", "")]), &[elsewhere]);
}

#[test]
fn media_that_are_not_taken() {
    let check = |traits: &Traits, source, why: &str| {
        let image = Part::Media(media(MediaKind::Image, source, None));
        part_for(traits, image, json!([]), &[("turns[0].parts[1]", UNSUPPORTED, why)]);
    };
    let url = || Source::Url("https://a/b.png".into());
    let blind = Traits { media: Some(vec![]), ..Traits::default() };
    check(&blind, url(), "the model takes no media of this kind");
    check(&quirky("no_url_media"), url(), "the model fetches no addresses");
    let handle = Source::Handle("file-abc".into());
    check(&Traits::default(), handle, "another provider keeps the file");
}

#[test]
fn documents_that_are_text() {
    let path = "turns[0].parts[1].source";
    let said = "a document that is text is said as text";
    let plain = media(MediaKind::File, Source::Plain("doc".into()), None);
    part(Part::Media(plain), json!([text("doc")]), &[(path, APPROXIMATED, said)]);
    let parts = vec![Part::Text(Text::new("a")), foreign(Dialect::Anthropic, "odd_part")];
    let document = media(MediaKind::File, Source::Parts(parts), None);
    let lost = [
        (path, APPROXIMATED, "the parts of a document are said one by one"),
        ("turns[0].parts[1].content[1]", UNSUPPORTED, NO_OTHER),
    ];
    part(Part::Media(document), json!([text("a")]), &lost);
}

#[test]
fn what_hangs_on_media() {
    let inline = json!([{ "inlineData": { "mimeType": "image/png", "data": "AAAA" } }]);
    let check = |set: fn(&mut Media), member: &str, kind, why: &str| {
        let mut image = media(MediaKind::Image, Source::Inline("AAAA".into()), Some("image/png"));
        set(&mut image);
        let path = format!("turns[0].parts[1].{member}");
        part(Part::Media(image), inline.clone(), &[(&path, kind, why)]);
    };
    check(|m| m.mime = None, "mime", DEFAULTED, "the type of the data is not said");
    check(|m| m.name = Some("b.png".into()), "name", DROPPED, "media have no names");
    check(|m| m.detail = Some("high".into()), "detail", DROPPED, "no other dialect has the word");
    check(|m| m.cache = mark(), "cache", DROPPED, CACHES);
    check(|m| m.opaque = state(OpaqueKind::Encrypted), "opaque", DROPPED, ORIGIN);
    check(|m| m.rest = others(), "odd", DROPPED, NO_OTHER);
}
