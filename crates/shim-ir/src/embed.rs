//! Embeddings: what is asked and what is answered. There are no turns and no candidates here.

use shim_wire::RawJson;

use crate::{Part, Rest, Usage};

/// A request for embeddings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EmbedRequest {
    /// The model as the client wrote it: an alias or `provider/model`.
    pub model: String,
    /// What is to be embedded, a vector for each.
    pub inputs: Vec<EmbedInput>,
    /// Whether the one input stood alone, and not in a list.
    pub alone: bool,
    /// The length of the vectors; `None` is the model's own.
    pub dimensions: Option<u64>,
    /// How the numbers are to be written; `None` is the dialect's usual form.
    pub form: Option<VectorForm>,
    /// The client's id for its user.
    pub user: Option<String>,
    /// What is not modelled.
    pub rest: Rest,
}

/// One thing to embed.
#[derive(Clone, Debug, PartialEq)]
pub struct EmbedInput {
    /// What it is.
    pub content: EmbedContent,
    /// What the vector is for, in the dialect's words (`RETRIEVAL_QUERY`).
    pub task: Option<String>,
    /// The title of the document it is.
    pub title: Option<String>,
    /// What is not modelled.
    pub rest: Rest,
}

/// What is embedded.
#[derive(Clone, Debug, PartialEq)]
pub enum EmbedContent {
    /// Text and media, as one.
    Parts(Vec<Part>),
    /// Tokens of the model's own vocabulary.
    Tokens(Vec<u64>),
}

/// How the numbers of a vector are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VectorForm {
    /// As a list.
    Floats,
    /// As little-endian 32-bit floats, in base64.
    Base64,
}

/// An answer with embeddings, in the order of the inputs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Embeddings {
    /// The upstream's id for it.
    pub id: Option<String>,
    /// The model the upstream says it used.
    pub model: Option<String>,
    /// The vectors.
    pub vectors: Vec<Embedding>,
    /// What was used; `None` where the upstream does not say.
    pub usage: Option<Usage>,
    /// What is not modelled.
    pub rest: Rest,
}

/// One vector.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedding {
    /// Its numbers.
    pub values: Vector,
    /// What is not modelled.
    pub rest: Rest,
}

/// The numbers of a vector, as they came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Vector {
    /// A JSON list of numbers, verbatim.
    Floats(RawJson),
    /// Little-endian 32-bit floats, in base64.
    Base64(String),
}
