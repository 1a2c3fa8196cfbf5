//! Requests, member by member.

use serde_json::{Value, json};
use shim_ir::{
    CacheMark, Effort, MediaKind, Opaque, OpaqueKind, OutputFormat, Part, Reasoning, ReasoningAsk,
    ReasoningControl, ReasoningMode, Request, Rest, Role, Sampling, Schema, Source, StreamAsk, Text, Tokens,
    Tool, ToolCall, ToolCallKind, ToolChoice, ToolKind, ToolResult, Traits, Turn,
};

use super::super::route_for;
use super::{call, check, encode, function, losses, media, of_turns, raw, result, text, traits, turn};

#[test]
fn every_quirk_is_listed_once_and_documented() {
    let words: std::collections::BTreeSet<_> =
        crate::openai_chat::QUIRKS.iter().map(|(word, _)| word).collect();
    assert_eq!(words.len(), crate::openai_chat::QUIRKS.len());
    assert!(crate::openai_chat::QUIRKS.iter().all(|(_, link)| link.starts_with("https://")));
}

#[test]
fn turns_become_messages() {
    let check = |turns: Vec<Turn>, quirks: &[&str], wanted: Value, lost: &[&str]| {
        check(&of_turns(turns), &traits(quirks), "messages", &wanted, lost);
    };
    // A turn for each item is one message with all calls, and their results follow at once.
    check(
        vec![
            turn(Role::Assistant, vec![text("a")]),
            turn(Role::Assistant, vec![Part::ToolCall(call("1", "f", "{}"))]),
            turn(Role::Assistant, vec![Part::ToolCall(call("2", "g", ""))]),
            turn(Role::Tool, vec![Part::ToolResult(result("1", None, vec![text("x")]))]),
            turn(Role::Tool, vec![Part::ToolResult(result("2", None, vec![]))]),
        ],
        &[],
        json!([
            { "role": "assistant", "content": "a", "tool_calls": [
                { "id": "1", "type": "function", "function": { "name": "f", "arguments": "{}" } },
                { "id": "2", "type": "function", "function": { "name": "g", "arguments": "{}" } },
            ] },
            { "role": "tool", "tool_call_id": "1", "content": "x" },
            { "role": "tool", "tool_call_id": "2", "content": "" },
        ]),
        &[],
    );
    // Results in a turn of the user come before what the user says; media is shown behind the last of them.
    let image = Part::Media(media(MediaKind::Image, Source::Inline("AA==".into()), Some("image/png")));
    let failed = ToolResult { error: true, ..result("2", None, vec![text("no")]) };
    check(
        vec![turn(
            Role::User,
            vec![
                Part::ToolResult(result("1", None, vec![image])),
                Part::ToolResult(failed),
                text("b"),
                text("c"),
            ],
        )],
        &[],
        json!([
            { "role": "tool", "tool_call_id": "1", "content": "The result is shown in the next message." },
            { "role": "tool", "tool_call_id": "2", "content": "Error: no" },
            { "role": "user", "content": [
                { "type": "text", "text": "This is the result of the tool call 1:" },
                { "type": "image_url", "image_url": { "url": "data:image/png;base64,AA==" } },
            ] },
            { "role": "user", "content": [{ "type": "text", "text": "b" }, { "type": "text", "text": "c" }] },
        ]),
        &["turns[0].parts[1].error approximated", "turns[0].parts[0].content[0] approximated"],
    );
    check(
        vec![turn(Role::User, vec![text("b"), text("c")]), turn(Role::Developer, vec![text("d")])],
        &["single_content_string", "no_developer_role"],
        json!([{ "role": "user", "content": "b\n\nc" }, { "role": "system", "content": "d" }]),
        &[],
    );
    check(
        vec![turn(Role::User, vec![text("b")]), turn(Role::System, vec![text("d")])],
        &["system_first"],
        json!([{ "role": "user", "content": "b" }, { "role": "user", "content": "d" }]),
        &["turns[1].role approximated"],
    );
    check(
        vec![turn(Role::System, vec![text("a")]), turn(Role::Developer, vec![text("b")])],
        &["system_first"],
        json!([{ "role": "system", "content": "a\n\nb" }]),
        &[],
    );
}

