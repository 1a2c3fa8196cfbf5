//! Wire types of Messages, in the reference's order and words.

use serde_json::value::RawValue;
use shim_wire::{JsonString, Str, object};

object! {
    /// The body of `POST /v1/messages`, and of `POST /v1/messages/count_tokens`.
    ///
    /// What is not here is Anthropic's alone and stays in `rest`: `cache_control` of the whole request, `container`,
    /// `context_management`, `diagnostics`, `fallbacks`, `inference_geo`, `mcp_servers`, `speed`, `user_profile_id`.
    pub(crate) struct MessagesRequest<'a> {
        /// Required by Anthropic, but not when counting tokens, nor by other providers.
        opt max_tokens: u64,
        req messages: Vec<MessageParam<'a>>,
        req model: Str<'a>,
        opt metadata: Metadata<'a>,
        opt output_config: OutputConfig<'a>,
        /// Deprecated in favour of `output_config.format`.
        opt output_format: &'a RawValue,
        opt service_tier: Str<'a>,
        seq stop_sequences: Vec<Str<'a>>,
        opt stream: bool,
        /// Text, or text blocks.
        opt system: &'a RawValue,
        opt temperature: f64,
        opt thinking: Thinking<'a>,
        opt tool_choice: &'a RawValue,
        seq tools: Vec<Tool<'a>>,
        opt top_k: f64,
        opt top_p: f64,
    }

    /// A message of a request.
    pub(crate) struct MessageParam<'a> {
        /// Text, or blocks.
        req content: &'a RawValue,
        /// `user`, `assistant`, or with newer models `system`.
        req role: Str<'a>,
    }

    /// `metadata` of a request.
    pub(crate) struct Metadata<'a> {
        opt user_id: Str<'a>,
    }

    /// `output_config` of a request.
    pub(crate) struct OutputConfig<'a> {
        opt effort: Str<'a>,
        opt format: &'a RawValue,
    }

    /// `output_config.format`, or the older `output_format`.
    pub(crate) struct JsonOutputFormat<'a> {
        opt kind as "type": Str<'a>,
        opt schema: &'a RawValue,
    }

    /// `thinking` of a request.
    pub(crate) struct Thinking<'a> {
        /// `enabled`, `adaptive` or `disabled`.
        opt kind as "type": Str<'a>,
        opt budget_tokens: u64,
        /// `summarized` or `omitted`.
        opt display: Str<'a>,
    }

    /// `tool_choice` of a request.
    pub(crate) struct Choose<'a> {
        /// `auto`, `any`, `tool` or `none`.
        opt kind as "type": Str<'a>,
        opt name: Str<'a>,
        opt disable_parallel_tool_use: bool,
    }

    /// A tool on offer: of the client, without `type` or with `custom`, or one of Anthropic's own.
    pub(crate) struct Tool<'a> {
        opt input_schema: &'a RawValue,
        opt name: Str<'a>,
        opt cache_control: CacheControl<'a>,
        opt description: Str<'a>,
        opt strict: bool,
        opt kind as "type": Str<'a>,
    }

    /// A marker of a cached prefix.
    pub(crate) struct CacheControl<'a> {
        /// `ephemeral`.
        opt kind as "type": Str<'a>,
        opt ttl: Str<'a>,
    }

    /// A block of `type` `text`.
    pub(crate) struct TextBlock<'a> {
        req text: JsonString,
        req kind as "type": Str<'a>,
        opt cache_control: CacheControl<'a>,
        seq citations: Vec<&'a RawValue>,
    }

    /// A block of `type` `image` or `document`.
    pub(crate) struct MediaBlock<'a> {
        req source: &'a RawValue,
        req kind as "type": Str<'a>,
        opt cache_control: CacheControl<'a>,
        /// Of a document.
        opt title: Str<'a>,
    }

    /// `source` of an image or a document: `base64`, `text`, `content`, `url` or `file`.
    pub(crate) struct BlockSource<'a> {
        opt kind as "type": Str<'a>,
        opt media_type: Str<'a>,
        opt data: Str<'a>,
        opt content: &'a RawValue,
        opt url: Str<'a>,
        opt file_id: Str<'a>,
    }

    /// A block of `type` `search_result`.
    pub(crate) struct SearchResultBlock<'a> {
        req content: &'a RawValue,
        opt cache_control: CacheControl<'a>,
        opt title: Str<'a>,
    }

    /// A block of `type` `thinking`.
    pub(crate) struct ThinkingBlock<'a> {
        req kind as "type": Str<'a>,
        /// Required by Anthropic, and empty where it is omitted.
        opt thinking: Str<'a>,
        /// Required by Anthropic. Other providers have none.
        opt signature: Str<'a>,
    }

    /// A block of `type` `redacted_thinking`.
    pub(crate) struct RedactedThinkingBlock<'a> {
        req data: Str<'a>,
        req kind as "type": Str<'a>,
    }

    /// A block of `type` `tool_use`, `server_tool_use` or `mcp_tool_use`.
    pub(crate) struct ToolUseBlock<'a> {
        /// Required by Anthropic.
        opt id: Str<'a>,
        /// An object.
        opt input: &'a RawValue,
        req name: Str<'a>,
        req kind as "type": Str<'a>,
        opt cache_control: CacheControl<'a>,
    }

    /// A block of `type` `tool_result`.
    pub(crate) struct ToolResultBlock<'a> {
        req tool_use_id: Str<'a>,
        req kind as "type": Str<'a>,
        opt cache_control: CacheControl<'a>,
        /// Text, or blocks.
        opt content: &'a RawValue,
        opt is_error: bool,
    }

    /// A block of `type` `mid_conv_system`: what the operator says in the middle of a message.
    pub(crate) struct MidConversationSystemBlock<'a> {
        req content: &'a RawValue,
    }

    /// An entry of `citations` of a text block: `char_location`, `page_location`, `content_block_location`,
    /// `web_search_result_location` or `search_result_location`.
    pub(crate) struct TextCitation<'a> {
        opt cited_text: Str<'a>,
        opt document_title: Str<'a>,
        opt title: Str<'a>,
        opt url: Str<'a>,
        /// Of a search result: where it is from; an address, or any other name.
        opt source: Str<'a>,
    }

    /// The answer, and `message` of a `message_start`.
    pub(crate) struct Message<'a> {
        opt id: Str<'a>,
        /// Blocks.
        opt content: &'a RawValue,
        opt model: Str<'a>,
        /// `assistant`.
        opt role: Str<'a>,
        /// A word; a number with some providers.
        opt stop_reason: &'a RawValue,
        opt stop_sequence: Str<'a>,
        /// `message`.
        opt kind as "type": Str<'a>,
        opt usage: &'a RawValue,
        /// Of a failure.
        opt error: &'a RawValue,
    }

    /// `usage`, and each entry of its `iterations`. The counts of input are disjoint; `output_tokens` includes thinking.
    pub(crate) struct Usage<'a> {
        opt cache_creation: CacheCreation<'a>,
        opt cache_creation_input_tokens: u64,
        opt cache_read_input_tokens: u64,
        opt input_tokens: u64,
        opt iterations: &'a RawValue,
        opt output_tokens: u64,
        opt output_tokens_details: OutputTokensDetails<'a>,
        opt service_tier: Str<'a>,
        /// Of an entry of `iterations`: `message`, `compaction`, `advisor_message` or `fallback_message`.
        opt kind as "type": Str<'a>,
    }

    /// `cache_creation` of `usage`: `cache_creation_input_tokens` by the life of the cache.
    pub(crate) struct CacheCreation<'a> {
        opt ephemeral_1h_input_tokens: u64,
        opt ephemeral_5m_input_tokens: u64,
    }

    /// `output_tokens_details` of `usage`.
    pub(crate) struct OutputTokensDetails<'a> {
        opt thinking_tokens: u64,
    }

    /// An event of a stream, of any `type`.
    pub(crate) struct StreamEvent<'a> {
        opt kind as "type": Str<'a>,
        /// Of a `message_start`.
        opt message: Message<'a>,
        /// Of the events of a block: which one.
        opt index: u32,
        /// Of a `content_block_start`.
        opt content_block: &'a RawValue,
        /// Of a `content_block_delta` or a `message_delta`.
        opt delta: &'a RawValue,
        /// Of a `message_delta`: cumulative.
        opt usage: &'a RawValue,
        /// Of an `error`.
        opt error: &'a RawValue,
    }

    /// `delta` of a `content_block_delta`: `text_delta`, `input_json_delta`, `citations_delta`, `thinking_delta`,
    /// `signature_delta` or `compaction_delta`.
    pub(crate) struct BlockDelta<'a> {
        opt kind as "type": Str<'a>,
        opt text: Str<'a>,
        opt partial_json: Str<'a>,
        opt citation: &'a RawValue,
        opt thinking: Str<'a>,
        opt signature: Str<'a>,
        /// Of a `compaction_delta`.
        opt content: Str<'a>,
    }

    /// `delta` of a `message_delta`.
    pub(crate) struct MessageDelta<'a> {
        opt stop_reason: &'a RawValue,
        opt stop_sequence: Str<'a>,
    }
}
