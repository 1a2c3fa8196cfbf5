//! The file as written. The doc comments here are the reference page and the schema.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

/// How a duration is written.
const DURATION: &str = "^[0-9]+ ?(ms|s|m|h|d)$";

/// How a size is written.
const SIZE: &str = "^[0-9]+ ?(B|KiB|MiB|GiB)$";

/// The configuration of shim.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "only its schema is used: the file is read section by section, to report every problem"
)]
pub(crate) struct File {
    /// How much of exchanges is recorded: `full` (default), `usage` (no bodies, no messages of faults) or `off` (only what
    /// accounting needs). Aliases, keys and the header `x-shim-record` may be stricter; the strictest wins.
    #[schemars(extend("enum" = ["full", "usage", "off"]))]
    record: Option<String>,
    /// Listeners, and bounds on what clients send.
    server: Option<Server>,
    /// The store.
    store: Option<Store>,
    /// Logging.
    log: Option<Log>,
    /// Timeouts of every provider that has none of its own.
    timeouts: Option<Timeouts>,
    /// Providers by id. One that the catalogue knows needs only a key.
    providers: Option<BTreeMap<String, Provider>>,
    /// Aliases by name: what clients ask for.
    aliases: Option<BTreeMap<String, Alias>>,
    /// Keys of clients by name, beside those made by `shim keys create`. With none of either, and a loopback listener,
    /// any credential will do.
    keys: Option<BTreeMap<String, Key>>,
    /// Teams by name: keys that share limits.
    teams: Option<BTreeMap<String, Team>>,
    /// Whether keys that seem to harvest a model are told of, or held back.
    extraction: Option<Extraction>,
}

/// Listeners, and bounds on what clients send.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Server {
    /// Address for clients. Default `127.0.0.1:7446`.
    pub(crate) listen: Option<String>,
    /// Address for operators: console, admin API, metrics. Default `127.0.0.1:7447`.
    pub(crate) operators: Option<String>,
    /// Certificate for the clients' listener. Default: plain TCP.
    pub(crate) tls: Option<Tls>,
    /// Bearer token of operators. Needed when their listener is not on loopback.
    pub(crate) operators_secret: Option<SecretRef>,
    /// Whether clients must present a key even while there is none, because keys will be made by `shim keys create`.
    /// Default false: with no key at all, any credential will do.
    pub(crate) require_keys: Option<bool>,
    /// Largest request body, after decompression. Default `64MiB`.
    #[schemars(extend("pattern" = SIZE))]
    pub(crate) body_max: Option<String>,
    /// Most bytes of request bodies held at once: until their answer begins, and where it is translated, recorded or kept,
    /// until it ends. Undoing a content encoding takes up to 64 MiB besides, for all together. Default `1GiB`.
    #[schemars(extend("pattern" = SIZE))]
    pub(crate) bodies_max: Option<String>,
    /// How long a request body may stand still. Default `30s`.
    #[schemars(extend("pattern" = DURATION))]
    pub(crate) body_timeout: Option<String>,
    /// How long a client may take for the head of a request, or leave a connection idle. Default `75s`.
    #[schemars(extend("pattern" = DURATION))]
    pub(crate) head_timeout: Option<String>,
    /// How long a client may take nothing of an answer that waits for it, and a connection of HTTP/2 stays idle after one, if
    /// that is longer than `head_timeout`. Default `5m`.
    #[schemars(extend("pattern" = DURATION))]
    pub(crate) stall_timeout: Option<String>,
    /// Most connections of clients at once. Default 10000.
    pub(crate) connections_max: Option<u32>,
    /// How long a shutdown waits for exchanges under way. Default `30s`.
    #[schemars(extend("pattern" = DURATION))]
    pub(crate) drain_timeout: Option<String>,
    /// Whether a bare model name (`gpt-5.2`) goes to the configured provider that lists it. Default false.
    pub(crate) bare_models: Option<bool>,
    /// Number of worker threads. Default: one for each core.
    pub(crate) workers: Option<u16>,
}

