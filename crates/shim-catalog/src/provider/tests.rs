//! Every file of a provider is sound, and says what it should.

use std::fmt::Debug;

use super::{Endpoint, FILES, Provider, StreamUsage, cached_from, provider, providers, region};

#[test]
fn every_file_is_sound() {
    for (id, text) in FILES {
        let provider: Provider = toml::from_str(text).unwrap_or_else(|e| panic!("{id}: {e}"));
        assert_eq!(provider.id, id);
        assert!(!provider.endpoints.is_empty(), "{id}");
        assert_eq!(provider.probe.is_some(), provider.key_env.is_empty(), "{id}");
        documented(&provider);
        named(&provider);
        stated(&provider);
        begun_with(&provider);
        provider.endpoints.iter().for_each(|endpoint| sound(&provider, endpoint));
    }
    assert_eq!(providers().len(), FILES.len());
}

/// Where the provider itself is documented.
#[track_caller]
fn documented(provider: &Provider) {
    let id = &provider.id;
    assert!(crate::Date::parse(&provider.read).is_some(), "{id}");
    let sources = [provider.stream_usage_source.as_ref(), provider.snapshots.as_ref().map(|s| &s.source)];
    for source in sources.into_iter().flatten().chain([&provider.docs]) {
        assert!(source.starts_with("https://"), "{id}: {source}");
    }
    assert_eq!(provider.stream_usage_source.is_some(), provider.stream_usage != StreamUsage::Option, "{id}");
}

/// The names of variables and headers.
#[track_caller]
fn named(provider: &Provider) {
    let id = &provider.id;
    for name in &provider.key_env {
        let named = name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
        assert!(named && name.starts_with(|c: char| c.is_ascii_uppercase()), "{id}: {name}");
    }
    assert!(provider.request_headers.iter().all(|name| is_header(name)), "{id}");
}

/// What is stated of some of its hosts, models and headers.
#[track_caller]
fn stated(provider: &Provider) {
    let id = &provider.id;
    for stated in &provider.regions {
        told(id, &stated.source, &stated.read, stated);
        assert_eq!(stated.region, stated.region.to_ascii_lowercase(), "{id}: {stated:?}");
    }
    for asked in &provider.asked_in {
        told(id, &asked.source, &asked.read, asked);
        assert!(asked.why.ends_with('.') && !asked.models.is_empty(), "{id}: {asked:?}");
        let dialects = asked.dialects();
        assert!(!dialects.is_empty() && dialects.len() == asked.dialects.len(), "{id}: {asked:?}");
        assert!(dialects.iter().all(|d| provider.endpoint(*d).is_some()), "{id}: {asked:?}");
    }
    for row in &provider.cached_from {
        told(id, &row.source, &row.read, row);
        assert!(!row.models.is_empty() && row.tokens_min > 0, "{id}: {row:?}");
    }
    for listed in &provider.header_values {
        assert!(provider.request_headers.contains(&listed.header), "{id}: {listed:?} never passes");
        told(id, &listed.source, &listed.read, listed);
    }
}

/// The model to begin with, of providers that tell theirs not themselves: one that is listed and to stay, or the reason.
#[track_caller]
fn begun_with(provider: &Provider) {
    let id = &provider.id;
    let told = (provider.chat_model.is_some(), provider.no_chat_model.is_some());
    let wanted = if provider.probe.is_some() { [(false, false); 2] } else { [(true, false), (false, true)] };
    assert!(wanted.contains(&told), "{id}: {told:?}");
    let Some(name) = &provider.chat_model else { return };
    let model = crate::models(id).iter().find(|model| model.id == *name);
    let model = model.unwrap_or_else(|| panic!("{id}: {name} is not listed"));
    assert_ne!(model.status, crate::Status::Deprecated, "{id}: {name}");
    assert_eq!(model.output, ["text"], "{id}: {name}");
    let tools = |model: &crate::Model| model.abilities.iter().any(|word| word == "tools");
    assert!(
        tools(model) || !crate::models(id).iter().any(tools),
        "{id}: {name} calls no tools, and others do"
    );
}

