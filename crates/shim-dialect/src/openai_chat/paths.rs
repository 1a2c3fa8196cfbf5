//! Paths of the intermediate representation, in the words of this dialect.

/// The beginnings of paths that have another word here, the longest first.
const BEGINNINGS: [(&str, &str); 18] = [
    ("sampling.output_max", "max_completion_tokens"),
    ("sampling.candidates", "n"),
    ("sampling.", ""),
    ("reasoning.effort", "reasoning_effort"),
    ("reasoning.budget", "reasoning.max_tokens"),
    ("reasoning.mode", "reasoning.enabled"),
    ("reasoning.show", "reasoning.summary"),
    ("output.", "response_format.json_schema."),
    ("output", "response_format"),
    ("stream.usage", "stream_options.include_usage"),
    ("stream.", "stream_options."),
    ("cache_key", "prompt_cache_key"),
    ("state.store", "store"),
    ("inputs[", "input["),
    ("turns[", "messages["),
    ("candidates[", "choices["),
    ("tools[", "tools["),
    ("turns", "messages"),
];

/// A path in the words of this dialect.
pub(super) fn name_path(path: &str) -> String {
    let found = BEGINNINGS.iter().find_map(|(ours, theirs)| Some((*ours, *theirs, path.strip_prefix(ours)?)));
    match found {
        Some(("turns[", begin, rest)) => inside(begin, rest, "content"),
        Some(("candidates[", begin, rest)) => inside(begin, rest, "message.content"),
        Some(("tools[", begin, rest)) => tool(begin, rest),
        Some((_, begin, rest)) => format!("{begin}{rest}"),
        None => path.to_owned(),
    }
}

fn inside(begin: &str, rest: &str, content: &str) -> String {
    // Sealed reasoning stands beside the content, where clients of the dialect know it at all.
    if let Some((turn, _)) = rest.strip_suffix(".opaque").and_then(|part| part.split_once(".parts[")) {
        let message = content.strip_suffix("content").unwrap_or_default();
        return format!("{begin}{turn}.{message}reasoning_details");
    }
    let rest = rest.replacen(".parts[", &format!(".{content}["), 1);
    let rest = rest.replacen(".finish", ".finish_reason", 1);
    format!("{begin}{}", last(&rest, ".cache", ".cache_control"))
}

fn tool(begin: &str, rest: &str) -> String {
    let rest = last(rest, ".cache", ".cache_control");
    let of_function = [".name", ".description", ".parameters", ".strict"];
    let member = of_function.iter().find(|member| rest.ends_with(**member));
    match member.and_then(|member| Some((rest.strip_suffix(*member)?, *member))) {
        Some((before, member)) => format!("{begin}{before}.function{member}"),
        None => format!("{begin}{rest}"),
    }
}

/// `path` with another last member.
fn last(path: &str, ours: &str, theirs: &str) -> String {
    path.strip_suffix(ours).map_or_else(|| path.to_owned(), |before| format!("{before}{theirs}"))
}

/// Members of messages that mean nothing to a model: ids, statuses and clients' own notes.
const NOTES: [&str; 9] = [
    "id",
    "index",
    "item",
    "status",
    "form",
    "provider_specific_fields",
    "annotations",
    "refusal",
    "logprobs",
];

/// Members of requests that mean nothing to a model, or were read and are kept beside that as they came.
const KEPT: [&str; 11] = [
    "top_k",
    "thinking",
    "enable_thinking",
    "thinking_budget",
    "max_tokens",
    "safety_identifier",
    "metadata",
    "user",
    "stream.include_obfuscation",
    "stream_options",
    "prompt_cache_retention",
];

/// Whether what stands at `path` means nothing to a model.
pub(super) fn is_bookkeeping(path: &str) -> bool {
    let last = path.rsplit('.').next().unwrap_or_default();
    let nested = path.contains('.');
    KEPT.contains(&path) || (nested && NOTES.contains(&last)) || last == "form"
}

/// Whether a path of an answer is the mark of the machine that gave it, which is bookkeeping as the answer's id is: it says
/// nothing of what was said, and serves none but who compares answers of one `seed`, whose own loss is told.
pub(super) fn is_imprint(path: &str) -> bool {
    path == "system_fingerprint"
}
