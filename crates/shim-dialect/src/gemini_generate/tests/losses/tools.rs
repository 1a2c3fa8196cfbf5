//! Tools on offer and the choice of them.

use serde_json::{Value, json};
use shim_ir::{Dialect, Request, Rest, Tool, ToolChoice, ToolKind, Traits};

use super::{
    APPROXIMATED, CACHES, DROPPED, Lost, NO_OTHER, UNSUPPORTED, check, mark, others, plain, quirky, raw,
    request,
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
    json!({ "name": name, "parametersJsonSchema": { "type": "object" } })
}

fn native(word: &str) -> Tool {
    tool(word, ToolKind::Native(word.into()))
}

fn offering(tools: Vec<Tool>, tool_choice: Option<ToolChoice>) -> Request {
    Request { tools, tool_choice, ..request() }
}

fn declared(function: Value) -> Value {
    json!({ "tools": [{ "functionDeclarations": [function] }] })
}

/// What is sent for one function.
#[track_caller]
fn one(traits: &Traits, tool: Tool, function: Value, lost: &[Lost<'_>]) {
    check(traits, &offering(vec![tool], None), declared(function), lost);
}

#[test]
fn functions() {
    let odd = ("tools[0].odd", DROPPED, NO_OTHER);
    let any = Traits::default();
    one(&any, Tool { rest: others(), ..function("f") }, sent("f"), &[odd]);
    let cached = Tool { cache: mark(), ..function("f") };
    one(&any, cached, sent("f"), &[("tools[0].cache", DROPPED, CACHES)]);
    let unlike = json!({ "type": "object", "properties": { "n": { "type": "integer", "not": {} } } });
    let parameters = json!({ "type": "OBJECT", "properties": { "n": { "type": "INTEGER" } } });
    let part = ("tools[0].parameters", APPROXIMATED, "a part of JSON Schema is not in OpenAPI");
    let open = json!({ "name": "f", "parameters": parameters });
    one(&quirky("openapi_schema"), described("f", &unlike, None), open, &[part]);
    let schema = json!({
        "type": "object", "properties": { "input": { "type": "string" } }, "required": ["input"],
        "additionalProperties": false,
    });
    let grammar = tool("patch", ToolKind::Custom { format: Some(raw(&json!({ "type": "grammar" }))) });
    let form = ("tools[0].format", DROPPED, "free text cannot be held to a form");
    one(&any, grammar, json!({ "name": "patch", "parametersJsonSchema": schema }), &[form]);
    let strict = described("f", &json!({ "type": "object" }), Some(true));
    let held = ("tools[].strict", DROPPED, "calls cannot be held to their schemas");
    one(&quirky("no_validated_mode"), strict, sent("f"), &[held]);
}

#[test]
fn groups_of_tools() {
    let group = Tool {
        description: Some("All of it.".into()),
        cache: mark(),
        rest: others(),
        ..tool("crm", ToolKind::Group(vec![Tool { rest: others(), ..function("look") }]))
    };
    let lost = [
        ("tools[0].cache", DROPPED, CACHES),
        ("tools[0].description", DROPPED, "tools have no groups"),
        ("tools[0].odd", DROPPED, NO_OTHER),
        ("tools[0].tools[0].odd", DROPPED, NO_OTHER),
    ];
    one(&Traits::default(), group, sent("crm__look"), &lost);
}

#[test]
fn tools_of_the_provider() {
    let none = ("tools[0]", UNSUPPORTED, "the provider has no such tool");
    for word in ["file_search", "mcp"] {
        plain(&offering(vec![native(word)], None), json!({}), &[none]);
    }
    let near = ("tools[0]", APPROXIMATED, "the provider's own tool of the same purpose stands for it");
    let search = json!({ "tools": [{ "googleSearch": {} }] });
    let cached = Tool { cache: mark(), ..native("web_search") };
    let lost = [("tools[0].cache", DROPPED, CACHES), near];
    plain(&offering(vec![cached], None), search.clone(), &lost);
    for limit in ["allowed_domains", "blocked_domains", "filters"] {
        let members = vec![(limit.into(), raw(&json!(["a.b"]))), ("odd".into(), raw(&json!(1)))];
        let rest = Rest::from_owned(Dialect::Anthropic, members);
        let path = format!("tools[0].{limit}");
        let lost =
            [near, (&path, UNSUPPORTED, "the search cannot be limited"), ("tools[0].odd", DROPPED, NO_OTHER)];
        let limited = Tool { rest, ..native("web_search_20250305") };
        plain(&offering(vec![limited], None), search.clone(), &lost);
    }
    let mixed = offering(vec![native("googleSearch"), function("f")], None);
    let beside = "the model takes no tools of the provider beside functions";
    check(&quirky("no_mixed_tools"), &mixed, declared(sent("f")), &[("tools[0]", UNSUPPORTED, beside)]);
}

/// The members of a request with a function and this choice.
fn choosing(config: Value) -> Value {
    super::with(declared(sent("f")), json!({ "toolConfig": { "functionCallingConfig": config } }))
}

#[test]
fn choices_of_tools() {
    let path = "tool_choice";
    let only = (path, UNSUPPORTED, "only functions can be chosen");
    let other = ToolChoice::Other(raw(&json!({ "type": "file_search" })));
    plain(&offering(vec![function("f")], Some(other)), declared(sent("f")), &[only]);
    let search = ToolChoice::Named("googleSearch".into());
    let own = json!({ "tools": [{ "googleSearch": {} }] });
    plain(&offering(vec![native("googleSearch")], Some(search)), own, &[only]);
    let allowed = ToolChoice::Allowed { names: vec!["f".into()], required: false };
    let request = offering(vec![function("f")], Some(allowed));
    let held = json!({ "mode": "VALIDATED", "allowedFunctionNames": ["f"] });
    plain(&request, choosing(held), &[]);
    let some = (path, UNSUPPORTED, "the model cannot be kept to some of the functions");
    check(&quirky("no_validated_mode"), &request, choosing(json!({ "mode": "AUTO" })), &[some]);
}
