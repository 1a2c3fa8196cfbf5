//! Markers of cached prefixes.

use shim_ir::CacheMark;
use shim_wire::JsonWriter;

use super::super::decode::DIALECT;
use super::ask::Ask;
use super::loss::{At, verbatim};

/// Tells what is lost of the marker of what stands `at`.
pub(super) fn lose_mark(mark: Option<&CacheMark>, at: At<'_>, ask: &mut Ask<'_>) {
    let Some(mark) = mark else { return };
    let cache = at.member("cache");
    if !ask.marks(mark) {
        ask.losses.dropped(cache, "the target caches prefixes by itself");
    // Half an hour, the least there is, holds for what asks for five minutes.
    } else if life(mark, ask).is_none() && !matches!(mark.ttl.as_deref(), None | Some("5m")) {
        ask.losses.approximated(cache.member("ttl"), "the target has no such life");
    }
}

/// How long a prefix is to be kept, in the target's words.
fn life<'m>(mark: &'m CacheMark, ask: &Ask<'_>) -> Option<&'m str> {
    let own = is_own(mark, ask);
    mark.ttl.as_deref().filter(|ttl| own || matches!(*ttl, "30m" | "12h"))
}

fn is_own(mark: &CacheMark, ask: &Ask<'_>) -> bool {
    ask.own || mark.rest.origin() == Some(DIALECT)
}

/// A marker of a cached prefix. Source: `prompt_cache_breakpoint`,
/// <https://developers.openai.com/api/docs/guides/prompt-caching>, read 2026-11-25.
pub(super) fn put_mark(w: &mut JsonWriter<'_>, mark: Option<&CacheMark>, ask: &Ask<'_>) {
    let Some(mark) = mark.filter(|mark| ask.marks(mark)) else { return };
    let own = is_own(mark, ask);
    w.nested("prompt_cache_breakpoint", |w| {
        if !own {
            w.string("mode", "explicit");
        }
        w.maybe("ttl", life(mark, ask), JsonWriter::string);
        verbatim(w, if own { mark.rest.members() } else { &[] }, &[]);
    });
}
