//! One check for each fact.

use std::collections::BTreeSet;

use shim_ir::{Dialect, Effort, MediaKind, ReasoningControl, ThinkTags, Tokens, Traits};

use super::traits;
use crate::{models, providers};

use Dialect::{Anthropic, Gemini, OpenaiChat, OpenaiResponses};

/// What the traits say of reasoning, in the notation of the rows.
fn notation(reasoning: &ReasoningControl) -> String {
    let words = |words: &[Effort]| words.iter().map(Effort::word).collect::<Vec<_>>().join(",");
    match reasoning {
        ReasoningControl::Unknown => "unknown".into(),
        ReasoningControl::None => "none".into(),
        ReasoningControl::Effort(known) => format!("effort={}", words(known)),
        ReasoningControl::Adaptive(known) => format!("adaptive={}", words(known)),
        ReasoningControl::Budget { min, max, off } => {
            format!("budget={}..{}{}", min.0, max.0, if *off { " off" } else { "" })
        }
    }
}

#[track_caller]
fn told(name: &str, dialect: Dialect, wanted: &str) {
    let (provider, model) = name.split_once('/').unwrap();
    assert_eq!(notation(&traits(provider, model, dialect).reasoning), wanted, "{name} by {dialect}");
}

#[test]
fn claude_thinks_as_it_sees_fit_or_to_a_budget() {
    told("anthropic/claude-3-5-sonnet-20241022", Anthropic, "none");
    told("anthropic/claude-3-7-sonnet-20250219", Anthropic, "budget=1024..64000 off");
    told("anthropic/claude-haiku-4-5", Anthropic, "budget=1024..64000 off");
    told("anthropic/claude-sonnet-4-5-20250929", Anthropic, "budget=1024..64000 off");
    // Words for how hard, and yet no thinking as it sees fit.
    told("anthropic/claude-opus-4-5", Anthropic, "budget=1024..64000 off");
    told("anthropic/claude-opus-4-6", Anthropic, "adaptive=none,low,medium,high,max");
    told("anthropic/claude-sonnet-4-6-20260217", Anthropic, "adaptive=none,low,medium,high,max");
    told("anthropic/claude-opus-4-7", Anthropic, "adaptive=none,low,medium,high,xhigh,max");
    told("anthropic/claude-sonnet-5", Anthropic, "adaptive=none,low,medium,high,xhigh,max");
    told("anthropic/claude-fable-5", Anthropic, "adaptive=low,medium,high,xhigh,max");
    // Newer than the facts on models.
    told("anthropic/claude-opus-5-5", Anthropic, "adaptive=low,medium,high,xhigh,max");
    told("anthropic/claude-sonnet-5-5", Anthropic, "adaptive=low,medium,high,xhigh,max");
    told("anthropic/claude-haiku-5-5", Anthropic, "adaptive=none,low,medium,high,xhigh,max");
    told("anthropic/claude-unheard-of", Anthropic, "unknown");
    // Its own layer of the chat dialect passes no word on.
    told("anthropic/claude-opus-4-6", OpenaiChat, "unknown");
}

#[test]
fn gemini_thinks_to_a_budget_or_by_a_word() {
    told("google/gemini-2.0-flash", Gemini, "none");
    told("google/gemini-2.5-flash", Gemini, "budget=0..24576 off");
    told("google/gemini-2.5-flash-lite", Gemini, "budget=512..24576 off");
    told("google/gemini-2.5-pro", Gemini, "budget=128..32768");
    told("google/gemini-3-flash-preview", Gemini, "effort=minimal,low,medium,high");
    told("google/gemini-3.1-pro-preview", Gemini, "effort=low,medium,high");
    told("google/gemini-2.5-flash", OpenaiChat, "effort=none,low,medium,high");
    told("google/gemini-2.5-pro", OpenaiChat, "effort=low,medium,high");
}

#[test]
fn openai_reasons_by_a_word() {
    told("openai/gpt-4o", OpenaiChat, "none");
    told("openai/o3", OpenaiChat, "effort=low,medium,high");
    told("openai/gpt-5", OpenaiChat, "effort=minimal,low,medium,high");
    told("openai/gpt-5-pro", OpenaiResponses, "effort=high");
    told("openai/gpt-5.1", OpenaiResponses, "effort=none,low,medium,high");
    told("openai/gpt-5.2-2025-12-11", OpenaiResponses, "effort=none,low,medium,high,xhigh");
    told("azure/gpt-5-mini", OpenaiChat, "effort=minimal,low,medium,high");
    told("openai/ft:unheard-of", OpenaiChat, "unknown");
}

