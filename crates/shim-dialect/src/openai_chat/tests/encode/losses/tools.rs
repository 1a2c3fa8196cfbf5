//! Tools, and the choice of them.

use serde_json::json;
use shim_ir::{LossKind, Request, Rest, Tool, ToolChoice, ToolKind, Traits};

use super::super::{function, raw, traits};
use super::{Lost, Seen, asking, mark, odd, row};
use LossKind::{Approximated, Dropped, Unsupported};
use Seen::{As, Gone, Has};

fn offering(tools: Vec<Tool>, choice: Option<ToolChoice>) -> Request {
    asking(|request| (request.tools, request.tool_choice) = (tools, choice))
}

#[track_caller]
fn tool(tool: Tool, quirks: &[&str], lost: Lost<'_>, seen: &[Seen<'_>]) {
    row(&offering(vec![tool], None), &traits(quirks), &[lost], seen);
}

fn native(name: &str, word: &str, rest: Rest) -> Tool {
    Tool { kind: ToolKind::Native(word.into()), rest, ..function(name) }
}

fn search(rest: Rest) -> Tool {
    native("web_search", "web_search_20260209", rest)
}

#[test]
fn tools_that_cannot_be_offered_are_told() {
    let none = Traits { tools: Some(false), ..Traits::default() };
    let lost = ("tools", Unsupported, "the model calls no tools");
    row(&offering(vec![function("dig")], None), &none, &[lost], &[Gone("dig"), Gone("tools")]);
    tool(
        native("bash", "bash_20250124", Rest::default()),
        &[],
        ("tools[0]", Unsupported, "the provider has no such tool"),
        &[Gone("bash")],
    );
    let group = |description: Option<&str>, cache, rest| Tool {
        kind: ToolKind::Group(vec![function("run")]),
        description: description.map(str::to_owned),
        cache,
        rest,
        ..function("shell")
    };
    tool(
        group(Some("about shells"), None, Rest::default()),
        &[],
        ("tools[0].description", Dropped, "a group has none here"),
        &[Gone("about shells"), As("/tools/0/function/name", json!("shell__run"))],
    );
    tool(
        group(None, mark(), Rest::default()),
        &["cache_control"],
        ("tools[0].cache", Dropped, "it cannot be marked for the prompt cache"),
        &[Gone("cache")],
    );
    tool(
        group(None, None, odd()),
        &[],
        ("tools[0].odd", Dropped, "no other dialect has it"),
        &[Gone("strange"), Has("run")],
    );
}

#[test]
fn what_hangs_on_a_tool_is_told() {
    tool(
        Tool { cache: mark(), ..function("f") },
        &["prompt_cache_breakpoint"],
        ("tools[0].cache", Dropped, "it cannot be marked for the prompt cache"),
        &[Gone("cache"), Gone("explicit")],
    );
    tool(
        Tool { rest: odd(), ..function("f") },
        &[],
        ("tools[0].odd", Dropped, "no other dialect has it"),
        &[Gone("strange")],
    );
    let format = Some(raw(r#"{"type":"grammar","syntax":"lark","definition":"d"}"#));
    tool(
        Tool { kind: ToolKind::Custom { format }, ..function("f") },
        &["no_custom_tools"],
        ("tools[0].format", Approximated, "the form of a free text cannot be asked for"),
        &[As("/tools/0/type", json!("function")), Gone("lark")],
    );
    let parameters = Some(raw(r#"{"anyOf":[{"properties":{"a":{}}},{"properties":{"b":{}}}]}"#));
    tool(
        Tool { kind: ToolKind::Function { parameters, strict: None }, ..function("f") },
        &["object_parameters"],
        ("tools[0].parameters", Approximated, "alternatives are told in the description"),
        &[As("/tools/0/function/parameters/properties", json!({ "a": {}, "b": {} })), Gone(r#""anyOf":["#)],
    );
    let request = Request { parallel_tool_calls: Some(false), ..offering(vec![function("f")], None) };
    row(
        &request,
        &traits(&["no_parallel_tool_calls"]),
        &[("parallel_tool_calls", Dropped, "the provider cannot be told")],
        &[Gone("parallel")],
    );
}

#[test]
fn what_a_search_cannot_be_told_is_told() {
    let options = ["web_search_options"];
    tool(
        search(odd()),
        &options,
        ("tools[0].odd", Dropped, "the search has no such option here"),
        &[Gone("strange"), As("/web_search_options", json!({}))],
    );
    tool(
        search(odd()),
        &["openrouter_web_search"],
        ("tools[0].odd", Dropped, "no other dialect has it"),
        &[Gone("strange"), As("/tools/0/type", json!("openrouter:web_search"))],
    );
    tool(
        Tool { cache: mark(), ..search(Rest::default()) },
        &options,
        ("tools[0].cache", Dropped, "it cannot be marked for the prompt cache"),
        &[Gone("cache")],
    );
    let second = native("google_search", "google_search", odd());
    row(
        &offering(vec![search(Rest::default()), second], None),
        &traits(&options),
        &[("tools[1]", Dropped, "the web is searched in one way")],
        &[As("/web_search_options", json!({})), Gone("strange")],
    );
}

#[test]
fn a_choice_that_cannot_be_made_is_told() {
    let chosen = |choice, quirks: &[&str], lost: Lost<'_>, seen: &[Seen<'_>]| {
        let tools = vec![function("f"), function("g")];
        row(&offering(tools, Some(choice)), &traits(quirks), &[lost], seen);
    };
    chosen(
        ToolChoice::None,
        &["tool_choice_auto"],
        ("tool_choice", Approximated, "no tool is offered, so that none is called"),
        &[Gone("tool")],
    );
    let named = || ToolChoice::Named("f".into());
    chosen(
        named(),
        &["no_named_choice"],
        ("tool_choice", Approximated, "any tool may be the one that must be called"),
        &[As("/tool_choice", json!("required"))],
    );
    for quirk in ["no_forced_tools", "tool_choice_auto", "no_forced_tools_thinking"] {
        chosen(
            named(),
            &[quirk],
            ("tool_choice", Approximated, "the model cannot be made to call a tool: it may"),
            &[As("/tool_choice", json!("auto"))],
        );
    }
    for (required, word) in [(false, "auto"), (true, "required")] {
        chosen(
            ToolChoice::Allowed { names: vec!["f".into()], required },
            &["no_allowed_tools"],
            ("tool_choice", Approximated, "all tools are allowed"),
            &[As("/tool_choice", json!(word)), As("/tools/1/function/name", json!("g"))],
        );
    }
}

#[test]
fn a_choice_of_a_tool_that_is_not_offered_is_told() {
    let tools = || vec![native("bash", "bash_20250124", Rest::default()), function("f")];
    let missing = ("tools[0]", Unsupported, "the provider has no such tool");
    row(
        &offering(tools(), Some(ToolChoice::Named("bash".into()))),
        &traits(&[]),
        &[missing, ("tool_choice", Unsupported, "the tool is not offered")],
        &[Gone("bash"), Gone("tool_choice")],
    );
    let other = ToolChoice::Other(raw(r#"{"type":"bash_20250124"}"#));
    row(
        &offering(tools(), Some(other)),
        &traits(&[]),
        &[missing, ("tool_choice", Unsupported, "the provider has no such tool")],
        &[Gone("bash"), Gone("tool_choice")],
    );
}
