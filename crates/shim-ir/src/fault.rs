//! The one client-facing error.

use std::fmt;

/// Something that went wrong with an exchange, as a client is told of it and as the log keeps it.
///
/// Each dialect renders it in its own shape. `message` is safe to send; `detail` is for the log alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What happened.
    pub kind: FaultKind,
    /// Whose doing it is.
    pub blame: Blame,
    /// Whether trying again can help.
    pub retry: Retry,
    /// One sentence or more for the client.
    pub message: String,
    /// What only the log should hold.
    pub detail: Option<String>,
    /// The member of the request at fault, as a JSON path.
    pub path: Option<String>,
    /// The HTTP status an upstream answered with, where one did. A fault made here takes the status of its kind.
    pub status: Option<u16>,
    /// The upstream's own word for the error (`rate_limit_exceeded`, `overloaded_error`), where it gave one.
    pub words: Option<String>,
    /// How long to wait before trying again, in milliseconds.
    pub retry_after_ms: Option<u64>,
}

/// What happened. Each kind has a stable code and a page `docs/faults/<code>.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FaultKind {
    /// The request is not well-formed or lacks something it must have.
    InvalidRequest,
    /// The body is larger than permitted.
    TooLarge,
    /// The client was too slow in sending its request.
    RequestTimeout,
    /// No credential, or one that is not known.
    Unauthenticated,
    /// The credential is known and does not permit this.
    Forbidden,
    /// There is no such route.
    UnknownRoute,
    /// There is no such alias, provider or model.
    UnknownModel,
    /// The target cannot be spoken to in the client's dialect.
    Untranslatable,
    /// Too many requests, here or upstream.
    RateLimited,
    /// A budget, credit or quota is used up.
    QuotaExceeded,
    /// The upstream refused the gateway's credential.
    UpstreamCredential,
    /// The upstream said the request is invalid.
    UpstreamInvalid,
    /// The upstream does not know the model or resource.
    UpstreamNotFound,
    /// The upstream cannot take more work just now.
    UpstreamOverloaded,
    /// The upstream failed.
    UpstreamError,
    /// The upstream could not be reached.
    UpstreamUnreachable,
    /// The upstream did not answer, or stopped answering, in time.
    UpstreamTimeout,
    /// The upstream ended its answer before it was complete.
    UpstreamCut,
    /// The upstream's answer is not what its dialect says.
    UpstreamMalformed,
    /// The gateway is shutting down or cannot take more work.
    Unavailable,
    /// A bug or an exhausted resource in the gateway.
    Internal,
}

/// Whose doing a fault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The client's request.
    Client,
    /// This program or its configuration.
    Gateway,
    /// The provider.
    Upstream,
}

/// Whether trying again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The same request will fail again.
    Never,
    /// The same target may answer later.
    SameTarget,
    /// Another target may answer now.
    OtherTarget,
}

impl FaultKind {
    /// Every kind, in the order they are documented.
    pub const ALL: [Self; 21] = [
        Self::InvalidRequest,
        Self::TooLarge,
        Self::RequestTimeout,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::UnknownRoute,
        Self::UnknownModel,
        Self::Untranslatable,
        Self::RateLimited,
        Self::QuotaExceeded,
        Self::UpstreamCredential,
        Self::UpstreamInvalid,
        Self::UpstreamNotFound,
        Self::UpstreamOverloaded,
        Self::UpstreamError,
        Self::UpstreamUnreachable,
        Self::UpstreamTimeout,
        Self::UpstreamCut,
        Self::UpstreamMalformed,
        Self::Unavailable,
        Self::Internal,
    ];

