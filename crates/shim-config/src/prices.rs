//! The prices of a provider's models, as its owner knows them.

use std::collections::BTreeMap;
use std::ops::Range;

use shim_catalog::{OwnPrice, Price, per_token};
use shim_ir::PicoUsd;

use crate::problem::Gather;
use crate::raw;

/// Reads prices by pattern of model, the longest pattern first.
pub(crate) fn read(
    gather: &mut Gather<'_>,
    raw: BTreeMap<String, raw::Prices>,
    path: &str,
    at: &Range<usize>,
) -> Vec<(String, OwnPrice)> {
    let mut read: Vec<_> = raw
        .into_iter()
        .map(|(models, raw)| {
            let path = format!("{path}.prices.{models}");
            let price = own(gather, &raw, &path, at);
            (models, price)
        })
        .collect();
    read.sort_by_key(|(models, _)| std::cmp::Reverse(models.len()));
    read
}

fn own(gather: &mut Gather<'_>, raw: &raw::Prices, path: &str, at: &Range<usize>) -> OwnPrice {
    let mut usd = |name: &str, text: &Option<String>| -> Option<PicoUsd> {
        let text = text.as_deref()?;
        let price = per_token(text);
        if price.is_none() {
            let message = format!(
                "\"{text}\" is no price: write dollars per million tokens as a decimal, with six places at most, like \"0.25\""
            );
            gather.add(format!("{path}.{name}"), at.clone(), message);
        }
        price
    };
    OwnPrice {
        price: Price {
            input: usd("input", &raw.input),
            output: usd("output", &raw.output),
            cache_read: usd("cache_read", &raw.cache_read),
            cache_write: usd("cache_write", &raw.cache_write),
            reasoning: usd("reasoning", &raw.reasoning),
            input_audio: usd("input_audio", &raw.input_audio),
            output_audio: usd("output_audio", &raw.output_audio),
            output_image: usd("output_image", &raw.output_image),
        },
        cache_write_1h: usd("cache_write_1h", &raw.cache_write_1h),
    }
}
