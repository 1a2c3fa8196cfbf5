//! Texts and thoughts of an encoded stream: told piece by piece, with what hangs on them.

use shim_ir::{Delta, Opaque, Part, PartId, Reasoning};

use super::super::encode::{
    Cited, OTHER_FORM, bytes, citation_losses, is_list, is_own_citation, is_own_opaque, logprobs, marked,
    own, sources,
};
use super::encoder::{ChunkEncoder, at};
use super::held::{Body, Held, Told, Words};

impl ChunkEncoder {
    pub(super) fn grow_words(&mut self, index: usize, delta: &Delta, out: &mut Vec<u8>) {
        match delta {
            Delta::Text(text) => self.say(index, text, None, out),
            Delta::Reasoning { piece, text } => self.say(index, text, Some((false, *piece)), out),
            Delta::Summary { piece, text } => self.say(index, text, Some((true, *piece)), out),
            Delta::Whole(whole) => self.whole(index, whole, out),
            Delta::Opaque { kind, value, append } => {
                let opaque = Opaque { kind: *kind, value: value.clone() };
                self.unread(index, std::iter::once(&opaque));
                if let Some((_, _, words)) = words_of(&mut self.parts, index)
                    && is_own_opaque(&opaque)
                {
                    words.sign(opaque, *append);
                }
            }
            Delta::Citation(_) | Delta::Logprobs(_) | Delta::Rest(_) => self.hang(index, delta, out),
            Delta::Arguments(_) | Delta::Data(_) => self.misfit(index),
        }
    }

    /// Hangs on a text what is no text.
    fn hang(&mut self, index: usize, delta: &Delta, out: &mut Vec<u8>) {
        let Some((id, candidate, words)) = words_of(&mut self.parts, index) else { return };
        match delta {
            Delta::Citation(citation) => {
                words.citations.push(citation.clone());
                words.cited += 1;
            }
            Delta::Logprobs(list) => {
                words.logprobs.push(list.clone());
                words.logged = true;
            }
            Delta::Rest(rest) => {
                let path = at(id, candidate);
                if !own(rest, || path.path(), &mut self.losses).is_empty() {
                    words.mark.get_or_insert_default().rest.merge(rest.clone());
                    words.marked = true;
                }
            }
            Delta::Text(_)
            | Delta::Reasoning { .. }
            | Delta::Summary { .. }
            | Delta::Arguments(_)
            | Delta::Data(_)
            | Delta::Opaque { .. }
            | Delta::Whole(_) => {}
        }
        self.hung(index, out);
    }

    /// Tells that a piece is of another kind than its part.
    pub(super) fn misfit(&mut self, index: usize) {
        if let Some(held) = self.parts.get(index) {
            self.losses.dropped(at(held.id, held.candidate).path(), "it does not fit its part");
        }
    }

