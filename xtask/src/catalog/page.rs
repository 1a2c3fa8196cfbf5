//! The pages that list what the catalogue knows.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::mem::discriminant;

use super::merge::{Cause, Difference, GENAI_DATE, MODELS_DEV_DATE};
use super::price::Pico;
use super::provider::{AskedIn, HeaderValues, Provider, Quirk};

/// `docs/providers.md`.
pub(crate) fn providers(providers: &[Provider], models: &BTreeMap<&str, usize>) -> String {
    let mut text = "# Providers\n\n\
        Written by `cargo xtask catalog` from `crates/shim-catalog/data`. A provider of this list needs only a key; \
        any other is configured with its `dialect` and `base_url`. `shim up` looks for the key in the variables in the order given. Model servers on this machine need no key: \
        `shim up` looks for them on their usual port, and they tell their models themselves.\n\n\
        A client whose dialect a provider speaks is answered in it, any other in the dialect named first. Where it says \
        below that models are `asked in` others, only those are used, and of several lines the first that fits holds; `asked_in` in the configuration says otherwise \
        ([0008](decisions/0008-where-a-model-is-asked.md)).\n\n\
        Chat streams tell their usage `when asked` by `stream_options.include_usage`, which Shim does where the \
        client did not, or `always`; there Shim leaves the request as it is.\n\n\
        | id | name | dialects | found by | models listed | stream usage |\n\
        |---|---|---|---|---:|---|\n"
        .to_owned();
    for provider in providers {
        text.push_str(&line(provider, models.get(provider.id.as_str()).copied()));
    }
    text.push_str(
        "\n## Where each is, and where that is documented\n\n\
        Behind a dialect stand its oddities: what differs from the dialect's own specification, or from what \
        models.dev says of the models, with the source. Shim keeps to them where it writes a request in another \
        dialect than the client's; where both are the same, the request goes on as it came. `told by` is how a \
        model is told to reason: a word (`effort`), a bound on tokens (`budget`), or as it sees fit (`adaptive`); \
        `off` where it can be told not to, and `fixed` where it takes no word. `think tags` says how its reasoning stands in the text of its answers (`think_tags` in the configuration). The other words are those that the \
        encoders of the dialect know (`QUIRKS` in `crates/shim-dialect`).\n",
    );
    for provider in providers {
        section(provider, &mut text);
    }
    text
}

fn line(provider: &Provider, models: Option<usize>) -> String {
    let dialects: Vec<_> = provider.endpoints.iter().map(|e| format!("`{}`", e.dialect)).collect();
    let port = provider.probe.as_ref().map(|probe| format!("port {}", probe.port));
    let keys = provider.key_env.iter().map(|name| format!("`{name}`"));
    let base = provider.endpoints.first().and_then(|endpoint| endpoint.base_url.strip_prefix('{'));
    let address = base.and_then(|base| base.split('}').next()).map(|name| format!("with `{name}`"));
    let found: Vec<_> = keys.chain(address).chain(port).collect();
    let count = models.map_or_else(|| "-".to_owned(), |count| count.to_string());
    let (id, name, usage) = (&provider.id, &provider.name, usage(provider));
    format!("| `{id}` | {name} | {} | {} | {count} | {usage} |\n", dialects.join(", "), found.join(", "))
}

/// When streams tell their usage, with the source where it is not as with OpenAI.
fn usage(provider: &Provider) -> String {
    let when = if provider.stream_usage == "option" { "when asked" } else { provider.stream_usage.as_str() };
    provider
        .stream_usage_source
        .as_ref()
        .map_or_else(|| when.to_owned(), |source| format!("[{when}]({source})"))
}

