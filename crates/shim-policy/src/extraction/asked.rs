//! What is taken of a request: hashes, and what it asks for beside an answer.

use std::hash::{BuildHasher as _, Hasher as _};

use foldhash::quality::FixedState;
use memchr::memmem;
use shim_ir::{Effort, Part, Request, Role, Turn};

use super::phrases::{ANCHORS, ELSEWHERE, PHRASES};

/// How much of a question is looked at for phrases, lines and words, in bytes; all of it goes into its hash.
const LOOKED_AT_BYTES: usize = 4 << 10;

/// Words of a question that are counted.
const WORDS_MAX: usize = 256;

/// Words of which a mark is made: at the edges of a question.
const MARK_WORDS: usize = 4;

/// Words of which one is made at the beginning of a line inside.
const LINE_WORDS: usize = 3;

/// Lines after the first of which the beginning is a mark.
const LINES_MAX: usize = 4;

/// Words shorter or longer than this say little of what a text is about: articles, and keys in base64.
const WORD_CHARS: std::ops::RangeInclusive<usize> = 4..=24;

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
    /// The hash of it.
    pub(super) text: u64,
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
        let text = hash(&mut said.iter().copied());
        let whole = hash(&mut instructions(request).chain(said.iter().copied()));
        let mut look = Look::new(&state);
        look.over(&said);
        let sampling = &request.sampling;
        let way = format!("{:?} {:?} {:?}", sampling.temperature, sampling.top_p, sampling.top_k);
        Some(Self {
            text,
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

/// What users said since the last answer, in order; `None` where a tool did, or nobody. An answer that the client has begun
/// itself (a prefill) comes after the question.
fn said(turns: &[Turn]) -> Option<Vec<&str>> {
    let mut said = Vec::new();
    let started = turns.iter().rev().skip_while(|turn| turn.role == Role::Assistant);
    for turn in started.take_while(|turn| turn.role != Role::Assistant) {
        if turn.role == Role::Tool || turn.parts.iter().any(|part| matches!(part, Part::ToolResult(_))) {
            return None;
        }
        if turn.role == Role::User {
            said.extend(texts(&turn.parts).rev());
        }
    }
    said.reverse();
    said.iter().any(|text| !text.trim().is_empty()).then_some(said)
}

fn texts(parts: &[Part]) -> impl DoubleEndedIterator<Item = &str> {
    parts.iter().filter_map(|part| if let Part::Text(text) = part { Some(text.text.as_str()) } else { None })
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

/// Reads along with a text, word by word.
struct Look<'s> {
    state: &'s FixedState,
    marks: Vec<u64>,
    words: Vec<u64>,
    anchored: bool,
    /// Hashes of the words of the line so far, up to those a mark is made of.
    line: Vec<u64>,
    /// Hashes of the last words.
    last: [u64; MARK_WORDS],
    lines: usize,
}

impl<'s> Look<'s> {
    fn new(state: &'s FixedState) -> Self {
        let (marks, words, line) = (Vec::new(), Vec::new(), Vec::new());
        Self { state, marks, words, anchored: false, line, last: [0; MARK_WORDS], lines: 0 }
    }

    fn over(&mut self, said: &[&str]) {
        let mut word = String::new();
        for char in head(said).chain(['\n']).chain(tail(said)).chain(['\n']) {
            if char.is_alphanumeric() && !ideographic(char) {
                word.extend(char.to_lowercase());
                continue;
            }
            self.word(&word);
            word.clear();
            if ideographic(char) {
                self.word(char.encode_utf8(&mut [0; 4]));
            }
            if char == '\n' {
                self.end_of_line();
            }
        }
        let end = self.mixed(&self.last, 1);
        self.mark(end);
    }

    fn word(&mut self, word: &str) {
        if word.is_empty() {
            return;
        }
        let hash = self.hash(word);
        self.anchored |= ANCHORS.contains(&word);
        if self.line.len() < MARK_WORDS {
            self.line.push(hash);
        }
        self.last.rotate_left(1);
        if let Some(last) = self.last.last_mut() {
            *last = hash;
        }
        let telling = WORD_CHARS.contains(&word.chars().count()) || word.chars().all(ideographic);
        if telling && self.words.len() < WORDS_MAX && word.chars().all(char::is_alphabetic) {
            self.words.push(hash);
        }
    }

    /// A line's first words are a mark, and so are the few of a first line that has no more. Of other lines, few words are
    /// none: `}` and `else` begin lines of all kinds of code.
    fn end_of_line(&mut self) {
        let words = if self.lines == 0 { Some(self.line.as_slice()) } else { self.line.get(..LINE_WORDS) };
        let words = words.filter(|_| self.lines <= LINES_MAX && !self.line.is_empty());
        if let Some(mark) = words.map(|words| self.mixed(words, 0)) {
            self.mark(mark);
        }
        self.lines += usize::from(!self.line.is_empty());
        self.line.clear();
    }

    fn mark(&mut self, mark: u64) {
        if !self.marks.contains(&mark) {
            self.marks.push(mark);
        }
    }

    /// Whether it asks for reasoning. Phrases are looked for where a word of theirs was seen.
    fn phrased(&self, said: &[&str]) -> bool {
        let any = |phrases: &[&str], text: &str| {
            phrases.iter().any(|phrase| memmem::find(text.as_bytes(), phrase.as_bytes()).is_some())
        };
        let foreign = || said.iter().any(|text| !text.is_ascii());
        if !self.anchored && !foreign() {
            return false;
        }
        let text = plain(head(said).chain([' ']).chain(tail(said)));
        (self.anchored && any(&PHRASES, &text)) || (foreign() && any(&ELSEWHERE, &text))
    }

    fn hash(&self, word: &str) -> u64 {
        let mut hasher = self.state.build_hasher();
        hasher.write(word.as_bytes());
        hasher.finish()
    }

    fn mixed(&self, words: &[u64], kind: u64) -> u64 {
        let mut hasher = self.state.build_hasher();
        hasher.write_u64(kind);
        words.iter().for_each(|word| hasher.write_u64(*word));
        hasher.finish()
    }
}

/// A text as phrases are written: small letters, and one blank for whatever stands between words.
fn plain(text: impl Iterator<Item = char>) -> String {
    let mut plain = String::new();
    for char in text {
        if char.is_alphanumeric() {
            plain.extend(char.to_lowercase());
        } else if !plain.ends_with(' ') {
            plain.push(' ');
        }
    }
    plain
}

/// Whether a letter is a word by itself: Han, and the syllables of Japanese.
fn ideographic(char: char) -> bool {
    matches!(char, '\u{2E80}'..='\u{2FDF}' | '\u{3040}'..='\u{30FF}' | '\u{3400}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}')
}

/// The beginning of what was said, a piece a line.
fn head(said: &[&str]) -> impl Iterator<Item = char> {
    let lines = said.iter().flat_map(|text| text.chars().chain(['\n']));
    let mut left = LOOKED_AT_BYTES;
    lines.take_while(move |char| {
        let fits = left >= char.len_utf8();
        left = left.saturating_sub(char.len_utf8());
        fits
    })
}

/// The end of what was said, where the beginning did not reach that far.
fn tail<'a>(said: &[&'a str]) -> impl Iterator<Item = char> + use<'a> {
    let bytes: usize = said.iter().map(|text| text.len() + 1).sum();
    let last = said.last().copied().filter(|_| bytes > LOOKED_AT_BYTES).unwrap_or_default();
    let mut start = last.len().saturating_sub(LOOKED_AT_BYTES / 4);
    while !last.is_char_boundary(start) {
        start += 1;
    }
    last.get(start..).unwrap_or_default().chars()
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
        assert!(ruled.text == alone.text && ruled.whole != alone.whole);
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
        assert_eq!(Question::of(&request(vec![turn(Role::User, "Add"), tool]), Salt(7)), None);
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