#[test]
fn others_have_their_own_words() {
    told("deepseek/deepseek-chat", OpenaiChat, "none");
    told("deepseek/deepseek-reasoner", OpenaiChat, "unknown");
    told("deepseek/deepseek-v4-pro", OpenaiChat, "effort=none,low,high,max");
    told("deepseek/deepseek-v4-pro", Anthropic, "budget=1024..384000 off");
    // A switch, and no word for how hard.
    told("moonshot/kimi-k2.6", OpenaiChat, "effort=");
    told("moonshot/kimi-k3", OpenaiChat, "effort=low,high,max");
    told("zai/glm-4.7", OpenaiChat, "effort=");
    told("zai/glm-5.2", OpenaiChat, "effort=high,max");
    told("alibaba/qwen3.7-plus", OpenaiChat, "budget=0..65536 off");
    told("groq/openai/gpt-oss-120b", OpenaiChat, "effort=low,medium,high");
    told("groq/qwen/qwen3-32b", OpenaiChat, "effort=none,default");
    told("mistral/mistral-small-latest", OpenaiChat, "effort=none,high");
    told("mistral/magistral-medium-latest", OpenaiChat, "unknown");
    told("xai/grok-4.3", OpenaiChat, "effort=none,low,medium,high");
    told("xai/grok-4-fast-reasoning", OpenaiChat, "effort=");
    told("perplexity/sonar", OpenaiChat, "none");
    told("openrouter/anthropic/claude-sonnet-4.6", OpenaiChat, "effort=none,low,medium,high,max");
    told("openrouter/anthropic/claude-sonnet-4.6", Anthropic, "adaptive=none,low,medium,high,max");
    told("openrouter/openai/gpt-5.2", OpenaiChat, "effort=none,low,medium,high,xhigh");
    told("ollama/qwen3:8b", OpenaiChat, "unknown");
}

/// `tools`, `schema`, and the media, with `?` where it is not known.
#[track_caller]
fn takes(name: &str, dialect: Dialect, tools: Option<bool>, schema: Option<bool>, wanted: &[MediaKind]) {
    let (provider, model) = name.split_once('/').unwrap();
    let Traits { tools: t, schema: s, media, .. } = traits(provider, model, dialect);
    assert_eq!((t, s, media.as_deref()), (tools, schema, Some(wanted)), "{name} by {dialect}");
}

#[test]
fn abilities_are_the_row_and_what_the_endpoint_adds() {
    use MediaKind::{Audio, File, Image, Video};
    takes("openai/gpt-4o", OpenaiChat, Some(true), Some(true), &[Image, File]);
    takes("openai/gpt-5.2", OpenaiChat, Some(true), Some(true), &[Image, File]);
    takes("openai/gpt-3.5-turbo", OpenaiChat, Some(false), Some(false), &[]);
    takes("anthropic/claude-sonnet-4-6", Anthropic, Some(true), Some(true), &[Image, File]);
    takes("anthropic/claude-sonnet-4-0", Anthropic, Some(true), None, &[Image, File]);
    takes("google/gemini-3.1-pro-preview", Gemini, Some(true), Some(true), &[Image, File, Audio, Video]);
    // models.dev says that it keeps to a schema; DeepSeek's own reference of this dialect, that it does not.
    takes("deepseek/deepseek-v4-pro", OpenaiChat, Some(true), Some(false), &[]);
    takes("mistral/mistral-small-latest", OpenaiChat, Some(true), None, &[Image, File]);
    takes("perplexity/sonar", OpenaiChat, Some(false), None, &[]);
    assert_eq!(traits("openai", "gpt-4o", OpenaiChat).output_max, Some(Tokens(16_384)));
    assert_eq!(traits("openai", "unheard-of", OpenaiChat).media, None);
}

