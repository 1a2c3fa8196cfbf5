//! What applications say of exchanges, beside them.

use rusqlite::{Connection, OptionalExtension as _, params};
use shim_ir::ExchangeId;

use super::day::Day;

/// Which exchange is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The one of this id.
    Exchange(ExchangeId),
    /// The one whose client chose this id.
    Client(String),
}

/// What an application says of an exchange. There may be several of one.
#[derive(Clone, Debug, PartialEq)]
pub struct Feedback {
    /// Of which exchange.
    pub subject: Subject,
    /// Who says so; only of exchanges of the same key.
    pub key: Option<String>,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// How good, in the application's own scale.
    pub score: Option<f64>,
    /// Good or not.
    pub value: Option<bool>,
    /// A word for it.
    pub label: Option<String>,
    /// What the answer should have been.
    pub correction: Option<String>,
    /// Anything else.
    pub comment: Option<String>,
}

/// Why feedback was not kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FeedbackError {
    /// There is no such exchange, or it is another key's: who asks is not told which.
    #[error("there is no such exchange of this key in the ledger")]
    NoExchange,
    /// There is as much of that exchange as is kept.
    #[error("there are {FEEDBACK_EACH_MAX} notes of that exchange, and no more are kept")]
    Many,
    /// The ledger cannot take it just now.
    #[error("the ledger cannot take feedback just now: {0}")]
    Unavailable(String),
}

impl Feedback {
    pub(super) fn bytes(&self) -> usize {
        let words = [&self.key, &self.label, &self.correction, &self.comment];
        size_of::<Self>() + words.into_iter().flatten().map(String::len).sum::<usize>()
    }

    /// The days whose files may hold the exchange, likeliest first: the day the id was made, or the last two.
    pub(super) fn days(&self) -> Vec<Day> {
        match &self.subject {
            Subject::Exchange(id) => vec![Day::of_ms(id.at_ms())],
            Subject::Client(_) => {
                let today = Day::of_ms(self.at_ms);
                (0..CLIENT_DAYS_MAX).map(|back| Day(today.0.saturating_sub(back))).collect()
            }
        }
    }
}

/// How many days back an id that a client chose is looked for.
const CLIENT_DAYS_MAX: u32 = 30;

/// The exchange that `feedback` is about, if it is of this file and of the same key.
pub(super) fn find(connection: &Connection, feedback: &Feedback) -> rusqlite::Result<Option<ExchangeId>> {
    let found = match &feedback.subject {
        Subject::Exchange(id) => connection
            .query_row(
                "SELECT id, key FROM exchanges WHERE id = ?1 UNION ALL SELECT id, key FROM open WHERE id = ?1",
                params![id.0.to_be_bytes()],
                |row| Ok((row.get::<_, [u8; 16]>(0)?, row.get::<_, Option<String>>(1)?)),
            )
            .optional()?,
        Subject::Client(name) => connection
            .query_row(
                "SELECT id, key FROM exchanges WHERE client_id = ?1 AND key IS ?2 ORDER BY row DESC LIMIT 1",
                params![name, feedback.key],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()?,
    };
    Ok(found.filter(|(_, key)| *key == feedback.key).map(|(id, _)| ExchangeId(u128::from_be_bytes(id))))
}

/// Most notes of one exchange.
pub const FEEDBACK_EACH_MAX: u32 = 16;

/// How many notes there are of exchange `id`.
pub(super) fn count(connection: &Connection, id: ExchangeId) -> rusqlite::Result<u32> {
    let sql = "SELECT COUNT(*) FROM feedback WHERE exchange = ?1";
    connection.query_row(sql, params![id.0.to_be_bytes()], |row| row.get(0))
}

/// Keeps it beside exchange `id`.
pub(super) fn add(connection: &Connection, id: ExchangeId, feedback: &Feedback) -> rusqlite::Result<()> {
    let sql = "INSERT INTO feedback (exchange, at_ms, key, score, value, label, correction, comment) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let at_ms = i64::try_from(feedback.at_ms).unwrap_or(i64::MAX);
    let Feedback { key, score, value, label, correction, comment, .. } = feedback;
    let id = id.0.to_be_bytes();
    connection.execute(sql, params![id, at_ms, key, score, value, label, correction, comment])?;
    Ok(())
}

/// All that was said of exchange `id`, oldest first, as JSON.
pub(super) fn of(connection: &Connection, id: &[u8; 16]) -> rusqlite::Result<Vec<serde_json::Value>> {
    let sql = "SELECT at_ms, score, value, label, correction, comment FROM feedback WHERE exchange = ?1 ORDER BY feedback";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params![id], |row| {
        Ok(serde_json::json!({
            "at_ms": row.get::<_, i64>(0)?, "score": row.get::<_, Option<f64>>(1)?,
            "value": row.get::<_, Option<bool>>(2)?, "label": row.get::<_, Option<String>>(3)?,
            "correction": row.get::<_, Option<String>>(4)?, "comment": row.get::<_, Option<String>>(5)?,
        }))
    })?;
    rows.collect()
}
