//! How a model is told what it may be told: the last column of its row.

use std::fmt::Write as _;

use serde::Deserialize;

use super::facts::Fact;

/// One way of telling a model how to reason.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Way {
    /// By a word.
    Effort { values: Vec<String> },
    /// By a bound on tokens.
    BudgetTokens { min: Option<i64>, max: Option<i64> },
    /// On or off.
    Toggle,
}

/// What says whether reasoning goes back between the turns.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Interleaved {
    /// In this member of a message.
    Field { field: String },
    /// Whether it does, and not where.
    Whether(#[expect(dead_code, reason = "it names no member")] bool),
}

/// `effort=low,medium,high budget=1024.. off back=reasoning_content no=temperature`. An empty list of ways is of a
/// model that reasons and for which nobody verified a way (<https://github.com/anomalyco/models.dev/pull/2863>).
pub(crate) fn print(fact: &Fact) -> String {
    let mut words: Vec<String> = fact.reasoning_options.iter().flatten().filter_map(way).collect();
    words.sort_by_key(|word| {
        ["effort", "budget"].iter().position(|first| word.starts_with(first)).unwrap_or(2)
    });
    if let Some(Interleaved::Field { field }) = &fact.interleaved {
        words.push(format!("back={field}"));
    }
    let refused = refused(fact);
    if !refused.is_empty() {
        words.push(format!("no={}", refused.join(",")));
    }
    words.join(" ")
}

fn way(way: &Way) -> Option<String> {
    match way {
        Way::Effort { values } => {
            let mut values: Vec<&str> = values.iter().map(String::as_str).collect();
            values
                .sort_by_key(|word| LEAST_FIRST.iter().position(|known| known == word).unwrap_or(usize::MAX));
            (!values.is_empty()).then(|| format!("effort={}", values.join(",")))
        }
        Way::BudgetTokens { min, max } => {
            let mut text = "budget=".to_owned();
            // A bound below 0 is a word for `as it sees fit`.
            let bound =
                |bound: &Option<i64>| bound.filter(|b| *b >= 0).map(|b| b.to_string()).unwrap_or_default();
            let _ = write!(text, "{}..{}", bound(min), bound(max));
            Some(text)
        }
        Way::Toggle => Some("off".to_owned()),
    }
}

/// The words for how hard to reason. Others stand behind them.
const LEAST_FIRST: [&str; 7] = ["none", "minimal", "low", "medium", "high", "xhigh", "max"];

/// What the source says that the model has not. Where it says nothing, neither does the row.
fn refused(fact: &Fact) -> Vec<&'static str> {
    let stated = [
        (fact.tool_call, "tools"),
        (fact.reasoning, "reasoning"),
        (fact.structured_output, "schema"),
        (fact.temperature, "temperature"),
    ];
    stated.into_iter().filter_map(|(has, name)| (has == Some(false)).then_some(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::print;

    #[track_caller]
    fn check(members: &str, wanted: &str) {
        let fact = serde_json::from_str(&format!(r#"{{"id":"a",{members}}}"#)).unwrap();
        assert_eq!(print(&fact), wanted, "{members}");
    }

    #[test]
    fn each_member_has_its_words() {
        check(r#""tool_call":true,"reasoning":true,"reasoning_options":[]"#, "");
        check(
            r#""reasoning_options":[{"type":"effort","values":["max","xhigh","high"]}]"#,
            "effort=high,xhigh,max",
        );
        check(
            r#""reasoning_options":[{"type":"effort","values":["none","default"]}]"#,
            "effort=none,default",
        );
        check(
            r#""reasoning_options":[{"type":"toggle"},{"type":"budget_tokens","min":0,"max":24576}]"#,
            "budget=0..24576 off",
        );
        check(r#""reasoning_options":[{"type":"budget_tokens","min":1024}]"#, "budget=1024..");
        check(r#""reasoning_options":[{"type":"budget_tokens","min":-1,"max":9}]"#, "budget=..9");
        check(
            r#""interleaved":{"field":"reasoning_content"},"temperature":false"#,
            "back=reasoning_content no=temperature",
        );
        check(r#""interleaved":true,"structured_output":false,"tool_call":false"#, "no=tools,schema");
        check(r#""reasoning":false"#, "no=reasoning");
    }
}
