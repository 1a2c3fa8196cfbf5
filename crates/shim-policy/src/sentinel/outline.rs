//! What a prompt is made of, as hashes.

use std::hash::{BuildHasher as _, Hasher as _};
use std::ops::Range;

use foldhash::fast::FixedState;
use memchr::memmem;
use shim_wire::Layout;
use shim_wire::scan::utf8;

/// Bytes in a piece: how precisely a difference is placed.
pub const PIECE_BYTES: usize = 1024;

/// How far back in a conversation its last turn is looked for: a turn can add a call and a result for each of many tools.
const LOOK_BACK_MAX: usize = 64;

/// A part of a prompt, in the order in which providers cache: Anthropic says so
/// (<https://platform.claude.com/docs/en/build-with-claude/prompt-caching>, read 2026-11-26), and chat templates put
/// tools and instructions before the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    /// The tools on offer.
    Tools,
    /// The instructions.
    System,
    /// The conversation.
    Messages,
}

/// The members of request bodies that hold sections, in the words of every dialect.
const MEMBERS: [(&str, Section); 8] = [
    ("tools", Section::Tools),
    ("system", Section::System),
    ("systemInstruction", Section::System),
    ("system_instruction", Section::System),
    ("instructions", Section::System),
    ("messages", Section::Messages),
    ("input", Section::Messages),
    ("contents", Section::Messages),
];

/// A prompt as hashes: an element of its tools, instructions and conversation at a time, each in pieces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    elements: Vec<Element>,
    pieces: Vec<u64>,
}

/// A tool, a block of instructions, a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Element {
    /// Which of [`MEMBERS`] it stands in.
    member: u8,
    /// Whether the member is a list.
    listed: bool,
    /// Where it stands in the body.
    start: u32,
    /// Its length in bytes, without marks of the cache.
    bytes: u32,
    /// The length of the marks of the cache in it.
    marks: u32,
    /// The end of its pieces.
    pieces_end: u32,
    /// The hash of all of it.
    hash: u64,
}

/// Where a prompt differs from the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// In which part.
    pub section: Section,
    /// Where that is in the body: `tools[3]`, `messages[17]`, `system`.
    pub path: String,
    /// The bytes of the body among which the first different one is.
    pub range: Range<u64>,
    /// The hash of those bytes; 0 where there is nothing any more.
    pub hash: u64,
    /// Bytes of the prompt before that place, marks of the cache not counted.
    pub common: u64,
}

impl Element {
    fn section(&self) -> Section {
        MEMBERS.get(usize::from(self.member)).map_or(Section::Messages, |(_, section)| *section)
    }

    fn name(&self) -> &'static str {
        MEMBERS.get(usize::from(self.member)).map_or("", |(name, _)| name)
    }
}

impl Outline {
    /// The outline of a request's body, which is laid out so; empty where it holds no prompt.
    #[must_use]
    pub fn of(body: &[u8], layout: &Layout) -> Self {
        let mut found: Vec<(u8, bool, Range<usize>)> = Vec::new();
        for (key, value, elements) in layout.members(body) {
            let Some(member) = MEMBERS.iter().position(|(name, _)| name.as_bytes() == key) else { continue };
            let member = u8::try_from(member).unwrap_or_default();
            match body.get(value.start) {
                Some(b'[') => found.extend(elements.map(|element| (member, true, element))),
                Some(b'n') | None => {}
                Some(_) => found.push((member, false, value)),
            }
        }
        // The order of the members is not that of the prompt.
        let section = |member: u8| MEMBERS.get(usize::from(member)).map(|(_, section)| *section);
        found.sort_by_key(|(member, ..)| section(*member));
        let mut outline = Self {
            elements: Vec::with_capacity(found.len()),
            pieces: Vec::with_capacity(body.len() / PIECE_BYTES + found.len()),
        };
        // Reading the body told whether there is any mark, and a search costs as much as all else that is done here.
        let marked = layout.found().is_none_or(|found| found.may_hold(MARK));
        for (member, listed, span) in found {
            if let Some(text) = body.get(span.clone()) {
                let unmarked = if marked { without_marks(text) } else { None };
                outline.add(member, listed, span.start, (text, unmarked.as_deref()));
            }
        }
        outline
    }

