//! Whether a cache collapsed, and why.

use std::sync::Arc;

use shim_catalog::Price;
use shim_ir::{PicoUsd, Tokens, Usage};

use super::{Outline, Place};

/// Less than this is not worth a word: hardly a provider caches shorter prompts, and counts go up and down by a block of the
/// cache (128 tokens with OpenAI).
const TOKENS_MIN: u64 = 1024;

/// How long a cached prompt lives without being read: five minutes with Anthropic, and no less with others that say.
/// <https://platform.claude.com/docs/en/build-with-claude/prompt-caching>,
/// <https://platform.openai.com/docs/guides/prompt-caching>, read 2026-11-26.
const LIFE_MS: u64 = 5 * 60_000;

/// How long one lives that was written for an hour.
const LONG_LIFE_MS: u64 = 60 * 60_000;

/// A turn of a conversation: what was asked, of whom, and what it says of the provider's cache.
#[derive(Clone, Debug)]
pub struct Turn {
    /// The prompt.
    pub outline: Outline,
    /// Who answered, as `provider/model`.
    pub target: Arc<str>,
    /// When it was settled, in milliseconds since 1970.
    pub at_ms: u64,
    /// What the answer used.
    pub usage: Usage,
}

/// Why less was read from the cache than was there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The prompt is shorter than those that the model's provider caches.
    Short,
    /// The prompt changed before its end.
    Prompt(Place),
    /// Another provider answered.
    Provider,
    /// Another model of the same provider answered.
    Model,
    /// More time went by than a cached prompt lives.
    Expired,
    /// The prompt only grew, in time, with the same target: the provider let go of it.
    Evicted,
}

impl Cause {
    /// The word in logs and metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Short => "too_short",
            Self::Prompt(_) => "prompt_changed",
            Self::Provider => "provider_changed",
            Self::Model => "model_changed",
            Self::Expired => "expired",
            Self::Evicted => "evicted",
        }
    }

    /// Whether it is an alarm: something on this side of the provider broke the cache, and can be mended here.
    #[must_use]
    pub const fn alarms(&self) -> bool {
        match self {
            Self::Prompt(_) | Self::Provider | Self::Model => true,
            Self::Short | Self::Expired | Self::Evicted => false,
        }
    }
}

/// A cache that collapsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collapse {
    /// Why, as far as can be seen from here.
    pub cause: Cause,
    /// Tokens that the turn before had in the cache.
    pub expected: Tokens,
    /// Tokens that were read from it.
    pub read: Tokens,
    /// What the rest cost more than it would have from the cache, at list prices; `None` where they are not known.
    pub extra: Option<PicoUsd>,
}

/// What a turn leaves in the cache, by the provider's own count: what it read from there and what it wrote. A provider that
/// does not count what it writes leaves at least what it read.
fn cached(usage: &Usage) -> u64 {
    (usage.cache_read + usage.cache_write + usage.cache_write_1h).0
}

/// The turn before the one with this prompt, among those that `find` gives for a name: one whose prompt is the beginning of
/// it, else one that ended in the same messages, of several the one that has most in common with it.
pub fn predecessor(
    outline: &Outline,
    owner: u64,
    mut find: impl FnMut(u64) -> Vec<Arc<Turn>>,
) -> Option<Arc<Turn>> {
    if let Some(exact) = outline.exact_names(owner).into_iter().find_map(|name| find(name).pop()) {
        return Some(exact);
    }
    let common = |held: &Arc<Turn>| outline.differs(&held.outline).map_or(u64::MAX, |place| place.common);
    let goes_on = |held: &Arc<Turn>| outline.goes_on_from(&held.outline);
    // Its own name is that of another conversation with the same last words.
    outline
        .loose_names(owner)
        .skip(1)
        .find_map(|name| find(name).into_iter().filter(goes_on).max_by_key(common))
}

/// Compares a turn with the one before it of the same conversation. `price` is that of the target that answered `now`, and
/// `cached_from` the length from which on it caches prompts, where those are known.
///
/// It never says that a prompt changed which only grew: that is told by its hashes, whatever the provider counts.
#[must_use]
pub fn judge(
    before: &Turn,
    now: &Turn,
    price: Option<&Price>,
    cached_from: Option<Tokens>,
) -> Option<Collapse> {
    let (expected, read) = (cached(&before.usage), now.usage.cache_read.0);
    let input = now.usage.input_total().0;
    let lost = expected.saturating_sub(read);
    // A prompt much shorter than what was cached is no next turn of it.
    if expected < TOKENS_MIN || lost < TOKENS_MIN || input.saturating_mul(10) < expected.saturating_mul(8) {
        return None;
    }
    let short = cached_from.is_some_and(|shortest| input < shortest.0);
    let cause = if short { Cause::Short } else { cause(before, now) };
    // A change late in a prompt leaves most of it in the cache, and is worth knowing all the same. Where nothing changed,
    // providers read now more, now less.
    let collapsed = match &cause {
        Cause::Prompt(_) => lost.saturating_mul(10) >= expected,
        Cause::Short | Cause::Provider | Cause::Model | Cause::Expired | Cause::Evicted => {
            read.saturating_mul(2) < expected
        }
    };
    collapsed.then(|| Collapse {
        cause,
        expected: Tokens(expected),
        read: Tokens(read),
        extra: price.and_then(|price| extra(price, &now.usage, Tokens(lost))),
    })
}

fn cause(before: &Turn, now: &Turn) -> Cause {
    if before.target != now.target {
        let provider = |turn: &Turn| turn.target.split('/').next().map(str::to_owned);
        return if provider(before) == provider(now) { Cause::Model } else { Cause::Provider };
    }
    if let Some(place) = now.outline.differs(&before.outline) {
        return Cause::Prompt(place);
    }
    let life_ms = if before.usage.cache_write_1h.0 > 0 { LONG_LIFE_MS } else { LIFE_MS };
    if now.at_ms.saturating_sub(before.at_ms) > life_ms { Cause::Expired } else { Cause::Evicted }
}

/// What `lost` tokens cost more than they would have from the cache.
fn extra(price: &Price, usage: &Usage, lost: Tokens) -> Option<PicoUsd> {
    // What is not read from the cache is written to it again where the provider counts that.
    let paid = if usage.cache_write.0 >= lost.0 { price.cache_write.or(price.input) } else { price.input };
    let more = paid?.0.checked_sub(price.cache_read?.0)?;
    PicoUsd(more).times(lost)
}
