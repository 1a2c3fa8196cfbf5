//! What is taken of a request: hashes, and what it asks for beside an answer.

use std::hash::{BuildHasher as _, Hasher as _};

use foldhash::quality::FixedState;
use shim_ir::{Effort, Part, Request, Role, Turn};

use super::look::Look;

/// What all hashes begin with: another for each process, so that nobody can make texts whose hashes fall together, and no
/// hash means anything elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct Salt(pub u64);

/// An exchange of a key, as far as it counts.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The question, where it was one: not a tool's result that an agent goes on with.
    pub question: Option<Question>,
    /// Tokens of the answer, as far as they were told.
    pub output_tokens: Option<u64>,
}

/// What a user asks: the text since the last answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The hash of it and of the instructions it is asked under.
    pub(super) whole: u64,
    /// Hashes of its edges, which a template leaves as they are: its first words, its last, and those that lines begin
    /// with.
    pub(super) marks: Vec<u64>,
    /// Hashes of its words.
    pub(super) words: Vec<u64>,
    /// Whether it asks for reasoning in so many words.
    pub(super) phrased: bool,
    /// Whether log probabilities or several answers are asked for.
    pub(super) probes: bool,
    /// Whether much reasoning is asked for, or for it to be shown.
    pub(super) reasons: bool,
    /// The hash of how the answer is to be drawn.
    pub(super) sampling: u64,
}

impl Question {
    /// The question of a request; none where it goes on from a tool's result, or no user says anything.
    #[must_use]
    pub fn of(request: &Request, Salt(salt): Salt) -> Option<Self> {
        let said = said(&request.turns)?;
        let state = FixedState::with_seed(salt);
        let hash = |pieces: &mut dyn Iterator<Item = &str>| {
            let mut hasher = state.build_hasher();
            pieces.for_each(|piece| hasher.write(piece.as_bytes()));
            hasher.finish()
        };
        let whole = hash(&mut instructions(request).chain(said.iter().copied()));
        let mut look = Look::new(&state);
        look.over(&said);
        let sampling = &request.sampling;
        let way = format!("{:?} {:?} {:?}", sampling.temperature, sampling.top_p, sampling.top_k);
        Some(Self {
            whole,
            phrased: look.phrased(&said),
            marks: look.marks,
            words: look.words,
            probes: sampling.logprobs == Some(true)
                || sampling.top_logprobs.is_some_and(|count| count > 0)
                || sampling.candidates.is_some_and(|count| count > 1),
            reasons: reasons(request),
            sampling: hash(&mut std::iter::once(way.as_str())),
        })
    }
}

/// What users said since the last answer or result of a tool, in order; `None` where that is nothing. What stands beside a
/// result in one turn is an agent's own note. An answer that the client has begun itself (a prefill) comes after the
/// question.
fn said(turns: &[Turn]) -> Option<Vec<&str>> {
    let mut said = Vec::new();
    let result = |turn: &Turn| turn.parts.iter().any(|part| matches!(part, Part::ToolResult(_)));
    let ends = |turn: &Turn| matches!(turn.role, Role::Assistant | Role::Tool) || result(turn);
    let started = turns.iter().rev().skip_while(|turn| turn.role == Role::Assistant);
    for turn in started.take_while(|turn| !ends(turn)).filter(|turn| turn.role == Role::User) {
        said.extend(texts(&turn.parts).rev());
    }
    said.reverse();
    said.iter().any(|text| !text.trim().is_empty()).then_some(said)
}

fn texts(parts: &[Part]) -> impl DoubleEndedIterator<Item = &str> {
    parts.iter().filter_map(|part| if let Part::Text(text) = part { Some(&*text.text) } else { None })
}

/// The operator's words, wherever they stand.
fn instructions(request: &Request) -> impl Iterator<Item = &str> {
    let operators = |turn: &&Turn| matches!(turn.role, Role::System | Role::Developer);
    let inside = request.turns.iter().filter(operators).flat_map(|turn| texts(&turn.parts));
    texts(&request.system).chain(inside)
}

