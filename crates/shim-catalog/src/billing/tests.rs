use proptest::prelude::*;
use shim_ir::{Basis, Bill, PicoUsd, Tokens, Usage};

use super::{Answered, Pricing, percent, pico};
use crate::{Date, OwnPrice, Price, provider, providers};

#[test]
fn stated_amounts_are_read_exactly() {
    for (number, scale, expected) in [
        ("0.00141", 0, Some(1_410_000_000)),
        ("1e-06", 0, Some(1_000_000)),
        ("1.5E-3", 0, Some(1_500_000_000)),
        ("37756000", 10, Some(3_775_600_000)),
        ("0", 0, Some(0)),
        ("0.0", 10, Some(0)),
        ("0.0000000000005", 0, Some(1)),
        ("0.0000000000004", 0, Some(0)),
        ("1e-400", 0, Some(0)),
        ("12", 0, Some(12_000_000_000_000)),
        ("1e9", 0, None),
        ("1e400", 0, None),
        ("-1", 0, None),
        ("1e", 0, None),
        ("", 0, None),
    ] {
        assert_eq!(pico(number, scale), expected.map(PicoUsd), "{number} {scale}");
    }
}

fn answered(usage: &Usage) -> Answered<'_> {
    let day = Date::parse("2026-07-10").unwrap();
    Answered { usage, service: None, searches: 0, region: None, stated: None, complete: true, day }
}

/// What `asked` of a model costs, in pico-dollars.
#[track_caller]
fn check(target: (&str, &str), asked: &Answered<'_>, cost: Option<u64>, basis: Basis) {
    let bill = Pricing::of(target.0, target.1).bill(asked);
    assert_eq!(bill, Bill { cost: cost.map(PicoUsd), basis }, "{target:?}");
}

#[test]
fn an_answer_is_billed_by_class_service_and_search() {
    let used = Usage {
        input_uncached: Tokens(100),
        cache_read: Tokens(1_000),
        cache_write: Tokens(10),
        cache_write_1h: Tokens(10),
        output_text: Tokens(20),
        reasoning: Tokens(5),
        ..Usage::default()
    };
    // 3 and 15 dollars a million; 0.3 read, 3.75 written for minutes, 6 for an hour.
    let sonnet = ("anthropic", "claude-sonnet-4-6");
    let tokens = 100 * 3_000_000 + 1_000 * 300_000 + 10 * 3_750_000 + 10 * 6_000_000 + 25 * 15_000_000;
    let plain = answered(&used);
    check(sonnet, &plain, Some(tokens), Basis::Listed);
    check(sonnet, &Answered { complete: false, ..plain }, Some(tokens), Basis::Partial);
    let searched = Answered { searches: 3, ..plain };
    check(sonnet, &searched, Some(tokens + 3 * 10_000_000_000), Basis::Listed);
    check(sonnet, &Answered { service: Some("batch"), ..plain }, Some(tokens / 2), Basis::Listed);
    check(sonnet, &Answered { service: Some("priority"), ..plain }, None, Basis::Unknown);
    let there = Answered { region: Some("us"), ..plain };
    check(sonnet, &there, Some(tokens / 100 * 110), Basis::Listed);
    check(sonnet, &Answered { service: Some("batch"), ..there }, Some(tokens / 200 * 110), Basis::Listed);
    check(
        sonnet,
        &Answered { searches: 1, ..there },
        Some(tokens / 100 * 110 + 10_000_000_000),
        Basis::Listed,
    );
    check(("anthropic", "claude-nobody"), &plain, None, Basis::Unknown);
    check(("nobody", "model"), &plain, None, Basis::Unknown);
    let hour = Usage { cache_write_1h: Tokens(1), ..Usage::default() };
    check(("openai", "gpt-5.2"), &answered(&hour), None, Basis::Unknown);
    check(("google", "gemini-2.5-flash"), &searched, None, Basis::Unknown);
}

#[test]
fn a_region_costs_more_where_its_provider_says_so() {
    let used = Usage { input_uncached: Tokens(100), ..Usage::default() };
    let anywhere = answered(&used);
    let us = Answered { region: Some("us"), ..anywhere };
    // 15 dollars a million: it was released before regions cost more.
    check(("anthropic", "claude-opus-4-1"), &us, Some(100 * 15_000_000), Basis::Listed);
    check(("openai", "gpt-5.2"), &us, Some(100 * 1_750_000), Basis::Listed);
    check(("openai", "gpt-5.4"), &us, Some(110 * 2_500_000), Basis::Listed);
    check(("openai", "gpt-5.6-luna"), &us, Some(110 * 1_000_000), Basis::Listed);
    check(
        ("openai", "gpt-5.4"),
        &Answered { region: Some("moon"), ..us },
        Some(100 * 2_500_000),
        Basis::Listed,
    );
    let at = Pricing::of("openai", "gpt-5.4").processed_in(crate::region("eu.api.openai.com"));
    assert_eq!(at.bill(&anywhere).cost, Some(PicoUsd(110 * 2_500_000)), "the host says it");
    assert_eq!(at.region(), Some("eu"));
    let together = Pricing::of("together", "zai-org/GLM-5.2");
    let (there, here) = (together.bill(&us).cost, together.bill(&anywhere).cost);
    assert_eq!(there.map(|cost| cost.0 * 4), here.map(|cost| cost.0 * 5));
}

