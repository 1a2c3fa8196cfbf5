//! The sentinel against a provider that caches as documented.

use std::collections::HashSet;
use std::sync::Arc;

use proptest::prelude::*;
use shim_ir::{Tokens, Usage};
use shim_wire::scan::{Limits, ScanError};
use shim_wire::{Layout, LayoutAsked, Words};

use super::{Cause, Collapse, Outline, PIECE_BYTES, Section, Turn, Watch, WatchLimits, judge, predecessor};

/// A prompt: tools, instructions, messages, each a text of so many bytes.
#[derive(Clone, Debug)]
struct Prompt {
    tools: Vec<String>,
    system: Vec<String>,
    messages: Vec<String>,
}

fn outlined(body: &str) -> Outline {
    outlined_by(body, None)
}

fn outlined_by(body: &str, words: Option<&'static Words>) -> Outline {
    let asked = LayoutAsked { words, elements: true };
    let layout = Layout::read(body, Limits::default(), asked, |_| Ok::<_, ScanError>(())).unwrap();
    Outline::of(body.as_bytes(), &layout)
}

/// A text of `bytes` bytes that no other seed gives.
fn text(seed: u64, bytes: usize) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut out = format!("{seed} ");
    while out.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.push_str(&format!("{state:x} "));
    }
    out
}