#[test]
fn instructions_are_one_text_unless_they_are_marked() {
    let marked =
        Text { cache: Some(CacheMark { ttl: Some("1h".into()), rest: Rest::default() }), ..Text::new("b") };
    let request = Request { system: vec![text("a"), Part::Text(marked)], ..of_turns(vec![]) };
    let plain = json!([{ "role": "system", "content": "a\n\nb" }]);
    check(&request, &traits(&[]), "messages", &plain, &["system[1].cache dropped"]);
    let list = json!([{ "role": "system", "content": [
        { "type": "text", "text": "a" },
        { "type": "text", "text": "b", "cache_control": { "type": "ephemeral", "ttl": "1h" } },
    ] }]);
    check(&request, &traits(&["cache_control"]), "messages", &list, &[]);
    let breakpoint = json!([{ "role": "system", "content": [
        { "type": "text", "text": "a" },
        { "type": "text", "text": "b", "prompt_cache_breakpoint": { "mode": "explicit" } },
    ] }]);
    let life = ["system[1].cache.ttl approximated"];
    check(&request, &traits(&["prompt_cache_breakpoint"]), "messages", &breakpoint, &life);
}

#[test]
fn calls_without_ids_get_them_with_their_results() {
    let turns = vec![
        turn(Role::Assistant, vec![Part::ToolCall(call("", "f", "{}")), Part::ToolCall(call("", "g", "{}"))]),
        turn(
            Role::User,
            vec![
                Part::ToolResult(result("", Some("g"), vec![text("of g")])),
                Part::ToolResult(result("", Some("f"), vec![text("of f")])),
            ],
        ),
    ];
    let ids = |quirks: &[&str]| {
        let (body, _) = encode(&of_turns(turns.clone()), &traits(quirks));
        let messages = &body["messages"];
        let id = |value: &Value| value.as_str().unwrap().to_owned();
        let calls = [id(&messages[0]["tool_calls"][0]["id"]), id(&messages[0]["tool_calls"][1]["id"])];
        (calls, [id(&messages[1]["tool_call_id"]), id(&messages[2]["tool_call_id"])])
    };
    let ([f, g], results) = ids(&[]);
    assert_eq!((f.as_str(), g.as_str()), ("call_0_0", "call_0_1"));
    assert_eq!(results, [g, f]);
    let ([f, g], results) = ids(&["call_ids_of_9"]);
    assert!([&f, &g].iter().all(|id| id.len() == 9 && id.bytes().all(|b| b.is_ascii_alphanumeric())));
    assert!(f != g && results == [g, f]);
}

