//! A model as a row of its provider's file.

use std::fmt::Write as _;

use super::control;
use super::facts::Fact;
use super::genai::Since;
use super::merge::{Dated, GENAI_DATE, MODELS_DEV_DATE, Source};
use super::price::Classes;

/// The status of a model for which there is only a price.
const UNLISTED: &str = "unlisted";

/// One model.
pub(crate) struct Row {
    pub(crate) id: String,
    name: String,
    status: &'static str,
    released: String,
    limits: [Option<u64>; 3],
    abilities: Vec<&'static str>,
    input: Vec<String>,
    output: Vec<String>,
    prices: Vec<Dated>,
    control: String,
}

impl Row {
    /// A model that is listed. `context` is what genai-prices says of its context window.
    pub(crate) fn of(fact: &Fact, context: Option<u64>, prices: Vec<Dated>) -> Self {
        let abilities =
            [(fact.tool_call, "tools"), (fact.reasoning, "reasoning"), (fact.structured_output, "schema")];
        let has = |(stated, name): (Option<bool>, _)| (stated == Some(true)).then_some(name);
        let limits = [fact.limit.context.or(context), fact.limit.input, fact.limit.output];
        Self {
            id: fact.id.clone(),
            name: fact.name.clone().unwrap_or_else(|| fact.id.clone()),
            status: match fact.status.as_deref() {
                Some("deprecated") => "deprecated",
                Some("beta" | "alpha") => "beta",
                _ => "",
            },
            released: fact.release_date.clone().unwrap_or_default(),
            limits: limits.map(|limit| limit.filter(|tokens| *tokens > 0)),
            abilities: abilities.into_iter().filter_map(has).collect(),
            input: fact.modalities.input.clone(),
            output: fact.modalities.output.clone(),
            prices,
            control: control::print(fact),
        }
    }

    /// A model that only has a price.
    pub(crate) fn unlisted(id: String, context: Option<u64>, prices: Since) -> Self {
        let dated = prices.into_iter().map(|(from, prices)| Dated { from, source: Source::Genai, prices });
        Self {
            name: id.clone(),
            id,
            status: UNLISTED,
            released: String::new(),
            limits: [context, None, None],
            abilities: Vec::new(),
            input: Vec::new(),
            output: Vec::new(),
            prices: dated.collect(),
            control: String::new(),
        }
    }

    /// Whether more than its price is known.
    pub(crate) fn listed(&self) -> bool {
        self.status != UNLISTED
    }

    fn print(&self) -> String {
        let mut columns =
            vec![self.id.clone(), self.name.clone(), self.status.to_owned(), self.released.clone()];
        columns.extend(self.limits.map(|limit| limit.map(|tokens| tokens.to_string()).unwrap_or_default()));
        columns.extend([self.abilities.join(","), self.input.join(","), self.output.join(",")]);
        columns.push(self.prices.iter().map(dated).collect::<Vec<_>>().join(" | "));
        columns.push(self.control.clone());
        let clean: Vec<_> = columns.iter().map(|column| column.replace(['\t', '\n', '\r'], " ")).collect();
        clean.join("\t").trim_end().to_owned()
    }
}

/// `2026-09-01 g in=3 out=15 >200000 in=6 out=22.5`
fn dated(dated: &Dated) -> String {
    let mut text = dated.from.as_ref().map(|day| format!("{day} ")).unwrap_or_default();
    text.push_str(dated.source.word());
    if dated.prices.fees {
        text.push_str(" fees");
    }
    classes(&dated.prices.base, &mut text);
    for (above, tier) in &dated.prices.tiers {
        let _ = write!(text, " >{above}");
        classes(tier, &mut text);
    }
    text
}

fn classes(classes: &Classes, text: &mut String) {
    for (class, price) in classes {
        let _ = write!(text, " {}={price}", class.name());
    }
}

/// The file of a provider.
pub(crate) fn print(rows: &[Row]) -> String {
    let mut text = format!(
        "# Written by `cargo xtask catalog`; columns are divided by tabs. Limits are tokens, prices US dollars per million tokens.\n\
         # A price says who states it (m: models.dev f3fc69229, {MODELS_DEV_DATE}, MIT; g: genai-prices 47df840a, {GENAI_DATE}, MIT;\n\
         # mg: both), `fees` where requests, searches or citations cost beside the tokens, then the prices of one token by class,\n\
         # and behind `>N` those of requests with more than N input tokens. Later prices follow behind `|`, with their first day.\n\
         # The control of a model is how it is told to reason (`effort=` a word, `budget=` a bound from..to in tokens, `off` a switch),\n\
         # the member of a message that its reasoning goes `back` in, and what models.dev says that it has or takes not (`no=`).\n\
         # id\tname\tstatus\treleased\tcontext\tinput\toutput\tabilities\tinput modalities\toutput modalities\tprices\tcontrol\n"
    );
    for row in rows {
        text.push_str(&row.print());
        text.push('\n');
    }
    text
}
