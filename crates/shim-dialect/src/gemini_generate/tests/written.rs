//! What becomes of what: tables of requests, answers and streams, each as it is written and what it loses.

use shim_ir::{
    CacheMark, Citation, Effort, Event, Executor, Finish, FinishReason, FoldError, LossKind, Media,
    MediaKind, Opaque, OpaqueKind, OutputFormat, Part, Reasoning, ReasoningAsk, ReasoningControl,
    ReasoningMode, Request, Response, Rest, Role, Schema, Source, Text, Tokens, Tool, ToolCall, ToolCallKind,
    ToolChoice, ToolKind, ToolResult, Traits, Turn, Usage, fold, unfold,
};
use shim_wire::RawJson;
use shim_wire::frame::Framing;

use super::encode::{essence, streamed_equals_whole};
use super::route_for;
use crate::gemini_generate::GeminiGenerate;
use crate::laws::{asker, events, request_round_trip};
use crate::{Decode, Encode, Encoded, Goal, Operation};

fn traits(quirks: &[&str]) -> Traits {
    // Only words that are documented mean anything.
    let known = |word: &&str| super::super::QUIRKS.iter().any(|(name, _)| name == word);
    assert!(quirks.iter().all(known), "{quirks:?}");

    Traits { quirks: quirks.iter().map(|word| (*word).to_owned()).collect(), ..Traits::default() }
}

pub(super) fn encode(request: &Request, traits: &Traits) -> Encoded {
    let goal = Goal { operation: Operation::Generate, model: "m", traits, seed: "seed" };
    let encoded = GeminiGenerate.encode_request(request, &goal);
    let text = &*encoded.body.to_text();
    GeminiGenerate
        .decode_request(&route_for("generateContent"), text)
        .unwrap_or_else(|e| panic!("{e}: {text}"));
    encoded
}

/// What a request is written as for a model with these traits, and what it loses.
#[track_caller]
fn check_for(traits: &Traits, request: &Request, body: &str, losses: &[(&str, LossKind)]) -> Encoded {
    let encoded = encode(request, traits);
    assert_eq!(encoded.body.to_text(), body);
    let told: Vec<_> = encoded.losses.iter().map(|loss| (loss.path.as_str(), loss.kind)).collect();
    assert_eq!(told, losses);
    encoded
}

#[track_caller]
fn check(request: &Request, body: &str, losses: &[(&str, LossKind)]) -> Encoded {
    check_for(&Traits::default(), request, body, losses)
}

fn turn(role: Role, parts: Vec<Part>) -> Turn {
    Turn { role, id: None, name: None, parts, rest: Rest::default() }
}

fn said(role: Role, text: &str) -> Turn {
    turn(role, vec![Part::Text(Text::new(text))])
}

fn asking(turns: Vec<Turn>) -> Request {
    Request { model: "alias".into(), turns, ..Request::default() }
}

fn raw(text: &str) -> RawJson {
    RawJson::parse(text).expect("it is JSON")
}

pub(super) fn call(id: &str, name: &str, arguments: &str) -> ToolCall {
    ToolCall {
        id: id.into(),
        item: None,
        name: name.into(),
        arguments: arguments.into(),
        kind: ToolCallKind::Function,
        executor: Executor::Client,
        opaque: Vec::new(),
        cache: None,
        rest: Rest::default(),
    }
}

fn result(id: &str, content: Vec<Part>, error: bool) -> Turn {
    let result = ToolResult {
        call: id.into(),
        name: None,
        content,
        json: false,
        error,
        kind: ToolCallKind::Function,
        cache: None,
        rest: Rest::default(),
    };
    turn(Role::Tool, vec![Part::ToolResult(result)])
}

pub(super) fn media(kind: MediaKind, source: Source, mime: Option<&str>) -> Media {
    let mime = mime.map(str::to_owned);
    Media {
        kind,
        source,
        mime,
        name: None,
        detail: None,
        cache: None,
        opaque: Vec::new(),
        rest: Rest::default(),
    }
}

const APPROXIMATED: LossKind = LossKind::Approximated;
const DROPPED: LossKind = LossKind::Dropped;
const NOTED: LossKind = LossKind::Noted;
const UNSUPPORTED: LossKind = LossKind::Unsupported;
const DEFAULTED: LossKind = LossKind::Defaulted;

