//! Text → a validated configuration. Reading files and the environment is the caller's.
//!
//! Raw types refuse what they do not know; what they hold becomes a [`Config`] by parsing, and every problem found on
//! the way is reported at once, each with its place and, where there is one, its remedy.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::wildcard_enum_match_arm))]

mod extraction;
mod fit;
mod ledger;
mod parse;
mod prices;
mod problem;
mod raw;
#[cfg(test)]
mod reference;
mod value;
mod vault;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use shim_catalog::OwnPrice;
use shim_ir::{AliasName, Dialect, KeyId, ModelId, ProviderId, TargetId, TeamName, ThinkTags};
use shim_policy::access::Grant;
use shim_policy::extraction::{Mode, Rule};
use shim_policy::limits::Limits;

pub use ledger::Ledger;
pub use parse::{parse, parse_grant};
pub use problem::{Problem, Problems};
pub use raw::schema;
pub use value::{parse_duration, parse_size, parse_usd};

pub use shim_policy::fidelity::Verdict;
pub use shim_policy::record::Record;

/// A validated configuration. Secrets are named, not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Listeners and bounds.
    pub server: Server,
    /// Folder of the embedded store.
    pub store: PathBuf,
    /// How the ledger is kept.
    pub ledger: Ledger,
    /// How much of exchanges is recorded, where nobody asks for less.
    pub record: Record,
    /// What is kept there of answers that clients may go on from.
    pub responses: Responses,
    /// Bounds of the vault in it.
    pub vault: Vault,
    /// How exchanges are logged.
    pub log: LogFormat,
    /// The providers.
    pub providers: BTreeMap<ProviderId, Provider>,
    /// The aliases.
    pub aliases: BTreeMap<AliasName, Alias>,
    /// The clients' keys.
    pub keys: BTreeMap<KeyId, Key>,
    /// The teams, and the limits of each.
    pub teams: BTreeMap<TeamName, Limits>,
    /// What every provider's timeouts are unless it says otherwise.
    pub timeouts: Timeouts,
    /// How extraction is looked for.
    pub extraction: Rule,
}

/// What is kept of answers that clients of the Responses API may go on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Responses {
    /// Most of it, in bytes.
    pub bytes_max: usize,
    /// How long each is kept.
    pub age_max: Duration,
}

impl Default for Responses {
    /// 256 MiB, 30 days.
    fn default() -> Self {
        Self { bytes_max: 256 << 20, age_max: Duration::from_secs(30 * 24 * 3600) }
    }
}

/// Listeners and bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Where clients are listened for.
    pub listen: SocketAddr,
    /// Where operators are listened for.
    pub operators: SocketAddr,
    /// The certificate clients see.
    pub tls: Option<Tls>,
    /// What operators present as a bearer token.
    pub operators_secret: Option<SecretRef>,
    /// Whether clients must present a key even while there is none.
    pub require_keys: bool,
    /// Largest request body, decoded, in bytes.
    pub body_bytes_max: usize,
    /// Most bytes of request bodies held at once.
    pub bodies_bytes_max: usize,
    /// How long a request body may stand still.
    pub body_timeout: Duration,
    /// How long a client may take for the head of a request.
    pub head_timeout: Duration,
    /// How long a client may take nothing of an answer that waits for it.
    pub stall_timeout: Duration,
    /// Most connections of clients at once.
    pub connections_max: usize,
    /// How long a drain waits.
    pub drain_timeout: Duration,
    /// Whether a bare model name goes to the provider whose list has it.
    pub bare_models: bool,
    /// Number of worker threads; none means one for each core.
    pub workers: Option<usize>,
}

/// Bounds of the vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vault {
    /// Most bytes it keeps.
    pub bytes_max: usize,
    /// Longest life of what it keeps, in days.
    pub days_max: u32,
}

impl Default for Vault {
    fn default() -> Self {
        Self { bytes_max: 256 << 20, days_max: 30 }
    }
}

/// A certificate and its key, as PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The chain.
    pub cert: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// How exchanges are logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// Text.
    Text,
    /// One JSON object a line.
    Json,
    /// Not at all.
    Off,
}

/// Where a secret is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretRef {
    /// An environment variable.
    Env(String),
    /// A file, without the line feed at its end.
    File(PathBuf),
}

