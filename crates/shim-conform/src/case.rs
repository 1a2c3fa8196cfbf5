//! The cases: what is asked, what the upstream says, and what must come of it.

use shim_ir::{Dialect, FinishReason};

/// One thing that is tried, whole and streamed.
#[derive(Debug)]
pub(crate) struct Case {
    /// Its name: that of its files.
    pub(crate) name: &'static str,
    /// What it is about, for people.
    pub(crate) about: &'static str,
    /// The name of the request's files.
    pub(crate) ask: &'static str,
    /// The name of the answer's files.
    pub(crate) data: &'static str,
    /// What the upstream does.
    pub(crate) does: Does,
}

/// What an upstream does.
#[derive(Debug)]
pub(crate) enum Does {
    /// It answers.
    Says(Says),
    /// It answers with an error status.
    Refuses(Refuses),
    /// It answers with an error inside a 200.
    Fails,
    /// Its connection breaks in the middle.
    Breaks,
    /// It ends in the middle as if it were done.
    Stops,
    /// It answers, while the targets before it are overloaded.
    StandsIn(Says),
}

/// What an upstream says.
#[derive(Clone, Debug)]
pub(crate) struct Says {
    /// Its reasoning, as far as it is told.
    pub(crate) reasoning: &'static str,
    /// Its text, or its refusal.
    pub(crate) text: &'static str,
    /// Its calls: name and arguments as JSON.
    pub(crate) calls: &'static [(&'static str, &'static str)],
    /// Why it ends; the second where the upstream speaks Anthropic's dialect.
    pub(crate) ends: (FinishReason, FinishReason),
    /// Why the client may be told that it ends instead: not every dialect tells these apart.
    pub(crate) or: &'static [FinishReason],
    /// What is used.
    pub(crate) used: Used,
}

/// Tokens used, by class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Used {
    /// Input read at full price.
    pub(crate) input: u64,
    /// Input read from a cache.
    pub(crate) cache_read: u64,
    /// Input written to a cache; only Anthropic's dialect counts it in these scripts.
    pub(crate) cache_write: u64,
    /// Output that is not reasoning.
    pub(crate) output: u64,
    /// Reasoning; Anthropic's dialect counts it with the output.
    pub(crate) reasoning: u64,
}

/// An error status.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refuses {
    /// The status.
    pub(crate) status: u16,
    /// The status in Anthropic's dialect, which has some of its own.
    pub(crate) anthropic: u16,
    /// When to ask again, in seconds.
    pub(crate) retry_after: Option<u64>,
    /// Whether the client is told the upstream's own words; of the gateway's credential it is not.
    pub(crate) passes: bool,
}

impl Case {
    /// What the upstream says, where it answers.
    pub(crate) fn says(&self) -> Option<&Says> {
        match &self.does {
            Does::Says(says) | Does::StandsIn(says) => Some(says),
            Does::Refuses(_) | Does::Fails | Does::Breaks | Does::Stops => None,
        }
    }

    /// Why the case cannot be with a client of `client` and an upstream of `upstream`.
    pub(crate) fn wordless(&self, client: Dialect, upstream: Dialect) -> Option<&'static str> {
        match self.name {
            "stop" if client == Dialect::OpenaiResponses => {
                Some("A Responses client has no stop sequences to ask for")
            }
            "refusal" if upstream == Dialect::Anthropic => {
                Some("Messages tells a refusal by its stop reason: see filter")
            }
            "refusal" if upstream == Dialect::Gemini => {
                Some("generateContent tells a refusal by its finish reason: see filter")
            }
            _ => None,
        }
    }
}

impl Says {
    /// Why an upstream of `upstream` says it ends.
    pub(crate) fn end(&self, upstream: Dialect) -> &FinishReason {
        if upstream == Dialect::Anthropic { &self.ends.1 } else { &self.ends.0 }
    }

    /// What an upstream of `upstream` says it used.
    pub(crate) fn used_by(&self, upstream: Dialect) -> Used {
        let used = self.used;
        match upstream {
            Dialect::Anthropic => Used { output: used.output + used.reasoning, reasoning: 0, ..used },
            Dialect::OpenaiChat | Dialect::OpenaiResponses | Dialect::Gemini => {
                Used { cache_write: 0, ..used }
            }
        }
    }
}

const fn used(input: u64, output: u64) -> Used {
    Used { input, output, cache_read: 0, cache_write: 0, reasoning: 0 }
}

const fn text(text: &'static str, used: Used) -> Says {
    let ends = (FinishReason::Stop, FinishReason::Stop);
    Says { reasoning: "", text, calls: &[], ends, or: &[], used }
}

const fn calls(text: &'static str, calls: &'static [(&'static str, &'static str)], used: Used) -> Says {
    let ends = (FinishReason::ToolCalls, FinishReason::ToolCalls);
    Says { reasoning: "", text, calls, ends, or: &[], used }
}

const fn says(name: &'static str, about: &'static str, says: Says) -> Case {
    Case { name, about, ask: name, data: name, does: Does::Says(says) }
}

