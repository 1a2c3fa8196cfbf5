//! Why something could not be read.

use shim_ir::{Fault, FaultKind};
use shim_wire::WireError;
use shim_wire::scan::ScanError;
use thiserror::Error;

/// Why a text could not be decoded.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DecodeError {
    /// It is not JSON.
    #[error("{0}")]
    Json(#[from] ScanError),
    /// It is JSON and does not fit.
    #[error("{path}: {message}")]
    Shape {
        /// Where, as `messages[2].content`.
        path: String,
        /// What was expected and what was found.
        message: String,
    },
}

/// Why a whole answer gives no response.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum AnswerError {
    /// It cannot be read.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// It tells of a failure.
    #[error("{0}")]
    Fault(Box<Fault>),
}

impl DecodeError {
    /// An error of shape at `path`.
    #[must_use]
    pub fn shape(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Shape { path: path.into(), message: message.into() }
    }

    /// The same error seen from outside: `prefix` is where the text was found. Who reads says where from the place it was
    /// given, and whoever gave it adds that on the way out: a path is only made where something is wrong.
    #[must_use]
    pub fn under(self, prefix: &str) -> Self {
        match self {
            Self::Json(error) => Self::shape(prefix, error.to_string()),
            Self::Shape { path, message } if path == "." || path.is_empty() => Self::shape(prefix, message),
            Self::Shape { path, message } if path.starts_with('[') => {
                Self::shape(format!("{prefix}{path}"), message)
            }
            Self::Shape { path, message } => Self::shape(format!("{prefix}.{path}"), message),
        }
    }

    /// The fault a client gets whose request this is.
    #[must_use]
    pub fn into_request_fault(self) -> Fault {
        match self {
            Self::Json(error) => {
                Fault::new(FaultKind::InvalidRequest, format!("the request body is not valid JSON: {error}"))
            }
            Self::Shape { path, message } => {
                Fault::new(FaultKind::InvalidRequest, format!("{path}: {message}")).at(path)
            }
        }
    }
}

impl From<WireError> for DecodeError {
    fn from(error: WireError) -> Self {
        Self::Shape { path: error.path, message: error.message }
    }
}