/// A provider. What is `None` or empty is taken from the catalogue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provider {
    /// Its credential.
    pub key: Option<SecretRef>,
    /// Base URL of a provider of the catalogue that has another one here.
    pub base_url: Option<String>,
    /// The dialects it speaks, in the order of preference.
    pub endpoints: Vec<Endpoint>,
    /// Whether it speaks no others: what the catalogue says of its places does not hold.
    pub elsewhere: bool,
    /// The models to list; none means those of the catalogue.
    pub models: Option<Vec<ModelId>>,
    /// Headers of every request.
    pub headers: BTreeMap<String, String>,
    /// Of clients' headers that list values, which go on to it: patterns in which `*` stands for any text. A header that is
    /// not here is as the catalogue says.
    pub header_values: BTreeMap<String, Vec<String>>,
    /// In which dialects its models are asked, the preferred first: patterns in which `*` stands for any text, the longest
    /// first. What fits none is as the catalogue says.
    pub asked_in: Vec<(String, Vec<Dialect>)>,
    /// Of which models the reasoning stands in the text, between tags: patterns in which `*` stands for any text, the
    /// longest first. What fits none is as the catalogue says.
    pub think_tags: Vec<(String, ThinkTags)>,
    /// What its models cost by the owner's word: patterns like those, the longest first. What fits none is as the catalogue
    /// says.
    pub prices: Vec<(String, OwnPrice)>,
    /// Its timeouts, where they are not everybody's.
    pub timeouts: Option<Timeouts>,
    /// Where the root certificates are read from that it is trusted by, beside the platform's.
    pub ca: Option<SecretRef>,
    /// Where requests to it are processed, in lower case; none means what its hosts are known for.
    pub region: Option<String>,
}

/// One dialect of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// How it is spoken to.
    pub dialect: Dialect,
    /// Where.
    pub base_url: String,
}

/// How long each phase of an attempt may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Name resolution, TCP and TLS.
    pub connect: Duration,
    /// From the request to the head of the answer.
    pub first_byte: Duration,
    /// Between two pieces of the answer.
    pub idle: Duration,
    /// The whole attempt.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { connect: seconds(10), first_byte: seconds(600), idle: seconds(300), total: seconds(3600) }
    }
}

/// An alias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The declared target.
    pub target: TargetId,
    /// Targets to try in this order when that one fails.
    pub fallback: Vec<TargetId>,
    /// What becomes of what cannot be carried exactly.
    pub fidelity: Fidelity,
    /// What becomes of single fields that cannot: path, with `*` for any run of characters, and verdict. In the order
    /// of length, the longest and so the most telling first.
    pub losses: Vec<(String, Verdict)>,
    /// How much of its exchanges is recorded, where it says so.
    pub record: Option<Record>,
    /// What is done where keys seem to harvest it, where it says so.
    pub extraction: Option<Mode>,
    /// Limits of all who ask for it, together.
    pub limits: Limits,
}

/// What becomes of what cannot be carried exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fidelity {
    /// It is reported.
    #[default]
    Report,
    /// The request is refused.
    Strict,
}

/// A client's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// What the client sends.
    pub secret: SecretRef,
    /// What it permits.
    pub grant: Grant,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 7446)),
            operators: SocketAddr::from(([127, 0, 0, 1], 7447)),
            tls: None,
            operators_secret: None,
            require_keys: false,
            body_bytes_max: 64 << 20,
            bodies_bytes_max: 1 << 30,
            body_timeout: Duration::from_secs(30),
            head_timeout: Duration::from_secs(75),
            stall_timeout: Duration::from_secs(300),
            connections_max: 10_000,
            drain_timeout: Duration::from_secs(30),
            bare_models: false,
            workers: None,
        }
    }
}

impl Default for Config {
    /// What an empty file says.
    fn default() -> Self {
        Self {
            server: Server::default(),
            store: "shim-data".into(),
            ledger: Ledger::default(),
            record: Record::default(),
            responses: Responses::default(),
            vault: Vault::default(),
            log: LogFormat::default(),
            providers: BTreeMap::new(),
            aliases: BTreeMap::new(),
            keys: BTreeMap::new(),
            teams: BTreeMap::new(),
            timeouts: Timeouts::default(),
            extraction: Rule::default(),
        }
    }
}
