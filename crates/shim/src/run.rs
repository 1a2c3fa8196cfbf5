//! `shim run`: a client, pointed at the gateway by its environment and, where that does not do, by its command line or by
//! a configuration of its own.

pub(crate) mod environment;
mod gateway;
mod gemini;
mod jsonc;
mod opencode;

use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};

use anyhow::{Context as _, Result};

use self::gemini::Home;
use crate::cli::Run;
use crate::console::error;

/// The key clients get where the gateway wants none: most refuse to start without any.
const ANY_KEY: &str = "shim";

/// The model of clients that must be told one, where none was said: the alias that `shim up` makes.
const ANY_MODEL: &str = "chat";

/// How a command ends that is not there, and one that may not be started, as shells have it.
const NOT_FOUND: u8 = 127;
const NOT_STARTED: u8 = 126;

pub(crate) fn run(args: &Run) -> Result<ExitCode> {
    let (program, rest) = args.command.split_first().context("which command?")?;
    let url = &args.url.url();
    let key = args.key.as_deref().unwrap_or(ANY_KEY);
    let name = Path::new(program).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let model = args.model.as_deref();
    let variable = |name: &str| std::env::var(name).ok();
    // Behind a proxy is not asked: this command knows of none, and the client may.
    if args.url.is_near() || !environment::has_proxy(variable) {
        gateway::check(&args.url, key, model.or(wants_model(&name).then_some(ANY_MODEL)))?;
    }
    let mut command = Command::new(program);
    command.args(overrides(&name, url, model)).args(arguments(&name, rest, model));
    let mut own = environment::of_the_user(variable, key);
    if args.url.is_near() {
        own.extend(environment::past_proxies(variable, args.url.host()));
    }
    command.envs(environment::given(url, key, model));
    for (name, value) in own {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let home = own_configuration(&name, url, model, &mut command)?;
    let status = command.status();
    if let Some(home) = home {
        home.close()?;
    }
    match status {
        Ok(status) => Ok(ended(status)),
        Err(why) => {
            error(&format!("cannot start {program}: {why}"));
            let missing = why.kind() == std::io::ErrorKind::NotFound;
            Ok(ExitCode::from(if missing { NOT_FOUND } else { NOT_STARTED }))
        }
    }
}

/// The command's own exit code; where a signal ended it, 128 and the signal's number, as shells have it.
fn ended(status: ExitStatus) -> ExitCode {
    let signal = status.signal().map(|signal| signal.saturating_add(128));
    let code = status.code().or(signal).and_then(|code| u8::try_from(code).ok());
    ExitCode::from(code.unwrap_or(1))
}

/// Whether a client must be told a model, and gets the alias that `shim up` makes where none was said.
fn wants_model(name: &str) -> bool {
    matches!(name, "aider" | "codex" | "opencode")
}

/// The client's arguments, with the model among them unless they name one.
fn arguments(name: &str, rest: &[String], model: Option<&str>) -> Vec<String> {
    let mut rest = rest.to_vec();
    if name == "aider" {
        // It asks whether to open a page on every model that it has no prices of, and so on every alias.
        // Source: <https://aider.chat/docs/config/options.html>, read 2026-11-26.
        rest.insert(0, "--no-show-model-warnings".to_owned());
    }
    // With keys of several providers in its environment, aider takes a model of one of them unless it is told.
    let model = model.or((name == "aider").then_some(ANY_MODEL));
    let (Some(model), Some(flag)) = (model, model_flag(name)) else { return rest };
    // To aider `-m` is a message.
    let short = (name != "aider").then_some("-m");
    let says =
        |arg: &String| arg == flag || Some(arg.as_str()) == short || arg.split('=').next() == Some("--model");
    if rest.iter().any(says) {
        return rest;
    }
    let own = match name {
        "aider" => format!("openai/{model}"),
        "opencode" => opencode::name(model),
        _ => model.to_owned(),
    };
    // Where the command has words of its own first (`codex exec`), the flag goes behind the first of them.
    let at = usize::from(rest.first().is_some_and(|arg| matches!(arg.as_str(), "exec" | "run")));
    rest.splice(at..at, [flag.to_owned(), own]);
    rest
}

fn model_flag(name: &str) -> Option<&'static str> {
    match name {
        "claude" | "codex" | "gemini" | "aider" => Some("--model"),
        "opencode" => Some("-m"),
        _ => None,
    }
}

/// Gives clients that do not read the environment alone a configuration for this run, in which their user's own stays in
/// force. A home that was made is to be closed.
fn own_configuration(
    name: &str,
    url: &str,
    model: Option<&str>,
    command: &mut Command,
) -> Result<Option<Home>> {
    if name == "opencode" {
        let own = std::env::var(opencode::VARIABLE).ok();
        let whole = opencode::configuration(own.as_deref(), url, model.unwrap_or(ANY_MODEL))?;
        command.env(opencode::VARIABLE, whole);
    }
    if name != "gemini" {
        return Ok(None);
    }
    let user = std::env::var_os(gemini::VARIABLE).map(PathBuf::from).or_else(std::env::home_dir);
    let path = std::env::temp_dir().join(format!("shim-run-{}", std::process::id()));
    let home = Home::make(&user.context("there is no home folder")?, &std::env::current_dir()?, path)?;
    if let Some(home) = &home {
        command.env(gemini::VARIABLE, &home.path);
    }
    Ok(home)
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

#[cfg(test)]
mod tests {
    use super::{arguments, overrides};

    #[test]
    fn clients_are_told_the_model_unless_their_user_says_one() {
        let told = |name: &str, rest: &[&str]| {
            let rest: Vec<_> = rest.iter().map(|&arg| arg.to_owned()).collect();
            arguments(name, &rest, Some("lab/m")).join(" ")
        };
        assert_eq!(told("opencode", &["run", "hello"]), "run -m shim/lab/m hello");
        assert_eq!(told("codex", &["exec", "hello"]), "exec --model lab/m hello");
        let quiet = "--no-show-model-warnings";
        assert_eq!(told("aider", &[]), format!("--model openai/lab/m {quiet}"));
        assert_eq!(told("aider", &["-m", "fix it"]), format!("--model openai/lab/m {quiet} -m fix it"));
        assert_eq!(told("aider", &["--model=own"]), format!("{quiet} --model=own"));
        assert_eq!(arguments("aider", &[], None).join(" "), format!("--model openai/chat {quiet}"));
        assert_eq!(told("gemini", &["-m", "own"]), "-m own");
        assert_eq!(told("python", &["app.py"]), "app.py");
    }

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