/// What is known of a model beside the rest, and what is not.
#[track_caller]
fn has(name: &str, dialect: Dialect, words: &str, not: &str) {
    let (provider, model) = name.split_once('/').unwrap();
    let traits = traits(provider, model, dialect);
    for word in words.split_whitespace() {
        assert!(traits.has(word), "{name} by {dialect}: {word} is not of {:?}", traits.quirks);
    }
    for word in not.split_whitespace() {
        assert!(!traits.has(word), "{name} by {dialect}: {word} is of {:?}", traits.quirks);
    }
}

#[test]
fn openai_has_its_oddities() {
    let reasons = "max_completion_tokens no_sampling no_stop call_ids_max_40";
    has("openai/gpt-5.2", OpenaiChat, reasons, "no_developer_role no_custom_tools no_allowed_tools");
    has("openai/gpt-5-2025-08-07", OpenaiChat, reasons, "prompt_cache_breakpoint");
    has("openai/o3", OpenaiChat, reasons, "");
    has("openai/o3", OpenaiChat, "no_parallel_tool_calls", "");
    has("azure/o3-mini", OpenaiChat, "no_parallel_tool_calls no_sampling", "no_stop");
    has("openai/o1", OpenaiChat, "max_completion_tokens no_sampling", "no_stop");
    has("openai/gpt-5-chat-latest", OpenaiChat, "max_completion_tokens", "no_sampling no_stop");
    has(
        "openai/gpt-4o",
        OpenaiChat,
        "call_ids_max_40",
        "max_completion_tokens no_sampling web_search_options",
    );
    has("openai/gpt-4o-search-preview", OpenaiChat, "web_search_options", "");
    has("openai/gpt-5.6-sol", OpenaiChat, "prompt_cache_breakpoint no_sampling", "");
    has("openai/gpt-5.6-sol", OpenaiResponses, "cache_breakpoints fixed_sampling", "no_namespaces");
    has(
        "openai/gpt-4.1",
        OpenaiResponses,
        "",
        "fixed_sampling no_namespaces no_custom_tools cache_breakpoints",
    );
    // Newer than the facts on models.
    has("openai/gpt-5.9-unheard-of", OpenaiChat, reasons, "");
    has("azure/gpt-5-mini", OpenaiChat, reasons, "no_prompt_cache_key");
    has("azure/gpt-5-mini", OpenaiResponses, "fixed_sampling", "");
    has("azure/deepseek-v3.2", OpenaiChat, "no_prompt_cache_key no_custom_tools", "max_completion_tokens");
}

#[test]
fn anthropic_has_its_oddities() {
    let has = |model: &str, words, not| has(&format!("anthropic/{model}"), Anthropic, words, not);
    has("claude-3-7-sonnet-20250219", "", "no_prefill no_sampling one_sampler mid_system always_thinks");
    has("claude-sonnet-4-5-20250929", "one_sampler", "no_prefill no_sampling");
    has("claude-sonnet-4-6", "no_prefill", "no_sampling one_sampler mid_system");
    has("claude-opus-4-7", "no_prefill no_sampling", "mid_system always_thinks");
    has("claude-opus-4-8", "no_prefill no_sampling mid_system", "always_thinks");
    has("claude-opus-5", "no_prefill no_sampling mid_system", "always_thinks");
    has("claude-opus-5-5", "no_prefill no_sampling mid_system always_thinks", "");
    has("claude-sonnet-5-5", "always_thinks", "");
    has("claude-haiku-5-5", "mid_system", "always_thinks");
    has("claude-fable-5", "no_prefill no_sampling mid_system always_thinks", "unsigned_thinking");
}

#[test]
fn other_endpoints_of_anthropics_dialect_have_theirs() {
    let chat = "no_n no_logprobs no_custom_tools";
    has("anthropic/claude-opus-4-6", OpenaiChat, chat, "no_prefill");
    has("openrouter/anthropic/claude-opus-5.5", Anthropic, "always_thinks no_sampling no_prefill", "");
    has("openrouter/anthropic/claude-opus-4.6", Anthropic, "no_prefill", "always_thinks no_sampling");
    has("deepseek/deepseek-v4-pro", Anthropic, "unsigned_thinking no_server_tools", "thinking_object");
    has("moonshot/kimi-k2.6", Anthropic, "unsigned_thinking", "thinking_object");
    has("zai/glm-5.2", Anthropic, "unsigned_thinking", "");
    has("ollama/qwen3:8b", Anthropic, "inline_media", "");
}

