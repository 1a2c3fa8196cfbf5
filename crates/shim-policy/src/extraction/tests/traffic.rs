//! Simulated traffic: texts of words as often as people use them, and who asks them.

use shim_ir::{Part, Request, Role, Text, ToolCallKind, ToolResult, Turn};

use crate::extraction::sketch::Sketch;
use crate::extraction::{Asked, Event, Level, Mode, Question, Reason, Rule, Salt, Score};

pub(super) const HOUR_MS: u64 = 3_600_000;
pub(super) const DAY_MS: u64 = 24 * HOUR_MS;
/// 2026-11-26, the first moment of a day and of a slot.
pub(super) const START_MS: u64 = 1_795_651_200_000;

/// Random numbers that are the same every time.
#[derive(Clone)]
pub(super) struct Dice(pub(super) u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.roll() % limit
    }

    /// One of these.
    fn one<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[usize::try_from(self.below(of.len() as u64)).unwrap()]
    }

    pub(super) fn in_a_hundred(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    /// A word out of `vocabulary`, the first far more often than the last (Zipf).
    fn word(&mut self, vocabulary: u64) -> String {
        let uniform = self.roll() as f64 / u64::MAX as f64;
        word(format!("{:.0}", (vocabulary as f64).powf(uniform).floor()).parse().unwrap())
    }

    pub(super) fn text(&mut self, words: u64, vocabulary: u64) -> String {
        (0..words).map(|_| self.word(vocabulary)).collect::<Vec<_>>().join(" ")
    }
}

/// The word of a number: letters alone, at least six.
pub(super) fn word(number: u64) -> String {
    let (mut word, mut rest) = ("ka".to_owned(), number);
    for _ in 0..4 {
        word.push(char::from(b"bdfgklmnprstvz"[(rest % 14) as usize]));
        word.push(char::from(b"aeiou"[(rest / 14 % 5) as usize]));
        rest /= 70;
    }
    word
}

fn turn(role: Role, part: Part) -> Turn {
    Turn { role, id: None, name: None, parts: vec![part], rest: shim_ir::Rest::default() }
}

pub(super) fn user(text: &str) -> Request {
    let turns = vec![turn(Role::User, Part::Text(Text::new(text)))];
    let system = vec![Part::Text(Text::new("You are a helpful assistant. Think step by step."))];
    Request { turns, system, ..Request::default() }
}

/// What an agent sends when a tool has run.
pub(super) fn tool_result() -> Request {
    let result = ToolResult {
        call: "c".into(),
        name: None,
        content: vec![Part::Text(Text::new("a file"))],
        json: false,
        error: false,
        kind: ToolCallKind::Function,
        cache: None,
        rest: shim_ir::Rest::default(),
    };
    Request { turns: vec![turn(Role::Tool, Part::ToolResult(result))], ..Request::default() }
}

/// A tenth of the default floor.
pub(super) fn rule() -> Rule {
    Rule { mode: Mode::Watch, floor: 200, ..Rule::default() }
}

/// A key under way.
pub(super) struct Key {
    pub(super) sketch: Sketch,
    pub(super) rule: Rule,
    pub(super) now_ms: u64,
    pub(super) dice: Dice,
    /// The highest score there was.
    pub(super) top: Score,
    pub(super) events: Vec<Event>,
}

impl Key {
    pub(super) fn new(seed: u64, rule: Rule) -> Self {
        let (sketch, dice) = (Sketch::default(), Dice(seed));
        Self { sketch, rule, now_ms: START_MS, dice, top: Score::default(), events: Vec::new() }
    }

    pub(super) fn asks(&mut self, request: &Request, output_tokens: u64) {
        let question = Question::of(request, Salt(11));
        let asked = Asked { question, output_tokens: Some(output_tokens) };
        self.events.extend(self.sketch.takes(self.now_ms, &asked, &self.rule));
        let last = self.events.last().map(|event| event.verdict.score);
        self.top = self.top.max(last.unwrap_or_default());
    }

    /// Lets requests be made over a day, evenly.
    pub(super) fn day(&mut self, count: u64, mut request: impl FnMut(&mut Dice) -> (Request, u64)) {
        let start_ms = self.now_ms;
        for n in 0..count {
            self.now_ms = start_ms + n * DAY_MS / count;
            let (request, output) = request(&mut self.dice);
            self.asks(&request, output);
        }
        self.now_ms = start_ms + DAY_MS;
        let score = self.sketch.verdict(self.now_ms - 1, &self.rule).score;
        self.top = self.top.max(score);
    }

    /// Days of a chat application: so that there is a history.
    pub(super) fn grown(mut self, a_day: u64, vocabulary: u64) -> Self {
        for _ in 0..4 {
            self.day(a_day, chat(vocabulary));
        }
        assert!(!self.sketch.is_young(self.now_ms) && self.top < Score::of(0.3), "{:?}", self.top);
        self
    }

    /// How many requests are made, five every two seconds, until there is an alarm, and its weightiest reason.
    #[track_caller]
    pub(super) fn alarmed_after(
        &mut self,
        most: u64,
        mut request: impl FnMut(&mut Dice) -> (Request, u64),
    ) -> (u64, Reason) {
        self.events.clear();
        for n in 1..=most {
            self.now_ms += 400;
            let (request, output) = request(&mut self.dice);
            self.asks(&request, output);
            if let Some(event) = self.events.iter().find(|event| event.to == Level::Alarmed) {
                assert!(event.verdict.score >= self.rule.threshold);
                return (n, event.verdict.reasons[0].reason);
            }
        }
        panic!("no alarm after {most}: {:?}", self.sketch.verdict(self.now_ms, &self.rule));
    }
}

/// A question of a user of a chat application: half of them begin as many do, one in forty asks for steps.
pub(super) fn chat(vocabulary: u64) -> impl FnMut(&mut Dice) -> (Request, u64) {
    const OPENINGS: [&str; 12] = [
        "hi",
        "hello",
        "how do i",
        "what is",
        "can you help me with",
        "please explain to me",
        "why does",
        "write a",
        "thanks, and",
        "is it true that",
        "how can i get",
        "translate this:",
    ];
    move |dice| {
        let opening = if dice.in_a_hundred(50) { dice.one(&OPENINGS) } else { "" };
        let words = 2 + dice.below(30);
        let steps = if dice.in_a_hundred(3) { " step by step" } else { "" };
        let text = format!("{opening} {}{steps}", dice.text(words, vocabulary));
        let mut request = user(&text);
        if dice.in_a_hundred(40) {
            let before =
                [user("hello there").turns, vec![turn(Role::Assistant, Part::Text(Text::new("Hi")))]]
                    .concat();
            request.turns.splice(0..0, before);
        }
        (request, 20 + dice.below(500))
    }
}

/// A template that is filled anew each time.
pub(super) fn sweep(template: &'static str) -> impl FnMut(&mut Dice) -> (Request, u64) {
    move |dice| {
        let words = 1 + dice.below(8);
        (user(&template.replace("{}", &dice.text(words, 300))), 600)
    }
}

/// Questions that have nothing in common but how they end is asked for.
pub(super) fn elicits(dice: &mut Dice) -> (Request, u64) {
    const WAYS: [&str; 6] = [
        "lay open the internal reasoning",
        "and your reasoning, please",
        "with a full chain of thought",
        "thinking out loud",
        "as a reasoning trace",
        "show your work",
    ];
    let way = dice.one(&WAYS);
    let (before, after) = (dice.text(9, 300), dice.text(7, 300));
    (user(&format!("{before} {way} {after}")), 800)
}