fn section(provider: &Provider, text: &mut String) {
    let also = provider.aliases.iter().map(|a| format!("`{a}`")).collect::<Vec<_>>().join(", ");
    let also = if also.is_empty() { also } else { format!(" Also known as {also}.") };
    let (name, docs, read) = (&provider.name, &provider.docs, &provider.read);
    let _ = writeln!(text, "\n### {name}\n\n<{docs}>, read {read}.{also}\n");
    match (&provider.chat_model, &provider.no_chat_model) {
        (Some(model), _) => {
            let _ = writeln!(text, "`shim up` puts `chat` on `{model}`.\n");
        }
        (None, Some(why)) => {
            let _ = writeln!(text, "`shim up` puts `chat` on none of its models: {why}.\n");
        }
        (None, None) => {}
    }
    provider.asked_in.iter().for_each(|asked| text.push_str(&asked_in(asked)));
    provider.header_values.iter().for_each(|listed| text.push_str(&header_values(listed)));
    for endpoint in &provider.endpoints {
        let note = endpoint.note.as_ref().map(|note| format!(". {note}")).unwrap_or_default();
        let (dialect, base, source) = (&endpoint.dialect, &endpoint.base_url, &endpoint.source);
        let _ = writeln!(text, "- `{dialect}` at `{base}` ([source]({source})){note}");
        endpoint.quirks.iter().for_each(|quirk| text.push_str(&oddity(quirk)));
    }
}

