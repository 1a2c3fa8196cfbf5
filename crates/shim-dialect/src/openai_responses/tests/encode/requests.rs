//! Requests of other dialects, and what a target takes of them.

use serde_json::{Value, json};
use shim_ir::{
    Effort, LossKind, Media, MediaKind, Opaque, OpaqueKind, OutputFormat, Part, Reasoning, ReasoningAsk,
    ReasoningControl, ReasoningMode, Request, Rest, Role, Sampling, Schema, Source, Text, Tokens, Tool,
    ToolCallKind, ToolKind, ToolResult, Traits, Turn,
};

use super::{Lost, call, encode, loses, mark, own, raw, text, traits, turn};
use crate::openai_responses::OpenaiResponses;
use crate::{Encode, Goal, Operation};

fn result(id: &str, name: Option<&str>, words: &str) -> Part {
    Part::ToolResult(ToolResult {
        call: id.into(),
        name: name.map(str::to_owned),
        content: vec![text(words)],
        json: false,
        error: false,
        kind: ToolCallKind::Function,
        cache: None,
        rest: Rest::default(),
    })
}

fn media(kind: MediaKind, source: Source, mime: Option<&str>) -> Media {
    Media {
        kind,
        source,
        mime: mime.map(str::to_owned),
        name: None,
        detail: None,
        cache: None,
        opaque: vec![],
        rest: Rest::default(),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "a table reads better without borrows")]
#[track_caller]
fn input(turns: Vec<Turn>, quirks: &[&str], wanted: Value, losses: Lost<'_>) {
    let (encoded, body) = encode(&Request { turns, ..Request::default() }, &traits(quirks));
    assert_eq!(body["input"], wanted);
    loses(&encoded.losses, losses);
}

#[test]
fn turns_become_items() {
    let said = |role: &str, words: &str| json!({ "type": "message", "role": role, "content": words });
    input(
        vec![
            turn(Role::System, vec![text("rules")]),
            turn(Role::User, vec![text("go")]),
            turn(Role::Assistant, vec![text("well"), Part::ToolCall(call("c", "look", "")), text("so")]),
            turn(Role::User, vec![result("c", None, "seen"), text("and?")]),
            turn(Role::Developer, vec![text("more rules")]),
        ],
        &[],
        json!([
            said("system", "rules"),
            said("user", "go"),
            said("assistant", "well"),
            { "type": "function_call", "call_id": "c", "name": "look", "arguments": "{}" },
            said("assistant", "so"),
            { "type": "function_call_output", "call_id": "c", "output": "seen" },
            said("user", "and?"),
            said("developer", "more rules"),
        ]),
        &[],
    );
    // Two calls of one tool without ids, and their results.
    input(
        vec![
            turn(
                Role::Assistant,
                vec![Part::ToolCall(call("", "f", "{}")), Part::ToolCall(call("", "g", "{}"))],
            ),
            turn(Role::User, vec![result("", Some("g"), "2"), result("", Some("f"), "1")]),
        ],
        &[],
        json!([
            { "type": "function_call", "call_id": "call_made_0", "name": "f", "arguments": "{}" },
            { "type": "function_call", "call_id": "call_made_1", "name": "g", "arguments": "{}" },
            { "type": "function_call_output", "call_id": "call_made_1", "output": "2" },
            { "type": "function_call_output", "call_id": "call_made_0", "output": "1" },
        ]),
        &[],
    );
}

