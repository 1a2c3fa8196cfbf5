//! What a provider bills otherwise than by the list prices of tokens: the part `[billing]` of its file.

use serde::Deserialize;

/// What a provider bills otherwise than by the list prices of tokens. Part of its file.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Billing {
    /// Where its answers state what they cost.
    pub stated: Option<StatedCost>,
    /// What input written to a cache that lives an hour costs, where that is documented.
    pub cache_write_1h: Option<Multiple>,
    /// What a search of the web costs.
    pub search: Option<Search>,
    /// Classes of service that cost another price than the ordinary one. What is not here has no known price.
    #[serde(default)]
    pub service: Vec<Service>,
    /// Regions where everything costs more. What is not here costs what it does elsewhere.
    #[serde(default)]
    pub surcharge: Vec<Surcharge>,
    /// Models whose list price of output is that of images.
    #[serde(default)]
    pub images: Vec<Images>,
}

/// Where the usage of an answer states its cost.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct StatedCost {
    /// The member of the usage object, with a dot before the name of one within it.
    pub path: String,
    /// Digits behind the decimal point that the number lacks: 0 for dollars, 10 for ten-thousand-millionths.
    pub scale: u8,
    /// The member that, where it is `true`, says that it is not the whole cost.
    pub unless: Option<String>,
    /// Where that is documented.
    pub source: String,
    /// When that was read, as a date.
    pub read: String,
}

/// A price as a multiple of that of fresh input.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Multiple {
    /// In hundredths.
    pub percent: u32,
    /// Where that is documented.
    pub source: String,
    /// When that was read, as a date.
    pub read: String,
}

/// The price of a search of the web.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// Dollars for a thousand, as a decimal.
    pub usd_per_thousand: String,
    /// Where that is documented.
    pub source: String,
    /// When that was read, as a date.
    pub read: String,
}

/// A class of service.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Its name in answers.
    pub name: String,
    /// The price of a token there, in hundredths of the ordinary one.
    pub percent: u32,
    /// The models that have it, `*` standing for any text; none where all have it.
    #[serde(default)]
    pub models: Vec<String>,
    /// Where that is documented.
    pub source: String,
    /// When that was read, as a date.
    pub read: String,
}

/// What processing in a region costs more.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Surcharge {
    /// The region, as answers name it, or as `[[regions]]` does that of a host.
    pub region: String,
    /// The price of a token there, in hundredths of the ordinary one.
    pub percent: u32,
    /// The models that cost more, `*` standing for any text; none where all do.
    #[serde(default)]
    pub models: Vec<String>,
    /// The first day of release of models that cost more, where older ones do not.
    pub released: Option<String>,
    /// Where that is documented.
    pub source: String,
    /// When that was read, as a date.
    pub read: String,
}

/// What a model that makes images charges for output that is none: the list price is that of images, for both sources know
/// one price of output.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Images {
    /// Which models, `*` standing for any text.
    pub models: Vec<String>,
    /// Dollars for a million tokens of text and of reasoning, as a decimal.
    pub text_usd_per_million: String,
    /// Where that is documented.
    pub source: String,
    /// When that was read, as a date.
    pub read: String,
}
