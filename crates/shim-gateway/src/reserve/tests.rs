//! What an exchange is settled to, whatever became of it.

use shim_catalog::{Date, Pricing};
use shim_dialect::{Billed, Operation};
use shim_ir::{Dialect, FaultKind, Generation, PicoUsd, Tokens, Usage};
use shim_telemetry::{Metrics, Outcome, Settled};

use super::worst::{Worst, dearest};
use crate::shared::Shared;
use crate::ticket::Ticket;

/// The record of an exchange that was sent to a target and delivered, without usage.
fn record() -> Settled {
    let shared = Shared::new(Metrics::new(), None);
    Ticket::open(&shared, Generation(1), Dialect::OpenaiChat, Operation::Generate.name()).deliver();
    Settled { attempts: 1, ..shared.latest(1).remove(0) }
}

fn pricing() -> Pricing {
    Pricing::of("openai", "gpt-4o")
}

/// What is settled of an exchange that could have come to 1,000 tokens in and 1,000 out.
fn settled(record: &Settled) -> u64 {
    let day = Date::at(record.at_ms / 1000);
    let cost = dearest(&pricing(), day, (1_000, 1_000), &Billed::default()).unwrap();
    let worst =
        Worst { input: 1_000, output: 1_000, cost, unpriced: false, free: false, asked: Billed::default() };
    let actual = worst.actual(record, Some(&pricing()));
    assert!(actual.cost.unwrap() <= cost);
    actual.cost.unwrap().0
}

/// Pico-dollars of a token of gpt-4o: in and out.
const IN: u64 = 2_500_000;
const OUT: u64 = 10_000_000;

#[test]
fn what_the_provider_told_is_settled() {
    let usage = Usage { input_uncached: Tokens(10), output_text: Tokens(20), ..Usage::default() };
    let told = Settled { usage: Some(usage), cost: Some(PicoUsd(225_000_000)), ..record() };
    assert_eq!(settled(&told), 225_000_000);
}

#[test]
fn what_nobody_told_is_settled_by_what_went_over_the_line() {
    assert_eq!(settled(&Settled { answer_bytes: 7, ..record() }), 1_000 * IN + 7 * OUT);
    let left = Settled { outcome: Outcome::Abandoned, answer_bytes: 7, ..record() };
    assert_eq!(settled(&left), 1_000 * IN + 7 * OUT);
    assert_eq!(settled(&Settled { outcome: Outcome::Abandoned, ..left }), 1_000 * IN + 7 * OUT);
    let much = Settled { answer_bytes: 1 << 20, ..record() };
    assert_eq!(settled(&much), 1_000 * (IN + OUT), "never more than was reserved");
}

#[test]
fn a_part_that_was_told_is_no_less_than_what_went_over_the_line() {
    let usage = Usage { input_uncached: Tokens(10), ..Usage::default() };
    let cut = Settled {
        outcome: Outcome::Failed,
        fault: Some(FaultKind::UpstreamCut),
        usage: Some(usage),
        cost: Some(PicoUsd(25_000_000)),
        answer_bytes: 3,
        ..record()
    };
    assert_eq!(settled(&cut), 1_000 * IN + 3 * OUT);
}

#[test]
fn nothing_is_settled_where_nobody_worked() {
    let failed = |fault| Settled { outcome: Outcome::Failed, fault: Some(fault), ..record() };
    let refused = [
        FaultKind::RateLimited,
        FaultKind::UpstreamOverloaded,
        FaultKind::UpstreamError,
        FaultKind::UpstreamUnreachable,
        FaultKind::Untranslatable,
    ];
    for fault in refused {
        assert_eq!(settled(&failed(fault)), 0, "{fault}");
    }
    assert_eq!(settled(&Settled { attempts: 0, outcome: Outcome::Abandoned, ..record() }), 0);
    for fault in [FaultKind::UpstreamTimeout, FaultKind::UpstreamCut, FaultKind::UpstreamMalformed] {
        assert_eq!(settled(&failed(fault)), 1_000 * IN, "{fault}: it may have read the prompt");
    }
}

#[test]
fn the_dearest_class_is_reckoned_with() {
    let day = Date::parse("2026-11-26").unwrap();
    let claude = Pricing::of("anthropic", "claude-sonnet-4-6");
    let check = |pricing: &Pricing, tokens: (u64, u64), asked: &Billed, cost: Option<u64>| {
        assert_eq!(dearest(pricing, day, tokens, asked), cost.map(PicoUsd), "{tokens:?} {asked:?}");
    };
    let plain = Billed::default();
    // Written to a cache for an hour, input costs twice its price.
    check(&claude, (10, 0), &plain, Some(60_000_000));
    check(&claude, (0, 10), &plain, Some(150_000_000));
    check(&Pricing::of("openai", "no-such-model"), (1, 1), &plain, None);
    let image = Pricing::of("google", "gemini-3-pro-image-preview");
    check(&image, (0, 10), &plain, Some(10 * 120_000_000));
    // What is asked for may be served at its own price, or at the ordinary one.
    let asked = |word: &str, region: Option<&str>| Billed {
        service: Some(word.into()),
        region: region.map(Into::into),
        ..Billed::default()
    };
    let gpt = Pricing::of("openai", "gpt-5.5");
    check(&gpt, (0, 10), &asked("priority", None), Some(25 * 30_000_000));
    check(&gpt, (0, 10), &asked("flex", None), Some(10 * 30_000_000));
    check(&gpt, (0, 10), &asked("flex", Some("eu")), Some(11 * 30_000_000));
    check(&gpt, (0, 10), &asked("nobody knows", None), None);
}
