//! The control plane: what changes the snapshot in force. Swaps, ways back, reloads.

mod keys;
mod reprice;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shim_catalog::nearest;
use shim_config::Config;
use shim_ir::{AliasName, Generation, TargetId};
use shim_policy::access::MadeKey;
use shim_policy::swap::{Step, SwapError, Swaps};
use shim_store::{StateStore, StoreError};

use crate::generation::{SetupError, Snapshot};
use crate::made::KeyError;
use crate::setup::{SecretError, Secrets, resolve};
use crate::shared::Shared;
use crate::spent::SpentError;

pub use keys::KeyStatus;

/// Changes the snapshot in force, one change at a time; each is on disk before it is in force.
pub struct Control {
    shared: Arc<Shared>,
    inner: Mutex<Inner>,
    /// Held while costs are reckoned anew.
    repricing: Mutex<()>,
}

struct Inner {
    config: Config,
    swaps: Swaps,
    made: Vec<MadeKey>,
    store: Box<dyn StateStore>,
    secrets: Box<dyn Secrets + Send>,
    /// Why the file as it is now is not in force, where it is not.
    refused: Option<String>,
    /// What of the file waits for a restart.
    restart: Vec<&'static str>,
}

/// What a change came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwapReport {
    /// Which alias.
    pub alias: AliasName,
    /// What was live before.
    pub from: TargetId,
    /// What is live now.
    pub to: TargetId,
    /// The generation that is in force now.
    pub generation: Generation,
}

/// How an alias stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AliasStatus {
    /// Which alias.
    pub alias: AliasName,
    /// What the file declares.
    pub declared: TargetId,
    /// What is live.
    pub live: TargetId,
    /// How many swaps can be taken back.
    pub back: usize,
    /// Targets tried when that one fails.
    pub fallback: Vec<TargetId>,
}

