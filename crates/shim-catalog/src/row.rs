//! Rows of the files of models. Their columns are named in each file's first lines.

use shim_ir::Tokens;

use crate::control::Control;
use crate::price::per_token;
use crate::{Date, Model, Price, PriceRow, PriceSource, PriceTier, Status};

/// Whether a row is one of [`Status::Unlisted`], told without parsing it.
pub(crate) fn is_unlisted(row: &str) -> bool {
    row.split('\t').nth(2) == Some("unlisted")
}

/// Parses a row, whose last columns may be left out where they are empty; `None` for comments, and for what is no row:
/// the tests hold that there is no such.
pub(crate) fn parse(row: &str) -> Option<Model> {
    if row.starts_with('#') {
        return None;
    }
    let mut columns = row.split('\t');
    let id = columns.next()?.to_owned();
    let name = columns.next()?.to_owned();
    let status = match columns.next().unwrap_or_default() {
        "" => Status::Current,
        "beta" => Status::Beta,
        "deprecated" => Status::Deprecated,
        "unlisted" => Status::Unlisted,
        _ => return None,
    };
    let mut next = || columns.next().unwrap_or_default();
    Some(Model {
        id,
        name,
        status,
        released: next().to_owned(),
        context_max: next().parse().ok(),
        input_max: next().parse().ok(),
        output_max: next().parse().ok(),
        abilities: list(next()),
        input: list(next()),
        output: list(next()),
        prices: prices(next())?,
        control: Control::parse(next())?,
    })
}

fn list(text: &str) -> Vec<String> {
    text.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// `m in=2 out=10 | 2026-09-01 g in=3 out=15 >200000 in=6 out=22.5`
fn prices(text: &str) -> Option<Vec<PriceRow>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    text.split(" | ").map(dated).collect()
}

fn dated(text: &str) -> Option<PriceRow> {
    let mut words = text.split(' ').peekable();
    let from = words.peek().and_then(|word| Date::parse(word));
    if from.is_some() {
        words.next();
    }
    let source = match words.next()? {
        "m" => PriceSource::ModelsDev,
        "g" => PriceSource::GenaiPrices,
        "mg" => PriceSource::Both,
        _ => return None,
    };
    let fees = words.next_if_eq(&"fees").is_some();
    let mut row = PriceRow { from, source, fees, base: Price::default(), tiers: Vec::new() };
    for word in words {
        match word.strip_prefix('>') {
            Some(above) => {
                row.tiers.push(PriceTier { above: Tokens(above.parse().ok()?), price: Price::default() });
            }
            None => class(row.tiers.last_mut().map_or(&mut row.base, |tier| &mut tier.price), word)?,
        }
    }
    Some(row)
}

/// Reads one `class=price` into `price`.
fn class(price: &mut Price, word: &str) -> Option<()> {
    let (class, amount) = word.split_once('=')?;
    let place = match class {
        "in" => &mut price.input,
        "out" => &mut price.output,
        "read" => &mut price.cache_read,
        "write" => &mut price.cache_write,
        "think" => &mut price.reasoning,
        "audio-in" => &mut price.input_audio,
        "audio-out" => &mut price.output_audio,
        "image-out" => &mut price.output_image,
        _ => return None,
    };
    *place = Some(per_token(amount)?);
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use shim_ir::{PicoUsd, Tokens};

    use super::{parse, prices};
    use crate::{Date, PriceSource};

    #[test]
    fn prices_by_day_and_length() {
        let rows =
            prices("mg in=2 out=10 | 2026-09-01 g fees in=3 read=0.3 >200000 in=6 audio-in=7").unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[0].from, rows[0].source, rows[0].fees), (None, PriceSource::Both, false));
        assert_eq!(rows[0].base.output, Some(PicoUsd(10_000_000)));
        assert_eq!((rows[1].from, rows[1].fees), (Date::parse("2026-09-01"), true));
        assert_eq!((rows[1].base.cache_read, rows[1].base.output), (Some(PicoUsd(300_000)), None));
        assert_eq!(rows[1].tiers[0].above, Tokens(200_000));
        assert_eq!(rows[1].tiers[0].price.input_audio, Some(PicoUsd(7_000_000)));
        for text in ["x in=1", "m in=", "m in=1 >x", "m cost=1", "m  in=1", "2026-09-01"] {
            assert_eq!(prices(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in any::<String>(), columns in prop::collection::vec("[a-z0-9=>|. -]*", 0..14)) {
            let _ = (parse(&text), parse(&columns.join("\t")));
        }
    }
}
