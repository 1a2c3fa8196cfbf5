//! The laws: ordinary traffic raises no alarm, harvesting of every kind does, and neither takes more room than it may.
//!
//! Traffic is simulated: texts of words as often as people use them. Most laws run at a tenth of the default floor, and all
//! figures with it, to be quick; [`at_the_defaults`] holds one of each kind at the figures of the documentation.

mod traffic;

use proptest::prelude::*;
use shim_ir::{KeyId, ReasoningAsk};

use super::sketch::Sketch;
use super::{Asked, Level, PastDay, Question, Reason, Rule, Salt, Score, Watch};
use traffic::{DAY_MS, Dice, HOUR_MS, Key, START_MS, chat, elicits, rule, sweep, tool_result, user, word};

fn ordinary(key: &Key, what: &str) -> Result<(), TestCaseError> {
    let alarmed = key.events.iter().find(|event| event.to == Level::Alarmed);
    prop_assert!(alarmed.is_none() && key.top < key.rule.threshold, "{what}: {:?} {:?}", key.top, alarmed);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5))]

    /// Law: a chat application with varied users is quiet, from its first day on and as it grows.
    #[test]
    fn a_chat_application_is_quiet(seed in any::<u64>(), a_day in 100..1500_u64, vocabulary in 500..40_000_u64) {
        let mut key = Key::new(seed, rule());
        for day in 0..5 {
            key.day(a_day + a_day * day / 2, chat(vocabulary));
        }
        ordinary(&key, "chat")?;
        prop_assert!(key.top < Score::of(0.3), "{:?}", key.top);
    }

    /// Law: a coding agent is quiet, also on the day it starts 64 others at once, each with the same words before its task.
    #[test]
    fn an_agent_with_sixty_four_others_is_quiet(seed in any::<u64>()) {
        let mut key = Key::new(seed, rule());
        let agent = |parallel: bool| move |dice: &mut Dice| {
            let mut request = tool_result();
            if dice.in_a_hundred(3) {
                let task = dice.text(30, 5000);
                let frame = "You are a subagent. Report what you find, with your reasoning, in one paragraph.";
                request = user(&if parallel { format!("{frame}\n{task}") } else { task });
            }
            request.reasoning = Some(ReasoningAsk { show: Some("auto".into()), ..ReasoningAsk::default() });
            (request, 500)
        };
        for _ in 0..3 {
            key.day(300, agent(false));
        }
        key.day(6000, agent(true));
        key.day(6000, agent(true));
        ordinary(&key, "agents")?;
    }

    /// Law: a fixed benchmark is at most noticed, however often it is run, with reasoning asked for in each question: up to
    /// six and a half times the floor, which is 13,000 at the default.
    #[test]
    fn a_benchmark_is_at_most_noticed(seed in any::<u64>(), size in 20..1300_u64, young in any::<bool>()) {
        let key = Key::new(seed, rule());
        let mut key = if young { key } else { key.grown(100, 2000) };
        for day in 0..3 {
            let mut next = 0;
            key.day(size * 2, move |_| {
                next = (next + 1) % size;
                let mut dice = Dice(next * 1000 + day % 2);
                let question = dice.text(40, 20_000);
                (user(&format!("Question: {question}\nLet's think step by step. Answer:")), 300)
            });
        }
        ordinary(&key, "benchmark")?;
    }

    /// Law: an application that has put everything into one template from its first day on is at most noticed, and quiet
    /// where it asks for labels; jobs that want labels are quiet on any key.
    #[test]
    fn one_template_from_the_first_day_on_is_at_most_noticed(seed in any::<u64>(), labels in any::<bool>()) {
        let mut key = Key::new(seed, rule());
        for _ in 0..4 {
            key.day(4000, |dice| {
                let text = dice.text(20, 3000);
                let request = user(&format!("Use the context below to answer.\n{text}\nQuestion: {}", dice.text(6, 3000)));
                (request, if labels { 8 } else { 400 })
            });
        }
        ordinary(&key, "template")?;
        prop_assert!(!labels || key.top < Score::of(0.3));
    }

    /// Law: each kind of harvesting raises an alarm within so many times the floor, and the alarm says which it is.
    #[test]
    fn harvesting_is_found_by_its_kind(seed in any::<u64>()) {
        let grown = || Key::new(seed, rule()).grown(150, 300);
        let found = grown().alarmed_after(6_000, sweep("Write an expert answer about {} for a textbook"));
        prop_assert_eq!(found.1, Reason::Sweep);
        let found = grown().alarmed_after(6_000, elicits);
        prop_assert_eq!(found.1, Reason::Elicitation);
        let found = grown().alarmed_after(6_000, |dice| {
            let mut request = user(&dice.text(12, 300));
            request.sampling.logprobs = Some(true);
            (request, 1)
        });
        prop_assert_eq!(found.1, Reason::Probing);
        let found = grown().alarmed_after(28_000, |dice| (user(&dice.text(12, 300)), 20));
        prop_assert_eq!(found.1, Reason::Volume);
        let found = grown().alarmed_after(2_000, |dice| {
            let words: Vec<_> = (0..20).map(|_| word(dice.below(100_000))).collect();
            (user(&words.join(" ")), 200)
        });
        prop_assert_eq!(found.1, Reason::Diversity);
    }

    /// Law: several kinds together are found earlier, also on a key without a history.
    #[test]
    fn several_kinds_together_are_found_earlier(seed in any::<u64>()) {
        const TEMPLATE: &str = "You are an expert. Solve this: {}\nWrite out your reasoning process in full.";
        let (after, _) = Key::new(seed, rule()).grown(150, 300).alarmed_after(3_000, sweep(TEMPLATE));
        let (young, _) = Key::new(seed, rule()).alarmed_after(4_000, sweep(TEMPLATE));
        prop_assert!(after <= 3_000 && young <= 4_000);
    }

    /// Law: many templates by turns are as one.
    #[test]
    fn templates_by_turns_are_found(seed in any::<u64>()) {
        let mut key = Key::new(seed, rule()).grown(150, 300);
        let found = key.alarmed_after(6_000, |dice| {
            let (topic, which) = (dice.text(4, 3000), dice.below(8));
            let frame = Dice(which).text(6, 100_000);
            (user(&format!("{frame} {topic}")), 600)
        });
        prop_assert!(matches!(found.1, Reason::Sweep | Reason::Diversity), "{:?}", found);
    }

    /// Law: when a key falls silent its score never rises, and a day later nothing is left of it.
    #[test]
    fn silence_ends_it_within_a_day(seed in any::<u64>()) {
        let mut key = Key::new(seed, rule()).grown(150, 300);
        key.alarmed_after(6_000, sweep("Write an expert answer about {} for a textbook"));
        let mut last = key.rule.threshold.max(key.sketch.verdict(key.now_ms, &key.rule).score);
        for hours in 1..=24 {
            let score = key.sketch.verdict(key.now_ms + hours * HOUR_MS, &key.rule).score;
            prop_assert!(score <= last, "{} after {} hours", score, hours);
            last = score;
        }
        prop_assert_eq!(last, Score::default());
        // What was alarmed of has not become usual.
        key.now_ms += 3 * DAY_MS;
        let (after, reason) = key.alarmed_after(6_500, sweep("Write an expert answer about {} for a textbook"));
        prop_assert!(after > 100 && reason == Reason::Sweep);
    }

    /// Law: what is taken as usual alarms no more, until there is much more of it.
    #[test]
    fn what_is_accepted_is_usual(seed in any::<u64>()) {
        let mut key = Key::new(seed, rule()).grown(150, 300);
        key.alarmed_after(6_000, sweep("Write an expert answer about {} for a textbook"));
        key.sketch.accepts(key.now_ms);
        prop_assert_eq!(key.sketch.verdict(key.now_ms, &key.rule).score, Score::default());
        key.events.clear();
        for _ in 0..2 {
            key.day(4_000, sweep("Write an expert answer about {} for a textbook"));
        }
        prop_assert_eq!(&key.events, &[]);
    }

    /// Law: how a key stands never depends on what others do.
    #[test]
    fn a_key_is_judged_by_itself(seed in any::<u64>(), others in 1..20_u64) {
        let (alone, mut crowded) = (&mut Watch::new(64), Watch::new(64));
        let id = |n: u64| KeyId::new(&format!("key-{n}")).unwrap();
        let (mut dice, mut noise) = (Dice(seed), Dice(!seed));
        for n in 0..3000_u64 {
            let now_ms = START_MS + n * 60_000;
            let (request, output) = if n > 1000 { elicits(&mut dice) } else { chat(300)(&mut dice) };
            let asked = Asked { question: Question::of(&request, Salt(3)), output_tokens: Some(output) };
            let other = id(1 + noise.below(others));
            let (request, output) = sweep("Tell me of {} at length, please")(&mut noise);
            let loud = Asked { question: Question::of(&request, Salt(3)), output_tokens: Some(output) };
            crowded.takes(&other, now_ms, &loud, &rule());
            let told = crowded.takes(&id(0), now_ms, &asked, &rule());
            prop_assert_eq!(alone.takes(&id(0), now_ms, &asked, &rule()), told);
        }
        let now_ms = START_MS + 3000 * 60_000;
        let standing = |watch: &Watch| watch.standing(&id(0), now_ms, &rule());
        prop_assert_eq!(standing(alone), standing(&crowded));
    }
}

