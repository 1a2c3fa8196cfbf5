//! Prices over recorded traffic: every usage that a provider told is priced, or it is known why not; and where the
//! provider told the price as well, the list price comes to the same.

use shim_catalog::{Answered, Date, Pricing, model, provider};
use shim_dialect::{Operation, Reading, is_set, number_at, speaker};
use shim_ir::{Bill, Dialect, Usage};
use shim_testkit::recordings::{self, Recording};
use shim_wire::frame::{FRAME_BYTES_MAX, Framer, Framing};

const FAMILIES: [(&str, Dialect); 5] = [
    ("openai.chat", Dialect::OpenaiChat),
    ("openai.responses", Dialect::OpenaiResponses),
    ("anthropic.messages", Dialect::Anthropic),
    ("gemini.generate", Dialect::Gemini),
    ("gemini.stream", Dialect::Gemini),
];

/// What a meter reads of a recorded answer.
fn read(dialect: Dialect, recording: &Recording) -> Reading {
    let mut meter = speaker(dialect).meter(Operation::Generate);
    let body = &recording.response.body;
    if recording.response.framing == "sse" {
        let mut framer = Framer::new(Framing::Sse, FRAME_BYTES_MAX);
        let _ = framer.push(body.as_bytes(), &mut |frame| meter.frame(frame));
        let _ = framer.finish(&mut |frame| meter.frame(frame));
    } else {
        meter.whole(body);
    }
    meter.reading().clone()
}

/// A recorded answer's bill, and its bill by the list alone; `None` where nobody told what was used.
fn bills(recording: &Recording, reading: &Reading, model: &str) -> Option<(Bill, Bill)> {
    let usage = reading.usage.as_ref()?;
    let pricing = Pricing::of(&recording.provider, model);
    let unless = pricing.stated_unless();
    let words = usage.words.as_ref().filter(|words| !unless.is_some_and(|name| is_set(words, name)));
    let answered = Answered {
        usage,
        service: reading.billed.service.as_deref(),
        searches: reading.billed.searches,
        region: reading.billed.region.as_deref(),
        stated: words.zip(pricing.stated_at()).and_then(|(words, path)| number_at(words, path)),
        complete: reading.complete,
        day: Date::parse("2026-08-21").unwrap(),
    };
    Some((pricing.bill(&answered), pricing.bill(&Answered { stated: None, ..answered })))
}

/// Why an answer of a known model has no price; `None` where it should have one.
fn unpriced(recording: &Recording, reading: &Reading, usage: &Usage) -> Option<&'static str> {
    if reading.billed.searches > 0 {
        return Some("it searched, and what that costs depends on how much was free that day");
    }
    if reading.billed.service.is_some() {
        return Some("its class of service has no price here");
    }
    if usage.input_audio.0 > 0 || usage.output_audio.0 > 0 {
        return Some("nobody lists its price for sound");
    }
    match recording.provider.as_str() {
        "perplexity" => Some("requests cost something too"),
        "deepseek" => Some("its prices depend on the hour"),
        _ => None,
    }
}

#[test]
fn recorded_answers_are_priced_as_their_providers_say() {
    let (mut known, mut same, mut compared) = (0, 0, 0);
    for (family, dialect) in FAMILIES {
        let Some(found) = recordings::of_families(&[family]).unwrap() else { return };
        for recording in &found {
            let reading = read(dialect, recording);
            let asked = recording.model.clone().or(reading.model.clone()).unwrap_or_default();
            let Some((bill, listed)) = bills(recording, &reading, &asked) else { continue };
            let usage = reading.usage.as_ref().unwrap();
            if provider(&recording.provider).is_some_and(|p| model(&p.id, &asked).is_some()) {
                known += 1;
                let why = unpriced(recording, &reading, usage);
                assert!(bill.cost.is_some() || why.is_some(), "{}: {asked} {usage:?}", recording.id);
            }
            // OpenRouter adds what plugins cost, and changes its upstreams' prices from day to day. Answers without their
            // requests have been edited.
            let whole = bill != listed && recording.request.is_some();
            if let (true, Some(stated), Some(listed)) = (whole, bill.cost, listed.cost) {
                compared += 1;
                same += usize::from(stated == listed);
                assert!(stated == listed || recording.provider == "openrouter", "{}: {asked}", recording.id);
            }
        }
    }
    assert!(known > 900, "{known} answers of known models");
    assert!(compared > 80 && same * 100 >= compared * 84, "{same} of {compared} are the same");
    eprintln!(
        "{known} answers of known models; of {compared} that state their cost, {same} come to the same by the list"
    );
}

#[test]
fn a_recorded_answer_of_a_batch_costs_half() {
    let Some(found) = recordings::of_families(&["anthropic.other"]).unwrap() else { return };
    let batched = found.iter().find(|one| one.response.body.contains(r#""service_tier":"batch""#)).unwrap();
    let line: serde_json::Value = serde_json::from_str(&batched.response.body).unwrap();
    let mut meter = speaker(Dialect::Anthropic).meter(Operation::Generate);
    meter.whole(&line["result"]["message"].to_string());
    let reading = meter.reading();
    let (bill, _) = bills(batched, reading, reading.model.as_deref().unwrap()).unwrap();
    // Twenty tokens at a dollar a million, and five at five.
    assert_eq!(bill.cost.map(|cost| cost.0), Some((20 * 1_000_000 + 5 * 5_000_000) / 2));
}