#[test]
fn gemini_has_its_oddities() {
    let older = "no_result_media no_url_media no_mixed_tools no_schema_with_tools";
    has("google/gemini-2.5-pro", Gemini, older, "thought_signatures");
    has("google/gemini-3.1-pro-preview", Gemini, "thought_signatures", older);
    has("google/gemini-3.1-pro-preview", OpenaiChat, "thought_signatures no_seed no_store no_metadata", "");
    has("google/gemini-2.5-pro", OpenaiChat, "no_prompt_cache_key", "thought_signatures");
}

#[test]
fn providers_of_the_chat_dialect_have_their_oddities() {
    let deepseek =
        "no_developer_role json_object_only thinking_object reasoning_content_back no_allowed_tools";
    has("deepseek/deepseek-v4-pro", OpenaiChat, deepseek, "max_completion_tokens no_sampling");
    has("deepseek/deepseek-chat", OpenaiChat, "json_object_only", "thinking_object");
    let mistral =
        "call_ids_of_9 no_developer_role random_seed no_user no_store no_metadata no_stream_options";
    has("mistral/mistral-large-latest", OpenaiChat, mistral, "max_completion_tokens no_prompt_cache_key");
    let groq = "no_n no_logprobs no_message_name no_prompt_cache_key no_store no_custom_tools";
    has("groq/openai/gpt-oss-120b", OpenaiChat, groq, "no_developer_role");
    has("xai/grok-4.3", OpenaiChat, "no_stop no_developer_role no_custom_tools", "");
    has("together/zai-org/GLM-5", OpenaiChat, "top_k no_developer_role no_allowed_tools", "reasoning_object");
    has("fireworks/unheard-of", OpenaiChat, "top_k no_store", "");
    has("cerebras/gpt-oss-120b", OpenaiChat, "no_parallel_tool_calls no_prompt_cache_key", "");
    has(
        "cerebras/zai-glm-4.7",
        OpenaiChat,
        "no_developer_role",
        "no_parallel_tool_calls reasoning_content_back",
    );
    let kimi = "thinking_object no_sampling max_completion_tokens reasoning_content_back video_url";
    has("moonshot/kimi-k2.6", OpenaiChat, kimi, "");
    has("moonshot/kimi-k3", OpenaiChat, "no_sampling reasoning_content_back", "thinking_object");
    has("zai/glm-4.7", OpenaiChat, "thinking_object reasoning_content_back no_stream_options", "");
    has("minimax/MiniMax-M3", OpenaiChat, "max_completion_tokens", "");
    has("alibaba/qwen3.7-plus", OpenaiChat, "enable_thinking cache_control", "thinking_object");
    has("nvidia/unheard-of", OpenaiChat, "no_developer_role no_store", "");
    has("perplexity/sonar", OpenaiChat, "system_first web_search_options", "");
    has("baseten/unheard-of", OpenaiChat, "no_prompt_cache_key", "");
}

#[test]
fn routers_and_servers_at_home_have_their_oddities() {
    let router = "reasoning_object top_k video_url file_url openrouter_web_search no_developer_role";
    has("openrouter/openai/gpt-5.2", OpenaiChat, router, "cache_control max_completion_tokens");
    has("openrouter/anthropic/claude-sonnet-4.6", OpenaiChat, "cache_control", "no_prefill");
    has("openrouter/openai/gpt-5.2", OpenaiResponses, "no_namespaces no_custom_tools top_k", "");
    has(
        "vllm/any",
        OpenaiChat,
        "top_k reasoning_back system_first no_allowed_tools",
        "max_completion_tokens",
    );
    has("vllm/any", OpenaiResponses, "no_namespaces reasoning_text_back top_k", "no_custom_tools");
    has("sglang/any", OpenaiChat, "system_first", "no_developer_role");
    has("llamacpp/any", OpenaiChat, "top_k no_developer_role system_first", "");
    has("llamacpp/any", OpenaiResponses, "no_namespaces no_custom_tools", "");
    has("ollama/qwen3:8b", OpenaiChat, "no_developer_role system_first", "top_k");
    has("ollama/qwen3:8b", OpenaiResponses, "no_namespaces no_custom_tools", "");
    has("lmstudio/any", OpenaiChat, "no_developer_role", "");
    has("lmstudio/any", OpenaiResponses, "no_namespaces no_custom_tools", "");
    has("xai/grok-4.3", OpenaiResponses, "no_namespaces no_custom_tools", "");
    has("groq/openai/gpt-oss-120b", OpenaiResponses, "no_namespaces", "no_custom_tools");
}