/// Why a change was refused. The snapshot in force is as it was.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// There is no such alias.
    #[error("there is no alias \"{0}\"{1}")]
    NoAlias(String, String),
    /// There is no such provider.
    #[error("there is no provider \"{0}\"{1}")]
    NoProvider(String, String),
    /// The catalogue lists the provider's models, and this is not among them.
    #[error("the catalogue does not list \"{0}\"{1}; add --force if it is right all the same")]
    UnlistedModel(TargetId, String),
    /// The swap makes no sense.
    #[error(transparent)]
    Swap(#[from] SwapError),
    /// The snapshot cannot be built.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// Secrets are missing.
    #[error("{}", told(.0))]
    Secrets(Vec<SecretError>),
    /// A key was not made or changed.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// What was spent before is not known, so budgets cannot be kept.
    #[error(transparent)]
    Spent(#[from] SpentError),
    /// There is no ledger whose costs could be reckoned anew.
    #[error("there is no ledger: this gateway records nothing")]
    NoLedger,
    /// They are being reckoned anew already.
    #[error("costs are being reckoned anew already; ask again when that is done")]
    Repricing,
    /// The ledger could not be read or written.
    #[error("the costs could not be reckoned anew to the end: {0}")]
    Reprice(#[source] StoreError),
    /// The store failed; nothing was changed.
    #[error("the change could not be kept, so it was not made: {0}")]
    Store(#[from] StoreError),
}

fn told(errors: &[SecretError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

impl Control {
    /// Takes over with `config`, and makes the first snapshot with the swaps the store remembers.
    ///
    /// # Errors
    /// When the store cannot be read, or the configuration cannot be put in force.
    pub fn start(
        config: Config,
        mut store: Box<dyn StateStore>,
        secrets: Box<dyn Secrets + Send>,
        lines: Option<(shim_telemetry::LineSink, shim_telemetry::Format)>,
    ) -> Result<Self, ControlError> {
        let steps = store.steps()?;
        let swaps = Swaps::replay(&steps);
        let made = store.made_keys()?;
        let live = in_force(&config, &swaps);
        let setup = resolve(&config, &live, &made, secrets.as_ref()).map_err(ControlError::Secrets)?;
        let metrics = shim_telemetry::Metrics::new();
        let probe = Snapshot::build(Generation(0), &setup, &metrics)?;
        let number = store.next_generation(probe.hash(), "start", now_ms())?;
        let shared = Shared::new(metrics, lines);
        let snapshot = Snapshot::build(number, &setup, &shared.metrics)?;
        shared.publish(Arc::new(snapshot));
        let restart = Vec::new();
        let inner = Mutex::new(Inner { config, swaps, made, store, secrets, refused: None, restart });
        Ok(Self { shared, inner, repricing: Mutex::default() })
    }

    /// What workers answer requests with.
    #[must_use]
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Puts `alias` on `to` at once.
    ///
    /// # Errors
    /// When alias, provider or model are not known, or the change cannot be kept. `force` lets an unlisted model pass.
    pub fn swap(&self, alias: &str, to: TargetId, force: bool) -> Result<SwapReport, ControlError> {
        let mut inner = self.lock();
        let (alias, base) = inner.declared(alias)?;
        inner.known(&to, force)?;
        let step = inner.swaps.commit(&alias, &base, to, now_ms())?;
        self.take(&mut inner, &step, "swap")
    }

    /// Takes the last swap of `alias` back.
    ///
    /// # Errors
    /// When there is none, or the change cannot be kept.
    pub fn back(&self, alias: &str) -> Result<SwapReport, ControlError> {
        let mut inner = self.lock();
        let (alias, base) = inner.declared(alias)?;
        let step = inner.swaps.back(&alias, &base, now_ms())?;
        self.take(&mut inner, &step, "back")
    }

    /// Puts another configuration in force; the swaps stay.
    ///
    /// # Errors
    /// When it cannot be; the old one goes on serving, and the reason is kept for `status`.
    pub fn reload(&self, config: Config) -> Result<Generation, ControlError> {
        let mut inner = self.lock();
        let (swaps, made) = (inner.swaps.clone(), inner.made.clone());
        match self.build(&mut inner, &config, &swaps, &made, "reload") {
            Ok(snapshot) => {
                let number = snapshot.number();
                self.shared.publish(snapshot);
                inner.config = config;
                inner.refused = None;
                Ok(number)
            }
            Err(error) => {
                inner.refused = Some(error.to_string());
                Err(error)
            }
        }
    }

    /// Notes that the file as it is now cannot be put in force.
    pub fn refuse(&self, why: String) {
        self.lock().refused = Some(why);
    }

    /// Why the file as it is now is not in force, where it is not.
    #[must_use]
    pub fn refused(&self) -> Option<String> {
        self.lock().refused.clone()
    }

    /// Notes what of the configuration in force waits for a restart.
    pub fn waits_for_restart(&self, what: Vec<&'static str>) {
        self.lock().restart = what;
    }

    /// What of the configuration in force waits for a restart.
    #[must_use]
    pub fn restart(&self) -> Vec<&'static str> {
        self.lock().restart.clone()
    }

    /// The swaps that are not in force, because their alias or provider is not in the configuration: alias and target.
    #[must_use]
    pub fn dormant(&self) -> Vec<(AliasName, TargetId)> {
        let inner = self.lock();
        let dormant = inner.swaps.iter().filter(|(alias, target)| !can_be(&inner.config, alias, target));
        dormant.map(|(alias, target)| (alias.clone(), target.clone())).collect()
    }

    /// How every alias stands.
    #[must_use]
    pub fn aliases(&self) -> Vec<AliasStatus> {
        let inner = self.lock();
        let status = |(name, alias): (&AliasName, &shim_config::Alias)| AliasStatus {
            alias: name.clone(),
            declared: alias.target.clone(),
            live: inner.live(name).unwrap_or(&alias.target).clone(),
            back: inner.swaps.depth(name),
            fallback: alias.fallback.clone(),
        };
        inner.config.aliases.iter().map(status).collect()
    }

    /// The steps of all swaps, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn steps(&self) -> Result<Vec<Step>, ControlError> {
        Ok(self.lock().store.steps()?)
    }

    /// The providers in force: id, dialects, number of models.
    #[must_use]
    pub fn providers(&self) -> Vec<(String, Vec<&'static str>, usize)> {
        let snapshot = self.shared.snapshot();
        let row = |p: &Arc<crate::generation::Provider>| {
            (p.id.to_string(), p.endpoints.iter().map(|e| e.dialect.name()).collect(), p.models.len())
        };
        snapshot.providers().map(row).collect()
    }

    /// Every name clients can ask for.
    #[must_use]
    pub fn models(&self) -> Vec<shim_dialect::ModelEntry> {
        crate::models::entries(&self.shared.snapshot())
    }

    /// Keeps a step, then puts it in force.
    fn take(&self, inner: &mut Inner, step: &Step, cause: &str) -> Result<SwapReport, ControlError> {
        let mut swaps = inner.swaps.clone();
        swaps.apply(step);
        let (config, made) = (inner.config.clone(), inner.made.clone());
        let snapshot = self.build(inner, &config, &swaps, &made, cause)?;
        inner.store.append(step)?;
        inner.swaps = swaps;
        let generation = snapshot.number();
        self.shared.publish(snapshot);
        Ok(SwapReport { alias: step.alias.clone(), from: step.from.clone(), to: step.to.clone(), generation })
    }

    fn build(
        &self,
        inner: &mut Inner,
        config: &Config,
        swaps: &Swaps,
        made: &[MadeKey],
        cause: &str,
    ) -> Result<Arc<Snapshot>, ControlError> {
        let live = in_force(config, swaps);
        let setup = resolve(config, &live, made, inner.secrets.as_ref()).map_err(ControlError::Secrets)?;
        let probe = Snapshot::build(Generation(0), &setup, &self.shared.metrics)?;
        let number = inner.store.next_generation(probe.hash(), cause, now_ms())?;
        let snapshot = Arc::new(Snapshot::build(number, &setup, &self.shared.metrics)?);
        self.shared.limited.begin(&snapshot)?;
        self.shared.begin_extraction(&snapshot)?;
        Ok(snapshot)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// The target that a swap in force puts an alias on.
    fn live(&self, alias: &AliasName) -> Option<&TargetId> {
        self.swaps.live(alias).filter(|target| can_be(&self.config, alias, target))
    }

    fn declared(&self, alias: &str) -> Result<(AliasName, TargetId), ControlError> {
        let found = self.config.aliases.iter().find(|(name, _)| name.as_str() == alias);
        found.map(|(name, alias)| (name.clone(), alias.target.clone())).ok_or_else(|| {
            let near = nearest(alias, self.config.aliases.keys().map(AliasName::as_str), 1);
            ControlError::NoAlias(alias.to_owned(), hint(&near))
        })
    }

    /// Checks that a target can be: its provider is configured, and its model listed where there is a list.
    fn known(&self, to: &TargetId, force: bool) -> Result<(), ControlError> {
        if to.provider.as_str() == "demo" {
            return Ok(());
        }
        let Some(provider) = self.config.providers.get(&to.provider) else {
            let near = nearest(to.provider.as_str(), self.config.providers.keys().map(|p| p.as_str()), 1);
            return Err(ControlError::NoProvider(to.provider.to_string(), hint(&near)));
        };
        let listed: Vec<String> = match &provider.models {
            Some(own) => own.iter().map(|m| format!("{}/{m}", to.provider)).collect(),
            None => shim_catalog::provider(to.provider.as_str())
                .map(|known| {
                    shim_catalog::models(&known.id)
                        .iter()
                        .map(|m| format!("{}/{}", to.provider, m.id))
                        .collect()
                })
                .unwrap_or_default(),
        };
        let name = to.to_string();
        if force || listed.is_empty() || listed.contains(&name) {
            return Ok(());
        }
        let near = nearest(&name, listed.iter().map(String::as_str), 1);
        Err(ControlError::UnlistedModel(to.clone(), hint(&near)))
    }
}

fn hint(near: &[String]) -> String {
    near.first().map_or_else(String::new, |n| format!("; did you mean \"{n}\"?"))
}

/// The swaps that can be in force: those of aliases that exist, on providers that do. Others wait, and are told of.
fn in_force(config: &Config, swaps: &Swaps) -> BTreeMap<AliasName, TargetId> {
    let mut live = BTreeMap::new();
    for (alias, target) in swaps.iter() {
        if can_be(config, alias, target) {
            live.insert(alias.clone(), target.clone());
        } else {
            tracing::warn!(%alias, %target, "a swap is not in force: its alias or provider is not in the configuration");
        }
    }
    live
}

/// Whether a swap can be in force under `config`.
fn can_be(config: &Config, alias: &AliasName, target: &TargetId) -> bool {
    let there = target.provider.as_str() == "demo" || config.providers.contains_key(&target.provider);
    config.aliases.contains_key(alias) && there
}

fn now_ms() -> u64 {
    crate::shared::Clock.now_ms()
}
