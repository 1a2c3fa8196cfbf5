//! Paths of the intermediate representation in the dialect's own words.

/// Begins of paths, the longest first, and what stands for them.
const NAMES: [(&str, &str); 31] = [
    ("inputs[", "requests["),
    ("dimensions", "outputDimensionality"),
    ("turns", "contents"),
    ("system[", "systemInstruction.parts["),
    ("sampling.temperature", "generationConfig.temperature"),
    ("sampling.top_p", "generationConfig.topP"),
    ("sampling.top_k", "generationConfig.topK"),
    ("sampling.frequency_penalty", "generationConfig.frequencyPenalty"),
    ("sampling.presence_penalty", "generationConfig.presencePenalty"),
    ("sampling.seed", "generationConfig.seed"),
    ("sampling.stop", "generationConfig.stopSequences"),
    ("sampling.output_max", "generationConfig.maxOutputTokens"),
    ("sampling.candidates", "generationConfig.candidateCount"),
    ("sampling.top_logprobs", "generationConfig.logprobs"),
    ("sampling.logprobs", "generationConfig.responseLogprobs"),
    ("reasoning.effort", "generationConfig.thinkingConfig.thinkingLevel"),
    ("reasoning.budget", "generationConfig.thinkingConfig.thinkingBudget"),
    ("reasoning.mode", "generationConfig.thinkingConfig.thinkingBudget"),
    ("reasoning.show", "generationConfig.thinkingConfig.includeThoughts"),
    ("reasoning", "generationConfig.thinkingConfig"),
    ("output.schema", "generationConfig.responseJsonSchema"),
    ("output.", "generationConfig.responseJsonSchema."),
    ("output", "generationConfig.responseMimeType"),
    ("usage.input_total", "totalTokens"),
    ("modalities", "generationConfig.responseModalities"),
    ("tool_choice", "toolConfig.functionCallingConfig"),
    ("service_tier", "serviceTier"),
    ("metadata", "labels"),
    ("state.store", "store"),
    ("usage", "usageMetadata"),
    ("model", "model"),
];

/// What a request keeps beside what it means, or what its client alone reads.
const BOOKKEEPING: [&str; 15] = [
    // Beside its parts it has a role, which says nothing.
    "systemInstruction",
    "role",
    "id",
    "item",
    "store",
    "labels",
    "displayName",
    "parameters",
    "responseSchema",
    "createTime",
    "safetyRatings",
    "avgLogprobs",
    "tokenCount",
    "propertyOrdering",
    "partMetadata",
];

/// A path in this dialect's words.
pub(super) fn name_path(path: &str) -> String {
    let path = &answered(path);
    let found = NAMES.iter().find_map(|(ours, theirs)| Some((theirs, path.strip_prefix(ours)?)));
    let named = found.map_or_else(|| path.to_owned(), |(theirs, rest)| format!("{theirs}{rest}"));
    if path.starts_with("inputs[") && path.ends_with(".task") { format!("{named}Type") } else { named }
}

/// A path with the words for what stands in a part or a candidate.
fn answered(path: &str) -> String {
    let path = match path.strip_suffix(".opaque") {
        Some(part) => format!("{part}.thoughtSignature"),
        None => path.to_owned(),
    };
    if !path.starts_with("candidates[") {
        return path;
    }
    let path = path.replacen(".parts[", ".content.parts[", 1).replacen(".finish", ".finishReason", 1);
    path.replacen(".citations", ".citationMetadata", 1)
}

/// Whether what stands at a path means nothing to a model, or is said by what is beside it.
pub(super) fn is_bookkeeping(path: &str) -> bool {
    let last = path.rsplit_once('.').map_or(path, |(_, last)| last);
    BOOKKEEPING.contains(&last)
}
