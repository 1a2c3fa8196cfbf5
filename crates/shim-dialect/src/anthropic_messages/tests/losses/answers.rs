//! Whole answers.

use serde_json::{Value, json};
use shim_ir::{
    Candidate, Citation, Dialect, Executor, Finish, FinishReason, MediaKind, OpaqueKind, Part, Reasoning,
    Request, Response, Rest, ServerResult, Source, Text, Tokens, ToolCall, ToolCallKind, ToolResult, Usage,
};
use shim_wire::frame::Framing;

use super::super::told::call;
use super::{
    APPROXIMATED, DEFAULTED, DROPPED, Lost, UNSUPPORTED, check_all, foreign, media, others, raw, state, text,
    told_exactly, with,
};
use crate::anthropic_messages::AnthropicMessages;
use crate::laws::asker;
use crate::{Asker, Encode as _, Operation};

const NO_OTHER: &str = "no other dialect has it";
const ORIGIN: &str = "only its origin can read it";

/// What a tool of the client gave.
pub(super) fn result() -> Part {
    Part::ToolResult(ToolResult {
        call: "c".into(),
        name: None,
        content: vec![Part::Text(Text::new("odd"))],
        json: false,
        error: false,
        kind: ToolCallKind::Function,
        cache: None,
        rest: Rest::default(),
    })
}

fn finish(reason: FinishReason) -> Option<Finish> {
    Some(Finish { reason, words: None, sequence: None })
}

fn answer(parts: Vec<Part>) -> Response {
    let candidate = Candidate { parts, finish: finish(FinishReason::Stop), ..Candidate::default() };
    Response {
        id: Some("msg_1".into()),
        model: Some("m".into()),
        candidates: vec![candidate],
        usage: Some(Usage::default()),
        ..Response::default()
    }
}

/// What of an answer is told that one without parts has not, or otherwise, and what is lost.
#[track_caller]
fn check(answer: &Response, told: Value, lost: &[Lost<'_>]) {
    let request = Request::default();
    let encoded = AnthropicMessages.encode_response(answer, &asker(&request, Framing::Sse));
    let usual = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [],
        "stop_reason": "end_turn", "stop_sequence": null, "usage": used(json!({})),
    });
    check_all(&encoded.body, &encoded.losses, &with(usual, told), lost);
}

