//! Wire types of Responses, in the reference's order and words, with the members other providers add.

use serde_json::value::RawValue;
use shim_wire::{JsonString, Str, object};

object! {
    /// The body of `POST /responses`, of `/responses/compact` and of `/responses/input_tokens`.
    pub(crate) struct ResponseRequest<'a> {
        opt background: bool,
        /// An id, or an object that holds one.
        opt conversation: &'a RawValue,
        opt include: Vec<Str<'a>>,
        /// Text, or items. Absent where a stored prompt or an earlier answer is all there is.
        opt input: &'a RawValue,
        opt instructions: &'a RawValue,
        opt max_output_tokens: u64,
        opt metadata: &'a RawValue,
        req model: Str<'a>,
        opt parallel_tool_calls: bool,
        opt previous_response_id: Str<'a>,
        opt prompt_cache_key: Str<'a>,
        opt reasoning: Reasoning<'a>,
        opt service_tier: Str<'a>,
        opt store: bool,
        opt stream: bool,
        opt stream_options: &'a RawValue,
        opt temperature: f64,
        opt text: TextConfig<'a>,
        opt tool_choice: &'a RawValue,
        seq tools: Vec<&'a RawValue>,
        opt top_logprobs: u32,
        opt top_p: f64,
        opt user: Str<'a>,
        /// Not OpenAI's: OpenRouter, vLLM.
        opt top_k: f64,
        /// Not OpenAI's: Open Responses, OpenRouter.
        opt frequency_penalty: f64,
        /// Not OpenAI's: Open Responses, OpenRouter.
        opt presence_penalty: f64,
    }

    /// `reasoning` of a request.
    pub(crate) struct Reasoning<'a> {
        opt effort: Str<'a>,
        opt summary: Str<'a>,
        /// Not OpenAI's: OpenRouter.
        opt max_tokens: u64,
        /// Not OpenAI's: OpenRouter.
        opt enabled: bool,
    }

    /// `text` of a request.
    pub(crate) struct TextConfig<'a> {
        opt format: &'a RawValue,
    }

    /// `text.format` of a request.
    pub(crate) struct TextFormat<'a> {
        opt kind as "type": Str<'a>,
        opt name: Str<'a>,
        opt description: Str<'a>,
        opt schema: &'a RawValue,
        opt strict: bool,
    }

    /// A tool of `type` `function`, `custom` or `namespace`.
    pub(crate) struct Tool<'a> {
        opt kind as "type": Str<'a>,
        req name: Str<'a>,
        opt description: Str<'a>,
        /// Of a function.
        opt parameters: &'a RawValue,
        /// Of a function.
        opt strict: bool,
        /// Of a custom tool.
        opt format: &'a RawValue,
        /// Of a namespace.
        seq tools: Vec<&'a RawValue>,
    }

    /// `tool_choice`, where it is an object, and each of its `tools`.
    pub(crate) struct Choose<'a> {
        opt kind as "type": Str<'a>,
        opt name: Str<'a>,
        opt mode: Str<'a>,
        seq tools: Vec<Choose<'a>>,
    }

    /// An item of `type` `message`; in its short form without that.
    pub(crate) struct Message<'a> {
        opt id: Str<'a>,
        opt role: Str<'a>,
        /// Text, or parts.
        opt content: &'a RawValue,
    }

    /// A content part of `type` `input_text`, `output_text` or `text`.
    pub(crate) struct TextPart<'a> {
        req kind as "type": Str<'a>,
        req text: JsonString,
        seq annotations: Vec<&'a RawValue>,
        opt logprobs: &'a RawValue,
        opt prompt_cache_breakpoint: CacheBreakpoint<'a>,
    }

    /// A content part of `type` `refusal`.
    pub(crate) struct RefusalPart<'a> {
        req kind as "type": Str<'a>,
        req refusal: JsonString,
    }

    /// A content part of `type` `input_image` or `computer_screenshot`.
    pub(crate) struct ImagePart<'a> {
        req kind as "type": Str<'a>,
        /// A string; `{url, detail}` with some clients, who take it from Chat Completions.
        opt image_url: &'a RawValue,
        opt file_id: Str<'a>,
        opt detail: Str<'a>,
        opt prompt_cache_breakpoint: CacheBreakpoint<'a>,
    }

    /// `image_url` in the form of Chat Completions.
    pub(crate) struct ImageUrl<'a> {
        req url: Str<'a>,
        opt detail: Str<'a>,
    }

    /// A content part of `type` `input_file`.
    pub(crate) struct FilePart<'a> {
        req kind as "type": Str<'a>,
        opt file_data: Str<'a>,
        opt file_id: Str<'a>,
        opt file_url: Str<'a>,
        opt filename: Str<'a>,
        opt prompt_cache_breakpoint: CacheBreakpoint<'a>,
    }

    /// A content part of `type` `input_audio`.
    pub(crate) struct AudioPart<'a> {
        req kind as "type": Str<'a>,
        req input_audio: InputAudio<'a>,
    }

    /// `input_audio` of a content part.
    pub(crate) struct InputAudio<'a> {
        req data: Str<'a>,
        opt format: Str<'a>,
    }

    /// A content part of `type` `output_audio`.
    pub(crate) struct SoundPart<'a> {
        req kind as "type": Str<'a>,
        req data: Str<'a>,
    }

    /// A content part of `type` `input_video`. Not OpenAI's: Open Responses.
    /// Source: <https://www.openresponses.org/reference>, read 2026-11-23.
    pub(crate) struct VideoPart<'a> {
        req kind as "type": Str<'a>,
        req video_url: Str<'a>,
    }

    /// A marker of a cached prefix.
    pub(crate) struct CacheBreakpoint<'a> {
        opt ttl: Str<'a>,
    }

    /// An entry of `annotations`.
    pub(crate) struct Annotation<'a> {
        opt url: Str<'a>,
        opt title: Str<'a>,
        /// Of a citation of a file.
        opt filename: Str<'a>,
        opt start_index: Count,
        opt end_index: Count,
    }

    /// An item of `type` `reasoning`.
    pub(crate) struct ReasoningItem<'a> {
        opt id: Str<'a>,
        seq summary: Vec<&'a RawValue>,
        seq content: Vec<&'a RawValue>,
        opt encrypted_content: Str<'a>,
    }

    /// An entry of `summary` or `content` of reasoning.
    pub(crate) struct ReasoningText<'a> {
        opt kind as "type": Str<'a>,
        req text: Str<'a>,
    }

    /// An item that calls a tool; what it calls it with is in `rest`, under a name of its kind.
    pub(crate) struct CallItem<'a> {
        req kind as "type": Str<'a>,
        opt id: Str<'a>,
        /// Empty with xAI where the call is its own.
        opt call_id: Str<'a>,
        opt name: Str<'a>,
    }

    /// An item that tells what a tool gave.
    pub(crate) struct OutputItem<'a> {
        req kind as "type": Str<'a>,
        opt id: Str<'a>,
        opt call_id: Str<'a>,
        /// Text, parts, or an object.
        opt output: &'a RawValue,
        opt status: Str<'a>,
    }

    /// An item of `type` `image_generation_call`.
    pub(crate) struct ImageItem<'a> {
        opt id: Str<'a>,
        opt output_format: Str<'a>,
        /// The image, in base64.
        opt result: Str<'a>,
    }

    /// The answer.
    pub(crate) struct Response<'a> {
        opt id: Str<'a>,
        opt created_at: Count,
        opt incomplete_details: &'a RawValue,
        opt model: Str<'a>,
        opt output: Vec<&'a RawValue>,
        opt service_tier: Str<'a>,
        opt status: Str<'a>,
        opt usage: &'a RawValue,
    }

    /// `usage`. Its counts include one another: `input_tokens` the cached ones, `output_tokens` those of reasoning.
    pub(crate) struct Usage<'a> {
        opt input_tokens: Count,
        opt input_tokens_details: InputTokensDetails<'a>,
        opt output_tokens: Count,
        opt output_tokens_details: OutputTokensDetails<'a>,
        opt total_tokens: Count,
    }

    /// `input_tokens_details` of `usage`.
    pub(crate) struct InputTokensDetails<'a> {
        opt audio_tokens: Count,
        opt cache_write_tokens: Count,
        opt cached_tokens: Count,
    }

    /// `output_tokens_details` of `usage`.
    pub(crate) struct OutputTokensDetails<'a> {
        opt audio_tokens: Count,
        opt image_tokens: Count,
        opt reasoning_tokens: Count,
    }

    /// Any event of a stream whose members are read one by one.
    pub(crate) struct StreamEvent<'a> {
        opt kind as "type": Str<'a>,
        opt sequence_number: &'a RawValue,
        /// Pads the event, so that its length tells nothing.
        opt obfuscation: &'a RawValue,
        opt response: &'a RawValue,
        opt output_index: u64,
        opt item_id: Str<'a>,
        opt item: &'a RawValue,
        opt content_index: usize,
        opt summary_index: usize,
        opt annotation_index: usize,
        opt part: &'a RawValue,
        opt annotation: &'a RawValue,
        opt logprobs: &'a RawValue,
        opt delta: &'a RawValue,
        opt text: Str<'a>,
        opt refusal: Str<'a>,
        opt arguments: &'a RawValue,
        opt input: Str<'a>,
        /// The program of a call, or the word of an error.
        opt code: &'a RawValue,
        opt name: Str<'a>,
        opt error: &'a RawValue,
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
