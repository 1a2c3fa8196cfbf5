//! Calls of tools.

use shim_ir::{PartId, ToolCall, ToolCallKind};
use shim_wire::JsonWriter;

use super::super::super::encode::{Form, Site, call_id, write_rest};
use super::ChunkEncoder;
use super::part::{Kind, Open};

impl ChunkEncoder {
    pub(super) fn call_kind(&mut self, candidate: u32, site: Site, call: &ToolCall) -> Kind {
        let legacy = self.asker.legacy;
        let choice = self.choice(candidate);
        let number = choice.calls;
        choice.calls += 1;
        match legacy {
            true if number > 0 => self.silent(site, "the deprecated form has one call"),
            true => Kind::Legacy,
            false if matches!(call.kind, ToolCallKind::Native(_)) => Kind::Held(number),
            false => Kind::Call { number, custom: Form::of(&call.kind) == Form::Custom },
        }
    }

    pub(super) fn open_call(&mut self, id: PartId, call: &ToolCall, out: &mut Vec<u8>) {
        let Some(open) = self.part(id) else { return };
        self.note(id, |open| open.told.add(&call.arguments));
        match open.kind {
            Kind::Call { number, .. } => self.call(id, open, number, call, out),
            Kind::Held(_) => self.held.push((id, call.clone())),
            Kind::Legacy => {
                self.delta(open.candidate, false, out, |w| {
                    w.nested("function_call", |w| {
                        w.string("name", &call.name);
                        w.string("arguments", &call.arguments);
                    });
                });
                call.opaque.iter().for_each(|opaque| self.opaque(id, opaque.kind, &opaque.value, out));
            }
            Kind::Text | Kind::Refusal | Kind::Reasoning(_) | Kind::Sound | Kind::Image | Kind::Silent => {}
        }
    }

    pub(super) fn call(&mut self, id: PartId, open: Open, number: u32, call: &ToolCall, out: &mut Vec<u8>) {
        let (site, candidate) = (open.site(), open.candidate);
        let made = call.id.is_empty().then(|| call_id(&self.asker.id, candidate as usize, number));
        let mut losses = std::mem::take(&mut self.losses);
        self.call_member(candidate, number, out, |w| {
            w.string("id", made.as_ref().unwrap_or(&call.id));
            Form::of(&call.kind).write(&call.name, &call.arguments, w);
            write_rest(call, &mut losses, site, w);
        });
        self.losses = losses;
        for opaque in &call.opaque {
            self.opaque(id, opaque.kind, &opaque.value, out);
        }
        if call.item.is_some() {
            self.losses.dropped(site.at("item"), "a call has one id here");
        }
    }

    pub(super) fn arguments(&mut self, id: PartId, text: &str, out: &mut Vec<u8>) {
        let Some(open) = self.part(id).filter(|_| !text.is_empty()) else { return };
        self.note(id, |open| open.told.add(text));
        match open.kind {
            Kind::Call { number, custom } => self.call_member(open.candidate, number, out, |w| {
                let (of, with) = if custom { ("custom", "input") } else { ("function", "arguments") };
                w.nested(of, |w| w.string(with, text));
            }),
            Kind::Held(_) => {
                if let Some((_, call)) = self.held.iter_mut().find(|(of, _)| *of == id) {
                    call.arguments.push_str(text);
                }
            }
            Kind::Legacy => self.delta(open.candidate, false, out, |w| {
                w.nested("function_call", |w| w.string("arguments", text));
            }),
            Kind::Text | Kind::Refusal | Kind::Reasoning(_) | Kind::Sound | Kind::Image | Kind::Silent => {}
        }
    }

    pub(super) fn call_member(
        &mut self,
        candidate: u32,
        number: u32,
        out: &mut Vec<u8>,
        members: impl FnOnce(&mut JsonWriter<'_>),
    ) {
        self.delta(candidate, false, out, |w| {
            w.array("tool_calls", |w| {
                w.element().object(|w| {
                    w.number("index", number);
                    members(w);
                });
            });
        });
    }
}
