//! What a target takes of reasoning in a conversation.

use shim_ir::{Dialect, ReasoningMode, Request, Traits};

/// What a target takes of reasoning in a conversation, by its provider's documentation. Which provider has which oddity
/// is data of the catalogue; what each means for the conversation is here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// It takes reasoning that can be read, whoever thought it.
    ///
    /// - DeepSeek, Moonshot, Z.ai in chat: `reasoning_content`.
    ///   Sources: <https://api-docs.deepseek.com/guides/thinking_mode>,
    ///   <https://docs.z.ai/guides/capabilities/thinking-mode>, read 2026-11-26.
    /// - vLLM and its like: `reasoning`, or in Responses `reasoning_text`.
    ///   Source: <https://docs.vllm.ai/en/latest/features/reasoning_outputs.html>, read 2026-11-25.
    /// - DeepSeek and others in Anthropic's dialect: thinking without a signature. Anthropic takes none: what it did not
    ///   sign is answered with "Invalid `signature` in `thinking` block".
    ///   Source: <https://platform.claude.com/docs/en/build-with-claude/extended-thinking>, read 2026-11-26.
    /// - Gemini: thoughts are parts like others, and only calls must be signed.
    ///   Source: <https://ai.google.dev/gemini-api/docs/thought-signatures>, read 2026-11-26.
    pub readable: bool,
    /// It takes only thinking that it signed: Anthropic, as above.
    pub signed: bool,
    /// It refuses a turn with calls that has no reasoning, while it is to think: "The `reasoning_content` in the thinking
    /// mode must be passed back to the API". Empty reasoning counts as none.
    /// Sources: <https://api-docs.deepseek.com/guides/thinking_mode>,
    /// <https://platform.moonshot.ai/docs/guide/use-kimi-k2-thinking-model>, read 2026-11-26.
    pub wants: bool,
    /// The first call of each answer that belongs to the turn going on must be signed; the encoder signs one that came
    /// from elsewhere with Google's documented dummy. Also in Google's chat endpoint.
    /// Source: <https://ai.google.dev/gemini-api/docs/thought-signatures>, read 2026-11-26.
    pub signs: bool,
    /// An item of reasoning without its encrypted content is looked for among the items the provider keeps; one that the
    /// gateway made is not there.
    /// Source: <https://platform.openai.com/docs/guides/conversation-state>, read 2026-11-26.
    pub items: bool,
    /// Clients of its own dialect are known to drop what it wants back, because the dialect's SDKs have no place for it: its
    /// answers are remembered also where they pass unchanged.
    /// Source: <https://ai.google.dev/gemini-api/docs/openai>, <https://openrouter.ai/docs/use-cases/reasoning-tokens>,
    /// read 2026-11-25, and the pages on `reasoning_content` above.
    pub restores: bool,
}

/// Oddities of chat providers that want something back.
const RESTORED: [&str; 4] =
    ["reasoning_content_back", "reasoning_back", "reasoning_object", "thought_signatures"];

impl Rules {
    /// The rules of a target spoken to in `dialect`.
    #[must_use]
    pub fn of(dialect: Dialect, traits: &Traits) -> Self {
        let has = |quirks: &[&str]| quirks.iter().any(|quirk| traits.has(quirk));
        Self {
            readable: match dialect {
                Dialect::OpenaiChat => has(&["reasoning_content_back", "reasoning_back"]),
                Dialect::OpenaiResponses => has(&["reasoning_text_back"]),
                Dialect::Anthropic => has(&["unsigned_thinking"]),
                Dialect::Gemini => true,
            },
            signed: dialect == Dialect::Anthropic && !has(&["unsigned_thinking"]),
            wants: has(&["reasoning_needed"]),
            signs: has(&["thought_signatures"]),
            items: dialect == Dialect::OpenaiResponses,
            restores: dialect == Dialect::OpenaiChat && has(&RESTORED),
        }
    }

    /// The same for one request: who does not want the model to think needs not show what it thought.
    #[must_use]
    pub fn for_request(self, request: &Request) -> Self {
        let asked = request.reasoning.as_ref();
        let off = asked.is_some_and(|asked| {
            asked.mode == Some(ReasoningMode::Off) || asked.effort == Some(shim_ir::Effort::None)
        });
        Self { wants: self.wants && !off, ..self }
    }
}
