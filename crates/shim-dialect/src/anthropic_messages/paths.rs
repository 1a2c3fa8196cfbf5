//! Paths of the intermediate representation in this dialect's words, for people.

use crate::anthropic_messages::decode::APART;

/// The path in the words of the Messages API: `turns[2].parts[0].cache` is `messages[2].content[0].cache_control`.
pub(super) fn name_path(path: &str) -> String {
    if let Some(known) = known(path) {
        return known.to_owned();
    }
    if let Some(member) = path.strip_prefix("output.") {
        return format!("output_config.format.{member}");
    }
    let path = path.strip_prefix("sampling.").or(path.strip_prefix("reasoning.")).unwrap_or(path);
    let path = path.strip_prefix("candidates[0].").unwrap_or(path);
    path.split('.').map(segment).collect::<Vec<_>>().join(".")
}

/// The paths that are another word as a whole.
fn known(path: &str) -> Option<&'static str> {
    Some(match path {
        "sampling.output_max" => "max_tokens",
        "sampling.stop" => "stop_sequences",
        "reasoning" => "thinking",
        "reasoning.mode" => "thinking.type",
        "reasoning.budget" => "thinking.budget_tokens",
        "reasoning.show" => "thinking.display",
        "reasoning.effort" => "output_config.effort",
        "output" => "output_config.format",
        "output.schema" => "output_config.format.schema",
        "parallel_tool_calls" => "tool_choice.disable_parallel_tool_use",
        "user" => "metadata.user_id",
        "candidates[0].finish" => "stop_reason",
        "usage.input_total" => "input_tokens",
        _ => return None,
    })
}

/// One segment of a path, with its index.
fn segment(segment: &str) -> String {
    let (word, index) = segment.find('[').map_or((segment, ""), |at| segment.split_at(at));
    let word = match word {
        "turns" => "messages",
        "parts" => "content",
        "cache" => "cache_control",
        "arguments" => "input",
        "opaque" => "signature",
        "parameters" => "input_schema",
        "stop" => "stop_sequences",
        other => other,
    };
    format!("{word}{index}")
}

/// Whether what stands at a path means nothing to a model.
pub(super) fn is_bookkeeping(path: &str) -> bool {
    let last = path.rsplit('.').next().unwrap_or_default();
    let in_turn = path.starts_with("turns[") && path.matches('.').count() == 1;
    let in_part = path.contains(".parts[");
    match last {
        "id" | "item" => true,
        // That a turn was a message or a block of its own.
        key if in_turn => key == APART || key == "type",
        // Who called a tool: the model itself, or a program of its.
        "caller" => in_part,
        "eager_input_streaming" | "defer_loading" => path.starts_with("tools["),
        _ => matches!(path, "metadata" | "user" | "user_profile_id" | "diagnostics"),
    }
}
