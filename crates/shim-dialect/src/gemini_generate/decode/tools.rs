//! Tools and the choice of them.

use serde_json::value::RawValue;
use shim_ir::{Rest, Tool, ToolChoice, ToolKind};
use shim_wire::{RawJson, Str};

use super::{DIALECT, json_schema, keep, keep_left, listed, members, read, rest};
use crate::DecodeError;
use crate::gemini_generate::message::camel;
use crate::gemini_generate::types::{self, FunctionCallingConfig, FunctionDeclaration, ToolConfig};

/// `tools`: each entry may hold functions and several of the dialect's own tools.
pub(super) fn tools(raw: &RawValue) -> Result<Vec<Tool>, DecodeError> {
    let mut tools = Vec::new();
    for (raw, path) in listed(raw, "tools")? {
        let entry: types::Tool<'_> = read(raw, &path)?;
        if let Some(list) = entry.function_declarations {
            for (raw, path) in listed(list, &format!("{path}.functionDeclarations"))? {
                tools.push(function(read(raw, &path)?));
            }
        }
        // To write `null` for a tool is not to offer it.
        let own = entry.rest.iter().filter(|(_, raw)| raw.get() != "null");
        tools.extend(own.map(|(name, raw)| native(camel(name), raw)));
    }
    Ok(tools)
}

/// A function. Its parameters are a JSON Schema, or a schema in the words of OpenAPI; it may not have both. The latter
/// stays in `rest` as it came.
fn function(wire: FunctionDeclaration<'_>) -> Tool {
    let mut members = rest(wire.rest);
    let parameters = wire.parameters_json_schema.map(RawJson::from).or(wire.parameters.map(json_schema));
    keep(&mut members, "parameters", wire.parameters);
    Tool {
        name: wire.name.into_string(),
        description: wire.description.map(Str::into_string),
        kind: ToolKind::Function { parameters, strict: None },
        cache: None,
        rest: members,
    }
}

/// One of the dialect's own tools, with its options.
fn native(name: String, raw: &RawValue) -> Tool {
    let mut options = Rest::from_owned(DIALECT, members(raw));
    if !raw.get().starts_with('{') {
        options.push(DIALECT, &name, raw.into());
    }
    Tool { name: name.clone(), description: None, kind: ToolKind::Native(name), cache: None, rest: options }
}

/// Which tools may or must be called. What is left of the configuration stays in `members`.
pub(super) fn tool_choice(config: ToolConfig<'_>, members: &mut Rest) -> Option<ToolChoice> {
    let mut left = rest(config.rest);
    let choice = config.function_calling_config.and_then(|calling| {
        let (choice, beside) = chosen(calling);
        keep_left(&mut left, "functionCallingConfig", &beside);
        choice
    });
    keep_left(members, "toolConfig", &left);
    choice
}

/// The choice, and what it does not say. `VALIDATED` is a choice of the model's whose calls fit their schemas.
/// Source: `FunctionCallingConfigMode` of the Python SDK's types.
fn chosen(calling: FunctionCallingConfig<'_>) -> (Option<ToolChoice>, Rest) {
    let mut left = rest(calling.rest);
    let word = calling.mode.map(Str::into_string);
    let mode = word.as_deref().unwrap_or_default().to_ascii_uppercase();
    let names: Vec<_> = calling.allowed_function_names.into_iter().map(Str::into_string).collect();
    if !matches!(mode.as_str(), "ANY" | "AUTO" | "VALIDATED") {
        keep_names(&mut left, &names);
    }
    let (choice, whole) = choice_of(&mode, names);
    if let Some(word) = word.filter(|_| !whole) {
        left.push(DIALECT, "mode", RawJson::string(&word));
    }
    (choice, left)
}

/// The choice of a mode and names, and whether it says all of the mode.
fn choice_of(mode: &str, names: Vec<String>) -> (Option<ToolChoice>, bool) {
    match (mode, names.as_slice()) {
        ("ANY", []) => (Some(ToolChoice::Required), true),
        ("ANY", [name]) => (Some(ToolChoice::Named(name.clone())), true),
        ("ANY", _) => (Some(ToolChoice::Allowed { names, required: true }), true),
        ("NONE", _) => (Some(ToolChoice::None), true),
        ("AUTO", []) => (Some(ToolChoice::Auto), true),
        ("VALIDATED", []) => (Some(ToolChoice::Auto), false),
        ("VALIDATED", _) => (Some(ToolChoice::Allowed { names, required: false }), true),
        ("AUTO", _) => (Some(ToolChoice::Allowed { names, required: false }), false),
        _ => (None, false),
    }
}

fn keep_names(left: &mut Rest, names: &[String]) {
    if !names.is_empty()
        && let Ok(raw) = RawJson::parse(&serde_json::Value::from(names).to_string())
    {
        left.push(DIALECT, "allowedFunctionNames", raw);
    }
}
