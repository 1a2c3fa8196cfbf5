//! Tools, and the choice of them.

use serde_json::{Value, json};
use shim_ir::{
    Candidate, Dialect, LossKind, Part, Request, Response, Rest, Tool, ToolChoice, ToolKind, Traits,
};

use super::{Lost, answer, call, encode, loses, lost, mark, own, raw, traits};
use crate::Encoded;

fn tool(name: &str, kind: ToolKind) -> Tool {
    Tool { name: name.into(), description: None, kind, cache: None, rest: Rest::default() }
}

fn function(name: &str, schema: &str, strict: Option<bool>) -> Tool {
    tool(name, ToolKind::Function { parameters: Some(raw(schema)), strict })
}

#[expect(clippy::needless_pass_by_value, reason = "a table reads better without borrows")]
#[track_caller]
fn tools(
    tools: Vec<Tool>,
    choice: Option<ToolChoice>,
    quirks: &[&str],
    wanted: Value,
    losses: Lost<'_>,
) -> Encoded {
    let (encoded, body) =
        encode(&Request { tools, tool_choice: choice, ..Request::default() }, &traits(quirks));
    assert_eq!(json!([body["tools"], body["tool_choice"]]), wanted);
    loses(&encoded.losses, losses);
    encoded
}

/// A tool as it is told.
fn told(name: &str, schema: &Value, strict: bool) -> Value {
    json!({ "type": "function", "name": name, "parameters": schema, "strict": strict })
}

#[test]
fn tools_are_told_in_these_words() {
    use LossKind::{Approximated, Dropped};
    let open = json!({ "type": "object", "properties": { "a": { "type": "string" } } });
    let closed = json!({ "type": "object", "properties": { "a": { "type": "string" } }, "required": ["a"], "additionalProperties": false });
    for (schema, asked, strict, losses) in [
        (&open, None, false, &[][..]),
        (&open, Some(true), false, &[("tools[0].strict", Approximated)][..]),
        (&closed, Some(true), true, &[][..]),
    ] {
        tools(
            vec![function("f", &schema.to_string(), asked)],
            Some(ToolChoice::Named("f".into())),
            &[],
            json!([[told("f", schema, strict)], { "type": "function", "name": "f" }]),
            losses,
        );
    }
    let upper = r#"{"type":"OBJECT","properties":{"type":{"type":"STRING","nullable":true},"n":{"type":"ARRAY","items":{"type":"INTEGER"},"minItems":"2"}}}"#;
    let lower = json!({ "type": "object", "properties": { "type": { "type": ["string", "null"] }, "n": { "type": "array", "items": { "type": "integer" }, "minItems": 2 } } });
    tools(vec![function("f", upper, None)], None, &[], json!([[told("f", &lower, false)], null]), &[]);
    let marked = Tool { cache: mark(), ..function("f", "{}", None) };
    tools(
        vec![marked],
        Some(ToolChoice::Allowed { names: vec!["f".into()], required: true }),
        &[],
        json!([[told("f", &json!({}), false)], { "type": "allowed_tools", "mode": "required", "tools": [{ "type": "function", "name": "f" }] }]),
        &[("tools[0].cache", Dropped)],
    );
}

#[test]
fn names_that_are_not_taken_are_replaced() {
    let renamed = tools(
        vec![function("a.b", "{}", None), function("a_b", "{}", None)],
        None,
        &[],
        json!([[told("a_b_108bf50c", &json!({}), false), told("a_b", &json!({}), false)], null]),
        &[],
    );
    assert_eq!(renamed.echo.tools.len(), 1);
    assert_eq!((&*renamed.echo.tools[0].sent, &*renamed.echo.tools[0].name), ("a_b_108bf50c", "a.b"));
}

