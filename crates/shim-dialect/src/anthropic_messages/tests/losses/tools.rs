//! Tools on offer and the choice of them.

use serde_json::{Value, json};
use shim_ir::{Dialect, OutputFormat, Request, Rest, Tool, ToolChoice, ToolKind, Traits};
use shim_wire::RawJson;

use super::{
    APPROXIMATED, DROPPED, Lost, UNSUPPORTED, check, encode, others, plain, quirky, raw, request, with,
};

fn tool(name: &str, kind: ToolKind) -> Tool {
    Tool { name: name.into(), description: None, kind, cache: None, rest: Rest::default() }
}

/// A function that takes any object.
pub(super) fn function(name: &str) -> Tool {
    described(name, &json!({ "type": "object" }), None)
}

fn described(name: &str, parameters: &Value, strict: Option<bool>) -> Tool {
    tool(name, ToolKind::Function { parameters: Some(raw(parameters)), strict })
}

/// As [`function`] is sent.
pub(super) fn sent(name: &str) -> Value {
    json!({ "name": name, "input_schema": { "type": "object" } })
}

fn native(word: &str, rest: Rest) -> Tool {
    Tool { rest, ..tool(word, ToolKind::Native(word.into())) }
}

fn offering(tools: Vec<Tool>, tool_choice: Option<ToolChoice>) -> Request {
    Request { tools, tool_choice, ..request() }
}

