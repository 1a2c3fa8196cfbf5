//! `shim run`: a client, pointed at the gateway by its environment and, where that does not do, by its command line or by
//! a configuration of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result};

use crate::cli::Run;

/// The key clients get where the gateway wants none: most refuse to start without any.
const ANY_KEY: &str = "shim";

/// The model of clients that must be told one, where none was said: the alias that `shim up` makes.
const ANY_MODEL: &str = "chat";

pub(crate) fn run(args: &Run) -> Result<ExitCode> {
    let (program, rest) = args.command.split_first().context("which command?")?;
    let url = args.url.trim_end_matches('/');
    let key = args.key.as_deref().unwrap_or(ANY_KEY);
    let name = Path::new(program).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut command = Command::new(program);
    let own = own_configuration(&name, url, args.model.as_deref())?;
    let mut rest = rest.to_vec();
    if let (Some(model), Some(flag)) = (&args.model, model_flag(&name))
        && !rest.iter().any(|arg| arg == flag || arg == "-m" || arg == "--model")
    {
        // Where the command has words of its own first (`codex exec`), the flag goes behind the first of them.
        let at = usize::from(rest.first().is_some_and(|arg| matches!(arg.as_str(), "exec" | "run")));
        let model = if name == "aider" { format!("openai/{model}") } else { model.clone() };
        rest.splice(at..at, [flag.to_owned(), model]);
    }
    let model = args.model.as_deref();
    command.args(overrides(&name, url, model)).args(&rest).envs(environment(url, key, model));
    if let Some(own) = &own {
        command.envs(own.environment.iter().cloned());
    }
    let status = command.status().with_context(|| format!("cannot start {program}"));
    if let Some(own) = own {
        // What the client was given is of no use after it; that it cannot be removed harms nobody.
        let _ = std::fs::remove_dir_all(own.folder);
    }
    let code = status?.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Ok(ExitCode::from(code))
}

/// What SDKs and agents read.
fn environment(url: &str, key: &str, model: Option<&str>) -> Vec<(String, String)> {
    let mut set = vec![
        ("OPENAI_BASE_URL", format!("{url}/v1")),
        ("OPENAI_API_BASE", format!("{url}/v1")),
        ("OPENAI_API_KEY", key.to_owned()),
        ("ANTHROPIC_BASE_URL", url.to_owned()),
        ("ANTHROPIC_API_KEY", key.to_owned()),
        ("GOOGLE_GEMINI_BASE_URL", url.to_owned()),
        ("GEMINI_API_KEY", key.to_owned()),
        ("SHIM_URL", url.to_owned()),
        ("SHIM_KEY", key.to_owned()),
    ];
    if let Some(model) = model {
        set.push(("ANTHROPIC_MODEL", model.to_owned()));
        set.push(("ANTHROPIC_DEFAULT_HAIKU_MODEL", model.to_owned()));
        set.push(("GEMINI_MODEL", model.to_owned()));
    }
    set.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn model_flag(name: &str) -> Option<&'static str> {
    match name {
        "claude" | "codex" | "gemini" | "aider" => Some("--model"),
        "opencode" => Some("-m"),
        _ => None,
    }
}

/// A configuration made for one run of a client.
struct Own {
    folder: PathBuf,
    environment: Vec<(String, String)>,
}

/// opencode reads where to go from a file alone, Gemini's terminal client reads how to sign in from one. It takes
/// settings that go before its user's from none but root's folders, so it gets a home of its own.
fn own_configuration(name: &str, url: &str, model: Option<&str>) -> Result<Option<Own>> {
    let folder = std::env::temp_dir().join(format!("shim-run-{}", std::process::id()));
    let (file, text, variable) = match name {
        "opencode" => ("opencode.json", opencode(url, model.unwrap_or(ANY_MODEL)), "OPENCODE_CONFIG"),
        "gemini" => (".gemini/settings.json", gemini(), "GEMINI_CLI_HOME"),
        _ => return Ok(None),
    };
    let path = folder.join(file);
    std::fs::create_dir_all(path.parent().unwrap_or(&folder))?;
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    let value = if name == "opencode" { path } else { folder.clone() };
    let environment = vec![(variable.to_owned(), value.display().to_string())];
    Ok(Some(Own { folder, environment }))
}

/// Codex reads where to go from its configuration alone, but takes parts of that on its command line. A home of its own
/// would cost it its history, and the helpers it refuses to put below a temporary folder.
fn overrides(name: &str, url: &str, model: Option<&str>) -> Vec<String> {
    if name != "codex" {
        return Vec::new();
    }
    // A JSON string is a TOML string.
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let members = [
        ("model", quoted(model.unwrap_or(ANY_MODEL))),
        ("model_provider", quoted("shim")),
        ("model_providers.shim.name", quoted("shim")),
        ("model_providers.shim.base_url", quoted(&format!("{url}/v1"))),
        ("model_providers.shim.env_key", quoted("SHIM_KEY")),
        ("model_providers.shim.wire_api", quoted("responses")),
    ];
    members.into_iter().flat_map(|(name, value)| ["-c".to_owned(), format!("{name}={value}")]).collect()
}

fn opencode(url: &str, model: &str) -> String {
    serde_json::json!({
        "model": format!("shim/{model}"),
        "provider": { "shim": {
            "npm": "@ai-sdk/openai-compatible",
            "name": "shim",
            "options": { "baseURL": format!("{url}/v1"), "apiKey": "{env:SHIM_KEY}" },
            "models": { model: { "name": model } },
        } },
    })
    .to_string()
}

fn gemini() -> String {
    serde_json::json!({ "security": { "auth": { "selectedType": "gemini-api-key" } } }).to_string()
}

#[cfg(test)]
mod tests {
    use super::overrides;

    #[test]
    fn codex_is_told_on_its_command_line_what_toml_can_read() {
        let given = overrides("codex", "http://127.0.0.1:1", Some("a \"quoted\" name"));
        let text: Vec<_> = given.iter().filter(|arg| *arg != "-c").map(String::as_str).collect();
        assert_eq!(given.len(), 2 * text.len());
        assert_eq!(text[0], r#"model="a \"quoted\" name""#);
        assert!(text.contains(&r#"model_providers.shim.base_url="http://127.0.0.1:1/v1""#));
        assert!(overrides("claude", "http://127.0.0.1:1", None).is_empty());
    }
}