#[test]
fn tools_of_free_text_are_told_in_these_words() {
    let custom = || {
        tool(
            "patch",
            ToolKind::Custom {
                format: Some(raw(r#"{"type":"grammar","grammar":{"syntax":"lark","definition":"d"}}"#)),
            },
        )
    };
    let format = json!({ "type": "grammar", "syntax": "lark", "definition": "d" });
    tools(
        vec![custom()],
        Some(ToolChoice::Named("patch".into())),
        &[],
        json!([[{ "type": "custom", "name": "patch", "format": format }], { "type": "custom", "name": "patch" }]),
        &[],
    );
    let (free, _) =
        encode(&Request { tools: vec![custom()], ..Request::default() }, &traits(&["no_custom_tools"]));
    assert!(free.echo.tools[0].free_text);
    assert_eq!(lost(&free.losses), [("tools[0].format".to_owned(), LossKind::Approximated)]);
}

#[test]
fn a_providers_own_tools_are_told_in_these_words() {
    use LossKind::{Dropped, Unsupported};
    let native = |word: &str| tool("web_search", ToolKind::Native(word.into()));
    tools(
        vec![native("web_search_20250305")],
        Some(ToolChoice::Named("web_search".into())),
        &[],
        json!([[{ "type": "web_search" }], { "type": "web_search" }]),
        &[],
    );
    tools(
        vec![tool("codeExecution", ToolKind::Native("codeExecution".into()))],
        None,
        &[],
        json!([[{ "type": "code_interpreter", "container": { "type": "auto" } }], null]),
        &[],
    );
    tools(vec![native("bash_20250124")], None, &[], json!([[], null]), &[("tools[0]", Unsupported)]);
    let search = tool("tool_search_tool_bm25", ToolKind::Native("tool_search_tool_bm25_20251119".into()));
    tools(vec![search], None, &[], json!([[], null]), &[("tools[0]", Dropped)]);
}

#[test]
fn groups_are_sent_as_the_tools_in_them_where_they_must() {
    let request = own(
        r#""tools":[{"type":"namespace","name":"mail","description":"d","tools":[{"type":"function","name":"send","parameters":{}}]}],
        "input":[{"type":"function_call","call_id":"c","name":"send","namespace":"mail","arguments":"{}"}]"#,
    );
    let (plain, body) = encode(&request, &Traits::default());
    assert_eq!(
        (body["tools"][0]["type"].as_str(), body["input"][0]["namespace"].as_str()),
        (Some("namespace"), Some("mail"))
    );
    assert!(plain.echo.is_empty());
    let (flat, body) = encode(&request, &traits(&["no_namespaces"]));
    assert_eq!(
        (body["tools"][0]["name"].as_str(), body["input"][0]["name"].as_str()),
        (Some("mail__send"), Some("mail__send"))
    );
    assert_eq!(body["input"][0].get("namespace"), None);
    let mut response = Response {
        candidates: vec![Candidate {
            parts: vec![Part::ToolCall(call("c", "mail__send", "{}"))],
            ..Candidate::default()
        }],
        ..Response::default()
    };
    flat.echo.restore(&mut response);
    let (told, _) = answer(&response);
    assert_eq!(
        (told["output"][0]["name"].as_str(), told["output"][0]["namespace"].as_str()),
        (Some("send"), Some("mail"))
    );
}

/// What becomes of a server of Anthropic's form, and of the set of its tools.
#[track_caller]
fn server(options: &[(&str, &str)], set: Option<&str>, wanted: &Value, lost: Lost<'_>) {
    let rest = |members: &[(&str, &str)]| {
        let members = members.iter().map(|(key, value)| ((*key).into(), raw(value))).collect();
        Rest::from_owned(Dialect::Anthropic, members)
    };
    let native = |name: &str, word: &str, rest| Tool {
        name: name.into(),
        description: None,
        kind: ToolKind::Native(word.into()),
        cache: None,
        rest,
    };
    let options = [&[("type", r#""url""#), ("url", r#""https://a""#)], options].concat();
    let mut tools = vec![native("a", "mcp", rest(&options))];
    let config = set.map(|config| {
        native("mcp_toolset", "mcp_toolset", rest(&[("mcp_server_name", r#""a""#), ("configs", config)]))
    });
    tools.extend(config);
    let (encoded, body) = encode(&Request { tools, ..Request::default() }, &Traits::default());
    assert_eq!(&body["tools"], wanted, "{body}");
    loses(&encoded.losses, lost);
}

#[test]
fn a_server_with_tools_is_one_here_too() {
    use LossKind::{Dropped, Unsupported};
    let with = |more: Value| {
        let mut tool = json!({ "type": "mcp", "server_label": "a", "server_url": "https://a", "require_approval": "never" });
        tool.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!([tool])
    };
    server(&[("authorization_token", r#""t""#)], None, &with(json!({ "authorization": "t" })), &[]);
    server(&[("odd", "1")], None, &with(json!({})), &[("tools[0].odd", Dropped)]);
    let some = [("tool_configuration", r#"{"allowed_tools":["x"]}"#)];
    server(&some, None, &with(json!({ "allowed_tools": ["x"] })), &[]);
    server(
        &[("tool_configuration", r#"{"enabled":false}"#)],
        None,
        &with(json!({ "allowed_tools": [] })),
        &[],
    );
    server(&[], Some(r#"{"x":{"enabled":true}}"#), &with(json!({})), &[]);
    // A tool that is not permitted must not be.
    server(&[], Some(r#"{"x":{"enabled":false}}"#), &json!([]), &[("tools[0]", Unsupported)]);
}

#[test]
fn a_search_that_is_no_tool_elsewhere_is_one_here() {
    let options = r#"{"approximate":{"city":"Bonn"},"type":"approximate"}"#;
    let rest = Rest::from_owned(Dialect::OpenaiChat, vec![("user_location".into(), raw(options))]);
    let kind = ToolKind::Native("web_search_options".into());
    let tool = Tool { name: "web_search_options".into(), description: None, kind, cache: None, rest };
    let (encoded, body) = encode(&Request { tools: vec![tool], ..Request::default() }, &Traits::default());
    let here = json!({ "type": "approximate", "city": "Bonn" });
    assert_eq!(body["tools"], json!([{ "type": "web_search", "user_location": here }]));
    loses(&encoded.losses, &[]);
}