    /// Tells of opaque state that only another dialect can read.
    pub(super) fn unread<'o>(&mut self, index: usize, mut opaque: impl Iterator<Item = &'o Opaque>) {
        let Some(held) = self.parts.get(index) else { return };
        if opaque.any(|opaque| !is_own_opaque(opaque)) {
            self.losses.dropped(at(held.id, held.candidate).member("opaque"), "only its origin can read it");
        }
    }

    /// Tells a piece of a text or a thought, or keeps it until it is its turn.
    pub(super) fn say(&mut self, index: usize, text: &str, piece: Option<(bool, usize)>, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        let next = self.is_next(index);
        let Some((_, _, words)) = words_of(&mut self.parts, index) else { return };
        let between = words.between(piece);
        if next && between.is_empty() {
            self.tell(index, text, out);
        } else if next {
            self.tell(index, &format!("{between}{text}"), out);
        } else {
            words.waiting.push_str(between);
            words.waiting.push_str(text);
        }
    }

    /// Tells the pieces of a thought.
    pub(super) fn say_thoughts(&mut self, index: usize, reasoning: &Reasoning, out: &mut Vec<u8>) {
        for (piece, text) in reasoning.summary.iter().enumerate() {
            self.say(index, text, Some((true, piece)), out);
        }
        for (piece, text) in reasoning.text.iter().enumerate() {
            self.say(index, text, Some((false, piece)), out);
        }
    }

    /// Tells what a text, a thought or sound has that only another dialect has a place for.
    pub(super) fn unsaid(&mut self, index: usize, part: &Part) {
        let Some(held) = self.parts.get(index) else { return };
        let place = at(held.id, held.candidate);
        let (rest, opaque, named) = match part {
            Part::Text(text) | Part::Refusal(text) => (&text.rest, &text.opaque, false),
            Part::Reasoning(reasoning) => (&reasoning.rest, &reasoning.opaque, reasoning.id.is_some()),
            Part::Media(media) if matches!(held.body, Body::Sound(_)) => (&media.rest, &media.opaque, false),
            Part::Media(_)
            | Part::ToolCall(_)
            | Part::ToolResult(_)
            | Part::ServerResult(_)
            | Part::Foreign(_) => return,
        };
        own(rest, || place.path(), &mut self.losses);
        self.unread(index, opaque.iter());
        if named {
            self.losses.dropped(place.member("id"), "thoughts have no ids");
        }
    }

    /// Tells text whose turn it is.
    fn tell(&mut self, index: usize, text: &str, out: &mut Vec<u8>) {
        let Some((_, candidate, words)) = words_of(&mut self.parts, index) else { return };
        let thought = words.thought;
        words.told.add(text);
        if !thought {
            words.spoken.add(text);
        }
        let mark = words.mark.take();
        let answer = usize::try_from(candidate).ok().and_then(|at| self.answers.get_mut(at));
        if let Some(answer) = answer.filter(|_| !thought) {
            words.base.get_or_insert(answer.said);
            answer.said = answer.said.saturating_add(bytes(text));
        }
        match mark {
            Some(mark) => self.frames.parts(out, candidate, |w| marked(w, text, thought, &mark)),
            None => self.frames.text(out, candidate, text, thought),
        }
        self.hung(index, out);
    }

    /// Tells what hangs on a text that was told: the dialect's own citations, and log probabilities.
    pub(super) fn hung(&mut self, index: usize, out: &mut Vec<u8>) {
        if !self.is_next(index) {
            return;
        }
        let Some((_, candidate, words)) = words_of(&mut self.parts, index) else { return };
        if words.told.bytes == 0 || (words.citations.is_empty() && words.logprobs.is_empty()) {
            return;
        }
        let own: Vec<_> = words.citations.extract_if(.., |citation| is_own_citation(citation)).collect();
        if !own.is_empty() {
            self.frames.candidate(out, candidate, |w| sources(w, own.iter()));
        }
        self.tell_logprobs(index, out);
    }

    /// Tells log probabilities, as far as they are a list of tokens.
    fn tell_logprobs(&mut self, index: usize, out: &mut Vec<u8>) {
        let Some((id, candidate, words)) = words_of(&mut self.parts, index) else { return };
        for list in words.logprobs.drain(..) {
            if !is_list(&list) {
                self.losses.dropped(at(id, candidate).member("logprobs"), OTHER_FORM);
            } else if let Some(raw) = logprobs(&[&list], &[]) {
                self.frames.candidate(out, candidate, |w| w.raw("logprobsResult", &raw));
            }
        }
    }

    /// Tells what the whole part says beyond what was told of it.
    fn whole(&mut self, index: usize, whole: &Part, out: &mut Vec<u8>) {
        self.unsaid(index, whole);
        let next = self.is_next(index);
        let Some((id, candidate, words)) = words_of(&mut self.parts, index) else { return };
        let text = words.fill(whole);
        let told: Told = words.told;
        words.waiting.clear();
        match told.beyond(&text) {
            None => self.losses.near(at(id, candidate).path(), "what was told already cannot be changed"),
            Some("") => {}
            Some(more) if next => self.tell(index, more, out),
            Some(more) => words.waiting.push_str(more),
        }
        self.hung(index, out);
    }

    /// Tells the text that waited.
    pub(super) fn catch_up(&mut self, index: usize, out: &mut Vec<u8>) {
        let Some((_, _, words)) = words_of(&mut self.parts, index) else { return };
        let waiting = std::mem::take(&mut words.waiting);
        if !waiting.is_empty() {
            self.tell(index, &waiting, out);
        }
    }

    pub(super) fn end_words(&mut self, index: usize, out: &mut Vec<u8>) {
        self.tell_logprobs(index, out);
        let Some((_, candidate, words)) = words_of(&mut self.parts, index) else { return };
        let thought = words.thought;
        if let Some(mark) = words.mark.take() {
            self.frames.parts(out, candidate, |w| marked(w, "", thought, &mark));
        }
        let (citations, base) = (std::mem::take(&mut words.citations), words.base.unwrap_or_default());
        let spoken = std::mem::take(&mut words.spoken);
        let place = usize::try_from(candidate).unwrap_or_default();
        let Some(answer) = self.answers.get_mut(place) else { return };
        for citation in citations.iter().filter(|citation| citation.words.is_some() || !answer.grounded) {
            citation_losses(citation, place, &mut self.losses);
            answer.grounds.add(Cited::of(citation, base, &spoken));
            answer.ungrounded = true;
        }
    }
}

/// The text or the thought that a part is, with its id and its answer.
fn words_of(parts: &mut [Held], index: usize) -> Option<(PartId, u32, &mut Words)> {
    let held = parts.get_mut(index)?;
    match &mut held.body {
        Body::Words(words) => Some((held.id, held.candidate, words)),
        Body::Call(_) | Body::Sound(_) | Body::Whole(_) => None,
    }
}
