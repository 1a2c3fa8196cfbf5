//! `shim keys`: make, list, rotate and revoke keys, at a running gateway or, where none runs, in its store.

use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::{Map, Value, json};
use shim_admin::key_json;
use shim_config::{Config, parse_duration, parse_grant};
use shim_gateway::{KeyStatus, Secret, create, revoke, rotate};
use shim_ir::KeyId;
use shim_policy::access::MadeKey;
use shim_policy::calendar::{parse_day, parse_moment, print_moment};
use shim_store::{KeyStore as _, SqliteState};
use shim_telemetry::clean;

use crate::check::{read, validate};
use crate::cli::Ask;
use crate::cli::keys::{KeyLimits, KeysCommand, NewKey, Place};
use crate::client::ask;
use crate::console::{error, say, say_json};
use crate::status::extraction_line;

pub(crate) fn keys(command: &KeysCommand) -> Result<()> {
    match command {
        KeysCommand::Create(new) => made(&new.place, &created(new)?),
        KeysCommand::Rotate { name, grace, place } => {
            let grace = if grace == "0" { Ok(Duration::ZERO) } else { parse_duration(grace) };
            made(place, &rotated(name, grace.map_err(anyhow::Error::msg)?, place)?)
        }
        KeysCommand::Revoke { name, place } => {
            let key = revoked(name, place)?;
            if place.ask.json {
                say_json(&key)
            } else {
                say(&format!("the key \"{name}\" is revoked"))
            }
            Ok(())
        }
        KeysCommand::Lift { name, ask } => lift(name, ask),
        KeysCommand::List(place) => list(place),
    }
}

/// Whether a gateway answers at the operators' address.
fn runs(place: &Place) -> bool {
    TcpStream::connect(&place.ask.operators).is_ok()
}

/// A store that no gateway has open, and the configuration it belongs to.
struct Offline {
    store: SqliteState,
    config: Config,
    keys: Vec<MadeKey>,
}

impl Offline {
    fn open(place: &Place) -> Result<Self> {
        let operators = &place.ask.operators;
        if !place.config.exists() {
            bail!(
                "no gateway answers at {operators}, and there is no {} whose store could be changed: start one, or name the \
                 configuration by --config",
                place.config.display()
            );
        }
        let config =
            validate(&place.config, &read(&place.config)?).map_err(|problems| anyhow!("{problems}"))?;
        // A path in the file is meant from where the gateway is started, as it is for the gateway.
        let store = SqliteState::open(&config.store)?;
        error(&format!("no gateway answers at {operators}: working on {}", shown(&config.store)));
        let keys = store.made_keys()?;
        Ok(Self { store, config, keys })
    }

    fn keep(mut self, key: &MadeKey) -> Result<Value> {
        self.store.keep_key(key)?;
        Ok(key_json(&KeyStatus::of_made(key, now_ms())))
    }

