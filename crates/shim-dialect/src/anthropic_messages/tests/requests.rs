//! Requests, member by member.

use shim_ir::{
    Effort, MediaKind, OpaqueKind, OutputFormat, Part, ReasoningAsk, ReasoningMode, Request, Source, Tokens,
    Tool, ToolChoice, ToolKind,
};

use super::{part_told, route_for};
use crate::anthropic_messages::AnthropicMessages;
use crate::laws::request_laws;
use crate::{Decode, Encode, Operation};

#[track_caller]
fn ask(members: &str) -> Request {
    let body = format!(r#"{{"model":"m","max_tokens":9,{members}}}"#);
    request_laws(&AnthropicMessages, &route_for(Operation::Generate), &body)
}

#[track_caller]
fn messages(messages: &str) -> Request {
    ask(&format!(r#""messages":[{messages}]"#))
}

/// The parts of a user's message with these blocks.
#[track_caller]
fn blocks(blocks: &str) -> Vec<Part> {
    messages(&format!(r#"{{"role":"user","content":[{blocks}]}}"#)).turns.remove(0).parts
}

fn rest(request: &Request) -> Vec<String> {
    request.rest.members().iter().map(|(key, value)| format!("{key}={}", value.get())).collect()
}

#[test]
fn sampling_and_switches() {
    let request = ask(
        r#""messages":[],"temperature":1,"top_p":0.5,"top_k":3,"stop_sequences":["A","B"],"stream":true,
        "metadata":{"user_id":"u","team": "x"},"service_tier":"auto","speed":"fast","inference_geo":"us",
        "container":"c","mcp_servers":[{"name":"n"}],"context_management":{"edits":[]},"cache_control":null"#,
    );
    let sampling = &request.sampling;
    assert_eq!((sampling.temperature, sampling.top_p, sampling.top_k), (Some(1.0), Some(0.5), Some(3.0)));
    assert_eq!((sampling.stop.join(" ").as_str(), sampling.output_max), ("A B", Some(Tokens(9))));
    assert!(request.stream.as_ref().is_some_and(|stream| stream.usage.is_none()));
    assert_eq!((request.user.as_deref(), request.service_tier.as_deref()), (Some("u"), Some("auto")));
    assert_eq!(request.metadata.as_ref().unwrap().get(), r#"{"team":"x"}"#);
    let wanted = [
        r#"speed="fast""#,
        r#"inference_geo="us""#,
        r#"container="c""#,
        r#"mcp_servers=[{"name":"n"}]"#,
        r#"context_management={"edits":[]}"#,
    ];
    assert_eq!(rest(&request), wanted);
}

#[test]
fn servers_with_tools_are_tools() {
    let body = r#"{"model":"m","max_tokens":9,"messages":[],"tools":[{"type":"mcp_toolset","mcp_server_name":"a"}],
        "mcp_servers":[{"type":"url","url":"https://a","name":"a","authorization_token":"t"},
                       {"type":"url","url":"https://b","name":"b"}]}"#;
    let request = request_laws(&AnthropicMessages, &route_for(Operation::Generate), body);
    let named: Vec<_> = request.tools.iter().map(|tool| (tool.name.as_str(), &tool.kind)).collect();
    let (set, mcp) = (ToolKind::Native("mcp_toolset".into()), ToolKind::Native("mcp".into()));
    assert_eq!(named, [("mcp_toolset", &set), ("a", &mcp), ("b", &mcp)]);
    assert!(request.rest.is_empty());
    let traits = shim_ir::Traits::default();
    let goal = crate::Goal { operation: Operation::Generate, model: "m", traits: &traits, seed: "s" };
    let sent = AnthropicMessages.encode_request(&request, &goal);
    let [sent, body] =
        [&*sent.body.to_text(), body].map(|text| serde_json::from_str::<serde_json::Value>(text).unwrap());
    assert_eq!(sent, body);
}

#[test]
fn reasoning_is_asked_for_and_its_effort() {
    let reasoning = |members: &str| ask(&format!(r#""messages":[],{members}"#)).reasoning.unwrap();
    let on = reasoning(r#""thinking":{"type":"enabled","budget_tokens":1024}"#);
    assert_eq!((on.mode, on.budget), (Some(ReasoningMode::On), Some(Tokens(1024))));
    let adaptive =
        reasoning(r#""thinking":{"type":"adaptive","display":"omitted"},"output_config":{"effort":"xhigh"}"#);
    let wanted = ReasoningAsk {
        mode: Some(ReasoningMode::Adaptive),
        effort: Some(Effort::XHigh),
        show: Some("omitted".to_owned()),
        ..ReasoningAsk::default()
    };
    assert_eq!(adaptive, wanted);
    assert_eq!(reasoning(r#""thinking":{"type":"disabled"}"#).mode, Some(ReasoningMode::Off));
    let newer = reasoning(r#""thinking":{"type":"deep","x":1}"#);
    assert_eq!((newer.mode, newer.rest.get("type").unwrap().get()), (None, r#""deep""#));
}

#[test]
fn the_form_of_the_answer() {
    let format = r#"{"type":"json_schema","schema":{"type": "object"}}"#;
    for place in [format!(r#""output_config":{{"format":{format}}}"#), format!(r#""output_format":{format}"#)]
    {
        let request = ask(&format!(r#""messages":[],{place}"#));
        let Some(OutputFormat::Schema(schema)) = &request.output else { panic!("{request:?}") };
        assert_eq!(
            (schema.schema.as_ref().unwrap().get(), schema.strict),
            (r#"{"type": "object"}"#, Some(true))
        );
        assert_eq!(rest(&request), [""; 0]);
    }
    let both = ask(&format!(
        r#""messages":[],"output_config":{{"task_budget":{{"total":5}},"format":{{"type":"grammar"}}}},"output_format":{format}"#
    ));
    assert!(matches!(both.output, Some(OutputFormat::Other(_))));
    let wanted =
        [r#"output_config={"task_budget":{"total":5}}"#.to_owned(), format!("output_format={format}")];
    assert_eq!(rest(&both), wanted);
}

#[test]
fn what_the_operator_says() {
    let text = ask(r#""messages":[],"system":"be brief""#);
    assert_eq!(part_told(&text.system[0]), "text be brief");
    let marked = ask(
        r#""messages":[],"system":[{"type":"text","text":"a","cache_control":{"type":"ephemeral","ttl":"1h"}},
            {"type":"text","text":"b","cache_control":{"type":"ephemeral"}},
            {"type":"text","text":"c","cache_control":{"type":"lasting"}}]"#,
    );
    let marks: Vec<_> = marked
        .system
        .iter()
        .map(|part| {
            let Part::Text(text) = part else { panic!("{part:?}") };
            let mark = text.cache.as_ref().unwrap();
            (mark.ttl.as_deref(), mark.rest.members().len())
        })
        .collect();
    assert_eq!(marks, [(Some("1h"), 0), (None, 0), (None, 1)]);
}

#[test]
fn the_operator_may_speak_in_the_middle() {
    let told = |request: &Request| -> Vec<String> {
        let turn = |turn: &shim_ir::Turn| {
            format!("{:?}: {}", turn.role, turn.parts.iter().map(part_told).collect::<Vec<_>>().join(", "))
        };
        request.turns.iter().map(turn).collect()
    };
    let by_role = messages(
        r#"{"role":"user","content":"a"},{"role":"system","content":[{"type":"text","text":"b"},
            {"type":"tool_addition","tool":{"name":"f"}}]},{"role":"critic","content":"c"}"#,
    );
    let wanted = [
        "User: text a",
        r#"System: text b, foreign tool_addition {"type":"tool_addition","tool":{"name":"f"}}"#,
        r#"Other("critic"): text c"#,
    ];
    assert_eq!(told(&by_role), wanted);
    let system =
        |text: &str| format!(r#"{{"type":"mid_conv_system","content":[{{"type":"text","text":"{text}"}}]}}"#);
    let by_block = messages(&format!(
        r#"{{"role":"user","content":[{{"type":"text","text":"a"}},{},{{"type":"text","text":"c"}},{}]}},{{"role":"user","content":[]}}"#,
        system("b"),
        system("d")
    ));
    let wanted = ["User: text a", "System: text b", "User: text c", "System: text d", "User: "];
    assert_eq!(told(&by_block), wanted);
    assert_eq!(by_block.turns[1].rest.get("type").unwrap().get(), r#""mid_conv_system""#);
}

#[test]
fn media_of_every_source() {
    let parts = blocks(
        r#"{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA=="}},
        {"type":"image","source":{"type":"url","url":"https://x/y.png"}},
        {"type":"image","source":{"type":"file","file_id":"file_1"},"cache_control":{"type":"ephemeral"}},
        {"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"BB=="},"title":"t"},
        {"type":"document","source":{"type":"text","media_type":"text/plain","data":"plain"},
            "context":"c","citations":{"enabled":true}},
        {"type":"document","source":{"type":"content","content":"one"}},
        {"type":"document","source":{"type":"content","content":[{"type":"text","text":"a"}]}},
        {"type":"document","source":{"type":"hologram","data":"x"}},
        {"type":"search_result","source":"https://z","title":"z","content":[{"type":"text","text":"b"}]}"#,
    );
    let media = |at: usize| match &parts[at] {
        Part::Media(media) => media,
        other => panic!("{other:?}"),
    };
    let is = |at: usize, kind, source, mime: Option<&str>| {
        let found = media(at);
        assert_eq!((found.kind, &found.source, found.mime.as_deref()), (kind, &source, mime));
    };
    is(0, MediaKind::Image, Source::Inline("AA==".into()), Some("image/png"));
    is(1, MediaKind::Image, Source::Url("https://x/y.png".into()), None);
    is(2, MediaKind::Image, Source::Handle("file_1".into()), None);
    is(3, MediaKind::File, Source::Inline("BB==".into()), Some("application/pdf"));
    is(4, MediaKind::File, Source::Plain("plain".into()), Some("text/plain"));
    is(5, MediaKind::File, Source::Parts(vec![Part::Text(shim_ir::Text::new("one"))]), None);
    is(6, MediaKind::File, Source::Parts(vec![Part::Text(shim_ir::Text::new("a"))]), None);
    is(8, MediaKind::File, Source::Parts(vec![Part::Text(shim_ir::Text::new("b"))]), None);
    assert!(media(2).cache.is_some());
    assert_eq!((media(3).name.as_deref(), media(8).name.as_deref()), (Some("t"), Some("z")));
    assert_eq!(media(4).rest.members().len(), 2);
    assert_eq!(media(8).rest.get("type").unwrap().get(), r#""search_result""#);
    assert!(matches!(&parts[7], Part::Foreign(block) if block.kind == "document"));
}

#[test]
fn what_the_assistant_said() {
    let request = messages(
        r#"{"role":"assistant","content":[
            {"type":"thinking","thinking":"t","signature":"s"},{"type":"redacted_thinking","data":"d"},
            {"type":"tool_use","id":"1","name":"f","input":{ "a": 1.0 },"cache_control":{"type":"ephemeral"}},
            {"type":"server_tool_use","id":"2","name":"web_search","input":{}},
            {"type":"web_search_tool_result","tool_use_id":"2","content":[]},
            {"type":"mcp_tool_use","id":"3","name":"g","server_name":"n","input":{}},
            {"type":"compaction","content":"c"}]}"#,
    );
    let parts = &request.turns[0].parts;
    let told: Vec<_> = parts.iter().map(part_told).collect();
    let wanted = [
        "reasoning t|Signature=s",
        "reasoning |Redacted=d",
        "call 1 f { \"a\": 1.0 }",
        r#"Native("server_tool_use") 2 web_search {}"#,
        "web_search_tool_result of 2",
        r#"Native("mcp_tool_use") 3 g {}"#,
        r#"foreign compaction {"type":"compaction","content":"c"}"#,
    ];
    assert_eq!(told, wanted);
    let (Part::Reasoning(reasoning), Part::ToolCall(call), Part::ToolCall(mcp)) =
        (&parts[0], &parts[2], &parts[5])
    else {
        panic!()
    };
    assert_eq!(reasoning.opaque[0].kind, OpaqueKind::Signature);
    assert!(call.cache.is_some());
    assert_eq!(mcp.rest.get("server_name").unwrap().get(), r#""n""#);
}

#[test]
fn what_the_tools_gave() {
    let parts = blocks(
        r#"{"type":"tool_result","tool_use_id":"1","content":"ok"},
        {"type":"tool_result","tool_use_id":"2","is_error":true},
        {"type":"tool_result","tool_use_id":"3","content":[{"type":"text","text":"a"},
            {"type":"image","source":{"type":"url","url":"https://x"}},{"type":"tool_reference","tool_name":"f"}]}"#,
    );
    let results: Vec<_> = parts
        .iter()
        .map(|part| {
            let Part::ToolResult(result) = part else { panic!("{part:?}") };
            (result.call.as_str(), result.error, result.content.iter().map(part_told).collect::<Vec<_>>())
        })
        .collect();
    let reference = r#"foreign tool_reference {"type":"tool_reference","tool_name":"f"}"#;
    let mixed = vec!["text a".to_owned(), r#"Image Url("https://x")"#.to_owned(), reference.to_owned()];
    assert_eq!(
        results,
        [("1", false, vec!["text ok".to_owned()]), ("2", true, Vec::new()), ("3", false, mixed)]
    );
}

#[test]
fn tools_of_the_client_and_of_the_provider() {
    let request = ask(r#""messages":[],"tools":[
            {"name":"f","description":"d","input_schema":{"type": "object"},"strict":true,"defer_loading":true},
            {"type":"custom","name":"g","input_schema":{},"cache_control":{"type":"ephemeral","ttl":"5m"}},
            {"type":"web_search_20260209","name":"web_search","max_uses":3},
            {"type":"mcp_toolset","mcp_server_name":"n","strict":true}]"#);
    let told = |tool: &Tool| {
        let rest: Vec<_> = tool.rest.members().iter().map(|(k, v)| format!("{k}={}", v.get())).collect();
        let kind = match &tool.kind {
            ToolKind::Function { parameters, strict } => {
                format!("{} {strict:?}", parameters.as_ref().unwrap().get())
            }
            other => format!("{other:?}"),
        };
        format!("{} {kind} {}", tool.name, rest.join(" "))
    };
    let wanted = [
        r#"f {"type": "object"} Some(true) defer_loading=true"#,
        "g {} None ",
        r#"web_search Native("web_search_20260209") max_uses=3"#,
        r#"mcp_toolset Native("mcp_toolset") mcp_server_name="n" strict=true"#,
    ];
    assert_eq!(request.tools.iter().map(told).collect::<Vec<_>>(), wanted);
    assert_eq!(request.tools[1].cache.as_ref().unwrap().ttl.as_deref(), Some("5m"));
}

#[test]
fn which_tools_may_be_called() {
    let check = |raw: &str, choice: Option<ToolChoice>, parallel, kept: usize| {
        let request = ask(&format!(r#""messages":[],"tool_choice":{raw}"#));
        let choice = choice.or_else(|| Some(ToolChoice::Other(shim_wire::RawJson::parse(raw).unwrap())));
        assert_eq!((&request.tool_choice, request.parallel_tool_calls), (&choice, parallel));
        assert_eq!(request.rest.members().len(), kept);
    };
    let auto = r#"{"type":"auto","disable_parallel_tool_use":true}"#;
    check(auto, Some(ToolChoice::Auto), Some(false), 0);
    let any = r#"{"type":"any","disable_parallel_tool_use":false}"#;
    check(any, Some(ToolChoice::Required), Some(true), 0);
    check(r#"{"type":"tool","name":"f"}"#, Some(ToolChoice::Named("f".into())), None, 0);
    check(r#"{"type":"none","why":1}"#, Some(ToolChoice::None), None, 1);
    check(r#"{"type":"some","names":["f"]}"#, None, None, 0);
}

#[test]
fn what_is_missing_is_named() {
    let check = |members: &str, wanted: &str| {
        let body = format!("{{{members}}}");
        let error = AnthropicMessages.decode_request(&route_for(Operation::Generate), &body).unwrap_err();
        assert_eq!(error.to_string().split(" at line").next().unwrap(), wanted);
    };
    let said = |blocks: &str| format!(r#""model":"m","messages":[{{"role":"user","content":{blocks}}}]"#);
    check(r#""messages":[]"#, ".: missing field `model`");
    check(r#""model":"m""#, ".: missing field `messages`");
    check(r#""model":"m","messages":[{"content":"a"}]"#, "messages[0]: missing field `role`");
    check(r#""model":"m","messages":[{"role":"user"}]"#, "messages[0]: missing field `content`");
    check(&said("7"), "messages[0].content: expected text or a list of blocks");
    check(&said(r#"[{"type":"text"}]"#), "messages[0].content[0]: missing field `text`");
    check(&said(r#"[{"type":"image"}]"#), "messages[0].content[0]: missing field `source`");
    let image = r#"[{"type":"image","source":{"type":"base64"}}]"#;
    check(&said(image), "messages[0].content[0].source: missing field `data`");
    let document = r#"[{"type":"document","source":{"type":"content","content":[{"type":"text"}]}}]"#;
    check(&said(document), "messages[0].content[0].source.content[0]: missing field `text`");
    check(&said(r#"[{"type":"tool_result"}]"#), "messages[0].content[0]: missing field `tool_use_id`");
    let nested = r#"[{"type":"tool_result","tool_use_id":"1","content":[{"type":"text"}]}]"#;
    check(&said(nested), "messages[0].content[0].content[0]: missing field `text`");
    let system = r#"[{"type":"mid_conv_system"}]"#;
    check(&said(system), "messages[0].content[0]: missing field `content`");
    let bare = r#""model":"m","messages":[]"#;
    check(&format!(r#"{bare},"system":[{{"type":"text"}}]"#), "system[0]: missing field `text`");
    check(&format!(r#"{bare},"tools":[{{"input_schema":{{}}}}]"#), "tools[0]: missing field `name`");
    check(&format!(r#"{bare},"tools":[{{"name":"f"}}]"#), "tools[0]: missing field `input_schema`");
    check(&format!(r#"{bare},"tool_choice":{{"type":"tool"}}"#), "tool_choice: missing field `name`");
    let format = r#"{"format":{"type":"json_schema"}}"#;
    check(&format!(r#"{bare},"output_config":{format}"#), "output_config.format: missing field `schema`");
}
