//! What a part that is told as a whole says beyond what was told of it.

use shim_ir::{Delta, LossKind, Opaque, OpaqueKind, Part, Reasoning, Text};

use super::{Kind, Open, Thinking};
use crate::anthropic_messages::encode::{Cx, joined};

impl Open {
    /// What is still to be told where the part is `whole`. What was told otherwise stays told.
    pub(crate) fn remaining(&self, whole: &Part, cx: &mut Cx<'_>) -> Vec<Delta> {
        let mut deltas = Vec::new();
        let more = match (&self.kind, whole) {
            (Kind::Text(_), Part::Text(text) | Part::Refusal(text)) => self.of_text(text, &mut deltas),
            (Kind::Thinking(thinking), Part::Reasoning(reasoning)) => {
                self.of_thinking(thinking, reasoning, &mut deltas)
            }
            (Kind::Call { .. } | Kind::Late(_), Part::ToolCall(call)) => {
                opaque(&call.opaque, &mut deltas);
                rest(&self.told, &call.arguments).map(|more| deltas.push(Delta::Arguments(more)))
            }
            (Kind::Whole(_), _) => Some(()),
            _ => None,
        };
        if more.is_none() {
            let why = "what was told already was corrected later";
            cx.lose_once(self.at(), LossKind::Approximated, why);
        }
        deltas
    }

    fn of_text(&self, text: &Text, deltas: &mut Vec<Delta>) -> Option<()> {
        let more = rest(&self.told, &text.text)?;
        if !more.is_empty() {
            deltas.push(Delta::Text(more));
        }
        deltas.extend(text.citations.iter().skip(self.cited).cloned().map(Delta::Citation));
        deltas.extend(text.logprobs.iter().cloned().map(Delta::Logprobs));
        opaque(&text.opaque, deltas);
        Some(())
    }

    fn of_thinking(&self, thinking: &Thinking, reasoning: &Reasoning, deltas: &mut Vec<Delta>) -> Option<()> {
        let summary = match thinking.piece {
            Some((summary, _)) => summary,
            None => reasoning.text.iter().all(String::is_empty),
        };
        let (own, other) = if summary {
            (&reasoning.summary, &reasoning.text)
        } else {
            (&reasoning.text, &reasoning.summary)
        };
        let more = rest(&self.told, &joined(own))?;
        let piece = thinking.piece.map_or(0, |(_, piece)| piece);
        deltas.extend([thought(summary, piece, more), thought(!summary, piece, joined(other).into_owned())]);
        let known = |o: &&Opaque| o.kind == OpaqueKind::Redacted && thinking.redacted.contains(&o.value);
        let fresh: Vec<_> = reasoning.opaque.iter().filter(|o| !known(o)).cloned().collect();
        opaque(&fresh, deltas);
        Some(())
    }
}

/// A piece of reasoning, or of a summary of it.
fn thought(summary: bool, piece: usize, text: String) -> Delta {
    if summary { Delta::Summary { piece, text } } else { Delta::Reasoning { piece, text } }
}

/// What `whole` has beyond `told`; `None` where it is another text.
fn rest(told: &str, whole: &str) -> Option<String> {
    whole.strip_prefix(told).map(str::to_owned)
}

fn opaque(states: &[Opaque], deltas: &mut Vec<Delta>) {
    let delta =
        |state: &Opaque| Delta::Opaque { kind: state.kind, value: state.value.clone(), append: false };
    deltas.extend(states.iter().map(delta));
}