    fn add(&mut self, member: u8, listed: bool, start: usize, (text, unmarked): (&[u8], Option<&str>)) {
        let said = unmarked.map_or(text, str::as_bytes);
        let before = self.pieces.len();
        let state = FixedState::with_seed(0);
        let hash = |bytes: &[u8]| {
            let mut hasher = state.build_hasher();
            hasher.write(bytes);
            hasher.finish()
        };
        self.pieces.extend(said.chunks(PIECE_BYTES).map(hash));
        let pieces = self.pieces.get(before..).unwrap_or_default();
        let whole = match pieces {
            [one] => *one,
            pieces => pieces.iter().fold(said.len() as u64, |all, piece| mix(all, *piece)),
        };
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        self.elements.push(Element {
            member,
            listed,
            start: number(start),
            bytes: number(said.len()),
            marks: number(text.len() - said.len()),
            pieces_end: number(self.pieces.len()),
            hash: whole,
        });
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }

    /// Bytes it takes in memory.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.elements.len() * size_of::<Element>() + self.pieces.len() * size_of::<u64>()
    }

    /// The names under which a turn before this one is known whose prompt is the beginning of this one, the latest first:
    /// of the prompt as far as each of its last messages. The first is this turn's own. `owner` tells keys apart.
    #[must_use]
    pub fn exact_names(&self, owner: u64) -> Vec<u64> {
        let mut all = owner;
        let mut names = Vec::new();
        for element in &self.elements {
            all = mix(all, element.hash);
            if element.section() == Section::Messages {
                names.push(all);
            }
        }
        names.reverse();
        names.truncate(LOOK_BACK_MAX);
        names
    }

    /// The names under which a turn before this one is known whatever has changed before its last messages: those alone,
    /// two at a time, the latest first. The first is this turn's own.
    pub fn loose_names(&self, owner: u64) -> impl Iterator<Item = u64> {
        let messages = self.section(Section::Messages);
        (0..messages.len()).rev().take(LOOK_BACK_MAX).map(move |at| {
            let hash = |at: usize| messages.get(at).map_or(0, |message| message.hash);
            let before = at.checked_sub(1).map_or(0, hash);
            mix(mix(!owner, before), hash(at))
        })
    }

    /// Whether this is likely a later prompt of the conversation of `before`, which ended in messages that this one holds
    /// too. Conversations with nothing but those in common are not one: other agents say the same words.
    #[must_use]
    pub fn goes_on_from(&self, before: &Self) -> bool {
        let changed = |section| differing(self.section(section), before.section(section));
        let said = before.section(Section::Messages).len();
        let (tools, system) = (changed(Section::Tools), changed(Section::System));
        let frame = if changed(Section::Messages) {
            !tools && !system
        } else {
            // One message is soon said twice; two are a conversation.
            said > 1 || !(tools && system)
        };
        frame && self.section(Section::Messages).len() > said
    }

    fn section(&self, section: Section) -> &[Element] {
        let start = self.elements.partition_point(|element| element.section() < section);
        let end = self.elements.partition_point(|element| element.section() <= section);
        self.elements.get(start..end).unwrap_or_default()
    }

    fn pieces(&self, element: &Element) -> &[u64] {
        let at = self.elements.partition_point(|other| other.pieces_end < element.pieces_end);
        let start = at.checked_sub(1).and_then(|before| self.elements.get(before));
        let start = start.map_or(0, |before| before.pieces_end as usize);
        self.pieces.get(start..element.pieces_end as usize).unwrap_or_default()
    }

    /// Where this prompt first differs from `before`, the one of the turn before; `None` where it only grew.
    #[must_use]
    pub fn differs(&self, before: &Self) -> Option<Place> {
        let mut common = 0;
        for section in [Section::Tools, Section::System, Section::Messages] {
            let (now, then) = (self.section(section), before.section(section));
            for (at, element) in now.iter().enumerate() {
                let Some(other) = then.get(at) else {
                    // A conversation grows; one more tool stands before all of it.
                    if section == Section::Messages {
                        break;
                    }
                    return Some(self.place(section, at, element, 0, common));
                };
                if element.hash != other.hash || element.bytes != other.bytes {
                    let pieces = self.pieces(element).iter().zip(before.pieces(other));
                    let same = pieces.take_while(|(a, b)| a == b).count();
                    let same = same.min((element.bytes as usize).saturating_sub(1) / PIECE_BYTES);
                    return Some(self.place(section, at, element, same, common));
                }
                common += u64::from(element.bytes);
            }
            if then.len() > now.len() {
                return Some(ended(section, now, then, common));
            }
        }
        None
    }

    /// The place of the piece numbered `same` of an element.
    fn place(&self, section: Section, at: usize, element: &Element, same: usize, common: u64) -> Place {
        let offset = (same * PIECE_BYTES) as u64;
        let start = u64::from(element.start) + offset;
        let whole = u64::from(element.bytes) + u64::from(element.marks);
        // Where marks were left out, the piece may stand as much further on.
        let end = (offset + PIECE_BYTES as u64 + u64::from(element.marks)).min(whole);
        let path =
            if element.listed { format!("{}[{at}]", element.name()) } else { element.name().to_owned() };
        Place {
            section,
            path,
            range: start..u64::from(element.start) + end.max(offset),
            hash: self.pieces(element).get(same).copied().unwrap_or_default(),
            common: common + offset,
        }
    }
}