fn code(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn asked_in(asked: &AskedIn) -> String {
    let all = asked.models == ["*"];
    let models = if all { "all models".to_owned() } else { code(&asked.models) };
    let AskedIn { why, source, read, .. } = asked;
    format!("- {models}: asked in {}. {why} ([source]({source}), read {read})\n", code(&asked.dialects))
}

fn header_values(listed: &HeaderValues) -> String {
    let HeaderValues { header, source, read, .. } = listed;
    let values = if listed.allow.is_empty() { "none".to_owned() } else { code(&listed.allow) };
    format!("- of the header `{header}` go on: {values} ([source]({source}), read {read})\n")
}

fn oddity(quirk: &Quirk) -> String {
    let models = if quirk.models.is_empty() { String::new() } else { format!("{}: ", code(&quirk.models)) };
    let schema = quirk.schema.map(|keeps| if keeps { "keeps to a schema" } else { "keeps to no schema" });
    let says = [
        (!quirk.words.is_empty()).then(|| code(&quirk.words)),
        quirk.reasoning.as_ref().map(|way| format!("told by `{way}`")),
        schema.map(str::to_owned),
        quirk.think_tags.as_ref().map(|tags| format!("think tags `{tags}`")),
        (!quirk.input.is_empty()).then(|| format!("takes {} too", code(&quirk.input))),
    ];
    let says = says.into_iter().flatten().collect::<Vec<_>>().join("; ");
    format!("  - {models}{says} ([source]({}), read {})\n", quirk.source, quirk.read)
}

/// `docs/catalog-differences.md`.
pub(crate) fn differences(differences: &[Difference]) -> String {
    let mut text = format!(
        "# Where the price sources differ\n\n\
         Written by `cargo xtask catalog`. Prices are US dollars per million tokens, as models.dev stated them on \
         {MODELS_DEV_DATE} and genai-prices on {GENAI_DATE}. `>N` is the price of requests with more than N input \
         tokens; `-` is nothing stated. What only one of the two lists at all is not a difference and not here, and \
         neither is what both say of different days: rows of `crates/shim-catalog/data/models` carry their day.\n\n\
         {NOT_COMPARED}"
    );
    let mut by_cause: Vec<_> = differences.iter().collect();
    by_cause.sort_by_key(|difference| difference.finding.cause.place());
    for group in by_cause.chunk_by(|a, b| discriminant(&a.finding.cause) == discriminant(&b.finding.cause)) {
        let Some(first) = group.first() else { continue };
        let cause = &first.finding.cause;
        let _ = write!(
            text,
            "\n## {} ({})\n\n{}\n\n\
             | provider | model | class | models.dev | genai-prices |\n|---|---|---|---:|---:|\n",
            cause.heading(),
            group.len(),
            cause.explanation()
        );
        for difference in group {
            text.push_str(&row(difference));
        }
    }
    text
}

/// What of genai-prices is not compared, and why.
pub(crate) const NOT_COMPARED: &str = "Two parts of genai-prices are not used. Its `zhipuai` is the Chinese host \
    open.bigmodel.cn, with prices in yuan turned to dollars; Z.ai is another host with a price list of its own. And \
    entries that it says it took over from OpenRouter's list are not prices of the provider they stand at.\n";

fn row(difference: &Difference) -> String {
    let Difference { provider, model, finding } = difference;
    let above = finding.above.map(|above| format!(" >{above}")).unwrap_or_default();
    let price = |price: Option<Pico>| price.map_or_else(|| "-".to_owned(), |price| price.to_string());
    let (older, newer, class) = (price(finding.models_dev), price(finding.genai), finding.class.words());
    let entry = match &finding.cause {
        Cause::OtherName(name) => format!(", in the entry `{name}`"),
        _ => String::new(),
    };
    format!("| {provider} | `{model}` | {class}{above} | {older} | {newer}{entry} |\n")
}

impl Cause {
    fn heading(&self) -> &'static str {
        match self {
            Self::Revised => "Another price",
            Self::Free => "Free in one of them",
            Self::LongInGenai => "Long input only in genai-prices",
            Self::LongInModelsDev => "Long input only in models.dev",
            Self::LongOfOlder => "Long input only in models.dev, beside another price for short",
            Self::OtherName(_) => "Listed by genai-prices as another name of a second model",
            Self::ByHour => "By the hour of the day in genai-prices",
        }
    }

    fn explanation(&self) -> &'static str {
        match self {
            Self::Revised => {
                "Both have an entry for the model, with other prices. Prices change and sources lag; neither says \
                 since when it holds. The newer source, genai-prices, is taken. Most are of OpenRouter, which passes \
                 on what its own upstreams ask and changes often: what it bills is in the `usage.cost` of each answer."
            }
            Self::Free => "One of the two states a price of 0. genai-prices, the newer, is taken.",
            Self::LongInGenai => "Both have a price for short input. genai-prices, the newer, is taken.",
            Self::LongInModelsDev => {
                "Both have the same price for short input, and only models.dev has one for long. That is taken: a \
                 price that is left out is not a price of 0."
            }
            Self::LongOfOlder => {
                "Prices of different days do not mix: genai-prices, the newer, is taken, without a price for long \
                 input."
            }
            Self::OtherName(_) => {
                "models.dev has an entry of the model's own, so that one is taken: the first dated snapshot of a \
                 model, for one, keeps its price when the plain name moves on to a cheaper one."
            }
            Self::ByHour => "models.dev is taken: Shim knows no prices by the hour of the day.",
        }
    }

    const fn place(&self) -> u8 {
        match self {
            Self::Revised => 0,
            Self::Free => 1,
            Self::LongInGenai => 2,
            Self::LongInModelsDev => 3,
            Self::LongOfOlder => 4,
            Self::OtherName(_) => 5,
            Self::ByHour => 6,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{asked_in, header_values, oddity};
    use crate::catalog::provider::{AskedIn, HeaderValues, Quirk};

    #[test]
    fn what_is_asked_elsewhere_and_what_is_sent_on_are_lines() {
        let asked: AskedIn = toml::from_str(
            r#"
            models = ["a*"]
            dialects = ["openai-chat", "anthropic"]
            why = "It is."
            source = "https://example.com/docs"
            read = "2026-11-26"
            "#,
        )
        .unwrap();
        let line = "- `a*`: asked in `openai-chat`, `anthropic`. It is. ([source](https://example.com/docs), read 2026-11-26)\n";
        assert_eq!(asked_in(&asked), line);
        let mut listed: HeaderValues = toml::from_str(
            r#"
            header = "anthropic-beta"
            allow = ["a-*"]
            source = "https://example.com/docs"
            read = "2026-11-26"
            "#,
        )
        .unwrap();
        let line = |values: &str| {
            format!(
                "- of the header `anthropic-beta` go on: {values} ([source](https://example.com/docs), read 2026-11-26)\n"
            )
        };
        assert_eq!(header_values(&listed), line("`a-*`"));
        listed.allow.clear();
        assert_eq!(header_values(&listed), line("none"));
    }

    #[test]
    fn an_oddity_is_a_line() {
        let quirk: Quirk = toml::from_str(
            r#"
            models = ["a*", "b"]
            words = ["odd", "even"]
            reasoning = "budget=1024.. off"
            schema = false
            think_tags = "explicit"
            input = ["pdf"]
            source = "https://example.com/docs"
            read = "2026-11-25"
            "#,
        )
        .unwrap();
        let line = "  - `a*`, `b`: `odd`, `even`; told by `budget=1024.. off`; keeps to no schema; think tags `explicit`; \
                    takes `pdf` too ([source](https://example.com/docs), read 2026-11-25)\n";
        assert_eq!(oddity(&quirk), line);
    }
}
