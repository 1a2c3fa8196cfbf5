//! Requests, member by member.

use shim_ir::{
    Effort, EmbedContent, MediaKind, OpaqueKind, OutputFormat, Part, ReasoningMode, Request, Role, Source,
    Text, Tokens, ToolCallKind, ToolChoice, ToolKind, VectorForm,
};

use super::route_for;
use crate::laws::{embed_laws, request_laws, request_round_trip};
use crate::openai_chat::OpenaiChat;
use crate::{Decode, Embed, Operation};

#[track_caller]
fn chat(members: &str) -> Request {
    let route = route_for(Operation::Generate);
    let request = request_laws(&OpenaiChat, &route, &format!(r#"{{"model":"m",{members}}}"#));
    request_round_trip(&OpenaiChat, &route, &request);
    request
}

fn messages(messages: &str) -> Request {
    chat(&format!(r#""messages":[{messages}]"#))
}

#[test]
fn sampling_and_switches() {
    let request = chat(
        r#""messages":[],"temperature":0.5,"top_p":1,"top_k":3,"seed":7,"stop":"END","n":2,"max_tokens":9,
        "max_completion_tokens":8,"logprobs":true,"top_logprobs":4,"stream":true,
        "stream_options":{"include_usage":true,"include_obfuscation":false},"store":false,"user":"u",
        "metadata":{"a": 1},"prompt_cache_key":"k","logit_bias":{"5":-1},"verbosity":"low","service_tier":null"#,
    );
    let sampling = &request.sampling;
    assert_eq!((sampling.temperature, sampling.top_p, sampling.top_k), (Some(0.5), Some(1.0), Some(3.0)));
    assert_eq!((sampling.stop.as_slice(), sampling.output_max), (&["END".to_owned()][..], Some(Tokens(8))));
    assert_eq!((sampling.candidates, sampling.seed, sampling.top_logprobs), (Some(2), Some(7), Some(4)));
    let stream = request.stream.as_ref().unwrap();
    assert_eq!((stream.usage, stream.rest.members().len()), (Some(true), 1));
    assert_eq!(request.metadata.as_ref().unwrap().get(), r#"{"a": 1}"#);
    assert_eq!(request.state.store, Some(false));
    let rest: Vec<_> =
        request.rest.members().iter().map(|(key, value)| format!("{key}={}", value.get())).collect();
    let wanted = [r#"logit_bias={"5":-1}"#, r#"verbosity="low""#, "top_k=3", "max_tokens=9"];
    assert_eq!(rest, wanted);
}

#[test]
fn reasoning_is_asked_for_in_many_ways() {
    let ask = |members: &str| chat(&format!(r#""messages":[],{members}"#)).reasoning.unwrap();
    assert_eq!(ask(r#""reasoning_effort":"xhigh""#).effort, Some(Effort::XHigh));
    let openrouter = ask(r#""reasoning":{"max_tokens":5,"enabled":true,"exclude":true}"#);
    assert_eq!((openrouter.budget, openrouter.mode), (Some(Tokens(5)), Some(ReasoningMode::On)));
    assert_eq!(openrouter.rest.get("exclude").unwrap().get(), "true");
    assert_eq!(ask(r#""thinking":{"type":"disabled"}"#).mode, Some(ReasoningMode::Off));
    assert_eq!(ask(r#""enable_thinking":false"#).mode, Some(ReasoningMode::Off));
}

#[test]
fn content_of_every_kind() {
    let request = messages(
        r#"{"role":"user","name":"ann","content":[
            {"type":"text","text":"a","cache_control":{"type":"ephemeral","ttl":"1h"}},
            {"type":"image_url","image_url":{"url":"data:image/png;base64,AA==","detail":"low"}},
            {"type":"image_url","image_url":"https://x/y.png"},
            {"type":"input_audio","input_audio":{"data":"BB==","format":"wav"}},
            {"type":"file","file":{"file_data":"data:application/pdf;base64,CC==","filename":"f.pdf"}},
            {"type":"file","file":{"file_id":"file-1"}},
            {"type":"video_url","video_url":{"url":"https://x/y.mp4"}},
            {"type":"document_url","document_url":"https://x/y.pdf"},
            {"type":"hologram","data":[1]}]}"#,
    );
    let turn = &request.turns[0];
    assert_eq!((&turn.role, turn.name.as_deref()), (&Role::User, Some("ann")));
    let Part::Text(text) = &turn.parts[0] else { panic!() };
    assert_eq!(text.cache.as_ref().unwrap().ttl.as_deref(), Some("1h"));
    let media = |at: usize| match &turn.parts[at] {
        Part::Media(media) => (media.kind, media.source.clone(), media.mime.as_deref()),
        other => panic!("{other:?}"),
    };
    assert_eq!(media(1), (MediaKind::Image, Source::Inline("AA==".into()), Some("image/png")));
    assert_eq!(media(2), (MediaKind::Image, Source::Url("https://x/y.png".into()), None));
    assert_eq!(media(3), (MediaKind::Audio, Source::Inline("BB==".into()), Some("wav")));
    assert_eq!(media(4), (MediaKind::File, Source::Inline("CC==".into()), Some("application/pdf")));
    assert_eq!(media(5), (MediaKind::File, Source::Handle("file-1".into()), None));
    assert_eq!(media(6).0, MediaKind::Video);
    assert_eq!(media(7), (MediaKind::File, Source::Url("https://x/y.pdf".into()), None));
    assert!(matches!(&turn.parts[8], Part::Foreign(foreign) if foreign.kind == "hologram"));
}

#[test]
fn what_the_assistant_said_and_the_tools_gave() {
    let request = messages(
        r#"{"role":"assistant","content":"c","reasoning_content":"r","refusal":"no","tool_calls":[
            {"id":"1","type":"function","function":{"name":"f","arguments":"{ }"},
             "extra_content":{"google":{"thought_signature":"sig"}}},
            {"id":"2","type":"custom","custom":{"name":"g","input":"x"}}]},
        {"role":"tool","tool_call_id":"1","content":[{"type":"text","text":"ok"}]},
        {"role":"tool","tool_call_id":"2","content":"ok"},
        {"role":"assistant","content":null,"function_call":{"name":"h","arguments":"{}"}},
        {"role":"function","name":"h","content":"42"}"#,
    );
    let [Part::Reasoning(_), Part::Text(_), Part::Refusal(_), Part::ToolCall(f), Part::ToolCall(g)] =
        &request.turns[0].parts[..]
    else {
        panic!("{:?}", request.turns[0])
    };
    assert_eq!((f.arguments.as_str(), f.opaque[0].kind), ("{ }", OpaqueKind::ThoughtSignature));
    assert_eq!((g.arguments.as_str(), &g.kind), ("x", &ToolCallKind::Custom));
    let results: Vec<_> = request
        .turns
        .iter()
        .flat_map(|turn| &turn.parts)
        .filter_map(|part| if let Part::ToolResult(result) = part { Some(result) } else { None })
        .map(|result| (result.call.as_str(), result.name.as_deref(), result.kind.clone()))
        .collect();
    let wanted = [
        ("1", None, ToolCallKind::Function),
        ("2", None, ToolCallKind::Custom),
        ("", Some("h"), ToolCallKind::Function),
    ];
    assert_eq!(results, wanted);
}

#[test]
fn tools_and_the_choice_of_them() {
    let request = chat(
        r#""messages":[],"tools":[
            {"type":"function","function":{"name":"f","description":"d","parameters":{"type": "object"},"strict":true}},
            {"type":"custom","custom":{"name":"g","format":{"type":"text"}}},
            {"type":"openrouter:web_search","parameters":{"max_uses":1}}],
        "functions":[{"name":"h"}],"parallel_tool_calls":false"#,
    );
    let names: Vec<_> = request.tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names, ["f", "g", "openrouter:web_search", "h"]);
    let ToolKind::Function { parameters, strict } = &request.tools[0].kind else { panic!() };
    assert_eq!((parameters.as_ref().unwrap().get(), *strict), (r#"{"type": "object"}"#, Some(true)));
    assert!(matches!(&request.tools[1].kind, ToolKind::Custom { format: Some(_) }));
    assert!(request.tools[2].rest.get("parameters").is_some());
    let choice = |raw: &str| chat(&format!(r#""messages":[],"tool_choice":{raw}"#)).tool_choice.unwrap();
    assert_eq!(choice(r#""any""#), ToolChoice::Required);
    assert_eq!(choice(r#"{"type":"function","function":{"name":"f"}}"#), ToolChoice::Named("f".into()));
    let allowed = r#"{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"function","function":{"name":"f"}}]}}"#;
    assert_eq!(choice(allowed), ToolChoice::Allowed { names: vec!["f".into()], required: true });
    assert!(matches!(choice(r#"{"type":"new"}"#), ToolChoice::Other(_)));
}

#[test]
fn the_form_of_the_answer() {
    let output = |raw: &str| chat(&format!(r#""messages":[],"response_format":{raw}"#)).output.unwrap();
    assert_eq!(output(r#"{"type":"json_object"}"#), OutputFormat::JsonObject);
    let OutputFormat::Schema(schema) =
        output(r#"{"type":"json_schema","json_schema":{"name":"n","schema":{"a":1.0},"strict":true}}"#)
    else {
        panic!()
    };
    assert_eq!(schema.schema.unwrap().get(), r#"{"a":1.0}"#);
    assert!(matches!(output(r#"{"type":"grammar"}"#), OutputFormat::Other(_)));
}

#[test]
fn what_is_missing_is_named() {
    let check = |body: &str, wanted: &str| {
        let error = OpenaiChat.decode_request(&route_for(Operation::Generate), body).unwrap_err();
        assert_eq!(error.to_string().split(" at line").next().unwrap(), wanted);
    };
    check(r#"{"messages":[]}"#, ".: missing field `model`");
    check(r#"{"model":"m"}"#, ".: missing field `messages`");
    check(r#"{"model":"m","messages":[{"content":"a"}]}"#, "messages[0]: missing field `role`");
    check(
        r#"{"model":"m","messages":[{"role":"tool","content":"a"}]}"#,
        "messages[0]: missing field `tool_call_id`",
    );
    check(
        r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text"}]}]}"#,
        "messages[0].content[0]: missing field `text`",
    );
    check(
        r#"{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{}}]}]}"#,
        "messages[0].content[0].image_url: missing field `url`",
    );
    check(
        r#"{"model":"m","messages":[],"tools":[{"type":"function"}]}"#,
        "tools[0]: missing field `function`",
    );
    check(
        r#"{"model":"m","messages":[],"tools":[{"type":"function","function":{}}]}"#,
        "tools[0].function: missing field `name`",
    );
    check(r#"{"model":"m","messages":7}"#, "messages: invalid type: integer `7`, expected a sequence");
}

#[test]
fn what_is_embedded_is_text_or_tokens() {
    let ask = |input: &str| {
        let body =
            format!(r#"{{"input":{input},"model":"m","dimensions":3,"encoding_format":"base64","odd":1}}"#);
        embed_laws(&OpenaiChat, &route_for(Operation::Embed), &body)
    };
    let told = |input: &str| {
        let request = ask(input);
        let contents: Vec<_> = request.inputs.into_iter().map(|input| input.content).collect();
        (contents, request.alone)
    };
    let text = |text: &str| EmbedContent::Parts(vec![Part::Text(Text::new(text))]);
    let tokens = |tokens: &[u64]| EmbedContent::Tokens(tokens.to_vec());
    assert_eq!(told(r#""a""#), (vec![text("a")], true));
    assert_eq!(told(r#"["a", "b"]"#), (vec![text("a"), text("b")], false));
    assert_eq!(told("[1, 2]"), (vec![tokens(&[1, 2])], true));
    assert_eq!(told("[[1],[2,3]]"), (vec![tokens(&[1]), tokens(&[2, 3])], false));
    assert_eq!(told("[]"), (vec![], false));
    let request = ask(r#""a""#);
    assert_eq!((request.dimensions, request.form), (Some(3), Some(VectorForm::Base64)));
    assert_eq!(request.rest.get("odd").unwrap().get(), "1");
    for bad in ["7", r#"{"a":1}"#, "[true]", r#"[["a"]]"#] {
        let body = format!(r#"{{"input":{bad},"model":"m"}}"#);
        let refused = OpenaiChat.decode_embed(&route_for(Operation::Embed), &body).unwrap_err();
        assert!(refused.to_string().starts_with("input"), "{refused}");
    }
}
