//! Whether a request that cannot be carried exactly goes on.

use shim_ir::{Loss, LossKind};

/// What an alias says of what cannot be carried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// Whether everything left out or approximated refuses the request, unless a field says otherwise.
    pub strict: bool,
    /// What single fields say, the most telling first: by their path, with `*` for any run of characters.
    pub fields: Vec<(String, Verdict)>,
}

/// What becomes of a field that cannot be carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is left out, even where the answer depends on it.
    Drop,
    /// What is near to it will do; where there is nothing near, the request is refused.
    Map,
    /// The request is refused.
    Refuse,
}

impl Verdict {
    /// The verdict of a word of the configuration.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "drop" => Some(Self::Drop),
            "map" => Some(Self::Map),
            "refuse" => Some(Self::Refuse),
            _ => None,
        }
    }
}

impl Rule {
    /// The losses that refuse the request; none when it goes on.
    ///
    /// Without a word on its field, a loss refuses where it is [`LossKind::Unsupported`], and in a strict alias also
    /// where something was dropped or approximated. A default the other side needs never refuses by itself, nor does what
    /// no model reads.
    #[must_use]
    pub fn refused<'l>(&self, losses: &'l [Loss]) -> Vec<&'l Loss> {
        losses.iter().filter(|loss| self.refuses(loss)).collect()
    }

    fn refuses(&self, loss: &Loss) -> bool {
        match (self.verdict(&loss.path), loss.kind) {
            (Some(Verdict::Drop), _) => false,
            (Some(Verdict::Refuse), _) => true,
            (Some(Verdict::Map), kind) => matches!(kind, LossKind::Dropped | LossKind::Unsupported),
            (None, LossKind::Unsupported) => true,
            (None, LossKind::Dropped | LossKind::Approximated) => self.strict,
            (None, LossKind::Defaulted | LossKind::Noted) => false,
        }
    }

    fn verdict(&self, path: &str) -> Option<Verdict> {
        self.fields.iter().find(|(pattern, _)| matches(pattern, path)).map(|(_, verdict)| *verdict)
    }
}

/// Whether `path` is one that `pattern` means: `*` stands for any run of characters, and a pattern also means what is
/// inside what it names (`tools` means `tools[0].strict`).
fn matches(pattern: &str, path: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = path.strip_prefix(first) else { return false };
    for piece in pieces {
        let Some(at) = rest.find(piece) else { return false };
        rest = rest.get(at + piece.len()..).unwrap_or_default();
    }
    pattern.ends_with('*') || rest.is_empty() || rest.starts_with(['.', '['])
}

#[cfg(test)]
mod tests {
    use shim_ir::{Loss, LossKind};

    use super::{Rule, Verdict, matches};

    #[track_caller]
    fn check(rule: &Rule, path: &str, kind: LossKind, refused: bool) {
        assert_eq!(!rule.refused(&[Loss::new(path, kind, "x")]).is_empty(), refused, "{path} {kind:?}");
    }

    #[test]
    fn a_strict_alias_refuses_what_a_lenient_one_reports() {
        use LossKind::{Approximated, Defaulted, Dropped, Noted, Unsupported};
        for (kind, lenient, strict) in [
            (Dropped, false, true),
            (Approximated, false, true),
            (Defaulted, false, false),
            (Unsupported, true, true),
            (Noted, false, false),
        ] {
            check(&Rule::default(), "seed", kind, lenient);
            check(&Rule { strict: true, fields: vec![] }, "seed", kind, strict);
        }
    }

    #[test]
    fn a_field_has_the_last_word() {
        let fields = vec![
            ("messages[*].cache_control".to_owned(), Verdict::Drop),
            ("seed".to_owned(), Verdict::Refuse),
            ("reasoning".to_owned(), Verdict::Map),
        ];
        let rule = Rule { strict: true, fields };
        check(&rule, "messages[12].cache_control", LossKind::Unsupported, false);
        check(&rule, "seed", LossKind::Defaulted, true);
        check(&rule, "seed", LossKind::Noted, true);
        check(&rule, "reasoning.effort", LossKind::Approximated, false);
        check(&rule, "reasoning.effort", LossKind::Dropped, true);
        check(&rule, "temperature", LossKind::Dropped, true);
    }

    #[test]
    fn patterns_mean_what_they_name_and_what_is_inside() {
        assert!(matches("tools", "tools[0].strict") && matches("tools", "tools"));
        assert!(!matches("tool", "tools[0]"));
        assert!(matches("*.logprobs", "messages[0].logprobs"));
        assert!(matches("messages[*].content[*].cache", "messages[1].content[2].cache.ttl"));
        assert!(!matches("messages[*].name", "messages[1].content"));
        assert!(matches("*", "anything"));
    }
}
