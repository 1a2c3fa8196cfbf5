//! The names functions are sent under: those the dialect allows.

use std::borrow::Cow;

use shim_ir::{Tool, ToolCall, ToolKind};

use crate::SentTool;
use crate::echo::{group_of, group_rest};

/// The functions on offer.
#[derive(Debug, Default)]
pub(crate) struct Names<'r> {
    known: Vec<Known<'r>>,
    length_max: usize,
}

#[derive(Debug)]
struct Known<'r> {
    group: Option<&'r str>,
    name: &'r str,
    sent: String,
    free_text: bool,
}

impl<'r> Names<'r> {
    pub(super) fn of(tools: &'r [Tool], length_max: usize) -> Self {
        let mut names = Self { known: Vec::new(), length_max };
        // Names that can stay are given first, so that a changed one never takes one of them.
        tools.iter().for_each(|tool| names.add(tool, None, true));
        tools.iter().for_each(|tool| names.add(tool, None, false));
        names
    }

    fn add(&mut self, tool: &'r Tool, group: Option<&'r str>, stays: bool) {
        match &tool.kind {
            ToolKind::Group(tools) => tools.iter().for_each(|inner| self.add(inner, Some(&tool.name), stays)),
            ToolKind::Native(_) => {}
            ToolKind::Function { .. } | ToolKind::Custom { .. } => {
                let wanted = joined(group, &tool.name);
                let allowed = self.allowed(&wanted);
                if (group.is_none() && allowed == wanted) == stays {
                    let sent = self.unique(allowed.into_owned());
                    let free_text = matches!(tool.kind, ToolKind::Custom { .. });
                    self.known.push(Known { group, name: &tool.name, sent, free_text });
                }
            }
        }
    }

    /// The name as the dialect allows it: letters, digits, `_`, `.`, `:` and `-`, not beginning with a digit or a mark.
    /// Source: `FunctionDeclaration` of the Python SDK's types.
    fn allowed<'n>(&self, name: &'n str) -> Cow<'n, str> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':' | '-');
        let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if begins && name.len() <= self.length_max && name.chars().all(fits) {
            return Cow::Borrowed(name);
        }
        let mut fitted = String::from(if begins { "" } else { "_" });
        fitted.extend(name.chars().map(|c| if fits(c) { c } else { '_' }));
        fitted.truncate(self.length_max);
        Cow::Owned(fitted)
    }

    fn unique(&self, name: String) -> String {
        let taken = |name: &str| self.known.iter().any(|known| known.sent == name);
        if !taken(&name) {
            return name;
        }
        let numbered = |number: usize| {
            let mark = format!("_{number}");
            let kept = name.len().min(self.length_max.saturating_sub(mark.len()));
            format!("{}{mark}", name.get(..kept).unwrap_or_default())
        };
        (2..).map(numbered).find(|name| !taken(name)).unwrap_or_default()
    }

    /// The name a tool is sent under; one that is not on offer is only made to fit.
    pub(super) fn sent(&self, name: &str, group: Option<&str>) -> String {
        let exact = self.known.iter().find(|known| known.name == name && known.group == group);
        let found = exact.or_else(|| self.known.iter().find(|known| known.name == name));
        found.map_or_else(|| self.allowed(name).into_owned(), |known| known.sent.clone())
    }

    /// The name a call is sent under. Without a bound, as in answers, it stays as it is.
    pub(super) fn of_call(&self, call: &ToolCall) -> String {
        if self.length_max == 0 {
            return call.name.clone();
        }
        self.sent(&call.name, group_of(&call.rest).as_deref())
    }

    /// What reading the answer needs.
    pub(super) fn echo(&self) -> Vec<SentTool> {
        let changed =
            |known: &&Known<'_>| known.sent != known.name || known.group.is_some() || known.free_text;
        self.known.iter().filter(changed).map(Known::echo).collect()
    }
}

impl Known<'_> {
    fn echo(&self) -> SentTool {
        let rest = self.group.map(group_rest).unwrap_or_default();
        SentTool { sent: self.sent.clone(), name: self.name.to_owned(), rest, free_text: self.free_text }
    }
}

fn joined<'n>(group: Option<&str>, name: &'n str) -> Cow<'n, str> {
    match group {
        None => Cow::Borrowed(name),
        // A group's name may end in what divides it from its tools.
        Some(group) if group.ends_with("__") => Cow::Owned(format!("{group}{name}")),
        Some(group) => Cow::Owned(format!("{group}__{name}")),
    }
}