/// Whether keys that seem to harvest a model, to train another on its answers, are told of, or held back. Exchanges without
/// a key are not looked at.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Extraction {
    /// `off` (default), `watch`: it is told, or `throttle`: such a key may also make only a few requests a minute for as long
    /// as it seems so. Keys and aliases may say otherwise.
    #[schemars(extend("enum" = ["off", "watch", "throttle"]))]
    pub(crate) mode: Option<String>,
    /// The score, from 0.05 to 1, from which on a key is alarmed of, and throttled. Default 0.8.
    pub(crate) threshold: Option<f64>,
    /// Different questions a day up to which nothing is made of them; all figures without a history grow with it. Default
    /// 2000.
    pub(crate) floor: Option<u64>,
    /// Requests in any sixty seconds of a key that is throttled. Default 6.
    pub(crate) requests_per_minute: Option<u64>,
}

/// A certificate and its key, as PEM files.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tls {
    /// The certificate chain.
    pub(crate) cert: PathBuf,
    /// The private key.
    pub(crate) key: PathBuf,
}

/// Where a secret is read from: `{ env = "NAME" }` or `{ file = "path" }`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecretRef {
    /// An environment variable.
    pub(crate) env: Option<String>,
    /// A file; the line feed at its end does not count.
    pub(crate) file: Option<PathBuf>,
}

/// The store.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Store {
    /// Folder of the embedded store. Like every path in the file, a relative one starts at the folder that the gateway is
    /// started in, not at the file's. Default `shim-data`.
    pub(crate) path: Option<PathBuf>,
    /// When what was settled is on the disk. `window` (default): within the commit interval it survives the end of the
    /// process. `strict`: before the last byte of the answer is sent, and before an upstream is asked, and it survives the
    /// end of the machine.
    #[schemars(extend("enum" = ["window", "strict"]))]
    pub(crate) durability: Option<String>,
    /// How long entries of the ledger wait to be committed together. Default `20ms`.
    #[schemars(extend("pattern" = DURATION))]
    pub(crate) commit_every: Option<String>,
    /// Most bytes that wait to be written; beyond it bodies are not recorded, then admissions, usage last. Default `64MiB`.
    #[schemars(extend("pattern" = SIZE))]
    pub(crate) queue_max: Option<String>,
    /// Most bytes of the ledger's files; the oldest days go first. Default `1GiB`.
    #[schemars(extend("pattern" = SIZE))]
    pub(crate) ledger_bytes_max: Option<String>,
    /// Most days of the ledger kept. Default 30.
    pub(crate) ledger_days_max: Option<u32>,
    /// Most bytes recorded of one body; of what is larger the beginning is. Default `1MiB`.
    #[schemars(extend("pattern" = SIZE))]
    pub(crate) record_bytes_max: Option<String>,
    /// Most that is kept of answers that clients of the Responses API may go on from. Default `256MiB`.
    #[schemars(extend("pattern" = SIZE))]
    pub(crate) responses_max: Option<String>,
    /// How long such an answer is kept. Default `720h`, which is 30 days.
    #[schemars(extend("pattern" = DURATION))]
    pub(crate) responses_age: Option<String>,
    /// Most bytes of the vault, which keeps what only its provider can read of answers (signatures, encrypted reasoning)
    /// so that a conversation survives a client that drops it; the oldest goes first. Default `256MiB`.
    #[schemars(extend("pattern" = SIZE))]
    pub(crate) vault_bytes_max: Option<String>,
    /// Longest life of what the vault keeps, in days. Default 30.
    pub(crate) vault_days_max: Option<u32>,
}

/// Logging.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Log {
    /// `auto` (text on a terminal, JSON otherwise), `text`, `json` or `off`. Default `auto`.
    #[schemars(extend("enum" = ["auto", "text", "json", "off"]))]
    pub(crate) format: Option<String>,
}

/// How long each phase of an attempt may take.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Timeouts {
    /// Name resolution, TCP and TLS. Default `10s`.
    #[schemars(extend("pattern" = DURATION))]
    pub(crate) connect: Option<String>,
    /// From the request to the head of the answer. Default `10m`.
    #[schemars(extend("pattern" = DURATION))]
    pub(crate) first_byte: Option<String>,
    /// Between two pieces of the answer. Default `5m`.
    #[schemars(extend("pattern" = DURATION))]
    pub(crate) idle: Option<String>,
    /// The whole attempt. Default `1h`.
    #[schemars(extend("pattern" = DURATION))]
    pub(crate) total: Option<String>,
}

