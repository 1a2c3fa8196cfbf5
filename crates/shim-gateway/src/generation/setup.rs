//! What a snapshot is built from.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName};
use sha2::{Digest as _, Sha256};
use shim_catalog::{OwnPrice, fits};
use shim_ir::{AliasName, Dialect, ModelId, ProviderId, TargetId, TeamName, ThinkTags};
use shim_policy::extraction;
use shim_policy::fidelity::Rule;
use shim_policy::limits;
use shim_upstream::{Origin, Timeouts};

use crate::key::KeySetup;
use crate::record::Recording;

/// What a snapshot is built from: a validated configuration with its secrets resolved, and the swaps in force.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The providers.
    pub providers: Vec<ProviderSetup>,
    /// The aliases.
    pub aliases: Vec<AliasSetup>,
    /// The clients' keys; none means that any credential will do, unless keys are required.
    pub keys: Vec<KeySetup>,
    /// The limits of each team.
    pub teams: BTreeMap<TeamName, limits::Limits>,
    /// Whether clients must present a key even while there is none.
    pub require_keys: bool,
    /// Bounds on what clients send.
    pub limits: Limits,
    /// Whether a bare model name goes to the provider whose list has it.
    pub bare_models: bool,
    /// How much is recorded of what.
    pub recording: Recording,
    /// How extraction is looked for where neither key nor alias says.
    pub extraction: extraction::Rule,
}

/// A provider.
#[derive(Clone, Debug)]
pub struct ProviderSetup {
    /// Its id.
    pub id: ProviderId,
    /// Where and how it is spoken to, in the order of preference.
    pub endpoints: Vec<EndpointSetup>,
    /// In which dialects its models are asked, in the order of preference, by pattern: the first that fits holds; what fits
    /// none is asked in any.
    pub asked_in: Vec<(String, Vec<Dialect>)>,
    /// The models known of it.
    pub models: Vec<KnownModel>,
    /// Of which models the reasoning stands in the text, between tags, by pattern: the first that fits holds, and where
    /// none does, the catalogue.
    pub think_tags: Vec<(String, ThinkTags)>,
    /// What its models cost by the owner's word, by pattern: the first that fits holds, and where none does, the catalogue.
    pub prices: Vec<(String, OwnPrice)>,
    /// How long each phase of an attempt may take.
    pub timeouts: Timeouts,
    /// Where its credential comes from, in words safe to show: `OPENAI_API_KEY`.
    pub credential: Option<String>,
}

/// A model known of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownModel {
    /// The provider's name for it.
    pub id: ModelId,
    /// A name for people.
    pub display: String,
    /// When it was made known, in seconds since 1970; 0 when not known.
    pub created: u64,
    /// Context window, in tokens.
    pub context_max: Option<u64>,
    /// Bound on output, in tokens.
    pub output_max: Option<u64>,
}

/// One dialect of a provider.
#[derive(Clone, Debug)]
pub struct EndpointSetup {
    /// How it is spoken to.
    pub dialect: Dialect,
    /// Who answers there.
    pub served_by: ServedBy,
    /// Whether tokens are counted there, as far as the dialect has a way to ask.
    pub counter: bool,
    /// Where requests to it are processed, in lower case; none where that is not known.
    pub region: Option<Arc<str>>,
}

/// Who answers at an endpoint.
#[derive(Clone, Debug)]
pub enum ServedBy {
    /// A server.
    Http(Box<HttpSetup>),
    /// The demonstration built into the gateway: no model.
    Demo,
}

/// A server to be spoken to over HTTP.
#[derive(Clone, Debug)]
pub struct HttpSetup {
    /// Scheme, host and port.
    pub origin: Origin,
    /// What stands before the dialect's own paths, without a trailing slash.
    pub base_path: String,
    /// Headers of every request, the credential among them, marked as sensitive.
    pub headers: HeaderMap,
    /// Headers of clients that go on to this server, beyond those that go to all.
    pub request_allow: Vec<HeaderName>,
    /// Of those that list values, which values go on; all of one that is not here.
    pub request_values: Vec<(HeaderName, Vec<String>)>,
    /// Whether a stream must be asked for its usage, and understands being asked.
    pub ask_usage: bool,
    /// The credential, to be looked for in what must not hold it.
    pub secret: Option<Secret>,
}