/// A usage of nothing, but for these members.
fn used(more: Value) -> Value {
    let none = json!({
        "input_tokens": 0, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 0,
        "cache_creation": { "ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0 },
    });
    with(none, more)
}

/// What is told of an answer that is `part`: these blocks.
#[track_caller]
fn one(part: Part, blocks: Value, lost: &[Lost<'_>]) {
    check(&answer(vec![part]), json!({ "content": blocks }), lost);
}

#[test]
fn counts() {
    let request = Request::default();
    let asker = Asker { operation: Operation::CountTokens, ..asker(&request, Framing::Sse) };
    let told = AnthropicMessages.encode_response(&Response::default(), &asker);
    assert_eq!(String::from_utf8(told.body).unwrap(), r#"{"input_tokens":0}"#);
    told_exactly(&told.losses, &[("usage", DEFAULTED, "the upstream counted nothing")]);
}

#[test]
fn answers_as_a_whole() {
    let mut two = answer(vec![Part::Text(Text::new("a"))]);
    two.candidates.push(Candidate { parts: vec![Part::Text(Text::new("b"))], ..Candidate::default() });
    let first = ("candidates[1]", DROPPED, "there is one answer to a request");
    check(&two, json!({ "content": [text("a")] }), &[first]);
    let flex = Response { service_tier: Some("flex".into()), ..answer(vec![]) };
    check(&flex, json!({}), &[("service_tier", DROPPED, "there is no such class of service")]);
    let mut odd = Response { rest: others(), ..answer(vec![]) };
    odd.candidates[0].rest = others();
    check(&odd, json!({}), &[("odd", DROPPED, NO_OTHER), ("candidates[0].odd", DROPPED, NO_OTHER)]);
}

#[test]
fn why_it_ended() {
    let word = ("candidates[0].finish", APPROXIMATED, "there is no word for why the answer ended");
    let check = |reason: FinishReason, told: &str| {
        let mut ended = answer(vec![]);
        ended.candidates[0].finish = finish(reason);
        check(&ended, json!({ "stop_reason": told }), &[word]);
    };
    check(FinishReason::Filter, "refusal");
    check(FinishReason::ToolCalls, "end_turn");
    check(FinishReason::BadToolCall, "end_turn");
    check(FinishReason::Other, "end_turn");
}

#[test]
fn what_was_used() {
    let none = ("usage", DEFAULTED, "the upstream told no usage");
    check(&Response { usage: None, ..answer(vec![]) }, json!({}), &[none]);
    let sound = ("usage", APPROXIMATED, "sound and images are counted with the text");
    let check = |usage, told| {
        let usage = Some(usage);
        check(&Response { usage, ..answer(vec![]) }, json!({ "usage": used(told) }), &[sound]);
    };
    check(Usage { input_audio: Tokens(3), ..Usage::default() }, json!({ "input_tokens": 3 }));
    check(Usage { output_audio: Tokens(3), ..Usage::default() }, json!({ "output_tokens": 3 }));
    check(Usage { output_image: Tokens(3), ..Usage::default() }, json!({ "output_tokens": 3 }));
}

#[test]
fn citations() {
    let citing = |citation| Part::Text(Text { citations: vec![citation], ..Text::new("a") });
    let source = "a citation without its source in this dialect has no place";
    let nowhere = Citation { cited: Some("c".into()), ..Citation::default() };
    one(citing(nowhere), json!([text("a")]), &[("candidates[0].parts[0].citations", DROPPED, source)]);
    let span =
        Citation { url: Some("https://a".into()), start: Some(0), end: Some(1), ..Citation::default() };
    let told = json!([{
        "type": "web_search_result_location", "cited_text": "", "encrypted_index": "", "title": null,
        "url": "https://a",
    }]);
    let narrower = "a citation is of its whole block of text";
    let lost = ("candidates[0].parts[0].citations.start", APPROXIMATED, narrower);
    one(citing(span), json!([with(text("a"), json!({ "citations": told }))]), &[lost]);
}

#[test]
fn what_hangs_on_text() {
    let refusal = ("candidates[0].parts[0]", APPROXIMATED, "a refusal is told as text");
    let refused = json!({ "content": [text("no")], "stop_reason": "refusal" });
    check(&answer(vec![Part::Refusal(Text::new("no"))]), refused, &[refusal]);
    let hung = |set: fn(&mut Text), member: &str, why: &str| {
        let mut said = Text::new("a");
        set(&mut said);
        let path = format!("candidates[0].parts[0].{member}");
        one(Part::Text(said), json!([text("a")]), &[(&path, DROPPED, why)]);
    };
    hung(|t| t.logprobs = Some(raw(&json!([]))), "logprobs", "there are no log probabilities");
    hung(|t| t.opaque = state(OpaqueKind::ThoughtSignature), "opaque", ORIGIN);
    hung(|t| t.rest = others(), "odd", NO_OTHER);
    let only = Text { opaque: state(OpaqueKind::ThoughtSignature), ..Text::default() };
    one(Part::Text(only), json!([]), &[("candidates[0].parts[0].opaque", DROPPED, ORIGIN)]);
}

#[test]
fn reasoning() {
    let path = "candidates[0].parts[0]";
    let encrypted = Reasoning { opaque: state(OpaqueKind::Encrypted), ..Reasoning::default() };
    one(Part::Reasoning(encrypted.clone()), json!([]), &[(path, DROPPED, ORIGIN)]);
    let block = json!([{ "type": "thinking", "thinking": "hm", "signature": "" }]);
    let named = Reasoning { id: Some("r".into()), text: vec!["hm".into()], ..Reasoning::default() };
    let ids = ("candidates[0].parts[0].id", DROPPED, "thoughts have no ids");
    one(Part::Reasoning(named), block.clone(), &[ids]);
    let shown = Reasoning { text: vec!["hm".into()], ..encrypted };
    one(Part::Reasoning(shown), block.clone(), &[("candidates[0].parts[0].opaque", DROPPED, ORIGIN)]);
    let both =
        Reasoning { text: vec!["hm".into()], summary: vec!["in short".into()], ..Reasoning::default() };
    let itself = ("candidates[0].parts[0].summary", DROPPED, "the reasoning itself is told");
    one(Part::Reasoning(both), block, &[itself]);
}

#[test]
fn parts_that_have_no_place() {
    let path = "candidates[0].parts[0]";
    let image = media(MediaKind::Image, Source::Inline("AAAA".into()), Some("image/png"));
    one(Part::Media(image), json!([]), &[(path, UNSUPPORTED, "an answer holds no media")]);
    one(foreign(Dialect::Gemini, "odd_part"), json!([]), &[(path, DROPPED, NO_OTHER)]);
    let theirs = "results are the client's to tell";
    one(result(), json!([]), &[(path, DROPPED, theirs)]);
    let another = "it is of a tool that another provider runs";
    let search = ToolCall {
        executor: Executor::Provider,
        ..call("c", "web_search", ToolCallKind::Native("web_search_call".into()), "{}")
    };
    one(Part::ToolCall(search), json!([]), &[(path, DROPPED, another)]);
    let found = ServerResult {
        call: "c".into(),
        kind: "codeExecutionResult".into(),
        raw: raw(&json!({})),
        origin: Dialect::Gemini,
    };
    one(Part::ServerResult(found), json!([]), &[(path, DROPPED, another)]);
    let cut = call("c", "f", ToolCallKind::Function, "[1]");
    let told = json!({ "type": "tool_use", "id": "c", "name": "f", "input": { "INVALID_JSON": "[1]" } });
    let stands = "arguments that are no object stand in one";
    let lost = ("candidates[0].parts[0].arguments", APPROXIMATED, stands);
    check(
        &answer(vec![Part::ToolCall(cut)]),
        json!({ "content": [told], "stop_reason": "tool_use" }),
        &[lost],
    );
}
