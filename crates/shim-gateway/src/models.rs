//! `GET /v1/models` and its kin: the aliases, and the models known, in the client's dialect.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use shim_dialect::ModelEntry;
use shim_ir::Fault;

use crate::answer::AnswerBody;
use crate::generation::{KnownModel, Snapshot, Target};
use crate::pipeline::Admitted;
use crate::plan::unknown;
use crate::shared::Shared;

/// The list, or the one model the path names.
///
/// # Errors
/// When the path names a model that is not there.
pub(crate) fn list(
    shared: &Shared,
    snapshot: &Snapshot,
    admitted: &Admitted,
) -> Result<Response<AnswerBody>, Fault> {
    let reached =
        |id: &str| admitted.key.as_ref().is_none_or(|key| key.allows(id) && snapshot.reaches(key, id));
    let mut entries = entries(snapshot);
    entries.retain(|entry| reached(&entry.id));
    if let Some(wanted) = &admitted.route.model {
        entries.retain(|entry| entry.id == *wanted);
        if entries.is_empty() {
            let dialect = admitted.codec.0.dialect();
            let alias = snapshot.resolve(wanted, dialect, &shared.metrics).filter(|_| reached(wanted));
            let entry = alias.and_then(|alias| unlisted(wanted, alias.targets.first()?));
            entries.push(entry.ok_or_else(|| unknown(snapshot, admitted.key.as_deref(), wanted))?);
        }
    }
    let body = admitted.codec.0.encode_models(&entries, &admitted.route);
    let mut response = Response::new(AnswerBody::whole(body));
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// Aliases first, then every known model of every provider.
pub(crate) fn entries(snapshot: &Snapshot) -> Vec<ModelEntry> {
    let mut aliases: Vec<_> = snapshot.aliases().collect();
    aliases.sort_by(|a, b| a.name.cmp(&b.name));
    let mut entries: Vec<ModelEntry> = aliases
        .iter()
        .filter_map(|alias| {
            let target: &Arc<Target> = alias.targets.first()?;
            let known = target.provider.models.iter().find(|m| m.id == target.id.model);
            Some(entry(
                &alias.name,
                &format!("{} ({})", alias.name, target.name),
                target.provider.id.as_str(),
                known,
            ))
        })
        .collect();
    let mut seen: BTreeSet<String> = entries.iter().map(|e| e.id.clone()).collect();
    for provider in snapshot.providers() {
        for model in &provider.models {
            let id = format!("{}/{}", provider.id, model.id);
            if seen.insert(id.clone()) {
                entries.push(entry(&id, &model.display, provider.id.as_str(), Some(model)));
            }
        }
    }
    entries
}

/// The entry of a name that can be asked for and is in no list: a bare name, or a model of a provider without a list.
fn unlisted(wanted: &str, target: &Target) -> Option<ModelEntry> {
    let models = &target.provider.models;
    let known = models.iter().find(|m| m.id == target.id.model);
    let display = known.map_or(&*target.name, |m| m.display.as_str());
    (known.is_some() || models.is_empty()).then(|| entry(wanted, display, target.provider.id.as_str(), known))
}

fn entry(id: &str, display: &str, owner: &str, known: Option<&KnownModel>) -> ModelEntry {
    ModelEntry {
        id: id.to_owned(),
        display: display.to_owned(),
        owner: owner.to_owned(),
        created: known.map_or(0, |m| m.created),
        context_max: known.and_then(|m| m.context_max),
        output_max: known.and_then(|m| m.output_max),
    }
}
