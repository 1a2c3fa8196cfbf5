//! The arguments of `shim keys`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Ask;

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make a key, and show its secret: this once, since only its hash is kept.
    Create(Box<NewKey>),
    /// List keys, and how limits stand: what is settled, reserved and available.
    List(Place),
    /// Revoke a key, at once. Its name stays with what it did.
    Revoke {
        /// The key.
        name: String,
        #[command(flatten)]
        place: Place,
    },
    /// Take what a key does as usual for it from now on: an alarm of extraction is over, and a throttle with it.
    Lift {
        /// The key.
        name: String,
        #[command(flatten)]
        ask: Ask,
    },
    /// Give a key another secret, and show it this once.
    Rotate {
        /// The key.
        name: String,
        /// How long the old secret goes on being good, such as 1h.
        #[arg(long, default_value = "0", value_name = "DURATION")]
        grace: String,
        #[command(flatten)]
        place: Place,
    },
}

/// Where the keys are: at a running gateway, else in the store of a configuration.
#[derive(Args, Debug, Clone)]
pub(crate) struct Place {
    #[command(flatten)]
    pub(crate) ask: Ask,
    /// The configuration whose store is changed where no gateway answers.
    #[arg(long, short, default_value = "shim.toml", value_name = "FILE")]
    pub(crate) config: PathBuf,
}

/// The key to make, and what it permits.
#[derive(Args, Debug)]
pub(crate) struct NewKey {
    /// Its name.
    pub(crate) name: String,
    /// What it may ask for: an alias, provider/model, or a pattern ending in *; may be given again. Default: everything.
    #[arg(long, value_name = "MODEL")]
    pub(crate) allow: Vec<String>,
    /// A provider it may go to, and no other; may be given again.
    #[arg(long, value_name = "NAME")]
    pub(crate) provider: Vec<String>,
    /// A provider it may not go to, not even as a fallback; may be given again.
    #[arg(long, value_name = "NAME")]
    pub(crate) deny_provider: Vec<String>,
    /// A region it may go to, and no other; may be given again. Providers of unknown region are in none.
    #[arg(long, value_name = "WORD")]
    pub(crate) region: Vec<String>,
    /// A dialect its client may speak, and no other; may be given again.
    #[arg(long, value_name = "NAME")]
    pub(crate) dialect: Vec<String>,
    /// Whose it is, for people to read.
    #[arg(long, value_name = "TEXT")]
    pub(crate) owner: Option<String>,
    /// The team whose limits it shares.
    #[arg(long, value_name = "NAME")]
    pub(crate) team: Option<String>,
    /// When it is no longer good: a day such as 2027-01-01 (UTC), or a duration from now such as 30d.
    #[arg(long, value_name = "WHEN")]
    pub(crate) expires: Option<String>,
    /// What is recorded of its exchanges: full, usage or off.
    #[arg(long, value_name = "WORD")]
    pub(crate) record: Option<String>,
    /// What is done where it seems to harvest a model: off, watch or throttle. Default: as configured.
    #[arg(long, value_name = "WORD")]
    pub(crate) extraction: Option<String>,
    // Before the limits, under whose heading all that follows would stand.
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) limits: KeyLimits,
}

/// The limits of a key.
#[derive(Args, Debug)]
#[command(next_help_heading = "Limits")]
pub(crate) struct KeyLimits {
    /// Requests in any sixty seconds.
    #[arg(long, value_name = "N")]
    pub(crate) requests_per_minute: Option<u64>,
    /// Tokens in any sixty seconds, input and output together.
    #[arg(long, value_name = "N")]
    pub(crate) tokens_per_minute: Option<u64>,
    /// Exchanges under way at once.
    #[arg(long, value_name = "N")]
    pub(crate) concurrent: Option<u64>,
    /// Money, such as $20.
    #[arg(long, value_name = "USD")]
    pub(crate) budget: Option<String>,
    /// When the budget begins anew: day, month (default) or total.
    #[arg(long, value_name = "WORD", requires = "budget")]
    pub(crate) budget_window: Option<String>,
    /// What becomes of models without a known price, under the budget: refuse (default) or allow.
    #[arg(long, value_name = "WORD", requires = "budget")]
    pub(crate) unpriced: Option<String>,
    /// The most output to reckon with where neither the request nor the catalogue bounds it.
    #[arg(long, value_name = "N")]
    pub(crate) output_tokens_max: Option<u64>,
}