#[test]
fn the_operator_speaks_first_or_in_between() {
    let turns = vec![
        said(Role::System, "s"),
        said(Role::Developer, "d"),
        said(Role::User, "u"),
        said(Role::User, "v"),
        said(Role::Assistant, "a"),
        said(Role::System, "m"),
        said(Role::User, "w"),
    ];
    let body = r#"{"systemInstruction":{"parts":[{"text":"s"},{"text":"d"}]},"contents":[{"role":"user","parts":[{"text":"u"},{"text":"v"}]},{"role":"model","parts":[{"text":"a"}]},{"role":"user","parts":[{"text":"<system>\nm\n</system>"},{"text":"w"}]}]}"#;
    check(&asking(turns), body, &[("turns[5].role", APPROXIMATED)]);
    let alone = r#"{"contents":[{"role":"user","parts":[{"text":"<system>\ns\n</system>"}]}]}"#;
    check(&asking(vec![said(Role::System, "s")]), alone, &[("turns[0].role", APPROXIMATED)]);
}

#[test]
fn calls_and_results_meet() {
    let reasoning = Reasoning {
        text: vec!["hm".into()],
        opaque: vec![Opaque { kind: OpaqueKind::Signature, value: "sig".into() }],
        ..Reasoning::default()
    };
    let turns = vec![
        said(Role::User, "u"),
        turn(Role::Assistant, vec![Part::Reasoning(reasoning)]),
        turn(Role::Assistant, vec![Part::ToolCall(call("1", "f", r#"{"x":1}"#))]),
        turn(Role::Assistant, vec![Part::ToolCall(call("2", "f", ""))]),
        result("1", vec![Part::Text(Text::new("fine"))], false),
        result("2", vec![Part::Text(Text::new("no"))], true),
    ];
    let body = |first: &str| {
        format!(
            r#"{{"contents":[{{"role":"user","parts":[{{"text":"u"}}]}},{{"role":"model","parts":[{{"text":"hm","thought":true}},{{"functionCall":{{"id":"1","name":"f","args":{{"x":1}}}}{first}}},{{"functionCall":{{"id":"2","name":"f","args":{{}}}}}}]}},{{"role":"user","parts":[{{"functionResponse":{{"id":"1","name":"f","response":{{"result":"fine"}}}}}},{{"functionResponse":{{"id":"2","name":"f","response":{{"error":"no"}}}}}}]}}]}}"#
        )
    };
    let request = asking(turns);
    let lost = &[("turns[1].parts[0].opaque", DROPPED)];
    check(&request, &body(""), lost);
    let signed = body(r#","thoughtSignature":"skip_thought_signature_validator""#);
    check_for(&traits(&["thought_signatures"]), &request, &signed, lost);
    let bare = body("").replace(r#""id":"1","#, "").replace(r#""id":"2","#, "");
    check_for(&traits(&["no_call_ids"]), &request, &bare, lost);
    // A turn that is over needs no signatures.
    let mut over = request;
    over.turns.push(said(Role::Assistant, "so"));
    over.turns.push(said(Role::User, "and"));
    let encoded = encode(&over, &traits(&["thought_signatures"]));
    assert!(!encoded.body.to_text().contains("skip_thought"));
}

#[track_caller]
fn gives(content: Vec<Part>, quirks: &[&str], parts: &str, losses: &[(&str, LossKind)]) {
    let request = asking(vec![
        turn(Role::Assistant, vec![Part::ToolCall(call("1", "f", "{}"))]),
        result("1", content, false),
    ]);
    let body = format!(
        r#"{{"contents":[{{"role":"model","parts":[{{"functionCall":{{"id":"1","name":"f","args":{{}}}}}}]}},{{"role":"user","parts":[{parts}]}}]}}"#
    );
    check_for(&traits(quirks), &request, &body, losses);
}

#[test]
fn tools_give_objects_and_media() {
    let image = || Part::Media(media(MediaKind::Image, Source::Inline("iVBORw".into()), None));
    let text = |text: &str| Part::Text(Text::new(text));
    let head = r#"{"functionResponse":{"id":"1","name":"f","response":"#;
    gives(vec![text(r#"{"a": 1}"#)], &[], &format!(r#"{head}{{"a": 1}}}}}}"#), &[]);
    gives(vec![text("[1]")], &[], &format!(r#"{head}{{"result":"[1]"}}}}}}"#), &[]);
    gives(vec![text("a"), text("b")], &[], &format!(r#"{head}{{"result":"a\nb"}}}}}}"#), &[]);
    let data = r#"{"inlineData":{"mimeType":"image/png","data":"iVBORw"}}"#;
    let inside = format!(r#"{head}{{"result":"a"}},"parts":[{data}]}}}}"#);
    gives(vec![text("a"), image()], &[], &inside, &[]);
    let behind = format!(r#"{head}{{"result":"a"}}}}}},{data}"#);
    let lost = [("turns[1].parts[0].content[1]", APPROXIMATED)];
    gives(vec![text("a"), image()], &["no_result_media"], &behind, &lost);
    let request = asking(vec![result("9", vec![], false)]);
    let body = r#"{"contents":[{"role":"user","parts":[{"functionResponse":{"id":"9","name":"tool","response":{"result":""}}}]}]}"#;
    check(&request, body, &[("turns[0].parts[0].name", DEFAULTED)]);
}

#[track_caller]
fn shows(part: Media, quirks: &[&str], wire: &str, losses: &[(&str, LossKind)]) {
    let request = asking(vec![turn(Role::User, vec![Part::Text(Text::new("u")), Part::Media(part)])]);
    let body = format!(r#"{{"contents":[{{"role":"user","parts":[{{"text":"u"}}{wire}]}}]}}"#);
    check_for(&traits(quirks), &request, &body, losses);
}

#[test]
fn media_are_inline_or_at_an_address() {
    let inline = |kind, mime| media(kind, Source::Inline("AAAA".into()), mime);
    let wav = r#",{"inlineData":{"mimeType":"audio/wav","data":"AAAA"}}"#;
    shows(inline(MediaKind::Audio, Some("wav")), &[], wav, &[]);
    let guessed = r#",{"inlineData":{"mimeType":"image/png","data":"AAAA"}}"#;
    shows(inline(MediaKind::Image, None), &[], guessed, &[("turns[0].parts[1].mime", DEFAULTED)]);
    let url = || media(MediaKind::File, Source::Url("https://a.example/b.pdf?c".into()), None);
    let file = r#",{"fileData":{"mimeType":"application/pdf","fileUri":"https://a.example/b.pdf?c"}}"#;
    shows(url(), &[], file, &[]);
    shows(url(), &["no_url_media"], "", &[("turns[0].parts[1]", UNSUPPORTED)]);
    let handle = media(MediaKind::File, Source::Handle("file-1".into()), None);
    shows(handle, &[], "", &[("turns[0].parts[1]", UNSUPPORTED)]);
    let mut plain = media(MediaKind::File, Source::Plain("doc".into()), None);
    plain.name = Some("n".into());
    plain.cache = Some(CacheMark { ttl: None, rest: Rest::default() });
    let lost = [
        ("turns[0].parts[1].cache", DROPPED),
        ("turns[0].parts[1].name", DROPPED),
        ("turns[0].parts[1].source", APPROXIMATED),
    ];
    shows(plain, &[], r#",{"text":"doc"}"#, &lost);
}

fn function(name: &str, parameters: &str, strict: Option<bool>) -> Tool {
    let kind = ToolKind::Function { parameters: Some(raw(parameters)), strict };
    Tool { name: name.into(), description: Some("d".into()), kind, cache: None, rest: Rest::default() }
}

fn other_tool(name: &str, kind: ToolKind) -> Tool {
    Tool { name: name.into(), description: None, kind, cache: None, rest: Rest::default() }
}

fn offering(tools: Vec<Tool>, tool_choice: Option<ToolChoice>) -> Request {
    Request { tools, tool_choice, ..asking(vec![said(Role::User, "u")]) }
}

const USER: &str = r#"{"contents":[{"role":"user","parts":[{"text":"u"}]}]"#;

#[test]
fn functions_are_declared_and_renamed() {
    let schema = r#"{"type":"object","properties":{"a":{"type":["string","null"]}}}"#;
    let group = ToolKind::Group(vec![function("go", "{}", None)]);
    let custom = ToolKind::Custom { format: None };
    let tools = vec![
        function("a b", schema, None),
        function("a_b", schema, None),
        other_tool("grp", group),
        other_tool("patch", custom),
    ];
    let choice = Some(ToolChoice::Named("a b".into()));
    let mut request = offering(tools, choice);
    let mut old = call("1", "patch", "*** x");
    old.kind = ToolCallKind::Custom;
    request.turns.insert(0, turn(Role::Assistant, vec![Part::ToolCall(old)]));
    let free = r#"{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}"#;
    let body = format!(
        r#"{{"contents":[{{"role":"model","parts":[{{"functionCall":{{"id":"1","name":"patch","args":{{"input":"*** x"}}}}}}]}},{{"role":"user","parts":[{{"text":"u"}}]}}],"tools":[{{"functionDeclarations":[{{"name":"a_b_2","description":"d","parametersJsonSchema":{schema}}},{{"name":"a_b","description":"d","parametersJsonSchema":{schema}}},{{"name":"grp__go","description":"d","parametersJsonSchema":{{}}}},{{"name":"patch","parametersJsonSchema":{free}}}]}}],"toolConfig":{{"functionCallingConfig":{{"mode":"ANY","allowedFunctionNames":["a_b_2"]}}}}}}"#
    );
    let encoded = check(&request, &body, &[]);
    let echo: Vec<_> = encoded
        .echo
        .tools
        .iter()
        .map(|tool| (tool.sent.as_str(), tool.name.as_str(), tool.free_text, tool.rest.members().len()))
        .collect();
    assert_eq!(echo, [("patch", "patch", true, 0), ("a_b_2", "a b", false, 0), ("grp__go", "go", false, 1)]);
    let open = encode(&offering(vec![function("f", schema, None)], None), &traits(&["openapi_schema"]));
    let wanted = r#""parameters":{"type":"OBJECT","properties":{"a":{"type":"STRING","nullable":true}}}"#;
    assert!(open.body.to_text().contains(wanted));
    assert_eq!(open.losses, []);
}

#[test]
fn tools_may_be_chosen() {
    let check = |strict, choice, config: &str, losses: &[(&str, LossKind)]| {
        let request = offering(vec![function("f", "{}", strict)], choice);
        let tool = r#""tools":[{"functionDeclarations":[{"name":"f","description":"d","parametersJsonSchema":{}}]}]"#;
        let config = if config.is_empty() {
            String::new()
        } else {
            format!(r#","toolConfig":{{"functionCallingConfig":{{{config}}}}}"#)
        };
        check(&request, &format!("{USER},{tool}{config}}}"), losses);
    };
    check(None, None, "", &[]);
    check(None, Some(ToolChoice::Auto), r#""mode":"AUTO""#, &[]);
    check(None, Some(ToolChoice::None), r#""mode":"NONE""#, &[]);
    check(None, Some(ToolChoice::Required), r#""mode":"ANY""#, &[]);
    check(Some(true), None, r#""mode":"VALIDATED""#, &[]);
    check(Some(true), Some(ToolChoice::Auto), r#""mode":"VALIDATED""#, &[]);
    let allowed = ToolChoice::Allowed { names: vec!["f".into()], required: false };
    check(None, Some(allowed), r#""mode":"VALIDATED","allowedFunctionNames":["f"]"#, &[]);
    check(None, Some(ToolChoice::Other(raw("{}"))), "", &[("tool_choice", UNSUPPORTED)]);
}

#[test]
fn tools_of_other_providers_are_mapped_by_meaning() {
    let native = |word: &str| other_tool(word, ToolKind::Native(word.into()));
    let check = |word: &str, tools: &str, losses: &[(&str, LossKind)]| {
        check(&offering(vec![native(word)], None), &format!("{USER}{tools}}}"), losses);
    };
    let near = [("tools[0]", APPROXIMATED)];
    check("web_search_20250305", r#","tools":[{"googleSearch":{}}]"#, &near);
    check("web_search_preview", r#","tools":[{"googleSearch":{}}]"#, &near);
    check("code_interpreter", r#","tools":[{"codeExecution":{}}]"#, &near);
    check("computer_20250124", "", &[("tools[0]", UNSUPPORTED)]);
    check("googleSearch", r#","tools":[{"googleSearch":{}}]"#, &[]);
    let both = offering(vec![native("web_search"), function("f", "{}", None)], None);
    let encoded = encode(&both, &Traits::default());
    assert!(encoded.body.to_text().contains(r#"{"includeServerSideToolInvocations":true}"#));
    let encoded = encode(&both, &traits(&["no_mixed_tools"]));
    assert_eq!((encoded.losses[0].path.as_str(), encoded.losses[0].kind), ("tools[0]", UNSUPPORTED));
}

#[track_caller]
fn configured(request: Request, traits: &Traits, config: &str, losses: &[(&str, LossKind)]) {
    let request = Request { turns: vec![said(Role::User, "u")], model: "alias".into(), ..request };
    let config =
        if config.is_empty() { String::new() } else { format!(r#","generationConfig":{{{config}}}"#) };
    check_for(traits, &request, &format!("{USER}{config}}}"), losses);
}

#[test]
fn answers_have_a_form() {
    let form = |output| Request { output: Some(output), ..Request::default() };
    let usual = Traits::default();
    configured(form(OutputFormat::JsonObject), &usual, r#""responseMimeType":"application/json""#, &[]);
    let schema = || {
        let schema = Some(raw(r#"{"type":"object"}"#));
        OutputFormat::Schema(Schema {
            name: Some("n".into()),
            schema,
            strict: Some(true),
            ..Schema::default()
        })
    };
    let json = r#""responseMimeType":"application/json","responseJsonSchema":{"type":"object"}"#;
    configured(form(schema()), &usual, json, &[("output.name", DROPPED)]);
    let bad = Traits { schema: Some(false), ..Traits::default() };
    let lost = [("output.name", DROPPED), ("output.schema", UNSUPPORTED)];
    configured(form(schema()), &bad, r#""responseMimeType":"application/json""#, &lost);
    let tools = vec![function("f", "{}", None)];
    let request = Request { output: Some(schema()), ..offering(tools, None) };
    let encoded = encode(&request, &traits(&["no_schema_with_tools"]));
    assert_eq!((encoded.losses[0].path.as_str(), encoded.losses[0].kind), ("output", UNSUPPORTED));
    configured(form(OutputFormat::Other(raw("{}"))), &usual, "", &[("output", UNSUPPORTED)]);
}

#[test]
fn sampling_is_written_within_bounds() {
    let mut request = Request::default();
    request.sampling.temperature = Some(0.5);
    request.sampling.top_k = Some(3.0);
    request.sampling.seed = Some(1 << 40 | 7);
    request.sampling.stop = ["a", "b", "c", "d", "e", "f"].map(str::to_owned).to_vec();
    request.sampling.output_max = Some(Tokens(9));
    request.sampling.candidates = Some(9);
    request.modalities = vec!["text".into()];
    request.parallel_tool_calls = Some(false);
    request.user = Some("u".into());
    request.cache_key = Some("k".into());
    request.metadata = Some(raw(r#"{"a":"b"}"#));
    request.state.previous = Some("r".into());
    let config = r#""temperature":0.5,"topK":3,"seed":7,"maxOutputTokens":9,"candidateCount":8,"stopSequences":["a","b","c","d","e"],"responseModalities":["TEXT"]"#;
    let lost = [
        ("sampling.seed", APPROXIMATED),
        ("sampling.candidates", APPROXIMATED),
        ("sampling.stop", APPROXIMATED),
        ("state.previous", UNSUPPORTED),
        ("user", NOTED),
        ("metadata", NOTED),
        ("cache_key", DROPPED),
        ("parallel_tool_calls", DROPPED),
    ];
    configured(request, &Traits::default(), config, &lost);
}

#[test]
fn reasoning_is_asked_for_as_the_model_takes_it() {
    let check = |control: ReasoningControl, ask: ReasoningAsk, config: &str, losses: &[(&str, LossKind)]| {
        let traits = Traits { reasoning: control, ..Traits::default() };
        let config =
            if config.is_empty() { String::new() } else { format!(r#""thinkingConfig":{{{config}}}"#) };
        configured(Request { reasoning: Some(ask), ..Request::default() }, &traits, &config, losses);
    };
    let effort = |effort| ReasoningAsk { effort: Some(effort), ..ReasoningAsk::default() };
    let on = |budget| ReasoningAsk {
        mode: Some(ReasoningMode::On),
        budget: Some(Tokens(budget)),
        ..ReasoningAsk::default()
    };
    let off = || ReasoningAsk { mode: Some(ReasoningMode::Off), ..ReasoningAsk::default() };
    let near = [("reasoning.effort", APPROXIMATED)];
    use ReasoningControl as Control;
    check(Control::Unknown, effort(Effort::Low), r#""thinkingLevel":"LOW""#, &[]);
    check(Control::Unknown, effort(Effort::XHigh), r#""thinkingLevel":"HIGH""#, &near);
    check(Control::Unknown, effort(Effort::None), r#""thinkingBudget":0"#, &[]);
    check(Control::Unknown, on(2048), r#""thinkingBudget":2048,"includeThoughts":true"#, &[]);
    check(Control::None, effort(Effort::Low), "", &[("reasoning", DROPPED)]);
    let words = || Control::Effort(vec![Effort::Low, Effort::High]);
    check(words(), effort(Effort::Medium), r#""thinkingLevel":"HIGH""#, &near);
    let level = r#""thinkingLevel":"HIGH","includeThoughts":true"#;
    check(words(), on(24_000), level, &[("reasoning.budget", APPROXIMATED)]);
    check(words(), off(), r#""thinkingLevel":"LOW""#, &near);
    let bound = |off| Control::Budget { min: Tokens(128), max: Tokens(4096), off };
    check(bound(true), effort(Effort::High), r#""thinkingBudget":4096"#, &near);
    check(bound(true), off(), r#""thinkingBudget":0"#, &[]);
    check(bound(false), off(), r#""thinkingBudget":128"#, &[("reasoning.mode", APPROXIMATED)]);
}

fn answer(parts: Vec<Part>, reason: FinishReason) -> Response {
    let finish = Some(Finish { reason, words: Some("end_turn".into()), sequence: None });
    let candidate = shim_ir::Candidate { parts, finish, rest: Rest::default() };
    Response {
        id: Some("r".into()),
        model: Some("gpt".into()),
        candidates: vec![candidate],
        ..Response::default()
    }
}

#[test]
fn an_answer_of_another_dialect_is_told() {
    let cited = Citation { url: Some("u".into()), title: Some("t".into()), ..Citation::default() };
    let text = Text {
        text: "hi\u{2028}".into(),
        citations: vec![cited],
        logprobs: Some(raw(
            r#"[{"token":"hi","logprob":-0.5,"top_logprobs":[{"token":"ho","logprob":-1}]}]"#,
        )),
        ..Text::default()
    };
    let mut custom = call("2", "patch", "*** x");
    custom.kind = ToolCallKind::Custom;
    let parts = vec![Part::Text(text), Part::ToolCall(call("1", "f", "{\"a\":")), Part::ToolCall(custom)];
    let mut response = answer(parts, FinishReason::ToolCalls);
    response.usage = Some(Usage {
        input_uncached: Tokens(5),
        cache_read: Tokens(3),
        cache_write: Tokens(2),
        output_text: Tokens(4),
        reasoning: Tokens(6),
        ..Usage::default()
    });
    let request = Request::default();
    let told = GeminiGenerate.encode_response(&response, &asker(&request, Framing::Sse));
    let wanted = r#"{"candidates":[{"content":{"parts":[{"text":"hi~"},{"functionCall":{"id":"1","name":"f","args":{"input":"{\"a\":"}}},{"functionCall":{"id":"2","name":"patch","args":{"input":"*** x"}}}],"role":"model"},"finishReason":"STOP","index":0,"groundingMetadata":{"groundingChunks":[{"web":{"uri":"u","title":"t"}}],"groundingSupports":[{"segment":{"startIndex":0,"endIndex":5},"groundingChunkIndices":[0]}]},"logprobsResult":{"topCandidates":[{"candidates":[{"token":"ho","logProbability":-1}]}],"chosenCandidates":[{"token":"hi","logProbability":-0.5}]}}],"usageMetadata":{"promptTokenCount":10,"cachedContentTokenCount":3,"candidatesTokenCount":4,"thoughtsTokenCount":6,"totalTokenCount":20},"modelVersion":"gpt","responseId":"r"}"#;
    assert_eq!(String::from_utf8(told.body).unwrap(), wanted.replace('~', "\u{2028}"));
    let told: Vec<_> = told.losses.iter().map(|loss| (loss.path.as_str(), loss.kind)).collect();
    let lost = [
        ("candidates[0].parts[1].arguments", APPROXIMATED),
        ("candidates[0].parts[2].arguments", APPROXIMATED),
        ("usage.cache_write", APPROXIMATED),
    ];
    assert_eq!(told, lost);
    streamed_equals_whole(&response, &unfold(response.clone()));
}

#[test]
fn classes_of_service_have_words() {
    let told = |word: &str| {
        let response = Response { service_tier: Some(word.into()), ..answer(vec![], FinishReason::Stop) };
        let request = Request::default();
        let told = GeminiGenerate.encode_response(&response, &asker(&request, Framing::Sse));
        let (stream, losses) = streamed(&shim_ir::unfold(response), Framing::Sse);
        assert_eq!(told.losses.len(), losses.len(), "{stream}");
        let body: serde_json::Value = serde_json::from_slice(&told.body).expect("it is JSON");
        let word = body["usageMetadata"]["serviceTier"].as_str().map(str::to_owned);
        let same = word.as_ref().map(|word| format!("\"serviceTier\":\"{word}\""));
        assert!(same.is_none_or(|same| stream.contains(&same)), "{stream}");
        (word, losses.len())
    };
    for (word, wanted) in [("default", "standard"), ("on_demand", "standard"), ("priority", "priority")] {
        assert_eq!(told(word), (Some(wanted.to_owned()), 0));
    }
    assert_eq!(told("scale"), (None, 1));
}

#[test]
fn ends_have_words() {
    let check = |reason: FinishReason, word: &str, near: bool| {
        let response = answer(vec![Part::Text(Text::new("a"))], reason);
        let request = Request::default();
        let told = GeminiGenerate.encode_response(&response, &asker(&request, Framing::Sse));
        let body = String::from_utf8(told.body).unwrap();
        assert!(body.contains(&format!(r#""finishReason":"{word}""#)), "{body}");
        assert_eq!(told.losses.len(), usize::from(near), "{:?}", told.losses);
    };
    check(FinishReason::Stop, "STOP", false);
    check(FinishReason::Length, "MAX_TOKENS", false);
    check(FinishReason::Filter, "SAFETY", false);
    check(FinishReason::Refusal, "SAFETY", true);
    check(FinishReason::Pause, "OTHER", true);
    check(FinishReason::BadToolCall, "MALFORMED_FUNCTION_CALL", false);
}

/// What a client is sent for `events`, and what was lost.
fn streamed(events: &[Event], framing: Framing) -> (String, Vec<(String, LossKind)>) {
    let request = Request::default();
    let mut encoder = GeminiGenerate.encoder(&asker(&request, framing));
    let mut out = Vec::new();
    events.iter().for_each(|event| encoder.push(event, &mut out));
    let lost = encoder.losses().iter().map(|loss| (loss.path.clone(), loss.kind)).collect();
    (String::from_utf8(out).unwrap(), lost)
}

pub(super) fn open(id: u32, part: Part) -> Event {
    Event::PartStart { id: shim_ir::PartId(id), candidate: 0, part }
}

pub(super) fn grow(id: u32, delta: shim_ir::Delta) -> Event {
    Event::PartDelta { id: shim_ir::PartId(id), delta }
}

pub(super) fn end(id: u32) -> Event {
    Event::PartEnd { id: shim_ir::PartId(id) }
}

fn start() -> Event {
    Event::Start(shim_ir::Start {
        id: Some("r".into()),
        model: Some("m".into()),
        ..shim_ir::Start::default()
    })
}

#[test]
fn parts_that_interleave_are_told_apart() {
    use shim_ir::Delta;
    let text = || Part::Text(Text::default());
    let events = [
        start(),
        open(0, text()),
        open(1, text()),
        open(2, Part::ToolCall(call("1", "f", ""))),
        grow(1, Delta::Text("B".into())),
        grow(2, Delta::Arguments("{\"a\"".into())),
        grow(0, Delta::Text("a".into())),
        grow(1, Delta::Text("b".into())),
        grow(2, Delta::Arguments(":1}".into())),
        end(2),
        end(1),
        grow(0, Delta::Text("A".into())),
        end(0),
        Event::Finish(vec![Some(Finish { reason: FinishReason::ToolCalls, words: None, sequence: None })]),
    ];
    let (sent, lost) = streamed(&events, Framing::Sse);
    let piece = |parts: &str| {
        format!(
            "data: {{\"candidates\":[{{\"content\":{{\"parts\":[{parts}],\"role\":\"model\"}},\"index\":0}}],\"modelVersion\":\"m\",\"responseId\":\"r\"}}\n\n"
        )
    };
    let wanted = [
        piece(r#"{"text":"a"}"#),
        piece(r#"{"functionCall":{"id":"1","name":"f","args":{"a":1}}}"#),
        piece(r#"{"text":"A"}"#),
        piece(r#"{"text":"Bb"}"#),
        "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}],\"role\":\"model\"},\"finishReason\":\"STOP\",\"index\":0}],\"modelVersion\":\"m\",\"responseId\":\"r\"}\n\n".to_owned(),
    ];
    assert_eq!(sent, wanted.concat());
    assert_eq!(lost, []);
    let (list, _) = streamed(&events, Framing::JsonArray);
    let pieces: Vec<_> = wanted.iter().map(|piece| piece.trim_start_matches("data: ").trim_end()).collect();
    assert_eq!(list, format!("[{}]", pieces.join(",\r\n")));
}

#[test]
fn the_whole_part_adds_what_was_not_told() {
    use shim_ir::Delta;
    let whole = |text: &str| Delta::Whole(Box::new(Part::Text(Text::new(text))));
    let check = |last: Delta, wanted: &str, lost: usize| {
        let events = [
            start(),
            open(0, Part::Text(Text::default())),
            grow(0, Delta::Text("on".into())),
            grow(0, last),
            end(0),
            Event::Finish(vec![None]),
        ];
        let (sent, losses) = streamed(&events, Framing::Sse);
        let told = fold(self::events(&GeminiGenerate, &[sent.as_bytes()], Framing::Sse)).unwrap().0;
        assert_eq!(essence(&told)[0].text, wanted);
        // That the answer says not why it ended is one.
        assert_eq!(losses.len(), lost + 1, "{losses:?}");
    };
    check(whole("once"), "once", 0);
    check(whole("on"), "on", 0);
    check(whole("off"), "on", 1);
}

#[test]
fn a_fault_ends_a_stream_in_any_framing() {
    let fault = || Event::Fault(shim_ir::Fault::new(shim_ir::FaultKind::UpstreamCut, "cut"));
    let told = [start(), open(0, Part::Text(Text::new("a"))), fault()];
    for events in [&told[..], &[fault()]] {
        for framing in [Framing::Sse, Framing::JsonArray] {
            let (sent, _) = streamed(events, framing);
            let again = fold(self::events(&GeminiGenerate, &[sent.as_bytes()], framing));
            let Err(FoldError::Failed(fault, _)) = again else { panic!("{sent}") };
            assert_eq!(fault.message, "cut");
        }
    }
}

#[test]
fn counts_are_answers_of_usage() {
    let request = asking(vec![said(Role::User, "u")]);
    let goal = Goal { operation: Operation::CountTokens, model: "m", traits: &Traits::default(), seed: "s" };
    let encoded = GeminiGenerate.encode_request(&request, &goal);
    let wanted = format!(r#"{{"generateContentRequest":{{"model":"models/m",{}}}}}"#, &USER[1..]);
    assert_eq!(encoded.body.to_text(), wanted);
    let usage = Some(Usage { input_uncached: Tokens(5), ..Usage::default() });
    let asker = crate::Asker { operation: Operation::CountTokens, ..asker(&request, Framing::Sse) };
    let told = GeminiGenerate.encode_response(&Response { usage, ..Response::default() }, &asker);
    assert_eq!(String::from_utf8(told.body).unwrap(), r#"{"totalTokens":5}"#);
    let read = GeminiGenerate.decode_response(r#"{"totalTokens":5,"cachedContentTokenCount":2}"#).unwrap();
    let usage = read.usage.unwrap();
    assert_eq!((usage.input_uncached, usage.cache_read), (Tokens(3), Tokens(2)));
}

#[test]
fn schemas_in_the_words_of_openapi_are_read_as_json_schema() {
    let openapi = r#"{"type":"OBJECT","properties":{"any_of":{"type":"STRING","nullable":true,"enum":["a"],"format":"enum"},
        "n":{"type":"ARRAY","items":{"anyOf":[{"type":"INTEGER"},{"type":"BOOLEAN"}],"nullable":true},"min_items":"2","example":[1]}},
        "propertyOrdering":["n"],"required":["n"]}"#;
    let body = format!(
        r#"{{"contents":[],"tools":[{{"functionDeclarations":[{{"name":"f","parameters":{openapi}}}]}}]}}"#
    );
    let request = GeminiGenerate.decode_request(&route_for("generateContent"), &body).unwrap();
    let ToolKind::Function { parameters: Some(read), .. } = &request.tools[0].kind else { panic!() };
    let wanted = r#"{"type":"object","properties":{"any_of":{"type":["string","null"],"enum":["a",null]},"n":{"type":"array","items":{"anyOf":[{"type":"integer"},{"type":"boolean"},{"type":"null"}]},"minItems":2,"examples":[[1]]}},"required":["n"]}"#;
    assert_eq!(read.get(), wanted);
    request_round_trip(&GeminiGenerate, &route_for("generateContent"), &request);
}

#[test]
fn paths_are_named_in_the_dialects_words() {
    let check = |path: &str, wanted: &str| assert_eq!(GeminiGenerate.name_path(path), wanted);
    check("turns[2].parts[0].cache", "contents[2].parts[0].cache");
    check("system[0].cache", "systemInstruction.parts[0].cache");
    check("sampling.stop", "generationConfig.stopSequences");
    check("reasoning.effort", "generationConfig.thinkingConfig.thinkingLevel");
    check("tools[1].cache", "tools[1].cache");
    check("output.name", "generationConfig.responseJsonSchema.name");
    check("turns[1].parts[0].opaque", "contents[1].parts[0].thoughtSignature");
    check("candidates[0].parts[1].opaque", "candidates[0].content.parts[1].thoughtSignature");
    check("candidates[0].finish", "candidates[0].finishReason");
    assert!(GeminiGenerate.is_bookkeeping("turns[1].role"));
    assert!(GeminiGenerate.is_bookkeeping("tools[0].parameters"));
    assert!(!GeminiGenerate.is_bookkeeping("safetySettings"));
}
