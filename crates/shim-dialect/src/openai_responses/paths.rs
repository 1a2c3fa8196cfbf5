//! Paths of the intermediate representation in this dialect's words.

/// What the members of a request and of an answer are called here, the longest first.
const NAMES: [(&str, &str); 23] = [
    ("candidates[0].parts", "output"),
    ("candidates[0].finish", "incomplete_details"),
    ("output.schema", "text.format.schema"),
    ("reasoning.encrypted", "include"),
    ("reasoning.show", "reasoning.summary"),
    ("reasoning.budget", "reasoning.max_tokens"),
    ("reasoning.mode", "reasoning.enabled"),
    ("sampling.output_max", "max_output_tokens"),
    ("sampling.logprobs", "include"),
    ("usage.input_total", "input_tokens"),
    ("state.previous", "previous_response_id"),
    ("candidates", "output"),
    ("cache_key", "prompt_cache_key"),
    ("cache_write_1h", "input_tokens_details.cache_write_tokens"),
    ("output", "text.format"),
    ("sampling", ""),
    ("stream", "stream_options"),
    ("state", ""),
    ("system", "instructions"),
    ("turns", "input"),
    ("created", "created_at"),
    ("usage", "usage"),
    ("reasoning", "reasoning"),
];

/// A path of the intermediate representation in this dialect's words: a turn is an item, and its parts are the content
/// of a message; what is said of an item that is no message stands in the item.
pub(super) fn name_path(path: &str) -> String {
    let known = NAMES.iter().find_map(|(own, word)| Some((*word, behind(path, own)?)));
    let (word, rest) = known.unwrap_or(("", path));
    if word == "instructions" {
        return word.to_owned();
    }
    let rest = if word == "input" { item(rest) } else { marked(rest.trim_start_matches('.')) };
    match (word, rest.as_str()) {
        ("", rest) => rest.to_owned(),
        (word, "") => word.to_owned(),
        (word, rest) if rest.starts_with('[') => format!("{word}{rest}"),
        (word, rest) => format!("{word}.{rest}"),
    }
}

/// The path of a part that is an item of its own: that of the item, as for what is said of it.
pub(super) fn name_item(path: &str) -> String {
    name_path(path.rsplit_once(".parts[").map_or(path, |(turn, _)| turn))
}

/// What stands behind `name` in `path`, where the path begins with that whole name.
fn behind<'p>(path: &'p str, name: &str) -> Option<&'p str> {
    let rest = path.strip_prefix(name)?;
    (rest.is_empty() || rest.starts_with(['.', '['])).then_some(rest)
}

/// What follows `turns` of a path: the index of the item, and what is meant in it.
fn item(path: &str) -> String {
    let Some((index, part)) = path.split_once(".parts") else { return marked(path) };
    let (place, rest) = part.split_once(']').unwrap_or((part, ""));
    let rest = rest.trim_start_matches('.');
    if let Some(content) = rest.strip_prefix("content") {
        return marked(&format!("{index}.output{content}"));
    }
    let of_item = ["arguments", "id", "item", "call", "kind", "error", "name", "opaque", "rest", "status"];
    match rest.split(['.', '[']).next().unwrap_or_default() {
        name if of_item.contains(&name) => format!("{index}.{}", marked(rest)),
        "" => format!("{index}.content{place}]"),
        _ => format!("{index}.content{place}].{}", marked(rest)),
    }
}

/// The names that differ below the first level.
fn marked(path: &str) -> String {
    let word = |name: &str| match name {
        "cache" => "prompt_cache_breakpoint".to_owned(),
        "citations" => "annotations".to_owned(),
        "opaque" => "encrypted_content".to_owned(),
        "source" => "content".to_owned(),
        name => name.to_owned(),
    };
    path.split('.').map(word).collect::<Vec<_>>().join(".")
}

/// What stands beside the content of an answer and means nothing to a model: the request told again, and how it went.
const OF_ANSWER: [&str; 30] = [
    "access_programs",
    "background",
    "billing",
    "completed_at",
    "error",
    "frequency_penalty",
    "id",
    "incomplete_details",
    "instructions",
    "max_output_tokens",
    "metadata",
    "model",
    "object",
    "output_text",
    "parallel_tool_calls",
    "presence_penalty",
    "previous_response_id",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "status",
    "store",
    "tool_usage",
    "tools",
    "top_logprobs",
    "usage",
    "user",
];

/// Members of the client's own, of a request or of its parts.
const NOTES: [&str; 11] = [
    "client_metadata",
    "id",
    "include_obfuscation",
    "internal_chat_message_metadata_passthrough",
    "item",
    "obfuscation",
    "phase",
    "sequence_number",
    "status",
    "stream_options",
    "type",
];

/// Members of a request that ask for something: answers repeat them, but to leave them out of a request is a loss.
const ASKED: [&str; 13] = [
    "frequency_penalty",
    "instructions",
    "max_output_tokens",
    "parallel_tool_calls",
    "presence_penalty",
    "previous_response_id",
    "reasoning",
    "service_tier",
    "temperature",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
];

/// Whether what stands at a path of a request means nothing to a model.
pub(super) fn is_bookkeeping(path: &str) -> bool {
    let last = path.rsplit('.').next().unwrap_or_default();
    NOTES.contains(&last) || (!path.contains('.') && OF_ANSWER.contains(&last) && !ASKED.contains(&last))
}

/// Whether what stands at a path of an answer means nothing to a model, or only says again what was asked.
pub(super) fn is_answer_bookkeeping(path: &str) -> bool {
    let last = path.rsplit('.').next().unwrap_or_default();
    let beside = !path.contains('.') && (OF_ANSWER.contains(&last) || ASKED.contains(&last));
    is_bookkeeping(path) || beside || ECHO.contains(&last)
}

/// Members of an answer that say again what was asked, and what holds its parts together.
const ECHO: [&str; 24] = [
    "background",
    "conversation",
    "instructions",
    "item",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "moderation",
    "parallel_tool_calls",
    "previous_response_id",
    "prompt",
    "prompt_cache_key",
    "reasoning",
    "safety_identifier",
    "status",
    "store",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "truncation",
    "usage",
    "user",
];