#[test]
fn media_become_content() {
    use LossKind::{Approximated, Dropped, Unsupported};
    let content = |role: &str, parts: Value| json!([{ "type": "message", "role": role, "content": parts }]);
    let image = Media {
        cache: mark(),
        detail: Some("MEDIA_RESOLUTION_LOW".into()),
        ..media(MediaKind::Image, Source::Inline("/9j/".into()), None)
    };
    input(
        vec![turn(Role::User, vec![Part::Media(image.clone())])],
        &["cache_breakpoints"],
        content(
            "user",
            json!([{ "type": "input_image", "image_url": "data:image/jpeg;base64,/9j/", "detail": "low",
                "prompt_cache_breakpoint": { "mode": "explicit" } }]),
        ),
        &[],
    );
    input(
        vec![turn(Role::User, vec![Part::Media(image)])],
        &[],
        content(
            "user",
            json!([{ "type": "input_image", "image_url": "data:image/jpeg;base64,/9j/", "detail": "low" }]),
        ),
        &[("turns[0].parts[0].cache", Dropped)],
    );
    let pdf = media(MediaKind::File, Source::Inline("JVBE".into()), Some("application/pdf"));
    input(
        vec![turn(Role::User, vec![Part::Media(pdf)])],
        &[],
        content(
            "user",
            json!([{ "type": "input_file", "file_data": "data:application/pdf;base64,JVBE", "filename": "document.pdf" }]),
        ),
        &[("turns[0].parts[0].name", LossKind::Defaulted)],
    );
    for (kind, source, mime) in [
        (MediaKind::Video, Source::Url("https://v".into()), None),
        (MediaKind::Audio, Source::Url("https://a".into()), Some("audio/wav")),
        (MediaKind::Image, Source::Handle("files/abc".into()), None),
    ] {
        input(
            vec![turn(Role::User, vec![Part::Media(media(kind, source, mime))])],
            &[],
            content("user", json!([])),
            &[("turns[0].parts[0]", Unsupported)],
        );
    }
    let plain =
        Media { name: Some("T".into()), ..media(MediaKind::File, Source::Plain("words".into()), None) };
    input(
        vec![turn(Role::User, vec![Part::Media(plain)])],
        &[],
        content("user", json!([{ "type": "input_text", "text": "T\n\nwords" }])),
        &[("turns[0].parts[0]", Approximated)],
    );
}

#[test]
fn reasoning_goes_back_where_it_can_be_read() {
    use LossKind::Dropped;
    let reasoning = |kind: Option<OpaqueKind>, words: &str| {
        let opaque = kind.map(|kind| Opaque { kind, value: "state".into() });
        let text = if words.is_empty() { vec![] } else { vec![words.to_owned()] };
        Part::Reasoning(Reasoning { text, opaque: opaque.into_iter().collect(), ..Reasoning::default() })
    };
    let encrypted = json!([{ "type": "reasoning", "summary": [], "encrypted_content": "state" }]);
    let history = |part: Part| vec![turn(Role::Assistant, vec![part])];
    input(history(reasoning(Some(OpaqueKind::Encrypted), "")), &[], encrypted, &[]);
    let opaque = ("turns[0].parts[0].opaque", Dropped);
    let whole = ("turns[0].parts[0]", Dropped);
    input(history(reasoning(Some(OpaqueKind::Signature), "hm")), &[], json!([]), &[opaque, whole]);
    input(history(reasoning(Some(OpaqueKind::Redacted), "")), &[], json!([]), &[opaque]);
    input(history(reasoning(None, "hm")), &[], json!([]), &[whole]);
    let readable = json!([{ "type": "reasoning", "summary": [], "content": [{ "type": "reasoning_text", "text": "hm" }] }]);
    input(history(reasoning(None, "hm")), &["reasoning_text_back"], readable, &[]);
}

#[test]
fn results_keep_their_media_and_their_marks() {
    use LossKind::Dropped;
    let Part::ToolResult(mut given) = result("c", None, "seen") else { panic!() };
    given.content.push(Part::Media(media(MediaKind::Image, Source::Url("https://i".into()), None)));
    given.error = true;
    given.cache = mark();
    let parts = |marked: bool| {
        let mut image = json!({ "type": "input_image", "image_url": "https://i" });
        if marked {
            image["prompt_cache_breakpoint"] = json!({ "mode": "explicit" });
        }
        json!([{ "type": "function_call_output", "call_id": "c", "output": [{ "type": "input_text", "text": "seen" }, image] }])
    };
    let turns = vec![turn(Role::Tool, vec![Part::ToolResult(given)])];
    let error = ("turns[0].parts[0].error", Dropped);
    input(turns.clone(), &[], parts(false), &[("turns[0].parts[0].cache", Dropped), error]);
    input(turns, &["cache_breakpoints"], parts(true), &[error]);
}

