//! Tools, and the choice of them.

use serde_json::json;
use shim_ir::{Dialect, LossKind, Request, Rest, Tool, ToolChoice, ToolKind, Traits};

use super::super::{mark, raw, traits};
use super::{Lost, Seen, asking, odd, row};
use LossKind::{Approximated, Dropped, Unsupported};
use Seen::{As, Gone, Has};

fn tool(name: &str, kind: ToolKind) -> Tool {
    Tool { name: name.into(), description: None, kind, cache: None, rest: Rest::default() }
}

fn function(name: &str) -> Tool {
    tool(name, ToolKind::Function { parameters: None, strict: None })
}

fn native(name: &str, word: &str, options: &[(&str, &str)]) -> Tool {
    let members = options.iter().map(|(key, value)| ((*key).into(), raw(value))).collect();
    let rest = Rest::from_owned(Dialect::Anthropic, members);
    Tool { rest, ..tool(name, ToolKind::Native(word.into())) }
}

fn offering(tools: Vec<Tool>, choice: Option<ToolChoice>) -> Request {
    asking(|request| (request.tools, request.tool_choice) = (tools, choice))
}

#[track_caller]
fn offered(tools: Vec<Tool>, quirks: &[&str], lost: Lost<'_>, seen: &[Seen<'_>]) {
    row(&offering(tools, None), &traits(quirks), &[lost], seen);
}

#[test]
fn tools_that_cannot_be_offered_are_told() {
    let none = Traits { tools: Some(false), ..Traits::default() };
    let lost = ("tools", Unsupported, "the model calls no tools");
    row(&offering(vec![function("dig")], None), &none, &[lost], &[Gone("dig"), Gone("tools")]);
    let missing = ("tools[0]", Unsupported, "the target has no tool like it");
    offered(vec![native("bash", "bash_20250124", &[])], &[], missing, &[As("/tools", json!([]))]);
    offered(vec![native("docs", "mcp", &[("odd", "1")])], &[], missing, &[As("/tools", json!([]))]);
    offered(
        vec![native("find", "tool_search_tool_bm25_20251119", &[])],
        &[],
        ("tools[0]", Dropped, "all tools are on offer at once"),
        &[As("/tools", json!([]))],
    );
}

#[test]
fn what_hangs_on_a_tool_is_told() {
    let custom = |rest| Tool { rest, ..tool("f", ToolKind::Custom { format: None }) };
    let group = |rest| Tool { rest, ..tool("g", ToolKind::Group(vec![function("f")])) };
    offered(
        vec![Tool { cache: mark(), ..function("f") }],
        &["cache_breakpoints"],
        ("tools[0].cache", Dropped, "the target caches its tools by itself"),
        &[Gone("cache"), Gone("explicit")],
    );
    let quirks = [&[][..], &["no_custom_tools"], &["no_namespaces"]];
    for (tool, quirks) in [Tool { rest: odd(), ..function("f") }, custom(odd()), group(odd())]
        .into_iter()
        .flat_map(|tool| quirks.map(|quirks| (tool.clone(), quirks)))
    {
        let lost = ("tools[0].odd", Dropped, "no other dialect has it");
        offered(vec![tool], quirks, lost, &[Gone("strange"), Has(r#""name":"#)]);
    }
    offered(
        vec![Tool { description: Some("about mail".into()), ..group(Rest::default()) }],
        &["no_namespaces"],
        ("tools[0].description", Dropped, "a tool has no group that could be described"),
        &[Gone("about mail"), As("/tools/0/name", json!("g__f"))],
    );
}

#[test]
fn a_form_that_cannot_be_kept_to_is_told() {
    let of = |parameters: &str, strict| {
        vec![tool("f", ToolKind::Function { parameters: Some(raw(parameters)), strict })]
    };
    offered(
        of(r#"{"type":"object","properties":{"kept":{}}}"#, Some(true)),
        &[],
        ("tools[0].strict", Approximated, "the target cannot keep to this schema exactly"),
        &[As("/tools/0/strict", json!(false)), Has("kept")],
    );
    offered(
        of(r#"{"anyOf":[{"properties":{"a":{}}},{"properties":{"b":{}}}]}"#, None),
        &["object_parameters"],
        ("tools[0].parameters", Approximated, "alternatives are told in the description"),
        &[As("/tools/0/parameters/properties", json!({ "a": {}, "b": {} })), Gone(r#""anyOf":["#)],
    );
    let format = Some(raw(r#"{"type":"grammar","syntax":"lark","definition":"d"}"#));
    offered(
        vec![tool("f", ToolKind::Custom { format })],
        &["no_custom_tools"],
        ("tools[0].format", Approximated, "the target has no tools with free text"),
        &[As("/tools/0/type", json!("function")), Gone("lark")],
    );
}

#[test]
fn what_a_providers_own_tool_cannot_be_told_is_told() {
    let search = |options| vec![native("web_search", "web_search_20260209", options)];
    let plain = || As("/tools", json!([{ "type": "web_search" }]));
    offered(
        search(&[("blocked_domains", r#"["shut.example"]"#)]),
        &[],
        (
            "tools[0].blocked_domains",
            Unsupported,
            "the target's search takes a list of permitted domains only",
        ),
        &[plain()],
    );
    offered(
        search(&[("max_uses", "3")]),
        &[],
        ("tools[0].max_uses", Dropped, "the target's search has nothing like it"),
        &[plain()],
    );
    offered(
        vec![native("code", "code_execution_20250825", &[("odd", "\"strange\"")])],
        &[],
        ("tools[0].odd", Dropped, "no other dialect has it"),
        &[As("/tools/0/type", json!("code_interpreter")), Gone("strange")],
    );
    let server =
        |options: &[(&str, &str)]| native("docs", "mcp", &[&[("url", "\"https://docs\"")], options].concat());
    offered(
        vec![server(&[("odd", "\"strange\"")])],
        &[],
        ("tools[0].odd", Dropped, "the target's server has nothing like it"),
        &[As("/tools/0/server_url", json!("https://docs")), Gone("strange")],
    );
    let set = [("mcp_server_name", r#""docs""#), ("configs", r#"{"x":{"enabled":false}}"#)];
    offered(
        vec![server(&[]), native("set", "mcp_toolset", &set)],
        &[],
        ("tools[0]", Unsupported, "the target takes a list of permitted tools only"),
        &[As("/tools", json!([])), Gone("https://docs")],
    );
}

#[test]
fn a_choice_that_cannot_be_made_is_told() {
    let other = ToolChoice::Other(raw(r#"{"type":"strange"}"#));
    row(
        &offering(vec![function("f")], Some(other)),
        &traits(&[]),
        &[("tool_choice", Unsupported, "the target has no choice like it")],
        &[Gone("strange"), Gone("tool_choice")],
    );
    row(
        &offering(
            vec![native("bash", "bash_20250124", &[]), function("f")],
            Some(ToolChoice::Named("bash".into())),
        ),
        &traits(&[]),
        &[
            ("tools[0]", Unsupported, "the target has no tool like it"),
            ("tool_choice", Unsupported, "the tool is not offered"),
        ],
        &[Gone("bash"), Gone("tool_choice")],
    );
}
