//! Second stage: which targets to try, in which order.

use std::sync::Arc;

use shim_catalog::nearest;
use shim_dialect::{Operation, speaker};
use shim_ir::{Dialect, Fault, FaultKind};
use smallvec::SmallVec;

use crate::generation::{Alias, Endpoint, Provider, Snapshot, Target};
use crate::key::Key;
use crate::pipeline::Admitted;
use crate::shared::Shared;

/// The targets to try, in order; at least one.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) steps: SmallVec<[Step; 2]>,
    /// What the client asked for.
    pub(crate) alias: Arc<Alias>,
}

/// One target to try, and the endpoint of its provider: of those at which the model is asked, the one that speaks the client's
/// dialect, else the first that can be asked the same.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) target: Arc<Target>,
    pub(crate) endpoint: Arc<Endpoint>,
    /// Whether the gateway answers by itself: a count of tokens, where the provider has no counter.
    pub(crate) estimated: bool,
}

/// Most suggestions in a message about an unknown name.
const SUGGESTIONS_MAX: usize = 3;

/// Finds the targets that can take the exchange, and that the client's key may reach.
///
/// # Errors
/// When the model is not known, or no target of it can be asked.
pub(crate) fn plan(shared: &Shared, snapshot: &Snapshot, admitted: &Admitted) -> Result<Plan, Fault> {
    let mut plan = find(shared, snapshot, admitted)?;
    if let Some(key) = &admitted.key {
        plan.steps = key.permitted(plan.steps)?;
    }
    Ok(plan)
}

fn find(shared: &Shared, snapshot: &Snapshot, admitted: &Admitted) -> Result<Plan, Fault> {
    let dialect = admitted.codec.0.dialect();
    if admitted.route.operation == Operation::Stored {
        return stored(shared, snapshot, admitted);
    }
    let model = &admitted.head.model;
    let alias = snapshot.resolve(model, dialect, &shared.metrics);
    let alias = alias.ok_or_else(|| unknown(snapshot, admitted.key.as_deref(), model))?;
    let steps: SmallVec<[Step; 2]> =
        alias.targets.iter().filter_map(|target| step(target, dialect, admitted.route.operation)).collect();
    if steps.is_empty() { Err(untranslatable(&alias.targets, admitted)) } else { Ok(Plan { steps, alias }) }
}

/// How a target is tried for `operation` by a client that speaks `dialect`.
fn step(target: &Arc<Target>, dialect: Dialect, operation: Operation) -> Option<Step> {
    let asked = endpoint(target, dialect, operation);
    let estimated = asked.is_none() && operation == Operation::CountTokens;
    let endpoint = asked.or_else(|| target.asked.first().filter(|_| estimated))?.clone();
    Some(Step { target: target.clone(), endpoint, estimated })
}

/// Where a target is asked for `operation` by a client that speaks `dialect`.
fn endpoint(target: &Target, dialect: Dialect, operation: Operation) -> Option<&Arc<Endpoint>> {
    let able = |endpoint: &&Arc<Endpoint>| match operation {
        Operation::Generate => true,
        Operation::CountTokens => endpoint.counts,
        Operation::Embed => speaker(endpoint.dialect).embeds().is_some(),
        Operation::Models | Operation::Stored => false,
    };
    let able = || target.asked.iter().filter(able);
    able().find(|endpoint| endpoint.dialect == dialect).or_else(|| able().next())
}

/// The fault of a name that stands for nothing: what is near of what the key reaches, or who would have it.
pub(crate) fn unknown(snapshot: &Snapshot, key: Option<&Key>, model: &str) -> Fault {
    let reached = |name: &String| key.is_none_or(|key| key.allows(name) && snapshot.reaches(key, name));
    let names: Vec<String> = snapshot.names().filter(reached).collect();
    let near = nearest(model, names.iter().map(String::as_str), SUGGESTIONS_MAX);
    let near: Vec<_> = near.iter().map(|name| format!("\"{name}\"")).collect();
    let hint = match (elsewhere(snapshot, model), near.as_slice()) {
        (Some(elsewhere), _) => elsewhere,
        (None, []) => "; GET /v1/models lists what there is".to_owned(),
        (None, near) => format!("; did you mean {}?", near.join(" or ")),
    };
    let shown: String = model.chars().take(200).collect();
    Fault::new(FaultKind::UnknownModel, format!("there is no alias or model \"{shown}\"{hint}")).at("model")
}

