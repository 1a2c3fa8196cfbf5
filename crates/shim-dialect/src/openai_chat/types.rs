//! Wire types of Chat Completions, in the reference's order and words, with the members other providers add.

use serde_json::value::RawValue;
use shim_wire::{JsonString, Str, object};

object! {
    /// The body of `POST /chat/completions`.
    pub(crate) struct ChatRequest<'a> {
        req messages: Vec<Message<'a>>,
        req model: Str<'a>,
        opt frequency_penalty: f64,
        /// Deprecated in favour of `tool_choice`: `"none"`, `"auto"` or `{name}`.
        opt function_call: &'a RawValue,
        /// Deprecated in favour of `tools`.
        seq functions: Vec<Function<'a>>,
        opt logprobs: bool,
        opt max_completion_tokens: u64,
        /// Deprecated in favour of `max_completion_tokens`; what most other providers read.
        opt max_tokens: &'a RawValue,
        opt metadata: &'a RawValue,
        seq modalities: Vec<Str<'a>>,
        opt n: u32,
        opt parallel_tool_calls: bool,
        opt presence_penalty: f64,
        opt prompt_cache_key: Str<'a>,
        opt reasoning_effort: Str<'a>,
        opt response_format: &'a RawValue,
        opt seed: i64,
        opt service_tier: Str<'a>,
        /// One word or several.
        opt stop: &'a RawValue,
        opt store: bool,
        opt stream: bool,
        opt stream_options: &'a RawValue,
        opt temperature: f64,
        opt tool_choice: &'a RawValue,
        seq tools: Vec<&'a RawValue>,
        opt top_logprobs: u32,
        opt top_p: f64,
        opt user: Str<'a>,
        /// Not OpenAI's: OpenRouter, vLLM, Groq, Fireworks and others.
        opt top_k: &'a RawValue,
        /// Not OpenAI's: OpenRouter's form of asking for reasoning.
        opt reasoning: &'a RawValue,
        /// Not OpenAI's: the form of DeepSeek, Z.ai, Moonshot.
        opt thinking: &'a RawValue,
        /// Not OpenAI's: the form of Qwen.
        opt enable_thinking: &'a RawValue,
        /// Not OpenAI's: Qwen's bound on reasoning, in tokens.
        opt thinking_budget: &'a RawValue,
    }

    /// `stream_options` of a request.
    pub(crate) struct StreamOptions<'a> {
        opt include_usage: bool,
    }

    /// `reasoning` of a request. Source: <https://openrouter.ai/docs/use-cases/reasoning-tokens>, read 2026-11-23.
    pub(crate) struct Reasoning<'a> {
        opt effort: Str<'a>,
        opt max_tokens: u64,
        opt enabled: bool,
        opt summary: Str<'a>,
    }

    /// `thinking` of a request. Source: <https://api-docs.deepseek.com/guides/thinking_mode>, read 2026-11-23.
    pub(crate) struct Thinking<'a> {
        /// `enabled`, `disabled`, `adaptive` or `auto`.
        opt kind as "type": Str<'a>,
        opt budget_tokens: u64,
    }

    /// `response_format` of a request.
    pub(crate) struct ResponseFormat<'a> {
        opt kind as "type": Str<'a>,
        opt json_schema: JsonSchema<'a>,
    }

    /// `json_schema` of a `response_format`.
    pub(crate) struct JsonSchema<'a> {
        opt name: Str<'a>,
        opt description: Str<'a>,
        opt schema: &'a RawValue,
        opt strict: bool,
    }

    /// A message of a request, the `message` of an answer, and the `delta` of a chunk.
    pub(crate) struct Message<'a> {
        /// Required in a request; in chunks only the first has to have it.
        opt role: Str<'a>,
        /// Text, or parts.
        opt content: &'a RawValue,
        opt refusal: Str<'a>,
        opt name: Str<'a>,
        /// Of an answer: the sound itself. Of a request: the id of an earlier one.
        opt audio: Audio<'a>,
        opt annotations: &'a RawValue,
        /// Deprecated in favour of `tool_calls`.
        opt function_call: Called<'a>,
        seq tool_calls: Vec<ToolCall<'a>>,
        /// Of a tool's message: the call it answers.
        opt tool_call_id: Str<'a>,
        /// Not OpenAI's: reasoning in the word of DeepSeek, Z.ai, Qwen, xAI, Moonshot, older vLLM.
        opt reasoning_content: Str<'a>,
        /// Not OpenAI's: reasoning in the word of OpenRouter, Groq, Ollama, Cerebras, newer vLLM.
        opt reasoning: Str<'a>,
        /// Not OpenAI's: reasoning with its opaque state, in OpenRouter's form.
        opt reasoning_details: &'a RawValue,
        /// Not OpenAI's: images made by the model, in OpenRouter's form.
        seq images: Vec<&'a RawValue>,
    }

    /// A content part of `type` `text`.
    pub(crate) struct TextPart<'a> {
        req kind as "type": Str<'a>,
        req text: JsonString,
        opt prompt_cache_breakpoint: CacheControl<'a>,
        opt cache_control: CacheControl<'a>,
    }

    /// A content part of `type` `refusal`.
    pub(crate) struct RefusalPart<'a> {
        req kind as "type": Str<'a>,
        req refusal: JsonString,
    }

    /// A content part of `type` `image_url`; not OpenAI's: `video_url` of OpenRouter and Qwen, `document_url` of Mistral.
    pub(crate) struct MediaPart<'a> {
        req kind as "type": Str<'a>,
        /// `{url, detail}`; a string with Mistral.
        opt image_url: &'a RawValue,
        opt video_url: &'a RawValue,
        opt document_url: &'a RawValue,
        opt document_name: Str<'a>,
        opt prompt_cache_breakpoint: CacheControl<'a>,
        opt cache_control: CacheControl<'a>,
    }

    /// A content part of `type` `input_audio`.
    pub(crate) struct AudioPart<'a> {
        req kind as "type": Str<'a>,
        req input_audio: InputAudio<'a>,
        opt prompt_cache_breakpoint: CacheControl<'a>,
        opt cache_control: CacheControl<'a>,
    }

    /// A content part of `type` `file`.
    pub(crate) struct FilePart<'a> {
        req kind as "type": Str<'a>,
        req file: File<'a>,
        opt prompt_cache_breakpoint: CacheControl<'a>,
        opt cache_control: CacheControl<'a>,
    }

    /// A content part of `type` `thinking`. Not OpenAI's: Mistral's reasoning, as content parts of its own.
    /// Source: <https://docs.mistral.ai/capabilities/reasoning>, read 2026-11-23.
    pub(crate) struct ThinkingPart<'a> {
        req kind as "type": Str<'a>,
        req thinking: &'a RawValue,
    }

    /// `image_url`, `video_url` or `document_url` of a content part.
    pub(crate) struct MediaUrl<'a> {
        req url: Str<'a>,
        opt detail: Str<'a>,
    }

    /// `input_audio` of a content part.
    pub(crate) struct InputAudio<'a> {
        req data: Str<'a>,
        opt format: Str<'a>,
    }

    /// `file` of a content part.
    pub(crate) struct File<'a> {
        opt file_data: Str<'a>,
        opt file_id: Str<'a>,
        opt filename: Str<'a>,
    }

    /// A marker of a cached prefix, of either kind.
    pub(crate) struct CacheControl<'a> {
        opt ttl: Str<'a>,
    }

    /// A tool on offer.
    pub(crate) struct Tool<'a> {
        opt kind as "type": Str<'a>,
        opt function: Function<'a>,
        opt custom: CustomTool<'a>,
        opt cache_control: CacheControl<'a>,
    }

    /// `function` of a tool on offer.
    pub(crate) struct Function<'a> {
        req name: Str<'a>,
        opt description: Str<'a>,
        opt parameters: &'a RawValue,
        opt strict: bool,
    }

    /// `custom` of a tool on offer.
    pub(crate) struct CustomTool<'a> {
        req name: Str<'a>,
        opt description: Str<'a>,
        opt format: &'a RawValue,
    }

    /// `tool_choice`, where it is an object, and the legacy `function_call: {name}`.
    pub(crate) struct Choose<'a> {
        opt kind as "type": Str<'a>,
        opt name: Str<'a>,
        opt function: Named<'a>,
        opt custom: Named<'a>,
        opt allowed_tools: AllowedTools<'a>,
    }

    /// Something that has a name.
    pub(crate) struct Named<'a> {
        req name: Str<'a>,
    }

    /// `allowed_tools` of a `tool_choice`.
    pub(crate) struct AllowedTools<'a> {
        opt mode: Str<'a>,
        seq tools: Vec<Choose<'a>>,
    }

    /// The answer: `chat.completion`, each `chat.completion.chunk` of a stream, and the list of embeddings.
    pub(crate) struct Completion<'a> {
        opt id: Str<'a>,
        opt choices: Vec<Choice<'a>>,
        opt created: Count,
        opt model: Str<'a>,
        opt object: Str<'a>,
        opt service_tier: Str<'a>,
        opt usage: &'a RawValue,
        /// Not OpenAI's: a failure inside a 200.
        opt error: &'a RawValue,
        /// Not OpenAI's: Perplexity's sources.
        opt search_results: &'a RawValue,
        /// Not OpenAI's: Perplexity's sources, as addresses alone.
        opt citations: &'a RawValue,
        /// Not OpenAI's: Groq tells the usage of a stream here when it was not asked for.
        opt x_groq: &'a RawValue,
        /// Of embeddings alone.
        opt data: &'a RawValue,
    }

    /// One of the answers, or a piece of it.
    pub(crate) struct Choice<'a> {
        opt index: u32,
        opt finish_reason: Str<'a>,
        opt logprobs: &'a RawValue,
        /// Of a whole answer. Perplexity's chunks have it too, with all that was said so far.
        opt message: Message<'a>,
        /// Of a chunk. Perplexity's whole answers have it too, empty.
        opt delta: Message<'a>,
        /// Not OpenAI's: vLLM's stop sequence, or the number of the stop token.
        opt stop_reason: &'a RawValue,
        /// Not OpenAI's: OpenRouter's failure of one answer.
        opt error: &'a RawValue,
        /// Not OpenAI's: Moonshot's place for the usage of a stream.
        opt usage: &'a RawValue,
    }

    /// `logprobs` of a choice: a list for each kind of content.
    pub(crate) struct Logprobs<'a> {
        opt content: &'a RawValue,
        opt refusal: &'a RawValue,
    }

    /// A call of a tool, or a piece of it.
    pub(crate) struct ToolCall<'a> {
        /// Which call a piece belongs to.
        opt index: u32,
        opt id: Str<'a>,
        opt kind as "type": Str<'a>,
        opt function: Called<'a>,
        opt custom: Called<'a>,
        /// Not OpenAI's: Gemini's signature, in the form of Google's compatible API.
        opt extra_content: &'a RawValue,
    }

    /// What is called: `function` or `custom` of a tool call.
    pub(crate) struct Called<'a> {
        opt name: Str<'a>,
        /// A string; an object with some providers.
        opt arguments: &'a RawValue,
        /// Of a custom tool.
        opt input: Str<'a>,
    }

    /// `audio` of an answer, or a piece of it.
    pub(crate) struct Audio<'a> {
        opt id: Str<'a>,
        opt data: Str<'a>,
        opt transcript: Str<'a>,
    }

    /// An entry of `annotations`.
    pub(crate) struct Annotation<'a> {
        opt url_citation: UrlCitation<'a>,
    }

    /// `url_citation` of an annotation.
    pub(crate) struct UrlCitation<'a> {
        opt url: Str<'a>,
        opt title: Str<'a>,
        opt content: Str<'a>,
        opt start_index: Count,
        opt end_index: Count,
    }

    /// An entry of Perplexity's `search_results`. Source: <https://docs.perplexity.ai/api-reference/chat-completions-post>,
    /// read 2026-11-23.
    pub(crate) struct SearchResult<'a> {
        opt url: Str<'a>,
        opt title: Str<'a>,
        opt snippet: Str<'a>,
    }

    /// An entry of OpenRouter's `reasoning_details`. Source: <https://openrouter.ai/docs/use-cases/reasoning-tokens>,
    /// read 2026-11-23.
    pub(crate) struct ReasoningDetail<'a> {
        opt kind as "type": Str<'a>,
        opt text: Str<'a>,
        opt summary: Str<'a>,
    }

    /// The body of `POST /embeddings`.
    pub(crate) struct EmbeddingRequest<'a> {
        req input: &'a RawValue,
        req model: Str<'a>,
        opt user: Str<'a>,
        opt dimensions: u64,
        opt encoding_format: Str<'a>,
    }

    /// One of `data` of a list of embeddings.
    pub(crate) struct EmbeddingObject<'a> {
        opt index: u32,
        opt object: Str<'a>,
        req embedding: &'a RawValue,
    }

    /// `error` of a failed answer.
    pub(crate) struct ErrorObject<'a> {
        opt message: &'a RawValue,
        opt kind as "type": &'a RawValue,
        /// A word; a status with OpenRouter and Perplexity.
        opt code: &'a RawValue,
        opt param: &'a RawValue,
        /// Not OpenAI's: Groq's status of a failure inside a 200.
        opt status_code: &'a RawValue,
    }
}

/// A count that some providers write as a float. A negative one is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count(pub(crate) u64);

impl<'de> serde::Deserialize<'de> for Count {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_u64(CountVisitor)
    }
}

struct CountVisitor;

impl serde::de::Visitor<'_> for CountVisitor {
    type Value = Count;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a number")
    }

    fn visit_u64<E>(self, number: u64) -> Result<Count, E> {
        Ok(Count(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Count, E> {
        Ok(Count(u64::try_from(number).unwrap_or_default()))
    }

    #[expect(clippy::cast_possible_truncation, reason = "the cast saturates, and a fraction has no meaning")]
    fn visit_f64<E>(self, number: f64) -> Result<Count, E> {
        Ok(Count(number as u64))
    }
}