#[test]
fn some_cannot_be_made_to_call_a_tool() {
    let thinking = "no_forced_tools_thinking";
    has("deepseek/deepseek-v4-pro", OpenaiChat, thinking, "no_forced_tools");
    has("deepseek/deepseek-chat", OpenaiChat, "", thinking);
    has("moonshot/kimi-k2.6", OpenaiChat, thinking, "no_named_choice");
    has("moonshot/kimi-k3", OpenaiChat, "no_named_choice", thinking);
    has("zai/glm-5.2", OpenaiChat, "tool_choice_auto", thinking);
    has("alibaba/qwen3.7-plus", OpenaiChat, thinking, "");
    has("alibaba/qwq-plus", OpenaiChat, "no_forced_tools", thinking);
    has("anthropic/claude-opus-4-6", Anthropic, thinking, "no_forced_tools");
    has("anthropic/claude-opus-4-8", Anthropic, "", "no_forced_tools no_forced_tools_thinking");
    has("anthropic/claude-opus-5-5", Anthropic, "no_forced_tools", thinking);
    has("anthropic/claude-sonnet-5-5", Anthropic, "no_forced_tools", thinking);
}

#[test]
fn newer_models_of_openai_sample_where_they_do_not_reason() {
    for dialect in [OpenaiChat, OpenaiResponses] {
        has("openai/gpt-5.1", dialect, "sampling_if_unthinking thinks_if_asked object_parameters", "");
        has("openai/gpt-5.2", dialect, "sampling_if_unthinking", "thinks_if_asked");
        has("openai/gpt-5", dialect, "object_parameters", "sampling_if_unthinking");
    }
}

/// The words that the encoders document, in the `QUIRKS` of their `encode` modules.
const WORDS: [(Dialect, &str); 4] = [
    (
        OpenaiChat,
        "cache_control call_ids_max_40 call_ids_of_9 document_url enable_thinking file_url json_object_only \
         max_completion_tokens no_allowed_tools no_custom_tools no_developer_role no_forced_tools no_forced_tools_thinking no_logprobs no_message_name no_metadata no_n no_named_choice \
         no_parallel_tool_calls no_prompt_cache_key no_sampling no_seed no_service_tier no_stop no_store \
         no_stream_options no_user object_parameters openrouter_web_search prompt_cache_breakpoint random_seed reasoning_back \
         reasoning_content_back reasoning_needed reasoning_object sampling_if_unthinking single_content_string system_first thinking_object \
         thinks_if_asked thought_signatures tool_choice_any tool_choice_auto tool_media top_k video_url web_search_options",
    ),
    (
        OpenaiResponses,
        "cache_breakpoints fixed_sampling no_custom_tools no_namespaces object_parameters penalties \
         reasoning_text_back sampling_if_unthinking thinks_if_asked top_k",
    ),
    (
        Anthropic,
        "always_thinks inline_media mid_system no_forced_tools no_forced_tools_thinking no_prefill no_sampling no_server_tools one_sampler \
         reasoning_needed unsigned_thinking",
    ),
    (
        Gemini,
        "names_64 no_call_ids no_mixed_tools no_result_media no_schema_with_tools no_server_tool_parts \
         no_url_media no_validated_mode openapi_schema thought_signatures",
    ),
];

#[test]
fn the_encoders_know_every_word() {
    for provider in providers() {
        for endpoint in &provider.endpoints {
            let dialect = endpoint.dialect();
            let known = WORDS.iter().find(|(of, _)| Some(*of) == dialect).map(|(_, words)| *words);
            for word in endpoint.quirks.iter().flat_map(|quirk| &quirk.words) {
                let known = known.unwrap_or_default().split_whitespace().any(|known| known == word);
                assert!(known, "{}: {dialect:?} has no word {word}", provider.id);
            }
        }
    }
}

