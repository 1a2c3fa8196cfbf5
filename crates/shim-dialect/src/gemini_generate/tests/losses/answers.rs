//! Whole answers.

use serde_json::{Value, json};
use shim_ir::{
    Candidate, Citation, Dialect, Executor, Finish, FinishReason, OpaqueKind, Part, Reasoning, Request,
    Response, ServerResult, Text, Tokens, ToolCall, ToolCallKind, Usage,
};
use shim_wire::frame::Framing;

use super::super::written::call;
use super::{
    APPROXIMATED, DROPPED, Lost, NO_OTHER, ORIGIN, check_all, foreign, others, raw, state, text,
    told_exactly, with,
};
use crate::gemini_generate::GeminiGenerate;
use crate::laws::asker;
use crate::{Asker, Encode as _, Operation};

fn answer(parts: Vec<Part>) -> Response {
    let finish = Some(Finish { reason: FinishReason::Stop, words: None, sequence: None });
    let candidates = vec![Candidate { parts, finish, ..Candidate::default() }];
    Response { id: Some("r".into()), model: Some("m".into()), candidates, ..Response::default() }
}

/// What is told of an answer: these parts, these members of the candidate beside them, these beside it, and what is lost.
#[track_caller]
fn check(answer: &Response, [parts, beside, above]: [Value; 3], lost: &[Lost<'_>]) {
    let request = Request::default();
    let encoded = GeminiGenerate.encode_response(answer, &asker(&request, Framing::Sse));
    let usual = json!({ "content": { "parts": parts, "role": "model" }, "finishReason": "STOP", "index": 0 });
    let wanted = json!({ "candidates": [with(usual, beside)], "modelVersion": "m", "responseId": "r" });
    check_all(&encoded.body, &encoded.losses, &with(wanted, above), lost);
}

/// What is told of an answer that is `part`: these parts.
#[track_caller]
fn one(part: Part, parts: Value, lost: &[Lost<'_>]) {
    check(&answer(vec![part]), [parts, json!({}), json!({})], lost);
}

#[test]
fn answers_as_a_whole() {
    let flex = Response { service_tier: Some("scale".into()), ..answer(vec![]) };
    let nothing = || [json!([]), json!({}), json!({})];
    check(&flex, nothing(), &[("service_tier", DROPPED, "there is no such class of service")]);
    let mut odd = Response { rest: others(), ..answer(vec![]) };
    odd.candidates[0].rest = others();
    check(&odd, nothing(), &[("odd", DROPPED, NO_OTHER), ("candidates[0].odd", DROPPED, NO_OTHER)]);
    let used = Usage { cache_write: Tokens(2), cache_write_1h: Tokens(1), ..Usage::default() };
    let written = Response { usage: Some(used), ..answer(vec![]) };
    let counts = json!({ "promptTokenCount": 3, "candidatesTokenCount": 0, "totalTokenCount": 3 });
    let above = json!({ "usageMetadata": counts });
    let rest = ("usage.cache_write", APPROXIMATED, "counted with the rest of the prompt");
    check(&written, [json!([]), json!({}), above], &[rest]);
}

#[test]
fn counts() {
    let request = Request::default();
    let asker = Asker { operation: Operation::CountTokens, ..asker(&request, Framing::Sse) };
    let counted = Response { usage: Some(Usage::default()), rest: others(), ..Response::default() };
    let told = GeminiGenerate.encode_response(&counted, &asker);
    assert_eq!(String::from_utf8(told.body).unwrap(), r#"{"totalTokens":0}"#);
    told_exactly(&told.losses, &[("odd", DROPPED, NO_OTHER)]);
}

#[test]
fn why_it_ended() {
    let check = |reason, sequence: Option<&str>, told: &str, lost| {
        let mut ended = answer(vec![]);
        let sequence = sequence.map(str::to_owned);
        ended.candidates[0].finish = Some(Finish { reason, words: None, sequence });
        check(&ended, [json!([]), json!({ "finishReason": told }), json!({})], &[lost]);
    };
    let path = "candidates[0].finish.reason";
    let filter = (path, APPROXIMATED, "a refusal ends as what a filter stops");
    check(FinishReason::Refusal, None, "SAFETY", filter);
    let other = (path, APPROXIMATED, "a pause ends as an end for another reason");
    check(FinishReason::Pause, None, "OTHER", other);
    let which = ("candidates[0].finish.sequence", DROPPED, "the provider does not say which");
    check(FinishReason::Sequence, Some("END"), "STOP", which);
}

#[test]
fn citations() {
    let check = |set: fn(&mut Citation), [start, end]: [u64; 2], lost: &[Lost<'_>]| {
        let mut citation = Citation { url: Some("https://a".into()), ..Citation::default() };
        set(&mut citation);
        let said = Part::Text(Text { citations: vec![citation], ..Text::new("aöc") });
        let support =
            json!({ "segment": { "startIndex": start, "endIndex": end }, "groundingChunkIndices": [0] });
        let grounds = json!({
            "groundingChunks": [{ "web": { "uri": "https://a" } }], "groundingSupports": [support],
        });
        let beside = json!({ "groundingMetadata": grounds });
        check(&answer(vec![said]), [json!([text("aöc")]), beside, json!({})], lost);
    };
    let words = ("candidates[0].citations.cited", DROPPED, "the words of a source have no place");
    check(|c| c.cited = Some("odd".into()), [0, 4], &[words]);
    check(|c| (c.start, c.end) = (Some(1), Some(2)), [1, 3], &[]);
}

#[test]
fn text_and_reasoning() {
    let refusal = ("candidates[0].parts[0]", APPROXIMATED, "a refusal is said as text");
    one(Part::Refusal(Text::new("no")), json!([text("no")]), &[refusal]);
    let hung = Text { opaque: state(OpaqueKind::Details), rest: others(), ..Text::new("a") };
    let [odd, sealed] = [
        ("candidates[0].parts[0].odd", DROPPED, NO_OTHER),
        ("candidates[0].parts[0].opaque", DROPPED, ORIGIN),
    ];
    one(Part::Text(hung), json!([text("a")]), &[odd, sealed]);
    let strange = Text { logprobs: Some(raw(&json!([{ "strange": 1 }]))), ..Text::new("a") };
    let form = ("candidates[0].parts[0].logprobs", DROPPED, "they have another form");
    one(Part::Text(strange), json!([text("a")]), &[form]);
    let encrypted = Reasoning { opaque: state(OpaqueKind::Encrypted), ..Reasoning::default() };
    one(Part::Reasoning(encrypted.clone()), json!([]), &[("candidates[0].parts[0]", DROPPED, ORIGIN)]);
    let shown = Reasoning { id: Some("r".into()), text: vec!["hm".into()], rest: others(), ..encrypted };
    let ids = ("candidates[0].parts[0].id", DROPPED, "thoughts have no ids");
    one(Part::Reasoning(shown), json!([{ "text": "hm", "thought": true }]), &[odd, sealed, ids]);
}

#[test]
fn calls_and_what_has_no_place() {
    let path = "candidates[0].parts[0]";
    let free = ToolCall { kind: ToolCallKind::Custom, ..call("c", "patch", "*** x") };
    let told = json!([{ "functionCall": { "id": "c", "name": "patch", "args": { "input": "*** x" } } }]);
    let input = "free text is told as the argument `input`";
    one(Part::ToolCall(free), told, &[("candidates[0].parts[0].arguments", APPROXIMATED, input)]);
    let another = (path, DROPPED, "another provider ran the tool");
    let search = ToolCall {
        executor: Executor::Provider,
        kind: ToolCallKind::Native("server_tool_use".into()),
        ..call("c", "web_search", "{}")
    };
    one(Part::ToolCall(search), json!([]), &[another]);
    let found = ServerResult {
        call: "c".into(),
        kind: "web_search_tool_result".into(),
        raw: raw(&json!({})),
        origin: Dialect::Anthropic,
    };
    one(Part::ServerResult(found), json!([]), &[another]);
    one(foreign(Dialect::Anthropic, "odd_part"), json!([]), &[(path, DROPPED, NO_OTHER)]);
}
