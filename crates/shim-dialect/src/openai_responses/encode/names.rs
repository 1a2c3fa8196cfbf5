//! The names tools are sent under.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use shim_ir::{Rest, Tool, ToolKind};

use crate::echo::{group_of, group_rest};
use crate::{Echo, SentTool};

/// Longest name of a function. Source: `name` of a function,
/// <https://platform.openai.com/docs/api-reference/chat/create>, read 2026-11-25.
const NAME_BYTES_MAX: usize = 64;

/// The names tools are sent under, where they are not their own.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// By group and name.
    changed: HashMap<(String, String), String>,
    /// Whether names that nobody offered (of calls in history) are made to fit.
    fitted: bool,
    /// Whether groups are sent as the tools in them.
    flat: bool,
}

impl Names {
    /// The names of `tools`. `own` says that they are this dialect's own words, which are sent as they are; `flat` that
    /// groups are sent as the tools in them.
    pub(super) fn of(tools: &[Tool], own: bool, flat: bool) -> Self {
        let mut names = Self { fitted: !own, flat, ..Self::default() };
        let flattened = offered(tools, flat);
        let mut taken: HashSet<String> = HashSet::new();
        let (sound, others): (Vec<_>, Vec<_>) =
            flattened.into_iter().partition(|(group, name)| group.is_empty() && (own || is_sound(name)));
        taken.extend(sound.iter().map(|(_, name)| (*name).to_owned()));
        for (group, name) in others {
            let wanted = joined(group, name);
            let mut sent = fit(&wanted);
            if taken.contains(&sent) {
                sent = shortened(&wanted);
            }
            taken.insert(sent.clone());
            names.changed.insert((group.to_owned(), name.to_owned()), sent);
        }
        names
    }

    /// The name a tool is sent under.
    pub(super) fn sent<'n>(&'n self, group: &str, name: &'n str) -> Cow<'n, str> {
        let group = if self.flat { group } else { "" };
        if !self.changed.is_empty()
            && let Some(sent) = self.changed.get(&(group.to_owned(), name.to_owned()))
        {
            return Cow::Borrowed(sent);
        }
        if self.fitted && !is_sound(name) { Cow::Owned(fit(name)) } else { Cow::Borrowed(name) }
    }

    /// The group a call names, where groups are sent as the tools in them.
    pub(super) fn group_of(&self, rest: &Rest) -> String {
        if self.flat { group_of(rest).unwrap_or_default() } else { String::new() }
    }

    /// What reading a call of a tool will need; nothing where it is sent as it is.
    pub(super) fn echo(&self, group: &str, name: &str, free_text: bool, echo: &mut Echo) {
        let sent = self.sent(group, name);
        if sent == name && !free_text && group.is_empty() {
            return;
        }
        let rest = if group.is_empty() { Rest::default() } else { group_rest(group) };
        echo.tools.push(SentTool { sent: sent.into_owned(), name: name.to_owned(), rest, free_text });
    }
}

/// The tools with names, each with the group it is in, where groups are sent as the tools in them.
fn offered(tools: &[Tool], flat: bool) -> Vec<(&str, &str)> {
    let mut list = Vec::new();
    for tool in tools {
        match &tool.kind {
            ToolKind::Function { .. } | ToolKind::Custom { .. } => list.push(("", tool.name.as_str())),
            ToolKind::Group(tools) if flat => {
                list.extend(tools.iter().map(|inner| (tool.name.as_str(), inner.name.as_str())));
            }
            ToolKind::Group(_) | ToolKind::Native(_) => {}
        }
    }
    list
}

fn joined(group: &str, name: &str) -> String {
    if group.is_empty() { name.to_owned() } else { format!("{group}__{name}") }
}

fn is_sound(name: &str) -> bool {
    !name.is_empty() && name.len() <= NAME_BYTES_MAX && name.bytes().all(is_allowed)
}

fn is_allowed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// `name` with what is not allowed replaced, and shortened where it is too long.
fn fit(name: &str) -> String {
    let clean = cleaned(name);
    if clean.is_empty() || clean.len() > NAME_BYTES_MAX { shortened(name) } else { clean }
}

fn cleaned(name: &str) -> String {
    let replaced = |c: char| if u8::try_from(c).is_ok_and(is_allowed) { c } else { '_' };
    name.chars().map(replaced).collect()
}

/// The beginning of `name` and a hash of all of it: the same whatever else is offered.
fn shortened(name: &str) -> String {
    let clean = cleaned(name);
    let kept = clean.get(..clean.len().min(NAME_BYTES_MAX - 9)).unwrap_or_default();
    format!("{kept}_{:08x}", hash(name))
}

/// FNV-1a, in 32 bits.
pub(super) fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