/// A provider.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Provider {
    /// Its credential.
    pub(crate) key: Option<SecretRef>,
    /// The dialect at `base_url`: `openai-chat`, `openai-responses`, `anthropic` or `gemini`. Needed, with `base_url`,
    /// for a provider the catalogue does not know. One that it knows is then asked in no other dialect than this and
    /// those of `dialects`: where it is, is for the configuration to say.
    #[schemars(extend("enum" = ["openai-chat", "openai-responses", "anthropic", "gemini"]))]
    pub(crate) dialect: Option<String>,
    /// Where it is. For the OpenAI dialects up to and with the version (`…/v1`), for the others without it.
    pub(crate) base_url: Option<String>,
    /// Further dialects, each with its own `base_url`.
    pub(crate) dialects: Option<BTreeMap<String, DialectAt>>,
    /// The models to list. Default: those of the catalogue.
    pub(crate) models: Option<Vec<String>>,
    /// Headers of every request to it. Not for credentials.
    pub(crate) headers: Option<BTreeMap<String, String>>,
    /// Of clients' headers that list values, which go on to it, `*` standing for any text:
    /// `{ anthropic-beta = ["interleaved-thinking-*"] }`. A header that is not here is as the catalogue says.
    pub(crate) header_values: Option<BTreeMap<String, Vec<String>>>,
    /// In which of its dialects its models are asked, by model, `*` standing for any text; the longest name that fits holds:
    /// `{ "gpt-4o*" = ["openai-chat"] }`. A client of one of these dialects is answered in its own, any other in the first;
    /// no other dialect is used. Default: as the catalogue says (`docs/providers.md`), else all that the provider speaks.
    pub(crate) asked_in: Option<BTreeMap<String, Vec<String>>>,
    /// Of which models the reasoning stands in the text of answers in Chat Completions, between `<think>` and
    /// `</think>`, and is to be told apart where the client speaks another dialect: `none`, `explicit` where the text
    /// begins with the opening tag, `implicit` also where the chat template has swallowed that tag, so that the text
    /// begins inside the reasoning. By model, `*` standing for any text; the longest name that fits holds. Default: as
    /// the catalogue says; `none` for a provider it does not know.
    pub(crate) think_tags: Option<BTreeMap<String, String>>,
    /// What its models cost, where the catalogue does not know it or the owner pays another price. By model, `*` standing
    /// for any text; the longest name that fits holds.
    pub(crate) prices: Option<BTreeMap<String, Prices>>,
    /// Timeouts, where they are not everybody's.
    pub(crate) timeouts: Option<Timeouts>,
    /// Whom its certificate may come from, beside the authorities this machine trusts.
    pub(crate) tls: Option<ProviderTls>,
    /// Where requests to it are processed, in a word of your own (`eu`): what `regions` of keys are compared with.
    /// Default: what the provider documents of the host it is asked at; unknown for all others.
    pub(crate) region: Option<String>,
}

/// What tokens cost, in US dollars per million, each as a decimal in quotes (`"0.25"`). A class without a price costs
/// what the class does that includes it: cached input what input does, reasoning what output does. Sound does not.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Prices {
    /// Fresh input.
    pub(crate) input: Option<String>,
    /// Output.
    pub(crate) output: Option<String>,
    /// Input read from a cache.
    pub(crate) cache_read: Option<String>,
    /// Input written to a cache that lives minutes.
    pub(crate) cache_write: Option<String>,
    /// Input written to a cache that lives an hour.
    pub(crate) cache_write_1h: Option<String>,
    /// Reasoning.
    pub(crate) reasoning: Option<String>,
    /// Audio input.
    pub(crate) input_audio: Option<String>,
    /// Audio output.
    pub(crate) output_audio: Option<String>,
    /// Images, where they cost another price than other output.
    pub(crate) output_image: Option<String>,
}

/// Whom a provider's certificate may come from.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProviderTls {
    /// Root certificates in PEM, as `{ file = "path" }`.
    pub(crate) ca: SecretRef,
}

/// Where a provider speaks a dialect.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DialectAt {
    /// Where it is.
    pub(crate) base_url: String,
}