fn reasons(request: &Request) -> bool {
    let hard = |effort: &Effort| matches!(effort, Effort::High | Effort::XHigh | Effort::Max);
    let asked = request.reasoning.as_ref();
    asked.is_some_and(|asked| asked.effort.as_ref().is_some_and(hard) || asked.show.is_some())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use shim_ir::{Part, ReasoningAsk, Request, Role, Text, ToolCallKind, ToolResult, Turn};

    use super::{Question, Salt};

    fn turn(role: Role, text: &str) -> Turn {
        let parts = vec![Part::Text(Text::new(text))];
        Turn { role, id: None, name: None, parts, rest: shim_ir::Rest::default() }
    }

    fn request(turns: Vec<Turn>) -> Request {
        Request { turns, ..Request::default() }
    }

    fn asks(text: &str) -> Question {
        Question::of(&request(vec![turn(Role::User, text)]), Salt(7)).unwrap()
    }

    #[test]
    fn a_question_is_what_was_said_since_the_last_answer() {
        let asked = |turns: Vec<Turn>| Question::of(&request(turns), Salt(7));
        let alone = asks("What is a lease?");
        let before = [turn(Role::User, "Hello"), turn(Role::Assistant, "Hi")];
        let later = [before.to_vec(), vec![turn(Role::User, "What is a lease?")]].concat();
        assert_eq!(asked(later), Some(alone.clone()));
        let begun = vec![turn(Role::User, "What is a lease?"), turn(Role::Assistant, "It is")];
        assert_eq!(asked(begun), Some(alone.clone()), "a prefill");
        let divided = asked(vec![turn(Role::User, "Explain this:"), turn(Role::User, "a lease")]).unwrap();
        assert_eq!(divided.marks.first(), asks("Explain this:\nmoney").marks.first());
        let ruled =
            asked(vec![turn(Role::System, "Be brief."), turn(Role::User, "What is a lease?")]).unwrap();
        assert!(ruled.marks == alone.marks && ruled.whole != alone.whole);
        assert_eq!(asked(vec![turn(Role::User, " \n")]), None);
        assert_eq!(asked(vec![]), None);
    }

    #[test]
    fn an_agent_that_goes_on_from_a_tool_asks_nothing() {
        let result = ToolResult {
            call: "c".into(),
            name: None,
            content: vec![],
            json: false,
            error: false,
            kind: ToolCallKind::Function,
            cache: None,
            rest: shim_ir::Rest::default(),
        };
        let mut went_on = turn(Role::User, "Keep in mind what was said.");
        went_on.parts.insert(0, Part::ToolResult(result));
        assert_eq!(Question::of(&request(vec![went_on]), Salt(7)), None);
        let tool = turn(Role::Tool, "42");
        let called = vec![turn(Role::User, "Add"), tool];
        assert_eq!(Question::of(&request(called.clone()), Salt(7)), None);
        let asked = [called, vec![turn(Role::User, "What is a lease?")]].concat();
        assert_eq!(Question::of(&request(asked), Salt(7)), Some(asks("What is a lease?")), "said after it");
    }

    #[test]
    fn one_template_leaves_the_same_marks_whatever_fills_it() {
        let common = |template: &str| {
            let [a, b] = ["a long river, and its banks", "Gold"].map(|it| asks(&template.replace("{}", it)));
            assert_ne!(a.whole, b.whole);
            a.marks.iter().filter(|mark| b.marks.contains(mark)).count()
        };
        assert!(common("Write a long essay about {}") >= 1);
        assert!(common("{}: write a long essay about that") >= 1);
        assert!(common("{}\nWrite a long essay about the above, and\n{}") >= 1);
        assert!(common("{}\n\nWrite about this. {}") >= 1);
        assert!(common("请详细地说明:{}") >= 1);
        let mut long = "{}".to_owned();
        long.push_str(&"x y z ".repeat(5000));
        assert!(common(&format!("{long} and now write an essay")) >= 1, "beyond what is looked at");
    }

    #[test]
    fn reasoning_that_is_asked_for_is_seen() {
        let long = format!("{} Write out your reasoning, step by step!", "word ".repeat(9000));
        let yes = [
            "Let's think step-by-step.",
            "Imagine and articulate the INTERNAL\n reasoning behind it",
            "Give the complete chain-of-thought",
            "请一步一步地回答",
            "Antworte Schritt für Schritt",
            long.as_str(),
        ];
        for text in yes {
            assert!(asks(text).phrased, "{text}");
        }
        for text in ["What is the reason for rain?", "I think so", "Ma pensée est à toi", "这是什么", "steps"]
        {
            assert!(!asks(text).phrased, "{text}");
        }
    }

    #[test]
    fn what_is_asked_for_beside_the_answer_is_seen() {
        let asked = |change: fn(&mut Request)| {
            let mut request = request(vec![turn(Role::User, "Hi")]);
            change(&mut request);
            Question::of(&request, Salt(7)).unwrap()
        };
        let plain = asked(|_| {});
        assert!(!plain.probes && !plain.reasons);
        assert!(asked(|r| r.sampling.logprobs = Some(true)).probes);
        assert!(asked(|r| r.sampling.top_logprobs = Some(5)).probes);
        assert!(asked(|r| r.sampling.candidates = Some(2)).probes);
        assert!(!asked(|r| r.sampling.candidates = Some(1)).probes);
        let shown = |r: &mut Request| {
            r.reasoning = Some(ReasoningAsk { show: Some("auto".into()), ..Default::default() })
        };
        assert!(asked(shown).reasons);
        let warm = asked(|r| r.sampling.temperature = Some(1.5));
        assert!(warm.whole == plain.whole && warm.sampling != plain.sampling);
    }

    proptest! {
        /// Law: any text gives a question of bounded size or none, another under another salt, and the same every time.
        #[test]
        fn any_text_is_bounded(texts in prop::collection::vec("(?s).{0,300}", 0..4), times in 1..80_usize) {
            let turns: Vec<_> = texts.iter().map(|text| turn(Role::User, &text.repeat(times))).collect();
            let asked = Question::of(&request(turns.clone()), Salt(1));
            prop_assert_eq!(&Question::of(&request(turns.clone()), Salt(1)), &asked);
            if let Some(asked) = asked {
                prop_assert!(asked.marks.len() <= 6 && asked.words.len() <= 256);
                prop_assert!(Question::of(&request(turns), Salt(2)).unwrap().whole != asked.whole);
            }
        }
    }
}
