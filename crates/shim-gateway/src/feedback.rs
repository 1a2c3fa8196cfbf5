//! `POST /v1/feedback`: what became of an answer, told by the application that got it.
//!
//! ```json
//! {"exchange": "<x-shim-exchange>", "score": 0.8}
//! {"client_id": "<x-shim-client-id of the request>", "value": true, "label": "helpful", "correction": "…", "comment": "…"}
//! ```
//! Only exchanges of the same key can be told of. Where several have the same `client_id`, the newest is meant.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{Response, StatusCode};
use http_body::Body;
use serde::Deserialize;
use shim_dialect::codec;
use shim_ir::{Dialect, ExchangeId, Fault, FaultKind, KeyId};
use shim_store::ledger::{self, Ledger, Subject};
use thiserror::Error;

use crate::admit::key_of;
use crate::answer::{AnswerBody, retry};
use crate::generation::{Limits, Snapshot};
use crate::hold::{collect, discard};
use crate::shared::Shared;

/// Largest body.
const BODY_BYTES_MAX: usize = 64 << 10;
/// Longest label and longest id of a client's own, in bytes.
pub(crate) const WORD_BYTES_MAX: usize = 128;
/// Longest correction, in bytes.
const CORRECTION_BYTES_MAX: usize = 32 << 10;
/// Longest comment, in bytes.
const COMMENT_BYTES_MAX: usize = 4 << 10;
/// Largest score, and with a minus the smallest.
const SCORE_MAX: f64 = 1e6;

/// What is told of one exchange.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// The key it was made with, and that this was told with.
    pub key: Option<KeyId>,
    /// When it was told, in milliseconds since 1970.
    pub at_ms: u64,
    /// A number; larger is better.
    pub score: Option<f64>,
    /// Good or not.
    pub value: Option<bool>,
    /// A word of the application's own.
    pub label: Option<String>,
    /// What the answer should have been.
    pub correction: Option<String>,
    /// Anything else.
    pub comment: Option<String>,
}

/// How an exchange is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// By its id.
    Exchange(ExchangeId),
    /// By the id the client chose for it.
    ClientId(String),
}

/// Who keeps feedback: the ledger.
pub trait Feedback: Debug + Send + Sync {
    /// Keeps a note of the exchange that `which` means, of those made with the note's key, and returns its id. `recent`:
    /// that id, where the exchange is among the recent ones. It may wait for a disk.
    ///
    /// # Errors
    /// When there is no such exchange, it cannot be kept, or there are too many of its exchange.
    fn add(&self, which: Which, recent: Option<ExchangeId>, note: Note) -> Result<ExchangeId, FeedbackError>;
}

/// Why feedback is not kept.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum FeedbackError {
    /// There is no such exchange.
    #[error("there is no such exchange of this key, or it is not kept any more")]
    NoExchange,
    /// There are as many notes of that exchange as are kept.
    #[error("there are {NOTES_EACH_MAX} notes of that exchange, and no more are kept")]
    Many,
    /// It cannot be kept just now.
    #[error("feedback cannot be kept just now: {0}")]
    Unavailable(String),
}

/// Most notes of one exchange.
pub const NOTES_EACH_MAX: usize = 16;

/// Most notes kept in memory; the oldest make room.
const NOTES_MAX: usize = 4096;

/// Feedback in memory, for a gateway without a ledger: of exchanges that are among the recent ones.
#[derive(Clone, Debug, Default)]
pub struct Kept(Arc<Mutex<VecDeque<(ExchangeId, Note)>>>);

impl Kept {
    /// The notes with the exchange each is of, oldest first.
    #[must_use]
    pub fn notes(&self) -> Vec<(ExchangeId, Note)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

impl Feedback for Kept {
    fn add(&self, _: Which, recent: Option<ExchangeId>, note: Note) -> Result<ExchangeId, FeedbackError> {
        let exchange = recent.ok_or(FeedbackError::NoExchange)?;
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if notes.iter().filter(|(known, _)| *known == exchange).count() >= NOTES_EACH_MAX {
            return Err(FeedbackError::Many);
        }
        if notes.len() >= NOTES_MAX {
            notes.pop_front();
        }
        notes.push_back((exchange, note));
        Ok(exchange)
    }
}

impl Feedback for Ledger {
    fn add(&self, which: Which, recent: Option<ExchangeId>, note: Note) -> Result<ExchangeId, FeedbackError> {
        let subject = match (recent, which) {
            (Some(id), _) | (None, Which::Exchange(id)) => Subject::Exchange(id),
            (None, Which::ClientId(id)) => Subject::Client(id),
        };
        let Note { key, at_ms, score, value, label, correction, comment } = note;
        let key = key.map(|key| key.to_string());
        let kept = ledger::Feedback { subject, key, at_ms, score, value, label, correction, comment };
        self.add_feedback(kept).map_err(|why| match why {
            ledger::FeedbackError::NoExchange => FeedbackError::NoExchange,
            ledger::FeedbackError::Many => FeedbackError::Many,
            ledger::FeedbackError::Unavailable(why) => FeedbackError::Unavailable(why),
        })
    }
}

/// Where feedback goes.
#[derive(Debug, Default)]
pub struct Notes {
    ledger: OnceLock<Arc<dyn Feedback>>,
    memory: Kept,
}

impl Notes {
    /// Keeps feedback there from now on. Of several calls the first counts.
    pub fn keep_in(&self, ledger: Arc<dyn Feedback>) {
        let _ = self.ledger.set(ledger);
    }