#[test]
fn nothing_is_known_of_strangers() {
    assert_eq!(traits("nobody", "gpt-5", OpenaiChat), Traits::default());
    // A dialect that the provider is not known to speak has no quirks, but the model is the same.
    let other = traits("groq", "openai/gpt-oss-120b", Gemini);
    assert!(other.quirks.is_empty() && other.tools == Some(true));
    assert_eq!(traits("gemini", "gemini-2.5-pro", Gemini), traits("google", "gemini-2.5-pro", Gemini));
}

#[test]
fn every_model_has_an_answer() {
    for provider in providers() {
        for dialect in provider.endpoints.iter().filter_map(crate::Endpoint::dialect) {
            for model in models(&provider.id) {
                let traits = traits(&provider.id, &model.id, dialect);
                let once: BTreeSet<_> = traits.quirks.iter().collect();
                assert_eq!(once.len(), traits.quirks.len(), "{}: {traits:?}", model.id);
            }
        }
    }
}

/// A pattern that no model fits is of a model that the facts do not hold, or a slip.
#[test]
fn few_patterns_are_ahead_of_the_facts() {
    let mut ahead = Vec::new();
    for provider in providers().iter().filter(|provider| !models(&provider.id).is_empty()) {
        for pattern in provider.endpoints.iter().flat_map(|e| &e.quirks).flat_map(|quirk| &quirk.models) {
            let quirk = crate::Quirk { models: vec![pattern.clone()], ..crate::Quirk::default() };
            let listed = models(&provider.id).iter().any(|model| quirk.is_of(&model.id));
            if !listed && crate::model(&provider.id, pattern).is_none() {
                ahead.push(format!("{}/{pattern}", provider.id));
            }
        }
    }
    ahead.sort();
    ahead.dedup();
    assert_eq!(ahead, AHEAD, "each of these must be a model that its provider names");
}

const AHEAD: [&str; 26] = [
    "anthropic/claude-fable-5-1*",
    "anthropic/claude-haiku-5*",
    "anthropic/claude-haiku-5-5*",
    "anthropic/claude-mythos-*",
    "anthropic/claude-mythos-5*",
    "anthropic/claude-mythos-5-1*",
    "anthropic/claude-opus-5*",
    "anthropic/claude-opus-5-5*",
    "anthropic/claude-sonnet-5-5*",
    "deepseek/deepseek-flash*",
    "moonshot/kimi-k3*",
    "openai/gpt-4o-mini-search-preview*",
    "openai/gpt-4o-search-preview*",
    "openai/gpt-5-2025*",
    "openai/gpt-5-search-api*",
    "openai/gpt-5.1-2025*",
    "openai/gpt-5.6*",
    "openrouter/anthropic/claude-3.7*",
    "openrouter/anthropic/claude-fable-5*",
    "openrouter/anthropic/claude-haiku-5*",
    "openrouter/anthropic/claude-mythos-*",
    "openrouter/anthropic/claude-opus-5*",
    "openrouter/anthropic/claude-opus-5.5*",
    "openrouter/anthropic/claude-sonnet-5.5*",
    "xai/grok-3-mini*",
    "xai/grok-4.5*",
];

#[test]
fn tags_are_known_of_those_that_pass_on_what_the_model_writes() {
    use ThinkTags::{Explicit, Implicit, None};
    for (name, wanted) in [
        ("groq/qwen/qwen3-32b", Explicit),
        ("groq/openai/gpt-oss-120b", None),
        ("huggingface/deepseek-ai/DeepSeek-R1", Explicit),
        ("perplexity/sonar-reasoning-pro", Explicit),
        ("perplexity/sonar", None),
        ("ollama/qwen3:8b", Explicit),
        ("ollama/llama3.2", None),
        ("vllm/Qwen/Qwen3-8B", Explicit),
        ("vllm/Qwen/Qwen3-235B-A22B-Thinking-2507", Implicit),
        ("vllm/deepseek-ai/DeepSeek-R1-Distill-Qwen-32B", Implicit),
        ("openai/gpt-5.2", None),
        ("deepseek/deepseek-reasoner", None),
    ] {
        let (provider, model) = name.split_once('/').unwrap();
        assert_eq!(traits(provider, model, OpenaiChat).think_tags, wanted, "{name}");
    }
    assert_eq!(traits("groq", "qwen/qwen3-32b", OpenaiResponses).think_tags, None);
}