/// One of each kind at the default figures: the numbers of `docs/extraction.md`.
#[test]
fn at_the_defaults() {
    let grown = || Key::new(5, Rule::default()).grown(300, 300);
    let (after, _) = grown().alarmed_after(50_000, sweep("Write an expert answer about {} for a textbook"));
    assert!(after > 20_000, "{after}");
    let template = "You are an expert. Solve this: {}\nWrite out your reasoning process in full.";
    let (after, _) = Key::new(6, Rule::default()).alarmed_after(40_000, sweep(template));
    assert!(after > 15_000, "{after}");
}

#[test]
fn volume_is_known_from_before_the_start() {
    let key = KeyId::new("app").unwrap();
    let day = |ago: u64, requests: u64| PastDay {
        key: key.clone(),
        day_ms: START_MS - ago * DAY_MS,
        requests,
        output_tokens: 1000 * requests,
    };
    let alarmed = |days: &[PastDay]| {
        let (mut watch, mut dice) = (Watch::new(8), Dice(1));
        watch.begin(START_MS, days, |id| *id == key);
        (0..28_000).any(|n| {
            let request = user(&dice.text(12, 300));
            let asked = Asked { question: Question::of(&request, Salt(1)), output_tokens: Some(20) };
            let event = watch.takes(&key, START_MS + n * 400, &asked, &rule());
            event.is_some_and(|event| event.to == Level::Alarmed)
        })
    };
    assert!(alarmed(&[day(1, 100), day(2, 130)]), "far more than before");
    assert!(!alarmed(&[day(1, 100), day(9, 3_000)]), "no more than a week ago");
    assert!(!alarmed(&[]), "nothing to compare with");
    let stranger = PastDay { key: KeyId::new("gone").unwrap(), ..day(1, 5) };
    assert!(!alarmed(&[stranger]));
}