/// What is sent for one tool.
#[track_caller]
fn one(tool: Tool, sent: Value, lost: &[Lost<'_>]) {
    plain(&offering(vec![tool], None), json!({ "tools": [sent] }), lost);
}

#[test]
fn tools_that_are_not_offered() {
    let none = Traits { tools: Some(false), ..Traits::default() };
    let calls = ("tools", UNSUPPORTED, "the model calls no tools");
    check(&none, &offering(vec![function("f")], None), json!({}), &[calls]);
    let own = ("tools[0]", UNSUPPORTED, "the provider has no such tool of its own");
    plain(&offering(vec![native("file_search", Rest::default())], None), json!({}), &[own]);
    let search = offering(vec![native("web_search", Rest::default())], None);
    check(&quirky("no_server_tools"), &search, json!({}), &[own]);
}

/// What is sent for OpenAI's server `a` with these options, and what is lost. Its header goes with it.
#[track_caller]
fn server(more: Value, [server, toolset]: [Value; 2], lost: &[Lost<'_>]) {
    let options = json!({ "server_label": "a", "server_url": "https://a", "require_approval": "never" });
    let Value::Object(options) = with(options, more) else { panic!() };
    let members = options.iter().map(|(key, value)| (key.as_str().into(), raw(value))).collect();
    let tool = native("mcp", Rest::from_owned(Dialect::OpenaiResponses, members));
    let servers = with(json!({ "type": "url", "name": "a", "url": "https://a" }), server);
    let set = with(json!({ "type": "mcp_toolset", "mcp_server_name": "a" }), toolset);
    let request = offering(vec![tool], None);
    plain(&request, json!({ "mcp_servers": [servers], "tools": [set] }), lost);
    assert_eq!(encode(&Traits::default(), &request).headers, [("anthropic-beta", "mcp-client-2025-11-20")]);
}

#[test]
fn servers_with_tools() {
    let same = || [json!({}), json!({})];
    server(json!({ "headers": {}, "connector_id": null }), same(), &[]);
    server(json!({ "authorization": "t" }), [json!({ "authorization_token": "t" }), json!({})], &[]);
    let only = json!({ "default_config": { "enabled": false }, "configs": { "x": { "enabled": true } } });
    server(json!({ "allowed_tools": ["x"] }), [json!({}), only.clone()], &[]);
    server(json!({ "allowed_tools": { "tool_names": ["x"], "read_only": false } }), [json!({}), only], &[]);
    server(json!({ "allowed_tools": { "read_only": false } }), same(), &[]);
    let option = ("tools[0].server_description", DROPPED, "the tool has no such option");
    server(json!({ "server_description": "odd" }), same(), &[option]);
    assert_eq!(encode(&Traits::default(), &offering(vec![function("f")], None)).headers, []);
}

#[test]
fn servers_that_cannot_be_had_as_they_are_guarded() {
    let guarded = |members: &[(&str, &str)], why| {
        let members =
            members.iter().map(|(key, value)| ((*key).into(), RawJson::parse(value).unwrap())).collect();
        let tool = native("mcp", Rest::from_owned(Dialect::OpenaiResponses, members));
        plain(&offering(vec![tool], None), json!({}), &[("tools[0]", UNSUPPORTED, why)]);
    };
    let url = ("server_url", "\"https://a\"");
    let never = ("require_approval", "\"never\"");
    guarded(&[("connector_id", "\"connector_x\""), never], "the provider has no such tool of its own");
    let asking = "a server's tools are called without asking";
    guarded(&[url], asking);
    guarded(&[url, ("require_approval", "\"always\"")], asking);
    let token = "a server is told one token and no headers";
    guarded(&[url, never, ("headers", r#"{"x-key":"k"}"#)], token);
    let names = "a server's tools are permitted by their names alone";
    guarded(&[url, never, ("allowed_tools", r#"{"read_only":true}"#)], names);
    guarded(&[url, never, ("allowed_tools", "7")], names);
    let only = ("tools[0]", UNSUPPORTED, "the provider has no such tool of its own");
    let tool = native(
        "mcp",
        Rest::from_owned(Dialect::OpenaiResponses, vec![("server_url".into(), raw(&json!("u")))]),
    );
    check(&quirky("no_server_tools"), &offering(vec![tool], None), json!({}), &[only]);
    let choice = ToolChoice::Other(raw(&json!({ "type": "mcp", "server_label": "a" })));
    let none = ("tool_choice", UNSUPPORTED, "there is no such choice");
    plain(&offering(vec![], Some(choice)), json!({}), &[none]);
}

#[test]
fn schemas_of_functions() {
    let exact = json!({ "type": "object", "properties": {}, "additionalProperties": false });
    let held = "calls of this tool cannot be made to fit its schema";
    let loose = Traits { schema: Some(false), ..Traits::default() };
    let strict = |name: &str| described(name, &exact, Some(true));
    let tools = json!([{ "name": "f", "input_schema": exact }]);
    let lost = ("tools[0].strict", APPROXIMATED, held);
    check(&loose, &offering(vec![strict("f")], None), json!({ "tools": tools }), &[lost]);
    let names: Vec<_> = (0..21).map(|number| format!("f{number}")).collect();
    let mut tools: Vec<_> =
        names.iter().map(|name| json!({ "name": name, "input_schema": exact, "strict": true })).collect();
    tools[20] = json!({ "name": "f20", "input_schema": exact });
    let many = offering(names.iter().map(|name| strict(name)).collect(), None);
    plain(&many, json!({ "tools": tools }), &[("tools[20].strict", APPROXIMATED, held)]);
    let least = json!({ "type": "integer", "minimum": 1 });
    let told = json!({ "type": "integer", "description": "{minimum: 1}" });
    let of = |n: &Value| with(exact.clone(), json!({ "properties": { "n": n } }));
    let words = "what cannot be made to fit is told in the description";
    let sent = json!({ "name": "f", "input_schema": of(&told), "strict": true });
    one(described("f", &of(&least), Some(true)), sent, &[("tools[0].parameters", APPROXIMATED, words)]);
}

#[test]
fn alternatives_at_the_top() {
    let of = |name: &str| json!({ "properties": { name: { "type": "string" } }, "required": [name] });
    let either = json!({ "type": "object", "oneOf": [of("a"), of("b")] });
    let request = offering(vec![described("f", &either, None)], None);
    let encoded = encode(&Traits::default(), &request);
    let body: Value = serde_json::from_str(&encoded.body.to_text()).unwrap();
    let schema = &body["tools"][0]["input_schema"];
    assert!(schema.get("oneOf").is_none(), "{schema}");
    assert!(schema["description"].as_str().unwrap().contains("oneOf"), "{schema}");
    let why = "alternatives are told in the description";
    super::told_exactly(&encoded.losses, &[("tools[0].parameters", APPROXIMATED, why)]);
}

#[test]
fn free_text() {
    let format = json!({ "type": "grammar", "definition": "a+" });
    let schema = json!({
        "type": "object", "properties": { "input": { "type": "string" } }, "required": ["input"],
        "additionalProperties": false,
    });
    let description = format!("The input must have this form: {format}");
    let sent = json!({ "name": "patch", "description": description, "input_schema": schema });
    let words = ("tools[0].format", APPROXIMATED, "the form is told in words");
    one(tool("patch", ToolKind::Custom { format: Some(raw(&format)) }), sent, &[words]);
}

#[test]
fn options_of_tools() {
    let odd = ("tools[0].odd", DROPPED, "no other dialect has it");
    one(Tool { rest: others(), ..function("f") }, sent("f"), &[odd]);
    let searching = |key: &str, value: Value| {
        let rest = Rest::from_owned(Dialect::OpenaiResponses, vec![(key.into(), raw(&value))]);
        let sent = json!({ "type": "web_search_20250305", "name": "web_search" });
        let path = format!("tools[0].{key}");
        one(native("web_search", rest), sent, &[(&path, DROPPED, "the tool has no such option")]);
    };
    searching("search_context_size", json!("low"));
    searching("filters", json!({ "types": ["news"] }));
}

#[test]
fn groups_of_tools() {
    let group = Tool {
        description: Some("All of it.".into()),
        cache: super::mark(None),
        rest: others(),
        ..tool("crm", ToolKind::Group(vec![function("look")]))
    };
    let lost = [
        ("tools[0].description", DROPPED, "tools have no groups"),
        ("tools[0].cache", DROPPED, "tools have no groups"),
        ("tools[0].odd", DROPPED, "no other dialect has it"),
    ];
    one(group, sent("crm__look"), &lost);
}

#[test]
fn choices_of_tools() {
    let path = "tool_choice";
    let only = (path, APPROXIMATED, "the tools that are not allowed are not offered");
    let allowed = ToolChoice::Allowed { names: vec!["f".into()], required: false };
    let two = offering(vec![function("f"), function("g")], Some(allowed));
    plain(&two, json!({ "tools": [sent("f")], "tool_choice": { "type": "auto" } }), &[only]);
    let nothing = (path, DROPPED, "there is no tool to choose");
    plain(&offering(vec![], Some(ToolChoice::Required)), json!({}), &[nothing]);
    let may = (path, APPROXIMATED, "the model cannot be made to call a tool: it may");
    let forced = offering(vec![function("f")], Some(ToolChoice::Required));
    let auto = json!({ "tools": [sent("f")], "tool_choice": { "type": "auto" } });
    check(&quirky("no_forced_tools"), &forced, auto, &[may]);
    let other = ToolChoice::Other(raw(&json!({ "type": "file_search" })));
    let such = (path, UNSUPPORTED, "there is no such choice");
    plain(&offering(vec![function("f")], Some(other)), json!({ "tools": [sent("f")] }), &[such]);
}

#[test]
fn an_answer_by_a_call_beside_tools_that_may_not_be_called() {
    let output = Some(OutputFormat::JsonObject);
    let request = Request { output, ..offering(vec![function("f")], Some(ToolChoice::None)) };
    let answer = json!({
        "name": "answer_in_json",
        "description": "Gives the answer. Call this once, with the whole answer.",
        "input_schema": { "type": "object", "additionalProperties": true },
    });
    let choice = json!({ "type": "tool", "name": "answer_in_json", "disable_parallel_tool_use": true });
    let object = ("output", APPROXIMATED, "an object is asked for as the call of a function");
    plain(&request, json!({ "tools": [sent("f"), answer], "tool_choice": choice }), &[object]);
}