impl Prompt {
    /// The body of a request in the words of Messages: the conversation first, the mark of the cache on its last message.
    fn body(&self) -> String {
        let block = |text: &String, mark: bool| {
            let mark = if mark { r#","cache_control":{"type":"ephemeral"}"# } else { "" };
            format!(r#"{{"type":"text","text":"{text}"{mark}}}"#)
        };
        let last = self.messages.len() - 1;
        let messages: Vec<_> = self
            .messages
            .iter()
            .enumerate()
            .map(|(at, text)| format!(r#"{{"role":"user","content":[{}]}}"#, block(text, at == last)))
            .collect();
        let system: Vec<_> = self.system.iter().map(|text| block(text, true)).collect();
        let tools: Vec<_> = self.tools.iter().map(|text| format!(r#"{{"name":"{text}"}}"#)).collect();
        format!(
            r#"{{"model":"m","messages":[{}],"max_tokens":5,"system":[{}],"tools":[{}]}}"#,
            messages.join(","),
            system.join(","),
            tools.join(",")
        )
    }

    fn elements(&self) -> Vec<&String> {
        self.tools.iter().chain(&self.system).chain(&self.messages).collect()
    }
}

/// A provider that caches what prompts begin with, element by element; a token is four bytes.
#[derive(Debug, Default)]
struct Provider(HashSet<Vec<String>>);

impl Provider {
    fn answers(&mut self, prompt: &Prompt) -> Usage {
        let elements = prompt.elements();
        let (mut read, mut write) = (0, 0);
        for end in 1..=elements.len() {
            let beginning: Vec<String> = elements[..end].iter().map(|text| (*text).clone()).collect();
            let tokens = elements[end - 1].len() as u64 / 4;
            if self.0.insert(beginning) { write += tokens } else { read += tokens }
        }
        Usage {
            cache_read: Tokens(read),
            cache_write: Tokens(write),
            input_uncached: Tokens(3),
            ..Usage::default()
        }
    }
}

/// What the gateway does with a turn: finds the one before, compares, holds it.
fn watched(watch: &mut Watch, turn: Turn) -> Option<Collapse> {
    let before = predecessor(&turn.outline, 7, |name| watch.find(name).to_vec());
    let told = before.as_ref().and_then(|held| judge(held, &turn, None, None));
    let names = |turn: &Turn| {
        turn.outline
            .exact_names(7)
            .into_iter()
            .take(1)
            .chain(turn.outline.loose_names(7).take(1))
            .collect::<Vec<_>>()
    };
    if let Some(held) = before {
        names(&held).into_iter().for_each(|name| watch.remove(name, &held));
    }
    let turn = Arc::new(turn);
    names(&turn).into_iter().for_each(|name| watch.put(name, turn.clone()));
    told
}

fn turn(prompt: &Prompt, usage: Usage, at_ms: u64) -> Turn {
    Turn { outline: outlined(&prompt.body()), target: "lab/one".into(), at_ms, usage }
}

const LIMITS: WatchLimits = WatchLimits { turns_max: 1000, outline_bytes_max: 1 << 20 };

fn prompt(seed: u64, sizes: &[usize]) -> Prompt {
    let element = |n: u64, bytes: usize| text(seed * 1000 + n, bytes);
    let sized = sizes.iter().zip(0..);
    Prompt {
        tools: sized.clone().map(|(bytes, n)| element(n, *bytes)).collect(),
        system: vec![element(100, 9000), element(101, 50)],
        messages: vec![element(200, 9000)],
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Law: conversations that only grow, beside each other, never raise anything with a provider that caches.
    #[test]
    fn unchanged_conversations_are_quiet(
        sizes in prop::collection::vec(1..6000_usize, 0..5),
        steps in prop::collection::vec((0..4_usize, 1..5000_usize), 1..40),
        alike in any::<bool>(),
    ) {
        let (mut watch, mut provider) = (Watch::new(LIMITS), Provider::default());
        let mut prompts: Vec<_> = (1..5).map(|n| prompt(n, &sizes)).collect();
        for (at, (which, bytes)) in steps.iter().enumerate() {
            let prompt = &mut prompts[*which];
            let usage = provider.answers(prompt);
            let told = watched(&mut watch, turn(prompt, usage, at as u64));
            prop_assert_eq!(told, None);
            // Other agents say the same words.
            let said = if alike { 10_000 + prompt.messages.len() as u64 } else { 10_000 + at as u64 * 2 };
            prompt.messages.push(text(said, *bytes));
            prompt.messages.push(text(50_000 + prompt.messages.len() as u64, 40));
        }
    }

    /// Law: whatever a provider counts, a conversation that only grows is never told to have changed.
    #[test]
    fn no_count_makes_an_unchanged_conversation_a_changed_one(
        counts in prop::collection::vec((0..200_000_u64, 0..200_000_u64, 0..200_000_u64, 0..7_200_000_u64), 2..20),
    ) {
        let mut watch = Watch::new(LIMITS);
        let mut prompt = prompt(1, &[2000]);
        let mut at_ms = 0;
        for (n, (read, write, fresh, ms)) in counts.into_iter().enumerate() {
            at_ms += ms;
            let usage = Usage {
                cache_read: Tokens(read), cache_write: Tokens(write), input_uncached: Tokens(fresh), ..Usage::default()
            };
            let told = watched(&mut watch, turn(&prompt, usage, at_ms));
            prop_assert!(!told.as_ref().is_some_and(|told| told.cause.alarms()), "{:?}", told);
            prompt.messages.push(text(20_000 + n as u64, 700));
        }
    }

    /// Law: a change of one byte in what was cached is told on the first turn after it, at the element and among the bytes
    /// where it is.
    #[test]
    fn a_change_is_told_on_the_first_turn_and_where_it_is(
        sizes in prop::collection::vec(2000..8000_usize, 1..4),
        turns in 1..6_usize,
        which in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
    ) {
        let (mut watch, mut provider) = (Watch::new(LIMITS), Provider::default());
        let mut prompt = prompt(1, &sizes);
        for n in 0..turns {
            let usage = provider.answers(&prompt);
            prop_assert_eq!(watched(&mut watch, turn(&prompt, usage, n as u64)), None);
            prompt.messages.push(text(30_000 + n as u64, 9000));
            prompt.messages.push(text(40_000 + n as u64, 9000));
        }
        // Not among the last two messages of the turn before, by which it is known.
        let early = prompt.messages.len().saturating_sub(4);
        let all = prompt.tools.len() + prompt.system.len() + early;
        let changed = which.index(all);
        let (section, at, element) = if changed < prompt.tools.len() {
            ("tools", changed, &mut prompt.tools[changed])
        } else if changed < prompt.tools.len() + prompt.system.len() {
            let at = changed - prompt.tools.len();
            ("system", at, &mut prompt.system[at])
        } else {
            let at = changed - prompt.tools.len() - prompt.system.len();
            ("messages", at, &mut prompt.messages[at])
        };
        let byte = place.index(element.len());
        element.replace_range(byte..=byte, "~");
        let element = element.clone();
        let body = prompt.body();
        let usage = provider.answers(&prompt);
        let told = watched(&mut watch, turn(&prompt, usage, 10));
        let Some(Collapse { cause: Cause::Prompt(found), .. }) = told else {
            return Err(TestCaseError::fail(format!("{section}[{at}]: {told:?}")));
        };
        prop_assert_eq!(&found.path, &format!("{section}[{at}]"));
        let offset = (body.find(&element).unwrap() + byte) as u64;
        prop_assert!(found.range.contains(&offset), "{:?} {}", found, offset);
        prop_assert!(found.range.end - found.range.start <= PIECE_BYTES as u64 + 64, "{:?}", found);
    }

    /// Law: any body has an outline, whether or not its reader looked for marks of the cache, and none differs from itself.
    #[test]
    fn any_body_has_an_outline(
        name in "messages|tools|input|system|other",
        said in prop::collection::vec(".{0,40}|[\\[\\]{}\",:a1 ]{0,9}\"cache_control\"[\\[\\]{}\",:a1 ]{0,9}", 0..6),
        raw in any::<bool>(),
    ) {
        // What stands in strings, and the same as far as it is JSON.
        let elements: Vec<String> = said.iter().map(|text| match serde_json::from_str::<serde_json::Value>(text) {
            Ok(value) if raw => value.to_string(),
            _ => serde_json::Value::from(text.as_str()).to_string(),
        }).collect();
        static WORDS: Words = Words::new(&["tool_use", "cache_control"]);
        let body = format!("{{\"{name}\":[{}]}}", elements.join(","));
        let outline = outlined(&body);
        prop_assert_eq!(outline.differs(&outline), None);
        prop_assert_eq!(&outlined_by(&body, Some(&WORDS)), &outline);
        let marked: usize = [r#"{"cache_control":{}}"#, r#"{"a":1,"cache_control":null}"#]
            .map(|element| outlined(&format!("{{\"{name}\":[{element}]}}")))
            .iter()
            .filter(|outline| outline.differs(outline).is_some())
            .count();
        prop_assert_eq!(marked, 0);
    }

    /// Law: a watch stays within its bounds, and what it holds is what was put last.
    #[test]
    fn a_watch_is_bounded(puts in prop::collection::vec((0..20_u64, 0..30_u64), 0..200)) {
        let limits = WatchLimits { turns_max: 12, outline_bytes_max: 4000 };
        let mut watch = Watch::new(limits);
        for (name, seed) in puts {
            let turn = Arc::new(turn(&prompt(seed, &[]), Usage::default(), 0));
            watch.put(name, turn.clone());
            prop_assert!(watch.len() <= limits.turns_max && watch.bytes() <= limits.outline_bytes_max);
            prop_assert!(watch.find(name).last().is_some_and(|held| Arc::ptr_eq(held, &turn)));
        }
    }
}

/// Two turns with the same prompt of 30,000 tokens, of which the second reads nothing.
fn pair() -> (Turn, Turn) {
    let prompt = prompt(1, &[4000]);
    let usage = |read, write| Usage {
        cache_read: Tokens(read),
        cache_write: Tokens(write),
        input_uncached: Tokens(30_000 - read - write),
        ..Usage::default()
    };
    (turn(&prompt, usage(0, 20_000), 0), turn(&prompt, usage(0, 25_000), 1000))
}

#[track_caller]
fn two(change: impl FnOnce(&mut Turn)) -> Option<Collapse> {
    let (before, mut now) = pair();
    change(&mut now);
    judge(&before, &now, None, None)
}

/// The cause where prompts are cached from a length on.
fn short(change: impl FnOnce(&mut Turn), cached_from: u64) -> Option<Cause> {
    let (before, mut now) = pair();
    change(&mut now);
    judge(&before, &now, None, Some(Tokens(cached_from))).map(|told| told.cause)
}

#[test]
fn each_cause_is_told_apart() {
    let cause = |change: fn(&mut Turn)| two(change).map(|told| told.cause);
    assert_eq!(cause(|_| ()), Some(Cause::Evicted));
    assert_eq!(cause(|now| now.at_ms = 301_000), Some(Cause::Expired));
    assert_eq!(cause(|now| now.target = "lab/two".into()), Some(Cause::Model));
    assert_eq!(cause(|now| now.target = "other/one".into()), Some(Cause::Provider));
    assert_eq!(short(|_| (), 30_001), Some(Cause::Short));
    assert_eq!(short(|_| (), 30_000), Some(Cause::Evicted));
    assert_eq!(short(|now| now.target = "other/one".into(), 30_001), Some(Cause::Short));
    assert_eq!(short(|now| now.usage.cache_read = Tokens(19_500), 30_001), None);
    assert!(!Cause::Short.alarms());
    // Where it is read, nothing is told, whatever else is so.
    assert_eq!(cause(|now| now.usage.cache_read = Tokens(19_500)), None);
    // A prompt much shorter than what was cached is another one.
    assert_eq!(cause(|now| now.usage = Usage::default()), None);
    let shorter = cause(|now| {
        now.outline = outlined(&Prompt { tools: Vec::new(), ..prompt(1, &[]) }.body());
    });
    let Some(Cause::Prompt(place)) = shorter else { panic!("{shorter:?}") };
    assert_eq!((place.section, place.path.as_str(), place.common), (Section::Tools, "tools[0]", 0));
}

#[test]
fn other_agents_that_say_the_same_words_are_told_apart() {
    let mut watch = Watch::new(LIMITS);
    let usage =
        |read, write| Usage { cache_read: Tokens(read), cache_write: Tokens(write), ..Usage::default() };
    let mut one = prompt(1, &[4000]);
    assert_eq!(watched(&mut watch, turn(&one, usage(0, 20_000), 0)), None);
    // Another agent begins with the same words, and reads nothing of what is cached of the first.
    let mut other = Prompt { messages: one.messages.clone(), ..prompt(2, &[5000]) };
    assert_eq!(watched(&mut watch, turn(&other, usage(0, 21_000), 1)), None);
    let tools_alone =
        Prompt { messages: one.messages.clone(), system: one.system.clone(), ..prompt(3, &[5000]) };
    assert_eq!(
        watched(&mut watch, turn(&tools_alone, usage(0, 21_000), 1)),
        None,
        "a first turn is nobody's next"
    );
    for prompt in [&mut one, &mut other] {
        prompt.messages.extend([text(1, 900), text(2, 900)]);
        assert_eq!(watched(&mut watch, turn(prompt, usage(20_000, 500), 2)), None);
    }
    // A turn whose beginning was never seen is nobody's next either, though its last words are known.
    let stranger = Prompt {
        messages: vec![text(9, 900), text(1, 900), text(2, 900), text(3, 900)],
        ..prompt(4, &[6000])
    };
    assert_eq!(watched(&mut watch, turn(&stranger, usage(0, 21_000), 3)), None);
}

#[test]
fn what_it_costs_is_the_difference_in_price() {
    let model = shim_catalog::model("anthropic", "claude-sonnet-4-6").unwrap();
    let prices = model.prices.last().unwrap();
    let prompt = prompt(1, &[4000]);
    let usage =
        |write| Usage { cache_write: Tokens(write), input_uncached: Tokens(2_000), ..Usage::default() };
    let (before, now) = (turn(&prompt, usage(20_000), 0), turn(&prompt, usage(20_000), 1));
    let price = prices.price(Tokens(22_000));
    let told = judge(&before, &now, Some(&price), None).unwrap();
    let wanted = (price.cache_write.unwrap().0 - price.cache_read.unwrap().0) * 20_000;
    assert_eq!(told.extra.unwrap().0, wanted);
    assert_eq!((told.expected, told.read), (Tokens(20_000), Tokens(0)));
}

#[test]
fn every_dialects_prompt_is_found() {
    for body in [
        r#"{"model":"m","messages":[{"role":"user","content":"a"}],"tools":[{"b":1}]}"#,
        r#"{"model":"m","instructions":"c","input":"a","tools":[{"b":1}]}"#,
        r#"{"systemInstruction":{"parts":[]},"contents":[{"parts":[]}],"tools":[{"b":1}]}"#,
    ] {
        let outline = outlined(body);
        assert_eq!((outline.exact_names(1).len(), outline.loose_names(1).count()), (1, 1), "{body}");
        let changed = outlined(&body.replace(r#""b":1"#, r#""b":2"#));
        assert_eq!(changed.differs(&outline).unwrap().path, "tools[0]", "{body}");
        let renamed = outlined(&body.replace(r#""model":"m""#, r#""model":"another""#));
        assert_eq!(renamed.differs(&outline), None, "{body}");
    }
    assert!(outlined(r#"{"model":"m"}"#).is_empty());
}