const fn refuses(name: &'static str, about: &'static str, status: u16, anthropic: u16) -> Case {
    let does = Does::Refuses(Refuses { status, anthropic, retry_after: None, passes: true });
    Case { name, about, ask: "plain", data: name, does }
}

const fn breaks(name: &'static str, about: &'static str, data: &'static str, does: Does) -> Case {
    Case { name, about, ask: "plain", data, does }
}

const CALM: &str = "The harbour is calm this morning.";
const BERGEN: (&str, &str) = ("tide_table", r#"{"port":"Bergen","days":1}"#);
const OSLO: (&str, &str) = ("tide_table", r#"{"port":"Oslo"}"#);
const NORD: (&str, &str) = ("tide_table", "{\"port\":\"Tromsø \\\"Nord\\\" 🌊\\n漢\",\"days\":2}");
const ODD: &str = "Grüße aus Tromsø 🌊: \"quoted\", back\\slash,\nline\ttab, 漢字, 👩‍👩‍👧, é\u{2028}end.";

/// Every case, in the order it is shown.
pub(crate) const CASES: &[Case] = &[
    says("plain", "a text", text(CALM, used(21, 9))),
    says(
        "system",
        "instructions, a bound on the output, a temperature",
        text("Calm, with a light breeze from the north.", used(34, 11)),
    ),
    says(
        "stop",
        "a stop sequence is asked for and met",
        Says {
            ends: (FinishReason::Stop, FinishReason::Sequence),
            or: &[FinishReason::Stop],
            ..text("The harbour is ", used(21, 4))
        },
    ),
    says(
        "turns",
        "instructions in OpenAI's newer role, and a conversation",
        text("A gale is expected from the west.", used(39, 8)),
    ),
    says("tool_required", "a tool must be called", calls("", &[BERGEN], used(61, 22))),
    says("tool_call", "a text, then a call of a tool", calls("I will look.", &[BERGEN], used(63, 27))),
    says("tool_calls", "two calls at once", calls("", &[BERGEN, OSLO], used(66, 41))),
    says(
        "tool_result",
        "a turn with the results of two calls, the second one first",
        text("High water is at 06:12 in Bergen and at 07:40 in Oslo.", used(140, 22)),
    ),
    says(
        "reasoning",
        "reasoning is asked for and told",
        Says {
            reasoning: "The glass is steady and no flags are up.",
            ..text(CALM, Used { reasoning: 14, ..used(21, 9) })
        },
    ),
    says(
        "reasoning_turn",
        "a turn with what the model thought before it called a tool, sealed by its provider",
        Says {
            reasoning: "The table says 06:12.",
            ..text("High water is at 06:12.", Used { reasoning: 7, ..used(150, 9) })
        },
    ),
    says(
        "structured",
        "an answer that fits a JSON schema",
        text(r#"{"wind":"calm","knots":2}"#, used(44, 12)),
    ),
    Case {
        ask: "plain",
        ..says(
            "length",
            "the bound on the output ends the answer",
            Says {
                ends: (FinishReason::Length, FinishReason::Length),
                ..text("The harbour is calm this", used(21, 8))
            },
        )
    },
    Case {
        ask: "plain",
        ..says(
            "filter",
            "the provider's filter ends the answer",
            Says {
                ends: (FinishReason::Filter, FinishReason::Refusal),
                or: &[FinishReason::Filter, FinishReason::Refusal],
                ..text("The harbour", used(21, 3))
            },
        )
    },
    Case {
        ask: "plain",
        ..says(
            "refusal",
            "the model refuses, in the slot its dialect has for that",
            Says {
                ends: (FinishReason::Refusal, FinishReason::Refusal),
                or: &[FinishReason::Stop],
                ..text("I cannot help with that.", used(21, 6))
            },
        )
    },
    Case {
        ask: "plain",
        ..says(
            "cached",
            "tokens read from a prompt cache, and written to one",
            text(CALM, Used { cache_read: 1024, cache_write: 256, ..used(11, 9) }),
        )
    },
    says("image", "an image in the request", text("A single dot.", used(280, 5))),
    says("document", "a PDF in the request", text("Bergen.", used(310, 2))),
    says("unicode", "odd characters and escapes, cut anywhere", calls(ODD, &[NORD], used(58, 40))),
    Case {
        does: Does::Refuses(Refuses { status: 401, anthropic: 401, retry_after: None, passes: false }),
        ..refuses("unauthorized", "the upstream refuses the credential", 401, 401)
    },
    Case {
        does: Does::Refuses(Refuses { status: 429, anthropic: 429, retry_after: Some(7), passes: true }),
        ..refuses("rate_limited", "429 with retry-after", 429, 429)
    },
    refuses("invalid", "400", 400, 400),
    refuses("failed", "500", 500, 500),
    refuses("overloaded", "503, or Anthropic's 529", 503, 529),
    breaks("failed_inside", "an error inside a 200, and inside a stream", "failed_inside", Does::Fails),
    breaks("cut", "the connection breaks in the middle", "cut", Does::Breaks),
    breaks("unfinished", "the answer ends in the middle", "cut", Does::Stops),
    breaks(
        "fallback",
        "the targets before it are overloaded",
        "plain",
        Does::StandsIn(text(CALM, used(21, 9))),
    ),
];
