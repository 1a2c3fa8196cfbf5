//! The form of the answer, which may take a tool.

use shim_ir::{OutputFormat, Request, Schema};
use shim_wire::JsonWriter;

use super::request::To;
use super::schema::json_schema;
use crate::common::member;
use crate::openai_chat::decode::has_form;

/// The function that stands for an answer in JSON, where the model keeps to a schema in no other way.
pub(super) fn answer_tool<'r>(request: &'r Request, to: &mut To<'_>) -> Option<(String, &'r Schema)> {
    let Some(OutputFormat::Schema(schema)) = &request.output else { return None };
    let object = schema.schema.as_ref().is_some_and(|schema| {
        let kind = member(schema.get(), "type").and_then(|kind| kind.as_str());
        kind.is_some_and(|kind| kind.eq_ignore_ascii_case("object"))
    });
    let traits = to.goal.traits;
    let needed = traits.schema == Some(false) || to.has("json_object_only");
    if !needed || !object || traits.tools == Some(false) {
        return None;
    }
    let name = to.names.unique("json_answer");
    to.names.echo.json_tool = Some(name.clone());
    to.losses.approximated("output", "the answer is asked for through a function");
    Some((name, schema))
}

/// Writes `response_format`, unless the answer comes through a tool.
pub(super) fn output(request: &Request, through_tool: bool, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    match &request.output {
        None => {}
        Some(_) if through_tool => {}
        Some(OutputFormat::Text) => w.nested("response_format", |w| w.string("type", "text")),
        Some(OutputFormat::JsonObject) => json_object(w),
        Some(OutputFormat::Schema(_))
            if to.has("json_object_only") || to.goal.traits.schema == Some(false) =>
        {
            to.losses.unsupported("output", "the model keeps to no schema");
            json_object(w);
        }
        Some(OutputFormat::Schema(schema)) => json_schema_format(schema, to, w),
        Some(OutputFormat::Other(raw)) if member(raw.get(), "type").is_some() => {
            w.raw("response_format", raw)
        }
        Some(OutputFormat::Other(_)) => to.losses.unsupported("output", "there is no such form here"),
    }
}

fn json_object(w: &mut JsonWriter<'_>) {
    w.nested("response_format", |w| w.string("type", "json_object"));
}

fn json_schema_format(schema: &Schema, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    w.nested("response_format", |w| {
        w.string("type", "json_schema");
        w.nested("json_schema", |w| {
            match schema.name.as_deref() {
                Some(name) => w.string("name", name),
                None if has_form(&schema.rest, "nameless") => {}
                None => {
                    w.string("name", "answer");
                    to.losses.add("output.name", shim_ir::LossKind::Defaulted, "a schema has a name here");
                }
            }
            w.maybe("description", schema.description.as_deref(), JsonWriter::string);
            w.maybe("schema", schema.schema.as_ref().map(json_schema).as_deref(), JsonWriter::raw);
            w.maybe("strict", schema.strict, JsonWriter::bool);
            to.losses.write_own(&schema.rest, &"output", w);
        });
    });
}