#[test]
fn tools_are_renamed_flattened_and_remembered() {
    let custom = Tool { kind: ToolKind::Custom { format: None }, ..function("patch") };
    let group = Tool { kind: ToolKind::Group(vec![function("run")]), ..function("shell") };
    let mut request = of_turns(vec![turn(
        Role::Assistant,
        vec![
            Part::ToolCall(call("1", "a.b", "{}")),
            Part::ToolCall(ToolCall { kind: ToolCallKind::Custom, ..call("2", "patch", "x\"") }),
        ],
    )]);
    request.tools = vec![function("a.b"), function("a_b"), custom, group];
    request.tool_choice = Some(ToolChoice::Named("a.b".into()));
    let (body, encoded) = encode(&request, &traits(&["no_custom_tools"]));
    let names: Vec<_> = body["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| tool["function"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["a_b", "a_b_2", "patch", "shell__run"]);
    assert_eq!(body["tool_choice"]["function"]["name"], "a_b");
    let calls = &body["messages"][0]["tool_calls"];
    assert_eq!(calls[0]["function"]["name"], "a_b");
    assert_eq!(calls[1]["function"]["arguments"], r#"{"input":"x\""}"#);
    let sent: Vec<_> = encoded
        .echo
        .tools
        .iter()
        .map(|tool| (tool.sent.as_str(), tool.name.as_str(), tool.free_text))
        .collect();
    let wanted = [
        ("a_b", "a.b", false),
        ("a_b_2", "a_b", false),
        ("patch", "patch", true),
        ("shell__run", "run", false),
    ];
    assert_eq!(sent, wanted);
    assert_eq!(encoded.echo.tools[3].rest.get("namespace").unwrap().get(), "\"shell\"");
}

#[test]
fn tools_nobody_else_has_are_told() {
    let mut request = of_turns(vec![]);
    request.tools =
        vec![Tool { kind: ToolKind::Native("web_search_20260209".into()), ..function("web_search") }];
    check(&request, &traits(&[]), "tools", &Value::Null, &["tools[0] unsupported"]);
    check(&request, &traits(&["web_search_options"]), "web_search_options", &json!({}), &[]);
    let tool = json!([{ "type": "openrouter:web_search" }]);
    check(&request, &traits(&["openrouter_web_search"]), "tools", &tool, &[]);
    let without = Traits { tools: Some(false), ..Traits::default() };
    check(&request, &without, "tools", &Value::Null, &["tools unsupported"]);
}

#[test]
fn the_form_of_the_answer_is_asked_for() {
    let schema = |text: &str| Schema { schema: Some(raw(text)), ..Schema::default() };
    let mut request = of_turns(vec![]);
    request.output =
        Some(OutputFormat::Schema(schema(r#"{"type":"OBJECT","properties":{"a":{"type":"STRING"}}}"#)));
    let wanted = json!({ "type": "json_schema", "json_schema": {
        "name": "answer", "schema": { "type": "object", "properties": { "a": { "type": "string" } } },
    } });
    check(&request, &traits(&[]), "response_format", &wanted, &["output.name defaulted"]);
    let (body, encoded) = encode(&request, &traits(&["json_object_only"]));
    assert_eq!(encoded.echo.json_tool.as_deref(), Some("json_answer"));
    assert_eq!(body["tool_choice"]["function"]["name"], "json_answer");
    let parameters = json!({ "type": "object", "properties": { "a": { "type": "string" } } });
    let function = json!({ "name": "json_answer", "parameters": parameters });
    assert_eq!(body["tools"], json!([{ "type": "function", "function": function }]));
    assert_eq!(losses(&encoded), ["output approximated"]);
    let without = Traits { tools: Some(false), schema: Some(false), ..Traits::default() };
    check(&request, &without, "response_format", &json!({ "type": "json_object" }), &["output unsupported"]);
}

#[test]
fn reasoning_is_asked_for_as_the_model_takes_it() {
    let ask = |ask: ReasoningAsk| Request { reasoning: Some(ask), ..of_turns(vec![]) };
    let effort = |effort| ask(ReasoningAsk { effort: Some(effort), ..ReasoningAsk::default() });
    let budget = |budget| ask(ReasoningAsk { budget: Some(Tokens(budget)), ..ReasoningAsk::default() });
    let off = ask(ReasoningAsk { mode: Some(ReasoningMode::Off), ..ReasoningAsk::default() });
    let with = |reasoning, quirks: &[&str]| Traits { reasoning, ..traits(quirks) };
    let words = || ReasoningControl::Effort(vec![Effort::Low, Effort::High]);
    let bounds = || ReasoningControl::Budget { min: Tokens(128), max: Tokens(9_000), off: true };
    let key = "reasoning_effort";
    check(&effort(Effort::High), &traits(&[]), key, &json!("high"), &[]);
    check(
        &effort(Effort::Medium),
        &with(words(), &[]),
        key,
        &json!("high"),
        &["reasoning.effort approximated"],
    );
    check(
        &budget(5_000),
        &with(words(), &[]),
        key,
        &json!("high"),
        &["reasoning.budget approximated", "reasoning.effort approximated"],
    );
    check(&off, &with(ReasoningControl::None, &[]), key, &Value::Null, &[]);
    check(
        &effort(Effort::Low),
        &with(ReasoningControl::None, &[]),
        key,
        &Value::Null,
        &["reasoning dropped"],
    );
    let object = ["reasoning_object"];
    check(
        &budget(50),
        &with(bounds(), &object),
        "reasoning",
        &json!({ "max_tokens": 128 }),
        &["reasoning.budget approximated"],
    );
    check(&off, &traits(&object), "reasoning", &json!({ "effort": "none" }), &[]);
    let thinking = ["thinking_object"];
    check(&off, &with(words(), &thinking), "thinking", &json!({ "type": "disabled" }), &[]);
    check(&effort(Effort::High), &with(words(), &thinking), "thinking", &json!({ "type": "enabled" }), &[]);
    check(&off, &traits(&["enable_thinking"]), "enable_thinking", &json!(false), &[]);
    check(&budget(50), &traits(&["enable_thinking"]), "thinking_budget", &json!(50), &[]);
}

#[test]
fn reasoning_of_earlier_turns_goes_back_only_where_it_is_wanted() {
    let signed = Opaque { kind: OpaqueKind::Signature, value: "sig".into() };
    let reasoning = Reasoning { text: vec!["r".into()], opaque: vec![signed], ..Reasoning::default() };
    let request = of_turns(vec![turn(Role::Assistant, vec![Part::Reasoning(reasoning), text("a")])]);
    let opaque = "turns[0].parts[0].opaque dropped";
    let plain = json!([{ "role": "assistant", "content": "a" }]);
    check(&request, &traits(&[]), "messages", &plain, &[opaque, "turns[0].parts[0] dropped"]);
    let back = json!([{ "role": "assistant", "content": "a", "reasoning_content": "r" }]);
    check(&request, &traits(&["reasoning_content_back"]), "messages", &back, &[opaque]);
}

#[test]
fn numbers_stay_in_range_and_words_within_bounds() {
    let mut request = of_turns(vec![]);
    request.sampling.temperature = Some(2.5);
    check(&request, &traits(&[]), "temperature", &json!(2.0), &["sampling.temperature approximated"]);
    check(
        &request,
        &traits(&["no_sampling"]),
        "temperature",
        &Value::Null,
        &["sampling.temperature dropped"],
    );
    request = of_turns(vec![]);
    request.sampling.stop = ["a", "b", "c", "d", "e"].map(str::to_owned).to_vec();
    check(&request, &traits(&[]), "stop", &json!(["a", "b", "c", "d"]), &["sampling.stop[4] unsupported"]);
    request = of_turns(vec![]);
    request.sampling.top_k = Some(40.0);
    check(&request, &traits(&[]), "top_k", &Value::Null, &["sampling.top_k dropped"]);
    check(&request, &traits(&["top_k"]), "top_k", &json!(40), &[]);
    request = of_turns(vec![]);
    request.sampling.output_max = Some(Tokens(9));
    check(&request, &traits(&[]), "max_tokens", &json!(9), &[]);
    check(&request, &traits(&["max_completion_tokens"]), "max_completion_tokens", &json!(9), &[]);
    request = of_turns(vec![]);
    request.state.previous = Some("r".into());
    check(&request, &traits(&[]), "previous", &Value::Null, &["state.previous unsupported"]);
    request = of_turns(vec![]);
    request.stream = Some(StreamAsk::default());
    check(&request, &traits(&[]), "stream_options", &json!({ "include_usage": true }), &[]);
}

#[test]
fn media_that_cannot_be_sent_is_told() {
    let check = |kind, source, mime, quirks: &[&str], wanted: Value, lost: &[&str]| {
        let request = of_turns(vec![turn(Role::User, vec![Part::Media(media(kind, source, mime))])]);
        let (body, encoded) = encode(&request, &traits(quirks));
        assert_eq!(body["messages"][0]["content"][0], wanted);
        let losses = losses(&encoded);
        assert_eq!(
            losses.iter().map(|loss| loss.trim_start_matches("turns[0].parts[0]")).collect::<Vec<_>>(),
            lost
        );
    };
    let url = || Source::Url("https://x/y".into());
    check(MediaKind::File, url(), None, &[], Value::Null, &[" unsupported"]);
    let document = json!({ "type": "document_url", "document_url": "https://x/y" });
    check(MediaKind::File, url(), None, &["document_url"], document, &[]);
    check(MediaKind::Video, url(), None, &[], Value::Null, &[" unsupported"]);
    check(MediaKind::Audio, url(), None, &[], Value::Null, &[" unsupported"]);
    check(MediaKind::Image, Source::Handle("f".into()), None, &[], Value::Null, &[" unsupported"]);
    let inline = || Source::Inline("AA==".into());
    let sound = json!({ "type": "input_audio", "input_audio": { "data": "AA==", "format": "mp3" } });
    check(MediaKind::Audio, inline(), Some("audio/mpeg"), &[], sound, &[]);
    let pdf = json!({ "type": "file", "file": { "file_data": "data:application/pdf;base64,AA==", "filename": "file.pdf" } });
    check(MediaKind::File, inline(), Some("application/pdf"), &[], pdf, &[".name defaulted"]);
    let plain = json!({ "type": "text", "text": "words" });
    check(MediaKind::File, Source::Plain("words".into()), None, &[], plain, &[" approximated"]);
}

#[test]
fn a_tool_is_forced_where_the_model_can_be_made_to_call_one() {
    let ask = |choice| Request {
        tools: vec![function("a"), function("b")],
        tool_choice: Some(choice),
        ..of_turns(vec![])
    };
    let named = || ToolChoice::Named("a".into());
    let name = json!({ "type": "function", "function": { "name": "a" } });
    let key = "tool_choice";
    let (lost, told) = (["tool_choice approximated"], ["reasoning approximated"]);
    check(&ask(named()), &traits(&[]), key, &name, &[]);
    for quirk in ["tool_choice_auto", "no_forced_tools"] {
        check(&ask(named()), &traits(&[quirk]), key, &json!("auto"), &lost);
        check(&ask(ToolChoice::Required), &traits(&[quirk]), key, &json!("auto"), &lost);
        check(&ask(ToolChoice::Auto), &traits(&[quirk]), key, &json!("auto"), &[]);
    }
    check(&ask(ToolChoice::None), &traits(&["tool_choice_auto"]), "tools", &Value::Null, &lost);
    check(&ask(ToolChoice::None), &traits(&[]), key, &json!("none"), &[]);
    check(&ask(named()), &traits(&["no_named_choice"]), key, &json!("required"), &lost);
    let one = Request { tools: vec![function("a")], ..ask(named()) };
    check(&one, &traits(&["no_named_choice"]), key, &json!("required"), &[]);
    // Where thinking is in the way, it is turned off, or the choice is left to the model.
    let thinking = ["no_forced_tools_thinking", "thinking_object"];
    check(&ask(named()), &traits(&thinking), key, &name, &told);
    check(&ask(named()), &traits(&thinking), "thinking", &json!({ "type": "disabled" }), &told);
    let switch = ["no_forced_tools_thinking", "enable_thinking"];
    check(&ask(ToolChoice::Required), &traits(&switch), "enable_thinking", &json!(false), &told);
    check(&ask(named()), &traits(&["no_forced_tools_thinking"]), key, &json!("auto"), &lost);
    let off = ReasoningAsk { mode: Some(ReasoningMode::Off), ..ReasoningAsk::default() };
    let off = Request { reasoning: Some(off), ..ask(named()) };
    check(&off, &traits(&thinking), key, &name, &[]);
    let never = Traits { reasoning: ReasoningControl::None, ..traits(&thinking) };
    check(&ask(named()), &never, key, &name, &[]);
}

#[test]
fn sampling_is_taken_where_the_model_does_not_reason() {
    let words = |words: &[Effort]| ReasoningControl::Effort(words.to_vec());
    let with = |quirks: &[&str]| Traits {
        reasoning: words(&[Effort::None, Effort::High]),
        ..traits(&[&["no_sampling", "sampling_if_unthinking"], quirks].concat())
    };
    let ask = |effort: Option<Effort>| Request {
        reasoning: effort.map(|effort| ReasoningAsk { effort: Some(effort), ..ReasoningAsk::default() }),
        sampling: Sampling {
            temperature: Some(0.5),
            presence_penalty: Some(1.0),
            logprobs: Some(true),
            ..Sampling::default()
        },
        ..of_turns(vec![])
    };
    let some = ["sampling.presence_penalty dropped"];
    let all = [
        "sampling.temperature dropped",
        "sampling.presence_penalty dropped",
        "sampling.logprobs unsupported",
    ];
    let key = "temperature";
    check(&ask(Some(Effort::None)), &with(&[]), key, &json!(0.5), &some);
    check(&ask(Some(Effort::None)), &with(&[]), "logprobs", &json!(true), &some);
    check(&ask(Some(Effort::High)), &with(&[]), key, &Value::Null, &all);
    check(&ask(None), &with(&[]), key, &Value::Null, &all);
    check(&ask(None), &with(&["thinks_if_asked"]), key, &json!(0.5), &some);
    check(&ask(Some(Effort::None)), &traits(&["no_sampling"]), key, &Value::Null, &all);
    // A model that cannot be told not to reason.
    let always = Traits { reasoning: words(&[Effort::High]), ..with(&[]) };
    let lost = [&["reasoning.effort approximated"], &all[..]].concat();
    check(&ask(Some(Effort::None)), &always, key, &Value::Null, &lost);
}

#[test]
fn names_seeds_and_parameters_are_as_the_provider_takes_them() {
    let mut request = of_turns(vec![turn(Role::User, vec![text("a")])]);
    request.turns[0].name = Some("n".into());
    check(&request, &traits(&[]), "messages", &json!([{ "role": "user", "content": "a", "name": "n" }]), &[]);
    let plain = json!([{ "role": "user", "content": "a" }]);
    check(&request, &traits(&["no_message_name"]), "messages", &plain, &["turns[0].name dropped"]);
    let mut request = of_turns(vec![]);
    request.sampling.seed = Some(7);
    check(&request, &traits(&["random_seed"]), "random_seed", &json!(7), &[]);
    check(&request, &traits(&[]), "seed", &json!(7), &[]);
    let schema = r#"{"anyOf":[{"properties":{"a":{}}},{"properties":{"b":{}}}]}"#;
    let kind = ToolKind::Function { parameters: Some(raw(schema)), strict: None };
    let request = Request { tools: vec![Tool { kind, ..function("f") }], ..of_turns(vec![]) };
    let (body, encoded) = encode(&request, &traits(&["object_parameters"]));
    let parameters = &body["tools"][0]["function"]["parameters"];
    assert_eq!(
        (&parameters["type"], &parameters["properties"]),
        (&json!("object"), &json!({ "a": {}, "b": {} }))
    );
    assert_eq!(losses(&encoded), ["tools[0].parameters approximated"]);
    let (body, encoded) = encode(&request, &traits(&[]));
    assert!(body["tools"][0]["function"]["parameters"].get("anyOf").is_some() && encoded.losses.is_empty());
}

#[test]
fn a_search_of_the_web_is_a_tool_and_comes_back_as_it_was() {
    let body = r#"{"model":"m","messages":[],"web_search_options":{"search_context_size":"low","user_location":
        {"type":"approximate","approximate":{"city":"Bonn"}}}}"#;
    use crate::Decode as _;
    let request =
        crate::openai_chat::OpenaiChat.decode_request(&route_for(crate::Operation::Generate), body).unwrap();
    assert!(
        matches!(&request.tools[..], [Tool { kind: ToolKind::Native(_), .. }]) && request.rest.is_empty()
    );
    let sent = encode(&request, &traits(&[])).0;
    let wanted: Value = serde_json::from_str(body).unwrap();
    assert_eq!(sent["web_search_options"], wanted["web_search_options"]);
    // Another dialect's search has the options that both have.
    let rest = Rest::from_owned(
        shim_ir::Dialect::Anthropic,
        vec![
            ("user_location".into(), raw(r#"{"type":"approximate","city":"Bonn"}"#)),
            ("max_uses".into(), raw("3")),
        ],
    );
    let tool = Tool { kind: ToolKind::Native("web_search_20260209".into()), rest, ..function("web_search") };
    let request = Request { tools: vec![tool], ..of_turns(vec![]) };
    let wanted = json!({ "user_location": { "type": "approximate", "approximate": { "city": "Bonn" } } });
    check(
        &request,
        &traits(&["web_search_options"]),
        "web_search_options",
        &wanted,
        &["tools[0].max_uses dropped"],
    );
}