#[test]
fn classes_of_service_cost_what_is_documented_of_the_model() {
    let used = Usage { input_uncached: Tokens(100), ..Usage::default() };
    for (target, service, cost) in [
        (("openai", "gpt-5.5"), "priority", Some(250 * 5_000_000)),
        (("openai", "gpt-5-mini"), "priority", Some(180 * 250_000)),
        (("openai", "gpt-4o"), "priority", None),
        (("openai", "gpt-5.2"), "batch", Some(50 * 1_750_000)),
        (("google", "gemini-2.5-flash"), "batch", Some(50 * 300_000)),
        (("google", "gemini-2.5-flash"), "priority", None),
        (("anthropic", "claude-opus-5"), "fast", Some(200 * 5_000_000)),
        (("anthropic", "claude-opus-4-6"), "fast", None),
    ] {
        let basis = if cost.is_some() { Basis::Listed } else { Basis::Unknown };
        check(target, &Answered { service: Some(service), ..answered(&used) }, cost, basis);
    }
}

#[test]
fn images_and_other_output_have_prices_of_their_own() {
    let used = Usage {
        output_text: Tokens(10),
        reasoning: Tokens(10),
        output_image: Tokens(100),
        ..Usage::default()
    };
    let cost = 20 * 12_000_000 + 100 * 120_000_000;
    check(("google", "gemini-3-pro-image-preview"), &answered(&used), Some(cost), Basis::Listed);
    let price = Price { output: Some(PicoUsd(1)), output_image: Some(PicoUsd(7)), ..Price::default() };
    let own = Pricing::default().own(OwnPrice { price, cache_write_1h: None });
    assert_eq!(own.bill(&answered(&used)).cost, Some(PicoUsd(20 + 700)));
    // OpenRouter asks for text what Google does, and the list knows it there.
    let text = Usage { output_text: Tokens(1), ..Usage::default() };
    let mut compared = 0;
    for model in crate::models("google").iter().filter(|model| model.id.contains("-image")) {
        let there = Pricing::of("openrouter", &format!("google/{}", model.id)).bill(&answered(&text)).cost;
        let here = Pricing::of("google", &model.id).bill(&answered(&text)).cost;
        assert!(there.is_none() || there == here, "{}: {here:?} {there:?}", model.id);
        compared += u32::from(there.is_some());
    }
    assert_eq!(compared, 3);
}

#[test]
fn the_owners_prices_go_before_the_list() {
    let used = Usage { input_uncached: Tokens(100), output_text: Tokens(10), ..Usage::default() };
    let price = Price { input: Some(PicoUsd(3)), output: Some(PicoUsd(5)), ..Price::default() };
    let own = OwnPrice { price, cache_write_1h: None };
    let asked = Answered { service: Some("flex"), ..answered(&used) };
    for (provider, model) in [("nobody", "model"), ("openai", "gpt-5.2")] {
        let bill = Pricing::of(provider, model).own(own).bill(&asked);
        assert_eq!(bill, Bill { cost: Some(PicoUsd(350)), basis: Basis::Listed });
    }
    let free = Pricing::of("nobody", "model").own(OwnPrice::FREE).bill(&asked);
    assert_eq!(free.cost, Some(PicoUsd(0)));
}

#[test]
fn what_a_provider_states_is_what_it_costs() {
    let used = Usage { input_uncached: Tokens(100), ..Usage::default() };
    let stated = Answered { stated: Some("0.95"), ..answered(&used) };
    check(("openrouter", "some/model"), &stated, Some(950_000_000_000), Basis::Stated);
    let ticks = Answered { stated: Some("37756000"), ..answered(&used) };
    check(("xai", "grok-4"), &ticks, Some(3_775_600_000), Basis::Stated);
    assert_eq!(Pricing::of("openrouter", "x").stated_at(), Some("cost"));
    assert_eq!(Pricing::of("openai", "gpt-5.2").stated_at(), None);
}

#[test]
fn every_statement_of_a_provider_is_sound() {
    for billing in providers().iter().filter_map(|p| p.billing.as_ref()) {
        let sources = [
            billing.stated.as_ref().map(|stated| (&stated.source, &stated.read)),
            billing.cache_write_1h.as_ref().map(|hour| (&hour.source, &hour.read)),
            billing.search.as_ref().map(|search| (&search.source, &search.read)),
        ];
        let services = billing.service.iter().map(|service| (&service.source, &service.read));
        let surcharges = billing.surcharge.iter().map(|there| (&there.source, &there.read));
        let images = billing.images.iter().map(|images| (&images.source, &images.read));
        let sources = sources.into_iter().flatten().chain(services).chain(surcharges).chain(images);
        for (source, read) in sources {
            assert!(source.starts_with("https://") && Date::parse(read).is_some(), "{source} {read}");
        }
        let search = billing.search.as_ref().map(|search| search.usd_per_thousand.as_str());
        assert!(search.is_none_or(|usd| super::per_token(usd).is_some()), "{search:?}");
        for images in &billing.images {
            assert!(super::per_token(&images.text_usd_per_million).is_some(), "{images:?}");
        }
        for there in &billing.surcharge {
            let day = there.released.as_deref();
            assert!(there.percent > 100 && day.is_none_or(|day| Date::parse(day).is_some()), "{there:?}");
        }
    }
    assert!(provider("anthropic").unwrap().billing.is_some());
}

proptest! {
    #[test]
    fn any_number_is_answered(number in any::<String>(), scale in any::<u8>()) {
        let _ = pico(&number, scale);
    }

    #[test]
    fn no_part_is_more_than_the_whole(amount in any::<u64>(), part in 0u32..=100) {
        let part = percent(PicoUsd(amount), part).unwrap();
        prop_assert!(part.0 <= amount);
    }
}