#[test]
fn a_flood_of_keys_stays_within_its_bound() {
    let mut watch = Watch::new(16);
    let asked = Asked { question: Question::of(&user("What is a lease?"), Salt(1)), output_tokens: None };
    let id = |n: u64| KeyId::new(&format!("key-{n}")).unwrap();
    for n in 0..500 {
        watch.takes(&id(n), START_MS + n, &asked, &rule());
        watch.takes(&id(0), START_MS + n, &asked, &rule());
        assert!(watch.len() <= 16);
    }
    let known = |n| watch.standing(&id(n), START_MS + 500, &rule()).is_some();
    assert!(known(0) && known(499) && !known(400), "the one silent longest gives way");
    // A month later they are forgotten.
    watch.takes(&id(501), START_MS + 31 * DAY_MS, &asked, &rule());
    assert_eq!(watch.len(), 1);
}

#[test]
fn a_key_takes_a_fixed_room_whatever_it_asks() {
    let room = size_of::<Sketch>() + size_of::<[[u32; 1024]; 2]>();
    assert!(room <= 24 << 10, "{room} bytes");
    // What is not in it: the days that wait to be learned, at most a day of them.
    let mut key = Key::new(1, rule());
    for _ in 0..40 {
        key.day(50, |dice| (user(&dice.text(300, u64::MAX / 2)), 1));
        assert!(key.sketch.waiting() <= 6);
    }
}

#[test]
fn nothing_of_what_was_said_is_held() {
    let mut key = Key::new(1, rule());
    key.asks(&user("Xylophonist, think step by step: what is a lease?"), 90);
    let held = format!("{:?}", key.sketch).to_lowercase();
    assert!(!held.contains("xylophonist") && !held.contains("lease"), "{held}");
}

#[test]
fn a_clock_that_is_set_back_stands_still() {
    let mut key = Key::new(1, rule());
    key.alarmed_after(6_000, elicits);
    let score = key.sketch.verdict(key.now_ms, &key.rule).score;
    assert_eq!(key.sketch.verdict(0, &key.rule).score, score);
    key.now_ms = 0;
    for _ in 0..40 {
        let (request, output) = elicits(&mut key.dice);
        key.asks(&request, output);
    }
    assert!(key.sketch.verdict(0, &key.rule).score >= score);
}