#[test]
fn the_operator_speaks_first() {
    let asked = |system: Vec<Part>, quirks: &[&str]| {
        let turns = vec![turn(Role::User, vec![text("go")])];
        encode(&Request { system, turns, ..Request::default() }, &traits(quirks)).1
    };
    assert_eq!(asked(vec![text("a"), text("b")], &[])["instructions"], "a\n\nb");
    let marked = Part::Text(Text { cache: mark(), ..Text::new("b") });
    assert_eq!(asked(vec![text("a"), marked.clone()], &[])["instructions"], "a\n\nb");
    let body = asked(vec![text("a"), marked], &["cache_breakpoints"]);
    assert_eq!(body.get("instructions"), None);
    assert_eq!(body["input"][0]["role"], "system");
    assert_eq!(body["input"][0]["content"][1]["prompt_cache_breakpoint"]["mode"], "explicit");
}

#[expect(clippy::needless_pass_by_value, reason = "a table reads better without borrows")]
#[track_caller]
fn members(request: Request, traits: &Traits, wanted: Value, losses: Lost<'_>) {
    let (encoded, mut body) = encode(&request, traits);
    let object = body.as_object_mut().expect("an object");
    for always in ["model", "input", "store"] {
        object.remove(always);
    }
    assert_eq!(body, wanted);
    loses(&encoded.losses, losses);
}

#[test]
fn sampling_is_told_within_bounds() {
    use LossKind::{Approximated, Dropped, Unsupported};
    let sampled = |sampling: Sampling| Request { sampling, ..Request::default() };
    let some = Sampling {
        temperature: Some(3.0),
        top_k: Some(5.0),
        seed: Some(1),
        output_max: Some(Tokens(1)),
        ..Sampling::default()
    };
    members(
        sampled(some.clone()),
        &Traits::default(),
        json!({ "temperature": 2.0, "max_output_tokens": 16 }),
        &[
            ("sampling.temperature", Approximated),
            ("sampling.top_k", Dropped),
            ("sampling.output_max", Approximated),
            ("sampling.seed", Dropped),
        ],
    );
    let fixed = Traits { output_max: Some(Tokens(100)), ..traits(&["fixed_sampling", "top_k"]) };
    let much = Sampling { output_max: Some(Tokens(1000)), seed: None, ..some };
    members(
        sampled(much),
        &fixed,
        json!({ "top_k": 5.0, "max_output_tokens": 100 }),
        &[("sampling.temperature", Dropped), ("sampling.output_max", Approximated)],
    );
    let free = Traits {
        reasoning: ReasoningControl::Effort(vec![Effort::None, Effort::High]),
        ..traits(&["fixed_sampling", "sampling_if_unthinking"])
    };
    let warm = Sampling { temperature: Some(0.5), ..Sampling::default() };
    let reasoned = |effort| {
        let ask = ReasoningAsk { effort: Some(effort), ..ReasoningAsk::default() };
        Request { reasoning: Some(ask), ..sampled(warm.clone()) }
    };
    let none = json!({ "temperature": 0.5, "reasoning": { "effort": "none" } });
    members(reasoned(Effort::None), &free, none, &[]);
    let high = json!({ "reasoning": { "effort": "high" }, "include": ["reasoning.encrypted_content"] });
    members(reasoned(Effort::High), &free, high, &[("sampling.temperature", Dropped)]);
    members(sampled(warm.clone()), &free, json!({}), &[("sampling.temperature", Dropped)]);
    let asked = Traits { quirks: [&free.quirks[..], &["thinks_if_asked".into()]].concat(), ..free };
    members(sampled(warm), &asked, json!({ "temperature": 0.5 }), &[]);
    let stopped = Sampling {
        stop: vec!["x".into()],
        candidates: Some(2),
        logprobs: Some(true),
        top_logprobs: Some(3),
        ..Sampling::default()
    };
    members(
        sampled(stopped),
        &Traits::default(),
        json!({ "top_logprobs": 3, "include": ["message.output_text.logprobs"] }),
        &[("sampling.stop", Unsupported), ("sampling.candidates", Unsupported)],
    );
}

