//! The parts a turn or an answer is made of.

use shim_wire::{JsonString, RawJson};

use crate::{Dialect, Rest};

/// One part of a turn or an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Text.
    Text(Text),
    /// The model's refusal, where a dialect has a slot of its own for it.
    Refusal(Text),
    /// An image, a file, audio or video.
    Media(Media),
    /// Reasoning: readable, summarised, or opaque state that only its origin can read.
    Reasoning(Reasoning),
    /// A call of a tool; [`Executor`] says who runs it.
    ToolCall(ToolCall),
    /// What a tool run by the client gave.
    ToolResult(ToolResult),
    /// What a tool run by the provider gave, in the provider's words.
    ServerResult(ServerResult),
    /// A part nobody else has.
    Foreign(Foreign),
}

/// Text, with what hangs on it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Text {
    /// The text, as the literal it came as until somebody reads it.
    pub text: JsonString,
    /// What it cites, in order.
    pub citations: Vec<Citation>,
    /// Log probabilities of its tokens, verbatim.
    pub logprobs: Option<RawJson>,
    /// A prompt-cache marker behind this part.
    pub cache: Option<CacheMark>,
    /// Opaque state that hangs on text (Gemini's `thoughtSignature`).
    pub opaque: Vec<Opaque>,
    /// What is not modelled.
    pub rest: Rest,
}

impl Text {
    /// Text with nothing on it.
    #[must_use]
    pub fn new(text: impl Into<JsonString>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }
}

/// A citation or grounding of a span of text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Citation {
    /// Where the source is, where it has an address.
    pub url: Option<String>,
    /// The source's title.
    pub title: Option<String>,
    /// The words cited.
    pub cited: Option<String>,
    /// Start of the span of the part's text, in characters. (Gemini's `citationMetadata`, which stays verbatim in
    /// `words`, counts bytes.)
    pub start: Option<u64>,
    /// End of the span, exclusive.
    pub end: Option<u64>,
    /// The whole citation, verbatim.
    pub words: Option<RawJson>,
}

/// A prompt-cache marker: what comes before it may be kept by the provider.
#[derive(Clone, Debug, PartialEq)]
pub struct CacheMark {
    /// The life asked for, in the provider's words (`5m`, `1h`); `None` is its default.
    pub ttl: Option<String>,
    /// What is not modelled.
    pub rest: Rest,
}

/// An image, a file, audio or video.
#[derive(Clone, Debug, PartialEq)]
pub struct Media {
    /// What it is.
    pub kind: MediaKind,
    /// Where its bytes are.
    pub source: Source,
    /// Its media type (`image/png`), or the dialect's short word for it (`wav`), where given.
    pub mime: Option<String>,
    /// Its file name.
    pub name: Option<String>,
    /// How closely an image is to be looked at, in the dialect's words.
    pub detail: Option<String>,
    /// A prompt-cache marker behind this part.
    pub cache: Option<CacheMark>,
    /// Opaque state that hangs on it.
    pub opaque: Vec<Opaque>,
    /// What is not modelled.
    pub rest: Rest,
}

/// What a media part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaKind {
    /// An image.
    Image,
    /// A document or any other file.
    File,
    /// Sound.
    Audio,
    /// Moving pictures.
    Video,
}

/// Where the bytes of a media part are.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// Here, in base64 as it came.
    Inline(String),
    /// At an address the provider fetches.
    Url(String),
    /// With the provider, under an id or URI it gave.
    Handle(String),
    /// Here, as plain text.
    Plain(String),
    /// Here, as parts of its own (Anthropic's content documents).
    Parts(Vec<Part>),
}

/// Reasoning of a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reasoning {
    /// The id its dialect gave it.
    pub id: Option<String>,
    /// The reasoning itself, where it can be read; in pieces where the dialect has pieces.
    pub text: Vec<String>,
    /// Summaries of it.
    pub summary: Vec<String>,
    /// State that only its origin can read.
    pub opaque: Vec<Opaque>,
    /// What is not modelled.
    pub rest: Rest,
}

/// State that only its origin can read: kept byte for byte, given back to where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opaque {
    /// What it is.
    pub kind: OpaqueKind,
    /// The bytes, as the text they came in.
    pub value: String,
}

/// The kinds of opaque state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpaqueKind {
    /// The signature of readable reasoning (Anthropic's `signature`).
    Signature,
    /// Reasoning withheld from the reader (Anthropic's `redacted_thinking`).
    Redacted,
    /// Encrypted reasoning (OpenAI's `encrypted_content`).
    Encrypted,
    /// A signature that hangs on any kind of part (Gemini's `thoughtSignature`).
    ThoughtSignature,
    /// A list of reasoning details as JSON (OpenRouter's `reasoning_details`).
    Details,
}

/// A call of a tool.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolCall {
    /// The id that its result refers to. Empty where the dialect has none.
    pub id: String,
    /// The id of the item that holds the call, where a dialect has one beside the call's id.
    pub item: Option<String>,
    /// The tool's name.
    pub name: String,
    /// The arguments as the text that came: JSON for a function, free text for a custom tool. May be cut or invalid.
    pub arguments: String,
    /// What kind of tool is called.
    pub kind: ToolCallKind,
    /// Who runs it.
    pub executor: Executor,
    /// Opaque state that hangs on the call.
    pub opaque: Vec<Opaque>,
    /// A prompt-cache marker behind this part.
    pub cache: Option<CacheMark>,
    /// What is not modelled.
    pub rest: Rest,
}

/// What kind of tool is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolCallKind {
    /// A function with JSON arguments.
    Function,
    /// A tool that takes free text.
    Custom,
    /// One of the dialect's own tools, by the dialect's word (`web_search_call`, `server_tool_use`).
    Native(String),
}

/// Who runs a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Executor {
    /// The client.
    Client,
    /// The provider, while it answers.
    Provider,
}

/// What a tool run by the client gave.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolResult {
    /// The id of the call; where the dialect has none, empty.
    pub call: String,
    /// The tool's name, where the dialect names it here.
    pub name: Option<String>,
    /// What it gave. JSON results are [`Text`] with the JSON as text and are marked by `json`.
    pub content: Vec<Part>,
    /// Whether `content` is one JSON object as text (Gemini's `response`).
    pub json: bool,
    /// Whether the tool failed.
    pub error: bool,
    /// What kind of call it answers.
    pub kind: ToolCallKind,
    /// A prompt-cache marker behind this part.
    pub cache: Option<CacheMark>,
    /// What is not modelled.
    pub rest: Rest,
}

/// What a tool run by the provider gave.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerResult {
    /// The id of the call it answers, where there is one.
    pub call: String,
    /// The dialect's word for it (`web_search_tool_result`).
    pub kind: String,
    /// What it holds, verbatim, in the dialect of its origin.
    pub raw: RawJson,
    /// Whose dialect that is.
    pub origin: Dialect,
}

/// A node nobody else has, verbatim.
#[derive(Clone, Debug, PartialEq)]
pub struct Foreign {
    /// Whose dialect it is.
    pub dialect: Dialect,
    /// The dialect's word for its kind (`type`, or the name of the member it came in).
    pub kind: String,
    /// The node.
    pub raw: RawJson,
}
