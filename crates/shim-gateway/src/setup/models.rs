//! The models of a provider: those the configuration names, else those of the catalogue.

use shim_ir::{ModelId, ProviderId};

use crate::generation::KnownModel;

/// The models to list of a provider.
pub(super) fn models(id: &ProviderId, provider: &shim_config::Provider) -> Vec<KnownModel> {
    let known = |model: &shim_catalog::Model| {
        Some(KnownModel {
            id: ModelId::new(&model.id).ok()?,
            display: model.name.clone(),
            created: seconds(&model.released),
            context_max: model.context_max,
            output_max: model.output_max,
        })
    };
    let listed = match shim_catalog::provider(id.as_str()) {
        Some(known_provider) => shim_catalog::models(&known_provider.id),
        None => &[],
    };
    match &provider.models {
        None => listed.iter().filter_map(known).collect(),
        Some(own) => own
            .iter()
            .map(|id| listed.iter().find(|m| m.id == id.as_str()).and_then(known).unwrap_or_else(|| bare(id)))
            .collect(),
    }
}

fn bare(id: &ModelId) -> KnownModel {
    KnownModel { id: id.clone(), display: id.to_string(), created: 0, context_max: None, output_max: None }
}

/// A date as seconds since 1970 (days from civil, Howard Hinnant); 0 for what is no date after that.
fn seconds(date: &str) -> u64 {
    let mut parts = date.splitn(3, '-').map(|p| p.parse::<i64>().ok());
    let (Some(Some(year)), Some(Some(month)), Some(Some(day))) = (parts.next(), parts.next(), parts.next())
    else {
        return 0;
    };
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    u64::try_from(days).unwrap_or(0).saturating_mul(86_400)
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn dates_become_seconds() {
        assert_eq!(seconds("1970-01-02"), 86_400);
        assert_eq!(seconds("2024-02-29"), 1_709_164_800);
        assert_eq!(seconds(""), 0);
    }
}