/// An alias.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Alias {
    /// The target, as `provider/model`.
    pub(crate) target: String,
    /// Targets to try in this order when that one fails.
    pub(crate) fallback: Option<Vec<String>>,
    /// `report` (default) or `strict`: refuse what cannot be carried exactly.
    #[schemars(extend("enum" = ["report", "strict"]))]
    pub(crate) fidelity: Option<String>,
    /// What becomes of single fields that a target's dialect cannot carry, by their path in the client's own words:
    /// `drop` leaves them out, `map` takes what is near, `refuse` refuses the request. `*` stands for any run of
    /// characters: `"messages[*].content[*].cache_control" = "drop"`. What is counted as lost, and what refuses without a word
    /// here, is told under [running](running.md#what-a-translation-loses).
    pub(crate) losses: Option<BTreeMap<String, String>>,
    /// How much of its exchanges is recorded, where it is less than elsewhere.
    #[schemars(extend("enum" = ["full", "usage", "off"]))]
    pub(crate) record: Option<String>,
    /// Whether keys that seem to harvest it are told of or held back, where the key does not say: `off`, `watch` or
    /// `throttle`. Default: as in `[extraction]`.
    #[schemars(extend("enum" = ["off", "watch", "throttle"]))]
    pub(crate) extraction: Option<String>,
    /// Limits of all who ask for it, together.
    pub(crate) limits: Option<Limits>,
}

/// A client's key.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Key {
    /// What the client sends. Every key of the file needs one.
    pub(crate) secret: Option<SecretRef>,
    /// What it may ask for: aliases, `provider/model`, or patterns ending in `*`. Default: everything.
    pub(crate) allow: Option<Vec<String>>,
    /// How much of its exchanges is recorded, where it is less than elsewhere.
    #[schemars(extend("enum" = ["full", "usage", "off"]))]
    pub(crate) record: Option<String>,
    /// The only providers its requests may go to, also as a fallback. Default: all.
    pub(crate) providers: Option<Vec<String>>,
    /// Providers its requests never go to.
    pub(crate) deny_providers: Option<Vec<String>>,
    /// The only regions its requests may go to, by `providers.NAME.region`; a provider of unknown region is in none.
    /// Default: all.
    pub(crate) regions: Option<Vec<String>>,
    /// The only dialects its client may speak. Default: all.
    pub(crate) dialects: Option<Vec<String>>,
    /// Whose it is: a note for people.
    pub(crate) owner: Option<String>,
    /// The team it counts with.
    pub(crate) team: Option<String>,
    /// When it is no longer good, in UTC: from the beginning of a day (`2027-01-01`), or from a moment
    /// (`2027-01-01T12:00:00Z`). Default: never.
    pub(crate) expires: Option<String>,
    /// Whether it is told of or held back where it seems to harvest a model: `off`, `watch` or `throttle`. Default: as the
    /// alias says, else `[extraction]`.
    #[schemars(extend("enum" = ["off", "watch", "throttle"]))]
    pub(crate) extraction: Option<String>,
    /// Its limits.
    pub(crate) limits: Option<Limits>,
}

/// A team of keys.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Team {
    /// Limits of all its keys together.
    pub(crate) limits: Option<Limits>,
}

/// Limits of a key, a team or an alias. What is not named is not limited.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limits {
    /// Requests in any sixty seconds.
    pub(crate) requests_per_minute: Option<u64>,
    /// Tokens in any sixty seconds, input and output together.
    pub(crate) tokens_per_minute: Option<u64>,
    /// Exchanges under way at once.
    pub(crate) concurrent: Option<u64>,
    /// Money: `"$20"`, `"$0.50"`.
    pub(crate) budget: Option<String>,
    /// When the budget begins anew: `day`, `month` (both in UTC) or `total`. Default `month`.
    #[schemars(extend("enum" = ["day", "month", "total"]))]
    pub(crate) budget_window: Option<String>,
    /// What becomes of requests whose price is not known, under the budget: `refuse` or `allow`. Default `refuse`.
    #[schemars(extend("enum" = ["refuse", "allow"]))]
    pub(crate) unpriced: Option<String>,
    /// The most output, in tokens, to reckon with where neither the request nor the catalogue bounds it.
    pub(crate) output_tokens_max: Option<u64>,
}

/// The JSON Schema of the file (draft 2020-12), as text.
#[must_use]
pub fn schema() -> String {
    serde_json::to_string_pretty(&schemars::schema_for!(File)).unwrap_or_default()
}