/// That `row` says where it is documented, and when that was read.
#[track_caller]
fn told(id: &str, source: &str, read: &str, row: &dyn Debug) {
    assert!(source.starts_with("https://"), "{id}: {row:?}");
    assert!(crate::Date::parse(read).is_some(), "{id}: {row:?}");
}

#[track_caller]
fn sound(provider: &Provider, endpoint: &Endpoint) {
    let id = &provider.id;
    let dialect = endpoint.dialect().unwrap_or_else(|| panic!("{id}: {endpoint:?}"));
    assert!(std::ptr::eq(provider.endpoint(dialect).unwrap(), endpoint), "{id}: {dialect} twice");
    assert!(endpoint.source.starts_with("https://"), "{id}: {endpoint:?}");
    if let Some(stated) = &endpoint.no_counter {
        told(id, &stated.source, &stated.read, stated);
        assert_ne!(dialect, shim_ir::Dialect::OpenaiChat, "{id}: nobody counts there");
    }
    endpoint.quirks.iter().for_each(|quirk| quirk.sound(&format!("{id}: {dialect}")));
    let base = &endpoint.base_url;
    let port = provider.probe.as_ref().map(|probe| format!("http://127.0.0.1:{}", probe.port));
    let local = port.is_some_and(|origin| base.starts_with(&origin));
    assert!(local || base.starts_with("https://") || base.starts_with('{'), "{base}");
    assert!(!base.ends_with('/'), "{base}");
    assert!(endpoint.headers.keys().all(|name| is_header(name)), "{id}");
    // The default of a header never keeps the client's own from passing.
    assert!(endpoint.headers.keys().all(|name| provider.request_headers.contains(name)), "{id}");
}

fn is_header(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

#[test]
fn regions_are_of_hosts_that_are_documented_and_of_no_others() {
    assert_eq!(region("api.eu.mistral.ai"), Some("eu"));
    assert_eq!(region("EU.api.openai.com"), Some("eu"));
    assert_eq!((region("api.openai.com"), region("api.mistral.ai"), region("lab.test")), (None, None, None));
}

#[test]
fn each_model_is_cached_from_a_length_of_its_own() {
    for (provider, model, wanted) in [
        ("openai", "gpt-5.2", Some(1024)),
        ("anthropic", "claude-haiku-4-5-20251001", Some(4096)),
        ("claude", "claude-sonnet-4-6", Some(1024)),
        ("google", "gemini-2.5-pro", Some(2048)),
        ("google", "gemini-3.1-pro-preview", Some(4096)),
        ("groq", "llama", None),
        ("lab", "m", None),
    ] {
        assert_eq!(cached_from(provider, model), wanted, "{provider}/{model}");
    }
}

#[test]
fn ids_are_unique_and_in_order() {
    let ids: Vec<_> = providers().iter().map(|p| p.id.as_str()).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    let mut names: Vec<_> = providers().iter().flat_map(|p| p.aliases.iter().chain([&p.id])).collect();
    names.sort();
    assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
    assert_eq!(provider("gemini").map(|p| p.id.as_str()), Some("google"));
    assert_eq!(provider("nobody"), None);
}

/// The providers that the first issue names.
#[test]
fn the_promised_are_there() {
    for id in [
        "openai",
        "anthropic",
        "google",
        "deepseek",
        "mistral",
        "groq",
        "xai",
        "openrouter",
        "together",
        "fireworks",
        "cerebras",
        "perplexity",
        "moonshot",
        "zai",
        "azure",
        "cohere",
        "huggingface",
        "ollama",
        "lmstudio",
        "llamacpp",
        "vllm",
        "sglang",
    ] {
        assert!(provider(id).is_some(), "{id}");
    }
}

#[test]
fn every_file_is_embedded() {
    for (folder, end) in [("providers", "toml"), ("models", "tsv")] {
        let path = format!("{}/data/{folder}", env!("CARGO_MANIFEST_DIR"));
        for entry in std::fs::read_dir(path).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let id = name.strip_suffix(&format!(".{end}")).unwrap_or_else(|| panic!("{name}"));
            assert!(FILES.iter().any(|(file, _)| *file == id), "{name}");
            assert!(folder == "providers" || !crate::models(id).is_empty(), "{name}");
        }
    }
}
