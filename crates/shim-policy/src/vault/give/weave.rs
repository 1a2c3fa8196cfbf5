//! What is kept of an answer, between the parts of it that a client sent.

use shim_ir::{Executor, Opaque, Part, Reasoning, Text};

use super::super::kept::{Kept, Piece, is_provider_run};
use super::Placed;

/// The client's parts of an answer, before what is kept of it goes back to its maker: what the provider ran gives way to
/// what is kept of that, and texts that the client has put together are apart again and in their places, since a state may
/// be bound to all that stood before it.
pub(super) fn returned(mut own: Vec<Placed>, kept: &Kept) -> Vec<Placed> {
    if kept.pieces.iter().any(Piece::is_provider_run) {
        own.retain(|placed| !is_provider_run(&placed.part));
    }
    match apart(&own, kept) {
        Some(texts) => in_place(own, texts, kept),
        None => own,
    }
}

/// The texts as they were told, one after the other; `None` where the client has other texts.
fn apart(own: &[Placed], kept: &Kept) -> Option<Vec<Placed>> {
    let told: Vec<usize> =
        kept.pieces.iter().filter_map(Piece::text_bytes).filter(|bytes| *bytes > 0).collect();
    let texts = || own.iter().filter_map(|placed| Some((placed, text_of(&placed.part)?)));
    let said: usize = texts().map(|(_, text)| text.text.len()).sum();
    if said != told.iter().sum::<usize>() {
        return None;
    }
    let mut left = told.into_iter();
    let mut parts = Vec::new();
    for (placed, text) in texts() {
        if text.text.is_empty() {
            // Only a client that sends what it was told has one.
            return None;
        }
        let mut rest = text.text.as_str();
        while !rest.is_empty() {
            // A text that ends elsewhere than the one that was told is another one.
            let (piece, behind) = rest.split_at_checked(left.next()?)?;
            let whole = piece.len() == text.text.len();
            let part = if whole { text.clone() } else { piece_of(text, piece, behind.is_empty()) };
            parts.push(Placed { part: Part::Text(part), ..*placed });
            rest = behind;
        }
    }
    Some(parts)
}

/// A piece of a text; the mark of a cache stands behind the last.
fn piece_of(text: &Text, piece: &str, last: bool) -> Text {
    Text { cache: text.cache.clone().filter(|_| last), ..Text::new(piece) }
}

fn text_of(part: &Part) -> Option<&Text> {
    if let Part::Text(text) = part { Some(text) } else { None }
}

/// The client's parts with `texts` in the place of its own, each where it was told: between the same calls.
fn in_place(own: Vec<Placed>, texts: Vec<Placed>, kept: &Kept) -> Vec<Placed> {
    let mut others = own.into_iter().filter(|placed| text_of(&placed.part).is_none()).peekable();
    let mut texts = texts.into_iter();
    let mut placed = Vec::new();
    for piece in &kept.pieces {
        match piece {
            Piece::Text { bytes, .. } if *bytes > 0 => placed.extend(texts.next()),
            Piece::Call { name, .. } => {
                pass(&mut others, &mut placed, |part| hang_on_call(part, name, (None, &[])));
            }
            Piece::Text { .. } | Piece::Reasoning(_) | Piece::Own(_) => {}
        }
    }
    placed.extend(others.chain(texts));
    // Turns stand in order, whatever was moved.
    let mut turn = 0;
    for placed in &mut placed {
        turn = turn.max(placed.turn);
        placed.turn = turn;
    }
    placed
}

/// Puts what is kept of an answer between the parts of it that the client sent: reasoning where it stood before text and
/// calls, and where `hung`, what hung on these; what hung on a text that the client has put together with another hangs
/// on an empty one, as Google sends it too. Where `replaces`, the client's own reasoning gives way to it.
pub(super) fn weave(
    own: Vec<Placed>,
    kept: &Kept,
    (replaces, hung): (bool, bool),
    mut put: impl FnMut(&Reasoning) -> Option<Reasoning>,
) -> Vec<Placed> {
    let last = own.last().map_or(0, |placed| placed.turn);
    let kept_own = |placed: &Placed| !replaces || !matches!(placed.part, Part::Reasoning(_));
    let mut own = own.into_iter().filter(kept_own).peekable();
    let mut woven: Vec<Placed> = Vec::new();
    for piece in &kept.pieces {
        match piece {
            Piece::Reasoning(reasoning) if replaces => {
                if let Some(reasoning) = put(reasoning) {
                    let turn = own.peek().map_or(last, |placed| placed.turn);
                    woven.push(Placed { turn, part: Part::Reasoning(reasoning), put_in: true });
                }
            }
            Piece::Reasoning(_) => {}
            Piece::Text { opaque, .. } => {
                let opaque = if hung { opaque.as_slice() } else { &[] };
                if !pass(&mut own, &mut woven, |part| hang_on_text(part, opaque)) && !opaque.is_empty() {
                    let text = Text { opaque: opaque.to_vec(), ..Text::default() };
                    let turn = own.peek().map_or(last, |placed| placed.turn);
                    woven.push(Placed { turn, part: Part::Text(text), put_in: true });
                }
            }
            Piece::Call { name, item, opaque } => {
                let hung = if hung { (item.as_ref(), opaque.as_slice()) } else { (None, &[][..]) };
                pass(&mut own, &mut woven, |part| hang_on_call(part, name, hung));
            }
            Piece::Own(part) if hung => {
                let turn = own.peek().map_or(last, |placed| placed.turn);
                woven.push(Placed { turn, part: part.clone(), put_in: true });
            }
            Piece::Own(_) => {}
        }
    }
    woven.extend(own);
    woven
}

/// Whether a part is the one that is looked for, is passed on the way to it, or stands behind it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Met {
    It,
    Before,
    Behind,
}

/// Passes the client's parts up to the one that `meets` finds; tells whether it did.
fn pass(
    own: &mut std::iter::Peekable<impl Iterator<Item = Placed>>,
    woven: &mut Vec<Placed>,
    mut meets: impl FnMut(&mut Part) -> Met,
) -> bool {
    while let Some(next) = own.peek_mut() {
        let met = meets(&mut next.part);
        if met != Met::Behind {
            woven.extend(own.next());
        }
        if met != Met::Before {
            return met == Met::It;
        }
    }
    false
}

/// Texts may have been put together, so one that has no place of its own hangs on nothing.
fn hang_on_text(part: &mut Part, opaque: &[Opaque]) -> Met {
    match part {
        Part::Text(text) | Part::Refusal(text) => {
            hang(&mut text.opaque, opaque);
            Met::It
        }
        Part::ToolCall(_) => Met::Behind,
        Part::Reasoning(_)
        | Part::Media(_)
        | Part::ToolResult(_)
        | Part::ServerResult(_)
        | Part::Foreign(_) => Met::Before,
    }
}

fn hang_on_call(part: &mut Part, name: &str, (item, opaque): (Option<&String>, &[Opaque])) -> Met {
    let Part::ToolCall(call) = part else { return Met::Before };
    if call.name != name || call.executor != Executor::Client {
        return Met::Before;
    }
    hang(&mut call.opaque, opaque);
    call.item = call.item.take().or_else(|| item.cloned());
    Met::It
}

fn hang(own: &mut Vec<Opaque>, kept: &[Opaque]) {
    if !kept.is_empty() && own != kept {
        own.clear();
        own.extend_from_slice(kept);
    }
}