    fn not_in_file(&self, name: &str) -> Result<()> {
        if self.config.keys.contains_key(name) {
            bail!("the key \"{name}\" is in the configuration file; change it there");
        }
        Ok(())
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn created(new: &NewKey) -> Result<Value> {
    let grant = grant(new)?;
    if runs(&new.place) {
        let body = json!({ "name": new.name, "grant": grant });
        return ask(&new.place.ask, "POST", "/v1/keys", Some(&body));
    }
    let offline = Offline::open(&new.place)?;
    offline.not_in_file(&new.name)?;
    let id = KeyId::new(&new.name).with_context(|| format!("\"{}\"", new.name))?;
    let known: Vec<_> = shim_catalog::providers().iter().map(|provider| provider.id.as_str()).collect();
    let text = toml::to_string(&grant)?;
    let grant = parse_grant(&text, &offline.config, &known).map_err(|problems| anyhow!("{problems}"))?;
    let (key, secret) = create(&offline.keys, id, grant, now_ms())?;
    Ok(with_secret(offline.keep(&key)?, &secret))
}

fn rotated(name: &str, grace: Duration, place: &Place) -> Result<Value> {
    let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
    if runs(place) {
        let path = format!("/v1/keys/{}/rotate", in_path(name));
        return ask(&place.ask, "POST", &path, Some(&json!({ "grace_ms": grace_ms })));
    }
    let offline = Offline::open(place)?;
    offline.not_in_file(name)?;
    let (key, secret) = rotate(&offline.keys, name, grace_ms, now_ms())?;
    Ok(with_secret(offline.keep(&key)?, &secret))
}

fn revoked(name: &str, place: &Place) -> Result<Value> {
    if runs(place) {
        return ask(&place.ask, "DELETE", &format!("/v1/keys/{}", in_path(name)), None);
    }
    let offline = Offline::open(place)?;
    offline.not_in_file(name)?;
    let key = revoke(&offline.keys, name, now_ms())?;
    offline.keep(&key)
}

/// Shows a key that was made or rotated, with its secret.
fn made(place: &Place, key: &Value) -> Result<()> {
    if place.ask.json {
        say_json(key);
        return Ok(());
    }
    error(&format!("the key \"{}\", shown this once:", key["name"].as_str().unwrap_or("?")));
    say(key["secret"].as_str().context("the gateway gave no secret")?);
    Ok(())
}

fn list(place: &Place) -> Result<()> {
    let told = if runs(place) {
        ask(&place.ask, "GET", "/v1/keys", None)?
    } else {
        let (offline, now_ms) = (Offline::open(place)?, now_ms());
        let keys: Vec<_> =
            offline.keys.iter().map(|key| key_json(&KeyStatus::of_made(key, now_ms))).collect();
        json!({ "keys": keys, "accounts": [] })
    };
    if place.ask.json {
        say_json(&told);
        return Ok(());
    }
    let rows = |name: &str| told[name].as_array().cloned().unwrap_or_default();
    if rows("keys").is_empty() {
        say("there are no keys; `shim keys create NAME` makes one");
    }
    rows("keys").iter().for_each(|key| say(&key_line(key)));
    rows("accounts").iter().for_each(|account| say(&account_line(account)));
    let loud = |standing: &&Value| standing["level"] != "quiet";
    rows("extraction").iter().filter(loud).for_each(|standing| say(&extraction_line(standing)));
    Ok(())
}

/// Tells a running gateway to take what a key does as usual; where none runs, nothing is held of any key.
fn lift(name: &str, place: &Ask) -> Result<()> {
    let told = ask(place, "POST", &format!("/v1/keys/{}/lift", in_path(name)), None)?;
    match (place.json, told["known"] == true) {
        (true, _) => say_json(&told),
        (false, true) => say(&format!("what the key \"{name}\" does is taken as usual for it")),
        (false, false) => say(&format!("the key \"{name}\" has done nothing that was watched")),
    }
    Ok(())
}

fn key_line(key: &Value) -> String {
    let text = |name: &str| clean(key[name].as_str().unwrap_or("-")).into_owned();
    let expires = key["expires"].as_str().map_or_else(String::new, |at| format!("  expires {at}"));
    let (name, state, shown) = (text("name"), text("state"), text("shown"));
    format!(
        "key    {name:<20} {state:<8} {shown:<12} team {}  owner {}{expires}",
        text("team"),
        text("owner")
    )
}

fn account_line(account: &Value) -> String {
    let text = |name: &str| clean(account[name].as_str().unwrap_or("-")).into_owned();
    let left = |of: &str| match (&account[of]["remaining"], &account[of]["limit"]) {
        (Value::Null, _) | (_, Value::Null) => String::new(),
        (remaining, limit) => format!("  {of} {remaining}/{limit}"),
    };
    let who = format!("limits {:<6} {:<13}", text("kind"), text("name"));
    let money = format!(
        "settled {}  reserved {}  available {}",
        text("settled"),
        text("reserved"),
        text("available")
    );
    format!("{who} {money}  open {}{}{}", account["open"], left("requests"), left("tokens"))
}

/// What the options permit, in the words of `[keys.NAME]`.
fn grant(new: &NewKey) -> Result<Map<String, Value>> {
    let lists = [
        ("allow", &new.allow),
        ("providers", &new.provider),
        ("deny_providers", &new.deny_provider),
        ("regions", &new.region),
        ("dialects", &new.dialect),
    ];
    let mut grant = Map::new();
    for (name, list) in lists {
        if !list.is_empty() {
            grant.insert(name.to_owned(), json!(list));
        }
    }
    for (name, text) in
        [("owner", &new.owner), ("team", &new.team), ("record", &new.record), ("extraction", &new.extraction)]
    {
        if let Some(text) = text {
            grant.insert(name.to_owned(), json!(text));
        }
    }
    if let Some(expires) = &new.expires {
        grant.insert("expires".to_owned(), json!(moment(expires)?));
    }
    let limits = limits(&new.limits);
    if !limits.is_empty() {
        grant.insert("limits".to_owned(), limits.into());
    }
    Ok(grant)
}

fn limits(args: &KeyLimits) -> Map<String, Value> {
    let numbers = [
        ("requests_per_minute", args.requests_per_minute),
        ("tokens_per_minute", args.tokens_per_minute),
        ("concurrent", args.concurrent),
        ("output_tokens_max", args.output_tokens_max),
    ];
    let words =
        [("budget", &args.budget), ("budget_window", &args.budget_window), ("unpriced", &args.unpriced)];
    let numbers = numbers.into_iter().filter_map(|(name, number)| Some((name.to_owned(), json!(number?))));
    let words = words.into_iter().filter_map(|(name, word)| Some((name.to_owned(), json!(word.as_ref()?))));
    numbers.chain(words).collect()
}

/// A day as it is, a duration from now on.
fn moment(expires: &str) -> Result<String> {
    if parse_day(expires).or_else(|| parse_moment(expires)).is_some() {
        return Ok(expires.to_owned());
    }
    let life = parse_duration(expires).map_err(|_| {
        anyhow!("\"{expires}\" is neither a day such as 2027-01-01, nor a moment such as 2027-01-01T12:00:00Z, nor a \
                 duration from now such as 30d")
    })?;
    Ok(print_moment(now_ms().saturating_add(u64::try_from(life.as_millis()).unwrap_or(u64::MAX))))
}

fn with_secret(mut key: Value, secret: &Secret) -> Value {
    key["secret"] = secret.expose().into();
    key
}

/// A name as a segment of a path: what is not plain is percent-encoded.
pub(crate) fn in_path(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    name.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