    fn keeper(&self) -> Arc<dyn Feedback> {
        self.ledger.get().cloned().unwrap_or_else(|| Arc::new(self.memory.clone()))
    }
}

/// The body of a request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    exchange: Option<String>,
    client_id: Option<String>,
    score: Option<f64>,
    value: Option<bool>,
    label: Option<String>,
    correction: Option<String>,
    comment: Option<String>,
}

/// Answers a request with feedback.
pub(crate) async fn feedback<B>(shared: &Arc<Shared>, parts: &Parts, body: B) -> Response<AnswerBody>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let snapshot = shared.snapshot();
    match take(shared, &snapshot, parts, body).await {
        Ok(exchange) => {
            let told = serde_json::json!({ "exchange": exchange.to_string(), "kept": true });
            json(StatusCode::OK, told.to_string().into())
        }
        Err(fault) => {
            shared.metrics.fault(fault.kind);
            let status =
                StatusCode::from_u16(fault.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let mut response = json(status, codec(Dialect::OpenaiChat).encode_fault(&fault));
            retry(response.headers_mut(), &fault);
            response
        }
    }
}

fn json(status: StatusCode, body: Bytes) -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody::whole(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

async fn take<B>(
    shared: &Arc<Shared>,
    snapshot: &Snapshot,
    parts: &Parts,
    body: B,
) -> Result<ExchangeId, Fault>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let key = match key_of(shared, snapshot, parts) {
        Ok(key) => key.map(|key| key.id.clone()),
        Err(fault) => {
            discard(&snapshot.limits, &parts.headers, body).await;
            return Err(fault);
        }
    };
    let limits =
        Limits { body_bytes_max: BODY_BYTES_MAX.min(snapshot.limits.body_bytes_max), ..snapshot.limits };
    let (body, _held) = collect(shared, &limits, &parts.headers, body).await?;
    let told: Told = serde_json::from_slice(&body)
        .map_err(|why| invalid(format!("the feedback cannot be read: {why}")))?;
    let which = checked(&told)?;
    let recent = shared.exchange(&which, key.as_ref());
    let Told { score, value, label, correction, comment, .. } = told;
    let note = Note { key, at_ms: shared.clock.now_ms(), score, value, label, correction, comment };
    let keeper = shared.notes.keeper();
    let kept = tokio::task::spawn_blocking(move || keeper.add(which, recent, note)).await;
    let stopped = |_| FeedbackError::Unavailable("it was stopped".to_owned());
    let exchange = kept.map_err(stopped).and_then(|kept| kept).map_err(refused)?;
    Ok(exchange)
}

/// Checks what is told; gives the exchange it is told of.
fn checked(told: &Told) -> Result<Which, Fault> {
    if told.score.is_some_and(|score| !score.is_finite() || score.abs() > SCORE_MAX) {
        return Err(invalid(format!("score is a number from -{SCORE_MAX} to {SCORE_MAX}")).at("score"));
    }
    for (name, text, bytes_max) in [
        ("label", &told.label, WORD_BYTES_MAX),
        ("correction", &told.correction, CORRECTION_BYTES_MAX),
        ("comment", &told.comment, COMMENT_BYTES_MAX),
    ] {
        if text.as_ref().is_some_and(|text| text.is_empty() || text.len() > bytes_max) {
            return Err(invalid(format!("{name} is a text of 1 to {bytes_max} bytes")).at(name));
        }
    }
    let Told { score, value, label, correction, comment, .. } = told;
    if score.is_none() && value.is_none() && [label, correction, comment].into_iter().all(Option::is_none) {
        return Err(invalid("there is nothing told: give score, value, label, correction or comment"));
    }
    match (&told.exchange, &told.client_id) {
        (Some(id), None) => {
            let id = uuid::Uuid::try_parse(id);
            let id = id.map_err(|_| invalid("exchange is no id of an exchange").at("exchange"))?;
            Ok(Which::Exchange(ExchangeId(id.as_u128())))
        }
        (None, Some(id)) if is_word(id) => Ok(Which::ClientId(id.clone())),
        (None, Some(_)) => Err(invalid(word_wanted("client_id")).at("client_id")),
        _ => Err(invalid("name the exchange, either by exchange or by client_id")),
    }
}

/// Whether a text can be a client's own id of an exchange.
pub(crate) fn is_word(text: &str) -> bool {
    (1..=WORD_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

pub(crate) fn word_wanted(name: &str) -> String {
    format!("{name} is 1 to {WORD_BYTES_MAX} printable ASCII characters without spaces")
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new(FaultKind::InvalidRequest, message)
}

fn refused(error: FeedbackError) -> Fault {
    match error {
        FeedbackError::NoExchange => {
            let mut fault = invalid(error.to_string());
            fault.status = Some(404);
            fault
        }
        FeedbackError::Many => {
            let mut fault = Fault::new(FaultKind::RateLimited, error.to_string());
            fault.retry = shim_ir::Retry::Never;
            fault
        }
        FeedbackError::Unavailable(why) => {
            let mut fault =
                Fault::new(FaultKind::Unavailable, "feedback cannot be kept just now").detail(why);
            fault.retry_after_ms = Some(1_000);
            fault
        }
    }
}
