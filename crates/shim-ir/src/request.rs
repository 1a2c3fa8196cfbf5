//! What is asked.

use shim_wire::RawJson;

use crate::{CacheMark, Part, Rest, Tokens};

/// A request for an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// The model as the client wrote it: an alias or `provider/model`.
    pub model: String,
    /// Instructions outside the conversation (Anthropic's `system`, Responses' `instructions`, Gemini's
    /// `systemInstruction`). System messages inside it stay where they are, in `turns`.
    pub system: Vec<Part>,
    /// The conversation.
    pub turns: Vec<Turn>,
    /// The tools on offer.
    pub tools: Vec<Tool>,
    /// Which of them may or must be called.
    pub tool_choice: Option<ToolChoice>,
    /// Whether several calls may come at once.
    pub parallel_tool_calls: Option<bool>,
    /// What form the answer must have.
    pub output: Option<OutputFormat>,
    /// What is asked of reasoning.
    pub reasoning: Option<ReasoningAsk>,
    /// How tokens are chosen, and how many.
    pub sampling: Sampling,
    /// Whether and how the answer is streamed.
    pub stream: Option<StreamAsk>,
    /// State the provider is to keep, or to take up.
    pub state: ServerState,
    /// The modalities the answer may have, in the dialect's words.
    pub modalities: Vec<String>,
    /// The client's id for its user.
    pub user: Option<String>,
    /// The client's own data on the request, verbatim.
    pub metadata: Option<RawJson>,
    /// The class of service asked for, in the dialect's words.
    pub service_tier: Option<String>,
    /// A key that groups requests for the prompt cache.
    pub cache_key: Option<String>,
    /// What is not modelled.
    pub rest: Rest,
}

/// One turn of the conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// Who speaks.
    pub role: Role,
    /// The id the dialect gave the turn.
    pub id: Option<String>,
    /// The speaker's name, where one was given.
    pub name: Option<String>,
    /// What is said.
    pub parts: Vec<Part>,
    /// What is not modelled.
    pub rest: Rest,
}

/// Who speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// The operator, in the place of `system`.
    System,
    /// The operator, in OpenAI's newer word.
    Developer,
    /// The user.
    User,
    /// The model.
    Assistant,
    /// A tool.
    Tool,
    /// Another word.
    Other(String),
}

/// A tool on offer.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    /// Its name; for a provider's own tool without a name, the dialect's word for it.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// What kind of tool.
    pub kind: ToolKind,
    /// A prompt-cache marker behind this tool.
    pub cache: Option<CacheMark>,
    /// What is not modelled.
    pub rest: Rest,
}

/// What kind of tool is on offer.
#[derive(Clone, Debug, PartialEq)]
pub enum ToolKind {
    /// A function the client runs.
    Function {
        /// JSON Schema of its arguments, verbatim; `None` where there is none.
        parameters: Option<RawJson>,
        /// Whether arguments must fit the schema exactly.
        strict: Option<bool>,
    },
    /// A tool the client runs that takes free text.
    Custom {
        /// The form of that text, verbatim.
        format: Option<RawJson>,
    },
    /// A group of tools under one name (Responses' `namespace`).
    Group(Vec<Tool>),
    /// One of the dialect's own tools, whoever runs it, by the dialect's word (`web_search_20260209`); its options are
    /// in `rest`.
    Native(String),
}

/// Which tools may or must be called.
#[derive(Clone, Debug, PartialEq)]
pub enum ToolChoice {
    /// The model decides.
    Auto,
    /// None may be called.
    None,
    /// At least one must be called.
    Required,
    /// This function must be called.
    Named(String),
    /// Some of these, and whether one must be.
    Allowed {
        /// Their names.
        names: Vec<String>,
        /// Whether one of them must be called.
        required: bool,
    },
    /// Something nobody else has, verbatim.
    Other(RawJson),
}

/// What form the answer must have.
#[derive(Clone, Debug, PartialEq)]
pub enum OutputFormat {
    /// Text, said explicitly.
    Text,
    /// Any JSON object.
    JsonObject,
    /// JSON that fits a schema.
    Schema(Schema),
    /// Something nobody else has, verbatim.
    Other(RawJson),
}

/// A schema the answer must fit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schema {
    /// Its name.
    pub name: Option<String>,
    /// What it describes.
    pub description: Option<String>,
    /// The schema, verbatim, in the dialect's own flavour of JSON Schema.
    pub schema: Option<RawJson>,
    /// Whether the answer must fit exactly.
    pub strict: Option<bool>,
    /// What is not modelled.
    pub rest: Rest,
}

/// What is asked of reasoning.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReasoningAsk {
    /// Whether to reason at all.
    pub mode: Option<ReasoningMode>,
    /// How hard.
    pub effort: Option<Effort>,
    /// How many tokens at most; −1 in Gemini's words is `mode: Adaptive`.
    pub budget: Option<Tokens>,
    /// Whether reasoning or a summary of it is to be shown, in the dialect's words.
    pub show: Option<String>,
    /// Whether encrypted reasoning is to be returned.
    pub encrypted: bool,
    /// What is not modelled.
    pub rest: Rest,
}

/// Whether to reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReasoningMode {
    /// Yes.
    On,
    /// No.
    Off,
    /// As the model sees fit.
    Adaptive,
}

/// How hard to reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effort {
    /// Not at all.
    None,
    /// As little as possible.
    Minimal,
    /// Little.
    Low,
    /// The middle.
    Medium,
    /// Much.
    High,
    /// Very much.
    XHigh,
    /// As much as possible.
    Max,
    /// Another word.
    Other(String),
}

impl Effort {
    /// The effort of this word, in any case.
    #[must_use]
    pub fn parse(word: &str) -> Self {
        match word.to_ascii_lowercase().as_str() {
            "none" => Self::None,
            "minimal" => Self::Minimal,
            "low" => Self::Low,
            "medium" => Self::Medium,
            "high" => Self::High,
            "xhigh" => Self::XHigh,
            "max" => Self::Max,
            _ => Self::Other(word.to_owned()),
        }
    }
}

/// How tokens are chosen, and how many.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sampling {
    /// Softmax temperature, in the dialect's range.
    pub temperature: Option<f64>,
    /// Nucleus mass, 0 to 1.
    pub top_p: Option<f64>,
    /// Number of tokens considered; a float because Gemini allows one.
    pub top_k: Option<f64>,
    /// −2 to 2.
    pub frequency_penalty: Option<f64>,
    /// −2 to 2.
    pub presence_penalty: Option<f64>,
    /// Seed of the choice.
    pub seed: Option<i64>,
    /// Words that end the answer.
    pub stop: Vec<String>,
    /// Bound on the output, in tokens.
    pub output_max: Option<Tokens>,
    /// Number of answers.
    pub candidates: Option<u32>,
    /// Whether log probabilities are wanted.
    pub logprobs: Option<bool>,
    /// How many of the likeliest tokens come with each.
    pub top_logprobs: Option<u32>,
}

/// How an answer is streamed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StreamAsk {
    /// Whether a usage event is to come (OpenAI's `stream_options.include_usage`); `None` where it always does.
    pub usage: Option<bool>,
    /// What is not modelled.
    pub rest: Rest,
}

/// State the provider is to keep, or to take up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServerState {
    /// Whether the answer is to be kept.
    pub store: Option<bool>,
    /// The answer to go on from.
    pub previous: Option<String>,
    /// The conversation to go on with, verbatim.
    pub conversation: Option<RawJson>,
    /// Whether to answer in the background.
    pub background: Option<bool>,
}
