//! `GET /v1/models` and its kin: the aliases, and the models known, in the client's dialect.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use shim_dialect::ModelEntry;
use shim_ir::{Fault, FaultKind};

use crate::answer::AnswerBody;
use crate::generation::{KnownModel, Snapshot, Target};
use crate::pipeline::Admitted;

/// The list, or the one model the path names.
///
/// # Errors
/// When the path names a model that is not there.
pub(crate) fn list(snapshot: &Snapshot, admitted: &Admitted) -> Result<Response<AnswerBody>, Fault> {
    let mut entries = entries(snapshot);
    if let Some(key) = &admitted.key {
        entries.retain(|entry| key.allows(&entry.id) && snapshot.reaches(key, &entry.id));
    }
    if let Some(wanted) = &admitted.route.model {
        entries.retain(|entry| entry.id == *wanted);
        if entries.is_empty() {
            return Err(Fault::new(
                FaultKind::UnknownModel,
                format!("there is no alias or model \"{wanted}\""),
            )
            .at("model"));
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
