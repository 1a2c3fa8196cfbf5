//! Names of tools and ids of calls, within what a provider permits.

use std::borrow::Cow;
use std::collections::HashMap;

use shim_ir::{Executor, Part, Request, Rest, Role, Tool, ToolCall, ToolKind, Traits};

use super::losses::Site;
use crate::echo::group_rest;
use crate::openai_chat::decode::has_form;
use crate::{Echo, SentTool};

/// A name holds letters, digits, `_` and `-`, and is at most this long: `function.name` of
/// <https://platform.openai.com/docs/api-reference/chat/create>, read 2026-11-25.
const NAME_CHARS_MAX: usize = 64;

/// The names tools are sent under.
#[derive(Debug, Default)]
pub(crate) struct Names {
    taken: Vec<String>,
    pub(crate) echo: Echo,
}

impl Names {
    /// The name a tool is sent under; what differs from the client's is noted.
    pub(crate) fn offer(&mut self, tool: &Tool, group: Option<&Tool>, free_text: bool) -> String {
        let full = group.map_or(Cow::Borrowed(tool.name.as_str()), |group| {
            let between = if group.name.ends_with('_') { "" } else { "__" };
            Cow::Owned(format!("{}{between}{}", group.name, tool.name))
        });
        let sent = self.unique(&permitted(&full));
        if sent != tool.name || free_text || group.is_some() {
            self.echo.tools.push(SentTool {
                sent: sent.clone(),
                name: tool.name.clone(),
                rest: group.map(|group| group_rest(&group.name)).unwrap_or_default(),
                free_text,
            });
        }
        self.taken.push(sent.clone());
        sent
    }

    /// A name nobody has: `name`, or that with a number.
    pub(crate) fn unique(&self, name: &str) -> String {
        let numbered = (2..).map(|number| {
            let suffix = format!("_{number}");
            let room = NAME_CHARS_MAX - suffix.len();
            name.chars().take(room).collect::<String>() + &suffix
        });
        let free = |name: &String| !self.taken.contains(name);
        std::iter::once(name.to_owned()).chain(numbered).find(free).unwrap_or_default()
    }

    /// The tool that a call of `name` in the conversation means, where it was sent in another form.
    pub(crate) fn sent(&self, name: &str, rest: &Rest) -> Option<&SentTool> {
        let fits = |tool: &&SentTool| {
            tool.name == name && tool.rest.members().iter().all(|(key, raw)| rest.get(key) == Some(raw))
        };
        self.echo.tools.iter().find(fits)
    }

    /// The name that a tool of the client is sent under.
    pub(crate) fn name<'n>(&'n self, name: &'n str, rest: &Rest) -> Cow<'n, str> {
        match self.sent(name, rest) {
            Some(tool) => Cow::Borrowed(&tool.sent),
            None => permitted(name),
        }
    }

    /// The name that a tool is sent under, by its name alone, whatever group it is in.
    pub(crate) fn chosen<'n>(&'n self, name: &'n str) -> Cow<'n, str> {
        match self.echo.tools.iter().find(|tool| tool.name == name) {
            Some(tool) => Cow::Borrowed(&tool.sent),
            None => permitted(name),
        }
    }
}

/// `name` with every character that is not permitted replaced, and not too long.
fn permitted(name: &str) -> Cow<'_, str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if name.chars().all(fits) && name.len() <= NAME_CHARS_MAX {
        return Cow::Borrowed(name);
    }
    let fitted: String = name.chars().map(|c| if fits(c) { c } else { '_' }).collect();
    if fitted.len() <= NAME_CHARS_MAX {
        return Cow::Owned(fitted);
    }
    // What was cut off is told by a hash, so that long names with one beginning stay apart.
    let hash = format!("_{:08x}", digest(name) & 0xFFFF_FFFF);
    Cow::Owned(fitted.chars().take(NAME_CHARS_MAX - hash.len()).collect::<String>() + &hash)
}

/// A hash that is the same everywhere and always (FNV-1a, 64 bits).
pub(crate) fn digest(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// What a provider permits as the id of a call.
#[derive(Clone, Copy, Debug)]
enum IdForm {
    Any,
    /// OpenAI's own bound.
    Max40,
    /// Mistral's nine letters and digits.
    Of9,
}

/// The ids calls are sent under.
#[derive(Debug)]
pub(crate) struct CallIds {
    form: IdForm,
    /// Ids made for calls that have none, and for their results.
    made: HashMap<Site, String>,
}

impl CallIds {
    /// Makes an id for each call that has none and finds the results it belongs to, by the tool's name and by order. An
    /// id is made of the place of its call, so that the same conversation, grown by a turn, is the same text: made of
    /// anything else it would never meet a prompt cache.
    pub(crate) fn of(request: &Request, traits: &Traits) -> Self {
        let form = match () {
            () if traits.has("call_ids_of_9") => IdForm::Of9,
            () if traits.has("call_ids_max_40") => IdForm::Max40,
            () => IdForm::Any,
        };
        let mut ids = Self { form, made: HashMap::new() };
        let mut open = Vec::new();
        for (at, turn) in request.turns.iter().enumerate() {
            for (part_at, part) in turn.parts.iter().enumerate() {
                ids.number(Site::Turn(at, part_at), part, &turn.role, &mut open);
            }
        }
        ids
    }

    fn number<'r>(&mut self, site: Site, part: &'r Part, role: &Role, open: &mut Vec<(&'r str, String)>) {
        let made = |site: Site| match site {
            Site::Turn(turn, part) => format!("call_{turn}_{part}"),
            Site::System(_) | Site::Result(..) | Site::Answer(..) => String::new(),
        };
        if let Part::ToolCall(call) = part
            && needs_id(call)
        {
            open.push((&call.name, made(site)));
            self.made.insert(site, made(site));
        }
        let Part::ToolResult(result) = part else { return };
        if result.call.is_empty() && !matches!(role, Role::Other(_)) {
            let same = open.iter().position(|(name, _)| Some(*name) == result.name.as_deref());
            let at = same.unwrap_or_default();
            let id = if at < open.len() { open.remove(at).1 } else { made(site) };
            self.made.insert(site, id);
        }
    }

    /// The id that the call or result at `site` is sent under.
    pub(crate) fn id<'i>(&'i self, site: Site, id: &'i str) -> Cow<'i, str> {
        let id = self.made.get(&site).map_or(id, String::as_str);
        let whole = id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        match self.form {
            IdForm::Of9 if !whole => Cow::Owned(of_nine(id)),
            IdForm::Max40 if id.len() > 40 => Cow::Owned(format!("call_{:016x}", digest(id))),
            IdForm::Any | IdForm::Of9 | IdForm::Max40 => Cow::Borrowed(id),
        }
    }
}

fn needs_id(call: &ToolCall) -> bool {
    call.id.is_empty() && call.executor == Executor::Client && !has_form(&call.rest, "function_call")
}

/// Nine letters and digits that stand for `id`.
fn of_nine(id: &str) -> String {
    let mut hash = digest(id);
    let mut digit = || {
        let digit = u32::try_from(hash % 36).unwrap_or_default();
        hash /= 36;
        char::from_digit(digit, 36).unwrap_or('0')
    };
    (0..9).map(|_| digit()).collect()
}

/// Whether a tool is one that the client runs and that takes free text.
pub(crate) fn is_custom(tool: &Tool) -> bool {
    matches!(tool.kind, ToolKind::Custom { .. })
}