/// A model that takes these efforts.
fn efforts(list: &[Effort]) -> Traits {
    Traits { reasoning: ReasoningControl::Effort(list.to_vec()), ..Traits::default() }
}

/// A model whose reasoning has a budget, and can be turned off.
fn budget() -> Traits {
    let reasoning = ReasoningControl::Budget { min: Tokens(1024), max: Tokens(8000), off: true };
    Traits { reasoning, ..Traits::default() }
}

fn ask(effort: Option<Effort>, budget: Option<u64>, mode: Option<ReasoningMode>) -> ReasoningAsk {
    ReasoningAsk { effort, budget: budget.map(Tokens), mode, ..ReasoningAsk::default() }
}

#[test]
fn reasoning_is_asked_for_as_the_model_takes_it() {
    use LossKind::{Approximated, Dropped};
    let encrypted = json!(["reasoning.encrypted_content"]);
    let cases: [(ReasoningAsk, Traits, Value, Lost<'_>); 9] = [
        (ask(Some(Effort::High), None, None), Traits::default(), json!({ "effort": "high" }), &[]),
        (
            ask(None, Some(5000), None),
            Traits::default(),
            json!({ "effort": "medium" }),
            &[("reasoning.budget", Approximated)],
        ),
        (
            ask(Some(Effort::Max), None, None),
            efforts(&[Effort::Low, Effort::High]),
            json!({ "effort": "high" }),
            &[("reasoning.effort", Approximated)],
        ),
        (ask(Some(Effort::Max), None, None), efforts(&[]), Value::Null, &[("reasoning.effort", Dropped)]),
        (ask(None, None, Some(ReasoningMode::Adaptive)), efforts(&[Effort::Low]), Value::Null, &[]),
        (
            ask(Some(Effort::Low), None, None),
            budget(),
            json!({ "max_tokens": 1024 }),
            &[("reasoning.effort", Approximated)],
        ),
        (
            ask(None, Some(9000), None),
            budget(),
            json!({ "max_tokens": 8000 }),
            &[("reasoning.budget", Approximated)],
        ),
        (
            ReasoningAsk { show: Some("summarized".into()), ..ask(None, None, Some(ReasoningMode::On)) },
            Traits::default(),
            json!({ "summary": "auto" }),
            &[],
        ),
        (
            ReasoningAsk { show: Some("odd".into()), ..ReasoningAsk::default() },
            Traits::default(),
            Value::Null,
            &[("reasoning.show", Dropped)],
        ),
    ];
    for (wish, traits, wanted, losses) in cases {
        let wanted = if wanted.is_null() {
            json!({ "include": encrypted })
        } else {
            json!({ "reasoning": wanted, "include": encrypted })
        };
        members(Request { reasoning: Some(wish), ..Request::default() }, &traits, wanted, losses);
    }
}

#[test]
fn reasoning_is_turned_off_as_the_model_takes_it() {
    use LossKind::{Approximated, Dropped};
    let off = Request { reasoning: Some(ask(None, None, Some(ReasoningMode::Off))), ..Request::default() };
    members(off.clone(), &Traits::default(), json!({ "reasoning": { "effort": "none" } }), &[]);
    members(off.clone(), &budget(), json!({ "reasoning": { "enabled": false } }), &[]);
    members(
        off.clone(),
        &efforts(&[Effort::Low]),
        json!({ "reasoning": { "effort": "low" } }),
        &[("reasoning.mode", Approximated)],
    );
    let none = Traits { reasoning: ReasoningControl::None, ..Traits::default() };
    members(off, &none, json!({}), &[]);
    members(
        Request { reasoning: Some(ask(Some(Effort::Low), None, None)), ..Request::default() },
        &none,
        json!({}),
        &[("reasoning", Dropped)],
    );
}

#[test]
fn encrypted_reasoning_is_asked_for_wherever_a_call_may_rest_on_it() {
    let tool = Tool {
        name: "look".into(),
        description: None,
        kind: ToolKind::Function { parameters: None, strict: None },
        cache: None,
        rest: Rest::default(),
    };
    let check = |reasoning: &ReasoningControl, tools: &[Tool], mode: Option<ReasoningMode>, wanted: bool| {
        let wish = mode.map(|mode| ReasoningAsk { mode: Some(mode), ..ReasoningAsk::default() });
        let request = Request { tools: tools.to_vec(), reasoning: wish, ..Request::default() };
        let (_, body) = encode(&request, &Traits { reasoning: reasoning.clone(), ..Traits::default() });
        let asked = body["include"] == json!(["reasoning.encrypted_content"]);
        assert_eq!(asked, wanted, "{reasoning:?} {tools:?} {mode:?}");
    };
    let reasons = ReasoningControl::Effort(vec![Effort::None, Effort::High]);
    let tools = [tool];
    check(&reasons, &tools, None, true);
    check(&reasons, &[], None, false);
    check(&reasons, &tools, Some(ReasoningMode::Off), false);
    check(&reasons, &[], Some(ReasoningMode::On), true);
    for unreasoning in [ReasoningControl::Unknown, ReasoningControl::None] {
        check(&unreasoning, &tools, None, false);
    }
}

#[test]
fn the_rest_of_a_request_is_told_or_reported() {
    use LossKind::{Approximated, Defaulted, Noted, Unsupported};
    let schema = |strict| {
        OutputFormat::Schema(Schema {
            schema: Some(raw(r#"{"type":"object","properties":{"a":{}}}"#)),
            strict,
            ..Schema::default()
        })
    };
    let format = |strict: Value| json!({ "text": { "format": { "type": "json_schema", "name": "answer", "schema": { "type": "object", "properties": { "a": {} } }, "strict": strict } } });
    members(
        Request { output: Some(schema(Some(true))), ..Request::default() },
        &Traits::default(),
        format(json!(false)),
        &[("output.name", Defaulted), ("output.strict", Approximated)],
    );
    let loose = Traits { schema: Some(false), ..Traits::default() };
    members(
        Request { output: Some(schema(None)), ..Request::default() },
        &loose,
        json!({ "text": { "format": { "type": "json_object" } } }),
        &[("output.schema", Unsupported)],
    );
    let client = Request {
        user: Some("u".repeat(65)),
        metadata: Some(raw(r#"{"a":1}"#)),
        service_tier: Some("standard_only".into()),
        cache_key: Some("k".into()),
        modalities: vec!["text".into(), "audio".into()],
        ..Request::default()
    };
    members(
        client,
        &Traits::default(),
        json!({ "service_tier": "default", "prompt_cache_key": "k" }),
        &[("user", Noted), ("metadata", Noted), ("modalities", Unsupported)],
    );
}

#[test]
fn nothing_is_kept_for_a_client_that_knows_no_state() {
    let stored = |request: &Request| encode(request, &Traits::default()).1.get("store").cloned();
    assert_eq!(stored(&Request::default()), Some(json!(false)));
    assert_eq!(stored(&own(r#""input":"x""#)), None);
    assert_eq!(stored(&own(r#""input":"x","store":true"#)), Some(json!(true)));
    let goal = Goal { operation: Operation::CountTokens, model: "m", traits: &Traits::default(), seed: "s" };
    let counted = OpenaiResponses.encode_request(
        &Request { sampling: Sampling { seed: Some(1), ..Sampling::default() }, ..Request::default() },
        &goal,
    );
    assert_eq!((counted.body.to_text().as_str(), counted.losses), (r#"{"model":"m","input":[]}"#, vec![]));
}