    /// The stable code, as in logs, metrics and the name of the page that explains it.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::TooLarge => "too_large",
            Self::RequestTimeout => "request_timeout",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::UnknownRoute => "unknown_route",
            Self::UnknownModel => "unknown_model",
            Self::Untranslatable => "untranslatable",
            Self::RateLimited => "rate_limited",
            Self::QuotaExceeded => "quota_exceeded",
            Self::UpstreamCredential => "upstream_credential",
            Self::UpstreamInvalid => "upstream_invalid",
            Self::UpstreamNotFound => "upstream_not_found",
            Self::UpstreamOverloaded => "upstream_overloaded",
            Self::UpstreamError => "upstream_error",
            Self::UpstreamUnreachable => "upstream_unreachable",
            Self::UpstreamTimeout => "upstream_timeout",
            Self::UpstreamCut => "upstream_cut",
            Self::UpstreamMalformed => "upstream_malformed",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }

    /// The HTTP status of a fault of this kind that was made here.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::InvalidRequest | Self::Untranslatable | Self::UpstreamInvalid => 400,
            Self::Unauthenticated => 401,
            Self::QuotaExceeded | Self::RateLimited => 429,
            Self::Forbidden => 403,
            Self::UnknownRoute | Self::UnknownModel | Self::UpstreamNotFound => 404,
            Self::RequestTimeout => 408,
            Self::TooLarge => 413,
            Self::Internal => 500,
            Self::UpstreamCredential
            | Self::UpstreamError
            | Self::UpstreamUnreachable
            | Self::UpstreamCut
            | Self::UpstreamMalformed => 502,
            Self::Unavailable | Self::UpstreamOverloaded => 503,
            Self::UpstreamTimeout => 504,
        }
    }

    /// Whose doing it is, unless more is known.
    #[must_use]
    pub const fn blame(self) -> Blame {
        match self {
            Self::InvalidRequest
            | Self::TooLarge
            | Self::RequestTimeout
            | Self::Unauthenticated
            | Self::Forbidden
            | Self::UnknownRoute
            | Self::UnknownModel
            | Self::Untranslatable
            | Self::UpstreamInvalid
            | Self::UpstreamNotFound => Blame::Client,
            Self::UpstreamCredential | Self::Unavailable | Self::Internal => Blame::Gateway,
            Self::RateLimited
            | Self::QuotaExceeded
            | Self::UpstreamOverloaded
            | Self::UpstreamError
            | Self::UpstreamUnreachable
            | Self::UpstreamTimeout
            | Self::UpstreamCut
            | Self::UpstreamMalformed => Blame::Upstream,
        }
    }

    /// Whether trying again can help, unless more is known.
    #[must_use]
    pub const fn retry(self) -> Retry {
        match self {
            Self::InvalidRequest
            | Self::TooLarge
            | Self::RequestTimeout
            | Self::Unauthenticated
            | Self::Forbidden
            | Self::UnknownRoute
            | Self::UnknownModel
            | Self::Untranslatable
            | Self::UpstreamInvalid
            | Self::Internal => Retry::Never,
            Self::Unavailable => Retry::SameTarget,
            Self::RateLimited
            | Self::QuotaExceeded
            | Self::UpstreamCredential
            | Self::UpstreamNotFound
            | Self::UpstreamOverloaded
            | Self::UpstreamError
            | Self::UpstreamUnreachable
            | Self::UpstreamTimeout
            | Self::UpstreamCut
            | Self::UpstreamMalformed => Retry::OtherTarget,
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Fault {
    /// A fault of `kind` with what its kind says of blame, retry and status.
    #[must_use]
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            blame: kind.blame(),
            retry: kind.retry(),
            message: message.into(),
            detail: None,
            path: None,
            status: None,
            words: None,
            retry_after_ms: None,
        }
    }

    /// Adds what only the log should hold.
    #[must_use]
    pub fn detail(mut self, detail: impl fmt::Display) -> Self {
        self.detail = Some(detail.to_string());
        self
    }

    /// Adds the member of the request at fault.
    #[must_use]
    pub fn at(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// The status a client gets: the upstream's where it answered with an error, else that of the kind.
    #[must_use]
    pub fn http_status(&self) -> u16 {
        match self.status {
            Some(status) if status >= 400 => status,
            Some(_) | None => self.kind.status(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}
