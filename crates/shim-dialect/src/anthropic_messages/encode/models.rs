//! The list of models.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::{ModelEntry, Route};

/// The list of models, or the one the path names.
pub(crate) fn models(models: &[ModelEntry], route: &Route) -> Bytes {
    let list: Vec<Value> = models.iter().map(entry).collect();
    if route.model.is_some() {
        return Bytes::from(list.first().unwrap_or(&Value::Null).to_string());
    }
    let id = |m: Option<&ModelEntry>| m.map(|m| m.id.clone());
    let list = json!({
        "data": list,
        "has_more": false,
        "first_id": id(models.first()),
        "last_id": id(models.last()),
    });
    Bytes::from(list.to_string())
}

fn entry(model: &ModelEntry) -> Value {
    json!({
        "type": "model",
        "id": model.id,
        "display_name": model.display,
        "created_at": rfc3339(model.created),
        "max_input_tokens": model.context_max,
        "max_tokens": model.output_max,
    })
}

/// Seconds since 1970 as RFC 3339 in UTC (civil from days, Howard Hinnant).
fn rfc3339(seconds: u64) -> String {
    let (days, of_day) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::rfc3339;

    #[test]
    fn seconds_become_dates() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(1_709_164_801), "2024-02-29T00:00:01Z");
        assert_eq!(rfc3339(1_795_000_000), "2026-11-18T11:06:40Z");
    }
}