/// Whether two sections differ, growth of a conversation aside.
fn differing(now: &[Element], then: &[Element]) -> bool {
    let same = |(a, b): (&Element, &Element)| a.hash == b.hash && a.bytes == b.bytes;
    let grows = now.first().is_some_and(|element| element.section() == Section::Messages);
    now.len() < then.len() || (now.len() > then.len() && !grows) || !now.iter().zip(then).all(same)
}

/// The place where something is no longer there.
fn ended(section: Section, now: &[Element], then: &[Element], common: u64) -> Place {
    let name = then.get(now.len()).map_or("", |gone| gone.name());
    let end =
        now.last().map_or(0, |last| u64::from(last.start) + u64::from(last.bytes) + u64::from(last.marks));
    Place { section, path: format!("{name}[{}]", now.len()), range: end..end, hash: 0, common }
}

/// The member that marks how far a prompt is to be cached. It moves on with every turn, and is no part of the prompt.
const MARK: &str = "cache_control";

/// The same as it stands in a body.
const MARKS: &str = "\"cache_control\"";

/// `text` without its marks of the cache; `None` where it has none.
fn without_marks(text: &[u8]) -> Option<String> {
    let mut marks = memmem::find_iter(text, MARKS.as_bytes()).peekable();
    marks.peek()?;
    let text = utf8(text).ok()?;
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for at in marks {
        let Some(value) =
            text.get(at + MARKS.len()..).and_then(|rest| rest.trim_ascii_start().strip_prefix(':'))
        else {
            continue;
        };
        // A mark is an object without objects in it, or null.
        let value = value.trim_ascii_start();
        let length =
            if value.starts_with('{') { value.find('}').map(|end| end + 1) } else { value.find([',', '}']) };
        let Some(length) = length else { continue };
        let mut end = text.len() - value.len() + length;
        let before = text.get(from..at).unwrap_or_default().trim_ascii_end();
        let before = match before.strip_suffix(',') {
            Some(bare) => bare,
            None => {
                // The first of an object: the comma behind it goes with it.
                let rest = text.get(end..).unwrap_or_default();
                let bare = rest.trim_ascii_start();
                end += if bare.starts_with(',') { rest.len() - bare.len() + 1 } else { 0 };
                before
            }
        };
        out.push_str(before);
        from = end;
    }
    out.push_str(text.get(from..).unwrap_or_default());
    Some(out)
}

/// Two hashes as one. Their order counts.
fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a ^ 0x9e37_79b9_7f4a_7c15) * u128::from(b ^ 0xd6e8_feb8_6659_fd93);
    let [low, high] = [product & u128::from(u64::MAX), product >> 64];
    let folded = low ^ high;
    u64::try_from(folded).unwrap_or_default() ^ b.rotate_left(23)
}
