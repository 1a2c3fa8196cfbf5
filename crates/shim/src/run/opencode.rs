//! opencode reads where to go from its configuration alone, but lays what stands in a variable over all its files.

use anyhow::{Context as _, Result};

use super::jsonc;

/// The variable.
pub(super) const VARIABLE: &str = "OPENCODE_CONFIG_CONTENT";

/// What is to stand in the variable: what does so already, with the gateway laid over it.
///
/// # Errors
/// When what stands there is no JSON.
pub(super) fn configuration(own: Option<&str>, url: &str, model: &str) -> Result<String> {
    let mut whole = jsonc::parse(own.unwrap_or("{}")).with_context(|| format!("{VARIABLE} is not JSON"))?;
    let named = name(model);
    let gateway = serde_json::json!({
        "model": named,
        "small_model": named,
        "provider": { "shim": {
            "npm": "@ai-sdk/openai-compatible",
            "name": "shim",
            "options": { "baseURL": format!("{url}/v1"), "apiKey": "{env:SHIM_KEY}" },
            "models": { model: { "name": model } },
        } },
    });
    jsonc::lay(&mut whole, gateway);
    Ok(whole.to_string())
}

/// A model of the gateway, as opencode names it.
pub(super) fn name(model: &str) -> String {
    format!("shim/{model}")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::configuration;

    #[test]
    fn the_gateway_is_laid_over_what_the_variable_held() {
        let own = r#"{"theme": "own", "model": "a/b", "provider": {"a": {"name": "A"}}, /* mine */}"#;
        let text = configuration(Some(own), "http://127.0.0.1:1", "lab/m").unwrap();
        let whole: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&whole["theme"], &whole["provider"]["a"]["name"]), (&json!("own"), &json!("A")));
        assert_eq!((&whole["model"], &whole["small_model"]), (&json!("shim/lab/m"), &json!("shim/lab/m")));
        let shim = &whole["provider"]["shim"];
        assert_eq!(shim["options"]["baseURL"], "http://127.0.0.1:1/v1");
        assert_eq!(shim["models"]["lab/m"]["name"], "lab/m");
        configuration(Some("{"), "http://127.0.0.1:1", "m").unwrap_err();
    }
}