/// Of a model that only providers have which are not configured: which these are, and where their keys are looked for.
fn elsewhere(snapshot: &Snapshot, model: &str) -> Option<String> {
    let of = |p: &shim_catalog::Provider| match model.split_once('/') {
        Some((id, _)) if shim_catalog::provider(id).is_some() => p.id == id,
        Some(_) | None => shim_catalog::model(&p.id, model).is_some(),
    };
    let told = |p: &shim_catalog::Provider| match p.key_env.first() {
        Some(key) => format!("{} ({key})", p.id),
        None => p.id.clone(),
    };
    let mut all = Vec::new();
    for provider in shim_catalog::providers().iter().filter(|p| of(p)) {
        if snapshot.providers().any(|configured| configured.id.as_str() == provider.id) {
            return None;
        }
        all.push(told(provider));
    }
    all.truncate(SUGGESTIONS_MAX);
    (!all.is_empty()).then(|| format!("; no provider that has it is configured: {}", all.join(", ")))
}

fn untranslatable(targets: &[Arc<Target>], admitted: &Admitted) -> Fault {
    let speaks = |t: &Arc<Target>| {
        let dialects: Vec<_> = t.asked.iter().map(|e| e.dialect.name()).collect();
        format!("{} is asked in {}", t.name, dialects.join(", "))
    };
    let told: Vec<_> = targets.iter().map(speaks).collect();
    let message = format!(
        "{} in {} cannot be put into another dialect, and {}",
        admitted.route.operation.name(),
        admitted.codec.0.dialect(),
        told.join("; ")
    );
    Fault::new(FaultKind::Untranslatable, message).at("model")
}

/// The providers that could keep answers of `dialect`.
pub(crate) fn speakers(snapshot: &Snapshot, dialect: Dialect) -> impl Iterator<Item = &Arc<Provider>> {
    snapshot.providers().filter(move |p| p.endpoint(dialect).is_some() && p.id.as_str() != "demo")
}

/// An answer kept by a provider is asked for where such answers can be: at the one provider that speaks the dialect,
/// or at the one named in `x-shim-target`.
fn stored(shared: &Shared, snapshot: &Snapshot, admitted: &Admitted) -> Result<Plan, Fault> {
    let dialect = admitted.codec.0.dialect();
    let named = admitted.parts.headers.get("x-shim-target").and_then(|v| v.to_str().ok());
    let named = named.map(|name| name.split('/').next().unwrap_or(name));
    let named = admitted.keeper.as_deref().or(named);
    let mut speakers = speakers(snapshot, dialect).filter(|p| named.is_none_or(|name| p.id.as_str() == name));
    let (first, second) = (speakers.next(), speakers.next());
    let (Some(provider), None) = (first, second) else {
        let message = "which provider keeps this answer is not known: name it in the header x-shim-target";
        return Err(Fault::new(FaultKind::InvalidRequest, message));
    };
    let name = format!("{}/-", provider.id);
    let alias = snapshot.resolve(&name, dialect, &shared.metrics);
    let target = alias.as_ref().and_then(|a| a.targets.first());
    let (Some(alias), Some(target), Some(endpoint)) = (&alias, target, provider.endpoint(dialect)) else {
        return Err(Fault::new(FaultKind::Internal, "the provider has no endpoint"));
    };
    let step = Step { target: target.clone(), endpoint: endpoint.clone(), estimated: false };
    Ok(Plan { steps: SmallVec::from_iter([step]), alias: alias.clone() })
}