/// A secret: it is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a secret.
    #[must_use]
    pub fn new(secret: String) -> Self {
        Self(secret)
    }

    /// The secret itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}

/// An alias as declared.
#[derive(Clone, Debug)]
pub struct AliasSetup {
    /// Its name.
    pub name: AliasName,
    /// The declared target.
    pub target: TargetId,
    /// Targets to try in this order when that one fails.
    pub fallback: Vec<TargetId>,
    /// A swap in force: the target it is live on instead.
    pub live: Option<TargetId>,
    /// What becomes of what a target's dialect cannot carry.
    pub rule: Rule,
    /// Limits of all who ask for it, together.
    pub limits: limits::Limits,
    /// What is done where keys seem to harvest it, where it says so.
    pub extraction: Option<extraction::Mode>,
}

/// Bounds on what clients send.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Largest request body, decoded, in bytes.
    pub body_bytes_max: usize,
    /// Most bytes of request bodies held at once.
    pub bodies_bytes_max: usize,
    /// How long a request body may stand still.
    pub body_timeout: Duration,
}

impl Default for Limits {
    /// 64 MiB a body, 1 GiB at once, 30 seconds of silence.
    fn default() -> Self {
        Self { body_bytes_max: 64 << 20, bodies_bytes_max: 1 << 30, body_timeout: Duration::from_secs(30) }
    }
}

impl Setup {
    /// The hash of the setup without its secrets.
    pub(super) fn hash(&self) -> String {
        let mut hasher = Sha256::new();
        self.providers.iter().for_each(|provider| provider.hash(&mut hasher));
        for alias in &self.aliases {
            hasher.update(format!("{alias:?}\n"));
        }
        for key in &self.keys {
            let until: Vec<_> = key.proofs.iter().map(|proof| proof.until_ms).collect();
            hasher.update(format!("{} {:?} {until:?} {:?}\n", key.id, key.grant, key.revoked_ms));
        }
        hasher.update(format!("{:?} {} {:?}", self.limits, self.bare_models, self.recording));
        hasher.update(format!("{:?} {} {:?}", self.teams, self.require_keys, self.extraction));
        hasher.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

impl ProviderSetup {
    /// The endpoint at which a client of `dialect` has `model` answer.
    #[must_use]
    pub fn asked(&self, model: &ModelId, dialect: Dialect) -> Option<&EndpointSetup> {
        let asked = asked(&self.asked_in, &self.endpoints, model.as_str(), |e| e.dialect);
        asked.iter().find(|e| e.dialect == dialect).or(asked.first()).copied()
    }

    fn hash(&self, hasher: &mut Sha256) {
        let told = (&self.timeouts, &self.think_tags, &self.prices, &self.models, &self.credential);
        hasher.update(format!("{}|{told:?}|{:?}\n", self.id, self.asked_in));
        for EndpointSetup { dialect, served_by, counter, region } in &self.endpoints {
            hasher.update(format!("{dialect} {counter} {region:?}\n"));
            match served_by {
                ServedBy::Http(http) => http.hash(hasher),
                ServedBy::Demo => hasher.update("demo"),
            }
        }
    }
}

impl HttpSetup {
    fn hash(&self, hasher: &mut Sha256) {
        hasher.update(format!("{}{}\n", self.origin, self.base_path));
        // The credential is among the headers, marked, and shows as nothing but that.
        let told = (&self.headers, &self.request_allow, &self.request_values, self.ask_usage);
        hasher.update(format!("{told:?}\n"));
        self.origin.roots().into_iter().flat_map(|r| r.certificates()).for_each(|c| hasher.update(c));
    }
}

/// The endpoints at which `model` is asked, best first. Where none is of a dialect it is asked in, that is no reason not to
/// ask it at all.
pub(super) fn asked<'e, E>(
    asked_in: &[(String, Vec<Dialect>)],
    endpoints: &'e [E],
    model: &str,
    dialect: impl Fn(&E) -> Dialect,
) -> Vec<&'e E> {
    let own = asked_in.iter().find(|(pattern, _)| fits(pattern, model));
    let listed = own.into_iter().flat_map(|(_, dialects)| dialects);
    let listed: Vec<_> = listed.filter_map(|own| endpoints.iter().find(|e| dialect(e) == *own)).collect();
    if listed.is_empty() { endpoints.iter().collect() } else { listed }
}
