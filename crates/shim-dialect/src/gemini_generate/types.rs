//! Wire types of `generateContent`, in the reference's order and words.

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;
use shim_wire::{JsonString, Members, Str};

use super::message::Unread;

message! {
    /// The body of `:generateContent` and `:streamGenerateContent`.
    struct GenerateContentRequest<'a>, rest: Members {
        /// Not of the body by the reference, as the path has it; some clients write it all the same.
        opt model: Str<'a>,
        req contents: &'a RawValue,
        opt tools: &'a RawValue,
        opt tool_config: ToolConfig<'a>,
        /// A `Content`; some clients write a string.
        opt system_instruction: &'a RawValue,
        opt generation_config: GenerationConfig<'a>,
        opt service_tier: Str<'a>,
        opt store: bool,
        /// Vertex AI's.
        opt labels: &'a RawValue,
    }

    /// A turn.
    struct Content<'a>, rest: Members {
        opt parts: &'a RawValue,
        opt role: Str<'a>,
    }

    /// A part. The member that says what it is stays in `rest`.
    struct Part<'a>, rest: Members {
        opt thought: bool,
        opt thought_signature: Str<'a>,
        opt media_resolution: &'a RawValue,
        opt text: JsonString,
    }

    /// `inlineData`.
    struct Blob<'a>, rest: Members {
        opt mime_type: Str<'a>,
        req data: Str<'a>,
        opt display_name: Str<'a>,
    }

    /// `fileData`.
    struct FileData<'a>, rest: Members {
        opt mime_type: Str<'a>,
        opt file_uri: Str<'a>,
        opt display_name: Str<'a>,
    }

    /// `mediaResolution` of a part.
    struct MediaResolution<'a>, rest: Members {
        opt level: Str<'a>,
    }

    /// `functionCall`. With `partialArgs` or `willContinue` it is a piece of one.
    struct FunctionCall<'a>, rest: Members {
        opt id: Str<'a>,
        opt name: Str<'a>,
        opt args: &'a RawValue,
    }

    /// A value of `partialArgs` (Vertex AI); one that is null may be so in JSON's word, and stays in `rest`.
    struct PartialArg<'a>, rest: Members {
        opt json_path: Str<'a>,
        opt string_value: Str<'a>,
        opt number_value: &'a RawValue,
        opt bool_value: &'a RawValue,
        opt will_continue: bool,
    }

    /// `functionResponse`.
    struct FunctionResponse<'a>, rest: Members {
        opt id: Str<'a>,
        opt name: Str<'a>,
        opt response: &'a RawValue,
        opt parts: &'a RawValue,
    }

    /// `toolCall`: a tool that the provider runs.
    struct ToolCall<'a>, rest: Members {
        opt id: Str<'a>,
        opt tool_type: Str<'a>,
        opt args: &'a RawValue,
    }

    /// What `executableCode`, `codeExecutionResult` and `toolResponse` share.
    struct Identified<'a>, _rest: Unread {
        opt id: Str<'a>,
    }

    /// An entry of `tools`: functions, and in `rest` the dialect's own tools by name.
    struct Tool<'a>, rest: Members {
        opt function_declarations: &'a RawValue,
    }

    /// One of `functionDeclarations`.
    struct FunctionDeclaration<'a>, rest: Members {
        req name: Str<'a>,
        opt description: Str<'a>,
        /// A schema in the words of OpenAPI.
        opt parameters: &'a RawValue,
        /// A JSON Schema.
        opt parameters_json_schema: &'a RawValue,
    }

    /// `toolConfig`.
    struct ToolConfig<'a>, rest: Members {
        opt function_calling_config: FunctionCallingConfig<'a>,
    }

    /// `functionCallingConfig`.
    struct FunctionCallingConfig<'a>, rest: Members {
        opt mode: Str<'a>,
        seq allowed_function_names: Vec<Str<'a>>,
    }

    /// `generationConfig`.
    struct GenerationConfig<'a>, rest: Members {
        seq stop_sequences: Vec<Str<'a>>,
        opt response_mime_type: Str<'a>,
        /// A schema in the words of OpenAPI.
        opt response_schema: &'a RawValue,
        /// A JSON Schema.
        opt response_json_schema: &'a RawValue,
        seq response_modalities: Vec<Str<'a>>,
        opt candidate_count: u32,
        opt max_output_tokens: u64,
        opt temperature: f64,
        opt top_p: f64,
        opt top_k: f64,
        opt seed: i64,
        opt presence_penalty: f64,
        opt frequency_penalty: f64,
        opt response_logprobs: bool,
        opt logprobs: u32,
        opt thinking_config: ThinkingConfig<'a>,
    }

    /// `thinkingConfig`.
    struct ThinkingConfig<'a>, rest: Members {
        opt include_thoughts: bool,
        /// −1 leaves it to the model, 0 turns it off.
        opt thinking_budget: i64,
        opt thinking_level: Str<'a>,
    }

    /// The body of `:embedContent`, and one of `requests` of `:batchEmbedContents`.
    struct EmbedContentRequest<'a>, rest: Members {
        opt model: Str<'a>,
        req content: &'a RawValue,
        opt task_type: Str<'a>,
        opt title: Str<'a>,
        opt output_dimensionality: u64,
    }

    /// The answer to `:embedContent`, and to `:batchEmbedContents`.
    struct EmbedContentResponse<'a>, rest: Members {
        opt embedding: &'a RawValue,
        opt embeddings: Vec<&'a RawValue>,
        opt usage_metadata: &'a RawValue,
        opt error: &'a RawValue,
    }

    /// One vector.
    struct ContentEmbedding<'a>, rest: Members {
        req values: &'a RawValue,
    }

    /// The body of `:batchEmbedContents`.
    struct BatchEmbedContentsRequest<'a>, rest: Members {
        seq requests: Vec<&'a RawValue>,
    }

    /// The body of `:countTokens`, where it holds a whole request.
    struct CountTokensRequest<'a>, rest: Members {
        opt generate_content_request: &'a RawValue,
    }

    /// An answer, or a piece of one.
    struct GenerateContentResponse<'a>, rest: Members {
        seq candidates: Vec<Candidate<'a>>,
        opt prompt_feedback: &'a RawValue,
        opt usage_metadata: &'a RawValue,
        opt model_version: Str<'a>,
        opt response_id: Str<'a>,
        /// Vertex AI's; RFC 3339.
        opt create_time: Str<'a>,
        /// A `google.rpc.Status` in the place of an answer.
        opt error: &'a RawValue,
    }

    /// One of the answers, or a piece of one.
    struct Candidate<'a>, rest: Members {
        opt content: Content<'a>,
        opt finish_reason: Str<'a>,
        opt citation_metadata: &'a RawValue,
        opt grounding_metadata: &'a RawValue,
        opt logprobs_result: &'a RawValue,
        opt index: u32,
    }

    /// `citationMetadata`.
    struct CitationMetadata<'a>, _rest: Unread {
        /// Vertex AI's word, and today also Gemini's.
        seq citations: Vec<&'a RawValue>,
        seq citation_sources: Vec<&'a RawValue>,
    }

    /// A source that is cited.
    struct CitationSource<'a>, _rest: Unread {
        opt start_index: u64,
        opt end_index: u64,
        opt uri: Str<'a>,
        opt title: Str<'a>,
    }

    /// `groundingMetadata`, as far as it cites.
    struct GroundingMetadata<'a>, _rest: Unread {
        seq grounding_chunks: Vec<GroundingChunk<'a>>,
        seq grounding_supports: Vec<GroundingSupport<'a>>,
    }

    /// Something found that supports the answer.
    struct GroundingChunk<'a>, _rest: Unread {
        opt web: Found<'a>,
        opt retrieved_context: Found<'a>,
        opt maps: Found<'a>,
    }

    /// What was found.
    struct Found<'a>, _rest: Unread {
        opt uri: Str<'a>,
        opt title: Str<'a>,
    }

    /// Which words are supported by what.
    struct GroundingSupport<'a>, _rest: Unread {
        opt segment: Segment<'a>,
        seq grounding_chunk_indices: Vec<usize>,
    }

    /// Words of a part, in bytes.
    struct Segment<'a>, _rest: Unread {
        opt part_index: usize,
        opt start_index: u64,
        opt end_index: u64,
        opt text: Str<'a>,
    }

    /// `promptFeedback`.
    struct PromptFeedback<'a>, _rest: Unread {
        opt block_reason: Str<'a>,
    }

    /// `usageMetadata`.
    struct UsageMetadata<'a>, _rest: Unread {
        opt prompt_token_count: u64,
        opt cached_content_token_count: u64,
        opt candidates_token_count: u64,
        opt tool_use_prompt_token_count: u64,
        opt thoughts_token_count: u64,
        opt total_token_count: u64,
        seq prompt_tokens_details: Modalities,
        seq cache_tokens_details: Modalities,
        seq candidates_tokens_details: Modalities,
    }

    /// The tokens of one modality.
    struct ModalityTokenCount<'a>, _rest: Unread {
        opt modality: Str<'a>,
        opt token_count: u64,
    }
}

/// A list of `ModalityTokenCount`, as the sums of the modalities that have a price of their own.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Modalities {
    pub(crate) audio: u64,
    pub(crate) image: u64,
}

impl<'de> Deserialize<'de> for Modalities {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Sums)
    }
}

/// Reads a list and adds it up.
struct Sums;

impl<'de> Visitor<'de> for Sums {
    type Value = Modalities;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Modalities, A::Error> {
        let mut sums = Modalities::default();
        while let Some(entry) = list.next_element::<ModalityTokenCount<'de>>()? {
            let count = entry.token_count.unwrap_or_default();
            match entry.modality.as_deref() {
                Some("AUDIO") => sums.audio = sums.audio.saturating_add(count),
                Some("IMAGE") => sums.image = sums.image.saturating_add(count),
                _ => {}
            }
        }
        Ok(sums)
    }
}
